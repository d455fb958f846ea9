//! `ottla doctor`: what of the machine and the settings would trouble a broker, before it is started.
//!
//! Each check answers with a line or a few. Invariants: nothing is left behind, not even by a kill; nothing waits for
//! long, whatever a resolver or a disk does; a check that cannot be made says so and is no failure.

mod advertised;
mod dirs;
mod disk;
mod limits;
mod ports;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use storage::Env;
use storage::env::OpenMode;

use super::{Assignment, Cli, exit};
use crate::config::{Config, environment};

const AFTER_HELP: &str = "\
Each line is one of
  ok    all is well
  warn  it will run, and something is to be known or done
  fail  it will not start, or not do what it is for

Examples:
  ottla doctor --config server.properties
  ottla doctor --set log.dirs=/var/lib/ottla --json

Exit codes:
  0  nothing fails
  1  something fails
  2  the command line or a setting is wrong; nothing was checked";

/// Which settings a start would have.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DoctorArgs {
    /// Read settings from this file, in the format and with the names of Kafka's server.properties.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set one setting; may be given any number of times, the last counts.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<Assignment>,

    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    verdict: Verdict,
    name: &'static str,
    found: String,
    /// What to do; empty if nothing.
    advice: String,
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Ok, name, found: found.into(), advice: String::new() }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Warn, name, found: found.into(), advice: advice.into() }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Fail, name, found: found.into(), advice: advice.into() }
    }

    fn put(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        let Finding { verdict, name, found, advice } = self;
        if json {
            let line = serde_json::json!({
                "verdict": verdict.word(), "name": name, "found": found, "advice": advice,
            });
            writeln!(out, "{line}")?;
        } else {
            let arrow = if advice.is_empty() { "" } else { " → " };
            writeln!(out, "{:<4}  {name:<11}  {found}{arrow}{advice}", verdict.word())?;
        }
        // One by one: a slow disk is seen to be looked at.
        out.flush()
    }
}

/// So long all checks together take at most; what is not begun by then is left out.
const TIME_MAX: Duration = Duration::from_millis(4_500);

/// What checks look at.
struct Patient<'p> {
    env: &'p Env,
    config: &'p Config,
    begun: Duration,
}

impl Patient<'_> {
    /// How much time is left for what may wait.
    fn time_left(&self) -> Duration {
        TIME_MAX.saturating_sub(self.env.clock.monotonic().saturating_sub(self.begun))
    }

    /// A file that the kernel makes up; nothing where there is none.
    fn read(&self, path: &str) -> Option<String> {
        const BYTES_MAX: usize = 64 << 10;
        let file = self.env.files.open(path.as_ref(), OpenMode::Read).ok()?;
        let mut bytes = vec![0; BYTES_MAX];
        let read = file.read_at(&mut bytes, 0).ok()?;
        Some(String::from_utf8_lossy(&bytes[..read]).trim().to_owned())
    }
}

type Check = fn(&Patient<'_>) -> Vec<Finding>;

/// In the order in which they are shown.
const CHECKS: &[Check] = &[
    settings,
    limits::kernel,
    limits::descriptors,
    limits::memory,
    limits::backlog,
    limits::maps,
    dirs::check,
    ports::check,
    limits::clock,
];

/// Runs `ottla doctor` over this machine.
pub fn run_doctor(cli: &Cli, args: &DoctorArgs) -> ExitCode {
    let (json, mut cli) = (args.json, cli.clone());
    cli.config = args.config.clone().or(cli.config);
    cli.set.extend(args.set.iter().cloned());
    let config = match Config::load(&cli, environment()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("ottla: {error}");
            return ExitCode::from(exit::USAGE);
        }
    };
    let env = Env::real();
    let patient = Patient { env: &env, config: &config, begun: env.clock.monotonic() };
    let (out, mut worst) = (&mut io::stdout().lock(), Verdict::Ok);
    for finding in CHECKS.iter().flat_map(|check| check(&patient)) {
        if finding.verdict == Verdict::Fail {
            worst = Verdict::Fail;
        }
        match finding.put(json, out) {
            Ok(()) => {}
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => {
                eprintln!("ottla: cannot write: {error}");
                return ExitCode::from(exit::FAILED);
            }
        }
    }
    ExitCode::from(if worst == Verdict::Fail { exit::FAILED } else { exit::STOPPED })
}

fn settings(patient: &Patient<'_>) -> Vec<Finding> {
    match patient.config.notices.len() {
        0 => vec![Finding::ok("settings", "all are right")],
        count => vec![Finding::warn(
            "settings",
            format!("all are allowed, and there is something to know about {count} of them"),
            "`ottla config --check` says it",
        )],
    }
}

/// Bytes for people.
fn amount(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes / MIB {
        0 => format!("{bytes} bytes"),
        mib if mib < 10 * 1024 => format!("{mib} MiB"),
        mib => format!("{} GiB", mib / 1024),
    }
}

#[cfg(test)]
mod tests;
