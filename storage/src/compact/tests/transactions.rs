//! Producers' last batches, aborted and committed transactions, and their markers.

use super::*;

const RETENTION: Duration = Duration::from_secs(100);

fn world() -> World {
    World::new(1, LogConfig { delete_retention: RETENTION, ..compacted() })
}

/// A batch of a transaction.
fn write(world: &World, producer: i64, sequence: i32, key: &str, value: &str) -> i64 {
    let batch = BatchBuilder::new(world.now()).producer(ProducerId(producer), 0, sequence).transactional();
    world.put(batch.push(Some(key.as_bytes()), Some(value.as_bytes()), &[]).build())
}

/// A marker; 0 aborts, 1 commits.
fn end(world: &World, producer: i64, kind: u8) -> i64 {
    let batch = BatchBuilder::new(world.now()).producer(ProducerId(producer), 0, -1).transactional();
    world.put(batch.control().push(Some(&[0, 0, 0, kind]), Some(&[0; 6]), &[]).build())
}

fn offsets_of(world: &World, producer: i64) -> Vec<(i64, i32)> {
    let batches = read_all(&world.log).0.into_iter();
    let its = batches.filter(|batch| batch.producer_id == ProducerId(producer));
    its.map(|batch| (batch.base_offset.0, batch.record_count)).collect()
}

/// Cleans twice: the second pass sees what the first left.
fn clean(world: &World) {
    world.roll();
    assert_eq!(world.dir.clean(), 1);
}

#[test]
fn what_was_aborted_goes_and_its_marker_follows() {
    let world = world();
    let kept = world.append(Codec::None, &[(Some("k"), Some("committed before"))]);
    write(&world, 5, 0, "k", "aborted");
    let last = write(&world, 5, 1, "other", "aborted");
    let marker = end(&world, 5, 0);
    clean(&world);
    assert_eq!(world.values()["k"], "committed before", "what was aborted hides nothing");
    assert!(world.records().iter().any(|record| record.offset == kept));
    // The last batch keeps the producer's sequence.
    assert_eq!(offsets_of(&world, 5), [(last, 0), (marker, 1)]);
    // A later one takes its place, so that the marker's transaction is gone.
    let next = write(&world, 5, 2, "k", "committed");
    let commit = end(&world, 5, 1);
    clean(&world);
    assert_eq!(offsets_of(&world, 5), [(marker, 1), (next, 1), (commit, 1)]);
    clean(&world);
    let horizon = read_all(&world.log).0.iter().find(|batch| batch.base_offset.0 == marker).unwrap().clone();
    assert!(horizon.has_delete_horizon());
    world.clock.advance(RETENTION - Duration::from_millis(1));
    clean(&world);
    assert!(offsets_of(&world, 5).contains(&(marker, 1)));
    world.clock.advance(Duration::from_millis(1));
    clean(&world);
    assert_eq!(offsets_of(&world, 5), [(next, 1), (commit, 1)], "its own data is still there");
    assert_eq!(world.values()["k"], "committed");
}

#[test]
fn a_commit_goes_after_its_records_and_a_producer_after_a_day() {
    let mut world = world();
    write(&world, 5, 0, "k", "first");
    let last = write(&world, 5, 1, "k", "second");
    let marker = end(&world, 5, 1);
    world.append(Codec::None, &[(Some("k"), Some("third"))]);
    clean(&world);
    assert_eq!(offsets_of(&world, 5), [(last, 0), (marker, 1)]);
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    world.log.expire_producers(Duration::from_secs(24 * 60 * 60));
    clean(&world);
    assert_eq!(offsets_of(&world, 5), [(marker, 1)], "the producer is forgotten");
    clean(&world);
    world.clock.advance(RETENTION);
    clean(&world);
    assert_eq!(offsets_of(&world, 5), []);
    let records = world.records();
    world.files.kill();
    world.reopen();
    assert_eq!(world.records(), records);
}

#[test]
fn an_idempotent_producers_last_sequence_stays() {
    let world = world();
    let mut offsets = Vec::new();
    for sequence in 0..4 {
        let batch = BatchBuilder::new(world.now()).producer(ProducerId(9), 2, sequence);
        offsets.push(world.put(batch.push(Some(b"k"), Some(b"v"), &[]).build()));
    }
    world.append(Codec::None, &[(Some("k"), Some("newer"))]);
    clean(&world);
    let kept: Vec<_> =
        read_all(&world.log).0.into_iter().filter(|batch| batch.producer_id == ProducerId(9)).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].base_sequence, kept[0].producer_epoch, kept[0].record_count), (3, 2, 0));
    assert_eq!(kept[0].base_offset.0, offsets[3]);
}

/// What a reader of committed records takes, as Kafka's consumer does: it leaves out what the reads call aborted.
fn committed(world: &World) -> Vec<Seen> {
    let (mut next, mut taken) = (world.log.start_offset(), Vec::new());
    let mut aborting = std::collections::BTreeSet::new();
    loop {
        let plan = world.log.read(next, 900, true, Bound::LastStable).unwrap();
        let mut aborted = plan.aborted.clone().unwrap();
        aborted.sort_by_key(|txn| txn.first_offset);
        let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
        let (before, mut rest) = (next, &bytes[..]);
        while let Ok(header) = BatchHeader::parse(rest)
            && rest.len() >= header.total_bytes()
        {
            let begun = aborted.extract_if(.., |txn| txn.first_offset <= header.last_offset());
            aborting.extend(begun.map(|txn| txn.producer_id));
            let is_aborted = header.is_transactional() && aborting.contains(&header.producer_id);
            for record in records(rest).unwrap().map(Result::unwrap) {
                if header.is_control() {
                    let is_abort = record.key.as_ref().is_some_and(|key| key[2..4] == [0, 0]);
                    let _ = is_abort && aborting.remove(&header.producer_id);
                } else if !is_aborted {
                    let (key, value) = (record.key.map(|k| k.to_vec()), record.value.map(|v| v.to_vec()));
                    taken.push(Seen { offset: record.offset.0, timestamp: record.timestamp, key, value });
                }
            }
            next = header.next_offset();
            rest = &rest[header.total_bytes()..];
        }
        if next == before {
            assert_eq!(next, world.log.last_stable());
            return taken;
        }
        aborting.clear();
    }
}

