//! How much memory replies may hold that are decided and that their peers have not taken, over all connections. Ranges
//! of files hold none.
//!
//! Above the bound, a connection with such a reply begins nothing more, and one whose peer takes nothing for long is
//! closed. Whoever has none goes on, so that peers that do not read never hold up those that do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics::{Limit, Metrics};

pub(super) struct ReplyMemory {
    held_bytes: AtomicUsize,
    bytes_max: usize,
    metrics: Arc<Metrics>,
}

impl ReplyMemory {
    pub(super) fn new(bytes_max: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        metrics.limit(Limit::ResponseBytes).max.set(bytes_max as f64);
        Arc::new(Self { held_bytes: AtomicUsize::new(0), bytes_max, metrics })
    }

    pub(super) fn share(self: &Arc<Self>) -> ReplyShare {
        ReplyShare { memory: self.clone(), held_bytes: 0 }
    }
}

/// What the replies of one connection hold; it is given back when this is dropped.
pub(super) struct ReplyShare {
    memory: Arc<ReplyMemory>,
    held_bytes: usize,
}

impl ReplyShare {
    /// Says what the connection holds between two turns.
    pub(super) fn hold(&mut self, bytes: usize) {
        if bytes == self.held_bytes {
            return;
        }
        let held = &self.memory.held_bytes;
        let before = if bytes > self.held_bytes {
            held.fetch_add(bytes - self.held_bytes, Ordering::Relaxed)
        } else {
            held.fetch_sub(self.held_bytes - bytes, Ordering::Relaxed)
        };
        let total = before + bytes - self.held_bytes;
        self.held_bytes = bytes;
        self.memory.metrics.limit(Limit::ResponseBytes).used.set(total as f64);
    }

    pub(super) fn is_full(&self) -> bool {
        self.memory.held_bytes.load(Ordering::Relaxed) >= self.memory.bytes_max
    }
}

impl Drop for ReplyShare {
    fn drop(&mut self) {
        self.hold(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_held_is_given_back() {
        let memory = ReplyMemory::new(100, Metrics::new(&[], Default::default()));
        let (mut first, mut second) = (memory.share(), memory.share());
        first.hold(60);
        assert!(!second.is_full());
        second.hold(50);
        assert!(first.is_full() && second.is_full());
        second.hold(10);
        assert!(!first.is_full());
        second.hold(40);
        assert!(first.is_full());
        drop(first);
        assert!(!second.is_full());
        drop(second);
        assert_eq!(memory.held_bytes.load(Ordering::Relaxed), 0);
    }
}
