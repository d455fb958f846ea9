//! Leaving: by request, by silence.

use std::sync::Arc;

use super::{ClassicGroup, State};
use crate::coordinator::group::{GroupError, Joined, Leaving, Reply, Turn};

impl ClassicGroup {
    /// Several may leave at once; each has an outcome of its own.
    pub(in crate::coordinator::group) fn leave(
        &mut self,
        members: &[Leaving],
        turn: &mut Turn<'_>,
    ) -> Vec<Result<(), GroupError>> {
        let outcomes: Vec<_> = members.iter().map(|leaving| self.leave_one(leaving, turn)).collect();
        if outcomes.iter().any(Result::is_ok) {
            match self.state {
                State::Stable | State::Completing => self.rebalance_or_complete(turn),
                State::Preparing(_) => self.complete_if_all_joined(turn),
                State::Empty => {}
            }
        }
        outcomes
    }

    fn leave_one(&mut self, leaving: &Leaving, turn: &mut Turn<'_>) -> Result<(), GroupError> {
        let id = if leaving.member.is_empty() {
            // An operator removes a static member by its instance.
            let of_instance = leaving.instance.as_ref().and_then(|instance| self.instances.get(instance));
            of_instance.cloned().ok_or(GroupError::UnknownMember)?
        } else {
            if !self.pending.contains_key(&leaving.member) {
                self.check_member(&leaving.member, leaving.instance.as_deref())?;
            }
            leaving.member.clone()
        };
        turn.cancel_session(&id);
        self.send_away(&id, turn);
        Ok(())
    }

    /// Whoever still waits on behalf of the member learns that it is none any more, and joins anew if it is alive.
    fn send_away(&mut self, id: &Arc<str>, turn: &mut Turn<'_>) {
        self.answer_join(id, Joined::failed(GroupError::UnknownMember, Arc::default()), turn);
        if let Some(member) = self.remove(id)
            && let Some(waiting) = member.syncing
        {
            turn.out.answer(waiting, Reply::Synced(Err(GroupError::UnknownMember)));
        }
    }

    /// Nothing was heard of a member, or of somebody who was given an id, for its session timeout.
    pub(in crate::coordinator::group) fn session_over(&mut self, id: &Arc<str>, turn: &mut Turn<'_>) {
        if self.pending.contains_key(id) {
            self.remove(id);
            return self.complete_if_somebody_is_left(turn);
        }
        let Some(member) = self.members.get(id) else { return };
        if member.is_heard() {
            return;
        }
        tracing::debug!(group = %turn.id, member = %id, "a member was silent for its session timeout and is removed");
        self.send_away(id, turn);
        match self.state {
            State::Stable | State::Completing => self.rebalance_or_complete(turn),
            State::Preparing(_) => self.complete_if_somebody_is_left(turn),
            State::Empty => {}
        }
    }

    /// One less to wait for.
    fn complete_if_somebody_is_left(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.state, State::Preparing(_)) && self.all_have_joined() {
            self.complete_join(turn);
        }
    }
}
