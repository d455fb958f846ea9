//! A log before a restart and after it: the same, whatever became of what only saves time, and never a wrong byte.

use super::*;

/// Records, lookups, start and end.
type View = (Vec<(i64, i64, String)>, Vec<Option<TimestampOffset>>, Offset, Offset);

/// What a log looks like from outside, to compare before and after a restart.
fn view(log: &Log) -> View {
    let times = (0..2_000).step_by(7).map(|t| log.offset_for(OffsetSpec::Timestamp(t)).unwrap()).collect();
    (everything(log), times, log.start_offset(), log.end_offset())
}

fn filled(durability: Durability) -> World {
    let world = World::new(small(durability));
    for i in 0..50 {
        world.append(1 + i % 7, 20 * i as i64);
        if i % 10 == 0 {
            world.dir.flush();
        }
        if i == 25 {
            world.dir.checkpoint();
        }
    }
    world.dir.flush();
    world
}

#[test]
fn a_restart_shows_the_same_log() {
    for durability in [Durability::Durable, Durability::Relaxed] {
        let mut world = filled(durability);
        let before = view(&world.log);
        world.files.kill();
        world.reopen();
        assert_eq!(view(&world.log), before, "after a kill");
        world.dir.close();
        world.reopen();
        assert_eq!(view(&world.log), before, "after a clean end");
        world.append(3, 1_900);
        world.dir.flush();
        assert_eq!(world.log.end_offset().0, before.3.0 + 3);
        world.files.remove_file(&Path::new(DIR).join("checkpoint")).unwrap();
        let before = view(&world.log);
        world.files.kill();
        world.reopen();
        assert_eq!(view(&world.log), before, "without a checkpoint");
    }
}

#[test]
fn a_clean_start_reads_no_data() {
    let mut world = filled(Durability::Durable);
    world.dir.close();
    let segments: Vec<_> = world.files.list(&Path::new(DIR).join(NAME)).unwrap();
    for entry in segments.iter().filter(|entry| entry.name.ends_with(".log")) {
        // Were a batch looked at, its damage would be seen.
        for byte in 0..entry.len {
            world.files.flip_bit(&world.path(&entry.name), byte, 0).unwrap();
        }
    }
    let end = world.log.end_offset();
    world.reopen();
    assert_eq!(world.log.end_offset(), end);
}

#[test]
fn indexes_are_hints() {
    let names = |world: &World, suffix: &str| -> Vec<String> {
        let all = world.files.list(&Path::new(DIR).join(NAME)).unwrap();
        all.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(suffix)).collect()
    };
    type Harm = fn(&SimFiles, &Path);
    let harms: [Harm; 4] = [
        |files, path| files.remove_file(path).unwrap(),
        |files, path| files.open(path, OpenMode::Write).unwrap().set_len(5).unwrap(),
        |files, path| files.flip_bit(path, 6, 3).unwrap(),
        |files, path| files.flip_bit(path, 2, 7).unwrap(),
    ];
    for (number, harm) in harms.iter().enumerate() {
        for clean in [true, false] {
            let mut world = filled(Durability::Durable);
            let before = view(&world.log);
            if clean {
                world.dir.close();
            }
            world.files.kill();
            for name in names(&world, ".index") {
                harm(&world.files, &world.path(&name));
            }
            world.reopen();
            assert_eq!(view(&world.log), before, "harm {number}, clean {clean}");
        }
    }
    for clean in [true, false] {
        for harm in [&harms[0], &harms[1]] {
            let mut world = filled(Durability::Durable);
            let before = view(&world.log);
            if clean {
                world.dir.close();
            }
            world.files.kill();
            for name in names(&world, ".timeindex") {
                harm(&world.files, &world.path(&name));
            }
            world.reopen();
            assert_eq!(view(&world.log), before, "clean {clean}");
        }
    }
}

#[test]
fn every_cut_of_the_tail_leaves_the_longest_prefix() {
    let world = filled(Durability::Relaxed);
    let last = world.log.segments.read().unwrap().last().unwrap().path("log");
    let before = everything(&world.log);
    let whole = world.files.content(&last).unwrap();
    drop(world);
    for cut in 0..whole.len() as u64 {
        let world = filled(Durability::Relaxed);
        world.files.kill();
        world.files.remove_file(&Path::new(DIR).join("checkpoint")).unwrap();
        world.files.open(&last, OpenMode::Write).unwrap().set_len(cut).unwrap();
        let (_dir, log) = open(&world.env, &world.config);
        let mut kept = 0;
        let mut end = segment::base_of(last.file_name().unwrap().to_str().unwrap(), "log").unwrap();
        while let Ok(header) = BatchHeader::parse(&whole[kept..]) {
            if kept + header.total_bytes() > cut as usize {
                break;
            }
            kept += header.total_bytes();
            end = Offset(end.0 + header.next_offset().0 - header.base_offset.0);
        }
        assert_eq!(log.end_offset(), end, "cut at {cut}");
        assert_eq!(everything(&log), before[..end.0 as usize]);
    }
}

#[test]
fn a_flipped_bit_is_never_served() {
    let whole = everything(&filled(Durability::Relaxed).log);
    for seed in 0..60u64 {
        let mut world = filled(Durability::Relaxed);
        world.files.kill();
        world.files.remove_file(&Path::new(DIR).join("checkpoint")).unwrap();
        let logs: Vec<_> = world.files.list(&Path::new(DIR).join(NAME)).unwrap();
        let logs: Vec<_> = logs.iter().filter(|entry| entry.name.ends_with(".log")).collect();
        let hit = logs[seed as usize % logs.len()];
        world.files.flip_bit(&world.path(&hit.name), seed * 7_919 % hit.len, (seed % 8) as u8).unwrap();
        world.reopen();
        let left = everything(&world.log);
        assert!(left.iter().all(|record| whole.contains(record)), "seed {seed}");
        // The log goes on behind what was kept.
        world.append(1, 1).wait().unwrap();
        assert_eq!(everything(&world.log).len(), left.len() + 1);
    }
}

#[test]
fn recovery_reads_only_behind_the_checkpoint() {
    let mut world = filled(Durability::Durable);
    world.dir.checkpoint();
    let end = world.log.end_offset();
    world.append(3, 5_000);
    world.dir.flush();
    world.files.kill();
    let first = world.path("00000000000000000000.log");
    world.files.flip_bit(&first, 100, 0).unwrap();
    world.reopen();
    assert_eq!(
        world.log.end_offset(),
        Offset(end.0 + 3),
        "the damage lies before the checkpoint and was not looked at"
    );
}
