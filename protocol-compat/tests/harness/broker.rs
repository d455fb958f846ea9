//! A broker as a process: started on a port of its own with a data directory of its own, stopped politely, killed
//! hard, started again on the same ports and data. Dropping it kills it, by its process id.

use crate::harness::place::Judged;
use crate::harness::{kafka, ottla, program};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a broker may take from SIGTERM to its end; the promise is "within seconds".
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Apache Kafka hands over leadership and syncs its logs first.
const KAFKA_STOP_LIMIT: Duration = Duration::from_secs(30);

/// Where a broker is told to listen.
#[derive(Debug, Clone)]
pub(crate) enum Listen {
    /// On a port of 127.0.0.1 that nobody else has.
    FreePort,
    /// On this `host:port`.
    At(String),
    /// It is told nothing, so that its default must hold: localhost:9092.
    Default,
}

/// How a broker is started.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub listen: Listen,
    /// Settings by name, as the configuration file has them.
    pub settings: Vec<(String, String)>,
    /// Whether it serves metrics (Apache Kafka does not).
    pub metrics: bool,
}

impl Default for Spec {
    fn default() -> Self {
        Self { listen: Listen::FreePort, settings: Vec::new(), metrics: false }
    }
}

impl Spec {
    /// With one more setting.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What a broker said when it was ready.
#[derive(Debug)]
pub(crate) struct Ready {
    pub child: Child,
    /// `host:port` of each listener, in the order said.
    pub listeners: Vec<String>,
    /// Address of the metrics page.
    pub metrics: Option<String>,
}

/// A running broker, or one between a stop and the next start.
#[derive(Debug)]
pub(crate) struct Broker {
    kind: Judged,
    spec: Spec,
    home: PathBuf,
    ready: Ready,
}

impl Broker {
    /// Starts a broker whose files all lie in `home`.
    pub(crate) fn start(kind: Judged, home: &Path, spec: Spec) -> Result<Self> {
        fs::create_dir_all(home)?;
        let ready = launch(kind, home, &spec)?;
        Ok(Self { kind, spec, home: home.to_owned(), ready })
    }

    /// Whose broker it is.
    pub(crate) fn kind(&self) -> Judged {
        self.kind
    }

    /// The address for a client's only setting.
    pub(crate) fn bootstrap(&self) -> &str {
        match self.spec.listen {
            Listen::Default => "localhost:9092",
            _ => &self.ready.listeners[0],
        }
    }

    /// `host:port` of each listener.
    pub(crate) fn listeners(&self) -> &[String] {
        &self.ready.listeners
    }

    /// Address of the metrics page.
    pub(crate) fn metrics(&self) -> Result<&str> {
        self.ready.metrics.as_deref().context("the ready line names no metrics=…")
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        data_dir(&self.home)
    }

    /// The first segment's file of a partition, with this extension.
    pub(crate) fn segment(&self, topic: &str, partition: i32, extension: &str) -> PathBuf {
        self.data().join(format!("{topic}-{partition}")).join(format!("{:020}.{extension}", 0))
    }

    /// Everything the broker has logged since its first start.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(log_file(&self.home))?).into_owned())
    }

    /// Whether the process that was started last is still there.
    pub(crate) fn is_alive(&mut self) -> Result<bool> {
        Ok(self.ready.child.try_wait()?.is_none())
    }

    /// The most memory that the process has ever held, in KiB.
    pub(crate) fn memory_peak_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.ready.child.id()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in status")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// SIGTERM, and the wait for its end. It must come soon and, for Ottla, as a success.
    pub(crate) fn stop(&mut self) -> Result<Duration> {
        let asked = Instant::now();
        program::terminate(&self.ready.child)?;
        let limit = match self.kind {
            Judged::Ottla => STOP_LIMIT,
            Judged::Kafka => KAFKA_STOP_LIMIT,
        };
        match program::wait(&mut self.ready.child, limit)? {
            None => bail!("still running {} s after SIGTERM", limit.as_secs()),
            Some(false) if self.kind == Judged::Ottla => {
                bail!(
                    "SIGTERM must end the broker as a success, it ended with {:?}",
                    self.ready.child.wait()?
                )
            }
            Some(_) => Ok(asked.elapsed()),
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.ready.child.kill().context("sending SIGKILL")?;
        self.ready.child.wait()?;
        Ok(())
    }

    /// Starts it again on the ports it had, after [`Self::stop`] or [`Self::kill`].
    pub(crate) fn start_again(&mut self) -> Result<()> {
        if let Listen::FreePort = self.spec.listen {
            self.spec.listen = Listen::At(self.ready.listeners[0].clone());
        }
        self.ready = launch(self.kind, &self.home, &self.spec)?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ended = self.ready.child.kill();
        let _reaped = self.ready.child.wait();
    }
}

/// Where a broker with this home logs to.
pub(crate) fn log_file(home: &Path) -> PathBuf {
    home.join("broker.log")
}

/// Where a broker with this home keeps its data.
pub(crate) fn data_dir(home: &Path) -> PathBuf {
    home.join("data")
}

fn launch(kind: Judged, home: &Path, spec: &Spec) -> Result<Ready> {
    match kind {
        Judged::Ottla => ottla::launch(home, spec),
        Judged::Kafka => kafka::launch(home, spec),
    }
}
