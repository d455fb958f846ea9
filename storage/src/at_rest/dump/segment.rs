//! The batches of a segment, and the records in them.

use std::path::Path;

use bytes::Bytes;

use crate::batch::{BatchHeader, HEADER_BYTES, TimestampType, verify_crc};
use crate::env::{Env, OpenMode};
use crate::ids::Offset;
use crate::records::{self, Record};
use crate::scan::Scanner;
use crate::segment::INDEX_SUFFIX;
use crate::{offset_index, small_file};

use super::super::AtRestError;
use super::super::content::Content;
use super::super::kind::base_in;
use super::{DumpOptions, Field, Item, Out};

pub(super) fn dump(
    env: &Env,
    path: &Path,
    content: &Content,
    options: &DumpOptions,
    out: &mut Out<'_>,
) -> Result<(), AtRestError> {
    let io = || AtRestError::io(path);
    let index = small_file::read(&*env.files, &path.with_extension(INDEX_SUFFIX)).ok().flatten();
    let index = index.unwrap_or_default();
    let base = base_in(path).unwrap_or_default();
    let from = options.from.unwrap_or(Offset(i64::MIN));
    let mut position = start(content, &index, base, from).map_err(io())?;
    let (mut shown, mut due) = (0, base);
    while position < content.len() && options.count.is_none_or(|count| shown < count) {
        let head = content.get(position, HEADER_BYTES as u64).map_err(io())?;
        let header = BatchHeader::parse(&head).map_err(|error| error.to_string()).and_then(|header| {
            let fits = position + header.total_bytes() as u64 <= content.len();
            if fits { Ok(header) } else { Err("the file ends within the batch".to_owned()) }
        });
        let header = match header {
            Ok(header) => header,
            Err(what) => {
                out.damage(position, what)?;
                match go_on(env, path, content, &index, base, position, due)? {
                    Some(next) => position = next,
                    None => return Ok(()),
                }
                continue;
            }
        };
        if header.last_offset() >= from {
            let batch = content.get(position, header.total_bytes() as u64).map_err(io())?;
            show(position, &header, &batch, options, out)?;
            shown += 1;
        }
        due = header.next_offset();
        position += header.total_bytes() as u64;
    }
    Ok(())
}

/// Where to begin, to pass the batch of an offset.
fn start(content: &Content, index: &[u8], base: Offset, from: Offset) -> std::io::Result<u64> {
    let relative = u32::try_from(from.0.saturating_sub(base.0)).unwrap_or(0);
    let Some(entry) = offset_index::floor(index, relative) else { return Ok(0) };
    let head = content.get(u64::from(entry.position), HEADER_BYTES as u64)?;
    let named = BatchHeader::parse(&head)
        .is_ok_and(|header| header.last_offset().0 - base.0 == i64::from(entry.relative));
    Ok(if named { u64::from(entry.position) } else { 0 })
}

/// The next batch that the index vouches for.
fn go_on(
    env: &Env,
    path: &Path,
    content: &Content,
    index: &[u8],
    base: Offset,
    position: u64,
    due: Offset,
) -> Result<Option<u64>, AtRestError> {
    let file = env.files.open(path, OpenMode::Read).map_err(AtRestError::io(path))?;
    let found = Scanner::new(&file, content.len()).resynchronise(base, index, position, due);
    Ok(found.map_err(AtRestError::io(path))?.map(|(next, _)| next))
}

fn show(
    position: u64,
    header: &BatchHeader,
    batch: &[u8],
    options: &DumpOptions,
    out: &mut Out<'_>,
) -> Result<(), AtRestError> {
    let crc = verify_crc(header, batch);
    let codec = match header.codec() {
        Ok(codec) => format!("{codec:?}").to_lowercase(),
        Err(error) => error.to_string(),
    };
    let time = match header.timestamp_type() {
        TimestampType::CreateTime => "create",
        TimestampType::LogAppendTime => "append",
    };
    let item = Item::new("batch")
        .with("baseOffset", header.base_offset.0)
        .with("lastOffset", header.last_offset().0)
        .with("count", header.record_count)
        .with("position", position)
        .with("size", header.total_bytes())
        .with("codec", codec)
        .with("timeType", time)
        .with("baseTime", header.base_timestamp)
        .with("maxTime", header.max_timestamp)
        .with("leaderEpoch", header.leader_epoch.0)
        .with("producerId", header.producer_id.0)
        .with("producerEpoch", header.producer_epoch)
        .with("baseSequence", header.base_sequence)
        .with("transactional", header.is_transactional())
        .with("control", header.is_control())
        .with("crc", if crc.is_ok() { "ok" } else { "wrong" });
    out.put(item)?;
    if let Err(error) = crc {
        return out.damage(position, error.to_string());
    }
    if options.records { show_records(position, batch, options, out) } else { Ok(()) }
}

fn show_records(
    position: u64,
    batch: &[u8],
    options: &DumpOptions,
    out: &mut Out<'_>,
) -> Result<(), AtRestError> {
    let records = match records::records(batch) {
        Ok(records) => records,
        Err(error) => return out.damage(position, error.to_string()),
    };
    for record in records {
        match record {
            Ok(record) if options.from.is_some_and(|from| record.offset < from) => {}
            Ok(record) => out.put(record_item(&record))?,
            Err(error) => return out.damage(position, error.to_string()),
        }
    }
    Ok(())
}

fn record_item(record: &Record<'_>) -> Item {
    let headers = record.headers.iter().map(|header| {
        let value = header.value.as_deref().map(Bytes::copy_from_slice);
        (Bytes::copy_from_slice(&header.key), value)
    });
    Item::inner("record")
        .with("offset", record.offset.0)
        .with("time", record.timestamp)
        .with("key", record.key.as_deref())
        .with("value", record.value.as_deref())
        .with("headers", Field::Headers(headers.collect()))
}
