//! From exec to serving after a kill: nothing to recover, much data, many partitions.

use std::time::Instant;

use anyhow::Result;

use super::partitions::Topics;
use super::{Course, Figure, Runner, at_most};
use crate::client::Client;
use crate::peer::START_MAX;

pub(super) const EMPTY_FIGURES: &[Figure] = &[at_most("serving_s", "s to serving", 0.2)];
pub(super) const DATA_FIGURES: &[Figure] = &[at_most("serving_s", "s to serving", 1.0)];
pub(super) const PARTITIONS_FIGURES: &[Figure] = &[at_most("serving_s", "s to serving", 2.0)];

const TOPIC: &str = "restart";
const PARTITIONS: usize = 1_000;

pub(super) fn empty(course: &Course<'_>) -> Result<Vec<f64>> {
    let mut runner = course.start()?;
    ready(&mut runner)?;
    let took = runner.crash(|back| ready(back).map(drop))?;
    Ok(vec![took.as_secs_f64()])
}

pub(super) fn data(course: &Course<'_>) -> Result<Vec<f64>> {
    let partitions = course.bench.connections;
    let mut runner = course.start()?;
    ready(&mut runner)?.create_topic(TOPIC, partitions, &[])?;
    course.bench.fill(runner.launch.address, TOPIC)?;
    let took = runner.crash(|back| served(back, [(TOPIC, partitions)]))?;
    Ok(vec![took.as_secs_f64()])
}

pub(super) fn partitions(course: &Course<'_>) -> Result<Vec<f64>> {
    let mut runner = course.start()?;
    let mut client = ready(&mut runner)?;
    let topics = Topics::of(PARTITIONS);
    topics.make(course, &mut client)?;
    topics.fill(&mut client)?;
    let took = runner.crash(|back| served(back, topics.iter()))?;
    Ok(vec![took.as_secs_f64()])
}

fn ready(runner: &mut Runner) -> Result<Client> {
    Client::ready(runner.launch.address, || runner.process.check_alive())
}

/// Waits until each partition of these topics answers a Fetch.
pub(super) fn served<'t>(
    runner: &mut Runner,
    topics: impl IntoIterator<Item = (&'t str, usize)>,
) -> Result<()> {
    let mut client = ready(runner)?;
    let deadline = Instant::now() + START_MAX;
    topics
        .into_iter()
        .try_for_each(|(topic, partitions)| client.wait_until_served(topic, partitions, deadline))
}
