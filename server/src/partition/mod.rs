//! Partitions: a log, its settings, and the rules of reading and writing it.
//!
//! Inside, a partition is `(TopicId, number)`; names exist at the edge only. Must not know: wire messages, connections.

pub mod delayed;
#[expect(clippy::module_inception, reason = "the partition itself, beside what is around it")]
mod partition;
mod registry;

pub use partition::{EpochCheck, Partition, ProduceRefusal};
pub use registry::{DeleteError, Partitions, Unavailable};
