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
mod limits;
mod load;
mod log;
mod metrics;
mod peer;
mod report;
mod rows;
mod stats;
mod validate;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::json;

use crate::compare::Bench;
use crate::peer::kafka::{self, Kafka};
use crate::peer::ottla::Ottla;
use crate::peer::{TempDir, reaper};
use crate::rows::{Effort, ROWS, chosen};

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
    /// Measures how fast Apache Kafka and Ottla clean the same compacted topic
    Compaction(compaction::CompactionArgs),
    /// Measures the log by itself, without a network, beside the machine's own writes, flushes and reads
    Log(log::LogArgs),
    /// Measures what counting costs a Produce request, and a scrape of 10,000 topics
    Metrics(metrics::MetricsArgs),
    /// Measures the checks of a producer's batch by codec, and the writing of it in another
    Validate(validate::ValidateArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    None,
    Kafka,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// Run this row only (repeatable); all rows otherwise
    #[arg(long = "row", value_name = "N")]
    rows: Vec<u32>,
    /// Small volumes and short runs: all rows within five minutes, good for a first look
    #[arg(long)]
    quick: bool,
    /// The broker to compare with
    #[arg(long, value_enum, default_value_t = Peer::Kafka)]
    peer: Peer,
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
        Command::Compaction(args) => compaction(&args),
        Command::Log(args) => storage_log(&args),
        Command::Metrics(args) => observed(&args),
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
    let rows = chosen(ROWS, |row| row.number, &args.rows)?;
    let (home, workspace) = homes()?;
    // Absolute, for cargo and the brokers do not all start where the harness does.
    let target = dir_from("CARGO_TARGET_DIR", workspace.join("target"))?;
    let bench = prepare(args, home, workspace, &target)?;
    reaper::install(bench.data_dir.clone())?;
    let data_dir = TempDir::new(bench.data_dir.clone())?;
    print!("{}", report::preamble(bench.connections, args.quick));
    let (mut results, mut failed) = (Vec::new(), Vec::new());
    for row in rows {
        match bench.run_row(row) {
            Ok(result) => {
                print!("{}", report::table(&result, &args.kafka));
                results.push(report::row_json(&result));
            }
            Err(error) => {
                println!("\nrow {}: {}\n  FAILED: {error:#}", row.number, row.title);
                eprintln!("row {}: FAILED: {error:#}", row.id);
                results.push(report::failure_json(row, &error));
                failed.push(row.id);
            }
        }
    }
    drop(data_dir);
    if let Some(path) = &args.json {
        write_json(path, args, results)?;
    }
    ensure!(failed.is_empty(), "rows that failed: {}", failed.join(", "));
    Ok(())
}

/// A directory named by an environment variable, made absolute.
fn dir_from(variable: &str, default: PathBuf) -> Result<PathBuf> {
    let path = std::env::var_os(variable).map_or(default, PathBuf::from);
    std::path::absolute(&path).with_context(|| format!("{variable} names no path"))
}

fn prepare(args: &CompareArgs, home: &Path, workspace: &Path, target: &Path) -> Result<Bench> {
    let cache = dir_from("OTTLA_TEST_CACHE", target.join("test-deps"))?;
    let kafka = match args.peer {
        Peer::Kafka => Some(Kafka::prepare(&args.kafka, home.join("kafka-peer"), &cache)?),
        Peer::None => None,
    };
    let ottla = match &args.ottla {
        Some(path) if path.as_os_str() == NO_OTTLA => None,
        path => Some(Ottla::prepare(path.clone(), workspace, target)?),
    };
    let bench = Bench {
        kafka,
        ottla,
        connections: args.connections.into(),
        effort: if args.quick { Effort::QUICK } else { Effort::FULL },
        data_dir: target.join(BENCH_DATA).join(std::process::id().to_string()),
    };
    ensure!(!bench.contenders().is_empty(), "nothing to run: both brokers are left out");
    remove_leftovers(&target.join(BENCH_DATA))?;
    Ok(bench)
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

fn write_json(path: &Path, args: &CompareArgs, rows: Vec<serde_json::Value>) -> Result<()> {
    let kafka = (args.peer == Peer::Kafka).then_some(&args.kafka);
    let document = json!({
        "format": 1,
        "quick": args.quick,
        "connections": args.connections,
        "kafka": kafka,
        "machine": machine_json()?,
        "rows": rows,
    });
    write_document(path, &document)
}

fn machine_json() -> Result<serde_json::Value> {
    let cpus = std::thread::available_parallelism()?.get();
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    Ok(json!({ "cpus": cpus, "kernel": kernel }))
}

fn write_document(path: &Path, document: &serde_json::Value) -> Result<()> {
    fs::write(path, serde_json::to_string_pretty(document)?)
        .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn rows_are_chosen_by_number() {
        let chosen_rows = |numbers: &[u32]| chosen(ROWS, |row| row.number, numbers);
        let ids = |numbers: &[u32]| -> Vec<&str> {
            chosen_rows(numbers).unwrap().iter().map(|row| row.id).collect()
        };
        assert_eq!(ids(&[]).len(), ROWS.len());
        assert_eq!(ids(&[10, 7]), ["7", "10-1MiB", "10-64KiB"]);
        assert!(chosen_rows(&[99]).is_err());
    }
}
