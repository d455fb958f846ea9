//! The benches: load generators, and the harness that sets Ottla, Apache Kafka and the machine's limits side by side.
//!
//! Invariants: tables go to standard output, progress to standard error; a row that fails makes the program fail,
//! after the other rows. The comparison knows brokers by their wire and their command lines, never by their code; only
//! the `log` and `validate` benches use the storage crate itself, and `metrics` the handles that count.
#![expect(
    clippy::disallowed_methods,
    reason = "a bench measures the real machine: its clocks, its files, its processes"
)]

mod client;
mod compaction;
mod compare;
mod cpu;
mod growth;
mod limits;
mod load;
mod log;
mod metrics;
mod peer;
mod plot;
mod points;
mod report;
mod rows;
mod stats;
mod table;
mod validate;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::compare::Bench;
use crate::load::unix_time_ms;
use crate::peer::kafka::{self, Kafka};
use crate::peer::nats::Nats;
use crate::peer::ottla::Ottla;
use crate::peer::{TempDir, reaper};
use crate::points::POINT_ROWS;
use crate::points::growing::{self, Growing};
use crate::rows::{Effort, ROWS, Row};

/// The word that leaves Ottla out.
const NO_OTTLA: &str = "none";
/// Where benches keep their data while they run, below cargo's target directory.
const BENCH_DATA: &str = "bench-data";

