//! Transactions in a log: what is stable, and what readers of committed records are told.

use super::*;
use std::collections::BTreeSet;

/// Records of a transaction.
fn record(world: &World, id: i64, sequence: i32) -> Offset {
    let batch = BatchBuilder::new(1_000)
        .producer(ProducerId(id), 0, sequence)
        .transactional()
        .push(Some(b"key"), Some(&[b'v'; 300]), &[])
        .build();
    append(world, batch).unwrap()
}

fn append(world: &World, batch: Bytes) -> Result<Offset, AppendError> {
    let ticket = world.log.append(check_internal(batch).unwrap(), Origin::Coordinator, None);
    world.dir.flush();
    ticket.wait().map(|appended| appended.base)
}

fn end(world: &World, id: i64, committed: bool) -> Offset {
    append(world, EndMarker { committed, coordinator_epoch: 1 }.batch(ProducerId(id), 0, 1_001)).unwrap()
}

fn plain(world: &World, count: usize) {
    for _ in 0..count {
        world.append(1, 1_000);
    }
    world.dir.flush();
}

fn aborted(world: &World, from: i64, bytes: usize) -> Vec<(i64, i64)> {
    let plan = world.log.read(Offset(from), bytes, true, Bound::LastStable).unwrap();
    plan.aborted.unwrap().iter().map(|txn| (txn.producer_id.0, txn.first_offset.0)).collect()
}

/// The offsets of all batches that a reader of committed records gets, from `from` on, aborted or not.
fn seen(world: &World, from: Offset) -> Vec<i64> {
    let (mut next, mut seen) = (from, Vec::new());
    loop {
        let plan = world.log.read(next, 100_000, true, Bound::LastStable).unwrap();
        let bytes = bytes_of(&plan);
        let mut rest = &bytes[..];
        while let Ok(header) = BatchHeader::parse(rest) {
            seen.push(header.base_offset.0);
            next = header.next_offset();
            rest = &rest[header.total_bytes()..];
        }
        if bytes.is_empty() {
            return seen;
        }
    }
}

