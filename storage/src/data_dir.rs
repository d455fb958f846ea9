//! One directory of `log.dirs`: whose it is, which logs are in it, and how it begins and ends.
//!
//! Invariants: one process at a time (its `lock`), of one cluster and node (its `meta.properties`); a directory that is
//! not ours is refused before anything in it is touched; a log's directory is renamed before it is deleted, and never
//! deleted for being unknown. It must not know topics: names of directories are all it sees.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::adopt;
use crate::checkpoint::Entry;
use crate::claim;
use crate::compact::{CleanerOptions, CleanerStats};
use crate::config::LogConfig;
use crate::env::{Env, LockGuard, Random};
use crate::error::{OpenError, is_out_of_files, is_passing};
use crate::flush::By;
use crate::ids::{LeaderEpoch, LogId};
use crate::journal::{JournalOptions, JournalStats};
use crate::lock_file::{self, Pages};
use crate::log::Log;
pub use crate::meta::MetaProperties;
use crate::meta::{self, PARTITION_FILE_NAME};
use crate::opening;
use crate::recover::{Depth, Recovered, recover};
use crate::shared::Shared;
use crate::small_file;
use crate::syncs::{SYNC_EACH_MAX, Syncs};
use crate::ticket::AppendError;
use crate::workers;
use crate::writer::Writer;

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

