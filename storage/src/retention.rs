//! Retention: the start of a log moves forth, by age, size or a client's wish, and the segments below it are removed.
//!
//! Two steps that a crash may part. First the start is raised: readers see that at once, the journal makes it last, and
//! nothing of it is ever taken back. Then segments that lie wholly below a start that is durable, and are settled, get
//! another suffix, and are unlinked `file.delete.delay.ms` later, or at the next start. Invariants: no start above the
//! high watermark; no file of a segment goes before the start above it is durable; plans that readers hold stay good,
//! since they hold the files. Recovery removes what it finds below the start (`remove_below`).
//!
//! The rules are those of Kafka 4.3.1's UnifiedLog. A segment is as old as its greatest timestamp says, or the last
//! change of its file if it has none, by the wall clock: one that jumps forth removes what its new time says is due. A
//! segment with a timestamp in the future stays until that has passed, and so does all behind it: Kafka refuses such
//! records when they are produced (`message.timestamp.after.max.ms`), and not here. Of a log that is not to be deleted
//! from, only what is below the start goes. This module must not know batches.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::env::{DirEntry, Files};
use crate::error::{ReadError, is_passing};
use crate::ids::{NO_TIMESTAMP, Offset, TimestampMs};
use crate::log::Log;
use crate::producer_state::snapshot::SNAPSHOT_SUFFIX;
use crate::quarantine::QUARANTINE_SUFFIX;
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, Segment, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, file_name};
use crate::shared::{Shared, Waiter};
use crate::ticket::{AppendError, Appended, Ticket};
use crate::writer::Writer;

/// Behind the name of a file that is to be unlinked, as in Kafka.
pub(crate) const DELETED_SUFFIX: &str = ".deleted";

/// Everything that belongs to a segment. The last are those of transactions and producers.
const SUFFIXES: [&str; 6] =
    [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, QUARANTINE_SUFFIX, TXN_INDEX_SUFFIX, SNAPSHOT_SUFFIX];

/// Why records are not deleted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRecordsError {
    /// POLICY_VIOLATION (44).
    #[error("the log is compacted: its records go when newer ones of their keys come")]
    NotByPolicy,
    /// OFFSET_OUT_OF_RANGE (1).
    #[error("offset {to} is not one from 0 to the high watermark, {high}")]
    OutOfRange { to: Offset, high: Offset },
    /// UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("the log was deleted")]
    Deleted,
}

/// The late answer of a deletion: where the log starts, once no crash can take that back.
#[derive(Clone, Debug)]
pub struct NewStart {
    ticket: Ticket,
}

impl NewStart {
    /// The answer, if it is known.
    pub fn peek(&self) -> Option<Result<Offset, AppendError>> {
        Some(self.ticket.peek()?.map(|at| at.base))
    }

    /// The answer, the calling thread sleeping until it is known. Not for threads that serve others.
    pub fn wait(self) -> Result<Offset, AppendError> {
        self.ticket.wait().map(|at| at.base)
    }
}

impl Future for NewStart {
    type Output = Result<Offset, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.ticket).poll(cx).map(|outcome| outcome.map(|at| at.base))
    }
}

/// Which starts of a log are durable. Only two that are not are remembered, so that one that moves all the time is known
/// to be durable somewhere.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    /// With this LSN the start as it is.
    last_lsn: u64,
    /// With this LSN an earlier one.
    noted: (u64, Offset),
    /// This one without any.
    durable: Offset,
}

impl Starts {
    /// The log starts at `start` from here on, which is durable with `lsn`; `published` is.
    fn raise(&mut self, start: Offset, lsn: u64, published: u64) {
        self.last_lsn = lsn;
        let (noted_lsn, noted) = self.noted;
        if noted_lsn <= published {
            self.durable = noted;
            self.noted = (lsn, start);
        }
    }

    /// The last start that is known to be durable; `start` is the one in force.
    fn durable(&self, start: Offset, published: u64) -> Offset {
        let (noted_lsn, noted) = self.noted;
        match published {
            p if p >= self.last_lsn => start,
            p if p >= noted_lsn => noted,
            _ => self.durable,
        }
    }
}

