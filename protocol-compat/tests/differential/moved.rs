//! A topic of Apache Kafka whose files are replaced by ours while it is down: it serves the same records.

use super::batch::{self, Batch, Form, Record, Served};
use super::cases::{self, Case, PLAIN, Topic, noise};
use super::now_ms;
use super::peer::Peer;
use crate::harness::place::Judged;
use crate::harness::{Broker, Spec, Stage};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Small segments: several are moved, with all their indexes.
const TOPIC: &[Topic] = &[Topic { name: PLAIN, settings: &[("segment.bytes", "1048576")] }];
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
    let moved = replace_files(&ottla, &kafka)?;
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
    let log = kafka.log()?;
    for complaint in ["CorruptRecordException", "CorruptIndexException", "CorruptSnapshotException"] {
        ensure!(!log.contains(complaint), "Apache Kafka finds fault: {complaint}");
    }
    Ok(())
}

/// Every shape in every form, some producers with sequences, and enough noise for several segments.
fn batches(now: i64) -> Vec<Case> {
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

/// Puts our files of the partition in the place of Kafka's, and names them.
fn replace_files(from: &Broker, to: &Broker) -> Result<Vec<PathBuf>> {
    let of = |broker: &Broker| broker.data().join(format!("{PLAIN}-0"));
    // Whose topic it is stays as it was.
    let is_moved = |path: &Path| path.file_name().is_some_and(|name| name != "partition.metadata");
    for path in files(&of(to))?.iter().filter(|path| is_moved(path)) {
        fs::remove_file(path)?;
    }
    let moved: Vec<PathBuf> = files(&of(from))?.into_iter().filter(|path| is_moved(path)).collect();
    for path in &moved {
        fs::copy(path, of(to).join(path.file_name().context("a file has a name")?))?;
    }
    Ok(moved)
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
