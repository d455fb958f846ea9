//! How many there may be of something that clients make at will: one bound for all machines of a broker.
//!
//! Who holds a place gives it back by being dropped, so that no path can forget to. The figures are read by others at
//! any time, decisions go by them only under their machine's lock: two machines may pass the last place by one each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Debug)]
pub struct Bound {
    max: usize,
    used: AtomicUsize,
    hits: AtomicU64,
}

/// A bound as it is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BoundFigures {
    pub max: usize,
    pub used: usize,
    /// How often somebody was sent away.
    pub hits: u64,
}

impl Bound {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicUsize::new(0), hits: AtomicU64::new(0) })
    }

    pub fn figures(&self) -> BoundFigures {
        let hits = self.hits.load(Ordering::Relaxed);
        BoundFigures { max: self.max, used: self.used.load(Ordering::Relaxed), hits }
    }

    /// Whether there is room for one more; that there was none is counted.
    pub(super) fn has_room(&self) -> bool {
        let has_room = self.used.load(Ordering::Relaxed) < self.max;
        if !has_room {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// A place, if there is room.
    pub(super) fn take(self: &Arc<Self>) -> Option<Held> {
        self.has_room().then(|| {
            let mut held = Held { bound: self.clone(), places: 0 };
            held.set(1);
            held
        })
    }

    /// Nothing yet: what is to be held is said by [`Held::set`], room or not.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        Held { bound: self.clone(), places: 0 }
    }
}

/// Places that are taken.
#[derive(Debug)]
pub(super) struct Held {
    bound: Arc<Bound>,
    places: usize,
}

impl Held {
    pub(super) fn set(&mut self, places: usize) {
        if places == self.places {
            return;
        }
        // Wraps where fewer are held than before; together it comes out right.
        self.bound.used.fetch_add(places.wrapping_sub(self.places), Ordering::Relaxed);
        self.places = places;
    }

    pub(super) fn has_room(&self) -> bool {
        self.bound.has_room()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let bound = Bound::new(2);
        let (one, two) = (bound.take().unwrap(), bound.take().unwrap());
        assert!(bound.take().is_none());
        assert_eq!(bound.figures(), BoundFigures { max: 2, used: 2, hits: 1 });
        drop(one);
        assert!(bound.take().is_some());
        drop(two);
        let mut many = bound.hold();
        many.set(5);
        assert!(!many.has_room());
        many.set(1);
        assert!(many.has_room());
        drop(many);
        assert_eq!(bound.figures(), BoundFigures { max: 2, used: 0, hits: 2 });
    }
}
