//! From exec to the first reply, and memory: after the start, and under the load of a saturating producer.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::{Course, Figure, at_most};
use crate::client::Client;
use crate::cpu;

pub(super) const MEMORY_FIGURES: &[Figure] =
    &[at_most("start_megabytes", "MB after start", 30.0), at_most("load_megabytes", "peak MB", 200.0)];
pub(super) const REPLY_FIGURES: &[Figure] = &[at_most("first_reply_s", "s to first reply", 0.05)];

/// What a start leaves behind for later is done by then.
const REST: Duration = Duration::from_secs(2);
const TOPIC: &str = "memory";

pub(super) fn first_reply(course: &Course<'_>) -> Result<Vec<f64>> {
    Ok(vec![course.start()?.first_reply.as_secs_f64()])
}

pub(super) fn memory(course: &Course<'_>) -> Result<Vec<f64>> {
    let mut runner = course.start()?;
    thread::sleep(REST);
    let pid = runner.process.pid();
    let after_start = cpu::resident_bytes(pid)?;
    Client::ready(runner.launch.address, || runner.process.check_alive())?.create_topic(
        TOPIC,
        course.bench.connections,
        &[],
    )?;
    course.bench.fill(runner.launch.address, TOPIC)?;
    let under_load = cpu::peak_memory_bytes(pid)?;
    Ok(vec![after_start as f64 / 1e6, under_load as f64 / 1e6])
}
