//! Sockets: accepting, reading frames, ordered replies, sending files.
//!
//! Knows frames and what becomes of them (`api::Then`), but no API. Nothing here blocks a worker thread.

mod accept;
mod admission;
mod buffers;
mod connection;
mod end;
mod memory;
mod output;
mod pace;
mod replies;
mod telling;
mod timing;

pub use accept::{BoundListener, bind, serve};
pub use admission::Admission;
