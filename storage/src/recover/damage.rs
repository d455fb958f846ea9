//! What recovery does about bytes that are no batches: judge, set aside, and write the segment anew without them.
//!
//! Invariants: bytes are in the quarantine, on the disk, before they leave a segment; a crash at any point leaves the
//! old segment or the new one, and doing it again gives the same.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::Recovery;
use crate::batch::BatchHeader;
use crate::compact::swap::CLEANED_SUFFIX;
use crate::env::OpenMode;
use crate::error::OpenError;
use crate::ids::Offset;
use crate::indexes::ActiveIndexes;
use crate::quarantine::{self, Piece, Pieces, QUARANTINE_SUFFIX};
use crate::scan::{Mend, Scanner, WrongBit, is_vouched_for};
use crate::segment::{INDEX_SUFFIX, Indexes, LOG_SUFFIX, Segment, TIME_INDEX_SUFFIX, file_name};
use crate::small_file;

/// What was found of a segment's content.
pub(super) struct Judged {
    /// What lies between batches that count.
    pub(super) holes: Vec<Piece>,
    /// Headers in which one bit is wrong.
    pub(super) mends: Vec<Mend>,
    /// Behind the last batch that counts.
    pub(super) position: u64,
    pub(super) end: Offset,
    /// What stands behind `position` is damage, and not what a power cut leaves.
    pub(super) damaged: bool,
}

/// What is known of a segment before its bytes are judged.
pub(super) struct Known {
    pub(super) index: Vec<u8>,
    pub(super) pieces: Pieces,
    /// Up to here all was on the disk once.
    pub(super) flushed: u64,
    /// A power cut may have taken pages of what lies behind.
    pub(super) torn: bool,
    /// Where the segment behind it begins.
    pub(super) next: Option<Offset>,
}

impl Known {
    /// Where the log goes on behind the segment's last batch: what was taken out at its end was given offsets too.
    pub(super) fn pieces_next(&self, end: Offset) -> Offset {
        self.pieces.next_of(end).unwrap_or(end)
    }

    pub(super) fn may_follow(&self, base: Offset, position: u64, due: Offset, header: &BatchHeader) -> bool {
        let is_next = || self.pieces.next_of(due) == Some(header.base_offset);
        let is_named = || is_vouched_for(base, &self.index, position, header);
        header.base_offset == due || (header.base_offset > due && (is_next() || is_named()))
    }

    /// As [`Known::may_follow`], asked of headers alone, one by one: a gap may be a compaction's, if what comes behind
    /// it is in order too.
    pub(super) fn may_stand_behind(
        &self,
        base: Offset,
        position: u64,
        due: Offset,
        header: &BatchHeader,
    ) -> bool {
        (header.base_offset > due && self.next.is_some()) || self.may_follow(base, position, due, header)
    }
}

