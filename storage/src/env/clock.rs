//! Time: the wall's, which may jump and only ever labels records, and the monotonic one, which measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ids::TimestampMs;

pub trait Clock: Send + Sync {
    /// Wall time in milliseconds since the Unix epoch.
    fn now_ms(&self) -> TimestampMs;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
pub struct RealClock {
    start: std::time::Instant,
}

impl RealClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn new() -> RealClock {
        RealClock { start: std::time::Instant::now() }
    }
}

impl Default for RealClock {
    fn default() -> RealClock {
        RealClock::new()
    }
}

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now_ms(&self) -> TimestampMs {
        // A wall before 1970 counts as 1970: timestamps below zero have a meaning of their own in Kafka.
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that moves when a test moves it.
#[derive(Clone)]
pub struct SimClock {
    elapsed_ms: Arc<AtomicU64>,
}

/// Where simulated wall time begins (2023-11-14), so that timestamps look like real ones.
const SIM_EPOCH_MS: TimestampMs = 1_700_000_000_000;

impl SimClock {
    pub fn new() -> SimClock {
        SimClock { elapsed_ms: Arc::new(AtomicU64::new(0)) }
    }

    pub fn advance(&self, by: Duration) {
        self.elapsed_ms.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Default for SimClock {
    fn default() -> SimClock {
        SimClock::new()
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> TimestampMs {
        SIM_EPOCH_MS + self.elapsed_ms.load(Ordering::SeqCst) as i64
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::SeqCst))
    }
}
