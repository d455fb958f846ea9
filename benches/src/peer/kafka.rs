//! Apache Kafka as the peer: fetched once with a pinned pom, run as one KRaft node with its own JVM flags.
//!
//! Invariants: jars are cached under the cache directory and appear there whole or not at all; settings are Kafka's
//! defaults but for the replication factors that a single node needs.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Broker, Launch, Process, START_MAX, TempDir, slow_flush};
use crate::client::wait_until_ready;
use crate::wire::request::Settings;

/// The version of `kafka-peer/pom.xml`.
pub(crate) const PINNED_VERSION: &str = "4.3.1";

/// What `kafka-run-class.sh` passes when nothing else is set.
const JVM_FLAGS: [&str; 6] = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];

/// The heap that `kafka-server-start.sh` gives, and that of the tools for measuring.
const BROKER_HEAP: [&str; 2] = ["-Xms1G", "-Xmx1G"];
const TOOL_HEAP: [&str; 1] = ["-Xmx512M"];

/// Sixteen bytes in Kafka's form of an id; the same for all runs, for each has its own directory.
const CLUSTER_ID: &str = "T3R0bGFCZW5jaE5vZGUwMQ";

/// A Kafka whose jars are at hand.
#[derive(Debug, Clone)]
pub(crate) struct Kafka {
    libs: PathBuf,
    /// Holds the pom and the logging configuration.
    peer_dir: PathBuf,
}

impl Kafka {
    /// Finds the jars in the cache or fetches them with Maven.
    pub(crate) fn prepare(version: &str, peer_dir: PathBuf, cache: &Path) -> Result<Self> {
        let home = cache.join(format!("bench-kafka-and-tools-{version}"));
        if !home.exists() {
            fetch(version, &peer_dir, &home)?;
        }
        Ok(Self { libs: home, peer_dir })
    }

    /// One of its tools, as its script runs it.
    pub(crate) fn tool(&self, class: &str, args: &[&str]) -> Command {
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
        let (program, args) = self.class(&[&TOOL_HEAP[..], &JVM_FLAGS].concat(), class, &args);
        let mut command = Command::new(program);
        command.args(args);
        command
    }

    /// How to run one of its classes.
    fn class(&self, flags: &[&str], class: &str, args: &[&OsStr]) -> (PathBuf, Vec<OsString>) {
        let java = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
        let logging =
            format!("-Dlog4j2.configurationFile={}", self.peer_dir.join("log4j2.properties").display());
        let mut all: Vec<OsString> = vec![logging.into(), "-cp".into(), self.libs.join("*").into()];
        all.extend(flags.iter().map(Into::into));
        all.push(class.into());
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        (java.unwrap_or_else(|| PathBuf::from("java")), all)
    }

    /// How one is started on a directory that is made ready for it here, with Kafka's defaults but for these settings.
    pub(crate) fn launch(&self, dir: &Path, changed: Settings<'_>) -> Result<Launch> {
        let [broker_port, controller_port] = free_ports()?;
        let properties = dir.join("server.properties");
        let mut text = settings(dir, broker_port, controller_port);
        text.extend(changed.iter().map(|(name, value)| format!("{name}={value}\n")));
        fs::write(&properties, text)?;
        self.format(&properties)?;
        let flags = [&BROKER_HEAP[..], &JVM_FLAGS].concat();
        let (program, args) = self.class(&flags, "kafka.Kafka", &[properties.as_os_str()]);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, broker_port));
        Ok(Launch { program, args, log: dir.join("broker.log"), address })
    }

    /// Starts one, each of whose flushes takes so much longer.
    pub(crate) fn start(
        &self,
        dir: TempDir,
        changed: Settings<'_>,
        flush_delay: Option<Duration>,
    ) -> Result<Broker> {
        let Launch { program, args, log, address } = self.launch(dir.path(), changed)?;
        let out = File::create(&log)?;
        let mut command = slow_flush::command(&program, flush_delay);
        command.args(args).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let mut process = Process::spawn_delayed(&mut command, log, flush_delay)?;
        wait_until_ready(address, Instant::now() + START_MAX, || process.check_alive())?;
        Ok(Broker { process, address, dir })
    }

    fn format(&self, properties: &Path) -> Result<()> {
        let args = ["format", "--standalone", "-t", CLUSTER_ID, "-c"].map(OsStr::new);
        let args = [&args[..], &[properties.as_os_str()]].concat();
        let (program, args) = self.class(&[], "kafka.tools.StorageTool", &args);
        let output = Command::new(program).args(args).output().context("cannot run java")?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "Kafka's storage tool failed: {words}");
        Ok(())
    }
}

fn settings(dir: &Path, broker_port: u16, controller_port: u16) -> String {
    let listeners = format!("PLAINTEXT://127.0.0.1:{broker_port},CONTROLLER://127.0.0.1:{controller_port}");
    let log_dir = dir.join("data");
    [
        "process.roles=broker,controller",
        "node.id=1",
        &format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}"),
        &format!("listeners={listeners}"),
        &format!("advertised.listeners={listeners}"),
        "controller.listener.names=CONTROLLER",
        "inter.broker.listener.name=PLAINTEXT",
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        &format!("log.dirs={}", log_dir.display()),
        "offsets.topic.replication.factor=1",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.min.isr=1",
        "share.coordinator.state.topic.replication.factor=1",
        "share.coordinator.state.topic.min.isr=1",
        "",
    ]
    .join("\n")
}

/// Kafka must be told its ports. Both are held until both are known, so that they differ.
fn free_ports() -> Result<[u16; 2]> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok([first.local_addr()?.port(), second.local_addr()?.port()])
}

fn fetch(version: &str, peer_dir: &Path, home: &Path) -> Result<()> {
    eprintln!("fetching Apache Kafka {version} with Maven");
    let partial = home.with_extension(format!("partial-{}", std::process::id()));
    fs::create_dir_all(&partial)?;
    let mut command = Command::new("mvn");
    command.args(["-q", "-B", "-f"]).arg(peer_dir.join("pom.xml"));
    command.arg(format!("-Dkafka.version={version}"));
    command.arg(format!("-DoutputDirectory={}", partial.display()));
    command.arg("dependency:copy-dependencies").stdin(Stdio::null());
    // Standard output belongs to the tables.
    let output = command.output().context("cannot run mvn, which fetches Apache Kafka")?;
    let words = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        fs::remove_dir_all(&partial)?;
    }
    ensure!(output.status.success(), "Maven could not fetch Apache Kafka {version}:\n{words}");
    fs::rename(&partial, home).with_context(|| format!("moving the jars to {}", home.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_version_is_the_poms() {
        let pom = include_str!("../../kafka-peer/pom.xml");
        assert!(pom.contains(&format!("<kafka.version>{PINNED_VERSION}</kafka.version>")));
    }

    #[test]
    fn free_ports_differ() {
        let [first, second] = free_ports().unwrap();
        assert_ne!(first, second);
    }
}
