//! Ottla as a user starts it: the release binary, its settings on the command line, its ready line on stdout.
//!
//! Invariants: the harness knows the broker by its command line and its ready line only. Standard output is read to
//! its end, so that the broker never waits for a reader.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Broker, Launch, Process, START_MAX, TempDir, free_port, slow_flush};
use crate::client::wait_until_ready;
use crate::wire::request::Settings;

const READY: &str = "ottla ready:";
const LISTENER: &str = "PLAINTEXT://";
const METRICS: &str = "metrics=http://";
/// How often a broker that has not said it is ready is checked for life.
const LIFE_CHECK: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub(crate) struct Ottla {
    binary: PathBuf,
}

impl Ottla {
    /// Takes the binary given, or builds the release one.
    pub(crate) fn prepare(binary: Option<PathBuf>, workspace: &Path, target: &Path) -> Result<Self> {
        let binary = match binary {
            Some(binary) => binary,
            None => build(workspace, target)?,
        };
        ensure!(binary.is_file(), "there is no Ottla at {}", binary.display());
        Ok(Self { binary })
    }

    /// What it says of itself, without its name.
    pub(crate) fn version(&self) -> Result<String> {
        let output =
            Command::new(&self.binary).arg("--version").output().context("asking Ottla its version")?;
        let words = String::from_utf8(output.stdout)?;
        Ok(words.trim().trim_start_matches("ottla ").to_owned())
    }

    /// Starts one, each of whose flushes takes so much longer.
    pub(crate) fn start(
        &self,
        dir: TempDir,
        durability: &str,
        changed: Settings<'_>,
        flush_delay: Option<Duration>,
    ) -> Result<Broker> {
        let (broker, _) = self.start_saying(dir, durability, "off", changed, flush_delay)?;
        Ok(broker)
    }

    /// How it is started on a directory that need not be there.
    pub(crate) fn launch(&self, dir: &Path, durability: &str, changed: Settings<'_>) -> Result<Launch> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let listener = format!("127.0.0.1:{}", address.port());
        Ok(Launch {
            program: self.binary.clone(),
            args: arguments(dir, &listener, "off", durability, changed).into_iter().map(Into::into).collect(),
            log: dir.join("broker.log"),
            address,
        })
    }

    /// One that shows its metrics, and where.
    pub(crate) fn start_observed(&self, dir: TempDir, durability: &str) -> Result<(Broker, SocketAddr)> {
        let (broker, ready) = self.start_saying(dir, durability, "127.0.0.1:0", &[], None)?;
        let metrics = parse_metrics(&ready).with_context(|| format!("no metrics in `{ready}`"))?;
        Ok((broker, metrics))
    }

    /// With its ready line.
    fn start_saying(
        &self,
        dir: TempDir,
        durability: &str,
        metrics: &str,
        changed: Settings<'_>,
        flush_delay: Option<Duration>,
    ) -> Result<(Broker, String)> {
        let log = dir.path().join("broker.log");
        let mut command = slow_flush::command(&self.binary, flush_delay);
        let around_cache = flush_delay.is_none();
        command.args(arguments(dir.path(), "127.0.0.1:0", metrics, durability, changed));
        // A write around the page cache is flushed by itself: there is nothing to hold back.
        command.args(["--set".to_owned(), format!("journal.direct={around_cache}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut process = Process::spawn_delayed(&mut command, log, flush_delay)?;
        let stdout = process.take_stdout().context("Ottla's standard output is not ours")?;
        let deadline = Instant::now() + START_MAX;
        let ready = wait_for_ready_line(stdout, &mut process, deadline)?;
        let address = parse_ready_line(&ready).with_context(|| format!("no listener in `{ready}`"))?;
        wait_until_ready(address, deadline, || process.check_alive())?;
        Ok((Broker { process, address, dir }, ready))
    }
}

/// A user's command line.
fn arguments(
    dir: &Path,
    listener: &str,
    metrics: &str,
    durability: &str,
    changed: Settings<'_>,
) -> Vec<String> {
    let own = [
        format!("log.dirs={}", dir.join("data").display()),
        format!("listeners=PLAINTEXT://{listener}"),
        format!("metrics.listener={metrics}"),
        format!("log.durability={durability}"),
    ];
    let all = own.into_iter().chain(changed.iter().map(|(name, value)| format!("{name}={value}")));
    all.flat_map(|setting| ["--set".to_owned(), setting]).collect()
}

fn build(workspace: &Path, target: &Path) -> Result<PathBuf> {
    eprintln!("building Ottla (cargo build --release -p server)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "-p", "server", "--target-dir"]).arg(target);
    // Standard output belongs to the tables; cargo tells its progress on standard error.
    let status = command.current_dir(workspace).stdin(Stdio::null()).stdout(Stdio::null()).status();
    ensure!(status.context("cannot run cargo")?.success(), "Ottla does not build");
    Ok(target.join("release").join("ottla"))
}

fn wait_for_ready_line(stdout: ChildStdout, process: &mut Process, deadline: Instant) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens any more once the ready line was heard.
            let _ = sender.send(line);
        }
    });
    while Instant::now() < deadline {
        match receiver.recv_timeout(LIFE_CHECK) {
            Ok(line) if line.starts_with(READY) => return Ok(line),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => process.check_alive()?,
            Err(RecvTimeoutError::Disconnected) => {
                // Its output ends a moment before the process does.
                thread::sleep(LIFE_CHECK);
                process.check_alive()?;
                bail!("Ottla closed its standard output without a ready line");
            }
        }
    }
    bail!("Ottla was not ready within {} s", START_MAX.as_secs())
}

/// The first plain listener of the ready line; more may follow it.
fn parse_ready_line(line: &str) -> Option<SocketAddr> {
    let rest = line.strip_prefix(READY)?;
    let (_, listener) = rest.split_once(LISTENER)?;
    let end = listener.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(listener.len());
    listener[..end].parse().ok()
}

fn parse_metrics(line: &str) -> Option<SocketAddr> {
    let (_, metrics) = line.split_once(METRICS)?;
    metrics.split(['/', ' ']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_line_names_the_first_listener() {
        let expected: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        for line in [
            "ottla ready: PLAINTEXT://127.0.0.1:4711",
            "ottla ready: PLAINTEXT://127.0.0.1:4711,PLAINTEXT://[::1]:4712",
            "ottla ready: PLAINTEXT://127.0.0.1:4711 metrics=http://127.0.0.1:9464",
        ] {
            assert_eq!(parse_ready_line(line), Some(expected), "{line}");
        }
        assert_eq!(parse_ready_line("ottla ready: metrics=off"), None);
        let metrics = "ottla ready: PLAINTEXT://127.0.0.1:4711 metrics=http://127.0.0.1:9464";
        assert_eq!(parse_metrics(metrics), "127.0.0.1:9464".parse().ok());
        assert_eq!(parse_metrics("ottla ready: metrics=off"), None);
        assert_eq!(parse_ready_line("PLAINTEXT://127.0.0.1:4711"), None);
    }
}
