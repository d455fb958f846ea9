//! What a log has to hold: the plain model beside the real one.
//!
//! A batch enters when its place in the log is known. `promised` is what nothing may ever take again, `kept` what only a
//! power cut may. It must not know the disk.

pub(crate) mod batch;
pub(crate) mod producers;
mod reading;

use std::collections::{BTreeMap, VecDeque};

use storage::{
    AppendError, Bound, Cleanup, Durability, Log, LogConfig, NewStart, Offset, Ticket, TimestampMs,
};

pub(crate) use batch::Batch;
use producers::Verdict;
use reading::{Reader, batch_at};

/// An append that was sent and has no place yet.
struct Sent {
    ticket: Ticket,
    batch: Batch,
}

/// An append that waits for its answer.
struct Waiting {
    ticket: Ticket,
    base: i64,
    /// Its answer promises that the record survives a power cut.
    durable: bool,
}

#[derive(Default)]
pub(crate) struct Model {
    /// Everything that is in the log or was, below its start.
    batches: BTreeMap<i64, Batch>,
    pub(crate) end: i64,
    promised: i64,
    kept: i64,
    /// Where the log starts.
    pub(crate) start: i64,
    start_promised: i64,
    starts: Vec<NewStart>,
    last_stable: i64,
    sent: VecDeque<Sent>,
    waiting: Vec<Waiting>,
    /// Appends of which nobody knows whether they are in the log, since the directory failed with them.
    ghosts: Vec<Batch>,
    /// Where the polling reader goes on.
    reader: i64,
    committed: Reader,
    /// It is or was to be compacted.
    is_compacted: bool,
    /// The least that its tombstones ever had.
    delete_retention_ms_min: i64,
    was_restarted: bool,
    pub(crate) seen: SeenInLogs,
}

/// How often what the model is for happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SeenInLogs {
    /// The start was raised, as a start of the process found it.
    starts: u64,
    /// Tombstones that a compaction took away, each as often as it was missed.
    spent_tombstones: u64,
    /// A producer's batch was answered with its place in the log.
    repeats: u64,
    /// A producer's batch was in the log and not remembered.
    forgotten: u64,
    /// Batches of aborted transactions that a reader kept back.
    aborted: u64,
}

impl SeenInLogs {
    pub(crate) fn add(&mut self, other: &SeenInLogs) {
        self.starts += other.starts;
        self.spent_tombstones += other.spent_tombstones;
        self.repeats += other.repeats;
        self.forgotten += other.forgotten;
        self.aborted += other.aborted;
    }

    /// All that has to happen did. What is forgotten need not be.
    pub(crate) fn is_everything(&self) -> bool {
        [self.starts, self.spent_tombstones, self.repeats, self.aborted].iter().all(|count| *count > 0)
    }
}

impl Model {
    pub(crate) fn new(config: &LogConfig) -> Model {
        let mut model = Model { delete_retention_ms_min: i64::MAX, ..Model::default() };
        model.configured(config);
        model
    }

    pub(crate) fn configured(&mut self, config: &LogConfig) {
        let Cleanup { compact, .. } = config.cleanup;
        self.is_compacted |= compact;
        if compact {
            let ms = config.delete_retention.as_millis() as i64;
            self.delete_retention_ms_min = self.delete_retention_ms_min.min(ms);
        }
    }

    pub(crate) fn sent(&mut self, ticket: Ticket, batch: Batch) {
        self.sent.push_back(Sent { ticket, batch });
    }

    pub(crate) fn start_asked(&mut self, start: NewStart) {
        self.starts.push(start);
    }

