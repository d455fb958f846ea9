//! Targets that read bytes as one record, or as one file of them: what is accepted has the right checksum, and is the
//! same when it is written and read again.

use std::path::Path;

use super::key;
use crate::checkpoint as checkpoint_file;
use crate::compact::{clean_offsets as clean_offsets_file, trial};
use crate::env::{Env, Files, OpenMode, SimFiles, SimRandom};
use crate::epoch_cache::EpochCache;
use crate::floor;
use crate::ids::Offset;
use crate::journal::record::{COMMIT_HEADER_BYTES, CommitHeader, Found, RecordHeader, RecordWalk};
use crate::journal::ring;
use crate::journal::scan::{Since, scan};
use crate::lock_file::Pages;
use crate::meta::{self, MetaProperties};
use crate::producer_state::snapshot;
use crate::quarantine::{HEAD_BYTES, Piece, Pieces};
use crate::state_image as images;
use crate::{
    lock_file as lock, offset_index as offsets, time_index as times, txn_index as txns, txn_sums as sums,
};

/// A search is compared with a linear one for so many entries.
const COMPARED_MAX: usize = 16;

pub fn offset_index(bytes: &[u8]) {
    let entries: Vec<_> = (0..offsets::len(bytes)).map_while(|place| offsets::entry(bytes, place)).collect();
    let mut again = Vec::new();
    entries.iter().for_each(|entry| offsets::push(&mut again, *entry));
    assert_eq!(again, bytes[..offsets::len(bytes) * offsets::ENTRY_BYTES]);
    assert_eq!(offsets::last(bytes), entries.last().copied());
    let right = &entries[..offsets::plausible(bytes, 1 << 31, 1 << 32)];
    assert!(right.windows(2).all(|pair| pair[0].relative < pair[1].relative));
    assert!(right.windows(2).all(|pair| pair[0].position < pair[1].position));
    let sorted = &bytes[..right.len() * offsets::ENTRY_BYTES];
    for wanted in entries.iter().take(COMPARED_MAX).map(|entry| entry.relative) {
        let expected = right.iter().copied().rfind(|entry| entry.relative <= wanted);
        assert_eq!(offsets::floor(sorted, wanted), expected);
        let found = offsets::floor(bytes, wanted);
        assert!(found.is_none_or(|found| entries.contains(&found)));
    }
}

pub fn time_index(bytes: &[u8]) {
    let entries: Vec<_> = (0..times::len(bytes)).map_while(|place| times::entry(bytes, place)).collect();
    let mut again = Vec::new();
    entries.iter().for_each(|entry| times::push(&mut again, *entry));
    assert_eq!(again, bytes[..times::len(bytes) * times::ENTRY_BYTES]);
    assert_eq!(times::last(bytes), entries.last().copied());
    let right = &entries[..times::plausible(bytes, 1 << 31)];
    assert!(right.windows(2).all(|pair| pair[0].relative < pair[1].relative));
    assert!(right.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp));
    let sorted = &bytes[..right.len() * times::ENTRY_BYTES];
    for wanted in entries.iter().take(COMPARED_MAX) {
        let expected = right.iter().copied().rfind(|entry| entry.timestamp <= wanted.timestamp);
        assert_eq!(times::floor(sorted, wanted.timestamp), expected);
        let expected = right.iter().copied().rfind(|entry| entry.relative < wanted.relative);
        assert_eq!(times::last_below(sorted, u64::from(wanted.relative)), expected);
        let found = times::floor(bytes, wanted.timestamp);
        assert!(found.is_none_or(|found| entries.contains(&found)));
    }
}

pub fn checkpoint(bytes: &[u8]) {
    let Ok(found) = checkpoint_file::decode(bytes) else { return };
    let (body, crc) = bytes.split_last_chunk::<4>().expect("it was accepted");
    assert_eq!(crc32c::crc32c(body).to_be_bytes(), *crc);
    assert_eq!(checkpoint_file::decode(&checkpoint_file::encode(&found)), Ok(found));
}

/// A commit's header with the records behind it.
pub fn journal_commit(bytes: &[u8]) {
    let Some(header) = CommitHeader::decode(key(), bytes).map(|whole| whole.found) else { return };
    let again = CommitHeader::decode(key(), &header.encode(key())).expect("its checksum is right");
    assert_eq!((again.found, again.is_mended), (header, false));
    let mut records = bytes[COMMIT_HEADER_BYTES..].to_vec();
    let mut walk = RecordWalk::new(key(), &header, &mut records);
    let (mut due, mut taken) = (walk.next_lsn(), 0);
    while let Some(found) = walk.next() {
        taken += 1;
        if let Found::Record(record, payload) = found {
            assert_eq!(record.lsn, due);
            let payload = walk.bytes[payload].to_vec();
            assert_eq!(crc32c::crc32c(&payload), record.payload_crc);
            record_comes_back(&header, &record, &payload);
        }
        due = walk.next_lsn();
    }
    assert!(taken <= header.count);
}

fn record_comes_back(commit: &CommitHeader, record: &RecordHeader, payload: &[u8]) {
    let header = CommitHeader { first_lsn: record.lsn, count: 1, ..*commit };
    let mut bytes = [&record.encode(key())[..], payload].concat();
    let found: Vec<_> = RecordWalk::new(key(), &header, &mut bytes).collect();
    let from = bytes.len() - payload.len();
    assert_eq!(found, [Found::Record(*record, from..bytes.len())]);
}

