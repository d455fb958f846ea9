//! What a log says of its producers: which batch each wrote last, and which transactions were aborted.
//!
//! Read from the headers of the whole log up to the last stable offset, at each pass: the pass needs no other's state.
//! A producer that has not written for a day is forgotten, as Kafka's producer state forgets it. Invariant: a batch that
//! a producer's state would be made from again is never taken for superfluous. It must not know keys or values.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::batch::{BatchError, BatchHeader};
use crate::ids::{Offset, ProducerId, TimestampMs};
use crate::log::Log;
use crate::plan::Bound;
use crate::records::records;
use crate::segment::LOG_SUFFIX;

use super::pace::Pace;
use super::transactions::{Aborted, Marker};
use super::{Abandoned, saturating_ms};

/// Kafka's `producer.id.expiration.ms`.
const EXPIRY: Duration = Duration::from_secs(24 * 60 * 60);

/// The batch that a producer's state is made from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Last {
    /// Its records end at this offset.
    Records(Offset),
    /// Only markers came since the epoch began.
    Marker,
}

#[derive(Copy, Clone, Debug)]
struct Seen {
    last: Last,
    epoch: i16,
    at: TimestampMs,
    /// The first offset of the transaction that it is in.
    open: Option<Offset>,
}

#[derive(Default)]
pub(super) struct Producers {
    seen: BTreeMap<ProducerId, Seen>,
    /// By their first offsets.
    pub(super) aborted: Vec<Aborted>,
}

impl Producers {
    pub(super) fn of(log: &Log, now: TimestampMs, pace: &mut Pace<'_>) -> Result<Producers, Abandoned> {
        let mut producers = Producers::default();
        let bound = log.bound(Bound::LastStable);
        for segment in log.segments_between(log.start_offset(), bound) {
            let limit = bound.limit_in(&segment);
            let mut walk = segment.walk_from(segment.base, limit)?;
            while let Some((position, header)) = walk.next_header()? {
                if header.producer_id == ProducerId::NONE {
                    continue;
                }
                let marker = if header.is_control() {
                    let batch = segment.read_batch(position, &header)?;
                    Some(marker_of(&header, &batch).map_err(|error| {
                        Abandoned::uncleanable(&segment.path(LOG_SUFFIX), position, error)
                    })?)
                } else {
                    None
                };
                producers.see(&header, marker);
            }
            pace.look()?;
        }
        producers.aborted.sort_by_key(|aborted| aborted.first);
        let expired = now.saturating_sub(saturating_ms(EXPIRY));
        producers.seen.retain(|_, seen| seen.at > expired);
        Ok(producers)
    }

    fn see(&mut self, header: &BatchHeader, marker: Option<Marker>) {
        let fresh = Seen { last: Last::Marker, epoch: header.producer_epoch, at: 0, open: None };
        let seen = self.seen.entry(header.producer_id).or_insert(fresh);
        seen.at = header.max_timestamp;
        let is_new_epoch = std::mem::replace(&mut seen.epoch, header.producer_epoch) != header.producer_epoch;
        let Some(marker) = marker else {
            seen.last = Last::Records(header.last_offset());
            if header.is_transactional() {
                seen.open.get_or_insert(header.base_offset);
            }
            return;
        };
        if is_new_epoch {
            seen.last = Last::Marker;
        }
        if let (Marker::Abort, Some(first)) = (marker, seen.open) {
            self.aborted.push(Aborted { producer_id: header.producer_id, first, last: header.last_offset() });
        }
        if matches!(marker, Marker::Abort | Marker::Commit) {
            seen.open = None;
        }
    }

    /// Whether the batch is the one that its producer's state is made from.
    pub(super) fn need(&self, header: &BatchHeader) -> bool {
        self.seen.get(&header.producer_id).is_some_and(|seen| match seen.last {
            Last::Records(offset) => header.last_offset() == offset,
            Last::Marker => header.is_control() && header.producer_epoch == seen.epoch,
        })
    }
}

/// What a control batch says.
pub(super) fn marker_of(header: &BatchHeader, batch: &[u8]) -> Result<Marker, BatchError> {
    if header.record_count == 0 {
        return Ok(Marker::Empty);
    }
    let Some(record) = records(batch)?.next() else { return Ok(Marker::Empty) };
    Ok(record?.key.map_or(Marker::Other, |key| Marker::of_key(&key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::BatchBuilder;

    fn header(producer: i64, epoch: i16, offset: i64, control: bool) -> BatchHeader {
        let builder = BatchBuilder::new(5).producer(ProducerId(producer), epoch, 0).transactional();
        let builder = if control { builder.control() } else { builder };
        let bytes = builder.push(Some(b"k"), None, &[]).build();
        BatchHeader { base_offset: Offset(offset), ..BatchHeader::parse(&bytes).unwrap() }
    }

    #[test]
    fn the_last_records_of_an_epoch_count_or_its_marker() {
        let mut producers = Producers::default();
        let (first, second) = (header(1, 0, 0, false), header(1, 0, 1, false));
        let commit = header(1, 0, 2, true);
        producers.see(&first, None);
        producers.see(&second, None);
        producers.see(&commit, Some(Marker::Commit));
        assert_eq!([&first, &second, &commit].map(|batch| producers.need(batch)), [false, true, false]);
        let fence = header(1, 1, 3, true);
        producers.see(&fence, Some(Marker::Abort));
        assert_eq!([&second, &commit, &fence].map(|batch| producers.need(batch)), [false, false, true]);
        assert!(producers.aborted.is_empty(), "nothing was open");
    }

    #[test]
    fn an_aborted_transaction_reaches_from_its_first_batch_to_its_marker() {
        let mut producers = Producers::default();
        for (offset, marker) in [(0, None), (1, None), (4, Some(Marker::Abort)), (5, None)] {
            producers.see(&header(1, 0, offset, marker.is_some()), marker);
        }
        let expected = Aborted { producer_id: ProducerId(1), first: Offset(0), last: Offset(4) };
        assert_eq!(producers.aborted, [expected]);
    }
}
