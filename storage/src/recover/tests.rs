//! Recovery asked directly, of files that something happened to.

use std::path::PathBuf;

use super::*;
use crate::env::{Env, OpenMode, SimFiles};
use crate::{
    BatchBuilder, DataDir, DataDirOptions, Durability, Flushing, JournalOptions, LeaderEpoch, LogConfig,
    LogId, Origin, TopicId, check_internal,
};

const LOG: &str = "/data/topic-0";

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
    let id = LogId { topic: TopicId([7; 16]), partition: 0 };
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
    let found = recover(&env.files, Path::new(LOG), None, false, Depth::Unknown).unwrap();
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
