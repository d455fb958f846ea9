use super::*;
use crate::batch::BatchHeader;
use crate::env::Env;
use crate::{
    BatchBuilder, Bound, DataDir, DataDirOptions, Durability, Flushing, LeaderEpoch, LogConfig, LogId,
    Offset, Origin, TopicId, check_internal,
};

const DIR: &str = "/data";

fn options() -> DataDirOptions {
    DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() }
}

fn id(number: u8) -> LogId {
    LogId { topic: TopicId([number; 16]), partition: 0 }
}

fn open(env: &Env) -> (Arc<DataDir>, Vec<Arc<Log>>) {
    let dir = DataDir::open(env.clone(), PathBuf::from(DIR), options()).unwrap();
    let open = |number: u8| {
        dir.open_log(id(number), &format!("t{number}-0"), LogConfig::default(), LeaderEpoch(1)).unwrap()
    };
    let logs = (1..=3).map(open).collect();
    (dir, logs)
}

fn append(log: &Log, bytes: usize) -> crate::Ticket {
    let value = vec![b'x'; bytes];
    let batch = BatchBuilder::new(1).push(None, Some(&value), &[]).build();
    log.append(check_internal(batch).unwrap(), Origin::Client, None)
}

fn read_all(log: &Log) -> Vec<i64> {
    let (mut next, mut found) = (log.start_offset(), Vec::new());
    while next < log.high_watermark() {
        let plan = log.read(next, 1, true, Bound::HighWatermark).unwrap();
        let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
        let header = BatchHeader::parse(&bytes).unwrap();
        found.push(header.base_offset.0);
        next = header.next_offset();
    }
    found
}

#[test]
fn a_commit_makes_many_logs_durable_without_touching_their_files() {
    let (env, files, _) = Env::simulated(1);
    let (dir, logs) = open(&env);
    let tickets: Vec<_> = logs.iter().flat_map(|log| [append(log, 10), append(log, 20)]).collect();
    assert!(tickets.iter().all(|t| t.peek().is_none()), "nothing is durable yet");
    assert_eq!(logs[0].high_watermark(), Offset(0), "nobody sees it yet");
    let before = dir.stats().journal.commits;
    dir.flush();
    assert_eq!(dir.stats().journal.commits - before, 1, "one write for all");
    assert!(tickets.iter().all(|t| matches!(t.peek(), Some(Ok(_)))));
    assert_eq!(logs[0].high_watermark(), Offset(2));
    files.crash();
    drop((dir, logs, tickets));
    let (_dir, logs) = open(&env);
    for log in &logs {
        assert_eq!(read_all(log), [0, 1], "the journal has what the segments lost");
    }
}

#[test]
fn a_long_append_spans_several_commits_and_files() {
    let (env, files, _) = Env::simulated(2);
    let (dir, logs) = open(&env);
    let ticket = append(&logs[0], 50 << 10);
    dir.flush();
    assert!(matches!(ticket.peek(), Some(Ok(_))));
    files.crash();
    drop((dir, logs, ticket));
    let (_dir, logs) = open(&env);
    assert_eq!(read_all(&logs[0]), [0]);
}

#[test]
fn files_are_used_again_and_appends_never_fail_for_a_full_journal() {
    let (env, files, _) = Env::simulated(3);
    let (dir, logs) = open(&env);
    for round in 0..200 {
        let tickets: Vec<_> = logs.iter().map(|log| append(log, 3000)).collect();
        if round % 7 == 0 {
            dir.flush();
            assert!(tickets.iter().all(|t| matches!(t.peek(), Some(Ok(_)))), "round {round}");
        }
    }
    dir.flush();
    let stats = dir.stats();
    assert!(stats.journal.committed_bytes > 10 * stats.journal.capacity_bytes);
    assert!(stats.journal.capacity_bytes <= JournalOptions::SMALL.bytes_max);
    assert!(stats.checkpoints > 2, "{stats:?}");
    files.crash();
    drop((dir, logs));
    let (_dir, logs) = open(&env);
    for log in &logs {
        assert_eq!(read_all(log).len(), 200);
    }
}

#[test]
fn an_append_that_finds_the_journal_full_waits_and_keeps_its_order() {
    let (env, _files, _) = Env::simulated(4);
    let (dir, logs) = open(&env);
    let tickets: Vec<_> = (0..600).map(|_| append(&logs[0], 30 << 10)).collect();
    assert!(dir.stats().waiting_appends > 0, "{:?}", dir.stats());
    assert!(!tickets.last().unwrap().is_placed());
    dir.flush();
    for (place, ticket) in tickets.iter().enumerate() {
        assert_eq!(ticket.peek().unwrap().unwrap().base, Offset(place as i64));
    }
}

/// A receive buffer serves many connections: a few bytes that wait must not keep it.
#[test]
fn a_small_append_that_waits_keeps_nothing_but_itself() {
    let (env, _files, _) = Env::simulated(6);
    let (dir, logs) = open(&env);
    let received = BatchBuilder::new(1).push(None, Some(b"small"), &[]).build();
    while dir.stats().waiting_appends == 0 {
        append(&logs[0], 30 << 10);
    }
    let ticket = logs[0].append(check_internal(received.clone()).unwrap(), Origin::Client, None);
    assert!(!ticket.is_placed());
    assert!(received.is_unique(), "the buffer is free again");
    dir.flush();
    assert!(matches!(ticket.peek(), Some(Ok(_))));
}

#[test]
fn an_operation_is_replayed_only_where_it_belongs() {
    let (env, files, _) = Env::simulated(5);
    let (dir, logs) = open(&env);
    let kept = append(&logs[0], 100);
    let gone = append(&logs[1], 100);
    dir.flush();
    dir.delete_log(&logs[1]).unwrap();
    dir.flush();
    files.crash();
    drop((dir, logs, kept, gone));
    let (dir, logs) = open(&env);
    assert_eq!((read_all(&logs[0]).len(), read_all(&logs[1]).len()), (1, 0));
    assert!(dir.logs_on_disk().iter().all(|(name, _)| name != "t2-0"), "a deleted log is not made again");
}

#[test]
fn a_log_that_becomes_durable_loses_nothing_from_then_on() {
    for seed in 0..40 {
        let (env, files, _) = Env::simulated(seed);
        let (dir, logs) = open(&env);
        let relaxed = LogConfig { durability: Durability::Relaxed, ..LogConfig::default() };
        logs[0].reconfigure(relaxed);
        dir.flush();
        append(&logs[0], 100);
        logs[0].reconfigure(LogConfig::default());
        append(&logs[0], 100);
        dir.flush();
        assert_eq!(logs[0].durability(), Durability::Durable);
        let last = append(&logs[0], 100);
        dir.flush();
        assert!(matches!(last.peek(), Some(Ok(_))));
        files.crash();
        drop((dir, logs, last));
        let (_dir, logs) = open(&env);
        assert_eq!(read_all(&logs[0]), [0, 1, 2], "seed {seed}");
    }
}

#[test]
fn sizes_are_made_to_fit() {
    let tiny = JournalOptions { bytes_max: 1, file_bytes: 1, commit_bytes_max: 1, direct: false }.fitting();
    assert!(tiny.commit_bytes_max as u64 <= tiny.file_bytes && tiny.commit_bytes_max >= BLOCK_BYTES);
    assert_eq!(JournalOptions::default().fitting(), JournalOptions::default());
}
