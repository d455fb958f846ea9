//! Joining: who is let in, with which id, and what that sets off.
//!
//! A dynamic member without an id is given one and asked to join again with it, so that a join whose answer is lost
//! leaves no member behind; until then it is pending. A static member needs none: its instance says who it is, and takes
//! over from whoever had it before.

use std::sync::Arc;

use super::{ClassicGroup, Member, Preparing, State};
use crate::coordinator::group::{GroupError, Join, Joined, Reply, Turn};
use crate::coordinator::records::Record;
use crate::coordinator::shard::Waiter;

/// How long a new member's join may wait. It sends no heartbeats yet, and its client may have given up.
const NEW_MEMBER_TIMEOUT_MS: i32 = 5 * 60 * 1000;

impl ClassicGroup {
    pub(in crate::coordinator::group) fn join(&mut self, join: Join, waiter: Waiter, turn: &mut Turn<'_>) {
        if let Err((error, member)) = self.join_checked(join, waiter, turn) {
            let refused = Joined::failed(error, member);
            turn.out.answer(waiter, Reply::Joined(Box::new(refused)));
        }
    }

    fn join_checked(
        &mut self,
        join: Join,
        waiter: Waiter,
        turn: &mut Turn<'_>,
    ) -> Result<(), (GroupError, Arc<str>)> {
        if !self.has_room_for(&join.member, turn.settings.size_max) {
            // It may have been a member of a group that was allowed to be larger.
            if let Some(member) = self.remove(&join.member)
                && let Some(waiting) = member.joining
            {
                let refused = Joined::failed(GroupError::UnknownMember, Arc::default());
                turn.out.answer(waiting, Reply::Joined(Box::new(refused)));
            }
            return Err((GroupError::GroupFull, Arc::default()));
        }
        if !self.supports(&join.protocol_type, &join.protocols) {
            return Err((GroupError::InconsistentProtocol, join.member));
        }
        if join.member.is_empty() {
            self.join_new(join, waiter, turn)
        } else {
            self.join_again(join, waiter, turn)
        }
    }

    /// Those who join count while the group is put together, and all members otherwise: that way those who come last are
    /// sent away where the limit was lowered.
    fn has_room_for(&self, member: &str, size_max: usize) -> bool {
        match self.state {
            State::Empty => true,
            State::Preparing(_) => {
                self.members.get(member).is_some_and(|m| m.joining.is_some()) || self.joining < size_max
            }
            State::Completing | State::Stable => {
                self.members.contains_key(member) || self.members.len() < size_max
            }
        }
    }

    fn join_new(
        &mut self,
        join: Join,
        waiter: Waiter,
        turn: &mut Turn<'_>,
    ) -> Result<(), (GroupError, Arc<str>)> {
        let id = join.new_member.clone();
        if let Some(instance) = &join.instance {
            match self.instances.get(instance).cloned() {
                Some(old) => self.take_over(&old, id, join, waiter, turn),
                None => self.add(id, join, waiter, turn),
            }
            return Ok(());
        }
        if join.takes_member_id {
            let Some(place) = turn.settings.pending_bound.take() else {
                return Err((GroupError::TooManyPending, Arc::default()));
            };
            self.pending.insert(id.clone(), place);
            turn.set_session(&id, join.session_timeout_ms);
            return Err((GroupError::MemberIdRequired, id));
        }
        self.add(id, join, waiter, turn);
        Ok(())
    }

    fn join_again(
        &mut self,
        join: Join,
        waiter: Waiter,
        turn: &mut Turn<'_>,
    ) -> Result<(), (GroupError, Arc<str>)> {
        let id = join.member.clone();
        if self.pending.contains_key(&id) {
            // An id that was given away belongs to no instance.
            if join.instance.is_some() {
                return Err((GroupError::Unexpected, Arc::default()));
            }
            self.add(id, join, waiter, turn);
            return Ok(());
        }
        self.check_member(&id, join.instance.as_deref()).map_err(|error| (error, id.clone()))?;
        let is_unchanged = self.members.get(&id).is_some_and(|member| member.protocols == join.protocols);
        match self.state {
            // It knows a generation that is no more.
            State::Empty => return Err((GroupError::UnknownMember, id)),
            // Its answer was lost, or it wants to know its generation: nothing new for the others.
            State::Completing if is_unchanged => self.tell_generation(&id, waiter, turn),
            State::Stable if is_unchanged && !self.is_leader(&id) => {
                self.tell_generation(&id, waiter, turn);
            }
            // A leader that joins again has seen something that its members do not say, such as new partitions.
            State::Preparing(_) | State::Completing | State::Stable => {
                self.update(&id, join, waiter, turn);
                self.rebalance_or_complete(turn);
            }
        }
        Ok(())
    }

