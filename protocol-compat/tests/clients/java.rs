//! The Java client of Apache Kafka, alone and beside kafka-python.

use crate::harness::{Need, Scenario, Spec, Stage};
use crate::python::each_codec;
use anyhow::Result;

/// A part of a program against a broker of its own, on a topic that nobody made.
fn part(stage: &Stage, class: &str, part: &str, more: &[&str]) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let words = [&[broker.bootstrap(), "suite"], more].concat();
    stage.java(class, part, &words).map(drop)
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str, play| Scenario::new(&format!("java::{name}"), &[Need::Java], play);
    let across =
        |name: &str, play| Scenario::new(&format!("java::{name}"), &[Need::Java, Need::Python], play);
    vec![
        scenario("nothing_but_the_address", |stage| part(stage, "Producing", "nothing_but_the_address", &[])),
        scenario("every_codec", |stage| {
            let broker = stage.broker(Spec::default())?;
            let run = |part: &str, words: &[&str]| stage.java("Producing", part, words);
            each_codec(run, run, broker.bootstrap())
        }),
        across("writes_what_python_reads", |stage| {
            let broker = stage.broker(Spec::default())?;
            let write = |part: &str, words: &[&str]| stage.java("Producing", part, words);
            let read = |part: &str, words: &[&str]| stage.python("producing.py", part, words);
            each_codec(write, read, broker.bootstrap())
        }),
        across("reads_what_python_writes", |stage| {
            let broker = stage.broker(Spec::default())?;
            let write = |part: &str, words: &[&str]| stage.python("producing.py", part, words);
            let read = |part: &str, words: &[&str]| stage.java("Producing", part, words);
            each_codec(write, read, broker.bootstrap())
        }),
        scenario("acks_0_1_all", |stage| part(stage, "Producing", "acknowledgements", &[])),
        scenario("corners_of_the_record_format", |stage| part(stage, "Producing", "corners", &[])),
        scenario("large_records", |stage| part(stage, "Producing", "large_records", &[])),
        scenario("too_large_for_the_broker", |stage| {
            part(stage, "Producing", "too_large_for_the_broker", &[])
        }),
        scenario("spread_over_partitions", |stage| {
            let broker = stage.broker(Spec::default().set("num.partitions", "6"))?;
            stage.java("Producing", "spread_over_partitions", &[broker.bootstrap(), "suite", "6"]).map(drop)
        }),
        scenario("from_every_position", |stage| part(stage, "Consuming", "positions", &[])),
        scenario("an_empty_topic_gives_nothing_in_time", |stage| {
            part(stage, "Consuming", "empty_topic", &[])
        }),
        scenario("fetches_smaller_than_a_batch", |stage| part(stage, "Consuming", "small_fetches", &[])),
        scenario("read_committed", |stage| part(stage, "Consuming", "read_committed", &[])),
        scenario("two_waiting_consumers_wake", |stage| part(stage, "Consuming", "long_poll", &[])),
        scenario("admin_topics", |stage| part(stage, "Administering", "topics", &[])),
        scenario("admin_configs", |stage| part(stage, "Administering", "configs", &[])),
        scenario("admin_cluster", |stage| part(stage, "Administering", "cluster", &[])),
        scenario("admin_offsets", |stage| part(stage, "Administering", "offsets", &[])),
        scenario("admin_operation", |stage| part(stage, "Operating", "operation", &[])),
        scenario("admin_features", |stage| part(stage, "Overseeing", "features", &[])),
        scenario("admin_resources", |stage| part(stage, "Overseeing", "resources", &[])),
        scenario("admin_members", |stage| part(stage, "Overseeing", "members", &[])),
        scenario("admin_quotas", |stage| part(stage, "Quotas", "administration", &[])),
        scenario("keeps_to_its_quotas", |stage| {
            let broker = stage.broker(Spec::default().set("quota.window.num", "2"))?;
            stage.java("Quotas", "obedience", &[broker.bootstrap(), "suite"]).map(drop)
        }),
        scenario("admin_deletion", |stage| part(stage, "Administering", "deletion", &[])),
    ]
}
