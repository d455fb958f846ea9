//! NATS with JetStream as a further peer: built once from its Go module, one server with a file store.
//!
//! Invariants: the program is cached and appears there whole or not at all; settings are NATS's defaults: a stream's
//! files are flushed every two minutes, so that it stands beside relaxed brokers only.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Broker, Process, START_MAX, TempDir, free_port};
use crate::load::nats::Connection;

pub(crate) const VERSION: &str = "2.15.2";
const MODULE: &str = "github.com/nats-io/nats-server/v2";
const PROGRAM: &str = "nats-server";
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// One whose program is at hand.
#[derive(Debug, Clone)]
pub(crate) struct Nats {
    program: PathBuf,
}

impl Nats {
    /// Finds the program in the cache or builds it with Go.
    pub(crate) fn prepare(cache: &Path) -> Result<Self> {
        let home = cache.join(format!("bench-nats-{VERSION}"));
        if !home.exists() {
            build(&home)?;
        }
        Ok(Self { program: home.join(PROGRAM) })
    }

    pub(crate) fn start(&self, dir: TempDir) -> Result<Broker> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let log = dir.path().join("broker.log");
        let out = File::create(&log)?;
        let mut command = Command::new(&self.program);
        command.args(["--addr", "127.0.0.1", "--port", &address.port().to_string(), "--jetstream"]);
        command.arg("--store_dir").arg(dir.path().join("data"));
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let mut process = Process::spawn(&mut command, log)?;
        let deadline = Instant::now() + START_MAX;
        loop {
            process.check_alive()?;
            match Connection::open(address).and_then(|mut connection| connection.check_jetstream()) {
                Ok(()) => return Ok(Broker { process, address, dir }),
                Err(_) if Instant::now() < deadline => thread::sleep(ASK_AGAIN),
                Err(error) => bail!(error.context("NATS does not serve")),
            }
        }
    }
}

fn build(home: &Path) -> Result<()> {
    eprintln!("building NATS {VERSION} with Go");
    let partial = home.with_extension(format!("partial-{}", std::process::id()));
    fs::create_dir_all(&partial)?;
    let mut command = Command::new("go");
    command.args(["install", &format!("{MODULE}@v{VERSION}")]).env("GOBIN", &partial).stdin(Stdio::null());
    let output = command.output().context("cannot run go, which builds NATS");
    let output = output.and_then(|output| {
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "Go could not build NATS {VERSION}:\n{words}");
        Ok(())
    });
    if output.is_err() {
        fs::remove_dir_all(&partial)?;
    }
    output?;
    fs::rename(&partial, home).with_context(|| format!("moving the program to {}", home.display()))
}
