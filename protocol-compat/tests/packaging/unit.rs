//! systemd's own judgement of the unit, and that its fence lets through every system call that the broker makes.

use super::{folder, word};
use crate::harness::place::place;
use crate::harness::{Stage, ottla as built, program};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// systemd's measure of what a service could do if it were taken over: 10 is everything, and below 2 it is called well kept.
const EXPOSURE_MAX: &str = "20";

fn source() -> PathBuf {
    place().workspace.join("server/packaging/ottla.service")
}

pub(super) fn is_sound(stage: &Stage) -> Result<()> {
    let text = fs::read_to_string(source())?;
    ensure!(text.contains("\nType=notify\n") && text.contains("\nRestart=on-failure\n"), "{text}");
    ensure!(text.contains("\nExecStart=/usr/bin/ottla --config /etc/ottla/server.properties\n"), "{text}");
    // It is verified for a machine that has the binary.
    let unit = folder(stage, "units")?.join("ottla.service");
    let binary = word(built::binary()?)?;
    fs::write(&unit, text.replace("/usr/bin/ottla", binary).replace("man:ottla(1)", "file:/dev/null"))?;
    let ran = program::run_well(
        Command::new("systemd-analyze").args(["verify", "--man=no", word(&unit)?]),
        "",
        stage.time_left()?,
    )?;
    // What other units of this machine do is not ours.
    let ours = ran.everything().lines().filter(|line| line.contains("ottla")).collect::<Vec<_>>().join("\n");
    ensure!(ours.is_empty(), "{ours}");
    let wrong = folder(stage, "wrong")?.join("ottla.service");
    fs::write(&wrong, fs::read_to_string(&unit)?.replace("ProtectHome=yes", "ProtectHome=perhaps"))?;
    let ran = program::run(
        Command::new("systemd-analyze").args(["verify", "--man=no", word(&wrong)?]),
        "",
        stage.time_left()?,
    )?;
    ensure!(ran.everything().contains("protect home"), "what is wrong is found: {}", ran.everything());

    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let words = ["security", "--offline=true", "--no-pager", &threshold, word(&unit)?];
    program::run_well(Command::new("systemd-analyze").args(words), "", stage.time_left()?).map(drop)
}

/// Every call of a broker that starts, is written to, read from and stopped is among those that the unit allows.
pub(super) fn system_calls(stage: &Stage) -> Result<()> {
    let home = folder(stage, "home")?;
    symlink(built::binary()?, home.join("ottla"))?;
    let counts = home.join("calls");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-c", "-U", "name", "-o", word(&counts)?, word(&home.join("ottla"))?]);
    built::clear_settings(&mut traced);
    for set in ["log.dirs=data", "listeners=PLAINTEXT://127.0.0.1:0", "metrics.listener=127.0.0.1:0"] {
        traced.args(["--set", set]);
    }
    // The tracer hands signals on when it is in a group of its own with what it traces; the broker is ended by its own id.
    let (mut tracer, line) = built::serve(traced, &home)?;
    let worked = work(stage, &line);
    let ended = end(tracer.id());
    let waited = program::wait(&mut tracer, super::STOP_LIMIT);
    if !matches!(waited, Ok(Some(_))) {
        tracer.kill()?;
        tracer.wait()?;
    }
    worked.and(ended)?;
    ensure!(waited? == Some(true), "the broker did not end well");

    // The names stand between a heading, two lines and a sum.
    let table = fs::read_to_string(&counts)?;
    let is_a_call = |word: &&str| !word.starts_with('-') && !["syscall", "total"].contains(word);
    let made: BTreeSet<String> = table.split_whitespace().filter(is_a_call).map(str::to_owned).collect();
    ensure!(made.contains("sendfile") && made.contains("epoll_wait"), "{made:?}");
    let allowed = allowed(stage)?;
    let refused: Vec<_> = made.difference(&allowed).collect();
    ensure!(refused.is_empty(), "the unit refuses {refused:?}");
    ensure!(!allowed.contains("mount") && !allowed.contains("reboot"), "the unit allows everything");
    Ok(())
}

fn work(stage: &Stage, line: &str) -> Result<()> {
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("PLAINTEXT://"));
    let address = address.with_context(|| line.to_owned())?;
    let ask = |words: &[&str], input: &str| {
        let mut command = super::ottla(built::binary()?);
        stage.program(command.args(words).args(["-b", address]).stdin(Stdio::piped()), input)
    };
    ask(&["topic", "create", "suite", "--partitions", "3"], "")?;
    // The larger one leaves from its file, the smaller one does not.
    ask(&["produce", "suite"], &format!("one\n{}\n", "two".repeat(50_000)))?;
    let read = ask(&["consume", "suite", "--from-beginning", "--exit-at-end"], "")?;
    ensure!(read.lines().count() == 2, "{read}");
    ask(&["topic", "delete", "suite"], "").map(drop)
}

/// SIGTERM for the process that this tracer has started.
fn end(tracer: u32) -> Result<()> {
    let children = fs::read_to_string(format!("/proc/{tracer}/task/{tracer}/children"))?;
    let pid = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
    let pid = pid.and_then(rustix::process::Pid::from_raw).context("the broker's id")?;
    Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
}

/// The set that the unit names, with the sets in it.
fn allowed(stage: &Stage) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(source())?;
    let named = text.lines().find_map(|line| line.strip_prefix("SystemCallFilter="));
    let mut pending: Vec<String> =
        vec![named.context("the unit has a filter")?.to_owned(), "@default".to_owned()];
    let (mut calls, mut seen) = (BTreeSet::new(), BTreeSet::new());
    while let Some(set) = pending.pop() {
        if !seen.insert(set.clone()) {
            continue;
        }
        let mut ask = Command::new("systemd-analyze");
        let listed = stage.program(ask.args(["syscall-filter", "--no-pager", &set]), "")?;
        let words = listed.lines().filter(|line| line.starts_with(' ')).map(str::trim);
        for word in words.filter(|word| !word.starts_with('#')) {
            match word.starts_with('@') {
                true => pending.push(word.to_owned()),
                false => drop(calls.insert(word.to_owned())),
            }
        }
    }
    Ok(calls)
}
