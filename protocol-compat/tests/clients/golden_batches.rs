//! Writes `storage/tests/golden/batches`: what each real client library sends in each codec, as it stands in a log.
//!
//! Played only when `OTTLA_REGENERATE_GOLDEN=batches` asks for it. What is committed came by way of Apache Kafka
//! (`OTTLA_SUITE_PEER=kafka`), so that nothing of it depends on this project: a broker stamps base offset and leader
//! epoch, which no checksum covers, and leaves the rest as it came.

use crate::harness::{Need, Scenario, Spec, Stage, place};
use anyhow::{Context, Result, ensure};
use std::fs;

const RECORDS: &str = "60";

pub(crate) fn scenarios() -> Vec<Scenario> {
    if std::env::var("OTTLA_REGENERATE_GOLDEN").as_deref() != Ok("batches") {
        return Vec::new();
    }
    vec![Scenario::new("golden_batches", &[Need::Python, Need::Java], generate)]
}

/// The release of a package that the requirements pin.
fn pinned<'a>(requirements: &'a str, package: &str) -> Result<&'a str> {
    let mut releases = requirements.lines().filter_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
    releases.next().with_context(|| format!("{package} is not pinned"))
}

fn generate(stage: &Stage) -> Result<()> {
    let requirements = fs::read_to_string(place::source("python/requirements.txt"))?;
    let kafka_python = format!("kafka-python-{}", pinned(&requirements, "kafka-python")?);
    let librdkafka = format!("librdkafka-{}", pinned(&requirements, "confluent-kafka")?);
    let folder = place::source("../../storage/tests/golden/batches");
    fs::create_dir_all(&folder)?;
    let broker = stage.broker(Spec::default())?;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for client in ["kafka-clients-4.3.1", &kafka_python, &librdkafka] {
            let topic = format!("{client}-{codec}");
            let words = [broker.bootstrap(), &topic, codec, "0", RECORDS];
            match client.split('-').next() {
                Some("librdkafka") => stage.python("librdkafka.py", "write_records", &words)?,
                _ if client == kafka_python => stage.python("producing.py", "write_records", &words)?,
                _ => stage.java("Producing", "write_records", &words)?,
            };
            let batches = fs::read(broker.segment(&topic, 0, "log"))?;
            ensure!(!batches.is_empty(), "{topic} has no batch");
            fs::write(folder.join(format!("{topic}.batch")), batches)?;
        }
    }
    Ok(())
}
