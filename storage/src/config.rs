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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A segment that would grow beyond this is rolled first (`segment.bytes`).
    pub segment_bytes: u32,
    /// Bytes of batches between two index entries (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// The most that either index of a segment may hold (`segment.index.bytes`).
    pub segment_index_bytes: u32,
    pub durability: Durability,
    /// A relaxed log is flushed in the background when it took this many records (`flush.messages`).
    pub flush_messages: u64,
    /// A relaxed log is flushed in the background this long after its first unflushed record (`flush.ms`).
    pub flush_after: Option<Duration>,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            index_interval_bytes: 4096,
            segment_index_bytes: 10 << 20,
            durability: Durability::Durable,
            flush_messages: u64::MAX,
            flush_after: None,
        }
    }
}

/// A relaxed log is flushed in the background whenever this much of it is not, so that a recovery's scan is bounded.
pub(crate) const UNFLUSHED_BYTES_MAX: u64 = 64 << 20;

/// Relaxed logs' flushed bytes that no checkpoint knows of, after which one is written: a recovery would judge them.
pub(crate) const UNCOVERED_BYTES_MAX: u64 = 512 << 20;
