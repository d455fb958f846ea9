//! The rows of the comparison: what each does, what it shows, and the goal it is held to.
//!
//! Invariants: a row's work is the same for every broker; goals are ratios to Apache Kafka in its own (relaxed) mode.
//! The durable mode is held to `DURABLE_SHARE` of them.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::limits::LimitKind;
use crate::stats::Metric;

/// What the durable mode must reach of each goal.
pub(crate) const DURABLE_SHARE: f64 = 0.7;

/// The batch size of rows that do not name another, Kafka's `batch.size`.
pub(crate) const BATCH_BYTES: usize = 16_384;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Work {
    /// Full batches until a volume is through.
    Volume { record_bytes: usize },
    /// One record a request, for a time.
    SingleRecords { record_bytes: usize },
    /// Produce one, fetch it, next; for a time.
    RoundTrips { record_bytes: usize },
    /// Read a filled topic, for a time.
    Fetch { record_bytes: usize, bytes_max: i32 },
    /// Members of groups that send heartbeats and commit at their own times, for a time.
    Groups { groups: usize, members: usize },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// A bound on the ratio between Ottla's metric and Kafka's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Goal {
    pub metric: Metric,
    pub bound: Bound,
}

impl Goal {
    /// The bound for a mode.
    pub(crate) fn bound_for(self, durable: bool) -> Bound {
        match self.bound {
            bound if !durable => bound,
            Bound::AtLeast(factor) => Bound::AtLeast(factor * DURABLE_SHARE),
            Bound::AtMost(factor) => Bound::AtMost(factor / DURABLE_SHARE),
        }
    }
}

impl Bound {
    pub(crate) fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(factor) => ratio >= factor,
            Self::AtMost(factor) => ratio <= factor,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The number of the goal table.
    pub number: u32,
    /// Short and unique: part of topic and directory names.
    pub id: &'static str,
    pub title: &'static str,
    pub work: Work,
    pub columns: &'static [Metric],
    pub ratios: &'static [Metric],
    pub goals: &'static [Goal],
    pub limits: &'static [LimitKind],
}

const SATURATION: &[Metric] = &[
    Metric::MegabytesPerSecond,
    Metric::RequestsPerSecond,
    Metric::CpuSecondsPerGb,
    Metric::CpuMicrosPerRequest,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuSecondsPerGb,
];
const SMALL_REQUESTS: &[Metric] = &[
    Metric::RequestsPerSecond,
    Metric::CpuMicrosPerRequest,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuMicrosPerRequest,
];
const LATENCY: &[Metric] = &[
    Metric::AverageMs,
    Metric::P50Ms,
    Metric::P99Ms,
    Metric::P999Ms,
    Metric::CpuMicrosPerRequest,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuMicrosPerRequest,
];

/// How many requests there are is given by the members, and shows that all of them came.
const BY_THE_CLOCK: &[Metric] = &[
    Metric::RequestsPerSecond,
    Metric::AverageMs,
    Metric::P50Ms,
    Metric::P99Ms,
    Metric::P999Ms,
    Metric::CpuMicrosPerRequest,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuMicrosPerRequest,
];

const fn at_least(factor: f64, metric: Metric) -> Goal {
    Goal { metric, bound: Bound::AtLeast(factor) }
}

const fn at_most(factor: f64, metric: Metric) -> Goal {
    Goal { metric, bound: Bound::AtMost(factor) }
}

const PRODUCE_GOALS: &[Goal] =
    &[at_least(4.0, Metric::MegabytesPerSecond), at_most(0.2, Metric::CpuSecondsPerGb)];
const PRODUCE_LIMITS: &[LimitKind] = &[LimitKind::Loopback, LimitKind::PageCache, LimitKind::Flush];
const RATE_AND_CPU: &[Metric] = &[Metric::MegabytesPerSecond, Metric::CpuSecondsPerGb];

