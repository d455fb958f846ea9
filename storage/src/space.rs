//! The room that is left in a data directory, looked at in passing.
//!
//! Below the reserve, clients' appends are refused and everything else goes on: deleting topics, which makes room, needs
//! room itself. The committers look after their writes, and the flusher after its flushes and every second; an append
//! only reads a flag. It must not know who appends or what a flush is.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often busy threads ask the file system.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// How often a directory is looked at in which nothing happens; and what failed for want of room is tried again.
pub(crate) const RETRY_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct Space {
    free_bytes_min: u64,
    is_low: AtomicBool,
    /// When it was last looked at, in the clock's milliseconds plus one; 0 is never.
    looked_at: AtomicU64,
}

impl Space {
    pub(crate) fn new(free_bytes_min: u64) -> Space {
        Space { free_bytes_min, is_low: AtomicBool::new(false), looked_at: AtomicU64::new(0) }
    }

    pub(crate) fn keeps_a_reserve(&self) -> bool {
        self.free_bytes_min > 0
    }

    /// Whether so many bytes more leave the reserve as it is.
    pub(crate) fn has_room_for(&self, bytes: u64, free_bytes: impl FnOnce() -> io::Result<u64>) -> bool {
        let least = self.free_bytes_min.saturating_add(bytes);
        self.free_bytes_min == 0 || free_bytes().is_ok_and(|free| free >= least)
    }

    pub(crate) fn is_low(&self) -> bool {
        self.is_low.load(Ordering::Relaxed)
    }

    /// Asks for the free bytes, unless that was done a moment ago. Answers the new state if it has changed.
    pub(crate) fn look(&self, now: Duration, free_bytes: impl FnOnce() -> io::Result<u64>) -> Option<bool> {
        let now_ms = now.as_millis() as u64 + 1;
        let last_ms = self.looked_at.load(Ordering::Relaxed);
        if self.free_bytes_min == 0
            || (last_ms != 0 && now_ms.saturating_sub(last_ms) < LOOK_INTERVAL.as_millis() as u64)
        {
            return None;
        }
        self.looked_at.store(now_ms, Ordering::Relaxed);
        // A file system that does not say is not taken for full: its own errors will tell.
        let is_low = free_bytes().ok()? < self.free_bytes_min;
        (self.is_low.swap(is_low, Ordering::Relaxed) != is_low).then_some(is_low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_not_for_what_can_wait() {
        assert!(Space::new(100).has_room_for(50, || Ok(150)));
        assert!(!Space::new(100).has_room_for(51, || Ok(150)));
        assert!(!Space::new(100).has_room_for(1, || Err(io::ErrorKind::Other.into())));
        assert!(Space::new(0).has_room_for(51, || unreachable!("no reserve is wanted")));
    }

    #[test]
    fn it_changes_at_the_reserve_and_does_not_ask_too_often() {
        let space = Space::new(100);
        let at = Duration::from_millis;
        assert_eq!(space.look(at(0), || Ok(100)), None);
        assert_eq!(space.look(at(10), || unreachable!("it was asked a moment ago")), None);
        assert_eq!(space.look(at(300), || Ok(99)), Some(true));
        assert!(space.is_low());
        assert_eq!(space.look(at(600), || Err(io::ErrorKind::Other.into())), None);
        assert!(space.is_low());
        assert_eq!(space.look(at(900), || Ok(100)), Some(false));
        assert_eq!(Space::new(0).look(at(0), || unreachable!("no reserve is wanted")), None);
    }
}
