//! Files and directories, as narrow as the log needs them, and the machine's implementation.
//!
//! Invariants: writes are positional (no cursor is shared), a write either wrote everything or failed, and nothing is
//! promised to be on the disk before `sync_data` (content) and `sync_dir` (names) returned. This is the one module of
//! the workspace with `unsafe`: mapping a file needs it. It must not know what the bytes mean.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::durable::DurableFile;
use crate::ids::TimestampMs;

/// How a file is opened. Nothing is ever truncated by opening it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Read only; the file must exist.
    Read,
    /// Read and write; the file must exist.
    Write,
    /// Read and write; made if it is missing.
    Create,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    pub name: String,
    pub is_dir: bool,
    /// The file's length; 0 for a directory.
    pub len: u64,
}

/// Held for as long as the lock is wanted; dropping it releases.
pub trait LockGuard: Send + Sync {}

pub trait Files: Send + Sync {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The directory's names, sorted. Names that are not UTF-8 are nobody of ours and are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Makes the names made, renamed and removed in `dir` last.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    fn exists(&self, path: &Path) -> bool;
    /// The whole file as memory. Only for files that nobody changes any more: sealed indexes, and those of a data
    /// directory that no broker has, for `ottla log dump`.
    fn map(&self, path: &Path) -> io::Result<Bytes>;
    /// Takes the lock or fails with `WouldBlock` when another process, or another part of this one, holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>>;
    /// Whether somebody holds the lock, without making the file or keeping anybody out; a file that is not there is free.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;
    /// What an ordinary user may still write below `dir`.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// The size of the file system that holds `dir`.
    fn total_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// Opens (or makes) a file whose `write_all_at` returns only when the bytes are on the disk; its name takes
    /// `sync_dir`, as any other's. With `direct` past the page cache, where the file system takes that: then the
    /// position of every write and the length and address of every buffer must be multiples of 4096, as
    /// [`AlignedBuf`](super::AlignedBuf) has them. Reads need no alignment.
    fn open_durable(&self, path: &Path, direct: bool) -> io::Result<Arc<dyn File>>;
    /// Makes everything last that the file system which holds `dir` has not flushed: contents and names. An error since
    /// the last call for this `dir` is reported; the first call begins to look.
    fn sync_fs(&self, dir: &Path) -> io::Result<()>;
    /// What the kernel calls this boot; nothing where it does not say.
    fn boot_id(&self) -> Option<String>;
    /// When a file was last written to, by the wall clock. `Unsupported` where nothing tells.
    fn modified_ms(&self, _path: &Path) -> io::Result<TimestampMs> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Takes the kind of lock that Java's `FileChannel` takes, on a file that is there and is not written to: shared, so
    /// that whoever wants it for itself waits. Fails with `WouldBlock` where another process has it for itself.
    fn lock_as_java(&self, _path: &Path) -> io::Result<Box<dyn LockGuard>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Makes the new file `to` with the content of `from`, without copying: both share it until one of them is written
    /// to, which the other never sees. `Unsupported`, or whatever else the file system says, where there is no such thing.
    fn share_content(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[expect(clippy::len_without_is_empty, reason = "a length that can fail has no use for is_empty")]
pub trait File: Send + Sync {
    /// Reads up to `buf.len()` bytes; less only at the end of the file.
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize>;
    /// Writes all of `bufs` one behind the other.
    fn write_all_at(&self, bufs: &[IoSlice<'_>], pos: u64) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes content and length last. Once it failed, the kernel may have dropped the pages: it is never retried.
    fn sync_data(&self) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    /// The descriptor, where there is one, so that the kernel can send the bytes itself.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;
    /// Whether a read of this range, or its sending, would find it in memory: a guess that costs little, and reads
    /// nothing. Where nothing tells, the answer is yes.
    fn is_cached(&self, _pos: u64, _len: usize) -> bool {
        true
    }
    /// Says that this range is read soon: who reads it then waits less. It costs no wait, and nothing depends on it.
    fn read_ahead(&self, _pos: u64, _len: u64) {}
}

/// A range of this size is told of by its last byte.
const CACHE_PIECE_BYTES: usize = 16 << 10;
/// How far apart the bytes are that tell whether a range is in the page cache. The kernel reads ahead, and lets go, in
/// larger pieces than pages.
const CACHE_PROBE_BYTES: usize = 128 << 10;

/// The machine's file system.
#[derive(Default)]
pub struct RealFiles {
    /// The directories that `sync_fs` was called for. The kernel tells a descriptor of the errors since its opening
    /// only: one opened for each call could miss a failed write in between.
    synced: Mutex<BTreeMap<PathBuf, Arc<std::fs::File>>>,
}

/// The most slices that one call of the kernel takes (`IOV_MAX` of Linux).
pub(super) const SLICES_PER_WRITE_MAX: usize = 1024;

#[expect(clippy::disallowed_methods, reason = "this is the one place that touches the machine's files")]
impl Files for RealFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read).create(mode == OpenMode::Create).truncate(false);
        Ok(Arc::new(RealFile { file: options.open(path)? }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                // Removed between the listing and the question.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let len = if meta.is_dir() { 0 } else { meta.len() };
            found.push(DirEntry { name, is_dir: meta.is_dir(), len });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Only the opening may fail for a reason that passes.
        std::fs::File::open(dir)?.sync_all().map_err(io::Error::other)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn map(&self, path: &Path) -> io::Result<Bytes> {
        let file = std::fs::File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Bytes::new());
        }
        #[expect(unsafe_code, reason = "mapping a file is unsafe in itself")]
        // SAFETY: only files that nobody changes are mapped. A broker maps sealed indexes: it holds the directory's
        // lock and never changes or cuts one; it only ever unlinks one, which leaves the mapped pages in place.
        // `ottla log dump` asks first whether a broker has the directory, and then reads instead.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Bytes::from_owner(map))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock { _file: file })),
            Err(std::fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let file = match std::fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        // A shared lock, given back at once: a second one who looks is not in its way.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(std::fs::TryLockError::WouldBlock) => Ok(true),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn total_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_blocks.saturating_mul(stat.f_frsize))
    }

    fn open_durable(&self, path: &Path, direct: bool) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(DurableFile::open(path, direct)?))
    }

    fn sync_fs(&self, dir: &Path) -> io::Result<()> {
        let held = self.held(dir)?;
        // As above.
        rustix::fs::syncfs(&*held).map_err(io::Error::other)
    }

    fn boot_id(&self) -> Option<String> {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    }

    fn modified_ms(&self, path: &Path) -> io::Result<TimestampMs> {
        let modified = std::fs::metadata(path)?.modified()?;
        // What is from before the epoch is as old as can be.
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(TimestampMs::try_from(since.as_millis()).unwrap_or(TimestampMs::MAX))
    }

    fn lock_as_java(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let file = std::fs::File::open(path)?;
        match rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Box::new(RealLock { _file: file })),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn share_content(&self, from: &Path, to: &Path) -> io::Result<()> {
        let from = std::fs::File::open(from)?;
        let to = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(to)?;
        Ok(rustix::fs::ioctl_ficlone(&to, &from)?)
    }
}

impl RealFiles {
    /// The descriptor of `dir` that stays open. There are as many as there are data directories.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that touches the machine's files")]
    fn held(&self, dir: &Path) -> io::Result<Arc<std::fs::File>> {
        let mut synced = self.synced.lock().unwrap();
        if let Some(held) = synced.get(dir) {
            return Ok(Arc::clone(held));
        }
        let held = Arc::new(std::fs::File::open(dir)?);
        synced.insert(dir.to_owned(), Arc::clone(&held));
        Ok(held)
    }
}

/// The lock belongs to the open file, and goes with it.
struct RealLock {
    _file: std::fs::File,
}

impl LockGuard for RealLock {}

pub(super) struct RealFile {
    pub(super) file: std::fs::File,
}

impl File for RealFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], pos + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, bufs: &[IoSlice<'_>], mut pos: u64) -> io::Result<()> {
        for some in bufs.chunks(SLICES_PER_WRITE_MAX) {
            let wanted: usize = some.iter().map(|buf| buf.len()).sum();
            let written = loop {
                match rustix::io::pwritev(&self.file, some, pos) {
                    Err(rustix::io::Errno::INTR) => {}
                    other => break other?,
                }
            };
            if written < wanted {
                self.write_rest(some, written, pos)?;
            }
            pos += wanted as u64;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }

    fn read_ahead(&self, pos: u64, len: u64) {
        // What a file system does not take costs a wait later, and nothing else.
        let _ = rustix::fs::fadvise(&self.file, pos, NonZeroU64::new(len), rustix::fs::Advice::WillNeed);
    }

    fn is_cached(&self, pos: u64, len: usize) -> bool {
        let last = len.saturating_sub(1);
        let others = if len <= CACHE_PIECE_BYTES { 0 } else { len };
        (0..others).step_by(CACHE_PROBE_BYTES).chain([last]).all(|at| self.has_cached(pos + at as u64))
    }
}

impl RealFile {
    fn has_cached(&self, pos: u64) -> bool {
        let mut byte = [0];
        let flags = rustix::io::ReadWriteFlags::NOWAIT;
        let read = rustix::io::preadv2(&self.file, &mut [IoSliceMut::new(&mut byte)], pos, flags);
        // A file system that cannot tell is one that is never asked to read ahead.
        read != Err(rustix::io::Errno::AGAIN)
    }

    /// The kernel took only a part, as it does when the disk is nearly full: the rest goes buffer by buffer, so that
    /// the true error shows.
    fn write_rest(&self, bufs: &[IoSlice<'_>], mut skip: usize, pos: u64) -> io::Result<()> {
        let mut at = pos + skip as u64;
        for buf in bufs {
            let rest = &buf[skip.min(buf.len())..];
            skip = skip.saturating_sub(buf.len());
            self.file.write_all_at(rest, at)?;
            at += rest.len() as u64;
        }
        Ok(())
    }
}
