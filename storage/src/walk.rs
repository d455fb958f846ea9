//! The walk from header to header of one segment, without reading what lies between where that was verified before.
//!
//! Invariants: a verified walk gives only batches that are right, be it that this process wrote or checked them; it
//! passes damage by, up to the next batch that the offset index vouches for; its memory is bounded. A raw walk takes
//! headers as they stand and stops at the first that is none.

use std::io;
use std::sync::Arc;

use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::env::File;
use crate::error::ReadError;
use crate::ids::Offset;
use crate::offset_index::Entry;
use crate::scan::{Scanner, is_named, is_vouched_for};
use crate::segment::{LOG_SUFFIX, Segment};
use crate::verify::Verdict;

/// Read at a time when headers are walked: as much as usually lies between two index entries, and one batch more.
pub(crate) const WALK_BYTES: usize = 8 << 10;

pub(crate) struct HeaderWalk<'s> {
    segment: &'s Segment,
    file: Arc<dyn File>,
    position: u64,
    limit: u64,
    buffer: [u8; WALK_BYTES],
    /// The file position of the buffer's first byte, and how much of it is filled.
    from: u64,
    filled: usize,
    /// How much is worth reading at once: of batches that fill the buffer, no more than the header.
    step: usize,
    /// What lies before this position is verified: captured, because other walks may complete the work meanwhile.
    below: u64,
    /// The offset that is due at the position, if that is known.
    due: Option<Offset>,
    /// The offset index, once damage makes it needed.
    index: Option<Vec<u8>>,
    scanner: Option<Scanner>,
}

impl<'s> HeaderWalk<'s> {
    pub(crate) fn raw(segment: &'s Segment, position: u64, limit: u64) -> Result<HeaderWalk<'s>, ReadError> {
        HeaderWalk::new(segment, position, limit, false, None, None)
    }

    /// `index` is the offset index if the caller holds it; otherwise the segment is asked when it is needed.
    pub(crate) fn verified(
        segment: &'s Segment,
        position: u64,
        limit: u64,
        due: Option<Offset>,
        index: Option<Vec<u8>>,
    ) -> Result<HeaderWalk<'s>, ReadError> {
        HeaderWalk::new(segment, position, limit, true, due, index)
    }

