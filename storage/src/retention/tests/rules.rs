//! Which segments are due.

use std::convert::Infallible;

use proptest::prelude::*;

use super::super::{Candidate, Due, Limits, Starts};
use super::*;
use crate::env::OpenMode;

/// Segments of ten records each, as (bytes, greatest time).
fn due(segments: &[(u64, Option<i64>)], limits: &Limits) -> Due {
    let last = segments.len().saturating_sub(1);
    let candidates: Vec<Candidate> = segments
        .iter()
        .enumerate()
        .map(|(i, (bytes, _))| Candidate {
            next: Offset(10 * (i as i64 + 1)),
            bytes: *bytes,
            is_active: i == last,
        })
        .collect();
    limits.due(&candidates, |place| Ok::<_, Infallible>(segments[place].1)).unwrap()
}

fn limits(bytes: Option<u64>, age_ms: Option<u64>) -> Limits {
    let age = age_ms.map(Duration::from_millis);
    Limits { start: Offset(0), high: Offset(i64::MAX), bytes, age, now: 10_000 }
}

#[test]
fn by_size_the_log_stays_at_least_as_large_as_it_says() {
    let segments = [(40, Some(0)), (40, Some(0)), (40, Some(0))];
    for (bytes, expected) in [(121, 0), (120, 0), (81, 0), (80, 1), (41, 1), (40, 2), (1, 2), (0, 3)] {
        assert_eq!(due(&segments, &limits(Some(bytes), None)).by_size, expected, "{bytes}");
    }
}

#[test]
fn by_age_a_segment_goes_when_its_newest_record_is_older_than_that() {
    let segments = [(1, Some(8_999)), (1, Some(9_000)), (1, Some(8_000))];
    assert_eq!(due(&segments, &limits(None, Some(1_000))), Due { by_age: 1, ..Due::default() });
    assert_eq!(due(&segments, &limits(None, Some(999))).by_age, 3, "the active one too");
    assert_eq!(due(&segments, &limits(None, None)), Due::default());
    let empty_active = [(1, Some(0)), (0, None)];
    assert_eq!(due(&empty_active, &limits(None, Some(0))).by_age, 1);
}

#[test]
fn a_time_in_the_future_and_one_that_nothing_tells_keep_all_behind_them() {
    let blocked = [(1, Some(10_001)), (1, Some(0)), (1, Some(0))];
    assert_eq!(due(&blocked, &limits(None, Some(0))), Due::default());
    let untold = [(1, None), (1, Some(0)), (1, Some(0))];
    assert_eq!(due(&untold, &limits(None, Some(0))), Due::default());
    let wild = [(1, Some(i64::MAX)), (1, Some(0))];
    assert_eq!(due(&wild, &limits(None, Some(0))), Due::default());
}

#[test]
fn nothing_above_the_high_watermark_goes() {
    let segments = [(10, Some(0)), (10, Some(0)), (10, Some(0))];
    for (high, expected) in [(30, 3), (29, 2), (20, 2), (19, 1), (9, 0)] {
        let by_age = Limits { high: Offset(high), ..limits(None, Some(0)) };
        assert_eq!(due(&segments, &by_age).count(), expected, "{high}");
        let by_size = Limits { high: Offset(high), ..limits(Some(0), None) };
        assert_eq!(due(&segments, &by_size).count(), expected, "{high}");
    }
}

#[test]
fn what_is_below_the_start_counts_for_no_other_rule() {
    let segments = [(40, Some(10_000)), (40, Some(0)), (40, Some(0))];
    let limits = |start, bytes, age| Limits { start: Offset(start), ..limits(bytes, age) };
    assert_eq!(due(&segments, &limits(10, Some(80), None)), Due { by_start: 1, ..Due::default() });
    assert_eq!(due(&segments, &limits(19, Some(40), None)), Due { by_start: 1, by_size: 1, by_age: 0 });
    assert_eq!(due(&segments, &limits(10, None, Some(100))), Due { by_start: 1, by_size: 0, by_age: 2 });
    assert_eq!(due(&segments, &limits(30, None, None)).by_start, 2, "never the active one");
}

