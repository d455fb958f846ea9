//! The records inside a batch: walked for validation and time lookups, decoded for coordinators, built for our own logs.
//!
//! Layout of one record: length varint, attributes 1, timestamp delta varlong, offset delta varint, key, value (length
//! varint, -1 for none), header count varint, and per header a key and a value. Invariants: a walk touches every byte
//! once, allocates nothing, and refuses a record whose parts do not fill its length exactly.

use std::borrow::Cow;
use std::io;

use bytes::{BufMut, Bytes, BytesMut};

use crate::batch::{BatchError, BatchHeader, HEADER_BYTES, MAGIC, OVERHEAD_BYTES, TimestampType, crc_of};
use crate::codec::{self, Codec, Decompressor, Effort, Encoding};
use crate::ids::{LeaderEpoch, Offset, ProducerId, TimestampMs};
use crate::source::{Fault, SliceSource, Source, StreamSource, write_varint, write_varlong};

/// What a walk shows of each record.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) has_key: bool,
}

/// One header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    pub key: Cow<'a, [u8]>,
    pub value: Option<Cow<'a, [u8]>>,
}

/// One record, borrowed from its batch where that is not compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub offset: Offset,
    pub timestamp: TimestampMs,
    pub key: Option<Cow<'a, [u8]>>,
    pub value: Option<Cow<'a, [u8]>>,
    pub headers: Vec<RecordHeader<'a>>,
}

/// A record as it stands in the bytes, its numbers still relative to the batch.
pub(crate) struct RawRecord<'a> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    /// With `KEEP` false the fields are present or not, but empty.
    pub(crate) key: Option<Cow<'a, [u8]>>,
    value: Option<Cow<'a, [u8]>>,
    headers: Vec<RecordHeader<'a>>,
}

fn field<'a, const KEEP: bool>(
    source: &mut impl Source<'a>,
    end: u64,
) -> Result<Option<Cow<'a, [u8]>>, Fault> {
    let len = source.varint()?;
    if len < 0 {
        return Ok(None);
    }
    if len as u64 > end.saturating_sub(source.position()) {
        return Err(Fault::Bad("a field reaches beyond its record"));
    }
    if KEEP {
        source.take(len as usize).map(Some)
    } else {
        source.skip(len as usize)?;
        Ok(Some(Cow::Borrowed(&[])))
    }
}

/// The numbers that a record begins with.
pub(crate) struct RecordHead {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    /// The source's position at which the record says that it ends.
    pub(crate) end: u64,
}

pub(crate) fn record_head<'a>(source: &mut impl Source<'a>) -> Result<RecordHead, Fault> {
    let length = source.varint()?;
    if length < 0 {
        return Err(Fault::Bad("its length is negative"));
    }
    let end = source.position() + length as u64;
    source.byte()?; // Attributes: no bit of them has a meaning yet.
    let timestamp_delta = source.varlong()?;
    let offset_delta = source.varint()?;
    Ok(RecordHead { timestamp_delta, offset_delta, end })
}

/// What follows a record's head.
pub(crate) fn record_body<'a, const KEEP: bool>(
    source: &mut impl Source<'a>,
    head: RecordHead,
) -> Result<RawRecord<'a>, Fault> {
    let RecordHead { timestamp_delta, offset_delta, end } = head;
    let key = field::<KEEP>(source, end)?;
    let value = field::<KEEP>(source, end)?;
    let header_count = source.varint()?;
    if header_count < 0 {
        return Err(Fault::Bad("its number of headers is negative"));
    }
    let mut headers = Vec::new();
    for _ in 0..header_count {
        if source.position() >= end {
            return Err(Fault::Bad("it has fewer headers than it says"));
        }
        let Some(key) = field::<KEEP>(source, end)? else { return Err(Fault::Bad("a header has no key")) };
        let value = field::<KEEP>(source, end)?;
        if KEEP {
            headers.push(RecordHeader { key, value });
        }
    }
    if source.position() != end {
        return Err(Fault::Bad("its length is not that of its parts"));
    }
    Ok(RawRecord { timestamp_delta, offset_delta, key, value, headers })
}

