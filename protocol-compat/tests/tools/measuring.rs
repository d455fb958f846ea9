//! `kafka-producer-perf-test`, `kafka-consumer-perf-test`, `kafka-verifiable-producer`, `kafka-verifiable-consumer` and
//! `kafka-e2e-latency`.

use crate::harness::{Spec, Stage};
use crate::tools::{run, values};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

pub(crate) fn producer_performance(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let perf = |words: &[&str]| run(stage, &broker, "ProducerPerformance", words, "");
    let load = ["--topic", "load", "--num-records", "20000", "--record-size", "1000", "--throughput", "-1"];
    let settings = ["--command-property", "linger.ms=5", "compression.type=lz4", "--print-metrics"];
    let said = perf(&[&load[..], &settings].concat())?;
    let summary = said.lines().find(|line| line.starts_with("20000 records sent, "));
    println!("{}", summary.with_context(|| said.clone())?);
    let metric = |name: &str| -> Result<f64> {
        let line = said.lines().find(|line| line.starts_with(&format!("producer-metrics:{name}:")));
        let value = line.and_then(|line| line.rsplit(':').next()).with_context(|| name.to_owned())?;
        Ok(value.trim().parse()?)
    };
    ensure!(metric("record-send-total")? == 20_000.0, "{said}");
    ensure!(metric("record-error-total")? == 0.0, "{said}");
    let end = run(stage, &broker, "GetOffsetShell", &["--topic-partitions", "load:0"], "")?;
    ensure!(end.trim() == "load:0:20000", "{end}");

    let said =
        perf(&["--topic", "counted", "--num-records", "3000", "--payload-monotonic", "--throughput", "-1"])?;
    ensure!(said.contains("3000 records sent, "), "{said}");
    let found = values(stage, &broker, "counted", "earliest", 3000)?;
    ensure!(found.iter().enumerate().all(|(i, value)| *value == i.to_string()), "{found:?}");
    Ok(())
}

/// Every line that it prints is true of the log.
pub(crate) fn verifiable_producer(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    for acks in ["-1", "1"] {
        let topic = format!("verified{acks}");
        let words = ["--topic", &topic, "--max-messages", "500", "--acks", acks];
        let more = ["--repeating-keys", "7", "--value-prefix", "3"];
        let said = run(stage, &broker, "VerifiableProducer", &[&words[..], &more].concat(), "")?;
        let events: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let named = |name: &'static str| events.iter().filter(move |event| event["name"] == name);
        for once in ["startup_complete", "shutdown_complete"] {
            ensure!(named(once).count() == 1, "{once} is not said once\n{said}");
        }
        let sums = named("tool_data").next().with_context(|| said.clone())?;
        ensure!(sums["sent"] == 500 && sums["acked"] == 500, "{sums}");
        let stored: Vec<&Value> = named("producer_send_success").collect();
        ensure!(stored.len() == 500 && events.len() == 503, "{said}");
        for (i, event) in stored.into_iter().enumerate() {
            let found = json!([event["key"], event["value"], event["partition"], event["offset"]]);
            ensure!(found == json!([(i % 7).to_string(), format!("3.{i}"), 0, i]), "record {i} is {found}");
        }
        let found = values(stage, &broker, &topic, "earliest", 500)?;
        ensure!(found.iter().enumerate().all(|(i, value)| *value == format!("3.{i}")), "{found:?}");
    }
    Ok(())
}

/// At its end it commits its offsets to a group.
pub(crate) fn end_to_end_latency(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    for (acks, topic) in [("all", "there-all"), ("1", "there-one")] {
        let words =
            ["--topic", topic, "--num-records", "300", "--producer-acks", acks, "--record-size", "100"];
        let said = run(stage, &broker, "EndToEndLatency", &words, "")?;
        let average = said.lines().find_map(|line| line.strip_prefix("Avg latency: ")?.strip_suffix(" ms"));
        let average: f64 = average.with_context(|| said.clone())?.parse()?;
        ensure!(average > 0.0, "{said}");
        let percentiles = said.lines().find(|line| line.starts_with("Percentiles: 50th = "));
        println!("acks {acks}: average {average} ms, {}", percentiles.with_context(|| said.clone())?);
        let end = run(stage, &broker, "GetOffsetShell", &["--topic-partitions", &format!("{topic}:0")], "")?;
        ensure!(end.trim() == format!("{topic}:0:300"), "{end}");
    }
    Ok(())
}

