//! Reading: from an offset to a range of a file that the kernel can send.
//!
//! Invariants: nothing at or above the bound is planned; the first byte planned begins the batch that holds the offset
//! asked for, or the next one if there is none or it is damaged; no batch's records are decoded. One read gives bytes of
//! one segment. Readers of committed records are told of every aborted transaction in what they get.

use std::sync::Arc;

use crate::error::ReadError;
use crate::ids::Offset;
use crate::log::Log;
use crate::plan::{AbortedTxn, Bound, Part, ReadPlan, Standing};
use crate::segment::{LOG_SUFFIX, Mark, Segment, TXN_INDEX_SUFFIX};
use crate::txn_index::{self, Aborted};

impl Log {
    /// Plans a read of up to `bytes_max` bytes from the batch that holds `from`. A first batch larger than that is
    /// given whole with `first_batch_whole`, and not at all without. The last batch may be cut short, as clients expect.
    pub fn read(
        &self,
        from: Offset,
        bytes_max: usize,
        first_batch_whole: bool,
        bound: Bound,
    ) -> Result<ReadPlan, ReadError> {
        self.follow(|log| {
            loop {
                // What a compaction replaces meanwhile is planned again: its aborted transactions are told no more.
                if let Some(plan) = log.plan_read(from, bytes_max, first_batch_whole, bound)? {
                    return Ok(plan);
                }
            }
        })
    }

    /// `None` if the segment that was read is no longer the log's, so that what is known of transactions may not fit it.
    fn plan_read(
        &self,
        from: Offset,
        bytes_max: usize,
        first_batch_whole: bool,
        bound: Bound,
    ) -> Result<Option<ReadPlan>, ReadError> {
        self.check_readable()?;
        let marks = *self.marks.lock().unwrap();
        let start = self.start_offset();
        if from < start || from > marks.end.offset {
            return Err(ReadError::OutOfRange { start, end: marks.end.offset });
        }
        let last_stable = self.stable_below(marks.high.offset);
        let mut plan = ReadPlan {
            parts: Vec::new(),
            bytes: 0,
            start,
            high_watermark: marks.high.offset,
            last_stable,
            aborted: (bound == Bound::LastStable).then(Vec::new),
            standing: None,
        };
        let is_committed = bound == Bound::LastStable;
        let bound = match bound {
            Bound::End => marks.end,
            Bound::HighWatermark => marks.high,
            Bound::LastStable => self.place_of(last_stable, marks.high)?,
        };
        if from >= bound.offset {
            plan.standing = (from == bound.offset).then_some(Standing(bound));
            return Ok(Some(plan));
        }
        let segments = self.segments_between(from, bound);
        // What was removed before they were looked up is not passed by: the start was raised before that.
        let out_of_range = || ReadError::OutOfRange { start: self.start_offset(), end: marks.end.offset };
        if from < self.start_offset() {
            return Err(out_of_range());
        }
        for segment in segments {
            let limit = bound.limit_in(&segment);
            // A file that is gone by now was removed by retention.
            let or_gone = |error| if from < self.start_offset() { out_of_range() } else { error };
            if let Some(found) = find_batches(&segment, from, limit, bytes_max).map_err(or_gone)? {
                let place = Mark { offset: from, segment: segment.base, position: found.position };
                plan.standing = Some(Standing(place));
                if found.bytes <= bytes_max || first_batch_whole {
                    let file =
                        segment.file().map_err(ReadError::io(&segment.path(LOG_SUFFIX))).map_err(or_gone)?;
                    let (pos, len) = (found.position, found.bytes);
                    plan.parts.push(Part::File { file, pos, len });
                    plan.bytes = len;
                    if is_committed {
                        plan.aborted = Some(self.aborted_in(&segment, from, pos + len as u64, bound)?);
                        if !self.has_segment(&segment) {
                            return Ok(None);
                        }
                    }
                }
                break;
            }
        }
        Ok(Some(plan))
    }

    /// Bytes between where a reader stands and its bound. Nothing if a segment ends between the two: what is left of that
    /// one is all that a read gives, however much comes. A reader beyond its bound has none to read.
    pub fn bytes_from(&self, standing: Standing, bound: Bound) -> Result<Option<u64>, ReadError> {
        self.follow(|log| log.count_from(standing, bound))
    }

