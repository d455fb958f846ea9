//! What the logs of one data directory share: its journal, the queues for the threads that work behind the appends, and
//! whether the directory still takes writes.
//!
//! Lock order, outermost first: the compaction's `pass`, `directories`, `cycle`, `pages`, `opening`, `flushing`, a log's
//! `jobs`, its `flushing`, its writer, the journal's `release` and its state, a log's `segments`, `epochs`, `marks` and
//! `producers`, `queues`, `logs`, `known` and the compaction's `state`; under any of them, last, a segment's `file`. Only
//! the thread that moves logs takes locks of two directories, the source's before the target's of each kind. Invariant:
//! once offline or closed, a directory never takes writes again.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, RwLock};
use std::time::Duration;

use crate::checkpoint;
use crate::compact::Cleaner;
use crate::data_dir::{DataDirOptions, OnCheckpoint, OnFlush, OnOffline};
use crate::env::Env;
use crate::ids::LogId;
use crate::journal::Journal;
use crate::lock_file::{self, Pages};
use crate::log::Log;
use crate::opening::Opened;
use crate::settled::Pair;
use crate::space::Space;
use crate::spare::Spare;
use crate::syncs::Syncs;
use crate::ticket::{AppendError, Progress};

pub(crate) struct Shared {
    pub(crate) env: Env,
    pub(crate) path: PathBuf,
    journal: Journal,
    /// How far the journal is durable, in LSNs.
    pub(crate) progress: Arc<Progress>,
    /// How far the flusher is, in numbers of its own.
    pub(crate) flushed: Arc<Progress>,
    pub(crate) queues: Queues,
    /// Held while checkpointing, renaming and closing: none of these may overlap.
    cycle: Mutex<()>,
    /// Held for reading while single logs are flushed, for writing while all are at once.
    pub(crate) flushing: RwLock<()>,
    /// Held while directories of logs are taken, renamed and set aside. Taken before `cycle` where both are.
    directories: Mutex<()>,
    offline: OnceLock<Arc<str>>,
    closed: AtomicBool,
    logs: Mutex<BTreeMap<LogId, Arc<Log>>>,
    /// Logs are being opened together: what is still to be flushed of them.
    pub(crate) opening: Mutex<Option<Syncs>>,
    /// What the last checkpoint says of logs that are not open.
    known: Mutex<BTreeMap<LogId, checkpoint::Entry>>,
    /// Where in the journal, in LSNs, each of the two checkpoints on the disk begins.
    pub(crate) replays: Mutex<Pair<u64>>,
    pub(crate) on_flush: Option<OnFlush>,
    pub(crate) on_checkpoint: Option<OnCheckpoint>,
    on_offline: Option<OnOffline>,
    space: Space,
    pub(crate) spare: Spare,
    pub(crate) counts: Counts,
    pub(crate) cleaner: Cleaner,
    /// What became of what earlier processes wrote, for logs that are still to be opened.
    pages: Mutex<Pages>,
    /// What was recovered could not be flushed: a power cut may take it, so that nobody gets to read it.
    pub(crate) doubtful: AtomicBool,
    /// It was said that the journal lacks room.
    pub(crate) without_room: AtomicBool,
    slow: AtomicBool,
    stalls: Mutex<Stalls>,
}

/// What waits for the directory's threads.
pub(crate) struct Queues {
    queues: Mutex<QueuesInner>,
    /// One for each of the threads: an append that waits for its turn wakes no other.
    wakes: [Condvar; Waiter::Cleaner as usize + 1],
}

/// Which of the directory's threads waits, or is to be woken.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Waiter {
    Checkpointer,
    Flusher,
    Appender,
    Retainer,
    Sweeper,
    Cleaner,
}

