//! Both indexes of one segment together: in memory and growing while the segment is active, mapped once it is sealed.
//!
//! Invariants: memory is ahead of the files, never behind; a sealed segment's index files are complete and flushed
//! before they are mapped. Entries are made by Kafka's rule: one after more than `index.interval.bytes` of batches.
//! This module must not know batches beyond their offsets, times and sizes.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::env::{File, Files, OpenMode};
use crate::ids::{NO_TIMESTAMP, TimestampMs};
use crate::offset_index;
use crate::time_index;

/// So many intervals of batches may stand in a segment before the entries for them are written: with a write for each entry,
/// a large batch costs two. A kill takes what is not written; recovery then walks over the batches.
const INTERVALS_UNWRITTEN: u64 = 64;

/// The greatest time of a segment and the last offset, relative to its base, of the first batch that has it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct MaxTimestamp {
    pub(crate) timestamp: TimestampMs,
    pub(crate) relative: u32,
}

impl MaxTimestamp {
    pub(crate) const NONE: MaxTimestamp = MaxTimestamp { timestamp: NO_TIMESTAMP, relative: 0 };

    pub(crate) fn see(&mut self, timestamp: TimestampMs, relative: u32) {
        if timestamp > self.timestamp {
            *self = MaxTimestamp { timestamp, relative };
        }
    }
}

/// One index in memory, with the file that follows it.
#[derive(Default)]
struct Growing {
    bytes: Vec<u8>,
    /// Open from the first write to the next time that the file is completed.
    file: Option<Arc<dyn File>>,
    /// How much of `bytes` the file holds for certain.
    written: usize,
    /// The file may hold something else behind `written`.
    cut: bool,
    /// The file is on the disk as it is.
    synced: bool,
}

impl Growing {
    /// What the file holds is `on_disk`, of which the first `kept` bytes are right.
    fn loaded(mut on_disk: Vec<u8>, kept: usize) -> Growing {
        let cut = kept < on_disk.len();
        on_disk.truncate(kept);
        Growing { bytes: on_disk, file: None, written: kept, cut, synced: false }
    }

    fn write(&mut self, files: &dyn Files, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => files.open(path, OpenMode::Create)?,
        };
        self.file = Some(Arc::clone(&file));
        if self.cut {
            self.synced = false;
            file.set_len(self.written as u64)?;
            self.cut = false;
        }
        if self.written < self.bytes.len() {
            self.synced = false;
            // A write that fails half-way is done again from the same place, over what it left.
            file.write_all_at(&[IoSlice::new(&self.bytes[self.written..])], self.written as u64)?;
            self.written = self.bytes.len();
        }
        Ok(file)
    }

    fn finish(&mut self, files: &dyn Files, path: &Path, sync: bool) -> io::Result<()> {
        if self.synced && !self.cut && self.written == self.bytes.len() {
            return Ok(());
        }
        let file = self.write(files, path)?;
        if sync {
            file.sync_data()?;
            self.synced = true;
        }
        // Most logs are idle, and there may be more of them than a third of the descriptors.
        self.file = None;
        Ok(())
    }
}

/// The indexes of the segment that is appended to.
pub(crate) struct ActiveIndexes {
    offsets: Growing,
    times: Growing,
    bytes_since_entry: u64,
    bytes_since_write: u64,
    max: MaxTimestamp,
}

impl ActiveIndexes {
    pub(crate) fn new() -> ActiveIndexes {
        ActiveIndexes {
            offsets: Growing::default(),
            times: Growing::default(),
            bytes_since_entry: 0,
            bytes_since_write: 0,
            max: MaxTimestamp::NONE,
        }
    }

    /// Empty indexes whose files, if there are any, are to be written anew.
    pub(crate) fn fresh() -> ActiveIndexes {
        let mut indexes = ActiveIndexes::new();
        (indexes.offsets.cut, indexes.times.cut) = (true, true);
        indexes
    }

    /// Takes what the files hold as far as it can be right; both are sorted and end below the given ends.
    pub(crate) fn load(
        offsets: Vec<u8>,
        times: Vec<u8>,
        relative_end: u64,
        position_end: u64,
    ) -> ActiveIndexes {
        let kept = offset_index::plausible(&offsets, relative_end, position_end) * offset_index::ENTRY_BYTES;
        let offsets = Growing::loaded(offsets, kept);
        let kept = time_index::plausible(&times, relative_end) * time_index::ENTRY_BYTES;
        let times = Growing::loaded(times, kept);
        let mut indexes = ActiveIndexes { offsets, times, ..ActiveIndexes::new() };
        indexes.set_max_from_entries();
        indexes
    }

    fn set_max_from_entries(&mut self) {
        self.max = time_index::last(&self.times.bytes)
            .map_or(MaxTimestamp::NONE, |e| MaxTimestamp { timestamp: e.timestamp, relative: e.relative });
    }

