//! A heartbeat: a member joins, says what has changed, tells what it has, learns what it is to have, or leaves.
//!
//! Refusals come before the first record: a turn that has written anything goes through.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ConsumerGroup, LeaveKind, Member, pattern};
use crate::coordinator::group::{GroupError, Turn};
use crate::coordinator::records::{
    ConsumerMember, ConsumerRecord, CurrentAssignment, MemberState, Partitions,
};

/// The epoch of a heartbeat by which a member leaves.
pub const LEAVES: i32 = -1;
/// The epoch of a heartbeat by which a static member leaves for now; what it has is kept for its instance.
pub const LEAVES_FOR_NOW: i32 = -2;

/// What a member says. `None`: as before.
#[derive(Debug, Clone)]
pub struct Beat {
    pub group: Arc<str>,
    /// Never empty: the API gives one to a member that has none.
    pub member: Arc<str>,
    pub epoch: i32,
    pub instance: Option<Arc<str>>,
    pub rack: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: Option<i32>,
    pub topics: Option<BTreeSet<String>>,
    pub pattern: Option<Arc<str>>,
    pub assignor: Option<Arc<str>>,
    /// What it has, of which it has not given up anything.
    pub owned: Option<Partitions>,
}

impl Beat {
    pub(in crate::coordinator::group) fn joins(&self) -> bool {
        self.epoch == 0
    }

    pub(in crate::coordinator::group) fn has_valid_pattern(&self) -> bool {
        self.pattern.as_deref().is_none_or(|pattern| pattern.is_empty() || pattern::is_valid(pattern))
    }

