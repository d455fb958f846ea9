//! What is generated from Kafka's jars is what its generators write today: a hand that edits a table is found here.

use crate::harness::{Need, Scenario, Stage, java, place, program};
use anyhow::{Result, ensure};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::of_ottla("generated::wire_tables_are_current", &[Need::Java], wire_tables),
        Scenario::of_ottla("generated::names_of_settings_are_current", &[Need::Java], names_of_settings),
    ]
}

fn wire_tables(stage: &Stage) -> Result<()> {
    let mut generator = Command::new("sh");
    generator.arg(place::source("../generator/generate.sh")).arg("--check");
    generator.env("GENERATOR_LIBS", java::kit()?.jars()).env("GENERATOR_WORK", stage.folder());
    program::run_well(&mut generator, "", LIMIT).map(drop)
}

fn names_of_settings(stage: &Stage) -> Result<()> {
    let source = place::source("../../server/src/config");
    let mut generator = Command::new("java");
    generator.arg("-cp").arg(format!("{}/*", java::kit()?.jars().display()));
    generator.arg(source.join("generator/GenerateNames.java"));
    let written = program::run_well(&mut generator, "", LIMIT)?;
    let fresh = stage.folder().join("kafka_names.rs");
    std::fs::write(&fresh, written.stdout)?;
    program::run_well(Command::new("rustfmt").args(["--edition", "2024"]).arg(&fresh), "", LIMIT)?;
    let (fresh, kept) =
        (std::fs::read_to_string(&fresh)?, std::fs::read_to_string(source.join("kafka_names.rs"))?);
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    ensure!(plain(&fresh) == plain(&kept), "kafka_names.rs is not what its generator writes: run it again");
    Ok(())
}
