//! A log from outside, on simulated files, flushed by hand.

mod idle;
mod producers;
mod restart;
mod together;
mod transactions;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;

use crate::batch::{BatchHeader, TimestampType, verify_crc};
use crate::codec::testing::{CODECS, compress};
use crate::env::{Env, Files, OpenMode, SimFiles};
use crate::records::BatchBuilder;
use crate::validate::{RecordValidation, Rules, check, check_internal};
use crate::*;

const DIR: &str = "/data";
const NAME: &str = "topic-0";

struct World {
    env: Env,
    files: SimFiles,
    dir: Arc<DataDir>,
    log: Arc<Log>,
    config: LogConfig,
}

fn id() -> LogId {
    LogId { topic: TopicId([7; 16]), partition: 0 }
}

fn small(durability: Durability) -> LogConfig {
    LogConfig {
        segment_bytes: 2_000,
        index_interval_bytes: 200,
        segment_index_bytes: 1 << 20,
        durability,
        ..LogConfig::default()
    }
}

fn open(env: &Env, config: &LogConfig) -> (Arc<DataDir>, Arc<Log>) {
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from(DIR), options).unwrap();
    let log = dir.open_log(id(), NAME, config.clone(), LeaderEpoch(1)).unwrap();
    (dir, log)
}

impl World {
    fn new(config: LogConfig) -> World {
        World::of_seed(1, config)
    }

    fn of_seed(seed: u64, config: LogConfig) -> World {
        let (env, files, _) = Env::simulated(seed);
        let (dir, log) = open(&env, &config);
        World { env, files, dir, log, config }
    }

    fn reopen(&mut self) {
        (self.dir, self.log) = open(&self.env, &self.config);
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(DIR).join(NAME).join(name)
    }

    /// Appends a batch of `count` records at `timestamp` and after it, one millisecond each.
    fn append(&self, count: usize, timestamp: i64) -> Ticket {
        self.log.append(check_internal(batch(count, timestamp)).unwrap(), Origin::Client, None)
    }
}

fn batch(count: usize, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(timestamp);
    for i in 0..count {
        let value = format!("value {timestamp} {i}");
        builder = builder.push_at(timestamp + i as i64, Some(b"key"), Some(value.as_bytes()), &[]);
    }
    builder.build()
}

fn bytes_of(plan: &ReadPlan) -> Vec<u8> {
    let parts: Vec<Bytes> = plan.parts.iter().map(|part| part.read().unwrap()).collect();
    parts.concat()
}

/// Every record below the high watermark as (offset, timestamp, value), the checks of each batch made on the way.
fn everything(log: &Log) -> Vec<(i64, i64, String)> {
    let mut found = Vec::new();
    let mut next = log.start_offset();
    while next < log.high_watermark() {
        let bytes = bytes_of(&log.read(next, 500, true, Bound::HighWatermark).unwrap());
        let mut rest = &bytes[..];
        let before = next;
        while let Ok(header) = BatchHeader::parse(rest) {
            if rest.len() < header.total_bytes() {
                break;
            }
            verify_crc(&header, rest).unwrap();
            assert!(header.base_offset >= next || next == before, "batches continue");
            for record in records(rest).unwrap() {
                let record = record.unwrap();
                let value = String::from_utf8(record.value.unwrap().into_owned()).unwrap();
                found.push((record.offset.0, record.timestamp, value));
            }
            next = header.next_offset();
            rest = &rest[header.total_bytes()..];
        }
        assert!(next > before, "a read gives at least one whole batch");
    }
    found
}

#[test]
fn batches_come_back_as_they_went_in_over_many_segments() {
    let world = World::new(small(Durability::Relaxed));
    let mut offset = 0;
    for i in 0..60 {
        let appended = world.append(1 + i % 5, 1_000 + 10 * i as i64).wait().unwrap();
        assert_eq!(appended.base, Offset(offset));
        offset = appended.last.0 + 1;
        assert_eq!(appended.append_time, NO_TIMESTAMP);
    }
    assert!(world.log.segment_count() >= 4);
    let all = everything(&world.log);
    assert_eq!(all.len() as i64, offset);
    assert!(all.iter().enumerate().all(|(i, record)| record.0 == i as i64));
    assert_eq!(all[1], (1, 1_010, "value 1010 0".to_owned()));
    let first =
        BatchHeader::parse(&bytes_of(&world.log.read(Offset(0), 1, true, Bound::End).unwrap())).unwrap();
    assert_eq!(first.leader_epoch, LeaderEpoch(1));
}

