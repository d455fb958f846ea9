//! What stands around a file: its data directory, whose that is, its last checkpoint, and whether a broker has it.
//!
//! Invariants: Apache Kafka's directory, and a newer format, are refused here, before anything else is read; looking takes
//! nothing and writes nothing.

use std::path::{Path, PathBuf};

use crate::checkpoint::{self, Checkpoint};
use crate::env::{DirEntry, Env};
use crate::error::OpenError;
use crate::journal::record::Key;
use crate::meta::{self, META_FILE_NAME, MetaProperties};
use crate::{claim, journal, lock_file, small_file};

use super::AtRestError;

pub(super) struct Around {
    /// The data directory, if one was found.
    pub(super) dir: Option<PathBuf>,
    pub(super) meta: Option<MetaProperties>,
    /// The last that can be read.
    pub(super) checkpoint: Option<Checkpoint>,
    /// A broker has the directory.
    pub(super) is_live: bool,
}

impl Around {
    /// A file or a log on its own.
    fn nothing() -> Around {
        Around { dir: None, meta: None, checkpoint: None, is_live: false }
    }

    /// Looks at what may be a data directory.
    pub(super) fn of_data_dir(env: &Env, dir: Option<&Path>) -> Result<Around, AtRestError> {
        let Some(dir) = dir.filter(|dir| has_own_files(env, dir)) else { return Ok(Around::nothing()) };
        let meta = read_meta(env, dir)?;
        let lock = dir.join(lock_file::FILE_NAME);
        let is_live = env.files.is_locked(&lock).map_err(AtRestError::io(&lock))?;
        let read = |name| {
            let text = small_file::read(&*env.files, &dir.join(name)).ok().flatten()?;
            checkpoint::decode(&text).ok()
        };
        // The one before the last was perhaps written at a close: that is not how things are now.
        let checkpoint = read(checkpoint::FILE_NAME)
            .or_else(|| Some(Checkpoint { clean: false, ..read(checkpoint::OLD_FILE_NAME)? }));
        Ok(Around { dir: Some(dir.to_owned()), meta, checkpoint, is_live })
    }

    /// The surroundings of a file or directory that stands `levels` below its data directory.
    pub(super) fn of(env: &Env, path: &Path, levels: usize) -> Result<Around, AtRestError> {
        Around::of_data_dir(env, path.ancestors().nth(levels))
    }

    /// What the checksums of the directory's journal begin with.
    pub(super) fn key(&self) -> Option<Key> {
        self.meta.as_ref().map(|meta| Key::of(meta.directory_id))
    }

    /// The checkpoint was written when the directory was closed, and nobody has opened it since.
    pub(super) fn is_clean(&self) -> bool {
        !self.is_live && self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.clean)
    }

    pub(super) fn entry(&self, dir_name: &str) -> Option<&checkpoint::Entry> {
        self.checkpoint.as_ref()?.entries.iter().find(|entry| entry.dir_name == dir_name)
    }
}

/// Whether a directory holds a file that only data directories have.
fn has_own_files(env: &Env, dir: &Path) -> bool {
    let names = [META_FILE_NAME, checkpoint::FILE_NAME, journal::DIR_NAME];
    names.iter().any(|name| env.files.exists(&dir.join(name)))
}

/// Whether a directory is a data directory, or was one before it lost its own files. One that merely holds a copy of a
/// log looks the same; it is no matter to that copy.
pub(super) fn is_data_dir(env: &Env, dir: &Path) -> bool {
    let holds_logs = |entries: Vec<DirEntry>| {
        entries.iter().any(|entry| entry.is_dir && meta::partition_of(&entry.name).is_some())
    };
    has_own_files(env, dir) || env.files.list(dir).is_ok_and(holds_logs)
}

/// Whose directory it is, where that can be read. Somebody else's is an error.
pub(super) fn read_meta(env: &Env, dir: &Path) -> Result<Option<MetaProperties>, AtRestError> {
    match claim::read_meta(env, dir) {
        Err(OpenError::MetaInvalid { .. }) => Ok(None),
        other => Ok(other?),
    }
}
