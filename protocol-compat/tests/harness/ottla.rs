//! The project's own binary: built once by cargo in the profile and target directory of this test run, started, and
//! read until its ready line.
//!
//! Cargo tells a test where a binary is only in the package that owns it, and this package may not depend on that one.

use crate::harness::broker::{Listen, Ready, Spec, data_dir, log_file};
use crate::harness::place::place;
use anyhow::{Context, Result, anyhow, bail};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long the broker may take to its ready line: a debug build on a busy machine, after a kill.
const READY_LIMIT: Duration = Duration::from_secs(20);
const READY: &str = "ottla ready:";

/// Builds the binary, at most once in this process.
pub(crate) fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BINARY.get_or_init(|| build().map_err(|e| format!("{e:#}")));
    built.as_deref().map_err(|e| anyhow!("building ottla: {e}"))
}

fn build() -> Result<PathBuf> {
    let place = place();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(&place.workspace)
        .args(["build", "--quiet", "-p", "server", "--bin", "ottla", "--locked"]);
    command.arg("--profile").arg(&place.profile).arg("--target-dir").arg(&place.target);
    if let Some(triple) = &place.triple {
        command.arg("--target").arg(triple);
    }
    // Cargo's notes go to the terminal; stdout carries one JSON message a line and names the file that was made.
    command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("starting cargo")?;
    if !output.status.success() {
        bail!("cargo build failed, see above");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "ottla")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo named no executable")
}

/// Starts it and waits until it serves.
pub(crate) fn launch(home: &Path, spec: &Spec) -> Result<Ready> {
    let binary = binary()?;
    let mut command = Command::new(binary);
    // What the environment tells the tests is not meant for the broker.
    clear_settings(&mut command);
    let mut set = |name: &str, value: &str| {
        command.arg("--set").arg(format!("{name}={value}"));
    };
    set("log.dirs", data_dir(home).to_str().context("a data directory in UTF-8")?);
    set("metrics.listener", if spec.metrics { "127.0.0.1:0" } else { "off" });
    match &spec.listen {
        Listen::FreePort => set("listeners", "PLAINTEXT://127.0.0.1:0"),
        Listen::At(address) => set("listeners", &format!("PLAINTEXT://{address}")),
        Listen::Default => {}
    }
    for (name, value) in &spec.settings {
        set(name, value);
    }
    let (child, line) = serve(command, home)?;
    read_ready(&line, child)
}

/// Takes away every variable that a broker could read settings from.
pub(crate) fn clear_settings(command: &mut Command) {
    let is_read =
        |name: &str| name.starts_with("OTTLA_") || name.starts_with("KAFKA_") || name == "CLUSTER_ID";
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_read(&name.to_string_lossy())) {
        command.env_remove(name);
    }
}

fn log(home: &Path) -> Result<File> {
    let path = log_file(home);
    OpenOptions::new().create(true).append(true).open(&path).with_context(|| path.display().to_string())
}

/// Starts this command in `home`, which serves, and waits for the line that says so.
pub(crate) fn serve(mut command: Command, home: &Path) -> Result<(Child, String)> {
    command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log(home)?);
    let mut child = command.spawn().with_context(|| format!("starting {command:?}"))?;
    match ready_line(&mut child, home) {
        Ok(line) => Ok((child, line)),
        Err(e) => {
            // It may have ended already.
            let _ended = child.kill();
            let ended = child.wait()?;
            let said = std::fs::read_to_string(log_file(home)).unwrap_or_default();
            Err(e.context(format!("the broker did not become ready ({ended})\n{said}")))
        }
    }
}

/// Waits for the ready line. A thread goes on copying stdout into the log, so that the broker never blocks on it.
fn ready_line(child: &mut Child, home: &Path) -> Result<String> {
    let stdout = BufReader::new(child.stdout.take().context("stdout is piped")?);
    let mut log = log(home)?;
    let (said, ready) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            // A log that cannot be written fails the test elsewhere.
            let _written = writeln!(log, "{line}");
            if line.starts_with(READY) {
                // Nobody listens after the first one.
                let _heard = said.send(line);
            }
        }
    });
    match ready.recv_timeout(READY_LIMIT) {
        Ok(line) => Ok(line),
        Err(RecvTimeoutError::Timeout) => bail!("no `{READY}` line within {} s", READY_LIMIT.as_secs()),
        Err(RecvTimeoutError::Disconnected) => bail!("stdout closed without a `{READY}` line"),
    }
}

fn read_ready(line: &str, child: Child) -> Result<Ready> {
    let words = || line[READY.len()..].split_whitespace();
    let listeners: Vec<String> =
        words().filter_map(|word| word.strip_prefix("PLAINTEXT://")).map(str::to_owned).collect();
    let metrics = words().find_map(|word| word.strip_prefix("metrics=")).map(str::to_owned);
    let ready = Ready { child, listeners, metrics };
    if ready.listeners.is_empty() {
        let mut child = ready.child;
        child.kill()?;
        child.wait()?;
        bail!("the ready line names no PLAINTEXT:// address: {line}");
    }
    Ok(ready)
}
