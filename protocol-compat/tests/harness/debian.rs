//! Programs as Debian packages them, unpacked into the cache and never installed: two system loggers cannot be on one
//! machine, and no test replaces the machine's own. Needs no rights and starts no service.

use crate::harness::{cache, program};
use anyhow::{Context, Result, anyhow};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Each line can be installed by itself.
type Packages = &'static [&'static [&'static str]];
const PROGRAMS: Packages = &[
    &["rsyslog", "rsyslog-kafka"],
    &["syslog-ng-core", "syslog-ng-mod-rdkafka"],
    &["kcat"],
    &["prometheus"],
];
/// It is larger than all the others together, and few tests need it.
const BROWSER: Packages = &[&["chromium-headless-shell"]];
const ASK_LIMIT: Duration = Duration::from_secs(60);
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(600);

/// What is missing for Debian's packages, in words for a person.
pub(crate) fn missing() -> Option<String> {
    missing_of(PROGRAMS)
}

/// What is missing for the browser.
pub(crate) fn browser_missing() -> Option<String> {
    missing_of(BROWSER)
}

fn missing_of(packages: Packages) -> Option<String> {
    let is_there = |name: &str, words: &[&str]| {
        program::run(Command::new(name).args(words), "", ASK_LIMIT).is_ok_and(|ran| ran.success)
    };
    let ask = [&["download", "--print-uris"][..], &packages.concat()].concat();
    if !is_there("apt-get", &ask) || !is_there("dpkg-deb", &["--version"]) {
        return Some("Debian's apt-get and dpkg-deb, with lists of packages (apt-get update)".to_owned());
    }
    (!is_there("logger", &["--version"])).then(|| "logger (bsdutils)".to_owned())
}

/// The packages' files, below one root.
#[derive(Debug)]
pub(crate) struct Kit {
    root: PathBuf,
    libraries: OsString,
}

/// The kit, made at most once.
pub(crate) fn kit() -> Result<&'static Kit> {
    static KIT: OnceLock<Result<Kit, String>> = OnceLock::new();
    made_once(&KIT, "debian", PROGRAMS)
}

/// A browser without a screen, made at most once.
pub(crate) fn browser() -> Result<&'static Kit> {
    static KIT: OnceLock<Result<Kit, String>> = OnceLock::new();
    made_once(&KIT, "browser", BROWSER)
}

fn made_once(
    kit: &'static OnceLock<Result<Kit, String>>,
    name: &str,
    packages: Packages,
) -> Result<&'static Kit> {
    let made = kit.get_or_init(|| make(name, packages).map_err(|e| format!("{e:#}")));
    made.as_ref().map_err(|e| anyhow!("{e}"))
}

impl Kit {
    /// A command that runs this program.
    pub(crate) fn command(&self, name: &str) -> Result<Command> {
        let paths = ["usr/bin", "usr/sbin"].map(|folder| self.root.join(folder).join(name));
        let path = paths.iter().find(|path| path.exists());
        let mut command = Command::new(path.with_context(|| format!("no program {name} is unpacked"))?);
        command.env("LD_LIBRARY_PATH", &self.libraries);
        Ok(command)
    }

    /// Where the loader finds the libraries.
    pub(crate) fn libraries(&self) -> &OsStr {
        &self.libraries
    }

    /// The folder that holds a module of this name.
    pub(crate) fn folder_of(&self, name: &str) -> Result<PathBuf> {
        let is_it = |file: &PathBuf| file.file_name().is_some_and(|found| found == name);
        let found = files(&self.root)?.into_iter().find(is_it);
        let found = found.with_context(|| format!("no {name} below {}", self.root.display()))?;
        Ok(found.parent().context("a file lies in a folder")?.to_owned())
    }
}

fn make(name: &str, packages: Packages) -> Result<Kit> {
    let wanted = wanted(packages)?;
    let ingredients: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let root = cache::once(name, &ingredients, |root| {
        let mut download = Command::new("apt-get");
        // As root it would hand the download to a user who cannot write here.
        download.args(["-qq", "-o", "APT::Sandbox::User=root", "download"]).args(&wanted).current_dir(root);
        program::run_well(&mut download, "", DOWNLOAD_LIMIT)?;
        for package in files(root)? {
            let mut unpack = Command::new("dpkg-deb");
            program::run_well(unpack.arg("-x").arg(&package).arg(root), "", ASK_LIMIT)?;
            fs::remove_file(package)?;
        }
        Ok(())
    })?;
    let mut folders: Vec<PathBuf> = files(&root)?
        .iter()
        .filter(|file| is_library(file))
        .filter_map(|file| file.parent().map(Path::to_owned))
        .collect();
    folders.sort();
    folders.dedup();
    Ok(Kit { libraries: env::join_paths(folders)?, root })
}

/// The packages with their versions, and those that the machine lacks to run them.
fn wanted(packages: Packages) -> Result<Vec<String>> {
    let mut wanted = Vec::new();
    for packages in packages {
        let mut ask = Command::new("apt-get");
        ask.args(["--simulate", "--no-install-recommends", "install"]).args(*packages);
        let said = program::run_well(&mut ask, "", ASK_LIMIT)?.stdout;
        // Each line is `Inst NAME (VERSION …`, or `Inst NAME [OLD] (VERSION …`.
        for line in said.lines().filter_map(|line| line.strip_prefix("Inst ")) {
            let name = line.split(' ').next();
            let version = line.split('(').nth(1).and_then(|rest| rest.split(' ').next());
            let (name, version) = name.zip(version).with_context(|| format!("apt-get says: {line}"))?;
            wanted.push(format!("{name}={version}"));
        }
        for package in *packages {
            if !wanted.iter().any(|it| it.split('=').next() == Some(package)) {
                wanted.push((*package).to_owned());
            }
        }
    }
    wanted.sort();
    wanted.dedup();
    Ok(wanted)
}

/// By its name: `libx.so.1`, or `libx-1.so`.
fn is_library(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.contains(".so.") || name.ends_with(".so")
}

/// All files below a folder, and the links among them.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    Ok(found)
}