    /// Takes over what has found its place, and answers that have come. `force` asks for a flush of each.
    pub(crate) fn settle(&mut self, log: &Log, force: bool) {
        while self.sent.front().is_some_and(|sent| sent.ticket.is_placed()) {
            let sent = self.sent.pop_front().expect("it was looked at just now");
            self.place(log, sent, force);
        }
        let (promised, kept) = (&mut self.promised, &mut self.kept);
        self.waiting.retain(|Waiting { ticket, base, durable }| match ticket.peek() {
            Some(Ok(appended)) => {
                assert_eq!(appended.base.0, *base, "the answer names the batch's place");
                let end = appended.last.0 + 1;
                *kept = (*kept).max(end);
                if *durable {
                    *promised = (*promised).max(end);
                }
                false
            }
            Some(Err(AppendError::Offline { .. } | AppendError::Closed)) => false,
            Some(Err(error)) => panic!("an append that was taken fails with {error}"),
            None => true,
        });
        let start_promised = &mut self.start_promised;
        self.starts.retain(|start| match start.peek() {
            Some(Ok(start)) => {
                *start_promised = (*start_promised).max(start.0);
                false
            }
            Some(Err(_)) => false,
            None => true,
        });
        self.see_start(log);
        if self.sent.is_empty() && self.ghosts.is_empty() {
            assert_eq!(log.end_offset().0, self.end, "nothing else is in the log");
        }
    }

    fn place(&mut self, log: &Log, Sent { ticket, batch }: Sent, force: bool) {
        let allowed = self.judge(&batch);
        let refused = match ticket.peek() {
            Some(Err(AppendError::NoSpace | AppendError::Deleted)) => return,
            Some(Err(AppendError::OutOfOrderSequence { .. })) => Some(Verdict::OutOfOrder),
            Some(Err(AppendError::InvalidProducerEpoch { .. })) => Some(Verdict::Stale),
            _ => None,
        };
        if let Some(refused) = refused {
            assert!(allowed.contains(&refused), "{:?} may be {allowed:?}, not {refused:?}", batch.header);
            self.seen.forgotten += u64::from(refused != allowed[0]);
            return;
        }
        if !self.ghosts.is_empty() {
            return self.ghosts.push(batch);
        }
        let is_longer = self.end + batch.count() <= log.end_offset().0;
        let is_ambiguous = allowed.len() > 1 && is_longer;
        // One that failed when it stood in the log already is as good as any that waits.
        let is_there = match allowed.contains(&Verdict::Append) {
            true if is_ambiguous => match batch_at(log, self.end) {
                Some(found) => batch.is(&found.bytes),
                None => return self.ghosts.push(batch),
            },
            true => is_longer,
            false => false,
        };
        let repeated = allowed.iter().find_map(|verdict| match verdict {
            Verdict::Repeats(base) if !is_there => Some(*base),
            _ => None,
        });
        match (ticket.peek(), repeated) {
            (Some(Err(AppendError::Offline { .. } | AppendError::Closed)), _) if !is_there => {
                return self.ghosts.push(batch);
            }
            (Some(Err(error)), _) if !is_there => panic!("an append fails with {error}"),
            (_, Some(base)) => {
                self.seen.repeats += 1;
                return self.wait(log, ticket, base, force);
            }
            _ => {}
        }
        assert!(is_there, "{:?} has a place and is in the log, since it may be {allowed:?}", batch.header);
        let base = self.end;
        self.insert(batch);
        self.wait(log, ticket, base, force);
    }

    fn insert(&mut self, batch: Batch) {
        let base = self.end;
        self.end += batch.count();
        self.batches.insert(base, batch);
    }

    fn wait(&mut self, log: &Log, ticket: Ticket, base: i64, force: bool) {
        let durable = log.durability() == Durability::Durable;
        let ticket = if force { log.flushed(ticket) } else { ticket };
        self.waiting.push(Waiting { ticket, base, durable: durable || force });
    }

    /// The start never goes back while the log is open, and never lies above what readers see.
    pub(crate) fn see_start(&mut self, log: &Log) {
        let start = log.start_offset().0;
        assert!(start >= self.start, "the start goes back from {} to {start}", self.start);
        assert!(start <= log.high_watermark().0);
        self.start = start;
    }

    /// Every append has its place and its answer.
    pub(crate) fn is_settled(&self) -> bool {
        self.sent.is_empty() && self.waiting.is_empty() && self.starts.is_empty()
    }

    /// The log was closed in order.
    pub(crate) fn closed(&mut self) {
        self.promised = self.end;
        self.start_promised = self.start;
    }

    /// The power was cut.
    pub(crate) fn cut(&mut self) {
        self.kept = self.promised;
    }

