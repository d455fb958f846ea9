//! Ottla's log: Kafka's record batches in segments, appended, read and recovered.
//!
//! The way in is [`DataDir`], one directory of `log.dirs`; it opens [`Log`]s. What comes from outside passes
//! [`validate::check`] and becomes [`Checked`], the only thing a log appends. An append answers with a [`Ticket`].
//!
//! Invariants: readers see only below the high watermark, which on a durable log is the end of what a power cut leaves;
//! all access to the machine goes through [`env`]; bytes of peers and disks never panic. This crate must not know API
//! keys, topic names beyond the names of directories, or any async runtime.

pub mod adopt;
pub mod at_rest;
pub mod batch;
mod checkpoint;
mod checkpointer;
mod claim;
pub mod codec;
mod compact;
pub mod config;
pub mod data_dir;
pub mod env;
mod epoch_cache;
mod error;
mod floor;
mod flush;
#[doc(hidden)]
pub mod fuzz;
mod ids;
mod indexes;
mod journal;
mod lock_file;
pub mod log;
mod lookup;
mod marker;
mod meta;
mod offset_index;
mod one_bit;
mod opening;
mod plan;
mod producer_state;
mod quarantine;
mod reader;
mod records;
mod recover;
mod relocate;
mod retention;
mod rewrite;
mod rolling;
mod scan;
mod segment;
mod settled;
mod shared;
mod slot;
pub mod small_file;
mod source;
mod space;
mod spare;
pub mod state_image;
mod syncs;
mod ticket;
mod time_index;
mod txn_index;
mod txn_sums;
pub mod validate;
mod verify;
mod walk;
mod watch;
mod workers;
mod writer;

pub use batch::{BatchError, BatchHeader, TimestampType};
pub use codec::{Codec, Effort, Encoding};
pub use compact::{CleanerOptions, CleanerStats};
pub use config::{Cleanup, Durability, LogConfig};
pub use data_dir::{
    DataDir, DataDirOptions, DataDirStats, Flushing, MetaProperties, OnCheckpoint, OnFlush, OnOffline,
    Opening,
};
pub use env::{Clock, Env, File, Files, Random};
pub use error::{OpenError, ReadError};
pub use ids::{
    BadTopicId, FilePosition, LeaderEpoch, LogId, NO_TIMESTAMP, Offset, ProducerId, TimestampMs, TopicId,
};
pub use journal::{JournalOptions, JournalStats};
pub use log::Log;
pub use marker::EndMarker;
pub use plan::{AbortedTxn, Bound, OffsetSpec, Origin, Part, ReadPlan, Standing, TimestampOffset, TxnToken};
pub use producer_state::ProducerView;
pub use records::{BatchBuilder, Record, RecordHeader, Records, records};
pub use relocate::{
    COPIED_NAME_BYTES_MAX, Move, MoveError, MoveView, Settled, Step, Unfinished, settle_copies,
};
pub use retention::{DeleteRecordsError, NewStart};
pub use ticket::{AppendError, Appended, Ticket};
pub use validate::{Checked, RecordError, RecordValidation, Reject, Rules, check, check_at, check_internal};
pub use watch::{Above, Waiter, Watch};
pub use writer::Together;
