//! Tells the binary which source it was made from: `0.1.0 (9e798b9, 2026-11-22)`.
//!
//! In a git work tree the commit and its date are asked of git, and `-dirty` stands behind a commit whose files were changed.
//! Anywhere else, as in a source archive or in the build of an image, `OTTLA_COMMIT` says it; without that it is `unknown`.
//! It runs again when a source of the binary changes, which makes the binary anew anyway, and for a release when the head
//! moves. A debug build whose head moved without a change of its sources goes on to say where they were built first.

use std::path::{Path, PathBuf};
use std::process::Command;

const COMMIT_VARIABLE: &str = "OTTLA_COMMIT";
/// What the binary is made of, from this package's folder.
const SOURCES: [&str; 7] = [
    "build.rs",
    "Cargo.toml",
    "src",
    "../storage/src",
    "../protocol-compat/src",
    "../Cargo.toml",
    "../Cargo.lock",
];

fn main() {
    println!("cargo::rerun-if-env-changed={COMMIT_VARIABLE}");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let made_from = of_git().or_else(of_environment).unwrap_or_else(|| "unknown".to_owned());
    // Cargo hands it to what it runs, too: behind `OTTLA_` it would be a setting.
    println!("cargo::rustc-env=BUILD_VERSION={} ({made_from})", env!("CARGO_PKG_VERSION"));
}

fn of_environment() -> Option<String> {
    let said = std::env::var(COMMIT_VARIABLE).ok()?;
    // It becomes one line of output.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    (!said.is_empty()).then_some(said)
}

/// The commit of the work tree whose root is this workspace. A source archive that was unpacked below somebody else's work
/// tree is not theirs.
fn of_git() -> Option<String> {
    let root = Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    let workspace = package().parent()?.canonicalize().ok()?;
    if root != workspace {
        return None;
    }
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        for path in moving_with_the_head() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let commit = git(&["log", "-1", "--format=%h", "--abbrev=7"])?;
    let date = git(&["log", "-1", "--format=%cs"])?;
    let changed = git(&["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"])?;
    let mark = if changed.is_empty() { "" } else { "-dirty" };
    Some(format!("{commit}{mark}, {date}"))
}

/// The files that git writes when the head moves. A reference may be packed away until its next commit, and the log of the
/// head may be switched off, so that only those are named that are there: a missing file would count as changed each time.
fn moving_with_the_head() -> Vec<PathBuf> {
    let reference = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(reference.as_deref());
    let paths = names.filter_map(|name| git(&["rev-parse", "--git-path", name]));
    paths.map(PathBuf::from).filter(|path| path.exists()).collect()
}

/// Where this package lies now. A script that another work tree compiled into the same target directory may be run here.
fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default()
}

fn git(words: &[&str]) -> Option<String> {
    let ran = Command::new("git").args(words).current_dir(package()).output().ok()?;
    ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}
