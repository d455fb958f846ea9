//! Producers that send again what they sent, lose count, are fenced, come back after a restart.

use super::*;
use crate::shared::STALLED_MAX;

pub(super) fn sent(id: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let mut builder = BatchBuilder::new(1_000).producer(ProducerId(id), epoch, sequence);
    for number in 0..count {
        let value = format!("{id} {}", i64::from(sequence) + number as i64);
        builder = builder.push(Some(b"key"), Some(value.as_bytes()), &[]);
    }
    builder.build()
}

impl World {
    fn send(&self, id: i64, epoch: i16, sequence: i32, count: usize) -> Ticket {
        self.log.append(check_internal(sent(id, epoch, sequence, count)).unwrap(), Origin::Client, None)
    }

    /// Sends, flushes, and gives the first offset.
    fn sends(&self, id: i64, epoch: i16, sequence: i32, count: usize) -> Result<i64, AppendError> {
        let ticket = self.send(id, epoch, sequence, count);
        self.dir.flush();
        ticket.wait().map(|appended| appended.base.0)
    }

    fn names(&self, suffix: &str) -> Vec<String> {
        let all = self.files.list(&Path::new(DIR).join(NAME)).unwrap();
        let mut names: Vec<_> =
            all.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(suffix)).collect();
        names.sort();
        names
    }
}

fn out_of_order(result: Result<i64, AppendError>) -> bool {
    matches!(result, Err(AppendError::OutOfOrderSequence { .. }))
}

#[test]
fn what_is_sent_again_is_answered_as_the_first_and_waits_with_it() {
    for durability in [Durability::Durable, Durability::Relaxed] {
        let world = World::new(small(durability));
        let first = world.send(7, 0, 0, 3);
        let again = world.send(7, 0, 0, 3);
        assert_eq!(first.peek().is_some(), durability == Durability::Relaxed);
        assert_eq!(again.peek().is_some(), first.peek().is_some());
        world.dir.flush();
        let (first, again) = (first.wait().unwrap(), again.wait().unwrap());
        assert_eq!((first.base, first.last, first.append_time), (Offset(0), Offset(2), NO_TIMESTAMP));
        // Kafka's answer to a repeated batch carries the batch's time.
        assert_eq!((again.base, again.last, again.append_time), (Offset(0), Offset(2), 1_000));
        assert_eq!(world.log.end_offset(), Offset(3));
    }
}

#[test]
fn the_last_five_batches_are_repeated_and_older_ones_are_out_of_order() {
    let world = World::new(small(Durability::Durable));
    for number in 0..6 {
        assert_eq!(world.sends(7, 0, 2 * number, 2), Ok(2 * i64::from(number)));
    }
    for number in 1..6 {
        assert_eq!(world.sends(7, 0, 2 * number, 2), Ok(2 * i64::from(number)));
    }
    assert!(out_of_order(world.sends(7, 0, 0, 2)), "the sixth last");
    assert!(out_of_order(world.sends(7, 0, 10, 1)), "the same first record, but another batch");
    assert!(out_of_order(world.sends(7, 0, 13, 1)), "a gap");
    assert_eq!(world.sends(8, 0, 77, 1), Ok(12), "of an unknown producer nothing is expected");
    assert_eq!(world.sends(7, 0, 12, 1), Ok(13));
    assert_eq!(world.log.producer_count(), 2);
}

#[test]
fn sequences_wrap_around() {
    let world = World::new(small(Durability::Durable));
    assert_eq!(world.sends(7, 0, i32::MAX - 1, 1), Ok(0));
    assert_eq!(world.sends(7, 0, i32::MAX, 3), Ok(1), "2147483647, 0, 1");
    assert_eq!(world.sends(7, 0, 2, 1), Ok(4));
    assert_eq!(world.sends(7, 0, i32::MAX, 3), Ok(1));
    assert_eq!(world.sends(8, 0, i32::MAX, 1), Ok(5));
    assert_eq!(world.sends(8, 0, 0, 1), Ok(6));
    assert!(out_of_order(world.sends(8, 0, i32::MAX - 1, 1)));
}

