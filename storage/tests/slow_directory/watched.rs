//! Simulated files under which one directory may be slow, and which say who wrote there and how often it was flushed.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![expect(clippy::disallowed_methods, reason = "a slow disk takes time")]

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use bytes::Bytes;
use storage::env::{DirEntry, File, Files, LockGuard, OpenMode, SimFiles};

pub(crate) struct Watched {
    inner: SimFiles,
    place: Arc<Place>,
}

/// What is watched: everything below a directory.
struct Place {
    path: PathBuf,
    delay_ms: AtomicU64,
    /// The threads of the writes, in their order.
    writers: Mutex<Vec<ThreadId>>,
    flushes: AtomicU64,
}

impl Watched {
    pub(crate) fn new(inner: SimFiles, path: &str) -> Arc<Watched> {
        let place = Place {
            path: PathBuf::from(path),
            delay_ms: AtomicU64::new(0),
            writers: Mutex::default(),
            flushes: AtomicU64::new(0),
        };
        Arc::new(Watched { inner, place: Arc::new(place) })
    }

    /// From now on every write takes so much longer.
    pub(crate) fn delay_writes(&self, by: Duration) {
        self.place.delay_ms.store(by.as_millis() as u64, Ordering::SeqCst);
    }

    /// Who wrote since the last time that this was asked.
    pub(crate) fn take_writers(&self) -> Vec<ThreadId> {
        std::mem::take(&mut self.place.writers.lock().unwrap())
    }

    pub(crate) fn flushes(&self) -> u64 {
        self.place.flushes.load(Ordering::SeqCst)
    }

    fn watch(&self, path: &Path, file: Arc<dyn File>) -> Arc<dyn File> {
        if path.starts_with(&self.place.path) {
            Arc::new(WatchedFile { inner: file, place: Arc::clone(&self.place) })
        } else {
            file
        }
    }
}

struct WatchedFile {
    inner: Arc<dyn File>,
    place: Arc<Place>,
}

impl File for WatchedFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        self.inner.read_at(buf, pos)
    }

    fn write_all_at(&self, bufs: &[IoSlice<'_>], pos: u64) -> io::Result<()> {
        self.place.writers.lock().unwrap().push(std::thread::current().id());
        std::thread::sleep(Duration::from_millis(self.place.delay_ms.load(Ordering::SeqCst)));
        self.inner.write_all_at(bufs, pos)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()?;
        self.place.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_fd()
    }
}

impl Files for Watched {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        Ok(self.watch(path, self.inner.open(path, mode)?))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.inner.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }

    fn exists(&self, path: &Path) -> bool {
        self.inner.exists(path)
    }

    fn map(&self, path: &Path) -> io::Result<Bytes> {
        self.inner.map(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        self.inner.lock(path)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.inner.is_locked(path)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.inner.free_bytes(dir)
    }

    fn total_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.inner.total_bytes(dir)
    }

    fn open_durable(&self, path: &Path, direct: bool) -> io::Result<Arc<dyn File>> {
        Ok(self.watch(path, self.inner.open_durable(path, direct)?))
    }

    fn sync_fs(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_fs(dir)
    }

    fn boot_id(&self) -> Option<String> {
        self.inner.boot_id()
    }
}
