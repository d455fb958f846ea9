//! The indexes of a segment: kept while it grows, completed when it is opened again, and made anew where they are wrong.
//!
//! Invariant: an index is a hint. What it says is checked against the batch that it points to before it counts, and a
//! wrong one is made anew from the headers.

use std::io;
use std::sync::atomic::Ordering;

use super::{INDEX_SUFFIX, Indexes, Segment, TIME_INDEX_SUFFIX};
use crate::batch::BatchHeader;
use crate::error::{ReadError, is_passing};
use crate::ids::Offset;
use crate::indexes::{ActiveIndexes, MaxTimestamp, SealedIndexes, View};
use crate::walk::HeaderWalk;
use crate::{offset_index, time_index};

/// The distance of entries in an index that is made anew: Kafka's default, whatever the topic says.
const REBUILT_INTERVAL_BYTES: u32 = 4096;

impl Segment {
    /// Completes and flushes the index files. A segment that was rolled is then `sealed`: its indexes leave memory.
    /// Without `sync` the caller flushes the files in another way.
    pub(crate) fn finish_indexes(&self, sealed: bool, sync: bool) -> io::Result<()> {
        let mut guard = self.indexes.write().unwrap();
        if let Indexes::Active(active) = &mut *guard {
            active.finish(&*self.files, &self.path(INDEX_SUFFIX), &self.path(TIME_INDEX_SUFFIX), sync)?;
            if sealed {
                *guard = Indexes::Sealed(None);
            }
        }
        Ok(())
    }