fn raw_record<'a, const KEEP: bool>(source: &mut impl Source<'a>) -> Result<RawRecord<'a>, Fault> {
    let head = record_head(source)?;
    record_body::<KEEP>(source, head)
}

/// A number of up to 28 bits, as nearly all in a record are.
#[inline]
fn short_varint(rest: &mut &[u8]) -> Option<i32> {
    let word = u32::from_le_bytes(*rest.first_chunk()?);
    let (bytes, raw) = if word & 0x80 == 0 {
        (1, word & 0x7f)
    } else if word & 0x8000 == 0 {
        (2, (word & 0x7f) | ((word >> 1) & 0x3f80))
    } else {
        let last = (2..4).find(|at| word & (0x80 << (8 * at)) == 0)?;
        let bits = (0..=last).map(|at| ((word >> (8 * at)) & 0x7f) << (7 * at));
        (last as usize + 1, bits.sum())
    };
    *rest = &rest[bytes..];
    Some(((raw >> 1) as i32) ^ -((raw & 1) as i32))
}

/// Passes a key or a value; tells whether it is there.
#[inline]
fn pass_field(rest: &mut &[u8]) -> Option<bool> {
    let Ok(len) = usize::try_from(short_varint(rest)?) else { return Some(false) };
    *rest = rest.get(len..)?;
    Some(true)
}

/// Looks at the record that `bytes` begin with, and counts its bytes, if it lies whole in them and is as most are: sound,
/// without headers, its numbers small. All others are for [`raw_record`], which also knows what is wrong with them.
#[inline]
fn skim(bytes: &[u8]) -> Option<(Glance, usize)> {
    let mut rest = bytes;
    let length = usize::try_from(short_varint(&mut rest)?).ok()?;
    let behind = rest.len().checked_sub(length)?;
    rest = rest.get(1..)?;
    let timestamp_delta = i64::from(short_varint(&mut rest)?);
    let offset_delta = short_varint(&mut rest)?;
    let has_key = pass_field(&mut rest)?;
    pass_field(&mut rest)?;
    let (header_count, rest) = rest.split_first()?;
    let is_all = *header_count == 0 && rest.len() == behind;
    is_all.then_some((Glance { timestamp_delta, offset_delta, has_key }, bytes.len() - behind))
}

#[inline]
fn glance<'a>(source: &mut impl Source<'a>) -> Result<Glance, Fault> {
    if let Some((glance, bytes)) = skim(source.ready()) {
        source.skip(bytes)?;
        return Ok(glance);
    }
    let RawRecord { timestamp_delta, offset_delta, key, .. } = raw_record::<false>(source)?;
    Ok(Glance { timestamp_delta, offset_delta, has_key: key.is_some() })
}

fn not_decompressed(error: &io::Error) -> BatchError {
    match error.kind() {
        io::ErrorKind::QuotaExceeded => BatchError::Heavy,
        _ => BatchError::Decompress(error.to_string()),
    }
}

pub(crate) fn fault_at(index: i32, fault: Fault) -> BatchError {
    match fault {
        Fault::Ended => BatchError::Record { index, what: "the batch ends within it" },
        Fault::Bad(what) => BatchError::Record { index, what },
        Fault::Stream(error) => not_decompressed(&error),
    }
}

fn walk_source<'a>(
    count: i32,
    mut source: impl Source<'a>,
    see: &mut impl FnMut(i32, Glance) -> Result<bool, BatchError>,
) -> Result<(), BatchError> {
    for index in 0..count {
        let record = glance(&mut source).map_err(|fault| fault_at(index, fault))?;
        if !see(index, record)? {
            return Ok(());
        }
    }
    ends_here(count, &mut source)
}

/// Refuses what stands behind the last record.
pub(crate) fn ends_here<'a>(count: i32, source: &mut impl Source<'a>) -> Result<(), BatchError> {
    if !source.is_at_end().map_err(|fault| fault_at(count, fault))? {
        return Err(BatchError::Record { index: count, what: "bytes remain behind the last record" });
    }
    Ok(())
}

