//! The records of `__consumer_offsets`, in Kafka's own formats, so that its tools read our topic and we read its.
//!
//! A key begins with a version that says what kind of record it is, a value with the version of its own layout; a record
//! without a value takes back what its key said. One file for each kind. Knows no state and no log.

mod consumer;
mod group_metadata;
mod offset_commit;
#[cfg(test)]
mod tests;
mod wire;

pub use consumer::{
    ClassicMember, ConsumerMember, ConsumerRecord, CurrentAssignment, GroupEpoch, MemberState, Partitions,
    ResolvedPattern, TargetEpoch, WithEpochs,
};
pub use group_metadata::{GroupMember, GroupMetadata};
pub use offset_commit::{Committed, OffsetKey};

use self::wire::{Form, Reader};

/// A change of a coordinator's state. `None` takes back what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Offset(OffsetKey, Option<Committed>),
    ClassicGroup(String, Option<GroupMetadata>),
    /// Of the group with that id.
    Consumer(String, ConsumerRecord),
}

/// A record's bytes, as a batch takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl Encoded {
    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Why a record is passed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Of a kind that this version does not have, as a later one may write.
    #[error("records of kind {0} are not known here")]
    UnknownKind(i16),
    #[error("the {0} of a record is not what its version says")]
    Malformed(&'static str),
}

impl Record {
    pub fn encode(&self) -> Encoded {
        match self {
            Self::Offset(key, value) => {
                Encoded { key: key.encode(), value: value.as_ref().map(Committed::encode) }
            }
            Self::ClassicGroup(group, value) => Encoded {
                key: group_metadata::encode_key(group),
                value: value.as_ref().map(GroupMetadata::encode),
            },
            Self::Consumer(group, record) => record.encode(group),
        }
    }

    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self, RecordError> {
        let (kind, mut rest) = Reader::new(key, |_| Form::Plain).ok_or(RecordError::Malformed("key"))?;
        let decoded = match kind {
            0 | offset_commit::KEY_VERSION => {
                let key = OffsetKey::decode(rest).ok_or(RecordError::Malformed("key"))?;
                value.map(Committed::decode).map_or(Some(None), |v| v.map(Some)).map(|v| Self::Offset(key, v))
            }
            group_metadata::KEY_VERSION => {
                let group = rest.text().ok_or(RecordError::Malformed("key"))?.to_owned();
                let value = value.map(GroupMetadata::decode).map_or(Some(None), |v| v.map(Some));
                value.map(|v| Self::ClassicGroup(group, v))
            }
            kind if ConsumerRecord::is_kind(kind) => {
                let (group, record) = ConsumerRecord::decode(kind, rest, value)?;
                Some(Self::Consumer(group, record))
            }
            kind => return Err(RecordError::UnknownKind(kind)),
        };
        decoded.ok_or(RecordError::Malformed("value"))
    }
}
