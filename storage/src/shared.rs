//! What the logs of one data directory share: the queue of logs to flush, how far flushes got, and whether the
//! directory still takes writes.
//!
//! Lock order, outermost first: `directories`, `cycle`, a log's writer, `queue` and `logs`. Invariants: a number of [`Progress`] is
//! issued under the lock under which its log is queued, so that a flush that takes the queue covers every number
//! issued before; once offline or closed, a directory never takes writes again.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use crate::checkpoint;
use crate::data_dir::{DataDirOptions, OnFlush, OnOffline};
use crate::env::Env;
use crate::ids::LogId;
use crate::log::Log;
use crate::small_file;
use crate::space::{self, Space};
use crate::ticket::{AppendError, Progress};

pub(crate) struct Shared {
    pub(crate) env: Env,
    pub(crate) path: PathBuf,
    pub(crate) progress: Arc<Progress>,
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Held while flushing, checkpointing, renaming and closing: none of these may overlap.
    cycle: Mutex<()>,
    /// Held while directories of logs are taken, renamed and set aside. Taken before `cycle` where both are.
    directories: Mutex<()>,
    offline: OnceLock<Arc<str>>,
    closed: AtomicBool,
    logs: Mutex<HashMap<LogId, Arc<Log>>>,
    /// What the last checkpoint says of logs that are not open.
    known: Mutex<HashMap<LogId, checkpoint::Entry>>,
    /// Directories that were renamed for deletion and are to be unlinked.
    trash: Mutex<Vec<PathBuf>>,
    flushes: AtomicU64,
    on_flush: Option<OnFlush>,
    on_offline: Option<OnOffline>,
    space: Space,
}

#[derive(Default)]
struct Queue {
    dirty: Vec<Arc<Log>>,
    stop: bool,
}

/// What a wait for work ended with.
pub(crate) enum Work {
    Flush,
    Checkpoint,
    Stop,
}

