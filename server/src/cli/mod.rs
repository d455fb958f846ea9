//! The command line: what it accepts, what `--help` says, and the commands that need no running broker.
//!
//! Nothing here starts a server: a command line without a command means "serve", and that is the composition root's work.

mod log;
mod show;
mod top;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;

pub use log::{DumpArgs, LogArgs, LogCommand, RepairArgs, VerifyArgs, run_log};
pub use show::show_config;
pub use top::{TopArgs, run_top};

/// The process's exit codes; `--help` lists them.
pub mod exit {
    /// A clean stop.
    pub const STOPPED: u8 = 0;
    /// The broker could not start, or had to stop.
    pub const FAILED: u8 = 1;
    /// The command line or the settings are wrong; nothing was started.
    pub const USAGE: u8 = 2;
}

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
--set, otherwise from the environment (OTTLA_LOG_DIRS for log.dirs), otherwise from the file, otherwise it is the default.

Examples:
  ottla
  ottla --config server.properties
  ottla --set listeners=PLAINTEXT://:9092 --set advertised.listeners=PLAINTEXT://broker.example.com:9092
  ottla --set log.dirs=/disk1/ottla,/disk2/ottla --set num.partitions=4
  ottla config --check --config server.properties
  ottla log verify /var/lib/ottla
  ottla top localhost:9464

Exit codes:
  0  stopped cleanly
  1  the broker could not start, or had to stop
  2  the command line or a setting is wrong; nothing was started

The variable RUST_LOG sets how much is logged (error, warn, info, debug, trace; info if unset).";

/// What the command line says.
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "ottla", version, about = "A streaming server that speaks the Apache Kafka protocol")]
#[command(long_about = LONG_ABOUT, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    /// Read settings from this file, in the format and with the names of Kafka's server.properties.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Set one setting; may be given any number of times, the last counts.
    #[arg(long, value_name = "NAME=VALUE", global = true)]
    pub set: Vec<Assignment>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List every setting with its value, default, bounds and meaning.
    Config(ConfigArgs),
    /// Check, print or repair the files of logs, without a broker.
    Log(LogArgs),
    /// Watch a broker: topics, rates, groups, lag and what is wrong.
    Top(TopArgs),
}

/// How to list the settings.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// Only check the settings: say what is wrong with them or what to know about them, and list nothing.
    #[arg(long)]
    pub check: bool,

    /// List Kafka's settings without an effect here, too.
    #[arg(long, conflicts_with = "check")]
    pub all: bool,
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
