//! The journal's bytes: commits, and the physical operations in them.
//!
//! A commit begins on a block and is a header, records, and zeros up to the next block. Header: magic u32, version u16,
//! 0 u16, first LSN u64, durable LSN u64, count u32, bytes of records u32, 0 u32, CRC u32. A record: LSN u64, topic id
//! 16, partition i32, op u8, zeros 3, segment i64, position u64, length u32, CRC of the payload u32, CRC of this header
//! u32, payload. Big endian. All CRCs of headers begin with the directory's key, so that no client's bytes can pose as
//! a commit. A newer version of this comes with a newer version of the checkpoint, which is refused, so that no commit is
//! ever skipped for its version. Invariant: the LSN is inside the CRC, so that what a recycled file still holds never counts.

use std::ops::Range;

use bytes::{Buf, BufMut};

use crate::ids::{LogId, Offset, TopicId};
use crate::one_bit;

pub(crate) const BLOCK_BYTES: usize = 4096;
pub(crate) const COMMIT_HEADER_BYTES: usize = 40;
pub(crate) const RECORD_HEADER_BYTES: usize = 60;
const MAGIC: u32 = 0x4f4a_4e4c;
const VERSION: u16 = 1;
/// No journal reaches it in any time: what claims a greater LSN is wrong, whatever its checksum says.
pub(crate) const LSN_MAX: u64 = 1 << 62;

/// The first 32 bits of every header's CRC; from the data directory's own random id.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u32);

impl Key {
    pub(crate) fn of(directory: TopicId) -> Key {
        Key(crc32c::crc32c(&directory.0))
    }
}

/// What was read with the right checksum.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole<T> {
    pub(crate) found: T,
    /// One bit of it was wrong.
    pub(crate) is_mended: bool,
}

/// A header that ends with its checksum, mended if one bit is wrong.
fn whole<const N: usize>(key: Key, header: &[u8; N]) -> Option<Whole<[u8; N]>> {
    let mut found = *header;
    let (body, crc) = found.split_last_chunk_mut::<4>()?;
    let (stored, computed) = (u32::from_be_bytes(*crc), crc32c::crc32c_append(key.0, body));
    let is_mended = stored != computed;
    (!is_mended || one_bit::mend(body, stored, computed)).then_some(Whole { found, is_mended })
}

/// Written in front of the records of a commit.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitHeader {
    pub(crate) first_lsn: u64,
    /// Everything up to here was on the disk when the commit was written.
    pub(crate) durable_lsn: u64,
    pub(crate) count: u32,
    /// Of all its records, without this header and the padding.
    pub(crate) record_bytes: u32,
}

impl CommitHeader {
    pub(crate) fn encode(&self, key: Key) -> [u8; COMMIT_HEADER_BYTES] {
        let mut out = [0; COMMIT_HEADER_BYTES];
        let mut rest = &mut out[..];
        rest.put_u32(MAGIC);
        rest.put_u16(VERSION);
        rest.put_u16(0);
        rest.put_u64(self.first_lsn);
        rest.put_u64(self.durable_lsn);
        rest.put_u32(self.count);
        rest.put_u32(self.record_bytes);
        let crc = crc32c::crc32c_append(key.0, &out[..COMMIT_HEADER_BYTES - 4]);
        out[COMMIT_HEADER_BYTES - 4..].copy_from_slice(&crc.to_be_bytes());
        out
    }

    /// The header at the front of `bytes`, if one stands there, be it with one wrong bit.
    pub(crate) fn decode(key: Key, bytes: &[u8]) -> Option<Whole<CommitHeader>> {
        let header = bytes.first_chunk::<COMMIT_HEADER_BYTES>()?;
        let front = u64::from_be_bytes(*header.first_chunk::<8>()?);
        let expected = u64::from(MAGIC) << 32 | u64::from(VERSION) << 16;
        // Blocks that hold something else are many.
        if (front ^ expected).count_ones() > 1 {
            return None;
        }
        let Whole { found: header, is_mended } = whole(key, header)?;
        let mut rest = &header[..];
        if rest.get_u64() != expected {
            return None;
        }
        let found = CommitHeader {
            first_lsn: rest.get_u64(),
            durable_lsn: rest.get_u64(),
            count: rest.get_u32(),
            record_bytes: rest.get_u32(),
        };
        (found.first_lsn <= LSN_MAX).then_some(Whole { found, is_mended })
    }

    pub(crate) fn last_lsn(&self) -> u64 {
        self.first_lsn.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    /// The commit's bytes in the file, padding included.
    pub(crate) fn padded_bytes(&self) -> u64 {
        padded(COMMIT_HEADER_BYTES + self.record_bytes as usize) as u64
    }
}

pub(crate) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK_BYTES)
}