#[test]
fn a_start_that_moves_all_the_time_is_durable_somewhere() {
    let mut starts = Starts::default();
    assert_eq!(starts.durable(Offset(3), 0), Offset(3), "as it was recovered");
    starts.raise(Offset(10), 5, 4);
    assert_eq!(starts.durable(Offset(10), 4), Offset(0));
    starts.raise(Offset(20), 6, 4);
    starts.raise(Offset(30), 7, 4);
    let durable = |published| starts.durable(Offset(30), published);
    assert_eq!([4, 5, 6, 7].map(durable), [Offset(0), Offset(10), Offset(10), Offset(30)]);
    starts.raise(Offset(40), 8, 6);
    assert_eq!([6, 7, 8].map(|lsn| starts.durable(Offset(40), lsn)), [Offset(10), Offset(10), Offset(40)]);
}

proptest! {
    #[test]
    fn no_rule_takes_more_than_it_may(
        segments in proptest::collection::vec((0u64..100, proptest::option::of(-1i64..20_000)), 1..8),
        start in 0i64..90, high in 0i64..90,
        bytes in proptest::option::of(0u64..500), age in proptest::option::of(0u64..12_000),
    ) {
        let high = high.max(start);
        let limits = Limits { start: Offset(start), high: Offset(high), ..limits(bytes, age) };
        let due = due(&segments, &limits);
        let (kept, gone) = (&segments[due.count()..], &segments[..due.count()]);
        // A record that is younger goes only below the start, or for the size of what is in front of it.
        for (_, newest) in &gone[due.by_start + due.by_size..] {
            let older_by = limits.now - newest.expect("its age is known");
            prop_assert!(older_by > age.expect("there is a rule") as i64);
        }
        let size = |some: &[(u64, Option<i64>)]| some.iter().map(|segment| segment.0).sum::<u64>();
        let all = size(&segments[due.by_start..]);
        if due.by_size > 0 {
            prop_assert!(size(&segments[due.by_start + due.by_size..]) >= bytes.unwrap());
        }
        // It stays no larger than a segment more, unless what comes next may not go.
        let next_may_go = |first: &(u64, Option<i64>)| {
            let next = Offset(10 * (due.count() as i64 + 1));
            next <= limits.high && !(kept.len() == 1 && first.0 == 0)
        };
        if let (Some(bytes), Some(first)) = (bytes, kept.first().filter(|first| next_may_go(first))) {
            prop_assert!(all < bytes || size(kept) < bytes + first.0.max(1));
        }
        let last_gone = Offset(10 * due.count() as i64);
        prop_assert!(due.by_size + due.by_age == 0 || last_gone <= limits.high);
    }
}

#[test]
fn old_segments_go_when_they_are_settled_and_their_files_later() {
    for durability in BOTH {
        let mut world = World::new(LogConfig { retention: Some(HOUR), ..small(durability) });
        let now = world.env.clock.now_ms();
        world.fill(8, now);
        world.clock.advance(HOUR);
        world.fill(8, now + HOUR_MS);
        let segments = world.segments();
        assert!(segments.len() >= 4, "{segments:?}");
        world.dir.retain();
        assert_eq!(world.start(), 0, "an hour is not more than an hour");
        world.clock.advance(Duration::from_millis(4));
        world.dir.retain();
        let start = world.start();
        assert!(start > 0 && segments.contains(&start), "{start}");
        assert_eq!(world.segments(), segments, "the files have to wait");
        assert!(matches!(
            world.log.read(Offset(start - 1), 1000, true, Bound::HighWatermark),
            Err(ReadError::OutOfRange { start: Offset(found), .. }) if found == start
        ));
        world.settle();
        assert_eq!(world.segments()[0], start);
        let renamed = world.names_with(".log.deleted");
        assert_eq!(renamed.len() as u64, world.dir.stats().removed_segments);
        assert!(!renamed.is_empty() && !world.names_with(".index.deleted").is_empty());
        assert!(world.dir.stats().removed_bytes > 0);
        world.clock.advance(Duration::from_secs(59));
        world.dir.flush();
        assert_eq!(world.names_with(".log.deleted"), renamed);
        world.clock.advance(Duration::from_secs(1));
        world.dir.flush();
        assert!(world.names_with(".deleted").is_empty(), "{:?}", world.names());
        let offsets = world.offsets();
        assert_eq!(offsets, (start..16).collect::<Vec<_>>());
        world.kill();
        assert_eq!((world.start(), world.offsets()), (start, offsets));
    }
}

