//! `kafka-get-offsets` with every kind of time, and `kafka-delete-records`.

use crate::console::write_records;
use crate::harness::place::Judged;
use crate::harness::{Broker, Spec, Stage};
use crate::tools::run;
use anyhow::{Context, Result, ensure};
use std::fs;

fn ask(stage: &Stage, broker: &Broker, words: &[&str]) -> Result<Vec<String>> {
    let said = run(stage, broker, "GetOffsetShell", words, "")?;
    Ok(said.lines().map(str::to_owned).collect())
}

/// The suites' records are of 2023: retention takes them away when a slow machine gives it the time.
fn keeping_old_records() -> Spec {
    Spec::default().set("log.retention.ms", "-1")
}

pub(crate) fn every_time(stage: &Stage) -> Result<()> {
    let broker = stage.broker(keeping_old_records().set("num.partitions", "3"))?;
    write_records(stage, &broker, "suite", "none", 50)?;
    // The records' times are a second apart, from 1700000000000 on. What is not there is not printed: a partition
    // without records, a time behind the last, and tiers, which this log has not.
    let all = |offsets: [&str; 3]| -> Vec<String> {
        let known = offsets.iter().enumerate().filter(|(_, offset)| !offset.is_empty());
        known.map(|(partition, offset)| format!("suite:{partition}:{offset}")).collect()
    };
    let times = [
        ("latest", ["50", "0", "0"]),
        ("earliest", ["0", "0", "0"]),
        ("max-timestamp", ["49", "", ""]),
        ("earliest-local", ["0", "0", "0"]),
        ("latest-tiered", ["", "", ""]),
        ("earliest-pending-upload", ["", "", ""]),
        ("1700000000000", ["0", "", ""]),
        ("1700000010000", ["10", "", ""]),
        ("1700000010001", ["11", "", ""]),
        ("1700000049001", ["", "", ""]),
    ];
    for (time, wanted) in times {
        let found = ask(stage, &broker, &["--topic", "suite", "--time", time])?;
        ensure!(found == all(wanted), "{time}: {found:?}");
    }
    for chosen in
        [&["--topic", "su.*", "--partitions", "0,2"][..], &["--topic-partitions", "suite:-1,suite:2-"]]
    {
        let found = ask(stage, &broker, &[chosen, &["--exclude-internal-topics"]].concat())?;
        ensure!(found == ["suite:0:50", "suite:2:0"], "{chosen:?}: {found:?}");
    }
    Ok(())
}

pub(crate) fn delete_records(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(keeping_old_records())?;
    write_records(stage, &broker, "first", "lz4", 50)?;
    write_records(stage, &broker, "second", "none", 50)?;
    let delete = |broker: &Broker, wanted: &[(&str, i64)]| -> Result<Vec<String>> {
        let partitions: Vec<serde_json::Value> = wanted
            .iter()
            .map(|(topic, offset)| serde_json::json!({"topic": topic, "partition": 0, "offset": offset}))
            .collect();
        let file = stage.folder().join("offsets.json");
        fs::write(&file, serde_json::json!({"partitions": partitions, "version": 1}).to_string())?;
        let words = ["--offset-json-file", file.to_str().context("a path in UTF-8")?];
        let said = run(stage, broker, "DeleteRecordsCommand", &words, "")?;
        let mut lines: Vec<String> =
            said.lines().filter(|line| line.starts_with("partition: ")).map(str::to_owned).collect();
        lines.sort();
        Ok(lines)
    };
    let earliest = |broker: &Broker| ask(stage, broker, &["--time", "earliest", "--exclude-internal-topics"]);

    let said = delete(&broker, &[("first", 20), ("second", -1)])?;
    ensure!(
        said == ["partition: first-0\tlow_watermark: 20", "partition: second-0\tlow_watermark: 50"],
        "{said:?}"
    );
    let found = earliest(&broker)?;
    ensure!(found == ["first:0:20", "second:0:50"], "{found:?}");
    // What lies below the start stays deleted.
    let said = delete(&broker, &[("first", 7)])?;
    ensure!(said == ["partition: first-0\tlow_watermark: 20"], "{said:?}");

    match broker.kind() {
        Judged::Ottla => broker.kill()?,
        // It notes where logs start once a minute, and forgets the rest in a kill.
        Judged::Kafka => broker.stop().map(drop)?,
    }
    stage.again(&mut broker)?;
    let found = earliest(&broker)?;
    ensure!(found == ["first:0:20", "second:0:50"], "in the next life: {found:?}");
    let latest = ask(stage, &broker, &["--exclude-internal-topics"])?;
    ensure!(latest == ["first:0:50", "second:0:50"], "in the next life: {latest:?}");
    Ok(())
}
