//! What the simulated disk keeps, loses and refuses.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use super::SimFiles;
use crate::env::{AlignedBuf, File, Files, OpenMode};

fn write(file: &Arc<dyn File>, pos: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(&[IoSlice::new(bytes)], pos)
}

/// What is left of a file whose content and name were or were not flushed, over many seeds.
fn survivors(sync_file: bool, sync_dir: bool) -> Vec<Option<Vec<u8>>> {
    let left = |seed| {
        let disk = SimFiles::new(seed);
        let file = disk.open(Path::new("/a"), OpenMode::Create).unwrap();
        write(&file, 0, &[7; 1500]).unwrap();
        if sync_file {
            file.sync_data().unwrap();
        }
        if sync_dir {
            disk.sync_dir(Path::new("/")).unwrap();
        }
        disk.crash();
        disk.content(Path::new("/a")).ok()
    };
    (0..60).map(left).collect()
}

#[test]
fn what_is_flushed_survives_and_nothing_else_must() {
    assert!(survivors(true, true).iter().all(|left| left.as_deref() == Some(&[7; 1500])));
    let unnamed = survivors(true, false);
    assert!(unnamed.iter().any(Option::is_none) && unnamed.iter().any(Option::is_some));
    let unwritten = survivors(false, true);
    assert!(unwritten.iter().any(|left| left.as_deref() == Some(&[])), "lost");
    assert!(unwritten.iter().any(|left| left.as_deref() == Some(&[7; 1500])), "kept");
    let torn = |left: &Option<Vec<u8>>| left.as_ref().is_some_and(|l| !l.is_empty() && l != &[7; 1500]);
    assert!(unwritten.iter().any(torn), "torn");
}

#[test]
fn the_same_seed_loses_the_same() {
    assert_eq!(survivors(false, true), survivors(false, true));
}

#[test]
fn a_full_disk_takes_what_fits_and_recovers() {
    let disk = SimFiles::new(1);
    let file = disk.open(Path::new("/a"), OpenMode::Create).unwrap();
    disk.set_free_bytes(100);
    assert_eq!(write(&file, 0, &[1; 150]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 100);
    file.set_len(0).unwrap();
    write(&file, 0, &[1; 90]).unwrap();
}

#[test]
fn handles_of_a_dead_process_are_dead_and_its_lock_is_free() {
    let disk = SimFiles::new(1);
    let file = disk.open(Path::new("/a"), OpenMode::Create).unwrap();
    let lock = disk.lock(Path::new("/lock")).unwrap();
    assert!(disk.lock(Path::new("/lock")).is_err());
    disk.kill();
    assert!(write(&file, 0, b"x").is_err());
    let again = disk.lock(Path::new("/lock")).unwrap();
    drop(lock);
    assert!(disk.lock(Path::new("/lock")).is_err(), "an old guard frees nothing");
    drop(again);
    disk.lock(Path::new("/lock")).unwrap();
}

fn path() -> &'static Path {
    Path::new("/a")
}

fn power_is_out(error: &io::Error) -> bool {
    error.to_string() == "simulated: the power is out"
}

/// A disk with one empty file whose name is flushed.
fn disk_with_file(seed: u64) -> (SimFiles, Arc<dyn File>) {
    let disk = SimFiles::new(seed);
    let file = disk.open(path(), OpenMode::Create).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    (disk, file)
}

fn durable(disk: &SimFiles) -> Arc<dyn File> {
    disk.open_durable(path(), false).unwrap()
}

fn after_crash(disk: &SimFiles) -> Vec<u8> {
    disk.crash();
    disk.content(path()).unwrap()
}

/// Asserts that over the seeds a write of 7s was lost, kept and torn.
fn assert_anything_may_be_left(left: &[Vec<u8>], len: usize) {
    let lost = |left: &Vec<u8>| left.iter().all(|byte| *byte == 0);
    let kept = |left: &Vec<u8>| left.len() == len && left.iter().all(|byte| *byte == 7);
    assert!(left.iter().any(lost), "lost");
    assert!(left.iter().any(kept), "kept");
    assert!(left.iter().any(|left| !lost(left) && !kept(left)), "torn");
}

