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

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("groups::kafka_python_alone", &[Need::Python], |stage| python(stage, "alone")),
        Scenario::new("groups::kafka_python_together", &[Need::Python], |stage| python(stage, "together")),
        Scenario::new("groups::java_alone", &[Need::Java], |stage| java(stage, "alone")),
        Scenario::new("groups::java_together", &[Need::Java], |stage| java(stage, "together")),
    ]
}
