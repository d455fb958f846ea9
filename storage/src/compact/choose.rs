//! Which log is cleaned next, and which part of it.
//!
//! As Kafka's LogCleanerManager: a log is due if the share of its bytes that no pass has seen is above
//! `min.cleanable.dirty.ratio`, or if something in them is older than `max.compaction.lag.ms`; the filthiest goes first.
//! What is behind the last stable offset, in the active segment, or younger than `min.compaction.lag.ms` is left alone.
//! Here, further, a segment is only touched once it is settled, and once a snapshot of the producers stands behind it: a
//! start that went by one before it could miss the end of a transaction. It must not know what cleaning is.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ReadError;
use crate::ids::{Offset, TimestampMs};
use crate::log::Log;
use crate::segment::Segment;

use super::saturating_ms;

/// A log, and what of it a pass would see.
pub(super) struct Candidate {
    pub(super) log: Arc<Log>,
    /// Up to here it is clean.
    pub(super) first_dirty: Offset,
    /// Up to here a pass may go: where a segment begins.
    pub(super) end: Offset,
    /// All segments below `end`.
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) cleanable_bytes: u64,
    clean_bytes: u64,
    dirty_ratio_min: f64,
    /// Something is older than it may become.
    is_late: bool,
    /// It would be due, or more of it, if more were settled.
    pub(super) wants_checkpoint: bool,
    /// How dirty it is, settled or not.
    pub(super) share: f64,
}

impl Candidate {
    /// Looks at a log of which `clean` is what the last pass left; `None` if there is nothing in it.
    pub(super) fn of(
        log: &Arc<Log>,
        clean: Option<Offset>,
        now: TimestampMs,
    ) -> Result<Option<Candidate>, ReadError> {
        let config = log.config();
        let all = log.segments.read().unwrap().clone();
        let Some((_, sealed)) = all.split_last() else { return Ok(None) };
        let first_dirty = first_dirty(log, clean);
        let stable = log.last_stable();
        // Every segment that ends at or below it.
        let mut count = all[1..].partition_point(|next| next.base <= stable);
        let dirty_from = all.partition_point(|segment| segment.base <= first_dirty).saturating_sub(1);
        if !config.compaction_lag_min.is_zero() {
            let youngest = now.saturating_sub(saturating_ms(config.compaction_lag_min));
            for (place, segment) in sealed.iter().enumerate().take(count).skip(dirty_from) {
                if segment.max_timestamp()?.timestamp > youngest {
                    count = place;
                    break;
                }
            }
        }
        let known_to = log.producers.lock().unwrap().last_snapshot();
        let has_snapshot = all[1..].partition_point(|next| known_to.is_none_or(|known| next.base <= known));
        let settled = log.settled_segment_count().min(count).min(has_snapshot);
        let late = &sealed[dirty_from.min(sealed.len())..];
        let is_late = is_late(late, config.compaction_lag_max, now)?;
        let up_to = |count: usize| Candidate {
            log: Arc::clone(log),
            first_dirty,
            end: all[count].base,
            cleanable_bytes: bytes(&all[dirty_from.min(count)..count]),
            clean_bytes: bytes(&all[..all.partition_point(|segment| segment.base < first_dirty)]),
            segments: all[..count].to_vec(),
            dirty_ratio_min: config.dirty_ratio_min,
            is_late,
            wants_checkpoint: false,
            share: 0.0,
        };
        let all_of_it = up_to(count);
        let (share, is_due) = (all_of_it.dirty_ratio(), all_of_it.is_due());
        Ok(Some(Candidate { wants_checkpoint: settled < count && is_due, share, ..up_to(settled) }))
    }

    /// Of what a pass would read, the share that none has seen.
    pub(super) fn dirty_ratio(&self) -> f64 {
        let total_bytes = self.clean_bytes + self.cleanable_bytes;
        if total_bytes == 0 { 0.0 } else { self.cleanable_bytes as f64 / total_bytes as f64 }
    }

    pub(super) fn is_due(&self) -> bool {
        let is_dirty = self.dirty_ratio() > self.dirty_ratio_min;
        self.end > self.first_dirty && self.cleanable_bytes > 0 && (is_dirty || self.is_late)
    }
}

fn bytes(segments: &[Arc<Segment>]) -> u64 {
    segments.iter().map(|segment| segment.size_bytes()).sum()
}

/// Where what no pass has seen begins. A log whose start or end has passed the mark is read from its start.
fn first_dirty(log: &Log, clean: Option<Offset>) -> Offset {
    let start = log.start_offset();
    clean.filter(|clean| (start..=log.end_offset()).contains(clean)).unwrap_or(start)
}

/// Whether the first batch of one of the segments is older than `lag_max`.
fn is_late(segments: &[Arc<Segment>], lag_max: Duration, now: TimestampMs) -> Result<bool, ReadError> {
    let oldest = now.saturating_sub(saturating_ms(lag_max));
    if oldest <= 0 {
        return Ok(false);
    }
    for segment in segments {
        let first = segment.walk_at(0, segment.size_bytes())?.peek();
        if first.is_some_and(|first| (1..oldest).contains(&first.max_timestamp)) {
            return Ok(true);
        }
    }
    Ok(false)
}