impl Recovery<'_> {
    pub(super) fn knowledge(
        &self,
        base: Offset,
        flushed: u64,
        torn: bool,
        next: Option<Offset>,
    ) -> Result<Known, OpenError> {
        let path = |suffix| self.dir.join(file_name(base, suffix));
        let index = path(INDEX_SUFFIX);
        let index = small_file::read(&**self.files, &index).map_err(OpenError::io("reading", &index))?;
        let pieces = path(QUARANTINE_SUFFIX);
        let pieces = Pieces::read(&**self.files, &pieces).map_err(OpenError::io("reading", &pieces))?;
        Ok(Known { index: index.unwrap_or_default(), pieces, flushed, torn, next })
    }

    /// Judges every batch from `position`, where the offset `end` is due.
    pub(super) fn judge(
        &mut self,
        segment: &Segment,
        known: &Known,
        mut position: u64,
        mut end: Offset,
    ) -> io::Result<Judged> {
        let len = segment.size_bytes();
        let mut scanner = Scanner::new(&segment.file()?, len);
        let mut judged = Judged { holes: Vec::new(), mends: Vec::new(), position, end, damaged: false };
        while position < len {
            let fits = |header: &BatchHeader| {
                known.may_follow(segment.base, position, end, header)
                    && segment.relative(header.last_offset()).is_some()
            };
            let mut header = scanner.batch_at(position)?;
            if let Some(found) = &header {
                let is_gap = found.base_offset > end && segment.relative(found.last_offset()).is_some();
                // Asked first, as `walk` does.
                let is_compacted = is_gap && scanner.is_in_order(position, found, known.next)?;
                if !is_compacted && !fits(found) {
                    header = None;
                }
            }
            let mut is_content = false;
            if header.is_none() {
                match scanner.one_wrong_bit(position, end)? {
                    Some(WrongBit::Header(as_it_was, mend)) if fits(&as_it_was) => {
                        judged.mends.push(mend);
                        header = Some(as_it_was);
                    }
                    found => is_content = found.is_some(),
                }
            }
            if let Some(header) = header {
                self.epochs.see(&header);
                position += header.total_bytes() as u64;
                end = header.next_offset();
                continue;
            }
            let torn = known.torn && position >= known.flushed;
            judged.damaged = position < known.flushed || is_content;
            if torn && !judged.damaged {
                break;
            }
            let Some((next, header)) = scanner.resynchronise(segment.base, &known.index, position, end)?
            else {
                break;
            };
            judged.damaged = false;
            judged.holes.push(Piece { position, bytes: next - position, due: end, next: header.base_offset });
            (position, end) = (next, header.base_offset);
        }
        judged.position = position;
        judged.end = if position == len { known.pieces_next(end) } else { end };
        Ok(judged)
    }

    /// Keeps a copy of bytes that will not be served.
    pub(super) fn keep(&mut self, segment: &Segment, piece: &Piece) -> Result<(), OpenError> {
        let path = segment.path(QUARANTINE_SUFFIX);
        let failed = |error| OpenError::io("keeping damaged bytes in", &path)(error);
        let file = segment.file().map_err(failed)?;
        quarantine::keep(&**self.files, &path, piece, &file)
            .and_then(|()| self.files.sync_dir(&self.dir))
            .map_err(failed)?;
        self.quarantined_bytes += piece.bytes;
        tracing::error!(
            segment = %segment.path(LOG_SUFFIX).display(), quarantine = %path.display(),
            position = piece.position, bytes = piece.bytes, first_offset = piece.due.0, next_offset = piece.next.0,
            "bytes of a segment are damaged and were set aside; all else of the log is served. Check the disk. \
             What the bytes held can be read from the quarantine file, or produced again"
        );
        Ok(())
    }

    /// Writes the segment anew as it should be, up to `end`.
    pub(super) fn write_anew(
        &mut self,
        segment: &Segment,
        holes: &[Piece],
        mends: &[Mend],
        end: u64,
    ) -> Result<Segment, OpenError> {
        for hole in holes {
            self.keep(segment, hole)?;
        }
        let path = segment.path(LOG_SUFFIX);
        for mend in mends {
            tracing::error!(path = %path.display(), position = mend.position, "a bit of a batch's header was wrong and is mended; nothing is lost. Check the disk and the memory");
        }
        let len = self.rewrite(segment, holes, mends, end).map_err(OpenError::io("writing anew", &path))?;
        let (files, dir) = (Arc::clone(self.files), Arc::clone(&self.dir));
        Ok(Segment::new(files, dir, segment.base, len, Indexes::Active(ActiveIndexes::fresh())))
    }

    fn rewrite(&self, segment: &Segment, holes: &[Piece], mends: &[Mend], end: u64) -> io::Result<u64> {
        let cleaned = self.dir.join(format!("{}{CLEANED_SUFFIX}", file_name(segment.base, LOG_SUFFIX)));
        let (old, new) = (segment.file()?, self.files.open(&cleaned, OpenMode::Create)?);
        new.set_len(0)?;
        let mut len = 0;
        for kept in between(holes, end) {
            quarantine::copy(&old, kept.start, kept.end - kept.start, &new, len)?;
            for mend in mends.iter().filter(|mend| kept.contains(&mend.position)) {
                new.write_all_at(&[IoSlice::new(&mend.head)], len + mend.position - kept.start)?;
            }
            len += kept.end - kept.start;
        }
        new.sync_data()?;
        // The indexes name the old positions.
        for suffix in [INDEX_SUFFIX, TIME_INDEX_SUFFIX] {
            remove_if_there(self, &segment.path(suffix))?;
        }
        self.files.sync_dir(&self.dir)?;
        self.files.rename(&cleaned, &segment.path(LOG_SUFFIX))?;
        self.files.sync_dir(&self.dir)?;
        Ok(len)
    }

    /// Sets a segment aside that cannot stand where it does.
    pub(super) fn set_aside(&mut self, base: Offset, len: u64) -> Result<(), OpenError> {
        let (files, dir) = (Arc::clone(self.files), Arc::clone(&self.dir));
        let segment = Segment::new(files, dir, base, len, Indexes::Sealed(None));
        if len > 0 {
            self.keep(&segment, &Piece { position: 0, bytes: len, due: base, next: base })?;
        }
        for suffix in [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX] {
            let path = segment.path(suffix);
            remove_if_there(self, &path).map_err(OpenError::io("removing", &path))?;
        }
        Ok(())
    }
}

fn remove_if_there(recovery: &Recovery<'_>, path: &Path) -> io::Result<()> {
    match recovery.files.remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What is left of a file up to `end` without its holes.
fn between(holes: &[Piece], end: u64) -> Vec<Range<u64>> {
    let starts = std::iter::once(0).chain(holes.iter().map(|hole| hole.position + hole.bytes));
    let ends = holes.iter().map(|hole| hole.position).chain(std::iter::once(end));
    starts.zip(ends).map(|(start, end)| start..end).collect()
}
