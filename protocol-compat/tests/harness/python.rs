//! Python clients: virtual environments with the packages that the committed requirements pin, each made once.

use crate::harness::{cache, place, program};
use anyhow::{Result, anyhow};
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const SET_UP_LIMIT: Duration = Duration::from_secs(600);

/// What is missing for Python, in words for a person.
pub(crate) fn missing() -> Option<String> {
    let needed = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))";
    let ran = program::run(Command::new("python3").args(["-c", needed]), "", Duration::from_secs(60));
    let is_there = ran.is_ok_and(|ran| ran.success);
    (!is_there).then(|| "python3 of release 3.9 or later, with venv".to_owned())
}

/// A set of packages that are installed together; two releases of one package need two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packages {
    Current,
    /// kafka-python 2.0.2.
    Older,
    /// OpenTelemetry's messages.
    Collector,
}

impl Packages {
    fn requirements(self) -> &'static str {
        match self {
            Self::Current => "requirements.txt",
            Self::Older => "older-requirements.txt",
            Self::Collector => "collector-requirements.txt",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Current => "python",
            Self::Older => "python-older",
            Self::Collector => "python-collector",
        }
    }
}

/// A command that runs one of the committed programs.
pub(crate) fn command(script: &str) -> Result<Command> {
    with(Packages::Current, place::source("python").join(script))
}

/// A command that runs a program beside these packages.
pub(crate) fn with(packages: Packages, program: impl AsRef<OsStr>) -> Result<Command> {
    static CURRENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static OLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static COLLECTOR: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let known = match packages {
        Packages::Current => &CURRENT,
        Packages::Older => &OLDER,
        Packages::Collector => &COLLECTOR,
    };
    let interpreter = known.get_or_init(|| interpreter(packages).map_err(|e| format!("{e:#}")));
    let interpreter = interpreter.as_ref().map_err(|e| anyhow!("{e}"))?;
    let mut command = Command::new(interpreter);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1").env("PYTHONUTF8", "1");
    command.arg(program);
    Ok(command)
}

fn interpreter(packages: Packages) -> Result<PathBuf> {
    let requirements_path = place::source("python").join(packages.requirements());
    let requirements = fs::read_to_string(&requirements_path)?;
    let version = program::run_well(Command::new("python3").arg("-VV"), "", Duration::from_secs(60))?.stdout;
    let folder = cache::once(packages.name(), &[&requirements, &version], |folder| {
        program::run_well(Command::new("python3").args(["-m", "venv"]).arg(folder), "", SET_UP_LIMIT)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
        program::run_well(pip.arg(&requirements_path), "", SET_UP_LIMIT).map(drop)
    })?;
    Ok(folder.join("bin/python"))
}
