//! A scenario is a test with a name, a list of what it needs, and a stage that it plays on: a folder of its own in which
//! it starts brokers and runs client programs.
//!
//! A scenario whose needs are missing is listed as not run, with what is missing; when everything is required it fails.
//! A failed scenario shows its brokers' logs and leaves its folder behind.

use crate::harness::broker::{Broker, Spec, log_file};
use crate::harness::place::{self, Judged, judged};
use crate::harness::program::Ran;
use crate::harness::{Client, budget, compiled, debian, java, machine, node, program, python};
use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// How much of a broker's log is shown, from its end.
const LOG_SHOWN_BYTES: usize = 16 << 10;

/// What a scenario needs besides a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Python, and OpenTelemetry's messages for it.
    Collector,
    /// Java, and the jars of Kafka Connect.
    Connect,
    /// Programs as Debian packages them.
    Debian,
    /// A browser without a screen, and what draws dashboards in it.
    Drawing,
    Go,
    Java,
    Node,
    /// What makes packages and looks into them.
    Packaging,
    Python,
    /// What builds Ottla builds the Rust client: nothing more is needed.
    Rust,
    Valgrind,
    /// What judges a unit of systemd's.
    Systemd,
}

impl Need {
    /// What is missing for it; asked of the machine once.
    fn missing(self) -> Option<String> {
        static KNOWN: Mutex<Vec<(Need, Option<String>)>> = Mutex::new(Vec::new());
        let mut known = KNOWN.lock().expect("no holder panics");
        if let Some((_, missing)) = known.iter().find(|(need, _)| *need == self) {
            return missing.clone();
        }
        let missing = match self {
            Self::Debian => debian::missing(),
            Self::Drawing => debian::browser_missing().or_else(node::missing),
            Self::Go => compiled::go_missing(),
            Self::Java | Self::Connect => java::missing(),
            Self::Node => node::missing(),
            Self::Packaging => machine::packaging_missing(),
            Self::Python | Self::Collector => python::missing(),
            Self::Rust => None,
            Self::Valgrind => program::said(Command::new("valgrind").arg("--version"))
                .is_none()
                .then(|| "valgrind".to_owned()),
            Self::Systemd => machine::systemd_missing(),
        };
        known.push((self, missing.clone()));
        missing
    }

    fn set_up(self) -> Result<()> {
        match self {
            Self::Debian => debian::kit().map(drop),
            Self::Drawing => debian::browser().and_then(|_| node::drawing()).map(drop),
            Self::Go => compiled::go().map(drop),
            Self::Java => java::kit().map(drop),
            Self::Connect => java::connect().map(drop),
            Self::Node => node::command().map(drop),
            Self::Python => python::command("suite.py").map(drop),
            Self::Collector => python::with(python::Packages::Collector, "").map(drop),
            Self::Rust => compiled::rust().map(drop),
            Self::Packaging | Self::Systemd | Self::Valgrind => Ok(()),
        }
    }
}

/// One test.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    name: String,
    needs: Vec<Need>,
    /// The clients that it drives, whose programs are made ready before its time begins.
    clients: Vec<Client>,
    /// Whether it asks for nothing that only Ottla has, so that Apache Kafka must pass it too.
    suits_kafka: bool,
    play: fn(&Stage) -> Result<()>,
}

impl Scenario {
    /// A scenario that any Kafka broker must pass.
    pub(crate) fn new(name: &str, needs: &[Need], play: fn(&Stage) -> Result<()>) -> Self {
        Self { name: name.to_owned(), needs: needs.to_vec(), clients: Vec::new(), suits_kafka: true, play }
    }

    /// A scenario that any Kafka broker must pass with these clients.
    pub(crate) fn with_clients(name: &str, clients: &[Client], play: fn(&Stage) -> Result<()>) -> Self {
        let needs: Vec<Need> = clients.iter().map(|client| client.need()).collect();
        Self { clients: clients.to_vec(), ..Self::new(name, &needs, play) }
    }

