//! Deleting records, and what is read behind that.

use super::*;

fn earliest(world: &World) -> TimestampOffset {
    world.log.offset_for(OffsetSpec::Earliest).unwrap().unwrap()
}

#[test]
fn the_answer_comes_when_the_start_is_durable_and_no_crash_takes_it_back() {
    for durability in BOTH {
        for (checkpoints, to) in [(0, 5), (1, 5), (2, 8), (2, 10)] {
            let mut world = World::new(small(durability));
            world.fill(10, 0);
            (0..checkpoints).for_each(|_| world.dir.checkpoint());
            let new_start = world.log.delete_records(Some(Offset(to))).unwrap();
            assert_eq!(world.start(), to, "readers see it at once");
            assert_eq!(new_start.peek(), None);
            world.dir.flush();
            assert_eq!(new_start.peek(), Some(Ok(Offset(to))));
            world.crash();
            assert_eq!(world.start(), to, "{durability:?}, {checkpoints} checkpoints");
            assert!(world.log.end_offset().0 >= to);
            let end = world.log.end_offset().0;
            if durability == Durability::Durable {
                assert_eq!((end, world.offsets()), (10, (to..10).collect()));
            }
            world.fill(3, 0);
            assert_eq!(world.log.end_offset().0, end + 3);
            world.kill();
            assert_eq!((world.start(), world.log.end_offset().0), (to, end + 3));
            world.settle();
            world.dir.close();
            world.reopen();
            assert_eq!((world.start(), world.log.end_offset().0), (to, end + 3));
            let offsets = world.offsets();
            assert_eq!(offsets.last(), Some(&(end + 2)));
        }
    }
}

#[test]
fn what_may_not_be_deleted_is_refused() {
    let world = World::new(small(Durability::Durable));
    (0..4).for_each(|i| drop(world.append(i)));
    let refused = |to| world.log.delete_records(Some(Offset(to))).unwrap_err();
    assert_eq!(
        refused(1),
        DeleteRecordsError::OutOfRange { to: Offset(1), high: Offset(0) },
        "not durable yet"
    );
    world.dir.flush();
    assert_eq!(refused(5), DeleteRecordsError::OutOfRange { to: Offset(5), high: Offset(4) });
    assert_eq!(refused(-2), DeleteRecordsError::OutOfRange { to: Offset(-2), high: Offset(4) });
    assert_eq!(world.start(), 0);
    let all = world.log.delete_records(None).unwrap();
    world.dir.flush();
    assert_eq!(all.wait(), Ok(Offset(4)));
    let lower = world.log.delete_records(Some(Offset(2))).unwrap();
    assert_eq!(lower.peek(), Some(Ok(Offset(4))), "a lower one is no news");
    for (delete, refused) in [(false, true), (true, false)] {
        world
            .log
            .reconfigure(LogConfig { cleanup: Cleanup { delete, compact: true }, ..world.config.clone() });
        let answer = world.log.delete_records(None);
        assert_eq!(answer.err(), refused.then_some(DeleteRecordsError::NotByPolicy));
    }
    let neither = Cleanup { delete: false, compact: false };
    world.log.reconfigure(LogConfig { cleanup: neither, ..world.config.clone() });
    assert!(world.log.delete_records(None).is_ok(), "as in Kafka");
    world.dir.delete_log(&world.log).unwrap();
    assert_eq!(world.log.delete_records(None).err(), Some(DeleteRecordsError::Deleted));
}

#[test]
fn an_answer_that_waits_fails_with_the_directory() {
    let world = World::new(small(Durability::Relaxed));
    world.fill(4, 0);
    let waiting = world.log.delete_records(Some(Offset(2))).unwrap();
    let again = world.log.delete_records(Some(Offset(1))).unwrap();
    assert_eq!(again.peek(), None, "the start that it tells is not durable yet");
    world.files.fail_syncs(true);
    world.dir.flush();
    assert!(matches!(waiting.wait(), Err(AppendError::Offline { .. })));
    assert!(matches!(again.wait(), Err(AppendError::Offline { .. })));
    let later = world.log.delete_records(Some(Offset(3))).unwrap();
    assert!(matches!(later.wait(), Err(AppendError::Offline { .. })));
    assert_eq!(world.start(), 2);
}

#[test]
fn a_damaged_checkpoint_does_not_bring_back_what_was_deleted() {
    // Whichever byte it is.
    for (durability, byte) in BOTH.into_iter().flat_map(|mode| (0..150).map(move |byte| (mode, byte))) {
        let mut world = World::new(small(durability));
        world.fill(10, 0);
        world.dir.checkpoint();
        let new_start = world.log.delete_records(Some(Offset(7))).unwrap();
        world.dir.flush();
        assert_eq!(new_start.wait(), Ok(Offset(7)));
        // The journal is used again behind this one.
        world.dir.checkpoint();
        world.dir.flush();
        world.files.kill();
        world.files.flip_bit(&Path::new(DIR).join("checkpoint"), byte, byte as u8 % 8).unwrap();
        world.reopen();
        assert_eq!((world.start(), world.log.end_offset().0), (7, 10), "{durability:?}, byte {byte}");
    }
}