#[test]
fn a_durable_write_survives_whatever_was_unflushed_before_it() {
    for seed in 0..60 {
        let (disk, file) = disk_with_file(seed);
        write(&file, 0, &[1; 1500]).unwrap();
        file.set_len(700).unwrap();
        write(&durable(&disk), 512, &[7; 600]).unwrap();
        assert_eq!(disk.content(path()).unwrap()[512..], [7; 600]);
        let left = after_crash(&disk);
        assert_eq!(left[512..1112], [7; 600], "seed {seed}");
    }
    let rewritten = |seed| {
        let (disk, file) = disk_with_file(seed);
        write(&durable(&disk), 0, &[1; 1500]).unwrap();
        write(&file, 0, &[7; 1500]).unwrap();
        after_crash(&disk)
    };
    let survivors: Vec<Vec<u8>> = (0..60).map(rewritten).collect();
    assert!(survivors.iter().any(|left| left == &[7; 1500]), "a later write may replace it");
    assert!(survivors.iter().any(|left| left == &[1; 1500]), "or be lost");
}

#[test]
fn a_durable_write_does_not_make_its_name_last() {
    let named = |seed| {
        let disk = SimFiles::new(seed);
        write(&durable(&disk), 0, &[7; 10]).unwrap();
        disk.crash();
        disk.exists(path())
    };
    assert!((0..60).any(named) && !(0..60).all(named));
}

