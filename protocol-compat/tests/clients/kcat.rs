//! kcat as Debian has it: an older librdkafka behind a command line, with its defaults.

use crate::harness::{Broker, Need, Scenario, Spec, Stage, kcat};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str, play| Scenario::new(&format!("kcat::{name}"), &[Need::Debian], play);
    vec![
        scenario("every_codec_and_acknowledgement", every_codec),
        scenario("keys_headers_and_nulls", keys_headers_and_nulls),
        scenario("from_every_position", positions),
        scenario("large_records", large_records),
        scenario("metadata", metadata),
    ]
}

/// Writes `input` to partition 0 of a topic, one record a line.
fn write(stage: &Stage, broker: &Broker, topic: &str, more: &[&str], input: &str) -> Result<()> {
    let mut command = kcat::command(broker.bootstrap())?;
    stage.program(command.args(["-P", "-p", "0", "-t", topic]).args(more), input).map(drop)
}

/// The records from a position to the end, as kcat shows them in JSON.
fn read(stage: &Stage, broker: &Broker, topic: &str, from: &str) -> Result<Vec<Value>> {
    let mut command = kcat::command(broker.bootstrap())?;
    command.args(["-C", "-q", "-J", "-e", "-p", "0", "-t", topic, "-o", from]);
    let said = stage.program(&mut command, "")?;
    said.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

fn lines(range: std::ops::Range<usize>) -> String {
    range.map(|i| format!("line {i} ü🦦\n")).collect()
}

fn expect_lines(found: &[Value], first: usize, count: usize) -> Result<()> {
    ensure!(found.len() == count, "{} records instead of {count}", found.len());
    for (i, record) in found.iter().enumerate() {
        let wanted = format!("line {} ü🦦", first + i);
        let is_right = record["payload"] == wanted.as_str() && record["offset"] == first + i;
        ensure!(is_right, "{record} is not {wanted}");
    }
    Ok(())
}

fn every_codec(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("in-{codec}");
        let how = [("acks=0", 0), ("acks=1", 50), ("acks=all", 100), ("enable.idempotence=true", 150)];
        for (setting, first) in how {
            write(stage, &broker, &topic, &["-z", codec, "-X", setting], &lines(first..first + 50))?;
            // Records that nobody acknowledges may be under way when their sender has ended.
            stage.wait_for("the records", || {
                Ok(read(stage, &broker, &topic, "beginning")?.len() >= first + 50)
            })?;
        }
        expect_lines(&read(stage, &broker, &topic, "beginning")?, 0, 200)?;
    }
    Ok(())
}

fn keys_headers_and_nulls(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let headers = ["-H", "заголовок=значение", "-H", "second=", "-K", ":", "-Z"];
    write(stage, &broker, "suite", &headers, "ключ:value\n:without a key\ndeleted:\n")?;
    let found = read(stage, &broker, "suite", "beginning")?;
    let shown: Vec<(&Value, &Value)> =
        found.iter().map(|record| (&record["key"], &record["payload"])).collect();
    let text = |text: &str| Value::from(text);
    let wanted =
        [(text("ключ"), text("value")), (Value::Null, text("without a key")), (text("deleted"), Value::Null)];
    ensure!(shown == wanted.iter().map(|(k, v)| (k, v)).collect::<Vec<_>>(), "{found:?}");
    for record in &found {
        let headers = serde_json::json!(["заголовок", "значение", "second", ""]);
        ensure!(record["headers"] == headers, "{record}");
        ensure!(record["tstype"] == "create", "{record}");
    }
    Ok(())
}

fn positions(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    write(stage, &broker, "suite", &[], &lines(0..60))?;
    expect_lines(&read(stage, &broker, "suite", "beginning")?, 0, 60)?;
    expect_lines(&read(stage, &broker, "suite", "17")?, 17, 43)?;
    expect_lines(&read(stage, &broker, "suite", "-5")?, 55, 5)?;
    expect_lines(&read(stage, &broker, "suite", "end")?, 60, 0)?;
    let all = read(stage, &broker, "suite", "beginning")?;
    let time = all[30]["ts"].as_i64().context("a time")?;
    let first = all.iter().position(|record| record["ts"].as_i64() >= Some(time)).context("its record")?;
    expect_lines(&read(stage, &broker, "suite", &format!("s@{time}"))?, first, 60 - first)?;
    let mut query = kcat::command(broker.bootstrap())?;
    let said = stage.program(query.args(["-Q", "-t", &format!("suite:0:{time}")]), "")?;
    ensure!(said.contains(&format!("offset {first}")), "{said}");
    Ok(())
}

/// Files of 900 kB as records; one above the broker's limit, refused; one of 5 MB where both sides allow it.
fn large_records(stage: &Stage) -> Result<()> {
    let file = |name: &str, bytes: usize| -> Result<String> {
        let path = stage.folder().join(name);
        fs::write(&path, name.repeat(bytes / name.len()))?;
        path.to_str().map(str::to_owned).context("a path in UTF-8")
    };
    let (small, middle, large) =
        (file("900 kB.", 900_000)?, file("1.1 MB.", 1_100_000)?, file("5 MB...", 5_000_000)?);
    let broker = stage.broker(Spec::default())?;
    write(stage, &broker, "suite", &[&small, &small], "")?;
    let limit = ["-X", "message.max.bytes=6000000"];
    match write(stage, &broker, "suite", &[limit[0], limit[1], &middle], "") {
        Err(e) if format!("{e:#}").contains("Message size too large") => {}
        other => bail!("a record above message.max.bytes gives {other:?}"),
    }
    expect_payloads(stage, &broker, &[&small, &small])?;
    let broker = stage.broker(Spec::default().set("message.max.bytes", "6000000"))?;
    write(stage, &broker, "suite", &[limit[0], limit[1], &large], "")?;
    expect_payloads(stage, &broker, &[&large])
}

fn expect_payloads(stage: &Stage, broker: &Broker, files: &[&String]) -> Result<()> {
    let found = read(stage, broker, "suite", "beginning")?;
    ensure!(found.len() == files.len(), "{} records", found.len());
    for (found, file) in found.iter().zip(files) {
        let is_same = found["payload"].as_str() == Some(fs::read_to_string(file)?.as_str());
        ensure!(is_same, "{file} came back changed");
    }
    Ok(())
}

fn metadata(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    write(stage, &broker, "suite", &[], &lines(0..1))?;
    let said = stage.program(kcat::command(broker.bootstrap())?.args(["-L", "-J"]), "")?;
    let found: Value = serde_json::from_str(&said)?;
    ensure!(found["brokers"][0]["name"] == broker.bootstrap(), "{found}");
    let topics = found["topics"].as_array().context("topics")?;
    let suite = topics.iter().find(|topic| topic["topic"] == "suite").context("the topic is not listed")?;
    ensure!(suite["partitions"].as_array().is_some_and(|all| all.len() == 1), "{suite}");
    Ok(())
}
