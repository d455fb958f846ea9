//! Apache Kafka in the broker's place: one node, formatted once in its home, with the settings that Ottla has by
//! default where Kafka's own differ for one machine.

use crate::harness::broker::{Listen, Ready, Spec, data_dir, log_file};
use crate::harness::{java, program, wire};
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A start after a kill takes Kafka 12 seconds on a quiet machine.
const READY_LIMIT: Duration = Duration::from_secs(90);
const FORMAT_LIMIT: Duration = Duration::from_secs(60);
/// Any 16 bytes in base64: each home is its own cluster and nobody compares them.
const CLUSTER_ID: &str = "b3R0bGEtcGVlci1zdWl0ZQ";
/// One node cannot replicate internal topics, and nobody wants to wait for a first rebalance.
const ONE_NODE: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
";

/// Starts it and waits until it answers.
pub(crate) fn launch(home: &Path, spec: &Spec) -> Result<Ready> {
    let address = match &spec.listen {
        Listen::FreePort => free_address()?,
        Listen::At(address) => address.clone(),
        Listen::Default => "localhost:9092".to_owned(),
    };
    let properties = home.join("server.properties");
    fs::write(&properties, settings(home, spec, &address)?)?;
    let kit = java::kit()?;
    if !data_dir(home).join("meta.properties").exists() {
        let mut format = kit.tool("kafka.tools.StorageTool");
        format.args(["format", "--standalone", "-t", CLUSTER_ID, "-c"]).arg(&properties);
        program::run_well(&mut format, "", FORMAT_LIMIT)?;
    }
    let log = OpenOptions::new().create(true).append(true).open(log_file(home))?;
    // It resolves names that the suites ask for, and is not to wait for a server of names.
    let hosts = home.join("hosts");
    fs::write(
        &hosts,
        format!("127.0.0.1 localhost {}\n", rustix::system::uname().nodename().to_string_lossy()),
    )?;
    let only_these = format!("-Djdk.net.hosts.file={}", hosts.display());
    let mut command = kit.command(&["-Xms512m", "-Xmx1g", &only_these], "kafka.Kafka");
    command.arg(&properties).current_dir(home).stdin(Stdio::null());
    command.stdout(log.try_clone()?).stderr(log);
    let mut child = command.spawn().context("starting Apache Kafka")?;
    if let Err(e) = until_it_answers(&mut child, &address) {
        // It may have ended already.
        let _ended = child.kill();
        child.wait()?;
        return Err(e);
    }
    Ok(Ready { child, listeners: vec![address], metrics: None })
}

fn settings(home: &Path, spec: &Spec, address: &str) -> Result<String> {
    // A stopped broker's own address is free, too.
    let mut controller = free_address()?;
    while controller == address {
        controller = free_address()?;
    }
    let data = data_dir(home);
    let mut text = ONE_NODE.to_owned();
    writeln!(text, "log.dirs={}", data.display())?;
    writeln!(text, "listeners=PLAINTEXT://{address},CONTROLLER://{controller}")?;
    writeln!(text, "advertised.listeners=PLAINTEXT://{address},CONTROLLER://{controller}")?;
    writeln!(text, "controller.quorum.bootstrap.servers={controller}")?;
    for (name, value) in &spec.settings {
        writeln!(text, "{name}={value}")?;
    }
    Ok(text)
}

/// A free port, given back at once: Kafka cannot say which port it got, so it must be told one.
fn free_address() -> Result<String> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    Ok(taken.local_addr()?.to_string())
}

fn until_it_answers(child: &mut Child, address: &str) -> Result<()> {
    let until = Instant::now() + READY_LIMIT;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            bail!("Apache Kafka ended before it served: {status}");
        }
        if wire::answers(address).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("Apache Kafka does not answer within {} s", READY_LIMIT.as_secs())
}
