//! What is measured at several sizes.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::partitions::Topics;
use super::{Course, Runner, connections, restart};
use crate::client::Client;
use crate::compare::{reclaim_memory, settle_disk};
use crate::cpu;
use crate::limits;
use crate::load::{Until, groups, produce};
use crate::rows::BATCH_BYTES;
use crate::wire::batch;

/// A cost that grows with a size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growing {
    pub id: &'static str,
    pub what: &'static str,
    pub size: &'static str,
    pub unit: &'static str,
    pub sizes: &'static [usize],
    /// What is below is lost in the noise.
    pub noise: f64,
    pub measure: fn(&Course<'_>, usize) -> Result<f64>,
    /// What the machine takes for the same without any broker, in a directory, where that grows in its own way.
    pub machine: Option<fn(&Path, usize) -> Result<f64>>,
}

const TOPIC: &str = "growing";
const REST: Duration = Duration::from_secs(2);
const MEMBERS: usize = 10;
const SPAN: Duration = Duration::from_secs(10);
const MEGABYTE: u64 = 1_000_000;

pub(crate) const ALL: &[Growing] = &[
    Growing {
        id: "partitions-create",
        what: "Making partitions",
        size: "partitions",
        unit: "s",
        sizes: &[100, 1_000, 10_000],
        noise: 0.1,
        measure: create,
        machine: None,
    },
    Growing {
        id: "partitions-memory",
        what: "Memory of partitions with a record each",
        size: "partitions",
        unit: "MB",
        sizes: &[100, 1_000, 10_000],
        noise: 5.0,
        measure: partitions_memory,
        machine: None,
    },
    Growing {
        id: "partitions-restart",
        what: "Serving after kill -9 with partitions",
        size: "partitions",
        unit: "s",
        sizes: &[100, 1_000, 10_000],
        noise: 0.1,
        measure: partitions_restart,
        machine: None,
    },
    Growing {
        id: "connections-memory",
        what: "Memory of silent connections",
        size: "connections",
        unit: "MB",
        sizes: &[100, 1_000, 10_000],
        noise: 5.0,
        measure: connections_memory,
        machine: None,
    },
    Growing {
        id: "groups-memory",
        what: "Memory of groups with ten members each",
        size: "groups",
        unit: "MB",
        sizes: &[10, 100, 1_000],
        noise: 5.0,
        measure: groups_memory,
        machine: None,
    },
    Growing {
        id: "groups-cpu",
        what: "CPU of groups whose ten members send a heartbeat and a commit every 5 s, for 10 s",
        size: "groups",
        unit: "CPU s",
        sizes: &[10, 100, 1_000],
        noise: 0.2,
        measure: groups_cpu,
        machine: None,
    },
    Growing {
        id: "data-cpu",
        what: "CPU of producing in 16 KiB batches",
        size: "MB",
        unit: "CPU s",
        sizes: &[100, 1_000, 10_000],
        noise: 0.2,
        measure: data_cpu,
        machine: Some(machines_data_cpu),
    },
    Growing {
        id: "data-restart",
        what: "Serving after kill -9 with data",
        size: "MB",
        unit: "s",
        sizes: &[100, 1_000, 10_000],
        noise: 0.2,
        measure: data_restart,
        machine: None,
    },
];

fn create(course: &Course<'_>, partitions: usize) -> Result<f64> {
    let mut runner = course.start()?;
    let mut client = Client::ready(runner.launch.address, || runner.process.check_alive())?;
    let begun = Instant::now();
    Topics::of(partitions).make(course, &mut client)?;
    Ok(begun.elapsed().as_secs_f64())
}

fn partitions_memory(course: &Course<'_>, partitions: usize) -> Result<f64> {
    let mut runner = course.start()?;
    let mut client = Client::ready(runner.launch.address, || runner.process.check_alive())?;
    let before = cpu::resident_bytes(runner.process.pid())?;
    let topics = Topics::of(partitions);
    topics.make(course, &mut client)?;
    topics.fill(&mut client)?;
    thread::sleep(REST);
    Ok(cpu::resident_bytes(runner.process.pid())?.saturating_sub(before) as f64 / 1e6)
}

