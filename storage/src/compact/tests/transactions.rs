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
