//! The records of a batch as byte ranges, so that those that stay are copied and not built anew.
//!
//! The layout is in the header of `records`. Invariants: nothing is read beyond the record's own length; nothing is
//! allocated for a record. It must not know which records stay.

use std::io::Read;

use crate::batch::{BatchError, BatchHeader, HEADER_BYTES};
use crate::codec::{self, Codec};
use crate::ids::{Offset, TimestampMs};
use crate::records::timestamp_of;
use crate::source::{Fault, SliceSource, Source, write_varint, write_varlong};

pub(super) struct RecordView<'a> {
    pub(super) offset: Offset,
    pub(super) timestamp: TimestampMs,
    pub(super) key: Option<&'a [u8]>,
    pub(super) has_value: bool,
    /// The whole record, its length included.
    pub(super) bytes: &'a [u8],
    attributes: u8,
    /// What stands behind the timestamp.
    rest: &'a [u8],
}

impl RecordView<'_> {
    /// Appends the record as it is in a batch of another base timestamp.
    pub(super) fn write_at(&self, base_timestamp: TimestampMs, out: &mut Vec<u8>) {
        let mut head = vec![self.attributes];
        write_varlong(&mut head, self.timestamp.wrapping_sub(base_timestamp));
        write_varint(out, (head.len() + self.rest.len()) as i32);
        out.extend_from_slice(&head);
        out.extend_from_slice(self.rest);
    }
}

/// The records of a whole batch, decompressed into `buffer` if they are not plain.
pub(super) fn plain_records<'a>(
    header: &BatchHeader,
    batch: &'a [u8],
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], BatchError> {
    let records = &batch[HEADER_BYTES..];
    let codec = header.codec()?;
    if codec == Codec::None || header.record_count == 0 {
        return Ok(records);
    }
    buffer.clear();
    codec::decompress(codec, records, codec::decompressed_bytes_max(records.len()))
        .and_then(|mut plain| plain.read_to_end(buffer))
        .map_err(|error| BatchError::Decompress(error.to_string()))?;
    Ok(buffer)
}

/// Shows every record of a batch; `see` says whether to go on.
pub(super) fn each<'a>(
    header: &BatchHeader,
    plain: &'a [u8],
    mut see: impl FnMut(RecordView<'a>) -> bool,
) -> Result<(), BatchError> {
    let mut source = SliceSource::new(plain);
    for index in 0..header.record_count {
        let record = view(header, plain, &mut source).map_err(|fault| BatchError::Record {
            index,
            what: match fault {
                Fault::Bad(what) => what,
                Fault::Ended | Fault::Stream(_) => "the batch ends within it",
            },
        })?;
        if !see(record) {
            break;
        }
    }
    Ok(())
}

fn view<'a>(
    header: &BatchHeader,
    plain: &'a [u8],
    source: &mut SliceSource<'a>,
) -> Result<RecordView<'a>, Fault> {
    let start = source.position() as usize;
    let body = slice(plain, source)?.ok_or(Fault::Bad("its length is negative"))?;
    let bytes = &plain[start..source.position() as usize];
    let mut inner = SliceSource::new(body);
    let attributes = inner.byte()?;
    let timestamp_delta = inner.varlong()?;
    let rest = &body[inner.position() as usize..];
    let offset_delta = inner.varint()?;
    let key = slice(body, &mut inner)?;
    let has_value = slice(body, &mut inner)?.is_some();
    Ok(RecordView {
        offset: Offset(header.base_offset.0.saturating_add(i64::from(offset_delta))),
        timestamp: timestamp_of(header, timestamp_delta),
        key,
        has_value,
        bytes,
        attributes,
        rest,
    })
}

/// A field with its length before it.
fn slice<'a>(of: &'a [u8], source: &mut SliceSource<'a>) -> Result<Option<&'a [u8]>, Fault> {
    let len = source.varint()?;
    if len < 0 {
        return Ok(None);
    }
    let from = source.position() as usize;
    source.skip(len as usize)?;
    Ok(Some(&of[from..from + len as usize]))
}
