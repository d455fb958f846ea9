//! `ottla --version` says which commit it was made from, wherever it was made.

use super::{folder, ottla};
use crate::harness::place::place;
use crate::harness::{Stage, ottla as built, program};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(super) fn names_its_source(stage: &Stage) -> Result<()> {
    let said = stage.program(ottla(built::binary()?).arg("--version"), "")?;
    let made_from = said
        .trim_end()
        .strip_prefix(&format!("ottla {} (", env!("CARGO_PKG_VERSION")))
        .and_then(|rest| rest.strip_suffix(')'))
        .with_context(|| said.clone())?;
    let Some(head) = program::said(git(&place().workspace).args(["rev-parse", "HEAD"])) else {
        ensure!(
            made_from == std::env::var("OTTLA_COMMIT").unwrap_or_else(|_| "unknown".to_owned()),
            "{said}"
        );
        return Ok(());
    };
    let (commit, date) = made_from.split_once(", ").with_context(|| said.clone())?;
    let commit = commit.trim_end_matches("-dirty");
    // A debug build may have been made at an earlier commit with the same sources.
    let show = program::said(git(&place().workspace).args(["log", "-1", "--format=%cs", commit]));
    ensure!(show.as_deref() == Some(date), "{said}: git dates {commit} {show:?}, the head is {head}");
    Ok(())
}

/// The build's own script, in trees of every kind.
pub(super) fn without_git(stage: &Stage) -> Result<()> {
    let scratch = folder(stage, "trees")?;
    let script = compiled(stage, &scratch)?;
    let tree = scratch.join("archive");
    fs::create_dir_all(tree.join("server"))?;
    let says = |tree: &Path, commit: Option<&str>, profile: &str| -> Result<String> {
        let mut command = Command::new(&script);
        command.current_dir(tree.join("server")).env("PROFILE", profile).env_remove("OTTLA_COMMIT");
        command.env("CARGO_MANIFEST_DIR", tree.join("server")).env("GIT_CEILING_DIRECTORIES", &scratch);
        if let Some(commit) = commit {
            command.env("OTTLA_COMMIT", commit);
        }
        stage.program(&mut command, "")
    };
    let version = |said: String| {
        let line = said.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=BUILD_VERSION=9.8.7 "));
        line.map(str::to_owned).with_context(|| said.clone())
    };
    ensure!(version(says(&tree, None, "release")?)? == "(unknown)");
    ensure!(version(says(&tree, Some("abc1234\n of mine"), "release")?)? == "(abc1234 of mine)");

    let run = |words: &[&str]| stage.program(git(&tree).args(words), "");
    run(&["init", "--quiet", "--initial-branch=main"])?;
    fs::write(tree.join("server/file"), "one")?;
    run(&["add", "--all"])?;
    run(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message=one"])?;
    let head = run(&["rev-parse", "--short=7", "HEAD"])?;
    let clean = version(says(&tree, Some("unheard"), "release")?)?;
    ensure!(clean.starts_with(&format!("({}, 20", head.trim())), "{clean}");
    fs::write(tree.join("server/file"), "two")?;
    let dirty = version(says(&tree, None, "release")?)?;
    ensure!(dirty.starts_with(&format!("({}-dirty, 20", head.trim())), "{dirty}");

    // A work tree beside has its own head; a release looks at it, and every file that is looked at is there.
    let beside = scratch.join("beside");
    run(&["worktree", "add", "--quiet", super::word(&beside)?, "-b", "other"])?;
    let said = says(&beside, None, "release")?;
    let watched: Vec<&str> =
        said.lines().filter_map(|line| line.strip_prefix("cargo::rerun-if-changed=/")).collect();
    ensure!(watched.iter().any(|path| path.ends_with("worktrees/beside/HEAD")), "{watched:?}");
    ensure!(watched.iter().all(|path| Path::new("/").join(path).exists()), "{watched:?}");
    ensure!(!says(&beside, None, "debug")?.contains("HEAD"), "a debug build is not made anew by a commit");

    // Somebody else's work tree around an archive is not its own.
    let inner = beside.join("vendor/ottla");
    fs::create_dir_all(inner.join("server"))?;
    ensure!(version(says(&inner, None, "release")?)? == "(unknown)");
    Ok(())
}

/// The build script by itself, for trees that it is told of when it runs.
fn compiled(stage: &Stage, scratch: &Path) -> Result<std::path::PathBuf> {
    let source = place().workspace.join("server/build.rs");
    let script = scratch.join("script");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-o"]).arg(&script).arg(&source).env("CARGO_PKG_VERSION", "9.8.7");
    stage.program(rustc.current_dir(&place().workspace), "")?;
    Ok(script)
}

fn git(tree: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(tree).env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    git
}
