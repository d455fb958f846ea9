//! Numbered lines: given to a shipper by `logger`, of several programs and facilities, and found again in the topics.

use crate::harness::{Broker, Stage, kcat};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use lz4_flex::frame::FrameDecoder;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const LINES_PER_SECOND: u64 = 100;
/// Each program writes to one facility, which has a topic of its own.
pub(crate) const PROGRAMS: &[(&str, &str)] =
    &[("sshd", "auth"), ("cron", "daemon"), ("postfix", "mail"), ("backup", "local0")];
const LZ4: u8 = 3;
const BATCH_HEADER_BYTES: usize = 61;

/// What was written to a shipper: lines 0, 1, … of `count`, line `n` by program `n` of those in turn.
#[derive(Debug)]
pub(crate) struct Lines {
    pub shipper: &'static str,
    pub count: usize,
}

/// Gives lines to the shipper at `socket` for so long.
pub(crate) fn write(shipper: &'static str, socket: &Path, time: Duration) -> Result<Lines> {
    let mut loggers = PROGRAMS.iter().map(|program| logger(socket, program)).collect::<Result<Vec<_>>>()?;
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < time {
        let program = count % PROGRAMS.len();
        let stdin = loggers[program].stdin.as_mut().context("stdin is piped")?;
        writeln!(stdin, "{}", text(shipper, count))?;
        count += 1;
        let due = Duration::from_micros(count as u64 * 1_000_000 / LINES_PER_SECOND);
        thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    for mut logger in loggers {
        drop(logger.stdin.take());
        ensure!(logger.wait()?.success(), "logger failed for {shipper}");
    }
    Ok(Lines { shipper, count })
}

/// What line `number` says.
pub(crate) fn text(shipper: &str, number: usize) -> String {
    let (program, _) = PROGRAMS[number % PROGRAMS.len()];
    format!("{shipper} line {number} of {program}: \"ü🦦\" \\ {{}}")
}

fn logger(socket: &Path, (program, facility): &(&str, &str)) -> Result<Child> {
    let mut command = Command::new("logger");
    command.args([
        "--socket-errors=on",
        "--tag",
        program,
        "--priority",
        &format!("{facility}.info"),
        "--socket",
    ]);
    command.arg(socket).stdin(Stdio::piped()).spawn().context("starting logger")
}

/// A line as it is stored.
#[derive(Debug)]
struct Copy {
    topic: String,
    partition: i64,
    offset: i64,
    key: String,
    value: serde_json::Value,
}

/// Everything that the topics hold: of each shipper's line its copies, in the order of the topic's partition.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    copies: HashMap<(String, usize), Vec<Copy>>,
}

impl Stored {
    /// Reads all topics with kcat.
    pub(crate) fn read(stage: &Stage, broker: &str) -> Result<Self> {
        let mut stored = Self::default();
        for (_, facility) in PROGRAMS {
            let topic = format!("syslog-{facility}");
            let mut kcat = kcat::command(broker)?;
            kcat.args(["-C", "-t", &topic, "-o", "beginning", "-e", "-q", "-J"]);
            for line in stage.run_well(&mut kcat)?.stdout.lines() {
                stored.add(&topic, line).with_context(|| format!("{topic}: {line}"))?;
            }
        }
        Ok(stored)
    }

    fn add(&mut self, topic: &str, line: &str) -> Result<()> {
        let record: serde_json::Value = serde_json::from_str(line)?;
        let partition = record["partition"].as_i64().context("a partition")?;
        let offset = record["offset"].as_i64().context("an offset")?;
        let key = record["key"].as_str().context("a key")?.to_owned();
        let value = serde_json::from_str(record["payload"].as_str().context("a value")?)?;
        let (shipper, number) = whose(&value).context("a line of a shipper")?;
        let copy = Copy { topic: topic.to_owned(), partition, offset, key, value };
        self.copies.entry((shipper, number)).or_default().push(copy);
        Ok(())
    }

