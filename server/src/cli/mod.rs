//! The command line: what it accepts, what `--help` says, the commands that need no running broker, and those that ask
//! any Kafka server.
//!
//! Nothing here starts a server: a command line without a command means "serve", and that is the composition root's work.

mod cluster;
mod consume;
mod doctor;
mod generate;
mod group;
mod health;
mod log;
mod moment;
mod produce;
mod quota;
mod record_json;
mod remote;
mod settings_file;
mod show;
mod table;
mod top;
mod topic;
mod wire_config;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;

pub use cluster::{ClusterArgs, run_cluster};
pub use consume::{ConsumeArgs, run_consume};
pub use doctor::{DoctorArgs, run_doctor};
pub use generate::{CompletionsArgs, ManArgs, print_completions, print_man};
pub use group::{GroupArgs, run_group};
pub use health::{HealthArgs, run_health};
pub use log::{AdoptArgs, DumpArgs, LogArgs, LogCommand, RepairArgs, VerifyArgs, run_log};
pub use produce::{ProduceArgs, run_produce};
pub use quota::{QuotaArgs, run_quota};
pub use show::show_config;
pub use top::{TopArgs, run_top};
pub use topic::{TopicArgs, run_topic};
pub use wire_config::{ConfigCommand, run_config};

/// The process's exit codes; `--help` lists them.
pub mod exit {
    /// A clean stop.
    pub const STOPPED: u8 = 0;
    /// The broker could not start, or had to stop.
    pub const FAILED: u8 = 1;
    /// The command line or the settings are wrong; nothing was started.
    pub const USAGE: u8 = 2;
}

/// The release and the source that it was made from, in the words of `--version`.
pub const VERSION: &str = env!("BUILD_VERSION");

const LONG_ABOUT: &str = "\
Ottla is a streaming server that speaks the Apache Kafka protocol: one binary, no JVM, no configuration needed. \
Without a command it serves until SIGTERM or SIGINT, prints one line with its addresses on standard output once it serves, \
and logs to standard error.";

const AFTER_HELP: &str = "\
Defaults:
  clients connect to     localhost:9092 (127.0.0.1 and ::1)    --set listeners=PLAINTEXT://host:port
  data is kept in        ./ottla-data                          --set log.dirs=/var/lib/ottla
  metrics and health     http://127.0.0.1:9464/metrics         --set metrics.listener=host:port
                         (also /healthz and /readyz)         (`off` for none)
  acknowledged records   survive a power cut                   --set log.durability=relaxed

Settings have the names of Kafka's server.properties and a few of their own; `ottla config` lists them all. A value comes from
--set, otherwise from the environment (OTTLA_LOG_DIRS for log.dirs, then KAFKA_LOG_DIRS as in Apache Kafka's container
image), otherwise from the file, otherwise it is the default.

Examples:
  ottla
  ottla --config server.properties
  ottla --set listeners=PLAINTEXT://:9092 --set advertised.listeners=PLAINTEXT://broker.example.com:9092
  ottla --set log.dirs=/disk1/ottla,/disk2/ottla --set num.partitions=4
  ottla config --check --config server.properties
  ottla doctor --config server.properties
  ottla log verify /var/lib/ottla
  ottla log adopt --from /var/lib/kafka --to /var/lib/ottla
  ottla top localhost:9464

Exit codes:
  0  stopped cleanly
  1  the broker could not start, or had to stop
  2  the command line or a setting is wrong; nothing was started

The variable RUST_LOG sets how much is logged (error, warn, info, debug, trace; info if unset).";

/// What the command line says.
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "ottla", version = VERSION, about = "A streaming server that speaks the Apache Kafka protocol")]
#[command(long_about = LONG_ABOUT, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    /// Read settings from this file, in the format and with the names of Kafka's server.properties.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set one setting; may be given any number of times, the last counts.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<Assignment>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Whether settings of a broker stand before a command that has nothing to do with them.
    pub fn has_idle_settings(&self) -> bool {
        let has_settings = self.config.is_some() || !self.set.is_empty();
        let takes_them = match &self.command {
            None => true,
            Some(Command::Config(args)) => args.command.is_none(),
            Some(Command::Doctor(_) | Command::Health(_)) => true,
            Some(_) => false,
        };
        has_settings && !takes_them
    }

    /// With the settings that stand behind `config`, too.
    fn with(&self, args: &ConfigArgs) -> Cli {
        let mut cli = self.clone();
        cli.config = args.config.clone().or(cli.config);
        cli.set.extend(args.set.iter().cloned());
        cli
    }
}

/// What to do instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List every setting with its value, default, bounds and meaning; or describe and alter those of a running server.
    ///
    /// Without a further command: the settings that a broker started here would have. `describe` and `alter` ask a
    /// running Kafka server about the settings of its topics, brokers, groups and subscriptions.
    Config(ConfigArgs),
    /// Topics of any Kafka server: create, list, describe, alter, delete.
    Topic(TopicArgs),
    /// Write lines from standard input as records.
    Produce(ProduceArgs),
    /// Print records.
    Consume(ConsumeArgs),
    /// Show the brokers of any Kafka server and what they serve.
    Cluster(ClusterArgs),
    /// Consumer groups of any Kafka server: list, describe, lag, reset-offsets, delete.
    Group(GroupArgs),
    /// What clients may take of any Kafka server: list, describe, set, delete quotas.
    Quota(QuotaArgs),
    /// Check, print or repair the files of logs, without a broker.
    Log(LogArgs),
    /// Check the machine and the settings before a start: one line each, and what to do.
    Doctor(DoctorArgs),
    /// Watch a broker: topics, rates, groups, lag and what is wrong.
    Top(TopArgs),
    /// Ask a broker on this machine whether it serves: exit code 0 if it does.
    Health(HealthArgs),
    /// Print a script that completes commands and options in a shell.
    Completions(CompletionsArgs),
    /// Print a manual page: of all commands, or of one.
    Man(ManArgs),
}

/// How to list the settings.
#[derive(Clone, Debug, Default, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = wire_config::EXAMPLES)]
pub struct ConfigArgs {
    /// Read settings from this file, in the format and with the names of Kafka's server.properties.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set one setting; may be given any number of times, the last counts.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<Assignment>,

    /// Only check the settings: say what is wrong with them or what to know about them, and list nothing.
    #[arg(long)]
    pub check: bool,

    /// List Kafka's settings without an effect here, too.
    #[arg(long, conflicts_with = "check")]
    pub all: bool,

    /// Print them as a file for `--config`: what is set as it is, all else commented out at its default.
    #[arg(long, conflicts_with_all = ["check", "all"])]
    pub as_file: bool,

    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
}

/// One `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub name: String,
    pub value: String,
}

/// A `--set` without its `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must have the form NAME=VALUE")]
pub struct NotAnAssignment;

impl FromStr for Assignment {
    type Err = NotAnAssignment;

    fn from_str(text: &str) -> Result<Assignment, NotAnAssignment> {
        let (name, value) = text.split_once('=').ok_or(NotAnAssignment)?;
        let name = name.trim();
        if name.is_empty() {
            return Err(NotAnAssignment);
        }
        Ok(Assignment { name: name.to_owned(), value: value.to_owned() })
    }
}

#[cfg(test)]
mod tests;
