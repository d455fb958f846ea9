//! Single records of Kafka's metadata: the value of each begins with the version of the frame, the type and the version of
//! the record, all of them variable in length.

use storage::TopicId;

use super::fields::Reader;

const FRAME_VERSION: u32 = 1;

/// What a record says, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub enum KraftRecord {
    Topic {
        name: String,
        id: TopicId,
    },
    Partition {
        topic: TopicId,
        partition: i32,
        placed: Placed,
    },
    PartitionChange {
        topic: TopicId,
        partition: i32,
        change: Change,
    },
    RemoveTopic(TopicId),
    /// Nobody is eligible any more that is not in sync, of this topic or of all.
    ClearEligible(Option<String>),
    Config {
        kind: i8,
        resource: String,
        name: String,
        value: Option<String>,
    },
    /// What is for whom: types and names of the entity, the quota, its value unless it is removed.
    Quota {
        entity: Vec<(String, Option<String>)>,
        key: String,
        value: Option<f64>,
    },
    ProducerIds {
        next: i64,
    },
    Feature {
        name: String,
        level: i16,
    },
    BeginTransaction,
    EndTransaction,
    AbortTransaction,
    /// Of a kind that is not taken over.
    Other(&'static str),
}

/// Who has a partition, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
    /// Who left those in sync with everything that was acknowledged, as the last one does by being stopped in order.
    pub eligible: Vec<i32>,
    pub leader_epoch: i32,
    /// Of each replica; empty where the cluster does not say.
    pub directories: Vec<TopicId>,
}

/// What has changed of a partition; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub in_sync: Option<Vec<i32>>,
    pub eligible: Option<Vec<i32>>,
    pub replicas: Option<Vec<i32>>,
    pub directories: Option<Vec<TopicId>>,
    /// A leader was elected, if only the same again: the epoch rises.
    pub has_leader: bool,
}

