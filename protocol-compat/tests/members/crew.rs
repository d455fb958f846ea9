//! Members of groups by command: a program of one client library, whose members join and leave as they are told and say
//! what they read and what was committed. Which orders and events there are stands in `python/membership.py`.

use crate::harness::{Client, Stage, program};
use crate::members::ledger::Ledger;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long members may take to leave in order.
const END_LIMIT: Duration = Duration::from_secs(60);

/// A running program of members. Dropping it kills it, by its process id.
#[derive(Debug)]
pub(crate) struct Crew {
    client: Client,
    child: Child,
    orders: Option<ChildStdin>,
    listener: Option<JoinHandle<Result<()>>>,
    complaints: PathBuf,
}

impl Crew {
    pub(crate) fn start(stage: &Stage, client: Client, broker: &str, ledger: &Arc<Ledger>) -> Result<Self> {
        let complaints = stage.folder().join(format!("members-of-{client:?}"));
        let mut command = client.members()?;
        command.args(["members", broker]).current_dir(stage.folder()).env("SUITE_PATIENCE_SECONDS", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&complaints)?);
        let mut child = command.spawn().with_context(|| format!("members of {client:?}"))?;
        let orders = child.stdin.take();
        let said = child.stdout.take().context("stdout is piped")?;
        let ledger = Arc::clone(ledger);
        let listener = Some(thread::spawn(move || listen(said, &ledger)));
        Ok(Self { client, child, orders, listener, complaints })
    }

    pub(crate) fn client(&self) -> Client {
        self.client
    }

    /// A new member; `how` is an assignor, `consumer`, or `default`.
    pub(crate) fn join(&mut self, group: &str, member: &str, topic: &str, how: &str) -> Result<()> {
        self.order(&format!("join {group} {member} {topic} {how}"))
    }

    /// A member ends in order, some time after this.
    pub(crate) fn leave(&mut self, member: &str) -> Result<()> {
        self.order(&format!("leave {member}"))
    }

    fn order(&mut self, order: &str) -> Result<()> {
        let orders = self.orders.as_mut().context("it takes no more orders")?;
        writeln!(orders, "{order}").with_context(|| self.said())
    }

    /// The program still runs, and none of its members has failed.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the members of {:?} ended with {status}\n{}", self.client, self.said());
        }
        let has_ended = self.listener.as_ref().is_none_or(JoinHandle::is_finished);
        if has_ended && let Some(listener) = self.listener.take() {
            joined(listener).with_context(|| self.said())?;
        }
        Ok(())
    }

    /// All members leave in order, and the program ends as a success.
    pub(crate) fn end(mut self) -> Result<()> {
        drop(self.orders.take());
        let ended = program::wait(&mut self.child, END_LIMIT)?;
        let heard = self.listener.take().map_or(Ok(()), joined);
        heard.with_context(|| format!("{:?}\n{}", self.client, self.said()))?;
        ensure!(ended == Some(true), "the members of {:?} ended {ended:?}\n{}", self.client, self.said());
        Ok(())
    }

    fn said(&self) -> String {
        const SHOWN_BYTES: usize = 8 << 10;
        let said = fs::read(&self.complaints).unwrap_or_default();
        let tail = &said[said.len().saturating_sub(SHOWN_BYTES)..];
        format!("--- end of {}\n{}", self.complaints.display(), String::from_utf8_lossy(tail))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn joined(listener: JoinHandle<Result<()>>) -> Result<()> {
    listener.join().map_err(|_panic| anyhow!("what listens to the members panicked"))?
}

fn listen(said: ChildStdout, ledger: &Ledger) -> Result<()> {
    for line in BufReader::new(said).lines() {
        let line = line?;
        if line != "PASS members" {
            ledger.note(&line).with_context(|| line.clone())?;
        }
    }
    Ok(())
}
