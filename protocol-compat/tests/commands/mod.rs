//! `ottla` as a command line for any Kafka server: against this one and Apache Kafka (`OTTLA_SUITE_PEER=kafka`), with what
//! Kafka's own tools print beside it where both should say the same.

mod directories;
mod groups;
mod quotas;
mod records;
mod topics;

use crate::harness::{Broker, Need, Scenario, Stage, ottla, program};
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario =
        |name: &str, needs: &[Need], play| Scenario::new(&format!("commands::{name}"), needs, play);
    vec![
        scenario("groups_as_kafkas_tool_shows_them", &[Need::Python, Need::Java], groups::as_kafkas_tool),
        scenario("groups_are_reset_and_deleted", &[Need::Python], groups::reset_and_deleted),
        scenario("groups_with_members", &[Need::Java], groups::with_members),
        scenario("topics", &[Need::Java], topics::topics),
        scenario("configs", &[Need::Java], topics::configs),
        scenario("cluster", &[Need::Java], topics::cluster),
        scenario("directories", &[], directories::to_and_fro),
        scenario("quotas", &[Need::Java], quotas::quotas),
        scenario("records_beside_kafkas_console", &[Need::Java], records::beside_kafkas_console),
        scenario("whole_records", &[Need::Java], records::whole_records),
        scenario("ranges_of_records", &[], records::ranges),
        scenario("endings", &[], records::endings),
    ]
}

/// What `ottla` said and how it ended.
pub(crate) struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Standard output of a success.
    pub(crate) fn well(self) -> Result<String> {
        ensure!(self.code == 0, "exit code {}\n{}{}", self.code, self.out, self.err);
        Ok(self.out)
    }

    /// Standard error of a failure.
    pub(crate) fn badly(self) -> Result<String> {
        ensure!(self.code == 1, "exit code {}\n{}{}", self.code, self.out, self.err);
        Ok(self.err)
    }
}

/// `ottla` with these words, asking this broker.
pub(crate) fn command(broker: &Broker, words: &[&str]) -> Result<Command> {
    let mut command = Command::new(ottla::binary()?);
    command.env_remove("RUST_LOG").args(words);
    if !words.contains(&"--bootstrap-server") {
        command.args(["--bootstrap-server", broker.bootstrap()]);
    }
    Ok(command)
}

pub(crate) fn run(stage: &Stage, broker: &Broker, words: &[&str]) -> Result<Said> {
    run_with(stage, broker, words, "")
}

/// With lines on standard input.
pub(crate) fn run_with(stage: &Stage, broker: &Broker, words: &[&str], input: &str) -> Result<Said> {
    let child = Running::start(stage, broker, words)?;
    child.end(stage, input)
}

/// `ottla` at work.
pub(crate) struct Running {
    child: Child,
    out: Gathered,
    err: Gathered,
}

/// What a stream has given so far, and the thread that reads it.
struct Gathered(Arc<Mutex<Vec<u8>>>, JoinHandle<()>);

impl Gathered {
    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no holder panics")).into_owned()
    }

    fn all(self) -> String {
        self.1.join().expect("the reader of a stream does not panic");
        String::from_utf8_lossy(&self.0.lock().expect("no holder panics")).into_owned()
    }
}

impl Running {
    pub(crate) fn start(stage: &Stage, broker: &Broker, words: &[&str]) -> Result<Self> {
        let mut command = command(broker, words)?;
        command.current_dir(stage.folder()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let out = gather(child.stdout.take().context("stdout is piped")?);
        let err = gather(child.stderr.take().context("stderr is piped")?);
        Ok(Self { child, out, err })
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::INT).context("sending SIGINT")
    }

    pub(crate) fn wait_for_line(&self, stage: &Stage, line: &str) -> Result<()> {
        stage.wait_for(line, || Ok(self.out.so_far().lines().any(|found| found == line)))
    }

    pub(crate) fn write(&mut self, input: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        stdin.write_all(input.as_bytes()).context("writing to its input")
    }

    /// Its end, which must come in the scenario's time.
    pub(crate) fn end(mut self, stage: &Stage, input: &str) -> Result<Said> {
        // Who ends without reading its input breaks this pipe, which is no fault.
        let _unread = self.child.stdin.take().context("stdin is piped")?.write_all(input.as_bytes());
        self.end_by_itself(stage)
    }

    /// As [`Self::end`], while its input stays open.
    pub(crate) fn end_by_itself(mut self, stage: &Stage) -> Result<Said> {
        let ended = program::wait(&mut self.child, stage.time_left()?)?;
        if ended.is_none() {
            self.child.kill()?;
        }
        let status = self.child.wait()?;
        let (out, err) = (self.out.all(), self.err.all());
        ensure!(ended.is_some(), "it does not end\n{out}\n{err}");
        let code = status.code().with_context(|| format!("ended by a signal\n{out}\n{err}"))?;
        Ok(Said { code, out, err })
    }
}

fn gather(mut stream: impl Read + Send + 'static) -> Gathered {
    let gathered = Arc::new(Mutex::new(Vec::new()));
    let shared = gathered.clone();
    let reader = thread::spawn(move || {
        let mut piece = [0; 4096];
        // What was read before an error is still worth showing.
        while let Ok(bytes) = stream.read(&mut piece) {
            if bytes == 0 {
                return;
            }
            shared.lock().expect("no holder panics").extend_from_slice(&piece[..bytes]);
        }
    });
    Gathered(gathered, reader)
}

/// The objects that a command prints for programs.
pub(crate) fn objects(stage: &Stage, broker: &Broker, words: &[&str]) -> Result<Vec<Value>> {
    let said = run(stage, broker, &[words, &["--json"]].concat())?.well()?;
    said.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// Lines with something in them, in an order of their own.
pub(crate) fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    lines.sort();
    lines
}