    pub(super) fn with_indexes<T>(&self, look: impl FnOnce(View<'_>) -> T) -> Result<T, ReadError> {
        {
            let guard = self.indexes.read().unwrap();
            match &*guard {
                Indexes::Active(active) => return Ok(look(active.view())),
                Indexes::Sealed(Some(sealed)) => return Ok(look(sealed.view())),
                Indexes::Sealed(None) => {}
            }
        }
        let (offsets, times) = (self.path(INDEX_SUFFIX), self.path(TIME_INDEX_SUFFIX));
        match SealedIndexes::map(&*self.files, &offsets, &times) {
            Ok(mapped) => {
                *self.indexes.write().unwrap() = Indexes::Sealed(Some(mapped));
                self.check_times()?;
                self.with_indexes(look)
            }
            Err(error) => {
                tracing::warn!(path = %offsets.display(), %error, "an index cannot be read and is made anew");
                self.rebuild_indexes()?;
                let guard = self.indexes.read().unwrap();
                match &*guard {
                    Indexes::Sealed(Some(sealed)) => Ok(look(sealed.view())),
                    Indexes::Active(active) => Ok(look(active.view())),
                    Indexes::Sealed(None) => unreachable!("the indexes were made just now"),
                }
            }
        }
    }

    /// Makes both indexes anew in memory from the headers of the batches.
    pub(super) fn rebuild_indexes(&self) -> Result<(), ReadError> {
        // What is damaged is passed by with the entries that there were.
        let index = Some(self.index_bytes());
        let mut guard = self.indexes.write().unwrap();
        let mut fresh = ActiveIndexes::fresh();
        // As long as damage may be found, every entry is a place to go on from.
        let interval_bytes = if self.verification.below() > 0 { 0 } else { REBUILT_INTERVAL_BYTES };
        let mut walk = HeaderWalk::verified(self, 0, self.size_bytes(), Some(self.base), index)?;
        let mut end = 0;
        while let Some((position, header)) = walk.next_header()? {
            let Some(relative) = self.relative(header.last_offset()) else { break };
            if position != end {
                // Behind damage there must be a way in.
                fresh.force_entry();
            }
            end = position + header.total_bytes() as u64;
            fresh.see(
                relative,
                position as u32,
                header.total_bytes() as u64,
                header.records_time(),
                interval_bytes,
            );
        }
        match &mut *guard {
            // What the files of an active segment hold is replaced when they are next written.
            Indexes::Active(active) => active.replace_entries(fresh),
            Indexes::Sealed(sealed) => *sealed = Some(SealedIndexes::rebuilt(fresh)),
        }
        Ok(())
    }

    /// The entries of the offset index as they are, right or wrong; none if its file cannot be read.
    pub(crate) fn index_bytes(&self) -> Vec<u8> {
        match &*self.indexes.read().unwrap() {
            Indexes::Active(active) => active.view().offsets.to_vec(),
            Indexes::Sealed(Some(sealed)) => sealed.view().offsets.to_vec(),
            Indexes::Sealed(None) => {
                self.files.map(&self.path(INDEX_SUFFIX)).map(Vec::from).unwrap_or_default()
            }
        }
    }

    /// Recovery: entries in the files that were found wrong are gone for good, so that they never vouch for a batch.
    pub(crate) fn write_cut_indexes(&self) -> io::Result<()> {
        let is_cut = self.with_active(|active| !active.is_as_on_disk());
        let written = if is_cut { self.finish_indexes(false, false) } else { Ok(()) };
        match written {
            Err(error) if !is_passing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes the indexes anew if the time index, mapped just now, is out of order or ends with a time that is not there.
    pub(super) fn check_times(&self) -> Result<(), ReadError> {
        let relative_end = i32::MAX as u64 + 1;
        let (in_order, last) = self.with_indexes(|view| {
            (
                time_index::plausible(view.times, relative_end) == time_index::len(view.times),
                time_index::last(view.times),
            )
        })?;
        let there = match last {
            Some(entry) if in_order => self.has_time(entry)?,
            _ => in_order,
        };
        if !there {
            tracing::warn!(path = %self.path(TIME_INDEX_SUFFIX).display(), "a time index is wrong and is made anew");
            self.rebuild_indexes()?;
        }
        Ok(())
    }

    /// Whether the batch that an entry names has the entry's time.
    pub(super) fn has_time(&self, entry: time_index::Entry) -> Result<bool, ReadError> {
        let last = Offset(self.base.0 + i64::from(entry.relative));
        finds_time(&mut self.walk_from(last, self.size_bytes())?, last, entry)
    }

    /// Makes the indexes anew if a batch has a later time than they say: the time index may have lost its end. Reads the
    /// headers behind its last entry, which are many where times do not grow.
    pub(crate) fn complete_times(&self) -> Result<(), ReadError> {
        let known = self.max_timestamp()?.timestamp;
        let from = self.with_indexes(|view| time_index::last(view.times))?.map_or(0, |last| last.relative);
        let mut walk = self.walk_from(Offset(self.base.0 + i64::from(from)), self.size_bytes())?;
        while let Some((_, header)) = walk.next_header()? {
            if header.records_time() > known {
                tracing::warn!(path = %self.path(TIME_INDEX_SUFFIX).display(), "a time index lacks its end and is made anew");
                return self.rebuild_indexes();
            }
        }
        Ok(())
    }

    fn with_active<T>(&self, act: impl FnOnce(&mut ActiveIndexes) -> T) -> T {
        match &mut *self.indexes.write().unwrap() {
            Indexes::Active(active) => act(active),
            Indexes::Sealed(_) => unreachable!("recovery makes indexes of active segments only"),
        }
    }

    /// Recovery: notes a batch that stands in the file.
    pub(crate) fn index(&self, position: u64, header: &BatchHeader, interval_bytes: u32) {
        let Some(relative) = self.relative(header.last_offset()) else { return };
        let bytes = header.total_bytes() as u64;
        self.with_active(|active| {
            active.see(relative, position as u32, bytes, header.records_time(), interval_bytes)
        });
    }

    /// Recovery: the greatest time of all batches that the indexes cover.
    pub(crate) fn know_max_time(&self, max: MaxTimestamp) {
        self.with_active(|active| active.see_time(max.relative, max.timestamp));
    }

    /// Recovery: notes the time of a batch that the offset index covers.
    pub(crate) fn see_time(&self, header: &BatchHeader) {
        if let Some(relative) = self.relative(header.last_offset()) {
            self.with_active(|active| active.see_time(relative, header.records_time()));
        }
    }

    /// Recovery: the batches up to the file position `end` are indexed.
    pub(crate) fn resume_indexes(&self, end: u64) {
        self.with_active(|active| active.resume(end));
    }

    /// Recovery: the indexes are complete and on the disk, as a clean close left them, which noted the greatest time.
    pub(crate) fn trust_indexes(&self, end: u64, max: Option<MaxTimestamp>) {
        self.times_unchecked.store(true, Ordering::Release);
        self.with_active(|active| {
            if let Some(max) = max {
                active.see_time(max.relative, max.timestamp);
            }
            active.resume(end);
            active.trust();
        });
    }

    /// Recovery: where the batch of the last offset entry begins, and where a walk has to begin that misses no batch's
    /// time. `None` if there are no entries, or if they do not agree with the batches before `limit`.
    pub(crate) fn indexed_up_to(&self, limit: u64) -> Result<Option<(u64, u64)>, ReadError> {
        let (last, time, before_time) = self.with_indexes(|view| {
            let time = time_index::last(view.times);
            let before_time = time.and_then(|time| offset_index::floor(view.offsets, time.relative));
            (offset_index::last(view.offsets), time, before_time)
        })?;
        let Some(last) = last else { return Ok(None) };
        for entry in [Some(last), before_time].into_iter().flatten() {
            if !self.has_batch_at(entry, limit)? {
                return Ok(None);
            }
        }
        let from = before_time.map_or(0, |entry| u64::from(entry.position));
        if let Some(time) = time
            && !self.has_time_behind(time, from, limit)?
        {
            return Ok(None);
        }
        let last = u64::from(last.position);
        Ok(Some((last, from.min(last))))
    }

    /// Recovery: the entries are wrong and are all made anew.
    pub(crate) fn forget_indexes(&self) {
        self.with_active(|active| {
            let nothing_there = active.is_as_on_disk() && active.is_empty();
            *active = if nothing_there { ActiveIndexes::new() } else { ActiveIndexes::fresh() };
        });
    }

    /// Whether the batch that an entry names begins where the entry says.
    pub(super) fn has_batch_at(&self, entry: offset_index::Entry, limit: u64) -> Result<bool, ReadError> {
        let last = Offset(self.base.0 + i64::from(entry.relative));
        let walk = self.walk_at(u64::from(entry.position), limit)?;
        Ok(walk.peek().is_some_and(|header| header.last_offset() == last))
    }

    /// Whether the batch that a time entry names stands behind `from` and has the entry's time.
    fn has_time_behind(&self, entry: time_index::Entry, from: u64, limit: u64) -> Result<bool, ReadError> {
        let last = Offset(self.base.0 + i64::from(entry.relative));
        finds_time(&mut self.walk_at(from, limit)?, last, entry)
    }
}

/// Walks to the batch that ends with the offset `last`; whether it has the entry's time.
fn finds_time(walk: &mut HeaderWalk<'_>, last: Offset, entry: time_index::Entry) -> Result<bool, ReadError> {
    while let Some((_, header)) = walk.next_header()? {
        if header.last_offset() >= last {
            return Ok(header.last_offset() == last && header.records_time() == entry.timestamp);
        }
    }
    Ok(false)
}
