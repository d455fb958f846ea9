//! What a producer may send: the rules of Kafka's `LogValidator` as far as they need no memory of earlier batches.
//!
//! Only what passed here can be appended: [`Checked`] has no other source. Invariants: the client's bytes stay
//! untouched; where Kafka rewrites a header (time type, max timestamp), a new header of 61 bytes travels beside them.
//! This module must not know API versions, error codes or topics: the server maps each [`Reject`].

use bytes::Bytes;

use crate::batch::{
    BatchError, BatchHeader, HEADER_BYTES, MAGIC, OVERHEAD_BYTES, STAMP_BYTES, TimestampType, crc_of,
    verify_crc,
};
use crate::codec::Codec;
use crate::ids::{NO_TIMESTAMP, Offset, ProducerId, TimestampMs};
use crate::records::{timestamp_of, walk};

/// How much of a batch is looked at (`record.validation`).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RecordValidation {
    /// Every record, those of compressed batches too, as Kafka does.
    Full,
    /// The header and the CRC; records are trusted.
    Header,
}

/// What the topic and the request allow.
#[derive(Clone, Debug)]
pub struct Rules {
    pub message_bytes_max: usize,
    pub segment_bytes: u32,
    pub timestamp_type: TimestampType,
    /// How far before `now_ms` a record's time may lie.
    pub before_max_ms: i64,
    pub after_max_ms: i64,
    pub now_ms: TimestampMs,
    /// Whether the topic is compacted: then every record needs a key, and records are looked at in any case.
    pub compacted: bool,
    pub walk: RecordValidation,
    /// False below Produce version 7.
    pub zstd_allowed: bool,
}

/// One record's part in a refusal, as Produce version 8 and later report it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The record's place in its batch.
    pub index: i32,
    pub message: String,
}

/// Why a batch was refused. Each variant names the code that Kafka answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// CORRUPT_MESSAGE (2): the bytes were damaged on the way.
    #[error("{what}")]
    Corrupt { what: String },
    /// INVALID_RECORD (87): the producer built it wrong, and would again.
    #[error("{what}")]
    Invalid { what: String, records: Vec<RecordError> },
    /// MESSAGE_TOO_LARGE (10).
    #[error("the batch has {bytes} bytes, {bytes_max} are allowed")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// RECORD_LIST_TOO_LARGE (18).
    #[error("the batch has {bytes} bytes, a segment holds {segment_bytes}")]
    LargerThanSegment { bytes: usize, segment_bytes: u32 },
    /// INVALID_TIMESTAMP (32).
    #[error("{what}")]
    Timestamp { what: String, records: Vec<RecordError> },
    /// UNSUPPORTED_COMPRESSION_TYPE (76): zstd in a version of Produce that does not know it.
    #[error("{codec:?} needs a newer version of the request")]
    UnsupportedCodec { codec: Codec },
    /// INVALID_RECORD (87): message formats before batches.
    #[error("records of message format {magic} are not taken (only 2 is)")]
    UnsupportedMagic { magic: i8 },
}

impl Reject {
    /// The records that are to blame, where single ones are. Kafka reports at most these.
    pub fn record_errors(&self) -> &[RecordError] {
        match self {
            Reject::Invalid { records, .. } | Reject::Timestamp { records, .. } => records,
            _ => &[],
        }
    }

    fn invalid(what: impl Into<String>) -> Reject {
        Reject::Invalid { what: what.into(), records: Vec::new() }
    }

    fn corrupt(what: impl Into<String>) -> Reject {
        Reject::Corrupt { what: what.into() }
    }
}

/// One batch that may be appended.
#[derive(Clone, Debug)]
pub(crate) struct CheckedBatch {
    pub(crate) header: BatchHeader,
    /// Exactly the batch's bytes as they came.
    pub(crate) bytes: Bytes,
    /// Whether `header` differs from the bytes' own and must be written instead of it.
    pub(crate) rewritten: bool,
}

impl CheckedBatch {
    /// How many bytes of the batch are written from memory of ours instead of from the client's.
    pub(crate) fn prefix_bytes(&self) -> usize {
        if self.rewritten { HEADER_BYTES } else { STAMP_BYTES }
    }
}

/// Batches that were checked: what a log appends.
#[derive(Clone, Debug)]
pub struct Checked {
    pub(crate) batches: Vec<CheckedBatch>,
    pub(crate) append_time: TimestampMs,
}

