//! One segment: a file of batches with its two indexes, and the walk over the headers in it.
//!
//! Invariants: the file grows at its end only, and only through the log's writer; `size_bytes` never shows bytes that
//! are not written; its descriptor is opened when needed, and closed only by who knows that all of it is on the disk.
//! How its indexes are kept and made anew stands in `indexing`.

mod indexing;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use crate::batch::BatchHeader;
use crate::env::{File, Files, OpenMode};
use crate::error::{ReadError, is_passing};
use crate::ids::{Offset, TimestampMs};
use crate::indexes::{ActiveIndexes, MaxTimestamp, SealedIndexes};
use crate::quarantine::{Pieces, QUARANTINE_SUFFIX};
use crate::verify::Verification;
use crate::walk::{HeaderWalk, WALK_BYTES};
use crate::{offset_index, time_index};

/// A place in a log: the next batch's offset, and where in which segment it begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: Offset,
    /// The segment, by its base offset.
    pub(crate) segment: Offset,
    pub(crate) position: u64,
}

impl Mark {
    pub(crate) const ZERO: Mark = Mark { offset: Offset(0), segment: Offset(0), position: 0 };
}

pub(crate) const LOG_SUFFIX: &str = "log";
pub(crate) const INDEX_SUFFIX: &str = "index";
pub(crate) const TIME_INDEX_SUFFIX: &str = "timeindex";
pub(crate) const TXN_INDEX_SUFFIX: &str = "txnindex";

pub(crate) fn file_name(base: Offset, suffix: &str) -> String {
    format!("{:020}.{suffix}", base.0)
}

/// The base offset in the name of a segment's file.
pub(crate) fn base_of(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?.strip_suffix('.')?;
    if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Offset)
}

pub(crate) struct Segment {
    pub(crate) base: Offset,
    dir: Arc<Path>,
    files: Arc<dyn Files>,
    file: Mutex<Held>,
    size: AtomicU64,
    indexes: RwLock<Indexes>,
    /// The time index is as an earlier process left it, and nobody has asked yet whether it is right.
    times_unchecked: AtomicBool,
    /// What of the bytes an earlier process wrote.
    pub(crate) verification: Verification,
    /// Where the segment behind it begins, if this one was found complete: it may be a compacted one, whose batches do
    /// not continue each other.
    next: OnceLock<Offset>,
    /// The last record of it in the journal, once it is rolled; none if an earlier process wrote it.
    pub(crate) sealed_lsn: AtomicU64,
}

/// The descriptor of a segment, while there is one.
#[derive(Default)]
struct Held {
    file: Option<Arc<dyn File>>,
    /// Nobody asked for it since it was last asked whether it may go.
    is_idle: bool,
    /// The file is about to lose its name: it could not be opened again.
    stays: bool,
}

pub(crate) enum Indexes {
    Active(ActiveIndexes),
    /// Mapped when first asked for.
    Sealed(Option<SealedIndexes>),
}

impl Segment {
    pub(crate) fn new(
        files: Arc<dyn Files>,
        dir: Arc<Path>,
        base: Offset,
        size: u64,
        indexes: Indexes,
    ) -> Segment {
        let (file, size, indexes) = (Mutex::default(), AtomicU64::new(size), RwLock::new(indexes));
        let (verification, times_unchecked) = (Verification::default(), AtomicBool::new(false));
        let (sealed_lsn, next) = (AtomicU64::new(0), OnceLock::new());
        Segment { base, dir, files, file, size, indexes, times_unchecked, verification, next, sealed_lsn }
    }

    /// A segment that was written anew to files of other names, which are about to take its own.
    pub(crate) fn rewritten(
        of: &Segment,
        file: Arc<dyn File>,
        size: u64,
        offsets: &Path,
        times: &Path,
    ) -> io::Result<Segment> {
        let indexes = Indexes::Sealed(Some(SealedIndexes::map(&*of.files, offsets, times)?));
        let segment = Segment::new(Arc::clone(&of.files), Arc::clone(&of.dir), of.base, size, indexes);
        segment.hold(file);
        Ok(segment)
    }

