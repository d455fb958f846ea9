//! Who appends to a log: the producers that it knows, their open transactions, and what is stable below them.
//!
//! `producer` has the rules for one, `draft` what an append is about to change, `snapshot` the file, `saving`,
//! `loading` and `looking_back` what is kept over restarts. Invariants: the state is that of the batches written and of no other; the last
//! stable offset is at most the high watermark and never goes back; a transaction that ended counts as open until
//! readers see its marker. This module must not know clients, requests or who decides about transactions.

pub(crate) mod draft;
mod loading;
mod looking_back;
mod producer;
mod saving;
pub(crate) mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::batch::BatchHeader;
use crate::ids::{Offset, ProducerId, TimestampMs};
use crate::log::Log;
use crate::plan::Origin;
use crate::txn_index::{self, Aborts};
use draft::Draft;
pub(crate) use loading::{Found, load};
use producer::{Ended, Event, Producer};
pub(crate) use saving::Captured;
use saving::Taken;

#[derive(Default)]
pub(crate) struct Producers {
    entries: BTreeMap<ProducerId, Producer>,
    /// Open transactions by their first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended ones by their first offset, with their marker's, as long as readers may not see that.
    ended: BTreeMap<Offset, Offset>,
    pub(crate) aborts: Aborts,
    /// The snapshots that are on the disk.
    snapshots: BTreeSet<Offset>,
    /// Those that are to be written by the next flush.
    taken: Vec<Taken>,
    /// Where in which segment the last one was taken.
    taken_at: (Offset, u64),
}

/// What of its batches a producer's state would be made from, were there no snapshot.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastBatch {
    epoch: i16,
    kind: Last,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Last {
    /// The one whose records end at this offset.
    Records(Offset),
    /// Only markers came since the epoch began.
    Marker,
    /// All that is known may still be lost with the power, and what stands before it would count again.
    Unknown,
}

impl LastBatch {
    /// Whether a batch of the producer's may be the one.
    pub(crate) fn is(&self, header: &BatchHeader) -> bool {
        match self.kind {
            Last::Records(offset) => header.last_offset() == offset,
            Last::Marker => header.is_control() && header.producer_epoch == self.epoch,
            Last::Unknown => true,
        }
    }
}

/// A producer as its log knows it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ProducerView {
    pub id: ProducerId,
    pub epoch: i16,
    /// -1 if nothing of its epoch is known.
    pub last_sequence: i32,
    /// Of its last batch of records.
    pub last_offset: Option<Offset>,
    pub last_timestamp: TimestampMs,
    /// -1 if no transaction of it ended here.
    pub coordinator_epoch: i32,
    /// Of its open transaction.
    pub txn_first_offset: Option<Offset>,
}

