//! Brokers under test: started on loopback with a fresh data directory, watched, and ended with their data.
//!
//! Invariants: every started process is known to `reaper` and is killed when its `Broker` is dropped, on panic too;
//! nothing is ended that was not started here. A broker that dies takes its last words into the error.

pub(crate) mod kafka;
pub(crate) mod ottla;
pub(crate) mod reaper;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// A broker that does not serve by then has failed to start.
pub(crate) const START_MAX: Duration = Duration::from_secs(60);
/// How long a dying process may take to be gone, and how often it is looked for.
const DYING_MAX: Duration = Duration::from_secs(2);
const DYING_CHECK: Duration = Duration::from_millis(50);
/// How much of a dead broker's log is worth showing.
const LAST_WORDS_BYTES: usize = 2_000;

/// Who takes part in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Kafka,
    OttlaRelaxed,
    OttlaDurable,
}

impl Contender {
    /// Part of file names, and the key in machine-readable results.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::OttlaRelaxed => "ottla-relaxed",
            Self::OttlaDurable => "ottla-durable",
        }
    }
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a broker whose words go to `log`.
    pub(crate) fn spawn(command: &mut Command, log: PathBuf) -> Result<Self> {
        Ok(Self { child: reaper::spawn(command)?, log })
    }

    /// Its standard output, if that is a pipe; once.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails with its last words if the process has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the broker has ended ({status}); its last words:\n{}", last_words(&self.log));
        }
        Ok(())
    }

    /// As `check_alive`, after a cut connection: the kernel cuts it some moments before the process has ended.
    pub(crate) fn check_survived(&mut self) -> Result<()> {
        let deadline = Instant::now() + DYING_MAX;
        while Instant::now() < deadline {
            self.check_alive()?;
            thread::sleep(DYING_CHECK);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already. The watch ends first: once waited for, the
        // number may belong to somebody else.
        let _ = self.child.kill();
        reaper::forget(self.child.id());
        let _ = self.child.wait();
    }
}

fn last_words(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LAST_WORDS_BYTES)..]).into_owned()
}

/// A directory that goes with its owner.
#[derive(Debug)]
pub(crate) struct TempDir {
    path: PathBuf,
}

impl TempDir {
    pub(crate) fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// A serving broker. Fields are dropped in their order: the process before its data.
#[derive(Debug)]
pub(crate) struct Broker {
    pub process: Process,
    pub address: SocketAddr,
    pub dir: TempDir,
}
