//! `ottla group`: consumer groups of any Kafka server, as kafka-consumer-groups shows them.

mod delete;
mod describe;
mod lag;
mod list;
mod reset;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::moment::{Moment, Span};
use super::remote::{EXIT_CODES, OnSignal, Printer, RemoteArgs, Stop, run};
use crate::client::{Client, Group};

const EXAMPLES: &str = "\
Examples:
  ottla group list --state
  ottla group describe billing
  ottla group lag --above 1000                                  only what is behind
  ottla group reset-offsets billing --topic orders --to-earliest            what would be done
  ottla group reset-offsets billing --topic orders:0,2 --by-duration 2h --execute
  ottla group delete billing
  ottla group -b broker.example.com:9092 describe --all-groups --members --json

Each command has a --help of its own, with the exit codes.";

/// What to do with which groups.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct GroupArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    #[command(subcommand)]
    pub command: GroupCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub enum GroupCommand {
    /// Name the groups of consumers.
    #[command(after_help = EXIT_CODES)]
    List(ListArgs),
    /// Show what groups have committed, how far they are behind, who their members are.
    ///
    /// Without further options: one line for each partition that a member has or the group has committed for, with the
    /// offset committed, the log's end, and the lag between them. What is not known is `-`.
    #[command(after_help = EXIT_CODES)]
    Describe(DescribeArgs),
    /// Sum up how far groups are behind, by topic.
    ///
    /// The lag of a partition is the log's end less the offset committed. Partitions for which nothing is committed have
    /// none.
    #[command(after_help = EXIT_CODES)]
    Lag(LagArgs),
    /// Set what groups have committed. They must have no members.
    ///
    /// Says what would be done, and does it with --execute. Offsets outside the log are moved to its nearest end; a time
    /// behind the last record stands for the log's end.
    #[command(name = "reset-offsets", after_help = EXIT_CODES)]
    Reset(ResetArgs),
    /// Delete groups with all that they have committed. They must have no members.
    #[command(after_help = EXIT_CODES)]
    Delete(DeleteArgs),
}

/// Some groups by name, or all.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Groups {
    /// The groups.
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,

    /// All groups of consumers.
    #[arg(long)]
    pub all_groups: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Show their states, too; with a value, only groups in these states.
    #[arg(long, value_name = "STATE,…", num_args = 0..=1, require_equals = true, default_missing_value = "", value_delimiter = ',')]
    pub state: Option<Vec<String>>,

    /// Show their types, too; with a value, only groups of these types (classic, consumer).
    #[arg(long = "type", value_name = "TYPE,…", num_args = 0..=1, require_equals = true, default_missing_value = "", value_delimiter = ',')]
    pub kind: Option<Vec<String>>,
}

#[derive(Clone, Debug, Args)]
pub struct DescribeArgs {
    #[command(flatten)]
    pub groups: Groups,

    /// Show their members instead.
    #[arg(long, conflicts_with = "state")]
    pub members: bool,

    /// Show coordinator, assignment strategy, state and number of members instead.
    #[arg(long)]
    pub state: bool,

    /// Show leader epochs of offsets; the partitions of members; epochs of states.
    #[arg(long)]
    pub verbose: bool,
}

#[derive(Clone, Debug, Args)]
pub struct LagArgs {
    /// The groups; all of them if none is named.
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,

    /// Only where it is greater than this.
    #[arg(long, value_name = "RECORDS", default_value_t = i64::MIN, hide_default_value = true)]
    pub above: i64,

    /// End with exit code 1 if any line is left.
    #[arg(long, requires = "above")]
    pub fail: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ResetArgs {
    #[command(flatten)]
    pub groups: Groups,

    #[command(flatten)]
    pub scope: Scope,

    #[command(flatten)]
    pub to: To,

    /// Do it.
    #[arg(long, conflicts_with = "dry_run")]
    pub execute: bool,

    /// Only say what would be done, which is so without --execute.
    #[arg(long)]
    pub dry_run: bool,
}

/// Whose offsets are set.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Scope {
    /// Every partition for which the group has committed.
    #[arg(long)]
    pub all_topics: bool,

    /// A topic, or some of its partitions; may be given any number of times.
    #[arg(long = "topic", value_name = "TOPIC[:0,1,…]")]
    pub topics: Vec<String>,
}

/// Where to.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct To {
    /// The log's start.
    #[arg(long)]
    pub to_earliest: bool,

    /// The log's end.
    #[arg(long)]
    pub to_latest: bool,

    /// What is committed now; the log's end where nothing is.
    #[arg(long)]
    pub to_current: bool,

    /// This offset.
    #[arg(long, value_name = "OFFSET")]
    pub to_offset: Option<i64>,

    /// So many records on, or back if negative.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub shift_by: Option<i64>,

    /// The first record of this time or later: 2026-01-31T12:00:00.000, UTC unless a zone follows.
    #[arg(long, value_name = "TIME")]
    pub to_datetime: Option<Moment>,

    /// The first record that is no older than this: P1DT2H3M4S, or 90s, 15m, 2h, 7d.
    #[arg(long, value_name = "DURATION")]
    pub by_duration: Option<Span>,
}

#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub groups: Groups,
}

/// Runs `ottla group`.
pub fn run_group(args: &GroupArgs) -> ExitCode {
    run(&args.remote, OnSignal::Leave, async |client, printer| match &args.command {
        GroupCommand::List(args) => list::list(client, args, printer).await,
        GroupCommand::Describe(args) => describe::describe(client, args, printer).await,
        GroupCommand::Lag(args) => lag::lag(client, args, printer).await,
        GroupCommand::Reset(args) => reset::reset(client, args, printer).await,
        GroupCommand::Delete(args) => delete::delete(client, args, printer).await,
    })
}

/// The names of all groups of consumers.
async fn all_of(client: &mut Client) -> Result<Vec<String>, Stop> {
    let listed = client.groups(&[], &[]).await?;
    Ok(listed.into_iter().filter(|group| group.is_of_consumers()).map(|group| group.id).collect())
}

impl Groups {
    async fn names(&self, client: &mut Client) -> Result<Vec<String>, Stop> {
        let mut names = if self.all_groups { all_of(client).await? } else { self.groups.clone() };
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

/// Describes groups and complains about those that cannot be.
async fn described(
    client: &mut Client,
    names: &[String],
    printer: &mut Printer<'_>,
) -> Result<Vec<Group>, Stop> {
    let mut groups = Vec::new();
    if names.is_empty() {
        return Ok(groups);
    }
    for (_, found) in client.describe_groups(names).await? {
        match found {
            Ok(group) => groups.push(group),
            Err(error) => printer.complain(error)?,
        }
    }
    Ok(groups)
}
