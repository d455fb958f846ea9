//! A classic group hands its members over to a group of the newer protocol, or has been handed them.

use super::{CONSUMER, ClassicGroup};
use crate::coordinator::group::consumer::Converted;
use crate::coordinator::group::{GroupError, Joined, Reply, Turn};

impl ClassicGroup {
    /// Its members as they are; `None` where it is not a group of consumers that follow a protocol.
    pub(in crate::coordinator::group) fn members_to_convert(&self) -> Option<Vec<Converted>> {
        let protocol =
            self.protocol.as_deref().filter(|_| self.protocol_type.as_deref() == Some(CONSUMER))?;
        let convert = |(id, member): (&std::sync::Arc<str>, &super::Member)| Converted {
            id: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            protocols: member.protocols.iter().map(|p| (p.name.to_string(), p.metadata.clone())).collect(),
            metadata: member.metadata(protocol),
            assignment: member.assignment.clone(),
        };
        Some(self.members.iter().map(convert).collect())
    }

    /// Before it is no more: whoever waits learns of another rebalance, and no timer of its own rings any more.
    pub(in crate::coordinator::group) fn dismiss(&mut self, turn: &mut Turn<'_>) {
        turn.cancel_join();
        turn.cancel_assignment();
        let pending = std::mem::take(&mut self.pending);
        pending.keys().for_each(|id| turn.cancel_session(id));
        for (id, member) in &mut self.members {
            turn.cancel_session(id);
            if let Some(waiting) = member.joining.take() {
                let again = Joined::failed(GroupError::RebalanceInProgress, id.clone());
                turn.out.answer(waiting, Reply::Joined(Box::new(again)));
            }
            if let Some(waiting) = member.syncing.take() {
                turn.out.answer(waiting, Reply::Synced(Err(GroupError::RebalanceInProgress)));
            }
        }
        self.joining = 0;
    }
}
