//! Judging a segment's bytes: is there a whole batch with the right checksum, and if not, where does the next begin?
//!
//! Invariants: one bounded buffer, whatever a header claims; a batch behind damage counts only at a position that the
//! offset index names, with the last offset that it names: a payload may contain whole batches, which are a forgery.
//! This module must not know logs, checkpoints or what becomes of the damage.

use std::io;
use std::sync::Arc;

use crate::batch::{BatchHeader, CRC_FROM, HEADER_BYTES, MAGIC, OVERHEAD_BYTES};
use crate::env::File;
use crate::ids::Offset;
use crate::offset_index::{self, Entry};
use crate::one_bit;

/// Read at a time when batches are judged.
const SCAN_BYTES: usize = 256 << 10;
/// What a power cut leaves whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// Reads a segment from front to back, with one buffer whatever the batches' headers claim.
pub(crate) struct Scanner {
    file: Arc<dyn File>,
    len: u64,
    buffer: Vec<u8>,
    from: u64,
    filled: usize,
}

impl Scanner {
    /// Nothing at or behind the position `len` is looked at.
    pub(crate) fn new(file: &Arc<dyn File>, len: u64) -> Scanner {
        let buffer = vec![0; SCAN_BYTES.min(len as usize)];
        Scanner { file: Arc::clone(file), len, buffer, from: 0, filled: 0 }
    }

    /// At least `least` bytes at `position`, or as many as the file has.
    fn bytes_at(&mut self, position: u64, least: usize) -> io::Result<&[u8]> {
        let inside = position >= self.from && position + least as u64 <= self.from + self.filled as u64;
        if !inside {
            let wanted = (self.len.saturating_sub(position)).min(self.buffer.len() as u64) as usize;
            self.from = position;
            self.filled = self.file.read_at(&mut self.buffer[..wanted], position)?;
        }
        Ok(&self.buffer[(position - self.from) as usize..self.filled])
    }

    /// The checksum of what would be a batch of `total` bytes; `None` if it does not fit.
    fn crc(&mut self, position: u64, total: u64) -> io::Result<Option<u32>> {
        let end = position + total;
        if total < HEADER_BYTES as u64 || end > self.len {
            return Ok(None);
        }
        let (mut at, mut crc) = (position + CRC_FROM as u64, 0);
        while at < end {
            let bytes = self.bytes_at(at, 1)?;
            let bytes = &bytes[..bytes.len().min((end - at) as usize)];
            if bytes.is_empty() {
                return Ok(None);
            }
            crc = crc32c::crc32c_append(crc, bytes);
            at += bytes.len() as u64;
        }
        Ok(Some(crc))
    }

    /// The header of the batch at `position`, if a whole one with the right checksum stands there.
    pub(crate) fn batch_at(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        let Ok(header) = BatchHeader::parse(self.bytes_at(position, HEADER_BYTES)?) else { return Ok(None) };
        if !header.is_plausible() {
            return Ok(None);
        }
        let crc = self.crc(position, header.total_bytes() as u64)?;
        Ok((crc == Some(header.crc)).then_some(header))
    }

    /// Whether a right batch at `position`, with a gap in the offsets before it, stands where a compaction may have left
    /// it: before a segment that begins at `next`, and in order with what follows. An offset lies outside its batch's
    /// checksum; one in which a bit is wrong is beyond those that follow.
    pub(crate) fn is_in_order(
        &mut self,
        position: u64,
        header: &BatchHeader,
        next: Option<Offset>,
    ) -> io::Result<bool> {
        if next.is_none_or(|next| header.next_offset() > next) {
            return Ok(false);
        }
        let behind = position + header.total_bytes() as u64;
        if behind >= self.len {
            return Ok(true);
        }
        // What follows may be damaged itself, and costs nothing but itself.
        let follows = self.batch_at(behind)?;
        Ok(follows.is_none_or(|follows| follows.base_offset >= header.next_offset()))
    }

    /// The batch that an index entry names, if it is there and right.
    pub(crate) fn vouched_at(&mut self, base: Offset, entry: Entry) -> io::Result<Option<BatchHeader>> {
        let header = self.batch_at(u64::from(entry.position))?;
        Ok(header.filter(|header| is_named(base, entry, header)))
    }

