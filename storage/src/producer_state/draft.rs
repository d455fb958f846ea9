//! What a run of appends will make of the producers, beside them until the run is written.
//!
//! Invariant: a draft that is dropped leaves the producers as they were; the batches of an append that is refused leave
//! nothing in it. Appends of one run see those before them.

use std::collections::BTreeMap;

use super::Producers;
use super::producer::{Batch, Event, LSN_UNKNOWN, Producer};
use crate::batch::BatchHeader;
use crate::ids::ProducerId;
use crate::marker::{self, Found};
use crate::plan::Origin;
use crate::ticket::{AppendError, Appended};
use crate::validate::Checked;

#[derive(Default)]
pub(crate) struct Draft {
    pub(super) changed: BTreeMap<ProducerId, Producer>,
    pub(super) events: Vec<Event>,
}

/// What becomes of an append.
pub(crate) enum Verdict {
    Append,
    /// It is in the log already, or before it in its run: the answer is the original's.
    Repeats(Original),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Original {
    pub(crate) appended: Appended,
    /// Durable when the journal is, up to here; `None` in the same run.
    pub(crate) lsn: Option<u64>,
}

impl From<&Batch> for Original {
    fn from(batch: &Batch) -> Original {
        // Kafka answers with the batch's greatest time, whoever gave it.
        let append_time = batch.timestamp;
        Original {
            appended: Appended { base: batch.first_offset(), last: batch.last_offset, append_time },
            lsn: (batch.lsn != LSN_UNKNOWN).then_some(batch.lsn),
        }
    }
}

/// Whether a batch says who sent it.
pub(crate) fn has_producer(header: &BatchHeader) -> bool {
    header.producer_id > ProducerId::NONE
}

impl Draft {
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// Judges an append whose batches have their offsets.
    pub(crate) fn check(
        &mut self,
        known: &Producers,
        checked: &Checked,
        origin: Origin,
    ) -> Result<Verdict, AppendError> {
        let (mut changed, mut events) = (BTreeMap::new(), Vec::new());
        for batch in checked.batches.iter().filter(|batch| has_producer(&batch.header)) {
            let header = &batch.header;
            let id = header.producer_id;
            let before = changed.get(&id).or_else(|| self.changed.get(&id)).or_else(|| known.get(id));
            if origin == Origin::Client
                && let Some(original) = before.and_then(|producer| producer.duplicate_of(header))
            {
                return Ok(Verdict::Repeats(original.into()));
            }
            let mut producer = before.cloned().unwrap_or(Producer::UNKNOWN);
            events.extend(see(&mut producer, header, &batch.bytes, origin)?);
            changed.insert(id, producer);
        }
        self.changed.append(&mut changed);
        self.events.append(&mut events);
        Ok(Verdict::Append)
    }
}

pub(super) fn see(
    producer: &mut Producer,
    header: &BatchHeader,
    bytes: &[u8],
    origin: Origin,
) -> Result<Option<Event>, AppendError> {
    if !header.is_control() {
        return producer.append(header, origin);
    }
    match marker::read(bytes) {
        Found::End(marker, timestamp) => producer.end(header, marker, timestamp, origin),
        Found::Nothing => Ok(None),
        Found::Other => Err(AppendError::BadMarker),
    }
}