#[test]
fn a_durable_log_shows_only_what_is_flushed() {
    let world = World::new(small(Durability::Durable));
    let ticket = world.append(3, 5);
    assert_eq!(ticket.peek(), None);
    assert_eq!((world.log.end_offset(), world.log.high_watermark()), (Offset(3), Offset(0)));
    assert!(world.log.read(Offset(0), 1000, true, Bound::HighWatermark).unwrap().parts.is_empty());
    assert!(world.log.read(Offset(2), 1000, true, Bound::HighWatermark).unwrap().parts.is_empty());
    assert!(world.log.read(Offset(0), 1000, true, Bound::End).unwrap().bytes > 0);
    assert_eq!(world.log.offset_for(OffsetSpec::Timestamp(0)).unwrap(), None);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(world.log.watch_high_watermark().poll_above(&mut cx, 0).is_pending());
    world.dir.flush();
    assert!(world.log.watch_high_watermark().poll_above(&mut cx, 0).is_ready());
    assert_eq!(ticket.wait().unwrap().last, Offset(2));
    assert_eq!(everything(&world.log).len(), 3);
    assert_eq!(world.dir.stats().journal.commits, 1);
}

#[test]
fn a_relaxed_log_answers_at_once_and_flushes_on_demand() {
    let world = World::new(small(Durability::Relaxed));
    let ticket = world.append(1, 5);
    assert!(ticket.peek().unwrap().is_ok());
    assert_eq!(world.log.high_watermark(), Offset(1));
    let flushed = world.log.flushed(ticket);
    assert_eq!(flushed.peek(), None);
    world.dir.flush();
    assert_eq!(flushed.wait().unwrap().base, Offset(0));
}

#[test]
fn reads_begin_with_the_batch_that_holds_the_offset() {
    let world = World::new(small(Durability::Relaxed));
    for i in 1..5 {
        world.append(5, i * 10);
    }
    let whole = bytes_of(&world.log.read(Offset(0), 10_000, false, Bound::HighWatermark).unwrap());
    let batch_bytes = BatchHeader::parse(&whole).unwrap().total_bytes();
    let plan = world.log.read(Offset(8), 10_000, false, Bound::LastStable).unwrap();
    assert_eq!(BatchHeader::parse(&bytes_of(&plan)).unwrap().base_offset, Offset(5));
    assert_eq!(plan.aborted, Some(Vec::new()));
    assert_eq!((plan.start, plan.high_watermark, plan.last_stable), (Offset(0), Offset(20), Offset(20)));
    // Too small a limit: the whole first batch or nothing.
    assert_eq!(world.log.read(Offset(8), 10, true, Bound::HighWatermark).unwrap().bytes, batch_bytes);
    let nothing = world.log.read(Offset(8), batch_bytes - 1, false, Bound::HighWatermark).unwrap();
    assert!(nothing.parts.is_empty() && nothing.bytes == 0 && nothing.aborted.is_none());
    // A limit between batches cuts the second.
    assert_eq!(
        world.log.read(Offset(0), batch_bytes + 5, false, Bound::HighWatermark).unwrap().bytes,
        batch_bytes + 5
    );
    assert!(world.log.read(Offset(20), 100, true, Bound::HighWatermark).unwrap().parts.is_empty());
    for outside in [Offset(-1), Offset(21)] {
        let error = world.log.read(outside, 100, true, Bound::HighWatermark).err().unwrap();
        assert!(matches!(error, ReadError::OutOfRange { start: Offset(0), end: Offset(20) }));
    }
}