#[derive(Debug, Parser)]
#[command(about = "Benches of Ottla: side by side with Apache Kafka and the machine's own limits")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs rows of the goal table on every broker in turn and prints them side by side
    Compare(CompareArgs),
    /// Measures what grows with partitions, connections and data, and draws it
    Growth(GrowthArgs),
    /// Measures how fast Apache Kafka and Ottla clean the same compacted topic
    Compaction(compaction::CompactionArgs),
    /// Measures the log by itself, without a network, beside the machine's own writes, flushes and reads
    Log(log::LogArgs),
    /// Makes the README's table of what comparisons wrote
    Table(table::TableArgs),
    /// Measures what counting costs a Produce request, and a scrape of 10,000 topics
    Metrics(metrics::MetricsArgs),
    /// Measures the checks of a producer's batch by codec, and the writing of it in another
    Validate(validate::ValidateArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    None,
    Kafka,
    /// NATS with JetStream, built with Go, in the rows of single records (6, 7)
    Nats,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// Run this row only (repeatable); all rows otherwise
    #[arg(long = "row", value_name = "N")]
    rows: Vec<u32>,
    /// GB that rows of a volume send and read; 1, or 0.5 with --quick
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    gb: Option<u64>,
    /// Draw how many times better than Kafka each row is, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct GrowthArgs {
    /// Measure this line only, by the name of its picture (repeatable); all lines otherwise
    #[arg(long = "line", value_name = "NAME", value_parser = growth::named)]
    lines: Vec<&'static Growing>,
    /// Draw the lines into this directory, as SVG
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// What both ask of the brokers.
#[derive(Debug, Args)]
struct Common {
    /// Small volumes and short runs, good for a first look
    #[arg(long)]
    quick: bool,
    /// The brokers to compare with (`kafka,nats`)
    #[arg(long = "peer", value_name = "PEER", value_enum, value_delimiter = ',', default_values_t = [Peer::Kafka])]
    peers: Vec<Peer>,
    /// The version of Apache Kafka to fetch and run
    #[arg(long, value_name = "VERSION", default_value = kafka::PINNED_VERSION)]
    kafka: String,
    /// The Ottla binary; built in release mode otherwise; `none` leaves Ottla out
    #[arg(long, value_name = "PATH")]
    ottla: Option<PathBuf>,
    /// Connections of the generators, each with a partition of its own
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Write all figures of all runs to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Compare(args) => compare(&args),
        Command::Growth(args) => growth(&args),
        Command::Compaction(args) => compaction(&args),
        Command::Log(args) => storage_log(&args),
        Command::Metrics(args) => observed(&args),
        Command::Table(args) => table::run(&args),
        Command::Validate(args) => validate::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compaction(args: &compaction::CompactionArgs) -> Result<()> {
    let (_, workspace) = homes()?;
    let target = dir_from("CARGO_TARGET_DIR", workspace.join("target"))?;
    let cache = dir_from("OTTLA_TEST_CACHE", target.join("test-deps"))?;
    compaction::run(args, workspace, &target, &cache)
}

fn storage_log(args: &log::LogArgs) -> Result<()> {
    let (_, workspace) = homes()?;
    log::run(args, &dir_from("CARGO_TARGET_DIR", workspace.join("target"))?.join(BENCH_DATA))
}

fn observed(args: &metrics::MetricsArgs) -> Result<()> {
    let (_, workspace) = homes()?;
    let target = dir_from("CARGO_TARGET_DIR", workspace.join("target"))?;
    let ottla = Ottla::prepare(args.ottla.clone(), workspace, &target)?;
    let dir = target.join(BENCH_DATA).join(std::process::id().to_string());
    reaper::install(dir.clone())?;
    metrics::run(args, &ottla, TempDir::new(dir)?)
}

/// Where this crate and its workspace stand.
fn homes() -> Result<(&'static Path, &'static Path)> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok((home, home.parent().context("the crate stands in no workspace")?))
}

fn compare(args: &CompareArgs) -> Result<()> {
    for number in &args.rows {
        ensure!(works(*number), "there is no row {number} here");
    }
    let is_asked = |number: u32| args.rows.is_empty() || args.rows.contains(&number);
    let (home, workspace) = homes()?;
    // Absolute, for cargo and the brokers do not all start where the harness does.
    let target = dir_from("CARGO_TARGET_DIR", workspace.join("target"))?;
    let bench = prepare(&args.common, args.gb, home, workspace, &target)?;
    raise_descriptor_limit();
    reaper::install(bench.data_dir.clone())?;
    let data_dir = TempDir::new(bench.data_dir.clone())?;
    print!("{}", report::preamble(bench.connections, args.common.quick));
    let (mut results, mut failed) = (Vec::new(), Vec::new());
    let mut told =
        |number: u32, id: &'static str, title: &str, outcome: Result<(String, Value)>| match outcome {
            Ok((table, value)) => {
                print!("{table}");
                results.push(value);
            }
            Err(error) => {
                println!("\nrow {number}: {title}\n  FAILED: {error:#}");
                eprintln!("row {id}: FAILED: {error:#}");
                results.push(report::failure_json(number, id, title, &error));
                failed.push(id);
            }
        };
    let (runnable, left_out): (Vec<&Row>, Vec<&Row>) =
        ROWS.iter().filter(|row| is_asked(row.number)).partition(|row| bench.can_run(row));
    for row in left_out {
        eprintln!("row {}: left out: its generator is a tool of Apache Kafka (--peer kafka)", row.id);
    }
    for row in runnable {
        let outcome = bench.run_row(row);
        let shown =
            outcome.map(|result| (report::table(&result, &args.common.kafka), report::row_json(&result)));
        told(row.number, row.id, row.title, shown);
    }
    for row in POINT_ROWS.iter().filter(|row| is_asked(row.number)) {
        let outcome = bench.run_points(row);
        let shown = outcome
            .map(|result| (report::point_table(&result, &args.common.kafka), report::point_json(&result)));
        told(row.number, row.id, row.title, shown);
    }
    drop(data_dir);
    if let Some(path) = &args.svg {
        write_text(path, &report::picture(&results, &args.common.kafka))?;
    }
    if let Some(path) = &args.common.json {
        write_json(path, &args.common, bench.ottla.as_ref(), results)?;
    }
    ensure!(failed.is_empty(), "rows that failed: {}", failed.join(", "));
    Ok(())
}

fn growth(args: &GrowthArgs) -> Result<()> {
    let (home, workspace) = homes()?;
    let target = dir_from("CARGO_TARGET_DIR", workspace.join("target"))?;
    let bench = prepare(&args.common, None, home, workspace, &target)?;
    raise_descriptor_limit();
    reaper::install(bench.data_dir.clone())?;
    let _data_dir = TempDir::new(bench.data_dir.clone())?;
    let lines = if args.lines.is_empty() { growing::ALL.iter().collect() } else { args.lines.clone() };
    let grown = growth::run(&bench, &lines, args.common.quick, args.svg.as_deref())?;
    if let Some(path) = &args.common.json {
        write_json(path, &args.common, bench.ottla.as_ref(), vec![grown.figures.clone()])?;
    }
    grown.check()
}

/// Whether there is a row of this number.
fn works(number: u32) -> bool {
    ROWS.iter().any(|row| row.number == number) || POINT_ROWS.iter().any(|row| row.number == number)
}

