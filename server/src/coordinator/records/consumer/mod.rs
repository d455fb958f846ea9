//! The records of a KIP-848 consumer group, keys 3–8 and 16; all values have version 0 and are flexible.
//!
//! A group's epoch, the epoch of its target assignment, and its resolved patterns stand for the group; what a member
//! says of itself, what it is to have and what it has, for the member. Key 4 is what Kafka wrote before 4.1 to remember
//! partitions of topics: it is read as that and only ever taken back.

mod current;
mod epoch;
mod member;
mod pattern;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use storage::TopicId;

pub use current::{CurrentAssignment, MemberState, WithEpochs};
pub use epoch::GroupEpoch;
pub use member::{ClassicMember, ConsumerMember};
pub use pattern::ResolvedPattern;
pub use target::TargetEpoch;

use super::wire::{Form, Reader, Writer};
use super::{Encoded, RecordError};

/// Partitions by topic.
pub type Partitions = BTreeMap<TopicId, BTreeSet<i32>>;

/// A change of a consumer group. `None` takes back what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerRecord {
    Epoch(Option<GroupEpoch>),
    /// Written before Kafka 4.1.
    PartitionMetadata(Option<()>),
    Member(String, Option<ConsumerMember>),
    TargetEpoch(Option<TargetEpoch>),
    Target(String, Option<Partitions>),
    Current(String, Option<CurrentAssignment>),
    Pattern(String, Option<ResolvedPattern>),
}

const EPOCH: i16 = 3;
const PARTITION_METADATA: i16 = 4;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const CURRENT: i16 = 8;
const PATTERN: i16 = 16;

/// The one version of all these values.
const VERSION: i16 = 0;

impl ConsumerRecord {
    /// Whether it takes back what was there.
    pub fn takes_back(&self) -> bool {
        match self {
            Self::Epoch(value) => value.is_none(),
            Self::PartitionMetadata(value) => value.is_none(),
            Self::Member(_, value) => value.is_none(),
            Self::TargetEpoch(value) => value.is_none(),
            Self::Target(_, value) => value.is_none(),
            Self::Current(_, value) => value.is_none(),
            Self::Pattern(_, value) => value.is_none(),
        }
    }

    pub(super) fn is_kind(kind: i16) -> bool {
        (EPOCH..=CURRENT).contains(&kind) || kind == PATTERN
    }

    pub(super) fn encode(&self, group: &str) -> Encoded {
        let (kind, name) = self.key();
        let mut key = Writer::new(kind, Form::Plain);
        key.text(group);
        if let Some(name) = name {
            key.text(name);
        }
        let mut value = Writer::new(VERSION, Form::Flexible);
        let is_there = match self {
            Self::Epoch(value_of) => value_of.map(|v| v.encode(&mut value)),
            Self::PartitionMetadata(value_of) => value_of.map(|()| {
                value.count(0);
                value.end(&[]);
            }),
            Self::Member(_, value_of) => value_of.as_ref().map(|v| v.encode(&mut value)),
            Self::TargetEpoch(value_of) => value_of.map(|v| v.encode(&mut value)),
            Self::Target(_, value_of) => value_of.as_ref().map(|v| target::encode(v, &mut value)),
            Self::Current(_, value_of) => value_of.as_ref().map(|v| v.encode(&mut value)),
            Self::Pattern(_, value_of) => value_of.as_ref().map(|v| v.encode(&mut value)),
        };
        Encoded { key: key.into_bytes(), value: is_there.map(|()| value.into_bytes()) }
    }

    /// The kind of the record, and what its key names beside the group.
    fn key(&self) -> (i16, Option<&str>) {
        match self {
            Self::Epoch(_) => (EPOCH, None),
            Self::PartitionMetadata(_) => (PARTITION_METADATA, None),
            Self::Member(member, _) => (MEMBER, Some(member)),
            Self::TargetEpoch(_) => (TARGET_EPOCH, None),
            Self::Target(member, _) => (TARGET, Some(member)),
            Self::Current(member, _) => (CURRENT, Some(member)),
            Self::Pattern(pattern, _) => (PATTERN, Some(pattern)),
        }
    }

    /// `rest` is the key behind its kind.
    pub(super) fn decode(
        kind: i16,
        mut rest: Reader<'_>,
        value: Option<&[u8]>,
    ) -> Result<(String, Self), RecordError> {
        let mut text = || rest.text().map(str::to_owned).ok_or(RecordError::Malformed("key"));
        let group = text()?;
        let record = match kind {
            EPOCH => Self::Epoch(read(value, GroupEpoch::decode)?),
            PARTITION_METADATA => Self::PartitionMetadata(value.map(|_| ())),
            MEMBER => Self::Member(text()?, read(value, ConsumerMember::decode)?),
            TARGET_EPOCH => Self::TargetEpoch(read(value, TargetEpoch::decode)?),
            TARGET => Self::Target(text()?, read(value, target::decode)?),
            CURRENT => Self::Current(text()?, read(value, CurrentAssignment::decode)?),
            PATTERN => Self::Pattern(text()?, read(value, ResolvedPattern::decode)?),
            other => return Err(RecordError::UnknownKind(other)),
        };
        Ok((group, record))
    }
}

fn read<T>(
    value: Option<&[u8]>,
    decode: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<Option<T>, RecordError> {
    let Some(value) = value else { return Ok(None) };
    let decoded = Reader::new(value, |_| Form::Flexible)
        .and_then(|(version, mut rest)| (version == VERSION).then(|| decode(&mut rest))?);
    decoded.map(Some).ok_or(RecordError::Malformed("value"))
}
