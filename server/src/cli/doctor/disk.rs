//! How long a disk takes to make a write last, measured on a file that has no name any more.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use storage::env::{AlignedBuf, DIRECT_BLOCK_BYTES, File, OpenMode};

use super::Patient;

/// One kind of write for so long, or so many of them.
const SPAN: Duration = Duration::from_millis(250);
const WRITES_MAX: usize = 300;
/// Written before and over again, as the journal's files are.
const BLOCKS: u64 = 64;

/// Times of single writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) median: Duration,
    pub(super) slow: Duration,
}

impl Times {
    fn of(mut all: Vec<Duration>) -> Option<Times> {
        all.sort_unstable();
        let slow = all.get(all.len() * 99 / 100).or(all.last())?;
        Some(Times { median: all[all.len() / 2], slow: *slow })
    }

    pub(super) fn text(&self) -> String {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        format!("{:.2} ms, one of a hundred {:.2} ms", ms(self.median), ms(self.slow))
    }
}

/// Of writes like the journal's, and of appends with a flush behind each.
pub(super) struct Measured {
    pub(super) durable: Times,
    pub(super) flushed: Times,
}

/// Fails as the first write of a broker would.
pub(super) fn measure(patient: &Patient<'_>, dir: &Path) -> io::Result<Measured> {
    let path = dir.join(format!(".ottla-doctor-{}", std::process::id()));
    let files = &patient.env.files;
    let nameless = |file: io::Result<Arc<dyn File>>| {
        let file = file?;
        files.remove_file(&path)?;
        io::Result::Ok(file)
    };
    let mut block = AlignedBuf::new(DIRECT_BLOCK_BYTES);
    block.extend_from_slice(&[0x5a; DIRECT_BLOCK_BYTES]);
    let plain = nameless(files.open(&path, OpenMode::Create))?;
    let flushed = times(patient, |number| {
        plain.write_all_at(&[IoSlice::new(block.as_slice())], number * DIRECT_BLOCK_BYTES as u64)?;
        plain.sync_data()
    })?;
    let direct = nameless(files.open_durable(&path, patient.config.journal_direct))?;
    let mut all = AlignedBuf::new(BLOCKS as usize * DIRECT_BLOCK_BYTES);
    all.extend_from_slice(&vec![0; BLOCKS as usize * DIRECT_BLOCK_BYTES]);
    direct.write_all_at(&[IoSlice::new(all.as_slice())], 0)?;
    let durable = times(patient, |number| {
        direct.write_all_at(&[IoSlice::new(block.as_slice())], number % BLOCKS * DIRECT_BLOCK_BYTES as u64)
    })?;
    Ok(Measured { durable, flushed })
}

fn times(patient: &Patient<'_>, mut write: impl FnMut(u64) -> io::Result<()>) -> io::Result<Times> {
    let clock = &patient.env.clock;
    let (mut all, begun) = (Vec::new(), clock.monotonic());
    while all.len() < WRITES_MAX && clock.monotonic().saturating_sub(begun) < SPAN {
        let before = clock.monotonic();
        write(all.len() as u64)?;
        all.push(clock.monotonic().saturating_sub(before));
    }
    Times::of(all).ok_or_else(|| io::Error::other("nothing was written"))
}
