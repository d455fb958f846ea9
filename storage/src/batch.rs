//! The header of one record batch of Kafka's version 2, seen over untouched bytes.
//!
//! Layout: base offset 8, length 4, leader epoch 4, magic 1, CRC 4, then what the CRC covers: attributes 2, last offset
//! delta 4, base timestamp 8, max timestamp 8, producer id 8, producer epoch 2, base sequence 4, record count 4, records.
//! Base offset and leader epoch lie outside the CRC, so that a log can stamp them without touching the rest.
//! This module judges structure only; what a producer may send is `validate`'s to say.

use crate::codec::Codec;
use crate::ids::{LeaderEpoch, NO_TIMESTAMP, Offset, ProducerId, TimestampMs};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;
/// Bytes of base offset and length: what the length field does not count.
pub const OVERHEAD_BYTES: usize = 12;
/// The prefix that stamping rewrites: everything before the CRC.
pub(crate) const STAMP_BYTES: usize = 17;
/// Where the CRC's cover begins.
pub(crate) const CRC_FROM: usize = 21;
pub const MAGIC: i8 = 2;

const CODEC_MASK: i16 = 0x07;
const TIMESTAMP_TYPE_MASK: i16 = 0x08;
const TRANSACTIONAL_MASK: i16 = 0x10;
const CONTROL_MASK: i16 = 0x20;
const DELETE_HORIZON_MASK: i16 = 0x40;

/// Who labels records with time.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// What is wrong with a batch's bytes, whoever wrote them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    #[error("the batch ends after {have} of {need} bytes")]
    Truncated { have: usize, need: usize },
    #[error("a batch of magic {0} (only 2 is known)")]
    Magic(i8),
    #[error("a batch length of {0} is too small for its header")]
    Length(i32),
    #[error("the batch's checksum is {stored:08x}, its bytes give {computed:08x}")]
    Crc { stored: u32, computed: u32 },
    #[error("negative offsets or counts in the batch's header")]
    Header,
    #[error("unknown compression codec {0}")]
    Codec(u8),
    #[error("record {index}: {what}")]
    Record { index: i32, what: &'static str },
    #[error("the records are much work to decompress")]
    Heavy,
    #[error("the records cannot be decompressed: {0}")]
    Decompress(String),
}

/// All fields of a batch's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: Offset,
    /// The length field: bytes behind itself.
    pub length: i32,
    pub leader_epoch: LeaderEpoch,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: TimestampMs,
    pub max_timestamp: TimestampMs,
    pub producer_id: ProducerId,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

/// `N` bytes of `bytes` at `at`; the caller has checked the length.
fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

