//! Kafka's bucket of tokens: it fills at the rate of the quota, up to what the rate gives in all windows, and whoever finds
//! less than nothing in it is sent away. One change may take more than there is.

use super::rate::Windows;

#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// The tokens at a time; it begins full.
    left: Option<(f64, u64)>,
}

impl Bucket {
    /// The tokens that are there now.
    fn fill(&mut self, rate: f64, now_ms: u64, windows: Windows) -> f64 {
        let most = rate * windows.over_ms() as f64 / 1000.0;
        let left = match self.left {
            None => most,
            Some((left, at_ms)) => most.min(left + rate * now_ms.saturating_sub(at_ms) as f64 / 1000.0),
        };
        self.left = Some((left, now_ms));
        left
    }

    pub(super) fn take(&mut self, tokens: f64, rate: f64, now_ms: u64, windows: Windows) {
        let left = self.fill(rate, now_ms, windows) - tokens;
        self.left = Some((left, now_ms));
    }

    /// How long until there is no debt any more: 0 if there is none.
    pub(super) fn throttle_ms(&mut self, rate: f64, now_ms: u64, windows: Windows) -> u64 {
        let left = self.fill(rate, now_ms, windows);
        if left >= 0.0 { 0 } else { (-left / rate * 1000.0 + 0.5).floor() as u64 }
    }

    /// Whether a new one would say the same, at any rate that fills it in the time of all windows. Of a debt nothing is
    /// forgotten.
    pub(super) fn is_forgotten(&self, now_ms: u64, windows: Windows) -> bool {
        self.left.is_none_or(|(left, at_ms)| left >= 0.0 && now_ms.saturating_sub(at_ms) >= windows.over_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KAFKAS: Windows = Windows { count: 11, each_ms: 1000 };

    #[test]
    fn what_eleven_seconds_bring_passes_and_debts_are_waited_for() {
        let mut bucket = Bucket::default();
        bucket.take(50.0, 5.0, 1_000, KAFKAS);
        assert_eq!(bucket.throttle_ms(5.0, 1_000, KAFKAS), 0, "5 of 55 are left");
        bucket.take(20.0, 5.0, 1_000, KAFKAS);
        // 15 too many at 5 a second.
        assert_eq!(bucket.throttle_ms(5.0, 1_000, KAFKAS), 3_000);
        assert_eq!(bucket.throttle_ms(5.0, 2_000, KAFKAS), 2_000);
        assert_eq!(bucket.throttle_ms(5.0, 4_000, KAFKAS), 0);
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_windows_bring() {
        let mut bucket = Bucket::default();
        bucket.take(1.0, 5.0, 0, KAFKAS);
        bucket.take(56.0, 5.0, 1_000_000, KAFKAS);
        assert_eq!(bucket.throttle_ms(5.0, 1_000_000, KAFKAS), 200);
        assert!(!bucket.is_forgotten(9_000_000, KAFKAS), "a debt stands until it is looked at");
        bucket.throttle_ms(5.0, 2_000_000, KAFKAS);
        assert!(!bucket.is_forgotten(2_010_999, KAFKAS));
        assert!(bucket.is_forgotten(2_011_000, KAFKAS));
    }
}
