//! Files at rest: checked, shown and repaired while no broker runs, for `ottla log`.
//!
//! [`verify`] and [`dump()`] only read, whatever they meet; [`repair`] opens a data directory as a broker would. Invariants:
//! every judgement is the one that recovery would come to, or stricter; a directory of Apache Kafka's is refused; memory is
//! bounded by a batch, an index or a commit, never by what a damaged length claims. It must not know how findings are shown.

mod aborts;
mod around;
mod checkpoint;
mod content;
mod dump;
mod finding;
mod indexes;
mod journal;
mod kind;
mod log_dir;
mod repair;
mod segment;
mod small;
mod state;
mod verify;
mod window;

use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

pub use dump::{DumpOptions, Field, Item, dump};
pub use finding::{Finding, Report, Severity, Summary};
pub use kind::Kind;
pub use repair::{Opened, Repaired, RepairedLog, repair, repair_dry_run};
pub use verify::verify;

/// Why nothing was done, or no more of it. Damage is no error but a [`Finding`]. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AtRestError {
    #[error("{path} does not exist", path = path.display())]
    Missing { path: PathBuf },
    #[error(
        "{path} is nothing that Ottla writes: name a data directory, the directory of a log, or one of the files in them",
        path = path.display()
    )]
    Unknown { path: PathBuf },
    #[error("{path} is a directory: name one of the files in it", path = path.display())]
    IsDirectory { path: PathBuf },
    #[error(
        "{path} can be read only beside the meta.properties of its data directory, two levels up: its checksums begin with the directory's id",
        path = path.display()
    )]
    NoKey { path: PathBuf },
    #[error("{path} has no meta.properties: it is no data directory, or restore that file first", path = path.display())]
    NoDataDir { path: PathBuf },
    #[error("{path} is in use by a broker: stop that first", path = path.display())]
    InUse { path: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("reading {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Whoever takes the findings takes no more of them.
    #[error(transparent)]
    Output(io::Error),
}

impl AtRestError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> AtRestError {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => AtRestError::Missing { path },
            _ => AtRestError::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests;
