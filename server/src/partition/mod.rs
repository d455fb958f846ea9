//! Partitions: a log, its settings, and the rules of reading and writing it.
//!
//! Inside, a partition is `(TopicId, number)`; names exist at the edge only. Must not know: wire messages, connections.

pub mod delayed;
mod partition;
mod registry;

pub use partition::{EpochCheck, Partition, ProduceRefusal};
pub use registry::{DeleteError, Partitions, Unavailable};