impl Checked {
    /// Copies the bytes of batches below a size, so that nothing else is kept with them.
    pub(crate) fn detach(&mut self, below_bytes: usize) {
        for batch in self.batches.iter_mut().filter(|batch| batch.bytes.len() < below_bytes) {
            batch.bytes = Bytes::copy_from_slice(&batch.bytes);
        }
    }

    pub fn bytes_len(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes.len()).sum()
    }

    pub fn record_count(&self) -> i64 {
        self.batches.iter().map(|batch| i64::from(batch.header.record_count)).sum()
    }

    pub fn max_timestamp(&self) -> TimestampMs {
        self.batches.iter().map(|batch| batch.header.max_timestamp).max().unwrap_or(NO_TIMESTAMP)
    }

    pub fn headers(&self) -> impl Iterator<Item = &BatchHeader> {
        self.batches.iter().map(|batch| &batch.header)
    }
}

/// Checks the records of one partition of a Produce request: exactly one batch of version 2.
pub fn check(batch: Bytes, rules: &Rules) -> Result<Checked, Reject> {
    let mut header = only_batch(&batch, rules)?;
    let batch = batch.slice(..header.total_bytes());
    if header.base_offset != Offset(0) {
        return Err(Reject::invalid(format!("a producer's base offset is 0, not {}", header.base_offset)));
    }
    if batch.len() > rules.message_bytes_max {
        return Err(Reject::TooLarge { bytes: batch.len(), bytes_max: rules.message_bytes_max });
    }
    verify_crc(&header, &batch).map_err(|error| Reject::corrupt(error.to_string()))?;
    check_header(&header)?;
    let max_timestamp = check_records(&header, &batch, rules)?;
    if batch.len() > rules.segment_bytes as usize {
        return Err(Reject::LargerThanSegment { bytes: batch.len(), segment_bytes: rules.segment_bytes });
    }
    let (max_timestamp, append_time) = match rules.timestamp_type {
        TimestampType::CreateTime => (max_timestamp, NO_TIMESTAMP),
        TimestampType::LogAppendTime => (rules.now_ms, rules.now_ms),
    };
    let rewritten = header.timestamp_type() != rules.timestamp_type || header.max_timestamp != max_timestamp;
    if rewritten {
        header.set_time(rules.timestamp_type, max_timestamp);
        header.crc = crc_of(&header, &batch[HEADER_BYTES..]);
    }
    Ok(Checked { batches: vec![CheckedBatch { header, bytes: batch, rewritten }], append_time })
}

/// Checks batches that we built ourselves, one behind the other. Control batches are legal here.
pub fn check_internal(batches: Bytes) -> Result<Checked, Reject> {
    let mut rest = batches;
    let mut checked = Vec::new();
    while !rest.is_empty() {
        let header = BatchHeader::parse(&rest).map_err(|error| Reject::corrupt(error.to_string()))?;
        verify_crc(&header, &rest).map_err(|error| Reject::corrupt(error.to_string()))?;
        header.codec().map_err(|error| Reject::invalid(error.to_string()))?;
        check_count(&header)?;
        let bytes = rest.split_to(header.total_bytes());
        checked.push(CheckedBatch { header, bytes, rewritten: false });
    }
    if checked.is_empty() {
        return Err(Reject::invalid("there is no batch"));
    }
    Ok(Checked { batches: checked, append_time: NO_TIMESTAMP })
}

/// Below this length even the oldest message format has no header (Kafka's `RECORD_OVERHEAD_V0`).
const LENGTH_MIN: i32 = 14;

/// The length and magic of the batch or message that `bytes` begin with; `None` if it is cut short.
///
/// Kafka's log stream ignores a tail that is too short to be a batch, and calls corrupt what cannot be one.
fn next_entry(bytes: &[u8]) -> Result<Option<(usize, i8)>, Reject> {
    if bytes.len() < OVERHEAD_BYTES {
        return Ok(None);
    }
    let length = i32::from_be_bytes(bytes[8..12].try_into().expect("four bytes"));
    if length < LENGTH_MIN {
        return Err(Reject::corrupt(format!("a batch length of {length} is too small")));
    }
    if bytes.len() < STAMP_BYTES {
        return Ok(None);
    }
    let magic = bytes[16] as i8;
    if !(0..=MAGIC).contains(&magic) {
        return Err(Reject::corrupt(format!("unknown magic {magic}")));
    }
    let total = length as usize + OVERHEAD_BYTES;
    Ok((bytes.len() >= total).then_some((total, magic)))
}