/// Kafka's endings for directories that wait for deletion, or that no topic owns.
pub(crate) const DELETE_SUFFIX: &str = "-delete";
const STRAY_SUFFIX: &str = "-stray";
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
            Flushing::Thread => {
                workers::start(&shared, options.checkpoint_interval, options.retention_interval)?
            }
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

    /// The directories that look like logs, and whose they are. Where a directory itself does not say, the last
    /// checkpoint may.
    pub fn logs_on_disk(&self) -> Vec<(String, Option<LogId>)> {
        let files = &self.shared.env.files;
        let entries = files.list(&self.shared.path).unwrap_or_else(|error| {
            tracing::error!(path = %self.shared.path.display(), %error, "the data directory cannot be listed");
            Vec::new()
        });
        let logs =
            entries.into_iter().filter(|entry| entry.is_dir && meta::partition_of(&entry.name).is_some());
        logs.map(|entry| (self.owner(&entry.name), entry.name)).map(|(id, name)| (name, id)).collect()
    }

    /// The logs that the last checkpoint knew of, be they there or not.
    pub(crate) fn known_logs(&self) -> Vec<(String, LogId)> {
        self.shared.known().values().map(|entry| (entry.dir_name.clone(), entry.id)).collect()
    }

    fn owner(&self, dir_name: &str) -> Option<LogId> {
        let path = self.shared.path.join(dir_name).join(PARTITION_FILE_NAME);
        let text = small_file::read(&*self.shared.env.files, &path).ok().flatten();
        text.and_then(|text| meta::log_id(dir_name, &text)).or_else(|| {
            self.shared.known().values().find(|entry| entry.dir_name == dir_name).map(|entry| entry.id)
        })
    }

    /// Opens a log, recovering what is on the disk. Its directory is made at its first append. The log's leader epoch
    /// is `epoch`, or one above the last in the log if that is more.
    pub fn open_log(
        &self,
        id: LogId,
        dir_name: &str,
        config: LogConfig,
        epoch: LeaderEpoch,
    ) -> Result<Arc<Log>, OpenError> {
        self.open_log_to(Depth::Unknown, id, dir_name, config, epoch)
    }

    /// As [`DataDir::open_log`], and says how much is judged.
    pub(crate) fn open_log_to(
        &self,
        depth: Depth,
        id: LogId,
        dir_name: &str,
        config: LogConfig,
        epoch: LeaderEpoch,
    ) -> Result<Arc<Log>, OpenError> {
        if meta::partition_of(dir_name) != Some(id.partition) {
            return Err(OpenError::BadName(dir_name.to_owned()));
        }
        // Recovery must not run twice on the same files; a flush of other logs need not be waited for.
        let _directories = self.shared.directories();
        if self.shared.logs().contains_key(&id) {
            return Err(OpenError::AlreadyOpen { id });
        }
        let mut recovered = self.recover(depth, id, dir_name)?;
        self.flush_recovered(std::mem::take(&mut recovered.syncs))?;
        let counts = &self.shared.counts;
        counts.quarantined_bytes.fetch_add(recovered.quarantined_bytes, std::sync::atomic::Ordering::Relaxed);
        let log = Log::new(Arc::clone(&self.shared), id, dir_name, config, epoch, recovered);
        self.shared.logs().insert(id, Arc::clone(&log));
        Ok(log)
    }

    /// Opens a log whose files somebody else wrote and an adoption has put here. `known` is what can be said of them, and
    /// every batch is judged.
    pub(crate) fn take_in(&self, known: Entry) -> Result<Arc<Log>, OpenError> {
        // A gap behind which another segment begins is a compaction's, and no power cut's.
        let pages = Pages::Kept;
        let _directories = self.shared.directories();
        let (id, dir_name) = (known.id, known.dir_name.clone());
        let path = self.shared.path.join(&dir_name);
        self.write_owner(id, &path, pages)?;
        let mut recovered =
            recover(&self.shared.env.files, id, &path, Some(&known), pages, Depth::Everything)?;
        self.shared.known().insert(id, known);
        self.flush_recovered(std::mem::take(&mut recovered.syncs))?;
        let config = LogConfig::default();
        let log = Log::new(Arc::clone(&self.shared), id, &dir_name, config, LeaderEpoch(0), recovered);
        self.shared.logs().insert(id, Arc::clone(&log));
        Ok(log)
    }

    fn flush_recovered(&self, syncs: Syncs) -> Result<(), OpenError> {
        if let Some(opening) = &mut *self.shared.opening.lock().unwrap() {
            opening.add(syncs);
            return Ok(());
        }
        let what = "flushing what was recovered in";
        self.shared.flush_recovered(&syncs).map_err(OpenError::io(what, &self.shared.path))
    }

    /// Logs that are opened while this lives are flushed together at its end: ten thousand at the cost of a few. Until
    /// then nothing of them may be served.
    pub fn open_together(&self) -> Opening<'_> {
        self.shared.opening.lock().unwrap().get_or_insert_default();
        Opening { shared: &self.shared }
    }

    fn recover(&self, depth: Depth, id: LogId, dir_name: &str) -> Result<Recovered, OpenError> {
        let (files, path) = (&self.shared.env.files, self.shared.path.join(dir_name));
        let known = self.shared.known().get(&id).cloned();
        if files.exists(&path) {
            if self.owner(dir_name) == Some(id)
                || self.is_unused(&path)?
                || self.has_one_wrong_bit(id, &path)?
            {
                let pages = self.shared.pages();
                self.write_owner(id, &path, pages)?;
                return recover(files, id, &path, known.as_ref(), pages, depth);
            }
            // A log that is open lives in its directory, whoever else may want the name.
            if self.shared.logs().values().any(|log| log.dir_name() == dir_name) {
                return Err(OpenError::DirectoryInUse { path });
            }
            self.shared.rename_away(dir_name, STRAY_SUFFIX).map_err(OpenError::io("renaming", &path))?;
        }
        match known {
            Some(_) => Err(OpenError::LogGone { path, id }),
            None => Ok(Recovered::empty()),
        }
    }

    /// Whether nothing was ever written in a log's directory: a crash came right after it was made.
    fn is_unused(&self, path: &Path) -> Result<bool, OpenError> {
        let entries = self.shared.env.files.list(path).map_err(OpenError::io("listing", path))?;
        Ok(entries.iter().all(|entry| entry.len == 0 && !entry.is_dir))
    }

    /// Whether the directory is `id`'s but for one bit.
    pub(crate) fn has_one_wrong_bit(&self, id: LogId, path: &Path) -> Result<bool, OpenError> {
        let file = path.join(PARTITION_FILE_NAME);
        let text =
            small_file::read(&*self.shared.env.files, &file).map_err(OpenError::io("reading", &file))?;
        let is_one = text.is_some_and(|text| meta::has_one_wrong_bit(&text, id.topic));
        if is_one {
            tracing::error!(path = %file.display(), "a bit of the file is wrong; it is written anew. Check the disk");
        }
        Ok(is_one)
    }

    /// Puts back a `partition.metadata` that is lost, or may be.
    fn write_owner(&self, id: LogId, path: &Path, pages: Pages) -> Result<(), OpenError> {
        let (files, file) = (&*self.shared.env.files, path.join(PARTITION_FILE_NAME));
        let text = small_file::read(files, &file).map_err(OpenError::io("reading", &file))?;
        if pages != Pages::Doubtful && text.as_deref().and_then(meta::decode_partition) == Some(id.topic) {
            return Ok(());
        }
        small_file::replace(files, &file, meta::encode_partition(id.topic).as_bytes())
            .map_err(OpenError::io("writing", &file))
    }

    /// Deletes a log: its directory is renamed, and that is durable, when this returns; its files are unlinked later.
    /// Doing it twice does no harm.
    pub fn delete_log(&self, log: &Log) -> io::Result<()> {
        let _directories = self.shared.directories();
        let _cycle = self.shared.cycle();
        let writer = log.writer.lock().unwrap();
        if log.moved.get().is_some() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "the log was moved to another directory",
            ));
        }
        if log.is_gone() {
            return Ok(());
        }
        // By now the directory may be another log's of the same name.
        let is_there = self.shared.env.files.exists(&log.path);
        let trash = if is_there && self.owner(log.dir_name()).is_none_or(|owner| owner == log.id()) {
            Some(self.shared.rename_away(log.dir_name(), DELETE_SUFFIX)?)
        } else {
            None
        };
        self.shared.give_up(log, writer);
        log.watch_high_watermark().close();
        if let Some(trash) = trash {
            self.shared.throw_away(trash);
        }
        Ok(())
    }

    /// Sets a directory aside that no topic owns. It is never deleted, unless nothing was ever written in it: its owner
    /// may be found yet.
    pub fn stray(&self, dir_name: &str) -> io::Result<()> {
        if meta::partition_of(dir_name).is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no log's directory"));
        }
        let _directories = self.shared.directories();
        let _cycle = self.shared.cycle();
        if self.shared.logs().values().any(|log| log.dir_name() == dir_name) {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the log is open"));
        }
        let path = self.shared.path.join(dir_name);
        if self.is_unused(&path).map_err(io::Error::other)? {
            self.shared.env.files.remove_dir_all(&path)?;
        } else {
            let aside = self.shared.rename_away(dir_name, STRAY_SUFFIX)?;
            tracing::warn!(path = %path.display(), to = %aside.display(), "no topic owns this log: it is set aside; delete it if nobody misses it");
        }
        self.shared.known().retain(|_, entry| entry.dir_name != dir_name);
        Ok(())
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

