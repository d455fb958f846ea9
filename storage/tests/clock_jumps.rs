//! The wall clock jumps by an hour, forth and back: only labels of records follow it, nothing waits for it, nothing is
//! lost, and times are found as the records say.

#[path = "slow_directory/watched.rs"]
mod watched;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use storage::env::{RealClock, SimClock, SimFiles};
use storage::{
    BatchBuilder, Bound, Clock, DataDir, DataDirOptions, Durability, Env, Flushing, JournalOptions,
    LeaderEpoch, Log, LogConfig, LogId, Offset, OffsetSpec, Origin, RecordValidation, Rules, Ticket,
    TimestampType, TopicId, check, records,
};

use watched::Watched;

const HOUR_MS: i64 = 3_600_000;
/// What has not come by then never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time that passes as that of another clock, with a wall that jumps.
struct Jumping<C> {
    inner: C,
    ahead_ms: AtomicI64,
}

impl<C> Jumping<C> {
    fn new(inner: C) -> Arc<Jumping<C>> {
        Arc::new(Jumping { inner, ahead_ms: AtomicI64::new(0) })
    }

    fn jump(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl<C: Clock> Clock for Jumping<C> {
    fn now_ms(&self) -> i64 {
        self.inner.now_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }
}

fn world<C: Clock + 'static>(inner: C) -> (Env, SimFiles, Arc<Jumping<C>>) {
    let (env, files, _) = Env::simulated(1);
    let clock = Jumping::new(inner);
    (Env { clock: clock.clone(), ..env }, files, clock)
}

fn open(env: &Env, flushing: Flushing, checkpoint_interval: Duration) -> Arc<DataDir> {
    let journal = JournalOptions::SMALL;
    let options = DataDirOptions { flushing, checkpoint_interval, journal, ..Default::default() };
    DataDir::open(env.clone(), PathBuf::from("/data"), options).unwrap()
}

fn open_log(dir: &DataDir, number: u8, durability: Durability, flush_after: Duration) -> Arc<Log> {
    let id = LogId { topic: TopicId([number; 16]), partition: 0 };
    let config = LogConfig {
        segment_bytes: 1_000,
        index_interval_bytes: 100,
        durability,
        flush_after: Some(flush_after),
        ..LogConfig::default()
    };
    dir.open_log(id, &format!("topic{number}-0"), config, LeaderEpoch(1)).unwrap()
}

/// Appends one record of the time `timestamp`, as a broker does at the time of its clock.
fn append(log: &Log, clock: &dyn Clock, timestamp: i64, timestamp_type: TimestampType) -> Ticket {
    let rules = Rules {
        message_bytes_max: 1 << 20,
        segment_bytes: 1 << 20,
        timestamp_type,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
        now_ms: clock.now_ms(),
        compacted: false,
        walk: RecordValidation::Full,
        compression: None,
        zstd_allowed: true,
    };
    let batch = BatchBuilder::new(timestamp).push(None, Some(b"value"), &[]).build();
    log.append(check(batch, &rules).unwrap(), Origin::Client, None)
}

/// Every record's offset and time.
fn everything(log: &Log) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    for next in 0..log.high_watermark().0 {
        let plan = log.read(Offset(next), 1, true, Bound::HighWatermark).unwrap();
        let batch = plan.parts[0].read().unwrap();
        let record = records(&batch).unwrap().next().unwrap().unwrap();
        found.push((record.offset.0, record.timestamp));
    }
    found
}

/// ListOffsets answers as a look at every record does: the first at or after a time, and the first of the greatest.
fn times_are_found(log: &Log) {
    let all = everything(log);
    for (_, timestamp) in &all {
        for asked in [timestamp - 1, *timestamp, timestamp + 1] {
            let expected = all.iter().find(|(_, time)| *time >= asked).copied();
            let found = log.offset_for(OffsetSpec::Timestamp(asked)).unwrap();
            assert_eq!(found.map(|found| (found.offset.0, found.timestamp)), expected, "at {asked}");
        }
    }
    let greatest = all.iter().map(|(_, time)| *time).max().unwrap();
    let found = log.offset_for(OffsetSpec::MaxTimestamp).unwrap().unwrap();
    assert_eq!(found.timestamp, greatest);
    assert!(all.contains(&(found.offset.0, greatest)));
}

/// A timer is due when the monotonic clock says so, and not when the wall does.
#[test]
fn a_flush_is_due_by_the_monotonic_clock_alone() {
    let time = SimClock::new();
    let (env, files, clock) = world(time.clone());
    let dir = open(&env, Flushing::Manual, Duration::from_secs(60));
    let log = open_log(&dir, 1, Durability::Relaxed, Duration::from_secs(10));
    append(&log, &*clock, clock.now_ms(), TimestampType::CreateTime).wait().unwrap();
    let before = files.operations();
    for by_ms in [HOUR_MS, -2 * HOUR_MS, HOUR_MS] {
        clock.jump(by_ms);
        dir.flush();
        assert_eq!(files.operations(), before, "nothing is due after a jump of {by_ms} ms");
    }
    clock.jump(-HOUR_MS);
    time.advance(Duration::from_secs(10));
    dir.flush();
    assert!(files.operations() > before, "the flush comes in its time although the wall went back");
    files.crash();
    drop((dir, log));
    let dir = open(&env, Flushing::Manual, Duration::from_secs(60));
    assert_eq!(open_log(&dir, 1, Durability::Relaxed, Duration::from_secs(10)).end_offset(), Offset(1));
}

