//! What is asked of a group and what it answers, in the coordinator's own words: values only, no wire format.

use std::sync::Arc;

use bytes::Bytes;
use storage::TopicId;

use super::GroupError;
use super::consumer::{Beat, Beaten};
use crate::cluster::Image;
use crate::coordinator::records::Committed;

/// A protocol that a member can follow, with what the leader is to know of the member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    pub name: Arc<str>,
    pub metadata: Bytes,
}

#[derive(Debug, Clone)]
pub struct Join {
    pub group: Arc<str>,
    /// Empty: it has none yet.
    pub member: Arc<str>,
    /// The id that it gets if it needs one.
    pub new_member: Arc<str>,
    pub instance: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: Arc<str>,
    pub protocols: Vec<Protocol>,
    /// The client knows how to join again with the id that it is given.
    pub takes_member_id: bool,
    /// The client knows that a leader may find the assignment done.
    pub skips_assignment: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    pub id: Arc<str>,
    pub instance: Option<Arc<str>>,
    pub metadata: Bytes,
}

/// An answer to a join. Where it is an error, the rest is what Kafka says along with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub error: Option<GroupError>,
    /// -1: none.
    pub generation: i32,
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    /// Empty: none.
    pub leader: Arc<str>,
    pub skip_assignment: bool,
    pub member: Arc<str>,
    /// For the leader only.
    pub members: Vec<JoinedMember>,
}

impl Joined {
    pub fn failed(error: GroupError, member: Arc<str>) -> Self {
        Self {
            error: Some(error),
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: Arc::default(),
            skip_assignment: false,
            member,
            members: Vec::new(),
        }
    }
}

/// Who asks, as a member of a generation.
#[derive(Debug, Clone)]
pub struct As {
    pub member: Arc<str>,
    pub instance: Option<Arc<str>>,
    pub generation: i32,
}

#[derive(Debug, Clone)]
pub struct Sync {
    pub group: Arc<str>,
    pub who: As,
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    pub assignments: Vec<(Arc<str>, Bytes)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    pub assignment: Bytes,
}

#[derive(Debug, Clone)]
pub struct Leaving {
    /// Empty: named by its instance alone.
    pub member: Arc<str>,
    pub instance: Option<Arc<str>>,
}

#[derive(Debug, Clone)]
pub struct Commit {
    pub group: Arc<str>,
    pub who: As,
    /// The client knows the error of an unknown group.
    pub knows_unknown_groups: bool,
    /// How long the offsets are kept from now on, if the client chose that.
    pub retention_ms: Option<i64>,
    pub topics: Vec<CommitTopic>,
}

#[derive(Debug, Clone)]
pub struct CommitTopic {
    pub topic: Arc<str>,
    pub topic_id: TopicId,
    pub partitions: Vec<CommitPartition>,
}

#[derive(Debug, Clone)]
pub struct CommitPartition {
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Box<str>,
}

/// A topic's partitions.
#[derive(Debug, Clone)]
pub struct TopicPartitions {
    pub topic: Arc<str>,
    /// The id that it has now; offsets of a topic that had the name before do not count. Zero: any.
    pub topic_id: TopicId,
    pub partitions: Vec<i32>,
}

/// What a group has committed for partitions of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedTopic {
    pub topic: Arc<str>,
    pub partitions: Vec<(i32, Option<Committed>)>,
}

#[derive(Debug)]
pub enum Op {
    Join(Box<Join>),
    Sync(Sync),
    Heartbeat {
        group: Arc<str>,
        who: As,
    },
    Leave {
        group: Arc<str>,
        members: Vec<Leaving>,
    },
    Commit(Commit),
    /// A heartbeat of the newer protocol.
    Beat(Box<Beat>),
    /// The same, with the topics as the request sees them: groups of the newer protocol look at them.
    Seeing(Arc<Image>, Box<Op>),
    DeleteOffsets {
        group: Arc<str>,
        topics: Vec<TopicPartitions>,
    },
    DeleteGroups {
        groups: Vec<Arc<str>>,
    },
    /// A topic is gone: what was committed for it goes, too.
    ForgetTopic {
        topic: Arc<str>,
        topic_id: TopicId,
    },
}

/// For each topic asked for, an outcome for each of its partitions, in the order asked.
pub type ByPartition = Vec<Vec<Result<(), GroupError>>>;

#[derive(Debug)]
pub enum Reply {
    Joined(Box<Joined>),
    Synced(Result<Synced, GroupError>),
    Beaten(Result<(), GroupError>),
    Left(Result<Vec<Result<(), GroupError>>, GroupError>),
    Committed(Result<ByPartition, GroupError>),
    ConsumerBeaten(Result<Beaten, GroupError>),
    OffsetsDeleted(Result<ByPartition, GroupError>),
    GroupsDeleted(Vec<Result<(), GroupError>>),
    Forgotten,
}

/// A group as ListGroups shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub group: Arc<str>,
    pub protocol_type: Arc<str>,
    pub state: &'static str,
    pub kind: &'static str,
}

/// A group as DescribeGroups shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub state: &'static str,
    pub protocol_type: Arc<str>,
    pub protocol: Arc<str>,
    pub members: Vec<DescribedMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    pub id: Arc<str>,
    pub instance: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub metadata: Bytes,
    pub assignment: Bytes,
}
