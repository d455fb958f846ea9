//! What ten times the data costs: producing it, a record's way beside it, and serving again after a kill.
//!
//! Each size has brokers of its own on fresh directories. The small one is soon measured, and by itself says little:
//! it is measured several times, and its medians are what the large one is held to.

use anyhow::{Context, Result};

use super::{Course, Figure, at_most, plain, restart};
use crate::client::Client;
use crate::compare::reclaim_memory;
use crate::cpu;
use crate::load::open_loop;
use crate::rows::Batches;
use crate::stats::{median, ratio};

const GROWN_MAX: f64 = 1.1;
/// Of the large size, each beside its ratio to the small one; the rate's ratio is of the time that a GB takes.
pub(super) const FIGURES: &[Figure] = &[
    plain("megabytes_per_second", "MB/s"),
    at_most("seconds_ratio", "x s/GB", GROWN_MAX),
    plain("cpu_seconds_per_gb", "CPU s/GB"),
    at_most("cpu_ratio", "x CPU", GROWN_MAX),
    plain("p50_ms", "p50 ms"),
    at_most("p50_ratio", "x p50", GROWN_MAX),
    plain("p99_ms", "p99 ms"),
    at_most("p99_ratio", "x p99", GROWN_MAX),
    plain("serving_s", "s to serving"),
    at_most("serving_ratio", "x s to serving", GROWN_MAX),
];

const TIMES_LARGER: u64 = 10;
const SMALL_TIMES: usize = 3;
const DATA: &str = "tenfold";
const LIVE: &str = "tenfold-live";
const RECORD_BYTES: usize = 100;
const PER_SECOND: u32 = 1_000;

/// Seconds a GB, CPU seconds a GB, p50 and p99 in ms, seconds to serving.
type Costs = [f64; 5];

pub(super) fn measure(course: &Course<'_>) -> Result<Vec<f64>> {
    let volume = course.effort().volume_bytes;
    course.bench.check_room(TIMES_LARGER * volume)?;
    let small = (0..SMALL_TIMES).map(|time| costs(course, &format!("small-{time}"), volume));
    let small = small.collect::<Result<Vec<_>>>()?;
    let large = costs(course, "large", TIMES_LARGER * volume)?;
    let mut figures = Vec::with_capacity(FIGURES.len());
    for (at, large) in large.into_iter().enumerate() {
        let small = median(small.iter().map(|costs| costs[at]).collect()).context("nothing was measured")?;
        let shown = if at == 0 { 1e3 / large } else { large };
        figures.extend([shown, ratio(large, small).context("the small size cost nothing at all")?]);
    }
    Ok(figures)
}

/// Of a broker of its own, on a directory below the course's.
fn costs(course: &Course<'_>, name: &str, volume_bytes: u64) -> Result<Costs> {
    let course = course.part(name)?;
    let partitions = course.bench.connections;
    let mut runner = course.start()?;
    let (address, pid) = (runner.launch.address, runner.process.pid());
    let mut client = Client::ready(address, || runner.process.check_alive())?;
    client.create_topic(DATA, partitions, &[])?;
    client.create_topic(LIVE, 1, &[])?;
    reclaim_memory(volume_bytes)?;
    let before = cpu::process_cpu(pid)?;
    let sent = course.bench.send(address, DATA, Batches::plain(RECORD_BYTES), volume_bytes)?;
    let spent = cpu::process_cpu(pid)?.saturating_sub(before);
    let gigabytes = sent.bytes as f64 / 1e9;

    let (span, record_bytes) = (course.effort().span, RECORD_BYTES);
    let plan = open_loop::Plan { topic: LIVE, acks: 1, record_bytes, per_second: PER_SECOND, span };
    let live = open_loop::run(address, &plan)?;

    let serving = runner.crash(|back| restart::served(back, [(DATA, partitions), (LIVE, 1)]))?;
    Ok([
        sent.elapsed.as_secs_f64() / gigabytes,
        spent.as_secs_f64() / gigabytes,
        live.quantile_ms(0.5)?,
        live.quantile_ms(0.99)?,
        serving.as_secs_f64(),
    ])
}
