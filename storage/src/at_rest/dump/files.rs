//! All files but segments: indexes, quarantine, epochs, checkpoint, journal, properties.

use std::path::Path;

use crate::checkpoint::{self, Damage};
use crate::compact::clean_offsets;
use crate::env::{Env, OpenMode};
use crate::epoch_cache::EpochCache;
use crate::journal::record::{COMMIT_HEADER_BYTES, Key, Op, RECORD_HEADER_BYTES, RecordHeader};
use crate::meta::{self, MetaProblem, MetaProperties};
use crate::producer_state::snapshot;
use crate::quarantine::{HEAD_BYTES, Piece};
use crate::{offset_index, state_image, time_index, txn_index};

use super::super::AtRestError;
use super::super::content::Content;
use super::super::kind::base_in;
use super::{DumpOptions, Item, Out, journal as journals};

type Done = Result<(), AtRestError>;

/// Entries read at a time.
const CHUNK_ENTRIES: u64 = 8192;

fn each_entry(
    path: &Path,
    content: &Content,
    entry_bytes: usize,
    mut see: impl FnMut(u64, &[u8]) -> Done,
) -> Done {
    let (step, mut position) = (CHUNK_ENTRIES * entry_bytes as u64, 0);
    while position < content.len() {
        let chunk = content.get(position, step).map_err(AtRestError::io(path))?;
        for (number, entry) in chunk.chunks(entry_bytes).enumerate() {
            see(position + (number * entry_bytes) as u64, entry)?;
        }
        position += step;
    }
    Ok(())
}

pub(super) fn offset_index(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    let base = base_in(path).unwrap_or_default();
    each_entry(path, content, offset_index::ENTRY_BYTES, |at, bytes| match offset_index::entry(bytes, 0) {
        Some(entry) => {
            let offset = base.0.saturating_add(i64::from(entry.relative));
            out.put(Item::new("entry").with("offset", offset).with("position", entry.position))
        }
        None => out.damage(at, "the last entry is cut"),
    })
}

pub(super) fn time_index(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    let base = base_in(path).unwrap_or_default();
    each_entry(path, content, time_index::ENTRY_BYTES, |at, bytes| match time_index::entry(bytes, 0) {
        Some(entry) => {
            let offset = base.0.saturating_add(i64::from(entry.relative));
            out.put(Item::new("entry").with("time", entry.timestamp).with("offset", offset))
        }
        None => out.damage(at, "the last entry is cut"),
    })
}

pub(super) fn quarantine(path: &Path, content: &Content, options: &DumpOptions, out: &mut Out<'_>) -> Done {
    let (io, mut position) = (|| AtRestError::io(path), 0);
    while position < content.len() {
        let head = content.get(position, HEAD_BYTES as u64).map_err(io())?;
        let Some(piece) = head.first_chunk().and_then(Piece::decode) else {
            return out.damage(position, "no piece begins here");
        };
        let item = Item::new("piece")
            .with("position", position)
            .with("segmentPosition", piece.position)
            .with("size", piece.bytes)
            .with("due", piece.due.0)
            .with("next", piece.next.0);
        out.put(item)?;
        position += HEAD_BYTES as u64;
        if content.len() - position < piece.bytes {
            return out.damage(position, "the file ends within the piece");
        }
        if options.records {
            let bytes = content.get(position, piece.bytes).map_err(io())?;
            out.put(Item::inner("bytes").with("content", Some(&bytes[..])))?;
        }
        position += piece.bytes;
    }
    Ok(())
}

fn all(path: &Path, content: &Content) -> Result<bytes::Bytes, AtRestError> {
    content.get(0, content.len()).map_err(AtRestError::io(path))
}

pub(super) fn epochs(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    let Some(epochs) = EpochCache::decode(&all(path, content)?) else {
        return out.damage(0, "it is not whole, or out of order");
    };
    for line in epochs.encode().lines().skip(2) {
        if let Some((epoch, start)) = line.split_once(' ')
            && let (Ok(epoch), Ok(start)) = (epoch.parse::<i32>(), start.parse::<i64>())
        {
            out.put(Item::new("epoch").with("epoch", epoch).with("startOffset", start))?;
        }
    }
    Ok(())
}

pub(super) fn txn_index(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    let base = base_in(path).unwrap_or_default();
    let bytes = all(path, content)?;
    let entries = txn_index::decode(&bytes, base);
    for entry in &entries {
        let item = Item::new("aborted")
            .with("producerId", entry.producer.0)
            .with("firstOffset", entry.first.0)
            .with("lastOffset", entry.last.0)
            .with("lastStableOffset", entry.last_stable.0);
        out.put(item)?;
    }
    let right = (entries.len() * txn_index::ENTRY_BYTES) as u64;
    if right == content.len() { Ok(()) } else { out.damage(right, "what stands here is no entry") }
}

pub(super) fn producers(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    let Some(producers) = snapshot::decode(&all(path, content)?) else {
        return out.damage(0, "its checksum is wrong, or it is cut, or of another version");
    };
    for (id, producer) in producers {
        let item = Item::new("producer")
            .with("producerId", id.0)
            .with("producerEpoch", producer.epoch)
            .with("lastTime", producer.last_timestamp)
            .with("coordinatorEpoch", producer.coordinator_epoch);
        let item = match producer.last_batch() {
            Some(last) => item
                .with("firstOffset", last.last_offset.0 - i64::from(last.offset_delta))
                .with("lastOffset", last.last_offset.0)
                .with("lastSequence", last.last_sequence),
            None => item,
        };
        let item = match producer.txn_first {
            Some(first) => item.with("transactionFrom", first.0),
            None => item,
        };
        out.put(item)?;
    }
    Ok(())
}

