//! What the log knows of its producers, as a pass needs it: which batch each wrote last, and which transactions were
//! aborted.
//!
//! Both are the log's own state: what it answers producers by, and the segments' indexes of aborted transactions; no
//! batch is read for them. As in Kafka, a producer that the log has forgotten keeps nothing. Invariants: a batch that a
//! producer's state would be made from again, were its snapshots lost, is never taken for superfluous, even if the power
//! takes what is not durable yet. It must not know keys or values.

use std::collections::BTreeMap;

use crate::batch::{BatchError, BatchHeader};
use crate::ids::ProducerId;
use crate::log::Log;
use crate::producer_state::LastBatch;
use crate::records::records;
use crate::txn_index::Entry;

use super::Abandoned;
use super::transactions::Marker;

#[derive(Default)]
pub(super) struct Producers {
    last: BTreeMap<ProducerId, LastBatch>,
    /// By their first offsets.
    pub(super) aborted: Vec<Entry>,
}

impl Producers {
    pub(super) fn of(log: &Log) -> Result<Producers, Abandoned> {
        let high = log.high_watermark();
        let last = log.producers.lock().unwrap().last_batches(high);
        let mut aborted = Vec::new();
        // Some that begin in what is cleaned end behind it.
        let segments = log.segments.read().unwrap().clone();
        for segment in &segments {
            aborted.append(&mut log.aborts_of(segment)?);
        }
        aborted.sort_by_key(|aborted| aborted.first);
        Ok(Producers { last, aborted })
    }

    /// Whether the batch is the one that its producer's state is made from.
    pub(super) fn need(&self, header: &BatchHeader) -> bool {
        self.last.get(&header.producer_id).is_some_and(|last| last.is(header))
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
