//! Topics of Apache Kafka whose files are replaced by ours while it is down: they serve the same records.

use super::batch::{self, Batch, Form, Record, Served};
use super::cases::{self, Case, PLAIN, Topic, noise};
use super::now_ms;
use super::peer::Peer;
use crate::harness::place::{self, Judged};
use crate::harness::{Broker, Spec, Stage};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Small segments: several are moved, with all their indexes.
pub(super) const TOPIC: &[Topic] = &[Topic { name: PLAIN, settings: &[("segment.bytes", "1048576")] }];
const LARGE_BATCHES: i32 = 60;
const SEGMENTS_MIN: usize = 3;

pub(super) fn our_segments_are_served_by_kafka(stage: &Stage) -> Result<()> {
    let mut kafka = stage.broker_of(Judged::Kafka, Spec::default())?;
    let mut ottla = stage.broker_of(Judged::Ottla, Spec::default())?;
    Peer::connect(kafka.bootstrap())?.create(TOPIC)?;
    let mut peer = Peer::connect(ottla.bootstrap())?;
    peer.create(TOPIC)?;
    for case in batches(now_ms()) {
        let verdict = peer.produce(&case)?;
        ensure!(verdict.error() == Some(0), "{}: {verdict:?}", case.name);
    }
    let served = peer.fetch(PLAIN, 0)?;
    let times = times(&batch::read_all(&served.3)?);
    let asked = peer.offsets(PLAIN, &times)?;
    kafka.stop()?;
    ottla.stop()?;
    let moved = replace_files(&log_of(&ottla, PLAIN), &log_of(&kafka, PLAIN))?;
    let segments = moved.iter().filter(|path| path.extension().is_some_and(|it| it == "log")).count();
    ensure!(segments >= SEGMENTS_MIN, "only {segments} segments were moved");

    stage.again(&mut kafka)?;
    let mut peer = Peer::connect(kafka.bootstrap())?;
    stage.wait_for("Apache Kafka to lead the partition", || Ok(peer.fetch(PLAIN, 0)?.0 == 0))?;
    let found = peer.fetch(PLAIN, 0)?;
    ensure!((served.0, served.1, served.2) == (found.0, found.1, found.2), "other ends");
    ensure!(batch::read_all(&served.3)? == batch::read_all(&found.3)?, "other records");
    let said = peer.offsets(PLAIN, &times)?;
    ensure!(said == asked, "other offsets for times:\n{said:?}\n{asked:?}");
    finds_no_fault(&kafka)
}

fn finds_no_fault(kafka: &Broker) -> Result<()> {
    let log = kafka.log()?;
    for complaint in ["CorruptRecordException", "CorruptIndexException", "CorruptSnapshotException"] {
        ensure!(!log.contains(complaint), "Apache Kafka finds fault: {complaint}");
    }
    Ok(())
}

/// Of the golden directory: what a compaction left, and transactions with their index.
const COMPACTED: &str = "compacted";
const TRANSACTIONS: &str = "transactions";
/// The records are old, and stay as they are.
const GOLDEN_TOPICS: &[Topic] = &[
    Topic {
        name: COMPACTED,
        settings: &[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "1.0")],
    },
    Topic { name: TRANSACTIONS, settings: &[("retention.ms", "-1")] },
];

/// What our compaction wrote, and logs with transactions: Kafka serves the same bytes, and knows what was aborted.
pub(super) fn our_compacted_segments_are_served_by_kafka(stage: &Stage) -> Result<()> {
    let golden = golden();
    let mut kafka = stage.broker_of(Judged::Kafka, Spec::default())?;
    Peer::connect(kafka.bootstrap())?.create(GOLDEN_TOPICS)?;
    kafka.stop()?;
    for topic in GOLDEN_TOPICS {
        let moved =
            replace_files(&golden.join(format!("closed/{}-0", topic.name)), &log_of(&kafka, topic.name))?;
        let has = |suffix: &str| moved.iter().any(|path| path.extension().is_some_and(|it| it == suffix));
        ensure!(has("log") && has("snapshot") && (has("txnindex") || topic.name == COMPACTED), "{moved:?}");
    }
    stage.again(&mut kafka)?;
    let mut peer = Peer::connect(kafka.bootstrap())?;
    for topic in GOLDEN_TOPICS {
        stage.wait_for("Apache Kafka to lead the partition", || Ok(peer.fetch(topic.name, 0)?.0 == 0))?;
        let (end, start, bytes) = fetch_all(&mut peer, topic.name)?;
        let (wanted, wanted_end) = listed(&golden, topic.name)?;
        ensure!((start, end) == (0, wanted_end), "{}: it reaches from {start} to {end}", topic.name);
        ensure!(bytes == wanted, "{}: {} bytes, not the {} listed", topic.name, bytes.len(), wanted.len());
    }
    let (wanted_stable, wanted) = aborted_by_facts(&golden)?;
    let (mut stable, mut aborted) = (0, Vec::new());
    // Those of each segment come with it.
    for from in 0..wanted_stable {
        let (last_stable, some) = peer.fetch_committed(TRANSACTIONS, from)?;
        stable = last_stable;
        aborted.extend(some);
    }
    aborted.sort_unstable();
    aborted.dedup();
    ensure!(
        (stable, &aborted) == (wanted_stable, &wanted),
        "aborted below {stable}: {aborted:?}, not {wanted:?}"
    );
    finds_no_fault(&kafka)
}

