//! A member as a client library plays it: one request at a time, asked again when no answer comes.

use std::sync::Arc;

use bytes::Bytes;
use server::coordinator::group::{
    As, Commit, CommitPartition, CommitTopic, GroupError, Join, Joined, Leaving, Op, Protocol, Reply, Sync,
};
use storage::TopicId;

pub(crate) const GROUP: &str = "g";
pub(crate) const TOPIC: &str = "t";
pub(crate) const PARTITIONS: u8 = 5;
pub(crate) const SESSION_MS: i32 = 6_000;
pub(crate) const REBALANCE_MS: i32 = 10_000;
/// When a request without an answer is given up; joins may take as long as a rebalance.
pub(crate) const PATIENCE_MS: u64 = 2_000;
pub(crate) const JOIN_PATIENCE_MS: u64 = REBALANCE_MS as u64 + 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is to join.
    Out,
    /// It knows the generation and is to ask for its assignment.
    Joined,
    /// It reads what it was assigned.
    Reading,
}

/// What a member waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) request: u64,
    pub(crate) until_ms: u64,
}

pub(crate) struct Member {
    pub(crate) index: usize,
    instance: Option<Arc<str>>,
    pub(crate) is_alive: bool,
    pub(crate) phase: Phase,
    id: Arc<str>,
    pub(crate) generation: i32,
    leads: Option<Vec<Arc<str>>>,
    pub(crate) owned: Vec<u8>,
    pub(crate) asked: Option<Asked>,
}

impl Member {
    pub(crate) fn new(index: usize, is_static: bool) -> Self {
        Self {
            index,
            instance: is_static.then(|| format!("instance-{index}").into()),
            is_alive: true,
            phase: Phase::Out,
            id: Arc::default(),
            generation: -1,
            leads: None,
            owned: Vec::new(),
            asked: None,
        }
    }

    /// The process ends; what comes after it knows nothing.
    pub(crate) fn die(&mut self) {
        *self = Self { is_alive: false, ..Self::new(self.index, self.instance.is_some()) };
    }

    fn who(&self) -> As {
        As { member: self.id.clone(), instance: self.instance.clone(), generation: self.generation }
    }

    /// What it asks next, and how long it waits for an answer.
    pub(crate) fn next(&self, commits: Option<i64>) -> (Op, u64) {
        match self.phase {
            Phase::Out => (Op::Join(Box::new(self.join())), JOIN_PATIENCE_MS),
            Phase::Joined => (Op::Sync(self.sync()), PATIENCE_MS),
            Phase::Reading => match commits {
                Some(offset) if !self.owned.is_empty() => (Op::Commit(self.commit(offset)), PATIENCE_MS),
                _ => (Op::Heartbeat { group: GROUP.into(), who: self.who() }, PATIENCE_MS),
            },
        }
    }

    pub(crate) fn leave(&self) -> Op {
        let leaving = Leaving { member: self.id.clone(), instance: self.instance.clone() };
        Op::Leave { group: GROUP.into(), members: vec![leaving] }
    }

    fn join(&self) -> Join {
        Join {
            group: GROUP.into(),
            member: self.id.clone(),
            new_member: Arc::default(),
            instance: self.instance.clone(),
            client_id: format!("m{}", self.index).into(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            protocol_type: "consumer".into(),
            protocols: vec![Protocol { name: "range".into(), metadata: Bytes::new() }],
            takes_member_id: true,
            skips_assignment: true,
        }
    }

    fn sync(&self) -> Sync {
        let mut given: Vec<(Arc<str>, Vec<u8>)> =
            self.leads.iter().flatten().map(|id| (id.clone(), Vec::new())).collect();
        for partition in 0..PARTITIONS {
            if let Some(at) = usize::from(partition).checked_rem(given.len()) {
                given[at].1.push(partition);
            }
        }
        let assignments = given.into_iter().map(|(id, owned)| (id, Bytes::from(owned))).collect();
        let (who, group) = (self.who(), GROUP.into());
        Sync { group, who, protocol_type: None, protocol: None, assignments }
    }

    fn commit(&self, offset: i64) -> Commit {
        let partition = |p: &u8| CommitPartition {
            partition: i32::from(*p),
            offset,
            leader_epoch: -1,
            metadata: "".into(),
        };
        let partitions = self.owned.iter().map(partition).collect();
        Commit {
            group: GROUP.into(),
            who: self.who(),
            knows_unknown_groups: true,
            retention_ms: None,
            topics: vec![CommitTopic { topic: TOPIC.into(), topic_id: TopicId::ZERO, partitions }],
        }
    }

    /// Takes an answer. True when it begins to read what it was assigned.
    pub(crate) fn hear(&mut self, reply: &Reply) -> bool {
        match reply {
            Reply::Joined(joined) => self.hear_joined(joined),
            Reply::Synced(Ok(synced)) => {
                self.owned = synced.assignment.to_vec();
                self.phase = Phase::Reading;
                return true;
            }
            Reply::Synced(Err(error)) | Reply::Beaten(Err(error)) | Reply::Committed(Err(error)) => {
                self.hear_error(*error);
            }
            _ => {}
        }
        false
    }

    fn hear_joined(&mut self, joined: &Joined) {
        match joined.error {
            None => {
                self.id = joined.member.clone();
                self.generation = joined.generation;
                let is_leader = joined.leader == joined.member && !joined.skip_assignment;
                self.leads = is_leader.then(|| joined.members.iter().map(|m| m.id.clone()).collect());
                self.phase = Phase::Joined;
            }
            Some(GroupError::MemberIdRequired) => self.id = joined.member.clone(),
            Some(error) => self.hear_error(error),
        }
    }

    fn hear_error(&mut self, error: GroupError) {
        // During a rebalance a member keeps its place; otherwise it begins anew.
        if error != GroupError::RebalanceInProgress {
            self.id = Arc::default();
            self.generation = -1;
        }
        self.owned.clear();
        self.phase = Phase::Out;
    }
}