    fn new(
        segment: &'s Segment,
        position: u64,
        limit: u64,
        verify: bool,
        due: Option<Offset>,
        index: Option<Vec<u8>>,
    ) -> Result<HeaderWalk<'s>, ReadError> {
        let file = segment.file().map_err(ReadError::io(&segment.path(LOG_SUFFIX)))?;
        let mut walk = HeaderWalk {
            segment,
            file,
            position,
            limit,
            buffer: [0; WALK_BYTES],
            from: position,
            filled: 0,
            step: WALK_BYTES,
            below: if verify { segment.verification.below() } else { 0 },
            due,
            index,
            scanner: None,
        };
        walk.fill()?;
        Ok(walk)
    }

    /// Reads on at the position.
    fn fill(&mut self) -> Result<(), ReadError> {
        let wanted = (self.limit.saturating_sub(self.position)).min(self.step as u64) as usize;
        self.from = self.position;
        self.filled = self.file.read_at(&mut self.buffer[..wanted], self.position).map_err(|e| self.io(e))?;
        Ok(())
    }

    fn io(&self, error: io::Error) -> ReadError {
        ReadError::io(&self.segment.path(LOG_SUFFIX))(error)
    }

    fn buffered(&self) -> &[u8] {
        let at = (self.position - self.from).min(self.filled as u64) as usize;
        &self.buffer[at..self.filled]
    }

    /// The header at the walk's position, if it is in the buffer and one.
    pub(crate) fn peek(&self) -> Option<BatchHeader> {
        BatchHeader::parse(self.buffered()).ok()
    }

    /// Whether the batch that an index entry names begins at the walk's position, and is right as far as this walk asks.
    pub(crate) fn is_at(&mut self, entry: Entry) -> Result<bool, ReadError> {
        let named = self.peek().is_some_and(|header| is_named(self.segment.base, entry, &header));
        Ok(named && (!self.has_to_verify() || self.is_right()?))
    }

    fn has_to_verify(&self) -> bool {
        self.position < self.below
    }

    /// The next header and where its batch begins; `None` at the limit.
    pub(crate) fn next_header(&mut self) -> Result<Option<(u64, BatchHeader)>, ReadError> {
        while self.position < self.limit && self.has_to_verify() && !self.is_right()? {
            self.pass_by()?;
        }
        if self.position >= self.limit {
            return Ok(None);
        }
        if self.buffered().len() < HEADER_BYTES {
            self.fill()?;
        }
        let header = BatchHeader::parse(self.buffered()).map_err(|error| self.corrupt(error.to_string()))?;
        if !header.is_plausible() || header.base_offset < self.segment.base {
            return Err(self.corrupt("no batch of this segment".to_owned()));
        }
        let next = self.position + header.total_bytes() as u64;
        if next > self.limit {
            return Err(self.corrupt("the batch reaches beyond what was written".to_owned()));
        }
        self.due = Some(header.next_offset());
        self.step = if header.total_bytes() < WALK_BYTES { WALK_BYTES } else { HEADER_BYTES };
        let at = std::mem::replace(&mut self.position, next);
        Ok(Some((at, header)))
    }

    fn corrupt(&self, what: String) -> ReadError {
        ReadError::Corrupt { path: self.segment.path(LOG_SUFFIX), position: self.position, what }
    }

    fn scanner(&mut self) -> &mut Scanner {
        self.scanner.get_or_insert_with(|| Scanner::new(&self.file, self.below))
    }

    /// Whether a right batch stands at the position.
    fn is_right(&mut self) -> Result<bool, ReadError> {
        let position = self.position;
        match self.segment.verification.verdict(position) {
            Verdict::Right => return Ok(true),
            Verdict::Damaged { .. } => return Ok(false),
            Verdict::Unknown => {}
        }
        let found = self.scanner().batch_at(position).map_err(|error| self.io(error))?;
        let Some(header) = found.filter(|header| header.base_offset >= self.segment.base) else {
            return Ok(false);
        };
        if let Some(due) = self.due
            && !self.may_follow(due, &header)?
        {
            return Ok(false);
        }
        self.segment.verification.note_right(position..position + header.total_bytes() as u64);
        Ok(true)
    }

    /// Whether a batch that is right in itself may stand where `due` is due: its offset lies outside its checksum.
    fn may_follow(&mut self, due: Offset, header: &BatchHeader) -> Result<bool, ReadError> {
        if header.base_offset <= due {
            return Ok(header.base_offset == due);
        }
        let (base, position, next) = (self.segment.base, self.position, self.segment.next());
        // Asked first: a compacted segment is full of gaps, and the others look through all of an index or a file.
        if self.scanner().is_in_order(position, header, next).map_err(|error| self.io(error))? {
            return Ok(true);
        }
        if is_vouched_for(base, self.index(), position, header) {
            return Ok(true);
        }
        let pieces = self.segment.pieces().map_err(|error| self.io(error))?;
        Ok(pieces.next_of(due) == Some(header.base_offset))
    }

    fn index(&mut self) -> &[u8] {
        self.index.get_or_insert_with(|| self.segment.index_bytes())
    }

    /// Goes behind the damage at the position.
    fn pass_by(&mut self) -> Result<(), ReadError> {
        let position = self.position;
        let next = match self.segment.verification.verdict(position) {
            Verdict::Damaged { next } => next,
            _ => self.find_next(position)?,
        };
        self.position = next;
        self.due = None;
        self.fill()
    }

    fn find_next(&mut self, position: u64) -> Result<u64, ReadError> {
        let (base, due) = (self.segment.base, self.due.unwrap_or(self.segment.base));
        let index = self.index().to_vec();
        let found =
            self.scanner().resynchronise(base, &index, position, due).map_err(|error| self.io(error))?;
        // All behind it was written or judged by this process, and begins with a batch.
        let next = found.as_ref().map_or(self.below, |(next, _)| *next);
        if let Some((next, header)) = found {
            self.segment.verification.note_right(next..next + header.total_bytes() as u64);
        }
        if self.segment.verification.note_damaged(position..next) {
            tracing::error!(
                segment = %self.segment.path(LOG_SUFFIX).display(), position, bytes = next - position,
                first_offset = due.0,
                "bytes of a segment are damaged and are not served; all else is. Check the disk; \
                 the segment can be restored from a copy while the broker is stopped"
            );
        }
        Ok(next)
    }
}
