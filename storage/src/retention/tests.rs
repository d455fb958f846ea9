//! Retention on simulated files and clocks, driven by hand.

mod crash;
mod deletion;
mod rules;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Cleanup;
use crate::env::{Env, Files, SimClock, SimFiles};
use crate::records::BatchBuilder;
use crate::validate::check_internal;
use crate::*;

const DIR: &str = "/data";
const NAME: &str = "topic-0";
const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MS: i64 = 3_600_000;
const BOTH: [Durability; 2] = [Durability::Durable, Durability::Relaxed];

struct World {
    env: Env,
    files: SimFiles,
    clock: SimClock,
    dir: Arc<DataDir>,
    log: Arc<Log>,
    config: LogConfig,
}

fn id() -> LogId {
    LogId { topic: TopicId([7; 16]), partition: 0 }
}

/// Segments of about four batches, and no retention at all.
fn small(durability: Durability) -> LogConfig {
    LogConfig {
        segment_bytes: 500,
        index_interval_bytes: 100,
        durability,
        retention: None,
        file_delete_delay: Duration::from_secs(60),
        ..LogConfig::default()
    }
}

fn open(env: &Env, config: &LogConfig) -> Result<(Arc<DataDir>, Arc<Log>), OpenError> {
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from(DIR), options)?;
    let log = dir.open_log(id(), NAME, config.clone(), LeaderEpoch(1))?;
    Ok((dir, log))
}

impl World {
    fn new(config: LogConfig) -> World {
        World::of_seed(1, config)
    }

    fn of_seed(seed: u64, config: LogConfig) -> World {
        let (env, files, clock) = Env::simulated(seed);
        let (dir, log) = open(&env, &config).unwrap();
        World { env, files, clock, dir, log, config }
    }

    fn reopen(&mut self) {
        (self.dir, self.log) = open(&self.env, &self.config).unwrap();
    }

    fn kill(&mut self) {
        self.files.kill();
        self.reopen();
    }

    fn crash(&mut self) {
        self.files.crash();
        self.reopen();
    }

    /// Appends a batch of one record of this time.
    fn append(&self, time: i64) -> Ticket {
        let batch = BatchBuilder::new(time).push_at(time, Some(b"k"), Some(&[b'v'; 40]), &[]).build();
        self.log.append(check_internal(batch).unwrap(), Origin::Client, None)
    }

    /// Batches of one record each, of the times from `time` on, a millisecond apart.
    fn fill(&self, count: i64, time: i64) {
        (0..count).for_each(|i| drop(self.append(time + i)));
        self.dir.flush();
    }

    /// Enough checkpoints for everything to be settled, and a retention behind them.
    fn settle(&self) {
        self.dir.flush();
        self.dir.checkpoint();
        self.dir.checkpoint();
        self.dir.retain();
    }

    /// As often as it takes until nothing more is done.
    fn retain(&self) {
        self.dir.retain();
        self.settle();
    }

    fn names(&self) -> Vec<String> {
        // Without an append there is no directory yet.
        let names = self.files.list(&Path::new(DIR).join(NAME)).unwrap_or_default();
        names.into_iter().map(|entry| entry.name).collect()
    }

    fn names_with(&self, end: &str) -> Vec<String> {
        self.names().into_iter().filter(|name| name.ends_with(end)).collect()
    }

    fn segments(&self) -> Vec<i64> {
        self.log.segments.read().unwrap().iter().map(|segment| segment.base.0).collect()
    }

    fn start(&self) -> i64 {
        self.log.start_offset().0
    }

    /// The offsets of all that can be read.
    fn offsets(&self) -> Vec<i64> {
        let (mut found, mut next) = (Vec::new(), self.log.start_offset());
        while next < self.log.high_watermark() {
            let plan = self.log.read(next, 1000, true, Bound::HighWatermark).unwrap();
            let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap().to_vec()).collect();
            let mut rest = &bytes[..];
            while let Ok(header) = BatchHeader::parse(rest) {
                if rest.len() < header.total_bytes() {
                    break;
                }
                if header.base_offset >= next {
                    found.push(header.base_offset.0);
                }
                next = header.next_offset();
                rest = &rest[header.total_bytes()..];
            }
            if plan.parts.is_empty() {
                break;
            }
        }
        found
    }
}
