//! Hostile clients over real sockets, and an honest one among them. Random frames, mutated ones of every API that the
//! broker serves, cut ones, lengths and counts that lie, one byte at a time, connections left half open, in an order that a
//! seed decides; thousands of connections at once; replies that nobody reads; batches that are bombs. The broker stays
//! alive within its memory and serves the honest client all the while.
//!
//! `OTTLA_SIM_SEED` chooses another order, `OTTLA_EFFORT=long` does fifty times as much.

mod bombs;
mod crowds;
pub(crate) mod frames;
pub(crate) mod good;
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
/// The same where both cores are busy with the attack alone.
const WAIT_IN_CROWDS_MILLIS_MAX: u128 = 4_000;
const SEED: u64 = 0x0771_a000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("hostile::frames_over_sockets", &[], frames_over_sockets),
        Scenario::of_ottla("hostile::five_thousand_connections", &[], crowds::five_thousand_connections),
        Scenario::of_ottla("hostile::ten_thousand_slow_senders", &[], crowds::ten_thousand_slow_senders),
        Scenario::of_ottla("hostile::replies_that_nobody_reads", &[], crowds::replies_that_nobody_reads),
        Scenario::of_ottla("hostile::decompression_bombs", &[], bombs::decompression_bombs),
    ]
}

/// What the honest client waits for in a crowd is the broker, and not the machine's disk.
fn without_disk() -> Spec {
    Spec::default().set("log.durability", "relaxed")
}

/// Attacks a broker while the honest client is served. Afterwards the broker is alive, has never held more memory than it
/// may, and has never kept the honest client waiting for long.
fn besiege<T: Send>(
    stage: &Stage,
    spec: Spec,
    wait_millis_max: u128,
    attack: impl FnOnce(&str) -> Result<T> + Send,
) -> Result<T> {
    let mut broker = stage.broker(spec)?;
    let address = broker.bootstrap().to_owned();
    good::prepare(&address)?;
    let is_over = AtomicBool::new(false);
    let (attacked, served) = thread::scope(|threads| {
        let honest = threads.spawn(|| good::serve_until(&address, &is_over));
        let attacker = threads.spawn(|| attack(&address));
        let attacked = attacker.join();
        is_over.store(true, Ordering::Relaxed);
        (attacked, honest.join())
    });
    ensure!(broker.is_alive()?, "the broker died");
    let served = served.expect("the honest client does not panic")?;
    let attacked = attacked.expect("an attacker does not panic")?;
    let memory_kib = broker.memory_peak_kib()?;
    println!("honest client: {served}; broker's memory peak {} MiB", memory_kib >> 10);

    wire::answers(&address).context("after the attack")?;
    ensure!(!broker.log()?.contains("panicked"), "the log tells of a panic");
    ensure!(served.rounds > 0, "the honest client came to nothing");
    if judged() == Judged::Ottla {
        ensure!(memory_kib < MEMORY_KIB_MAX, "memory peak {memory_kib} KiB");
        let worst = served.worst.as_millis();
        ensure!(worst < wait_millis_max, "the honest client waited {worst} ms");
    }
    Ok(attacked)
}

fn frames_over_sockets(stage: &Stage) -> Result<()> {
    let seed = seed()?;
    let effort = if long_effort() { LONG_FACTOR } else { 1 };
    let share = FRAMES * effort / ATTACKERS;
    let attack = |address: &str| {
        let samples = frames::served_by(address)?;
        let tallies: Vec<_> = thread::scope(|threads| {
            let attacker = |n: usize| {
                let samples = samples.clone();
                threads.spawn(move || rude::attack(address, seed.wrapping_add(n as u64), share, samples))
            };
            let attackers: Vec<_> = (0..ATTACKERS).map(attacker).collect();
            attackers.into_iter().map(|attacker| attacker.join()).collect()
        });
        let mut total = rude::Tally::default();
        for tally in tallies {
            total.add(&tally.expect("an attacker does not panic")?);
        }
        Ok(total)
    };
    let total =
        besiege(stage, Spec::default(), WAIT_MILLIS_MAX, attack).with_context(|| format!("seed {seed}"))?;
    println!("seed {seed}: {total}");
    ensure!(total.sent() >= share * ATTACKERS, "only {} frames were sent", total.sent());
    ensure!(
        total.whole_answered == total.whole_sent,
        "honest frames sent byte by byte went unanswered: {total}"
    );
    Ok(())
}

fn seed() -> Result<u64> {
    match std::env::var("OTTLA_SIM_SEED") {
        Ok(said) => said.parse().with_context(|| format!("OTTLA_SIM_SEED={said} is not a number")),
        Err(_) => Ok(SEED),
    }
}