#[test]
fn readers_of_committed_records_stop_at_the_first_open_transaction() {
    let world = World::new(small(Durability::Durable));
    plain(&world, 2);
    assert_eq!(world.log.last_stable(), Offset(2));
    assert_eq!(record(&world, 7, 0), Offset(2));
    plain(&world, 1);
    assert_eq!(record(&world, 8, 0), Offset(4));
    assert_eq!((world.log.last_stable(), world.log.high_watermark()), (Offset(2), Offset(5)));
    assert_eq!(seen(&world, Offset(0)), [0, 1]);
    let plan = world.log.read(Offset(4), 1_000, true, Bound::LastStable).unwrap();
    assert!(plan.parts.is_empty(), "behind what is stable there is nothing yet");
    assert_eq!((plan.last_stable, plan.aborted), (Offset(2), Some(Vec::new())));
    let plan = world.log.read(Offset(4), 1_000, true, Bound::HighWatermark).unwrap();
    assert!(!plan.parts.is_empty() && plan.aborted.is_none());
    let stable = world.log.offset_for(OffsetSpec::LastStable).unwrap().unwrap();
    assert_eq!(stable.offset, Offset(2));
    assert_eq!(end(&world, 7, false), Offset(5));
    assert_eq!(world.log.last_stable(), Offset(4));
    assert_eq!(aborted(&world, 0, 100_000), [(7, 2)]);
    assert_eq!(end(&world, 8, true), Offset(6));
    assert_eq!(world.log.last_stable(), Offset(7));
    assert_eq!(seen(&world, Offset(0)), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(aborted(&world, 3, 100_000), [(7, 2)]);
    assert_eq!(aborted(&world, 6, 100_000), [], "its marker is before");
}

#[test]
fn a_transaction_is_open_until_its_end_is_durable() {
    let world = World::new(small(Durability::Durable));
    record(&world, 7, 0);
    let marker = EndMarker { committed: true, coordinator_epoch: 1 }.batch(ProducerId(7), 0, 1_001);
    let ticket = world.log.append(check_internal(marker).unwrap(), Origin::Coordinator, None);
    assert_eq!((ticket.peek(), world.log.last_stable()), (None, Offset(0)));
    world.dir.flush();
    assert_eq!(world.log.last_stable(), Offset(2));
}

#[test]
fn aborted_transactions_are_found_over_segments_and_restarts() {
    type End = fn(&World);
    let ends: [End; 5] = [
        |_| {},
        |world| world.files.kill(),
        |world| world.dir.close(),
        |world| {
            world.dir.checkpoint();
            world.files.crash();
        },
        |world| {
            world.dir.checkpoint();
            world.dir.close();
            for name in world.files.list(&Path::new(DIR).join(NAME)).unwrap() {
                if name.name.ends_with(".txnindex") {
                    world.files.open(&world.path(&name.name), OpenMode::Write).unwrap().set_len(20).unwrap();
                }
            }
        },
    ];
    for (number, restart) in ends.iter().enumerate() {
        let mut world = World::new(small(Durability::Durable));
        let mut expected = Vec::new();
        let long = record(&world, 99, 0);
        for round in 0..30 {
            let id = round % 4;
            let first = record(&world, id, (round / 4) as i32);
            plain(&world, 2);
            let marker = end(&world, id, round % 3 == 0);
            if round % 3 != 0 {
                expected.push((id, first, marker));
            }
        }
        let marker = end(&world, 99, false);
        expected.push((99, long, marker));
        assert!(world.log.segment_count() > 6);
        if number > 0 {
            restart(&world);
            world.reopen();
        }
        assert_eq!(world.log.last_stable(), world.log.end_offset());
        let last = world.log.end_offset().0;
        for from in 0..last {
            let plan = world.log.read(Offset(from), 700, true, Bound::LastStable).unwrap();
            let bytes = bytes_of(&plan);
            let (mut rest, mut to) = (&bytes[..], from);
            while let Ok(header) = BatchHeader::parse(rest) {
                to = header.last_offset().0;
                rest = rest.get(header.total_bytes()..).unwrap_or_default();
            }
            let told = plan.aborted.unwrap();
            for (id, first, marker) in &expected {
                let in_range = marker.0 >= from && first.0 <= to;
                let is_told = told.iter().any(|txn| txn.producer_id.0 == *id && txn.first_offset == *first);
                assert!(
                    is_told || !in_range,
                    "case {number}: {id} of {first} to {marker}, read {from} to {to}"
                );
            }
            let real = |txn: &AbortedTxn| {
                expected.iter().any(|(id, first, marker)| {
                    (*id, *first) == (txn.producer_id.0, txn.first_offset) && marker.0 >= from
                })
            };
            assert!(told.iter().all(real), "case {number}: {told:?} from {from}");
        }
    }
}

/// Kafka's format has no checksum: ours stands beside.
/// Many transactions, some aborted, over several segments.
fn filled() -> World {
    let world = World::new(small(Durability::Durable));
    for round in 0..24 {
        let id = round % 4;
        record(&world, id, (round / 4) as i32);
        record(&world, 9, round as i32);
        end(&world, id, round % 3 == 0);
        plain(&world, 1);
    }
    end(&world, 9, false);
    world
}

/// What readers from every offset are told.
fn told(world: &World) -> Vec<Vec<(i64, i64)>> {
    (0..world.log.end_offset().0).map(|from| aborted(world, from, 900)).collect()
}

#[test]
fn an_index_of_aborted_transactions_with_a_wrong_bit_or_without_its_file_is_made_anew() {
    let world = filled();
    let (expected, last) = (told(&world), world.log.segment_count());
    let names: Vec<_> = world.files.list(&Path::new(DIR).join(NAME)).unwrap();
    let names: Vec<_> = names.into_iter().filter(|entry| entry.name.ends_with(".txnindex")).collect();
    assert!(names.len() > 4 && last > 4, "{} of {last}", names.len());
    type Harm = Box<dyn Fn(&World, &Path)>;
    for clean in [true, false] {
        for entry in &names {
            let flip = |byte: u64| -> Harm {
                Box::new(move |world, path| {
                    world.files.flip_bit(path, byte, (byte % 8) as u8).unwrap();
                })
            };
            let mut harms: Vec<Harm> = (0..entry.len).step_by(3).map(flip).collect();
            harms.push(Box::new(|world, path| world.files.remove_file(path).unwrap()));
            for (number, harm) in harms.iter().enumerate() {
                let mut world = filled();
                if clean {
                    world.dir.close()
                } else {
                    world.files.kill()
                }
                harm(&world, &world.path(&entry.name));
                world.reopen();
                assert_eq!(told(&world), expected, "{}, harm {number}, clean {clean}", entry.name);
            }
        }
    }
}

#[test]
fn an_open_transaction_stays_open_over_restarts_and_may_go_on() {
    let mut world = World::new(small(Durability::Durable));
    plain(&world, 3);
    record(&world, 7, 0);
    plain(&world, 20);
    let ends: [fn(&World); 2] = [|world| world.files.crash(), |world| world.dir.close()];
    for restart in ends {
        restart(&world);
        world.reopen();
        assert_eq!(world.log.last_stable(), Offset(3));
        assert_eq!(seen(&world, Offset(0)), [0, 1, 2]);
        assert_eq!(
            world.log.expire_producers(Duration::ZERO),
            0,
            "a producer with an open transaction stays"
        );
    }
    record(&world, 7, 1);
    end(&world, 7, true);
    assert_eq!(world.log.last_stable(), world.log.end_offset());
}

#[test]
fn what_does_not_fit_a_transaction_is_refused() {
    let world = World::new(small(Durability::Durable));
    record(&world, 7, 0);
    let outside = BatchBuilder::new(1).producer(ProducerId(7), 0, 1).push(None, None, &[]).build();
    assert_eq!(append(&world, outside), Err(AppendError::NotInTransaction { producer: ProducerId(7) }));
    let marker = |epoch, coordinator_epoch| {
        EndMarker { committed: true, coordinator_epoch }.batch(ProducerId(7), epoch, 1)
    };
    let forged = world.log.append(check_internal(marker(0, 1)).unwrap(), Origin::Client, None);
    assert_eq!(forged.wait(), Err(AppendError::ControlBatch));
    assert_eq!(append(&world, marker(2, 5)), Ok(Offset(1)));
    let fenced = AppendError::InvalidProducerEpoch { producer: ProducerId(7), found: 1, current: 2 };
    assert_eq!(append(&world, marker(1, 6)), Err(fenced));
    assert_eq!(append(&world, marker(2, 4)), Err(AppendError::CoordinatorFenced { found: 4, current: 5 }));
    let wrong =
        BatchBuilder::new(1).producer(ProducerId(7), 2, -1).control().push(Some(b"k"), None, &[]).build();
    assert_eq!(append(&world, wrong), Err(AppendError::BadMarker));
    assert_eq!(world.log.last_stable(), Offset(2));
}

#[test]
fn a_snapshot_from_before_a_transactions_end_that_is_deleted_does_not_open_it_again() {
    let mut world = World::new(small(Durability::Durable));
    record(&world, 7, 0);
    world.dir.close();
    world.reopen();
    end(&world, 7, true);
    while world.log.segment_count() < 3 {
        plain(&world, 1);
    }
    drop(world.log.delete_records(None).unwrap());
    world.dir.flush();
    // The later snapshots never got to the disk.
    world.files.kill();
    let dir = Path::new(DIR).join(NAME);
    let stale = dir.join("00000000000000000001.snapshot");
    for entry in world.files.list(&dir).unwrap() {
        let path = dir.join(&entry.name);
        if entry.name.ends_with(".snapshot") && path != stale {
            world.files.remove_file(&path).unwrap();
        }
    }
    assert!(world.files.exists(&stale));
    world.reopen();
    assert_eq!(world.log.last_stable(), world.log.high_watermark());
    world.dir.close();
    world.reopen();
    assert_eq!(world.log.last_stable(), world.log.high_watermark());
    assert!(!world.files.exists(&stale), "there is a later one");
}

#[test]
fn a_damaged_snapshot_is_no_lesser_sign_of_producers_at_the_second_start() {
    let mut world = World::new(small(Durability::Durable));
    record(&world, 7, 0);
    world.dir.close();
    let snapshot = world.path("00000000000000000001.snapshot");
    world.files.flip_bit(&snapshot, 9, 0).unwrap();
    world.files.open(&snapshot, OpenMode::Write).unwrap().sync_data().unwrap();
    for _ in 0..3 {
        world.reopen();
        assert_eq!(world.log.last_stable(), Offset(0), "the transaction is open");
        world.files.kill();
    }
}

/// A power cut takes the end of a transaction together with its records, which were deleted before.
#[test]
fn a_transaction_whose_records_are_gone_holds_nobody_up() {
    let mut world = World::new(small(Durability::Relaxed));
    plain(&world, 1);
    assert_eq!(record(&world, 7, 0), Offset(1));
    world.dir.checkpoint();
    assert_eq!(end(&world, 7, true), Offset(2));
    drop(world.log.delete_records(None).unwrap());
    world.dir.flush();
    world.files.crash();
    world.reopen();
    assert_eq!((world.log.start_offset(), world.log.end_offset()), (Offset(3), Offset(3)));
    plain(&world, 2);
    assert_eq!(world.log.last_stable(), Offset(5));
    // Its producer goes on where it was.
    assert_eq!(record(&world, 7, 1), Offset(5));
    plain(&world, 1);
    assert_eq!(world.log.last_stable(), Offset(5));
    end(&world, 7, false);
    assert_eq!(world.log.last_stable(), Offset(8));
}

/// It is asked where the range of a read ends, and by that which transactions have records in it.
#[test]
fn a_wrong_bit_in_an_index_hides_no_aborted_transaction() {
    let world = filled();
    let all: BTreeSet<_> = told(&world).into_iter().flatten().collect();
    let names = world.files.list(&Path::new(DIR).join(NAME)).unwrap();
    let indexes: Vec<_> = names.into_iter().filter(|entry| entry.name.ends_with(".index")).collect();
    assert!(indexes.len() > 4);
    for entry in &indexes {
        for byte in 0..entry.len {
            let mut world = filled();
            world.dir.close();
            world.files.flip_bit(&world.path(&entry.name), byte, (byte % 8) as u8).unwrap();
            world.reopen();
            for from in 0..world.log.end_offset().0 {
                let plan = world.log.read(Offset(from), 900, true, Bound::LastStable).unwrap();
                let (bytes, mut next) = (bytes_of(&plan), Offset(from));
                let mut rest = &bytes[..];
                while let Ok(header) = BatchHeader::parse(rest)
                    && rest.len() >= header.total_bytes()
                {
                    next = header.next_offset();
                    rest = &rest[header.total_bytes()..];
                }
                let told = aborted(&world, from, 900);
                let hidden = all.iter().find(|txn| (from..next.0).contains(&txn.1) && !told.contains(txn));
                assert_eq!(hidden, None, "{}, byte {byte}, from {from}", entry.name);
            }
        }
    }
}

/// Whoever finds an index without its sum writes it anew; a power cut in the middle of that must not take what is there.
#[test]
fn an_aborted_transaction_outlives_a_full_disk_and_a_power_cut_after_it() {
    for free_bytes in (0..300).step_by(20) {
        for operations in 1..30 {
            let mut world = World::new(small(Durability::Durable));
            record(&world, 7, 0);
            end(&world, 7, false);
            world.files.set_free_bytes(free_bytes);
            world.dir.checkpoint();
            world.files.set_free_bytes(u64::MAX);
            // A segment ends, so that a snapshot vouches for the transaction from here on.
            plain(&world, 20);
            world.dir.checkpoint();
            world.files.kill();
            world.reopen();
            plain(&world, 1);
            world.files.cut_power_after(operations);
            world.dir.checkpoint();
            world.files.crash();
            world.reopen();
            let told = aborted(&world, 0, 100_000);
            assert_eq!(told, [(7, 0)], "{free_bytes} bytes free, the power cut at operation {operations}");
        }
    }
}