#[derive(Default)]
pub(crate) struct QueuesInner {
    /// Logs to flush, whose numbers are issued under this lock.
    pub(crate) dirty: Vec<Arc<Log>>,
    /// Logs to flush when their time has come, by the monotonic clock.
    pub(crate) later: Vec<(Duration, Arc<Log>)>,
    /// Logs with appends that had to wait.
    pub(crate) appends: Vec<Arc<Log>>,
    /// Directories that were renamed for deletion and are to be unlinked.
    pub(crate) trash: Vec<PathBuf>,
    /// Files of removed segments to unlink when their time has come, by the monotonic clock.
    pub(crate) doomed: Vec<(Duration, PathBuf)>,
    /// A checkpoint was written since retention last looked.
    pub(crate) checkpointed: bool,
    /// How logs are compacted is another way now.
    pub(crate) cleaner_changed: bool,
    /// The journal wants something.
    pub(crate) chores: bool,
    pub(crate) stop: bool,
}

impl Queues {
    fn new() -> Queues {
        Queues { queues: Mutex::default(), wakes: Default::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, QueuesInner> {
        self.queues.lock().unwrap()
    }

    /// A change that concerns one thread.
    pub(crate) fn change<T>(&self, of: Waiter, act: impl FnOnce(&mut QueuesInner) -> T) -> T {
        let answer = act(&mut self.lock());
        self.wakes[of as usize].notify_all();
        answer
    }

    /// A change that concerns them all.
    fn change_all<T>(&self, act: impl FnOnce(&mut QueuesInner) -> T) -> T {
        let answer = act(&mut self.lock());
        self.wakes.iter().for_each(Condvar::notify_all);
        answer
    }

    /// Sleeps until `is_due`, the end, or for `longest`.
    pub(crate) fn wait(
        &self,
        waiter: Waiter,
        longest: Duration,
        mut is_due: impl FnMut(&QueuesInner) -> bool,
    ) -> MutexGuard<'_, QueuesInner> {
        let idle = |queues: &mut QueuesInner| !queues.stop && !is_due(queues);
        self.wakes[waiter as usize].wait_timeout_while(self.lock(), longest, idle).unwrap().0
    }
}

/// Counted for metrics, and to know when a checkpoint is due.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) checkpoints: AtomicU64,
    pub(crate) waiting_appends: AtomicU64,
    /// What relaxed logs have taken since their last flushes.
    pub(crate) unflushed_bytes: AtomicU64,
    /// Bytes of relaxed logs that were flushed since the last checkpoint.
    pub(crate) uncovered_bytes: AtomicU64,
    pub(crate) quarantined_bytes: AtomicU64,
    /// What retention removed.
    pub(crate) removed_segments: AtomicU64,
    pub(crate) removed_bytes: AtomicU64,
    /// Logs that are on their way here, those that came, and what was copied for them.
    pub(crate) moves_underway: AtomicU64,
    pub(crate) moved_logs: AtomicU64,
    pub(crate) moved_bytes: AtomicU64,
}

/// An append that takes longer than this stalls its thread.
pub(crate) const STALL: Duration = Duration::from_millis(20);
/// Appends may stall the threads of requests for a part of the time, which is one of this many,
const STALLED_PART: u32 = 4;
/// and for so long beyond it. Then they leave those threads; single stalls are cheaper than a hand-over for each append.
pub(crate) const STALLED_MAX: Duration = Duration::from_millis(200);

/// How long appends have stalled, less what they may, and when that was found.
#[derive(Default)]
struct Stalls {
    beyond: Duration,
    at: Duration,
}

