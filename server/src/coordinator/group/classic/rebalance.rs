//! From the first who joins to the generation that they make together.
//!
//! A rebalance ends when all members have joined again, or when its time is over: then dynamic members that did not come
//! are removed, static ones stay. The first rebalance of an empty group waits a little for more members, and a little
//! more each time that one comes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{ClassicGroup, Delay, Member, Preparing, State};
use crate::coordinator::group::{GroupError, Joined, JoinedMember, Reply, Synced, Turn};
use crate::coordinator::records::Record;

/// Where all who are members are away nobody waits for a join, and it is looked again after so long at least.
const ABSENT_MIN_MS: i32 = 1_000;

impl ClassicGroup {
    /// A member has come or changed: the others must join anew, or do so already.
    pub(super) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.state, State::Preparing(_)) {
            self.complete_if_all_joined(turn);
        } else {
            self.prepare_rebalance(turn);
        }
    }

    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::Completing {
            self.refuse_assignment(GroupError::RebalanceInProgress, turn);
        }
        self.unsynced.clear();
        turn.cancel_assignment();
        let is_first = self.state == State::Empty;
        let mut delay = None;
        if is_first {
            let now_ms = turn.settings.initial_delay_ms;
            let left_ms = self.rebalance_timeout_ms().saturating_sub(now_ms).max(0);
            delay = Some(Delay { now_ms, left_ms });
            turn.set_join(now_ms);
        }
        tracing::debug!(group = %turn.id, generation = self.generation, members = self.members.len(), "a group rebalances");
        self.set_state(State::Preparing(Preparing { is_first, delay }), turn);
        if is_first {
            return;
        }
        if self.all_have_joined() {
            self.complete_join(turn);
        } else {
            turn.set_join(self.rebalance_timeout_ms());
        }
    }

    /// The first rebalance of an empty group ends by its timer only.
    pub(super) fn complete_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        let may = matches!(self.state, State::Preparing(Preparing { is_first: false, .. }));
        if may && self.all_have_joined() {
            self.complete_join(turn);
        }
    }

    pub(super) fn all_have_joined(&self) -> bool {
        self.members.len() == self.joining && self.pending.is_empty()
    }

    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    /// The timer of the joins rings.
    pub(in crate::coordinator::group) fn join_time_over(&mut self, turn: &mut Turn<'_>) {
        let State::Preparing(preparing) = self.state else { return };
        let Some(delay) = preparing.delay else { return self.complete_join(turn) };
        if !self.someone_came || delay.left_ms == 0 {
            return self.complete_join(turn);
        }
        self.someone_came = false;
        let next = Delay {
            now_ms: turn.settings.initial_delay_ms.min(delay.left_ms),
            left_ms: delay.left_ms.saturating_sub(delay.now_ms).max(0),
        };
        self.state = State::Preparing(Preparing { delay: Some(next), ..preparing });
        turn.set_join(next.now_ms);
    }

    /// Nobody is waited for any longer.
    pub(super) fn complete_join(&mut self, turn: &mut Turn<'_>) {
        let State::Preparing(preparing) = self.state else { return };
        turn.cancel_join();
        self.someone_came = false;
        let absent = self.members.iter().filter(|(_, m)| m.joining.is_none() && !m.is_static());
        let absent: Vec<Arc<str>> = absent.map(|(id, _)| id.clone()).collect();
        for id in &absent {
            self.remove(id);
            turn.cancel_session(id);
        }
        if !self.elect_leader() && !self.members.is_empty() {
            // Static members only, and none of them here: their sessions decide.
            self.state = State::Preparing(Preparing { delay: None, ..preparing });
            turn.set_join(self.rebalance_timeout_ms().max(ABSENT_MIN_MS));
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        self.unsynced.clear();
        if self.members.is_empty() {
            self.become_empty(turn);
        } else {
            self.begin_generation(turn);
        }
    }

    /// The leader stays if it has joined; otherwise another one of those who have. False if nobody has.
    fn elect_leader(&mut self) -> bool {
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        if leader.is_some_and(|member| member.joining.is_some()) {
            return true;
        }
        let here = self.members.iter().find(|(_, member)| member.joining.is_some());
        match here.map(|(id, _)| id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.protocol = None;
        self.set_state(State::Empty, turn);
        let record = self.record(|_, _| Bytes::new());
        turn.out.record(Record::ClassicGroup(turn.id.to_string(), Some(record.clone())).encode().into());
        self.apply(record);
    }

    /// Everybody learns the new generation, and the leader who is in it.
    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.protocol = self.choose_protocol();
        self.subscribed = self.subscriptions();
        self.set_state(State::Completing, turn);
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            self.answer_join(&id, joined, turn);
            self.renew_session(&id, turn);
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
            }
            self.unsynced.insert(id);
        }
        turn.set_assignment(self.rebalance_timeout_ms());
    }

    /// What a member learns of the generation as it is now.
    pub(super) fn joined(&self, id: &Arc<str>) -> Joined {
        Joined {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member: id.clone(),
            members: if self.is_leader(id) { self.joined_members() } else { Vec::new() },
        }
    }

    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let joined = |(id, member): (&Arc<str>, &Member)| JoinedMember {
            id: id.clone(),
            instance: member.instance.clone(),
            metadata: member.metadata(protocol),
        };
        self.members.iter().map(joined).collect()
    }

    /// The protocol that all members know and most of them like best.
    pub(super) fn choose_protocol(&self) -> Option<Arc<str>> {
        let known_to_all = |name: &Arc<str>| self.supported.get(name) == Some(&self.members.len());
        let mut votes: HashMap<&Arc<str>, usize> = HashMap::new();
        for member in self.members.values() {
            if let Some(best) = member.protocols.iter().map(|p| &p.name).find(|name| known_to_all(name)) {
                *votes.entry(best).or_insert(0) += 1;
            }
        }
        // With as many votes the first by name wins, so that the same members always choose the same.
        let chosen = votes.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
        chosen.map(|(name, _)| name.clone())
    }

    pub(super) fn supports(&self, protocol_type: &str, protocols: &[super::Protocol]) -> bool {
        if self.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols
                .iter()
                .any(|p| self.supported.get(&p.name).copied().unwrap_or(0) == self.members.len())
    }

    /// Answers the join that waits for this member, if one does.
    pub(super) fn answer_join(&mut self, id: &str, joined: Joined, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(id) else { return };
        if let Some(waiter) = member.joining.take() {
            self.joining -= 1;
            turn.out.answer(waiter, Reply::Joined(Box::new(joined)));
        }
    }

    /// Answers the question for an assignment that waits for this member, if one does.
    pub(super) fn answer_sync(
        &mut self,
        id: &str,
        synced: Result<Synced, GroupError>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let waiter = self.members.get_mut(id).and_then(|member| member.syncing.take());
        let Some(waiter) = waiter else { return false };
        turn.out.answer(waiter, Reply::Synced(synced));
        true
    }

    /// The generation comes to nothing: nobody has an assignment.
    pub(super) fn refuse_assignment(&mut self, error: GroupError, turn: &mut Turn<'_>) {
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = Bytes::new();
            }
            if self.answer_sync(&id, Err(error), turn) {
                self.renew_session(&id, turn);
            }
        }
    }
}