#[test]
fn an_idle_log_that_is_too_old_is_rolled_and_emptied() {
    for durability in BOTH {
        let mut world = World::new(LogConfig { retention: Some(HOUR), ..small(durability) });
        world.fill(6, world.env.clock.now_ms());
        world.clock.advance(2 * HOUR);
        world.retain();
        world.settle();
        assert_eq!((world.start(), world.segments()), (6, vec![6]));
        assert_eq!(world.log.size_bytes(), 0);
        let before = world.names();
        world.retain();
        assert_eq!(world.names(), before, "an empty segment stays");
        let latest = world.log.offset_for(OffsetSpec::Earliest).unwrap().unwrap();
        assert_eq!(latest.offset, Offset(6));
        world.crash();
        assert_eq!((world.start(), world.log.end_offset().0), (6, 6));
        assert!(world.names_with(".deleted").is_empty(), "a start takes them away at once");
        world.fill(2, world.env.clock.now_ms());
        assert_eq!(world.offsets(), vec![6, 7]);
        world.crash();
        if durability == Durability::Durable {
            assert_eq!(world.offsets(), vec![6, 7]);
        }
        assert_eq!(world.start(), 6);
    }
}

#[test]
fn a_log_is_no_larger_than_it_may_be_and_a_segment() {
    let world = World::new(LogConfig { retention_bytes: Some(1_200), ..small(Durability::Relaxed) });
    for _ in 0..20 {
        world.fill(7, 5);
        world.retain();
        world.settle();
        assert!(world.log.size_bytes() < 1_200 + 500, "{}", world.log.size_bytes());
        assert!(world.log.size_bytes() >= 1_200 || world.start() == 0);
    }
    assert_eq!(world.offsets(), (world.start()..140).collect::<Vec<_>>());
}

#[test]
fn only_logs_to_delete_from_lose_records_for_their_age_or_size() {
    for (delete, compact) in [(false, true), (false, false), (true, true)] {
        let cleanup = Cleanup { delete, compact };
        let config = LogConfig {
            cleanup,
            retention: Some(HOUR),
            retention_bytes: Some(0),
            ..small(Durability::Relaxed)
        };
        let world = World::new(config);
        world.fill(9, 0);
        world.clock.advance(3 * HOUR);
        world.retain();
        assert_eq!(world.start(), if delete { 9 } else { 0 }, "delete {delete}, compact {compact}");
    }
}

#[test]
fn records_without_a_time_stay_where_no_file_has_one_either() {
    let world = World::new(LogConfig { retention: Some(HOUR), ..small(Durability::Relaxed) });
    (0..6).for_each(|_| drop(world.append(-1)));
    world.clock.advance(100 * HOUR);
    world.retain();
    assert_eq!(world.start(), 0);
}

#[test]
fn the_machine_tells_when_a_file_was_last_written_to() {
    let modified = env::RealFiles::default().modified_ms(Path::new("/")).unwrap();
    assert!(modified > 1_000_000_000_000, "{modified}");
}

#[test]
fn the_wall_clock_decides_and_a_jump_back_takes_nothing() {
    let world = World::new(LogConfig { retention: Some(2 * HOUR), ..small(Durability::Durable) });
    let now = world.env.clock.now_ms();
    world.fill(8, now);
    // Forth by an hour: nothing is two hours old by it.
    world.clock.advance(HOUR);
    world.fill(8, now + HOUR_MS);
    world.retain();
    assert_eq!(world.start(), 0);
    // Records of a clock that was ahead are in the future by one that is not.
    world.fill(8, now + 50 * HOUR_MS);
    world.clock.advance(10 * HOUR);
    world.retain();
    let start = world.start();
    assert!(start > 0 && start <= 16, "what is in the future stays: {start}");
    assert_eq!(world.offsets(), (start..24).collect::<Vec<_>>());
}

