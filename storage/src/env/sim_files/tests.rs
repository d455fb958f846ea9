//! What the simulated disk keeps, loses and refuses.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use super::SimFiles;
use crate::env::{File, Files, OpenMode};

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
