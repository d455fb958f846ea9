//! Partitions: a log, its settings, and the rules of reading and writing it.
//!
//! Inside, a partition is `(TopicId, number)`; names exist at the edge only. Must not know: wire messages, connections.

mod cleaner;
mod cold;
pub mod delayed;
pub mod fetch;
mod history;
mod moves;
#[expect(clippy::module_inception, reason = "the partition itself, beside what is around it")]
mod partition;
mod registry;
mod traffic;

pub use cleaner::cleaner_options;
pub use cold::ColdReads;
pub use moves::MoveRefusal;
pub use partition::{EpochCheck, Partition, ProduceRefusal};
pub use registry::{DeleteError, Partitions, Placed, Unavailable};
pub use traffic::Traffic;
