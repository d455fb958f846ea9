//! The one writer of metadata: decide → append → apply at once → publish; only the reply waits for the disk.
//!
//! Snapshots of what is durable are written beside, by whoever calls [`Controller::write_snapshot`] when one is due.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use storage::{
    AppendError, BatchBuilder, BatchError, BatchHeader, Bound, Cleanup, DataDir, Durability, Env,
    LeaderEpoch, Log, LogConfig, LogId, Offset, OpenError, Origin, ReadError, ReadPlan, Ticket, TopicId,
    check_internal, records,
};
use tokio::sync::Notify;

use super::apply::apply;
use super::image::Image;
use super::records::{Record, RecordError};
use super::snapshot::{SnapshotError, Snapshots};

/// Kafka's id of the metadata topic.
pub const LOG_ID: LogId = LogId { topic: TopicId(1u128.to_be_bytes()), partition: 0 };
const DIR_NAME: &str = "__cluster_metadata-0";
/// What snapshots cover goes segment by segment.
const SEGMENT_BYTES: u32 = 4 << 20;

/// Bytes of the metadata log read at a time when it is loaded.
const LOAD_STEP_BYTES: usize = 1 << 20;

/// An image and the place in the log that it stands for.
#[derive(Clone)]
pub struct Seen {
    pub image: Arc<Image>,
    last_append: Option<Ticket>,
    /// The first offset that this life appended, or will.
    loaded_to: Offset,
    /// How much the log has grown since the last snapshot of the life before.
    grown_bytes: u64,
}

impl Seen {
    /// The offset behind the last record that the image knows; `None` as long as a crash could take that back.
    fn durable_to(&self) -> Option<Offset> {
        match &self.last_append {
            None => Some(self.loaded_to),
            Some(ticket) => ticket.peek()?.ok().map(|appended| Offset(appended.last.0 + 1)),
        }
    }

    /// True when a crash can no longer take this image back: a reply that saw it may leave.
    pub fn is_durable(&self) -> bool {
        self.last_append.as_ref().is_none_or(|t| t.peek().is_some_and(|r| r.is_ok()))
    }

    /// Waits until the image is durable.
    pub async fn durable(self) -> Result<(), AppendError> {
        match self.last_append {
            Some(ticket) => ticket.await.map(drop),
            None => Ok(()),
        }
    }
}

/// The metadata log cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the metadata log cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error("the metadata log cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("the metadata log holds a broken batch at offset {offset}: {error}")]
    Batch { offset: Offset, error: BatchError },
    #[error("the metadata log holds no batch at offset {0}")]
    Gap(Offset),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("metadata record at offset {offset}: {error}")]
    Record { offset: Offset, error: RecordError },
}

/// Why a command did not take place.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E> {
    #[error(transparent)]
    Refused(E),
    #[error("the metadata log does not take records: {0}")]
    Storage(AppendError),
}

/// The metadata that a data directory keeps, made if there is none yet.
pub fn open(dir: &DataDir, env: &Env) -> Result<(Arc<Log>, Controller), LoadError> {
    let kept = LogConfig {
        durability: Durability::Durable,
        cleanup: Cleanup { delete: false, compact: false },
        segment_bytes: SEGMENT_BYTES,
        ..LogConfig::default()
    };
    let log = dir.open_log(LOG_ID, DIR_NAME, kept, LeaderEpoch(0))?;
    let controller = Controller::load(log.clone(), dir.path().join(DIR_NAME), env.clone())?;
    Ok((log, controller))
}

pub struct Controller {
    log: Arc<Log>,
    env: Env,
    /// Held from decision to publication, so that each decision sees the one before.
    writer: Mutex<()>,
    current: ArcSwap<Seen>,
    snapshots: Snapshots,
    snapshot_due: Notify,
}

impl Controller {
    /// Loads the newest snapshot in `dir`, the log's directory, and replays the log behind it.
    pub fn load(log: Arc<Log>, dir: PathBuf, env: Env) -> Result<Self, LoadError> {
        let (start, end) = (log.start_offset(), log.end_offset());
        let (snapshots, loaded) = Snapshots::load(env.clone(), dir, start, end)?;
        let (mut image, snapshot) = (loaded.image, loaded.next);
        let (mut next, mut grown_bytes) = (snapshot, 0);
        while next < end {
            let step = replay_step(&log, next, &mut image)?;
            (next, grown_bytes) = (step.next, grown_bytes + step.bytes);
        }
        tracing::debug!(%snapshot, replayed_bytes = grown_bytes, %end, "the metadata is loaded");
        let seen = Seen { image: Arc::new(image), last_append: None, loaded_to: next, grown_bytes };
        let current = ArcSwap::from_pointee(seen);
        Ok(Self { log, env, writer: Mutex::new(()), current, snapshots, snapshot_due: Notify::new() })
    }

