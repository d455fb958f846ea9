//! Hostile frames over real sockets: random ones, mutated ones, cut ones, lengths and counts that lie, one byte at a
//! time and connections left half open, in an order that a seed decides. The broker stays alive within its memory and
//! serves an honest client all the while.
//!
//! `OTTLA_SIM_SEED` chooses another order, `OTTLA_EFFORT=long` sends fifty times as many.

pub(crate) mod frames;
mod good;
mod rude;

use crate::harness::place::{Judged, judged, long_effort};
use crate::harness::{Scenario, Spec, Stage, wire};
use anyhow::{Context, Result, ensure};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const FRAMES: usize = 20_000;
const LONG_FACTOR: usize = 50;
/// Two are enough to keep two cores busy and leave the honest client its turn.
const ATTACKERS: usize = 2;
const MEMORY_KIB_MAX: u64 = 256 << 10;
/// Far above the goal, because this is a debug build on busy cores; the wait itself is printed.
const WAIT_MILLIS_MAX: u128 = 1_000;
const SEED: u64 = 0x0771_a000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::new("hostile::frames_over_sockets", &[], frames_over_sockets)]
}

fn frames_over_sockets(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    let address = broker.bootstrap().to_owned();
    let seed = seed()?;
    let effort = if long_effort() { LONG_FACTOR } else { 1 };
    let share = FRAMES * effort / ATTACKERS;
    good::prepare(&address)?;

    let is_over = AtomicBool::new(false);
    let (tallies, served) = thread::scope(|threads| {
        let honest = threads.spawn(|| good::serve_until(&address, &is_over));
        let attackers: Vec<_> = (0..ATTACKERS)
            .map(|n| {
                let address = &address;
                threads.spawn(move || rude::attack(address, seed.wrapping_add(n as u64), share))
            })
            .collect();
        let tallies: Vec<_> = attackers.into_iter().map(|attacker| attacker.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        (tallies, honest.join())
    });

    ensure!(broker.is_alive()?, "the broker died (seed {seed})");
    let served = served.expect("the honest client does not panic").with_context(|| format!("seed {seed}"))?;
    let mut total = rude::Tally::default();
    for tally in tallies {
        total.add(&tally.expect("an attacker does not panic").with_context(|| format!("seed {seed}"))?);
    }
    let memory_kib = broker.memory_peak_kib()?;
    println!("seed {seed}: {total}");
    println!("honest client: {served}; broker's memory peak {} MiB", memory_kib >> 10);

    wire::answers(&address).context("after the attack")?;
    let log = broker.log()?;
    ensure!(!log.contains("panicked"), "the log tells of a panic (seed {seed})");
    ensure!(total.sent() >= share * ATTACKERS, "only {} frames were sent", total.sent());
    ensure!(
        total.whole_answered == total.whole_sent,
        "honest frames sent byte by byte went unanswered: {total}"
    );
    ensure!(served.rounds > 0, "the honest client came to nothing");
    if judged() == Judged::Ottla {
        ensure!(memory_kib < MEMORY_KIB_MAX, "memory peak {memory_kib} KiB (seed {seed})");
        let worst = served.worst.as_millis();
        ensure!(worst < WAIT_MILLIS_MAX, "the honest client waited {worst} ms (seed {seed})");
    }
    Ok(())
}

fn seed() -> Result<u64> {
    match std::env::var("OTTLA_SIM_SEED") {
        Ok(said) => said.parse().with_context(|| format!("OTTLA_SIM_SEED={said} is not a number")),
        Err(_) => Ok(SEED),
    }
}
