//! One producer in one log: its epoch, its last batches, its open transaction, and what it may append next.
//!
//! The rules are those of Kafka's `ProducerAppendInfo` and `ProducerStateEntry`. Invariant: the batches kept are of the
//! epoch kept, oldest first. This module must not know other producers, logs or files.

use crate::batch::BatchHeader;
use crate::ids::{NO_TIMESTAMP, Offset, ProducerId, TimestampMs};
use crate::marker::EndMarker;
use crate::plan::Origin;
use crate::ticket::AppendError;

/// Kafka's `NUM_BATCHES_TO_RETAIN`: as many as a producer may have in flight.
pub(crate) const BATCHES_KEPT: usize = 5;
pub(crate) const NO_EPOCH: i16 = -1;
pub(crate) const NO_SEQUENCE: i32 = -1;
pub(crate) const NO_COORDINATOR: i32 = -1;

/// The batch is being written: where it will be durable is not known yet.
pub(crate) const LSN_UNKNOWN: u64 = u64::MAX;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: Offset,
    pub(crate) offset_delta: i32,
    /// The greatest time in it.
    pub(crate) timestamp: TimestampMs,
    /// The batch is durable when the journal is, up to here. 0 for what no journal has to protect.
    pub(crate) lsn: u64,
}

impl Batch {
    const NONE: Batch = Batch {
        last_sequence: NO_SEQUENCE,
        last_offset: Offset(-1),
        offset_delta: 0,
        timestamp: NO_TIMESTAMP,
        lsn: 0,
    };

    /// Of a batch that stands in the log, on the disk.
    pub(super) fn of(header: &BatchHeader) -> Batch {
        Batch {
            last_sequence: last_sequence(header),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
            lsn: 0,
        }
    }

    pub(crate) fn first_sequence(&self) -> i32 {
        retreat(self.last_sequence, self.offset_delta)
    }

    pub(crate) fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - i64::from(self.offset_delta))
    }
}

/// `by` records on, from 2147483647 to 0.
pub(crate) fn advance(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) & i64::from(i32::MAX)) as i32
}

fn retreat(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) - i64::from(by)) & i64::from(i32::MAX)) as i32
}

fn last_sequence(header: &BatchHeader) -> i32 {
    match header.base_sequence {
        NO_SEQUENCE => NO_SEQUENCE,
        base => advance(base, header.last_offset_delta),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) last_timestamp: TimestampMs,
    /// The first offset of the open transaction.
    pub(crate) txn_first: Option<Offset>,
    pub(super) kept: [Batch; BATCHES_KEPT],
    pub(super) count: u8,
}

/// What became of a transaction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Opened { producer: ProducerId, first: Offset },
    Ended(Ended),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) producer: ProducerId,
    pub(crate) first: Offset,
    /// Where its marker stands.
    pub(crate) last: Offset,
    pub(crate) committed: bool,
}

impl Producer {
    /// One that nothing is known of.
    pub(crate) const UNKNOWN: Producer = Producer {
        epoch: NO_EPOCH,
        coordinator_epoch: NO_COORDINATOR,
        last_timestamp: NO_TIMESTAMP,
        txn_first: None,
        kept: [Batch::NONE; BATCHES_KEPT],
        count: 0,
    };

    pub(crate) fn batches(&self) -> &[Batch] {
        &self.kept[..usize::from(self.count)]
    }

    pub(crate) fn last_batch(&self) -> Option<&Batch> {
        self.batches().last()
    }

    pub(crate) fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    pub(crate) fn push(&mut self, batch: Batch) {
        if usize::from(self.count) == BATCHES_KEPT {
            self.kept.rotate_left(1);
            self.count -= 1;
        }
        self.kept[usize::from(self.count)] = batch;
        self.count += 1;
    }

    /// Batches of its epoch before those that are known, newest first.
    pub(crate) fn precede(&mut self, earlier: &[Batch]) {
        let known = std::mem::replace(self, Producer { count: 0, ..self.clone() });
        let room = BATCHES_KEPT - known.batches().len();
        earlier.iter().take(room).rev().chain(known.batches()).for_each(|batch| self.push(*batch));
    }