/// What is done to a log's files.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// The log's directory is made; the payload is its name.
    Create,
    /// The log is deleted.
    Drop,
    /// The payload stands in the segment's file from `position` on.
    Write { segment: Offset, position: u64 },
    /// The log starts at this offset.
    Start { offset: Offset },
    /// From here on the log is journaled. What stands before is not on the disk for sure, and without it nothing behind
    /// counts.
    Join { segment: Offset, position: u64 },
}

impl Op {
    fn code(self) -> u8 {
        match self {
            Op::Create => 1,
            Op::Drop => 2,
            Op::Write { .. } => 3,
            Op::Start { .. } => 4,
            Op::Join { .. } => 5,
        }
    }

    fn numbers(self) -> (i64, u64) {
        match self {
            Op::Create | Op::Drop => (0, 0),
            Op::Write { segment, position } | Op::Join { segment, position } => (segment.0, position),
            Op::Start { offset } => (offset.0, 0),
        }
    }

    fn from_parts(code: u8, number: i64, position: u64) -> Option<Op> {
        let segment = Offset(number);
        Some(match code {
            1 => Op::Create,
            2 => Op::Drop,
            3 => Op::Write { segment, position },
            4 => Op::Start { offset: segment },
            5 => Op::Join { segment, position },
            _ => return None,
        })
    }
}

/// Stands before a record's payload.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) lsn: u64,
    pub(crate) log: LogId,
    pub(crate) op: Op,
    pub(crate) payload_bytes: u32,
    pub(crate) payload_crc: u32,
}

impl RecordHeader {
    pub(crate) fn encode(&self, key: Key) -> [u8; RECORD_HEADER_BYTES] {
        let mut out = [0; RECORD_HEADER_BYTES];
        let (number, position) = self.op.numbers();
        let mut rest = &mut out[..];
        rest.put_u64(self.lsn);
        rest.put_slice(&self.log.topic.0);
        rest.put_i32(self.log.partition);
        rest.put_u8(self.op.code());
        rest.put_bytes(0, 3);
        rest.put_i64(number);
        rest.put_u64(position);
        rest.put_u32(self.payload_bytes);
        rest.put_u32(self.payload_crc);
        let crc = crc32c::crc32c_append(key.0, &out[..RECORD_HEADER_BYTES - 4]);
        out[RECORD_HEADER_BYTES - 4..].copy_from_slice(&crc.to_be_bytes());
        out
    }

    fn decode(key: Key, bytes: &[u8]) -> Option<Whole<RecordHeader>> {
        let Whole { found: header, is_mended } = whole(key, bytes.first_chunk::<RECORD_HEADER_BYTES>()?)?;
        let mut rest = &header[..];
        let lsn = rest.get_u64();
        let mut topic = [0; 16];
        rest.copy_to_slice(&mut topic);
        let log = LogId { topic: TopicId(topic), partition: rest.get_i32() };
        let code = rest.get_u8();
        rest.advance(3);
        let op = Op::from_parts(code, rest.get_i64(), rest.get_u64())?;
        let (payload_bytes, payload_crc) = (rest.get_u32(), rest.get_u32());
        Some(Whole { found: RecordHeader { lsn, log, op, payload_bytes, payload_crc }, is_mended })
    }
}

/// What stands at one place among a commit's records.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Record(RecordHeader, Range<usize>),
    /// The header is right and its payload is not.
    BadPayload(RecordHeader),
    /// No header: where the next record begins is unknown.
    BadHeader,
}

/// Goes over the records of one commit; `bytes` are those behind its header, in which single wrong bits are turned back.
pub(crate) struct RecordWalk<'b> {
    key: Key,
    pub(crate) bytes: &'b mut [u8],
    at: usize,
    next_lsn: u64,
    left: u32,
    /// How many records had a wrong bit.
    pub(crate) mended: u64,
}

