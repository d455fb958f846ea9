//! Node clients: the packages that the committed `package.json` pins, installed once beside a copy of the programs,
//! because Node looks for packages beside the program that asks for them.

use crate::harness::{cache, place, program};
use anyhow::{Result, anyhow};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const RELEASE_MIN: u32 = 18;
const SET_UP_LIMIT: Duration = Duration::from_secs(600);
const PROGRAMS: [&str; 3] = ["suite.js", "kafkajs.js", "members.js"];

/// What is missing for Node, in words for a person.
pub(crate) fn missing() -> Option<String> {
    let version = program::said(Command::new("node").arg("--version"));
    let major = version.and_then(|said| said.strip_prefix('v')?.split('.').next()?.parse::<u32>().ok());
    let has_npm = program::said(Command::new("npm").arg("--version")).is_some();
    let is_enough = major.is_some_and(|major| major >= RELEASE_MIN) && has_npm;
    (!is_enough).then(|| format!("node of release {RELEASE_MIN} or later, with npm"))
}

/// A command that runs kafkajs' program.
pub(crate) fn command() -> Result<Command> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| install().map_err(|e| format!("{e:#}")));
    let folder = folder.as_ref().map_err(|e| anyhow!("{e}"))?;
    let mut command = Command::new("node");
    command.arg(folder.join("kafkajs.js"));
    Ok(command)
}

/// A command that holds Grafana's dashboards against Grafana's own types.
pub(crate) fn schema_check() -> Result<Command> {
    let folder = install_from("observing/schema", &["check.js"])?;
    let mut command = Command::new("node");
    command.arg(folder.join("check.js"));
    Ok(command)
}

/// A command that draws Grafana's dashboards.
pub(crate) fn drawing() -> Result<Command> {
    let folder =
        install_from("observing/drawing", &["draw.js", "page.js", "graph.js", "parts.js", "page.css"])?;
    let mut command = Command::new("node");
    command.arg(folder.join("draw.js"));
    Ok(command)
}

fn install() -> Result<PathBuf> {
    install_from("node", &PROGRAMS)
}

fn install_from(source: &str, programs: &[&str]) -> Result<PathBuf> {
    let read = |name: &str| fs::read_to_string(place::source(source).join(name));
    let package = read("package.json")?;
    let names = programs;
    let programs = programs.iter().map(|name| read(name)).collect::<Result<Vec<_>, _>>()?;
    let version = program::said(Command::new("node").arg("--version")).unwrap_or_default();
    let mut ingredients = vec![package.as_str(), version.as_str()];
    ingredients.extend(programs.iter().map(String::as_str));
    cache::once("node", &ingredients, |folder| {
        fs::write(folder.join("package.json"), &package)?;
        for (name, text) in names.iter().zip(&programs) {
            fs::write(folder.join(name), text)?;
        }
        let mut npm = Command::new("npm");
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]);
        // What Grafana's types name as peers is needed to run them, and nobody does.
        npm.arg("--legacy-peer-deps");
        program::run_well(npm.current_dir(folder), "", SET_UP_LIMIT).map(drop)
    })
}