/// A record that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("a record's frame has version {0}, and only 1 is known")]
    Frame(u32),
    #[error("records of type {0} are not known: Kafka is newer than this version of Ottla")]
    UnknownType(u32),
    #[error("{name} has version {version}, which is not known: Kafka is newer than this version of Ottla")]
    UnknownVersion { name: &'static str, version: u32 },
    #[error("a record has no type")]
    NoType,
    #[error("{0} is cut short or malformed")]
    Malformed(&'static str),
}

/// The kinds that are read: type, name, newest version, how.
type Read = fn(&mut Reader<'_>, u32) -> Option<KraftRecord>;
const READ: &[(u32, &str, u32, Read)] = &[
    (2, "TopicRecord", 0, topic),
    (3, "PartitionRecord", 2, partition),
    (4, "ConfigRecord", 0, config),
    (5, "PartitionChangeRecord", 2, partition_change),
    (9, "RemoveTopicRecord", 0, |r, _| Some(KraftRecord::RemoveTopic(r.id()?))),
    (12, "FeatureLevelRecord", 0, |r, _| Some(KraftRecord::Feature { name: r.text()?, level: r.i16()? })),
    (14, "ClientQuotaRecord", 0, quota),
    (15, "ProducerIdsRecord", 0, producer_ids),
    (23, "BeginTransactionRecord", 0, |_, _| Some(KraftRecord::BeginTransaction)),
    (24, "EndTransactionRecord", 0, |_, _| Some(KraftRecord::EndTransaction)),
    (25, "AbortTransactionRecord", 0, |_, _| Some(KraftRecord::AbortTransaction)),
    (28, "ClearElrRecord", 0, clear_eligible),
];

/// The kinds that are passed over.
const OTHERS: &[(u32, &str)] = &[
    (0, "RegisterBrokerRecord"),
    (1, "UnregisterBrokerRecord"),
    (7, "FenceBrokerRecord"),
    (8, "UnfenceBrokerRecord"),
    (10, "DelegationTokenRecord"),
    (11, "UserScramCredentialRecord"),
    (17, "BrokerRegistrationChangeRecord"),
    (18, "AccessControlEntryRecord"),
    (19, "RemoveAccessControlEntryRecord"),
    (20, "NoOpRecord"),
    (21, "ZkMigrationStateRecord"),
    (22, "RemoveUserScramCredentialRecord"),
    (26, "RemoveDelegationTokenRecord"),
    (27, "RegisterControllerRecord"),
];

impl KraftRecord {
    pub fn decode(value: &[u8]) -> Result<KraftRecord, RecordError> {
        let mut r = Reader::new(value);
        let frame = r.varint().ok_or(RecordError::NoType)?;
        if frame != FRAME_VERSION {
            return Err(RecordError::Frame(frame));
        }
        let kind = r.varint().ok_or(RecordError::NoType)?;
        let version = r.varint().ok_or(RecordError::NoType)?;
        if let Some((_, name)) = OTHERS.iter().find(|(other, _)| *other == kind) {
            return Ok(KraftRecord::Other(name));
        }
        let known = READ.iter().find(|(known, ..)| *known == kind);
        let Some((_, name, newest, read)) = known else { return Err(RecordError::UnknownType(kind)) };
        if version > *newest {
            return Err(RecordError::UnknownVersion { name, version });
        }
        let read_whole = |r: &mut Reader<'_>| {
            let record = read(r, version)?;
            // Those that have tagged fields of their own have read them.
            if !matches!(record, KraftRecord::Partition { .. } | KraftRecord::PartitionChange { .. }) {
                r.end()?;
            }
            r.is_empty().then_some(record)
        };
        read_whole(&mut r).ok_or(RecordError::Malformed(name))
    }
}

fn topic(r: &mut Reader<'_>, _: u32) -> Option<KraftRecord> {
    Some(KraftRecord::Topic { name: r.text()?, id: r.id()? })
}

fn partition(r: &mut Reader<'_>, version: u32) -> Option<KraftRecord> {
    const ELIGIBLE: u32 = 1;
    let (partition, topic) = (r.i32()?, r.id()?);
    let (replicas, in_sync) = (r.list(Reader::i32)?, r.list(Reader::i32)?);
    let (_removing, _adding) = (r.list(Reader::i32)?, r.list(Reader::i32)?);
    let (_leader, leader_epoch, _partition_epoch) = (r.i32()?, r.i32()?, r.i32()?);
    let directories = if version >= 1 { r.list(Reader::id)? } else { Vec::new() };
    let eligible = match r.tags()?.remove(&ELIGIBLE) {
        Some(mut r) => r.list_or_null(Reader::i32)?,
        None => None,
    };
    let eligible = eligible.unwrap_or_default();
    let placed = Placed { replicas, in_sync, eligible, leader_epoch, directories };
    Some(KraftRecord::Partition { topic, partition, placed })
}

fn partition_change(r: &mut Reader<'_>, _: u32) -> Option<KraftRecord> {
    const IN_SYNC: u32 = 0;
    const LEADER: u32 = 1;
    const REPLICAS: u32 = 2;
    const ELIGIBLE: u32 = 6;
    const DIRECTORIES: u32 = 8;
    /// The leader stays who it is, and its epoch too.
    const NO_CHANGE: i32 = -2;
    let (partition, topic) = (r.i32()?, r.id()?);
    let mut tags = r.tags()?;
    let mut change = Change::default();
    if let Some(mut r) = tags.remove(&IN_SYNC) {
        change.in_sync = r.list_or_null(Reader::i32)?;
    }
    if let Some(mut r) = tags.remove(&ELIGIBLE) {
        change.eligible = r.list_or_null(Reader::i32)?;
    }
    if let Some(mut r) = tags.remove(&REPLICAS) {
        change.replicas = r.list_or_null(Reader::i32)?;
    }
    if let Some(mut r) = tags.remove(&DIRECTORIES) {
        change.directories = r.list_or_null(Reader::id)?;
    }
    if let Some(mut r) = tags.remove(&LEADER) {
        change.has_leader = r.i32()? != NO_CHANGE;
    }
    Some(KraftRecord::PartitionChange { topic, partition, change })
}

fn clear_eligible(r: &mut Reader<'_>, _: u32) -> Option<KraftRecord> {
    let topic = r.text_or_null()?;
    Some(KraftRecord::ClearEligible(topic.filter(|name| !name.is_empty())))
}

fn config(r: &mut Reader<'_>, _: u32) -> Option<KraftRecord> {
    let (kind, resource, name, value) = (r.i8()?, r.text()?, r.text()?, r.text_or_null()?);
    Some(KraftRecord::Config { kind, resource, name, value })
}

fn quota(r: &mut Reader<'_>, _: u32) -> Option<KraftRecord> {
    let entity = r.list(|r| {
        let part = (r.text()?, r.text_or_null()?);
        r.end()?;
        Some(part)
    })?;
    let (key, value, is_removed) = (r.text()?, r.f64()?, r.bool()?);
    Some(KraftRecord::Quota { entity, key, value: (!is_removed).then_some(value) })
}

fn producer_ids(r: &mut Reader<'_>, _: u32) -> Option<KraftRecord> {
    let (_broker, _epoch, next) = (r.i32()?, r.i64()?, r.i64()?);
    Some(KraftRecord::ProducerIds { next })
}
