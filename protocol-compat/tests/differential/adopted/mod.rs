//! `ottla log adopt` of what a real Apache Kafka wrote: after it was stopped, and after it was killed. What Kafka served is
//! served, clients go on where they were, and Kafka's directory is what it was.

mod world;

use self::world::{Kept, World};
use super::now_ms;
use super::peer::Peer;
use crate::harness::place::Judged;
use crate::harness::{Broker, Spec, Stage, ottla};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub(super) fn after_a_stop(stage: &Stage) -> Result<()> {
    play(stage, Broker::stop_of)
}

pub(super) fn after_a_kill(stage: &Stage) -> Result<()> {
    play(stage, Broker::kill_of)
}

/// How Kafka ends.
trait Ending {
    fn stop_of(&mut self) -> Result<bool>;
    fn kill_of(&mut self) -> Result<bool>;
}

impl Ending for Broker {
    fn stop_of(&mut self) -> Result<bool> {
        self.stop().map(|_| true)
    }

    fn kill_of(&mut self) -> Result<bool> {
        self.kill().map(|()| false)
    }
}

fn play(stage: &Stage, end: fn(&mut Broker) -> Result<bool>) -> Result<()> {
    // Not the number that is the default: the count is part of where a group's offsets are.
    let spec = Spec::default().set("offsets.topic.num.partitions", "7");
    let mut kafka = stage.broker_of(Judged::Kafka, spec)?;
    let mut peer = Peer::connect(kafka.bootstrap())?;
    let world = World::fill(stage, &mut peer, now_ms())?;
    let kept = Kept::of(&mut peer)?;
    let from = kafka.data();
    let to = stage.folder().join("adopted");

    let refused = adopt(&from, &to, &[])?;
    ensure!(refused.0 == 2 && refused.2.contains("in use"), "of a running Kafka: {refused:?}");
    let is_clean = end(&mut kafka)?;
    let before = everything(&from)?;
    let looked = adopt(&from, &to, &["--dry-run"])?;
    ensure!(looked.0 == 0 && !to.exists(), "{looked:?}");
    let adopted = adopt(&from, &to, &[])?;
    ensure!(adopted.0 == 0, "{adopted:?}");
    ensure!(adopted.1.contains("was not closed in order") != is_clean, "{adopted:?}");
    ensure!(adopted.1.contains("message.max.bytes=2000000"), "a broker's own setting is named: {adopted:?}");
    ensure!(adopted.1.contains("was open and is aborted"), "{adopted:?}");
    ensure!(!adopted.1.contains("damage"), "{adopted:?}");
    ensure!(before == everything(&from)?, "Kafka's directory is not what it was");
    let again = adopt(&from, &to, &[])?;
    ensure!(again.0 == 2 && again.2.contains("not empty"), "{again:?}");

    let mut ottla = stage.broker_of(Judged::Ottla, Spec::default())?;
    ottla.stop()?;
    fs::remove_dir_all(ottla.data())?;
    fs::rename(&to, ottla.data())?;
    stage.again(&mut ottla)?;
    let mut peer = Peer::connect(ottla.bootstrap())?;
    kept.is_met_by(&Kept::of(&mut peer)?, is_clean)?;
    world.goes_on(stage, &mut peer)
}

/// The exit code and what was said.
fn adopt(from: &Path, to: &Path, more: &[&str]) -> Result<(i32, String, String)> {
    let mut command = Command::new(ottla::binary()?);
    command.env_remove("RUST_LOG").args(["log", "adopt", "--from"]).arg(from).arg("--to").arg(to).args(more);
    let Output { status, stdout, stderr } = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((status.code().context("it ended by itself")?, text(&stdout), text(&stderr)))
}

/// Every name below, with when it was written to last, its length and the checksum of its content.
fn everything(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let meta = fs::metadata(&path)?;
        if meta.is_dir() {
            found.extend(everything(&path)?);
        }
        let sum = if meta.is_dir() { 0 } else { crc32c::crc32c(&fs::read(&path)?) };
        found.push(format!("{} {:?} {} {sum}", path.display(), meta.modified()?, meta.len()));
    }
    found.sort();
    Ok(found)
}