#[test]
fn segments_are_rolled_for_their_age_by_the_times_of_their_records() {
    let config = LogConfig {
        segment_age_max: Duration::from_millis(100),
        segment_bytes: 1 << 20,
        ..small(Durability::Relaxed)
    };
    let mut world = World::new(config);
    for time in [1_000, 1_100, 1_050, 1_101, 900, 1_201, 1_202, -1] {
        world.append(time);
    }
    assert_eq!(world.segments(), vec![0, 3, 6]);
    // The clock goes back by an hour: no segment is rolled for that, and none for each record.
    (0..10).for_each(|i| drop(world.append(i * 10)));
    assert_eq!(world.segments(), vec![0, 3, 6]);
    world.dir.flush();
    world.kill();
    world.append(1_302);
    world.append(1_303);
    assert_eq!(world.segments(), vec![0, 3, 6, 19], "the first record tells after a restart, too");
    // The setting counts from the next append on.
    world.log.reconfigure(LogConfig { segment_age_max: Duration::from_millis(3), ..world.config.clone() });
    world.append(1_306);
    world.append(1_307);
    assert_eq!(world.segments(), vec![0, 3, 6, 19, 21]);
}

#[test]
fn appends_that_wait_together_are_rolled_each_by_its_time() {
    let config = LogConfig {
        segment_age_max: Duration::from_millis(100),
        segment_bytes: 1 << 20,
        ..small(Durability::Durable)
    };
    let world = World::new(config);
    // Fills the journal, so that what comes then waits and is written in one go.
    let big = vec![b'x'; 4_000];
    let mut count = 0;
    while !world.log.shared.journal().is_full() {
        let batch = BatchBuilder::new(0).push_at(0, None, Some(&big), &[]).build();
        drop(world.log.append(check_internal(batch).unwrap(), Origin::Client, None));
        count += 1;
        world.dir.flush();
        assert!(count < 1_000);
        if count % 8 == 0 {
            // Without a flush in between it fills up.
            (0..64).for_each(|_| {
                let batch = BatchBuilder::new(0).push_at(0, None, Some(&big), &[]).build();
                drop(world.log.append(check_internal(batch).unwrap(), Origin::Client, None));
                count += 1;
            });
        }
    }
    let end = world.log.end_offset().0;
    [50, 101, 150, 201, 202, 320].into_iter().for_each(|time| drop(world.append(time)));
    world.dir.flush();
    let behind: Vec<i64> = world.segments().into_iter().filter(|base| *base > 0).collect();
    let first = world.log.end_offset().0 - 5;
    assert!(end < first);
    assert_eq!(behind, vec![first, first + 3, first + 4]);
}

#[test]
fn indexes_that_are_full_roll_a_segment() {
    let config = LogConfig {
        segment_bytes: 1 << 20,
        index_interval_bytes: 0,
        segment_index_bytes: 60,
        ..small(Durability::Relaxed)
    };
    let world = World::new(config);
    (0..40).for_each(|i| drop(world.append(i)));
    // Room for five entries of twelve bytes, one of them kept for the end; the first batch of a segment has none.
    let segments = world.segments();
    assert_eq!(segments[..4], [0, 5, 10, 15], "{segments:?}");
    world.log.reconfigure(LogConfig { segment_index_bytes: 1 << 20, ..world.config.clone() });
    let before = world.log.segment_count();
    (0..40).for_each(|i| drop(world.append(i)));
    assert_eq!(world.log.segment_count(), before);
}

/// Whole entries may be missing at the end, which no order of entries tells.
#[test]
fn a_time_index_without_its_end_does_not_age_a_segment() {
    let age = HOUR;
    let mut world =
        World::new(LogConfig { retention: Some(age), index_interval_bytes: 0, ..small(Durability::Durable) });
    let now = world.env.clock.now_ms();
    // The first records of the segment are too old, the others are not.
    world.fill(2, now - 2 * HOUR_MS);
    world.fill(12, now);
    world.dir.flush();
    world.dir.checkpoint();
    world.dir.close();
    let index = Path::new(DIR).join(NAME).join("00000000000000000000.timeindex");
    let entry_bytes = 12;
    assert!(world.files.content(&index).unwrap().len() > entry_bytes);
    world.files.open(&index, OpenMode::Write).unwrap().set_len(entry_bytes as u64).unwrap();
    world.reopen();
    world.retain();
    assert_eq!(world.start(), 0);
    assert_eq!(world.offsets().len(), 14);
}
