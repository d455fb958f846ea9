//! `kill -9` in mid-produce, again and again: what was acknowledged, or shown to a reader, is there in the next life.
//!
//! Producers pipeline into topics of 1 and of 200 partitions, durable and relaxed, acks 1 and all, without retries; a
//! reader follows. The process is killed at a moment that the seed decides, at times while it starts. After each start
//! everything is read and compared. `OTTLA_EFFORT=long` kills 1,000 times, `OTTLA_SIM_SEED` plays another sequence.
#![expect(clippy::disallowed_methods, reason = "a process on the real machine, in real time")]

mod audit;
mod moving;
mod process;
mod produce;
mod requests;
mod switching;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use storage::env::SimRandom;

use audit::{History, audit};
use process::{Home, Process, Spec, budget, long_effort};
use produce::{Producer, Reader};

const KILLS: u64 = 20;
const KILLS_LONG: u64 = 1_000;
/// Lives that share a data directory: all of it is read after each.
const LIVES: u64 = 5;
const RUN_MS_MAX: u64 = 400;
const SEED: u64 = 20_261_121;

/// Name, partitions, durability.
pub(crate) const TOPICS: [(&str, i32, &str); 4] = [
    ("durable-one", 1, "durable"),
    ("relaxed-one", 1, "relaxed"),
    ("durable-many", 200, "durable"),
    ("relaxed-many", 200, "relaxed"),
];

/// The topic of each producer, and the acks that it asks for.
const PRODUCERS: [(usize, i16); 8] = [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1), (3, 1), (3, -1)];

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let begun = Instant::now();
    let seed = std::env::var("OTTLA_SIM_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("OTTLA_SIM_SEED={seed}");
    let random = SimRandom::new(seed);
    let kills = if long_effort() { KILLS_LONG } else { KILLS };
    let mut records = 0;
    for round in 0..kills / LIVES {
        records += one_directory(&random, round);
        if long_effort() && round % 20 == 19 {
            println!("{} of {kills} kills, {records} records acknowledged", (round + 1) * LIVES);
        }
    }
    println!("{kills} kills, {records} records acknowledged, 0 lost, {} s", begun.elapsed().as_secs());
    assert!(records > kills * 100, "too few acknowledgements to prove anything: {records}");
    assert!(long_effort() || begun.elapsed() < budget("kill::*"), "its time of .ci/budgets is used up");
}

/// Some lives of one data directory. Returns how many records were acknowledged.
fn one_directory(random: &SimRandom, round: u64) -> u64 {
    let home = Home::new(&format!("kill-{round}"));
    // The smallest segments that Kafka allows, so that kills hit rolls.
    let mut spec = Spec::new(&home, &["log.segment.bytes=1048576", "log.dir.min.free.bytes=0"]);
    let mut process = Process::start(&spec);
    spec.port = process.port;
    for (name, partitions, durability) in TOPICS {
        process.client().create(name, partitions, ("durability", durability));
    }
    let mut history = History::default();
    for life in 0..LIVES {
        let run = Duration::from_millis(20 + random.below(RUN_MS_MAX));
        let seed = random.below(u64::MAX);
        produce_until_killed(&mut process, life, run, seed, &mut history);
        drop(process);
        if random.below(4) == 0 {
            let mut early = Process::spawn(&spec);
            std::thread::sleep(Duration::from_millis(random.below(60)));
            early.kill();
        }
        process = Process::start(&spec);
        audit(&mut process.client(), &history);
    }
    let (status, _) = process.terminate();
    assert!(status.success(), "SIGTERM after all this: {status}");
    drop(process);
    let process = Process::start(&spec);
    audit(&mut process.client(), &history);
    history.acknowledged_records()
}

fn produce_until_killed(process: &mut Process, life: u64, run: Duration, seed: u64, history: &mut History) {
    let killed = AtomicBool::new(false);
    let port = process.port;
    std::thread::scope(|scope| {
        let killed = &killed;
        let producers: Vec<_> = PRODUCERS
            .iter()
            .enumerate()
            .map(|(number, (topic, acks))| {
                let id = life * PRODUCERS.len() as u64 + number as u64;
                let producer = Producer::new(id, *topic, *acks, seed);
                scope.spawn(move || producer.run(port, killed))
            })
            .collect();
        let readers: Vec<_> =
            (0..2).map(|topic| scope.spawn(move || Reader::new(topic).run(port, killed))).collect();
        std::thread::sleep(run);
        killed.store(true, Ordering::SeqCst);
        process.kill();
        producers.into_iter().for_each(|producer| history.add(producer.join().unwrap()));
        readers.into_iter().for_each(|reader| history.add_seen(reader.join().unwrap()));
    });
}
