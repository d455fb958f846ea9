//! One directory of `log.dirs`: whose it is, and how it begins and ends.
//!
//! Invariants: one process at a time (its `lock`), of one cluster and node (its `meta.properties`); a directory that is
//! not ours is refused before anything in it is touched. It must not know topics: names of directories are all it sees.

mod logs;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::adopt;
use crate::claim;
use crate::compact::{CleanerOptions, CleanerStats};
use crate::env::{Env, LockGuard, Random};
use crate::error::{OpenError, is_passing};
use crate::flush::By;
use crate::journal::{JournalOptions, JournalStats};
use crate::lock_file;
use crate::log::Log;
pub use crate::meta::MetaProperties;
use crate::opening;
use crate::shared::Shared;
use crate::small_file;
use crate::syncs::SYNC_EACH_MAX;
use crate::ticket::AppendError;
use crate::workers;
pub use logs::Opening;

/// Who runs the flushes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Flushing {
    /// Threads of the directory's own, as in a broker.
    Thread,
    /// Whoever calls [`DataDir::flush`] and [`DataDir::checkpoint`]: in simulations nothing happens by itself.
    Manual,
}

#[derive(Clone)]
pub struct DataDirOptions {
    /// The cluster that the directory has to belong to. `None` takes what is there, or makes a new one.
    pub cluster_id: Option<String>,
    pub node_id: i32,
    pub flushing: Flushing,
    pub checkpoint_interval: Duration,
    /// How often retention looks what of the logs is due (`log.retention.check.interval.ms`).
    pub retention_interval: Duration,
    /// Files of segments that nobody uses are looked for this often; the second look closes them.
    pub idle_file_interval: Duration,
    pub journal: JournalOptions,
    /// Free space below which clients' appends are refused; 0 keeps no reserve.
    pub free_bytes_min: u64,
    pub cleaner: CleanerOptions,
    /// It is filled by an adoption, and nobody else may open it before that has come to its end.
    pub adopting: bool,
    /// Told, once, that the directory takes no more writes.
    pub on_offline: Option<OnOffline>,
    /// Told how long each write to the journal took.
    pub on_flush: Option<OnFlush>,
    /// Told how long each checkpoint took that was written while the directory is in use.
    pub on_checkpoint: Option<OnCheckpoint>,
}

/// Called on whatever thread found out: it must not wait.
pub type OnOffline = Arc<dyn Fn() + Send + Sync>;

/// Called on the committers' threads: it must be quick and must not wait.
pub type OnFlush = Arc<dyn Fn(Duration) + Send + Sync>;

/// Called on the checkpointer's thread: it must not wait.
pub type OnCheckpoint = Arc<dyn Fn(Duration) + Send + Sync>;

impl Default for DataDirOptions {
    fn default() -> DataDirOptions {
        DataDirOptions {
            cluster_id: None,
            node_id: 1,
            flushing: Flushing::Thread,
            checkpoint_interval: Duration::from_secs(60),
            retention_interval: Duration::from_secs(300),
            idle_file_interval: Duration::from_secs(30),
            journal: JournalOptions::default(),
            free_bytes_min: 0,
            cleaner: CleanerOptions::default(),
            adopting: false,
            on_offline: None,
            on_flush: None,
            on_checkpoint: None,
        }
    }
}

/// Kafka's ending of directories that wait for deletion.
pub(crate) const DELETE_SUFFIX: &str = "-delete";
/// The longest name that file systems take.
pub(crate) const NAME_BYTES_MAX: usize = 255;

pub struct DataDir {
    pub(crate) shared: Arc<Shared>,
    meta: MetaProperties,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn LockGuard>>>,
}

