//! A member of a classic group.

use std::sync::Arc;

use bytes::Bytes;

use crate::coordinator::group::{DescribedMember, Protocol};
use crate::coordinator::records::GroupMember;
use crate::coordinator::shard::Waiter;

pub(super) struct Member {
    pub(super) instance: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// In the order in which it prefers them.
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    // Soft from here on.
    /// Its join waits for the rebalance to end.
    pub(super) joining: Option<Waiter>,
    /// Its question for the assignment waits for the leader.
    pub(super) syncing: Option<Waiter>,
    /// It has never had an answer to a join, so that it may be gone without anyone noticing.
    pub(super) is_new: bool,
}

impl Member {
    pub(super) fn is_static(&self) -> bool {
        self.instance.is_some()
    }

    /// What it says of itself for a protocol; empty where it does not know it.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let known = self.protocols.iter().find(|p| &*p.name == protocol);
        known.map(|p| p.metadata.clone()).unwrap_or_default()
    }

    /// Someone waits for an answer on its behalf, so that it need not send heartbeats.
    pub(super) fn is_heard(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }

    /// As a record keeps it, with what the leader has assigned.
    pub(super) fn to_record(&self, id: &str, protocol: &str, assignment: Bytes) -> GroupMember {
        GroupMember {
            id: id.to_owned(),
            instance: self.instance.as_deref().map(str::to_owned),
            client_id: self.client_id.to_string(),
            client_host: self.client_host.to_string(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    /// As a record knows it: of its protocols only the one that the group follows.
    pub(super) fn from_record(record: GroupMember, protocol: Option<&str>) -> Self {
        let rebalance_timeout_ms = match record.rebalance_timeout_ms {
            -1 => record.session_timeout_ms,
            given => given,
        };
        let name = protocol.unwrap_or_default().into();
        Self {
            instance: record.instance.map(Into::into),
            client_id: record.client_id.into(),
            client_host: record.client_host.into(),
            rebalance_timeout_ms,
            session_timeout_ms: record.session_timeout_ms,
            protocols: vec![Protocol { name, metadata: record.subscription }],
            assignment: record.assignment,
            joining: None,
            syncing: None,
            is_new: false,
        }
    }

    pub(super) fn describe(&self, id: &Arc<str>, protocol: Option<&str>) -> DescribedMember {
        DescribedMember {
            id: id.clone(),
            instance: self.instance.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            metadata: protocol.map(|protocol| self.metadata(protocol)).unwrap_or_default(),
            assignment: self.assignment.clone(),
        }
    }
}