#[test]
fn a_reader_learns_how_much_has_come_without_reading() {
    let world = World::new(small(Durability::Relaxed));
    let high = Bound::HighWatermark;
    let at_end = |offset| world.log.read(Offset(offset), 0, true, high).unwrap().standing;
    let start = at_end(0).unwrap();
    assert_eq!(world.log.bytes_from(start, high).unwrap(), Some(0));
    world.append(5, 10);
    let batch_bytes = world.log.size_bytes();
    assert_eq!(world.log.bytes_from(start, high).unwrap(), Some(batch_bytes));
    let middle = world.log.read(Offset(3), 10_000, true, high).unwrap().standing.unwrap();
    assert_eq!(world.log.bytes_from(middle, high).unwrap(), Some(batch_bytes), "a batch is given whole");
    let end = at_end(5).unwrap();
    world.append(5, 20);
    assert_eq!(world.log.bytes_from(end, high).unwrap(), Some(batch_bytes));
    assert_eq!(world.log.bytes_from(end, Bound::LastStable).unwrap(), Some(batch_bytes));
    while world.log.segment_count() < 2 {
        world.append(5, 30);
    }
    assert_eq!(world.log.bytes_from(end, high).unwrap(), None, "a segment has ended in between");
    assert!(world.log.is_at_hand(Offset(0), high), "nothing tells that simulated files are slow");
    world.dir.delete_log(&world.log).unwrap();
    assert!(world.log.bytes_from(end, high).is_err());
}

#[test]
fn an_empty_log_has_no_directory_and_reads_empty() {
    let world = World::new(small(Durability::Durable));
    assert!(!world.files.exists(&Path::new(DIR).join(NAME)));
    assert!(world.log.read(Offset(0), 100, true, Bound::HighWatermark).unwrap().parts.is_empty());
    assert!(world.log.read(Offset(1), 100, true, Bound::HighWatermark).is_err());
    assert_eq!(world.log.offset_for(OffsetSpec::MaxTimestamp).unwrap(), None);
    assert_eq!((world.log.size_bytes(), world.log.segment_count()), (0, 0));
}

#[test]
fn times_are_found_by_record() {
    let world = World::new(small(Durability::Relaxed));
    // Times rise, but for one batch that is late and one that is far ahead.
    let starts: Vec<i64> = (0..40).map(|i| if i == 20 { 50 } else { 1_000 + i * 10 }).collect();
    for start in &starts {
        world.append(4, *start);
    }
    let all = everything(&world.log);
    for timestamp in (0..1_420).step_by(3) {
        let expected = all.iter().find(|record| record.1 >= timestamp).map(|record| (record.0, record.1));
        let found = world.log.offset_for(OffsetSpec::Timestamp(timestamp)).unwrap();
        assert_eq!(found.map(|f| (f.offset.0, f.timestamp)), expected, "at {timestamp}");
    }
    let max = world.log.offset_for(OffsetSpec::MaxTimestamp).unwrap().unwrap();
    assert_eq!((max.offset, max.timestamp, max.leader_epoch), (Offset(159), 1_393, LeaderEpoch(1)));
    assert_eq!(world.log.offset_for(OffsetSpec::Earliest).unwrap().unwrap().offset, Offset(0));
    let latest = world.log.offset_for(OffsetSpec::Latest).unwrap().unwrap();
    assert_eq!((latest.offset, latest.timestamp), (Offset(160), NO_TIMESTAMP));
}

#[test]
fn the_greatest_time_is_below_the_high_watermark() {
    let world = World::new(LogConfig { segment_bytes: 1 << 20, ..small(Durability::Durable) });
    for i in 0..30 {
        world.append(2, 100 + i);
    }
    world.dir.flush();
    world.append(1, 9_000);
    world.append(1, 8_000);
    let max = world.log.offset_for(OffsetSpec::MaxTimestamp).unwrap().unwrap();
    assert_eq!((max.timestamp, max.offset), (130, Offset(59)));
    assert_eq!(world.log.offset_for(OffsetSpec::Timestamp(5_000)).unwrap(), None);
}

#[test]
fn compressed_and_stamped_batches_are_found_by_time() {
    let world = World::new(small(Durability::Relaxed));
    let rules = Rules { timestamp_type: TimestampType::CreateTime, ..rules() };
    for codec in CODECS {
        let mut builder = BatchBuilder::new(10);
        for i in 0..5 {
            builder = builder.push_at(10 + i, None, Some(b"v"), &[]);
        }
        let batch = builder.finish(codec, |plain| compress(codec, &plain));
        world.log.append(check(batch, &rules).unwrap(), Origin::Client, None).wait().unwrap();
    }
    let found = world.log.offset_for(OffsetSpec::Timestamp(13)).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (Offset(3), 13));
    let stamped = Rules { timestamp_type: TimestampType::LogAppendTime, now_ms: 777, ..rules };
    let appended =
        world.log.append(check(batch(3, 5), &stamped).unwrap(), Origin::Client, None).wait().unwrap();
    assert_eq!(appended.append_time, 777);
    let found = world.log.offset_for(OffsetSpec::Timestamp(100)).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (appended.base, 777));
    let bytes = bytes_of(&world.log.read(appended.base, 1, true, Bound::End).unwrap());
    verify_crc(&BatchHeader::parse(&bytes).unwrap(), &bytes).unwrap();
}

