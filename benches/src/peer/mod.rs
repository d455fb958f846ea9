//! Brokers under test: started on loopback with a fresh data directory, watched, and ended with their data.
//!
//! Invariants: every started process is known to `reaper` and is killed when its `Broker` is dropped, on panic too;
//! nothing is ended that was not started here. A broker that dies takes its last words into the error.

pub(crate) mod kafka;
pub(crate) mod nats;
pub(crate) mod ottla;
pub(crate) mod reaper;
mod slow_flush;

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// A broker that does not serve by then has failed to start.
pub(crate) const START_MAX: Duration = Duration::from_secs(300);
/// How long a dying process may take to be gone, and how often it is looked for.
const DYING_MAX: Duration = Duration::from_secs(2);
const DYING_CHECK: Duration = Duration::from_millis(50);
/// How much of a dead broker's log is worth showing.
const LAST_WORDS_BYTES: usize = 2_000;

/// Who takes part in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Kafka,
    Nats,
    OttlaRelaxed,
    OttlaDurable,
}

impl Contender {
    /// Part of file names, and the key in machine-readable results.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Nats => "nats",
            Self::OttlaRelaxed => "ottla-relaxed",
            Self::OttlaDurable => "ottla-durable",
        }
    }

    /// Whether it is here to be held to goals, rather than to be compared with.
    pub(crate) fn is_judged(self) -> bool {
        matches!(self, Self::OttlaRelaxed | Self::OttlaDurable)
    }
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// The broker, where the child is strace that holds its flushes back.
    traced: Option<u32>,
    log: PathBuf,
}

impl Process {
    /// Starts a broker whose words go to `log`.
    pub(crate) fn spawn(command: &mut Command, log: PathBuf) -> Result<Self> {
        Ok(Self { child: reaper::spawn(command)?, traced: None, log })
    }

    /// The same of a command of `slow_flush`.
    fn spawn_delayed(command: &mut Command, log: PathBuf, delay: Option<Duration>) -> Result<Self> {
        let mut process = Self::spawn(command, log)?;
        if delay.is_some() {
            let traced = slow_flush::program_of(process.child.id())?;
            reaper::watch(traced);
            process.traced = Some(traced);
        }
        Ok(process)
    }

    /// Its standard output, if that is a pipe; once.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.traced.unwrap_or(self.child.id())
    }

    /// Ends the broker as a crash does, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        match self.traced.take() {
            // strace ends with it.
            Some(traced) => reaper::kill(traced),
            None => self.child.kill()?,
        }
        reaper::forget(self.child.id());
        self.child.wait()?;
        Ok(())
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
        // It fails only for a process that has ended already.
        let _ = self.kill();
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
    stays: AtomicBool,
}

impl TempDir {
    pub(crate) fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self { path, stays: AtomicBool::new(false) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// It goes with the directory that it lies in instead.
    pub(crate) fn stay(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if self.stays.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// How a broker is started, at a fixed address: again after a crash, or with the clock running.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    log: PathBuf,
    pub address: SocketAddr,
}

impl Launch {
    /// Starts it. Whether it serves is the caller's question.
    pub(crate) fn start(&self) -> Result<Process> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Process::spawn(&mut command, self.log.clone())
    }
}

/// A port of loopback that nobody has right now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A serving broker. Fields are dropped in their order: the process before its data.
#[derive(Debug)]
pub(crate) struct Broker {
    pub process: Process,
    pub address: SocketAddr,
    pub dir: TempDir,
}
