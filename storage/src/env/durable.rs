//! The machine's files whose writes are on the disk when they return.
//!
//! A direct write goes past the page cache and carries its flush with it (`RWF_DSYNC`); where the file system takes
//! none, at the opening or at the first write, writes are buffered and followed by `fdatasync`. Invariants: once one
//! write went buffered, all later ones do, so that no dirty page lies over a direct write; and whether a write is
//! aligned is asked before the file system is, so that no caller works on one machine only. Reads go through the page
//! cache, from which the kernel drops what was written directly. It must not know what the bytes mean.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

use super::aligned::DIRECT_BLOCK_BYTES;
use super::files::{File, RealFile, SLICES_PER_WRITE_MAX};

pub(super) struct DurableFile {
    /// For everything but direct writes.
    cached: RealFile,
    /// The writes must be aligned, whether the file system then takes them directly or not.
    aligned: bool,
    direct: Option<Direct>,
}

struct Direct {
    file: std::fs::File,
    /// The file system opened the file directly, and then took no direct write.
    refused: AtomicBool,
}

impl DurableFile {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that touches the machine's files")]
    pub(super) fn open(path: &Path, direct: bool) -> io::Result<DurableFile> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let cached = RealFile { file: options.open(path)? };
        if !direct {
            return Ok(DurableFile { cached, aligned: false, direct: None });
        }
        // `O_DSYNC` is left to each write: the constant of that name in rustix is `O_SYNC`, which flushes the times too.
        let direct = match options.create(false).custom_flags(OFlags::DIRECT.bits() as i32).open(path) {
            Ok(file) => Some(Direct { file, refused: AtomicBool::new(false) }),
            Err(error) if is_refusal(&error) => None,
            Err(error) => return Err(error),
        };
        Ok(DurableFile { cached, aligned: true, direct })
    }

    /// Writes and then flushes, which is as good and takes the kernel longer.
    fn write_buffered(&self, bufs: &[IoSlice<'_>], pos: u64) -> io::Result<()> {
        self.cached.write_all_at(bufs, pos)?;
        self.cached.sync_data()
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::OPNOTSUPP))
}

/// Fails for a write that a direct file may not be asked for.
pub(super) fn check_aligned(bufs: &[IoSlice<'_>], pos: u64) -> io::Result<()> {
    let off = |n: usize| !n.is_multiple_of(DIRECT_BLOCK_BYTES);
    if !pos.is_multiple_of(DIRECT_BLOCK_BYTES as u64)
        || bufs.iter().any(|buf| off(buf.len()) || off(buf.as_ptr().addr()))
    {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a direct write is not aligned"));
    }
    Ok(())
}

impl Direct {
    fn write_all_at(&self, bufs: &[IoSlice<'_>], mut pos: u64) -> io::Result<()> {
        for some in bufs.chunks(SLICES_PER_WRITE_MAX) {
            let mut rest = some.to_vec();
            let mut rest = &mut rest[..];
            // Empty slices go, so that a write of nothing is not taken for a disk that takes nothing.
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                match pwritev2(&self.file, rest, pos, ReadWriteFlags::DSYNC) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => {
                        IoSlice::advance_slices(&mut rest, n);
                        pos += n as u64;
                    }
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

impl File for DurableFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        self.cached.read_at(buf, pos)
    }

    fn write_all_at(&self, bufs: &[IoSlice<'_>], pos: u64) -> io::Result<()> {
        if self.aligned {
            check_aligned(bufs, pos)?;
        }
        let direct = self.direct.as_ref().filter(|direct| !direct.refused.load(Ordering::Acquire));
        let Some(direct) = direct else { return self.write_buffered(bufs, pos) };
        match direct.write_all_at(bufs, pos) {
            Err(error) if is_refusal(&error) => {
                direct.refused.store(true, Ordering::Release);
                self.write_buffered(bufs, pos)
            }
            done => done,
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.cached.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.cached.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.cached.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.cached.file.as_fd())
    }

    fn read_ahead(&self, pos: u64, len: u64) {
        self.cached.read_ahead(pos, len);
    }
}

#[cfg(test)]
mod tests;
