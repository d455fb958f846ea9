//! System loggers as Debian packages them, with the configuration that the README shows: what `logger` hands to them for
//! a minute, over an end of the broker, is all in the topics, and `kcat` reads it.
//!
//! They run as private processes with their own sockets, process ids and state, never as the machine's logger.

mod aggregation;
mod lines;
mod readme;
mod running;

use crate::harness::{Broker, Need, Scenario, Spec, Stage};
use anyhow::{Context, Result, ensure};
use lines::{Lines, Stored};
use running::{Shipper, System};
use std::thread;
use std::time::Duration;

const PARTITIONS: i32 = 3;
const WRITES_FOR: Duration = Duration::from_secs(60);
/// After so long the broker ends…
const ENDS_AFTER: Duration = Duration::from_secs(20);
/// …and is back after so long.
const AWAY: Duration = Duration::from_secs(4);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str, play| Scenario::new(&format!("shippers::{name}"), &[Need::Debian], play);
    vec![
        scenario("a_minute_over_a_restart", |stage| over_an_end(stage, |broker| broker.stop().map(drop))),
        scenario("a_minute_over_a_kill", |stage| over_an_end(stage, Broker::kill)),
        scenario("aggregated_over_a_restart_and_a_kill", aggregation::play)
            .and_needs(Need::Connect)
            .and_needs(Need::Python),
    ]
}

/// Both loggers write to one broker side by side.
fn over_an_end(stage: &Stage, end: impl Fn(&mut Broker) -> Result<()>) -> Result<()> {
    let mut broker = stage.broker(Spec::default().set("num.partitions", &PARTITIONS.to_string()))?;
    let start = |system| Shipper::start(stage, system, broker.bootstrap());
    let mut shippers = [start(System::Rsyslog)?, start(System::SyslogNg)?];
    let written = thread::scope(|threads| {
        let writing: Vec<_> = shippers
            .iter()
            .map(|shipper| threads.spawn(|| lines::write(shipper.name(), shipper.socket(), WRITES_FOR)))
            .collect();
        thread::sleep(ENDS_AFTER);
        end(&mut broker)?;
        thread::sleep(AWAY);
        stage.again(&mut broker)?;
        let ended = writing.into_iter().map(|it| it.join().expect("a writer does not panic"));
        ended.collect::<Result<Vec<Lines>>>()
    })?;
    let mut stored = Stored::default();
    let mut is_whole = || {
        stored = Stored::read(stage, broker.bootstrap())?;
        Ok(written.iter().all(|lines| stored.missing(lines) == 0))
    };
    let waited = stage.wait_for("every line", &mut is_whole);
    for (shipper, lines) in shippers.iter_mut().zip(&written) {
        let (missing, twice) = (stored.missing(lines), stored.doubled(lines));
        println!("{}: {} lines, {missing} missing, {twice} stored twice", lines.shipper, lines.count);
        waited.as_ref().map_err(|e| anyhow::anyhow!("{e:#}\n{}", shipper.said()))?;
        stored.check(lines)?;
        shipper.stop().with_context(|| lines.shipper)?;
    }
    for name in written.iter().map(|lines| lines.shipper) {
        let (lz4, all) = lines::batches(&broker, name, PARTITIONS)?;
        println!("{name}: {lz4} of {all} batches are lz4");
        ensure!(lz4 * 2 > all, "{name}: only {lz4} of {all} batches are lz4");
    }
    Ok(())
}
