//! Compaction: of each key the last record stays.
//!
//! A pass over one log reads what no pass has seen into a table of keys with their last offsets, then writes the log's
//! settled segments anew without what that table makes superfluous, several small ones into one, and puts them in the
//! place of the old. The way is Kafka's: `choose` which log, `key_table`, `filter`, `rewrite`, `swap`; `clean_offsets`
//! says up to where each log is clean, `producers` and `transactions` what must stay for their sake.
//! Invariants: offsets, their order, and where segments meet never change; readers are not disturbed; what cannot be read
//! is never copied, its log is set aside until a restart, and the others go on; memory is bounded by the settings. It
//! must not know topics or any API.

mod choose;
pub(crate) mod clean_offsets;
mod filter;
mod key_table;
mod pace;
mod producers;
mod read;
mod record_view;
mod rewrite;
pub(crate) mod swap;
mod transactions;
pub(crate) mod trial;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::config::Durability;
use crate::data_dir::Flushing;
use crate::env::Files;
use crate::error::{ReadError, is_passing};
use crate::ids::{LogId, Offset, TimestampMs};
use crate::log::Log;
use crate::shared::{Shared, Waiter};

use self::choose::Candidate;
use self::clean_offsets::CleanOffsets;
use self::filter::{Builder, Filter, Rules};
use self::key_table::KeyTable;
use self::pace::Pace;
use self::producers::Producers;
use self::read::BatchReader;

/// Kafka's `log.cleaner.*`, of one data directory.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanerOptions {
    /// Whether the directory's thread cleans at all.
    pub is_enabled: bool,
    /// The most memory that the table of keys may take (`log.cleaner.dedupe.buffer.size`).
    pub key_table_bytes_max: u64,
    /// How much of the table may be in use (`log.cleaner.io.buffer.load.factor`).
    pub key_table_load: f64,
    /// For reading and writing together (`log.cleaner.io.buffer.size`); a larger batch takes more for its time.
    pub buffer_bytes: usize,
    /// Reads and writes together (`log.cleaner.io.max.bytes.per.second`).
    pub bytes_per_second_max: f64,
    /// How long to wait when there is nothing to clean (`log.cleaner.backoff.ms`).
    pub backoff: Duration,
}

impl Default for CleanerOptions {
    fn default() -> CleanerOptions {
        CleanerOptions {
            is_enabled: true,
            key_table_bytes_max: 128 << 20,
            key_table_load: 0.9,
            buffer_bytes: 512 << 10,
            bytes_per_second_max: f64::MAX,
            backoff: Duration::from_secs(15),
        }
    }
}

/// What the compaction of a data directory has done and found.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanerStats {
    /// Passes that were finished.
    pub passes: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// The time that passes took.
    pub busy: Duration,
    /// Logs that are not cleaned until a restart.
    pub uncleanable_logs: u64,
    /// What of them would be.
    pub uncleanable_bytes: u64,
    /// The share of what could be cleaned, of the filthiest log when it was last looked.
    pub dirty_percent_max: u64,
    /// Since it was last looked what is to be cleaned.
    pub since_last_run: Duration,
}

/// Why a pass was given up. The log is as it was, but for the groups that were done.
#[derive(Debug)]
pub(crate) enum Abandoned {
    /// Something in it is damaged.
    Uncleanable(String),
    /// The log is deleted, or is not to be compacted any more, or its segments have changed.
    Gone,
    /// The directory is closing.
    Stopped,
    NoRoom,
    /// The directory takes no more writes.
    Broken(&'static str, io::Error),
}

impl Abandoned {
    fn uncleanable(path: &Path, position: u64, what: impl std::fmt::Display) -> Abandoned {
        Abandoned::Uncleanable(format!("{} at {position}: {what}", path.display()))
    }
}

impl From<ReadError> for Abandoned {
    fn from(error: ReadError) -> Abandoned {
        match error {
            ReadError::Deleted => Abandoned::Gone,
            other => Abandoned::Uncleanable(other.to_string()),
        }
    }
}

/// The compaction's part of a data directory.
pub(crate) struct Cleaner {
    /// A pass keeps to those that it began with.
    options: Mutex<Arc<CleanerOptions>>,
    /// Nobody calls for passes but a thread of the directory's own.
    has_thread: bool,
    /// Held during a pass, outside of every other lock.
    pass: Mutex<()>,
    state: Mutex<State>,
}

struct State {
    clean: CleanOffsets,
    uncleanable: BTreeMap<LogId, u64>,
    stats: CleanerStats,
    last_run: Duration,
}

impl Cleaner {
    pub(crate) fn new(
        options: CleanerOptions,
        flushing: Flushing,
        files: &dyn Files,
        dir: &Path,
        now: Duration,
    ) -> Cleaner {
        let state = State {
            clean: CleanOffsets::load(files, dir),
            uncleanable: BTreeMap::new(),
            stats: CleanerStats::default(),
            last_run: now,
        };
        let has_thread = flushing == Flushing::Thread;
        let options = Mutex::new(Arc::new(options));
        Cleaner { options, has_thread, pass: Mutex::default(), state: Mutex::new(state) }
    }
}

impl Cleaner {
    fn options(&self) -> Arc<CleanerOptions> {
        self.options.lock().unwrap().clone()
    }
}

/// Which buffer of reading and writing is whose.
const BUFFERS: usize = 2;

impl Shared {
    /// Cleans every log that is due, the filthiest first; how many passes were finished.
    pub(crate) fn clean(&self) -> usize {
        let _pass = self.cleaner.pass.lock().unwrap();
        let (mut finished, mut has_asked) = (0, 0);
        while !self.is_offline() {
            let (due, wants_checkpoint) = self.filthiest();
            if wants_checkpoint && has_asked < CHECKPOINTS_MAX {
                // A segment is settled two checkpoints after it was rolled.
                has_asked += 1;
                if self.checkpoint_cycle() {
                    continue;
                }
            }
            let Some(candidate) = due else { break };
            let Err(abandoned) = self.clean_log(&candidate) else {
                finished += 1;
                continue;
            };
            // Who deletes a log renames its directory first; it is deleted for sure when `cycle` is free.
            drop(self.cycle());
            match abandoned {
                _ if candidate.log.is_gone() => {}
                Abandoned::Gone => {}
                Abandoned::Uncleanable(what) => {
                    self.set_aside(&candidate.log, candidate.cleanable_bytes, &what);
                }
                Abandoned::Stopped => break,
                Abandoned::NoRoom => {
                    self.say_no_room("no room to compact a log: it stays as it is");
                    break;
                }
                Abandoned::Broken(what, error) => self.go_offline(what, &error),
            }
        }
        finished
    }

