//! Whose directory it is, and what happens to directories of logs.

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::config::{Durability, LogConfig, UNCOVERED_BYTES_MAX, UNFLUSHED_BYTES_MAX, UNFLUSHED_BYTES_MIN};
use crate::env::{Files, OpenMode, SimFiles};
use crate::ids::{LeaderEpoch, LogId, Offset, TopicId};
use crate::meta;
use crate::plan::{OffsetSpec, Origin};
use crate::records::BatchBuilder;
use crate::syncs::SYNC_EACH_MAX;
use crate::validate::check_internal;

const DIR: &str = "/d/data";

fn options() -> DataDirOptions {
    DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() }
}

fn open(env: &Env, options: DataDirOptions) -> Result<Arc<DataDir>, OpenError> {
    DataDir::open(env.clone(), PathBuf::from(DIR), options)
}

fn put(files: &SimFiles, name: &str, text: &str) {
    let path = Path::new(DIR).join(name);
    files.create_dir_all(path.parent().unwrap()).unwrap();
    let file = files.open(&path, OpenMode::Create).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(&[IoSlice::new(text.as_bytes())], 0).unwrap();
}

fn id(topic: u8, partition: i32) -> LogId {
    LogId { topic: TopicId([topic; 16]), partition }
}

fn log(dir: &DataDir, id: LogId, name: &str) -> Result<Arc<Log>, OpenError> {
    let config = LogConfig { durability: Durability::Relaxed, ..Default::default() };
    dir.open_log(id, name, config, LeaderEpoch(0))
}

fn append(log: &Log) {
    let batch = BatchBuilder::new(1).push(None, Some(b"v"), &[]).build();
    log.append(check_internal(batch).unwrap(), Origin::Client, None).wait().unwrap();
}

#[test]
fn identity_is_made_once_and_checked() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    let meta = dir.meta().clone();
    assert_eq!((meta.node_id, meta.cluster_id.len()), (1, 22));
    assert!(matches!(open(&env, options()), Err(OpenError::Locked { .. })));
    dir.close();
    let again = open(&env, options()).unwrap();
    assert_eq!(again.meta(), &meta);
    drop(again);
    files.crash();
    assert_eq!(open(&env, options()).unwrap().meta(), &meta, "it survives a power cut");
    let other = DataDirOptions { cluster_id: Some("other".to_owned()), ..options() };
    assert!(matches!(open(&env, other), Err(OpenError::OtherCluster { .. })));
    let other = DataDirOptions { node_id: 2, ..options() };
    assert!(matches!(open(&env, other), Err(OpenError::OtherNode { found: 1, expected: 2, .. })));
}

#[test]
fn kafkas_directory_is_refused_untouched() {
    let (env, files, _) = Env::simulated(1);
    put(
        &files,
        "meta.properties",
        "#\nversion=1\ncluster.id=x\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAEA\n",
    );
    let before = files.list(Path::new(DIR)).unwrap();
    let error = open(&env, options()).err().unwrap();
    assert!(matches!(error, OpenError::KafkaDirectory { .. }));
    assert!(error.to_string().contains("`ottla log adopt`"));
    assert_eq!(files.list(Path::new(DIR)).unwrap(), before);
}

#[test]
fn newer_formats_and_strangers_are_refused() {
    let (env, files, _) = Env::simulated(1);
    put(&files, "meta.properties", "ottla.format=2\n");
    assert!(matches!(open(&env, options()), Err(OpenError::NewerFormat { found: 2, .. })));
    put(&files, "meta.properties", "ottla.format=1\n");
    assert!(matches!(open(&env, options()), Err(OpenError::MetaInvalid { .. })));
    files.remove_file(&Path::new(DIR).join("meta.properties")).unwrap();
    put(&files, "topic-0/00000000000000000000.log", "");
    assert!(matches!(open(&env, options()), Err(OpenError::MetaMissing { .. })));
}

#[test]
fn another_topics_directory_is_set_aside_and_never_served() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    append(&log(&dir, id(1, 0), "t-0").unwrap());
    assert!(matches!(log(&dir, id(1, 0), "t-0"), Err(OpenError::AlreadyOpen { .. })));
    assert!(matches!(log(&dir, id(1, 1), "t-0"), Err(OpenError::BadName(_))));
    dir.close();
    let dir = open(&env, options()).unwrap();
    let other = log(&dir, id(2, 0), "t-0").unwrap();
    assert_eq!(other.end_offset(), Offset(0));
    let names = files.list(Path::new(DIR)).unwrap();
    assert!(names.iter().any(|entry| entry.name.starts_with("t-0.") && entry.name.ends_with("-stray")));
    assert!(dir.logs_on_disk().is_empty());
}

