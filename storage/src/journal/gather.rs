//! Records on their way into the next commit.
//!
//! Invariants: a record never spans two commits; what is too long for one is cut into pieces, which is harmless, since
//! an operation is bytes at a place. Checksums of payloads are computed before the journal's lock is taken.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::record::{COMMIT_HEADER_BYTES, Key, Op, RECORD_HEADER_BYTES, RecordHeader};
use super::{JournalOptions, SPARE_BUFFERS_MAX, State};
use crate::env::AlignedBuf;
use crate::ids::LogId;
use crate::log::Log;
use crate::segment::Mark;

/// The next commit as it grows.
pub(super) struct Gathered {
    pub(super) seq: u64,
    pub(super) buf: AlignedBuf,
    pub(super) first_lsn: u64,
    pub(super) count: u32,
    pub(super) raises: Vec<(Arc<Log>, Mark)>,
}

impl Gathered {
    pub(super) fn last_lsn(&self) -> u64 {
        self.first_lsn + u64::from(self.count) - 1
    }
}

/// Where among a commit's raises a log's own stands, so that it is found without a search.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct RaiseSlot {
    seq: u64,
    place: usize,
}

/// A part of an operation that fits into a commit.
pub(super) struct Payload {
    op: Op,
    from: usize,
    bytes: usize,
    crc: u32,
}

impl Payload {
    pub(super) fn cut(slices: &[IoSlice<'_>], op: Op, bytes_max: usize) -> Vec<Payload> {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut pieces = Vec::with_capacity(1);
        let mut from = 0;
        loop {
            let bytes = (total - from).min(bytes_max);
            let mut crc = 0;
            for_range(slices, from, bytes, |part| crc = crc32c::crc32c_append(crc, part));
            let op = match op {
                Op::Write { segment, position } => Op::Write { segment, position: position + from as u64 },
                other => other,
            };
            pieces.push(Payload { op, from, bytes, crc });
            from += bytes;
            if from == total {
                return pieces;
            }
        }
    }
}

/// Goes over `bytes` bytes of the slices, as if they were one, from `from` on.
fn for_range(slices: &[IoSlice<'_>], mut from: usize, mut bytes: usize, mut act: impl FnMut(&[u8])) {
    for slice in slices {
        if bytes == 0 {
            return;
        }
        if from >= slice.len() {
            from -= slice.len();
            continue;
        }
        let part = &slice[from..slice.len().min(from + bytes)];
        act(part);
        bytes -= part.len();
        from = 0;
    }
}

impl State {
    /// Appends one record to the last commit that gathers, or to a new one.
    pub(super) fn push(
        &mut self,
        options: &JournalOptions,
        key: Key,
        log: LogId,
        piece: &Payload,
        slices: &[IoSlice<'_>],
    ) {
        let bytes = RECORD_HEADER_BYTES + piece.bytes;
        let has_room = |g: &Gathered| g.buf.len() + bytes <= options.commit_bytes_max;
        if !self.gathered.back().is_some_and(has_room) {
            self.gather_anew(options);
        }
        let lsn = self.next_lsn;
        self.next_lsn += 1;
        let gathered = self.gathered.back_mut().expect("one was added just now");
        let header = RecordHeader {
            lsn,
            log,
            op: piece.op,
            payload_bytes: piece.bytes as u32,
            payload_crc: piece.crc,
        };
        gathered.buf.extend_from_slice(&header.encode(key));
        for_range(slices, piece.from, piece.bytes, |part| gathered.buf.extend_from_slice(part));
        gathered.count += 1;
        self.gathered_bytes += bytes;
    }

    fn gather_anew(&mut self, options: &JournalOptions) {
        let mut buf = self.spare.pop().unwrap_or_else(|| AlignedBuf::new(options.commit_bytes_max));
        buf.extend_from_slice(&[0; COMMIT_HEADER_BYTES]);
        self.gathered_bytes += COMMIT_HEADER_BYTES;
        self.gatherings += 1;
        let (seq, first_lsn) = (self.gatherings, self.next_lsn);
        self.gathered.push_back(Gathered { seq, buf, first_lsn, count: 0, raises: Vec::new() });
    }

    /// The log's end becomes durable with the commit that gathers now.
    pub(super) fn note_raise(&mut self, log: &Arc<Log>, slot: &mut RaiseSlot, end: Mark) {
        let Some(gathered) = self.gathered.back_mut() else { return };
        if slot.seq == gathered.seq {
            gathered.raises[slot.place].1 = end;
        } else {
            *slot = RaiseSlot { seq: gathered.seq, place: gathered.raises.len() };
            gathered.raises.push((Arc::clone(log), end));
        }
    }

    pub(super) fn note_dirty(&mut self, log: &Arc<Log>) {
        if !log.in_journal.swap(true, Ordering::Relaxed) {
            self.dirty.push(Arc::clone(log));
        }
    }

    pub(super) fn keep_buffer(&mut self, mut buf: AlignedBuf) {
        if self.spare.len() < SPARE_BUFFERS_MAX {
            buf.clear();
            self.spare.push(buf);
        }
    }
}