/// The header of the one batch in `bytes`, behind which at most a tail stands that is no batch.
fn only_batch(bytes: &[u8], rules: &Rules) -> Result<BatchHeader, Reject> {
    let Some((total, magic)) = next_entry(bytes)? else {
        return Err(Reject::invalid("there is no whole batch"));
    };
    if magic != MAGIC {
        return Err(Reject::UnsupportedMagic { magic });
    }
    let header = BatchHeader::parse(&bytes[..total]).map_err(|error| Reject::corrupt(error.to_string()))?;
    if header.codec() == Ok(Codec::Zstd) && !rules.zstd_allowed {
        return Err(Reject::UnsupportedCodec { codec: Codec::Zstd });
    }
    if next_entry(&bytes[total..])?.is_some() {
        return Err(Reject::invalid("there is more than one batch"));
    }
    Ok(header)
}

fn check_count(header: &BatchHeader) -> Result<(), Reject> {
    let (count, delta) = (header.record_count, header.last_offset_delta);
    if count <= 0 || i64::from(delta) + 1 != i64::from(count) {
        return Err(Reject::invalid(format!("{count} records cannot have a last offset delta of {delta}")));
    }
    Ok(())
}

fn check_header(header: &BatchHeader) -> Result<(), Reject> {
    check_count(header)?;
    if header.producer_id > ProducerId::NONE && header.base_sequence < 0 {
        return Err(Reject::invalid(format!(
            "sequence {} of a batch with a producer id",
            header.base_sequence
        )));
    }
    if header.is_control() {
        return Err(Reject::invalid("control batches are not the client's to write"));
    }
    header.codec().map_err(|error| Reject::invalid(error.to_string()))?;
    Ok(())
}

/// What the records are blamed for, collected as Kafka does: all of them are looked at before the batch is refused.
#[derive(Default)]
struct Blame {
    records: Vec<RecordError>,
    count: usize,
    time: bool,
}

/// Errors reported for one batch. Kafka reports all; a batch may hold as many as it has bytes.
const RECORD_ERRORS_MAX: usize = 100;

impl Blame {
    fn add(&mut self, index: i32, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.records.len() < RECORD_ERRORS_MAX {
            self.records.push(RecordError { index, message: message() });
        }
    }

    fn verdict(self) -> Result<(), Reject> {
        if self.count == 0 {
            return Ok(());
        }
        let what = format!("{} records are not valid, the first: {}", self.count, self.records[0].message);
        Err(if self.time {
            Reject::Timestamp { what, records: self.records }
        } else {
            Reject::Invalid { what, records: self.records }
        })
    }
}

/// Looks at the records as far as the rules want it; gives the greatest timestamp.
fn check_records(header: &BatchHeader, batch: &[u8], rules: &Rules) -> Result<TimestampMs, Reject> {
    let mut blame = Blame::default();
    if rules.walk == RecordValidation::Header && !rules.compacted {
        check_time(&mut blame, 0, header.max_timestamp, rules);
        blame.verdict()?;
        return Ok(header.max_timestamp);
    }
    let compressed = header.codec() != Ok(Codec::None);
    let mut max_timestamp = NO_TIMESTAMP;
    let walked = walk(header, batch, |index, record| {
        if compressed && record.offset_delta != index {
            return Err(BatchError::Record { index, what: "its offset in the compressed batch is wrong" });
        }
        if rules.compacted && record.key.is_none() {
            blame.add(index, || "a record of a compacted topic needs a key".to_owned());
        }
        let timestamp = timestamp_of(header, record.timestamp_delta);
        check_time(&mut blame, index, timestamp, rules);
        max_timestamp = max_timestamp.max(timestamp);
        Ok(true)
    });
    walked.map_err(|error| Reject::invalid(error.to_string()))?;
    blame.verdict()?;
    Ok(max_timestamp)
}

fn check_time(blame: &mut Blame, index: i32, timestamp: TimestampMs, rules: &Rules) {
    // A log that stamps its own time does not care about the producer's.
    if rules.timestamp_type == TimestampType::LogAppendTime || timestamp == NO_TIMESTAMP {
        return;
    }
    let ahead = timestamp.saturating_sub(rules.now_ms);
    if ahead > rules.after_max_ms || ahead.saturating_neg() > rules.before_max_ms {
        blame.time = true;
        blame.add(index, || {
            let (before, after) = (rules.before_max_ms, rules.after_max_ms);
            format!(
                "timestamp {timestamp} is not within {before} ms before and {after} ms after {}",
                rules.now_ms
            )
        });
    }
}

#[cfg(test)]
mod tests;
