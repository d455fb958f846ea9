//! The timers of one shard: a map of what rings when, and a heap that finds the next.
//!
//! Setting a timer later, which a heartbeat does, costs one look into the map: the heap still has the earlier time and
//! is put right when that comes. So there is no task and no heap operation for each of ten thousand members. Each timer
//! is in the heap at most once for each time that it was set *earlier* or anew; what was cancelled is swept when it grows.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;
use std::time::Duration;

/// Entries of the heap beyond twice the timers that are set, from which it is made anew.
const STALE_MAX: usize = 1024;

pub(super) struct Timers<K> {
    set: HashMap<K, Set>,
    /// When to look, at what: the timer itself may be set later by then, or not at all.
    heap: BinaryHeap<Reverse<(Duration, u64)>>,
    keys: HashMap<u64, K>,
    next_entry: u64,
}

struct Set {
    at: Duration,
    /// Its entry in the heap, and the time that stands there, which is not behind `at`.
    entry: u64,
    looked_at: Duration,
}

impl<K: Clone + Eq + Hash> Timers<K> {
    pub(super) fn new() -> Self {
        Self { set: HashMap::new(), heap: BinaryHeap::new(), keys: HashMap::new(), next_entry: 0 }
    }

    pub(super) fn set(&mut self, key: K, at: Duration) {
        if let Some(set) = self.set.get_mut(&key) {
            set.at = at;
            if set.looked_at <= at {
                return;
            }
            self.keys.remove(&set.entry);
        }
        self.enter(key, at);
        self.sweep();
    }

    pub(super) fn cancel(&mut self, key: &K) {
        if let Some(set) = self.set.remove(key) {
            self.keys.remove(&set.entry);
        }
        self.sweep();
    }

    /// When to call [`Timers::due`] next; perhaps for nothing.
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one timer that rings by `now`.
    pub(super) fn due(&mut self, now: Duration) -> Option<K> {
        while let Some(Reverse((at, entry))) = self.heap.peek().copied()
            && at <= now
        {
            self.heap.pop();
            // Without a key the entry is stale: its timer was cancelled or set earlier.
            let Some(key) = self.keys.remove(&entry) else { continue };
            let Some(set) = self.set.get(&key) else { continue };
            if set.at <= now {
                self.set.remove(&key);
                return Some(key);
            }
            let later = set.at;
            self.enter(key, later);
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.set.len()
    }

    fn enter(&mut self, key: K, at: Duration) {
        let entry = self.next_entry;
        self.next_entry += 1;
        self.heap.push(Reverse((at, entry)));
        self.keys.insert(entry, key.clone());
        self.set.insert(key, Set { at, entry, looked_at: at });
    }

    fn sweep(&mut self) {
        if self.heap.len() > 2 * self.set.len() + STALE_MAX {
            self.heap = self.set.values().map(|set| Reverse((set.looked_at, set.entry))).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn rings_at_the_time_that_was_set_last() {
        let mut timers = Timers::new();
        timers.set("a", at(10));
        timers.set("b", at(20));
        timers.set("a", at(30));
        assert_eq!((timers.next(), timers.due(at(15))), (Some(at(10)), None));
        assert_eq!(timers.due(at(25)), Some("b"));
        timers.set("a", at(26));
        assert_eq!((timers.next(), timers.due(at(26)), timers.due(at(99))), (Some(at(26)), Some("a"), None));
        assert_eq!((timers.len(), timers.next()), (0, None));
    }

    #[test]
    fn what_is_cancelled_does_not_pile_up() {
        let mut timers = Timers::new();
        for n in 0..100_000u64 {
            timers.set(n % 7, at(1_000_000 - n));
            timers.cancel(&(n % 7));
        }
        assert!(timers.heap.len() <= STALE_MAX + 1, "{} entries", timers.heap.len());
        assert_eq!((timers.len(), timers.keys.len()), (0, 0));
    }

    proptest! {
        #[test]
        fn as_a_plain_map(steps in prop::collection::vec((0u8..3, 0u8..5, 0u64..100), 0..200)) {
            let (mut timers, mut model) = (Timers::new(), BTreeMap::new());
            let mut now = 0;
            for (what, key, time) in steps {
                match what {
                    0 => {
                        timers.set(key, at(now + time));
                        model.insert(key, now + time);
                    }
                    1 => {
                        timers.cancel(&key);
                        model.remove(&key);
                    }
                    _ => {
                        now += time;
                        let mut rang: Vec<u8> = std::iter::from_fn(|| timers.due(at(now))).collect();
                        rang.sort_unstable();
                        let due: Vec<u8> = model.iter().filter(|(_, t)| **t <= now).map(|(k, _)| *k).collect();
                        prop_assert_eq!(&rang, &due);
                        model.retain(|_, t| *t > now);
                    }
                }
                prop_assert_eq!(timers.len(), model.len());
                if let Some(first) = model.values().min() {
                    prop_assert!(timers.next().is_some_and(|next| next <= at(*first)));
                }
            }
        }
    }
}
