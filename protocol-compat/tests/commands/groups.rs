//! `ottla group` beside `kafka-consumer-groups`.

use super::{objects, run, sorted};
use crate::harness::{Broker, Spec, Stage, java};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::process::{Child, Stdio};

const TOPIC: &str = "suite";
/// Of the programs that make the group.
const PARTITIONS: i64 = 6;
/// Records in each partition, all of them read.
const RECORDS: i64 = 40;

/// A broker with a topic, and the group `readers` that has read and left it.
fn with_group(stage: &Stage) -> Result<Broker> {
    let broker = stage.broker(Spec::default())?;
    stage.python("grouping.py", "alone", &[broker.bootstrap(), TOPIC])?;
    Ok(broker)
}

fn kafkas_tool(stage: &Stage, broker: &Broker, words: &[&str]) -> Result<String> {
    let to = ["--bootstrap-server", broker.bootstrap()];
    stage.tool("consumer.group.ConsumerGroupCommand", &[&to, words].concat(), "")
}

/// What both print is the same to the letter, but for the order of lines.
pub(crate) fn as_kafkas_tool(stage: &Stage) -> Result<()> {
    let broker = with_group(stage)?;
    let earlier =
        ["group", "reset-offsets", "readers", "--topic", "suite:1,4", "--to-offset", "7", "--execute"];
    run(stage, &broker, &earlier)?.well()?;
    // Each question to Kafka's tool is a start of Java: these show every column and every filter once.
    let pairs: &[(&[&str], &[&str])] = &[
        (&["list"], &["--list"]),
        (&["list", "--state=empty", "--type=classic"], &["--list", "--state", "empty", "--type", "classic"]),
        (&["describe", "--all-groups"], &["--describe", "--all-groups"]),
        (&["describe", "readers", "--verbose"], &["--describe", "--group", "readers", "--verbose"]),
        (
            &["describe", "readers", "--state", "--verbose"],
            &["--describe", "--group", "readers", "--state", "--verbose"],
        ),
    ];
    for (ours, kafkas) in pairs {
        let said = run(stage, &broker, &[&["group"], *ours].concat())?.well()?;
        let model = kafkas_tool(stage, &broker, kafkas)?;
        ensure!(sorted(&said) == sorted(&model), "{ours:?}:\n{said}\nKafka's tool:\n{model}");
    }
    // Only plans: what is set is read by the next comparison.
    let resets: &[&[&str]] = &[
        &["--topic", "suite:4", "--shift-by", "500"],
        &["--all-topics", "--to-current"],
        &["--topic", "suite:1,2", "--to-datetime", "2023-01-01T00:00:00.000"],
        &["--topic", "suite", "--by-duration", "PT0S"],
    ];
    for words in resets {
        let said =
            run(stage, &broker, &[&["group", "reset-offsets", "readers", "--dry-run"], *words].concat())?;
        let head = ["--reset-offsets", "--group", "readers", "--dry-run"];
        let model = kafkas_tool(stage, &broker, &[&head, *words].concat())?;
        let rows = |text: &str| -> Vec<String> {
            let is_row = |line: &&String| line.starts_with("GROUP") || line.starts_with("readers");
            sorted(text).iter().filter(is_row).cloned().collect()
        };
        let said = said.well()?;
        ensure!(rows(&said) == rows(&model), "{words:?}:\n{said}\nKafka's tool:\n{model}");
        ensure!(!rows(&said).is_empty(), "{words:?}: nothing is said");
    }
    Ok(())
}

/// The lags of the group's partitions.
fn lags(stage: &Stage, broker: &Broker) -> Result<Vec<i64>> {
    let rows = objects(stage, broker, &["group", "describe", "readers"])?;
    rows.iter().map(|row| row["lag"].as_i64().with_context(|| row.to_string())).collect()
}

