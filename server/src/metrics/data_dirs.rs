//! How the data directories stand, asked when someone asks for the metrics: nothing of it costs an append anything.
//!
//! Where the figures come from is whoever registers a directory's to know.

use super::registry::Registry;
use super::table::{
    CHECKPOINTS, COMPACTION_AGE, COMPACTION_BUSY, COMPACTION_READ, COMPACTION_WRITTEN, COMPACTIONS,
    DIR_OFFLINE, DIRTY_MAX, JOURNAL_BYTES, JOURNAL_CAPACITY, JOURNAL_COMMITS, JOURNAL_LIVE, MOVED_BYTES,
    MOVED_LOGS, MOVES_UNDERWAY, PRODUCERS, QUARANTINED, REMOVED_BYTES, REMOVED_SEGMENTS, UNCLEANABLE_BYTES,
    UNCLEANABLE_LOGS, WAITING_APPENDS,
};
use metrics::{Counter, Gauge};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
    pub removed_segments: u64,
    pub removed_bytes: u64,
    pub moves_underway: u64,
    pub moved_logs: u64,
    pub moved_bytes: u64,
    pub compaction: CompactionFigures,
    pub producers: u64,
    pub is_offline: bool,
}

/// What the compaction of one data directory has done and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionFigures {
    pub passes: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub busy: Duration,
    pub uncleanable_logs: u64,
    pub uncleanable_bytes: u64,
    pub dirty_percent_max: u64,
    pub since_last_run: Duration,
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
    removed_segments: Counter,
    removed_bytes: Counter,
    moves_underway: Gauge,
    moved_logs: Counter,
    moved_bytes: Counter,
    compaction: CompactionMetrics,
    producers: Gauge,
    offline: Gauge,
}

struct CompactionMetrics {
    passes: Counter,
    read_bytes: Counter,
    written_bytes: Counter,
    busy_seconds: Gauge,
    age_seconds: Gauge,
    dirty_percent_max: Gauge,
    uncleanable_logs: Gauge,
    uncleanable_bytes: Gauge,
}

impl CompactionMetrics {
    fn new(registry: &Registry, dir: &str) -> CompactionMetrics {
        CompactionMetrics {
            passes: registry.counter(&COMPACTIONS, &[dir]),
            read_bytes: registry.counter(&COMPACTION_READ, &[dir]),
            written_bytes: registry.counter(&COMPACTION_WRITTEN, &[dir]),
            busy_seconds: registry.gauge(&COMPACTION_BUSY, &[dir]),
            age_seconds: registry.gauge(&COMPACTION_AGE, &[dir]),
            dirty_percent_max: registry.gauge(&DIRTY_MAX, &[dir]),
            uncleanable_logs: registry.gauge(&UNCLEANABLE_LOGS, &[dir]),
            uncleanable_bytes: registry.gauge(&UNCLEANABLE_BYTES, &[dir]),
        }
    }

    fn refresh(&self, figures: &CompactionFigures) {
        self.passes.absolute(figures.passes);
        self.read_bytes.absolute(figures.read_bytes);
        self.written_bytes.absolute(figures.written_bytes);
        self.busy_seconds.set(figures.busy.as_secs_f64());
        self.age_seconds.set(figures.since_last_run.as_secs_f64());
        self.dirty_percent_max.set(figures.dirty_percent_max as f64);
        self.uncleanable_logs.set(figures.uncleanable_logs as f64);
        self.uncleanable_bytes.set(figures.uncleanable_bytes as f64);
    }
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
            removed_segments: registry.counter(&REMOVED_SEGMENTS, &[dir]),
            removed_bytes: registry.counter(&REMOVED_BYTES, &[dir]),
            moves_underway: registry.gauge(&MOVES_UNDERWAY, &[dir]),
            moved_logs: registry.counter(&MOVED_LOGS, &[dir]),
            moved_bytes: registry.counter(&MOVED_BYTES, &[dir]),
            compaction: CompactionMetrics::new(registry, dir),
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
        self.removed_segments.absolute(figures.removed_segments);
        self.removed_bytes.absolute(figures.removed_bytes);
        self.moves_underway.set(figures.moves_underway as f64);
        self.moved_logs.absolute(figures.moved_logs);
        self.moved_bytes.absolute(figures.moved_bytes);
        self.compaction.refresh(&figures.compaction);
        self.producers.set(figures.producers as f64);
        self.offline.set(if figures.is_offline { 1.0 } else { 0.0 });
    }
}
