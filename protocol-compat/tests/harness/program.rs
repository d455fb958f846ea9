//! Runs other programs: within a time limit, their output kept, never left behind.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a waiting loop looks again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Both streams, for a message.
    pub(crate) fn everything(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout.trim_end(), self.stderr.trim_end())
    }
}

/// Runs `command` to its end, feeding it `input`. A program that is not done within `limit` is killed and its output so far is
/// part of the error.
pub(crate) fn run(command: &mut Command, input: &str, limit: Duration) -> Result<Ran> {
    let shown = format!("{command:?}");
    let shown: String = shown.chars().take(400).collect();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("starting {shown}"))?;
    let stdout = gather(child.stdout.take().context("stdout is piped")?);
    let stderr = gather(child.stderr.take().context("stderr is piped")?);
    // A program that ends without reading its input breaks this pipe, which is no fault of the test.
    let _unread = child.stdin.take().context("stdin is piped")?.write_all(input.as_bytes());

    let ended = wait(&mut child, limit)?;
    if ended.is_none() {
        child.kill().context("ending a program that ran out of time")?;
        child.wait()?;
    }
    let ran = Ran {
        success: ended == Some(true),
        stdout: stdout.join().expect("the reader of stdout does not panic"),
        stderr: stderr.join().expect("the reader of stderr does not panic"),
    };
    match ended {
        Some(_) => Ok(ran),
        None => bail!("not done within {} s: {shown}\n{}", limit.as_secs(), ran.everything()),
    }
}

/// As [`run`], and anything but success is an error that shows the output.
pub(crate) fn run_well(command: &mut Command, input: &str, limit: Duration) -> Result<Ran> {
    let ran = run(command, input, limit)?;
    if !ran.success {
        bail!("{:?} failed\n{}", command.get_program(), ran.everything());
    }
    Ok(ran)
}

/// What a program prints when it is asked something short, or nothing if it cannot be asked.
pub(crate) fn said(command: &mut Command) -> Option<String> {
    let ran = run(command, "", Duration::from_secs(60)).ok()?;
    ran.success.then(|| ran.stdout.trim().to_owned())
}

/// Waits for the end of `child`: whether it was a success, or nothing when `limit` came first.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<bool>> {
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Sends SIGTERM.
pub(crate) fn terminate(child: &Child) -> Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
    kill_process(pid, Signal::TERM).context("sending SIGTERM")
}

fn gather(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _cut_short = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