/// What retention asks of a segment.
struct Candidate {
    /// Where the next one begins, or the log ends.
    next: Offset,
    bytes: u64,
    is_active: bool,
}

/// What is due by which rule: each takes up where the one before ends.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Due {
    by_start: usize,
    by_size: usize,
    by_age: usize,
}

impl Due {
    fn count(self) -> usize {
        self.by_start + self.by_size + self.by_age
    }
}

/// The settings and the state of a log that count.
struct Limits {
    start: Offset,
    high: Offset,
    bytes: Option<u64>,
    age: Option<Duration>,
    now: TimestampMs,
}

impl Limits {
    fn is_too_old(&self, newest: TimestampMs) -> bool {
        let age = self.now.saturating_sub(newest);
        self.age.is_some_and(|most| u64::try_from(age).is_ok_and(|age| u128::from(age) > most.as_millis()))
    }

    /// How many of the first segments are due. `newest` tells the greatest time of one of them.
    fn due<E>(
        &self,
        segments: &[Candidate],
        mut newest: impl FnMut(usize) -> Result<Option<TimestampMs>, E>,
    ) -> Result<Due, E> {
        let mut due = Due::default();
        let below = |segment: &&Candidate| !segment.is_active && segment.next <= self.start;
        due.by_start = segments.iter().take_while(below).count();
        let may_go = |segment: &Candidate| {
            let is_new = segment.is_active && segment.bytes == 0;
            !is_new && segment.next <= self.high
        };
        let total: u64 = segments[due.by_start..].iter().map(|segment| segment.bytes).sum();
        if let Some(mut excess) = self.bytes.and_then(|most| total.checked_sub(most)) {
            for segment in segments[due.count()..].iter().take_while(|segment| may_go(segment)) {
                let Some(left) = excess.checked_sub(segment.bytes) else { break };
                excess = left;
                due.by_size += 1;
            }
        }
        while self.age.is_some()
            && let Some(segment) = segments.get(due.count()).filter(|segment| may_go(segment))
        {
            let Some(time) = newest(due.count())? else { break };
            if time > self.now {
                tracing::debug!(
                    next = segment.next.0,
                    time,
                    "a segment has times in the future and stays until they have passed"
                );
            }
            if !self.is_too_old(time) {
                break;
            }
            due.by_age += 1;
        }
        Ok(due)
    }
}

impl Log {
    /// Deletes the records below `to`, or below the high watermark: from here on they are not read, and the answer comes
    /// when that lasts, in either mode. Their files go with the next retention.
    pub fn delete_records(&self, to: Option<Offset>) -> Result<NewStart, DeleteRecordsError> {
        let mut writer = self.writer.lock().unwrap();
        if let Some(next) = self.moved.get() {
            drop(writer);
            return next.delete_records(to);
        }
        if self.is_gone() {
            return Err(DeleteRecordsError::Deleted);
        }
        let cleanup = writer.config.cleanup;
        if cleanup.compact && !cleanup.delete {
            return Err(DeleteRecordsError::NotByPolicy);
        }
        let high = self.high_watermark();
        let to = to.unwrap_or(high);
        if to < Offset(0) || to > high {
            return Err(DeleteRecordsError::OutOfRange { to, high });
        }
        if let Some(refusal) = self.shared.refusal() {
            return Ok(NewStart { ticket: Ticket::failed(refusal) });
        }
        self.raise_start(&mut writer, to);
        let start = self.start_offset();
        // Somebody else's raise to where it stands may still be on its way to the disk.
        let at = Appended { base: start, last: start, append_time: NO_TIMESTAMP };
        let progress = Arc::clone(&self.shared.progress);
        Ok(NewStart { ticket: Ticket::pending(progress, writer.starts.last_lsn, at) })
    }

    /// Moves the start forth, which is at most the high watermark; false if it is there already.
    fn raise_start(&self, writer: &mut Writer, to: Offset) -> bool {
        if to <= self.start_offset() {
            return false;
        }
        debug_assert!(to <= self.high_watermark(), "readers see nothing above the high watermark");
        self.set_start(to);
        self.epochs.lock().unwrap().cache.cut_start(to);
        let lsn = self.note_start(writer, to);
        writer.starts.raise(to, lsn, self.shared.progress.published());
        true
    }

