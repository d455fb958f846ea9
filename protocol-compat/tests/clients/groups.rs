//! Groups as clients use them with their defaults: they subscribe, share partitions, commit, and go on where they were.

use crate::harness::{Need, Scenario, Spec, Stage};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use std::{fs, thread};

/// Where Kafka's rule puts the group of these programs.
const PARTITION: &str = "28";
/// Records of its partition: the new group, its first generation, and the commits of the six partitions.
const RECORDS: &str = "8";

fn python(stage: &Stage, part: &str) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    stage.python("grouping.py", part, &[broker.bootstrap(), "suite"]).map(drop)
}

fn librdkafka(stage: &Stage, part: &str) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    stage.python("grouping_librdkafka.py", part, &[broker.bootstrap(), "suite"]).map(drop)
}

fn java(stage: &Stage, part: &str) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    stage.java("Grouping", part, &[broker.bootstrap(), "suite"]).map(drop)
}

/// Groups of the KIP-848 protocol.
fn consumer_protocol(stage: &Stage, part: &str) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    stage.java("ConsumerProtocol", part, &[broker.bootstrap(), "suite"]).map(drop)
}

/// The console consumer in a group of the KIP-848 protocol goes on where it was, and the tool of groups shows it.
fn consumer_protocol_console(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let to = ["--bootstrap-server", broker.bootstrap()];
    let topic = ["--topic", "suite"];
    let member = ["--group", "readers", "--from-beginning", "--command-property", "group.protocol=consumer"];
    for lines in ["a\nb\nc\n", "d\ne\n"] {
        stage.tool("ConsoleProducer", &[to, topic].concat(), lines)?;
        let count = lines.lines().count().to_string();
        let end = ["--max-messages", &count, "--timeout-ms", "60000"];
        let read = stage.tool("consumer.ConsoleConsumer", &[&to[..], &topic, &member, &end].concat(), "")?;
        ensure!(read == lines, "{read}");
    }
    let groups =
        |words: &[&str]| stage.tool("consumer.group.ConsumerGroupCommand", &[&to, words].concat(), "");
    let listed = groups(&["--list", "--type"])?;
    ensure!(listed.lines().any(|line| line.starts_with("readers") && line.contains("Consumer")), "{listed}");
    let described = groups(&["--describe", "--group", "readers"])?;
    let row = described.lines().find(|line| line.starts_with("readers")).context("a row")?;
    ensure!(row.split_whitespace().skip(3).take(3).eq(["5", "5", "0"]), "{described}");
    groups(&["--describe", "--state", "--group", "readers"])?;
    ensure!(groups(&["--delete", "--group", "readers"])?.contains("was successful"), "it is not deleted");
    Ok(())
}

/// The broker is killed under a group that reads and commits, and comes back, three times.
fn through_kills(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    let address = broker.bootstrap().to_owned();
    thread::scope(|threads| {
        let reader =
            threads.spawn(|| stage.python("grouping_librdkafka.py", "through_kills", &[&address, "suite"]));
        let reading = stage.folder().join("reading");
        while !reading.exists() && !reader.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(2_500));
            broker.kill()?;
            stage.again(&mut broker)?;
        }
        fs::write(stage.folder().join("over"), "")?;
        reader.join().expect("the client's thread does not panic").map(drop)
    })
}

/// Kafka's tool of groups works, and Kafka's own formatters read what we keep.
fn tools(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    stage.python("grouping.py", "alone", &[broker.bootstrap(), "suite"])?;
    let to = ["--bootstrap-server", broker.bootstrap()];
    let groups =
        |words: &[&str]| stage.tool("consumer.group.ConsumerGroupCommand", &[&to, words].concat(), "");
    let listed = groups(&["--list", "--state"])?;
    ensure!(listed.lines().any(|line| line.starts_with("readers") && line.contains("Empty")), "{listed}");
    let lag_of = |described: &str| -> Result<Vec<String>> {
        let rows = described.lines().filter(|line| line.starts_with("readers"));
        rows.map(|row| Ok(row.split_whitespace().nth(5).context("a column of lags")?.to_owned())).collect()
    };
    let described = groups(&["--describe", "--group", "readers"])?;
    ensure!(lag_of(&described)? == ["0"; 6], "{described}");
    let reset = ["--reset-offsets", "--group", "readers", "--topic", "suite", "--to-earliest", "--execute"];
    groups(&reset)?;
    let described = groups(&["--describe", "--group", "readers"])?;
    ensure!(lag_of(&described)? == ["40"; 6], "{described}");

    let read = |formatter: &str, count: &str| {
        let formatter = format!("org.apache.kafka.tools.consumer.{formatter}");
        let topic = ["--topic", "__consumer_offsets", "--partition", PARTITION, "--offset", "earliest"];
        let how = ["--max-messages", count, "--timeout-ms", "30000", "--formatter", &formatter];
        stage.tool("consumer.ConsoleConsumer", &[&to[..], &topic, &how].concat(), "")
    };
    let offsets = read("OffsetsMessageFormatter", RECORDS)?;
    ensure!(offsets.matches(r#""topic":"suite""#).count() == 6, "{offsets}");
    ensure!(offsets.contains(r#""offset":20"#), "{offsets}");
    let kept = read("GroupMetadataMessageFormatter", RECORDS)?;
    ensure!(kept.contains(r#""group":"readers""#) && kept.contains(r#""protocolType":"consumer""#), "{kept}");
    let deleted = groups(&["--delete", "--group", "readers"])?;
    ensure!(deleted.contains("was successful"), "{deleted}");
    let left = groups(&["--list"])?;
    ensure!(left.trim().is_empty(), "{left}");
    Ok(())
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("groups::kafka_python_alone", &[Need::Python], |stage| python(stage, "alone")),
        Scenario::new("groups::kafka_python_together", &[Need::Python], |stage| python(stage, "together")),
        Scenario::new("groups::librdkafka_alone", &[Need::Python], |stage| librdkafka(stage, "alone")),
        Scenario::new("groups::librdkafka_cooperatively", &[Need::Python], |stage| {
            librdkafka(stage, "cooperatively")
        }),
        Scenario::new("groups::librdkafka_static", &[Need::Python], |stage| librdkafka(stage, "static")),
        Scenario::new("groups::librdkafka_through_kills", &[Need::Python], through_kills),
        Scenario::new("groups::java_alone", &[Need::Java], |stage| java(stage, "alone")),
        Scenario::new("groups::kafkas_tools", &[Need::Python, Need::Java], tools),
        Scenario::new("groups::java_together", &[Need::Java], |stage| java(stage, "together")),
        Scenario::new("groups::consumer_protocol_scaling", &[Need::Java], |stage| {
            consumer_protocol(stage, "scaling")
        }),
        Scenario::new("groups::consumer_protocol_static", &[Need::Java], |stage| {
            consumer_protocol(stage, "fixed")
        }),
        Scenario::new("groups::consumer_protocol_migration", &[Need::Java], |stage| {
            consumer_protocol(stage, "migration")
        }),
        Scenario::new("groups::consumer_protocol_console", &[Need::Java], consumer_protocol_console),
        Scenario::new("groups::consumer_protocol_pattern", &[Need::Java], |stage| {
            consumer_protocol(stage, "pattern")
        }),
    ]
}
