//! Apache Kafka's tools that write, read, measure, ask for offsets and delete records: what they print is what the log
//! holds; and those that look after topics, settings, quotas and the cluster.

mod administering;
mod console;
mod directories;
mod measuring;
mod offsets;
mod several;
mod subscriptions;

use crate::harness::{Broker, Need, Scenario, Stage};
use anyhow::Result;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str, play| Scenario::new(&format!("tools::{name}"), &[Need::Java], play);
    vec![
        scenario("console_in_every_codec", console::every_codec),
        scenario("console_prints_all_of_a_record", console::all_of_a_record),
        scenario("console_from_offsets", console::from_offsets),
        scenario("console_waits_at_the_end", console::waits_at_the_end),
        scenario("producer_performance", measuring::producer_performance),
        scenario("verifiable_producer", measuring::verifiable_producer),
        scenario("consumer_performance", measuring::consumer_performance),
        scenario("verifiable_consumer", measuring::verifiable_consumer),
        scenario("end_to_end_latency", measuring::end_to_end_latency),
        scenario("get_offsets", offsets::every_time),
        scenario("delete_records", offsets::delete_records),
        scenario("topics", administering::topics),
        scenario("configs", administering::configs),
        scenario("quotas", administering::quotas),
        scenario("cluster", administering::cluster),
        scenario("one_of_one", administering::one_of_one),
        scenario("directories", directories::to_and_fro),
        scenario("client_metrics", subscriptions::client_metrics),
        scenario("features", administering::features),
        Scenario::of_ottla("tools::clients_push_their_metrics", &[Need::Java], subscriptions::are_pushed),
    ]
}

/// Runs a tool with the broker's address.
fn run(stage: &Stage, broker: &Broker, class: &str, words: &[&str], input: &str) -> Result<String> {
    let words = [&["--bootstrap-server", broker.bootstrap()], words].concat();
    stage.tool(class, &words, input)
}

/// `count` values of partition 0 from an offset on, as the console consumer prints them.
fn values(stage: &Stage, broker: &Broker, topic: &str, offset: &str, count: usize) -> Result<Vec<String>> {
    let count = count.to_string();
    let words = ["--topic", topic, "--partition", "0", "--offset", offset, "--max-messages", &count];
    let said = run(stage, broker, "consumer.ConsoleConsumer", &[&words[..], PATIENCE].concat(), "")?;
    Ok(said.lines().map(str::to_owned).collect())
}

/// A consumer that finds too little ends with a complaint instead of waiting for ever.
const PATIENCE: &[&str] = &["--timeout-ms", "20000"];
