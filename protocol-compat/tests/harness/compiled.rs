//! Clients in languages that are compiled: the Go program with its modules and the Rust program with its crates, each
//! built once, by the files that pin them, outside the workspace.

use crate::harness::{cache, place, program};
use anyhow::{Context, Result, anyhow};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// What the pinned franz-go asks for.
const GO_MIN: (u32, u32) = (1, 26);
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// What is missing for Go, in words for a person.
pub(crate) fn go_missing() -> Option<String> {
    let version = program::said(Command::new("go").args(["env", "GOVERSION"]));
    let version = version.and_then(|said| {
        let mut numbers = said.trim().strip_prefix("go")?.split('.').map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    let is_enough = version.is_some_and(|version| version >= GO_MIN);
    (!is_enough).then(|| format!("go of release {}.{} or later", GO_MIN.0, GO_MIN.1))
}

/// A command that runs franz-go's program.
pub(crate) fn go() -> Result<Command> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    command(&PROGRAM, || {
        let source = place::source("go");
        let folder = once("go", &source, &["go.mod", "go.sum"], &source, |folder| {
            let mut go = Command::new("go");
            // A toolchain is not downloaded: what the machine has is enough, or is said to be missing.
            go.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0").current_dir(&source);
            go.args(["build", "-mod=readonly", "-o"]).arg(folder.join("suite")).arg(".");
            program::run_well(&mut go, "", BUILD_LIMIT).map(drop)
        })?;
        Ok(folder.join("suite"))
    })
}

/// A command that runs rskafka's program.
pub(crate) fn rust() -> Result<Command> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let mut command = command(&PROGRAM, || {
        let source = place::source("rust");
        let folder = once("rust", &source, &["Cargo.toml", "Cargo.lock"], &source.join("src"), |folder| {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["build", "--quiet", "--locked"]).current_dir(&source);
            cargo.arg("--target-dir").arg(folder.join("target"));
            program::run_well(&mut cargo, "", BUILD_LIMIT)?;
            fs::copy(folder.join("target/debug/ottla-suite"), folder.join("suite"))?;
            Ok(fs::remove_dir_all(folder.join("target"))?)
        })?;
        Ok(folder.join("suite"))
    })?;
    command.env_remove("RUST_BACKTRACE");
    Ok(command)
}

fn command(
    program: &OnceLock<Result<PathBuf, String>>,
    build: impl FnOnce() -> Result<PathBuf>,
) -> Result<Command> {
    let built = program.get_or_init(|| build().map_err(|e| format!("{e:#}")));
    Ok(Command::new(built.as_ref().map_err(|e| anyhow!("{e}"))?))
}

/// The cache's folder for the `pins` in `source` and all source files in `folder`.
fn once(
    language: &str,
    source: &Path,
    pins: &[&str],
    folder: &Path,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let mut files: Vec<PathBuf> = pins.iter().map(|pin| source.join(pin)).collect();
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    found.retain(|path| path.extension().is_some_and(|found| found == "go" || found == "rs"));
    found.sort();
    files.extend(found);
    let read = |path: &PathBuf| fs::read_to_string(path).with_context(|| path.display().to_string());
    let texts: Vec<String> = files.iter().map(read).collect::<Result<_>>()?;
    let ingredients: Vec<&str> = texts.iter().map(String::as_str).collect();
    cache::once(language, &ingredients, build)
}