impl Shared {
    pub(crate) fn new(
        env: Env,
        path: PathBuf,
        Opened { journal, next_lsn, known, pages }: Opened,
        options: &DataDirOptions,
    ) -> Arc<Shared> {
        let cleaner = Cleaner::new(
            options.cleaner.clone(),
            options.flushing,
            &*env.files,
            &path,
            env.clock.monotonic(),
        );
        let spare = Spare::new(Arc::clone(&env.files), path.join(lock_file::FILE_NAME));
        Arc::new(Shared {
            env,
            path,
            journal,
            progress: Progress::from(next_lsn - 1),
            flushed: Progress::new(),
            queues: Queues::new(),
            cycle: Mutex::default(),
            flushing: RwLock::default(),
            directories: Mutex::default(),
            offline: OnceLock::new(),
            closed: AtomicBool::new(false),
            logs: Mutex::default(),
            opening: Mutex::default(),
            known: Mutex::new(known),
            replays: Mutex::new(Pair::both(next_lsn)),
            on_flush: options.on_flush.clone(),
            on_checkpoint: options.on_checkpoint.clone(),
            on_offline: options.on_offline.clone(),
            space: Space::new(options.free_bytes_min),
            spare,
            counts: Counts::default(),
            cleaner,
            pages: Mutex::new(pages),
            doubtful: AtomicBool::new(false),
            without_room: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            stalls: Mutex::default(),
        })
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn pages(&self) -> Pages {
        *self.pages.lock().unwrap()
    }

    /// Once every log that was there is open, whatever was in doubt was judged, or written again, and flushed.
    pub(crate) fn note_boot(&self) -> io::Result<()> {
        let mut pages = self.pages.lock().unwrap();
        if *pages == Pages::Kept || self.opening.lock().unwrap().is_some() {
            return Ok(());
        }
        let known: Vec<_> = self.known().keys().copied().collect();
        let open = self.logs();
        if known.iter().all(|id| open.contains_key(id)) {
            lock_file::note_boot(&*self.env.files, &self.path)?;
            *pages = Pages::Kept;
        }
        Ok(())
    }

    pub(crate) fn directories(&self) -> MutexGuard<'_, ()> {
        self.directories.lock().unwrap()
    }

