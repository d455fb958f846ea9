//! Subscriptions to clients' own metrics (KIP-714): looked after by `kafka-client-metrics`, followed by Kafka's own clients.

use crate::harness::{Spec, Stage};
use crate::observing::prometheus;
use crate::tools::run;
use anyhow::{Result, ensure};
use std::thread;

const TOOL: &str = "ClientMetricsCommand";

/// Set, shown, listed, deleted.
pub(crate) fn client_metrics(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let tool = |words: &[&str]| run(stage, &broker, TOOL, words, "");
    let metrics = "org.apache.kafka.producer.,org.apache.kafka.consumer.";
    let matching = "client_id=app-.*";
    tool(&["--alter", "--name", "suite", "--metrics", metrics, "--interval", "2000", "--match", matching])?;
    let shown = tool(&["--describe", "--name", "suite"])?;
    for line in ["interval.ms=2000".to_owned(), format!("match={matching}"), format!("metrics={metrics}")] {
        ensure!(shown.lines().any(|shown| shown.trim() == line), "no {line} in {shown}");
    }
    ensure!(tool(&["--list"])?.lines().any(|name| name == "suite"), "it is not listed");
    tool(&["--delete", "--name", "suite"])?;
    ensure!(!tool(&["--list"])?.lines().any(|name| name == "suite"), "it is still listed");
    Ok(())
}

/// A producer that nobody has told anything pushes what was asked for, and `/metrics` shows it under its name; one that the
/// subscription is not for does not.
pub(crate) fn are_pushed(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec { metrics: true, ..Spec::default() })?;
    let asked =
        ["--metrics", "org.apache.kafka.producer.", "--interval", "500", "--match", "client_id=asked"];
    run(stage, &broker, TOOL, &[&["--alter", "--name", "suite"], &asked[..]].concat(), "")?;
    let send = |client: &str| {
        let client = format!("client.id={client}");
        // For some ten seconds.
        let load = ["--topic", "load", "--num-records", "1000", "--record-size", "10", "--throughput", "100"];
        run(
            stage,
            &broker,
            "ProducerPerformance",
            &[&load[..], &["--command-property", &client]].concat(),
            "",
        )
    };
    thread::scope(|threads| {
        let producers = ["asked", "other"].map(|client| threads.spawn(move || send(client)));
        stage.wait_for("the producer's own metrics", || {
            let page = prometheus::get(broker.metrics()?)?;
            ensure!(!page.contains("client_id=\"other\""), "nobody asked that one");
            Ok(page.lines().any(|line| {
                line.starts_with("ottla_client_producer_") && line.contains("client_id=\"asked\"")
            }))
        })?;
        producers.into_iter().try_for_each(|producer| {
            producer.join().map_err(|_| anyhow::anyhow!("a producer's thread is gone"))?.map(drop)
        })
    })
}