#[test]
fn a_direct_write_must_be_aligned_here_too() {
    let disk = SimFiles::new(1);
    let file = disk.open_durable(path(), true).unwrap();
    let mut buf = AlignedBuf::new(4096);
    buf.extend_from_slice(&[7; 4096]);
    assert_eq!(write(&file, 0, &buf.as_slice()[..512]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(write(&file, 512, buf.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    write(&file, 4096, buf.as_slice()).unwrap();
    assert_eq!(file.read_at(&mut [0; 7], 4099).unwrap(), 7);
}

#[test]
fn a_failed_durable_write_is_decided_at_once_and_no_flush_mends_it() {
    let left = |fail: fn(&SimFiles)| -> Vec<Vec<u8>> {
        let one = |seed| {
            let (disk, file) = disk_with_file(seed);
            fail(&disk);
            assert!(write(&durable(&disk), 0, &[7; 1500]).is_err());
            assert_eq!(disk.content(path()).unwrap(), [7; 1500], "the cache has it");
            disk.fail_syncs(false);
            file.sync_data().unwrap();
            after_crash(&disk)
        };
        (0..80).map(one).collect()
    };
    assert_anything_may_be_left(&left(|disk| disk.fail_syncs(true)), 1500);
    assert_anything_may_be_left(&left(|disk| disk.fail_durable_after(1)), 1500);
}

#[test]
fn only_the_chosen_durable_write_fails() {
    let (disk, file) = disk_with_file(1);
    disk.fail_durable_after(3);
    let durable = durable(&disk);
    let mut results = Vec::new();
    for n in 0..5 {
        write(&file, 0, b"x").unwrap();
        file.sync_data().unwrap();
        results.push(write(&durable, n, b"y").map_err(|error| error.raw_os_error()));
    }
    assert_eq!(results, [Ok(()), Ok(()), Err(Some(5)), Ok(()), Ok(())]);
}

#[test]
fn flushing_the_file_system_flushes_every_content_and_every_name() {
    let write_all = |disk: &SimFiles| {
        disk.create_dir(Path::new("/d")).unwrap();
        for path in ["/d/a", "/d/b", "/c"] {
            let file = disk.open(Path::new(path), OpenMode::Create).unwrap();
            write(&file, 0, &[7; 1500]).unwrap();
        }
    };
    let whole = |disk: &SimFiles| {
        ["/d/a", "/d/b", "/c"]
            .iter()
            .all(|path| disk.content(Path::new(path)).is_ok_and(|content| content == [7; 1500]))
    };
    for seed in 0..40 {
        let disk = SimFiles::new(seed);
        write_all(&disk);
        disk.sync_fs(Path::new("/d")).unwrap();
        disk.crash();
        assert!(whole(&disk), "seed {seed}");
    }
    let lost = |seed| {
        let disk = SimFiles::new(seed);
        write_all(&disk);
        disk.fail_syncs(true);
        assert!(disk.sync_fs(Path::new("/")).is_err());
        disk.fail_syncs(false);
        // The names can still be flushed; the pages count as clean.
        disk.sync_fs(Path::new("/")).unwrap();
        disk.crash();
        disk.content(Path::new("/c")).unwrap().is_empty()
    };
    assert!((0..40).all(lost), "a flush after a failed one writes nothing of it");
}

#[test]
fn the_boot_changes_with_the_power_and_not_with_the_process() {
    let disk = SimFiles::new(1);
    let first = disk.boot_id().unwrap();
    disk.kill();
    assert_eq!(disk.boot_id().unwrap(), first);
    disk.crash();
    let second = disk.boot_id().unwrap();
    assert_ne!(second, first);
    assert_eq!(second.len(), 36);
}

/// One of each operation that changes the disk, each on something of its own.
fn one_of_each(disk: &SimFiles) -> io::Result<()> {
    let root = Path::new("/");
    let file = disk.open(path(), OpenMode::Create)?;
    write(&file, 0, &[1; 1000])?;
    file.set_len(900)?;
    file.sync_data()?;
    write(&disk.open_durable(path(), false)?, 0, &[2; 600])?;
    disk.create_dir(Path::new("/d"))?;
    disk.sync_dir(root)?;
    disk.rename(path(), Path::new("/b"))?;
    disk.sync_fs(root)?;
    disk.remove_file(Path::new("/b"))
}

#[test]
fn every_operation_that_changes_the_disk_counts_and_no_other() {
    let disk = SimFiles::new(1);
    one_of_each(&disk).unwrap();
    assert_eq!(disk.operations(), 10);
    let file = disk.open(path(), OpenMode::Create).unwrap();
    let _lock = disk.lock(path()).unwrap();
    assert_eq!(disk.operations(), 11);
    disk.open(path(), OpenMode::Create).unwrap();
    disk.open_durable(path(), true).unwrap();
    file.read_at(&mut [0; 4], 0).unwrap();
    file.len().unwrap();
    disk.list(Path::new("/")).unwrap();
    disk.map(path()).unwrap();
    assert!(disk.remove_file(Path::new("/nothing")).is_err());
    assert_eq!(disk.operations(), 11);
}

#[test]
fn the_power_goes_in_the_operation_that_was_chosen_and_stays_away() {
    for cut in 0..10 {
        let disk = SimFiles::new(cut);
        disk.cut_power_after(cut);
        let error = one_of_each(&disk).unwrap_err();
        assert!(power_is_out(&error) && disk.power_is_out(), "{cut}: {error}");
        assert_eq!(disk.operations(), cut + 1);
        // What comes after it does nothing.
        for error in [
            disk.open(path(), OpenMode::Create).err(),
            disk.open_durable(path(), false).err(),
            disk.create_dir(Path::new("/e")).err(),
            disk.rename(path(), Path::new("/e")).err(),
            disk.remove_file(path()).err(),
            disk.sync_dir(Path::new("/")).err(),
            disk.sync_fs(Path::new("/")).err(),
            disk.list(Path::new("/")).err(),
            disk.map(path()).err(),
            disk.lock(path()).err(),
            disk.free_bytes(Path::new("/")).err(),
        ] {
            assert!(power_is_out(&error.expect("nothing works without power")), "{cut}");
        }
        assert_eq!(disk.operations(), cut + 1);
        disk.crash();
        assert!(!disk.power_is_out());
        disk.create_dir(Path::new("/e")).unwrap();
        assert!(!disk.power_is_out(), "it is cut once");
    }
    let disk = SimFiles::new(1);
    disk.cut_power_after(10);
    one_of_each(&disk).unwrap();
}

#[test]
fn without_power_an_open_file_does_nothing() {
    let (disk, file) = disk_with_file(1);
    write(&file, 0, &[1; 100]).unwrap();
    file.sync_data().unwrap();
    disk.cut_power_after(0);
    assert!(disk.create_dir(Path::new("/d")).is_err());
    assert!(power_is_out(&write(&file, 0, &[2; 100]).unwrap_err()));
    assert!(power_is_out(&file.set_len(0).unwrap_err()));
    assert!(power_is_out(&file.sync_data().unwrap_err()));
    assert!(power_is_out(&file.read_at(&mut [0], 0).unwrap_err()));
    assert!(power_is_out(&file.len().unwrap_err()));
    assert_eq!(after_crash(&disk), [1; 100]);
    assert!(!power_is_out(&file.len().unwrap_err()), "the process is gone, the power is not");
}

#[test]
fn of_a_durable_write_under_way_anything_may_be_left() {
    let one = |seed| {
        let (disk, _) = disk_with_file(seed);
        let file = durable(&disk);
        disk.cut_power_after(0);
        assert!(power_is_out(&write(&file, 0, &[7; 1500]).unwrap_err()));
        after_crash(&disk)
    };
    let left: Vec<Vec<u8>> = (0..80).map(one).collect();
    assert_anything_may_be_left(&left, 1500);
    assert_eq!(left, (0..80).map(one).collect::<Vec<_>>(), "the same seed, the same bytes");
}

#[test]
fn a_flush_under_way_has_flushed_nothing_or_a_first_part() {
    let kept = |sync: fn(&SimFiles, &Arc<dyn File>) -> io::Result<()>| -> Vec<usize> {
        let one = |seed| {
            let (disk, file) = disk_with_file(seed);
            (0..16).for_each(|n| write(&file, n * 512, &[7; 512]).unwrap());
            disk.cut_power_after(0);
            assert!(power_is_out(&sync(&disk, &file).unwrap_err()));
            after_crash(&disk).chunks(512).take_while(|sector| *sector == [7; 512]).count()
        };
        (0..200).map(one).collect()
    };
    for kept in [kept(|_, file| file.sync_data()), kept(|disk, _| disk.sync_fs(Path::new("/")))] {
        assert!(kept.contains(&0), "nothing");
        // Left to the chance of a crash alone, of 16 writes the first 10 would hardly ever stay.
        assert!(kept.iter().filter(|kept| **kept >= 10).count() > 20, "a part: {kept:?}");
    }
}

#[test]
fn a_flush_of_names_under_way_keeps_their_order() {
    let named = |seed| {
        let disk = SimFiles::new(seed);
        ["/a", "/b", "/c"].iter().for_each(|path| disk.create_dir(Path::new(path)).unwrap());
        disk.cut_power_after(0);
        assert!(disk.sync_dir(Path::new("/")).is_err());
        disk.crash();
        disk.list(Path::new("/")).unwrap().into_iter().map(|entry| entry.name).collect::<String>()
    };
    let seen: std::collections::BTreeSet<String> = (0..60).map(named).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["", "a", "ab", "abc"]);
}

#[test]
fn a_write_is_torn_between_sectors_only() {
    let one = |seed| {
        let (disk, file) = disk_with_file(seed);
        write(&file, 100, &[7; 2000]).unwrap();
        after_crash(&disk)
    };
    for left in (0..60).map(one) {
        // A sector is whole, missing (zero or beyond the end) or rubbish, of which two halves are never 7 and 0.
        let mut at = 100;
        while at < left.len() {
            let end = left.len().min((at / 512 + 1) * 512).min(2100);
            let sector = &left[at..end];
            let written = sector.iter().filter(|byte| **byte == 7).count();
            let missing = sector.iter().filter(|byte| **byte == 0).count();
            assert!(written == sector.len() || written < 20, "{written} of {}", sector.len());
            assert!(missing == sector.len() || missing < 20, "{missing} of {}", sector.len());
            at = end;
        }
    }
}
