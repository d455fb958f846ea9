//! What a broker knows, it knows after a stop and after a kill: records, offsets, topics, and who it is.

use crate::harness::{Broker, Need, Scenario, Spec, Stage};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let both = [Need::Java, Need::Python];
    vec![
        Scenario::new("restart::stop_keeps_everything", &both, |stage| {
            keeps_everything(stage, |broker| {
                let took = broker.stop()?;
                println!("stopped in {} ms", took.as_millis());
                Ok(())
            })
        }),
        Scenario::new("restart::kill_keeps_everything", &both, |stage| keeps_everything(stage, Broker::kill)),
        Scenario::new("restart::three_kills_in_a_row", &[Need::Python], three_kills),
        Scenario::new("restart::stop_while_consumers_wait", &[Need::Python], stop_while_waiting),
        Scenario::of_ottla("restart::a_consumer_learns_of_a_lost_tail", &[Need::Java], lost_tail),
        Scenario::new("restart::a_producer_writes_through_a_kill", &[Need::Java], |stage| {
            writes_through(stage, Broker::kill, "exactly_once")
        }),
        Scenario::new("restart::a_producer_writes_through_a_stop", &[Need::Java], |stage| {
            writes_through(stage, |broker| broker.stop().map(drop), "at_least_once")
        }),
    ]
}

fn identity(stage: &Stage, broker: &Broker) -> Result<String> {
    let said = stage.java("Administering", "identity", &[broker.bootstrap(), "compressed"])?;
    said.lines()
        .find(|line| line.starts_with("IDENTITY "))
        .map(str::to_owned)
        .context("no identity was printed")
}

fn keeps_everything(stage: &Stage, end: impl Fn(&mut Broker) -> Result<()>) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    let address = broker.bootstrap().to_owned();
    stage.python("producing.py", "write_records", &[&address, "plain", "none", "0", "500"])?;
    stage.java("Producing", "write_records", &[&address, "compressed", "zstd", "0", "500"])?;
    let before = identity(stage, &broker)?;

    end(&mut broker)?;
    ensure!(!broker.is_alive()?, "the broker still runs");
    stage.again(&mut broker)?;
    ensure!(broker.bootstrap() == address, "it came back on {}", broker.bootstrap());

    let after = identity(stage, &broker)?;
    ensure!(before == after, "before: {before}, after: {after}");
    stage.python("producing.py", "read_records", &[&address, "compressed", "500"])?;
    stage.java("Producing", "read_records", &[&address, "plain", "500"])?;
    stage.java("Producing", "write_records", &[&address, "plain", "lz4", "500", "100"])?;
    stage.python("producing.py", "write_records", &[&address, "compressed", "gzip", "500", "100"])?;
    stage.python("producing.py", "read_records", &[&address, "plain", "600"])?;
    stage.java("Producing", "read_records", &[&address, "compressed", "600"]).map(drop)
}

fn three_kills(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    let address = broker.bootstrap().to_owned();
    for round in 0..3 {
        let first = (round * 50).to_string();
        stage.python("producing.py", "write_records", &[&address, "suite", "snappy", &first, "50"])?;
        broker.kill()?;
        stage.again(&mut broker)?;
        stage.python("producing.py", "read_records", &[&address, "suite", &(round * 50 + 50).to_string()])?;
    }
    Ok(())
}

/// Open connections and parked fetches do not hold up the end.
fn stop_while_waiting(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    let address = broker.bootstrap().to_owned();
    thread::scope(|threads| {
        let waiting =
            threads.spawn(|| stage.python("consuming.py", "wait_until_cut_off", &[&address, "suite"]));
        let waits = stage.folder().join("waiting");
        while !waits.exists() && !waiting.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        let took = broker.stop()?;
        println!("stopped beside a waiting consumer in {} ms", took.as_millis());
        waiting.join().expect("the client's thread does not panic").map(drop)
    })
}

/// A Java producer with its own defaults keeps writing while the broker goes and comes back twice.
/// Whatever it is told is there; `guarantee` says whether all else has to be there once too.
fn writes_through(stage: &Stage, end: impl Fn(&mut Broker) -> Result<()>, guarantee: &str) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    let address = broker.bootstrap().to_owned();
    thread::scope(|threads| {
        let writer = threads
            .spawn(|| stage.java("Producing", "through_a_restart", &[&address, "suite", "8", guarantee]));
        let writing = stage.folder().join("writing");
        while !writing.exists() && !writer.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(1_200));
            end(&mut broker)?;
            stage.again(&mut broker)?;
        }
        let said = writer.join().expect("the client's thread does not panic")?;
        print!("{}", said.lines().filter(|line| line.ends_with(" records")).collect::<String>());
        println!(" written through two ends");
        Ok(())
    })
}

/// A relaxed log loses its end, as to a power cut, and goes on with other records; a consumer that had read the end is told.
fn lost_tail(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default().set("log.durability", "relaxed"))?;
    let address = broker.bootstrap().to_owned();
    thread::scope(|threads| {
        let reader = threads.spawn(|| stage.java("Consuming", "lost_tail", &[&address, "suite"]));
        let read = stage.folder().join("read");
        while !read.exists() && !reader.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        broker.kill()?;
        let kept = cut_in_half(&broker.segment("suite", 0, "log"))?;
        stage.again(&mut broker)?;
        let (back, written) = (stage.folder().join("back"), stage.folder().join("back.new"));
        fs::write(&written, kept.to_string())?;
        fs::rename(&written, &back)?;
        println!("{kept} records were kept");
        reader.join().expect("the client's thread does not panic").map(drop)
    })
}

/// Cuts off the batches in the second half of a segment; answers with the offset of the first one cut off.
fn cut_in_half(segment: &Path) -> Result<i64> {
    let bytes = fs::read(segment)?;
    let mut at = 0;
    while at < bytes.len() / 2 {
        let length = bytes[at + 8..at + 12].try_into().expect("four bytes");
        at += 12 + usize::try_from(i32::from_be_bytes(length))?;
    }
    ensure!(at > 0 && at < bytes.len(), "one half of {} bytes has no batch", bytes.len());
    let first_cut = bytes[at..at + 8].try_into().expect("eight bytes");
    fs::write(segment, &bytes[..at])?;
    Ok(i64::from_be_bytes(first_cut))
}