    /// Notes a batch that now stands at `position`.
    pub(crate) fn see(
        &mut self,
        relative: u32,
        position: u32,
        bytes: u64,
        max_timestamp: TimestampMs,
        interval_bytes: u32,
    ) {
        self.max.see(max_timestamp, relative);
        if self.bytes_since_entry > u64::from(interval_bytes) {
            offset_index::push(&mut self.offsets.bytes, offset_index::Entry { relative, position });
            self.push_time();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += bytes;
        self.bytes_since_write += bytes;
    }

    fn push_time(&mut self) {
        let last = time_index::last(&self.times.bytes);
        if self.max.timestamp > last.map_or(NO_TIMESTAMP, |entry| entry.timestamp) {
            let MaxTimestamp { timestamp, relative } = self.max;
            time_index::push(&mut self.times.bytes, time_index::Entry { timestamp, relative });
        }
    }

    /// The files are known to be on the disk.
    pub(crate) fn trust(&mut self) {
        (self.offsets.synced, self.times.synced) = (true, true);
    }

    /// Whether loading took all that the files hold.
    pub(crate) fn is_as_on_disk(&self) -> bool {
        !self.offsets.cut && !self.times.cut
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offsets.bytes.is_empty() && self.times.bytes.is_empty()
    }

    /// A batch that is indexed already, as far as its offset goes.
    pub(crate) fn see_time(&mut self, relative: u32, max_timestamp: TimestampMs) {
        self.max.see(max_timestamp, relative);
    }

    /// Goes on behind batches that end at the file position `end` and are indexed already.
    pub(crate) fn resume(&mut self, end: u64) {
        let last = offset_index::last(&self.offsets.bytes).map_or(0, |entry| entry.position);
        self.bytes_since_entry = end.saturating_sub(u64::from(last));
    }

    /// The next batch gets an entry, however near the last one is.
    pub(crate) fn force_entry(&mut self) {
        self.bytes_since_entry = u64::from(u32::MAX) + 1;
    }

    /// Takes the entries of indexes that were made anew; the files are rewritten when they are next written.
    pub(crate) fn replace_entries(&mut self, fresh: ActiveIndexes) {
        for (mine, fresh) in [(&mut self.offsets, fresh.offsets), (&mut self.times, fresh.times)] {
            mine.bytes = fresh.bytes;
            (mine.written, mine.cut) = (0, true);
        }
        (self.bytes_since_entry, self.max) = (fresh.bytes_since_entry, fresh.max);
    }

    /// As in Kafka, the time index keeps room for the entry that it gets when the segment is rolled.
    pub(crate) fn is_full(&self, bytes_max: u32) -> bool {
        let fits = |used: usize, entry: usize| (used + entry) as u64 <= u64::from(bytes_max);
        !fits(self.offsets.bytes.len(), offset_index::ENTRY_BYTES)
            || !fits(self.times.bytes.len() + time_index::ENTRY_BYTES, time_index::ENTRY_BYTES)
    }

    /// Whether there are entries in memory alone, and enough for a write of theirs.
    pub(crate) fn is_write_due(&self, interval_bytes: u32) -> bool {
        self.offsets.written < self.offsets.bytes.len()
            && self.bytes_since_write > INTERVALS_UNWRITTEN * u64::from(interval_bytes)
    }

    pub(crate) fn write(&mut self, files: &dyn Files, offsets: &Path, times: &Path) -> io::Result<()> {
        self.offsets.write(files, offsets)?;
        self.times.write(files, times)?;
        self.bytes_since_write = 0;
        Ok(())
    }

    /// Completes both files, and flushes them with `sync`: the last entry of the time index is then the segment's greatest time.
    pub(crate) fn finish(
        &mut self,
        files: &dyn Files,
        offsets: &Path,
        times: &Path,
        sync: bool,
    ) -> io::Result<()> {
        self.push_time();
        self.offsets.finish(files, offsets, sync)?;
        self.times.finish(files, times, sync)
    }
}

/// The indexes of a segment that changes no more.
#[derive(Clone)]
pub(crate) struct SealedIndexes {
    offsets: Bytes,
    times: Bytes,
}

impl SealedIndexes {
    pub(crate) fn map(files: &dyn Files, offsets: &Path, times: &Path) -> io::Result<SealedIndexes> {
        Ok(SealedIndexes { offsets: files.map(offsets)?, times: files.map(times)? })
    }

    /// From indexes that were made anew in memory because the files are wrong.
    pub(crate) fn rebuilt(mut active: ActiveIndexes) -> SealedIndexes {
        active.push_time();
        SealedIndexes { offsets: active.offsets.bytes.into(), times: active.times.bytes.into() }
    }
}

/// What lookups need, whichever state the indexes are in.
pub(crate) struct View<'a> {
    pub(crate) offsets: &'a [u8],
    pub(crate) times: &'a [u8],
    pub(crate) max: MaxTimestamp,
}

impl ActiveIndexes {
    pub(crate) fn view(&self) -> View<'_> {
        View { offsets: &self.offsets.bytes, times: &self.times.bytes, max: self.max }
    }
}

impl SealedIndexes {
    pub(crate) fn view(&self) -> View<'_> {
        let max = time_index::last(&self.times)
            .map_or(MaxTimestamp::NONE, |e| MaxTimestamp { timestamp: e.timestamp, relative: e.relative });
        View { offsets: &self.offsets, times: &self.times, max }
    }
}