    /// The filthiest log that is due, and whether a checkpoint would let more be done.
    fn filthiest(&self) -> (Option<Candidate>, bool) {
        let now = self.env.clock.now_ms();
        let logs = self.open_logs();
        let (mut filthiest, mut wants_checkpoint, mut dirty_percent_max) = (None::<Candidate>, false, 0);
        for log in logs.into_iter().filter(|log| log.config().cleanup.compact && !log.is_gone()) {
            let clean = {
                let mut state = self.cleaner.state.lock().unwrap();
                if state.uncleanable.contains_key(&log.id()) {
                    continue;
                }
                state.clean.of(log.id(), log.dir_name())
            };
            let candidate = match Candidate::of(&log, clean, now) {
                Ok(Some(candidate)) => candidate,
                Ok(None) | Err(ReadError::Deleted) => continue,
                Err(error) => {
                    drop(self.cycle());
                    if !log.is_gone() {
                        self.set_aside(&log, 0, &error.to_string());
                    }
                    continue;
                }
            };
            wants_checkpoint |= candidate.wants_checkpoint;
            dirty_percent_max = dirty_percent_max.max((candidate.share * 100.0) as u64);
            let is_filthier = |other: &Candidate| candidate.dirty_ratio() > other.dirty_ratio();
            if candidate.is_due() && filthiest.as_ref().is_none_or(is_filthier) {
                filthiest = Some(candidate);
            }
        }
        let mut state = self.cleaner.state.lock().unwrap();
        state.stats.dirty_percent_max = dirty_percent_max;
        state.last_run = self.env.clock.monotonic();
        (filthiest, wants_checkpoint)
    }

    /// One pass over one log.
    fn clean_log(&self, candidate: &Candidate) -> Result<(), Abandoned> {
        let (options, log) = (self.cleaner.options(), &candidate.log);
        let has_thread = self.cleaner.has_thread;
        let mut pace = Pace::new(self, log, options.bytes_per_second_max, has_thread);
        let result = self.clean_segments(candidate, &mut pace);
        let mut state = self.cleaner.state.lock().unwrap();
        let stats = &mut state.stats;
        stats.read_bytes += pace.read_bytes;
        stats.written_bytes += pace.written_bytes;
        stats.busy += pace.elapsed();
        let end = result?;
        stats.passes += 1;
        state.clean.set(log.id(), log.dir_name(), end);
        tracing::debug!(
            log = log.dir_name(),
            from = candidate.first_dirty.0,
            to = end.0,
            read_bytes = pace.read_bytes,
            written_bytes = pace.written_bytes,
            "compacted"
        );
        self.save_clean_offsets(&state.clean);
        Ok(())
    }