    /// Raises the start above what is due; the LSN with which that is durable, if anything is.
    fn expire(&self) -> Result<Option<u64>, ReadError> {
        if self.is_gone() || self.shared.refusal().is_some() {
            return Ok(None);
        }
        let config = self.writer.lock().unwrap().config.clone();
        let (segments, high, end) = {
            let segments = self.segments.read().unwrap().clone();
            (segments, self.high_watermark(), self.end_offset())
        };
        let is_deleted = config.cleanup.delete;
        let limits = Limits {
            start: self.start_offset(),
            high,
            bytes: config.retention_bytes.filter(|_| is_deleted),
            age: config.retention.filter(|_| is_deleted),
            now: self.shared.env.clock.now_ms(),
        };
        let candidate = |(place, segment): (usize, &Arc<Segment>)| Candidate {
            next: segments.get(place + 1).map_or(end, |next| next.base),
            bytes: segment.size_bytes(),
            is_active: place + 1 == segments.len(),
        };
        let candidates: Vec<Candidate> = segments.iter().enumerate().map(candidate).collect();
        let files = &*self.shared.env.files;
        let due = limits.due(&candidates, |place| {
            let segment = &segments[place];
            let claimed = newest(files, segment)?;
            if candidates[place].is_active || !claimed.is_some_and(|time| limits.is_too_old(time)) {
                return Ok(claimed);
            }
            // By that it goes, and for good. What an active one holds was noted when it was written or recovered.
            segment.complete_times()?;
            newest(files, segment)
        })?;
        if due.by_size + due.by_age == 0 {
            return Ok(None);
        }
        let mut writer = self.writer.lock().unwrap();
        if self.is_gone() {
            return Ok(None);
        }
        let to = match segments.get(due.count()) {
            Some(first_kept) => first_kept.base,
            // All that there is goes: what comes next goes into a segment of its own.
            None if writer.end() == end => self.roll(&mut writer).map_err(ReadError::io(&self.path))?.base,
            None => return Ok(None),
        };
        let raised = self.raise_start(&mut writer, to).then_some(writer.starts.last_lsn);
        drop(writer);
        if raised.is_some() {
            let (log, start) = (self.dir_name(), to.0);
            tracing::info!(
                log,
                start,
                by_age = due.by_age,
                by_size = due.by_size,
                "retention: the log starts later"
            );
        }
        Ok(raised)
    }

    /// How many of the first segments lie wholly below a start that is durable.
    fn doomed_segment_count(&self) -> usize {
        let start = {
            let writer = self.writer.lock().unwrap();
            writer.starts.durable(self.start_offset(), self.shared.progress.published())
        };
        let segments = self.segments.read().unwrap();
        segments.windows(2).take_while(|pair| pair[1].base <= start).count()
    }

    /// Removes the segments below the start; false if there are some that are not settled yet.
    fn remove_doomed(&self) -> bool {
        if self.doomed_segment_count() == 0 {
            return true;
        }
        // No checkpoint, no deletion of the log and no flush meanwhile: they go by the files' names.
        let _cycle = self.shared.cycle();
        let _all = self.shared.flushing.read().unwrap();
        let _flushing = self.flushing.lock().unwrap();
        if self.is_gone() || self.shared.is_offline() {
            return true;
        }
        let doomed = self.doomed_segment_count();
        let count = doomed.min(self.settled_segment_count());
        let removed: Vec<_> = self.segments.write().unwrap().drain(..count).collect();
        let delay = self.writer.lock().unwrap().config.file_delete_delay;
        for segment in &removed {
            self.shared.unlink_later(segment, delay);
        }
        let bytes = removed.iter().map(|segment| segment.size_bytes()).sum();
        let counts = &self.shared.counts;
        counts.removed_segments.fetch_add(count as u64, Ordering::Relaxed);
        counts.removed_bytes.fetch_add(bytes, Ordering::Relaxed);
        if count > 0 {
            tracing::info!(
                log = self.dir_name(),
                segments = count,
                bytes,
                "segments below the start are removed"
            );
        }
        count == doomed
    }
}

