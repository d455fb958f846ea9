//! The case that asks what a checkpoint costs those who do not wait for it: appends to one log, timed while the
//! checkpoint of many dirty ones runs.
//!
//! Invariants: only appends that were on the way while a checkpoint ran are counted, so that what dirtied the logs is
//! not blamed on it; without dirty logs every append counts.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use storage::Durability;

use super::run::{Budget, Figures};
use super::world::{ON_THE_WAY, Tickets, World, append, batch};
use crate::compare::settle_disk;
use crate::load::roundtrip::new_histogram;

/// What both sides tell each other.
#[derive(Default)]
struct Signs {
    /// Begins and ends of checkpoints: odd while one runs.
    steps: AtomicU64,
    over: AtomicBool,
}

impl Signs {
    /// Whether a checkpoint ran at any time between two looks.
    fn met(before: u64, after: u64) -> bool {
        !before.is_multiple_of(2) || after != before
    }
}

pub(crate) fn run(dir: &Path, dirty: usize, batch_bytes: usize, budget: Budget) -> Result<Figures> {
    let batch = batch(batch_bytes);
    let world = World::open(dir, dirty + 1, |_| Durability::Durable)?;
    world.begin(&batch)?;
    world.dir.checkpoint();
    settle_disk(dir)?;
    let signs = Signs::default();
    thread::scope(|scope| {
        let dirtier = scope.spawn(|| {
            let outcome =
                if dirty > 0 { dirty_and_checkpoint(&world, &batch, budget, &signs) } else { rest(budget) };
            signs.over.store(true, Ordering::SeqCst);
            outcome
        });
        let figures = timed(&world, &batch, dirty == 0, &signs);
        dirtier.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        figures
    })
}

fn rest(budget: Budget) -> Result<()> {
    thread::sleep(budget.0);
    Ok(())
}

/// Appends to every log but the first, then checkpoints; again until the time is up, once at least.
fn dirty_and_checkpoint(world: &World, batch: &Bytes, budget: Budget, signs: &Signs) -> Result<()> {
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    loop {
        let mut tickets = Tickets::new(ON_THE_WAY);
        for log in &world.logs[1..] {
            tickets.push(append(log, batch)?)?;
        }
        tickets.finish()?;
        let checkpoint = Instant::now();
        signs.steps.fetch_add(1, Ordering::SeqCst);
        world.dir.checkpoint();
        signs.steps.fetch_add(1, Ordering::SeqCst);
        longest = longest.max(checkpoint.elapsed());
        if begun.elapsed() >= budget.0 {
            eprintln!("the longest checkpoint took {:.1} ms", longest.as_secs_f64() * 1e3);
            return Ok(());
        }
    }
}

fn timed(world: &World, batch: &Bytes, count_all: bool, signs: &Signs) -> Result<Figures> {
    let mut latency_ns = new_histogram()?;
    let mut figures = Figures::begin();
    while !signs.over.load(Ordering::SeqCst) {
        let (before, begun) = (signs.steps.load(Ordering::SeqCst), Instant::now());
        append(&world.logs[0], batch)?.wait()?;
        let elapsed = begun.elapsed();
        if count_all || Signs::met(before, signs.steps.load(Ordering::SeqCst)) {
            latency_ns.saturating_record(elapsed.as_nanos() as u64);
        }
    }
    ensure!(!latency_ns.is_empty(), "no append met a checkpoint");
    figures.done(latency_ns.len(), batch.len());
    figures.latency_ns = Some(latency_ns);
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_met_at_either_end_and_in_between() {
        assert!(!Signs::met(2, 2), "between two");
        assert!(Signs::met(3, 3), "wholly within one");
        assert!(Signs::met(2, 3) && Signs::met(3, 4) && Signs::met(2, 4));
    }
}