    /// Waits until a snapshot is due and what it is to say is durable. An image whose records are lost with their disk gets
    /// none.
    pub async fn snapshot_due(&self) -> Arc<Seen> {
        loop {
            self.snapshot_due.notified().await;
            let seen = self.seen();
            if self.snapshots.is_due(seen.grown_bytes) && Seen::clone(&seen).durable().await.is_ok() {
                return seen;
            }
        }
    }

    /// Writes a snapshot, for the next start to begin with. Without effect for an image that is not durable.
    pub fn write_snapshot(&self, seen: &Seen) -> io::Result<()> {
        match seen.durable_to() {
            Some(next) => self.snapshots.write(&seen.image, next, seen.grown_bytes),
            None => Ok(()),
        }
    }

    /// As far as this the log is of no use any more: two snapshots know what stands before.
    pub fn covered_by_snapshots(&self) -> Option<Offset> {
        self.snapshots.covered()
    }

    /// Where the metadata's log ends, and how much of it no crash takes back.
    pub fn log_ends(&self) -> (Offset, Offset) {
        (self.log.end_offset(), self.log.high_watermark())
    }

    /// The image now. A request takes it once and keeps it.
    pub fn seen(&self) -> Arc<Seen> {
        self.current.load_full()
    }

    /// The log begins behind what two snapshots know. Its files follow with the directory's retention.
    pub fn forget_covered(&self) {
        let covered = self.covered_by_snapshots().filter(|covered| *covered > self.log.start_offset());
        let Some(Err(error)) = covered.map(|covered| self.log.delete_records(Some(covered))) else { return };
        tracing::warn!(%error, "the log of the metadata keeps what its snapshots cover");
    }

    /// Decides on the newest image and applies the records. The reply must wait for the returned [`Seen`].
    pub fn execute<T, E>(
        &self,
        decide: impl FnOnce(&Image) -> Result<(Vec<Record>, T), E>,
    ) -> (Result<T, CommandError<E>>, Arc<Seen>) {
        // A panic in a decision leaves the image as it was: nothing is published before it returned.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.seen();
        let (records, outcome) = match decide(&before.image) {
            Ok(decided) => decided,
            Err(refusal) => return (Err(CommandError::Refused(refusal)), before),
        };
        if records.is_empty() {
            return (Ok(outcome), before);
        }
        let (ticket, bytes) = self.append(&records);
        if let Some(Err(error)) = ticket.peek() {
            return (Err(CommandError::Storage(error)), before);
        }
        let mut image = Image::clone(&before.image);
        for record in records {
            apply(&mut image, record);
        }
        let grown_bytes = before.grown_bytes + bytes;
        let (image, last_append) = (Arc::new(image), Some(ticket));
        let after = Arc::new(Seen { image, last_append, loaded_to: before.loaded_to, grown_bytes });
        self.current.store(after.clone());
        if self.snapshots.is_due(grown_bytes) {
            self.snapshot_due.notify_one();
        }
        (Ok(outcome), after)
    }

    /// Appends the records as one batch, and answers how large it is.
    fn append(&self, records: &[Record]) -> (Ticket, u64) {
        let mut builder = BatchBuilder::new(self.env.clock.now_ms());
        for record in records {
            builder = builder.push(None, Some(&record.encode()), &[]);
        }
        let batch = builder.build();
        let bytes = batch.len() as u64;
        match check_internal(batch) {
            Ok(batch) => (self.log.append(batch, Origin::Coordinator, None), bytes),
            Err(reject) => unreachable!("a batch of our own is refused: {reject}"),
        }
    }
}

struct Step {
    /// The offset behind what was applied.
    next: Offset,
    bytes: u64,
}

/// Applies what one read gives.
fn replay_step(log: &Log, from: Offset, image: &mut Image) -> Result<Step, LoadError> {
    let bytes = in_memory(&log.read(from, LOAD_STEP_BYTES, true, Bound::End)?)?;
    let mut rest = &bytes[..];
    let mut next = from;
    // The last batch of a step may be cut off; the next step begins with it.
    while let Ok(header) = BatchHeader::parse(rest)
        && let Some((batch, behind)) = rest.split_at_checked(header.total_bytes())
    {
        replay_batch(batch, image, next)?;
        next = header.next_offset();
        rest = behind;
    }
    let bytes = (bytes.len() - rest.len()) as u64;
    if next == from { Err(LoadError::Gap(from)) } else { Ok(Step { next, bytes }) }
}

fn replay_batch(batch: &[u8], image: &mut Image, offset: Offset) -> Result<(), LoadError> {
    for record in records(batch).map_err(|error| LoadError::Batch { offset, error })? {
        let record = record.map_err(|error| LoadError::Batch { offset, error })?;
        let value = record.value.as_deref().unwrap_or_default();
        let decoded =
            Record::decode(value).map_err(|error| LoadError::Record { offset: record.offset, error })?;
        apply(image, decoded);
    }
    Ok(())
}

fn in_memory(plan: &ReadPlan) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(plan.bytes);
    for part in &plan.parts {
        bytes.extend_from_slice(&part.read()?);
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
