//! Handles on the simulated disk: open files and locks.
//!
//! Invariant: a handle acts only in the life of the process that made it. It must not decide what becomes of bytes.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use super::disk::{Disk, Writes};
use super::node::NodeId;
use crate::env::durable::check_aligned;
use crate::env::files::{File, LockGuard};

pub(super) struct SimLock {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) id: NodeId,
    pub(super) life: u64,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut disk = self.disk.lock().unwrap();
        if disk.life == self.life {
            disk.locks.retain(|held| *held != self.id);
        }
    }
}

pub(super) struct SimFile {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) id: NodeId,
    pub(super) life: u64,
    pub(super) writes: Writes,
    /// The file was opened for direct writes.
    pub(super) aligned: bool,
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut Disk, NodeId) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.disk.lock().unwrap();
        if disk.life != self.life {
            return Err(io::Error::other("simulated: this handle belongs to a process that is gone"));
        }
        disk.power.check()?;
        act(&mut disk, self.id)
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        self.with(|disk, id| {
            if disk.faults.read {
                return Err(io::Error::other("simulated: the disk cannot read"));
            }
            let content = &disk.file(id)?.live;
            let from = content.len().min(pos as usize);
            let n = buf.len().min(content.len() - from);
            buf[..n].copy_from_slice(&content[from..from + n]);
            Ok(n)
        })
    }

    fn write_all_at(&self, bufs: &[IoSlice<'_>], pos: u64) -> io::Result<()> {
        self.with(|disk, id| {
            if self.aligned {
                check_aligned(bufs, pos)?;
            }
            let bytes = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            disk.write(id, pos, bytes, self.writes)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|disk, id| disk.set_len(id, len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|disk, id| disk.sync(id))
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|disk, id| Ok(disk.file(id)?.live.len() as u64))
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
