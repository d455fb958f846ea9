//! How far a group is behind, as those say who watch groups: Kafka's own tool, franz-go's admin client, which kminion is
//! built on, and Sarama, which kafka_exporter and Burrow are built on. All of them say what the log and the group hold.

use crate::harness::{Client, Scenario, Spec, Stage};
use crate::members::asking;
use crate::members::ledger::Offsets;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

const PARTITIONS: i32 = 6;
const TOPIC: &str = "suite";
const GROUP: &str = "readers";
/// What comes after the group has gone: other numbers for each partition.
const MORE: &str = "45";

/// For each partition the committed offset and the lag.
type Lags = BTreeMap<i32, (i64, i64)>;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let clients = [Client::KafkaPython, Client::FranzGo, Client::Java];
    vec![Scenario::with_clients("groups::lag_as_monitors_see_it", &clients, play)]
}

fn play(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let address = broker.bootstrap();
    // It makes the topic, writes, reads all as a group, and leaves.
    stage.python("grouping.py", "alone", &[address, TOPIC])?;
    stage.python("grouping.py", "write", &[address, TOPIC, "240", MORE])?;

    let ends = asking::ends(address, TOPIC, PARTITIONS)?;
    let committed = asking::committed(address, GROUP, TOPIC, PARTITIONS)?.context("a coordinator")?;
    let wanted = lags(&ends, &committed)?;
    ensure!(wanted.values().map(|(_, lag)| lag).sum::<i64>() == MORE.parse::<i64>()?, "{wanted:?}");

    let tool = stage.tool(
        "consumer.group.ConsumerGroupCommand",
        &["--bootstrap-server", address, "--describe", "--group", GROUP],
        "",
    )?;
    ensure!(columns(&tool, GROUP, [2, 3, 5])? == wanted, "{wanted:?} and Kafka's tool says\n{tool}");
    let said = stage.parts(Client::FranzGo, &[vec!["lag", address, GROUP]])?;
    for monitor in ["kadm", "sarama"] {
        ensure!(columns(&said, monitor, [2, 3, 4])? == wanted, "{wanted:?} and {monitor} says\n{said}");
    }
    Ok(())
}

fn lags(ends: &Offsets, committed: &Offsets) -> Result<Lags> {
    let lag = |(partition, end): (&i32, &i64)| {
        let at = *committed.get(partition).with_context(|| format!("no offset of {partition}"))?;
        Ok((*partition, (at, end - at)))
    };
    ends.iter().map(lag).collect()
}

/// Of the lines that begin with a word: partition, committed offset and lag in these columns.
fn columns(said: &str, first: &str, places: [usize; 3]) -> Result<Lags> {
    let mut lags = Lags::new();
    for line in said.lines().filter(|line| line.split_whitespace().next() == Some(first)) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number =
            |place: usize| -> Result<i64> { Ok(words.get(place).with_context(|| line.to_owned())?.parse()?) };
        let [partition, at, lag] = places;
        lags.insert(number(partition)?.try_into()?, (number(at)?, number(lag)?));
    }
    Ok(lags)
}