impl Producers {
    pub(crate) fn get(&self, id: ProducerId) -> Option<&Producer> {
        self.entries.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Below it all transactions are decided, and readers up to `high` see their ends.
    pub(crate) fn first_unstable(&mut self, high: Offset) -> Option<Offset> {
        self.ended.retain(|_, last| *last >= high);
        let firsts = [self.open.first_key_value().map(|e| *e.0), self.ended.first_key_value().map(|e| *e.0)];
        firsts.into_iter().flatten().min()
    }

    /// The batches of a draft were written to `segment`; readers see up to `high`.
    pub(crate) fn commit(&mut self, draft: &mut Draft, segment: Offset, high: Offset) {
        for (id, producer) in &draft.changed {
            self.entries.insert(*id, producer.clone());
        }
        for event in draft.events.drain(..) {
            self.happened(event, segment);
        }
        self.ended.retain(|_, last| *last >= high);
    }

    /// The log goes on in another data directory with what is known of its producers: a snapshot there has the last batch
    /// of each only, and they may send again what came before it. All of it is on the disk.
    pub(crate) fn take_over(&mut self, from: &Producers) {
        self.entries = from.entries.clone();
        self.open = from.open.clone();
        for producer in self.entries.values_mut() {
            producer.kept.iter_mut().for_each(|batch| batch.lsn = 0);
        }
    }

    /// The batches of a draft are durable when the journal is, up to `lsn`.
    pub(crate) fn settle(&mut self, draft: &Draft, lsn: u64) {
        for id in draft.changed.keys() {
            if let Some(producer) = self.entries.get_mut(id) {
                producer.settle(lsn);
            }
        }
    }

    fn happened(&mut self, event: Event, segment: Offset) {
        match event {
            Event::Opened { producer, first } => drop(self.open.insert(first, producer)),
            Event::Ended(ended) => {
                if !ended.committed {
                    self.aborts.push(segment, self.aborted(&ended));
                }
                self.open.remove(&ended.first);
                self.ended.insert(ended.first, ended.last);
            }
        }
    }

    fn aborted(&self, ended: &Ended) -> txn_index::Entry {
        let others = self.open.iter().find(|(_, producer)| **producer != ended.producer);
        let last_stable = others.map_or(Offset(ended.last.0 + 1), |(first, _)| *first);
        txn_index::Entry { producer: ended.producer, first: ended.first, last: ended.last, last_stable }
    }

    /// Recovery: a batch that stands in a segment. `bytes` gives it whole if it is asked.
    fn see<E>(
        &mut self,
        segment: Offset,
        header: &BatchHeader,
        bytes: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        let mut producer = self.get(header.producer_id).cloned().unwrap_or(Producer::UNKNOWN);
        let bytes = if header.is_control() { bytes()? } else { Vec::new() };
        match draft::see(&mut producer, header, &bytes, Origin::Replica) {
            Ok(event) => {
                producer.settle(0);
                self.entries.insert(header.producer_id, producer);
                if let Some(event) = event {
                    self.happened(event, segment);
                }
            }
            Err(error) => {
                tracing::warn!(offset = header.base_offset.0, %error, "a batch says of its producer what cannot be");
            }
        }
        Ok(())
    }

    /// The batches that the producers' state would be made from again, as a reader up to `high` sees them.
    pub(crate) fn last_batches(&self, high: Offset) -> BTreeMap<ProducerId, LastBatch> {
        let last = |producer: &Producer| {
            let visible = producer.batches().iter().rev().find(|batch| batch.last_offset < high);
            let kind = match visible {
                Some(batch) => Last::Records(batch.last_offset),
                None if producer.batches().is_empty() => Last::Marker,
                None => Last::Unknown,
            };
            LastBatch { epoch: producer.epoch, kind }
        };
        self.entries.iter().map(|(id, producer)| (*id, last(producer))).collect()
    }

    /// Forgets producers that wrote nothing for so long, but for those that write now or have a transaction open.
    fn expire(&mut self, now_ms: TimestampMs, after: Duration, writing: &BTreeSet<ProducerId>) -> usize {
        let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let before = self.entries.len();
        self.entries.retain(|id, producer| {
            writing.contains(id)
                || producer.txn_first.is_some()
                || now_ms.saturating_sub(producer.last_timestamp) < after_ms
        });
        before - self.entries.len()
    }
}

impl Log {
    /// Below this no transaction is open: what readers of committed records see.
    pub fn last_stable(&self) -> Offset {
        self.follow(|log| log.stable_below(log.high_watermark()))
    }

    /// As [`Log::last_stable`], for a high watermark that was asked for before.
    pub(crate) fn stable_below(&self, high: Offset) -> Offset {
        let unstable = self.producers.lock().unwrap().first_unstable(high);
        unstable.map_or(high, |first| first.max(self.start_offset()).min(high))
    }

    /// The producers that the log knows.
    pub fn producers(&self) -> Vec<ProducerView> {
        let view = |(id, producer): (&ProducerId, &Producer)| ProducerView {
            id: *id,
            epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_offset: producer.last_batch().map(|batch| batch.last_offset),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            txn_first_offset: producer.txn_first,
        };
        self.follow(|log| log.producers.lock().unwrap().entries.iter().map(view).collect())
    }

    pub fn producer_count(&self) -> usize {
        self.follow(|log| log.producers.lock().unwrap().len())
    }

    /// Forgets producers whose last record is older than `after`, as Kafka does every now and then; how many. One whose
    /// append waits is not silent: what it repeats must still be known.
    pub fn expire_producers(&self, after: Duration) -> usize {
        let log = self.in_force();
        let now_ms = log.shared.env.clock.now_ms();
        let writing = log.producers_waiting();
        log.producers.lock().unwrap().expire(now_ms, after, &writing)
    }
}

#[cfg(test)]
mod tests;
