//! Knowing again more than one batch of each producer: a snapshot has the last one, as in Kafka, and who was not answered
//! may send up to five again.
//!
//! The headers before the snapshot are asked, step by step backwards, until every producer that wrote among them has its
//! five batches or its first one. The cost has a bound: a step more than `BATCHES_MAX` headers, each a small read at
//! most, within a step more than `BYTES_MAX` of the log, and the batches that are taken, whose checksums are verified.
//! Invariants: a batch is taken only if it is right and of its producer's epoch; nothing but the batches kept changes:
//! what a transaction is or a sequence must be is as the snapshot and the batches behind it say. What cannot be read, or
//! is damaged, ends the search and costs nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Producers;
use super::draft::has_producer;
use super::producer::{BATCHES_KEPT, Batch, Producer};
use crate::batch::{BatchHeader, verify_crc};
use crate::error::ReadError;
use crate::ids::{Offset, ProducerId};
use crate::segment::Segment;

const BYTES_MAX: u64 = 8 << 20;
const BATCHES_MAX: usize = 512;
const STEP_BYTES: u64 = 128 << 10;

/// Looks before where the batches behind the snapshot begin, which the producers know.
pub(super) fn look_back(producers: &mut Producers, segments: &[Arc<Segment>]) {
    if !producers.entries.values().any(is_lacking) {
        return;
    }
    let (base, position) = producers.taken_at;
    let last = segments.partition_point(|segment| segment.base <= base);
    let mut search = Search { known: &producers.entries, earlier: BTreeMap::new(), bytes: 0, batches: 0 };
    for (place, segment) in segments[..last].iter().enumerate().rev() {
        let limit = if segment.base == base { position } else { segment.size_bytes() };
        let next = segments.get(place + 1).map_or(Offset(i64::MAX), |next| next.base);
        match search.segment(segment, limit, next) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::debug!(%error, "of some producers only the last batch is known");
                break;
            }
        }
    }
    for (id, earlier) in search.earlier {
        if let Some(producer) = producers.entries.get_mut(&id) {
            producer.precede(&earlier);
        }
    }
}

/// Whether it may have sent more in its epoch than is known.
fn is_lacking(producer: &Producer) -> bool {
    let known = producer.batches();
    known.len() < BATCHES_KEPT && known.first().is_some_and(|first| first.first_sequence() != 0)
}

struct Search<'p> {
    known: &'p BTreeMap<ProducerId, Producer>,
    /// Newest first.
    earlier: BTreeMap<ProducerId, Vec<Batch>>,
    bytes: u64,
    batches: usize,
}

impl Search<'_> {
    /// Looks at what stands before `limit`, from the end to the front; false once nothing more is to be looked for.
    fn segment(&mut self, segment: &Segment, mut limit: u64, next: Offset) -> Result<bool, ReadError> {
        while limit > 0 {
            let Some(from) = step_before(segment, limit)? else { return Ok(false) };
            let Some(found) = headers(segment, from, limit, next)? else { return Ok(false) };
            (self.bytes, self.batches) = (self.bytes + limit - from, self.batches + found.len());
            for (position, header) in found.iter().rev() {
                if self.wants(header) {
                    let batch = segment.read_batch(*position, header)?;
                    if verify_crc(header, &batch).is_err() {
                        return Ok(false);
                    }
                    self.earlier.entry(header.producer_id).or_default().push(Batch::of(header));
                }
            }
            let reached = found.first().map_or(Offset(i64::MAX), |(_, header)| header.base_offset);
            if self.bytes >= BYTES_MAX || self.batches >= BATCHES_MAX || !self.goes_on(reached) {
                return Ok(false);
            }
            limit = from;
        }
        Ok(true)
    }

    /// The oldest batch that is known of a producer, if it lacks any.
    fn oldest(&self, id: ProducerId, producer: &Producer) -> Option<Batch> {
        let earlier = self.earlier.get(&id).map_or(&[][..], Vec::as_slice);
        let oldest = *earlier.last().or(producer.batches().first())?;
        let is_whole =
            producer.batches().len() + earlier.len() >= BATCHES_KEPT || oldest.first_sequence() == 0;
        (!is_whole).then_some(oldest)
    }

    fn wants(&self, header: &BatchHeader) -> bool {
        if !has_producer(header) || header.is_control() {
            return false;
        }
        let Some(producer) = self.known.get(&header.producer_id) else { return false };
        let is_before = |oldest: Batch| header.last_offset() < oldest.first_offset();
        producer.epoch == header.producer_epoch
            && self.oldest(header.producer_id, producer).is_some_and(is_before)
    }

    /// Whether a producer whose last batch was met, or comes behind, lacks some before `reached`.
    fn goes_on(&self, reached: Offset) -> bool {
        let is_recent =
            |producer: &Producer| producer.last_batch().is_some_and(|last| last.last_offset >= reached);
        self.known.iter().any(|(id, producer)| is_recent(producer) && self.oldest(*id, producer).is_some())
    }
}

/// Where a batch begins that is a step before `limit`, or more where the index knows none so near; `None` if it would be
/// too many bytes.
fn step_before(segment: &Segment, limit: u64) -> Result<Option<u64>, ReadError> {
    let mut step_bytes = STEP_BYTES;
    while step_bytes < limit {
        let near = segment.batch_near(limit - step_bytes)?.filter(|from| *from < limit);
        if near.is_some() || step_bytes >= BYTES_MAX {
            return Ok(near);
        }
        step_bytes *= 2;
    }
    Ok(Some(0))
}

/// The headers between two places; `None` if they do not lead from one to the other in order.
fn headers(
    segment: &Segment,
    from: u64,
    limit: u64,
    next: Offset,
) -> Result<Option<Vec<(u64, BatchHeader)>>, ReadError> {
    let (mut found, mut end, mut due) = (Vec::new(), from, segment.base);
    let mut walk = segment.walk_at(from, limit)?;
    while let Some((position, header)) = walk.next_header()? {
        if position != end || header.base_offset < due || header.next_offset() > next {
            return Ok(None);
        }
        (end, due) = (position + header.total_bytes() as u64, header.next_offset());
        found.push((position, header));
    }
    Ok((end == limit).then_some(found))
}
