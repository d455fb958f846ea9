//! What is cleaned when, who notices, and what becomes of a log that cannot be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

/// Rounds of the same keys.
fn fill(world: &World, rounds: std::ops::Range<u32>) {
    for round in rounds {
        for key in ["a", "b", "c"] {
            world.append(Codec::None, &[(Some(key), Some(&format!("{key} {round}")))]);
        }
    }
    world.dir.flush();
}

#[test]
fn a_log_is_cleaned_when_it_is_dirty_enough() {
    let config = LogConfig { dirty_ratio_min: 0.6, ..compacted() };
    let world = World::new(1, config.clone());
    fill(&world, 0..40);
    assert_eq!(world.dir.clean(), 1, "all of it is dirty");
    world.roll();
    assert_eq!(world.dir.clean(), 0);
    let percent = world.dir.stats().cleaner.dirty_percent_max;
    assert!((1..=60).contains(&percent), "{percent}");
    world.log.reconfigure(LogConfig { dirty_ratio_min: 0.1, ..config });
    assert_eq!(world.dir.clean(), 1, "settings take effect at once");
}

#[test]
fn only_compacted_logs_are_cleaned() {
    let config = LogConfig { cleanup: Cleanup { delete: true, compact: false }, ..compacted() };
    let world = World::new(1, config.clone());
    fill(&world, 0..20);
    let before = world.records();
    assert_eq!(world.dir.clean(), 0);
    assert_eq!(world.records(), before);
    world.log.reconfigure(LogConfig { cleanup: Cleanup { delete: true, compact: true }, ..config });
    assert_eq!(world.dir.clean(), 1);
    assert!(world.records().len() < before.len());
}

#[test]
fn young_records_wait_and_old_ones_do_not() {
    let lag = Duration::from_secs(100);
    let world = World::new(1, LogConfig { compaction_lag_min: lag, ..compacted() });
    fill(&world, 0..20);
    assert_eq!(world.dir.clean(), 0);
    world.clock.advance(lag);
    fill(&world, 20..40);
    assert_eq!(world.dir.clean(), 1);
    let (end, start_of_young) = (world.clean_end(), 60);
    assert!(end > 0 && end <= start_of_young, "{end}");

    let config = LogConfig { compaction_lag_max: lag, dirty_ratio_min: 1.0, ..compacted() };
    let world = World::new(1, config);
    fill(&world, 0..20);
    assert_eq!(world.dir.clean(), 0, "no ratio is above one");
    world.clock.advance(lag + Duration::from_millis(1));
    assert_eq!(world.dir.clean(), 1);
}

#[test]
fn replaced_files_stay_for_their_delay() {
    let delay = Duration::from_secs(60);
    let world = World::new(1, LogConfig { file_delete_delay: delay, ..compacted() });
    fill(&world, 0..20);
    world.dir.clean();
    world.roll();
    world.dir.clean();
    let deleted = |world: &World| world.names().iter().filter(|name| name.ends_with(".deleted")).count();
    assert!(deleted(&world) > 0);
    world.clock.advance(delay - Duration::from_millis(1));
    world.dir.flush();
    assert!(deleted(&world) > 0);
    world.clock.advance(Duration::from_millis(1));
    world.dir.flush();
    assert_eq!(deleted(&world), 0);
}

#[test]
fn what_was_planned_before_is_read_after() {
    let world = World::new(1, compacted());
    fill(&world, 0..20);
    let mut plans = Vec::new();
    for offset in 0..world.log.high_watermark().0 {
        let plan = world.log.read(Offset(offset), 300, true, Bound::HighWatermark).unwrap();
        let bytes: Vec<Bytes> = plan.parts.iter().map(|part| part.read().unwrap()).collect();
        plans.push((plan, bytes));
    }
    for _ in 0..3 {
        assert_eq!(world.dir.clean(), 1);
        world.roll();
        world.clock.advance(world.config.file_delete_delay);
    }
    world.dir.clean();
    for (plan, before) in plans {
        let bytes: Vec<Bytes> = plan.parts.iter().map(|part| part.read().unwrap()).collect();
        assert_eq!(bytes, before);
    }
}

