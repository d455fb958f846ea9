//! Reading a segment batch by batch, through one buffer, with every checksum verified.
//!
//! Invariants: what is given is right, whoever wrote it; damage ends the pass and is never copied; the buffer grows only
//! for a batch that is known to be right, and only for as long as the segment is read.

use std::sync::Arc;

use crate::batch::{BatchHeader, HEADER_BYTES, verify_crc};
use crate::env::File;
use crate::error::ReadError;
use crate::ids::Offset;
use crate::scan::Scanner;
use crate::segment::{LOG_SUFFIX, Segment};

use super::Abandoned;
use super::pace::Pace;

pub(super) struct BatchReader<'s> {
    segment: &'s Segment,
    file: Arc<dyn File>,
    len: u64,
    position: u64,
    /// The least offset that may come next.
    due: Offset,
    buffer: Vec<u8>,
    from: u64,
    filled: usize,
}

/// One batch.
pub(super) struct Found<'b> {
    pub(super) header: BatchHeader,
    pub(super) bytes: &'b [u8],
    pub(super) is_last: bool,
}

impl<'s> BatchReader<'s> {
    /// From the batch that holds `offset`, or from the first behind it.
    pub(super) fn new(
        segment: &'s Segment,
        offset: Offset,
        buffer_bytes: usize,
    ) -> Result<BatchReader<'s>, Abandoned> {
        let len = segment.size_bytes();
        let file = segment.file().map_err(ReadError::io(&segment.path(LOG_SUFFIX)))?;
        let position = match offset > segment.base {
            true => segment.walk_from(offset, len)?.next_header()?.map_or(len, |(position, _)| position),
            false => 0,
        };
        let buffer = vec![0; buffer_bytes.max(HEADER_BYTES)];
        Ok(BatchReader { segment, file, len, position, due: segment.base, buffer, from: 0, filled: 0 })
    }

    pub(super) fn next(&mut self, pace: &mut Pace<'_>) -> Result<Option<Found<'_>>, Abandoned> {
        if self.position >= self.len {
            return Ok(None);
        }
        let position = self.position;
        let header = BatchHeader::parse(self.bytes(HEADER_BYTES, pace)?).map_err(|e| self.damaged(e))?;
        let total = header.total_bytes();
        if !header.is_plausible() || header.base_offset < self.due || total as u64 > self.len - position {
            return Err(self.damaged("no batch that continues the segment"));
        }
        if total > self.buffer.len() {
            let right = Scanner::new(&self.file, self.len).batch_at(position);
            if right.map_err(|e| self.damaged(e))?.is_none() {
                return Err(self.damaged("the checksum of a large batch is wrong"));
            }
            self.buffer.resize(total, 0);
        }
        self.bytes(total, pace)?;
        self.position += total as u64;
        self.due = header.next_offset();
        let at = (position - self.from) as usize;
        let bytes = &self.buffer[at..at + total];
        match verify_crc(&header, bytes) {
            Ok(()) => Ok(Some(Found { header, bytes, is_last: self.position == self.len })),
            Err(error) => Err(Abandoned::uncleanable(&self.segment.path(LOG_SUFFIX), position, error)),
        }
    }

    /// At least `least` bytes at the position.
    fn bytes(&mut self, least: usize, pace: &mut Pace<'_>) -> Result<&[u8], Abandoned> {
        let is_inside =
            self.position >= self.from && self.position + least as u64 <= self.from + self.filled as u64;
        if !is_inside {
            let wanted = (self.len - self.position).min(self.buffer.len() as u64) as usize;
            self.from = self.position;
            let read = self.file.read_at(&mut self.buffer[..wanted], self.position);
            self.filled = read.map_err(|e| self.damaged(e))?;
            pace.read(self.filled as u64)?;
        }
        let bytes = &self.buffer[(self.position - self.from) as usize..self.filled];
        if bytes.len() < least {
            return Err(self.damaged("the segment ends within a batch"));
        }
        Ok(bytes)
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Abandoned {
        Abandoned::uncleanable(&self.segment.path(LOG_SUFFIX), self.position, what)
    }
}

/// Verifies what an earlier process wrote of the segments, offsets included, as reading them would.
pub(super) fn verify(segments: &[Arc<Segment>], pace: &mut Pace<'_>) -> Result<(), Abandoned> {
    for segment in segments {
        if segment.verification.below() > 0 {
            let (mut end, len) = (0, segment.size_bytes());
            let mut walk = segment.walk_from(segment.base, len)?;
            while let Some((position, header)) = walk.next_header()? {
                if position != end {
                    break;
                }
                end += header.total_bytes() as u64;
            }
            if end != len {
                let path = segment.path(LOG_SUFFIX);
                return Err(Abandoned::uncleanable(&path, end, "a batch is damaged"));
            }
            pace.read(len)?;
        }
        if segment.damaged_bytes() > 0 {
            return Err(Abandoned::uncleanable(&segment.path(LOG_SUFFIX), 0, "batches are damaged"));
        }
        // Once its files have other names, it is too late to open them.
        segment.keep_file().map_err(ReadError::io(&segment.path(LOG_SUFFIX)))?;
        segment.max_timestamp()?;
    }
    Ok(())
}