/// Visits every record of one whole batch without keeping any; `see` says whether to go on.
pub(crate) fn walk(
    header: &BatchHeader,
    batch: &[u8],
    see: impl FnMut(i32, Glance) -> Result<bool, BatchError>,
) -> Result<(), BatchError> {
    walk_at(Effort::Whole, header, batch, see)
}

/// As [`walk`]; with little effort it ends with [`BatchError::Heavy`] where that does not do.
pub(crate) fn walk_at(
    effort: Effort,
    header: &BatchHeader,
    batch: &[u8],
    mut see: impl FnMut(i32, Glance) -> Result<bool, BatchError>,
) -> Result<(), BatchError> {
    let records = records_of(header, batch)?;
    match header.codec()? {
        Codec::None => walk_source(header.record_count, SliceSource::new(records), &mut see),
        codec => {
            walk_source(header.record_count, StreamSource::new(open_at(effort, codec, records)?), &mut see)
        }
    }
}

pub(crate) fn records_of<'a>(header: &BatchHeader, batch: &'a [u8]) -> Result<&'a [u8], BatchError> {
    let need = header.total_bytes();
    batch.get(HEADER_BYTES..need).ok_or(BatchError::Truncated { have: batch.len(), need })
}

pub(crate) fn open(codec: Codec, records: &[u8]) -> Result<Decompressor<'_>, BatchError> {
    codec::decompress(codec, records, codec::decompressed_bytes_max(records.len()))
        .map_err(|error| BatchError::Decompress(error.to_string()))
}

pub(crate) fn open_at(effort: Effort, codec: Codec, records: &[u8]) -> Result<Decompressor<'_>, BatchError> {
    open(codec, records)?.at(effort).map_err(|error| not_decompressed(&error))
}

/// The time of a record: its own, or its batch's where the log stamps.
pub(crate) fn timestamp_of(header: &BatchHeader, delta: i64) -> TimestampMs {
    match header.timestamp_type() {
        TimestampType::CreateTime => header.base_timestamp.wrapping_add(delta),
        TimestampType::LogAppendTime => header.max_timestamp,
    }
}

/// Decodes the records of one whole batch, which `batch` begins with.
pub fn records(batch: &[u8]) -> Result<Records<'_>, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let records = records_of(&header, batch)?;
    let source = match header.codec()? {
        Codec::None => Either::Slice(SliceSource::new(records)),
        codec => Either::Stream(StreamSource::new(open(codec, records)?)),
    };
    Ok(Records { header, source, index: 0 })
}

enum Either<'a> {
    Slice(SliceSource<'a>),
    Stream(StreamSource<Decompressor<'a>>),
}

/// See [`records`]. Ends after the first error.
pub struct Records<'a> {
    header: BatchHeader,
    source: Either<'a>,
    index: i32,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Result<Record<'a>, BatchError>> {
        if self.index >= self.header.record_count {
            return None;
        }
        let raw = match &mut self.source {
            Either::Slice(source) => raw_record::<true>(source),
            Either::Stream(source) => raw_record::<true>(source),
        };
        let index = self.index;
        self.index += 1;
        Some(match raw {
            Ok(raw) => Ok(Record {
                offset: Offset(self.header.base_offset.0.saturating_add(i64::from(raw.offset_delta))),
                timestamp: timestamp_of(&self.header, raw.timestamp_delta),
                key: raw.key,
                value: raw.value,
                headers: raw.headers,
            }),
            Err(fault) => {
                self.index = i32::MAX;
                Err(fault_at(index, fault))
            }
        })
    }
}

/// Builds a batch of our own records. The offsets come from the log.
pub struct BatchBuilder {
    header: BatchHeader,
    records: Vec<u8>,
    transactional: bool,
    control: bool,
}