    /// With something more that it needs.
    pub(crate) fn and_needs(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// A scenario about something that Apache Kafka does not have.
    pub(crate) fn of_ottla(name: &str, needs: &[Need], play: fn(&Stage) -> Result<()>) -> Self {
        Self { suits_kafka: false, ..Self::new(name, needs, play) }
    }

    /// As a test by name, or nothing when it has no meaning for the broker under test.
    pub(crate) fn into_trial(mut self) -> Option<Trial> {
        if judged() == Judged::Kafka {
            if !self.suits_kafka {
                return None;
            }
            self.needs.push(Need::Java);
        }
        let name = self.name.clone();
        let Some(missing) = self.needs.iter().find_map(|need| need.missing()) else {
            return Some(Trial::test(name, move || self.run().map_err(Into::into)));
        };
        let is_required = place::everything_required();
        let complaint = format!("NOT RUN: needs {missing}");
        let trial = Trial::test(name, {
            let complaint = complaint.clone();
            move || Err(complaint.into())
        });
        Some(trial.with_kind(complaint).with_ignored_flag(!is_required))
    }

    fn run(&self) -> Result<(), String> {
        // Downloads and builds happen before the clock starts: they are done once and belong to no scenario.
        let stage = self.set_up().map_err(|e| format!("{e:#}"))?;
        let played = (self.play)(&stage).and_then(|()| stage.check_time());
        match played {
            Ok(()) => {
                fs::remove_dir_all(&stage.folder).map_err(|e| format!("{}: {e}", stage.folder.display()))
            }
            Err(e) => Err(format!("{e:#}\n{}files left in {}", stage.logs(), stage.folder.display())),
        }
    }

    fn set_up(&self) -> Result<Stage> {
        for need in &self.needs {
            need.set_up()?;
        }
        for client in &self.clients {
            client.command()?;
        }
        if judged() == Judged::Ottla {
            crate::harness::ottla::binary()?;
        }
        let folder = place::scratch().join(self.name.replace("::", "-"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        // What it asks of Apache Kafka it asks on the same few processors.
        let times = if judged() == Judged::Kafka { KAFKA_TIMES } else { 1 };
        let budget = budget::of(&self.name) * times;
        Ok(Stage { folder, budget, started: Mutex::new(Instant::now()), homes: Mutex::default() })
    }
}

/// Budgets are those of a broker that needs next to nothing beside its clients.
const KAFKA_TIMES: u32 = 2;

/// Where a scenario plays.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: PathBuf,
    budget: Duration,
    started: Mutex<Instant>,
    homes: Mutex<Vec<PathBuf>>,
}

impl Stage {
    /// Starts the broker that is judged.
    pub(crate) fn broker(&self, spec: Spec) -> Result<Broker> {
        self.broker_of(judged(), spec)
    }

    /// Starts a broker of this kind. Apache Kafka's own start is no part of a scenario's time.
    pub(crate) fn broker_of(&self, kind: Judged, spec: Spec) -> Result<Broker> {
        let home = {
            let mut homes = self.homes.lock().expect("no holder panics");
            let home = self.folder.join(format!("broker-{}", homes.len()));
            homes.push(home.clone());
            home
        };
        let asked = Instant::now();
        let broker = Broker::start(kind, &home, spec)?;
        self.forgive_kafka(kind, asked);
        Ok(broker)
    }

    /// Starts a stopped or killed broker again.
    pub(crate) fn again(&self, broker: &mut Broker) -> Result<()> {
        let asked = Instant::now();
        broker.start_again()?;
        self.forgive_kafka(broker.kind(), asked);
        Ok(())
    }

    fn forgive_kafka(&self, kind: Judged, asked: Instant) {
        if kind == Judged::Kafka {
            *self.started.lock().expect("no holder panics") += asked.elapsed();
        }
    }

    /// Waits until something is so, as long as the scenario's time allows.
    pub(crate) fn wait_for(&self, what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
        while !is_so()? {
            self.time_left().with_context(|| format!("waiting for {what}"))?;
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Runs a part of one of the committed Python programs.
    pub(crate) fn python(&self, script: &str, part: &str, words: &[&str]) -> Result<String> {
        self.client(python::command(script)?, part, words)
    }

    /// Runs a part of one of the committed Java programs.
    pub(crate) fn java(&self, class: &str, part: &str, words: &[&str]) -> Result<String> {
        self.client(java::kit()?.tool(class), part, words)
    }

    /// Runs parts of a client's program one after the other, each with its words.
    pub(crate) fn parts(&self, client: Client, parts: &[Vec<&str>]) -> Result<String> {
        self.play_all(client.command()?, parts).with_context(|| format!("{client:?}"))
    }

    fn client(&self, command: Command, part: &str, words: &[&str]) -> Result<String> {
        self.play_all(command, &[[&[part], words].concat()]).with_context(|| part.to_owned())
    }

    /// A client program says of each part that it came to its end: an exit status alone could mean that nothing was checked.
    fn play_all(&self, mut command: Command, parts: &[Vec<&str>]) -> Result<String> {
        command.args(parts.join(&"--")).current_dir(&self.folder);
        // Apache Kafka answers the creation of a topic some milliseconds before it shows it everywhere.
        let patience_seconds = if judged() == Judged::Kafka { "10" } else { "0" };
        command.env("SUITE_PATIENCE_SECONDS", patience_seconds);
        let ran = program::run_well(&mut command, "", self.time_left()?)?;
        let ended: Vec<&str> = ran.stdout.lines().filter_map(|line| line.strip_prefix("PASS ")).collect();
        let wanted: Vec<&str> = parts.iter().map(|part| part[0]).collect();
        ensure!(ended == wanted, "it ended well without playing all of {wanted:?}\n{}", ran.everything());
        Ok(ran.stdout)
    }

    /// Runs a program that is no part of the suites, which must succeed.
    pub(crate) fn program(&self, command: &mut Command, input: &str) -> Result<String> {
        Ok(program::run_well(command.current_dir(&self.folder), input, self.time_left()?)?.stdout)
    }

    /// Runs one of Apache Kafka's tools, which must succeed.
    pub(crate) fn tool(&self, class: &str, words: &[&str], input: &str) -> Result<String> {
        // Some are not moved yet and are named in full.
        let of_tools = format!("org.apache.kafka.tools.{class}");
        let mut command = java::kit()?.tool(if class.starts_with("kafka.") { class } else { &of_tools });
        command.args(words).current_dir(&self.folder);
        let ran = program::run_well(&mut command, input, self.time_left()?)?;
        // These tools report some failures in words only.
        for word in ["Exception", "Error while"] {
            if ran.stdout.contains(word) || ran.stderr.contains(word) {
                bail!("{class} complains\n{}", ran.everything());
            }
        }
        Ok(ran.stdout)
    }

    /// Runs a program to its end, which must be a success.
    pub(crate) fn run_well(&self, command: &mut Command) -> Result<Ran> {
        program::run_well(command.current_dir(&self.folder), "", self.time_left()?)
    }

    /// A folder for files of the scenario.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn time_left(&self) -> Result<Duration> {
        let left = self.budget.checked_sub(self.started.lock().expect("no holder panics").elapsed());
        left.with_context(|| self.too_slow())
    }

    fn check_time(&self) -> Result<()> {
        self.time_left().map(drop)
    }

    fn too_slow(&self) -> String {
        format!("its {} s (.ci/budgets) are used up", self.budget.as_secs())
    }

    fn logs(&self) -> String {
        let mut shown = String::new();
        for home in self.homes.lock().expect("no holder panics").iter() {
            let path = log_file(home);
            let bytes = fs::read(&path).unwrap_or_default();
            let tail = &bytes[bytes.len().saturating_sub(LOG_SHOWN_BYTES)..];
            shown.push_str(&format!("--- end of {}\n{}\n", path.display(), String::from_utf8_lossy(tail)));
        }
        shown
    }
}
