//! The way of log lines from end to end, with the text of the README: `logger` gives lines to rsyslog and a program writes
//! lines to a file that Kafka Connect reads; the topics are read by another rsyslog, by Connect's sink, and by two members
//! of a group that index. Over a restart and a kill of the broker no line is lost on any of these ways.

use crate::harness::{Broker, Spec, Stage, debian, java, program, python};
use crate::members::make_topic;
use crate::shippers::lines::{self, Lines};
use crate::shippers::readme::{block, replaced};
use crate::shippers::running::{Shipper, System};
use anyhow::{Context, Result, ensure};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 3;
const WRITES_FOR: Duration = Duration::from_secs(20);
/// Between the ends of the broker, and before the first.
const LIFE: Duration = Duration::from_secs(6);
const AWAY: Duration = Duration::from_secs(1);
const APP_LINES_PER_SECOND: u64 = 100;
const STOP_LIMIT: Duration = Duration::from_secs(20);
const TOPICS: [&str; 5] = ["syslog-auth", "syslog-daemon", "syslog-mail", "syslog-local0", "app-log"];
/// The facilities whose topics the README's readers read.
const READ_FACILITIES: [&str; 2] = ["auth", "daemon"];
const INDEXERS: usize = 2;

/// Prints every line that indexes hold. One that is not made yet holds nothing.
const SHOW_INDEX: &str = r#"
import sqlite3, sys
for path in sys.argv[1:]:
    try:
        for (line,) in sqlite3.connect(path, timeout=30).execute("select line from lines"):
            print(line)
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
"#;

pub(crate) fn play(stage: &Stage) -> Result<()> {
    let mut broker = stage.broker(Spec::default().set("num.partitions", &PARTITIONS.to_string()))?;
    // Whoever reads a topic before it is there looks for it again after minutes.
    TOPICS.iter().try_for_each(|topic| make_topic(broker.bootstrap(), topic, PARTITIONS))?;
    let way = Way::begin(stage, broker.bootstrap())?;
    let (sent, app_lines) = thread::scope(|threads| {
        let shipper = &way.shipper;
        let logger = threads.spawn(|| lines::write(shipper.name(), shipper.socket(), WRITES_FOR));
        let app = threads.spawn(|| write_app_lines(&way.app_log));
        let ended = end_twice(stage, &mut broker);
        let sent = logger.join().expect("a writer does not panic")?;
        let app_lines = app.join().expect("a writer does not panic")?;
        ended.map(|()| (sent, app_lines))
    })?;
    let wanted = Wanted::of(&sent, app_lines);
    let arrived = stage.wait_for("every line at each end", || {
        thread::sleep(Duration::from_millis(200));
        Ok(way.missing(stage, &wanted)?.is_none())
    });
    if let Err(e) = arrived {
        let missing = way.missing(stage, &wanted)?.unwrap_or_default();
        return Err(e.context(format!("{missing}\n{}", way.said())));
    }
    println!("{} lines of logger, {app_lines} of the file, at each end", wanted.of_logger.len());
    way.end()
}

/// A stop, and then a kill.
fn end_twice(stage: &Stage, broker: &mut Broker) -> Result<()> {
    let ends: [fn(&mut Broker) -> Result<()>; 2] = [|broker| broker.stop().map(drop), Broker::kill];
    for end in ends {
        thread::sleep(LIFE);
        end(broker)?;
        thread::sleep(AWAY);
        stage.again(broker)?;
    }
    Ok(())
}

