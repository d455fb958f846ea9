//! The metadata of an Apache Kafka (KRaft) cluster, read once, for its logs to be taken over.
//!
//! [`records`] reads single records, [`state`] has what all of them come to, [`load`] finds them on the disk, and
//! [`translate`] says the same in our own records. Invariants: bytes never panic, and cost no more memory than a small
//! multiple of their length; what is not taken over is counted by its name, and what is not known is never guessed at.

mod fields;
#[doc(hidden)]
pub mod fuzz;
pub mod load;
pub mod records;
pub mod state;
#[cfg(test)]
mod tests;
pub mod transactions;
pub mod translate;

pub use load::{KraftError, load};
pub use state::State;
pub use translate::{Translated, translate};

/// Where Kafka keeps it.
pub const DIR_NAME: &str = "__cluster_metadata-0";
