//! How fast a pass may go, and whether it may go on at all.
//!
//! Reads and writes together stay below `log.cleaner.io.max.bytes.per.second`, by waiting where threads do the work; on
//! a simulated clock nobody waits. Invariant: a pass that is no longer wanted ends within one buffer of reading. It must
//! not know what is read.

use std::time::Duration;

use crate::log::Log;
use crate::shared::{Shared, Waiter};

use super::Abandoned;

pub(crate) struct Pace<'p> {
    shared: &'p Shared,
    log: &'p Log,
    /// Whether to wait; otherwise the rate is not kept.
    waits: bool,
    begun: Duration,
    bytes_per_second: f64,
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
}

impl<'p> Pace<'p> {
    pub(super) fn new(shared: &'p Shared, log: &'p Log, bytes_per_second: f64, waits: bool) -> Pace<'p> {
        let begun = shared.env.clock.monotonic();
        Pace { shared, log, waits, begun, bytes_per_second, read_bytes: 0, written_bytes: 0 }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.shared.env.clock.monotonic().saturating_sub(self.begun)
    }

    pub(super) fn read(&mut self, bytes: u64) -> Result<(), Abandoned> {
        self.read_bytes += bytes;
        self.keep()
    }

    pub(super) fn wrote(&mut self, bytes: u64) -> Result<(), Abandoned> {
        self.written_bytes += bytes;
        self.keep()
    }

    fn keep(&self) -> Result<(), Abandoned> {
        self.look()?;
        let due = (self.read_bytes + self.written_bytes) as f64 / self.bytes_per_second.max(1.0);
        let due = Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX);
        let left = || if self.waits { due.saturating_sub(self.elapsed()) } else { Duration::ZERO };
        while !left().is_zero() {
            drop(self.shared.queues.wait(Waiter::Cleaner, left(), |_| false));
            self.look()?;
        }
        Ok(())
    }

    /// Whether the pass is still wanted.
    pub(super) fn look(&self) -> Result<(), Abandoned> {
        if self.shared.queues.lock().stop || self.shared.refusal().is_some() {
            return Err(Abandoned::Stopped);
        }
        if self.log.is_gone() || !self.log.config().cleanup.compact {
            return Err(Abandoned::Gone);
        }
        Ok(())
    }
}