    /// The first batch behind `position` that the index vouches for and that may follow the offset before `due`.
    pub(crate) fn resynchronise(
        &mut self,
        base: Offset,
        index: &[u8],
        position: u64,
        due: Offset,
    ) -> io::Result<Option<(u64, BatchHeader)>> {
        for entry in (0..offset_index::len(index)).filter_map(|at| offset_index::entry(index, at)) {
            let at = u64::from(entry.position);
            if at <= position || at >= self.len {
                continue;
            }
            if let Some(header) = self.vouched_at(base, entry)?.filter(|header| header.base_offset >= due) {
                return Ok(Some((at, header)));
            }
        }
        Ok(None)
    }

    /// Whether what stands at `position` is the batch of offset `due` but for one wrong bit. A power cut leaves whole
    /// sectors unwritten: one wrong bit is a disk's or a memory's doing, and what follows was written in its turn. It may
    /// be all that is missing of a sector, too: that is a power cut's.
    pub(crate) fn one_wrong_bit(&mut self, position: u64, due: Offset) -> io::Result<Option<WrongBit>> {
        let Some(mut head) = self.bytes_at(position, HEADER_BYTES)?.first_chunk::<HEADER_BYTES>().copied()
        else {
            return Ok(None);
        };
        let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let base = u64::from(number(0)) << 32 | u64::from(number(4));
        let wrong = (head[16] ^ MAGIC as u8).count_ones() + (base ^ due.0 as u64).count_ones();
        if wrong > 1 {
            return Ok(None);
        }
        let (length, stored) = (number(8), number(17));
        let total = |length: u32| u64::from(length) + OVERHEAD_BYTES as u64;
        let computed = self.crc(position, total(length))?;
        let right_length = match computed {
            Some(computed) if computed == stored => Some(length),
            _ if wrong == 1 => None,
            Some(computed) => match one_bit::find(computed ^ stored, total(length)) {
                Some(one_bit::WrongBit::Checksum) => {
                    head[17..21].copy_from_slice(&computed.to_be_bytes());
                    Some(length)
                }
                Some(one_bit::WrongBit::Message(behind)) => {
                    let end = position + total(length);
                    let is_torn = self.is_unwritten(end - 1 - behind / 8, position, end)?;
                    return Ok((!is_torn).then_some(WrongBit::Content));
                }
                None => self.right_length(position, length, stored)?,
            },
            None => self.right_length(position, length, stored)?,
        };
        let Some(length) = right_length else { return Ok(None) };
        head[..8].copy_from_slice(&due.0.to_be_bytes());
        head[8..12].copy_from_slice(&length.to_be_bytes());
        head[16] = MAGIC as u8;
        let header = BatchHeader::parse(&head).ok().filter(BatchHeader::is_plausible);
        Ok(header.map(|header| WrongBit::Header(header, Mend { position, head })))
    }

    /// Whether the part of a batch that shares a sector with the byte at `at` is all zeros, as a power cut leaves it.
    fn is_unwritten(&mut self, at: u64, begin: u64, end: u64) -> io::Result<bool> {
        let from = (at - at % SECTOR_BYTES).max(begin);
        let len = ((at - at % SECTOR_BYTES + SECTOR_BYTES).min(end) - from) as usize;
        let bytes = self.bytes_at(from, len)?;
        Ok(bytes.len() >= len && bytes[..len].iter().all(|byte| *byte == 0))
    }

