//! kafka-python.

use crate::harness::{Listen, Need, Scenario, Spec, Stage};
use anyhow::Result;

/// A part of a program against a broker of its own, on a topic that nobody made.
fn part(stage: &Stage, script: &str, part: &str, more: &[&str]) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let words = [&[broker.bootstrap(), "suite"], more].concat();
    stage.python(script, part, &words).map(drop)
}

/// Writes with each codec to a topic of its own and reads it back; both clients do, and each reads the other's.
pub(crate) fn each_codec(
    write: impl Fn(&str, &[&str]) -> Result<String>,
    read: impl Fn(&str, &[&str]) -> Result<String>,
    bootstrap: &str,
) -> Result<()> {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("in-{codec}");
        write("write_records", &[bootstrap, &topic, codec, "0", "60"])?;
        read("read_records", &[bootstrap, &topic, "60"])?;
    }
    Ok(())
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str, play| Scenario::new(&format!("python::{name}"), &[Need::Python], play);
    vec![
        scenario("nothing_but_the_address", |stage| {
            part(stage, "producing.py", "nothing_but_the_address", &[])
        }),
        scenario("every_codec", |stage| {
            let broker = stage.broker(Spec::default())?;
            let run = |part: &str, words: &[&str]| stage.python("producing.py", part, words);
            each_codec(run, run, broker.bootstrap())
        }),
        scenario("acks_0_1_all", |stage| part(stage, "producing.py", "acknowledgements", &[])),
        scenario("large_records", |stage| part(stage, "producing.py", "large_records", &[])),
        scenario("too_large_for_the_broker", |stage| {
            part(stage, "producing.py", "too_large_for_the_broker", &[])
        }),
        scenario("as_a_client_of_release_0_11", |stage| {
            part(stage, "producing.py", "as_older_client", &["0.11"])
        }),
        scenario("as_a_client_of_release_1_0", |stage| {
            part(stage, "producing.py", "as_older_client", &["1.0"])
        }),
        scenario("as_a_client_of_release_2_4", |stage| {
            part(stage, "producing.py", "as_older_client", &["2.4"])
        }),
        scenario("as_a_client_of_release_3_0", |stage| {
            part(stage, "producing.py", "as_older_client", &["3.0"])
        }),
        scenario("from_every_position", |stage| part(stage, "consuming.py", "positions", &[])),
        scenario("an_empty_topic_gives_nothing_in_time", |stage| {
            part(stage, "consuming.py", "empty_topic", &[])
        }),
        scenario("two_waiting_consumers_wake", |stage| part(stage, "consuming.py", "long_poll", &[])),
        scenario("admin_topics", |stage| part(stage, "administering.py", "topics", &[])),
        scenario("admin_configs", |stage| part(stage, "administering.py", "configs", &[])),
        scenario("admin_cluster", |stage| part(stage, "administering.py", "cluster", &[])),
        scenario("admin_deletion", |stage| part(stage, "administering.py", "deletion", &[])),
        scenario("admin_groups", |stage| part(stage, "operating.py", "groups", &[])),
        scenario("admin_operation", |stage| part(stage, "operating.py", "cluster", &[])),
        scenario("auto_creation", |stage| part(stage, "administering.py", "auto_creation", &[])),
        scenario("over_ipv6", over_ipv6),
    ]
}

fn over_ipv6(stage: &Stage) -> Result<()> {
    let free = std::net::TcpListener::bind("[::1]:0")?.local_addr()?;
    let broker = stage.broker(Spec { listen: Listen::At(free.to_string()), ..Spec::default() })?;
    stage.python("producing.py", "nothing_but_the_address", &[broker.bootstrap(), "suite"]).map(drop)
}
