//! The compaction bench: the same keyed records in Apache Kafka and in Ottla, and how fast each cleans them.
//!
//! A topic is filled while `min.compaction.lag.ms` holds the cleaners back; then that is lifted, and the partition's
//! directory is watched until its segments have shrunk and do so no more. Invariants: both are watched alike, from
//! outside; a segment that is still appended to is cleaned by neither and not counted; of each broker the first run is
//! thrown away. Ottla may have to write two checkpoints first, and that counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use crate::client::Client;
use crate::cpu;
use crate::load::unix_time_ms;
use crate::peer::kafka::{self, Kafka};
use crate::peer::ottla::Ottla;
use crate::peer::{Broker, TempDir, reaper};
use crate::stats::median;
use crate::wire::batch::{Noise, encode_keyed};
use crate::wire::request::{Produce, Settings};

/// The cleaners look often, so that what is measured is the cleaning.
const BROKER_SETTINGS: Settings<'_> = &[("log.cleaner.backoff.ms", "50")];
const LAG: &str = "min.compaction.lag.ms";
const TOPIC_SETTINGS: Settings<'_> = &[
    ("cleanup.policy", "compact"),
    ("segment.bytes", "67108864"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("max.message.bytes", "2000000"),
    (LAG, "9000000000"),
];
const BATCH_RECORDS: usize = 900;
const VALUE_BYTES: usize = 1_000;
/// Of so many records of a key, one is left.
const RECORDS_PER_KEY: u64 = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Segments that have not changed for so long are cleaned.
const STILL: Duration = Duration::from_secs(4);
const CLEANED_WITHIN: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
pub(crate) struct CompactionArgs {
    /// A small volume and one run each, good for a first look
    #[arg(long)]
    quick: bool,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One cleaning.
struct Figures {
    mb_per_second: f64,
    cpu_seconds_per_gb: f64,
}

pub(crate) fn run(args: &CompactionArgs, workspace: &Path, target: &Path, cache: &Path) -> Result<()> {
    let (volume, runs) = if args.quick { (200 << 20, 1) } else { (1 << 30, 4) };
    let data = target.join(crate::BENCH_DATA);
    crate::remove_leftovers(&data)?;
    let data = data.join(std::process::id().to_string());
    reaper::install(data.clone())?;
    let dir = TempDir::new(data)?;
    let kafka = Kafka::prepare(kafka::PINNED_VERSION, workspace.join("benches/kafka-peer"), cache)?;
    let ottla = Ottla::prepare(None, workspace, target)?;
    let in_dir = |name: &str| TempDir::new(dir.path().join(name));
    let mut kafka = kafka.start(in_dir("kafka")?, BROKER_SETTINGS, None)?;
    let mut ottla = ottla.start(in_dir("ottla")?, "relaxed", BROKER_SETTINGS, None)?;
    let mut all = [Vec::new(), Vec::new()];
    for run in 0..=runs {
        for (broker, figures) in [&mut kafka, &mut ottla].into_iter().zip(&mut all) {
            eprintln!("run {run} of {runs}");
            let found = clean(broker, &format!("compacted-{run}"), volume)?;
            if run > 0 {
                figures.push(found);
            }
        }
    }
    report(args, &all)
}

fn report(args: &CompactionArgs, [kafka, ottla]: &[Vec<Figures>; 2]) -> Result<()> {
    let of = |figures: &[Figures], value: fn(&Figures) -> f64| {
        median(figures.iter().map(value).collect()).context("no run was counted")
    };
    let speeds = (of(kafka, |f| f.mb_per_second)?, of(ottla, |f| f.mb_per_second)?);
    let costs = (of(kafka, |f| f.cpu_seconds_per_gb)?, of(ottla, |f| f.cpu_seconds_per_gb)?);
    println!("compaction of segments of 64 MiB, 1 KB records, one of {RECORDS_PER_KEY} stays; medians");
    println!("  {:<14} {:>8} {:>10}", "", "MB/s", "CPU-s/GB");
    println!("  {:<14} {:>8.0} {:>10.2}", "Apache Kafka", speeds.0, costs.0);
    println!("  {:<14} {:>8.0} {:>10.2}", "Ottla", speeds.1, costs.1);
    println!("  {:<14} {:>7.2}x {:>9.2}x", "ratio", speeds.1 / speeds.0, costs.1 / costs.0);
    let Some(path) = &args.json else { return Ok(()) };
    let list = |figures: &[Figures]| -> Vec<_> {
        let one =
            |f: &Figures| json!({ "mb_per_second": f.mb_per_second, "cpu_s_per_gb": f.cpu_seconds_per_gb });
        figures.iter().map(one).collect()
    };
    crate::write_document(path, &json!({ "quick": args.quick, "kafka": list(kafka), "ottla": list(ottla) }))
}

/// Fills a topic, lets the broker clean it, and takes the time.
fn clean(broker: &mut Broker, topic: &str, volume: u64) -> Result<Figures> {
    let mut client = Client::connect(broker.address)?;
    client.create_topic(topic, 1, TOPIC_SETTINGS)?;
    fill(&mut client, topic, volume)?;
    let dir = broker.dir.path().join("data").join(format!("{topic}-0"));
    let before = closed_segments(&dir)?;
    let (begun, cpu) = (Instant::now(), cpu::process_cpu(broker.process.pid())?);
    client.alter_topic(topic, LAG, "0")?;
    let (mut now, mut changed, mut cpu_at) = (before, begun, cpu);
    while now == before || changed.elapsed() < STILL {
        ensure!(begun.elapsed() < CLEANED_WITHIN, "{topic} is not cleaned after {CLEANED_WITHIN:?}");
        thread::sleep(LOOK_AGAIN);
        broker.process.check_alive()?;
        let found = closed_segments(&dir)?;
        if found != now {
            (now, changed, cpu_at) = (found, Instant::now(), cpu::process_cpu(broker.process.pid())?);
        }
    }
    ensure!(now < before / 2, "{topic} has shrunk from {before} to {now} bytes only");
    let seconds = (changed - begun).as_secs_f64();
    Ok(Figures {
        mb_per_second: before as f64 / 1e6 / seconds,
        cpu_seconds_per_gb: (cpu_at - cpu).as_secs_f64() / (before as f64 / 1e9),
    })
}

fn fill(client: &mut Client, topic: &str, volume: u64) -> Result<()> {
    let mut noise = Noise::new(volume);
    let value = noise.bytes(VALUE_BYTES);
    let keys = volume / VALUE_BYTES as u64 / RECORDS_PER_KEY;
    let mut sent = 0;
    while sent < volume {
        let records = (0..BATCH_RECORDS).map(|_| (Some(noise.next() % keys), &value[..]));
        let batch = encode_keyed(records, unix_time_ms());
        sent += batch.len() as u64;
        client.produce(Produce { topic, partition: 0, acks: 1, timeout_ms: 30_000, batch: &batch })?;
    }
    Ok(())
}

/// Bytes of the batches in all segments but the last.
fn closed_segments(dir: &Path) -> Result<u64> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            // One that is being replaced may be gone by now.
            segments.push((fs::metadata(&path).map_or(0, |found| found.len()), path));
        }
    }
    segments.sort_by(|one, other| one.1.cmp(&other.1));
    segments.pop();
    Ok(segments.iter().map(|(bytes, _)| bytes).sum())
}
