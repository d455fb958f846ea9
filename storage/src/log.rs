//! One partition's log: the door through which batches go in and out.
//!
//! This file holds what a log is and the small questions; `writer` appends and hands over to the journal, `flush` makes
//! the log's own files last, `reader` and `lookup` read. Invariants: start ≤ high watermark ≤ end, none ever goes back; on
//! a durable log nothing is readable before a power cut leaves it; a deleted log gives and takes nothing. It must not know
//! topics' names beyond its directory's.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock, Weak};

use crate::config::{Durability, LogConfig};
use crate::epoch_cache::EpochCache;
use crate::error::ReadError;
use crate::flush::Flushed;
use crate::ids::{LeaderEpoch, LogId, Offset};
use crate::plan::Bound;
use crate::producer_state::Producers;
use crate::recover::Recovered;
use crate::segment::{Mark, Segment};
use crate::settled::Pair;
use crate::shared::Shared;
use crate::watch::Watch;
use crate::writer::{Jobs, Writer};

pub struct Log {
    /// Itself, for the journal and for the queues of the directory's threads.
    pub(crate) me: Weak<Log>,
    id: LogId,
    dir_name: String,
    pub(crate) path: Arc<Path>,
    pub(crate) shared: Arc<Shared>,
    /// Appends that wait for their turn. Taken before `writer`, never while it is held.
    pub(crate) jobs: Mutex<Jobs>,
    pub(crate) writer: Mutex<Writer>,
    /// Held while the log's files are flushed.
    pub(crate) flushing: Mutex<()>,
    pub(crate) segments: RwLock<Vec<Arc<Segment>>>,
    pub(crate) marks: Mutex<Marks>,
    /// Taken last, while nothing else is but the writer.
    pub(crate) producers: Mutex<Producers>,
    pub(crate) watch: Watch,
    start: AtomicI64,
    epoch: AtomicI32,
    pub(crate) epochs: Mutex<Epochs>,
    /// The segment where recovery begins, by each of the two checkpoints on the disk that this process wrote.
    pub(crate) covered: Mutex<Pair<Option<Offset>>>,
    /// Whether the flusher has it in its queue; changed under the queue's lock.
    pub(crate) queued: AtomicBool,
    /// Whether the journal has records of it that no checkpoint covers; changed under the journal's lock.
    pub(crate) in_journal: AtomicBool,
    /// As in its writer.
    pub(crate) journaled: AtomicBool,
    pub(crate) deleted: AtomicBool,
    /// The same log in another data directory, once it was moved there: it answers whatever this one is asked.
    pub(crate) moved: OnceLock<Arc<Log>>,
    quarantined_bytes: u64,
}

/// The ends of a log, as readers and the flusher see them.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Marks {
    /// Behind the last batch that is written.
    pub(crate) end: Mark,
    /// Behind the last batch that readers see.
    pub(crate) high: Mark,
    /// Behind the last batch of which everything, indexes included, is on the disk: recovery begins here.
    pub(crate) recovery: Option<Flushed>,
}

pub(crate) struct Epochs {
    pub(crate) cache: EpochCache,
    /// What the file holds.
    pub(crate) written: Option<EpochCache>,
}

impl Log {
    pub(crate) fn new(
        shared: Arc<Shared>,
        id: LogId,
        dir_name: &str,
        config: LogConfig,
        epoch: LeaderEpoch,
        recovered: Recovered,
    ) -> Arc<Log> {
        let watch = Watch::new(recovered.end.offset.0);
        let log = Log::build(shared, id, dir_name, config, recovered, watch, Jobs::default());
        let last = log.epochs.lock().unwrap().cache.latest();
        // Always above the epoch of any record: a client that saw a record lost since must notice.
        log.set_leader_epoch(
            epoch.max(last.map_or(LeaderEpoch(0), |last| LeaderEpoch(last.0.saturating_add(1)))),
        );
        log
    }

