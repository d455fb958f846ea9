//! Copying a log's files: its segments piece by piece behind the writer, and what stands beside them whole.
//!
//! Invariants: what was written is read again and compared; a copy of a segment that is the log's no more is removed; what
//! is said to be flushed is on the disk, names included. Batches that are damaged stay as they are: they are verified
//! before they are first served, wherever they stand. It must not know what the bytes mean.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::names::LastMove;
use super::{Move, MoveError, failed};
use crate::compact::swap::{CLEANED_SUFFIX, SWAP_SUFFIX};
use crate::env::{File, Files, OpenMode};
use crate::error::is_passing;
use crate::ids::Offset;
use crate::meta::PARTITION_FILE_NAME;
use crate::producer_state::snapshot::SNAPSHOT_SUFFIX;
use crate::retention::DELETED_SUFFIX;
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, Segment, TIME_INDEX_SUFFIX, base_of, file_name};
use crate::small_file::{self, TEMPORARY_SUFFIX};

/// How far the copy of a segment is.
pub(super) struct Copied {
    segment: Arc<Segment>,
    bytes: u64,
    /// Of these, what is not flushed.
    unflushed_bytes: u64,
    /// Closed when all of a segment that takes no more is flushed.
    file: Option<Arc<dyn File>>,
}

/// A copy is flushed whenever so much came, so that those who share its disk never wait for more.
const UNFLUSHED_BYTES_MAX: u64 = 16 << 20;

impl Copied {
    fn flush(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync_data().map_err(io::Error::other)?;
        }
        self.unflushed_bytes = 0;
        Ok(())
    }
}

impl Move {
    /// Copies the next piece; `None` if there is none.
    pub(super) fn copy_piece(&mut self, bytes_max: usize) -> Result<Option<u64>, MoveError> {
        let segments = self.log.segments.read().unwrap().clone();
        self.drop_replaced(&segments)?;
        for (place, segment) in segments.iter().enumerate() {
            let from = self.copied.get(&segment.base).map_or(0, |copied| copied.bytes);
            let left = segment.size_bytes() - from;
            if left == 0 && self.copied.contains_key(&segment.base) {
                continue;
            }
            let bytes = left.min(bytes_max as u64);
            let Some(piece) = self.read_piece(segment, from, bytes as usize)? else { return Ok(Some(0)) };
            self.write_piece(segment, from, &piece)?;
            if bytes == left && place + 1 < segments.len() {
                self.close_copy(segment.base)?;
            }
            self.note();
            return Ok(Some(bytes));
        }
        Ok(None)
    }

    /// `None` if the segment is the log's no more.
    fn read_piece(
        &self,
        segment: &Arc<Segment>,
        from: u64,
        bytes: usize,
    ) -> Result<Option<Vec<u8>>, MoveError> {
        let mut piece = vec![0; bytes];
        let read = segment.file().and_then(|file| file.read_at(&mut piece, from));
        match read {
            Ok(read) if read == bytes => Ok(Some(piece)),
            _ if !self.log.has_segment(segment) => Ok(None),
            Ok(_) => Err(MoveError::Source(format!("{} is too short", segment.path(LOG_SUFFIX).display()))),
            Err(error) => Err(MoveError::Source(error.to_string())),
        }
    }

