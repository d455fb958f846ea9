//! When a segment is old enough to be rolled: Kafka's rule for `segment.ms`.
//!
//! A segment is as old as the time from its first append to the one that comes, both by their records' greatest times;
//! if its first append has no time, as the wall clock says since it was made or, after a restart, first appended to.
//! As in Kafka, only an append rolls a segment for its age, never the mere passing of time, and retention alone rolls one
//! that is idle. A clock that jumps forth rolls a segment once; while records are older than its first, it is not rolled
//! for its age at all. It must not know files or batches' bytes.

use std::time::Duration;

use crate::config::LogConfig;
use crate::env::Env;
use crate::ids::TimestampMs;

/// What is to be known of the segment that is appended to.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Age {
    /// The greatest time of its first append, unless that has none or is still to come.
    first: Option<TimestampMs>,
    made_ms: TimestampMs,
    /// How much earlier than others it is rolled.
    jitter: Duration,
}

impl Age {
    /// A segment that begins now, or whose first append has the time `first`.
    pub(crate) fn new(env: &Env, config: &LogConfig, first: Option<TimestampMs>) -> Age {
        let bound = config.segment_jitter.min(config.segment_age_max).as_millis() as u64;
        let jitter = if bound == 0 { 0 } else { env.random.next_u64() % bound };
        let mut age = Age { first: None, made_ms: env.clock.now_ms(), jitter: Duration::from_millis(jitter) };
        first.into_iter().for_each(|time| age.begins_with(time));
        age
    }

    /// The segment's first append has this time.
    pub(crate) fn begins_with(&mut self, time: TimestampMs) {
        self.first = Some(time).filter(|time| *time >= 0);
    }

    /// Whether an append of the greatest time `time` goes into another segment.
    pub(crate) fn is_over(&self, time: TimestampMs, env: &Env, config: &LogConfig) -> bool {
        let waited = match self.first {
            Some(first) => time.saturating_sub(first),
            None => env.clock.now_ms().saturating_sub(self.made_ms),
        };
        let most = age_max(config).saturating_sub(self.jitter);
        u64::try_from(waited).is_ok_and(|waited| u128::from(waited) > most.as_millis())
    }
}

/// `segment.ms`; on compacted logs at most `max.compaction.lag.ms`, so that what is to be compacted by then can be.
fn age_max(config: &LogConfig) -> Duration {
    if config.cleanup.compact && !config.compaction_lag_max.is_zero() {
        config.segment_age_max.min(config.compaction_lag_max)
    } else {
        config.segment_age_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cleanup;

    fn config(age_ms: u64) -> LogConfig {
        LogConfig { segment_age_max: Duration::from_millis(age_ms), ..LogConfig::default() }
    }

    #[test]
    fn age_is_told_by_the_records() {
        let (env, ..) = Env::simulated(1);
        let (config, age) = (config(100), Age::new(&env, &config(100), Some(5_000)));
        assert!(!age.is_over(5_100, &env, &config));
        assert!(age.is_over(5_101, &env, &config));
        assert!(!age.is_over(-1, &env, &config) && !age.is_over(0, &env, &config), "older than the first");
        assert!(age.is_over(i64::MAX, &env, &config));
    }

    #[test]
    fn without_a_time_the_wall_clock_tells() {
        let (env, _, clock) = Env::simulated(1);
        let (config, mut age) = (config(100), Age::new(&env, &config(100), Some(-1)));
        clock.advance(Duration::from_millis(100));
        assert!(!age.is_over(1 << 50, &env, &config));
        clock.advance(Duration::from_millis(1));
        assert!(age.is_over(-1, &env, &config));
        age.begins_with(1 << 50);
        assert!(!age.is_over(1 << 50, &env, &config));
    }

    #[test]
    fn jitter_makes_it_earlier_and_never_more_than_it_says() {
        let (env, ..) = Env::simulated(1);
        let jittered = LogConfig { segment_jitter: Duration::from_millis(50), ..config(100) };
        let rolled_at = |_| {
            let age = Age::new(&env, &jittered, Some(0));
            (0..200).find(|time| age.is_over(*time, &env, &jittered)).expect("some time")
        };
        let times: Vec<i64> = (0..100).map(rolled_at).collect();
        assert!(times.iter().all(|time| (52..=101).contains(time)), "{times:?}");
        assert!(times.iter().any(|time| *time != times[0]));
        let wild = LogConfig { segment_jitter: Duration::MAX, ..config(100) };
        assert!(Age::new(&env, &wild, Some(0)).jitter < Duration::from_millis(100));
    }

    #[test]
    fn what_has_to_be_compacted_is_rolled_by_then() {
        let cleanup = Cleanup { delete: false, compact: true };
        let lag = |ms| LogConfig { cleanup, compaction_lag_max: Duration::from_millis(ms), ..config(100) };
        assert_eq!(age_max(&lag(30)), Duration::from_millis(30));
        assert_eq!(age_max(&lag(300)), Duration::from_millis(100));
        let kept = LogConfig { cleanup: Cleanup { delete: true, compact: false }, ..lag(30) };
        assert_eq!(age_max(&kept), Duration::from_millis(100));
    }
}