impl BatchBuilder {
    pub fn new(base_timestamp: TimestampMs) -> BatchBuilder {
        let header = BatchHeader {
            base_offset: Offset(0),
            length: 0,
            leader_epoch: LeaderEpoch::NONE,
            magic: MAGIC,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp,
            max_timestamp: base_timestamp,
            producer_id: ProducerId::NONE,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        BatchBuilder { header, records: Vec::new(), transactional: false, control: false }
    }

    /// Names the producer that the batch belongs to.
    pub fn producer(mut self, id: ProducerId, epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    pub fn transactional(mut self) -> BatchBuilder {
        self.transactional = true;
        self
    }

    /// Marks the batch as a transaction's end. A log takes such a batch from its coordinator only.
    pub fn control(mut self) -> BatchBuilder {
        self.control = true;
        self
    }

    pub fn is_empty(&self) -> bool {
        self.header.record_count == 0
    }

    /// Adds a record at the batch's base timestamp.
    pub fn push(
        self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) -> BatchBuilder {
        let timestamp = self.header.base_timestamp;
        self.push_at(timestamp, key, value, headers)
    }

    pub fn push_at(
        mut self,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) -> BatchBuilder {
        let mut body = vec![0];
        write_varlong(&mut body, timestamp.wrapping_sub(self.header.base_timestamp));
        write_varint(&mut body, self.header.record_count);
        write_field(&mut body, key);
        write_field(&mut body, value);
        write_varint(&mut body, headers.len() as i32);
        for (key, value) in headers {
            write_field(&mut body, Some(key.as_bytes()));
            write_field(&mut body, *value);
        }
        write_varint(&mut self.records, i32::try_from(body.len()).expect("our own records are small"));
        self.records.extend_from_slice(&body);
        self.header.record_count += 1;
        self.header.last_offset_delta += 1;
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self
    }

    pub fn build(self) -> Bytes {
        self.finish(Codec::None, |plain| plain)
    }

    /// As [`Self::build`], with the records compressed.
    pub fn build_in(self, encoding: Encoding) -> Bytes {
        match encoding.codec {
            Codec::None => self.build(),
            codec => self.finish(codec, |plain| codec::compress(encoding, &plain)),
        }
    }

    pub(crate) fn finish(mut self, codec: Codec, compress: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Bytes {
        let records = compress(self.records);
        self.header.set_flags(codec, self.transactional, self.control);
        let length = HEADER_BYTES - OVERHEAD_BYTES + records.len();
        self.header.length = i32::try_from(length).expect("our own batches are small");
        self.header.crc = crc_of(&self.header, &records);
        let mut out = BytesMut::with_capacity(HEADER_BYTES + records.len());
        out.put_slice(&self.header.encode());
        out.put_slice(&records);
        out.freeze()
    }
}

fn write_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => write_varint(out, -1),
        Some(bytes) => {
            write_varint(out, i32::try_from(bytes.len()).expect("our own records are small"));
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::verify_crc;
    use crate::codec::testing::{CODECS, compress};
    use proptest::prelude::*;

    fn sample() -> BatchBuilder {
        BatchBuilder::new(1_000)
            .push(Some(b"key"), Some(b"value"), &[("h", Some(b"1")), ("none", None)])
            .push_at(1_005, None, Some(b""), &[])
            .push_at(998, Some(b""), None, &[])
    }

    #[test]
    fn what_is_built_is_read_in_every_codec() {
        for codec in CODECS {
            let batch = sample().finish(codec, |plain| compress(codec, &plain));
            let header = BatchHeader::parse(&batch).unwrap();
            verify_crc(&header, &batch).unwrap();
            assert_eq!((header.record_count, header.last_offset_delta, header.max_timestamp), (3, 2, 1_005));
            let read: Vec<_> = records(&batch).unwrap().map(Result::unwrap).collect();
            assert_eq!(read[0].key.as_deref(), Some(&b"key"[..]));
            assert_eq!(read[0].headers[0].value.as_deref(), Some(&b"1"[..]));
            assert_eq!(read[0].headers[1].value, None);
            assert_eq!(
                (read[1].timestamp, read[1].key.is_none(), read[1].value.as_deref()),
                (1_005, true, Some(&b""[..]))
            );
            assert_eq!((read[2].offset, read[2].timestamp, read[2].value.is_none()), (Offset(2), 998, true));
        }
    }

    #[test]
    fn flags_are_set_and_seen() {
        let batch = sample().producer(ProducerId(9), 2, 7).transactional().control().build();
        let header = BatchHeader::parse(&batch).unwrap();
        assert!(header.is_transactional() && header.is_control() && !header.has_delete_horizon());
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (ProducerId(9), 2, 7));
    }

    #[test]
    fn a_log_append_time_batch_gives_every_record_its_time() {
        let batch = sample().build();
        let mut header = BatchHeader::parse(&batch).unwrap();
        header.set_time(TimestampType::LogAppendTime, 5_555);
        let stamped = [&header.encode()[..], &batch[HEADER_BYTES..]].concat();
        assert!(records(&stamped).unwrap().all(|record| record.unwrap().timestamp == 5_555));
    }

    fn records_alone(batch: &[u8]) -> &[u8] {
        &batch[HEADER_BYTES..]
    }

    #[test]
    fn what_is_not_as_most_are_is_not_skimmed() {
        let plain = |key: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]| {
            let batch = BatchBuilder::new(0).push(key, Some(b"value"), headers).build();
            skim(records_alone(&batch)).map(|(glance, _)| glance.has_key)
        };
        assert_eq!(plain(Some(b"key"), &[]), Some(true));
        assert_eq!(plain(None, &[]), Some(false));
        assert_eq!(plain(None, &[("h", None)]), None);
        let far = BatchBuilder::new(0).push_at(1 << 40, None, Some(b"value"), &[]).build();
        assert_eq!(skim(records_alone(&far)), None);
        let cut = BatchBuilder::new(0).push(None, Some(b"value"), &[]).build();
        assert_eq!(skim(&records_alone(&cut)[..8]), None);
    }

    proptest! {
        /// The quick look takes nothing that the thorough one refuses, and sees the same in it.
        #[test]
        fn a_skimmed_record_is_as_it_is_read(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 4..9_000)),
            delta in -200_000_000i64..200_000_000,
            at in 0usize..16,
            with: u8,
        ) {
            let batch = BatchBuilder::new(0).push_at(delta, key.as_deref(), value.as_deref(), &[]).build();
            let sound = records_alone(&batch);
            let is_short = (delta << 1) ^ (delta >> 63) < 1 << 28;
            prop_assert!(value.is_none() || skim(sound).is_some() == is_short);
            let mut mutated = sound.to_vec();
            if let Some(byte) = mutated.get_mut(at) {
                *byte = with;
            }
            for bytes in [sound, &mutated] {
                if let Some((glance, len)) = skim(bytes) {
                    let mut source = SliceSource::new(bytes);
                    let read = raw_record::<false>(&mut source).unwrap();
                    prop_assert_eq!(source.position(), len as u64);
                    prop_assert_eq!(glance.timestamp_delta, read.timestamp_delta);
                    prop_assert_eq!(glance.offset_delta, read.offset_delta);
                    prop_assert_eq!(glance.has_key, read.key.is_some());
                }
            }
        }

        #[test]
        fn mutated_batches_never_panic(at in HEADER_BYTES - 20..120, with: u8, codec in 0usize..5) {
            let codec = CODECS[codec];
            let mut batch = sample().finish(codec, |plain| compress(codec, &plain)).to_vec();
            if let Some(byte) = batch.get_mut(at) {
                *byte = with;
            }
            if let Ok(found) = records(&batch) {
                // A wrong count of two thousand million ends at the first record that is not there.
                prop_assert!(found.take(100).count() <= 100);
            }
        }

        #[test]
        fn any_record_round_trips(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
            delta in -1_000_000i64..1_000_000,
        ) {
            let batch = BatchBuilder::new(7).push_at(7 + delta, key.as_deref(), value.as_deref(), &[]).build();
            let record = records(&batch).unwrap().next().unwrap().unwrap();
            prop_assert_eq!(record.key.as_deref(), key.as_deref());
            prop_assert_eq!(record.value.as_deref(), value.as_deref());
            prop_assert_eq!(record.timestamp, 7 + delta);
        }
    }
}
