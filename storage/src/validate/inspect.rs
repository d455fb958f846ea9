//! What is wrong with single records: keys and times, collected as Kafka does, which looks at all of a batch's records
//! before it refuses the batch for any.

use super::{RecordError, Reject, Rules};
use crate::batch::{BatchHeader, TimestampType};
use crate::ids::{NO_TIMESTAMP, TimestampMs};

/// Errors reported for one batch. Kafka reports all; a batch may hold as many as it has bytes.
pub(super) const RECORD_ERRORS_MAX: usize = 100;

pub(super) struct Inspection<'r> {
    rules: &'r Rules,
    /// The producer says that the times are the log's.
    claims_append_time: bool,
    max_timestamp: TimestampMs,
    errors: Vec<RecordError>,
    error_count: usize,
    is_time: bool,
}

impl<'r> Inspection<'r> {
    pub(super) fn new(header: &BatchHeader, rules: &'r Rules) -> Inspection<'r> {
        Inspection {
            rules,
            claims_append_time: header.timestamp_type() == TimestampType::LogAppendTime,
            max_timestamp: NO_TIMESTAMP,
            errors: Vec::new(),
            error_count: 0,
            is_time: false,
        }
    }

    /// A record is blamed once: for its key, or else for its time.
    #[inline]
    pub(super) fn see(&mut self, index: i32, timestamp: TimestampMs, has_key: bool) {
        self.max_timestamp = self.max_timestamp.max(timestamp);
        if self.rules.compacted && !has_key {
            self.blame(index, "a record of a compacted topic needs a key".to_owned());
        } else {
            self.see_time(index, timestamp);
        }
    }

    #[inline]
    pub(super) fn see_time(&mut self, index: i32, timestamp: TimestampMs) {
        let rules = self.rules;
        if rules.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
            // Kafka's arithmetic: the extremes wrap.
            let age = rules.now_ms.wrapping_sub(timestamp);
            if age > rules.before_max_ms || age.wrapping_neg() > rules.after_max_ms {
                self.blame_far(index, timestamp);
            }
        } else if self.claims_append_time {
            self.blame_time(index, "a producer does not say when records are appended".to_owned());
        }
    }

    #[cold]
    fn blame_far(&mut self, index: i32, timestamp: TimestampMs) {
        let Rules { before_max_ms: before, after_max_ms: after, now_ms, .. } = self.rules;
        let what =
            format!("timestamp {timestamp} is not within {before} ms before and {after} ms after {now_ms}");
        self.blame_time(index, what);
    }

    #[cold]
    fn blame_time(&mut self, index: i32, message: String) {
        self.is_time = true;
        self.blame(index, message);
    }

    #[cold]
    fn blame(&mut self, index: i32, message: String) {
        self.error_count += 1;
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { index, message });
        }
    }

    /// The greatest time, if no record is to blame.
    pub(super) fn verdict(self) -> Result<TimestampMs, Reject> {
        let Some(first) = self.errors.first() else { return Ok(self.max_timestamp) };
        let what = format!("{} records are not valid, the first: {}", self.error_count, first.message);
        Err(if self.is_time {
            Reject::Timestamp { what, records: self.errors }
        } else {
            Reject::Invalid { what, records: self.errors }
        })
    }
}
