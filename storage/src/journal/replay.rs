//! Performing a journal's operations on the files of the logs: the same bytes to the same places.
//!
//! Invariants: an operation done twice is an operation done once; a log that was deleted is not made again; bytes that
//! would leave a hole before them are left out, since what belongs there is gone; what is there already and can be
//! believed is not touched. When this has ended, what the operations are about is on the disk. It must not know batches:
//! recovery judges what stands in the segments.

use std::collections::{HashMap, HashSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::{Op, RecordHeader};
use crate::env::{File, Files, OpenMode};
use crate::ids::{LogId, Offset};
use crate::lock_file::Pages;
use crate::meta::{self, PARTITION_FILE_NAME};
use crate::segment::{LOG_SUFFIX, Mark, file_name};
use crate::small_file;
use crate::syncs::Syncs;

/// Descriptors held while writing.
const OPEN_FILES_MAX: usize = 256;

pub(crate) struct Replay<'r> {
    files: &'r Arc<dyn Files>,
    dir: &'r Path,
    /// Where each log lives, as far as it is known.
    homes: HashMap<LogId, PathBuf>,
    /// Up to where a checkpoint says that each log is on the disk.
    vouched: HashMap<LogId, Mark>,
    dropped: HashSet<LogId>,
    /// Logs that lack what stands before their first record.
    broken: HashSet<LogId>,
    owned: HashSet<LogId>,
    open: HashMap<PathBuf, Arc<dyn File>>,
    /// What stands where an operation would write.
    found: Vec<u8>,
    syncs: Syncs,
    pub(crate) starts: HashMap<LogId, Offset>,
    pub(crate) writes: u64,
    pub(crate) left_out: u64,
    pages: Pages,
}

impl<'r> Replay<'r> {
    pub(crate) fn new(
        files: &'r Arc<dyn Files>,
        dir: &'r Path,
        pages: Pages,
        homes: HashMap<LogId, PathBuf>,
        vouched: HashMap<LogId, Mark>,
    ) -> Self {
        Replay {
            files,
            dir,
            homes,
            vouched,
            dropped: HashSet::new(),
            broken: HashSet::new(),
            owned: HashSet::new(),
            open: HashMap::new(),
            found: Vec::new(),
            syncs: Syncs::default(),
            starts: HashMap::new(),
            writes: 0,
            left_out: 0,
            pages,
        }
    }

    /// After a kill the page cache has it all, and only the flush is missing.
    fn writes_anew(&self) -> bool {
        matches!(self.pages, Pages::Lost | Pages::Doubtful)
    }

    /// First reading: logs that end up deleted are not touched by the second.
    pub(crate) fn note_drops(&mut self, record: &RecordHeader) {
        if record.op == Op::Drop {
            self.dropped.insert(record.log);
        }
    }

    pub(crate) fn apply(&mut self, record: &RecordHeader, payload: &[u8]) -> io::Result<()> {
        if self.dropped.contains(&record.log) {
            return Ok(());
        }
        match record.op {
            Op::Drop => Ok(()),
            Op::Create => self.create(record.log, payload),
            Op::Write { segment, position } => self.write(record.log, segment, position, payload),
            Op::Join { segment, position } => self.join(record.log, segment, position),
            Op::Start { offset } => {
                let start = self.starts.entry(record.log).or_insert(offset);
                *start = offset.max(*start);
                Ok(())
            }
        }
    }

    /// The name of a log's directory, if it has one.
    pub(crate) fn dir_name(&self, log: LogId) -> Option<String> {
        let home = self.homes.get(&log).filter(|home| self.files.exists(home))?;
        Some(home.file_name()?.to_str()?.to_owned())
    }

    fn create(&mut self, log: LogId, name: &[u8]) -> io::Result<()> {
        let Some(name) =
            std::str::from_utf8(name).ok().filter(|n| meta::partition_of(n) == Some(log.partition))
        else {
            self.left_out += 1;
            return Ok(());
        };
        let path = self.dir.join(name);
        if self.writes_anew() && !self.files.exists(&path) {
            self.files.create_dir(&path)?;
        }
        let found = small_file::read(&**self.files, &path.join(PARTITION_FILE_NAME))?.unwrap_or_default();
        if meta::is_anothers(&found, log.topic) {
            self.left_out += 1;
            return Ok(());
        }
        self.homes.insert(log, path);
        self.own(log)
    }

