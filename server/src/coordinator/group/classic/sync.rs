//! The leader says who reads what, and everybody asks for his part.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{ClassicGroup, State};
use crate::coordinator::group::{As, GroupError, Reply, Sync, Synced, Turn};
use crate::coordinator::records::{Encoded, Record};
use crate::coordinator::shard::Waiter;

/// What a batch takes beside its one record; generous.
const BATCH_OVERHEAD_BYTES: usize = 128;

impl ClassicGroup {
    pub(in crate::coordinator::group) fn sync(&mut self, sync: Sync, waiter: Waiter, turn: &mut Turn<'_>) {
        if let Err(error) = self.may_sync(&sync) {
            return turn.out.answer(waiter, Reply::Synced(Err(error)));
        }
        let id = sync.who.member.clone();
        self.unsynced.remove(&id);
        if self.unsynced.is_empty() {
            turn.cancel_assignment();
        }
        if self.state == State::Stable {
            let synced = self.synced(&id);
            return turn.out.answer(waiter, Reply::Synced(Ok(synced)));
        }
        if let Some(member) = self.members.get_mut(&id)
            && let Some(older) = member.syncing.replace(waiter)
        {
            // Its client has given up on that one.
            turn.out.answer(older, Reply::Synced(Err(GroupError::UnknownMember)));
        }
        if self.is_leader(&id) {
            self.assign(sync.assignments, turn);
        }
    }

    fn may_sync(&self, sync: &Sync) -> Result<(), GroupError> {
        if self.is_empty() {
            return Err(GroupError::UnknownMember);
        }
        self.check_member(&sync.who.member, sync.who.instance.as_deref())?;
        if sync.who.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differ = |said: &Option<Arc<str>>, ours: &Option<Arc<str>>| matches!((said, ours), (Some(said), Some(ours)) if said != ours);
        if differ(&sync.protocol_type, &self.protocol_type) || differ(&sync.protocol, &self.protocol) {
            return Err(GroupError::InconsistentProtocol);
        }
        if matches!(self.state, State::Preparing(_)) { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    fn synced(&self, id: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    /// The leader's word ends the rebalance; whom it does not name gets nothing.
    fn assign(&mut self, assignments: Vec<(Arc<str>, Bytes)>, turn: &mut Turn<'_>) {
        let assignments: HashMap<Arc<str>, Bytes> = assignments.into_iter().collect();
        let record = self.record(|id, _| assignments.get(id).cloned().unwrap_or_default());
        let encoded: Encoded = Record::ClassicGroup(turn.id.to_string(), Some(record.clone())).encode();
        if encoded.bytes() + BATCH_OVERHEAD_BYTES > turn.settings.batch_bytes_max(&turn.image) {
            tracing::warn!(group = %turn.id, bytes = encoded.bytes(), "a group is too large for one record of its topic");
            self.refuse_assignment(GroupError::Unexpected, turn);
            return self.rebalance_or_complete(turn);
        }
        turn.out.record(encoded.into());
        self.apply(record);
        turn.count_rebalance();
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            let synced = self.synced(&id);
            // While it waited its session was not counted.
            if self.answer_sync(&id, Ok(synced), turn) {
                self.renew_session(&id, turn);
            }
        }
    }

    pub(in crate::coordinator::group) fn heartbeat(
        &mut self,
        who: &As,
        turn: &mut Turn<'_>,
    ) -> Result<(), GroupError> {
        self.check_member(&who.member, who.instance.as_deref())?;
        if who.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        if self.is_empty() {
            return Err(GroupError::UnknownMember);
        }
        self.renew_session(&who.member, turn);
        if matches!(self.state, State::Preparing(_)) { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Those who have joined and never asked for their assignment are gone.
    pub(in crate::coordinator::group) fn assignment_time_over(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.state, State::Completing | State::Stable) || self.unsynced.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.unsynced) {
            self.remove(&id);
            turn.cancel_session(&id);
        }
        self.prepare_rebalance(turn);
    }
}