impl BatchHeader {
    /// Reads the header from the front of `bytes`, which may hold less or more than the batch. Refuses what cannot be
    /// a batch of version 2; the CRC is [`verify_crc`]'s.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        if bytes.len() < HEADER_BYTES {
            return Err(BatchError::Truncated { have: bytes.len(), need: HEADER_BYTES });
        }
        let header = BatchHeader {
            base_offset: Offset(i64::from_be_bytes(take(bytes, 0))),
            length: i32::from_be_bytes(take(bytes, 8)),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(take(bytes, 12))),
            magic: bytes[16] as i8,
            crc: u32::from_be_bytes(take(bytes, 17)),
            attributes: i16::from_be_bytes(take(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(take(bytes, 23)),
            base_timestamp: i64::from_be_bytes(take(bytes, 27)),
            max_timestamp: i64::from_be_bytes(take(bytes, 35)),
            producer_id: ProducerId(i64::from_be_bytes(take(bytes, 43))),
            producer_epoch: i16::from_be_bytes(take(bytes, 51)),
            base_sequence: i32::from_be_bytes(take(bytes, 53)),
            record_count: i32::from_be_bytes(take(bytes, 57)),
        };
        if header.magic != MAGIC {
            return Err(BatchError::Magic(header.magic));
        }
        if header.length < (HEADER_BYTES - OVERHEAD_BYTES) as i32 {
            return Err(BatchError::Length(header.length));
        }
        Ok(header)
    }

    /// The header's bytes as they stand on the wire and on the disk.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.length.to_be_bytes());
        out[12..16].copy_from_slice(&self.leader_epoch.0.to_be_bytes());
        out[16] = self.magic as u8;
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.0.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        out
    }

    /// The whole batch's bytes, header included.
    pub fn total_bytes(&self) -> usize {
        // `parse` refused lengths below the header's.
        self.length as usize + OVERHEAD_BYTES
    }

    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.saturating_add(i64::from(self.last_offset_delta)))
    }

    /// The offset of the batch that follows.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    pub fn codec(&self) -> Result<Codec, BatchError> {
        let id = (self.attributes & CODEC_MASK) as u8;
        Codec::from_id(id).ok_or(BatchError::Codec(id))
    }

    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & TIMESTAMP_TYPE_MASK == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_MASK != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_MASK != 0
    }

    /// Whether the base timestamp is a delete horizon left by the compaction.
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON_MASK != 0
    }

    /// The delete horizon: from this time on, the batch's tombstones and its marker may go.
    pub(crate) fn delete_horizon(&self) -> Option<TimestampMs> {
        self.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// The base timestamp is a delete horizon from here on.
    pub(crate) fn set_delete_horizon(&mut self, horizon: TimestampMs) {
        self.attributes |= DELETE_HORIZON_MASK;
        self.base_timestamp = horizon;
    }

    /// The greatest time of its records; none of a batch that the compaction emptied, whose header still tells when its
    /// producer last wrote.
    pub(crate) fn records_time(&self) -> TimestampMs {
        if self.record_count == 0 { NO_TIMESTAMP } else { self.max_timestamp }
    }

    /// The header of the same batch without any of its records, as Kafka's compaction leaves it: it keeps the producer's
    /// sequence and the offsets.
    pub(crate) fn emptied(&self) -> BatchHeader {
        let mut header = BatchHeader {
            length: (HEADER_BYTES - OVERHEAD_BYTES) as i32,
            attributes: self.attributes & (TIMESTAMP_TYPE_MASK | TRANSACTIONAL_MASK | CONTROL_MASK),
            base_timestamp: NO_TIMESTAMP,
            record_count: 0,
            ..self.clone()
        };
        header.crc = crc_of(&header, &[]);
        header
    }

    /// Sets time type and max timestamp as Kafka does: bits that Kafka does not know go.
    pub(crate) fn set_time(&mut self, kind: TimestampType, max_timestamp: TimestampMs) {
        self.attributes &= CODEC_MASK | TRANSACTIONAL_MASK | CONTROL_MASK | DELETE_HORIZON_MASK;
        if kind == TimestampType::LogAppendTime {
            self.attributes |= TIMESTAMP_TYPE_MASK;
        }
        self.max_timestamp = max_timestamp;
    }

    pub(crate) fn set_flags(&mut self, codec: Codec, transactional: bool, control: bool) {
        self.attributes = i16::from(codec.id())
            | if transactional { TRANSACTIONAL_MASK } else { 0 }
            | if control { CONTROL_MASK } else { 0 };
    }

    /// Whether the numbers of a batch on disk can stand in a log at all.
    pub(crate) fn is_plausible(&self) -> bool {
        self.base_offset.0 >= 0
            && self.last_offset_delta >= 0
            && self.record_count >= 0
            && self
                .base_offset
                .0
                .checked_add(i64::from(self.last_offset_delta))
                .is_some_and(|last| last < i64::MAX)
    }
}

/// Checks the CRC of one whole batch; `batch` holds exactly its bytes.
pub fn verify_crc(header: &BatchHeader, batch: &[u8]) -> Result<(), BatchError> {
    if batch.len() < header.total_bytes() {
        return Err(BatchError::Truncated { have: batch.len(), need: header.total_bytes() });
    }
    let computed = crc32c::crc32c(&batch[CRC_FROM..header.total_bytes()]);
    if computed != header.crc {
        return Err(BatchError::Crc { stored: header.crc, computed });
    }
    Ok(())
}

/// The CRC that `header` needs over itself and the untouched `records`.
pub(crate) fn crc_of(header: &BatchHeader, records: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header.encode()[CRC_FROM..]), records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(header) = BatchHeader::parse(&bytes) {
                let _ = (header.codec(), header.next_offset(), header.is_plausible());
                prop_assert_eq!(&header.encode()[..], &bytes[..HEADER_BYTES]);
                let _ = verify_crc(&header, &bytes);
            }
        }

        #[test]
        fn any_header_round_trips(mut bytes: [[u8; 32]; 2], length in 49..i32::MAX) {
            bytes[0][8..12].copy_from_slice(&length.to_be_bytes());
            bytes[0][16] = MAGIC as u8;
            let bytes = bytes.concat();
            let header = BatchHeader::parse(&bytes).unwrap();
            prop_assert_eq!(&header.encode()[..], &bytes[..HEADER_BYTES]);
            prop_assert_eq!(header.total_bytes(), length as usize + 12);
        }
    }
}