    /// The log that takes the place of `of` in another data directory, where a copy of its files was `recovered`: its
    /// leadership goes on, and so do those who wait for its high watermark. It takes no appends before it is let go.
    pub(crate) fn succeeding(
        of: &Log,
        shared: Arc<Shared>,
        config: LogConfig,
        recovered: Recovered,
    ) -> Arc<Log> {
        let (watch, jobs) = (of.watch.clone(), Jobs::held());
        let log = Log::build(shared, of.id, &of.dir_name, config, recovered, watch, jobs);
        log.epoch.store(of.epoch.load(Ordering::Acquire), Ordering::Release);
        log.epochs.lock().unwrap().cache = of.epochs.lock().unwrap().cache.clone();
        log.producers.lock().unwrap().take_over(&of.producers.lock().unwrap());
        log
    }

    fn build(
        shared: Arc<Shared>,
        id: LogId,
        dir_name: &str,
        config: LogConfig,
        recovered: Recovered,
        watch: Watch,
        jobs: Jobs,
    ) -> Arc<Log> {
        let Recovered { segments, start, end, epochs, epochs_written, quarantined_bytes, producers, .. } =
            recovered;
        let recovery =
            segments.last().map(|active| Flushed { mark: end, max_time: active.max_timestamp().ok() });
        let writer = Writer::new(config, end, segments.last());
        Arc::new_cyclic(|me| Log {
            me: me.clone(),
            id,
            dir_name: dir_name.to_owned(),
            path: shared.path.join(dir_name).into(),
            shared,
            jobs: Mutex::new(jobs),
            journaled: AtomicBool::new(writer.journaled),
            writer: Mutex::new(writer),
            flushing: Mutex::new(()),
            segments: RwLock::new(segments),
            marks: Mutex::new(Marks { end, high: end, recovery }),
            producers: Mutex::new(producers),
            watch,
            start: AtomicI64::new(start.0),
            epoch: AtomicI32::new(LeaderEpoch::NONE.0),
            epochs: Mutex::new(Epochs { cache: epochs, written: epochs_written }),
            covered: Mutex::new(Pair::both(None)),
            queued: AtomicBool::new(false),
            in_journal: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            moved: OnceLock::new(),
            quarantined_bytes,
        })
    }

    /// The log as it is in force: this one, unless it was moved to another data directory.
    pub(crate) fn in_force(&self) -> &Log {
        let mut log = self;
        while let Some(next) = log.moved.get() {
            log = next;
        }
        log
    }

    /// As [`Log::in_force`], to keep.
    pub fn newest(&self) -> Arc<Log> {
        self.in_force().me()
    }

    /// What the log in force answers: one that was moved while it was asked does not count.
    pub(crate) fn follow<T>(&self, ask: impl Fn(&Log) -> T) -> T {
        loop {
            let log = self.in_force();
            let answer = ask(log);
            if log.moved.get().is_none() {
                return answer;
            }
        }
    }

    pub fn id(&self) -> LogId {
        self.id
    }

    /// The name of the log's directory in its data directory.
    pub fn dir_name(&self) -> &str {
        &self.dir_name
    }

    pub fn start_offset(&self) -> Offset {
        Offset(self.in_force().start.load(Ordering::Acquire))
    }

    pub(crate) fn set_start(&self, start: Offset) {
        self.start.store(start.0, Ordering::Release);
    }

    /// Behind the last record that is written. Clients see only up to the high watermark.
    pub fn end_offset(&self) -> Offset {
        self.in_force().marks.lock().unwrap().end.offset
    }

