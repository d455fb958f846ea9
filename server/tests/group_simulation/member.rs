//! A member as a client library plays it, of either protocol: one request at a time, asked again when no answer comes.

use std::sync::Arc;

use server::coordinator::group::consumer::{Beat, Beaten, LEAVES, LEAVES_FOR_NOW};
use server::coordinator::group::{
    As, Commit, CommitPartition, CommitTopic, GroupError, Join, Joined, Leaving, Op, Protocol, Reply, Sync,
};
use storage::TopicId;

use super::embedded;

pub(crate) const GROUP: &str = "g";
pub(crate) const TOPIC: &str = "t";
pub(crate) const TOPIC_ID: TopicId = TopicId([9; 16]);
pub(crate) const PARTITIONS: u8 = 5;
pub(crate) const SESSION_MS: i32 = 6_000;
pub(crate) const REBALANCE_MS: i32 = 10_000;
/// When a request without an answer is given up; joins may take as long as a rebalance.
pub(crate) const PATIENCE_MS: u64 = 2_000;
pub(crate) const JOIN_PATIENCE_MS: u64 = REBALANCE_MS as u64 + 5_000;

/// What a member speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Classic,
    Newer,
}

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
    pub(crate) kind: Kind,
    /// How often it has begun anew: whoever speaks the newer protocol makes an id of its own each time.
    lives: u32,
    instance: Option<Arc<str>>,
    pub(crate) is_alive: bool,
    pub(crate) phase: Phase,
    id: Arc<str>,
    /// The generation, or the member's epoch.
    pub(crate) generation: i32,
    leads: Option<Vec<Arc<str>>>,
    pub(crate) owned: Vec<u8>,
    /// The last request that came to the coordinator whose answer tells in the newer protocol what to have.
    pub(crate) last_told: Option<u64>,
    pub(crate) asked: Option<Asked>,
    /// It does not know what was heard of what it said, or has something new to say.
    says_all: bool,
    /// In a group of the newer protocol only heartbeats keep a member: no two commits without one between them.
    has_beaten: bool,
}

impl Member {
    pub(crate) fn new(index: usize, kind: Kind, is_static: bool) -> Self {
        Self {
            index,
            kind,
            lives: 0,
            instance: is_static.then(|| format!("instance-{index}").into()),
            is_alive: true,
            phase: Phase::Out,
            id: Arc::default(),
            generation: -1,
            leads: None,
            owned: Vec::new(),
            last_told: None,
            asked: None,
            says_all: true,
            has_beaten: false,
        }
        .begun_anew()
    }

    /// Out of the group, without a place in it.
    fn begun_anew(mut self) -> Self {
        self.lives += 1;
        self.phase = Phase::Out;
        self.owned.clear();
        self.says_all = true;
        self.has_beaten = false;
        (self.id, self.generation) = match self.kind {
            Kind::Classic => (Arc::default(), -1),
            Kind::Newer => (format!("n{}-{}", self.index, self.lives).into(), 0),
        };
        self
    }

    fn begin_anew(&mut self) {
        let before = std::mem::replace(self, Self::new(self.index, self.kind, false));
        *self = before.begun_anew();
    }

    /// The process ends; what comes after it knows nothing, and may speak another protocol.
    pub(crate) fn die(&mut self, next: Kind) {
        let anew = Self::new(self.index, next, self.instance.is_some());
        *self = Self { is_alive: false, lives: self.lives, ..anew }.begun_anew();
    }

    /// No answer came to what it asked last.
    pub(crate) fn gives_up(&mut self) {
        self.says_all = true;
        self.has_beaten = false;
    }

    fn who(&self) -> As {
        As { member: self.id.clone(), instance: self.instance.clone(), generation: self.generation }
    }