/// With the directory's threads: durable appends, flushes by time and checkpoints by interval go on through jumps.
#[test]
fn the_threads_of_a_directory_do_not_notice() {
    let (env, files, clock) = world(RealClock::new());
    let dir = open(&env, Flushing::Thread, Duration::from_millis(5));
    let logs = [
        (1, Durability::Durable, TimestampType::CreateTime),
        (2, Durability::Relaxed, TimestampType::CreateTime),
        (3, Durability::Durable, TimestampType::LogAppendTime),
    ];
    let flush_after = Duration::from_millis(5);
    let opened: Vec<_> = logs
        .iter()
        .map(|(number, durability, _)| open_log(&dir, *number, *durability, flush_after))
        .collect();
    let begun = clock.monotonic();
    for (round, by_ms) in [HOUR_MS, -HOUR_MS, -HOUR_MS, HOUR_MS].into_iter().cycle().take(40).enumerate() {
        clock.jump(by_ms);
        let checkpoints = dir.stats().checkpoints;
        for (log, (.., timestamp_type)) in opened.iter().zip(logs) {
            let now = clock.now_ms();
            let appended = append(log, &*clock, now - 7, timestamp_type).wait().unwrap();
            assert_eq!(appended.base, Offset(round as i64));
            let stamped = timestamp_type == TimestampType::LogAppendTime;
            assert!(if stamped { appended.append_time >= now } else { appended.append_time == -1 });
        }
        while dir.stats().checkpoints == checkpoints {
            assert!(clock.monotonic() - begun < PATIENCE, "no checkpoint comes after a jump of {by_ms} ms");
            std::thread::yield_now();
        }
    }
    opened.iter().for_each(|log| times_are_found(log));
    let before: Vec<_> = opened.iter().map(|log| everything(log)).collect();
    assert!(
        before[2].windows(2).any(|pair| pair[0].1 > pair[1].1),
        "the log's own times followed the wall back"
    );
    dir.close();
    files.crash();
    drop((dir, opened));
    clock.jump(-HOUR_MS);
    let dir = open(&env, Flushing::Thread, Duration::from_millis(5));
    for ((number, durability, _), before) in logs.into_iter().zip(before) {
        let log = open_log(&dir, number, durability, flush_after);
        assert_eq!(everything(&log), before);
        times_are_found(&log);
    }
    dir.close();
}

/// Retention goes by the wall, as in Kafka: what is due by it goes, and what a jump forth made due before its time is
/// gone; a jump back takes nothing. Segments are rolled by the times of their records, once for a jump forth.
#[test]
fn retention_takes_what_is_due_by_the_wall_and_no_more() {
    let (env, _, clock) = world(SimClock::new());
    clock.jump(1_000 * HOUR_MS);
    let dir = open(&env, Flushing::Manual, Duration::from_secs(60));
    for (number, stamps) in [(1, TimestampType::CreateTime), (2, TimestampType::LogAppendTime)] {
        let log = open_log(&dir, number, Durability::Durable, Duration::from_secs(10));
        log.reconfigure(LogConfig {
            segment_bytes: 1 << 20,
            segment_age_max: Duration::from_secs(1_800),
            retention: Some(Duration::from_secs(2 * 3_600)),
            ..LogConfig::default()
        });
        let append_some = || {
            (0..5).for_each(|_| drop(append(&log, &*clock, clock.now_ms(), stamps)));
            dir.flush();
            dir.retain();
            (log.segment_count(), log.start_offset().0)
        };
        assert_eq!(append_some(), (1, 0));
        clock.jump(HOUR_MS);
        assert_eq!(append_some(), (2, 0), "an hour ahead: a new segment, nothing is two hours old");
        clock.jump(-HOUR_MS);
        assert_eq!(append_some(), (2, 0), "back again: no segment for records that are older");
        clock.jump(-HOUR_MS);
        assert_eq!(append_some(), (2, 0));
        clock.jump(3 * HOUR_MS + 1);
        dir.retain();
        assert_eq!(log.start_offset().0, 5, "two hours and more behind the first segment's last record");
        clock.jump(HOUR_MS);
        dir.retain();
        assert_eq!((log.start_offset().0, log.segment_count()), (20, 3), "all of it, and a new segment");
        clock.jump(-4 * HOUR_MS - 1);
        assert_eq!(append_some().1, 20);
    }
}

/// The flusher's thread sleeps by the monotonic clock too.
#[test]
fn a_thread_flushes_in_time_although_the_wall_went_back() {
    let (env, files, clock) = world(RealClock::new());
    let files = Watched::new(files, "/data/topic1-0");
    let env = Env { files: files.clone(), ..env };
    let dir = open(&env, Flushing::Thread, Duration::from_secs(3_600));
    let log = open_log(&dir, 1, Durability::Relaxed, Duration::from_millis(20));
    append(&log, &*clock, clock.now_ms(), TimestampType::CreateTime).wait().unwrap();
    clock.jump(-HOUR_MS);
    let begun = clock.monotonic();
    while files.flushes() == 0 {
        assert!(clock.monotonic() - begun < PATIENCE, "no flush comes");
        std::thread::yield_now();
    }
    dir.close();
}
