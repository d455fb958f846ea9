//! Apache Kafka's tools for topics and settings against the broker, and its log dump over the broker's files.

use crate::differential::moved;
use crate::harness::{Broker, Need, Scenario, Spec, Stage};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str, play| Scenario::new(&format!("tools::{name}"), &[Need::Java], play);
    vec![
        scenario("topic_command", topic_command),
        scenario("config_command", config_command),
        scenario("dump_log_segments", dump_log_segments),
        scenario("dump_log_segments_after_a_kill", dump_after_kill),
        Scenario::of_ottla("tools::dump_every_kind_of_file", &[Need::Java], dump_every_kind_of_file),
    ]
}

fn topic_command(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let run = |words: &[&str]| {
        stage.tool("TopicCommand", &[&["--bootstrap-server", broker.bootstrap()], words].concat(), "")
    };
    let made =
        run(&["--create", "--topic", "made-by-tool", "--partitions", "4", "--config", "retention.ms=60000"])?;
    ensure!(made.contains("Created topic made-by-tool."), "{made}");
    let listed = run(&["--list"])?;
    ensure!(listed.lines().any(|line| line == "made-by-tool"), "{listed}");
    run(&["--delete", "--topic", "made-by-tool"]).map(drop)
}

fn config_command(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    let run = |class: &str, words: &[&str]| {
        stage.tool(class, &[&["--bootstrap-server", broker.bootstrap()], words].concat(), "")
    };
    run("TopicCommand", &["--create", "--topic", "set-by-tool"])?;
    let of_topic = |words: &[&str]| {
        let entity = ["--entity-type", "topics", "--entity-name", "set-by-tool"];
        run("kafka.admin.ConfigCommand", &[words, &entity].concat())
    };
    of_topic(&["--alter", "--add-config", "retention.ms=5000,cleanup.policy=[compact,delete]"])?;
    let described = of_topic(&["--describe"])?;
    for wanted in ["retention.ms=5000 ", "cleanup.policy=compact,delete "] {
        ensure!(described.contains(wanted), "{wanted} is missing in {described}");
    }
    of_topic(&["--alter", "--delete-config", "retention.ms"])?;
    let described = run("TopicCommand", &["--describe", "--topic", "set-by-tool"])?;
    ensure!(described.contains("cleanup.policy=compact,delete"), "{described}");
    ensure!(!described.contains("retention.ms"), "{described}");
    Ok(())
}

pub(crate) fn write_records(
    stage: &Stage,
    broker: &Broker,
    client: &str,
    codec: &str,
    count: usize,
) -> Result<()> {
    stage
        .java("Producing", "write_records", &[broker.bootstrap(), client, codec, "0", &count.to_string()])
        .map(drop)
}

fn dump_log_segments(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    for codec in ["none", "zstd", "lz4"] {
        write_records(stage, &broker, &format!("dumped-{codec}"), codec, 800)?;
    }
    broker.stop()?;
    for codec in ["none", "zstd", "lz4"] {
        is_whole(stage, &broker, &format!("dumped-{codec}"), 800)?;
    }
    Ok(())
}

/// The files that a killed broker leaves are repaired by its next start, so that the tool reads them after it.
fn dump_after_kill(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default())?;
    write_records(stage, &broker, "dumped", "none", 800)?;
    broker.kill()?;
    stage.again(&mut broker)?;
    broker.stop()?;
    is_whole(stage, &broker, "dumped", 800)
}

/// The dump finds every record, in order, in valid batches, and the indexes agree with the log.
fn is_whole(stage: &Stage, broker: &Broker, topic: &str, count: usize) -> Result<()> {
    let log = broker.segment(topic, 0, "log");
    let dumped = dump(stage, &[&log], &["--deep-iteration"], &[])?;
    let batches: Vec<&str> = dumped.lines().filter(|line| line.starts_with("baseOffset: ")).collect();
    ensure!(!batches.is_empty(), "no batches in {}\n{dumped}", log.display());
    ensure!(
        batches.iter().all(|line| line.contains("isvalid: true")),
        "an invalid batch in {}",
        log.display()
    );
    let offsets =
        dumped.lines().filter_map(|line| line.trim_start_matches(['|', ' ']).strip_prefix("offset: "));
    let offsets: Vec<usize> = offsets.filter_map(|rest| rest.split(' ').next()?.parse().ok()).collect();
    ensure!(offsets.iter().copied().eq(0..count), "{} records in {}", offsets.len(), log.display());

    for extension in ["index", "timeindex"] {
        let index = broker.segment(topic, 0, extension);
        ensure!(index.exists(), "{} is missing", index.display());
        let checked = dump(stage, &[&index], &["--index-sanity-check"], &[])?;
        ensure!(checked.contains("passed sanity check"), "{checked}");
        dump(stage, &[&index], &["--verify-index-only"], &[])?;
    }
    Ok(())
}

