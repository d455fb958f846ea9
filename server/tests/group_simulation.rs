//! Coordinator and members under a seed: lost, doubled and late messages, members that die and come back, the broker
//! killed in the middle of anything, flushes that are late.
//!
//! Each run is one coordinator's shard over simulated files, a handful of members of either protocol, or of both, which may
//! change it when they begin anew so that the group goes over and back, and a clock that jumps from event to event. Held
//! all the time: in one generation a partition has one owner; a commit that was answered does not go back or
//! vanish; no answer shows what a crash takes back. At the end faults stop, and the group must become stable.
//! `OTTLA_SIM_SEED` and `OTTLA_SIM_RUNS` choose; a failure names its seed.
#![expect(clippy::disallowed_methods, reason = "the time budget of the whole test is real time")]

#[path = "group_simulation/embedded.rs"]
mod embedded;
#[path = "group_simulation/history.rs"]
mod history;
#[path = "group_simulation/member.rs"]
mod member;
#[path = "group_simulation/topics.rs"]
mod topics;
#[path = "group_simulation/world.rs"]
mod world;

use std::time::{Duration, Instant};

use world::World;

const BUDGET: Duration = Duration::from_secs(60);
const SEEDS_MIN: u64 = 2_000;
const SEEDS_LONG: u64 = 100_000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..6 {
        let (one, other) = (World::run(seed), World::run(seed));
        assert!(!one.is_empty() && one == other, "seed {seed}");
    }
}

#[test]
fn groups_under_faults() {
    let long = std::env::var("OTTLA_EFFORT").is_ok_and(|effort| effort == "long");
    let runs = setting("OTTLA_SIM_RUNS").or(long.then_some(SEEDS_LONG));
    let first = setting("OTTLA_SIM_SEED").unwrap_or(1);
    let began = Instant::now();
    let mut seed = first;
    loop {
        let done = seed - first;
        let is_over = match (runs, setting("OTTLA_SIM_SEED")) {
            (Some(runs), _) => done >= runs,
            (None, Some(_)) => done >= 1,
            (None, None) => done >= SEEDS_MIN && began.elapsed() > BUDGET,
        };
        if is_over {
            break;
        }
        let run = std::panic::catch_unwind(|| World::run(seed));
        assert!(run.is_ok(), "seed {seed} failed: OTTLA_SIM_SEED={seed}");
        seed += 1;
    }
    println!("{} seeds in {:?}", seed - first, began.elapsed());
}