    fn count_from(&self, standing: Standing, bound: Bound) -> Result<Option<u64>, ReadError> {
        self.check_readable()?;
        let Standing(from) = standing;
        let marks = *self.marks.lock().unwrap();
        let bound = match bound {
            Bound::End => marks.end,
            Bound::HighWatermark => marks.high,
            Bound::LastStable => self.place_of(self.stable_below(marks.high.offset), marks.high)?,
        };
        if bound.offset <= from.offset {
            return Ok(Some(0));
        }
        let is_same = bound.segment == from.segment;
        Ok(is_same.then(|| bound.position.saturating_sub(from.position)))
    }

    /// Whether a read from an offset can be planned without waiting for a disk: the headers that it begins with are in
    /// the page cache, and none of its bytes have to be verified first. What only a look at the files could tell is
    /// taken for well: a read finds out.
    pub fn is_at_hand(&self, from: Offset, bound: Bound) -> bool {
        self.follow(|log| log.has_at_hand(from, bound))
    }

    fn has_at_hand(&self, from: Offset, bound: Bound) -> bool {
        let bound = self.bound(bound);
        if from >= bound.offset || from < self.start_offset() {
            return true;
        }
        let Some(segment) = self.segments_between(from, bound).into_iter().next() else { return true };
        segment.is_at_hand(from, bound.limit_in(&segment))
    }

    /// Whether the segment is the log's, and not one that was removed or replaced.
    pub(crate) fn has_segment(&self, segment: &Arc<Segment>) -> bool {
        let segments = self.segments.read().unwrap();
        let place = segments.partition_point(|other| other.base < segment.base);
        segments.get(place).is_some_and(|other| Arc::ptr_eq(other, segment))
    }
}

impl Log {
    /// The transactions that were aborted and may have records between an offset and a place of its segment, below
    /// `bound`.
    fn aborted_in(
        &self,
        segment: &Arc<Segment>,
        from: Offset,
        position: u64,
        bound: Mark,
    ) -> Result<Vec<AbortedTxn>, ReadError> {
        let mut found = Vec::new();
        if self.producers.lock().unwrap().aborts.is_empty() {
            return Ok(found);
        }
        let segments = self.segments.read().unwrap().clone();
        let first = segments.partition_point(|other| other.base < segment.base);
        let next = segments.get(first + 1).map_or(bound.offset, |next| next.base);
        let end = segment.end_before(position)?.unwrap_or(next).min(bound.offset);
        for segment in &segments[first..] {
            for entry in self.aborts_of(segment)? {
                if entry.last >= from && entry.first < end {
                    found.push(AbortedTxn { producer_id: entry.producer, first_offset: entry.first });
                }
                // Whatever ended later began behind the range.
                if entry.last_stable >= end {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn aborts_of(&self, segment: &Arc<Segment>) -> Result<Vec<txn_index::Entry>, ReadError> {
        let (held, sum) = {
            let aborts = &self.producers.lock().unwrap().aborts;
            (aborts.of(segment.base), aborts.sum_of(segment.base))
        };
        match held {
            None => Ok(Vec::new()),
            Some(Aborted::Known(entries)) => Ok(entries),
            Some(Aborted::OnDisk) => {
                let read = txn_index::read(&*self.shared.env.files, &self.path, segment.base, sum);
                match read.map_err(ReadError::io(&segment.path(TXN_INDEX_SUFFIX)))? {
                    Some(entries) => Ok(entries),
                    None => self.find_aborts_again(segment),
                }
            }
        }
    }
}

/// A range of a segment that begins with a batch.
struct Found {
    position: u64,
    bytes: usize,
}

/// The first batch of `segment` that ends at or behind `from`, and what fits behind it into `bytes_max`. The range ends
/// before damage.
fn find_batches(
    segment: &Segment,
    from: Offset,
    limit: u64,
    bytes_max: usize,
) -> Result<Option<Found>, ReadError> {
    let mut walk = segment.walk_from(from, limit)?;
    while let Some((position, header)) = walk.next_header()? {
        if header.last_offset() < from {
            continue;
        }
        let first = header.total_bytes();
        let room = (limit - position).min(bytes_max as u64) as usize;
        if room <= first || !segment.verification.covers(position) {
            return Ok(Some(Found { position, bytes: room.max(first) }));
        }
        // What an earlier process wrote is given batch by batch, as far as it is right.
        let end = position + room as u64;
        let mut right = position + first as u64;
        while right < end {
            if !segment.verification.covers(right) {
                right = end;
                break;
            }
            match walk.next_header()? {
                Some((at, header)) if at == right && at + header.total_bytes() as u64 <= end => {
                    right += header.total_bytes() as u64;
                }
                _ => break,
            }
        }
        return Ok(Some(Found { position, bytes: (right - position) as usize }));
    }
    Ok(None)
}