/// What a compaction or a repair left has gaps in its offsets.
const GAPS: &[&str] = &["Non-consecutive"];

/// Every kind of file that a log has, of logs that have lived: compacted, repaired, with producers and transactions, and
/// in every codec.
fn dump_every_kind_of_file(stage: &Stage) -> Result<()> {
    let closed = moved::golden().join("closed");
    for (log, allowed) in
        [("started-0", &[][..]), ("transactions-0", &[]), ("compacted-0", GAPS), ("damaged-0", GAPS)]
    {
        let files = |suffix: &str| -> Result<Vec<PathBuf>> {
            let all = fs::read_dir(closed.join(log))?.map(|entry| entry.map(|entry| entry.path()));
            let mut all: Vec<PathBuf> = all.collect::<Result<_, _>>()?;
            all.retain(|path| path.extension().is_some_and(|found| found == suffix));
            all.sort();
            ensure!(!all.is_empty() || suffix == "txnindex", "{log} has no {suffix}");
            Ok(all)
        };
        let dumped = dump_all(stage, &files("log")?, &["--deep-iteration", "--print-data-log"], allowed)?;
        let batches = dumped.lines().filter(|line| line.starts_with("baseOffset: ")).count();
        let valid = dumped.lines().filter(|line| line.contains("isvalid: true")).count();
        ensure!(batches >= 10 && valid >= batches, "{valid} of {batches} batches are valid\n{dumped}");
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            ensure!(dumped.contains(&format!("compresscodec: {codec} ")), "{log} has no {codec}\n{dumped}");
        }
        for suffix in ["index", "timeindex"] {
            let indexes = files(suffix)?;
            let checked = dump_all(stage, &indexes, &["--index-sanity-check"], &[])?;
            let passed = ["passed sanity check", "is empty"].map(|words| checked.matches(words).count());
            ensure!(passed.iter().sum::<usize>() == indexes.len(), "{checked}");
            // A repair makes them anew, with Kafka's interval between entries.
            ensure!(passed[0] > 0 || log == "damaged-0", "{checked}");
            dump_all(stage, &indexes, &[], &[])?;
        }
        let snapshots = files("snapshot")?;
        let dumped = dump_all(stage, &snapshots, &[], &[])?;
        let producers = dumped.lines().filter(|line| line.starts_with("producerId: ")).count();
        let bytes: u64 = snapshots.iter().map(|path| Ok(fs::metadata(path)?.len())).sum::<Result<u64>>()?;
        // A header of 10 bytes and 46 for each producer.
        let wanted = (bytes as usize - 10 * snapshots.len()) / 46;
        ensure!(producers == wanted, "{producers} of {wanted} producers in the snapshots of {log}\n{dumped}");
        let indexes = files("txnindex")?;
        if log == "transactions-0" {
            let dumped = dump_all(stage, &indexes, &[], &[])?;
            let aborted = dumped.lines().filter(|line| line.starts_with("version: 0 producerId: ")).count();
            let facts = fs::read_to_string(moved::golden().join("facts"))?;
            let wanted = facts.matches(" aborted ").count();
            ensure!(aborted == wanted && wanted > 0, "{aborted} of {wanted} aborted transactions\n{dumped}");
        }
    }
    Ok(())
}

fn dump_all(stage: &Stage, files: &[PathBuf], how: &[&str], allowed: &[&str]) -> Result<String> {
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    dump(stage, &files, how, allowed)
}

/// What the tool prints of files, without a complaint but those that are `allowed`.
fn dump(stage: &Stage, files: &[&Path], how: &[&str], allowed: &[&str]) -> Result<String> {
    let files: Option<Vec<&str>> = files.iter().map(|file| file.to_str()).collect();
    let files = files.context("paths in UTF-8")?.join(",");
    let said = stage.tool("DumpLogSegments", &[&["--files", &files], how].concat(), "")?;
    for complaint in ["Mismatch", "mismatch", "Non-consecutive", "Found", "WARN", "isvalid: false"] {
        let is_allowed = allowed.contains(&complaint) || !said.contains(complaint);
        ensure!(is_allowed, "{complaint} in the dump of {files}\n{said}");
    }
    Ok(said)
}
