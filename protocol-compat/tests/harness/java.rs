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

/// A release of the Java client that is older than Kafka's own tools and broker here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Older {
    V2_8,
    V3_9,
}

impl Older {
    fn release(self) -> &'static str {
        match self {
            Self::V2_8 => "2.8.2",
            Self::V3_9 => "3.9.2",
        }
    }

    /// The programs that it can run: the admin client of 2.8 had other calls.
    fn sources(self) -> Vec<PathBuf> {
        let mut names = vec!["Suite", "Producing", "Consuming", "EveryClient"];
        names.push(match self {
            Self::V2_8 => "older/Administering",
            Self::V3_9 => "Administering",
        });
        names.into_iter().map(|name| place::source("java").join(name).with_extension("java")).collect()
    }
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

/// The client of an older release with the programs, made at most once.
pub(crate) fn older(release: Older) -> Result<&'static Kit> {
    static V2_8: OnceLock<Result<Kit, String>> = OnceLock::new();
    static V3_9: OnceLock<Result<Kit, String>> = OnceLock::new();
    let known = match release {
        Older::V2_8 => &V2_8,
        Older::V3_9 => &V3_9,
    };
    let made = known.get_or_init(|| {
        let version = release.release();
        // Warnings are about annotations that the older jars name and do not bring.
        jars("java/clients-pom.xml", Some(version))
            .and_then(|jars| compile(jars, &release.sources(), version, &["-Xlint:none"]))
            .map_err(|e| format!("{e:#}"))
    });
    made.as_ref().map_err(|e| anyhow!("{e}"))
}

/// Kafka Connect with its connectors of files, made at most once.
pub(crate) fn connect() -> Result<&'static Kit> {
    static CONNECT: OnceLock<Result<Kit, String>> = OnceLock::new();
    let made = CONNECT.get_or_init(|| {
        let kit = |jars: PathBuf| Kit { class_path: format!("{}/*", jars.display()), jars };
        jars("java/connect-pom.xml", None).map(kit).map_err(|e| format!("{e:#}"))
    });
    made.as_ref().map_err(|e| anyhow!("{e}"))
}

fn make() -> Result<Kit> {
    compile(jars("java/pom.xml", None)?, &sources()?, "", &["-Xlint:all", "-Werror"])
}

/// The folder of the jars that a pom pins, with those of `release` where the pom leaves it open.
fn jars(pom: &str, release: Option<&str>) -> Result<PathBuf> {
    let pom_path = place::source(pom);
    let pom = fs::read_to_string(&pom_path)?;
    let mut ingredients = vec![pom.as_str(), COPY_JARS];
    ingredients.extend(release);
    cache::once("java-jars", &ingredients, |folder| {
        let mut maven = Command::new("mvn");
        maven
            .args(["-q", "-B", "-f"])
            .arg(&pom_path)
            .arg(COPY_JARS)
            .arg(format!("-DoutputDirectory={}", folder.display()));
        maven.args(release.map(|release| format!("-Dkafka.version={release}")));
        program::run_well(&mut maven, "", DOWNLOAD_LIMIT).map(drop)
    })
}

fn compile(jars: PathBuf, sources: &[PathBuf], release: &str, strictness: &[&str]) -> Result<Kit> {
    let all_jars = format!("{}/*", jars.display());
    let texts: Vec<String> = sources.iter().map(fs::read_to_string).collect::<Result<_, _>>()?;
    let folder_of_jars = jars.file_name().and_then(|name| name.to_str()).context("the folder of the jars")?;
    let pins = [folder_of_jars, release];
    let ingredients: Vec<&str> = texts.iter().map(String::as_str).chain(pins).collect();
    let classes = cache::once("java-classes", &ingredients, |folder| {
        let mut compiler = Command::new("javac");
        compiler.args(["--release", "17", "-proc:none", "-encoding", "UTF-8"]).args(strictness);
        compiler.args(["-cp", &all_jars, "-d"]).arg(folder).args(sources);
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
