//! The container's file: what it says is done, instruction by instruction, below folders of the scenario, and the image that
//! comes out serves, is well, and stops.
//!
//! Cargo is the one program that another stands in for: it hands over the binary under test instead of building a release.
//! With the long effort, and an engine for containers, the image is built and run by that.

use super::{Served, folder, ottla, word};
use crate::harness::{Stage, ottla as built, place, program};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// One stage of the file: its instructions, each with its words.
type Instructions = Vec<(String, String)>;

pub(super) fn as_written(stage: &Stage) -> Result<()> {
    let file = place::place().workspace.join("server/packaging/Containerfile");
    let stages = stages(&fs::read_to_string(&file)?)?;
    let [build, image] = &stages[..] else { bail!("{} stages", stages.len()) };
    let built_files = built_stage(stage, build)?;
    let root = folder(stage, "root")?;
    let said = final_stage(stage, image, &built_files, &root)?;
    look(&root)?;
    serves(stage, &said, &root)?;
    match (place::long_effort(), engine()) {
        (true, Some(engine)) => by_engine(&file, engine),
        _ => Ok(()),
    }
}

/// The file's instructions, with continued lines in one and comments gone.
fn stages(text: &str) -> Result<Vec<Instructions>> {
    let kept: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let mut stages: Vec<Instructions> = Vec::new();
    for line in kept.join("\n").replace("\\\n", "").lines().filter(|line| !line.trim().is_empty()) {
        let (name, words) = line.split_once(' ').with_context(|| line.to_owned())?;
        if name == "FROM" {
            stages.push(Vec::new());
        }
        stages.last_mut().context("FROM comes first")?.push((name.to_owned(), words.trim().to_owned()));
    }
    Ok(stages)
}

/// Runs the first stage; the folder that stands for its `/image`.
fn built_stage(stage: &Stage, instructions: &Instructions) -> Result<PathBuf> {
    let (source, image, programs) = (folder(stage, "src")?, folder(stage, "image")?, folder(stage, "bin")?);
    stand_in_for_cargo(&programs)?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    for (name, words) in instructions {
        match (name.as_str(), words.as_str()) {
            ("FROM", _) => ensure!(words.contains(&format!("/rust:{}-", release()?)), "{words}"),
            ("ARG", "OTTLA_COMMIT=" | "IMAGE=/image") | ("WORKDIR", "/src") => {}
            ("COPY", ". .") => copy_context(&source)?,
            ("RUN", script) => {
                let mut shell = Command::new("sh");
                shell.args(["-ec", script]).current_dir(&source).env("IMAGE", &image).env("PATH", &path);
                built::clear_settings(&mut shell);
                program::run_well(&mut shell, "", stage.time_left()?).with_context(|| script.to_owned())?;
            }
            _ => bail!("nobody knows what {name} {words} does here"),
        }
    }
    Ok(image)
}

/// The release of Rust that the repository is for.
fn release() -> Result<String> {
    let text = fs::read_to_string(place::place().workspace.join("rust-toolchain.toml"))?;
    let named = text.lines().find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'));
    let named = named.context("a channel")?;
    Ok(named.split('.').take(2).collect::<Vec<_>>().join("."))
}

fn stand_in_for_cargo(programs: &Path) -> Result<()> {
    let cargo = programs.join("cargo");
    let hand_over = format!(
        "#!/bin/sh\n[ \"$*\" = 'build --release --locked --bin ottla' ] || exit 1\n\
         mkdir -p target/release && ln -s '{}' target/release/ottla\n",
        built::binary()?.display()
    );
    fs::write(&cargo, hand_over)?;
    Ok(fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?)
}

/// What an engine would be sent, but for the history.
fn copy_context(into: &Path) -> Result<()> {
    let workspace = &place::place().workspace;
    let ignored = fs::read_to_string(workspace.join("server/packaging/Containerfile.dockerignore"))?;
    for entry in fs::read_dir(workspace)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == ".git" || ignored.lines().any(|line| line == format!("/{name}")) {
            continue;
        }
        program::run_well(
            Command::new("cp").args(["-a", word(&entry.path())?, word(into)?]),
            "",
            Duration::from_secs(60),
        )?;
    }
    ensure!(!into.join("target").exists(), "what was built on this machine stays out");
    Ok(())
}

/// Runs the second stage below `root`; what else the image says, by instruction.
fn final_stage(
    stage: &Stage,
    instructions: &Instructions,
    built: &Path,
    root: &Path,
) -> Result<BTreeMap<String, String>> {
    let mut said = BTreeMap::new();
    for (name, words) in instructions {
        if name != "COPY" {
            ensure!(name != "RUN", "the image has no steps of its own: {words}");
            ensure!(said.insert(name.clone(), words.clone()).is_none(), "{name} twice");
            continue;
        }
        let (flags, paths): (Vec<&str>, Vec<&str>) =
            words.split(' ').partition(|word| word.starts_with("--"));
        ensure!(flags.contains(&"--from=build"), "{words}");
        let [from, to] = paths[..] else { bail!("{words}") };
        let from = built.join(from.strip_prefix("/image/").with_context(|| words.clone())?);
        let to = root.join(to.trim_start_matches('/'));
        fs::create_dir_all(&to)?;
        let from = format!("{}/.", from.display());
        stage.program(Command::new("cp").args(["-a", &from, word(&to)?]), "")?;
        if !paths[1].eq("/") {
            said.insert("owner".to_owned(), flags.join(" "));
        }
    }
    Ok(said)
}