    /// What it asks next, and how long it waits for an answer.
    pub(crate) fn next(&self, commits: Option<i64>) -> (Op, u64) {
        match self.phase {
            Phase::Reading if commits.is_some() && !self.owned.is_empty() && self.has_beaten => {
                (Op::Commit(self.commit(commits.unwrap_or_default())), PATIENCE_MS)
            }
            _ if self.kind == Kind::Newer => (Op::Beat(Box::new(self.beat(self.generation))), PATIENCE_MS),
            Phase::Out => (Op::Join(Box::new(self.join())), JOIN_PATIENCE_MS),
            Phase::Joined => (Op::Sync(self.sync()), PATIENCE_MS),
            Phase::Reading => (Op::Heartbeat { group: GROUP.into(), who: self.who() }, PATIENCE_MS),
        }
    }

    /// For good, or for a static member of the newer protocol for now.
    pub(crate) fn leave(&self) -> Op {
        if self.kind == Kind::Newer {
            let epoch = if self.instance.is_some() { LEAVES_FOR_NOW } else { LEAVES };
            return Op::Beat(Box::new(self.beat(epoch)));
        }
        let leaving = Leaving { member: self.id.clone(), instance: self.instance.clone() };
        Op::Leave { group: GROUP.into(), members: vec![leaving] }
    }

    fn beat(&self, epoch: i32) -> Beat {
        let says_all = self.says_all || epoch == 0;
        let owned = || match self.owned.is_empty() {
            true => Default::default(),
            false => [(TOPIC_ID, self.owned.iter().map(|p| i32::from(*p)).collect())].into(),
        };
        Beat {
            group: GROUP.into(),
            member: self.id.clone(),
            epoch,
            instance: self.instance.clone(),
            rack: None,
            client_id: format!("m{}", self.index).into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: says_all.then_some(REBALANCE_MS),
            topics: says_all.then(|| [TOPIC.to_owned()].into()),
            pattern: None,
            assignor: None,
            owned: says_all.then(owned),
        }
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
            protocols: vec![Protocol { name: "range".into(), metadata: embedded::subscription(&self.owned) }],
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
        let assignments = given.into_iter().map(|(id, owned)| (id, embedded::assignment(&owned))).collect();
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
            topics: vec![CommitTopic { topic: TOPIC.into(), topic_id: TOPIC_ID, partitions }],
        }
    }

    /// Takes an answer. True when it begins to read what it was assigned.
    pub(crate) fn hear(&mut self, reply: &Reply) -> bool {
        match reply {
            Reply::Joined(joined) => self.hear_joined(joined),
            Reply::Synced(Ok(synced)) => {
                self.owned = embedded::given(&synced.assignment);
                self.phase = Phase::Reading;
                self.has_beaten = true;
                return true;
            }
            Reply::Beaten(Ok(())) => self.has_beaten = true,
            Reply::ConsumerBeaten(Ok(beaten)) => return self.hear_beaten(beaten),
            Reply::ConsumerBeaten(Err(error)) => self.hear_error(*error),
            Reply::Committed(Ok(outcomes)) => {
                self.has_beaten = false;
                if let Some(error) = outcomes.iter().flatten().find_map(|outcome| outcome.err()) {
                    self.hear_error(error);
                }
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

    /// What it is not to have it gives up at once, and says so; what it is given it takes.
    fn hear_beaten(&mut self, beaten: &Beaten) -> bool {
        self.generation = beaten.epoch;
        self.phase = Phase::Reading;
        self.says_all = false;
        self.has_beaten = true;
        let Some(assigned) = &beaten.assigned else { return true };
        let assigned = assigned.get(&TOPIC_ID).into_iter().flatten();
        let owned: Vec<u8> = assigned.map(|partition| *partition as u8).collect();
        self.says_all = owned != self.owned;
        self.owned = owned;
        true
    }

    fn hear_error(&mut self, error: GroupError) {
        match (self.kind, error) {
            // It has heard of a newer epoch by the next heartbeat.
            (Kind::Newer, GroupError::StaleMemberEpoch) => self.says_all = true,
            (Kind::Newer, _) => self.begin_anew(),
            // During a rebalance a member keeps its place, and what it has until it has joined; otherwise it begins anew.
            (Kind::Classic, GroupError::RebalanceInProgress) => {
                self.owned.clear();
                self.phase = Phase::Out;
            }
            (Kind::Classic, _) => self.begin_anew(),
        }
    }
}
