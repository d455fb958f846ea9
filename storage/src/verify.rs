//! What of a segment an earlier process wrote, and what of that was checked since: such bytes are verified once, before
//! they are first served.
//!
//! Invariants: what this process appended or recovery judged needs no verification, and asking that costs one load;
//! what was found right or damaged is remembered. This module must not know files; `walk` reads.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Verification {
    /// Nothing at or behind this position needs to be verified. It only falls, to 0, when all is found right.
    below: AtomicU64,
    damaged_bytes: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Sorted, and apart from each other.
    right: Vec<Range<u64>>,
    damaged: Vec<Range<u64>>,
}

/// What is known of the batch at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unknown,
    Right,
    /// The next batch begins there.
    Damaged {
        next: u64,
    },
}

impl Verification {
    /// What lies before `position` is to be verified.
    pub(crate) fn begin(&self, position: u64) {
        self.below.store(position, Ordering::Release);
    }

    /// Where what has to be verified ends: between two batches.
    pub(crate) fn below(&self) -> u64 {
        self.below.load(Ordering::Acquire)
    }

    pub(crate) fn covers(&self, position: u64) -> bool {
        position < self.below()
    }

    pub(crate) fn damaged_bytes(&self) -> u64 {
        self.damaged_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn verdict(&self, position: u64) -> Verdict {
        let seen = self.seen.lock().unwrap();
        if seen.right.iter().any(|range| range.contains(&position)) {
            return Verdict::Right;
        }
        match seen.damaged.iter().find(|range| range.contains(&position)) {
            Some(range) => Verdict::Damaged { next: range.end },
            None => Verdict::Unknown,
        }
    }

    pub(crate) fn note_right(&self, batch: Range<u64>) {
        let mut seen = self.seen.lock().unwrap();
        let right = &mut seen.right;
        let from = right.partition_point(|range| range.end < batch.start);
        let to = right.partition_point(|range| range.start <= batch.end);
        let merged = right[from..to]
            .iter()
            .fold(batch, |all, range| all.start.min(range.start)..all.end.max(range.end));
        let whole = merged.start == 0 && merged.end >= self.below();
        right.splice(from..to, [merged]);
        if whole {
            self.below.store(0, Ordering::Release);
            right.clear();
        }
    }

    /// True if that is news.
    pub(crate) fn note_damaged(&self, bytes: Range<u64>) -> bool {
        let mut seen = self.seen.lock().unwrap();
        if seen.damaged.iter().any(|range| range.contains(&bytes.start)) {
            return false;
        }
        self.damaged_bytes.fetch_add(bytes.end - bytes.start, Ordering::Relaxed);
        seen.damaged.push(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_in_any_order_add_up(order in Just((0..20u64).collect::<Vec<_>>()).prop_shuffle()) {
            let verification = Verification::default();
            verification.begin(200);
            for (done, batch) in order.iter().enumerate() {
                prop_assert!(verification.covers(199));
                for (place, other) in order.iter().enumerate() {
                    let expected = if place < done { Verdict::Right } else { Verdict::Unknown };
                    prop_assert_eq!(verification.verdict(other * 10), expected);
                }
                verification.note_right(batch * 10..batch * 10 + 10);
            }
            prop_assert_eq!(verification.below(), 0);
        }
    }

    #[test]
    fn damage_is_counted_once() {
        let verification = Verification::default();
        verification.begin(100);
        assert!(verification.note_damaged(20..50));
        assert!(!verification.note_damaged(20..50));
        assert_eq!(verification.verdict(30), Verdict::Damaged { next: 50 });
        assert_eq!(verification.damaged_bytes(), 30);
    }
}
