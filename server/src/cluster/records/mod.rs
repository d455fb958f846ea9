//! The records of `__cluster_metadata`: one file each, explicit ids, never reused.
//!
//! A record's value is `[type u16][version u8][fields]`, big endian; its batch carries the CRC. A reader refuses a type
//! or a version that it does not know: guessing at metadata loses topics.

mod broker_configured;
mod broker_started;
mod broker_starts;
mod client_metrics_configured;
mod client_quota_altered;
mod feature_level_set;
mod field;
mod group_configured;
mod producer_ids_reserved;
mod topic_configured;
mod topic_created;
mod topic_deleted;
mod topic_grown;
mod topic_purged;

pub use broker_configured::BrokerConfigured;
pub use broker_started::BrokerStarted;
pub use broker_starts::BrokerStarts;
pub use client_metrics_configured::ClientMetricsConfigured;
pub use client_quota_altered::ClientQuotaAltered;
pub use feature_level_set::FeatureLevelSet;
pub use group_configured::GroupConfigured;
pub use producer_ids_reserved::ProducerIdsReserved;
pub use topic_configured::TopicConfigured;
pub use topic_created::TopicCreated;
pub use topic_deleted::TopicDeleted;
pub use topic_grown::TopicGrown;
pub use topic_purged::TopicPurged;

use field::{Reader, Writer};

/// A record that this version cannot read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    #[error(
        "metadata record of type {0} is unknown: the directory was written by a newer Ottla, start that version"
    )]
    UnknownType(u16),
    #[error(
        "metadata record of type {0} has version {1}: the directory was written by a newer Ottla, start that version"
    )]
    UnknownVersion(u16, u8),
    #[error("metadata record of type {0} is cut short or malformed")]
    Malformed(u16),
    #[error("metadata record of {0} bytes has no type")]
    NoType(usize),
}

/// One record type: its id on disk, its fields.
trait Body: Sized {
    const TYPE: u16;
    const VERSION: u8 = 0;
    fn write(&self, w: &mut Writer);
    fn read(r: &mut Reader<'_>) -> Option<Self>;
}

macro_rules! records {
    ($($name:ident),* $(,)?) => {
        /// Any record of the metadata log.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Record { $($name($name)),* }

        $(impl From<$name> for Record {
            fn from(record: $name) -> Self {
                Self::$name(record)
            }
        })*

        impl Record {
            pub fn encode(&self) -> Vec<u8> {
                match self { $(Self::$name(body) => encode(body)),* }
            }

            pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
                let Some((head, fields)) = bytes.split_first_chunk::<3>() else {
                    return Err(RecordError::NoType(bytes.len()));
                };
                let (kind, version) = (u16::from_be_bytes([head[0], head[1]]), head[2]);
                match kind {
                    $($name::TYPE => decode::<$name>(version, fields).map(Self::$name),)*
                    _ => Err(RecordError::UnknownType(kind)),
                }
            }
        }

        #[cfg(test)]
        const TYPES: &[u16] = &[$($name::TYPE),*];
    };
}

records! {
    BrokerStarted, TopicCreated, TopicDeleted, TopicPurged, ProducerIdsReserved, TopicConfigured, BrokerStarts,
    TopicGrown, GroupConfigured, ClientQuotaAltered, BrokerConfigured, ClientMetricsConfigured, FeatureLevelSet,
}

fn encode<B: Body>(body: &B) -> Vec<u8> {
    let mut w = Writer::default();
    w.u16(B::TYPE);
    w.u8(B::VERSION);
    body.write(&mut w);
    w.into_bytes()
}

fn decode<B: Body>(version: u8, fields: &[u8]) -> Result<B, RecordError> {
    if version > B::VERSION {
        return Err(RecordError::UnknownVersion(B::TYPE, version));
    }
    let mut r = Reader::new(fields);
    B::read(&mut r).filter(|_| r.is_empty()).ok_or(RecordError::Malformed(B::TYPE))
}

#[cfg(test)]
mod tests;