impl<'b> RecordWalk<'b> {
    pub(crate) fn new(key: Key, header: &CommitHeader, bytes: &'b mut [u8]) -> RecordWalk<'b> {
        RecordWalk { key, bytes, at: 0, next_lsn: header.first_lsn, left: header.count, mended: 0 }
    }

    /// The LSN that the next record has to have.
    pub(crate) fn next_lsn(&self) -> u64 {
        self.next_lsn
    }
}

impl Iterator for RecordWalk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        self.left = self.left.checked_sub(1)?;
        let header = RecordHeader::decode(self.key, &self.bytes[self.at..])
            .filter(|header| header.found.lsn == self.next_lsn);
        let Some(Whole { found: header, is_mended }) = header else {
            self.left = 0;
            return Some(Found::BadHeader);
        };
        self.next_lsn += 1;
        self.mended += u64::from(is_mended);
        let from = self.at + RECORD_HEADER_BYTES;
        let payload = from..from.saturating_add(header.payload_bytes as usize);
        let Some(bytes) = self.bytes.get_mut(payload.clone()) else {
            self.left = 0;
            return Some(Found::BadPayload(header));
        };
        self.at = payload.end;
        let (stored, computed) = (header.payload_crc, crc32c::crc32c(bytes));
        if stored == computed {
            return Some(Found::Record(header, payload));
        }
        // The checksum stands in the header, which is right: one bit of it cannot be what is wrong.
        let is_mended = (stored ^ computed).count_ones() > 1 && one_bit::mend(bytes, stored, computed);
        self.mended += u64::from(is_mended);
        Some(if is_mended { Found::Record(header, payload) } else { Found::BadPayload(header) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: Key = Key(0x1234_5678);

    fn ops() -> impl Strategy<Value = Op> {
        prop_oneof![
            Just(Op::Create),
            Just(Op::Drop),
            (any::<i64>(), any::<u64>()).prop_map(|(s, position)| Op::Write { segment: Offset(s), position }),
            any::<i64>().prop_map(|o| Op::Start { offset: Offset(o) }),
            (any::<i64>(), any::<u64>()).prop_map(|(s, position)| Op::Join { segment: Offset(s), position }),
        ]
    }

    fn records() -> impl Strategy<Value = Vec<([u8; 16], i32, Op, Vec<u8>)>> {
        let payload = proptest::collection::vec(any::<u8>(), 0..60);
        proptest::collection::vec((any::<[u8; 16]>(), any::<i32>(), ops(), payload), 1..6)
    }

    fn encode(first_lsn: u64, records: &[([u8; 16], i32, Op, Vec<u8>)]) -> (CommitHeader, Vec<u8>) {
        let mut bytes = Vec::new();
        for (place, (topic, partition, op, payload)) in records.iter().enumerate() {
            let header = RecordHeader {
                lsn: first_lsn + place as u64,
                log: LogId { topic: TopicId(*topic), partition: *partition },
                op: *op,
                payload_bytes: payload.len() as u32,
                payload_crc: crc32c::crc32c(payload),
            };
            bytes.extend_from_slice(&header.encode(KEY));
            bytes.extend_from_slice(payload);
        }
        let count = records.len() as u32;
        (
            CommitHeader { first_lsn, durable_lsn: first_lsn / 2, count, record_bytes: bytes.len() as u32 },
            bytes,
        )
    }

    proptest! {
        #[test]
        fn round_trips(first_lsn in 0..=LSN_MAX, records in records()) {
            let (header, bytes) = encode(first_lsn, &records);
            let whole = Some(Whole { found: header, is_mended: false });
            prop_assert_eq!(CommitHeader::decode(KEY, &header.encode(KEY)), whole);
            prop_assert_eq!(CommitHeader::decode(Key(1), &header.encode(KEY)), None, "another directory's");
            let mut walked = bytes.clone();
            let mut found = RecordWalk::new(KEY, &header, &mut walked);
            for (topic, partition, op, payload) in &records {
                let Some(Found::Record(header, range)) = found.next() else { panic!("a record is missing") };
                prop_assert_eq!((header.log.topic.0, header.log.partition, header.op), (*topic, *partition, *op));
                prop_assert_eq!(&bytes[range], &payload[..]);
            }
            prop_assert_eq!(found.next(), None);
        }

        #[test]
        fn one_wrong_bit_is_mended(records in records(), at: prop::sample::Index, bit in 0u8..8) {
            let (header, bytes) = encode(7, &records);
            let mut harmed = bytes.clone();
            let at = at.index(bytes.len());
            harmed[at] ^= 1 << bit;
            let mut walk = RecordWalk::new(KEY, &header, &mut harmed);
            let payloads: Vec<_> = walk.by_ref().filter_map(|found| match found {
                Found::Record(_, range) => Some(range),
                _ => None,
            }).collect();
            prop_assert_eq!(walk.mended, 1);
            prop_assert_eq!(payloads.len(), records.len());
            for (range, (.., payload)) in payloads.into_iter().zip(&records) {
                prop_assert_eq!(&harmed[range], &payload[..]);
            }
            let mut front = header.encode(KEY);
            front[at % COMMIT_HEADER_BYTES] ^= 1 << bit;
            prop_assert_eq!(CommitHeader::decode(KEY, &front), Some(Whole { found: header, is_mended: true }));
        }

        #[test]
        fn more_damage_is_noticed(records in records(), at: prop::sample::Index, bits in 1u8..=255) {
            prop_assume!(bits.count_ones() > 1);
            let (header, mut bytes) = encode(7, &records);
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            let found = RecordWalk::new(KEY, &header, &mut bytes).filter(|f| matches!(f, Found::Record(..)));
            prop_assert!(found.count() < records.len());
            let mut front = header.encode(KEY);
            front[at % COMMIT_HEADER_BYTES] ^= bits;
            prop_assert_eq!(CommitHeader::decode(KEY, &front), None);
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), count: u32) {
            let _ = CommitHeader::decode(KEY, &bytes);
            let header = CommitHeader { first_lsn: 1, durable_lsn: 0, count, record_bytes: 300 };
            RecordWalk::new(KEY, &header, &mut bytes).for_each(drop);
        }
    }
}
