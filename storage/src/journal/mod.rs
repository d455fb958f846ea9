//! The journal: what makes appends durable, at a cost that follows bytes and not the number of logs.
//!
//! An append that was written to its segment is queued here, inside the log's critical section, as a physical record;
//! whatever gathered while the last commits were under way becomes the next. At most two commits are in flight, and
//! they are released in their order: high watermarks rise, then tickets resolve. Invariants: a record's LSN is issued
//! only after its bytes stand in the segment, so that a flush of the segments covers every LSN issued before it; what is
//! released is the contiguous first part. It must not know batches, nor topics by name.

mod gather;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod ring;
pub(crate) mod scan;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::env::{AlignedBuf, File, Files};
use crate::log::Log;
use crate::segment::Mark;
pub(crate) use gather::RaiseSlot;
use gather::{Gathered, Payload};
use record::{BLOCK_BYTES, COMMIT_HEADER_BYTES, CommitHeader, Key, Op, RECORD_HEADER_BYTES};
pub(crate) use ring::Position;
use ring::{Place, Ring};

pub(crate) const DIR_NAME: &str = "journal";
/// A journal's first file: small, because a first start waits for it.
const FIRST_FILE_BYTES: u64 = 4 << 20;
const COMMITS_IN_FLIGHT_MAX: usize = 2;
/// Gathered and not yet begun; above it, appends wait.
const GATHERED_BYTES_MAX: usize = 8 << 20;
/// Buffers kept for the next commits.
const SPARE_BUFFERS_MAX: usize = 3;
/// A journal that fills up again within this time is too small.
const GROW_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// The settings of a data directory's journal.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// The most that its files may take (`journal.bytes.max`).
    pub bytes_max: u64,
    /// The size of one file.
    pub file_bytes: u64,
    /// The most that one write to the disk carries.
    pub commit_bytes_max: usize,
    /// Past the page cache, where the file system allows it (`journal.direct`).
    pub direct: bool,
}

impl Default for JournalOptions {
    fn default() -> JournalOptions {
        JournalOptions { bytes_max: 512 << 20, file_bytes: 16 << 20, commit_bytes_max: 1 << 20, direct: true }
    }
}

impl JournalOptions {
    /// As small as is of use: in a simulation everything that happens to a journal then happens soon.
    pub const SMALL: JournalOptions = JournalOptions {
        bytes_max: 128 << 10,
        file_bytes: 32 << 10,
        commit_bytes_max: 8 << 10,
        direct: true,
    };

    /// The sizes made to fit each other: at least two files, each with room for a whole commit.
    fn fitting(mut self) -> JournalOptions {
        let blocks = |bytes: u64| bytes / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        self.file_bytes = blocks(self.file_bytes.min(self.bytes_max / 2)).max(4 * BLOCK_BYTES as u64);
        self.commit_bytes_max =
            self.commit_bytes_max.min(self.first_file_bytes() as usize) / BLOCK_BYTES * BLOCK_BYTES;
        self.commit_bytes_max = self.commit_bytes_max.max(BLOCK_BYTES);
        self
    }

    fn first_file_bytes(&self) -> u64 {
        FIRST_FILE_BYTES.min(self.file_bytes)
    }
}

pub(crate) struct Journal {
    files: Arc<dyn Files>,
    dir: PathBuf,
    options: JournalOptions,
    key: Key,
    state: Mutex<State>,
    /// The committers sleep here.
    work: Condvar,
    /// Held while commits are released, so that they are in their order.
    release: Mutex<()>,
    /// Appends have to wait for room; read without a lock.
    full: AtomicBool,
    commits: AtomicU64,
    committed_bytes: AtomicU64,
}

struct State {
    next_lsn: u64,
    /// The first is the next to be committed, the last the one that takes records.
    gathered: VecDeque<Gathered>,
    gathered_bytes: usize,
    gatherings: u64,
    spare: Vec<AlignedBuf>,
    ring: Ring,
    in_flight: VecDeque<InFlight>,
    durable_lsn: u64,
    /// Logs with records that no checkpoint covers.
    dirty: Vec<Arc<Log>>,
    checkpoint: Wanted,
    failed: bool,
    stop: bool,
}