    fn write_piece(&mut self, segment: &Arc<Segment>, from: u64, piece: &[u8]) -> Result<(), MoveError> {
        if !self.target.has_room_for(piece.len() as u64) {
            return Err(MoveError::NoRoom);
        }
        let target = &self.target;
        let or_failed = |error: io::Error| failed(target, "copying a log", &error);
        let copied = match self.copied.entry(segment.base) {
            Entry::Occupied(begun) => begun.into_mut(),
            Entry::Vacant(place) => place.insert(Copied {
                segment: Arc::clone(segment),
                bytes: 0,
                unflushed_bytes: 0,
                file: None,
            }),
        };
        let file = match &copied.file {
            Some(file) => Arc::clone(file),
            None => {
                let path = self.dir.join(file_name(segment.base, LOG_SUFFIX));
                let file = target.env.files.open(&path, OpenMode::Create).map_err(or_failed)?;
                Arc::clone(copied.file.insert(file))
            }
        };
        file.write_all_at(&[IoSlice::new(piece)], from).map_err(or_failed)?;
        let mut written = vec![0; piece.len()];
        let read = file.read_at(&mut written, from).map_err(or_failed)?;
        if read < piece.len() || written != piece {
            return Err(or_failed(io::Error::other("what was written is read differently")));
        }
        target.counts.moved_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        copied.bytes += piece.len() as u64;
        copied.unflushed_bytes += piece.len() as u64;
        if copied.unflushed_bytes >= UNFLUSHED_BYTES_MAX { copied.flush().map_err(or_failed) } else { Ok(()) }
    }

    /// A segment that takes no more is copied.
    fn close_copy(&mut self, base: Offset) -> Result<(), MoveError> {
        let Some(copied) = self.copied.get_mut(&base) else { return Ok(()) };
        copied.flush().map_err(|error| failed(&self.target, "flushing the copy of a log", &error))?;
        copied.file = None;
        Ok(())
    }

    /// What compaction and retention took out of the log is taken out of the copy.
    fn drop_replaced(&mut self, segments: &[Arc<Segment>]) -> Result<(), MoveError> {
        let is_the_logs =
            |copied: &Copied| segments.iter().any(|segment| Arc::ptr_eq(segment, &copied.segment));
        let replaced: Vec<Offset> =
            self.copied.iter().filter(|(_, copied)| !is_the_logs(copied)).map(|(base, _)| *base).collect();
        for base in replaced {
            self.copied.remove(&base);
            let prefix = format!("{:020}.", base.0);
            self.settled.retain(|name| !name.starts_with(&prefix));
            let path = self.dir.join(file_name(base, LOG_SUFFIX));
            let removed = self.target.env.files.remove_file(&path);
            removed.map_err(|error| failed(&self.target, "removing a copy", &error))?;
        }
        Ok(())
    }

    /// What of the log's batches is not copied.
    pub(super) fn left_bytes(&self) -> u64 {
        let left = |segment: &Arc<Segment>| {
            let copied =
                self.copied.get(&segment.base).filter(|copied| Arc::ptr_eq(&copied.segment, segment));
            segment.size_bytes() - copied.map_or(0, |copied| copied.bytes)
        };
        self.log.segments.read().unwrap().iter().map(left).sum()
    }

    /// Whether the copy has all of the log's segments as they are.
    pub(super) fn has_all_segments(&self) -> bool {
        let segments = self.log.segments.read().unwrap();
        let is_copied = |segment: &Arc<Segment>| {
            self.copied.get(&segment.base).is_some_and(|copied| {
                Arc::ptr_eq(segment, &copied.segment) && copied.bytes == segment.size_bytes()
            })
        };
        segments.len() == self.copied.len() && segments.iter().all(is_copied)
    }

    /// The log's own files are flushed, as its directory's flusher does it.
    pub(super) fn flush_source(&self) -> Result<(), MoveError> {
        let _flushing = self.source.flushing.read().unwrap();
        let flushed = self.source.spare.lend_if_short(|| self.log.flush());
        flushed.map_err(|error| self.source_failed("flushing a log before it is moved", &error))
    }

    pub(super) fn source_failed(&self, what: &str, error: &io::Error) -> MoveError {
        if !is_passing(error) {
            self.source.go_offline(what, error);
        }
        MoveError::Source(format!("{what}: {error}"))
    }