    /// A log's directory says whose it is, and that will last, before the journal is used again.
    fn own(&mut self, log: LogId) -> io::Result<()> {
        let Some(home) = self.homes.get(&log).filter(|_| self.owned.insert(log)) else { return Ok(()) };
        let file = home.join(PARTITION_FILE_NAME);
        let found = small_file::read(&**self.files, &file)?.unwrap_or_default();
        let is_right = meta::decode_partition(&found) == Some(log.topic);
        let text = meta::encode_partition(log.topic);
        match self.pages {
            Pages::Kept | Pages::Unjudged => {}
            // The journal itself may be in doubt: nothing may be worse after another crash.
            Pages::Doubtful => small_file::replace(&**self.files, &file, text.as_bytes())?,
            Pages::Lost if is_right => {}
            Pages::Lost => small_file::replace_unflushed(&**self.files, &file, text.as_bytes())?,
        }
        self.syncs.file(file);
        self.syncs.dir(home);
        self.syncs.dir(self.dir);
        Ok(())
    }

    fn write(&mut self, log: LogId, segment: Offset, position: u64, payload: &[u8]) -> io::Result<()> {
        let Some(home) = self.homes.get(&log).filter(|_| !self.broken.contains(&log)) else {
            self.left_out += 1;
            return Ok(());
        };
        let path = home.join(file_name(segment, LOG_SUFFIX));
        self.own(log)?;
        if self.writes_anew() {
            let file = self.file(&path, position)?;
            let Some(file) = file.filter(|file| file.len().is_ok_and(|len| len >= position)) else {
                self.left_out += 1;
                return Ok(());
            };
            if !self.is_there(log, segment, position, payload, &*file)? {
                file.write_all_at(&[IoSlice::new(payload)], position)?;
                self.writes += 1;
            }
        }
        self.syncs.file(path);
        Ok(())
    }

    /// Whether the bytes need not be written. What a checkpoint vouches for and is right is not written over: the journal
    /// may be in doubt itself, and the power go in the middle. On another boot, what is read came from the disk, or will be
    /// flushed with the rest.
    fn is_there(
        &mut self,
        log: LogId,
        segment: Offset,
        position: u64,
        payload: &[u8],
        file: &dyn File,
    ) -> io::Result<bool> {
        let end = position + payload.len() as u64;
        let is_below =
            |mark: &Mark| segment < mark.segment || (segment == mark.segment && end <= mark.position);
        if self.pages != Pages::Lost && !self.vouched.get(&log).is_some_and(is_below) {
            return Ok(false);
        }
        self.found.resize(payload.len(), 0);
        let n = file.read_at(&mut self.found, position)?;
        Ok(self.found[..n] == *payload)
    }

    fn join(&mut self, log: LogId, segment: Offset, position: u64) -> io::Result<()> {
        let Some(home) = self.homes.get(&log) else { return Ok(()) };
        let path = home.join(file_name(segment, LOG_SUFFIX));
        let len = match self.files.open(&path, OpenMode::Read) {
            Ok(file) => file.len()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if len < position {
            self.broken.insert(log);
        }
        Ok(())
    }

    /// The file, made if its first bytes are to be written.
    fn file(&mut self, path: &Path, position: u64) -> io::Result<Option<Arc<dyn File>>> {
        if let Some(file) = self.open.get(path) {
            return Ok(Some(Arc::clone(file)));
        }
        if self.open.len() >= OPEN_FILES_MAX {
            self.open.clear();
        }
        let mode = if position == 0 { OpenMode::Create } else { OpenMode::Write };
        match self.files.open(path, mode) {
            Ok(file) => {
                self.open.insert(path.to_owned(), Arc::clone(&file));
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes last what was written, be it by this replay or by the process before.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.open.clear();
        self.syncs.perform(&**self.files, self.dir)
    }
}
