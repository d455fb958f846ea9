//! What a real client does while Prometheus looks on: kcat writes, reads in two groups, leaves records unread, and sends
//! some that are too large.

use crate::harness::{Stage, kcat, program};
use anyhow::{Result, ensure};
use std::thread;
use std::time::Duration;

pub(super) const TOPIC: &str = "watched";
pub(super) const GROUP: &str = "readers";
const VISITOR: &str = "visitor";
/// Rounds of writing and reading, spread over several scrapes, so that rates have something to be taken over.
const ROUNDS: usize = 8;
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);
const RECORDS: usize = 40;
const TOO_LARGE: usize = 3;
/// For one run of kcat.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it stands in the end.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) produced: usize,
    pub(super) consumed: usize,
    pub(super) committed: usize,
    pub(super) committed_by_visitor: usize,
    pub(super) too_large: usize,
}

pub(super) struct Load<'a> {
    stage: &'a Stage,
    bootstrap: &'a str,
    left: Left,
}

impl<'a> Load<'a> {
    pub(super) fn new(stage: &'a Stage, bootstrap: &'a str) -> Self {
        Self { stage, bootstrap, left: Left::default() }
    }

    pub(super) fn run(mut self) -> Result<Left> {
        for round in 0..ROUNDS {
            self.produce(round)?;
            self.consume(GROUP, RECORDS)?;
            self.left.committed += RECORDS;
            if round == 0 {
                self.consume(VISITOR, RECORDS)?;
                self.left.committed_by_visitor = RECORDS;
            }
            self.send_too_large(round)?;
            thread::sleep(BETWEEN_ROUNDS);
        }
        // The last ones are left to wait.
        self.produce(ROUNDS)?;
        Ok(self.left)
    }

    /// One round, and as much again that nobody reads.
    pub(super) fn once(mut self) -> Result<()> {
        self.produce(0)?;
        self.consume(GROUP, RECORDS)?;
        self.produce(1)
    }

    /// Nothing but a record that is too large.
    pub(super) fn refused(mut self) -> Result<()> {
        self.send_too_large(0)
    }

    fn produce(&mut self, round: usize) -> Result<()> {
        let lines: String = (0..RECORDS).map(|n| format!("record {round} {n}\n")).collect();
        let mut kcat = kcat::command(self.bootstrap)?;
        kcat.args(["-P", "-t", TOPIC]);
        self.stage.program(&mut kcat, &lines)?;
        self.left.produced += RECORDS;
        Ok(())
    }

    fn consume(&mut self, group: &str, records: usize) -> Result<()> {
        let mut kcat = kcat::command(self.bootstrap)?;
        let count = records.to_string();
        kcat.args(["-G", group, "-c", &count, "-X", "auto.offset.reset=earliest", TOPIC]);
        let read = self.stage.program(&mut kcat, "")?;
        ensure!(read.lines().count() == records, "{group} read\n{read}");
        self.left.consumed += records;
        Ok(())
    }

    /// The broker refuses it, and kcat says so.
    fn send_too_large(&mut self, round: usize) -> Result<()> {
        if round >= TOO_LARGE {
            return Ok(());
        }
        let mut kcat = kcat::command(self.bootstrap)?;
        kcat.args(["-P", "-t", TOPIC, "-E", "-X", "message.max.bytes=200000"]);
        let ran = program::run(&mut kcat, &format!("{}\n", "x".repeat(100_000)), PATIENCE)?;
        ensure!(ran.stderr.contains("Message size too large"), "{}", ran.everything());
        self.left.too_large += 1;
        Ok(())
    }
}
