//! `kafka-console-producer` and `kafka-console-consumer`, which reads one partition.

use crate::harness::{Broker, Spec, Stage};
use crate::tools::{PATIENCE, run, values};
use anyhow::{Context, Result, ensure};
use std::thread;

fn produce(stage: &Stage, broker: &Broker, topic: &str, more: &[&str], lines: &[String]) -> Result<()> {
    let words = [&["--topic", topic], more].concat();
    run(stage, broker, "ConsoleProducer", &words, &(lines.join("\n") + "\n")).map(drop)
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("line {i} ü🦦")).collect()
}

pub(crate) fn every_codec(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let lines: Vec<String> = numbered(200).iter().map(|line| format!("{line} in {codec}")).collect();
        let topic = format!("in-{codec}");
        produce(stage, &broker, &topic, &["--compression-codec", codec], &lines)?;
        let found = values(stage, &broker, &topic, "earliest", 200)?;
        ensure!(found == lines, "{codec}: {found:?}");
    }
    Ok(())
}

/// Keys, headers, nulls and empties go in by the producer's reader and come out by the consumer's formatter.
pub(crate) fn all_of_a_record(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default().set("num.partitions", "3"))?;
    let lines = [
        "a:1,b:2\tkey\tvalue ü🦦".to_owned(),
        "a:\tkey\t".to_owned(),
        "NULL\tkey\tNULL".to_owned(),
        "NULL\tkey\tlast".to_owned(),
    ];
    let reads = ["parse.key=true", "parse.headers=true", "null.marker=NULL"];
    let reads: Vec<&str> = reads.iter().flat_map(|it| ["--reader-property", it]).collect();
    produce(stage, &broker, "records", &reads, &lines)?;

    // One key is in one partition, which Kafka's hash decides; the others are empty.
    let ends = run(stage, &broker, "GetOffsetShell", &["--topic", "records"], "")?;
    let partition = ends.lines().find_map(|line| line.strip_prefix("records:")?.strip_suffix(":4"));
    let partition = partition.with_context(|| format!("no partition holds all records: {ends}"))?;
    let prints = ["timestamp", "partition", "offset", "headers", "key"].map(|it| format!("print.{it}=true"));
    let prints: Vec<&str> = prints.iter().flat_map(|it| ["--formatter-property", it.as_str()]).collect();
    let from =
        ["--topic", "records", "--partition", partition, "--offset", "earliest", "--max-messages", "4"];
    let words = [&from[..], PATIENCE, &prints].concat();
    let said = run(stage, &broker, "consumer.ConsoleConsumer", &words, "")?;

    let wanted = ["a:1,b:2\tkey\tvalue ü🦦", "a:\tkey\t", "NO_HEADERS\tkey\tnull", "NO_HEADERS\tkey\tlast"];
    ensure!(said.lines().count() == wanted.len(), "{said}");
    for (offset, (line, wanted)) in said.lines().zip(wanted).enumerate() {
        let (time, rest) = line.split_once('\t').with_context(|| line.to_owned())?;
        let time = time.strip_prefix("CreateTime:").with_context(|| line.to_owned())?;
        ensure!(time.parse::<u64>().is_ok_and(|ms| ms > 1_600_000_000_000), "the time of {line}");
        ensure!(
            rest == format!("Partition:{partition}\tOffset:{offset}\t{wanted}"),
            "record {offset} is {line}"
        );
    }
    Ok(())
}

pub(crate) fn from_offsets(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let lines = numbered(200);
    produce(stage, &broker, "lines", &[], &lines)?;
    for (offset, first) in [("earliest", 0), ("0", 0), ("150", 150), ("199", 199)] {
        let found = values(stage, &broker, "lines", offset, 200 - first)?;
        ensure!(found == lines[first..], "from {offset}: {found:?}");
    }
    Ok(())
}

/// Without an offset a consumer of a partition gives what is written from now on, and nothing older.
pub(crate) fn waits_at_the_end(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    produce(stage, &broker, "lines", &[], &["old".to_owned()])?;
    thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let words = ["--topic", "lines", "--partition", "0", "--max-messages", "1"];
            run(stage, &broker, "consumer.ConsoleConsumer", &[&words[..], PATIENCE].concat(), "")
        });
        let mut written = 0;
        while !reader.is_finished() {
            produce(stage, &broker, "lines", &[], &[format!("new {written}")])?;
            written += 1;
        }
        let said = reader.join().expect("the reader's thread does not panic")?;
        let number = said.trim_end().strip_prefix("new ").and_then(|number| number.parse().ok());
        ensure!(number.is_some_and(|number: usize| number < written), "of {written} lines it read {said}");
        Ok(())
    })
}