    pub fn high_watermark(&self) -> Offset {
        self.in_force().marks.lock().unwrap().high.offset
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.in_force().epoch.load(Ordering::Acquire))
    }

    /// A new leadership begins: what is appended from here on carries `epoch`. An older one is ignored.
    pub fn set_leader_epoch(&self, epoch: LeaderEpoch) {
        let writer = self.writer.lock().unwrap();
        if let Some(next) = self.moved.get() {
            drop(writer);
            return next.set_leader_epoch(epoch);
        }
        if epoch > self.leader_epoch() {
            self.epoch.store(epoch.0, Ordering::Release);
            self.epochs.lock().unwrap().cache.assign(epoch, writer.end());
        }
    }

    /// Kafka's OffsetForLeaderEpoch: the greatest epoch not above the one asked for, and where it ends, at most at the
    /// high watermark. `None` if no such epoch is known.
    pub fn epoch_end_offset(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.follow(|log| {
            let high_watermark = log.high_watermark();
            log.epochs.lock().unwrap().cache.end_of(epoch, high_watermark)
        })
    }

    /// The number behind [`Log::high_watermark`], to wait for.
    pub fn watch_high_watermark(&self) -> &Watch {
        &self.watch
    }

    /// Bytes of all batches, indexes not counted.
    pub fn size_bytes(&self) -> u64 {
        self.follow(|log| log.segments.read().unwrap().iter().map(|segment| segment.size_bytes()).sum())
    }

    /// Bytes that were found damaged when the log was opened, and set aside.
    pub fn quarantined_bytes(&self) -> u64 {
        self.quarantined_bytes
    }

    /// Bytes that were found damaged since the log was opened: they stand in their segments and are not served.
    pub fn damaged_bytes(&self) -> u64 {
        self.follow(|log| log.segments.read().unwrap().iter().map(|segment| segment.damaged_bytes()).sum())
    }

    pub fn segment_count(&self) -> usize {
        self.follow(|log| log.segments.read().unwrap().len())
    }

    pub fn is_deleted(&self) -> bool {
        self.in_force().is_gone()
    }

    /// Deleted, or moved to another data directory: in this one nothing is left of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// Sizes count from the next append on. Another durability takes effect with the flush that this asks for; a log
    /// that is to become durable is journaled from here on, so that nothing lies between its flush and its journal.
    pub fn reconfigure(&self, config: LogConfig) {
        let mut writer = self.writer.lock().unwrap();
        if let Some(next) = self.moved.get() {
            drop(writer);
            return next.reconfigure(config);
        }
        writer.config = config;
        let changes = writer.config.durability != writer.durability;
        let journaled = changes || writer.durability == Durability::Durable;
        self.journaled.store(journaled, Ordering::Relaxed);
        if journaled && !writer.journaled {
            self.join_journal(&mut writer);
        }
        writer.journaled = journaled;
        drop(writer);
        if changes {
            self.shared.mark_dirty(&self.me());
        }
    }

    /// The durability in force. A log is durable when everything that its readers see is.
    pub fn durability(&self) -> Durability {
        self.follow(|log| {
            let writer = log.writer.lock().unwrap();
            let settled = log.shared.progress.published() >= writer.durable_at;
            if settled { writer.durability } else { Durability::Relaxed }
        })
    }

    pub(crate) fn me(&self) -> Arc<Log> {
        self.me.upgrade().expect("whoever calls holds one")
    }

    pub(crate) fn check_readable(&self) -> Result<(), ReadError> {
        if self.is_gone() {
            return Err(ReadError::Deleted);
        }
        if self.shared.doubtful.load(Ordering::Relaxed) {
            let source =
                io::Error::other("what was recovered could not be flushed; repair the disk and restart");
            return Err(ReadError::Io { path: self.path.to_path_buf(), source });
        }
        Ok(())
    }

    pub(crate) fn bound(&self, bound: Bound) -> Mark {
        let marks = self.marks.lock().unwrap();
        match bound {
            Bound::HighWatermark | Bound::LastStable => marks.high,
            Bound::End => marks.end,
        }
    }

    /// Where an offset below the mark stands: at the batch that holds it, or at the next.
    pub(crate) fn place_of(&self, offset: Offset, below: Mark) -> Result<Mark, ReadError> {
        if offset >= below.offset {
            return Ok(below);
        }
        for segment in self.segments_between(offset, below) {
            let mut walk = segment.walk_from(offset, below.limit_in(&segment))?;
            while let Some((position, header)) = walk.next_header()? {
                if header.last_offset() >= offset {
                    return Ok(Mark { offset, segment: segment.base, position });
                }
            }
        }
        Ok(below)
    }

    /// The segments that may hold `from` and what follows it, as far as `to`.
    pub(crate) fn segments_between(&self, from: Offset, to: Mark) -> Vec<Arc<Segment>> {
        let segments = self.segments.read().unwrap();
        let first = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        segments[first..].iter().take_while(|segment| segment.base <= to.segment).cloned().collect()
    }
}

impl Mark {
    /// Where in `segment` a reader bounded by this mark has to stop. A mark at a segment's end that was taken before a
    /// compaction may lie beyond what that left.
    pub(crate) fn limit_in(&self, segment: &Segment) -> u64 {
        let bytes = segment.size_bytes();
        if segment.base < self.segment { bytes } else { self.position.min(bytes) }
    }
}

#[cfg(test)]
mod tests;
