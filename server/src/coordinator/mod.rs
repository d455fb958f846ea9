//! Coordinators: state machines over logs.
//!
//! So far one small one, the allocator of producer ids; groups, transactions and share groups join it here.

pub mod assignor;
mod producer_ids;

pub use producer_ids::ProducerIds;
