//! Opening a log that is on the disk: what a checkpoint vouches for is taken as it is, the rest is read and judged.
//!
//! Invariants: a batch counts only if its header and checksum are right and its offset continues the log; behind the
//! first that does not, nothing counts. What is not served is cut (a torn tail) or renamed `.quarantine` (segments
//! behind a hole), with a warning that says how much. When this returns, everything that will be served is on the disk.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::batch::{BatchHeader, CRC_FROM, HEADER_BYTES};
use crate::checkpoint;
use crate::env::{DirEntry, File, Files, OpenMode};
use crate::epoch_cache::{self, EpochCache};
use crate::error::{OpenError, ReadError};
use crate::ids::Offset;
use crate::indexes::ActiveIndexes;
use crate::segment::{
    INDEX_SUFFIX, Indexes, LOG_SUFFIX, Mark, Segment, TIME_INDEX_SUFFIX, base_of, file_name,
};
use crate::small_file::{self, TEMPORARY_SUFFIX};
use crate::{meta, offset_index, time_index};

/// What was found of a log.
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) start: Offset,
    pub(crate) end: Mark,
    pub(crate) epochs: EpochCache,
    /// What the epochs' file holds, if it can be read.
    pub(crate) epochs_written: Option<EpochCache>,
}

impl Recovered {
    pub(crate) fn empty() -> Recovered {
        let (segments, epochs) = (Vec::new(), EpochCache::default());
        Recovered { segments, start: Offset(0), end: Mark::ZERO, epochs, epochs_written: None }
    }
}

/// What the page cache has of what the process before wrote.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// All of it: only the process died.
    Kept,
    /// What was flushed, and chance has kept.
    Lost,
}

const QUARANTINE_SUFFIX: &str = "quarantine";
/// The distance of index entries made by recovery: Kafka's default, whatever the topic says.
const INDEX_INTERVAL_BYTES: u32 = 4096;

struct Recovery<'r> {
    files: &'r Arc<dyn Files>,
    dir: Arc<Path>,
    known: Option<&'r checkpoint::Entry>,
    names: Vec<DirEntry>,
    segments: Vec<Arc<Segment>>,
    epochs: EpochCache,
    epochs_written: Option<EpochCache>,
    /// The epochs' file was not readable: every batch's header is asked.
    epochs_lost: bool,
    scanned: bool,
}

/// How far a segment's content counts.
struct Scanned {
    segment: Arc<Segment>,
    end: Offset,
}

pub(crate) fn recover(
    files: &Arc<dyn Files>,
    dir: &Path,
    known: Option<&checkpoint::Entry>,
    _pages: Pages,
) -> Result<Recovered, OpenError> {
    let io = |what| OpenError::io(what, dir);
    let names = files.list(dir).map_err(io("listing"))?;
    for entry in names.iter().filter(|entry| entry.name.ends_with(TEMPORARY_SUFFIX)) {
        files.remove_file(&dir.join(&entry.name)).map_err(io("tidying"))?;
    }
    let logs: Vec<(Offset, u64)> =
        names.iter().filter_map(|entry| Some((base_of(&entry.name, LOG_SUFFIX)?, entry.len))).collect();
    if logs.is_empty() {
        return match known {
            Some(known) if known.recovery.offset > known.start => {
                Err(OpenError::LogGone { path: dir.to_owned(), id: known.id })
            }
            _ => Ok(Recovered::empty()),
        };
    }
    let text =
        small_file::read(&**files, &dir.join(epoch_cache::FILE_NAME)).map_err(io("reading the epochs of"))?;
    let epochs = text.as_deref().and_then(EpochCache::decode);
    let mut recovery = Recovery {
        files,
        dir: dir.into(),
        known,
        names,
        segments: Vec::new(),
        epochs_lost: epochs.is_none(),
        epochs_written: epochs.clone(),
        epochs: epochs.unwrap_or_default(),
        scanned: false,
    };
    let end = recovery.segments(&logs)?;
    recovery.finish(end).map_err(io("flushing"))
}

