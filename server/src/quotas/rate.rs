//! Kafka's rate over windows: what came in so many windows of so many seconds, the one that is not over included, divided by
//! the time since the oldest of them began, which is never taken to be less than all windows but one.
//!
//! Knows no clock: times are milliseconds of any clock that never goes back.

/// How rates are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    /// `quota.window.num`
    pub(super) count: u32,
    /// `quota.window.size.seconds`
    pub(super) each_ms: u64,
}

impl Windows {
    pub(super) fn new(count: u32, seconds: u32) -> Self {
        Self { count: count.max(1), each_ms: u64::from(seconds.max(1)) * 1000 }
    }

    /// The time over which a rate is taken at least.
    pub(super) fn whole_ms(self) -> u64 {
        u64::from(self.count - 1) * self.each_ms
    }

    /// After so long a window counts no more.
    pub(super) fn over_ms(self) -> u64 {
        u64::from(self.count) * self.each_ms
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    begun_ms: u64,
    last_ms: u64,
    sum: f64,
}

impl Window {
    fn new(now_ms: u64) -> Self {
        Self { begun_ms: now_ms, last_ms: now_ms, sum: 0.0 }
    }
}

/// What came of late.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// One more than count, because the oldest may reach into the time that counts.
    windows: Vec<Window>,
    current: usize,
}

impl Rate {
    pub(super) fn record(&mut self, amount: f64, now_ms: u64, windows: Windows) {
        if self.windows.is_empty() {
            self.windows.push(Window::new(now_ms));
        }
        if now_ms.saturating_sub(self.windows[self.current].begun_ms) >= windows.each_ms {
            self.current = (self.current + 1) % (windows.count as usize + 1);
            match self.windows.get_mut(self.current) {
                Some(oldest) => *oldest = Window::new(now_ms),
                None => self.windows.push(Window::new(now_ms)),
            }
        }
        let window = &mut self.windows[self.current];
        window.sum += amount;
        window.last_ms = now_ms;
    }

    /// How much comes in a second, and the time over which that is so.
    pub(super) fn measure(&mut self, now_ms: u64, windows: Windows) -> (f64, u64) {
        for window in &mut self.windows {
            if now_ms.saturating_sub(window.last_ms) >= windows.over_ms() {
                *window = Window::new(now_ms);
            }
        }
        let sum: f64 = self.windows.iter().map(|window| window.sum).sum();
        let oldest = self.windows.iter().map(|window| window.begun_ms).min().unwrap_or(now_ms);
        let mut elapsed_ms = now_ms.saturating_sub(oldest);
        let whole = elapsed_ms / windows.each_ms;
        let missing = u64::from(windows.count - 1).saturating_sub(whole);
        elapsed_ms = (elapsed_ms + missing * windows.each_ms).max(1);
        (sum * 1000.0 / elapsed_ms as f64, elapsed_ms)
    }

    /// How long nothing may come until the rate is within its bound: 0 if it is.
    pub(super) fn throttle_ms(&mut self, bound: f64, now_ms: u64, windows: Windows) -> u64 {
        let (rate, over_ms) = self.measure(now_ms, windows);
        if rate <= bound {
            return 0;
        }
        // As Java rounds: a half goes up.
        ((rate - bound) / bound * over_ms as f64 + 0.5).floor() as u64
    }

    /// Whether nothing of it counts any more.
    pub(super) fn is_forgotten(&self, now_ms: u64, windows: Windows) -> bool {
        let is_over = |window: &Window| now_ms.saturating_sub(window.last_ms) >= windows.over_ms();
        self.windows.iter().all(|window| window.sum == 0.0 || is_over(window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KAFKAS: Windows = Windows { count: 11, each_ms: 1000 };

    #[test]
    fn a_bound_that_is_no_number_slows_nobody() {
        let mut rate = Rate::default();
        rate.record(1e12, 0, KAFKAS);
        assert_eq!(rate.throttle_ms(f64::NAN, 0, KAFKAS), 0);
    }

    #[test]
    fn a_first_burst_is_taken_over_ten_seconds() {
        let mut rate = Rate::default();
        // 20,000 over 10 whole windows and nothing of the eleventh: 2,000 a second.
        rate.record(20_000.0, 5_000, KAFKAS);
        assert_eq!(rate.measure(5_000, KAFKAS), (2000.0, 10_000));
        // (2000 - 1000) / 1000 × 10 s.
        assert_eq!(rate.throttle_ms(1000.0, 5_000, KAFKAS), 10_000);
        assert_eq!(rate.throttle_ms(2000.0, 5_000, KAFKAS), 0, "the bound itself is within");
        // Half a second later: 20,000 over 10.5 s, and (1904.76… - 1000) / 1000 × 10.5 s.
        assert_eq!(rate.throttle_ms(1000.0, 5_500, KAFKAS), 9_500);
    }

    #[test]
    fn windows_go_one_by_one() {
        let mut rate = Rate::default();
        for second in 0..30u64 {
            rate.record(1000.0, second * 1000, KAFKAS);
        }
        // At 29 s that of 18 s is over, and the oldest of eleven began at 19 s.
        assert_eq!(rate.measure(29_000, KAFKAS), (1100.0, 10_000));
        // At 30.5 s that of 19 s is over, too. What is over begins anew, which counts as a window of now.
        let (measured, over_ms) = rate.measure(30_500, KAFKAS);
        assert_eq!(over_ms, 10_500);
        assert!((measured - 10_000.0 / 10.5).abs() < 1e-9, "{measured}");
        assert!(!rate.is_forgotten(39_999, KAFKAS));
        assert!(rate.is_forgotten(40_000, KAFKAS));
        assert_eq!(rate.measure(40_000, KAFKAS).0, 0.0);
    }

    #[test]
    fn what_is_taken_back_is_as_if_it_had_not_come() {
        let mut rate = Rate::default();
        rate.record(500.0, 0, KAFKAS);
        let before = rate.measure(100, KAFKAS);
        rate.record(9000.0, 100, KAFKAS);
        assert_ne!(rate.measure(100, KAFKAS), before);
        rate.record(-9000.0, 100, KAFKAS);
        assert_eq!(rate.measure(100, KAFKAS), before);
    }

    #[test]
    fn a_throttle_that_is_kept_brings_the_rate_to_its_bound() {
        for amount in [10.0, 100.0, 700.0] {
            let mut rate = Rate::default();
            let (mut now_ms, mut total) = (0, 0.0);
            while now_ms < 120_000 {
                rate.record(amount, now_ms, KAFKAS);
                total += amount;
                now_ms += 1 + rate.throttle_ms(1000.0, now_ms, KAFKAS);
            }
            let achieved = total * 1000.0 / now_ms as f64;
            assert!((900.0..1100.0).contains(&achieved), "{achieved} by {amount}");
        }
    }

    #[test]
    fn one_window_counts_from_when_it_began() {
        let one = Windows::new(1, 2);
        let mut rate = Rate::default();
        rate.record(10.0, 0, one);
        assert_eq!(rate.measure(0, one), (10_000.0, 1), "a millisecond is the least");
        assert_eq!(rate.measure(500, one), (20.0, 500));
        assert_eq!(rate.measure(2000, one).0, 0.0);
    }
}
