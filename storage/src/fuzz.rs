//! What holds of any bytes at all that may stand in a data directory or come from a producer: one target for each kind
//! of record, for whoever makes up bytes, be it a seeded test or a fuzzer.
//!
//! A target panics only if the code under it is wrong: it panics itself, accepts what a checksum refuses, forgets what
//! it accepted when that is written and read again, or serves what nobody appended. Invariant: the same bytes give the
//! same result; nothing outside memory is touched. This module must not know where bytes come from.

mod decoding;
mod opening;
mod sending;

pub use decoding::{
    checkpoint, clean_offsets, compaction, epochs, journal_commit, journal_file, lock_file, meta_properties,
    offset_index, partition_metadata, producer_snapshot, quarantine, replay_floor, state_image, time_index,
    txn_index, txn_sums,
};
pub use opening::{
    checkpoint_opened, epochs_opened, journal_opened, lock_opened, meta_opened, new_disk,
    offset_index_opened, partition_opened, producer_snapshot_opened, quarantine_opened, segment_opened,
    time_index_opened, txn_index_opened,
};
pub use sending::{compressed, sent_batch};

use crate::batch::{BatchHeader, CRC_FROM};
use crate::ids::TopicId;
use crate::journal::record::{COMMIT_HEADER_BYTES, Key, RECORD_HEADER_BYTES};
use crate::meta::MetaProperties;
use crate::producer_state::snapshot;

/// One property of one kind of file.
pub struct Target {
    pub name: &'static str,
    /// How the names of the files end whose contents it takes.
    pub file: &'static str,
    pub run: fn(&[u8]),
    /// Puts right checksums into bytes that were changed, so that what they guard is reached too.
    pub seal: fn(&mut [u8]),
    /// It opens a whole directory for each input, which takes longer.
    pub opens: bool,
}

const fn decodes(name: &'static str, file: &'static str, run: fn(&[u8]), seal: fn(&mut [u8])) -> Target {
    Target { name, file, run, seal, opens: false }
}

const fn opens(name: &'static str, file: &'static str, run: fn(&[u8]), seal: fn(&mut [u8])) -> Target {
    Target { name, file, run, seal, opens: true }
}

pub const TARGETS: [Target; 31] = [
    decodes("offset_index", ".index", offset_index, seal_nothing),
    decodes("time_index", ".timeindex", time_index, seal_nothing),
    decodes("checkpoint", "checkpoint", checkpoint, seal_end),
    decodes("journal_commit", ".journal", journal_commit, seal_commit),
    decodes("journal_file", ".journal", journal_file, seal_commit),
    decodes("meta_properties", "meta.properties", meta_properties, seal_nothing),
    decodes("partition_metadata", "partition.metadata", partition_metadata, seal_nothing),
    decodes("epochs", "leader-epoch-checkpoint", epochs, seal_nothing),
    decodes("quarantine", ".quarantine", quarantine, seal_piece),
    decodes("lock_file", "lock", lock_file, seal_nothing),
    decodes("compressed", ".batch", compressed, seal_nothing),
    decodes("sent_batch", ".batch", sent_batch, seal_batches),
    decodes("clean_offsets", "cleaner-offset-checkpoint", clean_offsets, seal_nothing),
    decodes("compaction", ".log", compaction, seal_batches),
    decodes("producer_snapshot", ".snapshot", producer_snapshot, snapshot::seal),
    decodes("txn_index", ".txnindex", txn_index, seal_nothing),
    decodes("state_image", ".image", state_image, seal_end),
    decodes("replay_floor", "replay.floor", replay_floor, seal_end),
    decodes("txn_sums", "txnindex.sums", txn_sums, seal_end),
    opens("segment_opened", ".log", segment_opened, seal_batches),
    opens("offset_index_opened", ".index", offset_index_opened, seal_nothing),
    opens("time_index_opened", ".timeindex", time_index_opened, seal_nothing),
    opens("checkpoint_opened", "checkpoint", checkpoint_opened, seal_end),
    opens("journal_opened", ".journal", journal_opened, seal_commit),
    opens("meta_opened", "meta.properties", meta_opened, seal_nothing),
    opens("partition_opened", "partition.metadata", partition_opened, seal_nothing),
    opens("epochs_opened", "leader-epoch-checkpoint", epochs_opened, seal_nothing),
    opens("quarantine_opened", ".quarantine", quarantine_opened, seal_piece),
    opens("lock_opened", "lock", lock_opened, seal_nothing),
    opens("producer_snapshot_opened", ".snapshot", producer_snapshot_opened, snapshot::seal),
    opens("txn_index_opened", ".txnindex", txn_index_opened, seal_nothing),
];

/// The identity of every directory here, so that a journal of one is a journal of another.
fn identity() -> MetaProperties {
    MetaProperties { cluster_id: "fuzz".to_owned(), node_id: 1, directory_id: TopicId([9; 16]) }
}

/// As a data directory of that identity has it.
fn key() -> Key {
    Key::of(identity().directory_id)
}

fn seal_nothing(_: &mut [u8]) {}

/// A checksum of everything before it, at the end.
fn seal_end(bytes: &mut [u8]) {
    if let Some((body, crc)) = bytes.split_last_chunk_mut::<4>() {
        *crc = crc32c::crc32c(body).to_be_bytes();
    }
}

fn seal_keyed(header: &mut [u8]) {
    if let Some((body, crc)) = header.split_last_chunk_mut::<4>() {
        *crc = crc32c::crc32c_append(key().0, body).to_be_bytes();
    }
}

/// The commit's header, and that of its first record.
fn seal_commit(bytes: &mut [u8]) {
    if let Some((header, rest)) = bytes.split_at_mut_checked(COMMIT_HEADER_BYTES) {
        seal_keyed(header);
        if let Some(record) = rest.get_mut(..RECORD_HEADER_BYTES) {
            seal_keyed(record);
        }
    }
}

fn seal_piece(bytes: &mut [u8]) {
    if let Some(head) = bytes.get_mut(..crate::quarantine::HEAD_BYTES) {
        seal_end(head);
    }
}

/// Every batch, as far as one follows the other.
fn seal_batches(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Ok(header) = BatchHeader::parse(rest) {
        let Some((batch, behind)) = rest.split_at_mut_checked(header.total_bytes()) else { return };
        let crc = crc32c::crc32c(&batch[CRC_FROM..]);
        batch[CRC_FROM - 4..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        rest = behind;
    }
}
