//! Programs of the machine that a scenario runs: which of them are there.

use crate::harness::program;
use std::process::Command;

/// What packages are made, looked into and installed with, and the package of Debian's that has it.
const PACKAGING: [(&str, &str); 7] = [
    ("dpkg-deb", "dpkg"),
    ("dpkg", "dpkg"),
    ("ar", "binutils"),
    ("readelf", "binutils"),
    ("strip", "binutils"),
    ("xz", "xz-utils"),
    ("git", "git"),
];
const SYSTEMD: [(&str, &str); 2] = [("systemd-analyze", "systemd"), ("strace", "strace")];

/// What is missing to make packages, in words for a person.
pub(crate) fn packaging_missing() -> Option<String> {
    missing(&PACKAGING)
}

/// What is missing to judge a unit of systemd's.
pub(crate) fn systemd_missing() -> Option<String> {
    missing(&SYSTEMD)
}

fn missing(programs: &[(&str, &str)]) -> Option<String> {
    let is_there = |name: &str| program::said(Command::new(name).arg("--version")).is_some();
    let lacking = programs.iter().filter(|(name, _)| !is_there(name));
    let named: Vec<String> = lacking.map(|(name, package)| format!("{name} ({package})")).collect();
    (!named.is_empty()).then(|| named.join(", "))
}
