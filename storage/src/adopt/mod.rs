//! Taking over the logs of an Apache Kafka data directory, whose segments have our format.
//!
//! [`Source`] looks at Kafka's directory and holds its lock, [`Target`] copies logs beside the directory that is wanted and
//! gives that its name in the end. Invariants: nothing is ever written to a source; a target that is not finished has a
//! mark, with which no start takes it; every batch that is taken over has been judged. It must not know what Kafka's
//! metadata says of topics.

mod batches;
mod lists;
mod properties;
mod source;
mod target;

use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

pub use batches::{Batches, batches};
pub use lists::offsets as offset_list;
pub use source::{Source, SourceLog};
pub use target::{Taken, Target};

/// Stands in a directory that an adoption is filling.
pub(crate) const MARK_FILE_NAME: &str = "half-adopted";

/// Why nothing is taken over. Each text says what to do; the source is untouched in every case.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    #[error("{path} is no data directory of Apache Kafka: it has no meta.properties", path = path.display())]
    NotKafkas { path: PathBuf },
    #[error("{path} is a data directory of Ottla's: it can be started on", path = path.display())]
    Ours { path: PathBuf },
    #[error("{path}/meta.properties: {what}", path = path.display())]
    BadProperties { path: PathBuf, what: String },
    #[error(
        "{path} is from a cluster with ZooKeeper, whose topics are not named in it: migrate it to KRaft with Kafka 3.9 first",
        path = path.display()
    )]
    ZooKeeper { path: PathBuf },
    #[error("{path} is in use: stop Apache Kafka first", path = path.display())]
    InUse { path: PathBuf },
    #[error("{path} is damaged: {what}", path = path.display())]
    Damaged { path: PathBuf, what: String },
    #[error(
        "{path} holds batches of format {magic}, of Kafka before 0.11: let Kafka write the topic anew, or delete it there",
        path = path.display()
    )]
    OldFormat { path: PathBuf, magic: u8 },
    #[error("{path} is of a compaction that was interrupted: start Kafka on the directory once, and stop it", path = path.display())]
    Unfinished { path: PathBuf },
    #[error("{path} has changed while it was copied: stop whatever writes there, and begin again", path = path.display())]
    Changed { path: PathBuf },
    #[error("{path} is there already and is not empty: name a directory that is not there", path = path.display())]
    TargetTaken { path: PathBuf },
    #[error("{path} is a mount point, which cannot be put there in one step: name a directory in it", path = path.display())]
    TargetIsMount { path: PathBuf },
    #[error("{path} is being filled by another adoption", path = path.display())]
    TargetInUse { path: PathBuf },
    #[error("{path} is in the way, and is no half of an adoption: move it away", path = path.display())]
    InTheWay { path: PathBuf },
    #[error("{target} lies in {source_dir}, which is not to be touched: name another place", target = target.display(), source_dir = source_dir.display())]
    TargetInside { target: PathBuf, source_dir: PathBuf },
    #[error("{path} has {free} bytes free, and {needed} are needed: make room, or name another place", path = path.display())]
    NoRoom { path: PathBuf, free: u64, needed: u64 },
    #[error("{path} could not be written to the end: look at the disk, and begin again", path = path.display())]
    Offline { path: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{what} {path}: {source}", path = path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

impl AdoptError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AdoptError {
        let path = path.to_owned();
        move |source| AdoptError::Io { what, path, source }
    }
}

#[cfg(test)]
mod tests;
