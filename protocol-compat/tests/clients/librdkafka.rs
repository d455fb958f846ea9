//! librdkafka, alone and beside kafka-python, and what the project's own log compresses anew read by each client.

use crate::harness::{Broker, Need, Scenario, Spec, Stage};
use crate::python::each_codec;
use anyhow::{Result, ensure};
use std::fs;

const RECORDS: &str = "60";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let python = [Need::Python];
    let both = [Need::Python, Need::Java];
    vec![
        Scenario::new("librdkafka::administration", &python, |stage| {
            let broker = stage.broker(Spec::default())?;
            stage
                .python("operating_librdkafka.py", "administration", &[broker.bootstrap(), "suite"])
                .map(drop)
        }),
        Scenario::new("librdkafka::every_codec", &python, |stage| {
            let broker = stage.broker(Spec::default())?;
            let run = |part: &str, words: &[&str]| stage.python("librdkafka.py", part, words);
            each_codec(run, run, broker.bootstrap())
        }),
        Scenario::new("librdkafka::reads_what_python_writes", &python, |stage| {
            let broker = stage.broker(Spec::default())?;
            let write = |part: &str, words: &[&str]| stage.python("producing.py", part, words);
            let read = |part: &str, words: &[&str]| stage.python("librdkafka.py", part, words);
            each_codec(write, read, broker.bootstrap())
        }),
        Scenario::new("recompressed::python_reads_every_codec", &python, |stage| {
            recompressed(stage, |topic, broker| {
                stage.python("producing.py", "read_records", &[broker.bootstrap(), topic, RECORDS])
            })
        }),
        Scenario::new("recompressed::librdkafka_reads_every_codec", &python, |stage| {
            recompressed(stage, |topic, broker| {
                stage.python("librdkafka.py", "read_records", &[broker.bootstrap(), topic, RECORDS])
            })
        }),
        Scenario::new("recompressed::java_reads_every_codec", &both, |stage| {
            recompressed(stage, |topic, broker| {
                stage.java("Producing", "read_records", &[broker.bootstrap(), topic, RECORDS])
            })
        }),
    ]
}

/// Topics with each compression of their own, written in another codec: the log holds the topic's, and it is read.
fn recompressed(stage: &Stage, read: impl Fn(&str, &Broker) -> Result<String>) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    for (id, wanted) in ["uncompressed", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let topic = format!("kept-{wanted}");
        stage.python("producing.py", "make_topic", &[broker.bootstrap(), &topic, wanted])?;
        let sent = if wanted == "lz4" { "gzip" } else { "lz4" };
        let words = [broker.bootstrap(), &topic, sent, "0", RECORDS];
        stage.python("producing.py", "write_records", &words)?;
        read(&topic, &broker)?;
        let segment = fs::read(broker.segment(&topic, 0, "log"))?;
        // The low three bits of a batch's attributes, behind base offset, length, epoch, magic and CRC.
        let codec = usize::from(segment[22] & 7);
        ensure!(codec == id, "the topic wants {wanted}, its log has codec {codec}");
    }
    Ok(())
}