    /// It says all, as a member does that joins or that does not know what of it was heard.
    fn is_full(&self) -> bool {
        self.rebalance_timeout_ms.is_some()
            && (self.topics.is_some() || self.pattern.is_some())
            && self.owned.is_some()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beaten {
    pub member: Arc<str>,
    pub epoch: i32,
    /// 0 for a member that has left.
    pub heartbeat_interval_ms: i32,
    /// Where it is said at all.
    pub assigned: Option<Partitions>,
}

impl ConsumerGroup {
    pub(in crate::coordinator::group) fn heartbeat(
        &mut self,
        beat: &Beat,
        turn: &mut Turn<'_>,
    ) -> Result<Beaten, GroupError> {
        match beat.epoch {
            LEAVES => return self.leave_by_heartbeat(beat, LeaveKind::ForGood, turn),
            LEAVES_FOR_NOW => return self.leave_by_heartbeat(beat, LeaveKind::ForNow, turn),
            _ => {}
        }
        let before = self.admit(beat, turn)?;
        let said = beat.merged(&before.said);
        let changed = self.subscribe(&beat.member, &before.said, said, turn);
        self.make_target(turn);
        self.reconcile(&beat.member, changed, beat.owned.as_ref(), turn);
        let (id, member) = self.member(&beat.member);
        turn.set_consumer_session(&id, turn.session_timeout_ms());
        let shows = beat.joins() || beat.is_full() || member.has.assigned != before.has.assigned;
        Ok(Beaten {
            member: id,
            epoch: member.has.epoch,
            heartbeat_interval_ms: turn.settings.consumer.times.heartbeat_interval_ms(turn.configs()),
            assigned: shows.then(|| without_epochs(&member.has)),
        })
    }

    pub(super) fn member(&self, id: &str) -> (Arc<str>, &Member) {
        let Some((id, member)) = self.members.get_key_value(id) else {
            unreachable!("a member that was admitted is in the group")
        };
        (id.clone(), member)
    }

    /// The member as it was: known and of the right epoch, or new. One that takes an instance over has what that had.
    fn admit(&mut self, beat: &Beat, turn: &mut Turn<'_>) -> Result<Member, GroupError> {
        let known = self.members.contains_key(&*beat.member);
        if !known && self.members.len() >= turn.settings.consumer.size_max {
            return Err(GroupError::GroupFull);
        }
        let existing = match &beat.instance {
            None => self.members.get(&*beat.member),
            Some(instance) => self.instance(instance, beat)?,
        };
        let Some(existing) = existing else {
            return match beat.joins() {
                true => self.check_pattern(beat, None).map(|()| Member::default()),
                false => Err(GroupError::UnknownMember),
            };
        };
        existing.check_epoch(beat)?;
        self.check_pattern(beat, existing.said.pattern.as_deref())?;
        let existing = existing.clone();
        match beat.instance.as_deref().filter(|_| beat.joins()) {
            Some(instance) => Ok(self.take_over(instance, &beat.member, existing, turn)),
            None => Ok(existing),
        }
    }

    /// The member of an instance, if the one that asks may be it.
    fn instance(&self, instance: &str, beat: &Beat) -> Result<Option<&Member>, GroupError> {
        let Some(owner) = self.instances.get(instance) else { return Ok(None) };
        let member = &self.members[owner];
        if beat.joins() {
            // Another process may run with the same instance id; only one that has left makes room.
            let is_free = member.is_classic() || member.has.epoch == LEAVES_FOR_NOW;
            if is_free { Ok(Some(member)) } else { Err(GroupError::UnreleasedInstance) }
        } else if *owner != beat.member {
            Err(GroupError::FencedInstance)
        } else {
            Ok(Some(member))
        }
    }

    fn check_pattern(&self, beat: &Beat, before: Option<&str>) -> Result<(), GroupError> {
        let is_known =
            beat.pattern.as_deref().is_some_and(|p| before == Some(p) || self.subscribed.contains_key(p));
        if is_known || beat.has_valid_pattern() { Ok(()) } else { Err(GroupError::InvalidPattern) }
    }

    /// A new member stands in the place of the one that the instance had.
    pub(super) fn take_over(
        &mut self,
        instance: &str,
        id: &Arc<str>,
        member: Member,
        turn: &mut Turn<'_>,
    ) -> Member {
        let old = self.instances[instance].clone();
        let target = self.target.get(&old).cloned().unwrap_or_default();
        self.commit_removal(&old, turn);
        turn.cancel_member(&old);
        let member =
            Member { has: CurrentAssignment { epoch: 0, previous_epoch: 0, ..member.has }, ..member };
        let name = id.to_string();
        self.commit(ConsumerRecord::Member(name.clone(), Some(member.said.clone())), turn);
        self.commit(ConsumerRecord::Target(name.clone(), Some((*target).clone())), turn);
        self.commit(ConsumerRecord::Current(name, Some(member.has.clone())), turn);
        member
    }
}

impl Beat {
    fn merged(&self, before: &ConsumerMember) -> ConsumerMember {
        let text = |now: &Option<Arc<str>>, before: &Option<String>| match now {
            Some(now) => Some(now.to_string()),
            None => before.clone(),
        };
        ConsumerMember {
            instance: text(&self.instance, &before.instance),
            rack: text(&self.rack, &before.rack),
            client_id: self.client_id.to_string(),
            client_host: self.client_host.to_string(),
            topics: self.topics.clone().unwrap_or_else(|| before.topics.clone()),
            pattern: text(&self.pattern, &before.pattern),
            rebalance_timeout_ms: self.rebalance_timeout_ms.unwrap_or(before.rebalance_timeout_ms),
            assignor: text(&self.assignor, &before.assignor),
            classic: None,
        }
    }
}

impl Member {
    fn check_epoch(&self, beat: &Beat) -> Result<(), GroupError> {
        // A state that only a later version knows: the member begins anew, without anything.
        if self.has.state == MemberState::Unknown && beat.owned.as_ref().is_none_or(|owned| !owned.is_empty())
        {
            return Err(GroupError::FencedMemberEpoch);
        }
        // The answer that told of the newest epoch may be lost: then it has at most what it is to have.
        let lags = || {
            let has = |(topic, partitions): (_, &BTreeSet<i32>)| {
                let assigned = self.has.assigned.get(topic);
                partitions.iter().all(|p| assigned.is_some_and(|assigned| assigned.contains_key(p)))
            };
            beat.epoch == self.has.previous_epoch
                && beat.owned.as_ref().is_some_and(|owned| owned.iter().all(has))
        };
        if beat.joins() || beat.epoch == self.has.epoch || (beat.epoch < self.has.epoch && lags()) {
            Ok(())
        } else {
            Err(GroupError::FencedMemberEpoch)
        }
    }
}

pub(super) fn without_epochs(has: &CurrentAssignment) -> Partitions {
    has.assigned.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}
