//! What people install and start: the packages, the unit, the container's file, and the environment of Apache Kafka's image.

mod container;
mod contents;
mod environment;
mod installed;
mod packages;
mod supervised;
mod unit;
mod version;

use crate::harness::{Need, Scenario, Stage, ottla, program};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario =
        |name: &str, needs: &[Need], play| Scenario::of_ottla(&format!("packaging::{name}"), needs, play);
    vec![
        scenario("version", &[], version::names_its_source),
        scenario("version_without_git", &[], version::without_git),
        scenario("supervisor_is_told", &[], supervised::is_told),
        scenario("health", &[], supervised::health),
        scenario("environment_of_one_kafka_node", &[Need::Python], environment::one_node),
        scenario("environment_of_the_jvm_is_told", &[Need::Python], environment::of_the_jvm),
        scenario("packages", &[Need::Packaging, Need::Python], packages::made_and_run),
        scenario("installation", &[Need::Packaging], installed::and_removed),
        scenario("unit", &[Need::Systemd], unit::is_sound),
        scenario("unit_allows_every_system_call", &[Need::Systemd], unit::system_calls),
        scenario("container", &[Need::Python], container::as_written),
    ]
}

/// How long a broker may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A broker that was started by a command of the scenario's own. Dropping it kills it.
struct Served {
    child: Child,
    line: String,
}

impl Served {
    fn start(command: Command, home: &Path) -> Result<Self> {
        let (child, line) = ottla::serve(command, home)?;
        Ok(Self { child, line })
    }

    /// `host:port` of the first listener of this name.
    fn listener(&self, name: &str) -> Result<&str> {
        let prefix = format!("{name}://");
        let found = self.line.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
        found.with_context(|| format!("no {name} in {}", self.line))
    }

    fn metrics(&self) -> Result<&str> {
        let page = self.line.split_whitespace().find_map(|word| word.strip_prefix("metrics=http://"));
        page.and_then(|page| page.split('/').next()).with_context(|| format!("no metrics in {}", self.line))
    }

    /// SIGTERM, which must end it as a success.
    fn stop(mut self) -> Result<()> {
        program::terminate(&self.child)?;
        ensure!(program::wait(&mut self.child, STOP_LIMIT)? == Some(true), "SIGTERM did not end it well");
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// `ottla` without settings from the environment.
fn ottla(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    ottla::clear_settings(&mut command);
    command.env_remove("RUST_LOG");
    command
}

/// An empty folder of the scenario.
fn folder(stage: &Stage, name: &str) -> Result<PathBuf> {
    let folder = stage.folder().join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A path as a word of a command.
fn word(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
