//! What a producer may send: the rules of Kafka's `LogValidator` as far as they need no memory of earlier batches.
//!
//! Only what passed here can be appended: [`Checked`] has no other source. Invariants: the client's bytes stay
//! untouched; where Kafka rewrites a header (time type, max timestamp), a new header of 61 bytes travels beside them;
//! where the log wants another codec than the batch's, the batch is written anew (`rewrite`).
//! This module must not know API versions, error codes or topics: the server maps each [`Reject`].
//!
//! The order of the checks is Kafka's, and with it the error of a batch that is wrong in several ways: whole batch, base
//! offset, size, CRC, header, structure of the records, single records (all of them), offsets inside compressed data,
//! and last the sizes of what is to be written.

use bytes::Bytes;

use crate::batch::{
    BatchError, BatchHeader, HEADER_BYTES, MAGIC, OVERHEAD_BYTES, STAMP_BYTES, TimestampType, crc_of,
    verify_crc,
};
use crate::codec::{Codec, CompressError, Effort, Encoding};
use crate::ids::{NO_TIMESTAMP, Offset, ProducerId, TimestampMs};
use crate::records::{timestamp_of, walk_at};
use crate::rewrite::rewrite;

mod inspect;

use inspect::Inspection;

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
    /// How the log wants its batches compressed; `None`: as each producer does. Batches that are compressed anew are
    /// looked at in full.
    pub compression: Option<Encoding>,
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
    /// INVALID_RECORD (87): the request does not hold exactly one batch.
    #[error("{what}")]
    NotOneBatch { what: &'static str },
    /// INVALID_RECORD (87): the producer built it wrong, and would again.
    #[error("{what}")]
    Invalid { what: String, records: Vec<RecordError> },
    /// MESSAGE_TOO_LARGE (10).
    #[error("the batch has {bytes} bytes, {bytes_max} are allowed")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// MESSAGE_TOO_LARGE (10): it was not, before it was compressed as the log wants it.
    #[error(
        "compressed as the topic wants it, the batch has more than the {bytes_max} bytes that are allowed"
    )]
    GrownTooLarge { bytes_max: usize },
    /// RECORD_LIST_TOO_LARGE (18).
    #[error("the batch has {bytes} bytes, a segment holds {segment_bytes}")]
    LargerThanSegment { bytes: usize, segment_bytes: u32 },
    /// INVALID_TIMESTAMP (32).
    #[error("{what}")]
    Timestamp { what: String, records: Vec<RecordError> },
    /// UNSUPPORTED_COMPRESSION_TYPE (76): zstd in a version of Produce that does not know it.
    #[error("{codec:?} needs a newer version of the request")]
    UnsupportedCodec { codec: Codec },
    /// UNKNOWN_SERVER_ERROR (-1): there is no memory to compress it anew.
    #[error("the batch cannot be compressed anew: {why}")]
    NotCompressed { why: String },
    /// No refusal: [`check_at`] with little effort does not do, and it is to be called again with all.
    #[error("the batch is much work to check")]
    Heavy,
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

    fn of_records(error: BatchError) -> Reject {
        match error {
            BatchError::Heavy => Reject::Heavy,
            other => Reject::invalid(other.to_string()),
        }
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
    check_at(Effort::Whole, batch, rules)
}

/// As [`check`], on a thread that others wait for: with little effort a batch that is much work is [`Reject::Heavy`].
pub fn check_at(effort: Effort, batch: Bytes, rules: &Rules) -> Result<Checked, Reject> {
    let header = only_batch(&batch, rules)?;
    let batch = batch.slice(..header.total_bytes());
    if header.base_offset != Offset(0) {
        return Err(Reject::invalid(format!("a producer's base offset is 0, not {}", header.base_offset)));
    }
    if batch.len() > rules.message_bytes_max {
        return Err(Reject::TooLarge { bytes: batch.len(), bytes_max: rules.message_bytes_max });
    }
    verify_crc(&header, &batch).map_err(|error| Reject::corrupt(error.to_string()))?;
    check_header(&header)?;
    let other = rules.compression.filter(|wanted| header.codec() != Ok(wanted.codec));
    let checked = match other {
        None => as_it_came(effort, header, batch, rules)?,
        Some(encoding) => written_anew(effort, &header, &batch, encoding, rules)?,
    };
    let bytes = checked.bytes.len();
    if bytes > rules.segment_bytes as usize {
        return Err(Reject::LargerThanSegment { bytes, segment_bytes: rules.segment_bytes });
    }
    let append_time = match rules.timestamp_type {
        TimestampType::CreateTime => NO_TIMESTAMP,
        TimestampType::LogAppendTime => rules.now_ms,
    };
    Ok(Checked { batches: vec![checked], append_time })
}