/// A whole file of the journal: what is handed over is in its order, and right.
pub fn journal_file(bytes: &[u8]) {
    let (env, files, _) = Env::simulated(1);
    let dir = Path::new("/journal");
    files.create_dir_all(dir).expect("there is memory");
    put(&files, &dir.join(ring::file_name(1)), bytes);
    let ring = ring::open(&*env.files, dir, true).expect("there is memory");
    for since in [Since::Checkpoint(0), Since::AtLeast(0), Since::AtLeast(1 << 20)] {
        let found = scan(key(), &ring, since).expect("there is memory");
        let mut last = None;
        let replayed = found.replay(key(), &ring, |record, payload| {
            assert_eq!(crc32c::crc32c(payload), record.payload_crc);
            assert!(Some(record.lsn) > last, "{} behind {last:?}", record.lsn);
            last = Some(record.lsn);
            std::io::Result::Ok(())
        });
        replayed.expect("there is memory");
        assert!(Some(found.next_lsn) > last, "an LSN would be given twice");
    }
}

pub(super) fn put(files: &SimFiles, path: &Path, bytes: &[u8]) {
    let file = files.open(path, OpenMode::Create).expect("there is memory");
    file.set_len(0).expect("there is memory");
    file.write_all_at(&[std::io::IoSlice::new(bytes)], 0).expect("there is memory");
}

pub fn meta_properties(bytes: &[u8]) {
    let Ok(found) = MetaProperties::decode(bytes) else { return };
    assert_eq!(MetaProperties::decode(found.encode().as_bytes()), Ok(found));
}

pub fn partition_metadata(bytes: &[u8]) {
    let Some(found) = meta::decode_partition(bytes) else { return };
    assert_eq!(meta::decode_partition(meta::encode_partition(found).as_bytes()), Some(found));
}

pub fn epochs(bytes: &[u8]) {
    let Some(found) = EpochCache::decode(bytes) else { return };
    assert_eq!(EpochCache::decode(found.encode().as_bytes()), Some(found));
}

pub fn clean_offsets(bytes: &[u8]) {
    let Some(found) = clean_offsets_file::decode(bytes) else { return };
    let again = clean_offsets_file::encode(found.iter().map(|(name, offset)| (name.as_str(), *offset)));
    assert_eq!(clean_offsets_file::decode(again.as_bytes()), Some(found));
}

pub fn replay_floor(bytes: &[u8]) {
    if let Some(lsn) = floor::decode(bytes) {
        assert_eq!(floor::encode(lsn), bytes);
    }
}

pub fn txn_sums(bytes: &[u8]) {
    if let Some(found) = sums::decode(bytes) {
        assert_eq!(sums::encode(&found), bytes);
    }
}

pub fn compaction(bytes: &[u8]) {
    trial::compact_alone(bytes, &SimRandom::new(bytes.len() as u64));
}

/// The file of pieces: each that is taken has its checksum, and its bytes are there.
pub fn quarantine(bytes: &[u8]) {
    let (files, path) = (SimFiles::new(1), Path::new("/0.quarantine"));
    put(&files, path, bytes);
    let found = Pieces::read(&files, path).expect("there is memory");
    let mut at = 0;
    for piece in found.iter() {
        let head: &[u8; HEAD_BYTES] = bytes[at..].first_chunk().expect("it was accepted");
        assert_eq!(piece.encode(), head);
        assert_eq!(Piece::decode(head), Some(*piece));
        at += HEAD_BYTES + piece.bytes as usize;
        assert!(at <= bytes.len());
    }
}

pub fn producer_snapshot(bytes: &[u8]) {
    let Some(found) = snapshot::decode(bytes) else { return };
    assert_eq!(bytes[2..6], crc32c::crc32c(&bytes[6..]).to_be_bytes());
    assert_eq!(snapshot::decode(&snapshot::encode(&found)), Some(found));
}

pub fn state_image(bytes: &[u8]) {
    let Ok((next, records)) = images::decode(bytes) else { return };
    let records: Vec<Vec<u8>> = records.into_iter().map(<[u8]>::to_vec).collect();
    assert_eq!(images::encode(next, &records), bytes);
}

/// What is taken is in order, and is the same when it is written and read again.
pub fn txn_index(bytes: &[u8]) {
    for base in [Offset(0), Offset(1 << 20)] {
        let found = txns::decode(bytes, base);
        assert!(found.iter().all(|entry| entry.last >= base && entry.first < entry.last));
        assert!(found.windows(2).all(|pair| pair[0].last < pair[1].last));
        let mut again = Vec::new();
        found.iter().for_each(|entry| txns::push(&mut again, entry));
        assert_eq!(again, bytes[..found.len() * txns::ENTRY_BYTES]);
    }
}

/// It is the same boot only if every byte says so.
pub fn lock_file(bytes: &[u8]) {
    let (files, dir) = (SimFiles::new(1), Path::new("/"));
    put(&files, &dir.join(lock::FILE_NAME), bytes);
    let boot = files.boot_id().expect("the simulation has one");
    assert_eq!(lock::pages(&files, dir) == Pages::Kept, bytes == boot.as_bytes());
    lock::note_replayed(&files, dir).expect("there is memory");
    assert_eq!(lock::pages(&files, dir), Pages::Unjudged);
    lock::note_boot(&files, dir).expect("there is memory");
    assert_eq!(lock::pages(&files, dir), Pages::Kept);
    lock::distrust(&files, dir);
    assert_eq!(lock::pages(&files, dir), Pages::Doubtful);
}