/// As an application does, which knows nothing of brokers.
fn write_app_lines(path: &Path) -> Result<usize> {
    let mut file = File::options().append(true).open(path)?;
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < WRITES_FOR {
        writeln!(file, "{}", app_line(count))?;
        count += 1;
        let due = Duration::from_micros(count as u64 * 1_000_000 / APP_LINES_PER_SECOND);
        thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    Ok(count)
}

fn app_line(number: usize) -> String {
    format!("app line {number}: \"ü🦦\" \\ {{}}")
}

/// The lines that have to come to the ends, as they were written.
struct Wanted {
    /// Of the topics that are read.
    of_logger: Vec<String>,
    of_app: Vec<String>,
}

impl Wanted {
    fn of(sent: &Lines, app_lines: usize) -> Self {
        let is_read = |n: &usize| READ_FACILITIES.contains(&lines::PROGRAMS[n % lines::PROGRAMS.len()].1);
        let of_logger = (0..sent.count).filter(is_read).map(|n| lines::text(sent.shipper, n));
        Self { of_logger: of_logger.collect(), of_app: (0..app_lines).map(app_line).collect() }
    }
}

/// All programs between those who write lines and the files in which they end.
struct Way {
    shipper: Shipper,
    app_log: PathBuf,
    gathered: PathBuf,
    app_copy: PathBuf,
    indexes: Vec<PathBuf>,
    programs: Vec<Running>,
}

impl Way {
    fn begin(stage: &Stage, broker: &str) -> Result<Self> {
        let home = stage.folder().to_owned();
        let app_log = home.join("app.log");
        File::create(&app_log)?;
        let (gathered, app_copy) = (home.join("gathered.log"), home.join("app-copy.log"));
        let indexes: Vec<PathBuf> = (0..INDEXERS).map(|n| home.join(format!("index-{n}.db"))).collect();
        let mut programs =
            vec![gatherer(&home, broker, &gathered)?, connect(&home, broker, &app_log, &app_copy)?];
        for index in &indexes {
            programs.push(indexer(&home, broker, index)?);
        }
        let shipper = Shipper::start(stage, System::Rsyslog, broker)?;
        Ok(Self { shipper, app_log, gathered, app_copy, indexes, programs })
    }

    /// Where lines are missing, in words; nothing if all are everywhere.
    fn missing(&self, stage: &Stage, wanted: &Wanted) -> Result<Option<String>> {
        let mut show = python::with(python::Packages::Current, "-c")?;
        let indexed = stage.program(show.arg(SHOW_INDEX).args(&self.indexes), "")?;
        let ends = [
            ("gathered.log", read(&self.gathered)?, vec![&wanted.of_logger]),
            ("app-copy.log", read(&self.app_copy)?, vec![&wanted.of_app]),
            ("the indexes", indexed, vec![&wanted.of_logger, &wanted.of_app]),
        ];
        for (name, text, wanted) in ends {
            let found: HashSet<String> = text.lines().map(message).collect();
            let missing: Vec<&String> =
                wanted.into_iter().flatten().filter(|line| !found.contains(*line)).collect();
            if let Some(first) = missing.first() {
                return Ok(Some(format!("{name} lacks {} lines, first {first:?}", missing.len())));
            }
        }
        Ok(None)
    }

    fn said(&self) -> String {
        let said = self.programs.iter().map(Running::said);
        said.chain([self.shipper.said()]).collect::<Vec<_>>().join("\n")
    }

    fn end(mut self) -> Result<()> {
        self.programs.iter_mut().try_for_each(Running::stop)?;
        self.shipper.stop()
    }
}

fn read(path: &Path) -> Result<String> {
    // Nobody has made it before the first line comes.
    Ok(if path.exists() { String::from_utf8_lossy(&fs::read(path)?).into_owned() } else { String::new() })
}

/// The text of a line: what stands in the JSON of the README's template, or all of it.
fn message(line: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(line).ok();
    let said = parsed.as_ref().and_then(|value| value["message"].as_str());
    said.unwrap_or(line).trim_start().to_owned()
}

/// rsyslog as a consumer.
fn gatherer(home: &Path, broker: &str, into: &Path) -> Result<Running> {
    let home = home.join("gatherer");
    fs::create_dir_all(&home)?;
    let shown = block("# /etc/rsyslog.d/61-gathered.conf")?.replace("localhost:9092", broker);
    let shown = replaced(&shown, "/var/log/gathered.log", &into.to_string_lossy())?;
    let configuration = home.join("conf");
    fs::write(&configuration, format!("global(workDirectory=\"{}\")\n{shown}", home.display()))?;
    let kit = debian::kit()?;
    let mut command = kit.command("rsyslogd")?;
    command.arg("-n").arg("-f").arg(&configuration).arg("-i").arg(home.join("pid"));
    command.arg("-M").arg(kit.folder_of("imkafka.so")?);
    Running::start("gatherer", command, &home)
}

/// Kafka Connect with a source and a sink.
fn connect(home: &Path, broker: &str, from: &Path, into: &Path) -> Result<Running> {
    let home = home.join("connect");
    fs::create_dir_all(&home)?;
    let worker = replaced(&block("# connect.properties")?, "localhost:9092", broker)?;
    // A free port.
    let worker = replaced(&worker, "localhost:8083", "127.0.0.1:0")?;
    let worker = replaced(&worker, "/var/lib/connect", &home.to_string_lossy())?;
    let source = replaced(&block("# source.properties")?, "/var/log/app.log", &from.to_string_lossy())?;
    let sink = replaced(&block("# sink.properties")?, "/var/log/app-copy.log", &into.to_string_lossy())?;
    let mut command = java::connect()?.tool("org.apache.kafka.connect.cli.ConnectStandalone");
    for (name, text) in [("connect", worker), ("source", source), ("sink", sink)] {
        let path = home.join(name).with_extension("properties");
        fs::write(&path, text)?;
        command.arg(path);
    }
    Running::start("connect", command, &home)
}

/// The README's program.
fn indexer(home: &Path, broker: &str, index: &Path) -> Result<Running> {
    let program = home.join("index.py");
    fs::write(&program, replaced(&block("# index.py")?, "localhost:9092", broker)?)?;
    let mut command = python::with(python::Packages::Current, &program)?;
    command.arg(index);
    let name = index.file_stem().and_then(|name| name.to_str()).context("a name")?.to_owned();
    Running::start(&name, command, home)
}

/// A program in the background. Dropping it kills it, by its process id.
struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(name: &str, mut command: Command, home: &Path) -> Result<Self> {
        let log = home.join(format!("{name}.said"));
        command.current_dir(home).stdin(Stdio::null()).stdout(File::create(&log)?);
        command.stderr(File::options().append(true).open(&log)?);
        let child = command.spawn().with_context(|| name.to_owned())?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    fn said(&self) -> String {
        const SHOWN_BYTES: usize = 4 << 10;
        let said = fs::read(&self.log).unwrap_or_default();
        let tail = &said[said.len().saturating_sub(SHOWN_BYTES)..];
        format!("--- {}\n{}", self.name, String::from_utf8_lossy(tail))
    }

    /// SIGTERM, which must find it running.
    fn stop(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "{} ended by itself\n{}", self.name, self.said());
        program::terminate(&self.child)?;
        let ended = program::wait(&mut self.child, STOP_LIMIT)?;
        ensure!(ended.is_some(), "{} does not end\n{}", self.name, self.said());
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
