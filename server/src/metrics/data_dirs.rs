//! How the data directories stand, asked when someone asks for the metrics: nothing of it costs an append anything.
//!
//! Where the figures come from is whoever registers a directory's to know.

use super::registry::Registry;
use super::table::{
    CHECKPOINTS, DIR_OFFLINE, JOURNAL_BYTES, JOURNAL_CAPACITY, JOURNAL_COMMITS, JOURNAL_LIVE, PRODUCERS,
    QUARANTINED, WAITING_APPENDS,
};
use metrics::{Counter, Gauge};
use std::sync::{Mutex, PoisonError};

/// One data directory at one time. What a counter shows only rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataDirFigures {
    pub journal_commits: u64,
    pub journal_bytes: u64,
    pub journal_live_bytes: u64,
    pub journal_capacity_bytes: u64,
    pub checkpoints: u64,
    pub waiting_appends: u64,
    pub quarantined_bytes: u64,
    pub producers: u64,
    pub is_offline: bool,
}

/// Called for each scrape; `None` once the directory is gone.
pub type AskDataDir = Box<dyn Fn() -> Option<DataDirFigures> + Send + Sync>;

#[derive(Default)]
pub(super) struct DataDirs {
    all: Mutex<Vec<DataDirMetrics>>,
}

impl DataDirs {
    pub(super) fn add(&self, registry: &Registry, dir: &str, ask: AskDataDir) {
        let metrics = DataDirMetrics::new(registry, dir, ask);
        metrics.refresh();
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(metrics);
    }

    pub(super) fn refresh(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(DataDirMetrics::refresh);
    }
}

struct DataDirMetrics {
    ask: AskDataDir,
    commits: Counter,
    bytes: Counter,
    live_bytes: Gauge,
    capacity_bytes: Gauge,
    checkpoints: Counter,
    waiting_appends: Counter,
    quarantined_bytes: Gauge,
    producers: Gauge,
    offline: Gauge,
}

impl DataDirMetrics {
    fn new(registry: &Registry, dir: &str, ask: AskDataDir) -> DataDirMetrics {
        DataDirMetrics {
            ask,
            commits: registry.counter(&JOURNAL_COMMITS, &[dir]),
            bytes: registry.counter(&JOURNAL_BYTES, &[dir]),
            live_bytes: registry.gauge(&JOURNAL_LIVE, &[dir]),
            capacity_bytes: registry.gauge(&JOURNAL_CAPACITY, &[dir]),
            checkpoints: registry.counter(&CHECKPOINTS, &[dir]),
            waiting_appends: registry.counter(&WAITING_APPENDS, &[dir]),
            quarantined_bytes: registry.gauge(&QUARANTINED, &[dir]),
            producers: registry.gauge(&PRODUCERS, &[dir]),
            offline: registry.gauge(&DIR_OFFLINE, &[dir]),
        }
    }

    fn refresh(&self) {
        let Some(figures) = (self.ask)() else { return };
        self.commits.absolute(figures.journal_commits);
        self.bytes.absolute(figures.journal_bytes);
        self.live_bytes.set(figures.journal_live_bytes as f64);
        self.capacity_bytes.set(figures.journal_capacity_bytes as f64);
        self.checkpoints.absolute(figures.checkpoints);
        self.waiting_appends.absolute(figures.waiting_appends);
        self.quarantined_bytes.set(figures.quarantined_bytes as f64);
        self.producers.set(figures.producers as f64);
        self.offline.set(if figures.is_offline { 1.0 } else { 0.0 });
    }
}