#[test]
fn the_directory_of_an_open_log_is_nobody_elses() {
    let (env, _, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    let mine = log(&dir, id(1, 0), "t-0").unwrap();
    append(&mine);
    assert!(matches!(log(&dir, id(2, 0), "t-0"), Err(OpenError::DirectoryInUse { .. })));
    append(&mine);
    assert_eq!(mine.end_offset(), Offset(2));
    dir.delete_log(&mine).unwrap();
    let theirs = log(&dir, id(2, 0), "t-0").unwrap();
    append(&theirs);
    assert_eq!(theirs.end_offset(), Offset(1));
}

#[test]
fn a_deletion_takes_no_directory_that_has_become_another_logs() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    // Opened and never written: the directory that is there at its deletion cannot be its own.
    let old = log(&dir, id(1, 0), "t-0").unwrap();
    put(&files, "t-0/partition.metadata", &meta::encode_partition(id(2, 0).topic));
    put(&files, "t-0/00000000000000000000.log", "theirs");
    dir.delete_log(&old).unwrap();
    assert!(files.exists(&Path::new(DIR).join("t-0")));
}

#[test]
fn a_log_that_is_gone_is_reported_and_not_served_empty() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    append(&log(&dir, id(1, 0), "t-0").unwrap());
    append(&log(&dir, id(2, 0), "u-0").unwrap());
    dir.close();
    files.remove_dir_all(&Path::new(DIR).join("t-0")).unwrap();
    files.remove_file(&Path::new(DIR).join("u-0").join("00000000000000000000.log")).unwrap();
    let dir = open(&env, options()).unwrap();
    assert!(matches!(log(&dir, id(1, 0), "t-0"), Err(OpenError::LogGone { .. })));
    assert!(matches!(log(&dir, id(2, 0), "u-0"), Err(OpenError::LogGone { .. })));
    // A log that is not opened stays known.
    dir.close();
    let dir = open(&env, options()).unwrap();
    assert!(matches!(log(&dir, id(1, 0), "t-0"), Err(OpenError::LogGone { .. })));
}

#[test]
fn a_lost_partition_metadata_is_put_back_from_the_checkpoint() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    append(&log(&dir, id(1, 0), "t-0").unwrap());
    dir.close();
    let path = Path::new(DIR).join("t-0").join("partition.metadata");
    let text = files.content(&path).unwrap();
    files.remove_file(&path).unwrap();
    let dir = open(&env, options()).unwrap();
    assert_eq!(dir.logs_on_disk(), [("t-0".to_owned(), Some(id(1, 0)))]);
    assert_eq!(log(&dir, id(1, 0), "t-0").unwrap().end_offset(), Offset(1));
    assert_eq!(files.content(&path).unwrap(), text);
}

#[test]
fn strays_are_renamed_and_deletions_finished() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    let open_log = log(&dir, id(1, 0), "t-0").unwrap();
    append(&open_log);
    assert!(dir.stray("t-0").is_err(), "not while it is open");
    assert!(dir.stray("../x").is_err());
    put(&files, "old-0/partition.metadata", "rubbish");
    put(&files, "new-0/partition.metadata", "");
    assert!(dir.logs_on_disk().contains(&("old-0".to_owned(), None)));
    dir.stray("old-0").unwrap();
    dir.stray("new-0").unwrap();
    dir.delete_log(&open_log).unwrap();
    files.crash();
    let names = || files.list(Path::new(DIR)).unwrap();
    assert!(names().iter().any(|entry| entry.name.ends_with("-delete")), "the rename is durable");
    let dir = open(&env, options()).unwrap();
    assert!(!names().iter().any(|entry| entry.name.ends_with("-delete")));
    let strays: Vec<_> = names().into_iter().filter(|entry| entry.name.ends_with("-stray")).collect();
    assert!(strays.len() == 1 && strays[0].name.starts_with("old-0"), "what was never written to is no loss");
    assert!(dir.logs_on_disk().is_empty());
}

