//! The Debian package installed below a root of its own, and removed again: the user is made, the settings that somebody
//! changed stay, and no record is ever deleted.

use super::{folder, packages, word};
use crate::harness::{Stage, program};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(super) fn and_removed(stage: &Stage) -> Result<()> {
    let made = packages::made(stage, "packages")?;
    let root = stage.folder().join("root");
    for below in
        ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc", "var/lib/ottla"]
    {
        fs::create_dir_all(root.join(below))?;
    }
    for empty in ["var/lib/dpkg/status", "etc/passwd", "etc/group"] {
        fs::write(root.join(empty), "")?;
    }
    let at = |path: &str| root.join(path);

    dpkg(stage, &root, &["--install", word(&made.deb)?])?;
    ensure!(at("usr/bin/ottla").exists() && at("usr/lib/systemd/system/ottla.service").exists());
    let users = fs::read_to_string(at("etc/passwd"))?;
    let user = users.lines().find(|line| line.starts_with("ottla:")).with_context(|| users.clone())?;
    ensure!(user.contains(":/var/lib/ottla:") && user.ends_with("nologin"), "{user}");
    ensure!(fs::read_to_string(at("etc/group"))?.contains("ottla:"));

    // Somebody's own settings and records.
    let settings = at("etc/ottla/server.properties");
    let changed = fs::read_to_string(&settings)?.replace("#num.partitions=1\n", "num.partitions=7\n");
    ensure!(changed.contains("\nnum.partitions=7\n"));
    fs::write(&settings, &changed)?;
    fs::write(at("var/lib/ottla/record"), "kept")?;

    dpkg(stage, &root, &["--install", word(&made.deb)?])?;
    ensure!(fs::read_to_string(&settings)? == changed, "an upgrade keeps what was changed");
    ensure!(fs::read_to_string(at("etc/passwd"))? == users, "the user is made once");
    dpkg(stage, &root, &["--remove", "ottla"])?;
    ensure!(!at("usr/bin/ottla").exists() && settings.exists(), "a removed package leaves settings");
    dpkg(stage, &root, &["--purge", "ottla"])?;
    ensure!(!settings.exists(), "a purged one leaves none");
    ensure!(fs::read_to_string(at("var/lib/ottla/record"))? == "kept");
    Ok(())
}

/// Nothing of this machine is touched: neither its packages, nor its services, nor its users.
fn dpkg(stage: &Stage, root: &Path, words: &[&str]) -> Result<()> {
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(format!("--root={}", root.display()));
    dpkg.args(["--force-not-root", "--force-script-chrootless", "--force-depends", "--force-confold"]);
    // Some shells have no administrator's programs in their path.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let home = folder(stage, "home")?;
    dpkg.args(words).env("PATH", path).env("HOME", home).env("DEBIAN_FRONTEND", "noninteractive");
    program::run_well(&mut dpkg, "", stage.time_left()?).map(drop)
}