    /// The process is gone: what nobody placed is not in the log, or it is one of the ghosts.
    pub(crate) fn left(&mut self) {
        self.ghosts.extend(self.sent.drain(..).map(|sent| sent.batch));
        self.waiting.clear();
        self.starts.clear();
    }

    /// Compares a log after a restart with what was promised, and takes over what is left.
    pub(crate) fn survived(&mut self, name: &str, log: &Log, now: TimestampMs) {
        let (start, end) = (log.start_offset(), log.end_offset());
        for ghost in std::mem::take(&mut self.ghosts) {
            if self.end < end.0 && batch_at(log, self.end).is_some_and(|found| ghost.is(&found.bytes)) {
                self.insert(ghost);
            }
        }
        assert!(
            end.0 >= self.promised.max(self.kept) && end.0 <= self.end,
            "{name}: promised up to {}, kept up to {}, appended up to {}, found {end}",
            self.promised,
            self.kept,
            self.end
        );
        let (least, most) = (self.start_promised, self.start);
        assert!(
            start.0 >= least && start.0 <= most && start <= end,
            "{name}: the start was promised to be {least}, was {most}, and is {start}"
        );
        assert_eq!(log.high_watermark(), end);
        self.batches.retain(|base, batch| base + batch.count() <= end.0);
        let last = self.batches.last_key_value().map_or(0, |(base, batch)| base + batch.count());
        // The end of a log that lost its tail is not below its start.
        assert!(last == end.0 || start == end, "{name}: a batch is cut at {end}");
        if start.0 < self.start {
            // It may have passed by what is there again.
            self.committed = Reader::default();
        }
        (self.end, self.kept, self.start) = (end.0, end.0, start.0);
        self.reader = self.reader.min(end.0);
        self.was_restarted = true;
        self.seen.starts += u64::from(start.0 > 0);
        self.assert_none_doubled(name);
        self.compare(log, Bound::End, end, now);
        self.last_stable = 0;
        self.check_last_stable(log);
        self.committed.cut(self.last_stable);
        // Recovery makes everything last that it serves.
        (self.promised, self.start_promised) = (end.0, start.0);
    }

    /// Everything readable is what was appended. On a durable log it is promised from now on.
    pub(crate) fn check(&mut self, log: &Log, now: TimestampMs) {
        self.see_start(log);
        let high_watermark = log.high_watermark();
        self.compare(log, Bound::HighWatermark, high_watermark, now);
        self.check_last_stable(log);
        self.saw(log, high_watermark);
    }

    fn check_last_stable(&mut self, log: &Log) {
        let (stable, (least, most)) = (log.last_stable().0, self.last_stable(log.high_watermark().0));
        assert!(
            least <= stable && stable <= most,
            "the last stable offset is {stable}, not {least} to {most}, from {}, of {:?}",
            self.start,
            self.transactions()
        );
        assert!(stable >= self.last_stable, "the last stable offset goes back");
        self.last_stable = stable;
    }

    fn saw(&mut self, log: &Log, to: Offset) {
        if log.durability() == Durability::Durable {
            self.promised = self.promised.max(to.0);
        }
    }

    /// Retention has raised the start from `from` by the one limit that there is, and by no more than is due.
    pub(crate) fn check_retained(&self, from: i64, config: &LogConfig, now: TimestampMs) {
        if self.start == from || self.is_compacted {
            return;
        }
        let gone = self.batches.range(from..self.start).map(|(_, batch)| batch);
        match (config.retention, config.retention_bytes) {
            (Some(age), None) => {
                let newest = gone.map(|batch| batch.header.max_timestamp).max().unwrap_or(0);
                assert!(newest + (age.as_millis() as i64) < now, "what is too young is removed");
            }
            (None, Some(bytes_max)) => {
                let left =
                    self.batches.range(self.start..).map(|(_, batch)| batch.bytes.len() as u64).sum::<u64>();
                assert!(left >= bytes_max, "{left} of {bytes_max} bytes are left");
            }
            (Some(_), Some(_)) => {}
            (None, None) => panic!("nothing is to be removed"),
        }
    }
}