    /// Up to where the log is clean now.
    fn clean_segments(&self, candidate: &Candidate, pace: &mut Pace<'_>) -> Result<Offset, Abandoned> {
        let (options, log, now) = (self.cleaner.options(), &candidate.log, self.env.clock.now_ms());
        let buffer_bytes = options.buffer_bytes / BUFFERS;
        if log.durability() == Durability::Relaxed {
            // The end of a transaction decides what stays of it, and must not be lost where that is not.
            let _flushing = self.flushing.read().unwrap();
            log.flush().map_err(|error| match is_passing(&error) {
                true => Abandoned::NoRoom,
                false => Abandoned::Broken("flushing a log before its compaction", error),
            })?;
        }
        let read = |pace: &mut Pace<'_>| {
            read::verify(&candidate.segments, pace)?;
            Producers::of(log)
        };
        let producers = read(pace).map_err(|abandoned| {
            // Files that cannot be opened may have gone for their age; who removes segments holds `cycle`.
            drop(self.cycle());
            if swap::place_of(log, &candidate.segments).is_none() { Abandoned::Gone } else { abandoned }
        })?;
        let (table, table_end) = self.read_keys(candidate, &producers, buffer_bytes, pace)?;
        let config = log.config();
        let mut filter = Filter::new(Rules {
            table: &table,
            table_end,
            producers: &producers,
            now,
            delete_retention_ms: saturating_ms(config.delete_retention),
            batch_bytes_max: config.message_bytes_max,
        });
        let to_clean = candidate.segments.partition_point(|segment| segment.base < table_end);
        let end = candidate.segments.get(to_clean).map_or(candidate.end, |next| next.base);
        let groups = rewrite::groups(&candidate.segments[..to_clean], &config, end);
        for (place, group) in groups.iter().enumerate() {
            let group_end = groups.get(place + 1).map_or(end, |next| next[0].base);
            let rewritten = rewrite::rewrite(log, group, &mut filter, buffer_bytes, pace)?;
            let replaced = swap::swap(log, group, group_end, rewritten)?;
            self.doom(replaced, config.file_delete_delay);
        }
        Ok(table_end)
    }

    /// The keys of what no pass has seen, as many as there is memory for, and behind which offset they end.
    fn read_keys(
        &self,
        candidate: &Candidate,
        producers: &Producers,
        buffer_bytes: usize,
        pace: &mut Pace<'_>,
    ) -> Result<(KeyTable, Offset), Abandoned> {
        let options = self.cleaner.options();
        let keys = (candidate.end.0 - candidate.first_dirty.0).max(1) as u64;
        let (bytes_max, load) = (options.key_table_bytes_max, options.key_table_load);
        let table = KeyTable::new(bytes_max, load, keys, &*self.env.random).map_err(|_| Abandoned::NoRoom)?;
        let mut builder = Builder::new(table, producers, candidate.first_dirty);
        let first = candidate.segments.partition_point(|segment| segment.base <= candidate.first_dirty);
        for segment in &candidate.segments[first.saturating_sub(1)..] {
            let mut reader = BatchReader::new(segment, candidate.first_dirty, buffer_bytes)?;
            while let Some(found) = reader.next(pace)? {
                let added = builder.add(&found.header, found.bytes);
                if !added.map_err(|error| {
                    let what = format!("the batch of offset {}: {error}", found.header.base_offset);
                    Abandoned::Uncleanable(what)
                })? {
                    return Ok((builder.table, builder.end));
                }
            }
        }
        Ok((builder.table, candidate.end))
    }

    fn set_aside(&self, log: &Log, cleanable_bytes: u64, what: &str) {
        tracing::error!(
            log = log.dir_name(),
            what,
            "a log cannot be compacted and is set aside until the next start; the others go on. It is read and written \
             as before; check the disk, and the log with `ottla log verify`"
        );
        let mut state = self.cleaner.state.lock().unwrap();
        state.uncleanable.insert(log.id(), cleanable_bytes);
    }

    /// A log is deleted: another of its name begins anew.
    pub(crate) fn forget_clean_offset(&self, log: &Log) {
        let mut state = self.cleaner.state.lock().unwrap();
        state.uncleanable.remove(&log.id());
        if state.clean.forget(log.dir_name()) {
            self.save_clean_offsets(&state.clean);
        }
    }

    /// What is lost with the file is a pass.
    fn save_clean_offsets(&self, clean: &CleanOffsets) {
        if let Err(error) = clean.save(&*self.env.files, &self.path) {
            tracing::warn!(path = %self.path.display(), %error, "up to where logs are compacted was not written: a start does it again");
        }
    }

    /// How long the directory's thread may sleep until it looks again.
    pub(crate) fn next_clean_in(&self) -> Duration {
        self.cleaner.options().backoff
    }

    /// From the next pass on.
    pub(crate) fn reconfigure_cleaner(&self, options: CleanerOptions) {
        *self.cleaner.options.lock().unwrap() = Arc::new(options);
        self.queues.change(Waiter::Cleaner, |queues| queues.cleaner_changed = true);
    }

    pub(crate) fn cleans_by_itself(&self) -> bool {
        self.cleaner.options().is_enabled
    }

    pub(crate) fn cleaner_stats(&self) -> CleanerStats {
        let now = self.env.clock.monotonic();
        let state = self.cleaner.state.lock().unwrap();
        CleanerStats {
            uncleanable_logs: state.uncleanable.len() as u64,
            uncleanable_bytes: state.uncleanable.values().sum(),
            since_last_run: now.saturating_sub(state.last_run),
            ..state.stats
        }
    }
}

/// So many checkpoints in a row settle everything that was rolled before.
const CHECKPOINTS_MAX: usize = 2;

impl Log {
    pub(crate) fn config(&self) -> crate::config::LogConfig {
        self.writer.lock().unwrap().config.clone()
    }
}

/// Milliseconds as timestamps count them.
fn saturating_ms(duration: Duration) -> TimestampMs {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
