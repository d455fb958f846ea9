//! Groups of real clients that join and leave by command: beside each other in one group, through kills of the broker, and
//! in numbers and protocols that change while records are written.

mod asking;
mod commit_log;
mod crew;
mod kills;
mod lag;
mod ledger;
mod migration;
mod mixed;
mod scaling;

use crate::harness::{Client, Scenario, Spec, Stage};
use anyhow::{Context, Result, bail};
use asking::Shown;
pub(crate) use asking::make_topic;
use crew::Crew;
use ledger::Ledger;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a group is looked at while something is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What [`write_steadily`] writes, and how fast, so that it lasts as long as groups change.
const RECORDS: usize = 100_000;
const RECORDS_PER_SECOND: &str = "5000";

pub(crate) fn scenarios() -> Vec<Scenario> {
    [kills::scenarios(), mixed::scenarios(), scaling::scenarios(), migration::scenarios(), lag::scenarios()]
        .into_iter()
        .flatten()
        .collect()
}

/// A broker whose consumer groups have sessions as short as those of the members.
fn short_sessions() -> Spec {
    Spec::default()
        .set("group.consumer.session.timeout.ms", "6000")
        .set("group.consumer.min.session.timeout.ms", "6000")
        .set("group.consumer.heartbeat.interval.ms", "1000")
        .set("group.consumer.min.heartbeat.interval.ms", "1000")
        .set("group.initial.rebalance.delay.ms", "0")
}

/// The programs of these clients.
fn crews(stage: &Stage, clients: &[Client], broker: &str, ledger: &Arc<Ledger>) -> Result<Vec<Crew>> {
    clients.iter().map(|client| Crew::start(stage, *client, broker, ledger)).collect()
}

/// Waits until something is so while all programs run; says what is so instead when the time is over.
fn wait_until(
    what: &str,
    limit: Duration,
    crews: &mut [Crew],
    mut is_so: impl FnMut() -> Result<Option<String>>,
) -> Result<Duration> {
    let asked = Instant::now();
    loop {
        crews.iter_mut().try_for_each(Crew::check)?;
        let Some(instead) = is_so().with_context(|| what.to_owned())? else { return Ok(asked.elapsed()) };
        if asked.elapsed() > limit {
            bail!("{what}: not within {} s, but {instead}", limit.as_secs());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Nothing if so many members share all partitions; otherwise what the group looks like.
fn is_shared(broker: &str, group: &str, members: usize, partitions: i32) -> Result<Option<String>> {
    let shown = asking::group(broker, group)?;
    let is_so = shown.as_ref().is_some_and(|shown: &Shown| shown.is_shared(members, partitions));
    Ok((!is_so).then(|| format!("{group} is {shown:?}")))
}

/// Kafka's own producer of measurements: batches in turn to all partitions, as small as they come.
fn write_steadily(stage: &Stage, address: &str, topic: &str) -> Result<()> {
    let count = RECORDS.to_string();
    let load = ["--topic", topic, "--num-records", &count, "--record-size", "100"];
    let how = [
        "--throughput",
        RECORDS_PER_SECOND,
        "--bootstrap-server",
        address,
        "--command-property",
        "linger.ms=0",
    ];
    stage.tool("ProducerPerformance", &[&load[..], &how].concat(), "").map(drop)
}