fn partitions_restart(course: &Course<'_>, partitions: usize) -> Result<f64> {
    let mut runner = course.start()?;
    let mut client = Client::ready(runner.launch.address, || runner.process.check_alive())?;
    let topics = Topics::of(partitions);
    topics.make(course, &mut client)?;
    topics.fill(&mut client)?;
    restarted(runner, topics.iter())
}

fn connections_memory(course: &Course<'_>, count: usize) -> Result<f64> {
    let mut runner = course.start()?;
    Client::ready(runner.launch.address, || runner.process.check_alive())?;
    let before = cpu::resident_bytes(runner.process.pid())?;
    let silent = connections::silent(runner.launch.address, count)?;
    let after = cpu::resident_bytes(runner.process.pid())?;
    drop(silent);
    Ok(after.saturating_sub(before) as f64 / 1e6)
}

fn groups_memory(course: &Course<'_>, count: usize) -> Result<f64> {
    let mut runner = course.start_with(groups::SETTINGS)?;
    let before = cpu::resident_bytes(runner.process.pid())?;
    let ready = joined(&mut runner, count)?;
    let after = cpu::resident_bytes(runner.process.pid())?;
    groups::leave(ready)?;
    Ok(after.saturating_sub(before) as f64 / 1e6)
}

fn groups_cpu(course: &Course<'_>, count: usize) -> Result<f64> {
    let mut runner = course.start_with(groups::SETTINGS)?;
    let mut ready = joined(&mut runner, count)?;
    let before = cpu::process_cpu(runner.process.pid())?;
    groups::run(&mut ready, SPAN)?;
    let spent = cpu::process_cpu(runner.process.pid())?.saturating_sub(before).as_secs_f64();
    groups::leave(ready)?;
    Ok(spent)
}

/// So many groups, each of whose members has its partition.
fn joined(runner: &mut Runner, count: usize) -> Result<groups::Ready> {
    let mut client = Client::ready(runner.launch.address, || runner.process.check_alive())?;
    client.create_topic(TOPIC, MEMBERS, &[])?;
    client.wait_for_coordinators()?;
    groups::prepare(runner.launch.address, groups::Plan { topic: TOPIC, groups: count, members: MEMBERS })
}

fn data_cpu(course: &Course<'_>, megabytes: usize) -> Result<f64> {
    let mut runner = course.start()?;
    Client::ready(runner.launch.address, || runner.process.check_alive())?.create_topic(TOPIC, 1, &[])?;
    reclaim_memory(megabytes as u64 * MEGABYTE)?;
    let before = cpu::process_cpu(runner.process.pid())?;
    send(&runner, megabytes)?;
    Ok(cpu::process_cpu(runner.process.pid())?.saturating_sub(before).as_secs_f64())
}

fn machines_data_cpu(dir: &Path, megabytes: usize) -> Result<f64> {
    settle_disk(dir)?;
    reclaim_memory(megabytes as u64 * MEGABYTE)?;
    Ok(limits::append_cpu(dir, megabytes as u64 * MEGABYTE)?.as_secs_f64())
}

fn data_restart(course: &Course<'_>, megabytes: usize) -> Result<f64> {
    let mut runner = course.start()?;
    Client::ready(runner.launch.address, || runner.process.check_alive())?.create_topic(TOPIC, 1, &[])?;
    send(&runner, megabytes)?;
    restarted(runner, [(TOPIC, 1)])
}

fn send(runner: &Runner, megabytes: usize) -> Result<()> {
    let (batch, _) = batch::fill(BATCH_BYTES, 1_024, crate::load::unix_time_ms());
    let until = Until::Requests(megabytes as u64 * MEGABYTE / batch.len() as u64);
    let plan = produce::Plan { topic: TOPIC, connections: 1, in_flight: 5, acks: 1, batch: &batch, until };
    produce::run(runner.launch.address, &plan).map(drop)
}

/// From a kill until all partitions answer a Fetch.
fn restarted<'t>(runner: Runner, topics: impl IntoIterator<Item = (&'t str, usize)>) -> Result<f64> {
    let took = runner.crash(|back| restart::served(back, topics))?;
    Ok(took.as_secs_f64())
}
