//! How much memory requests may hold that have not wholly arrived, not begun, or not been written to a log, over all
//! connections.
//!
//! Above the bound, connections stop reading. One of them is always exempt, so that a bound full of partial frames
//! still empties: its frame completes, begins, and gives its memory back. What waits for a log needs no such help, and
//! who has some of it gets none: it would only add to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::metrics::{Limit, Metrics};

/// No connection is exempt.
const NOBODY: u64 = u64::MAX;

pub(super) struct RequestMemory {
    held_bytes: AtomicUsize,
    bytes_max: usize,
    exempt: AtomicU64,
    metrics: Arc<Metrics>,
}

impl RequestMemory {
    pub(super) fn new(bytes_max: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        metrics.limit(Limit::RequestBytes).max.set(bytes_max as f64);
        let held_bytes = AtomicUsize::new(0);
        Arc::new(Self { held_bytes, bytes_max, exempt: AtomicU64::new(NOBODY), metrics })
    }

    pub(super) fn share(self: &Arc<Self>, connection_id: u64) -> Share {
        Share { memory: self.clone(), connection_id, held_bytes: 0, placing_bytes: 0 }
    }
}

/// What one connection holds; it is given back when this is dropped.
pub(super) struct Share {
    memory: Arc<RequestMemory>,
    connection_id: u64,
    held_bytes: usize,
    placing_bytes: usize,
}

impl Share {
    /// Says what the connection holds between two turns: of requests that have not begun, and of those that have and wait
    /// for their place in a log.
    pub(super) fn hold(&mut self, arriving_bytes: usize, placing_bytes: usize) {
        self.placing_bytes = placing_bytes;
        let bytes = arriving_bytes + placing_bytes;
        let memory = &self.memory;
        if bytes == self.held_bytes {
            return;
        }
        let total = if bytes > self.held_bytes {
            let more = bytes - self.held_bytes;
            memory.held_bytes.fetch_add(more, Ordering::Relaxed) + more
        } else {
            let less = self.held_bytes - bytes;
            memory.held_bytes.fetch_sub(less, Ordering::Relaxed) - less
        };
        self.held_bytes = bytes;
        memory.metrics.limit(Limit::RequestBytes).used.set(total as f64);
        if bytes == 0 {
            self.end_exemption();
        }
    }

    /// May the connection take more? While the bound is full, only the exempt one may.
    pub(super) fn may_grow(&self) -> bool {
        let memory = &self.memory;
        if memory.held_bytes.load(Ordering::Relaxed) < memory.bytes_max {
            return true;
        }
        if self.placing_bytes > 0 {
            memory.metrics.limit(Limit::RequestBytes).hits.increment(1);
            return false;
        }
        let claimed =
            memory.exempt.compare_exchange(NOBODY, self.connection_id, Ordering::Relaxed, Ordering::Relaxed);
        if claimed.is_ok() || claimed == Err(self.connection_id) {
            return true;
        }
        memory.metrics.limit(Limit::RequestBytes).hits.increment(1);
        false
    }

    fn end_exemption(&self) {
        // It is somebody else's, or nobody's: then there is nothing to end.
        let _ = self.memory.exempt.compare_exchange(
            self.connection_id,
            NOBODY,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.hold(0, 0);
        self.end_exemption();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_the_bound_one_connection_goes_on_and_then_the_next() {
        let memory = RequestMemory::new(100, Metrics::new(&[], Default::default()));
        let (mut first, mut second) = (memory.share(1), memory.share(2));
        first.hold(60, 0);
        assert!(first.may_grow() && second.may_grow());
        second.hold(60, 0);
        assert!(first.may_grow(), "the first to ask is exempt");
        assert!(!second.may_grow());
        assert!(first.may_grow(), "and stays exempt until its frame has begun");
        first.hold(0, 0);
        assert!(second.may_grow());
    }

    /// What one lets in while the bound is full has to leave before another, or the same, lets in more.
    #[test]
    fn what_waits_for_a_log_lets_nobody_beyond_the_bound() {
        let memory = RequestMemory::new(100, Metrics::new(&[], Default::default()));
        let (mut first, mut second) = (memory.share(1), memory.share(2));
        second.hold(60, 0);
        first.hold(60, 0);
        assert!(first.may_grow(), "the first to ask is exempt");
        first.hold(0, 90);
        assert!(!first.may_grow(), "its frame has begun and is still in memory");
        assert!(!second.may_grow(), "and it stays the only exception until it is not");
        first.hold(0, 0);
        assert!(second.may_grow());
        second.hold(0, 70);
        assert!(second.may_grow(), "below the bound nobody is held up");
    }

    #[test]
    fn a_connection_that_ends_gives_everything_back() {
        let memory = RequestMemory::new(100, Metrics::new(&[], Default::default()));
        let mut first = memory.share(1);
        first.hold(500, 0);
        assert!(first.may_grow());
        drop(first);
        let second = memory.share(2);
        assert!(second.may_grow());
        assert_eq!(memory.held_bytes.load(Ordering::Relaxed), 0);
    }
}