fn look(root: &Path) -> Result<()> {
    let mode =
        |path: &str| -> Result<u32> { Ok(fs::metadata(root.join(path))?.permissions().mode() & 0o7777) };
    ensure!(mode("usr/bin/ottla")? == 0o755 && mode("etc/ottla/server.properties")? & 0o022 == 0);
    ensure!(fs::read_link(root.join("mnt/shared/config"))? == Path::new("/etc/ottla"));
    ensure!(root.join("var/lib/ottla").is_dir() && root.join("var/lib/kafka/data").is_dir());
    ensure!(fs::read_dir(root.join("var/lib/ottla"))?.next().is_none(), "a volume begins empty");
    let settings = fs::read_to_string(root.join("etc/ottla/server.properties"))?;
    for set in ["listeners=PLAINTEXT://:9092", "log.dirs=/var/lib/ottla", "metrics.listener=0.0.0.0:9464"] {
        ensure!(settings.lines().any(|line| line == set), "{set} is not in the settings");
    }
    Ok(())
}

/// A command in the image's exec form, with its programs and files below `root`.
fn exec_form(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).with_context(|| format!("not in exec form: {text}"))
}

fn serves(stage: &Stage, said: &BTreeMap<String, String>, root: &Path) -> Result<()> {
    let of = |name: &str| said.get(name).with_context(|| format!("the image says no {name}"));
    let user = of("USER")?;
    ensure!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "USER {user}");
    ensure!(of("owner")?.contains(&format!("--chown={user}")), "the volume is the user's: {}", of("owner")?);
    ensure!(of("VOLUME")? == "[\"/var/lib/ottla\"]" && of("WORKDIR")? == "/var/lib/ottla");
    ensure!(of("EXPOSE")? == "9092 9464" && of("STOPSIGNAL")? == "SIGTERM");

    let below = |text: &str| text.replace("/etc/", &format!("{}/etc/", root.display()));
    let start = [exec_form(of("ENTRYPOINT")?)?, exec_form(of("CMD")?)?].concat();
    ensure!(start[0] == "ottla", "{start:?}");
    let program = root.join("usr/bin/ottla");
    let data = root.join("var/lib/ottla");
    // Below a folder of the test its paths are others, and its ports are free ones.
    let surroundings = [
        ("OTTLA_LOG_DIRS", word(&data)?.to_owned()),
        ("KAFKA_LISTENERS", "PLAINTEXT://127.0.0.1:0".to_owned()),
        ("OTTLA_METRICS_LISTENER", "127.0.0.1:0".to_owned()),
    ];
    let mut command = ottla(&program);
    command.args(start[1..].iter().map(|word| below(word))).envs(surroundings.clone());
    let served = Served::start(command, &folder(stage, "home")?)?;
    stage.python("producing.py", "nothing_but_the_address", &[served.listener("PLAINTEXT")?, "suite"])?;
    ensure!(data.join("meta.properties").exists(), "the data is in the volume");

    let (_, check) = of("HEALTHCHECK")?.split_once("CMD ").context("a command")?;
    let check = exec_form(check.trim())?;
    ensure!(check[0] == "ottla", "{check:?}");
    let metrics = served.metrics()?.to_owned();
    let is_well = || -> Result<bool> {
        let mut command = ottla(&program);
        command.args(check[1..].iter().map(|word| below(word))).envs(surroundings.clone());
        Ok(program::run(command.env("OTTLA_METRICS_LISTENER", &metrics), "", stage.time_left()?)?.success)
    };
    ensure!(is_well()?, "a broker that serves is well");
    served.stop()?;
    ensure!(!is_well()?, "one that is gone is not");
    Ok(())
}

/// An engine that can build here.
fn engine() -> Option<&'static str> {
    ["docker", "podman"].into_iter().find(|engine| program::said(Command::new(engine).arg("info")).is_some())
}

fn by_engine(file: &Path, engine: &str) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(3000);
    let tag = format!("ottla-suite-{}", std::process::id());
    let mut build = Command::new(engine);
    build.args(["build", "-f", word(file)?, "-t", &tag, "."]).current_dir(&place::place().workspace);
    program::run_well(&mut build, "", LIMIT)?;
    let mut run = Command::new(engine);
    let said = program::run_well(run.args(["run", "--rm", &tag, "--version"]), "", LIMIT);
    program::run_well(Command::new(engine).args(["rmi", &tag]), "", LIMIT)?;
    let said = said?.stdout;
    ensure!(said.starts_with(&format!("ottla {} (", env!("CARGO_PKG_VERSION"))), "{said}");
    Ok(())
}
