//! What becomes of a batch when its log is compacted.
//!
//! As Kafka's Cleaner and MemoryRecords decide it: of each key the last record stays; a tombstone or a marker stays until
//! the delete horizon that its first cleaning wrote into the batch; records without a key go; a batch keeps its base and
//! last offset, its producer's id, epoch and sequence, its leader epoch and its codec; one that is the last of its
//! producer, or of its segment, stays though it is empty, so that no sequence and no end is lost.
//! Invariants: what is behind the table's end stays as it is; a batch never grows beyond what it was or what the topic
//! allows. It must not know files.

use crate::batch::{BatchError, BatchHeader, HEADER_BYTES, OVERHEAD_BYTES, TimestampType, crc_of};
use crate::codec::{Encoding, compress};
use crate::ids::{Offset, ProducerId, TimestampMs};

use super::key_table::{Full, KeyTable};
use super::producers::{Producers, marker_of};
use super::record_view::{RecordView, each, plain_records};
use super::transactions::Transactions;

/// What a pass goes by.
pub(super) struct Rules<'r> {
    pub(super) table: &'r KeyTable,
    /// Behind the last offset that the table knows of.
    pub(super) table_end: Offset,
    pub(super) producers: &'r Producers,
    pub(super) now: TimestampMs,
    pub(super) delete_retention_ms: i64,
    pub(super) batch_bytes_max: usize,
}

pub(super) struct Filter<'r> {
    rules: Rules<'r>,
    pub(super) transactions: Transactions<'r>,
    plain: Vec<u8>,
    kept: Vec<u8>,
}

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays, byte by byte.
    Stays,
    Goes,
    /// It is replaced by this one.
    Becomes(BatchHeader, Vec<u8>),
}

/// What a batch's records come to.
#[derive(Default)]
struct Tally {
    all: i32,
    kept: i32,
    tombstones: bool,
    max_timestamp: Option<TimestampMs>,
}

impl<'r> Filter<'r> {
    pub(super) fn new(rules: Rules<'r>) -> Filter<'r> {
        let transactions = Transactions::new(&rules.producers.aborted, Offset(0));
        Filter { rules, transactions, plain: Vec::new(), kept: Vec::new() }
    }

    /// Judges one whole batch; they come in the log's order. `is_last` of its segment.
    pub(super) fn judge(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
        is_last: bool,
    ) -> Result<Verdict, BatchError> {
        let is_control = header.is_control();
        let superfluous = if is_control {
            let marker = marker_of(header, batch)?;
            self.transactions.is_superfluous(header, marker)
        } else {
            self.transactions.is_aborted(header)
        };
        let has_expired = header.delete_horizon().is_some_and(|horizon| horizon <= self.rules.now);
        let discarded = superfluous && (!is_control || has_expired);
        let stays_empty =
            is_last || (header.producer_id != ProducerId::NONE && self.rules.producers.need(header));
        if discarded {
            return Ok(without_records(header, stays_empty));
        }
        self.filter(header, batch, superfluous && is_control, stays_empty)
    }

    fn filter(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
        is_spent_marker: bool,
        stays_empty: bool,
    ) -> Result<Verdict, BatchError> {
        let Filter { rules, plain, kept, .. } = self;
        let plain = plain_records(header, batch, plain)?;
        let mut tally = Tally::default();
        kept.clear();
        each(header, plain, |record| {
            tally.all += 1;
            if rules.keep(header, &record) {
                tally.see(&record);
                kept.extend_from_slice(record.bytes);
            }
            true
        })?;
        if tally.kept == 0 {
            return Ok(without_records(header, stays_empty));
        }
        let gets_horizon = (tally.tombstones || is_spent_marker) && !header.has_delete_horizon();
        if tally.kept == tally.all && !gets_horizon {
            return Ok(Verdict::Stays);
        }
        let mut new = header.clone();
        new.record_count = tally.kept;
        if let (TimestampType::CreateTime, Some(max)) = (header.timestamp_type(), tally.max_timestamp) {
            new.max_timestamp = max;
        }
        if gets_horizon {
            let horizon = rules.now.saturating_add(rules.delete_retention_ms);
            new.set_delete_horizon(horizon);
            kept.clear();
            each(header, plain, |record| {
                if rules.keep(header, &record) {
                    record.write_at(horizon, kept);
                }
                true
            })?;
        }
        let records = compress(Encoding::of(header.codec()?), kept);
        if HEADER_BYTES + records.len() > batch.len().max(rules.batch_bytes_max) {
            // A codec's level may have been higher than ours. Records too many do no harm.
            return Ok(Verdict::Stays);
        }
        new.length = (HEADER_BYTES - OVERHEAD_BYTES + records.len()) as i32;
        new.crc = crc_of(&new, &records);
        Ok(Verdict::Becomes(new, records))
    }
}

impl Tally {
    fn see(&mut self, record: &RecordView<'_>) {
        self.kept += 1;
        self.tombstones |= !record.has_value;
        self.max_timestamp = self.max_timestamp.max(Some(record.timestamp));
    }
}

impl Rules<'_> {
    fn keep(&self, header: &BatchHeader, record: &RecordView<'_>) -> bool {
        if header.is_control() || record.offset >= self.table_end {
            return true;
        }
        let Some(key) = record.key else { return false };
        let is_last = self.table.get(key).is_none_or(|last| record.offset >= last);
        let has_expired = || header.delete_horizon().is_some_and(|horizon| horizon <= self.now);
        is_last && (record.has_value || !has_expired())
    }
}

fn without_records(header: &BatchHeader, stays_empty: bool) -> Verdict {
    match stays_empty {
        false => Verdict::Goes,
        true if header.record_count == 0 => Verdict::Stays,
        true => Verdict::Becomes(header.emptied(), Vec::new()),
    }
}

/// What of a range is in the key table.
pub(super) struct Builder<'b> {
    pub(super) table: KeyTable,
    transactions: Transactions<'b>,
    from: Offset,
    /// Behind the last offset that the table knows of.
    pub(super) end: Offset,
    plain: Vec<u8>,
}

impl<'b> Builder<'b> {
    pub(super) fn new(table: KeyTable, producers: &'b Producers, from: Offset) -> Builder<'b> {
        let transactions = Transactions::new(&producers.aborted, from);
        Builder { table, transactions, from, end: from, plain: Vec::new() }
    }

    /// Takes the keys of a batch; false once the table is full.
    pub(super) fn add(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<bool, BatchError> {
        if header.last_offset() < self.from {
            return Ok(true);
        }
        if header.is_control() {
            let marker = marker_of(header, batch)?;
            self.transactions.is_superfluous(header, marker);
        } else if !self.transactions.is_aborted(header) {
            let Builder { table, from, end, plain, .. } = self;
            let plain = plain_records(header, batch, plain)?;
            let mut has_room = true;
            each(header, plain, |record| {
                if let Some(key) = record.key.filter(|_| record.offset >= *from) {
                    has_room = table.put(key, record.offset) != Err(Full);
                    if has_room {
                        let behind = record.offset.min(header.last_offset()).0.saturating_add(1);
                        *end = (*end).max(Offset(behind));
                    }
                }
                has_room
            })?;
            if !has_room {
                return Ok(false);
            }
        }
        self.end = header.next_offset();
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
