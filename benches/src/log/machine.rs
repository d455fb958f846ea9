//! What the machine does without a log: page-cache writes, flushes, new directories, reads from the disk.
//!
//! Invariants: each takes the same sizes and counts as the log's case beside it, in files of its own; nothing of the
//! storage crate is used, for a limit must not share what it limits.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::fs::{Advice, OFlags, fadvise, syncfs};

use super::rows::Flush;
use super::run::{Budget, Figures};
use crate::compare::{reclaim_memory, settle_disk};
use crate::load::roundtrip::new_histogram;

const BLOCK_BYTES: usize = 4096;
/// The direct writes go round in a file of this size, as a journal does.
const RING_BYTES: u64 = 16 << 20;
const READ_BYTES: usize = 1 << 20;
/// Written before a host takes back the memory that was made ready for it.
const PORTION_BYTES: u64 = 512 << 20;
/// As far as a relaxed log gets ahead of its flushes.
const FLUSH_STEP_BYTES: u64 = 128 << 20;

/// `chunk` into each of `files` in turn until the volume is through.
pub(crate) fn page_cache(dir: &Path, files: usize, chunk: &[u8], volume_bytes: u64) -> Result<Figures> {
    let open = |number: usize| {
        let file = File::create_new(dir.join(format!("{number}.scratch")))?;
        file.write_all_at(chunk, 0)?;
        anyhow::Ok(file)
    };
    let files = (0..files).map(open).collect::<Result<Vec<_>>>().context("making the files")?;
    in_portions(dir, chunk.len(), volume_bytes, |write| {
        let (round, at) = (write / files.len() as u64, write as usize % files.len());
        Ok(files[at].write_all_at(chunk, (round + 1) * chunk.len() as u64)?)
    })
}

/// `chunk` into one file until the volume is through, flushed by another thread whenever a step of it is written: what a
/// log pays that does not leave all of its pages to the kernel.
pub(crate) fn page_cache_flushed(dir: &Path, chunk: &[u8], volume_bytes: u64) -> Result<Figures> {
    let file = File::create_new(dir.join("flushed.scratch"))?;
    let per_step = FLUSH_STEP_BYTES / chunk.len() as u64;
    thread::scope(|scope| {
        let (due, steps) = mpsc::channel::<()>();
        let flusher = scope.spawn(|| steps.into_iter().try_for_each(|()| file.sync_data()));
        let figures = in_portions(dir, chunk.len(), volume_bytes, |write| {
            file.write_all_at(chunk, write * chunk.len() as u64)?;
            if write % per_step == per_step - 1 {
                // A flusher that is gone has failed, and says so at the end.
                let _ = due.send(());
            }
            Ok(())
        });
        drop(due);
        flusher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).context("flushing behind")?;
        figures
    })
}

/// Does `write` until the volume is through, by portions: before each the disk comes to rest, and the memory that it will
/// fill is taken back from the host. That is not measured; over a longer time a host takes pages again while they are
/// written, most from the slower of two that are compared.
pub(crate) fn in_portions(
    dir: &Path,
    bytes_each: usize,
    volume_bytes: u64,
    mut write: impl FnMut(u64) -> Result<()>,
) -> Result<Figures> {
    let mut all = Figures::begin();
    let (mut next, writes) = (0, volume_bytes / bytes_each as u64);
    while next < writes {
        settle_disk(dir)?;
        reclaim_memory(PORTION_BYTES)?;
        let portion = next..writes.min(next + PORTION_BYTES / bytes_each as u64);
        let mut part = Figures::begin();
        portion.clone().try_for_each(&mut write)?;
        part.done(portion.end - portion.start, bytes_each);
        all.add(&part);
        next = portion.end;
    }
    Ok(all)
}

pub(crate) fn flush(dir: &Path, flush: Flush, budget: Budget) -> Result<Figures> {
    let path = dir.join("flush.scratch");
    let buffer = vec![b'x'; 2 * BLOCK_BYTES];
    // Direct writes want memory at a multiple of the block size.
    let block = &buffer[buffer.as_ptr().align_offset(BLOCK_BYTES)..][..BLOCK_BYTES];
    let file = match flush {
        Flush::Growing => File::create_new(&path)?,
        Flush::Direct => direct_file(&path)?,
    };
    settle_disk(dir)?;
    let mut latency_ns = new_histogram()?;
    let mut figures = Figures::begin();
    let mut writes = 0;
    while budget.lasts(&figures) {
        let begun = Instant::now();
        let position = writes * BLOCK_BYTES as u64;
        match flush {
            Flush::Growing => {
                file.write_all_at(block, position)?;
                file.sync_data()?;
            }
            Flush::Direct => file.write_all_at(block, position % RING_BYTES)?,
        }
        latency_ns.saturating_record(begun.elapsed().as_nanos() as u64);
        writes += 1;
    }
    figures.done(writes, BLOCK_BYTES);
    figures.latency_ns = Some(latency_ns);
    Ok(figures)
}

/// A file that is full already, to be written over past the page cache where the file system takes that.
fn direct_file(path: &Path) -> Result<File> {
    fs::write(path, vec![0; RING_BYTES as usize])?;
    File::open(path)?.sync_all()?;
    let open =
        |flags: OFlags| OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(path);
    open(OFlags::DIRECT | OFlags::DSYNC).or_else(|error| {
        eprintln!("this file system takes no direct writes ({error}): O_DSYNC alone is measured");
        open(OFlags::DSYNC).context("opening with O_DSYNC")
    })
}

pub(crate) fn create(dir: &Path, count: usize, content: &[u8]) -> Result<Figures> {
    settle_disk(dir)?;
    let mut figures = Figures::begin();
    for number in 0..count {
        let new = dir.join(number.to_string());
        fs::create_dir(&new)?;
        fs::write(new.join("file"), content)?;
    }
    syncfs(File::open(dir)?).context("flushing the file system")?;
    figures.done(count as u64, content.len());
    Ok(figures)
}

/// Reads all files below `dir` in big steps, from the disk.
pub(crate) fn read_all(dir: &Path) -> Result<Figures> {
    forget_pages(dir)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut figures = Figures::begin();
    let mut bytes = 0;
    for path in files_below(dir)? {
        let mut file = File::open(&path)?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => bytes += read as u64,
            }
        }
    }
    figures.done_bytes(1, bytes);
    Ok(figures)
}

/// Flushes what is below `dir` and drops it from memory.
pub(crate) fn forget_pages(dir: &Path) -> Result<()> {
    settle_disk(dir)?;
    for path in files_below(dir)? {
        fadvise(File::open(&path)?, 0, None, Advice::DontNeed).context("dropping cached pages")?;
    }
    Ok(())
}

pub(crate) fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let (mut dirs, mut files) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let kind = if entry.file_type()?.is_dir() { &mut dirs } else { &mut files };
            kind.push(entry.path());
        }
    }
    Ok(files)
}
