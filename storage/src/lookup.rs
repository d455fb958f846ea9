//! Offsets by time: ListOffsets' questions.
//!
//! Invariants: an answer is a record below the high watermark and not below the start, found by looking at records and
//! not only at batches; a time index is a hint that saves reading. The record with the greatest time is the first of
//! those that have it, as in Kafka; unlike there, it is one that can be read after a deletion in mid-segment.

use std::sync::Arc;

use crate::batch::BatchHeader;
use crate::error::ReadError;
use crate::ids::{LeaderEpoch, NO_TIMESTAMP, Offset, TimestampMs};
use crate::log::Log;
use crate::plan::{Bound, OffsetSpec, TimestampOffset};
use crate::records::{timestamp_of, walk};
use crate::segment::{LOG_SUFFIX, Mark, Segment};

impl Log {
    /// The offset that `at` describes; `None` if no record fits.
    pub fn offset_for(&self, at: OffsetSpec) -> Result<Option<TimestampOffset>, ReadError> {
        self.follow(|log| {
            loop {
                let start = log.start_offset();
                match log.look_for(at) {
                    // Retention may have taken the files away while they were looked at.
                    Err(ReadError::Io { .. }) if log.start_offset() > start => {}
                    found => return found,
                }
            }
        })
    }

    fn look_for(&self, at: OffsetSpec) -> Result<Option<TimestampOffset>, ReadError> {
        self.check_readable()?;
        let plain = |offset, epoch: Option<LeaderEpoch>| {
            let leader_epoch = epoch.unwrap_or(LeaderEpoch::NONE);
            Ok(Some(TimestampOffset { timestamp: NO_TIMESTAMP, offset, leader_epoch }))
        };
        match at {
            OffsetSpec::Earliest => {
                let start = self.start_offset();
                plain(start, self.epochs.lock().unwrap().cache.epoch_of(start))
            }
            OffsetSpec::Latest => plain(self.high_watermark(), Some(self.leader_epoch())),
            OffsetSpec::LastStable => plain(self.last_stable(), Some(self.leader_epoch())),
            OffsetSpec::Timestamp(timestamp) => self.first_at(timestamp),
            OffsetSpec::MaxTimestamp => self.at_max(),
        }
    }

    fn readable(&self) -> (Mark, Vec<Arc<Segment>>) {
        let bound = self.bound(Bound::HighWatermark);
        (bound, self.segments_between(self.start_offset(), bound))
    }

    fn first_at(&self, timestamp: TimestampMs) -> Result<Option<TimestampOffset>, ReadError> {
        let (bound, segments) = self.readable();
        let start = self.start_offset();
        for segment in segments {
            if segment.max_timestamp()?.timestamp < timestamp {
                continue;
            }
            let mut headers = segment.walk_from_time(timestamp, bound.limit_in(&segment))?;
            while let Some((position, header)) = headers.next_header()? {
                if header.max_timestamp < timestamp || header.last_offset() < start {
                    continue;
                }
                let fits = |found: &TimestampOffset| found.timestamp >= timestamp && found.offset >= start;
                if let Some(found) = first_record(&segment, position, &header, fits)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The first record of the greatest time.
    fn at_max(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let (bound, segments) = self.readable();
        let start = self.start_offset();
        let mut best: Option<TimestampOffset> = None;
        for segment in segments {
            let limit = bound.limit_in(&segment);
            let least = best.map_or(NO_TIMESTAMP, |best| best.timestamp.saturating_add(1));
            let found = if segment.base < start {
                max_behind(&segment, limit, start)?
            } else {
                max_of(&segment, bound.offset, limit, least)?
            };
            best = match (best, found) {
                (Some(best), Some(found)) if found.timestamp <= best.timestamp => Some(best),
                (best, found) => found.or(best),
            };
        }
        Ok(best)
    }
}

/// The first record of a whole segment's greatest time, if that is at least `least`.
fn max_of(
    segment: &Segment,
    end: Offset,
    limit: u64,
    least: TimestampMs,
) -> Result<Option<TimestampOffset>, ReadError> {
    let max = segment.right_max_timestamp_below(end, limit)?;
    if max.timestamp < least {
        return Ok(None);
    }
    let last = Offset(segment.base.0 + i64::from(max.relative));
    let mut headers = segment.walk_from(last, limit)?;
    while let Some((position, header)) = headers.next_header()? {
        if header.max_timestamp == max.timestamp {
            return first_record(segment, position, &header, |found| found.timestamp >= max.timestamp);
        }
    }
    Ok(None)
}

/// The first record of the greatest time at or behind `start`, which lies within the segment: its index knows of the
/// whole segment only.
fn max_behind(segment: &Segment, limit: u64, start: Offset) -> Result<Option<TimestampOffset>, ReadError> {
    let mut best: Option<TimestampOffset> = None;
    let mut headers = segment.walk_from(start, limit)?;
    while let Some((position, header)) = headers.next_header()? {
        let is_greater = best.is_none_or(|best| header.max_timestamp > best.timestamp);
        if header.last_offset() < start || header.max_timestamp < NO_TIMESTAMP || !is_greater {
            continue;
        }
        // What has the greatest time of the batch may have been deleted.
        let mut greatest = best;
        each_record(segment, position, &header, |found| {
            let is_greater = greatest.is_none_or(|best| found.timestamp > best.timestamp);
            if found.offset >= start && found.timestamp >= NO_TIMESTAMP && is_greater {
                greatest = Some(found);
            }
            true
        })?;
        best = greatest;
    }
    Ok(best)
}

/// The first record of a batch that `fits`.
fn first_record(
    segment: &Segment,
    position: u64,
    header: &BatchHeader,
    fits: impl Fn(&TimestampOffset) -> bool,
) -> Result<Option<TimestampOffset>, ReadError> {
    let mut found = None;
    each_record(segment, position, header, |candidate| {
        found = fits(&candidate).then_some(candidate);
        found.is_none()
    })?;
    Ok(found)
}

/// Shows the records of a batch, as long as there is to be another.
fn each_record(
    segment: &Segment,
    position: u64,
    header: &BatchHeader,
    mut show: impl FnMut(TimestampOffset) -> bool,
) -> Result<(), ReadError> {
    let batch = segment.read_batch(position, header)?;
    let walked = walk(header, &batch, |_, record| {
        Ok(show(TimestampOffset {
            timestamp: timestamp_of(header, record.timestamp_delta),
            // Kafka takes an uncompressed batch whose inner offsets are wrong; an answer stays within the batch.
            offset: Offset(header.base_offset.0.saturating_add(i64::from(record.offset_delta)))
                .clamp(header.base_offset, header.last_offset()),
            leader_epoch: header.leader_epoch,
        }))
    });
    walked.map(drop).map_err(|error| ReadError::Corrupt {
        path: segment.path(LOG_SUFFIX),
        position,
        what: error.to_string(),
    })
}
