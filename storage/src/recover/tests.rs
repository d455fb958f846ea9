//! Recovery asked directly, of files that something happened to.

use std::path::PathBuf;

use super::*;
use crate::env::{Env, OpenMode, SimFiles};
use crate::lock_file;
use crate::{
    BatchBuilder, DataDir, DataDirOptions, Durability, Flushing, JournalOptions, LeaderEpoch, LogConfig,
    LogId, Origin, TopicId, check_internal,
};

const LOG: &str = "/data/topic-0";
const ID: LogId = LogId { topic: TopicId([7; 16]), partition: 0 };

/// A log of two segments whose process was killed.
fn killed() -> (Env, SimFiles) {
    let (env, files, _) = Env::simulated(1);
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from("/data"), options).unwrap();
    let config = LogConfig {
        segment_bytes: 800,
        index_interval_bytes: 0,
        segment_index_bytes: 1 << 16,
        durability: Durability::Durable,
        ..LogConfig::default()
    };
    let id = ID;
    let log = dir.open_log(id, "topic-0", config, LeaderEpoch(1)).unwrap();
    for number in 0..14 {
        let batch = BatchBuilder::new(number).push(None, Some(b"a value of some length"), &[]).build();
        log.append(check_internal(batch).unwrap(), Origin::Client, None);
    }
    dir.flush();
    assert_eq!(log.segment_count(), 2);
    files.kill();
    (env, files)
}

fn recovered(env: &Env) -> (Offset, u64, u64) {
    recovered_with(env, Pages::Lost)
}

fn recovered_with(env: &Env, pages: Pages) -> (Offset, u64, u64) {
    let found = recover(&env.files, ID, Path::new(LOG), None, pages, Depth::Unknown).unwrap();
    (found.end.offset, found.end.position, found.quarantined_bytes)
}

fn last_log(files: &SimFiles) -> (PathBuf, u64) {
    let names = files.list(Path::new(LOG)).unwrap();
    let last = names.iter().rfind(|entry| entry.name.ends_with(".log")).unwrap();
    (Path::new(LOG).join(&last.name), last.len)
}

#[test]
fn wherever_the_last_write_is_cut_whole_batches_stay() {
    let (_, len) = last_log(&killed().1);
    let (batches, whole) = (6, recovered(&killed().0));
    let batch_bytes = len / batches;
    for cut in 0..=len {
        let (env, files) = killed();
        let (path, _) = last_log(&files);
        files.open(&path, OpenMode::Write).unwrap().set_len(cut).unwrap();
        let left = (cut / batch_bytes) as i64;
        let expected = (Offset(whole.0.0 - batches as i64 + left), left as u64 * batch_bytes, 0);
        assert_eq!(recovered(&env), expected, "cut at {cut}; a torn tail is no damage");
    }
}

/// Two bits, so that neither checksum nor header can be mended: in the first batch of a segment with another behind it.
#[test]
fn damage_is_taken_for_a_power_cuts_only_where_there_was_one() {
    let whole = recovered(&killed().0);
    let found = |pages| {
        let (env, files) = killed();
        let first = Path::new(LOG).join("00000000000000000000.log");
        let bytes = files.open(&first, OpenMode::Read).unwrap().len().unwrap();
        files.flip_bit(&first, 70, 0).unwrap();
        files.flip_bit(&first, 71, 0).unwrap();
        (recovered_with(&env, pages), bytes)
    };
    let (kept, bytes) = found(Pages::Kept);
    assert_eq!(kept, (whole.0, whole.1, bytes / 8), "one batch of eight is set aside, nothing else is lost");
    let (unjudged, _) = found(Pages::Unjudged);
    assert_eq!(unjudged.0, Offset(0), "what a power cut left ends where the first page is missing");
}

#[test]
fn a_directory_is_trusted_once_all_its_logs_were_judged() {
    let (env, files) = killed();
    let path = Path::new("/data");
    assert_eq!(lock_file::pages(&files, path), Pages::Kept, "it was new");
    let open = || {
        let options = DataDirOptions {
            flushing: Flushing::Manual,
            journal: JournalOptions::SMALL,
            ..Default::default()
        };
        DataDir::open(env.clone(), path.to_owned(), options).unwrap()
    };
    let dir = open();
    let id = ID;
    dir.open_log(id, "topic-0", LogConfig::default(), LeaderEpoch(1)).unwrap();
    dir.checkpoint();
    drop(dir);
    files.crash();
    assert_eq!(lock_file::pages(&files, path), Pages::Lost);
    let dir = open();
    assert_eq!(lock_file::pages(&files, path), Pages::Unjudged);
    dir.checkpoint();
    assert_eq!(lock_file::pages(&files, path), Pages::Unjudged, "a log is still to be judged");
    drop(dir);
    files.kill();
    let dir = open();
    assert_eq!(lock_file::pages(&files, path), Pages::Unjudged, "a kill judges nothing");
    dir.open_log(id, "topic-0", LogConfig::default(), LeaderEpoch(1)).unwrap();
    dir.checkpoint();
    assert_eq!(lock_file::pages(&files, path), Pages::Kept);
}

/// A directory whose records are all gone says whose it is: the next append must not put that at risk.
#[test]
fn an_append_to_an_empty_log_leaves_its_owner_where_it_stands() {
    for seed in 0..20 {
        let (env, files, _) = Env::simulated(seed);
        let options = DataDirOptions { flushing: Flushing::Manual, ..Default::default() };
        let dir = DataDir::open(env.clone(), PathBuf::from("/data"), options).unwrap();
        let topic = TopicId([7; 16]);
        let metadata = Path::new(LOG).join(meta::PARTITION_FILE_NAME);
        files.create_dir(Path::new(LOG)).unwrap();
        files.sync_dir(Path::new("/data")).unwrap();
        small_file::replace(&*env.files, &metadata, meta::encode_partition(topic).as_bytes()).unwrap();
        let config = LogConfig { durability: Durability::Relaxed, ..LogConfig::default() };
        let log = dir.open_log(LogId { topic, partition: 0 }, "topic-0", config, LeaderEpoch(1)).unwrap();
        let batch = BatchBuilder::new(1).push(None, Some(b"a value"), &[]).build();
        log.append(check_internal(batch).unwrap(), Origin::Client, None);
        files.crash();
        let found = small_file::read(&*env.files, &metadata).unwrap().unwrap_or_default();
        assert_eq!(meta::decode_partition(&found), Some(topic), "seed {seed}");
    }
}

#[test]
fn a_crash_while_a_segment_is_written_anew_changes_nothing() {
    for seed_of_leftover in 0..3u64 {
        let (env, files) = killed();
        let (path, len) = last_log(&files);
        files.flip_bit(&path, len / 6 + 70, 0).unwrap();
        let mut cleaned = path.clone().into_os_string();
        cleaned.push(".cleaned");
        let leftover = files.open(Path::new(&cleaned), OpenMode::Create).unwrap();
        leftover.set_len(seed_of_leftover * 100).unwrap();
        let first = recovered(&env);
        files.kill();
        assert!(!files.exists(Path::new(&cleaned)));
        let again = recovered(&env);
        assert_eq!((first.0, first.1), (again.0, again.1));
        assert_eq!((first.2, again.2), (len / 6, 0), "nothing is set aside twice");
    }
}
