//! What went into a partition and out of it since the broker started, and when: for the metrics.
//!
//! Counting is a few additions to atomic numbers, without a lock and without looking anything up. Nothing reads it back to
//! decide anything.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::history::History;
use crate::metrics::Moved;

const NO_PROBE: i64 = -1;

#[derive(Debug)]
pub struct Traffic {
    records_in: AtomicU64,
    bytes_in: AtomicU64,
    records_out: AtomicU64,
    bytes_out: AtomicU64,
    /// One record at a time is followed from its append to its first delivery.
    probe: AtomicI64,
    probe_at_nanos: AtomicU64,
    history: Mutex<History>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            records_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            records_out: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            probe: AtomicI64::new(NO_PROBE),
            probe_at_nanos: AtomicU64::new(0),
            history: Mutex::default(),
        }
    }
}

impl Traffic {
    /// A batch was taken in. `before` is where readers stood before it came.
    pub fn took_in(&self, records: usize, bytes: usize, now: Duration, before: i64) {
        self.records_in.fetch_add(records as u64, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        if self.probe.load(Ordering::Relaxed) == NO_PROBE {
            self.probe_at_nanos.store(nanos(now), Ordering::Relaxed);
            self.probe.store(before, Ordering::Release);
        }
    }

    /// Records from `from` on, up to and without `to`, go to a reader. Answers how long the one that was followed had been
    /// there, if this is its first delivery.
    pub fn gave_out(&self, from: i64, to: i64, bytes: usize, now: Duration) -> Option<Duration> {
        let records = u64::try_from(to - from).unwrap_or(0);
        self.records_out.fetch_add(records, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        let probe = self.probe.load(Ordering::Acquire);
        if probe == NO_PROBE || to <= probe {
            return None;
        }
        let at = self.probe_at_nanos.load(Ordering::Relaxed);
        // Of several readers one is the first. Whoever begins behind it will never read it: the next append is followed.
        let is_mine =
            self.probe.compare_exchange(probe, NO_PROBE, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        (is_mine && from <= probe).then(|| Duration::from_nanos(nanos(now).saturating_sub(at)))
    }

    pub fn moved(&self) -> Moved {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Moved {
            records_in: read(&self.records_in),
            bytes_in: read(&self.bytes_in),
            records_out: read(&self.records_out),
            bytes_out: read(&self.bytes_out),
        }
    }

    /// The high watermark is `end` now.
    pub fn see(&self, end: i64, now: Duration) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).see(end, now);
    }

    /// See [`History::age`].
    pub fn age(&self, offset: i64, end: i64, now: Duration) -> Duration {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).age(offset, end, now)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_first_delivery_is_timed_once() {
        let traffic = Traffic::default();
        traffic.took_in(5, 100, ms(10), 7);
        traffic.took_in(5, 100, ms(11), 9);
        assert_eq!(traffic.gave_out(2, 7, 50, ms(15)), None, "it ends before the record");
        assert_eq!(traffic.gave_out(2, 8, 60, ms(30)), Some(ms(20)));
        assert_eq!(traffic.gave_out(2, 8, 60, ms(40)), None);
        let expected = Moved { records_in: 10, bytes_in: 200, records_out: 17, bytes_out: 170 };
        assert_eq!(traffic.moved(), expected);
    }

    #[test]
    fn a_record_that_readers_skipped_is_not_waited_for() {
        let traffic = Traffic::default();
        traffic.took_in(1, 10, ms(10), 0);
        assert_eq!(traffic.gave_out(5, 9, 10, ms(99)), None);
        traffic.took_in(1, 10, ms(100), 9);
        assert_eq!(traffic.gave_out(9, 10, 10, ms(101)), Some(ms(1)));
    }
}