fn rules() -> Rules {
    Rules {
        message_bytes_max: 1 << 20,
        segment_bytes: 1 << 30,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        now_ms: 1_000_000,
        compacted: false,
        walk: RecordValidation::Full,
        compression: None,
        zstd_allowed: true,
    }
}

#[test]
fn only_coordinators_write_control_batches() {
    let world = World::new(small(Durability::Relaxed));
    let control =
        || check_internal(BatchBuilder::new(1).push(Some(b"k"), None, &[]).control().build()).unwrap();
    let refused = world.log.append(control(), Origin::Client, None).wait();
    assert_eq!(refused, Err(AppendError::ControlBatch));
    assert!(world.log.append(control(), Origin::Coordinator, Some(TxnToken(1))).wait().is_ok());
}

#[test]
fn copied_batches_keep_their_offsets_and_must_continue() {
    let (source, copy) = (World::new(small(Durability::Relaxed)), World::new(small(Durability::Relaxed)));
    source.log.set_leader_epoch(LeaderEpoch(5));
    for i in 0..3 {
        source.append(2, i);
    }
    let bytes = Bytes::from(bytes_of(&source.log.read(Offset(0), 10_000, true, Bound::End).unwrap()));
    copy.log.append(check_internal(bytes.clone()).unwrap(), Origin::Replica, None).wait().unwrap();
    assert_eq!(bytes_of(&copy.log.read(Offset(0), 10_000, true, Bound::End).unwrap()), bytes);
    let again = copy.log.append(check_internal(bytes).unwrap(), Origin::Replica, None).wait();
    assert_eq!(again, Err(AppendError::OutOfOrder { found: Offset(0), expected: Offset(6) }));
}

#[test]
fn epochs_are_stamped_kept_and_found() {
    let mut world = World::new(small(Durability::Durable));
    world.append(2, 1);
    world.log.set_leader_epoch(LeaderEpoch(4));
    world.log.set_leader_epoch(LeaderEpoch(3));
    world.append(3, 2);
    world.dir.flush();
    assert_eq!(world.log.epoch_end_offset(LeaderEpoch(1)), Some((LeaderEpoch(1), Offset(2))));
    assert_eq!(world.log.epoch_end_offset(LeaderEpoch(4)), Some((LeaderEpoch(4), Offset(5))));
    assert_eq!(world.log.epoch_end_offset(LeaderEpoch(9)), None);
    world.dir.close();
    let text =
        String::from_utf8(world.files.content(&world.path("leader-epoch-checkpoint")).unwrap()).unwrap();
    assert_eq!(text, "0\n2\n1 0\n4 2\n");
    world.reopen();
    assert_eq!(world.log.leader_epoch(), LeaderEpoch(5), "one above the last in the log");
    assert_eq!(world.log.epoch_end_offset(LeaderEpoch(2)), Some((LeaderEpoch(1), Offset(2))));
    // Lost with the process: the batches tell.
    world.append(1, 3);
    world.dir.flush();
    world.files.kill();
    world.files.remove_file(&world.path("leader-epoch-checkpoint")).unwrap();
    world.reopen();
    assert_eq!(world.log.epoch_end_offset(LeaderEpoch(4)), Some((LeaderEpoch(4), Offset(5))));
    assert_eq!(world.log.leader_epoch(), LeaderEpoch(6));
}

#[test]
fn a_full_disk_refuses_and_goes_on() {
    for durability in [Durability::Durable, Durability::Relaxed] {
        let world = World::new(small(durability));
        world.append(2, 1);
        let size = world.log.size_bytes();
        for free in [0, 1, 60, 100] {
            world.files.set_free_bytes(free);
            assert_eq!(world.append(20, 2).wait(), Err(AppendError::NoSpace), "{free} bytes free");
            assert_eq!(world.log.size_bytes(), size, "cut back");
        }
        world.files.set_free_bytes(1 << 20);
        let ticket = world.append(3, 3);
        world.dir.flush();
        assert_eq!(ticket.wait().unwrap().base, Offset(2));
        assert_eq!(everything(&world.log).len(), 5);
        assert!(!world.dir.is_offline());
    }
}