#[test]
fn a_failing_disk_and_a_damaged_checkpoint_do_not_either() {
    // The first commit behind a checkpoint may go over the journal's only record of the start, and take it with it.
    for seed in 0..200 {
        let commits = seed % 40;
        let mut world = World::of_seed(seed, small(Durability::Durable));
        world.fill(10, 0);
        world.dir.checkpoint();
        let new_start = world.log.delete_records(Some(Offset(7))).unwrap();
        world.dir.flush();
        assert_eq!(new_start.wait(), Ok(Offset(7)));
        (0..commits).for_each(|_| world.fill(1, 0));
        world.dir.checkpoint();
        world.files.fail_durable_after(1);
        world.fill(1, 0);
        assert!(world.dir.is_offline());
        world.files.crash();
        world.files.flip_bit(&Path::new(DIR).join("checkpoint"), 20, 1).unwrap();
        world.files.flip_bit(&Path::new(DIR).join("checkpoint"), 21, 1).unwrap();
        world.reopen();
        assert_eq!(world.start(), 7, "seed {seed}, {commits} commits between");
    }
}

#[test]
fn plans_that_readers_hold_stay_good() {
    let world = World::new(small(Durability::Durable));
    world.fill(20, 0);
    let plan = world.log.read(Offset(0), 1000, true, Bound::HighWatermark).unwrap();
    let before: Vec<_> = plan.parts.iter().map(|part| part.read().unwrap()).collect();
    let segment = world.log.segments.read().unwrap()[1].clone();
    drop(world.log.delete_records(None).unwrap());
    world.settle();
    world.clock.advance(HOUR);
    world.dir.flush();
    assert!(
        world.names_with(".deleted").is_empty()
            && !world.names().contains(&"00000000000000000000.log".into())
    );
    let after: Vec<_> = plan.parts.iter().map(|part| part.read().unwrap()).collect();
    assert_eq!(before, after);
    assert!(segment.base.0 < world.start());
}

#[test]
fn lookups_answer_from_the_start_on() {
    let world = World::new(LogConfig { segment_bytes: 1 << 20, ..small(Durability::Relaxed) });
    let builder = BatchBuilder::new(0);
    let times = [10, 90, 20, 80, 80];
    let builder = times.iter().fold(builder, |b, time| b.push_at(*time, None, Some(b"v"), &[]));
    drop(world.log.append(check_internal(builder.build()).unwrap(), Origin::Client, None));
    (0..3).for_each(|i| drop(world.append(30 + i)));
    let found = |spec| world.log.offset_for(spec).unwrap().map(|at| (at.offset.0, at.timestamp));
    assert_eq!(found(OffsetSpec::MaxTimestamp), Some((1, 90)));
    drop(world.log.delete_records(Some(Offset(2))).unwrap());
    assert_eq!(found(OffsetSpec::MaxTimestamp), Some((3, 80)), "the first of those that are left");
    assert_eq!(found(OffsetSpec::Timestamp(0)), Some((2, 20)));
    assert_eq!(found(OffsetSpec::Timestamp(81)), None);
    assert_eq!(found(OffsetSpec::Earliest), Some((2, -1)));
    drop(world.log.delete_records(Some(Offset(5))).unwrap());
    assert_eq!(found(OffsetSpec::MaxTimestamp), Some((7, 32)));
    drop(world.log.delete_records(None).unwrap());
    assert_eq!(found(OffsetSpec::MaxTimestamp), None);
    assert_eq!((found(OffsetSpec::Timestamp(0)), found(OffsetSpec::Earliest)), (None, Some((8, -1))));
}

#[test]
fn the_greatest_time_is_found_at_its_first_record_over_many_segments() {
    let world = World::new(small(Durability::Relaxed));
    let found =
        || world.log.offset_for(OffsetSpec::MaxTimestamp).unwrap().map(|at| (at.offset.0, at.timestamp));
    assert_eq!(found(), None);
    (0..3).for_each(|_| drop(world.append(-1)));
    assert_eq!(found(), Some((0, -1)), "as in Kafka");
    (0..30).for_each(|i| drop(world.append([5, 9, 9, 3][i % 4])));
    assert_eq!(found(), Some((4, 9)));
    drop(world.log.delete_records(Some(Offset(6))).unwrap());
    assert_eq!(found(), Some((8, 9)));
}

#[test]
fn epochs_begin_with_the_log() {
    let mut world = World::new(small(Durability::Durable));
    world.fill(4, 0);
    world.log.set_leader_epoch(LeaderEpoch(3));
    world.fill(4, 0);
    world.log.set_leader_epoch(LeaderEpoch(7));
    world.fill(4, 0);
    let ends = |world: &World| {
        [0, 1, 2, 3, 5].map(|epoch| world.log.epoch_end_offset(LeaderEpoch(epoch)).map(|(e, o)| (e.0, o.0)))
    };
    assert_eq!(ends(&world), [Some((0, 0)), Some((1, 4)), Some((1, 4)), Some((3, 8)), Some((3, 8))]);
    assert_eq!(earliest(&world).leader_epoch, LeaderEpoch(1));
    drop(world.log.delete_records(Some(Offset(6))).unwrap());
    let cut = [Some((0, 6)), Some((1, 6)), Some((2, 6)), Some((3, 8)), Some((3, 8))];
    assert_eq!(ends(&world), cut);
    assert_eq!((earliest(&world).offset, earliest(&world).leader_epoch), (Offset(6), LeaderEpoch(3)));
    world.dir.flush();
    world.crash();
    assert_eq!(ends(&world), cut, "after a crash, from the batches");
    world.settle();
    world.crash();
    assert_eq!(ends(&world), cut, "after a checkpoint, from the file");
    let file = world.files.content(&Path::new(DIR).join(NAME).join("leader-epoch-checkpoint")).unwrap();
    assert!(file.starts_with(b"0\n"), "{:?}", String::from_utf8_lossy(&file));
    assert!(String::from_utf8(file).unwrap().contains("\n3 6\n"));
}
