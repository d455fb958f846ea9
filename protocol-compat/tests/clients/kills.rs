//! A Java and a Python producer, each with its own defaults, write at once while the broker is killed again and again:
//! nothing acknowledged is lost, nothing is there twice, and each partition has its order. `OTTLA_EFFORT=long` kills
//! 500 times, `OTTLA_SIM_SEED` plays another sequence.

use crate::harness::random::Random;
use crate::harness::{Broker, Need, Scenario, Spec, Stage, place};
use crate::losses::holds_once_and_in_order;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const KILLS: usize = 8;
const KILLS_LONG: usize = 500;
const LIFE_MS_MIN: usize = 100;
const LIFE_MS_MAX: usize = 1_500;
const PARTITIONS: i32 = 4;
const SEED: u64 = 9;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let needs = [Need::Java, Need::Python];
    vec![Scenario::of_ottla("kills::a_java_and_a_python_producer_at_once", &needs, at_once)]
}

fn at_once(stage: &Stage) -> Result<()> {
    let partitions = PARTITIONS.to_string();
    // The smallest segments that Kafka allows, so that a long run rolls them.
    let spec = Spec::default().set("num.partitions", &partitions).set("log.segment.bytes", "1048576");
    let mut broker = stage.broker(spec)?;
    let address = broker.bootstrap().to_owned();
    let written = thread::scope(|threads| {
        let java =
            threads.spawn(|| stage.java("Killed", "through_kills", &[&address, "by-java", &partitions]));
        let python = threads
            .spawn(|| stage.python("killed.py", "through_kills", &[&address, "by-python", &partitions]));
        let is_over = || java.is_finished() || python.is_finished();
        let killed = kill_again_and_again(stage, &mut broker, is_over);
        fs::write(stage.folder().join("stop"), "")?;
        let said = [("by-java", java), ("by-python", python)]
            .map(|(topic, it)| Ok((topic, it.join().expect("a client's thread does not panic")?)));
        // What a client says is worth more than that there was one kill less.
        let said = said.into_iter().collect::<Result<Vec<(&str, String)>>>()?;
        killed?;
        anyhow::Ok(said)
    })?;
    for (topic, said) in written {
        let sent =
            said.lines().find_map(|line| line.strip_prefix("SENT ")).context("it says what it sent")?;
        let sent: usize = sent.parse()?;
        println!("{topic}: {sent} records");
        let partitions = PARTITIONS as usize;
        for partition in 0..partitions {
            // Records go to the partitions in turn.
            let count = (sent + partitions - 1 - partition) / partitions;
            holds_once_and_in_order(&broker, topic, partition as i32, count)?;
        }
    }
    Ok(())
}

fn kill_again_and_again(stage: &Stage, broker: &mut Broker, is_over: impl Fn() -> bool) -> Result<()> {
    let kills = if place::long_effort() { KILLS_LONG } else { KILLS };
    let seed = std::env::var("OTTLA_SIM_SEED").map_or(Ok(SEED), |seed| seed.parse())?;
    println!("OTTLA_SIM_SEED={seed}");
    let mut random = Random::seeded(seed);
    let begun = ["writing-by-java", "writing-by-python"].map(|name| stage.folder().join(name));
    stage.wait_for("both producers", || Ok(is_over() || begun.iter().all(|file| file.exists())))?;
    let (asked, mut slowest) = (Instant::now(), Duration::ZERO);
    for kill in 0..kills {
        let life = LIFE_MS_MIN + random.below(LIFE_MS_MAX - LIFE_MS_MIN);
        thread::sleep(Duration::from_millis(life as u64));
        ensure!(!is_over(), "a producer ended after {kill} kills");
        broker.kill()?;
        let killed = Instant::now();
        stage.again(broker)?;
        slowest = slowest.max(killed.elapsed());
        if kill % 50 == 49 {
            println!("{} kills in {} s", kill + 1, asked.elapsed().as_secs());
        }
    }
    println!("{kills} kills, the slowest start {} ms", slowest.as_millis());
    Ok(())
}