    /// The batch that `header` repeats: the newest of that kind. After a restart one may be known again that was forgotten,
    /// and whose records were taken a second time meanwhile.
    pub(crate) fn duplicate_of(&self, header: &BatchHeader) -> Option<&Batch> {
        let (first, last) = (header.base_sequence, last_sequence(header));
        let is_same = |batch: &&Batch| batch.first_sequence() == first && batch.last_sequence == last;
        if header.producer_epoch == self.epoch { self.batches().iter().rev().find(is_same) } else { None }
    }

    /// Takes note of a batch of records that has its place.
    pub(crate) fn append(
        &mut self,
        header: &BatchHeader,
        origin: Origin,
    ) -> Result<Option<Event>, AppendError> {
        self.check_epoch(header, origin)?;
        if origin == Origin::Client {
            self.check_sequence(header)?;
        }
        let producer = header.producer_id;
        if self.txn_first.is_some() && !header.is_transactional() {
            return Err(AppendError::NotInTransaction { producer });
        }
        self.set_epoch(header.producer_epoch);
        self.push(Batch { lsn: LSN_UNKNOWN, ..Batch::of(header) });
        self.last_timestamp = header.max_timestamp;
        if self.txn_first.is_some() || !header.is_transactional() {
            return Ok(None);
        }
        self.txn_first = Some(header.base_offset);
        Ok(Some(Event::Opened { producer, first: header.base_offset }))
    }

    /// Takes note of a transaction's end. One that ends nothing is kept all the same: it may fence an epoch.
    pub(crate) fn end(
        &mut self,
        header: &BatchHeader,
        marker: EndMarker,
        timestamp: TimestampMs,
        origin: Origin,
    ) -> Result<Option<Event>, AppendError> {
        self.check_epoch(header, origin)?;
        if marker.coordinator_epoch < self.coordinator_epoch && origin != Origin::Replica {
            let (found, current) = (marker.coordinator_epoch, self.coordinator_epoch);
            return Err(AppendError::CoordinatorFenced { found, current });
        }
        self.set_epoch(header.producer_epoch);
        self.coordinator_epoch = marker.coordinator_epoch;
        self.last_timestamp = timestamp;
        let (producer, last, committed) = (header.producer_id, header.base_offset, marker.committed);
        Ok(self.txn_first.take().map(|first| Event::Ended(Ended { producer, first, last, committed })))
    }

    fn check_epoch(&self, header: &BatchHeader, origin: Origin) -> Result<(), AppendError> {
        if header.producer_epoch >= self.epoch || origin == Origin::Replica {
            return Ok(());
        }
        let (producer, found, current) = (header.producer_id, header.producer_epoch, self.epoch);
        Err(AppendError::InvalidProducerEpoch { producer, found, current })
    }

    fn check_sequence(&self, header: &BatchHeader) -> Result<(), AppendError> {
        let found = header.base_sequence;
        let last = self.last_sequence();
        let fits = if self.epoch == NO_EPOCH {
            // Nothing is known: its records may be deleted, or it was silent for long.
            true
        } else if header.producer_epoch != self.epoch {
            found == 0
        } else {
            i64::from(found) == i64::from(last) + 1 || (found == 0 && last == i32::MAX)
        };
        if fits {
            Ok(())
        } else {
            Err(AppendError::OutOfOrderSequence { producer: header.producer_id, found, last })
        }
    }

    /// Batches of another epoch are no longer repeated.
    fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            (self.epoch, self.count) = (epoch, 0);
        }
    }

    /// What was being written is durable when the journal is, up to `lsn`.
    pub(crate) fn settle(&mut self, lsn: u64) {
        let count = usize::from(self.count);
        for batch in self.kept[..count].iter_mut().filter(|batch| batch.lsn == LSN_UNKNOWN) {
            batch.lsn = lsn;
        }
    }
}
