//! One segment held against itself: every batch, every record in it, and its indexes.
//!
//! Invariants: what counts as a batch, and what as a torn tail, is what recovery says; behind damage it goes on only where
//! the index vouches for a batch. Memory is one window, one batch and the indexes. It must not know other segments.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::batch::{BatchError, BatchHeader, HEADER_BYTES, verify_crc};
use crate::env::{File, OpenMode};
use crate::epoch_cache::EpochCache;
use crate::ids::Offset;
use crate::quarantine::{Pieces, QUARANTINE_SUFFIX};
use crate::records;
use crate::scan::{Scanner, WrongBit, is_vouched_for};
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, file_name};
use crate::small_file;

use super::aborts::AbortCheck;
use super::finding::Finding;
use super::indexes::{Loose, OffsetCheck, TimeCheck, Wrong};
use super::verify::Verifier;
use super::window::{WINDOW_BYTES, Window};

const REPAIR: &str = "`ottla log repair` sets these bytes aside and keeps what follows; or restore the file from a copy. \
                      Check the disk";
const NEXT_START: &str = "nothing to do: the broker puts it right at its next start";
const REBUILD: &str = "`ottla log repair` makes it anew from the batches";

/// What is known of a segment from outside.
pub(super) struct Facts<'f> {
    pub(super) dir: &'f Path,
    pub(super) base: Offset,
    /// Up to here the bytes were on the disk once, and which offset is due there.
    pub(super) flushed: u64,
    pub(super) flushed_due: Offset,
    /// What lies behind may be what a crash left.
    pub(super) may_be_torn: bool,
    /// The indexes were completed.
    pub(super) finished: bool,
    /// Where the segment behind it begins.
    pub(super) next: Option<Offset>,
    /// A broker is writing beside us.
    pub(super) is_live: bool,
    pub(super) epochs: Option<&'f EpochCache>,
}

/// Where a segment ends.
pub(super) struct End {
    pub(super) due: Offset,
    /// Bytes at its end are torn or damaged: which offset comes next is not known.
    pub(super) is_open: bool,
}

struct Check<'c> {
    facts: &'c Facts<'c>,
    path: PathBuf,
    file: &'c Arc<dyn File>,
    len: u64,
    index: Vec<u8>,
    pieces: Pieces,
    /// Looks at what stands behind a gap.
    ahead: RefCell<Scanner>,
    offsets: OffsetCheck,
    times: TimeCheck,
    aborts: RefCell<AbortCheck>,
}

/// Checks a segment and its indexes. What cannot be read is a finding, not an error.
pub(super) fn check(verifier: &mut Verifier<'_>, facts: &Facts<'_>) -> Option<End> {
    let path = facts.dir.join(file_name(facts.base, LOG_SUFFIX));
    let opened = verifier.env.files.open(&path, OpenMode::Read).and_then(|file| Ok((file.len()?, file)));
    let (len, file) = verifier.or_unreadable(&path, facts.is_live, opened)?;
    let index = read_index(verifier, facts, INDEX_SUFFIX);
    let times = read_index(verifier, facts, TIME_INDEX_SUFFIX);
    let aborts = read_aborts(verifier, facts);
    let pieces =
        Pieces::read(&*verifier.env.files, &facts.dir.join(file_name(facts.base, QUARANTINE_SUFFIX)));
    let loose = facts.may_be_torn.then(|| Loose {
        position: facts.flushed.min(len),
        relative: (facts.flushed_due.0 - facts.base.0).max(0) as u64,
    });
    let check = Check {
        facts,
        path: path.clone(),
        file: &file,
        len,
        offsets: OffsetCheck::new(index.as_deref().unwrap_or_default(), loose),
        times: TimeCheck::new(times.as_deref().unwrap_or_default(), loose),
        aborts: AbortCheck::new(aborts.as_deref(), facts.base).into(),
        index: index.unwrap_or_default(),
        pieces: pieces.unwrap_or_default(),
        ahead: RefCell::new(Scanner::new(&file, len)),
    };
    verifier.summary.files += 1;
    let walked = check.walk(verifier);
    verifier.or_unreadable(&path, facts.is_live, walked)
}

/// An index; a missing one is a finding.
fn read_index(verifier: &mut Verifier<'_>, facts: &Facts<'_>, suffix: &str) -> Option<Vec<u8>> {
    let path = facts.dir.join(file_name(facts.base, suffix));
    let read = small_file::read(&*verifier.env.files, &path);
    match verifier.or_unreadable(&path, facts.is_live, read)? {
        Some(bytes) => {
            verifier.summary.files += 1;
            verifier.read(bytes.len() as u64);
            Some(bytes)
        }
        None if facts.may_be_torn => {
            verifier.found(&Finding::note(&path, "it is missing", NEXT_START));
            None
        }
        None => {
            verifier.found(&Finding::damage(&path, "it is missing", REBUILD));
            None
        }
    }
}

