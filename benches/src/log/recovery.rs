//! The cases that open a filled directory: after an orderly end, a kill, and on another boot.
//!
//! Invariants: the directory is filled anew for each run, half of its logs relaxed and half durable, and nothing
//! checkpoints it in between, so that all of it is the tail that a recovery must judge; afterwards every log must hold
//! what it was given. Only the opening is timed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use storage::Durability;

use super::machine::{files_below, forget_pages, read_all};
use super::rows::Ending;
use super::run::Figures;
use super::world::{ON_THE_WAY, Tickets, World, append, batch};

const LOGS: usize = 16;

fn mode(number: usize) -> Durability {
    if number.is_multiple_of(2) { Durability::Relaxed } else { Durability::Durable }
}

fn fill(dir: &Path, batch_bytes: usize, volume_bytes: u64) -> Result<World> {
    let batch = batch(batch_bytes);
    let world = World::open(dir, LOGS, mode)?;
    let mut tickets = Tickets::new(ON_THE_WAY);
    for number in 0..volume_bytes / batch.len() as u64 {
        tickets.push(append(&world.logs[number as usize % LOGS], &batch)?)?;
    }
    tickets.finish()?;
    Ok(world)
}

fn ends(world: &World) -> Vec<i64> {
    world.logs.iter().map(|log| log.end_offset().0).collect()
}

pub(crate) fn machine(dir: &Path, batch_bytes: usize, volume_bytes: u64) -> Result<Figures> {
    drop(fill(dir, batch_bytes, volume_bytes)?);
    read_all(dir)
}

pub(crate) fn open(dir: &Path, ending: Ending, batch_bytes: usize, volume_bytes: u64) -> Result<Figures> {
    let world = fill(dir, batch_bytes, volume_bytes)?;
    let expected = ends(&world);
    if ending == Ending::Closed {
        world.dir.close();
    }
    drop(world);
    match ending {
        // Not a word to the disk: a recovery that flushes what the dead process left pays for it itself.
        Ending::Killed => {}
        Ending::Closed => forget_pages(dir)?,
        Ending::BootLost => {
            forget_boot(dir)?;
            forget_pages(dir)?;
        }
    }
    let bytes = files_below(dir)?.iter().map(|path| Ok(fs::metadata(path)?.len())).sum::<Result<u64>>()?;
    let mut figures = Figures::begin();
    let world = World::open(dir, LOGS, mode)?;
    figures.done_bytes(1, bytes);
    ensure!(ends(&world) == expected, "the logs end elsewhere than before");
    Ok(figures)
}

/// Makes the directory's `lock` tell of another boot, if it tells of any. A length that stays keeps its format.
fn forget_boot(dir: &Path) -> Result<()> {
    let path = dir.join("lock");
    let mut content = fs::read(&path).context("reading the lock")?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("asking for the boot id")?;
    let boot = boot.trim().as_bytes();
    match content.windows(boot.len()).position(|some| some == boot) {
        Some(at) => content[at] = if content[at] == b'0' { b'1' } else { b'0' },
        None if content.is_empty() => {
            eprintln!("the lock names no boot: another one is not told from the same");
            return Ok(());
        }
        None => anyhow::bail!("the lock holds {} bytes, but not this boot's id", content.len()),
    }
    fs::write(&path, content).context("writing the lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_boot_differs_in_one_digit() {
        let dir = std::env::temp_dir().join(format!("ottla-boot-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let lock = dir.join("lock");
        fs::write(&lock, format!("boot={boot}")).unwrap();
        forget_boot(&dir).unwrap();
        let other = fs::read_to_string(&lock).unwrap();
        assert_eq!(other.len(), boot.len() + 5);
        assert_eq!(other[5..].chars().zip(boot.chars()).filter(|(a, b)| a != b).count(), 1);
        fs::write(&lock, "something else").unwrap();
        assert!(forget_boot(&dir).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