/// The greatest time of a segment, as retention counts it. `None` if nothing tells: then it stays.
fn newest(files: &dyn Files, segment: &Segment) -> Result<Option<TimestampMs>, ReadError> {
    let max = segment.max_timestamp()?.timestamp;
    if max >= 0 {
        return Ok(Some(max));
    }
    let path = segment.path(LOG_SUFFIX);
    match files.modified_ms(&path) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        modified => modified.map(Some).map_err(ReadError::io(&path)),
    }
}

impl Shared {
    /// Raises the starts of all logs above what is due. The LSN with which all of that is durable, 0 if nothing was.
    pub(crate) fn expire_all(&self) -> u64 {
        let mut last = 0;
        for log in self.open_logs() {
            match log.expire() {
                Ok(lsn) => last = last.max(lsn.unwrap_or(0)),
                // It may have been deleted meanwhile.
                Err(_) if log.is_gone() => {}
                Err(ReadError::Io { source, .. }) if is_passing(&source) => {
                    self.say_no_room("no room for retention: logs stay as long as they are");
                }
                Err(error) => tracing::warn!(log = log.dir_name(), %error, "retention leaves a log alone"),
            }
        }
        last
    }

    /// Removes the segments below the starts; false if some have to be settled first, by checkpoints.
    pub(crate) fn remove_doomed(&self) -> bool {
        let logs = self.open_logs();
        let done = logs.iter().filter(|log| log.remove_doomed()).count();
        done == logs.len()
    }

    /// Renames the files of a segment, and unlinks them after `delay`. What cannot be renamed stays until the next start.
    fn unlink_later(&self, segment: &Segment, delay: Duration) {
        let mut doomed = Vec::new();
        for suffix in SUFFIXES {
            let path = segment.path(suffix);
            match mark_deleted(&*self.env.files, &path) {
                Ok(renamed) => doomed.extend(renamed),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a removed file stays until the next start");
                }
            }
        }
        self.doom(doomed, delay);
    }

    /// Unlinks files that are marked as deleted, after `delay`.
    pub(crate) fn doom(&self, files: Vec<PathBuf>, delay: Duration) {
        let at = self.env.clock.monotonic().saturating_add(delay);
        self.queues
            .change(Waiter::Sweeper, |queues| queues.doomed.extend(files.into_iter().map(|path| (at, path))));
    }

    /// Unlinks the files whose time has come.
    pub(crate) fn unlink_due(&self) {
        let now = self.env.clock.monotonic();
        let due: Vec<_> = self.queues.lock().doomed.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, path) in due {
            match self.env.files.remove_file(&path) {
                // The log was deleted with all that was in its directory.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a removed file stays until the next start");
                }
                Ok(()) => {}
            }
        }
    }

    /// How long until the next of them is due.
    pub(crate) fn next_unlink_in(&self) -> Option<Duration> {
        let now = self.env.clock.monotonic();
        self.queues.lock().doomed.iter().map(|(at, _)| at.saturating_sub(now)).min()
    }
}

/// Gives a file the name of one that is to be unlinked; `None` if there is none. A start unlinks what it finds of these
/// (`compact::swap::finish`).
pub(crate) fn mark_deleted(files: &dyn Files, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut to = path.as_os_str().to_owned();
    to.push(DELETED_SUFFIX);
    match files.rename(path, to.as_ref()) {
        Ok(()) => Ok(Some(to.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opening a log: unlinks the segments that lie wholly below its start, which is durable, and gives those that are left.
/// Whatever a crash left of a removal, and in whichever order, is no gap in the log.
pub(crate) fn remove_below(
    files: &dyn Files,
    dir: &Path,
    names: &[DirEntry],
    logs: Vec<(Offset, u64)>,
    start: Offset,
) -> io::Result<Vec<(Offset, u64)>> {
    let below = logs.windows(2).take_while(|pair| pair[1].0 <= start).count();
    for (base, _) in &logs[..below] {
        // The batches go last: without them the rest would be nobody's.
        for suffix in SUFFIXES.iter().rev() {
            let name = file_name(*base, suffix);
            if names.iter().any(|entry| entry.name == name) {
                files.remove_file(&dir.join(name))?;
            }
        }
    }
    Ok(logs[below..].to_vec())
}

#[cfg(test)]
mod tests;