#[test]
fn the_reserve_is_kept_from_clients_alone() {
    let (env, files, clock) = Env::simulated(1);
    let options = DataDirOptions {
        flushing: Flushing::Manual,
        journal: JournalOptions::SMALL,
        free_bytes_min: 10_000,
        ..Default::default()
    };
    let dir = DataDir::open(env, PathBuf::from(DIR), options).unwrap();
    let log = dir.open_log(id(), NAME, small(Durability::Relaxed), LeaderEpoch(1)).unwrap();
    let append = |origin| log.append(check_internal(batch(1, 1)).unwrap(), origin, None).wait();
    assert!(append(Origin::Client).is_ok());
    files.set_free_bytes(9_999);
    clock.advance(Duration::from_secs(1));
    dir.flush();
    assert_eq!(append(Origin::Client), Err(AppendError::NoSpace));
    assert!(append(Origin::Coordinator).is_ok(), "what is left is for whoever makes room");
    files.set_free_bytes(1 << 20);
    clock.advance(Duration::from_secs(1));
    dir.flush();
    assert!(append(Origin::Client).is_ok(), "it goes on by itself");
}

#[test]
fn a_full_disk_at_the_first_append_and_at_a_roll() {
    let world = World::new(small(Durability::Durable));
    world.files.set_free_bytes(0);
    assert_eq!(world.append(1, 1).wait(), Err(AppendError::NoSpace));
    world.files.set_free_bytes(1 << 20);
    while world.log.segment_count() < 2 {
        world.append(10, 1);
    }
    while world.log.segments.read().unwrap()[1].size_bytes() < 1_500 {
        world.append(10, 1);
    }
    world.files.set_free_bytes(0);
    assert_eq!(world.append(20, 1).wait(), Err(AppendError::NoSpace));
    world.files.set_free_bytes(1 << 20);
    let ticket = world.append(20, 1);
    world.dir.flush();
    assert!(ticket.wait().is_ok());
    assert_eq!(everything(&world.log).len() as i64, world.log.end_offset().0);
}

#[test]
fn a_failed_flush_takes_the_directory_offline_and_reads_go_on() {
    let world = World::new(small(Durability::Durable));
    world.append(2, 1);
    world.dir.flush();
    let lost = world.append(1, 2);
    world.files.fail_syncs(true);
    world.dir.flush();
    assert!(matches!(lost.wait(), Err(AppendError::Offline { .. })));
    assert!(world.dir.is_offline());
    world.files.fail_syncs(false);
    assert!(matches!(world.append(1, 3).wait(), Err(AppendError::Offline { .. })), "never retried");
    world.dir.flush();
    assert_eq!(world.log.high_watermark(), Offset(2), "nothing more becomes visible");
    assert_eq!(everything(&world.log).len(), 2);
}

#[test]
fn a_failed_write_takes_the_directory_offline() {
    let world = World::new(small(Durability::Relaxed));
    world.append(2, 1);
    world.files.fail_writes(true);
    assert!(matches!(world.append(1, 2).wait(), Err(AppendError::Offline { .. })));
    assert_eq!(everything(&world.log).len(), 2);
    world.files.fail_reads(true);
    let plan = world.log.read(Offset(0), 100, true, Bound::HighWatermark);
    assert!(matches!(plan, Err(ReadError::Io { .. })));
    world.files.fail_reads(false);
    assert_eq!(everything(&world.log).len(), 2);
}

#[test]
fn another_durability_comes_into_force_with_a_flush() {
    let world = World::new(small(Durability::Durable));
    world.append(1, 1);
    world.log.reconfigure(small(Durability::Relaxed));
    assert_eq!((world.log.durability(), world.log.high_watermark()), (Durability::Durable, Offset(0)));
    world.dir.flush();
    assert_eq!((world.log.durability(), world.log.high_watermark()), (Durability::Relaxed, Offset(1)));
    assert!(world.append(1, 2).peek().is_some());
    world.log.reconfigure(small(Durability::Durable));
    world.dir.flush();
    assert_eq!(world.append(1, 3).peek(), None);
    assert_eq!(world.log.high_watermark(), Offset(2));
    world.dir.flush();
    assert_eq!(world.log.high_watermark(), Offset(3));
}

