//! A small Kafka client: what the command line asks of any Kafka server, this one or another.
//!
//! It negotiates versions with each broker, finds leaders, coordinators and the controller, and tries again, within
//! bounds, what may pass. Invariants: a question that changes something is sent again only if the broker cannot have seen
//! it or has refused it; memory is taken as bytes arrive and a reply has a largest size. A reply's *content* is believed: whoever
//! runs a command names the broker. This module must not know the broker's own modules, nor print anything.

mod attempts;
mod cluster;
mod configs;
mod connection;
mod error;
mod groups;
mod log_dirs;
mod member_bytes;
mod offsets;
mod quotas;
mod records;
mod topics;

pub use cluster::{Client, Endpoint, Metadata, NodeId, Options, Partition, Topic};
pub use configs::{ConfigEntry, ConfigOp, ConfigResource};
pub use error::{ClientError, name_of};
pub use groups::{Assignment, Group, GroupListing, GroupState, Member};
pub use log_dirs::{LogDir, PlacedReplica};
pub use offsets::{Committed, TopicPartition, When};
pub use quotas::{QuotaEntity, Quotas};
pub use records::{Fetched, NewRecords, Produced};
pub use topics::{Eligible, NewTopic};
