//! Errors of opening and reading, by blame. Those of appending stand beside the ticket they arrive with.

use std::io;
use std::path::{Path, PathBuf};

use crate::ids::{LogId, Offset};

/// Why a read gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The reader's mistake. OFFSET_OUT_OF_RANGE (1).
    #[error("the offset is outside the log, which holds {start} to {end}")]
    OutOfRange { start: Offset, end: Offset },
    /// UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("the log was deleted")]
    Deleted,
    /// The disk did not give the bytes; only this read is lost. KAFKA_STORAGE_ERROR (56).
    #[error("reading {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The bytes are there but not a batch. CORRUPT_MESSAGE (2).
    #[error("{path}, position {position}: {what}", path = path.display())]
    Corrupt { path: PathBuf, position: u64, what: String },
}

/// Why a data directory or a log was not opened. Each text tells an operator what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path} is in use by another process (its lock is held)", path = path.display())]
    Locked { path: PathBuf },
    #[error(
        "{path} was written by Apache Kafka; nothing in it was touched. `ottla log adopt` takes over its topics",
        path = path.display()
    )]
    KafkaDirectory { path: PathBuf },
    /// What an adoption left that did not come to its end.
    #[error("{path} is the half of an adoption that was interrupted: run `ottla log adopt` again, or delete it", path = path.display())]
    HalfAdopted { path: PathBuf },
    #[error("{path} is in format {found}, this version knows formats up to {known}: use a newer one", path = path.display())]
    NewerFormat { path: PathBuf, found: u32, known: u32 },
    #[error("{path} holds partitions but no meta.properties: restore that file, or point log.dirs elsewhere", path = path.display())]
    MetaMissing { path: PathBuf },
    #[error("{path}: {what}", path = path.display())]
    MetaInvalid { path: PathBuf, what: String },
    #[error("{path} belongs to cluster {found}, not to {expected}", path = path.display())]
    OtherCluster { path: PathBuf, found: String, expected: String },
    #[error("{path} belongs to node.id {found}, not to {expected}", path = path.display())]
    OtherNode { path: PathBuf, found: i32, expected: i32 },
    /// The log was there at the last checkpoint: serving it empty would hide a loss.
    #[error("{path}, the directory of log {id}, was there at the last checkpoint and is gone: restore it, or delete the topic", path = path.display())]
    LogGone { path: PathBuf, id: LogId },
    /// A segment reads differently from one time to the next. The log stays closed.
    #[error("{path}, position {position}: {what}; restore the file from a copy, or delete the topic", path = path.display())]
    CorruptLog { path: PathBuf, position: u64, what: String },
    #[error("{path} belongs to a log that is open", path = path.display())]
    DirectoryInUse { path: PathBuf },
    #[error("the log {id} is open already")]
    AlreadyOpen { id: LogId },
    #[error("{0:?} is no name for a log's directory")]
    BadName(String),
    #[error("{what} {path}: {source}{advice}", path = path.display(), advice = advice(source))]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": a start needs some megabytes; make room and start again"
        }
        _ => "",
    }
}

impl OpenError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
        let path = path.to_owned();
        move |source| OpenError::Io { what, path, source }
    }
}

impl ReadError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
        let path = path.to_owned();
        move |source| ReadError::Io { path, source }
    }
}

/// What passes by itself, while the disk is well: no room, a quota that says so, or too many open files of this process
/// or of the machine.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        || is_out_of_files(error)
}

/// Too many open files.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let number = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| number == Some(errno.raw_os_error()))
}
