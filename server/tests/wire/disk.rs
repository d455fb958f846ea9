//! The machine's files with a window and a gate: what is opened and flushed can be seen, and the journal can be held up
//! or broken.
//!
//! Frozen files are those of a disk that does not answer reads until they are let go, and the page cache has nothing.
//! A held journal is a disk that takes its time: writes to it begin and do not end until they are let go. Everything
//! else goes to the real files. It must not know what the broker does with them.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use storage::env::{DirEntry, LockGuard, OpenMode, RealFiles};
use storage::{Env, File, Files};

/// A handle on the files of one broker.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Seen>,
    let_go: Condvar,
}

#[derive(Default)]
struct Seen {
    journal_is_held: bool,
    /// The data directory whose journal is broken.
    broken: Option<PathBuf>,
    frozen: Option<Freeze>,
    /// Reads of frozen files that have begun.
    waiting_reads: usize,
    /// How often each file was flushed by itself.
    syncs: BTreeMap<PathBuf, usize>,
    /// Whether the journal's files were opened past the page cache.
    direct: Vec<bool>,
}

/// Which reads do not end: those of so many bytes, of the logs in a directory with this name.
#[derive(Clone)]
struct Freeze {
    dir: String,
    bytes_min: usize,
}

impl Freeze {
    fn holds(&self, path: &Path, bytes: usize) -> bool {
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        is_log && bytes >= self.bytes_min && path.parent().is_some_and(|dir| dir.ends_with(&self.dir))
    }
}

impl Disk {
    /// The machine, with these files.
    pub(crate) fn env(&self) -> Env {
        let files = WatchedFiles { real: RealFiles::default(), state: Arc::clone(&self.state) };
        Env { files: Arc::new(files), ..Env::real() }
    }

    /// From here on no write to the journal ends, until what is returned is dropped.
    pub(crate) fn hold_journal(&self) -> HeldJournal {
        self.state.seen.lock().unwrap().journal_is_held = true;
        HeldJournal(Arc::clone(&self.state))
    }

    /// From here on no read of at least so many bytes ends, of the logs in a directory with this name, until what is
    /// returned is dropped.
    pub(crate) fn freeze(&self, dir: &str, bytes_min: usize) -> Frozen {
        self.state.seen.lock().unwrap().frozen = Some(Freeze { dir: dir.to_owned(), bytes_min });
        Frozen(Arc::clone(&self.state))
    }

    /// From here on every write to the journal in this data directory fails.
    pub(crate) fn break_journal(&self, dir: &Path) {
        self.state.seen.lock().unwrap().broken = Some(dir.to_owned());
    }

    /// How often files whose path ends so were flushed.
    pub(crate) fn syncs_of(&self, suffix: &str) -> usize {
        let seen = self.state.seen.lock().unwrap();
        seen.syncs.iter().filter(|(path, _)| path.ends_with(suffix)).map(|(_, count)| count).sum()
    }

    pub(crate) fn journal_files_direct(&self) -> Vec<bool> {
        self.state.seen.lock().unwrap().direct.clone()
    }
}

/// See [`Disk::hold_journal`]. A broker ends only when it is gone.
pub(crate) struct HeldJournal(Arc<State>);

impl Drop for HeldJournal {
    fn drop(&mut self) {
        self.0.seen.lock().unwrap().journal_is_held = false;
        self.0.let_go.notify_all();
    }
}

/// See [`Disk::freeze`]. A broker ends only when it is gone.
pub(crate) struct Frozen(Arc<State>);

impl Frozen {
    /// Whether some read has come to wait, within a time.
    pub(crate) fn is_waited_for(&self, at_most: Duration) -> bool {
        let seen = self.0.seen.lock().unwrap();
        let (seen, _) =
            self.0.let_go.wait_timeout_while(seen, at_most, |seen| seen.waiting_reads == 0).unwrap();
        seen.waiting_reads > 0
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.0.seen.lock().unwrap().frozen = None;
        self.0.let_go.notify_all();
    }
}

impl State {
    /// Waits while reads of this file do not end.
    fn begin_read(&self, path: &Path, bytes: usize) {
        let mut seen = self.seen.lock().unwrap();
        if !seen.frozen.as_ref().is_some_and(|frozen| frozen.holds(path, bytes)) {
            return;
        }
        seen.waiting_reads += 1;
        self.let_go.notify_all();
        drop(self.let_go.wait_while(seen, |seen| seen.frozen.is_some()).unwrap());
    }

    /// Waits while the journal is held, and fails if it is broken.
    fn begin_journal_write(&self, path: &Path) -> io::Result<()> {
        let seen = self.seen.lock().unwrap();
        let seen = self.let_go.wait_while(seen, |seen| seen.journal_is_held).unwrap();
        let is_broken = seen.broken.as_ref().is_some_and(|dir| path.starts_with(dir));
        if is_broken { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
    }
}

struct WatchedFiles {
    real: RealFiles,
    state: Arc<State>,
}

struct WatchedFile {
    real: Arc<dyn File>,
    path: PathBuf,
    is_journal: bool,
    state: Arc<State>,
}

impl WatchedFiles {
    fn watched(&self, real: Arc<dyn File>, path: &Path, is_journal: bool) -> Arc<dyn File> {
        Arc::new(WatchedFile { real, path: path.to_owned(), is_journal, state: Arc::clone(&self.state) })
    }
}

impl Files for WatchedFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        Ok(self.watched(self.real.open(path, mode)?, path, false))
    }

    fn open_durable(&self, path: &Path, direct: bool) -> io::Result<Arc<dyn File>> {
        self.state.seen.lock().unwrap().direct.push(direct);
        Ok(self.watched(self.real.open_durable(path, direct)?, path, true))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.real.create_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.real.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.real.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.real.remove_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.real.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.real.sync_dir(dir)
    }

    fn exists(&self, path: &Path) -> bool {
        self.real.exists(path)
    }

    fn map(&self, path: &Path) -> io::Result<Bytes> {
        self.real.map(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        self.real.lock(path)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.real.is_locked(path)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.real.free_bytes(dir)
    }

    fn total_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.real.total_bytes(dir)
    }

    fn sync_fs(&self, dir: &Path) -> io::Result<()> {
        self.real.sync_fs(dir)
    }

    fn boot_id(&self) -> Option<String> {
        self.real.boot_id()
    }
}

impl File for WatchedFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        self.state.begin_read(&self.path, buf.len());
        self.real.read_at(buf, pos)
    }

    fn is_cached(&self, pos: u64, len: usize) -> bool {
        let seen = self.state.seen.lock().unwrap();
        let is_frozen = seen.frozen.as_ref().is_some_and(|frozen| frozen.holds(&self.path, len));
        !is_frozen && self.real.is_cached(pos, len)
    }

    fn write_all_at(&self, bufs: &[IoSlice<'_>], pos: u64) -> io::Result<()> {
        if self.is_journal {
            self.state.begin_journal_write(&self.path)?;
        }
        self.real.write_all_at(bufs, pos)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.real.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.real.sync_data()?;
        *self.state.seen.lock().unwrap().syncs.entry(self.path.clone()).or_default() += 1;
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.real.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.real.as_fd()
    }
}
