//! Which requests are sampled: a fixed share of them, spread evenly, by one addition to one shared number.
//!
//! Steps of the golden ratio fill the circle of 64-bit numbers evenly from wherever they begin, also if only every second or
//! every n-th step is looked at: clients that ask in a fixed rhythm are sampled as others are.

use std::sync::atomic::{AtomicU64, Ordering};

/// 2⁶⁴ by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) struct Sampler {
    at: AtomicU64,
    /// What stands below it is sampled.
    below: u64,
}

impl Sampler {
    /// A share from 0 to 1, beginning anywhere.
    pub(super) fn new(ratio: f64, begin: u64) -> Sampler {
        // The cast saturates: 1 is all of them, but one in 2⁶⁴.
        Sampler { at: AtomicU64::new(begin), below: (ratio * 2f64.powi(64)) as u64 }
    }

    pub(super) fn samples(&self) -> bool {
        self.at.fetch_add(STEP, Ordering::Relaxed) < self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn none_and_all() {
        let (none, all) = (Sampler::new(0.0, 7), Sampler::new(1.0, 7));
        assert!((0..1_000).all(|_| !none.samples() && all.samples()));
    }

    proptest! {
        /// Of each n-th request, too, as many as of all.
        #[test]
        fn the_share_is_kept(ratio in 0.0f64..1.0, begin: u64, rhythm in 1usize..7) {
            const ROUNDS: usize = 10_000;
            let sampler = Sampler::new(ratio, begin);
            let mut sampled = 0usize;
            for _ in 0..ROUNDS {
                sampled += usize::from(sampler.samples());
                for _ in 1..rhythm {
                    sampler.samples();
                }
            }
            let share = sampled as f64 / ROUNDS as f64;
            prop_assert!((share - ratio).abs() < 0.01, "{share} and not {ratio}");
        }
    }
}