#[test]
fn a_later_epoch_begins_anew_and_fences_the_one_before() {
    let world = World::new(small(Durability::Durable));
    assert_eq!(world.sends(7, 3, 0, 1), Ok(0));
    assert!(out_of_order(world.sends(7, 4, 1, 1)), "a known producer's new epoch begins at 0");
    assert_eq!(world.sends(7, 4, 0, 1), Ok(1), "no repetition of what the epoch before sent");
    let fenced = world.sends(7, 3, 1, 1);
    let expected = AppendError::InvalidProducerEpoch { producer: ProducerId(7), found: 3, current: 4 };
    assert_eq!(fenced, Err(expected));
    assert_eq!(world.sends(7, 4, 1, 1), Ok(2));
}

#[test]
fn one_run_may_hold_a_batch_twice_and_the_one_behind() {
    let world = World::new(LogConfig { segment_bytes: 1 << 20, ..small(Durability::Durable) });
    world.send(7, 0, 0, 1);
    // Appends wait from here on, and are then written together.
    world.log.shared.took(STALLED_MAX);
    let tickets = [(0, 1), (1, 2), (1, 2), (5, 1), (3, 1), (3, 1), (0, 1)]
        .map(|(sequence, count)| world.send(7, 0, sequence, count));
    assert!(tickets.iter().all(|ticket| !ticket.is_placed()));
    world.dir.flush();
    let bases = tickets.map(|ticket| ticket.wait().map(|appended| appended.base.0));
    assert!(out_of_order(bases[3].clone()));
    let bases: Vec<_> = bases.into_iter().filter_map(Result::ok).collect();
    assert_eq!(bases, [0, 1, 1, 3, 3, 0]);
    assert_eq!(world.log.end_offset(), Offset(4));
}

#[test]
fn an_append_that_fails_leaves_no_trace() {
    let world = World::new(small(Durability::Durable));
    assert_eq!(world.sends(7, 0, 0, 1), Ok(0));
    world.files.set_free_bytes(0);
    world.log.shared.took(STALLED_MAX);
    let tickets = [world.send(7, 0, 1, 1), world.send(7, 0, 1, 1), world.send(7, 0, 0, 1)];
    world.dir.flush();
    let [first, again, before] = tickets.map(Ticket::wait);
    assert_eq!((first, again), (Err(AppendError::NoSpace), Err(AppendError::NoSpace)));
    assert_eq!(before.unwrap().base, Offset(0), "what is in the log needs no room");
    world.files.set_free_bytes(1 << 30);
    assert_eq!(world.sends(7, 0, 1, 1), Ok(1));
}

#[test]
fn producers_are_known_after_every_end() {
    let mut world = World::new(small(Durability::Durable));
    let mut next = 0;
    type End = fn(&World);
    let ends: [(&str, End); 4] = [
        ("a kill", |world| world.files.kill()),
        ("a clean end", |world| world.dir.close()),
        ("a power cut", |world| world.files.crash()),
        ("a checkpoint and a kill", |world| {
            world.dir.checkpoint();
            world.files.kill();
        }),
    ];
    for (what, end) in ends.iter().cycle().take(12) {
        for _ in 0..12 {
            assert_eq!(world.sends(7, 1, next, 5), Ok(i64::from(next)), "before {what}");
            next += 5;
        }
        let before = world.log.producers();
        end(&world);
        world.reopen();
        assert_eq!(world.log.producers(), before, "after {what}");
        assert_eq!(world.sends(7, 1, next - 5, 5), Ok(i64::from(next) - 5), "{what} in between");
        assert!(out_of_order(world.sends(7, 1, next + 1, 1)), "after {what}");
    }
    assert!(world.log.segment_count() > 5);
    let (snapshots, segments) = (world.names(".snapshot").len(), world.log.segment_count());
    assert!(snapshots > 1 && snapshots <= segments + 2, "{snapshots} for {segments} segments");
}