/// Thousands of connections need a descriptor each, here and in the brokers, which inherit the limit.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        eprintln!("the limit of open files stays as it is: {error}");
    }
}

/// A directory named by an environment variable, made absolute.
fn dir_from(variable: &str, default: PathBuf) -> Result<PathBuf> {
    let path = std::env::var_os(variable).map_or(default, PathBuf::from);
    std::path::absolute(&path).with_context(|| format!("{variable} names no path"))
}

fn prepare(args: &Common, gb: Option<u64>, home: &Path, workspace: &Path, target: &Path) -> Result<Bench> {
    let cache = dir_from("OTTLA_TEST_CACHE", target.join("test-deps"))?;
    let is_asked = |peer| args.peers.contains(&peer);
    ensure!(!is_asked(Peer::None) || args.peers.len() == 1, "`--peer none` stands alone");
    let kafka = is_asked(Peer::Kafka).then(|| Kafka::prepare(&args.kafka, home.join("kafka-peer"), &cache));
    let nats = is_asked(Peer::Nats).then(|| Nats::prepare(&cache));
    let ottla = match &args.ottla {
        Some(path) if path.as_os_str() == NO_OTTLA => None,
        path => Some(Ottla::prepare(path.clone(), workspace, target)?),
    };
    let bench = Bench {
        kafka: kafka.transpose()?,
        nats: nats.transpose()?,
        ottla,
        connections: args.connections.into(),
        effort: effort(args.quick, gb),
        data_dir: target.join(BENCH_DATA).join(std::process::id().to_string()),
    };
    ensure!(!bench.contenders().is_empty(), "nothing to run: both brokers are left out");
    remove_leftovers(&target.join(BENCH_DATA))?;
    Ok(bench)
}

fn effort(is_quick: bool, gb: Option<u64>) -> Effort {
    let effort = if is_quick { Effort::QUICK } else { Effort::FULL };
    Effort { volume_bytes: gb.map_or(effort.volume_bytes, |gb| gb * 1_000_000_000), ..effort }
}

/// Removes the data of harnesses that were killed: directories named by a process that is no more.
fn remove_leftovers(dir: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let owner = entry.file_name().to_string_lossy().parse::<u32>();
        let Ok(owner) = owner else { continue };
        if !Path::new("/proc").join(owner.to_string()).exists() {
            fs::remove_dir_all(entry.path()).context("removing the data of an earlier run")?;
        }
    }
    Ok(())
}

fn write_json(path: &Path, args: &Common, ottla: Option<&Ottla>, rows: Vec<Value>) -> Result<()> {
    let kafka = args.peers.contains(&Peer::Kafka).then_some(&args.kafka);
    let document = json!({
        "format": 1,
        "quick": args.quick,
        "connections": args.connections,
        "kafka": kafka,
        "ottla": ottla.map(Ottla::version).transpose()?,
        "date": date(unix_time_ms()),
        "machine": machine_json()?,
        "rows": rows,
    });
    write_document(path, &document)
}

fn machine_json() -> Result<Value> {
    let cpus = std::thread::available_parallelism()?.get();
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let info = fs::read_to_string("/proc/cpuinfo").context("asking for the processor")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(json!({
        "cpus": cpus,
        "kernel": kernel,
        "model": model.map(|(_, name)| name),
        "memory_gb": (cpu::machine_memory_bytes()? as f64 / 1e9).round(),
    }))
}

/// Year, month and day (UTC), as ISO 8601 writes them.
fn date(unix_ms: i64) -> String {
    let mut days = unix_ms / 86_400_000;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

fn write_document(path: &Path, document: &Value) -> Result<()> {
    write_text(path, &serde_json::to_string_pretty(document)?)
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_of_the_calendar() {
        let days = |count: i64| date(count * 86_400_000);
        assert_eq!([days(0), days(59), days(364)], ["1970-01-01", "1970-03-01", "1970-12-31"]);
        assert_eq!([days(11_016), days(11_017), days(20_780)], ["2000-02-29", "2000-03-01", "2026-11-23"]);
    }

    #[test]
    fn command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn every_row_has_its_number_and_its_own_id() {
        assert!((1..=20).all(works));
        assert!(!works(0) && !works(99));
        let points = POINT_ROWS.iter().map(|row| row.id);
        let ids: std::collections::BTreeSet<_> = ROWS.iter().map(|row| row.id).chain(points).collect();
        assert_eq!(ids.len(), ROWS.len() + POINT_ROWS.len());
    }
}