impl Shared {
    pub(crate) fn new(
        env: Env,
        path: PathBuf,
        known: HashMap<LogId, checkpoint::Entry>,
        options: &DataDirOptions,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            env,
            path,
            progress: Progress::new(),
            queue: Mutex::default(),
            wake: Condvar::new(),
            cycle: Mutex::default(),
            directories: Mutex::default(),
            offline: OnceLock::new(),
            closed: AtomicBool::new(false),
            logs: Mutex::default(),
            known: Mutex::new(known),
            trash: Mutex::default(),
            flushes: AtomicU64::new(0),
            on_flush: options.on_flush.clone(),
            on_offline: options.on_offline.clone(),
            space: Space::new(options.free_bytes_min),
        })
    }

    pub(crate) fn directories(&self) -> MutexGuard<'_, ()> {
        self.directories.lock().unwrap()
    }

    pub(crate) fn cycle(&self) -> MutexGuard<'_, ()> {
        self.cycle.lock().unwrap()
    }

    pub(crate) fn logs(&self) -> MutexGuard<'_, HashMap<LogId, Arc<Log>>> {
        self.logs.lock().unwrap()
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, HashMap<LogId, checkpoint::Entry>> {
        self.known.lock().unwrap()
    }

    pub(crate) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    pub(crate) fn throw_away(&self, dir: PathBuf) {
        self.trash.lock().unwrap().push(dir);
        self.wake.notify_one();
    }

    /// Queues a log for the next flush. The number returned is published once it is flushed.
    pub(crate) fn mark_dirty(&self, log: &Arc<Log>) -> u64 {
        let position = {
            let mut queue = self.queue.lock().unwrap();
            if !log.queued.swap(true, Ordering::SeqCst) {
                queue.dirty.push(Arc::clone(log));
            }
            self.progress.issue()
        };
        self.wake.notify_one();
        position
    }

    /// Whether there is so little room that clients have to wait.
    pub(crate) fn is_low_on_space(&self) -> bool {
        self.space.is_low()
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
            if let Some(on_offline) = &self.on_offline {
                on_offline();
            }
        }
        self.progress.fail(AppendError::Offline { reason });
    }

    pub(crate) fn set_closed(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Lets go of every log: they and this hold each other.
    pub(crate) fn abandon(&self) {
        let dirty = std::mem::take(&mut self.queue.lock().unwrap().dirty);
        let logs = std::mem::take(&mut *self.logs());
        drop((dirty, logs));
    }

    pub(crate) fn stop(&self) {
        self.queue.lock().unwrap().stop = true;
        self.wake.notify_all();
    }

    /// Sleeps until there is something to flush, the time for a checkpoint has come, or the end.
    pub(crate) fn wait_for_work(&self, checkpoint_in: Duration) -> Work {
        let queue = self.queue.lock().unwrap();
        let idle = |queue: &mut Queue| {
            queue.dirty.is_empty() && !queue.stop && self.trash.lock().unwrap().is_empty()
        };
        let longest =
            if self.is_low_on_space() { checkpoint_in.min(space::RETRY_INTERVAL) } else { checkpoint_in };
        let (queue, timeout) = self.wake.wait_timeout_while(queue, longest, idle).unwrap();
        match (queue.stop, timeout.timed_out()) {
            (true, _) => Work::Stop,
            (false, true) => Work::Checkpoint,
            (false, false) => Work::Flush,
        }
    }

    /// Flushes every queued log, then publishes. High watermarks rise, and wake their watchers, before any ticket
    /// resolves: whoever is told of an append can read it.
    pub(crate) fn flush_cycle(&self) {
        {
            let _cycle = self.cycle();
            self.flush_queued();
        }
        let trash = std::mem::take(&mut *self.trash.lock().unwrap());
        for dir in trash {
            if let Err(error) = self.env.files.remove_dir_all(&dir) {
                tracing::warn!(path = %dir.display(), %error, "a deleted log's files stay until the next start");
            }
        }
        self.look_at_space();
    }

    /// The caller holds `cycle`.
    pub(crate) fn flush_queued(&self) {
        let (dirty, issued) = {
            let mut queue = self.queue.lock().unwrap();
            let dirty = std::mem::take(&mut queue.dirty);
            dirty.iter().for_each(|log| log.queued.store(false, Ordering::SeqCst));
            (dirty, self.progress.issued())
        };
        if dirty.is_empty() || self.is_offline() {
            return;
        }
        let begun = self.env.clock.monotonic();
        for log in &dirty {
            if let Err(error) = log.flush() {
                self.go_offline(&format!("flushing {}", log.dir_name()), &error);
                return;
            }
        }
        self.flushes.fetch_add(1, Ordering::Relaxed);
        if let Some(on_flush) = &self.on_flush {
            on_flush(self.env.clock.monotonic().saturating_sub(begun));
        }
        self.progress.publish(issued);
    }

    /// Writes `checkpoint`. The caller holds `cycle`.
    pub(crate) fn write_checkpoint(&self) -> io::Result<()> {
        let open: Vec<_> = self.logs().values().cloned().collect();
        for log in open {
            match log.checkpoint_entry() {
                Ok(Some(entry)) => drop(self.known().insert(entry.id, entry)),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
        let mut entries: Vec<_> = self.known().values().cloned().collect();
        entries.sort_by_key(|entry| entry.id);
        small_file::replace(
            &*self.env.files,
            &self.path.join(checkpoint::FILE_NAME),
            &checkpoint::encode(entries.iter()),
        )
    }

    /// A checkpoint in passing. One that fails for want of room is made up for by the next; the cost is a longer recovery.
    pub(crate) fn checkpoint_cycle(&self) {
        let _cycle = self.cycle();
        if self.is_offline() {
            return;
        }
        match self.write_checkpoint() {
            Ok(()) => {}
            Err(error) if crate::error::is_no_space(&error) => {
                tracing::warn!(%error, "no room for a checkpoint")
            }
            Err(error) => self.go_offline("writing the checkpoint", &error),
        }
    }
}
