//! The case that compacts: one pass over one log, driven by hand.
//!
//! Invariants: every key is written twice, a half of the log apart, so that a half of the records goes and no batch of
//! the first half is left; what the pass is to read is on the disk and settled before the time begins. Only the pass is
//! timed.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use storage::{
    BatchBuilder, CleanerOptions, Cleanup, DataDir, DataDirOptions, Durability, Env, LeaderEpoch, LogConfig,
    LogId, TopicId,
};

use super::run::Figures;
use super::world::{ON_THE_WAY, Tickets, append};
use crate::load::unix_time_ms;

const SEGMENT_BYTES: u64 = 64 << 20;
/// However little is compacted, it stands in so many segments at the least.
const SEGMENTS_MIN: u64 = 8;
const RECORD_BYTES: usize = 128;
/// What a record has beside its value: its own fields and its key.
const RECORD_OVERHEAD_BYTES: usize = 20;

/// The batch of this number: its keys are its own, until the numbers begin again.
fn batch(number: u64, batch_bytes: usize) -> Bytes {
    let count = (batch_bytes / RECORD_BYTES) as u64;
    let value = [b'x'; RECORD_BYTES - RECORD_OVERHEAD_BYTES];
    let add = |batch: BatchBuilder, place: u64| {
        batch.push(Some(&(number * count + place).to_be_bytes()), Some(&value), &[])
    };
    (0..count).fold(BatchBuilder::new(unix_time_ms()), add).build()
}

pub(crate) fn run(dir: &Path, batch_bytes: usize, volume_bytes: u64) -> Result<Figures> {
    // Nobody else may begin a pass.
    let cleaner = CleanerOptions { is_enabled: false, ..Default::default() };
    let options = DataDirOptions { cleaner, ..Default::default() };
    let dir = DataDir::open(Env::real(), dir.to_owned(), options).context("opening the data directory")?;
    let config = LogConfig {
        durability: Durability::Relaxed,
        segment_bytes: SEGMENT_BYTES.min(volume_bytes / SEGMENTS_MIN) as u32,
        cleanup: Cleanup { delete: false, compact: true },
        dirty_ratio_min: 0.0,
        ..Default::default()
    };
    let id = LogId { topic: TopicId([0xc1; 16]), partition: 0 };
    let log = dir.open_log(id, "bench-0", config, LeaderEpoch(0)).context("opening the log")?;
    let half = volume_bytes / 2 / batch_bytes as u64;
    let mut tickets = Tickets::new(ON_THE_WAY);
    for number in (0..half).chain(0..half) {
        tickets.push(append(&log, &batch(number, batch_bytes))?)?;
    }
    tickets.push(log.flushed(append(&log, &batch(0, batch_bytes))?))?;
    tickets.finish()?;
    // Two checkpoints settle everything before the last segment.
    (0..2).for_each(|_| dir.checkpoint());
    let bytes = log.size_bytes();
    let mut figures = Figures::begin();
    let passes = dir.clean();
    figures.done_bytes(1, bytes);
    let left = log.size_bytes();
    ensure!(passes == 1 && left < bytes / 4 * 3, "{passes} passes left {left} of {bytes} bytes");
    Ok(figures)
}
