//! A batch's records written anew with another codec, as Kafka does where a topic's compression is not the batch's.
//!
//! Kept: keys, values, headers, times, the producer's fields, whether it is transactional. New: offsets count from 0
//! without gaps, the base timestamp is the first record's, and bits without a meaning go. Invariants: records stream
//! through, so that memory is bounded by the result and the codecs' windows; a result above its bound is given up, not
//! made; whatever is said of the records is said of all of them. This module must not know what a producer may send.

use std::borrow::Cow;

use bytes::Bytes;

use crate::batch::{BatchError, BatchHeader, HEADER_BYTES, OVERHEAD_BYTES, TimestampType, crc_of};
use crate::codec::{Codec, CompressError, Compressor, Effort, Encoding};
use crate::ids::{NO_TIMESTAMP, Offset, TimestampMs};
use crate::records::{
    RecordHead, ends_here, fault_at, open_at, record_body, record_head, records_of, timestamp_of,
};
use crate::source::{Fault, SliceSource, Source, StreamSource, varlong_bytes, write_varlong};

/// What is known of a record when it was copied.
pub(crate) struct Copied {
    pub(crate) timestamp: TimestampMs,
    pub(crate) has_key: bool,
}

/// The records, compressed behind room for a header.
pub(crate) struct Rewritten {
    bytes: Vec<u8>,
    base_timestamp: TimestampMs,
    codec: Codec,
}

impl Rewritten {
    /// The whole batch.
    pub(crate) fn seal(
        mut self,
        of: &BatchHeader,
        kind: TimestampType,
        max_timestamp: TimestampMs,
    ) -> (BatchHeader, Bytes) {
        let mut header = of.clone();
        header.set_flags(self.codec, of.is_transactional(), false);
        header.set_time(kind, max_timestamp);
        header.base_offset = Offset(0);
        header.base_timestamp = self.base_timestamp;
        header.last_offset_delta = header.record_count - 1;
        header.length = (self.bytes.len() - OVERHEAD_BYTES) as i32;
        header.crc = crc_of(&header, &self.bytes[HEADER_BYTES..]);
        self.bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        (header, self.bytes.into())
    }
}

/// Copies all records of one whole batch; `see` learns of each. The outer error is the batch's own, the inner one the
/// result's, told when all records were seen.
pub(crate) fn rewrite(
    header: &BatchHeader,
    batch: &[u8],
    encoding: Encoding,
    bytes_max: usize,
    effort: Effort,
    see: impl FnMut(i32, Copied),
) -> Result<Result<Rewritten, CompressError>, BatchError> {
    let records = records_of(header, batch)?;
    let codec = header.codec()?;
    let about_bytes = (codec == Codec::None).then_some(records.len());
    // A batch's length is an `i32`, whatever is allowed beyond.
    let bytes_max = bytes_max.min(i32::MAX as usize);
    let out = Compressor::new(encoding, about_bytes, vec![0; HEADER_BYTES], bytes_max);
    let mut sink = Sink { out, failed: None, head: Vec::new() };
    let base_timestamp = match codec {
        Codec::None => copy_all(header, SliceSource::new(records), &mut sink, see)?,
        codec => copy_all(header, StreamSource::new(open_at(effort, codec, records)?), &mut sink, see)?,
    };
    let bytes = sink.failed.map_or_else(|| sink.out.finish(), Err);
    Ok(bytes.map(|bytes| Rewritten { bytes, base_timestamp, codec: encoding.codec }))
}

/// Gives the first record's time.
fn copy_all<'a>(
    header: &BatchHeader,
    mut source: impl Source<'a>,
    sink: &mut Sink,
    mut see: impl FnMut(i32, Copied),
) -> Result<TimestampMs, BatchError> {
    let mut base = None;
    for index in 0..header.record_count {
        let mut copy = || {
            let head = record_head(&mut source)?;
            let timestamp = timestamp_of(header, head.timestamp_delta);
            let delta = timestamp.wrapping_sub(*base.get_or_insert(timestamp));
            let has_key = copy_record(&mut source, sink, head, delta, index)?;
            Ok(Copied { timestamp, has_key })
        };
        see(index, copy().map_err(|fault| fault_at(index, fault))?);
    }
    ends_here(header.record_count, &mut source)?;
    Ok(base.unwrap_or(NO_TIMESTAMP))
}

/// Copies what follows a record's head behind a new one; tells whether the record has a key.
fn copy_record<'a>(
    source: &mut impl Source<'a>,
    sink: &mut Sink,
    head: RecordHead,
    timestamp_delta: i64,
    offset_delta: i32,
) -> Result<bool, Fault> {
    let rest = head.end.checked_sub(source.position());
    let rest = rest.ok_or(Fault::Bad("its length is not that of its parts"))?;
    let length = 1 + varlong_bytes(timestamp_delta) + varlong_bytes(offset_delta.into()) + rest;
    let length = i32::try_from(length).map_err(|_| Fault::Bad("it is too long"))?;
    sink.put_head(length, timestamp_delta, offset_delta);
    let record = record_body::<false>(&mut Copying { source, sink }, head)?;
    Ok(record.key.is_some())
}

/// Takes what is copied. When it cannot take more it remembers why, and the walk goes on without it.
struct Sink {
    out: Compressor,
    failed: Option<CompressError>,
    /// A record's head, while it is put together.
    head: Vec<u8>,
}

impl Sink {
    fn put_head(&mut self, length: i32, timestamp_delta: i64, offset_delta: i32) {
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        write_varlong(&mut head, length.into());
        head.push(0);
        write_varlong(&mut head, timestamp_delta);
        write_varlong(&mut head, offset_delta.into());
        self.put(&head);
        self.head = head;
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.out.write(bytes).err();
        }
    }
}

/// A source of which everything that is read goes into the sink too.
struct Copying<'s, S> {
    source: &'s mut S,
    sink: &'s mut Sink,
}

impl<'a, S: Source<'a>> Source<'a> for Copying<'_, S> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = self.source.byte()?;
        self.sink.put(&[byte]);
        Ok(byte)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Fault> {
        self.source.copy(bytes, &mut |some| self.sink.put(some))
    }

    fn take(&mut self, bytes: usize) -> Result<Cow<'a, [u8]>, Fault> {
        let taken = self.source.take(bytes)?;
        self.sink.put(&taken);
        Ok(taken)
    }

    fn copy(&mut self, bytes: usize, to: &mut impl FnMut(&[u8])) -> Result<(), Fault> {
        self.source.copy(bytes, &mut |some| {
            self.sink.put(some);
            to(some);
        })
    }

    fn ready(&self) -> &[u8] {
        self.source.ready()
    }

    fn position(&self) -> u64 {
        self.source.position()
    }

    fn is_at_end(&mut self) -> Result<bool, Fault> {
        self.source.is_at_end()
    }
}
