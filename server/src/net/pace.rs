//! How fast connections may come. Knows neither clocks nor sockets.
//!
//! Kafka takes the average of eleven windows of a second: what ten seconds may bring passes at once, and from there on each
//! connection waits until the average is right again, though never longer than one window.

use std::time::Duration;

const BURST: Duration = Duration::from_secs(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Kafka's word for no limit.
const UNLIMITED: u32 = i32::MAX as u32;

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the next connection would come if all so far had come at the rate.
    next: Duration,
}

impl Pace {
    /// Counts a connection that comes now, and says how long it has to wait.
    pub(super) fn count(&mut self, now: Duration, rate_per_second: u32) -> Duration {
        if rate_per_second == UNLIMITED {
            return Duration::ZERO;
        }
        if rate_per_second == 0 {
            return PAUSE_MAX;
        }
        let each = Duration::from_secs(1) / rate_per_second;
        self.next = (self.next.max(now) + each).min(now + BURST + PAUSE_MAX);
        (self.next - now).saturating_sub(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut pace = Pace::default();
        let mut now = Duration::from_secs(1000);
        for n in 0..50 {
            assert_eq!(pace.count(now, 5), Duration::ZERO, "connection {n}");
        }
        let begun = now;
        for _ in 0..100 {
            now += pace.count(now, 5);
        }
        assert_eq!(now - begun, SECOND * 20, "five a second");
        assert_eq!(pace.count(now + BURST, 5), Duration::ZERO, "a rest brings the burst back");
    }

    #[test]
    fn nobody_waits_longer_than_a_window() {
        let mut pace = Pace::default();
        let longest = (0..1000).map(|_| pace.count(SECOND, 1)).max();
        assert_eq!(longest, Some(PAUSE_MAX));
        assert_eq!(
            pace.count(SECOND * 13, 1),
            Duration::ZERO,
            "what came too soon is not held against them for ever"
        );
        assert_eq!(Pace::default().count(SECOND, 0), PAUSE_MAX);
        assert!((0..1000).all(|_| Pace::default().count(SECOND, UNLIMITED).is_zero()));
    }
}
