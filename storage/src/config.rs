//! The settings of one log. Names and defaults are Kafka's where Kafka has them; parsing is the server's.

use std::time::Duration;

/// What an acknowledgement of a log promises.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Tickets resolve, and readers see, only what a power cut leaves.
    Durable,
    /// Tickets resolve once the kernel has the bytes: a crash of the process loses nothing, a power cut the tail.
    Relaxed,
}

/// What becomes of old records (`cleanup.policy`); with neither, all are kept.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// Segments go when they are too old or the log is too large.
    pub delete: bool,
    /// Of each key the last record is kept.
    pub compact: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// A segment that would grow beyond this is rolled first (`segment.bytes`).
    pub segment_bytes: u32,
    /// Bytes of batches between two index entries (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// The most that either index of a segment may hold (`segment.index.bytes`).
    pub segment_index_bytes: u32,
    /// A segment older than this is rolled at the next append (`segment.ms`), some earlier by up to `segment_jitter`.
    pub segment_age_max: Duration,
    /// `segment.jitter.ms`
    pub segment_jitter: Duration,
    pub durability: Durability,
    /// A relaxed log is flushed in the background when it took this many records (`flush.messages`).
    pub flush_messages: u64,
    /// A relaxed log is flushed in the background this long after its first unflushed record (`flush.ms`).
    pub flush_after: Option<Duration>,
    pub cleanup: Cleanup,
    /// `retention.bytes`
    pub retention_bytes: Option<u64>,
    /// `retention.ms`
    pub retention: Option<Duration>,
    /// How long a removed segment's files stay (`file.delete.delay.ms`).
    pub file_delete_delay: Duration,
    /// Compaction writes no longer batches of many (`max.message.bytes`).
    pub message_bytes_max: usize,
    /// How long tombstones and transactions' markers outlive their first cleaning (`delete.retention.ms`).
    pub delete_retention: Duration,
    /// Younger records are not compacted (`min.compaction.lag.ms`).
    pub compaction_lag_min: Duration,
    /// Older ones are, whatever the ratio (`max.compaction.lag.ms`).
    pub compaction_lag_max: Duration,
    /// The share of bytes not yet compacted from which a log is (`min.cleanable.dirty.ratio`).
    pub dirty_ratio_min: f64,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            index_interval_bytes: 4096,
            segment_index_bytes: 10 << 20,
            segment_age_max: 7 * DAY,
            segment_jitter: Duration::ZERO,
            durability: Durability::Durable,
            flush_messages: u64::MAX,
            flush_after: None,
            cleanup: Cleanup { delete: true, compact: false },
            retention_bytes: None,
            retention: Some(7 * DAY),
            file_delete_delay: Duration::from_secs(60),
            message_bytes_max: (1 << 20) + 12,
            delete_retention: DAY,
            compaction_lag_min: Duration::ZERO,
            compaction_lag_max: Duration::MAX,
            dirty_ratio_min: 0.5,
        }
    }
}

/// A directory's relaxed logs are flushed in the background when they hold more than this unflushed, together: a recovery
/// on another boot scans it.
pub(crate) const UNFLUSHED_BYTES_MAX: u64 = 128 << 20;
/// A log with less than this is left alone: each flush has a price of its own.
pub(crate) const UNFLUSHED_BYTES_MIN: u64 = 16 << 20;

/// Relaxed logs' flushed bytes that no checkpoint knows of, after which one is written: a recovery would judge them.
pub(crate) const UNCOVERED_BYTES_MAX: u64 = 64 << 20;
