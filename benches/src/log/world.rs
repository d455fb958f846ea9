//! A data directory with open logs, as the cases use it, and what is appended.
//!
//! Invariants: batches go through the crate's own check before each append, as a broker's do, so that its price is in
//! every figure. Directories are dropped without being closed: what they hold is thrown away, and closing would flush it first.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use rustix::process::{Resource, getrlimit, setrlimit};
use storage::{
    BatchBuilder, DataDir, DataDirOptions, Durability, Env, LeaderEpoch, Log, LogConfig, LogId, Origin,
    Ticket, TopicId, check_internal,
};

use crate::load::unix_time_ms;

/// How many appends are on the way where many are.
pub(crate) const ON_THE_WAY: usize = 64;
/// An hour: only the bench itself checkpoints, or what the directory is forced to.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(3600);
/// Descriptors beside those of the logs.
const DESCRIPTORS_SPARE: u64 = 500;
/// An active segment keeps its batches' file and both of its indexes' open.
const DESCRIPTORS_PER_LOG: u64 = 3;
const RECORD_BYTES_MAX: usize = 1024;
/// A record's own header fields, at most, for values of this size.
const RECORD_OVERHEAD_BYTES: usize = 12;
const BATCH_OVERHEAD_BYTES: usize = 61;
const TOPIC: TopicId = TopicId([0xb3; 16]);

/// A batch of at most `bytes`, filled with records of up to 1 KiB.
pub(crate) fn batch(bytes: usize) -> Bytes {
    let count = bytes.div_ceil(RECORD_BYTES_MAX);
    let value = vec![b'x'; (bytes - BATCH_OVERHEAD_BYTES) / count - RECORD_OVERHEAD_BYTES];
    let empty = BatchBuilder::new(unix_time_ms());
    (0..count).fold(empty, |batch, _| batch.push(None, Some(&value), &[])).build()
}

pub(crate) struct World {
    pub dir: Arc<DataDir>,
    pub logs: Vec<Arc<Log>>,
}

impl World {
    /// Opens the directory and as many logs as wanted, of modes that `durability` tells by their number.
    pub(crate) fn open(path: &Path, logs: usize, durability: impl Fn(usize) -> Durability) -> Result<Self> {
        let options = DataDirOptions { checkpoint_interval: CHECKPOINT_INTERVAL, ..Default::default() };
        let dir =
            DataDir::open(Env::real(), path.to_owned(), options).context("opening the data directory")?;
        let open = |number: usize| {
            let config = LogConfig { durability: durability(number), ..Default::default() };
            let id = LogId { topic: TOPIC, partition: i32::try_from(number)? };
            Ok(dir.open_log(id, &format!("bench-{number}"), config, LeaderEpoch(0))?)
        };
        let logs = (0..logs).map(open).collect::<Result<_>>().context("opening a log")?;
        Ok(Self { dir, logs })
    }

    /// Puts one batch into each log and on the disk, so that what follows finds directories and files.
    pub(crate) fn begin(&self, batch: &Bytes) -> Result<()> {
        let mut tickets = Tickets::new(ON_THE_WAY);
        for log in &self.logs {
            let ticket = append(log, batch)?;
            tickets.push(log.flushed(ticket))?;
        }
        tickets.finish()
    }
}

pub(crate) fn append(log: &Log, batch: &Bytes) -> Result<Ticket> {
    let checked = check_internal(batch.clone()).map_err(|reject| anyhow::anyhow!("{reject:?}"))?;
    Ok(log.append(checked, Origin::Client, None))
}

/// Tickets on the way, at most so many; the oldest is waited for to make room.
pub(crate) struct Tickets {
    waiting: VecDeque<Ticket>,
    most: usize,
}

impl Tickets {
    pub(crate) fn new(most: usize) -> Self {
        Self { waiting: VecDeque::with_capacity(most), most }
    }

    pub(crate) fn push(&mut self, ticket: Ticket) -> Result<()> {
        if self.waiting.len() == self.most
            && let Some(oldest) = self.waiting.pop_front()
        {
            oldest.wait().context("an append was refused")?;
        }
        self.waiting.push_back(ticket);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<()> {
        for ticket in self.waiting {
            ticket.wait().context("an append was refused")?;
        }
        Ok(())
    }
}

/// Raises the limit of open files as far as it may be; gives how many logs may then be open at once.
pub(crate) fn logs_max() -> Result<usize> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).context("raising the limit of open files")?;
    }
    let Some(files) = limit.maximum else { return Ok(usize::MAX) };
    let logs = usize::try_from(files.saturating_sub(DESCRIPTORS_SPARE) / DESCRIPTORS_PER_LOG)?;
    ensure!(logs > 0, "a limit of {files} open files (ulimit -Hn) leaves none for logs");
    Ok(logs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_nearly_as_long_as_asked() {
        for wanted in [1024, 16_384] {
            let batch = batch(wanted);
            assert!(batch.len() <= wanted && batch.len() * 20 >= wanted * 19, "{} of {wanted}", batch.len());
            assert!(check_internal(batch).is_ok());
        }
    }
}