    fn tell_generation(&self, id: &Arc<str>, waiter: Waiter, turn: &mut Turn<'_>) {
        turn.out.answer(waiter, Reply::Joined(Box::new(self.joined(id))));
    }

    fn add(&mut self, id: Arc<str>, join: Join, waiter: Waiter, turn: &mut Turn<'_>) {
        if matches!(self.state, State::Preparing(Preparing { is_first: true, .. })) {
            self.someone_came = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        self.add_protocols(&join.protocols);
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        let member = Member {
            instance: join.instance,
            client_id: join.client_id,
            client_host: join.client_host,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols,
            assignment: bytes::Bytes::new(),
            joining: Some(waiter),
            syncing: None,
            is_new: true,
        };
        self.leader.get_or_insert_with(|| id.clone());
        self.pending.remove(&id);
        self.members.insert(id.clone(), member);
        self.joining += 1;
        turn.set_session(&id, NEW_MEMBER_TIMEOUT_MS);
        self.rebalance_or_complete(turn);
    }

    /// A member says anew what it can do, and waits. An older join of its own that still waits is given up by its client.
    fn update(&mut self, id: &str, join: Join, waiter: Waiter, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(id) else { return };
        let before = std::mem::replace(&mut member.protocols, join.protocols.clone());
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.session_timeout_ms = join.session_timeout_ms;
        match member.joining.replace(waiter) {
            None => self.joining += 1,
            Some(older) => {
                let refused = Joined::failed(GroupError::UnknownMember, Arc::default());
                turn.out.answer(older, Reply::Joined(Box::new(refused)));
            }
        }
        self.remove_protocols(&before);
        self.add_protocols(&join.protocols);
    }

    /// A static member has started again: its new id stands for what the old one stood for, and who still uses that is
    /// told so.
    fn take_over(&mut self, old: &Arc<str>, id: Arc<str>, join: Join, waiter: Waiter, turn: &mut Turn<'_>) {
        let fenced = Joined::failed(GroupError::FencedInstance, old.clone());
        self.answer_join(old, fenced, turn);
        self.answer_sync(old, Err(GroupError::FencedInstance), turn);
        let Some(member) = self.members.remove(old) else { return };
        let was_leader = self.is_leader(old);
        let leader_before = self.leader.clone();
        if was_leader {
            self.leader = Some(id.clone());
        }
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.unsynced.remove(old);
        self.members.insert(id.clone(), member);
        turn.cancel_session(old);
        self.renew_session(&id, turn);
        let skips_assignment = join.skips_assignment;
        self.update(&id, join, waiter, turn);
        match self.state {
            State::Stable if self.choose_protocol() == self.protocol => {
                self.keep_generation(&id, skips_assignment, leader_before, turn);
            }
            State::Stable => self.rebalance_or_complete(turn),
            // The leader may already have assigned to the old id.
            State::Completing => self.prepare_rebalance(turn),
            State::Preparing(_) | State::Empty => self.complete_if_all_joined(turn),
        }
    }

    /// Only an id has changed: the generation goes on, and the record says who is in it now.
    fn keep_generation(
        &mut self,
        id: &Arc<str>,
        skips_assignment: bool,
        leader_before: Option<Arc<str>>,
        turn: &mut Turn<'_>,
    ) {
        let record = self.record(|_, member| member.assignment.clone());
        turn.out.record(Record::ClassicGroup(turn.id.to_string(), Some(record.clone())).encode().into());
        self.apply(record);
        let mut joined = self.joined(id);
        if skips_assignment {
            joined.skip_assignment = self.is_leader(id);
        } else {
            // It is to ask for its assignment as a follower does; a leader that it is not assigns nothing.
            joined.leader = leader_before.unwrap_or_default();
            joined.members = Vec::new();
        }
        self.answer_join(id, joined, turn);
    }
}
