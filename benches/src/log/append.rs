//! The cases that append: relaxed, durable, one at a time, the first of many logs.
//!
//! Invariants: logs are taken in turn; an append counts once its ticket has resolved well, and the clock stops when the
//! last has. What a case makes is in the directory given, and is the caller's to remove.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use storage::Durability;

use super::machine::in_portions;
use super::run::{Budget, Figures};
use super::world::{ON_THE_WAY, Tickets, World, append, batch};
use crate::compare::settle_disk;
use crate::load::roundtrip::new_histogram;

/// Threads that append durably, each with its share of what is on the way.
const APPENDERS: usize = 4;

pub(crate) fn relaxed(dir: &Path, logs: usize, batch_bytes: usize, volume_bytes: u64) -> Result<Figures> {
    let batch = batch(batch_bytes);
    let world = World::open(dir, logs, |_| Durability::Relaxed)?;
    world.begin(&batch)?;
    let figures = in_portions(dir, batch.len(), volume_bytes, |number| {
        append(&world.logs[number as usize % logs], &batch)?.wait()?;
        Ok(())
    })?;
    check_ends(&world, volume_bytes / batch.len() as u64)?;
    Ok(figures)
}

/// Every log holds what it was given: the first batch, and its share of the appends.
fn check_ends(world: &World, appends: u64) -> Result<()> {
    let ends: i64 = world.logs.iter().map(|log| log.end_offset().0).sum();
    let per_batch = ends as u64 % (appends + world.logs.len() as u64);
    ensure!(per_batch == 0, "{ends} records stand in the logs after {appends} appends");
    Ok(())
}

pub(crate) fn durable(dir: &Path, logs: usize, batch_bytes: usize, budget: Budget) -> Result<Figures> {
    let batch = batch(batch_bytes);
    let world = World::open(dir, logs, |_| Durability::Durable)?;
    world.begin(&batch)?;
    settle_disk(dir)?;
    let next = AtomicU64::new(0);
    let mut figures = Figures::begin();
    let appender = || {
        let mut tickets = Tickets::new(ON_THE_WAY / APPENDERS);
        while budget.lasts(&figures) {
            let number = next.fetch_add(1, Ordering::Relaxed) as usize;
            tickets.push(append(&world.logs[number % logs], &batch)?)?;
        }
        tickets.finish()
    };
    thread::scope(|scope| -> Result<()> {
        let appenders: Vec<_> = (0..APPENDERS).map(|_| scope.spawn(appender)).collect();
        for appender in appenders {
            appender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })?;
    let appends = next.into_inner();
    figures.done(appends, batch.len());
    check_ends(&world, appends)?;
    Ok(figures)
}

pub(crate) fn alone(dir: &Path, logs: usize, batch_bytes: usize, budget: Budget) -> Result<Figures> {
    let batch = batch(batch_bytes);
    let world = World::open(dir, logs, |_| Durability::Durable)?;
    world.begin(&batch)?;
    settle_disk(dir)?;
    let mut latency_ns = new_histogram()?;
    let mut appends = 0;
    let mut figures = Figures::begin();
    while budget.lasts(&figures) {
        let begun = Instant::now();
        append(&world.logs[appends as usize % logs], &batch)?.wait()?;
        latency_ns.saturating_record(begun.elapsed().as_nanos() as u64);
        appends += 1;
    }
    figures.done(appends, batch.len());
    figures.latency_ns = Some(latency_ns);
    Ok(figures)
}

pub(crate) fn first_records(dir: &Path, logs: usize, batch_bytes: usize) -> Result<Figures> {
    let batch = batch(batch_bytes);
    let world = World::open(dir, logs, |_| Durability::Durable)?;
    settle_disk(dir)?;
    let mut figures = Figures::begin();
    world.begin(&batch)?;
    figures.done(logs as u64, batch.len());
    Ok(figures)
}