/// Whoever was not answered sends again all that was on its way.
#[test]
fn five_batches_on_the_way_are_known_after_every_end() {
    type End = fn(&World);
    let ends: [(&str, End); 4] = [
        ("a kill", |world| world.files.kill()),
        ("a clean end", |world| world.dir.close()),
        ("a power cut", |world| world.files.crash()),
        ("a checkpoint and a kill", |world| {
            world.dir.checkpoint();
            world.files.kill();
        }),
    ];
    for sizes in [[1, 1, 1], [3, 20, 1]] {
        let mut world = World::new(small(Durability::Durable));
        let mut next = [0; 3];
        for (what, end) in ends.iter().cycle().take(8) {
            let mut sent = Vec::new();
            for _ in 0..12 {
                for (id, count) in sizes.into_iter().enumerate() {
                    let offset = world.sends(id as i64, 0, next[id], count as usize).unwrap();
                    sent.push((id as i64, next[id], count as usize, offset));
                    next[id] += count;
                }
            }
            end(&world);
            world.reopen();
            let log_end = world.log.end_offset();
            // The last five of each of three.
            for (id, sequence, count, offset) in &sent[sent.len() - 15..] {
                assert_eq!(world.sends(*id, 0, *sequence, *count), Ok(*offset), "{id}, after {what}");
            }
            assert_eq!(world.log.end_offset(), log_end, "after {what}");
            let (id, sequence, count, _) = sent[sent.len() - 16];
            assert!(out_of_order(world.sends(id, 0, sequence, count)), "the sixth last, after {what}");
        }
        assert!(world.log.segment_count() > 3);
    }
}

#[test]
fn only_right_batches_of_the_epoch_are_known_again() {
    let mut world = World::new(LogConfig { segment_bytes: 1 << 20, ..small(Durability::Durable) });
    world.sends(7, 0, 0, 1).unwrap();
    for number in 0..4 {
        world.sends(7, 1, number, 1).unwrap();
    }
    world.dir.close();
    let log = world.names(".log").pop().unwrap();
    let whole = world.files.content(&world.path(&log)).unwrap();
    let batch_bytes = BatchHeader::parse(&whole[whole.len() / 5 * 2..]).unwrap().total_bytes() as u64;
    // In the records of the third of the epoch's.
    let at = whole.len() as u64 - 2 * batch_bytes + batch::HEADER_BYTES as u64 + 3;
    world.files.flip_bit(&world.path(&log), at, 1).unwrap();
    world.reopen();
    assert_eq!(world.sends(7, 1, 3, 1), Ok(4));
    assert!(out_of_order(world.sends(7, 1, 2, 1)), "it is damaged");
    assert!(out_of_order(world.sends(7, 1, 1, 1)), "what stands before it is not looked for");
    assert!(matches!(world.sends(7, 0, 0, 1), Err(AppendError::InvalidProducerEpoch { .. })));
    assert_eq!(world.sends(7, 1, 4, 1), Ok(5));
}

#[test]
fn a_snapshot_that_is_lost_damaged_or_of_the_future_is_made_up_for() {
    type Harm = fn(&World, &Path);
    let harms: [Harm; 3] = [
        |world, path| world.files.flip_bit(path, 20, 3).unwrap(),
        |world, path| world.files.open(path, OpenMode::Write).unwrap().set_len(30).unwrap(),
        |world, path| world.files.remove_file(path).unwrap(),
    ];
    for count in [1, usize::MAX] {
        for harm in harms {
            let mut world = World::new(small(Durability::Durable));
            for number in 0..60 {
                world.sends(number % 3, 0, 5 * (number / 3) as i32, 5).unwrap();
            }
            let before = world.log.producers();
            world.dir.checkpoint();
            world.files.kill();
            let names = world.names(".snapshot");
            assert!(names.len() >= 2);
            names.iter().rev().take(count).for_each(|name| harm(&world, &world.path(name)));
            let beyond = world.path("00000000000000009999.snapshot");
            world.files.open(&beyond, OpenMode::Create).unwrap();
            world.reopen();
            assert_eq!(world.log.producers(), before);
            assert!(!world.files.exists(&beyond));
        }
    }
}

