//! A disk that flushes slowly, as many do: strace holds each flush of a broker back for a while.
//!
//! Only flushes are stopped (`--seccomp-bpf`), so that all other calls cost what they cost. That is not so for a thread
//! that has made none of the calls that are traced: strace stops it at each call of any kind, a hundred microseconds each,
//! until it has. So what every thread begins with is traced too, without a delay.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

const STRACE: &str = "strace";
const FLUSHES: &str = "fsync,fdatasync,syncfs";
/// glibc makes them when a thread begins.
const BEGINNINGS: &str = "set_robust_list,rseq";
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const BEGIN_MAX: Duration = Duration::from_secs(5);

/// The command that runs a program, each of whose flushes takes so much longer.
pub(super) fn command(program: &Path, delay: Option<Duration>) -> Command {
    let Some(delay) = delay else { return Command::new(program) };
    let mut command = Command::new(STRACE);
    command.args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e"]);
    command.arg(format!("trace={FLUSHES},{BEGINNINGS}"));
    command.arg("-e").arg(format!("inject={FLUSHES}:delay_enter={}", delay.as_micros()));
    command.arg("--").arg(program);
    command
}

/// The program that strace, this process, has started. Before that it tries with children of its own what it may do.
pub(super) fn program_of(strace: u32) -> Result<u32> {
    let path = format!("/proc/{strace}/task/{strace}/children");
    let deadline = Instant::now() + BEGIN_MAX;
    loop {
        let children = fs::read_to_string(&path).context("strace has ended: is it installed?")?;
        let is_program = |child: &&str| {
            fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.trim_end() != STRACE)
        };
        if let Some(child) = children.split_ascii_whitespace().find(is_program) {
            return child.parse().context("an odd process id");
        }
        ensure!(Instant::now() < deadline, "strace starts nothing");
        thread::sleep(LOOK_AGAIN);
    }
}
