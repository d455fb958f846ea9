//! A broker with something to be seen of it: clients that write at changing rates, groups of which one keeps up and one is
//! left behind, topics that are compacted and trimmed, and now and then an error.

use crate::harness::{Stage, kcat, ottla};
use crate::observing::load::Load;
use anyhow::{Context, Result, ensure};
use std::f64::consts::TAU;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(250);
/// How long a writer goes from its slowest to its fastest and back.
const TIDE: Duration = Duration::from_secs(40);
const ERROR_EVERY: Duration = Duration::from_secs(7);
/// Below the `message.max.bytes` of [`SETTINGS`].
const BATCH: &str = "batch.size=16000";
/// What the group that is left behind has read before it ends.
const READ_BY_ARCHIVE: &str = "2000";

/// Who writes what: records in each tick, on the average, and their size.
const FLOWS: [Flow; 5] = [
    Flow { topic: "orders", records: 120, bytes: 300, phase: 0.0, how: &["-z", "lz4"] },
    Flow { topic: "payments", records: 40, bytes: 500, phase: 0.4, how: &["-X", "enable.idempotence=true"] },
    Flow { topic: "audit", records: 8, bytes: 2_000, phase: 0.7, how: &[] },
    Flow { topic: "clicks", records: 200, bytes: 1_000, phase: 0.2, how: &[] },
    Flow { topic: "prices", records: 120, bytes: 1_000, phase: 0.9, how: &[] },
];
/// So little is kept that retention and compaction have work while one looks on.
const SEGMENT: &str = "segment.bytes=1048576";
const TOPICS: [(&str, &[&str]); 5] = [
    ("orders", &[]),
    ("payments", &[]),
    ("audit", &[]),
    ("clicks", &[SEGMENT, "retention.bytes=1048576"]),
    ("prices", &[SEGMENT, "cleanup.policy=compact", "min.cleanable.dirty.ratio=0.1"]),
];
const READERS: [(&str, &[&str]); 4] = [
    ("billing", &["orders", "payments"]),
    ("billing", &["orders", "payments"]),
    ("search", &["orders", "audit"]),
    ("trends", &["clicks"]),
];

#[derive(Debug, Clone, Copy)]
struct Flow {
    topic: &'static str,
    records: u32,
    bytes: usize,
    /// Where in its tide it begins, as a share of it.
    phase: f64,
    how: &'static [&'static str],
}

/// Settings of the broker with which there is something to see within seconds.
pub(super) const SETTINGS: [(&str, &str); 6] = [
    ("group.initial.rebalance.delay.ms", "0"),
    ("message.max.bytes", "20000"),
    ("log.retention.check.interval.ms", "5000"),
    ("log.cleaner.backoff.ms", "2000"),
    // Its name is in the metrics.
    ("log.dirs", "data"),
    ("num.partitions", "3"),
];

/// The clients at work. Dropping it kills them, by their process ids.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    stage: &'a Stage,
    bootstrap: &'a str,
    clients: Vec<Child>,
    pipes: Vec<ChildStdin>,
}

impl<'a> Scene<'a> {
    pub(super) fn begin(stage: &'a Stage, bootstrap: &'a str) -> Result<Self> {
        let mut scene = Self { stage, bootstrap, clients: Vec::new(), pipes: Vec::new() };
        for (topic, settings) in TOPICS {
            scene.make_topic(topic, settings)?;
        }
        for flow in FLOWS {
            let mut writer = kcat::command(bootstrap)?;
            writer.args(["-P", "-K", ":", "-t", flow.topic, "-X", "linger.ms=20", "-X", BATCH]);
            let pipe = scene.start(writer.args(flow.how))?;
            scene.pipes.push(pipe);
        }
        for (group, topics) in READERS {
            let mut reader = kcat::command(bootstrap)?;
            let how = ["-q", "-X", "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=1000"];
            scene.start(reader.args(["-G", group]).args(how).args(topics)).map(drop)?;
        }
        let mut watcher = Command::new(ottla::binary()?);
        scene.start(watcher.args(["consume", "audit", "-b", bootstrap])).map(drop)?;
        Ok(scene)
    }

    /// Lets them work for so long; they go on until the scene is dropped, but for the writers.
    pub(super) fn play(&mut self, lasting: Duration) -> Result<()> {
        let begun = Instant::now();
        let (mut tick, mut errors, mut has_archived) = (0, 0, false);
        while begun.elapsed() < lasting {
            for (flow, pipe) in FLOWS.iter().zip(&mut self.pipes) {
                let lines = flow.lines(tick, begun.elapsed());
                pipe.write_all(lines.as_bytes()).with_context(|| format!("the writer of {}", flow.topic))?;
            }
            tick += 1;
            if begun.elapsed() > ERROR_EVERY * errors {
                Load::new(self.stage, self.bootstrap).refused()?;
                errors += 1;
            }
            if !has_archived && begun.elapsed() > lasting / 4 {
                self.archive()?;
                has_archived = true;
            }
            thread::sleep((TICK * tick).saturating_sub(begun.elapsed()));
        }
        for client in &mut self.clients {
            ensure!(client.try_wait()?.is_none(), "a client of the scene has ended early");
        }
        Ok(())
    }

    fn make_topic(&self, topic: &str, settings: &[&str]) -> Result<()> {
        let mut create = Command::new(ottla::binary()?);
        create.args(["topic", "create", topic, "-b", self.bootstrap]);
        settings.iter().for_each(|setting| {
            create.args(["--config", setting]);
        });
        self.stage.program(&mut create, "").map(drop)
    }

    /// A group reads a little and is not seen again.
    fn archive(&self) -> Result<()> {
        let mut reader = kcat::command(self.bootstrap)?;
        let how = ["-q", "-c", READ_BY_ARCHIVE, "-X", "auto.offset.reset=earliest", "orders"];
        self.stage.program(reader.args(["-G", "archive"]).args(how), "").map(drop)
    }

    fn start(&mut self, command: &mut Command) -> Result<ChildStdin> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = command.current_dir(self.stage.folder()).spawn().context("starting a client")?;
        let pipe = client.stdin.take().context("stdin is piped");
        self.clients.push(client);
        pipe
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        for client in &mut self.clients {
            // Both fail only for a process that has ended already.
            let _ended = client.kill();
            let _reaped = client.wait();
        }
    }
}

impl Flow {
    /// What one tick brings: lines of `key:value`, each key many times.
    fn lines(&self, tick: u32, elapsed: Duration) -> String {
        let tide = (TAU * (elapsed.as_secs_f64() / TIDE.as_secs_f64() + self.phase)).sin();
        let records = f64::from(self.records) * (1.0 + 0.6 * tide);
        let padding = "x".repeat(self.bytes);
        (0..records as u32).map(|n| format!("key-{}:{tick} {n} {padding}\n", n % 50)).collect()
    }
}