/// Transactions of five producers, some over many segments, a third of them aborted, and what others wrote between them.
fn write_transactions(world: &World, truth: &mut Vec<Seen>) {
    let mut sequences = [0; 5];
    let mut opened: [Vec<Seen>; 5] = Default::default();
    for step in truth.len()..truth.len() + 90 {
        let (producer, key) = (step * 7 % 5, format!("key {}", step % 6));
        let value = format!("value {step} of {producer}");
        let offset = write(world, producer as i64, sequences[producer], &key, &value);
        sequences[producer] += 1;
        let (key, value) = (Some(key.into_bytes()), Some(value.into_bytes()));
        opened[producer].push(Seen { offset, timestamp: world.now(), key, value });
        if step % (3 + producer * 4) == 0 || step + 5 >= truth.len() + 90 {
            let is_aborted = (step + producer) % 3 == 0;
            end(world, producer as i64, u8::from(!is_aborted));
            let ended = std::mem::take(&mut opened[producer]);
            if !is_aborted {
                truth.extend(ended);
            }
        }
        world.dir.flush();
    }
    for producer in 0..5 {
        end(world, producer, 1);
        truth.append(&mut opened[producer as usize]);
    }
    world.dir.flush();
    truth.sort_by_key(|record| record.offset);
}

fn check_committed(world: &World, truth: &[Seen], when: &str) {
    let found = committed(world);
    for record in &found {
        assert!(truth.contains(record), "{when}: {record:?} was never committed");
    }
    for (place, record) in truth.iter().enumerate() {
        let is_last = !truth[place + 1..].iter().any(|later| later.key == record.key);
        assert!(!is_last || found.contains(record), "{when}: the last of its key is gone: {record:?}");
    }
    assert_eq!(world.log.last_stable(), world.log.end_offset(), "{when}");
}

fn with_transactions(seed: u64) -> (World, Vec<Seen>) {
    let world = World::new(seed, LogConfig { delete_retention: RETENTION, ..compacted() });
    let mut truth = Vec::new();
    write_transactions(&world, &mut truth);
    (0..2).for_each(|_| world.dir.checkpoint());
    (world, truth)
}

fn count_of(world: &World, suffix: &str) -> usize {
    world.names().iter().filter(|name| name.ends_with(suffix)).count()
}

#[test]
fn readers_of_committed_records_get_none_that_were_aborted() {
    let (mut world, mut truth) = with_transactions(1);
    check_committed(&world, &truth, "before");
    let (indexes, snapshots) = (count_of(&world, ".txnindex"), count_of(&world, ".snapshot"));
    assert!(indexes > 3 && snapshots > 10, "{indexes} {snapshots}");
    for round in 0..4 {
        world.dir.clean();
        check_committed(&world, &truth, "after a pass");
        for restart in [SimFiles::kill as fn(&SimFiles), SimFiles::crash, |_| {}] {
            restart(&world.files);
            world.dir.close();
            world.reopen();
            check_committed(&world, &truth, "after a restart");
        }
        if round < 2 {
            write_transactions(&world, &mut truth);
            (0..2).for_each(|_| world.dir.checkpoint());
        } else {
            world.clock.advance(RETENTION);
            world.roll();
            truth = committed(&world);
        }
    }
    assert_eq!(count_of(&world, ".deleted"), 0, "a start tidies");
    assert!(count_of(&world, ".snapshot") <= world.log.segment_count() + 1);
}

#[test]
fn a_power_cut_in_a_swap_leaves_aborted_transactions_with_their_batches() {
    let (world, _) = with_transactions(1);
    let begun = world.files.operations();
    assert_eq!(world.dir.clean(), 1);
    let operations = world.files.operations() - begun;
    let mut met = 0;
    for operation in 0..=operations {
        let (mut world, truth) = with_transactions(1 + operation);
        world.files.cut_power_after(operation);
        world.dir.clean();
        world.files.crash();
        met += usize::from(world.names().iter().any(|name| compact::swap::is_pending(name)));
        world.reopen();
        check_committed(&world, &truth, &format!("after a cut at operation {operation}"));
        world.dir.clean();
        check_committed(&world, &truth, "after the pass that follows");
        world.dir.close();
        world.reopen();
        check_committed(&world, &truth, "after a restart");
    }
    assert!(met > 5, "only {met} swaps were met on their way");
}

#[test]
fn a_lost_index_of_aborted_transactions_is_made_again_of_what_a_pass_left() {
    let (mut world, truth) = with_transactions(1);
    assert_eq!(world.dir.clean(), 1);
    world.dir.close();
    for name in world.names().iter().filter(|name| name.ends_with(".txnindex")) {
        world.files.open(&world.path(name), OpenMode::Write).unwrap().set_len(20).unwrap();
    }
    world.reopen();
    check_committed(&world, &truth, "without indexes");
}