impl Recovery<'_> {
    fn segments(&mut self, logs: &[(Offset, u64)]) -> Result<Offset, OpenError> {
        let mut end = logs[0].0;
        for (place, (base, len)) in logs.iter().enumerate() {
            let vouched = self.known.is_some_and(|known| *base < known.recovery.segment);
            if let (true, Some((next, _))) = (vouched, logs.get(place + 1)) {
                let segment = self.sealed(*base, *len)?;
                self.segments.push(segment);
                end = *next;
                continue;
            }
            if *base != end {
                tracing::warn!(path = %self.dir.display(), expected = end.0, found = base.0, "a segment does not continue the log");
                self.quarantine(&logs[place..])?;
                break;
            }
            let scanned = self.scan(*base, *len, place + 1 == logs.len())?;
            self.segments.push(scanned.segment);
            end = scanned.end;
        }
        Ok(end)
    }

    /// Whether both index files are there and whole, as far as their lengths tell. A finished time index has an entry,
    /// unless no record has a time.
    fn has_indexes(&self, base: Offset, len: u64) -> bool {
        let whole = |suffix, entry_bytes: usize, least: u64| {
            let name = file_name(base, suffix);
            let is_whole =
                |entry: &DirEntry| entry.len >= least && entry.len.is_multiple_of(entry_bytes as u64);
            self.names.iter().any(|entry| entry.name == name && is_whole(entry))
        };
        whole(INDEX_SUFFIX, offset_index::ENTRY_BYTES, 0)
            && whole(TIME_INDEX_SUFFIX, time_index::ENTRY_BYTES, len.min(1))
    }

    /// A segment that a checkpoint vouches for: nothing of it is read, unless its indexes are missing.
    fn sealed(&mut self, base: Offset, len: u64) -> Result<Arc<Segment>, OpenError> {
        let indexed = self.has_indexes(base, len);
        let indexes = if indexed { Indexes::Sealed(None) } else { Indexes::Active(ActiveIndexes::fresh()) };
        let segment = Segment::new(Arc::clone(self.files), Arc::clone(&self.dir), base, len, indexes);
        let path = segment.path(LOG_SUFFIX);
        if self.epochs_lost || !indexed {
            let mut walk = segment.walk_at(0, len).map_err(walking)?;
            while let Some((position, header)) = walk.next_header().map_err(walking)? {
                if self.epochs_lost {
                    self.epochs.see(&header);
                }
                if !indexed {
                    segment.index(position, &header, INDEX_INTERVAL_BYTES);
                }
            }
        }
        if !indexed {
            tracing::warn!(path = %path.display(), "the indexes of a segment were missing and are made anew");
            segment.finish_indexes(true, true).map_err(OpenError::io("making the indexes of", &path))?;
        }
        Ok(Arc::new(segment))
    }

    /// Reads what no checkpoint vouches for, and cuts what does not count.
    fn scan(&mut self, base: Offset, len: u64, is_last: bool) -> Result<Scanned, OpenError> {
        let known = self.known.filter(|known| known.recovery.segment == base);
        if let Some(known) = known.filter(|known| known.recovery.position > len) {
            tracing::error!(
                path = %self.dir.display(), expected_bytes = known.recovery.position, found_bytes = len,
                "a segment is shorter than it was at the last checkpoint: flushed records are lost"
            );
        }
        let known = known.filter(|known| known.recovery.position <= len);
        let (from, offset) =
            known.map_or((0, base), |known| (known.recovery.position, known.recovery.offset));
        let indexes = self.load_indexes(base, offset, from)?;
        // With a segment behind it, this one was written to since it was closed: a write that a full disk refused may
        // have been cut off again, and the cut has to be on the disk before what follows counts.
        let clean = known.is_some_and(|known| known.clean) && from == len && is_last;
        let trusted = clean && !self.epochs_lost && indexes.is_as_on_disk() && self.has_indexes(base, len);
        let (dir, files) = (Arc::clone(&self.dir), Arc::clone(self.files));
        let segment = Segment::new(files, dir, base, len, Indexes::Active(indexes));
        let path = segment.path(LOG_SUFFIX);
        if trusted {
            segment.trust_indexes(len);
            return Ok(Scanned { segment: Arc::new(segment), end: offset });
        }
        self.scanned = true;
        self.walk_known(&segment, from)?;
        let (position, end) =
            self.scan_unknown(&segment, from, offset, len).map_err(OpenError::io("reading", &path))?;
        let file = segment.file().map_err(OpenError::io("opening", &path))?;
        if position < len {
            tracing::warn!(path = %path.display(), position, bytes = len - position, "a torn tail is cut");
            file.set_len(position).map_err(OpenError::io("cutting", &path))?;
            segment.set_size(position);
        }
        file.sync_data().map_err(OpenError::io("flushing", &path))?;
        Ok(Scanned { segment: Arc::new(segment), end })
    }

    fn load_indexes(&self, base: Offset, end: Offset, position_end: u64) -> Result<ActiveIndexes, OpenError> {
        let read = |suffix| {
            let path = self.dir.join(file_name(base, suffix));
            let found = small_file::read(&**self.files, &path).map_err(OpenError::io("reading", &path))?;
            Ok(found.unwrap_or_default())
        };
        let relative_end = (end.0 - base.0).max(0) as u64;
        Ok(ActiveIndexes::load(read(INDEX_SUFFIX)?, read(TIME_INDEX_SUFFIX)?, relative_end, position_end))
    }

    /// Completes the indexes, and the epochs if need be, of the part before `from`: its batches are on the disk, but
    /// the last entries of its indexes may not be.
    fn walk_known(&mut self, segment: &Segment, from: u64) -> Result<(), OpenError> {
        let indexed = segment.indexed_up_to(from).map_err(walking)?;
        if indexed.is_none() {
            segment.forget_indexes();
        }
        // Lost epochs are asked of every batch.
        let at = indexed.filter(|_| !self.epochs_lost).map_or(0, |(_, at)| at);
        let mut walk = segment.walk_at(at, from).map_err(walking)?;
        while let Some((position, header)) = walk.next_header().map_err(walking)? {
            if self.epochs_lost {
                self.epochs.see(&header);
            }
            match indexed {
                Some((entry, _)) if position < entry => segment.see_time(&header),
                Some((entry, _)) if position == entry => {
                    segment.see_time(&header);
                    segment.resume_indexes(position + header.total_bytes() as u64);
                }
                _ => segment.index(position, &header, INDEX_INTERVAL_BYTES),
            }
        }
        Ok(())
    }

    /// Judges every batch from `position`, where offset `end` is due; gives the position and offset behind the last
    /// that counts.
    fn scan_unknown(
        &mut self,
        segment: &Segment,
        mut position: u64,
        mut end: Offset,
        len: u64,
    ) -> io::Result<(u64, Offset)> {
        let mut scanner = Scanner::new(segment.file()?, len);
        while let Some(header) = scanner.batch_at(position)? {
            if header.base_offset != end || segment.relative(header.last_offset()).is_none() {
                break;
            }
            segment.index(position, &header, INDEX_INTERVAL_BYTES);
            self.epochs.see(&header);
            position += header.total_bytes() as u64;
            end = header.next_offset();
        }
        Ok((position, end))
    }

    /// Sets segments aside that do not continue the log.
    fn quarantine(&self, logs: &[(Offset, u64)]) -> Result<(), OpenError> {
        for (base, len) in logs {
            let path = self.dir.join(file_name(*base, LOG_SUFFIX));
            let aside = self.dir.join(file_name(*base, QUARANTINE_SUFFIX));
            if *len > 0 {
                tracing::error!(path = %aside.display(), bytes = len, "a segment is set aside");
                self.files.rename(&path, &aside).map_err(OpenError::io("setting aside", &path))?;
            } else {
                self.files.remove_file(&path).map_err(OpenError::io("removing", &path))?;
            }
            for suffix in [INDEX_SUFFIX, TIME_INDEX_SUFFIX] {
                match self.files.remove_file(&self.dir.join(file_name(*base, suffix))) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(OpenError::io("removing an index of", &path)(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Seals all segments but the last; makes the names last.
    fn finish(mut self, end: Offset) -> io::Result<Recovered> {
        let active = Arc::clone(self.segments.last().expect("a log has a first segment"));
        for segment in &self.segments[..self.segments.len() - 1] {
            segment.finish_indexes(true, true)?;
        }
        if self.scanned {
            // The process before may have ended before its first flush.
            self.files.open(&self.dir.join(meta::PARTITION_FILE_NAME), OpenMode::Write)?.sync_data()?;
            self.files.sync_dir(&self.dir)?;
        }
        self.epochs.cut_end(end);
        let start = self.known.map_or(Offset(0), |known| known.start).max(self.segments[0].base).min(end);
        Ok(Recovered {
            start,
            end: Mark { offset: end, segment: active.base, position: active.size_bytes() },
            segments: self.segments,
            epochs: self.epochs,
            epochs_written: self.epochs_written,
        })
    }
}

/// What a checkpoint vouches for cannot be read: the log is not opened, and nothing of it is changed.
fn walking(error: ReadError) -> OpenError {
    match error {
        ReadError::Io { path, source } => OpenError::Io { what: "reading", path, source },
        ReadError::Corrupt { path, position, what } => OpenError::CorruptLog { path, position, what },
        ReadError::OutOfRange { .. } | ReadError::Offline | ReadError::Deleted => {
            unreachable!("a walk asks no log")
        }
    }
}

/// Read at a time when batches are judged.
const SCAN_BYTES: usize = 256 << 10;

/// Reads a segment once, from front to back, with one buffer whatever the batches' headers claim.
struct Scanner<'f> {
    file: &'f Arc<dyn File>,
    len: u64,
    buffer: Vec<u8>,
    from: u64,
    filled: usize,
}

impl<'f> Scanner<'f> {
    fn new(file: &'f Arc<dyn File>, len: u64) -> Scanner<'f> {
        let buffer = vec![0; SCAN_BYTES.min(len as usize)];
        Scanner { file, len, buffer, from: 0, filled: 0 }
    }

    /// At least `least` bytes at `position`, or as many as the file has.
    fn bytes_at(&mut self, position: u64, least: usize) -> io::Result<&[u8]> {
        let inside = position >= self.from && position + least as u64 <= self.from + self.filled as u64;
        if !inside {
            let wanted = (self.len.saturating_sub(position)).min(self.buffer.len() as u64) as usize;
            self.from = position;
            self.filled = self.file.read_at(&mut self.buffer[..wanted], position)?;
        }
        Ok(&self.buffer[(position - self.from) as usize..self.filled])
    }

    /// The header of the batch at `position`, if a whole one with the right checksum stands there.
    fn batch_at(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        let Ok(header) = BatchHeader::parse(self.bytes_at(position, HEADER_BYTES)?) else { return Ok(None) };
        let end = position + header.total_bytes() as u64;
        if !header.is_plausible() || end > self.len {
            return Ok(None);
        }
        let (mut at, mut crc) = (position + CRC_FROM as u64, 0);
        while at < end {
            let bytes = self.bytes_at(at, 1)?;
            let bytes = &bytes[..bytes.len().min((end - at) as usize)];
            if bytes.is_empty() {
                return Ok(None);
            }
            crc = crc32c::crc32c_append(crc, bytes);
            at += bytes.len() as u64;
        }
        Ok((crc == header.crc).then_some(header))
    }
}
