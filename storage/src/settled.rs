//! Which segments nothing will ever write again, not even a recovery: only those may be removed or rewritten.
//!
//! Two checkpoints are on the disk, and recovery may begin at either. Invariant: a settled segment lies wholly below
//! the recovery points in both, and all its records in the journal below the positions in both, and below that of `floor`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::log::Log;
use crate::segment::Segment;
use crate::shared::Shared;

/// The same of the two checkpoints on the disk.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Pair<T> {
    older: T,
    newer: T,
}

impl<T: Copy + Ord> Pair<T> {
    pub(crate) fn both(value: T) -> Pair<T> {
        Pair { older: value, newer: value }
    }

    /// Another checkpoint was written.
    pub(crate) fn push(&mut self, value: T) {
        (self.older, self.newer) = (self.newer, value);
    }

    pub(crate) fn least(&self) -> T {
        self.older.min(self.newer)
    }
}

impl Log {
    /// How many of the log's first segments are settled. Two checkpoints after a segment was rolled, it is.
    pub(crate) fn settled_segment_count(&self) -> usize {
        let recovery = self.covered.lock().unwrap().least();
        let replayed_from = self.shared.replayed_from();
        let is_settled = |segment: &Arc<Segment>| {
            recovery.is_some_and(|recovery| segment.base < recovery)
                && segment.sealed_lsn.load(Ordering::Acquire) < replayed_from
        };
        self.segments.read().unwrap().iter().take_while(|segment| is_settled(segment)).count()
    }
}

impl Shared {
    /// No record of the journal below this LSN will ever be replayed.
    fn replayed_from(&self) -> u64 {
        self.replays.lock().unwrap().least()
    }
}