#[test]
fn readers_are_not_disturbed() {
    let world = World::new(1, compacted());
    fill(&world, 0..2);
    let (round, done) = (AtomicU64::new(1), AtomicBool::new(false));
    let read = || {
        let mut reads = 0;
        while !done.load(Ordering::SeqCst) || reads == 0 {
            let least = round.load(Ordering::SeqCst);
            let mut last = BTreeMap::new();
            let mut next = world.log.start_offset();
            while next < world.log.high_watermark() {
                let plan = world.log.read(next, 400, true, Bound::HighWatermark).unwrap();
                let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
                let mut rest = &bytes[..];
                while let Ok(header) = BatchHeader::parse(rest) {
                    let Some(batch) = rest.get(..header.total_bytes()) else { break };
                    verify_crc(&header, batch).unwrap();
                    for record in records(batch).unwrap().map(Result::unwrap) {
                        let value = String::from_utf8(record.value.unwrap().into_owned()).unwrap();
                        let (key, round) = value.split_once(' ').unwrap();
                        assert_eq!(record.key.as_deref(), Some(key.as_bytes()));
                        last.insert(key.to_owned(), round.parse::<u64>().unwrap());
                    }
                    next = header.next_offset();
                    rest = &rest[header.total_bytes()..];
                }
            }
            assert_eq!(last.len(), 3);
            assert!(last.values().all(|round| *round >= least), "{last:?} of at least {least}");
            reads += 1;
        }
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        for number in 2..120 {
            fill(&world, number..number + 1);
            round.store(u64::from(number), Ordering::SeqCst);
            world.dir.clean();
        }
        done.store(true, Ordering::SeqCst);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert!(world.dir.stats().cleaner.passes > 20);
}

#[test]
fn a_damaged_log_is_set_aside_and_the_others_go_on() {
    let mut world = World::new(1, compacted());
    fill(&world, 0..20);
    let other = world.dir.open_log(id(1), "topic-1", compacted(), LeaderEpoch(1)).unwrap();
    for round in 0..20 {
        let batch = BatchBuilder::new(1).push(Some(b"k"), Some(format!("value {round:>40}").as_bytes()), &[]);
        drop(other.append(check_internal(batch.build()).unwrap(), Origin::Client, None));
    }
    world.dir.flush();
    let first = world.path("00000000000000000000.log");
    world.files.flip_bit(&first, 100, 3).unwrap();
    assert_eq!(world.dir.clean(), 1);
    let stats = world.dir.stats().cleaner;
    assert_eq!(stats.uncleanable_logs, 1);
    assert!(stats.uncleanable_bytes > 0);
    assert!(read_all(&other).1.len() < 20, "the other is cleaned");
    assert_eq!(world.clean_end(), 0);
    world.files.flip_bit(&first, 100, 3).unwrap();
    assert_eq!(world.dir.clean(), 0, "not before a restart");
    world.files.kill();
    world.reopen();
    assert_eq!(world.dir.clean(), 1);
    assert_eq!(world.dir.stats().cleaner.uncleanable_logs, 0);
    assert!(world.clean_end() > 0);
}

#[test]
fn damage_that_an_earlier_process_left_is_found_too() {
    let mut world = World::new(1, compacted());
    fill(&world, 0..20);
    (0..2).for_each(|_| world.dir.checkpoint());
    world.files.kill();
    // The base offset lies outside the checksum.
    world.files.flip_bit(&world.path("00000000000000000000.log"), 6, 2).unwrap();
    world.reopen();
    assert_eq!(world.dir.clean(), 0);
    assert_eq!(world.dir.stats().cleaner.uncleanable_logs, 1);
}

#[test]
fn a_log_of_the_same_name_begins_anew() {
    let mut world = World::new(1, compacted());
    fill(&world, 0..20);
    world.dir.clean();
    assert!(world.clean_end() > 0);
    world.dir.delete_log(&world.log).unwrap();
    world.dir.flush();
    let other = LogId { topic: TopicId([8; 16]), partition: 0 };
    world.log = world.dir.open_log(other, NAME, compacted(), LeaderEpoch(1)).unwrap();
    fill(&world, 0..20);
    let file = Path::new(DIR).join("cleaner-offset-checkpoint");
    assert_eq!(world.files.content(&file).unwrap(), b"0\n0\n");
    assert_eq!(world.dir.clean(), 1);
    let text = String::from_utf8(world.files.content(&file).unwrap()).unwrap();
    assert!(text.starts_with("0\n1\ntopic 0 "), "{text}");
}

#[test]
fn a_file_of_offsets_that_is_wrong_costs_a_pass() {
    for content in [&b"rubbish"[..], b"0\n1\ntopic 0 99999\n"] {
        let mut world = World::new(1, compacted());
        fill(&world, 0..20);
        world.dir.clean();
        let before = world.records();
        world.files.kill();
        let file = world.files.open(&Path::new(DIR).join("cleaner-offset-checkpoint"), OpenMode::Write);
        let file = file.unwrap();
        file.set_len(0).unwrap();
        file.write_all_at(&[std::io::IoSlice::new(content)], 0).unwrap();
        world.reopen();
        assert_eq!(world.records(), before);
        assert_eq!(world.dir.clean(), 1);
        assert_eq!(world.records(), before);
    }
}

#[test]
fn a_batch_larger_than_the_buffer_is_cleaned() {
    let world = World::new(1, LogConfig { segment_bytes: 20_000, ..compacted() });
    let long = "long ".repeat(1_000);
    for _ in 0..20 {
        world.append(Codec::None, &[(Some("a"), Some(&long)), (Some("b"), Some("short"))]);
    }
    world.roll();
    assert_eq!(world.dir.clean(), 1);
    assert_eq!(world.values()["a"], long);
}

#[test]
fn lookups_by_time_see_what_is_left() {
    let world = World::new(1, compacted());
    for round in 0..30 {
        world.clock.advance(Duration::from_secs(1));
        fill(&world, round..round + 1);
    }
    let time_of = |round: i64| 1_700_000_000_000 + (round + 1) * 1_000;
    world.dir.clean();
    let left = world.records();
    for round in 0..30 {
        let found = world.log.offset_for(OffsetSpec::Timestamp(time_of(round))).unwrap().unwrap();
        let expected = left.iter().find(|record| record.timestamp >= time_of(round)).unwrap();
        assert_eq!((found.offset.0, found.timestamp), (expected.offset, expected.timestamp));
    }
    let max = world.log.offset_for(OffsetSpec::MaxTimestamp).unwrap().unwrap();
    assert_eq!(max.timestamp, time_of(29));
}

/// Spins until `holds`, or for far longer than that takes.
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let clock = env::RealClock::new();
    while !holds() {
        assert!(clock.monotonic() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn the_directorys_thread_cleans_and_keeps_the_rate() {
    let rate = 100_000.0;
    let options = |is_enabled| DataDirOptions {
        flushing: Flushing::Thread,
        cleaner: CleanerOptions {
            is_enabled,
            bytes_per_second_max: rate,
            backoff: Duration::from_millis(1),
            ..CleanerOptions::default()
        },
        ..options(&CleanerOptions::default())
    };
    let (env, _, clock) = Env::simulated(1);
    let open = |is_enabled| {
        let dir = DataDir::open(env.clone(), PathBuf::from(DIR), options(is_enabled)).unwrap();
        let log = dir.open_log(id(0), NAME, compacted(), LeaderEpoch(1)).unwrap();
        (dir, log)
    };
    let (dir, log) = open(false);
    for round in 0..100 {
        let batch = BatchBuilder::new(1).push(Some(b"k"), Some(format!("value {round:>40}").as_bytes()), &[]);
        log.append(check_internal(batch.build()).unwrap(), Origin::Client, None).wait().unwrap();
    }
    dir.close();
    drop((dir, log));
    let (dir, log) = open(true);
    // The clock stands still: what may be read at once is nothing, so that the pass waits.
    let real = env::RealClock::new();
    while real.monotonic() < Duration::from_millis(100) {
        std::thread::yield_now();
    }
    assert_eq!(dir.stats().cleaner.passes, 0, "a second has not begun, and all of it is through");
    clock.advance(Duration::from_secs(60));
    wait_until("the log is not cleaned", || dir.stats().cleaner.passes == 1);
    assert!(read_all(&log).1.len() < 30);
    dir.close();
}

/// A directory that compacts nothing begins to, and stops again, without being opened anew.
#[test]
fn the_directorys_thread_takes_other_options() {
    let cleaner = |is_enabled| CleanerOptions {
        is_enabled,
        backoff: Duration::from_millis(1),
        ..CleanerOptions::default()
    };
    let (env, ..) = Env::simulated(1);
    let options = DataDirOptions {
        flushing: Flushing::Thread,
        cleaner: cleaner(false),
        ..options(&CleanerOptions::default())
    };
    let dir = DataDir::open(env, PathBuf::from(DIR), options).unwrap();
    let log = dir.open_log(id(0), NAME, compacted(), LeaderEpoch(1)).unwrap();
    let append = |count: u32| {
        for round in 0..count {
            let value = format!("value {round:>40}");
            let batch = BatchBuilder::new(1).push(Some(b"k"), Some(value.as_bytes()), &[]);
            log.append(check_internal(batch.build()).unwrap(), Origin::Client, None).wait().unwrap();
        }
    };
    append(100);
    assert_eq!(dir.stats().cleaner.passes, 0);
    dir.reconfigure_cleaner(cleaner(true));
    wait_until("the log is not cleaned", || dir.stats().cleaner.passes >= 1);
    assert!(read_all(&log).1.len() < 30);
    dir.close();
}

#[test]
fn readers_get_on_where_the_high_watermark_ends_a_compacted_segment() {
    let world = World::new(1, compacted());
    fill(&world, 0..40);
    let segments = world.log.segment_count();
    while world.log.segment_count() == segments {
        world.dir.flush();
        world.append(Codec::None, &[(Some("a"), Some("not durable yet"))]);
    }
    let high = world.log.high_watermark();
    assert_eq!(world.dir.clean(), 1);
    assert_eq!(world.log.high_watermark(), high);
    assert_eq!(read_all(&world.log).0.last().map(BatchHeader::next_offset), Some(high));
}
