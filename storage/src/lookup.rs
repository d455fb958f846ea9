//! Offsets by time: ListOffsets' questions.
//!
//! Invariants: an answer is a record below the high watermark and not below the start, found by looking at records and
//! not only at batches; a time index is a hint that saves reading.

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
        let mut best: Option<(TimestampMs, Offset, Arc<Segment>)> = None;
        for segment in segments {
            let max = segment.right_max_timestamp_below(bound.offset, bound.limit_in(&segment))?;
            if max.timestamp >= 0 && best.as_ref().is_none_or(|(timestamp, ..)| max.timestamp > *timestamp) {
                best = Some((max.timestamp, Offset(segment.base.0 + i64::from(max.relative)), segment));
            }
        }
        let Some((timestamp, last, segment)) = best else { return Ok(None) };
        let mut headers = segment.walk_from(last, bound.limit_in(&segment))?;
        while let Some((position, header)) = headers.next_header()? {
            if header.last_offset() >= last {
                return first_record(&segment, position, &header, |found| found.timestamp >= timestamp);
            }
        }
        Ok(None)
    }
}

/// The first record of a batch that `fits`.
fn first_record(
    segment: &Segment,
    position: u64,
    header: &BatchHeader,
    fits: impl Fn(&TimestampOffset) -> bool,
) -> Result<Option<TimestampOffset>, ReadError> {
    let batch = segment.read_batch(position, header)?;
    let mut found = None;
    let walked = walk(header, &batch, |_, record| {
        let candidate = TimestampOffset {
            timestamp: timestamp_of(header, record.timestamp_delta),
            // Kafka takes an uncompressed batch whose inner offsets are wrong; an answer stays within the batch.
            offset: Offset(header.base_offset.0.saturating_add(i64::from(record.offset_delta)))
                .clamp(header.base_offset, header.last_offset()),
            leader_epoch: header.leader_epoch,
        };
        found = fits(&candidate).then_some(candidate);
        Ok(found.is_none())
    });
    walked.map_err(|error| ReadError::Corrupt {
        path: segment.path(LOG_SUFFIX),
        position,
        what: error.to_string(),
    })?;
    Ok(found)
}
