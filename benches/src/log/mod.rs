//! The storage bench: the log by itself, without a network, beside what the machine does without a log.
//!
//! Invariants: every run has a directory of its own, removed after it, and begins with the disk at rest; cases of a row
//! run forwards and backwards, the first run of each thrown away. A failure of one case fails its row, loudly, and the
//! next row goes on. It uses the storage crate as a broker does and knows nothing of its files, but for the lock.

mod append;
mod compaction;
mod machine;
mod recovery;
mod report;
mod rows;
mod run;
mod stall;
mod world;

pub(crate) use world::logs_max;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use self::report::RowResult;
use self::rows::{Case, ROWS, Row, Work, batch_bytes};
use self::run::{Budget, Figures};
use crate::peer::{TempDir, reaper};
use crate::rows::{Effort, chosen, order};
use crate::stats::Summary;

/// A run's data, and room for its journal and indexes.
const FREE_SHARE: u64 = 2;

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Run this row only (repeatable); all rows otherwise
    #[arg(long = "row", value_name = "N")]
    rows: Vec<u32>,
    /// Small volumes and short runs, good for a first look
    #[arg(long)]
    quick: bool,
    /// The size of the directory that is recovered
    #[arg(long, value_name = "GB", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    gb: u64,
    /// Write all figures of all runs to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

struct Bench {
    effort: Effort,
    recovery_bytes: u64,
    /// What the limit of open files allows.
    logs_max: usize,
    data_dir: PathBuf,
}

pub(crate) fn run(args: &LogArgs, bench_data: &Path) -> Result<()> {
    let rows = chosen(ROWS, |row| row.number, &args.rows)?;
    crate::remove_leftovers(bench_data)?;
    let data_dir = bench_data.join(std::process::id().to_string());
    reaper::install(data_dir.clone())?;
    let temporary = TempDir::new(data_dir.clone())?;
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    let logs_max = logs_max()?;
    let bench = Bench { effort, recovery_bytes: args.gb * 1_000_000_000, logs_max, data_dir };
    print!("{}", report::preamble(logs_max));
    let (mut results, mut failed) = (Vec::new(), Vec::new());
    for row in rows {
        match bench.run_row(row) {
            Ok(result) => {
                print!("{}", report::table(&result));
                results.push(report::row_json(&result));
            }
            Err(error) => {
                println!("\nrow {}: {}\n  FAILED: {error:#}", row.number, row.title);
                results.push(report::failure_json(row, &error));
                failed.push(row.number.to_string());
            }
        }
    }
    drop(temporary);
    if let Some(path) = &args.json {
        write_json(path, args, logs_max, results)?;
    }
    ensure!(failed.is_empty(), "rows that failed: {}", failed.join(", "));
    Ok(())
}

fn write_json(path: &Path, args: &LogArgs, logs_max: usize, rows: Vec<Value>) -> Result<()> {
    let document = json!({
        "format": 1,
        "quick": args.quick,
        "recovery_gb": args.gb,
        "logs_max": logs_max,
        "machine": crate::machine_json()?,
        "rows": rows,
    });
    crate::write_document(path, &document)
}

impl Bench {
    fn run_row(&self, row: &'static Row) -> Result<RowResult> {
        self.check_free_space()?;
        for case in row.cases {
            self.measured(row, case, "warm-up")?;
        }
        let mut samples: Vec<_> = row.cases.iter().map(|_| Vec::new()).collect();
        for at in order(row.cases.len(), self.effort.palindromes) {
            samples[at].push(self.measured(row, &row.cases[at], "run")?.sample());
        }
        Ok(RowResult { row, summaries: samples.into_iter().map(Summary::of).collect::<Result<_>>()? })
    }

    fn check_free_space(&self) -> Result<()> {
        let needed = self.recovery_bytes.max(self.effort.volume_bytes) * FREE_SHARE;
        let disk = rustix::fs::statvfs(&self.data_dir).context("asking for free space")?;
        let free = disk.f_bavail * disk.f_frsize;
        ensure!(free >= needed, "a run may need {needed} bytes of disk and {free} are free");
        Ok(())
    }

    fn measured(&self, row: &Row, case: &Case, kind: &str) -> Result<Figures> {
        eprintln!("row {}: {}: {kind}", row.number, case.label);
        let dir = TempDir::new(self.data_dir.join("run"))?;
        self.work(case.work, dir.path()).with_context(|| case.label.to_owned())
    }

    fn work(&self, work: Work, dir: &Path) -> Result<Figures> {
        let (bytes, volume) = (batch_bytes(work), self.effort.volume_bytes);
        let budget = Budget(self.effort.span);
        match work.with_at_most(self.logs_max) {
            Work::PageCache { files } => machine::page_cache(dir, files, &world::batch(bytes), volume),
            Work::PageCacheFlushed => machine::page_cache_flushed(dir, &world::batch(bytes), volume),
            Work::Relaxed { logs } => append::relaxed(dir, logs, bytes, volume),
            Work::MachineFlush(flush) => machine::flush(dir, flush, budget),
            Work::Durable { logs, batch_bytes } => append::durable(dir, logs, batch_bytes, budget),
            Work::Alone { logs } => append::alone(dir, logs, bytes, budget),
            Work::MachineCreate { count } => machine::create(dir, count, &world::batch(bytes)),
            Work::FirstRecords { logs } => append::first_records(dir, logs, bytes),
            Work::MachineRead => recovery::machine(dir, bytes, self.recovery_bytes),
            Work::Recovery(ending) => recovery::open(dir, ending, bytes, self.recovery_bytes),
            Work::Compaction { batch_bytes } => compaction::run(dir, batch_bytes, volume),
            Work::Stall { dirty } => stall::run(dir, dirty, bytes, budget),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_kind_of_work_gives_figures() {
        let parent = std::env::temp_dir().join(format!("ottla-log-bench-{}", std::process::id()));
        let parent = TempDir::new(parent).unwrap();
        let effort = Effort { volume_bytes: 1 << 20, span: Duration::from_millis(50), ..Effort::QUICK };
        let bench =
            Bench { effort, recovery_bytes: 4 << 20, logs_max: 8, data_dir: parent.path().to_owned() };
        for (row, case) in ROWS.iter().flat_map(|row| row.cases.iter().map(move |case| (row, case))) {
            let dir = TempDir::new(bench.data_dir.join("run")).unwrap();
            let sample = bench.work(case.work, dir.path()).unwrap().sample();
            for metric in row.columns {
                let value = metric.of(&sample);
                assert!(value.is_some_and(|value| value >= 0.0), "{}: {metric:?}", case.label);
            }
        }
    }

    #[test]
    fn rows_are_chosen_by_number() {
        let chosen_rows = |numbers: &[u32]| chosen(ROWS, |row| row.number, numbers);
        assert_eq!(chosen_rows(&[]).unwrap().len(), ROWS.len());
        assert_eq!(chosen_rows(&[6]).unwrap()[0].number, 6);
        assert!(chosen_rows(&[99]).is_err());
    }
}
