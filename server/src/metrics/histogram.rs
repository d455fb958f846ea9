//! A histogram that costs two additions to record: a fixed array of atomic counts and a sum.
//!
//! A request has up to six times to record, which through the exporter's own histograms (a queue of samples that somebody
//! has to sort into buckets later) would cost more than all else that is counted of it, and memory as long as nobody does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Binary digits that a time in nanoseconds can have, none included.
const DIGITS: usize = u64::BITS as usize + 1;

/// A handle; copies count into the same histogram.
#[derive(Clone)]
pub(super) struct Histogram(Arc<Counts>);

struct Counts {
    /// Upper bounds of all buckets but the last, which has none.
    bounds_nanos: Box<[u64]>,
    /// By the number of its binary digits, the first bucket that a time may belong to: few comparisons are left, where a
    /// search would guess its way through all bounds.
    first_of_digits: [u8; DIGITS],
    buckets: Box<[AtomicU64]>,
    sum_nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds_seconds: &[f64]) -> Histogram {
        let bounds_nanos: Box<[u64]> =
            bounds_seconds.iter().map(|bound| (bound * 1e9).round() as u64).collect();
        let first = |digits: usize| {
            let least = if digits == 0 { 0 } else { 1 << (digits - 1) };
            bounds_nanos.partition_point(|bound| *bound < least) as u8
        };
        let first_of_digits = std::array::from_fn(first);
        let buckets = (0..=bounds_nanos.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram(Arc::new(Counts { bounds_nanos, first_of_digits, buckets, sum_nanos: AtomicU64::new(0) }))
    }

    pub(super) fn record(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let digits = DIGITS - 1 - nanos.leading_zeros() as usize;
        let first = usize::from(self.0.first_of_digits[digits]);
        let further = self.0.bounds_nanos[first..].iter().take_while(|bound| **bound < nanos).count();
        let at = first + further;
        self.0.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.0.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// How many there were up to each bound, as Prometheus counts them; all of them behind the last.
    pub(super) fn cumulated(&self) -> Vec<u64> {
        let mut so_far = 0;
        let counts = self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        counts
            .map(|count| {
                so_far += count;
                so_far
            })
            .collect()
    }

    pub(super) fn sum_seconds(&self) -> f64 {
        self.0.sum_nanos.load(Ordering::Relaxed) as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_on_a_bound_belongs_below_it() {
        let histogram = Histogram::new(&[0.001, 0.01]);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.cumulated(), [0, 0, 1], "as long as can be said");
        let histogram = Histogram::new(&[0.001, 0.01]);
        for micros in [0, 1_000, 1_001, 10_000, 10_001, 99_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        assert_eq!(histogram.cumulated(), [2, 4, 6]);
        assert!((histogram.sum_seconds() - 99.022_002).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(micros in prop::collection::vec(0u64..100_000_000, 0..200)) {
            let histogram = Histogram::new(&[0.000_1, 0.001, 0.5, 10.0]);
            micros.iter().for_each(|micros| histogram.record(Duration::from_micros(*micros)));
            let upto = |bound: u64| micros.iter().filter(|micros| **micros <= bound).count() as u64;
            let expected = [upto(100), upto(1_000), upto(500_000), upto(10_000_000), micros.len() as u64];
            prop_assert_eq!(histogram.cumulated(), expected);
        }
    }
}
