//! `kafka-producer-perf-test`, `kafka-verifiable-producer` and `kafka-e2e-latency`.

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