impl DataDir {
    /// Takes a directory, which is made if it is missing.
    pub fn open(env: Env, path: PathBuf, options: DataDirOptions) -> Result<Arc<DataDir>, OpenError> {
        let files = &env.files;
        if !options.adopting && files.exists(&path.join(adopt::MARK_FILE_NAME)) {
            return Err(OpenError::HalfAdopted { path });
        }
        // Kafka's directory is refused before even a lock is put into it.
        claim::make_dir(&env, &path)?;
        let lock = files.lock(&path.join(lock_file::FILE_NAME)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => OpenError::Locked { path: path.clone() },
            _ => OpenError::io("locking", &path)(error),
        })?;
        let meta = claim::take_meta(&env, &path, &options)?;
        let checkpoint = opening::read_checkpoint(&env, &path)?;
        remove_leftovers(&env, &path)?;
        files.sync_dir(&path).map_err(OpenError::io("flushing", &path))?;
        // What it could not flush may be on the disk or not, whatever the page cache shows.
        let opened = opening::open(&env, &path, &meta, &options, checkpoint)
            .inspect_err(|_| lock_file::distrust(&*env.files, &path))?;
        let shared = Shared::new(env, path, opened, &options);
        shared.look_at_space();
        let threads = match options.flushing {
            Flushing::Thread => workers::start(&shared, &options)?,
            Flushing::Manual => Vec::new(),
        };
        if matches!(options.flushing, Flushing::Thread) {
            shared.ask_for_chores();
        }
        Ok(Arc::new(DataDir { shared, meta, threads: Mutex::new(threads), lock: Mutex::new(Some(lock)) }))
    }

    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    pub fn meta(&self) -> &MetaProperties {
        &self.meta
    }

    /// Writes what waits for the journal and flushes the logs that wait for that, on the calling thread. With
    /// [`Flushing::Thread`] nobody needs to.
    pub fn flush(&self) {
        let shared = &self.shared;
        loop {
            let waiting = std::mem::take(&mut shared.queues.lock().appends);
            waiting.iter().for_each(|log| log.append_waiting());
            self.commit_all();
            let waits = !shared.queues.lock().appends.is_empty() || !shared.journal().is_idle();
            if !waits || shared.is_offline() {
                break;
            }
            // The journal is full.
            shared.do_chores(Duration::ZERO);
            if !shared.checkpoint_cycle() {
                break;
            }
        }
        shared.flush_due();
        shared.flush_queued();
        shared.sweep();
        shared.look_at_space();
    }

    /// Two commits at a time, landing in either order, as those of two threads do.
    fn commit_all(&self) {
        let shared = &self.shared;
        while let Some(first) = shared.journal().try_commit() {
            let mut pair: Vec<_> = std::iter::once(first).chain(shared.journal().try_commit()).collect();
            if shared.env.random.next_u64() & 1 == 1 {
                pair.reverse();
            }
            for commit in pair {
                let written = commit.write();
                if !shared.commit_ended(commit, written) {
                    return;
                }
            }
        }
    }

    /// Writes a checkpoint now.
    pub fn checkpoint(&self) {
        self.shared.do_chores(Duration::MAX);
        self.shared.checkpoint_cycle();
    }

    /// Raises the logs' starts above what retention says is due, and removes what lies below starts that are durable. It
    /// takes a flush between two calls, and two checkpoints since a segment was rolled, until its files are renamed; a
    /// flush when their time has come unlinks them. With [`Flushing::Thread`] nobody needs to call it.
    pub fn retain(&self) {
        self.shared.expire_all();
        self.shared.remove_doomed();
    }

    /// Compacts every log that is due, on the calling thread; how many passes were finished. With [`Flushing::Thread`]
    /// nobody needs to.
    pub fn clean(&self) -> usize {
        self.shared.clean()
    }

    /// How the directory stands, for metrics.
    pub fn stats(&self) -> DataDirStats {
        let count =
            |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
        let counts = &self.shared.counts;
        let logs = self.shared.open_logs();
        DataDirStats {
            journal: self.shared.journal().stats(),
            checkpoints: count(&counts.checkpoints),
            waiting_appends: count(&counts.waiting_appends),
            quarantined_bytes: count(&counts.quarantined_bytes)
                + logs.iter().map(|log| log.damaged_bytes()).sum::<u64>(),
            removed_segments: count(&counts.removed_segments),
            removed_bytes: count(&counts.removed_bytes),
            moves_underway: count(&counts.moves_underway),
            moved_logs: count(&counts.moved_logs),
            moved_bytes: count(&counts.moved_bytes),
            cleaner: self.shared.cleaner_stats(),
            producers: logs.iter().map(|log| log.producer_count() as u64).sum(),
        }
    }

    /// Lets every log forget the producers whose last record is older than `after`; how many were forgotten.
    pub fn expire_producers(&self, after: Duration) -> usize {
        let logs = self.shared.open_logs();
        logs.iter().map(|log| log.expire_producers(after)).sum()
    }

    /// How logs are compacted from the next pass on.
    pub fn reconfigure_cleaner(&self, options: CleanerOptions) {
        self.shared.reconfigure_cleaner(options);
    }

    pub fn is_offline(&self) -> bool {
        self.shared.is_offline()
    }

    pub fn free_bytes(&self) -> io::Result<u64> {
        self.shared.env.files.free_bytes(&self.shared.path)
    }

    /// Of the whole file system, as [`DataDir::free_bytes`].
    pub fn total_bytes(&self) -> io::Result<u64> {
        self.shared.env.files.total_bytes(&self.shared.path)
    }

    /// Ends in order: everything is flushed, the checkpoint says so, and the lock is given back. Appends are refused
    /// from here on, waits end.
    pub fn close(&self) {
        self.shared.set_closed();
        self.stop();
        self.flush();
        let _cycle = self.shared.cycle();
        let logs: Vec<_> = std::mem::take(&mut *self.shared.logs()).into_values().collect();
        if !self.shared.is_offline() && self.lock.lock().unwrap().is_some() {
            self.finish(&logs);
        }
        self.shared.fail_waits(&AppendError::Closed);
        logs.iter().for_each(|log| log.watch_high_watermark().close());
        self.lock.lock().unwrap().take();
    }

    /// The last flush of all logs and the checkpoint that says so. Many logs share two flushes of the file system: one
    /// of what they hold, one of what only a log that takes no more writes beside it.
    fn finish(&self, logs: &[Arc<Log>]) {
        let (position, _) = self.shared.journal().begin_checkpoint();
        let by = if logs.len() > SYNC_EACH_MAX { By::Caller } else { By::Itself };
        let finished = self.finish_logs(logs, by).and_then(|clean| {
            if by == By::Caller {
                self.shared.env.files.sync_fs(&self.shared.path)?;
            }
            Ok(clean)
        });
        match finished {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return self.shared.go_offline("closing", &error),
        }
        if let Err(error) = self.shared.write_checkpoint(position, true) {
            tracing::warn!(%error, "no checkpoint was written: the next start reads more");
        }
    }

    /// False if there was no room to close a log in order.
    fn finish_logs(&self, logs: &[Arc<Log>], by: By) -> io::Result<bool> {
        let no_room = |log: &str, error: &io::Error| {
            tracing::warn!(log, %error, "no room to close a log in order");
            Ok(false)
        };
        if by == By::Caller {
            match self.shared.flush_all(logs) {
                Err(error) if is_passing(&error) => return no_room("all", &error),
                flushed => flushed?,
            }
        }
        let mut clean = true;
        for log in logs {
            match log.finish(by) {
                Ok(Some(entry)) => drop(self.shared.known().insert(entry.id, entry)),
                Ok(None) => {}
                Err(error) if is_passing(&error) => clean = no_room(log.dir_name(), &error)?,
                Err(error) => return Err(error),
            }
        }
        Ok(clean)
    }

    fn stop(&self) {
        self.shared.stop();
        for thread in std::mem::take(&mut *self.threads.lock().unwrap()) {
            // A thread that panicked has said so; what it left undone fails below.
            let _ = thread.join();
        }
    }
}