    /// Copies what stands beside the batches, and flushes it. What is not the log's any more is removed.
    pub(super) fn copy_beside(&mut self) -> Result<(), MoveError> {
        let (source, target) = (Arc::clone(&self.source), Arc::clone(&self.target));
        let (from, to) = (&*source.env.files, &*target.env.files);
        let listed = match from.list(&self.log.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        };
        let listed = listed.map_err(|error| MoveError::Source(error.to_string()))?;
        let names: BTreeSet<&str> =
            listed.iter().filter(|entry| !entry.is_dir && is_beside(&entry.name)).map(|e| &*e.name).collect();
        self.settled.retain(|name| names.contains(&**name));
        for name in &names {
            if self.settled.contains(*name) {
                continue;
            }
            let is_settled = self.is_settled(name);
            let content = small_file::read(from, &self.log.path.join(name));
            // What is gone by now is looked for again before the switch.
            let Some(content) = content.map_err(|error| MoveError::Source(error.to_string()))? else {
                continue;
            };
            let write = || write_whole(to, &self.dir.join(name), &content);
            write().map_err(|error| failed(&target, "copying a log", &error))?;
            if is_settled {
                self.settled.insert((*name).to_owned());
            }
        }
        let tidy = || {
            for entry in to.list(&self.dir)? {
                if is_beside(&entry.name) && !names.contains(&*entry.name) {
                    to.remove_file(&self.dir.join(&entry.name))?;
                }
            }
            Ok(())
        };
        tidy().map_err(|error| failed(&target, "copying a log", &error))
    }

    /// Whether a file will not change as long as its segment is the log's.
    fn is_settled(&self, name: &str) -> bool {
        let flushed = self.log.marks.lock().unwrap().recovery.map(|flushed| flushed.mark.segment);
        let is_sealed = |base: Offset| flushed.is_some_and(|active| base < active);
        let of_segment = [INDEX_SUFFIX, TIME_INDEX_SUFFIX].iter().find_map(|suffix| base_of(name, suffix));
        base_of(name, SNAPSHOT_SUFFIX).is_some() || of_segment.is_some_and(is_sealed)
    }

    /// Everything that was copied is on the disk.
    pub(super) fn flush_copies(&mut self) -> Result<(), MoveError> {
        let target = Arc::clone(&self.target);
        let mut flush = || {
            for copied in self.copied.values_mut().filter(|copied| copied.unflushed_bytes > 0) {
                copied.flush()?;
            }
            target.env.files.sync_dir(&self.dir).map_err(io::Error::other)
        };
        flush().map_err(|error| failed(&target, "flushing the copy of a log", &error))
    }

    fn note(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        let bytes = self.copied.values().map(|copied| copied.bytes).sum();
        self.view.bytes.store(bytes, Relaxed);
        let last = self.copied.values().next_back();
        let end = last.map_or(Offset(0), |last| {
            let is_whole = last.bytes == last.segment.size_bytes();
            let known = last.segment.end_before(last.bytes).ok().flatten().unwrap_or(last.segment.base);
            if is_whole && self.has_all_segments() { self.log.end_offset() } else { known }
        });
        self.view.end.store(end.0, Relaxed);
    }
}

/// Files that are copied whole: all but the batches, what is about to go or to come, and what says whose the directory is.
fn is_beside(name: &str) -> bool {
    let passing = [TEMPORARY_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX, DELETED_SUFFIX];
    name != PARTITION_FILE_NAME
        && LastMove::parse(name).is_none()
        && base_of(name, LOG_SUFFIX).is_none()
        && !passing.iter().any(|suffix| name.ends_with(suffix))
}

/// Writes a file unless it says the same already, and flushes it; its name is flushed with the directory.
fn write_whole(files: &dyn Files, path: &Path, content: &[u8]) -> io::Result<()> {
    if small_file::read(files, path)?.as_deref() == Some(content) {
        return Ok(());
    }
    let file = files.open(path, OpenMode::Create)?;
    file.set_len(0)?;
    file.write_all_at(&[IoSlice::new(content)], 0)?;
    file.sync_data().map_err(io::Error::other)
}
