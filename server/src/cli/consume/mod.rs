//! `ottla consume`: records printed as they come, without a group.
//!
//! Invariants: what one partition holds is printed in its order; a line is whole or not there; SIGINT and SIGTERM end
//! the command well, as the end of what was asked for does.

mod filter;
mod line;
mod range;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::{Instant, sleep_until};

use super::moment::Moment;
use super::record_json;
use super::remote::{EXIT_CODES, OnSignal, Printer, RemoteArgs, Signals, Stop, is_reader_gone, run};
use crate::client::{Client, Fetched};
use filter::Filter;
use range::Progress;

const EXAMPLES: &str = "\
Examples:
  ottla consume orders                                              what is written from now on
  ottla consume orders --from-beginning --exit-at-end --with time,key
  ottla consume orders --last 10 --exit-at-end --json
  ottla consume orders --from-time 2026-01-31T12:00:00 --to-time 2026-01-31T13:00:00 --grep 'error|warn'
  ottla consume orders --partition 2 --from-offset 4711 -n 1";

/// What to read.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct ConsumeArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    /// The topics.
    #[arg(required = true, value_name = "TOPIC")]
    pub topics: Vec<String>,

    /// Only these partitions.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Vec<i32>,

    #[command(flatten)]
    pub from: From,

    /// Up to this offset of each partition, without it.
    #[arg(long, value_name = "OFFSET", conflicts_with = "to_time")]
    pub to_offset: Option<i64>,

    /// Up to the first record of this time or later, without it.
    #[arg(long, value_name = "TIME")]
    pub to_time: Option<Moment>,

    /// End where the partitions end now.
    #[arg(long)]
    pub exit_at_end: bool,

    /// End after so many records were printed.
    #[arg(short = 'n', long, value_name = "N")]
    pub max_messages: Option<u64>,

    /// End when no record has come for so long.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub idle: Option<u64>,

    #[command(flatten)]
    pub filter: filter::FilterArgs,

    /// Leave out what transactions have not committed, or have taken back.
    #[arg(long)]
    pub read_committed: bool,

    /// Print this in front of the value, in the order of kafka-console-consumer.
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',', value_enum, conflicts_with = "json")]
    pub with: Vec<Field>,
}

/// Where each partition begins; what is written from now on if nothing is said.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub struct From {
    /// The first record there is.
    #[arg(long)]
    pub from_beginning: bool,

    /// This offset.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    pub from_offset: Option<i64>,

    /// The first record of this time or later: 2026-01-31T12:00:00.000 (UTC unless a zone follows), or milliseconds.
    #[arg(long, value_name = "TIME")]
    pub from_time: Option<Moment>,

    /// So many offsets before the end of each partition.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub last: Option<i64>,
}

/// Something of a record beside its value.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Field {
    Topic,
    Time,
    Partition,
    Offset,
    Headers,
    Key,
}

/// How long a broker may keep a question that it has no records for.
const WAIT: Duration = Duration::from_millis(500);

/// Runs `ottla consume`.
pub fn run_consume(args: &ConsumeArgs) -> ExitCode {
    run(&args.remote, OnSignal::Theirs, async |client, printer| consume(client, args, printer).await)
}

async fn consume(client: &mut Client, args: &ConsumeArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let mut signals = Signals::new()?;
    tokio::select! {
        done = Box::pin(read_all(client, args, printer)) => done,
        // A round is printed without a pause, so that lines are whole.
        () = signals.any() => Ok(()),
    }
}

async fn read_all(client: &mut Client, args: &ConsumeArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let filter = Filter::new(&args.filter)?;
    let mut progress = range::begin(client, args).await?;
    let mut output = Output { args, filter, printed: 0 };
    let idle = args.idle.map(Duration::from_secs);
    let mut quiet_since = Instant::now();
    while !progress.is_over() && !output.is_full() {
        let positions = progress.positions();
        let fetch = Box::pin(client.fetch(&positions, WAIT, args.read_committed));
        let fetched = match idle {
            None => fetch.await?,
            Some(idle) => tokio::select! {
                fetched = fetch => fetched?,
                () = sleep_until(quiet_since + idle) => break,
            },
        };
        let mut is_quiet = true;
        for one in &fetched {
            let before = positions.get(&one.partition).copied();
            take(one, &mut progress, &mut output, printer)?;
            is_quiet &= progress.positions().get(&one.partition).copied() == before;
            if output.is_full() {
                break;
            }
        }
        printer.flush()?;
        if is_reader_gone() {
            break;
        }
        if !is_quiet {
            quiet_since = Instant::now();
        }
    }
    Ok(())
}

/// Prints what one partition gave.
fn take(
    fetched: &Fetched,
    progress: &mut Progress,
    output: &mut Output<'_>,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let partition = &fetched.partition;
    if fetched.is_out_of_range {
        // Retention may take records away while they are read; what is left begins there.
        if fetched.position >= fetched.log_start {
            return Err(Stop::Failed(format!(
                "partition {partition}: offset {} lies behind the end",
                fetched.position
            )));
        }
        printer.note(format_args!(
            "Warn: partition {partition}: records before offset {} are gone; going on there.",
            fetched.log_start
        ))?;
        progress.advance(partition, fetched.log_start);
        return Ok(());
    }
    let limit = progress.limit(partition);
    let mut is_at_limit = false;
    let next = fetched.read(|record| {
        if limit.is_reached(record) {
            is_at_limit = true;
            return Ok::<bool, Stop>(false);
        }
        output.record(&partition.topic, partition.partition, record, printer)?;
        Ok(!output.is_full())
    })?;
    match is_at_limit {
        true => progress.end(partition),
        false => progress.advance(partition, next),
    }
    Ok(())
}

struct Output<'a> {
    args: &'a ConsumeArgs,
    filter: Filter,
    printed: u64,
}

impl Output<'_> {
    fn is_full(&self) -> bool {
        self.args.max_messages.is_some_and(|most| self.printed >= most)
    }

    fn record(
        &mut self,
        topic: &str,
        partition: i32,
        record: &storage::Record<'_>,
        printer: &mut Printer<'_>,
    ) -> Result<(), Stop> {
        if !self.filter.lets_pass(record) {
            return Ok(());
        }
        self.printed += 1;
        match printer.is_json() {
            true => printer.object(&record_json::object(topic, partition, record))?,
            false => printer.bytes(&line::line(&self.args.with, topic, partition, record))?,
        }
        Ok(())
    }
}
