//! The power goes, or the process, at every single operation of a pass.

use super::*;

/// What was appended to a log of several segments that are ready to be cleaned.
fn filled(seed: u64, durability: Durability) -> (World, Vec<Seen>) {
    let world = World::new(seed, LogConfig { durability, ..compacted() });
    let mut appended = Vec::new();
    let append = |appended: &mut Vec<Seen>, first: i32| {
        for number in first..first + 30 {
            let key = format!("key {}", number % 7);
            let value = (number % 5 != 0).then(|| format!("value {number}"));
            let codec = [Codec::None, Codec::Lz4, Codec::Zstd][number as usize % 3];
            let offset = world.append(codec, &[(Some(&key), value.as_deref())]);
            let (key, value) = (Some(key.into_bytes()), value.map(String::into_bytes));
            appended.push(Seen { offset, timestamp: world.now(), key, value });
        }
        world.dir.flush();
    };
    append(&mut appended, 0);
    // What this leaves is small enough to become one with what follows.
    world.dir.clean();
    append(&mut appended, 30);
    (0..2).for_each(|_| world.dir.checkpoint());
    (world, appended)
}

/// What must hold whatever was done of a pass.
fn check(world: &World, appended: &[Seen]) {
    let found = world.records();
    for record in &found {
        assert!(appended.contains(record), "{record:?} was never appended");
    }
    for (place, record) in appended.iter().enumerate() {
        let is_last = !appended[place + 1..].iter().any(|later| later.key == record.key);
        assert!(!is_last || found.contains(record), "the last of its key: {record:?}");
    }
    assert_eq!(world.log.end_offset().0, appended.len() as i64);
    assert_eq!(world.log.damaged_bytes() + world.log.quarantined_bytes(), 0);
    let names = world.names();
    let is_passing = |name: &&String| [".cleaned", ".swap"].iter().any(|end| name.ends_with(end));
    assert_eq!(names.iter().find(is_passing), None);
}

fn crash_everywhere(durability: Durability, crash: fn(&SimFiles)) {
    let (world, _) = filled(1, durability);
    let begun = world.files.operations();
    let segments = world.log.segment_count();
    assert_eq!(world.dir.clean(), 1);
    assert!(world.log.segment_count() < segments, "segments became one");
    let expected = world.records();
    let operations = world.files.operations() - begun;
    assert!(operations > 30, "{operations}");
    for operation in 0..=operations {
        let (mut world, appended) = filled(1 + operation, durability);
        world.files.cut_power_after(operation);
        world.dir.clean();
        crash(&world.files);
        world.reopen();
        check(&world, &appended);
        world.dir.clean();
        check(&world, &appended);
        assert_eq!(world.records(), expected, "after a cut at operation {operation}");
        world.dir.close();
        world.reopen();
        check(&world, &appended);
        assert_eq!(world.records(), expected);
    }
}

#[test]
fn a_power_cut_at_any_operation_is_harmless() {
    crash_everywhere(Durability::Durable, SimFiles::crash);
}

#[test]
fn so_it_is_on_a_relaxed_log() {
    crash_everywhere(Durability::Relaxed, SimFiles::crash);
}

#[test]
fn so_is_a_kill() {
    crash_everywhere(Durability::Durable, SimFiles::kill);
}

#[test]
fn a_power_cut_while_a_swap_is_finished_is_harmless() {
    let (world, _) = filled(1, Durability::Durable);
    let begun = world.files.operations();
    world.dir.clean();
    let operations = world.files.operations() - begun;
    let mut met = 0;
    for operation in 0..operations {
        for second in 0..12 {
            let (mut world, appended) = filled(1 + operation, Durability::Durable);
            world.files.cut_power_after(operation);
            world.dir.clean();
            world.files.crash();
            if !world.names().iter().any(|name| compact::swap::is_pending(name)) {
                break;
            }
            met += 1;
            world.files.cut_power_after(second);
            let opened = DataDir::open(world.env.clone(), PathBuf::from(DIR), options(&world.cleaner));
            if let Ok(dir) = &opened {
                let _ = dir.open_log(id(0), NAME, world.config.clone(), LeaderEpoch(1));
            }
            world.files.crash();
            drop(opened);
            world.reopen();
            check(&world, &appended);
        }
    }
    assert!(met > 20, "only {met} swaps were met on their way");
}

/// Both checkpoints are unreadable after a power cut, so that only the journal tells what is to be replayed.
#[test]
fn the_journal_brings_back_nothing_that_was_compacted() {
    let kept = |world: &World| -> Vec<(String, u64)> {
        let all = world.files.list(&Path::new(DIR).join(NAME)).unwrap().into_iter();
        let counts = |name: &str| name.ends_with(".log") || name.ends_with(".quarantine");
        all.filter(|entry| counts(&entry.name)).map(|entry| (entry.name, entry.len)).collect()
    };
    let mut brought_back = 0;
    for (count, has_floor) in (8..24).flat_map(|count| [(count, true), (count, false)]) {
        let mut world = World::new(count, compacted());
        for number in 0..count {
            world.append(Codec::None, &[(Some("key"), Some(&format!("{number:0100}")))]);
            // Each in a commit of its own: what is used again of the journal leaves others as they were.
            world.dir.flush();
        }
        assert_eq!(world.dir.clean(), 1);
        world.append(Codec::None, &[(Some("later"), Some("later"))]);
        world.dir.flush();
        let expected = (world.records(), kept(&world));
        world.files.crash();
        for name in ["checkpoint", "checkpoint.old"] {
            world.files.flip_bit(&Path::new(DIR).join(name), 20, 1).unwrap();
        }
        if !has_floor {
            world.files.remove_file(&Path::new(DIR).join(floor::FILE_NAME)).unwrap();
        }
        world.reopen();
        let found = (world.records(), kept(&world));
        assert!(!has_floor || found == expected, "{count}: {found:?} of {expected:?}");
        brought_back += usize::from(found != expected);
    }
    assert!(brought_back > 0, "without the floor nothing would be brought back either");
}

#[test]
fn a_failed_flush_takes_the_directory_offline_and_a_restart_is_the_repair() {
    let (mut world, appended) = filled(1, Durability::Durable);
    let before = world.records();
    world.files.fail_syncs(true);
    assert_eq!(world.dir.clean(), 0);
    assert!(world.dir.is_offline());
    assert_eq!(world.records(), before, "reads go on");
    world.files.fail_syncs(false);
    world.files.crash();
    world.reopen();
    check(&world, &appended);
    assert_eq!(world.dir.clean(), 1);
    check(&world, &appended);
}

#[test]
fn a_full_disk_leaves_the_log_as_it_is() {
    let (world, appended) = filled(1, Durability::Durable);
    let before = world.records();
    for free in [0, 10, 60] {
        world.files.set_free_bytes(free);
        assert_eq!(world.dir.clean(), 0);
        assert!(!world.dir.is_offline());
        assert_eq!(world.records(), before);
        check(&world, &appended);
    }
    world.files.set_free_bytes(1 << 20);
    assert_eq!(world.dir.clean(), 1);
    check(&world, &appended);
}