/// Whose a directory is, before anything in it is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not there.
    Absent,
    /// It is there, and can become ours.
    New,
    Ours(MetaProperties),
    /// A broker has it.
    InUse,
}

/// Looks at a directory and changes nothing; what a start would refuse is an error here, too.
pub fn standing(env: &Env, path: &Path) -> Result<Standing, OpenError> {
    if !env.files.exists(path) {
        return Ok(Standing::Absent);
    }
    if env.files.exists(&path.join(adopt::MARK_FILE_NAME)) {
        return Err(OpenError::HalfAdopted { path: path.to_owned() });
    }
    let lock = path.join(lock_file::FILE_NAME);
    if env.files.is_locked(&lock).map_err(OpenError::io("asking for the lock", &lock))? {
        return Ok(Standing::InUse);
    }
    match claim::read_meta(env, path)? {
        Some(meta) => Ok(Standing::Ours(meta)),
        None => claim::is_free(env, path).map(|()| Standing::New),
    }
}

/// How a data directory stands.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct DataDirStats {
    pub journal: JournalStats,
    pub checkpoints: u64,
    /// Appends that had to wait: for room in the journal, or because the disk is slow.
    pub waiting_appends: u64,
    /// Bytes of logs that were damaged and are not served.
    pub quarantined_bytes: u64,
    /// Segments that retention removed, and their batches' bytes.
    pub removed_segments: u64,
    pub removed_bytes: u64,
    /// Logs that are on their way here from another directory, those that came, and what was copied for them.
    pub moves_underway: u64,
    pub moved_logs: u64,
    pub moved_bytes: u64,
    pub cleaner: CleanerStats,
    /// Producers that the logs know, each counted in every log that it wrote to.
    pub producers: u64,
}

impl Drop for DataDir {
    /// Without [`DataDir::close`] nothing more is flushed, as after a kill; only the threads end.
    fn drop(&mut self) {
        self.shared.set_closed();
        self.shared.journal().fail();
        self.stop();
        self.shared.fail_waits(&AppendError::Closed);
        self.shared.abandon();
    }
}

pub(crate) fn unique(random: &dyn Random) -> u128 {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    u128::from_be_bytes(bytes)
}

/// Finishes deletions that a crash interrupted, and removes half-written files.
fn remove_leftovers(env: &Env, path: &Path) -> Result<(), OpenError> {
    for entry in env.files.list(path).map_err(OpenError::io("listing", path))? {
        let leftover = path.join(&entry.name);
        let removed = if entry.is_dir && entry.name.ends_with(DELETE_SUFFIX) {
            env.files.remove_dir_all(&leftover)
        } else if !entry.is_dir && entry.name.ends_with(small_file::TEMPORARY_SUFFIX) {
            env.files.remove_file(&leftover)
        } else {
            Ok(())
        };
        removed.map_err(OpenError::io("removing", &leftover))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
