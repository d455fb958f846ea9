//! How many instructions one Produce and one Fetch take in the broker, as valgrind counts them. The count does not depend on
//! the machine's load, so that a request that became dearer is seen at once.
//!
//! What is counted is the difference between a broker that served some requests and one that served more. The counts are
//! those of the tests' own build; `benches/instructions.tsv` holds them, and `OTTLA_WRITE=1` writes it anew.

use crate::harness::wire::Connection;
use crate::harness::{Need, Scenario, Stage, ottla, place, program};
use crate::hostile::frames::batch;
use crate::hostile::good;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const FILE: &str = "benches/instructions.tsv";
/// A count may be so far from the one in the file.
const BOUND_PERCENT: f64 = 5.0;
/// Behind so many a start is over, and the thread that serves them has done more than any other.
const BEFORE: usize = 2_000;
const COUNTED: usize = 4_000;
/// Valgrind runs a broker some fifty times slower.
const END_LIMIT: Duration = Duration::from_secs(60);
const RECORD: [u8; 100] = [b'x'; 100];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::of_ottla("instructions::of_one_request", &[Need::Valgrind], of_one_request)]
}

fn of_one_request(stage: &Stage) -> Result<()> {
    let base = instructions(stage.folder(), "base", BEFORE, 0)?;
    let produced = instructions(stage.folder(), "produce", BEFORE + COUNTED, 0)?;
    let fetched = instructions(stage.folder(), "fetch", BEFORE, COUNTED)?;
    let each = |total: u64| (total - base) / COUNTED as u64;
    let counts = [("Produce", each(produced)), ("Fetch", each(fetched))];
    let path = place::place().workspace.join(FILE);
    if std::env::var_os("OTTLA_WRITE").is_some() {
        let lines = counts.map(|(api, count)| format!("{api}\t{count}\n"));
        return Ok(fs::write(path, lines.concat())?);
    }
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut wrong = Vec::new();
    for (api, count) in counts {
        let known = text.lines().find_map(|line| line.strip_prefix(api)?.trim().parse::<f64>().ok());
        let known = known.with_context(|| format!("{FILE} has no {api}"))?;
        let percent = 100.0 * (count as f64 - known) / known;
        println!("{api}: {count} instructions, {percent:+.1} % of {known}");
        if percent.abs() > BOUND_PERCENT {
            wrong.push(format!("{api} takes {count} instructions, {percent:+.1} %"));
        }
    }
    let what = "OTTLA_WRITE=1 writes the file anew, if that is meant";
    ensure!(
        wrong.is_empty(),
        "{}: beside {FILE} that is more than {BOUND_PERCENT} %; {what}",
        wrong.join("; ")
    );
    Ok(())
}

/// The instructions of a broker that serves so many requests, one at a time, and ends.
fn instructions(home: &Path, name: &str, produced: usize, fetched: usize) -> Result<u64> {
    let out = home.join(format!("{name}.callgrind"));
    let mut broker = Counted::start(home, name, &out)?;
    good::prepare(&broker.address)?;
    let mut connection = Connection::open(&broker.address, good::PATIENCE)?;
    for _ in 0..produced {
        good::produce(&mut connection, batch(&[&RECORD], -1))?;
    }
    for _ in 0..fetched {
        // The newest record alone: each answer is the same.
        good::fetch(&mut connection, produced as i64 - 1)?;
    }
    broker.end()?;
    // One thread serves the connection; what others do goes by the clock.
    let mut most = None;
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        let is_ours = path
            .file_name()
            .is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}.callgrind-")));
        if is_ours {
            let text = fs::read_to_string(&path)?;
            most = most.max(text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok()));
        }
    }
    most.with_context(|| format!("no totals beside {}", out.display()))
}

/// A broker that valgrind runs.
struct Counted {
    child: Child,
    address: String,
}

impl Counted {
    fn start(home: &Path, name: &str, out: &Path) -> Result<Counted> {
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--separate-threads=yes"])
            .arg(format!("--callgrind-out-file={}", out.display()));
        command.arg(ottla::binary()?);
        ottla::clear_settings(&mut command);
        let data: PathBuf = home.join(name);
        for setting in [
            format!("log.dirs={}", data.display()),
            "listeners=PLAINTEXT://127.0.0.1:0".to_owned(),
            "metrics.listener=off".to_owned(),
            "log.durability=relaxed".to_owned(),
            "num.network.threads=1".to_owned(),
        ] {
            command.args(["--set", &setting]);
        }
        let log = fs::File::create(home.join(format!("{name}.log")))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context("starting valgrind")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let address = lines.filter(|line| line.starts_with("ottla ready:")).find_map(|line| {
            line.split_whitespace().find_map(|word| word.strip_prefix("PLAINTEXT://").map(str::to_owned))
        });
        let mut counted = Counted { child, address: String::new() };
        counted.address = address.context("the broker never was ready")?;
        Ok(counted)
    }

    /// Asks it to end, for the counts are written then.
    fn end(&mut self) -> Result<()> {
        program::terminate(&self.child)?;
        let ended = program::wait(&mut self.child, END_LIMIT)?;
        ensure!(ended == Some(true), "the broker did not end well");
        Ok(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