/// The end, the start and all batches: Kafka gives no more than a segment at a time.
fn fetch_all(peer: &mut Peer, topic: &str) -> Result<(i64, i64, Vec<u8>)> {
    fetch_all_from(peer, topic, 0)
}

/// As [`fetch_all`], of a log that begins later.
pub(crate) fn fetch_all_from(peer: &mut Peer, topic: &str, mut next: i64) -> Result<(i64, i64, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let (error, end, start, bytes) = peer.fetch(topic, next)?;
        ensure!(error == 0, "{topic}: error {error} at {next}");
        let batches = batch::read_all(&bytes)?;
        let Some(last) = batches.last() else { return Ok((end, start, all)) };
        next = last.base_offset + i64::from(last.last_offset_delta) + 1;
        all.extend(bytes);
    }
}

pub(crate) fn golden() -> PathBuf {
    place::place().workspace.join("storage/tests/golden/format-1-full")
}

/// The log's batches as the listing has them, and where it ends.
fn listed(golden: &Path, topic: &str) -> Result<(Vec<u8>, i64)> {
    let text = fs::read_to_string(golden.join("batches"))?;
    let mut bytes = Vec::new();
    for line in text.lines().filter(|line| line.starts_with(&format!("{topic}-0 "))) {
        let hex = line.rsplit(' ').next().context("a line has words")?;
        for at in (0..hex.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&hex[at..at + 2], 16)?);
        }
    }
    let batches = batch::read_all(&bytes)?;
    let last = batches.last().context("the listing has batches")?;
    Ok((bytes, last.base_offset + i64::from(last.last_offset_delta) + 1))
}

/// The last stable offset, and of each aborted transaction its first offset and its producer.
fn aborted_by_facts(golden: &Path) -> Result<(i64, Vec<(i64, i64)>)> {
    let text = fs::read_to_string(golden.join("facts"))?;
    let (mut stable, mut aborted) = (0, Vec::new());
    for line in text.lines().filter(|line| line.starts_with("transactions-0 ")) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [_, "start", _, "stable", offset, ..] => stable = offset.parse()?,
            [_, "aborted", producer, "from", first] => aborted.push((first.parse()?, producer.parse()?)),
            _ => {}
        }
    }
    Ok((stable, aborted))
}

fn log_of(broker: &Broker, topic: &str) -> PathBuf {
    broker.data().join(format!("{topic}-0"))
}

/// Every shape in every form, some producers with sequences, and enough noise for several segments.
pub(crate) fn batches(now: i64) -> Vec<Case> {
    let mut all: Vec<Case> = cases::good(now).into_iter().filter(|case| case.topic == PLAIN).collect();
    for number in 0..LARGE_BATCHES {
        let form = Form::ALL[number as usize % Form::ALL.len()];
        let records = [Record::new(0, Some(&number.to_be_bytes()), Some(&noise(60_000)))];
        let sequence = number / Form::ALL.len() as i32;
        let producer = i64::from(number) % Form::ALL.len() as i64;
        let batch = Batch::of(form, now + i64::from(number), &records).produced_by(producer, 0, sequence);
        all.push(Case::new(format!("large/{number}"), PLAIN, batch.encode()));
    }
    all
}

/// Times to ask for: some around each batch's, and the special ones.
fn times(served: &[Served]) -> Vec<i64> {
    let mut times: Vec<i64> =
        served.iter().flat_map(|batch| [batch.base_time, batch.max_time, batch.max_time + 1]).collect();
    times.sort_unstable();
    times.dedup();
    times.extend([-1, -2, -3]);
    times
}

/// Puts our files of a log in the place of Kafka's, and names them.
fn replace_files(from: &Path, to: &Path) -> Result<Vec<PathBuf>> {
    // Whose topic it is stays as it was.
    let is_moved = |path: &Path| path.file_name().is_some_and(|name| name != "partition.metadata");
    for path in files(to)?.iter().filter(|path| is_moved(path)) {
        fs::remove_file(path)?;
    }
    let moved: Vec<PathBuf> = files(from)?.into_iter().filter(|path| is_moved(path)).collect();
    for path in &moved {
        fs::copy(path, to.join(path.file_name().context("a file has a name")?))?;
    }
    Ok(moved)
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