#[test]
fn a_deleted_log_gives_and_takes_nothing() {
    let mut world = World::new(small(Durability::Relaxed));
    world.append(1, 1);
    world.dir.delete_log(&world.log).unwrap();
    world.dir.delete_log(&world.log).unwrap();
    assert_eq!(world.append(1, 1).wait(), Err(AppendError::Deleted));
    assert!(matches!(world.log.read(Offset(0), 1, true, Bound::End), Err(ReadError::Deleted)));
    assert!(world.log.watch_high_watermark().is_closed());
    let names = |world: &World| world.files.list(Path::new(DIR)).unwrap();
    assert!(
        names(&world)
            .iter()
            .any(|entry| entry.name.starts_with("topic-0.") && entry.name.ends_with("-delete"))
    );
    assert!(world.dir.logs_on_disk().is_empty());
    world.dir.flush();
    assert!(!names(&world).iter().any(|entry| entry.name.ends_with("-delete")), "unlinked later");
    world.dir.close();
    world.reopen();
    assert_eq!(world.log.end_offset(), Offset(0));
}

#[test]
fn a_closed_directory_takes_nothing_and_ends_waits() {
    let world = World::new(small(Durability::Durable));
    let ticket = world.append(1, 1);
    world.dir.close();
    assert!(ticket.wait().is_ok(), "closing flushes");
    assert_eq!(world.append(1, 1).wait(), Err(AppendError::Closed));
    assert!(world.log.watch_high_watermark().is_closed());
}

#[test]
fn many_threads_append_to_one_log_on_real_files() {
    let root = std::env::temp_dir().join(format!("storage-log-threads-{}", std::process::id()));
    let env = Env::real();
    let _ = env.files.remove_dir_all(&root);
    for durability in [Durability::Durable, Durability::Relaxed] {
        let path = root.join(format!("{durability:?}"));
        let options = DataDirOptions {
            checkpoint_interval: Duration::from_millis(5),
            idle_file_interval: Duration::from_millis(1),
            journal: JournalOptions::SMALL,
            ..Default::default()
        };
        let dir = DataDir::open(env.clone(), path.clone(), options.clone()).unwrap();
        let log = dir.open_log(id(), NAME, small(durability), LeaderEpoch(1)).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    let mut last = None;
                    for i in 0..100 {
                        let batch = check_internal(batch(3, thread * 1_000 + i)).unwrap();
                        let appended = log.append(batch, Origin::Client, None).wait().unwrap();
                        assert!(last < Some(appended.base), "each thread's appends keep their order");
                        assert!(log.high_watermark() > appended.last, "told of means readable");
                        last = Some(appended.last);
                    }
                });
            }
        });
        let before = everything(&log);
        assert_eq!(before.len(), 4 * 100 * 3);
        let begun = env.clock.monotonic();
        while log.segments.read().unwrap().iter().filter(|segment| segment.is_open()).count() > 1 {
            assert!(
                env.clock.monotonic() - begun < Duration::from_secs(60),
                "{durability:?}: flushed and used by nobody, and open"
            );
            std::thread::yield_now();
        }
        dir.close();
        drop((log, dir));
        let dir = DataDir::open(env.clone(), path, options).unwrap();
        assert_eq!(dir.logs_on_disk(), [(NAME.to_owned(), Some(id()))]);
        let log = dir.open_log(id(), NAME, small(durability), LeaderEpoch(2)).unwrap();
        assert_eq!(everything(&log), before);
    }
    env.files.remove_dir_all(&root).unwrap();
}

#[test]
fn a_segment_is_settled_by_the_second_checkpoint_behind_it() {
    for durability in [Durability::Durable, Durability::Relaxed] {
        let world = World::new(small(durability));
        while world.log.segment_count() < 3 {
            world.append(5, 1);
        }
        world.dir.flush();
        assert_eq!(world.log.settled_segment_count(), 0);
        let by_checkpoint: Vec<usize> = (0..3)
            .map(|_| {
                world.dir.checkpoint();
                world.log.settled_segment_count()
            })
            .collect();
        assert_eq!(by_checkpoint, [0, 2, 2], "{durability:?}: the active segment never is");
    }
}
