//! Coordinators: state machines over logs.
//!
//! `shard` is the runtime that all of them share, `records` what they keep in Kafka's formats, `group` the machine of the
//! groups and `groups` its place in this broker; `fuzz` says what holds of any bytes in their log. Transactions and share
//! groups join them here. The allocator of producer ids is a small one of its own, over the metadata's log.

pub mod assignor;
pub mod fuzz;
pub mod group;
mod groups;
mod placement;
mod producer_ids;
pub mod records;
pub mod shard;

pub use groups::{GroupFigures, GroupShard, Groups, NoTopic, OFFSETS_TOPIC};
pub use placement::partition_of;
pub use producer_ids::ProducerIds;
