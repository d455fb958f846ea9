//! What partitions cost: making them, the first record in each, and having them when nothing happens.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Course, Figure, at_most, plain, ratio_at_most};
use crate::client::Client;
use crate::cpu;

const CREATE: Figure = ratio_at_most("create_s", "s to make", 1.0);
const FIRST: Figure = ratio_at_most("first_records_s", "s for first records", 0.05);
const IDLE: Figure = at_most("idle_percent", "idle CPU %", 0.5);
const DESCRIPTORS: Figure = plain("descriptors", "descriptors");

pub(super) const FIGURES: &[Figure] = &[CREATE, FIRST, IDLE, plain("partition_kib", "KiB each"), DESCRIPTORS];
/// Of so many the memory has a goal.
pub(super) const MANY_FIGURES: &[Figure] =
    &[CREATE, FIRST, IDLE, at_most("partition_kib", "KiB each", 5.0), DESCRIPTORS];

/// What follows the first records is over by then.
const REST: Duration = Duration::from_secs(3);
const IDLE_FOR: Duration = Duration::from_secs(10);
/// Kafka makes fewer than 10,000 partitions at once.
const TOPIC_PARTITIONS: usize = 1_000;

/// Topics that have so many partitions together, each with its name and its part.
pub(super) struct Topics(Vec<(String, usize)>);

impl Topics {
    pub(super) fn of(partitions: usize) -> Self {
        let firsts = (0..partitions).step_by(TOPIC_PARTITIONS);
        let topic = |first| (format!("partitions-{first}"), TOPIC_PARTITIONS.min(partitions - first));
        Self(firsts.map(topic).collect())
    }

    pub(super) fn make(&self, course: &Course<'_>, client: &mut Client) -> Result<()> {
        course.keep_files();
        self.0.iter().try_for_each(|(topic, partitions)| client.create_topic(topic, *partitions, &[]))
    }

    /// One record into each partition.
    pub(super) fn fill(&self, client: &mut Client) -> Result<()> {
        self.0.iter().try_for_each(|(topic, partitions)| client.one_record_each(topic, *partitions))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(topic, partitions)| (topic.as_str(), *partitions))
    }
}

pub(super) fn measure(course: &Course<'_>, partitions: usize) -> Result<Vec<f64>> {
    let mut runner = course.start()?;
    let pid = runner.process.pid();
    let mut client = Client::ready(runner.launch.address, || runner.process.check_alive())?;
    let before = cpu::resident_bytes(pid)?;
    let topics = Topics::of(partitions);
    let created = Instant::now();
    topics.make(course, &mut client)?;
    let created = created.elapsed();
    let first = Instant::now();
    topics.fill(&mut client)?;
    let first = first.elapsed();
    thread::sleep(REST);
    let (spent, idle) = (cpu::process_cpu(pid)?, Instant::now());
    thread::sleep(IDLE_FOR);
    let spent = cpu::process_cpu(pid)?.saturating_sub(spent).as_secs_f64() / idle.elapsed().as_secs_f64();
    let grown = cpu::resident_bytes(pid)?.saturating_sub(before) as f64;
    Ok(vec![
        created.as_secs_f64(),
        first.as_secs_f64(),
        100.0 * spent,
        grown / 1024.0 / partitions as f64,
        cpu::descriptors(pid)? as f64,
    ])
}
