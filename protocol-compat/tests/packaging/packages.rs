//! The command that makes the packages, twice with the same bytes, and what is in them runs.

use super::{Served, contents, folder, ottla, word};
use crate::harness::place::place;
use crate::harness::{Stage, ottla as built, python};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Some second of the past.
pub(super) const EPOCH: &str = "1700000000";

/// The files of a release.
pub(super) struct Made {
    pub(super) deb: PathBuf,
    pub(super) tarball: PathBuf,
}

/// Makes them of the binary under test.
pub(super) fn made(stage: &Stage, into: &str) -> Result<Made> {
    let into = folder(stage, into)?;
    let mut build = Command::new(place().workspace.join("server/packaging/build"));
    build.arg("--binary").arg(built::binary()?).arg("--into").arg(&into);
    // What is in them is looked at, not how small it is.
    build.env("SOURCE_DATE_EPOCH", EPOCH).env("XZ_OPT", "-0").env_remove("OTTLA_MAINTAINER");
    let said = stage.program(&mut build, "")?;
    let [deb, tarball]: [&str; 2] =
        said.lines().collect::<Vec<_>>().try_into().ok().with_context(|| said.clone())?;
    Ok(Made { deb: deb.into(), tarball: tarball.into() })
}

/// The files of the package, unpacked.
fn unpacked(stage: &Stage, made: &Made) -> Result<PathBuf> {
    let root = stage.folder().join("unpacked");
    stage.program(Command::new("dpkg-deb").arg("-x").arg(&made.deb).arg(&root), "")?;
    Ok(root)
}

pub(super) fn made_and_run(stage: &Stage) -> Result<()> {
    let first = made(stage, "first")?;
    let second = made(stage, "second")?;
    for (one, other) in [(&first.deb, &second.deb), (&first.tarball, &second.tarball)] {
        ensure!(fs::read(one)? == fs::read(other)?, "{} is another each time", one.display());
    }
    contents::of_the_deb(stage, &first.deb)?;
    let root = unpacked(stage, &first)?;
    contents::of_the_tree(stage, &first.deb, &root)?;
    same_files(stage, &first, &root)?;
    runs(stage, &root)
}

/// The tarball is the same tree, below its own name, with the licence's text.
fn same_files(stage: &Stage, made: &Made, root: &Path) -> Result<()> {
    let tree = folder(stage, "tarball")?;
    stage.program(Command::new("tar").arg("-xzf").arg(&made.tarball).arg("-C").arg(&tree), "")?;
    let file = made.tarball.file_name().context("a file")?.to_string_lossy();
    let name = file.strip_suffix(".tar.gz").context("a tarball")?;
    ensure!(name.starts_with(&format!("ottla-{}-linux-", env!("CARGO_PKG_VERSION"))), "{name}");
    let mut diff = Command::new("diff");
    diff.args(["-r", "-q", word(root)?, word(&tree.join(name))?]);
    let output = diff.current_dir(stage.folder()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.lines().count() == 1 && said.trim_end().ends_with("usr/share/doc/ottla: LICENSE"), "{said}");
    Ok(())
}

/// The packed binary with the packed settings.
fn runs(stage: &Stage, root: &Path) -> Result<()> {
    let binary = root.join("usr/bin/ottla");
    let version = stage.program(ottla(&binary).arg("--version"), "")?;
    ensure!(version == stage.program(ottla(built::binary()?).arg("--version"), "")?, "{version}");
    let config = root.join("etc/ottla/server.properties");
    let shown = stage.program(ottla(&binary).args(["config", "--config", word(&config)?]), "")?;
    ensure!(shown.contains("log.dirs=/var/lib/ottla\n"), "{shown}");
    let checked =
        stage.program(ottla(&binary).args(["config", "--check", "--config", word(&config)?]), "")?;
    ensure!(checked == "The settings are in order.\n", "{checked}");

    let home = folder(stage, "home")?;
    let mut command = ottla(&binary);
    command.arg("--config").arg(&config);
    for set in ["log.dirs=data", "listeners=PLAINTEXT://127.0.0.1:0", "metrics.listener=off"] {
        command.args(["--set", set]);
    }
    let served = Served::start(command, &home)?;
    // The client must not be made ready within a start's time.
    python::command("producing.py")?;
    stage.python("producing.py", "nothing_but_the_address", &[served.listener("PLAINTEXT")?, "suite"])?;
    served.stop()
}
