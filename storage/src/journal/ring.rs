//! The journal's files: made ahead of use, written one behind the other, and used again once a checkpoint has made what
//! they hold superfluous.
//!
//! Files are filled with zeros before their first use, because a flush of a file that grows costs the file system a
//! commit of its own. Invariants: a file with a write in flight, or with a record that a checkpoint does not cover, is
//! not used again. It must not know what is written.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use super::record::BLOCK_BYTES;
use crate::env::{AlignedBuf, File, Files};

const SUFFIX: &str = ".journal";

/// Zeros written at a time when a file is made.
const FILL_BYTES: usize = 1 << 20;

pub(crate) fn file_name(number: u64) -> String {
    format!("{number:08}{SUFFIX}")
}

pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Where the records begin that a checkpoint does not cover.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) lsn: u64,
    pub(crate) place: Place,
}

/// A place in the journal.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: u64,
    pub(crate) position: u64,
}

pub(crate) struct RingFile {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn File>,
    pub(crate) bytes: u64,
    /// The greatest LSN in it; 0 if it may be used.
    last_lsn: u64,
    used: u64,
    /// As much of `used` a checkpoint covers.
    covered: u64,
    in_flight: u32,
}

impl RingFile {
    pub(crate) fn new(number: u64, file: Arc<dyn File>, bytes: u64) -> RingFile {
        RingFile { number, file, bytes, last_lsn: 0, used: 0, covered: 0, in_flight: 0 }
    }
}

#[derive(Default)]
pub(crate) struct Ring {
    files: Vec<RingFile>,
    active: usize,
    position: u64,
}

impl Ring {
    pub(crate) fn new(files: Vec<RingFile>) -> Ring {
        Ring { files, active: 0, position: 0 }
    }

    pub(crate) fn add(&mut self, file: RingFile) {
        self.files.push(file);
    }

    pub(crate) fn capacity_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// What a checkpoint would give back, the rest of full files included.
    pub(crate) fn live_bytes(&self) -> u64 {
        let live = |(place, file): (usize, &RingFile)| {
            if file.last_lsn == 0 {
                0
            } else if place == self.active {
                file.used - file.covered
            } else {
                file.bytes
            }
        };
        self.files.iter().enumerate().map(live).sum()
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.files.iter().map(|file| file.number + 1).max().unwrap_or(1)
    }

    /// Where the next commit goes, unless it does not fit there any more.
    pub(crate) fn place(&self) -> Place {
        self.files
            .get(self.active)
            .map_or(Place::default(), |file| Place { file: file.number, position: self.position })
    }

    /// Room for one commit that ends with `last_lsn`; `None` until a checkpoint or a new file makes some.
    pub(crate) fn take(&mut self, bytes: u64, last_lsn: u64) -> Option<(Arc<dyn File>, Place)> {
        let fits = self.files.get(self.active).is_some_and(|file| self.position + bytes <= file.bytes);
        if !fits {
            let free = |(place, file): (usize, &RingFile)| {
                (place != self.active && file.last_lsn == 0 && file.in_flight == 0 && bytes <= file.bytes)
                    .then_some(place)
            };
            self.active = self.files.iter().enumerate().find_map(free)?;
            self.position = 0;
            self.files[self.active].covered = 0;
        }
        let file = &mut self.files[self.active];
        let place = Place { file: file.number, position: self.position };
        self.position += bytes;
        file.used = self.position;
        file.last_lsn = last_lsn;
        file.in_flight += 1;
        Some((Arc::clone(&file.file), place))
    }

    /// A write to a file has ended.
    pub(crate) fn landed(&mut self, number: u64) {
        if let Some(file) = self.files.iter_mut().find(|file| file.number == number) {
            file.in_flight -= 1;
        }
    }

    /// Everything before `position` is superfluous.
    pub(crate) fn recycle(&mut self, position: Position) {
        for (at, file) in self.files.iter_mut().enumerate() {
            if file.last_lsn < position.lsn && file.in_flight == 0 {
                (file.last_lsn, file.used, file.covered) = (0, 0, 0);
                if at == self.active {
                    // With a single file on a full disk there is no other place to go.
                    self.position = 0;
                }
            } else if file.number == position.place.file {
                file.covered = file.covered.max(position.place.position.min(file.used));
            }
        }
    }
}

/// Makes a file of zeros, on the disk when this returns.
pub(crate) fn make(
    files: &dyn Files,
    dir: &Path,
    number: u64,
    bytes: u64,
    direct: bool,
) -> io::Result<RingFile> {
    let path = dir.join(file_name(number));
    let filled = fill(files, &path, bytes, direct);
    if filled.is_err() {
        // A part of a file is worse than none: it holds room that others need.
        let _ = files.remove_file(&path);
    }
    let file = filled?;
    files.sync_dir(dir)?;
    Ok(RingFile::new(number, file, bytes))
}

fn fill(files: &dyn Files, path: &Path, bytes: u64, direct: bool) -> io::Result<Arc<dyn File>> {
    let file = files.open_durable(path, direct)?;
    let mut zeros = AlignedBuf::new(FILL_BYTES.min(bytes as usize));
    zeros.extend_from_slice(&vec![0; FILL_BYTES.min(bytes as usize)]);
    let mut at = 0;
    while at < bytes {
        let some = (bytes - at).min(zeros.len() as u64) as usize;
        file.write_all_at(&[IoSlice::new(&zeros.as_slice()[..some])], at)?;
        at += some as u64;
    }
    Ok(file)
}

/// The journal's files that are there, by number. Empty ones are removed: the making of them was cut short.
pub(crate) fn open(files: &dyn Files, dir: &Path, direct: bool) -> io::Result<Vec<RingFile>> {
    let mut found = Vec::new();
    for entry in files.list(dir)? {
        let Some(number) = number_of(&entry.name) else { continue };
        let path = dir.join(&entry.name);
        let bytes = entry.len / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        if bytes == 0 {
            files.remove_file(&path)?;
            continue;
        }
        found.push(RingFile::new(number, files.open_durable(&path, direct)?, bytes));
    }
    found.sort_by_key(|file| file.number);
    Ok(found)
}
