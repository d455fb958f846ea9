//! The end of a transaction as it stands in a log: a control batch of one record, in Kafka's format.
//!
//! Key: version 2, type 2 (0 aborts, 1 commits). Value: version 2, coordinator epoch 4. What a newer version adds stands
//! behind and is left alone. This module must not know what a transaction is beyond its end.

use bytes::Bytes;

use crate::ids::{ProducerId, TimestampMs};
use crate::records::{BatchBuilder, records};

const VERSION: i16 = 0;
const ABORT: i16 = 0;
const COMMIT: i16 = 1;
const NO_SEQUENCE: i32 = -1;

/// How a transaction ended, as its coordinator writes it into each log that the transaction wrote to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct EndMarker {
    pub committed: bool,
    pub coordinator_epoch: i32,
}

/// What a control batch says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    End(EndMarker, TimestampMs),
    /// The compaction took the record: what it ended is gone from the log.
    Nothing,
    /// No end of a transaction.
    Other,
}

impl EndMarker {
    /// The control batch that ends the open transaction of a producer, to be appended by its coordinator.
    pub fn batch(&self, producer: ProducerId, epoch: i16, timestamp: TimestampMs) -> Bytes {
        let kind = if self.committed { COMMIT } else { ABORT };
        let key = [VERSION.to_be_bytes(), kind.to_be_bytes()].concat();
        let value = [&VERSION.to_be_bytes()[..], &self.coordinator_epoch.to_be_bytes()].concat();
        BatchBuilder::new(timestamp)
            .producer(producer, epoch, NO_SEQUENCE)
            .transactional()
            .control()
            .push(Some(&key), Some(&value), &[])
            .build()
    }

    /// What a whole control batch says, if it is the end of a transaction.
    pub fn of(batch: &[u8]) -> Option<EndMarker> {
        match read(batch) {
            Found::End(marker, _) => Some(marker),
            Found::Nothing | Found::Other => None,
        }
    }

    fn decode(key: &[u8], value: &[u8]) -> Option<EndMarker> {
        let number = |bytes: &[u8], at: usize| Some(i16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        let kind = number(key, 2)?;
        let known = number(key, 0)? >= 0 && number(value, 0)? >= 0 && (kind == ABORT || kind == COMMIT);
        let coordinator_epoch = i32::from_be_bytes(*value.get(2..)?.first_chunk()?);
        known.then_some(EndMarker { committed: kind == COMMIT, coordinator_epoch })
    }
}

/// Reads one whole control batch.
pub(crate) fn read(batch: &[u8]) -> Found {
    let Ok(mut found) = records(batch) else { return Found::Other };
    match found.next() {
        None => Found::Nothing,
        Some(Ok(record)) => {
            let marker =
                record.key.zip(record.value).and_then(|(key, value)| EndMarker::decode(&key, &value));
            marker.map_or(Found::Other, |marker| Found::End(marker, record.timestamp))
        }
        Some(Err(_)) => Found::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchHeader;
    use proptest::prelude::*;

    #[test]
    fn it_is_kafkas() {
        let marker = EndMarker { committed: true, coordinator_epoch: 7 };
        let batch = marker.batch(ProducerId(5), 3, 99);
        let header = BatchHeader::parse(&batch).unwrap();
        assert!(header.is_control() && header.is_transactional());
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (ProducerId(5), 3, -1));
        // length 16, attributes, time and offset deltas, key of 4, value of 6, no headers.
        let record = [32, 0, 0, 0, 8, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 7, 0];
        assert_eq!(batch[crate::batch::HEADER_BYTES..], record);
        assert_eq!((read(&batch), EndMarker::of(&batch)), (Found::End(marker, 99), Some(marker)));
    }

    #[test]
    fn another_control_record_is_no_end() {
        for (key, value) in [(&[0, 0, 0, 2][..], &[0; 6][..]), (&[0, 0, 0], &[0; 6]), (&[0; 4], &[0; 5])] {
            let batch = BatchBuilder::new(1).control().push(Some(key), Some(value), &[]).build();
            assert_eq!((read(&batch), EndMarker::of(&batch)), (Found::Other, None));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(key: Vec<u8>, value: Vec<u8>) {
            let batch = BatchBuilder::new(1).control().push(Some(&key), Some(&value), &[]).build();
            if let Found::End(marker, _) = read(&batch) {
                prop_assert_eq!(&key[2..4], [0, u8::from(marker.committed)]);
                prop_assert_eq!(&value[2..6], marker.coordinator_epoch.to_be_bytes());
            }
        }
    }
}