#[test]
fn a_clean_start_reads_one_snapshot() {
    let mut world = World::new(small(Durability::Durable));
    for number in 0..40 {
        world.sends(3, 0, 5 * number, 5).unwrap();
    }
    let before = world.log.producers();
    world.dir.close();
    let last = world.names(".snapshot").pop().unwrap();
    assert_eq!(last, "00000000000000000200.snapshot");
    for name in world.names(".log") {
        // Were a batch looked at, its damage would be seen.
        for byte in 0..world.files.content(&world.path(&name)).unwrap().len() {
            world.files.flip_bit(&world.path(&name), byte as u64, 0).unwrap();
        }
    }
    world.reopen();
    assert_eq!(world.log.producers(), before);
}

#[test]
fn a_log_without_producers_has_no_snapshot_when_it_never_rolled() {
    let mut world = World::new(small(Durability::Durable));
    world.append(3, 5);
    world.dir.close();
    assert_eq!(world.names(".snapshot"), [""; 0]);
    world.reopen();
    assert_eq!((world.log.producer_count(), world.log.end_offset()), (0, Offset(3)));
}

#[test]
fn a_producer_that_came_after_the_last_close_is_known_after_a_kill() {
    let mut world = World::new(small(Durability::Durable));
    world.append(3, 5);
    world.dir.close();
    world.reopen();
    assert_eq!(world.sends(7, 0, 0, 2), Ok(3));
    world.files.kill();
    world.reopen();
    assert_eq!(world.sends(7, 0, 0, 2), Ok(3));
    assert_eq!(world.log.end_offset(), Offset(5));
}

/// Records that were deleted, and then lost with what else was not flushed: whoever wrote them goes on.
#[test]
fn who_wrote_what_was_deleted_and_lost_goes_on() {
    let mut lost = 0;
    for seed in 0..20 {
        let config = LogConfig { segment_bytes: 1 << 20, ..small(Durability::Relaxed) };
        let mut world = World::of_seed(seed, config);
        assert_eq!(world.sends(7, 0, 0, 2), Ok(0));
        world.dir.close();
        world.reopen();
        assert_eq!((world.sends(7, 0, 2, 2), world.sends(7, 0, 4, 2)), (Ok(2), Ok(4)));
        let start = world.log.delete_records(Some(Offset(6))).unwrap();
        world.dir.flush();
        assert_eq!(start.wait(), Ok(Offset(6)));
        world.files.crash();
        world.reopen();
        assert_eq!((world.log.start_offset(), world.log.end_offset()), (Offset(6), Offset(6)), "seed {seed}");
        lost += u64::from(world.log.producer_count() == 0);
        assert_eq!(world.sends(7, 0, 6, 2), Ok(6), "seed {seed}");
        world.files.kill();
        world.reopen();
        assert_eq!(world.sends(7, 0, 6, 2), Ok(6), "seed {seed}: sent again");
        assert_eq!(world.sends(7, 0, 8, 2), Ok(8), "seed {seed}");
        assert!(out_of_order(world.sends(7, 0, 12, 2)), "seed {seed}");
    }
    assert!(lost > 0);
}

#[test]
fn producers_expire_by_their_last_record_and_not_with_a_jump_of_an_hour() {
    let world = World::new(small(Durability::Durable));
    let now = world.env.clock.now_ms();
    let day = Duration::from_secs(24 * 60 * 60);
    let send = |id: i64, age: Duration| {
        let timestamp = now - age.as_millis() as i64;
        let batch = BatchBuilder::new(timestamp).producer(ProducerId(id), 0, 9).push(None, None, &[]).build();
        world.log.append(check_internal(batch).unwrap(), Origin::Client, None);
    };
    let hour = Duration::from_secs(60 * 60);
    send(1, day);
    send(2, day - Duration::from_millis(1));
    send(3, hour);
    send(4, Duration::ZERO);
    assert_eq!(world.log.expire_producers(day + hour), 0);
    assert_eq!(world.log.expire_producers(day), 1);
    assert_eq!(world.log.producers().iter().map(|producer| producer.id.0).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(world.sends(1, 0, 500, 1), Ok(4), "whatever it sends next is taken");
}
