//! Java clients and Apache Kafka's own tools: the jars that the committed pom pins, fetched once by Maven, and the
//! committed sources, compiled once.

use crate::harness::{cache, place, program};
use anyhow::{Context, Result, anyhow};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const RELEASE_MIN: u32 = 17;
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(600);
const COMPILE_LIMIT: Duration = Duration::from_secs(180);
/// Pinned here, because it is named on Maven's command line.
const COPY_JARS: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// What is missing for Java, in words for a person.
pub(crate) fn missing() -> Option<String> {
    let release = |program| {
        let ran = program::run(Command::new(program).arg("-version"), "", Duration::from_secs(60)).ok()?;
        major_release(&ran.everything())
    };
    // A JDK whose compiler is older than its runtime would fail later and less clearly.
    let is_enough = |program| release(program).is_some_and(|major| major >= RELEASE_MIN);
    if !is_enough("java") || !is_enough("javac") {
        return Some(format!("a JDK (java and javac) of release {RELEASE_MIN} or later"));
    }
    Command::new("mvn").arg("--version").output().is_err().then(|| "mvn (Maven 3)".to_owned())
}

/// The first number after `version "` or `javac `, where 1.8 means 8.
fn major_release(said: &str) -> Option<u32> {
    let after = said.split("version \"").nth(1).or_else(|| said.split("javac ").nth(1))?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Jars and compiled programs.
#[derive(Debug)]
pub(crate) struct Kit {
    jars: PathBuf,
    class_path: String,
}

/// The kit, made at most once.
pub(crate) fn kit() -> Result<&'static Kit> {
    static KIT: OnceLock<Result<Kit, String>> = OnceLock::new();
    KIT.get_or_init(|| make().map_err(|e| format!("{e:#}"))).as_ref().map_err(|e| anyhow!("{e}"))
}

impl Kit {
    /// The folder of Kafka's jars.
    pub(crate) fn jars(&self) -> &Path {
        &self.jars
    }

    /// A command that runs `class`.
    pub(crate) fn command(&self, flags: &[&str], class: &str) -> Command {
        let mut command = Command::new("java");
        let logging = place::source("java/log4j2.properties");
        command.args(flags).arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
        command.args(["-cp", &self.class_path]).arg(class);
        command
    }

    /// A command that runs a short-lived client or tool: a JVM that starts fast matters more than one that runs fast.
    pub(crate) fn tool(&self, class: &str) -> Command {
        self.command(&["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx512m"], class)
    }
}

fn make() -> Result<Kit> {
    let pom_path = place::source("java/pom.xml");
    let pom = fs::read_to_string(&pom_path)?;
    let jars = cache::once("java-jars", &[&pom, COPY_JARS], |folder| {
        let mut maven = Command::new("mvn");
        maven
            .args(["-q", "-B", "-f"])
            .arg(&pom_path)
            .arg(COPY_JARS)
            .arg(format!("-DoutputDirectory={}", folder.display()));
        program::run_well(&mut maven, "", DOWNLOAD_LIMIT).map(drop)
    })?;
    let all_jars = format!("{}/*", jars.display());

    let sources = sources()?;
    let texts: Vec<String> = sources.iter().map(fs::read_to_string).collect::<Result<_, _>>()?;
    let ingredients: Vec<&str> = texts.iter().map(String::as_str).chain([pom.as_str()]).collect();
    let classes = cache::once("java-classes", &ingredients, |folder| {
        let mut compiler = Command::new("javac");
        compiler.args(["--release", "17", "-Xlint:all", "-Werror", "-proc:none", "-encoding", "UTF-8"]);
        compiler.args(["-cp", &all_jars, "-d"]).arg(folder).args(&sources);
        program::run_well(&mut compiler, "", COMPILE_LIMIT).map(drop)
    })?;
    let class_path = format!("{}:{all_jars}", classes.display());
    Ok(Kit { jars, class_path })
}

fn sources() -> Result<Vec<PathBuf>> {
    let folder = place::source("java");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "java"));
    files.sort();
    Ok(files)
}