    fn of<'a>(&'a self, lines: &'a Lines) -> impl Iterator<Item = &'a [Copy]> {
        (0..lines.count)
            .map(|number| self.copies.get(&(lines.shipper.to_owned(), number)).map_or(&[][..], Vec::as_slice))
    }

    pub(crate) fn missing(&self, lines: &Lines) -> usize {
        self.of(lines).filter(|copies| copies.is_empty()).count()
    }

    pub(crate) fn doubled(&self, lines: &Lines) -> usize {
        self.of(lines).filter(|copies| copies.len() > 1).count()
    }

    /// Each line is in its facility's topic, whole, with its program's key; one key is in one partition, in order, where a
    /// second copy may come later.
    pub(crate) fn check(&self, lines: &Lines) -> Result<()> {
        let mut places = BTreeMap::new();
        for (number, copies) in self.of(lines).enumerate() {
            let (program, facility) = PROGRAMS[number % PROGRAMS.len()];
            let message = text(lines.shipper, number);
            for copy in copies {
                let Copy { topic, partition, key, value, .. } = copy;
                ensure!(*topic == format!("syslog-{facility}"), "line {number} is in {topic}");
                ensure!(key.ends_with(&format!("/{program}")), "line {number} has the key {key}");
                ensure!(said(value) == Some(message.as_str()), "line {number} became {value}");
                ensure!(
                    value["program"] == program && value["severity"] == "info",
                    "line {number} became {value}"
                );
                let (known, _) = places.entry(key).or_insert((partition, -1));
                ensure!(*known == partition, "{key} is in the partitions {known} and {partition}");
            }
            let first = copies.first().with_context(|| format!("line {number} is missing"))?;
            let (_, before) = places.get_mut(&first.key).context("it has just been put there")?;
            ensure!(
                first.offset > *before,
                "line {number} of {} is at {} and not behind {before}",
                first.key,
                first.offset
            );
            *before = first.offset;
        }
        Ok(())
    }
}

/// The text; rsyslog's has the blank that stands behind the program's name.
fn said(value: &serde_json::Value) -> Option<&str> {
    value["message"].as_str().map(str::trim_start)
}

fn whose(value: &serde_json::Value) -> Option<(String, usize)> {
    let (shipper, rest) = said(value)?.split_once(" line ")?;
    Some((shipper.to_owned(), rest.split(' ').next()?.parse().ok()?))
}

/// How many batches of a shipper are compressed with LZ4, and how many there are.
pub(crate) fn batches(broker: &Broker, shipper: &str, partitions: i32) -> Result<(usize, usize)> {
    let (mut lz4, mut all) = (0, 0);
    for (_, facility) in PROGRAMS {
        for partition in 0..partitions {
            let segment = broker.segment(&format!("syslog-{facility}"), partition, "log");
            // A partition that no key fell to has none.
            let mut rest = Bytes::from(if segment.exists() { fs::read(segment)? } else { Vec::new() });
            while !rest.is_empty() {
                let length = rest.get(8..12).context("a batch's length")?.try_into()?;
                let batch = rest.split_to(12 + usize::try_from(i32::from_be_bytes(length))?);
                let codec = batch.get(22).context("a batch's attributes")? & 7;
                ensure!([0, LZ4].contains(&codec), "a batch of codec {codec}");
                let mut text = Vec::new();
                match codec {
                    LZ4 => FrameDecoder::new(&batch[BATCH_HEADER_BYTES..]).read_to_end(&mut text)?,
                    _ => (&batch[BATCH_HEADER_BYTES..]).read_to_end(&mut text)?,
                };
                if String::from_utf8_lossy(&text).contains(&format!("{shipper} line ")) {
                    all += 1;
                    lz4 += usize::from(codec == LZ4);
                }
            }
        }
    }
    Ok((lz4, all))
}