pub(crate) fn reset_and_deleted(stage: &Stage) -> Result<()> {
    let broker = with_group(stage)?;
    let reset =
        |words: &[&str]| run(stage, &broker, &[&["group", "reset-offsets", "readers"], words].concat());
    ensure!(lags(stage, &broker)? == [0; PARTITIONS as usize], "all is read");

    // Without --execute nothing happens.
    let said = reset(&["--topic", TOPIC, "--to-earliest"])?;
    ensure!(said.err.contains("--execute"), "{}", said.err);
    said.well()?;
    ensure!(lags(stage, &broker)? == [0; PARTITIONS as usize], "a plan changed something");
    reset(&["--topic", TOPIC, "--to-earliest", "--execute"])?.well()?;
    ensure!(lags(stage, &broker)? == [RECORDS; PARTITIONS as usize], "to the start");
    reset(&["--topic", "suite:0,3", "--shift-by", "10", "--execute"])?.well()?;
    ensure!(lags(stage, &broker)? == [30, 40, 40, 30, 40, 40], "on by ten");
    let said = reset(&["--topic", "suite:5", "--to-offset", "1000", "--execute"])?;
    ensure!(said.err.contains("Value will be set to 40"), "{}", said.err);
    said.well()?;
    ensure!(lags(stage, &broker)? == [30, 40, 40, 30, 40, 0], "no further than the end");

    let lag = objects(stage, &broker, &["group", "lag"])?;
    let expected = json!({
        "group": "readers", "topic": TOPIC, "partitions": 6, "lag": 180, "maxLag": 40, "unknownPartitions": 0,
    });
    ensure!(lag == [expected], "{lag:?}");
    ensure!(objects(stage, &broker, &["group", "lag", "--above", "180"])?.is_empty(), "no group is so late");
    run(stage, &broker, &["group", "lag", "--above", "100", "--fail"])?.badly()?;

    // A wrong partition changes nothing at all.
    let said = reset(&["--topic", "suite:0,6", "--to-latest", "--execute"])?.badly()?;
    ensure!(said.contains("\"suite-6\" do not exist"), "{said}");
    ensure!(lags(stage, &broker)? == [30, 40, 40, 30, 40, 0], "half of it was done");
    let said = reset(&["--topic", "none", "--to-latest", "--execute"])?.badly()?;
    ensure!(said.contains("'none'") && said.contains("no such topic"), "{said}");

    // A group that nobody knew comes to be by what is set for it.
    let made = ["group", "reset-offsets", "made", "--topic", TOPIC, "--to-latest", "--execute"];
    run(stage, &broker, &made)?.well()?;
    let said = run(stage, &broker, &["group", "list"])?.well()?;
    ensure!(said == "made\nreaders\n", "{said}");

    let said = run(stage, &broker, &["group", "delete", "made", "nobody"])?;
    ensure!(said.out.contains("('made') was successful"), "{}", said.out);
    ensure!(said.badly()?.contains("'nobody' does not exist"), "the other is named");
    run(stage, &broker, &["group", "delete", "--all-groups"])?.well()?;
    ensure!(run(stage, &broker, &["group", "list"])?.well()?.is_empty(), "a group is left");
    let said = run(stage, &broker, &["group", "describe", "readers"])?.badly()?;
    ensure!(said.contains("Consumer group 'readers' does not exist"), "{said}");
    Ok(())
}

/// A member that is killed when nobody needs it any more.
struct Reader(Child);

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Reader {
    /// Kafka's console consumer in a group.
    fn start(stage: &Stage, broker: &Broker, group: &str, protocol: &str) -> Result<Self> {
        let mut command = java::kit()?.tool("org.apache.kafka.tools.consumer.ConsoleConsumer");
        let protocol = format!("group.protocol={protocol}");
        command
            .args(["--bootstrap-server", broker.bootstrap(), "--topic", TOPIC, "--group", group])
            .args(["--from-beginning", "--timeout-ms", "120000", "--command-property", &protocol])
            .args(["--command-property", "client.id=reader"]);
        command.current_dir(stage.folder()).stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Self(command.stderr(Stdio::null()).spawn()?))
    }
}

/// Members of both protocols are shown as they are, and keep their offsets from being set.
pub(crate) fn with_members(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default().set("num.partitions", "3"))?;
    let to = ["--bootstrap-server", broker.bootstrap()];
    stage.tool("ConsoleProducer", &[&to[..], &["--topic", TOPIC]].concat(), "one\n")?;
    for protocol in ["classic", "consumer"] {
        // A killed member stays in its group until its session ends.
        let group = &*format!("readers-{protocol}");
        let _reader = Reader::start(stage, &broker, group, protocol)?;
        // It reads, and commits by itself.
        stage.wait_for("the member and its commit", || {
            let said = run(stage, &broker, &["group", "describe", group, "--json"])?;
            let is_committed =
                |line: &str| line.contains("\"currentOffset\":1") && line.contains("\"clientId\":\"reader\"");
            Ok(said.out.lines().any(is_committed))
        })?;
        let mut compared = Vec::new();
        let kinds: [&[&str]; 3] = [&[], &["--members", "--verbose"], &["--state", "--verbose"]];
        for kind in kinds {
            let said = run(stage, &broker, &[&["group", "describe", group], kind].concat())?.well()?;
            let model = kafkas_tool(stage, &broker, &[&["--describe", "--group", group], kind].concat())?;
            ensure!(sorted(&said) == sorted(&model), "{protocol} {kind:?}:\n{said}\nKafka's tool:\n{model}");
            compared.push(said);
        }
        ensure!(compared[1].contains("reader"), "{}", compared[1]);
        let found = objects(stage, &broker, &["group", "describe", group, "--members"])?;
        ensure!(found.len() == 1 && found[0]["assignment"] == json!({TOPIC: [0, 1, 2]}), "{found:?}");
        ensure!(found[0]["protocol"] == protocol, "{found:?}");

        let reset = ["group", "reset-offsets", group, "--topic", TOPIC, "--to-earliest", "--execute"];
        let said = run(stage, &broker, &reset)?.badly()?;
        ensure!(said.contains("is inactive, but the current state is Stable"), "{said}");
        let said = run(stage, &broker, &["group", "delete", group])?.badly()?;
        ensure!(said.contains("has members"), "{said}");
    }
    Ok(())
}