/// Many logs of a directory are being opened.
pub struct Opening<'d> {
    shared: &'d Shared,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let _cycle = self.shared.cycle();
        let Some(syncs) = self.shared.opening.lock().unwrap().take() else { return };
        let is_flushed = self.shared.flush_recovered(&syncs).is_ok();
        self.shared.doubtful.store(!is_flushed, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Shared {
    /// Renames a log's directory for good, in a way that no other directory has or gets.
    pub(crate) fn rename_away(&self, dir_name: &str, suffix: &str) -> io::Result<PathBuf> {
        let unique = format!(".{:032x}{suffix}", unique(&*self.env.random));
        let mut kept = dir_name.len().min(NAME_BYTES_MAX - unique.len());
        while !dir_name.is_char_boundary(kept) {
            kept -= 1;
        }
        let to = self.path.join(format!("{}{unique}", &dir_name[..kept]));
        self.env.files.rename(&self.path.join(dir_name), &to)?;
        self.env.files.sync_dir(&self.path)?;
        Ok(to)
    }

    /// Nothing is left of a log in this directory: it is deleted, or lives in another. The caller has `directories` and
    /// `cycle`.
    pub(crate) fn give_up(&self, log: &Log, mut writer: MutexGuard<'_, Writer>) {
        log.deleted.store(true, std::sync::atomic::Ordering::SeqCst);
        // Without it, a replay could make the directory anew, for nobody.
        log.note_drop(&mut writer);
        log.take_unflushed(&mut writer);
        log.let_go(&mut writer);
        drop(writer);
        self.logs().remove(&log.id());
        self.known().remove(&log.id());
        self.forget_clean_offset(log);
    }

    /// The directory goes offline where it fails.
    pub(crate) fn flush_recovered(&self, syncs: &Syncs) -> io::Result<()> {
        let flush = || syncs.perform(&*self.env.files, &self.path);
        let flushed = match flush() {
            Err(error) if is_out_of_files(&error) => self.spare.lend(flush),
            flushed => flushed,
        };
        flushed.inspect_err(|error| self.go_offline("flushing what was recovered", error))
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
