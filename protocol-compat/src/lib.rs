//! The Kafka wire: frames, headers, guarded decoding, typed messages, zero-copy responses.
//!
//! Invariants: nothing here panics on a peer's bytes or allocates more than a small multiple of their length; this is
//! the only crate that names `kafka_protocol`. It knows no files, no sockets and no broker.

pub mod error_code;
pub mod fetch_encode;
pub mod frame;
pub mod guard;
pub mod header;
pub mod messages;
pub mod schema_table;
pub mod topic_ids;
pub mod versions;

pub use error_code::ErrorCode;