    pub(crate) fn cycle(&self) -> MutexGuard<'_, ()> {
        self.cycle.lock().unwrap()
    }

    pub(crate) fn logs(&self) -> MutexGuard<'_, BTreeMap<LogId, Arc<Log>>> {
        self.logs.lock().unwrap()
    }

    pub(crate) fn open_logs(&self) -> Vec<Arc<Log>> {
        self.logs().values().cloned().collect()
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, BTreeMap<LogId, checkpoint::Entry>> {
        self.known.lock().unwrap()
    }

    pub(crate) fn throw_away(&self, dir: PathBuf) {
        self.queues.change(Waiter::Sweeper, |queues| queues.trash.push(dir));
    }

    /// Queues a log for the next flush. The number returned is published once it is flushed.
    pub(crate) fn mark_dirty(&self, log: &Arc<Log>) -> u64 {
        self.queues.change(Waiter::Flusher, |queues| {
            if !log.queued.swap(true, Ordering::SeqCst) {
                queues.dirty.push(Arc::clone(log));
            }
            self.flushed.issue()
        })
    }

    /// Queues a log for a flush after some time.
    pub(crate) fn flush_later(&self, log: &Arc<Log>, after: Duration) {
        let at = self.env.clock.monotonic().saturating_add(after);
        self.queues.change(Waiter::Flusher, |queues| queues.later.push((at, Arc::clone(log))));
    }

    /// Hands a log's waiting appends to the directory's own thread.
    pub(crate) fn append_later(&self, log: &Arc<Log>) {
        self.counts.waiting_appends.fetch_add(1, Ordering::Relaxed);
        self.queues.change(Waiter::Appender, |queues| queues.appends.push(Arc::clone(log)));
    }

    /// The journal wants something: told by committers and appends alike.
    pub(crate) fn ask_for_chores(&self) {
        self.queues.change(Waiter::Checkpointer, |queues| queues.chores = true);
    }

    /// Whether appends have become so slow that they are kept off the threads of requests.
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// An append took this long on the thread of a request.
    pub(crate) fn took(&self, elapsed: Duration) {
        if elapsed < STALL {
            return;
        }
        let now = self.env.clock.monotonic();
        let beyond = {
            let mut stalls = self.stalls.lock().unwrap();
            let between = now.saturating_sub(stalls.at + elapsed);
            let beyond = stalls.beyond.saturating_sub(between / STALLED_PART) + elapsed;
            *stalls = Stalls { beyond, at: now };
            beyond
        };
        if beyond >= STALLED_MAX && !self.slow.swap(true, Ordering::Relaxed) {
            let path = self.path.display();
            tracing::warn!(%path, "the disk is slow: appends are written by a thread of their own until it is not");
        }
    }

    /// The disk has been quick for a while.
    pub(crate) fn is_quick_again(&self) {
        *self.stalls.lock().unwrap() = Stalls::default();
        if self.slow.swap(false, Ordering::Relaxed) {
            tracing::info!(path = %self.path.display(), "the disk is quick again");
        }
    }

    /// Whether there is so little room that clients have to wait.
    pub(crate) fn is_low_on_space(&self) -> bool {
        self.space.is_low()
    }

    /// Whether the reserve is untouched by so many bytes more.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.space.has_room_for(bytes, || self.env.files.free_bytes(&self.path))
    }

    pub(crate) fn keeps_a_reserve(&self) -> bool {
        self.space.keeps_a_reserve()
    }

    /// Looks at the room that is left, and says so when it crosses the reserve.
    pub(crate) fn look_at_space(&self) {
        let path = self.path.display();
        match self.space.look(self.env.clock.monotonic(), || self.env.files.free_bytes(&self.path)) {
            Some(true) => tracing::warn!(
                %path,
                "less room than log.dir.min.free.bytes: clients' records are refused; delete topics or add space"
            ),
            Some(false) => tracing::info!(%path, "there is room again: clients' records are taken"),
            None => {}
        }
    }

    /// Says it once, until a checkpoint finds room.
    pub(crate) fn say_no_room(&self, what: &'static str) {
        if !self.without_room.swap(true, Ordering::Relaxed) {
            tracing::warn!(path = %self.path.display(), "{what}; delete topics or add space, or raise `ulimit -n` if that is what is short");
        }
    }

    /// Why the directory takes no writes, if so.
    pub(crate) fn refusal(&self) -> Option<AppendError> {
        if let Some(reason) = self.offline.get() {
            return Some(AppendError::Offline { reason: Arc::clone(reason) });
        }
        self.closed.load(Ordering::SeqCst).then_some(AppendError::Closed)
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.offline.get().is_some()
    }

    /// A write or a flush failed. Nothing is retried: after a failed flush the kernel may hold pages that it calls
    /// clean and that are not on the disk.
    pub(crate) fn go_offline(&self, what: &str, error: &io::Error) {
        let reason: Arc<str> = format!("{what}: {error}").into();
        if self.offline.set(Arc::clone(&reason)).is_ok() {
            let path = self.path.display();
            tracing::error!(%path, %reason, "the data directory takes no more writes; reads go on; repair the disk and restart");
            lock_file::distrust(&*self.env.files, &self.path);
            if let Some(on_offline) = &self.on_offline {
                on_offline();
            }
        }
        self.journal.fail();
        self.fail_waits(&AppendError::Offline { reason });
    }

    /// Nobody waits any more for what will not come.
    pub(crate) fn fail_waits(&self, error: &AppendError) {
        self.progress.fail(error.clone());
        self.flushed.fail(error.clone());
    }

    pub(crate) fn set_closed(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Lets go of every log: they and this hold each other.
    pub(crate) fn abandon(&self) {
        let queues = self.queues.change_all(std::mem::take);
        self.journal.abandon();
        let logs = std::mem::take(&mut *self.logs());
        drop((queues, logs));
    }

    pub(crate) fn stop(&self) {
        self.queues.change_all(|queues| queues.stop = true);
        self.journal.stop();
    }
}