    /// The length that makes a batch's checksum right and differs from the one that stands there in one bit.
    fn right_length(&mut self, position: u64, length: u32, stored: u32) -> io::Result<Option<u32>> {
        for bit in 0..u32::BITS {
            let other = length ^ 1 << bit;
            if self.crc(position, u64::from(other) + OVERHEAD_BYTES as u64)? == Some(stored) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }
}

/// Where a batch's only wrong bit is.
pub(crate) enum WrongBit {
    /// In what surrounds the checksummed bytes, which are right: the batch as it was, and how to have it again.
    Header(BatchHeader, Mend),
    /// In the checksummed bytes. With a batch's many bits, a checksum cannot be trusted to tell which.
    Content,
}

/// A batch's header as it was.
pub(crate) struct Mend {
    pub(crate) position: u64,
    pub(crate) head: [u8; HEADER_BYTES],
}

/// Whether the offset index names a batch that begins at `position`.
pub(crate) fn is_vouched_for(base: Offset, index: &[u8], position: u64, header: &BatchHeader) -> bool {
    let mut entries = (0..offset_index::len(index)).filter_map(|at| offset_index::entry(index, at));
    entries.any(|entry| u64::from(entry.position) == position && is_named(base, entry, header))
}

pub(crate) fn is_named(base: Offset, entry: Entry, header: &BatchHeader) -> bool {
    header.base_offset >= base && header.last_offset().0 - base.0 == i64::from(entry.relative)
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::path::Path;

    use super::*;
    use crate::env::{Files, OpenMode, SimFiles};
    use crate::records::BatchBuilder;
    use proptest::prelude::*;

    #[test]
    fn a_sector_that_was_never_written_is_no_wrong_bit() {
        use crate::ids::ProducerId;
        use crate::marker::EndMarker;
        // All that its last four bytes say is one bit of the coordinator's epoch.
        let marker = EndMarker { committed: true, coordinator_epoch: 8 }.batch(ProducerId(5), 1, 1);
        let begin = 3 * SECTOR_BYTES as usize - (marker.len() - 4);
        let mut log = [vec![1; begin], marker.to_vec()].concat();
        let wrong = |log: &[u8]| {
            let files = SimFiles::new(1);
            let file = files.open(Path::new("/0.log"), OpenMode::Create).unwrap();
            file.write_all_at(&[IoSlice::new(log)], 0).unwrap();
            Scanner::new(&file, log.len() as u64).one_wrong_bit(begin as u64, Offset(0)).unwrap()
        };
        let len = log.len();
        log[len - 9] ^= 1;
        assert!(matches!(wrong(&log), Some(WrongBit::Content)));
        log[len - 9] ^= 1;
        log[len - 4..].fill(0);
        assert!(wrong(&log).is_none());
    }

    proptest! {
        #[test]
        fn a_forged_batch_in_a_payload_is_never_taken(
            pads in proptest::collection::vec(0usize..200, 2..6),
            harmed: prop::sample::Index,
            bit in 0u8..8,
            byte: prop::sample::Index,
        ) {
            let files = SimFiles::new(1);
            let file = files.open(Path::new("/0.log"), OpenMode::Create).unwrap();
            let (mut log, mut index, mut places) = (Vec::new(), Vec::new(), Vec::new());
            for (number, pad) in pads.iter().enumerate() {
                // What a payload holds would follow the batch before it, or the one that it is in.
                let forged: Vec<u8> = (0..2).flat_map(|ahead| plain(number as i64 + ahead, b"forged")).collect();
                let batch = plain(number as i64, &[vec![0; *pad], forged].concat());
                let position = log.len() as u32;
                places.push(u64::from(position));
                if number > 0 {
                    offset_index::push(&mut index, Entry { relative: number as u32, position });
                }
                log.extend(batch);
            }
            let hit = harmed.index(places.len());
            let end = places.get(hit + 1).copied().unwrap_or(log.len() as u64);
            log[places[hit] as usize + byte.index((end - places[hit]) as usize)] ^= 1 << bit;
            file.write_all_at(&[IoSlice::new(&log)], 0).unwrap();
            let mut scanner = Scanner::new(&file, log.len() as u64);
            let found = scanner.resynchronise(Offset(0), &index, places[hit], Offset(hit as i64)).unwrap();
            let next = places.get(hit + 1).map(|place| (*place, Offset(hit as i64 + 1)));
            prop_assert_eq!(found.map(|(place, header)| (place, header.base_offset)), next);
        }
    }

    fn plain(base: i64, value: &[u8]) -> Vec<u8> {
        let mut batch = BatchBuilder::new(1).push(None, Some(value), &[]).build().to_vec();
        batch[..8].copy_from_slice(&base.to_be_bytes());
        batch
    }
}