#[test]
fn a_start_on_a_full_disk_says_so_and_harms_nothing() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    let written = dir.open_log(id(1, 0), "t-0", LogConfig::default(), LeaderEpoch(1)).unwrap();
    assert_eq!(written.durability(), Durability::Durable);
    let batch = BatchBuilder::new(1).push(None, Some(b"value"), &[]).build();
    written.append(check_internal(batch).unwrap(), Origin::Client, None);
    dir.flush();
    drop((dir, written));
    files.crash();
    files.set_free_bytes(0);
    let error = open(&env, options()).err().expect("there is no room for a checkpoint");
    assert!(error.to_string().contains("make room"), "{error}");
    files.kill();
    files.set_free_bytes(1 << 20);
    let dir = open(&env, options()).unwrap();
    assert_eq!(log(&dir, id(1, 0), "t-0").unwrap().end_offset(), Offset(1));
}

#[test]
fn the_longest_name_can_still_be_renamed() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    let name = format!("{}-12", "t".repeat(249));
    let long = log(&dir, id(1, 12), &name).unwrap();
    append(&long);
    dir.delete_log(&long).unwrap();
    let names = files.list(Path::new(DIR)).unwrap();
    assert!(names.iter().all(|entry| entry.name.len() <= 255));
}

#[test]
fn a_damaged_checkpoint_costs_a_scan_and_no_data() {
    let (env, files, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    append(&log(&dir, id(1, 0), "t-0").unwrap());
    dir.close();
    files.flip_bit(&Path::new(DIR).join("checkpoint"), 20, 3).unwrap();
    let dir = open(&env, options()).unwrap();
    assert_eq!(log(&dir, id(1, 0), "t-0").unwrap().end_offset(), Offset(1));
}

#[test]
fn dropping_without_close_ends_the_thread_and_frees_the_logs() {
    let (env, _, _) = Env::simulated(1);
    let dir = open(&env, DataDirOptions { flushing: Flushing::Thread, ..options() }).unwrap();
    let open_log = dir.open_log(id(1, 0), "t-0", LogConfig::default(), LeaderEpoch(0)).unwrap();
    let weak = Arc::downgrade(&open_log);
    append(&open_log);
    drop(open_log);
    drop(dir);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_log_may_be_deleted_while_it_is_flushed() {
    let (env, _, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) && !dir.is_offline() {
                dir.shared.flush_queued();
            }
        });
        for turn in 0..1_000 {
            let log = log(&dir, id(1, turn), &format!("t-{turn}")).unwrap();
            append(&log);
            dir.shared.mark_dirty(&log);
            dir.delete_log(&log).unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(!dir.is_offline());
}

#[test]
fn many_logs_are_closed_in_order_though_nothing_was_written_to_one() {
    let (env, _, _) = Env::simulated(1);
    let many = SYNC_EACH_MAX as i32 + 2;
    let open_all = |dir: &DataDir| -> Vec<_> {
        (0..many).map(|n| log(dir, id(1, n), &format!("t-{n}")).unwrap()).collect()
    };
    let dir = open(&env, options()).unwrap();
    open_all(&dir)[1..].iter().for_each(|log| append(log));
    dir.close();
    assert!(!dir.is_offline());
    let dir = open(&env, options()).unwrap();
    assert!(open_all(&dir)[1..].iter().all(|log| log.end_offset() == Offset(1)));
    dir.close();
    assert!(!dir.is_offline());
}

#[test]
fn what_relaxed_logs_flush_brings_a_checkpoint_in_time() {
    let (env, _, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    let log = log(&dir, id(1, 0), "t-0").unwrap();
    let uncovered = &dir.shared.counts.uncovered_bytes;
    let flush = || {
        append(&log);
        dir.shared.mark_dirty(&log);
        dir.flush();
        dir.shared.journal().wanted().checkpoint
    };
    assert!(!flush(), "one batch is little");
    let bytes = log.size_bytes();
    assert_eq!(uncovered.load(Ordering::Relaxed), bytes, "what was flushed counts");
    uncovered.store(UNCOVERED_BYTES_MAX - bytes - 1, Ordering::Relaxed);
    assert!(!flush(), "a byte is missing");
    assert!(flush(), "recovery would have to judge more than allowed");
    dir.checkpoint();
    assert_eq!(uncovered.load(Ordering::Relaxed), 0);
    assert!(!flush(), "the count begins anew");
}

#[test]
fn relaxed_logs_are_flushed_when_they_are_together_too_far_behind() {
    let (env, _, _) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    let logs = [0, 1].map(|partition| log(&dir, id(1, partition), &format!("t-{partition}")).unwrap());
    let unflushed = || dir.shared.counts.unflushed_bytes.load(Ordering::Relaxed);
    let due = || dir.shared.queues.lock().dirty.len();
    let value = vec![b'x'; 1 << 20];
    let append = |log: &Log| {
        let batch = BatchBuilder::new(1).push(None, Some(&value), &[]).build();
        drop(log.append(check_internal(batch).unwrap(), Origin::Client, None));
    };
    (0..UNFLUSHED_BYTES_MIN >> 20).for_each(|_| append(&logs[0]));
    assert_eq!((due(), unflushed()), (0, logs[0].size_bytes()), "one has much, both do not");
    dir.shared.counts.unflushed_bytes.fetch_add(UNFLUSHED_BYTES_MAX, Ordering::Relaxed);
    append(&logs[1]);
    assert_eq!(due(), 0, "both have much, but this one has little of it");
    append(&logs[0]);
    assert_eq!(due(), 1);
    dir.flush();
    dir.delete_log(&logs[1]).unwrap();
    assert_eq!(unflushed(), UNFLUSHED_BYTES_MAX, "what is flushed or deleted does not count");
}

/// After a failed flush the kernel calls pages clean that are not on the disk: a start that believed them would lose what
/// was acknowledged with the next power cut.
#[test]
fn a_flush_that_fails_at_a_start_costs_nothing_that_was_acknowledged() {
    let open_log = |dir: &DataDir| {
        let config = LogConfig { durability: Durability::Durable, ..Default::default() };
        dir.open_log(id(1, 0), "t-0", config, LeaderEpoch(0))
    };
    let mut failed = 0;
    for (nth, is_together) in (1..=30).flat_map(|nth| [(nth, false), (nth, true)]) {
        let (env, files, _) = Env::simulated(nth);
        let dir = open(&env, options()).unwrap();
        let log = open_log(&dir).unwrap();
        let batch = BatchBuilder::new(1).push(None, Some(b"v"), &[]).build();
        let ticket = log.append(check_internal(batch).unwrap(), Origin::Client, None);
        dir.flush();
        ticket.wait().expect("it is in the journal");
        drop((log, dir));
        files.kill();
        files.fail_sync_after(Some(nth));
        if let Ok(dir) = open(&env, options()) {
            let together = is_together.then(|| dir.open_together());
            let log = open_log(&dir);
            drop(together);
            let is_read = log.is_ok_and(|log| log.offset_for(OffsetSpec::Latest).is_ok());
            assert_ne!(is_read, dir.is_offline(), "flush {nth}: what may vanish is not served");
            failed += u32::from(dir.is_offline());
        } else {
            failed += 1;
        }
        files.fail_sync_after(None);
        files.kill();
        drop(open(&env, options()).and_then(|dir| open_log(&dir)).expect("the disk is well again"));
        files.crash();
        let dir = open(&env, options()).unwrap();
        assert_eq!(open_log(&dir).unwrap().end_offset(), Offset(1), "flush {nth} of a start failed");
    }
    assert!(failed > 10, "{failed} starts met a flush that failed");
}

#[test]
fn each_checkpoint_is_told_of() {
    let (env, _, clock) = Env::simulated(1);
    let (told, heard) = std::sync::mpsc::channel();
    let options = DataDirOptions {
        flushing: Flushing::Thread,
        checkpoint_interval: Duration::from_millis(5),
        // Nobody listens any more when the test is over.
        on_checkpoint: Some(Arc::new(move |_| {
            let _ = told.send(());
        })),
        ..options()
    };
    let dir = open(&env, options).unwrap();
    for count in 1..=3 {
        // The thread may look at the clock for the first time only after it was moved.
        let is_told = (0..2_000).any(|_| {
            clock.advance(Duration::from_millis(5));
            heard.recv_timeout(Duration::from_millis(10)).is_ok()
        });
        assert!(is_told && dir.stats().checkpoints >= count);
    }
}

/// Whether a disk counts as slow after appends that took so long, with so much time between them.
fn is_slow(took_ms: u64, between_ms: u64, times: u32) -> bool {
    let (env, _, clock) = Env::simulated(1);
    let dir = open(&env, options()).unwrap();
    for _ in 0..times {
        clock.advance(Duration::from_millis(between_ms + took_ms));
        dir.shared.took(Duration::from_millis(took_ms));
    }
    dir.shared.is_slow()
}

#[test]
fn a_disk_is_slow_when_appends_stall_for_much_of_the_time() {
    assert!(is_slow(50, 0, 4), "one behind the other");
    assert!(!is_slow(50, 0, 3));
    assert!(is_slow(300, 5000, 1), "one that is long enough");
    assert!(!is_slow(19, 0, 1000), "shorter than a stall");
    assert!(!is_slow(30, 120, 1000), "a fifth of the time");
    assert!(is_slow(30, 60, 1000), "a third of the time");
}