/// What it says that it read is what was there, and its group has that behind it.
pub(crate) fn consumer_performance(stage: &Stage) -> Result<()> {
    const RECORDS: &str = "20000";
    let broker = stage.broker(Spec::default())?;
    let load = ["--topic", "load", "--num-records", RECORDS, "--record-size", "1000", "--throughput", "-1"];
    run(stage, &broker, "ProducerPerformance", &load, "")?;
    for protocol in ["classic", "consumer"] {
        let how = format!("group.protocol={protocol}");
        let words = ["--topic", "load", "--num-records", RECORDS, "--group", protocol, "--timeout", "30000"];
        let more = ["--hide-header", "--command-property", &how];
        let said = run(stage, &broker, "ConsumerPerformance", &[&words[..], &more].concat(), "")?;
        println!("{protocol}: {}", said.trim());
        let columns: Vec<&str> = said.trim().split(", ").collect();
        ensure!(columns.get(4) == Some(&RECORDS), "{said}");
        let described = run(
            stage,
            &broker,
            "consumer.group.ConsumerGroupCommand",
            &["--describe", "--group", protocol],
            "",
        )?;
        let row = described.lines().find(|line| line.starts_with(protocol)).context("a row")?;
        let found: Vec<&str> = row.split_whitespace().skip(1).take(5).collect();
        ensure!(found == ["load", "0", RECORDS, RECORDS, "0"], "{described}");
    }
    Ok(())
}

/// Every line that it prints is true of the log and of its group, and one that comes later goes on.
pub(crate) fn verifiable_consumer(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default().set("num.partitions", "2"))?;
    for protocol in ["classic", "consumer"] {
        let topic = format!("verified-{protocol}");
        for round in [1, 2] {
            let words = ["--topic", &topic, "--max-messages", "500", "--acks", "-1"];
            run(stage, &broker, "VerifiableProducer", &words, "")?;
            let words = ["--topic", &topic, "--group-id", protocol, "--group-protocol", protocol];
            let more = ["--max-messages", "500", "--reset-policy", "earliest"];
            let said = run(stage, &broker, "VerifiableConsumer", &[&words[..], &more].concat(), "")?;
            let events: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
            let named = |name: &'static str| events.iter().filter(move |event| event["name"] == name);
            for once in ["startup_complete", "shutdown_complete"] {
                ensure!(named(once).count() == 1, "{once} is not said once\n{said}");
            }
            let assigned = named("partitions_assigned").next_back().with_context(|| said.clone())?;
            ensure!(assigned["partitions"].as_array().is_some_and(|all| all.len() == 2), "{assigned}");
            let count: u64 = named("records_consumed").filter_map(|event| event["count"].as_u64()).sum();
            ensure!(count == 500, "round {round} of {protocol}: {count} records\n{said}");
            ensure!(named("offsets_committed").all(|event| event["success"] == true), "{said}");
        }
        // Who had begun anew would have read the first half again, and not the second.
        let words = ["--describe", "--group", protocol];
        let described = run(stage, &broker, "consumer.group.ConsumerGroupCommand", &words, "")?;
        let rows = described.lines().filter(|line| line.starts_with(protocol));
        // All may lie in one partition.
        let mut committed = 0;
        for row in rows {
            let columns: Vec<&str> = row.split_whitespace().collect();
            ensure!(columns.get(5).is_some_and(|lag| ["0", "-"].contains(lag)), "{described}");
            committed += columns[3].parse::<u64>().unwrap_or(0);
        }
        ensure!(committed == 1000, "{described}");
    }
    Ok(())
}