    /// Recovery: another segment follows, so that nothing is ever appended to this one.
    pub(crate) fn precedes(&self, next: Offset) {
        let _ = self.next.set(next);
    }

    /// Where the segment behind it begins, if recovery found one.
    pub(crate) fn next(&self) -> Option<Offset> {
        self.next.get().copied()
    }

    /// Makes the file of a new, empty segment; those of its indexes come with their first entries, or when it is sealed.
    /// Leftovers of the same name are emptied.
    pub(crate) fn create(files: Arc<dyn Files>, dir: Arc<Path>, base: Offset) -> io::Result<Segment> {
        let segment = Segment::new(files, dir, base, 0, Indexes::Active(ActiveIndexes::new()));
        for suffix in [INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX] {
            let path = segment.path(suffix);
            if segment.files.exists(&path) {
                segment.files.remove_file(&path)?;
            }
        }
        let file = segment.files.open(&segment.path(LOG_SUFFIX), OpenMode::Create)?;
        if file.len()? > 0 {
            file.set_len(0)?;
        }
        segment.hold(file);
        Ok(segment)
    }

    fn hold(&self, file: Arc<dyn File>) {
        self.file.lock().unwrap().file = Some(file);
    }

    pub(crate) fn path(&self, suffix: &str) -> PathBuf {
        self.dir.join(file_name(self.base, suffix))
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// The file of batches, opened if need be.
    pub(crate) fn file(&self) -> io::Result<Arc<dyn File>> {
        let mut held = self.file.lock().unwrap();
        held.is_idle = false;
        if let Some(file) = &held.file {
            return Ok(Arc::clone(file));
        }
        let file = self.files.open(&self.path(LOG_SUFFIX), OpenMode::Write)?;
        held.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// The file loses its name: whoever still holds this segment reads it through a descriptor that stays.
    pub(crate) fn keep_file(&self) -> io::Result<()> {
        self.file()?;
        self.file.lock().unwrap().stays = true;
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        self.file.lock().unwrap().file.is_some()
    }

    /// Closes the file if nobody asked for it since this was called before. All that was written is on the disk, and
    /// nothing is being appended.
    pub(crate) fn close_if_idle(&self) {
        let mut held = self.file.lock().unwrap();
        if std::mem::replace(&mut held.is_idle, true) && !held.stays {
            held.file = None;
        }
    }

    pub(crate) fn relative(&self, offset: Offset) -> Option<u32> {
        u32::try_from(offset.0.checked_sub(self.base.0)?).ok().filter(|r| *r <= i32::MAX as u32)
    }

    /// Whether an index has no room for one more entry.
    pub(crate) fn is_index_full(&self, bytes_max: u32) -> bool {
        matches!(&*self.indexes.read().unwrap(), Indexes::Active(active) if active.is_full(bytes_max))
    }

    /// Notes batches that were written at the end: their bytes become visible. An index entry that does not fit on a
    /// full disk stays in memory and is written later; any other failure is the caller's.
    pub(crate) fn appended<'h>(
        &self,
        headers: impl Iterator<Item = &'h BatchHeader>,
        interval_bytes: u32,
    ) -> io::Result<()> {
        let mut guard = self.indexes.write().unwrap();
        let Indexes::Active(active) = &mut *guard else {
            unreachable!("only an active segment is appended to")
        };
        let mut position = self.size_bytes();
        for header in headers {
            let relative = self.relative(header.last_offset()).expect("the segment was rolled in time");
            let bytes = header.total_bytes() as u64;
            active.see(relative, position as u32, bytes, header.records_time(), interval_bytes);
            position += bytes;
        }
        self.size.store(position, Ordering::Release);
        if active.is_write_due(interval_bytes) {
            match active.write(&*self.files, &self.path(INDEX_SUFFIX), &self.path(TIME_INDEX_SUFFIX)) {
                Err(error) if !is_passing(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The gaps in the offsets that recovery made.
    pub(crate) fn pieces(&self) -> io::Result<Pieces> {
        Pieces::read(&*self.files, &self.path(QUARANTINE_SUFFIX))
    }

    /// Recovery: what stands before `position` was not looked at; it is when it is first read. The batch behind it is
    /// indexed, so that it can be reached past any damage.
    pub(crate) fn verify_below(&self, position: u64) {
        self.verification.begin(position);
        if let (true, Indexes::Active(active)) = (position > 0, &mut *self.indexes.write().unwrap()) {
            active.force_entry();
        }
    }

    /// Bytes that were found damaged when they were first read.
    pub(crate) fn damaged_bytes(&self) -> u64 {
        self.verification.damaged_bytes()
    }

    /// Recovery: the file was cut.
    pub(crate) fn set_size(&self, bytes: u64) {
        self.size.store(bytes, Ordering::Release);
    }

    pub(crate) fn max_timestamp(&self) -> Result<MaxTimestamp, ReadError> {
        if self.times_unchecked.swap(false, Ordering::AcqRel) {
            self.check_times()?;
        }
        self.with_indexes(|view| view.max)
    }

    /// As [`Segment::max_timestamp_below`], but never of a batch that is damaged.
    pub(crate) fn right_max_timestamp_below(
        &self,
        end: Offset,
        limit: u64,
    ) -> Result<MaxTimestamp, ReadError> {
        let max = self.max_timestamp_below(end, limit)?;
        let entry = time_index::Entry { timestamp: max.timestamp, relative: max.relative };
        if self.verification.below() == 0 || max.timestamp < 0 || self.has_time(entry)? {
            return Ok(max);
        }
        self.rebuild_indexes()?;
        self.max_timestamp_below(end, limit)
    }

    /// The greatest time of the batches before `limit`, which begins the batch of offset `end`.
    pub(crate) fn max_timestamp_below(&self, end: Offset, limit: u64) -> Result<MaxTimestamp, ReadError> {
        let relative_end = (end.0 - self.base.0).max(0) as u64;
        let max = self.max_timestamp()?;
        if limit >= self.size_bytes() || max.timestamp < 0 {
            return Ok(max);
        }
        let (mut max, from) =
            self.with_indexes(|view| match time_index::last_below(view.times, relative_end) {
                Some(e) => (
                    MaxTimestamp { timestamp: e.timestamp, relative: e.relative },
                    self.base.0 + i64::from(e.relative),
                ),
                None => (MaxTimestamp::NONE, self.base.0),
            })?;
        let mut walk = self.walk_from(Offset(from), limit)?;
        while let Some((_, header)) = walk.next_header()? {
            if let Some(relative) = self.relative(header.last_offset()) {
                max.see(header.records_time(), relative);
            }
        }
        Ok(max)
    }

    /// A walk over headers that begins at or before the first batch with a record at or after `timestamp`.
    pub(crate) fn walk_from_time(
        &self,
        timestamp: TimestampMs,
        limit: u64,
    ) -> Result<HeaderWalk<'_>, ReadError> {
        let mut entry = self.with_indexes(|view| time_index::floor(view.times, timestamp))?;
        if let Some(found) = entry
            && !self.has_time(found)?
        {
            tracing::warn!(path = %self.path(TIME_INDEX_SUFFIX).display(), "a time index is wrong and is made anew");
            self.rebuild_indexes()?;
            entry = self.with_indexes(|view| time_index::floor(view.times, timestamp))?;
        }
        let from = entry.map_or(0, |entry| entry.relative);
        self.walk_from(Offset(self.base.0 + i64::from(from)), limit)
    }

    /// An offset behind the batches before a file position, the nearest that the index knows.
    pub(crate) fn end_before(&self, position: u64) -> Result<Option<Offset>, ReadError> {
        let find = || self.with_indexes(|view| offset_index::ceiling(view.offsets, position));
        let mut entry = find()?;
        if let Some(found) = entry
            && !self.has_batch_at(found, self.size_bytes())?
        {
            tracing::warn!(path = %self.path(INDEX_SUFFIX).display(), "an index is wrong and is made anew");
            self.rebuild_indexes()?;
            entry = find()?;
        }
        Ok(entry.map(|entry| Offset(self.base.0 + i64::from(entry.relative) + 1)))
    }

    /// Where a batch begins at or behind a file position, the nearest that the index knows.
    pub(crate) fn batch_near(&self, position: u64) -> Result<Option<u64>, ReadError> {
        let entry = self.with_indexes(|view| offset_index::ceiling(view.offsets, position))?;
        Ok(entry.map(|entry| u64::from(entry.position)))
    }

    /// A walk over headers that begins at or before the batch with `offset`, and ends at the file position `limit`. What
    /// an earlier process wrote is verified on the way, and what is damaged passed by.
    pub(crate) fn walk_from(&self, offset: Offset, limit: u64) -> Result<HeaderWalk<'_>, ReadError> {
        // An offset in a gap before the segment is asked for from its beginning.
        let mut relative = u32::try_from((offset.0 - self.base.0).max(0)).unwrap_or(u32::MAX);
        let mut rebuilt = false;
        loop {
            let found = self.with_indexes(|view| offset_index::floor(view.offsets, relative))?;
            let Some(entry) = found.filter(|entry| u64::from(entry.position) < limit) else {
                return HeaderWalk::verified(self, 0, limit, Some(self.base), None);
            };
            let position = u64::from(entry.position);
            let mut walk = HeaderWalk::verified(self, position, limit, None, None)?;
            if walk.is_at(entry)? {
                return Ok(walk);
            }
            let before = entry.relative.checked_sub(1);
            match before {
                // The batch may be what is wrong: an entry before it leads here too.
                Some(before) if rebuilt || self.verification.covers(position) => relative = before,
                _ if rebuilt => return HeaderWalk::verified(self, 0, limit, Some(self.base), None),
                _ => {
                    tracing::warn!(path = %self.path(INDEX_SUFFIX).display(), "an index points to no batch and is made anew");
                    self.rebuild_indexes()?;
                    rebuilt = true;
                }
            }
        }
    }

    /// Whether a walk from `offset` begins without waiting for a disk, and without verifying anything.
    pub(crate) fn is_at_hand(&self, offset: Offset, limit: u64) -> bool {
        let relative = u32::try_from((offset.0 - self.base.0).max(0)).unwrap_or(u32::MAX);
        let Ok(entry) = self.with_indexes(|view| offset_index::floor(view.offsets, relative)) else {
            return true;
        };
        let position = entry.map_or(0, |entry| u64::from(entry.position));
        if self.verification.covers(position) {
            return false;
        }
        let bytes = limit.saturating_sub(position).min(WALK_BYTES as u64) as usize;
        self.file().map_or(true, |file| file.is_cached(position, bytes))
    }

    /// Recovery: a walk that takes headers as they stand.
    pub(crate) fn walk_at(&self, position: u64, limit: u64) -> Result<HeaderWalk<'_>, ReadError> {
        HeaderWalk::raw(self, position, limit)
    }

    /// The bytes of one batch. The length is a header's that a walk found, so it ends below what was written.
    pub(crate) fn read_batch(&self, position: u64, header: &BatchHeader) -> Result<Vec<u8>, ReadError> {
        let path = self.path(LOG_SUFFIX);
        let mut bytes = vec![0; header.total_bytes()];
        let n =
            self.file().and_then(|file| file.read_at(&mut bytes, position)).map_err(ReadError::io(&path))?;
        if n < bytes.len() {
            return Err(ReadError::Corrupt {
                path,
                position,
                what: "the file ends within a batch".to_owned(),
            });
        }
        Ok(bytes)
    }
}
