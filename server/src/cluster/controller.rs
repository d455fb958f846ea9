//! The one writer of metadata: decide → append → apply at once → publish; only the reply waits for the disk.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use storage::{
    AppendError, BatchBuilder, BatchError, BatchHeader, Bound, Env, Log, Offset, Origin, ReadError, ReadPlan,
    Ticket, check_internal, records,
};

use super::apply::apply;
use super::image::Image;
use super::records::{Record, RecordError};

/// Bytes of the metadata log read at a time when it is loaded.
const LOAD_STEP_BYTES: usize = 1 << 20;

/// An image and the place in the log that it stands for.
#[derive(Clone)]
pub struct Seen {
    pub image: Arc<Image>,
    last_append: Option<Ticket>,
}

impl Seen {
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
    #[error("the metadata log cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error("the metadata log cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("the metadata log holds a broken batch at offset {offset}: {error}")]
    Batch { offset: Offset, error: BatchError },
    #[error("the metadata log holds no batch at offset {0}")]
    Gap(Offset),
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

pub struct Controller {
    log: Arc<Log>,
    env: Env,
    /// Held from decision to publication, so that each decision sees the one before.
    writer: Mutex<()>,
    current: ArcSwap<Seen>,
}

impl Controller {
    /// Replays the whole log into an image.
    pub fn load(log: Arc<Log>, env: Env) -> Result<Self, LoadError> {
        let mut image = Image::default();
        let mut next = log.start_offset();
        while next < log.end_offset() {
            next = replay_step(&log, next, &mut image)?;
        }
        let seen = Seen { image: Arc::new(image), last_append: None };
        Ok(Self { log, env, writer: Mutex::new(()), current: ArcSwap::from_pointee(seen) })
    }

    /// The image now. A request takes it once and keeps it.
    pub fn seen(&self) -> Arc<Seen> {
        self.current.load_full()
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
        let ticket = self.append(&records);
        if let Some(Err(error)) = ticket.peek() {
            return (Err(CommandError::Storage(error)), before);
        }
        let mut image = Image::clone(&before.image);
        for record in records {
            apply(&mut image, record);
        }
        let after = Arc::new(Seen { image: Arc::new(image), last_append: Some(ticket) });
        self.current.store(after.clone());
        (Ok(outcome), after)
    }

    fn append(&self, records: &[Record]) -> Ticket {
        let mut builder = BatchBuilder::new(self.env.clock.now_ms());
        for record in records {
            builder = builder.push(None, Some(&record.encode()), &[]);
        }
        match check_internal(builder.build()) {
            Ok(batch) => self.log.append(batch, Origin::Coordinator, None),
            Err(reject) => unreachable!("a batch of our own is refused: {reject}"),
        }
    }
}

/// Applies what one read gives; answers the offset behind it.
fn replay_step(log: &Log, from: Offset, image: &mut Image) -> Result<Offset, LoadError> {
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
    if next == from { Err(LoadError::Gap(from)) } else { Ok(next) }
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
