//! The producers of a log at one offset, as `<20-digit offset>.snapshot` holds them: Kafka's format, version 1.
//!
//! Layout, big endian: version 2, CRC-32C 4 of all that follows, count 4, and per producer: id 8, epoch 2, last sequence
//! 4, last offset 8, distance of the last batch's first offset 4, last timestamp 8, coordinator epoch 4, first offset of
//! the open transaction 8. -1 stands for none. Only each producer's last batch is kept, as in Kafka. What does not read
//! whole and right is no snapshot at all.

use std::collections::BTreeMap;

use super::producer::{Batch, NO_SEQUENCE, Producer};
use crate::ids::{Offset, ProducerId};

pub(crate) const SNAPSHOT_SUFFIX: &str = "snapshot";

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const COUNT_AT: usize = 6;
const ENTRIES_AT: usize = 10;
const ENTRY_BYTES: usize = 46;

pub(crate) fn encode(producers: &BTreeMap<ProducerId, Producer>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRIES_AT + producers.len() * ENTRY_BYTES);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&[0; COUNT_AT - CRC_AT]);
    let count = u32::try_from(producers.len()).expect("memory does not hold so many");
    bytes.extend_from_slice(&count.to_be_bytes());
    for (id, producer) in producers {
        let last = producer.last_batch();
        bytes.extend_from_slice(&id.0.to_be_bytes());
        bytes.extend_from_slice(&producer.epoch.to_be_bytes());
        bytes.extend_from_slice(&last.map_or(NO_SEQUENCE, |batch| batch.last_sequence).to_be_bytes());
        bytes.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
        bytes.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        bytes.extend_from_slice(&producer.last_timestamp.to_be_bytes());
        bytes.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&producer.txn_first.map_or(-1, |first| first.0).to_be_bytes());
    }
    seal(&mut bytes);
    bytes
}

/// Puts the right checksum into a snapshot.
pub(crate) fn seal(bytes: &mut [u8]) {
    if bytes.len() >= COUNT_AT {
        let crc = crc32c::crc32c(&bytes[COUNT_AT..]);
        bytes[CRC_AT..COUNT_AT].copy_from_slice(&crc.to_be_bytes());
    }
}

/// Takes bytes from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }
}

/// `None` if it is not whole, its checksum is wrong, or its numbers cannot be a log's.
pub(crate) fn decode(bytes: &[u8]) -> Option<BTreeMap<ProducerId, Producer>> {
    let mut fields = Fields(bytes);
    let (version, crc) = (fields.i16()?, fields.i32()? as u32);
    if version != VERSION || crc32c::crc32c(fields.0) != crc {
        return None;
    }
    let count = usize::try_from(fields.i32()?).ok()?;
    if fields.0.len() != count.checked_mul(ENTRY_BYTES)? {
        return None;
    }
    let mut producers = BTreeMap::new();
    for _ in 0..count {
        let (id, producer) = decode_entry(&mut fields)?;
        if producers.insert(id, producer).is_some() {
            return None;
        }
    }
    Some(producers)
}

fn decode_entry(fields: &mut Fields<'_>) -> Option<(ProducerId, Producer)> {
    let id = ProducerId(fields.i64()?);
    let mut producer = Producer { epoch: fields.i16()?, ..Producer::UNKNOWN };
    let (last_sequence, last_offset, offset_delta) = (fields.i32()?, fields.i64()?, fields.i32()?);
    producer.last_timestamp = fields.i64()?;
    producer.coordinator_epoch = fields.i32()?;
    producer.txn_first = Some(Offset(fields.i64()?)).filter(|first| first.0 >= 0);
    if last_offset >= 0 {
        if offset_delta < 0 || i64::from(offset_delta) > last_offset || last_sequence < NO_SEQUENCE {
            return None;
        }
        let (last_offset, timestamp) = (Offset(last_offset), producer.last_timestamp);
        producer.push(Batch { last_sequence, last_offset, offset_delta, timestamp, lsn: 0 });
    }
    (id.0 >= 0).then_some((id, producer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> BTreeMap<ProducerId, Producer> {
        let mut idle = Producer { epoch: 3, coordinator_epoch: 9, last_timestamp: 5, ..Producer::UNKNOWN };
        let mut busy =
            Producer { epoch: 1, last_timestamp: 77, txn_first: Some(Offset(40)), ..Producer::UNKNOWN };
        busy.push(Batch {
            last_sequence: 11,
            last_offset: Offset(42),
            offset_delta: 2,
            timestamp: 77,
            lsn: 0,
        });
        idle.settle(0);
        BTreeMap::from([(ProducerId(7), idle), (ProducerId(1_000), busy)])
    }

    #[test]
    fn it_is_kafkas() {
        let bytes = encode(&sample());
        let mut expected = vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
        let none = [0xff; 8];
        expected.extend([0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0xff, 0xff, 0xff, 0xff]);
        expected.extend(none);
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 9]);
        expected.extend(none);
        expected.extend([0, 0, 0, 0, 0, 0, 3, 0xe8, 0, 1, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 2]);
        expected.extend([0, 0, 0, 0, 0, 0, 0, 77, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 40]);
        let crc = crc32c::crc32c(&expected[6..]);
        expected[2..6].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(bytes, expected);
        assert_eq!(decode(&bytes), Some(sample()));
        assert_eq!(encode(&BTreeMap::new()).len(), 10);
    }

    #[test]
    fn any_wrong_bit_and_any_cut_is_noticed() {
        let bytes = encode(&sample());
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&wrong), None, "bit {bit}");
        }
        assert!((0..bytes.len()).all(|len| decode(&bytes[..len]).is_none()));
        assert_eq!(decode(&[bytes, vec![0]].concat()), None);
    }

    proptest! {
        #[test]
        fn sealed_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), count in 0u8..4) {
            if let Some(head) = bytes.get_mut(..ENTRIES_AT) {
                head.copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0, 0, count]);
                bytes.truncate(ENTRIES_AT + usize::from(count) * ENTRY_BYTES);
            }
            seal(&mut bytes);
            if let Some(found) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&found)), Some(found));
            }
        }
    }
}
