//! What is measured for each of many, in bounded memory: who was silent for so long that nothing is held against him is
//! forgotten, and those beyond the bound share one measure until there is room.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use super::bucket::Bucket;
use super::rate::{Rate, Windows};
use crate::metrics::{Limit, Metrics};

/// As long as there are so few, nobody looks for what can be forgotten.
const FEW: usize = 1024;
/// It is looked for no more often than this when all is full.
const SWEEP_REST_MS: u64 = 1000;

/// What can be forgotten once nothing comes.
pub(super) trait Measure: Default {
    fn is_forgotten(&self, now_ms: u64, windows: Windows) -> bool;
}

impl Measure for Rate {
    fn is_forgotten(&self, now_ms: u64, windows: Windows) -> bool {
        Rate::is_forgotten(self, now_ms, windows)
    }
}

impl Measure for Bucket {
    fn is_forgotten(&self, now_ms: u64, windows: Windows) -> bool {
        Bucket::is_forgotten(self, now_ms, windows)
    }
}

/// How many are measured by name, and who is told when that is not enough.
#[derive(Clone)]
pub(super) struct Bound {
    /// `quota.clients.max`
    pub(super) named_max: usize,
    pub(super) metrics: Arc<Metrics>,
}

pub(super) struct Meters<K, M> {
    windows: Windows,
    bound: Bound,
    state: Mutex<State<K, M>>,
}

struct State<K, M> {
    named: HashMap<K, M>,
    /// Of those for whom there is no room.
    others: M,
    /// So many may be there before it is looked who can be forgotten,
    sweep_at: usize,
    /// and when that was done last.
    swept_ms: u64,
}

impl<K: Hash + Eq, M: Measure> Meters<K, M> {
    pub(super) fn new(windows: Windows, bound: Bound) -> Self {
        let state = State {
            named: HashMap::new(),
            others: M::default(),
            sweep_at: FEW.min(bound.named_max),
            swept_ms: 0,
        };
        Self { windows, bound, state: Mutex::new(state) }
    }

    pub(super) fn windows(&self) -> Windows {
        self.windows
    }

    /// Works with the measure of `key`.
    pub(super) fn with<T>(&self, key: K, now_ms: u64, work: impl FnOnce(&mut M, Windows) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.named.len() >= state.sweep_at && !state.named.contains_key(&key) {
            state.sweep(now_ms, self.windows, self.bound.named_max);
        }
        let has_room = state.named.len() < self.bound.named_max || state.named.contains_key(&key);
        match has_room {
            true => work(state.named.entry(key).or_default(), self.windows),
            false => {
                self.bound.metrics.limit(Limit::QuotaClients).hits.increment(1);
                work(&mut state.others, self.windows)
            }
        }
    }
}

impl<K: Hash + Eq, M: Measure> State<K, M> {
    fn sweep(&mut self, now_ms: u64, windows: Windows, named_max: usize) {
        if self.named.len() >= named_max && now_ms.saturating_sub(self.swept_ms) < SWEEP_REST_MS {
            return;
        }
        self.swept_ms = now_ms;
        self.named.retain(|_, measure| !measure.is_forgotten(now_ms, windows));
        self.sweep_at = (self.named.len() * 2).max(FEW).min(named_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KAFKAS: Windows = Windows { count: 11, each_ms: 1000 };

    /// Room for so many names.
    fn meters(named_max: usize) -> Meters<usize, Rate> {
        Meters::new(KAFKAS, Bound { named_max, metrics: Metrics::new(&[], Default::default()) })
    }

    fn len(meters: &Meters<usize, Rate>) -> usize {
        meters.state.lock().unwrap().named.len()
    }

    #[test]
    fn who_is_silent_is_forgotten() {
        let meters = meters(100_000);
        let count = |key, now_ms| meters.with(key, now_ms, |rate, windows| rate.record(1.0, now_ms, windows));
        (0..FEW).for_each(|key| count(key, 0));
        count(FEW, 10_999);
        assert_eq!(len(&meters), FEW + 1, "all were heard of a moment ago");
        for key in 0..FEW * 4 {
            count(10_000 + key, 22_000 + key as u64);
        }
        assert!(len(&meters) <= FEW * 5, "{}", len(&meters));
        assert!(meters.state.lock().unwrap().named.keys().all(|key| *key >= 10_000));
    }

    #[test]
    fn a_flood_of_names_shares_one_measure() {
        const NAMED_MAX: usize = 5000;
        let meters = meters(NAMED_MAX);
        let count = |key| {
            meters.with(key, 0, |rate, windows| {
                rate.record(10.0, 0, windows);
                rate.measure(0, windows).0
            })
        };
        let named = (0..NAMED_MAX).map(count).fold(0.0, f64::max);
        assert_eq!(named, 1.0);
        assert_eq!((count(NAMED_MAX), count(NAMED_MAX + 1)), (1.0, 2.0), "two strangers are one");
        assert_eq!(count(5), 2.0, "who is known stays himself");
        assert_eq!(len(&meters), NAMED_MAX);
    }
}