/// The index of aborted transactions; most segments have none.
fn read_aborts(verifier: &mut Verifier<'_>, facts: &Facts<'_>) -> Option<Vec<u8>> {
    let path = facts.dir.join(file_name(facts.base, TXN_INDEX_SUFFIX));
    let read = small_file::read(&*verifier.env.files, &path);
    let bytes = verifier.or_unreadable(&path, facts.is_live, read)??;
    verifier.summary.files += 1;
    verifier.read(bytes.len() as u64);
    Some(bytes)
}

impl Check<'_> {
    fn walk(mut self, verifier: &mut Verifier<'_>) -> io::Result<End> {
        let mut window = Window::new(self.file, self.len);
        let (mut position, mut due, mut torn, mut lost) = (0, self.facts.base, false, false);
        while position < self.len {
            match self.batch(verifier, &mut window, position, due)? {
                Ok(header) => {
                    self.see(verifier, position, &header);
                    let bytes = header.total_bytes() as u64;
                    verifier.read(bytes);
                    position += bytes;
                    due = header.next_offset();
                }
                Err(what) => {
                    let Some((next, next_due)) = self.damage(verifier, position, due, what)? else {
                        torn = true;
                        verifier.read(self.len - position);
                        break;
                    };
                    verifier.read(next - position);
                    (position, due, lost) = (next, next_due.unwrap_or(due), next_due.is_none());
                }
            }
        }
        let torn_at = if torn { position } else { self.len };
        if torn_at < self.len {
            self.offsets.pass(torn_at, u64::MAX);
            self.times.pass(self.relative(due), u64::MAX);
            self.aborts.get_mut().pass(Offset(i64::MAX));
        }
        let Check { facts, pieces, offsets, times, aborts, .. } = self;
        report(verifier, facts, INDEX_SUFFIX, offsets.finish());
        report(verifier, facts, TIME_INDEX_SUFFIX, times.finish(facts.finished));
        // It is written behind the batches, by flushes.
        let wrong = aborts.into_inner().finish(due).map(|(position, what)| Wrong {
            position,
            what,
            entries: 1,
            is_left_over: facts.may_be_torn,
        });
        report(verifier, facts, TXN_INDEX_SUFFIX, wrong);
        let is_open = torn || lost;
        Ok(End { due: if is_open { due } else { pieces.next_of(due).unwrap_or(due) }, is_open })
    }

    fn relative(&self, offset: Offset) -> u64 {
        (offset.0 - self.facts.base.0).max(0) as u64
    }

    /// The batch at `position`, or what is wrong with it.
    fn batch(
        &self,
        verifier: &mut Verifier<'_>,
        window: &mut Window<'_>,
        position: u64,
        due: Offset,
    ) -> io::Result<Result<BatchHeader, String>> {
        let header = match BatchHeader::parse(window.at(position, HEADER_BYTES)?) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if !header.is_plausible() {
            return Ok(Err("negative offsets or counts in the batch's header".to_owned()));
        }
        let total = header.total_bytes();
        if position + total as u64 > self.len {
            return Ok(Err(format!(
                "a batch of {total} bytes begins {} bytes before the end",
                self.len - position
            )));
        }
        let large;
        let batch = if total <= WINDOW_BYTES {
            window.at(position, total)?
        } else {
            // Only what is right is read as a whole.
            if Scanner::new(self.file, self.len).batch_at(position)?.is_none() {
                return Ok(Err(format!("the checksum of a batch of {total} bytes is wrong")));
            }
            let mut bytes = vec![0; total];
            let n = self.file.read_at(&mut bytes, position)?;
            bytes.truncate(n);
            large = bytes;
            &large[..]
        };
        if let Err(error) = verify_crc(&header, batch) {
            return Ok(Err(error.to_string()));
        }
        let next = self.facts.next;
        // Asked first, as `walk` does.
        let is_compacted =
            header.base_offset > due && self.ahead.borrow_mut().is_in_order(position, &header, next)?;
        let fits = is_compacted || self.may_follow(position, due, &header);
        if !fits {
            return Ok(Err(format!("a batch of offset {} stands where {due} is due", header.base_offset)));
        }
        self.records(verifier, position, &header, batch);
        Ok(Ok(header))
    }

    fn may_follow(&self, position: u64, due: Offset, header: &BatchHeader) -> bool {
        let base = self.facts.base;
        let fits = header.last_offset().0 - base.0 <= i64::from(i32::MAX);
        let vouched = || {
            self.pieces.next_of(due) == Some(header.base_offset)
                || is_vouched_for(base, &self.index, position, header)
        };
        fits && (header.base_offset == due || (header.base_offset > due && vouched()))
    }

    /// Looks into a batch whose checksum is right: what is wrong in it was written so.
    fn records(&self, verifier: &mut Verifier<'_>, position: u64, header: &BatchHeader, batch: &[u8]) {
        const ADVICE: &str = "its producer wrote it so, the disk is not to blame; no repair can mend it, consumers have to seek past it";
        let mut before = -1;
        let walked = records::walk(header, batch, |index, record| {
            let rises = record.offset_delta > before && record.offset_delta <= header.last_offset_delta;
            before = record.offset_delta;
            if rises {
                Ok(true)
            } else {
                Err(BatchError::Record { index, what: "its offset is out of order" })
            }
        });
        verifier.summary.batches += 1;
        verifier.summary.records += header.record_count as u64;
        if walked.is_ok() {
            self.aborts.borrow_mut().see(header, batch);
        }
        if let Err(error) = walked {
            let finding = Finding::damage(&self.path, error.to_string(), ADVICE);
            verifier.found(&finding.at(position).due(header.base_offset));
        }
    }

    fn see(&mut self, verifier: &mut Verifier<'_>, position: u64, header: &BatchHeader) {
        let relative = self.relative(header.last_offset());
        self.offsets.see(position, relative);
        self.times.see(relative, header);
        if let Some(what) = self.wrong_epoch(header) {
            const ADVICE: &str = "the records are whole; only clients that ask where that epoch ends are misled. \
                                  Restore the file from a copy if that matters";
            verifier.found(&Finding::damage(&self.path, what, ADVICE).at(position).due(header.base_offset));
        }
    }

    /// The epoch lies outside the checksum: the epochs' file and the batches before tell whether it can be.
    fn wrong_epoch(&self, header: &BatchHeader) -> Option<String> {
        let (epoch, said) = (header.leader_epoch, self.facts.epochs?.epoch_of(header.base_offset)?);
        // The last epochs may not have reached the file yet.
        let newer = epoch > said && self.facts.epochs?.latest() == Some(said) && !self.facts.finished;
        (epoch.0 >= 0 && epoch != said && !newer)
            .then(|| format!("a batch of leader epoch {epoch} stands where the epochs' file has {said}"))
    }

    /// Reports what is no batch, and says where the log goes on, and with which offset if that is known; `None` where it
    /// ends with a torn tail.
    fn damage(
        &mut self,
        verifier: &mut Verifier<'_>,
        position: u64,
        due: Offset,
        what: String,
    ) -> io::Result<Option<(u64, Option<Offset>)>> {
        let (base, flushed, loose) = (self.facts.base, self.facts.flushed, self.facts.may_be_torn);
        let mut scanner = Scanner::new(self.file, self.len);
        let wrong_bit = scanner.one_wrong_bit(position, due)?;
        if let Some(WrongBit::Header(header, _)) = wrong_bit {
            let what = format!("{what}: one bit of the batch's header is wrong, and nothing is lost");
            verifier.found(&Finding::damage(&self.path, what, REPAIR).at(position).due(due));
            let next = position + header.total_bytes() as u64;
            self.offsets.pass(position, next);
            self.times.pass(self.relative(due), self.relative(header.next_offset()));
            self.aborts.get_mut().pass(header.next_offset());
            return Ok(Some((next, Some(header.next_offset()))));
        }
        if loose && position >= flushed && wrong_bit.is_none() {
            let advice = if self.facts.is_live { "a broker may be writing it just now" } else { NEXT_START };
            let left = self.len - position;
            let finding = Finding::note(&self.path, format!("a torn tail of {left} bytes ({what})"), advice);
            verifier.found(&finding.at(position).due(due));
            return Ok(None);
        }
        let found = scanner.resynchronise(base, &self.index, position, due)?;
        let next = found.as_ref().map_or(self.len, |(next, _)| *next);
        let goes_on = found.map(|(_, header)| header.base_offset);
        let behind = match goes_on {
            Some(offset) => format!("{} bytes are lost, the log goes on at offset {offset}", next - position),
            None => format!("nothing that follows in the file is vouched for: {} bytes", next - position),
        };
        let finding = Finding::damage(&self.path, format!("{what}: {behind}"), REPAIR);
        verifier.found(&finding.at(position).due(due));
        self.offsets.pass(position, next);
        let to = goes_on.map_or(u64::MAX, |offset| self.relative(offset));
        self.times.pass(self.relative(due), to);
        self.aborts.get_mut().pass(goes_on.unwrap_or(Offset(i64::MAX)));
        Ok(Some((next, goes_on)))
    }
}

fn report(verifier: &mut Verifier<'_>, facts: &Facts<'_>, suffix: &str, wrong: Option<Wrong>) {
    let Some(Wrong { position, what, entries, is_left_over }) = wrong else { return };
    let path = facts.dir.join(file_name(facts.base, suffix));
    let more = if entries > 1 { format!(" (and {} wrong entries more)", entries - 1) } else { String::new() };
    let what = format!("{what}{more}");
    let finding = if is_left_over || facts.is_live {
        Finding::note(&path, what, NEXT_START)
    } else {
        Finding::damage(&path, what, REBUILD)
    };
    verifier.found(&finding.at(position));
}
