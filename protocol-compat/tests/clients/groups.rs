//! Groups as clients use them with their defaults: they subscribe, share partitions, commit, and go on where they were.

use crate::harness::{Need, Scenario, Spec, Stage};
use anyhow::Result;

fn python(stage: &Stage, part: &str) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    stage.python("grouping.py", part, &[broker.bootstrap(), "suite"]).map(drop)
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

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("groups::kafka_python_alone", &[Need::Python], |stage| python(stage, "alone")),
        Scenario::new("groups::kafka_python_together", &[Need::Python], |stage| python(stage, "together")),
        Scenario::new("groups::java_alone", &[Need::Java], |stage| java(stage, "alone")),
        Scenario::new("groups::java_together", &[Need::Java], |stage| java(stage, "together")),
        Scenario::new("groups::consumer_protocol_scaling", &[Need::Java], |stage| {
            consumer_protocol(stage, "scaling")
        }),
        Scenario::new("groups::consumer_protocol_static", &[Need::Java], |stage| {
            consumer_protocol(stage, "fixed")
        }),
        Scenario::new("groups::consumer_protocol_pattern", &[Need::Java], |stage| {
            consumer_protocol(stage, "pattern")
        }),
    ]
}
