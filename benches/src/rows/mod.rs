//! The rows of the comparison: what each does, what it shows, and the goal it is held to.
//!
//! Invariants: a row's work is the same for every broker; goals are ratios to Apache Kafka in its own (relaxed) mode.
//! The durable mode is held to `DURABLE_SHARE` of them.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::limits::LimitKind;
use crate::load::java::Tool;
use crate::stats::Metric;
use crate::wire::batch::Codec;
use crate::wire::request::Settings;

mod table;

pub(crate) use table::ROWS;

/// What the durable mode must reach of each goal.
pub(crate) const DURABLE_SHARE: f64 = 0.7;

/// The batch size of rows that do not name another, Kafka's `batch.size`.
pub(crate) const BATCH_BYTES: usize = 16_384;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Work {
    /// Full batches until a volume is through.
    Volume { batches: Batches, acks: i16 },
    /// One record a request, so many on the way, for a time.
    SingleRecords { record_bytes: usize, in_flight: usize },
    /// Records at a fixed rate, each timed from when it was due until it is fetched; for a time.
    OpenLoop { record_bytes: usize, per_second: u32 },
    /// Produce one, fetch it, next; for a time.
    RoundTrips { record_bytes: usize },
    /// Read a filled topic, for a time.
    Fetch { bytes_max: i32 },
    /// Members of groups that send heartbeats and commit at their own times, for a time.
    Groups { groups: usize, members: usize },
    /// A tool of Kafka's is the generator.
    Java(Tool),
}

impl Work {
    /// Each run leaves a volume on the disk.
    pub(crate) fn writes_a_volume(self) -> bool {
        matches!(self, Self::Volume { .. } | Self::Java(Tool::Producer { .. }))
    }

    /// All runs read a topic that was filled before.
    pub(crate) fn reads_a_volume(self) -> bool {
        matches!(self, Self::Fetch { .. } | Self::Java(Tool::Consumer { .. }))
    }
}

/// What a producer sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Batches {
    pub record_bytes: usize,
    /// As they are on the wire, compressed or not.
    pub batch_bytes: usize,
    pub codec: Codec,
}

impl Batches {
    /// Not compressed, of Kafka's `batch.size`.
    pub(crate) const fn plain(record_bytes: usize) -> Self {
        Self { record_bytes, batch_bytes: BATCH_BYTES, codec: Codec::None }
    }
}

/// What a row asks of its brokers beside the work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// Generator connections; `None`: as many as the command line says.
    pub connections: Option<usize>,
    /// Settings of the row's topics.
    pub topic: Settings<'static>,
    /// Every reply waits for a flush: only the durable mode takes part, and it is held to the whole goal.
    pub is_durable: bool,
    /// Each flush takes so much longer.
    pub flush_delay: Option<Duration>,
}

impl Setup {
    pub(crate) const PLAIN: Self =
        Self { connections: None, topic: &[], is_durable: false, flush_delay: None };
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
    /// The bound, or that part of it to which a durable mode is held beside a relaxed one.
    pub(crate) fn bound_for(self, is_share: bool) -> Bound {
        match self.bound {
            bound if !is_share => bound,
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
    pub setup: Setup,
    pub columns: &'static [Metric],
    pub ratios: &'static [Metric],
    pub goals: &'static [Goal],
    pub limits: &'static [LimitKind],
}

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
        let rate = table::at_least(4.0, Metric::MegabytesPerSecond);
        assert!(!rate.bound_for(false).holds(3.0));
        assert!(rate.bound_for(true).holds(3.0));
        assert!(!rate.bound_for(true).holds(2.7));
        let cpu = table::at_most(0.2, Metric::CpuSecondsPerGb);
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