/// All rows, in the order in which they run.
pub(crate) const ROWS: &[Row] = &[
    Row {
        number: 1,
        id: "1",
        title: "produce 100 B records in 16 KiB batches, acks=1",
        work: Work::Volume { record_bytes: 100 },
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: PRODUCE_GOALS,
        limits: PRODUCE_LIMITS,
    },
    Row {
        number: 3,
        id: "3",
        title: "produce 1 KiB records in 16 KiB batches, acks=1",
        work: Work::Volume { record_bytes: 1024 },
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: PRODUCE_GOALS,
        limits: PRODUCE_LIMITS,
    },
    Row {
        number: 6,
        id: "6",
        title: "one 100 B record a request, 5 in flight, acks=1",
        work: Work::SingleRecords { record_bytes: 100 },
        columns: SMALL_REQUESTS,
        ratios: &[Metric::RequestsPerSecond, Metric::CpuMicrosPerRequest],
        goals: &[at_least(3.0, Metric::RequestsPerSecond)],
        limits: &[LimitKind::Echo, LimitKind::Flush],
    },
    Row {
        number: 7,
        id: "7",
        title: "one 100 B record at a time, produced and fetched before the next",
        work: Work::RoundTrips { record_bytes: 100 },
        columns: LATENCY,
        ratios: &[Metric::AverageMs, Metric::P99Ms, Metric::CpuMicrosPerRequest],
        goals: &[at_most(0.4, Metric::AverageMs), at_most(0.4, Metric::P99Ms)],
        limits: &[LimitKind::RoundTrip, LimitKind::Flush],
    },
    Row {
        number: 10,
        id: "10-1MiB",
        title: "fetch, 1 MiB at a time",
        work: Work::Fetch { record_bytes: 1024, bytes_max: 1 << 20 },
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(1.0, Metric::MegabytesPerSecond), at_most(1.1, Metric::CpuSecondsPerGb)],
        limits: &[LimitKind::Sendfile],
    },
    Row {
        number: 10,
        id: "10-64KiB",
        title: "fetch, 64 KiB at a time",
        work: Work::Fetch { record_bytes: 1024, bytes_max: 64 << 10 },
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(2.0, Metric::MegabytesPerSecond)],
        limits: &[LimitKind::Sendfile],
    },
    Row {
        number: 18,
        id: "18-groups",
        title: "1,000 groups of 10 members: a heartbeat and a commit of each every 5 s",
        work: Work::Groups { groups: 1_000, members: 10 },
        columns: BY_THE_CLOCK,
        ratios: &[Metric::P99Ms, Metric::CpuMicrosPerRequest, Metric::PeakMegabytes],
        goals: &[],
        limits: &[LimitKind::RoundTrip, LimitKind::Flush],
    },
];

/// How much of everything; the work itself does not change with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Bytes of batches a produce run sends, and a fetch row reads from.
    pub volume_bytes: u64,
    /// The length of runs that go by time.
    pub span: Duration,
    /// How often each broker is measured forwards and backwards.
    pub palindromes: usize,
    /// How long a JVM is under load before its runs count; those before are thrown away. One such run is enough
    /// for Ottla.
    pub jvm_warm_up: Duration,
}

impl Effort {
    pub(crate) const FULL: Self = Self {
        volume_bytes: 1_000_000_000,
        span: Duration::from_secs(6),
        palindromes: 2,
        jvm_warm_up: Duration::from_secs(25),
    };
    pub(crate) const QUICK: Self = Self {
        volume_bytes: 500_000_000,
        span: Duration::from_secs(2),
        palindromes: 1,
        jvm_warm_up: Duration::from_secs(10),
    };
}

/// The rows with the numbers asked for; all, if none is.
pub(crate) fn chosen<R>(
    rows: &'static [R],
    number_of: impl Fn(&R) -> u32,
    numbers: &[u32],
) -> Result<Vec<&'static R>> {
    for number in numbers {
        ensure!(rows.iter().any(|row| number_of(row) == *number), "there is no row {number} here");
    }
    Ok(rows.iter().filter(|row| numbers.is_empty() || numbers.contains(&number_of(row))).collect())
}

/// The order of runs among `count` brokers: forwards, then backwards (ABBA), as often as asked.
pub(crate) fn order(count: usize, palindromes: usize) -> Vec<usize> {
    let once = (0..count).chain((0..count).rev());
    once.clone().cycle().take(2 * count * palindromes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_a_palindrome() {
        assert_eq!(order(2, 1), [0, 1, 1, 0]);
        assert_eq!(order(3, 2), [0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0]);
        assert_eq!(order(1, 1), [0, 0]);
    }

    #[test]
    fn durable_goals_are_a_share_of_the_others() {
        let rate = at_least(4.0, Metric::MegabytesPerSecond);
        assert!(!rate.bound_for(false).holds(3.0));
        assert!(rate.bound_for(true).holds(3.0));
        assert!(!rate.bound_for(true).holds(2.7));
        let cpu = at_most(0.2, Metric::CpuSecondsPerGb);
        assert!(!cpu.bound_for(false).holds(0.25));
        assert!(cpu.bound_for(true).holds(0.25));
        assert!(!cpu.bound_for(true).holds(0.3));
    }

    #[test]
    fn goals_stand_on_shown_ratios() {
        for row in ROWS {
            for goal in row.goals {
                assert!(row.ratios.contains(&goal.metric), "row {} hides a goal's ratio", row.id);
            }
            for ratio in row.ratios {
                assert!(row.columns.contains(ratio), "row {} hides a ratio's figure", row.id);
            }
        }
    }
}