/// What the journal asks the checkpointer for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) checkpoint: bool,
    pub(crate) file: bool,
}

struct InFlight {
    seq: u64,
    last_lsn: u64,
    raises: Vec<(Arc<Log>, Mark)>,
    landed: bool,
}

/// One write to the disk, under way.
pub(crate) struct Commit {
    seq: u64,
    buf: AlignedBuf,
    file: Arc<dyn File>,
    place: Place,
}

/// How a journal stands, for metrics.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalStats {
    pub commits: u64,
    pub committed_bytes: u64,
    pub live_bytes: u64,
    pub capacity_bytes: u64,
}

impl Journal {
    /// A journal that goes on with `next_lsn` in files of which nothing is needed any more.
    pub(crate) fn new(
        files: Arc<dyn Files>,
        dir: PathBuf,
        options: JournalOptions,
        key: Key,
        ring: Ring,
        next_lsn: u64,
    ) -> io::Result<Journal> {
        let options = options.fitting();
        let mut ring = ring;
        if ring.capacity_bytes() < options.first_file_bytes() {
            let number = ring.next_number();
            ring.add(ring::make(&*files, &dir, number, options.first_file_bytes(), options.direct)?);
        }
        let state = State {
            next_lsn,
            gathered: VecDeque::new(),
            gathered_bytes: 0,
            gatherings: 0,
            spare: Vec::new(),
            ring,
            in_flight: VecDeque::new(),
            durable_lsn: next_lsn - 1,
            dirty: Vec::new(),
            checkpoint: Wanted::default(),
            failed: false,
            stop: false,
        };
        let journal = Journal {
            files,
            dir,
            options,
            key,
            state: Mutex::new(state),
            work: Condvar::new(),
            release: Mutex::new(()),
            full: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            committed_bytes: AtomicU64::new(0),
        };
        journal.ask(&mut journal.state(), &|| ());
        Ok(journal)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Whether an append has to wait. The answer may be out of date by the time of use: the bound is a soft one.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Queues one operation; `end` is what becomes durable with it. The caller holds the log's writer, in which `slot`
    /// lives. Returns the LSN with which all of it is durable.
    pub(crate) fn queue(
        &self,
        log: &Arc<Log>,
        slot: &mut RaiseSlot,
        op: Op,
        payload: &[IoSlice<'_>],
        end: Option<Mark>,
    ) -> u64 {
        let (lsn, is_due) = self.gather(log, slot, op, payload, end);
        if is_due {
            self.work.notify_one();
        }
        lsn
    }

    /// As [`Journal::queue`], for what is to be in one commit with the operation that the caller queues next.
    pub(crate) fn queue_ahead(&self, log: &Arc<Log>, slot: &mut RaiseSlot, op: Op, payload: &[IoSlice<'_>]) {
        self.gather(log, slot, op, payload, None);
    }

    /// The LSN of the operation, and whether a commit may begin.
    fn gather(
        &self,
        log: &Arc<Log>,
        slot: &mut RaiseSlot,
        op: Op,
        payload: &[IoSlice<'_>],
        end: Option<Mark>,
    ) -> (u64, bool) {
        let piece_bytes_max = self.options.commit_bytes_max - COMMIT_HEADER_BYTES - RECORD_HEADER_BYTES;
        let pieces = Payload::cut(payload, op, piece_bytes_max);
        let mut state = self.state();
        for piece in &pieces {
            state.push(&self.options, self.key, log.id(), piece, payload);
        }
        if let Some(end) = end {
            state.note_raise(log, slot, end);
        }
        state.note_dirty(log);
        if state.gathered_bytes > GATHERED_BYTES_MAX {
            self.full.store(true, Ordering::Relaxed);
        }
        (state.next_lsn - 1, state.in_flight.len() < COMMITS_IN_FLIGHT_MAX)
    }

    /// The next commit; sleeps until there is one, `None` at the end. A commit that finds no room waits for a checkpoint.
    pub(crate) fn next_commit(&self, ask: &dyn Fn()) -> Option<Commit> {
        let mut state = self.state();
        loop {
            if let Some(commit) = self.begin(&mut state, ask) {
                return Some(commit);
            }
            if state.stop && (state.gathered.is_empty() || state.failed) {
                return None;
            }
            state = self.work.wait(state).unwrap();
        }
    }

    /// As [`Journal::next_commit`], without sleeping.
    pub(crate) fn try_commit(&self) -> Option<Commit> {
        let mut state = self.state();
        self.begin(&mut state, &|| ())
    }

    fn begin(&self, state: &mut State, ask: &dyn Fn()) -> Option<Commit> {
        if state.failed || state.in_flight.len() >= COMMITS_IN_FLIGHT_MAX {
            return None;
        }
        let next = state.gathered.front()?;
        let (bytes, last_lsn) = (record::padded(next.buf.len()), next.last_lsn());
        let taken = state.ring.take(bytes as u64, last_lsn);
        self.ask(state, ask);
        let (file, place) = taken?;
        let mut next = state.gathered.pop_front()?;
        state.gathered_bytes -= next.buf.len();
        let header = CommitHeader {
            first_lsn: next.first_lsn,
            durable_lsn: state.durable_lsn,
            count: next.count,
            record_bytes: (next.buf.len() - COMMIT_HEADER_BYTES) as u32,
        };
        next.buf.bytes_mut(0..COMMIT_HEADER_BYTES).copy_from_slice(&header.encode(self.key));
        next.buf.pad_to(bytes);
        state.in_flight.push_back(InFlight { seq: next.seq, last_lsn, raises: next.raises, landed: false });
        Some(Commit { seq: next.seq, buf: next.buf, file, place })
    }

    /// Looks at how full the journal is: notes what has to be done about it, and whether appends have to wait.
    fn ask(&self, state: &mut State, ask: &dyn Fn()) {
        let (live, capacity) = (state.ring.live_bytes(), state.ring.capacity_bytes());
        let can_grow = capacity + self.options.file_bytes <= self.options.bytes_max;
        let before = state.checkpoint;
        state.checkpoint.checkpoint |= live * 2 >= capacity;
        // Two whole files are what it starts with; more are made when these fill up too quickly.
        state.checkpoint.file |= can_grow && capacity < 2 * self.options.file_bytes;
        let full = live * 10 >= capacity * 9 || state.gathered_bytes > GATHERED_BYTES_MAX;
        self.full.store(full, Ordering::Relaxed);
        if state.checkpoint != before {
            ask();
        }
    }

    /// A commit's write has ended well. Releases what is now durable without a hole, through `raise` first and
    /// `publish` then.
    pub(crate) fn landed(&self, commit: Commit, raise: impl Fn(&Arc<Log>, Mark), publish: impl FnOnce(u64)) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.committed_bytes.fetch_add(commit.buf.len() as u64, Ordering::Relaxed);
        let _release = self.release.lock().unwrap();
        let (released, durable_lsn) = {
            let mut state = self.state();
            state.ring.landed(commit.place.file);
            state.keep_buffer(commit.buf);
            if let Some(mine) = state.in_flight.iter_mut().find(|f| f.seq == commit.seq) {
                mine.landed = true;
            }
            let mut released = Vec::new();
            while state.in_flight.front().is_some_and(|first| first.landed) && !state.failed {
                let first = state.in_flight.pop_front().expect("it was looked at just now");
                state.durable_lsn = first.last_lsn;
                released.push(first.raises);
            }
            (released, state.durable_lsn)
        };
        if released.is_empty() {
            return;
        }
        self.work.notify_all();
        for (log, end) in released.iter().flatten() {
            raise(log, *end);
        }
        publish(durable_lsn);
    }

    /// A commit's write failed: nothing is written or released any more.
    pub(crate) fn fail(&self) {
        self.state().failed = true;
        self.work.notify_all();
    }

    /// Ends the committers, after what is gathered is written.
    pub(crate) fn stop(&self) {
        self.state().stop = true;
        self.work.notify_all();
    }

    /// Whether everything that was queued is durable.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        state.gathered.is_empty() && state.in_flight.is_empty()
    }

    /// What is to be done about the fill; asked by the checkpointer, which then does it.
    pub(crate) fn wanted(&self) -> Wanted {
        std::mem::take(&mut self.state().checkpoint)
    }

    /// Asks for a checkpoint that the journal itself does not need.
    pub(crate) fn want_checkpoint(&self) {
        self.state().checkpoint.checkpoint = true;
    }

    /// Where a checkpoint begins: every record below is in its segment, and the logs given are all that have any.
    pub(crate) fn begin_checkpoint(&self) -> (Position, Vec<Arc<Log>>) {
        let mut state = self.state();
        let position = Position { lsn: state.next_lsn, place: state.ring.place() };
        let dirty = std::mem::take(&mut state.dirty);
        dirty.iter().for_each(|log| log.in_journal.store(false, Ordering::Relaxed));
        (position, dirty)
    }

    /// A checkpoint covers everything before `position`, on the disk.
    pub(crate) fn end_checkpoint(&self, position: Position) {
        let mut state = self.state();
        state.ring.recycle(position);
        self.ask(&mut state, &|| ());
        state.checkpoint.checkpoint = false;
        drop(state);
        self.work.notify_all();
    }

    /// A checkpoint that failed gives its logs back.
    pub(crate) fn give_back(&self, dirty: Vec<Arc<Log>>) {
        let mut state = self.state();
        dirty.iter().for_each(|log| state.note_dirty(log));
    }

    /// What one more file takes.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.options.file_bytes
    }

    /// Makes one more file, unless the journal is as large as it may get. False if there is none to make.
    pub(crate) fn grow(&self) -> io::Result<bool> {
        let (number, capacity) = {
            let state = self.state();
            (state.ring.next_number(), state.ring.capacity_bytes())
        };
        if capacity + self.options.file_bytes > self.options.bytes_max {
            return Ok(false);
        }
        let file = ring::make(&*self.files, &self.dir, number, self.options.file_bytes, self.options.direct)?;
        let mut state = self.state();
        state.ring.add(file);
        self.ask(&mut state, &|| ());
        drop(state);
        self.work.notify_all();
        Ok(true)
    }

    /// How many files to make when a checkpoint was wanted again so soon: the journal doubles.
    pub(crate) fn growth(&self, since_last: std::time::Duration) -> u64 {
        let (live, capacity) = {
            let state = self.state();
            (state.ring.live_bytes(), state.ring.capacity_bytes())
        };
        if since_last >= GROW_WITHIN || live * 2 < capacity {
            return 0;
        }
        let more = capacity.min(self.options.bytes_max.saturating_sub(capacity));
        more / self.options.file_bytes
    }

    pub(crate) fn stats(&self) -> JournalStats {
        let state = self.state();
        JournalStats {
            commits: self.commits.load(Ordering::Relaxed),
            committed_bytes: self.committed_bytes.load(Ordering::Relaxed),
            live_bytes: state.ring.live_bytes(),
            capacity_bytes: state.ring.capacity_bytes(),
        }
    }

    /// Lets go of the logs, which hold this.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.failed = true;
        let dirty = std::mem::take(&mut state.dirty);
        let (gathered, in_flight) =
            (std::mem::take(&mut state.gathered), std::mem::take(&mut state.in_flight));
        drop(state);
        drop((dirty, gathered, in_flight));
    }
}

impl Commit {
    /// Writes it; it is on the disk when this returns.
    pub(crate) fn write(&self) -> io::Result<()> {
        self.file.write_all_at(&[IoSlice::new(self.buf.as_slice())], self.place.position)
    }
}

#[cfg(test)]
mod tests;