/// The records of an image, as bytes: what they say is known to whoever wrote them.
pub(super) fn image(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    let bytes = all(path, content)?;
    let (next, records) = match state_image::decode(&bytes) {
        Ok(whole) => whole,
        Err(state_image::Damage::Newer(version)) => {
            return out.damage(0, format!("version {version} is not known yet"));
        }
        Err(state_image::Damage::Broken) => return out.damage(0, "its checksum is wrong, or it is cut"),
    };
    out.put(Item::new("image").with("nextOffset", next.0).with("records", records.len()))?;
    for record in records {
        out.put(Item::inner(Item::STATE).with("bytes", Some(record)))?;
    }
    Ok(())
}

pub(super) fn clean_offsets(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    let Some(entries) = clean_offsets::decode(&all(path, content)?) else {
        return out.damage(0, "it is not whole, or of another version");
    };
    for (dir, offset) in entries {
        out.put(Item::new("clean").with("dir", dir).with("upTo", offset.0))?;
    }
    Ok(())
}

pub(super) fn partition(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    match meta::decode_partition(&all(path, content)?) {
        Some(topic) => out.put(Item::new("partition").with("topicId", topic.to_string())),
        None => out.damage(0, "it does not say which topic's the log is"),
    }
}

pub(super) fn meta(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    match MetaProperties::decode(&all(path, content)?) {
        Ok(meta) => out.put(
            Item::new("meta")
                .with("clusterId", meta.cluster_id)
                .with("nodeId", meta.node_id)
                .with("directoryId", meta.directory_id.to_string()),
        ),
        Err(MetaProblem::Invalid(what)) => out.damage(0, what),
        // They were refused before, but the file may have changed since.
        Err(MetaProblem::Kafka | MetaProblem::Newer(_)) => out.damage(0, "it is not of a format known here"),
    }
}

pub(super) fn checkpoint(path: &Path, content: &Content, out: &mut Out<'_>) -> Done {
    let checkpoint = match checkpoint::decode(&all(path, content)?) {
        Ok(checkpoint) => checkpoint,
        Err(Damage::Newer(version)) => return out.damage(0, format!("version {version} is not known yet")),
        Err(Damage::Broken) => return out.damage(0, "its checksum is wrong, or it is cut"),
    };
    let item = Item::new("checkpoint")
        .with("clean", checkpoint.clean)
        .with("lsn", checkpoint.journal.lsn)
        .with("journalFile", checkpoint.journal.place.file)
        .with("journalPosition", checkpoint.journal.place.position)
        .with("logs", checkpoint.entries.len());
    out.put(item)?;
    for entry in checkpoint.entries {
        let item = Item::inner("log")
            .with("dir", entry.dir_name)
            .with("topicId", entry.id.topic.to_string())
            .with("partition", entry.id.partition)
            .with("start", entry.start.0)
            .with("recoveryOffset", entry.recovery.offset.0)
            .with("segment", entry.recovery.segment.0)
            .with("position", entry.recovery.position)
            .with("clean", entry.clean);
        out.put(item)?;
    }
    Ok(())
}

/// The commits of a journal's file, those of an earlier use of it included: their LSNs are lower than the ones before.
pub(super) fn journal(env: &Env, path: &Path, key: Key, options: &DumpOptions, out: &mut Out<'_>) -> Done {
    let file = env.files.open(path, OpenMode::Read).map_err(AtRestError::io(path))?;
    let failed = |error| AtRestError::io(path)(error);
    journals::commits(key, &file, failed, |commit, bytes| {
        let header = commit.header;
        let item = Item::new("commit")
            .with("position", commit.position)
            .with("size", header.padded_bytes())
            .with("firstLsn", header.first_lsn)
            .with("lastLsn", header.last_lsn())
            .with("durableLsn", header.durable_lsn)
            .with("count", header.count);
        out.put(item)?;
        let from = commit.position + COMMIT_HEADER_BYTES as u64;
        for (position, record) in commit.records {
            match record {
                journals::Placed::Whole(record) => {
                    let at = (position - from) as usize + RECORD_HEADER_BYTES;
                    let payload = bytes.get(at..at + record.payload_bytes as usize);
                    out.put(operation(position, &record, payload.filter(|_| options.records)))?;
                }
                journals::Placed::BadPayload(record) => {
                    out.put(operation(position, &record, None))?;
                    out.damage(position, "the checksum of the record's payload is wrong")?;
                }
                journals::Placed::BadHeader { lsn } => {
                    out.damage(position, format!("no header of record {lsn} stands here"))?;
                }
            }
        }
        Ok(())
    })
}

fn operation(position: u64, record: &RecordHeader, payload: Option<&[u8]>) -> Item {
    let item = Item::inner("record")
        .with("position", position)
        .with("lsn", record.lsn)
        .with("topicId", record.log.topic.to_string())
        .with("partition", record.log.partition);
    let item = match record.op {
        Op::Create => item.with("op", "create"),
        Op::Drop => item.with("op", "drop"),
        Op::Write { segment, position } => {
            item.with("op", "write").with("segment", segment.0).with("at", position)
        }
        Op::Join { segment, position } => {
            item.with("op", "join").with("segment", segment.0).with("at", position)
        }
        Op::Start { offset } => item.with("op", "start").with("offset", offset.0),
    };
    let item = item.with("size", record.payload_bytes);
    if payload.is_some() { item.with("payload", payload) } else { item }
}
