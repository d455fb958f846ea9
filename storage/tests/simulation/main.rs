//! Seeded simulations of two data directories: appends, idempotent producers, transactions, readers, flushes, checkpoints,
//! rolls, other modes and settings, retention, DeleteRecords, compaction, deletions, logs that move from one to the other, full and failing disks, kills and
//! power cuts in the middle of any operation, in an order that a seed decides.
//!
//! What is checked, after every restart above all: nothing that was promised is gone, nothing that was readable on a
//! durable log has vanished or changed, offsets continue, bytes are those that were appended. A start that was answered
//! never goes back, and nothing above it is lost. Of a compacted log, each key's last value is there and all that is
//! there was sent. What a producer sends again is answered with its place and is in the log once. The last stable offset
//! is right, and readers of committed records get those and no others. `model` says how. The same seed twice gives the
//! same trace. `OTTLA_SIM_SEED` runs one seed (or begins there), `OTTLA_SIM_RUNS` that many; without them a time budget
//! and a least number of crashes end it, and with `OTTLA_EFFORT=long` a large number of runs. `OTTLA_SIM_TRACE` prints
//! each step as it is taken.

mod model;
mod world;

use std::time::Duration;

use storage::Clock;

use crate::world::{Seen, run};

/// Without a number of runs the suite goes on for this long, and for as many crashes.
const BUDGET: Duration = Duration::from_secs(60);
const CRASHES_MIN: u64 = 2_000;
const RUNS_LONG: u64 = 100_000;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 11, 27, 41] {
        let (first, second) = (run(seed), run(seed));
        assert!(first.0.len() > 20);
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn nothing_promised_is_ever_lost() {
    let long = std::env::var("OTTLA_EFFORT").is_ok_and(|effort| effort == "long");
    let (seed, runs) = (setting("OTTLA_SIM_SEED"), setting("OTTLA_SIM_RUNS"));
    let runs = runs.or(seed.map(|_| 1)).or(long.then_some(RUNS_LONG));
    let clock = storage::env::RealClock::new();
    let begin = clock.monotonic();
    let (mut done, mut all) = (0, Seen::default());
    let goes_on = |done, crashes| match runs {
        Some(runs) => done < runs,
        None => clock.monotonic() - begin < BUDGET || crashes < CRASHES_MIN,
    };
    while goes_on(done, all.crashes) {
        let seed = seed.unwrap_or(0) + done;
        match std::panic::catch_unwind(|| run(seed)) {
            Ok((_, seen)) => all.add(&seen),
            Err(panic) => {
                eprintln!("again with: OTTLA_SIM_SEED={seed} cargo test -p storage --test simulation");
                std::panic::resume_unwind(panic);
            }
        }
        done += 1;
    }
    assert!(all.crashes > 0, "OTTLA_SIM_RUNS asks for nothing");
    println!("{done} runs, {all:?}");
    assert!(runs.is_some() || all.is_everything(), "something never happened: {all:?}");
}
