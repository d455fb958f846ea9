//! Members go: by their own word, for now or for good, or because nothing was heard of them in time.

use std::sync::Arc;

use super::{Beat, Beaten, ConsumerGroup, LEAVES_FOR_NOW, Member};
use crate::coordinator::group::{GroupError, Turn};
use crate::coordinator::records::{ConsumerRecord, CurrentAssignment, GroupEpoch, MemberState, WithEpochs};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaveKind {
    ForGood,
    /// A static member that is about to come back.
    ForNow,
}

impl ConsumerGroup {
    pub(super) fn leave_by_heartbeat(
        &mut self,
        beat: &Beat,
        kind: LeaveKind,
        turn: &mut Turn<'_>,
    ) -> Result<Beaten, GroupError> {
        let id = match &beat.instance {
            None => self.members.get_key_value(&*beat.member).map(|(id, _)| id.clone()),
            Some(instance) => self.instances.get(&**instance).cloned(),
        };
        let id = id.ok_or(GroupError::UnknownMember)?;
        if id != beat.member {
            return Err(GroupError::FencedInstance);
        }
        match (kind, &beat.instance) {
            (LeaveKind::ForNow, Some(_)) => self.leave_for_now(&id, turn),
            _ => self.fence(std::slice::from_ref(&id), turn),
        }
        Ok(Beaten { member: id, epoch: beat.epoch, heartbeat_interval_ms: 0, assigned: None })
    }

    /// Its partitions stay with its instance until its session is over.
    fn leave_for_now(&mut self, id: &Arc<str>, turn: &mut Turn<'_>) {
        let (_, member) = self.member(id);
        let mut has =
            CurrentAssignment { epoch: LEAVES_FOR_NOW, revoking: WithEpochs::new(), ..member.has.clone() };
        // Whoever comes back with the instance id gets them as from the beginning.
        has.assigned.values_mut().flat_map(|partitions| partitions.values_mut()).for_each(|epoch| *epoch = 0);
        self.commit(ConsumerRecord::Current(id.to_string(), Some(has)), turn);
    }

    /// Members are no longer in the group; what they had is free.
    pub(in crate::coordinator::group) fn fence(&mut self, ids: &[Arc<str>], turn: &mut Turn<'_>) {
        if ids.is_empty() {
            return;
        }
        for id in ids {
            self.commit_removal(id, turn);
            turn.cancel_member(id);
        }
        let unused: Vec<String> =
            self.patterns.keys().filter(|pattern| !self.subscribed.contains_key(*pattern)).cloned().collect();
        for pattern in unused {
            self.commit(ConsumerRecord::Pattern(pattern, None), turn);
        }
        // What follows is a classic group, and its rebalance makes the next generation.
        let (may, size_max) = (turn.settings.consumer.may_downgrade, turn.settings.size_max);
        if self.should_downgrade(may, size_max) && self.as_classic(turn.now.wall_ms, &turn.image).is_some() {
            return;
        }
        let topics_hash = self.hash_topics(&turn.image);
        self.commit(ConsumerRecord::Epoch(Some(GroupEpoch { epoch: self.next_epoch(), topics_hash })), turn);
        turn.count_rebalance();
    }

    /// No timer of a member rings any more.
    pub(in crate::coordinator::group) fn cancel_all(&self, turn: &mut Turn<'_>) {
        self.members.keys().for_each(|id| turn.cancel_member(id));
    }

    pub(super) fn commit_removal(&mut self, id: &str, turn: &mut Turn<'_>) {
        self.commit(ConsumerRecord::Current(id.to_owned(), None), turn);
        self.commit(ConsumerRecord::Target(id.to_owned(), None), turn);
        self.commit(ConsumerRecord::Member(id.to_owned(), None), turn);
    }

    /// Nothing was heard of a member for its session timeout.
    pub(in crate::coordinator::group) fn session_over(&mut self, id: &Arc<str>, turn: &mut Turn<'_>) {
        if self.members.contains_key(id) {
            self.fence(std::slice::from_ref(id), turn);
        }
    }

    /// A member of the classic protocol was told to join again, or has joined, and did not go on.
    pub(in crate::coordinator::group) fn classic_time_over(&mut self, id: &Arc<str>, turn: &mut Turn<'_>) {
        // By now it may follow the newer protocol.
        if self.members.get(id).is_some_and(Member::is_classic) {
            self.fence(std::slice::from_ref(id), turn);
        }
    }

    /// A member has had the time to give up partitions that it said it needs.
    pub(in crate::coordinator::group) fn revocation_over(&mut self, id: &Arc<str>, turn: &mut Turn<'_>) {
        let still = |member: &Member| member.has.state == MemberState::Unrevoked;
        if self.members.get(id).is_some_and(still) {
            self.fence(std::slice::from_ref(id), turn);
        }
    }
}