/// What a batch's header says for the time of its records, whose greatest is `max_timestamp`.
fn max_timestamp_of(rules: &Rules, max_timestamp: TimestampMs) -> TimestampMs {
    match rules.timestamp_type {
        TimestampType::CreateTime => max_timestamp,
        TimestampType::LogAppendTime => rules.now_ms,
    }
}

fn as_it_came(
    effort: Effort,
    mut header: BatchHeader,
    batch: Bytes,
    rules: &Rules,
) -> Result<CheckedBatch, Reject> {
    let max_timestamp = max_timestamp_of(rules, check_records(effort, &header, &batch, rules)?);
    let rewritten = header.timestamp_type() != rules.timestamp_type || header.max_timestamp != max_timestamp;
    if rewritten {
        header.set_time(rules.timestamp_type, max_timestamp);
        header.crc = crc_of(&header, &batch[HEADER_BYTES..]);
    }
    Ok(CheckedBatch { header, bytes: batch, rewritten })
}

/// The batch in another encoding. Offsets inside it are given anew, so wrong ones are right again, as in Kafka.
fn written_anew(
    effort: Effort,
    header: &BatchHeader,
    batch: &[u8],
    encoding: Encoding,
    rules: &Rules,
) -> Result<CheckedBatch, Reject> {
    let bytes_max = rules.message_bytes_max;
    let (mut inspection, mut before_time) = (Inspection::new(header, rules), None);
    let rewritten = rewrite(header, batch, encoding, bytes_max, effort, |index, record| {
        if record.timestamp < NO_TIMESTAMP {
            before_time.get_or_insert(index);
        }
        inspection.see(index, record.timestamp, record.has_key);
    });
    let rewritten = rewritten.map_err(Reject::of_records)?;
    let max_timestamp = max_timestamp_of(rules, inspection.verdict()?);
    // Kafka writes no such record anew; where it need not, it takes them.
    if let Some(index) = before_time {
        return Err(Reject::invalid(format!("record {index} has a negative timestamp")));
    }
    let rewritten = rewritten.map_err(|error| match error {
        CompressError::TooLarge => Reject::GrownTooLarge { bytes_max },
        CompressError::Codec(why) => Reject::NotCompressed { why },
    })?;
    let (header, bytes) = rewritten.seal(header, rules.timestamp_type, max_timestamp);
    Ok(CheckedBatch { header, bytes, rewritten: false })
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
        return Err(Reject::NotOneBatch { what: "there is no whole batch" });
    };
    if magic != MAGIC {
        return Err(Reject::UnsupportedMagic { magic });
    }
    let header = BatchHeader::parse(&bytes[..total]).map_err(|error| Reject::corrupt(error.to_string()))?;
    if header.codec() == Ok(Codec::Zstd) && !rules.zstd_allowed {
        return Err(Reject::UnsupportedCodec { codec: Codec::Zstd });
    }
    if next_entry(&bytes[total..])?.is_some() {
        return Err(Reject::NotOneBatch { what: "there is more than one batch" });
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

/// Looks at the records as far as the rules want it; gives the greatest timestamp.
fn check_records(
    effort: Effort,
    header: &BatchHeader,
    batch: &[u8],
    rules: &Rules,
) -> Result<TimestampMs, Reject> {
    let mut inspection = Inspection::new(header, rules);
    if rules.walk == RecordValidation::Header && !rules.compacted {
        inspection.see_time(0, header.max_timestamp);
        return inspection.verdict().map(|_| header.max_timestamp);
    }
    let compressed = header.codec() != Ok(Codec::None);
    let mut misplaced = None;
    let walked = walk_at(effort, header, batch, |index, record| {
        if compressed && record.offset_delta != index {
            misplaced.get_or_insert(index);
        }
        inspection.see(index, timestamp_of(header, record.timestamp_delta), record.has_key);
        Ok(true)
    });
    walked.map_err(Reject::of_records)?;
    let max_timestamp = inspection.verdict()?;
    match misplaced {
        None => Ok(max_timestamp),
        Some(index) => {
            Err(Reject::invalid(format!("record {index}: its offset in the compressed batch is wrong")))
        }
    }
}

#[cfg(test)]
mod anew_tests;
#[cfg(test)]
mod tests;
