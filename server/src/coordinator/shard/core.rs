//! A machine, its log and its timers, without threads or tasks: one turn after the other, by whoever holds it.
//!
//! Invariant: what a turn answers goes together with the ticket of the last record that the machine has taken in, its own
//! or an earlier turn's; nobody may see the answer before that is durable. After an error the core is of no use any more:
//! its machine may have taken in what the log has not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use storage::{
    AppendError, BatchBuilder, BatchError, BatchHeader, Bound, EndMarker, Log, Offset, Origin, ProducerId,
    ReadError, Ticket, check_internal, records,
};

use super::machine::{KeyValue, Machine, Now, Out, Waiter};
use super::timers::Timers;

/// Bytes of the log read at a time when it is loaded.
const LOAD_STEP_BYTES: usize = 1 << 20;
/// Where the records of a turn may be kept in part, a batch ends with this many bytes.
const SPLIT_BYTES: usize = 512 << 10;
/// Records that cannot be taken in and are named one by one in the log; of further ones only the number is.
const NAMED_MAX: u64 = 10;
/// A timer rings so long after it was set, at least: one that is set again whenever it rings must not hold up a shard.
const TIMER_MIN: Duration = Duration::from_millis(1);

/// A shard's log cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("a broken batch at offset {offset}: {error}")]
    Batch { offset: Offset, error: BatchError },
}

/// What a turn answers, and what must be durable before anyone learns of it.
pub struct Turn<R> {
    pub answers: Vec<(Waiter, R)>,
    pub seen: Option<Ticket>,
}

pub struct Core<M: Machine> {
    machine: M,
    timers: Timers<M::Timer>,
    log: Arc<Log>,
    /// Of the last record of this life, until it is known to be durable.
    last: Option<Ticket>,
    passed_over: u64,
}

impl<M: Machine> Core<M> {
    /// Makes a machine from its log, as far as that is durable. `step` is told how far it is.
    pub fn load(
        mut machine: M,
        log: Arc<Log>,
        now: impl Fn() -> Now,
        mut step: impl FnMut(Offset),
    ) -> Result<Self, LoadError> {
        let end = log.high_watermark();
        let mut next = log.start_offset();
        let mut unread = 0;
        let mut held = Held::new();
        while next < end {
            next = replay_step(&log, next, end, &mut machine, &mut held, &mut unread)?;
            step(next);
        }
        if unread > 0 {
            tracing::warn!(
                log = log.dir_name(),
                records = unread,
                "records of a coordinator were passed over"
            );
        }
        let mut core = Self { machine, timers: Timers::new(), log, last: None, passed_over: unread };
        let mut out = Out::new();
        let now = now();
        core.machine.loaded(now, &mut out);
        debug_assert!(out.records.is_empty() && out.answers.is_empty(), "loading decides nothing");
        core.arm(out.timers, now);
        Ok(core)
    }

    /// Decides on one request.
    pub fn decide(&mut self, op: M::Op, waiter: Waiter, now: Now) -> Result<Turn<M::Reply>, AppendError> {
        let mut out = Out::new();
        self.machine.decide(op, waiter, now, &mut out);
        self.end_turn(out, now)
    }

    /// Lets every timer ring that is due.
    pub fn ring(&mut self, now: Now) -> Result<Turn<M::Reply>, AppendError> {
        let mut answers = Vec::new();
        while let Some(timer) = self.timers.due(now.at) {
            let mut out = Out::new();
            self.machine.ring(timer, now, &mut out);
            answers.extend(self.end_turn(out, now)?.answers);
        }
        Ok(Turn { answers, seen: self.seen() })
    }

    /// When [`Core::ring`] is due next.
    pub fn next_timer(&self) -> Option<Duration> {
        self.timers.next()
    }

    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Records of the log that the machine could not take in when it was loaded.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    pub fn timer_count(&self) -> usize {
        self.timers.len()
    }

    /// What must be durable before anyone learns of the state as it is now.
    pub fn seen(&mut self) -> Option<Ticket> {
        if self.last.as_ref().is_some_and(|last| matches!(last.peek(), Some(Ok(_)))) {
            self.last = None;
        }
        self.last.clone()
    }

    fn end_turn(&mut self, out: Out<M>, now: Now) -> Result<Turn<M::Reply>, AppendError> {
        if !out.records.is_empty() {
            self.append(&out.records, out.may_split, now)?;
        }
        self.arm(out.timers, now);
        Ok(Turn { answers: out.answers, seen: self.seen() })
    }

    fn arm(&mut self, timers: Vec<(M::Timer, Option<Duration>)>, now: Now) {
        for (timer, at) in timers {
            match at {
                Some(at) => self.timers.set(timer, at.max(now.at + TIMER_MIN)),
                None => self.timers.cancel(&timer),
            }
        }
    }

    fn append(&mut self, records: &[KeyValue], may_split: bool, now: Now) -> Result<(), AppendError> {
        let mut rest = records;
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(if may_split { fitting(rest) } else { rest.len() });
            let mut builder = BatchBuilder::new(now.wall_ms);
            for record in batch {
                builder = builder.push(Some(&record.key), record.value.as_deref(), &[]);
            }
            let checked = match check_internal(builder.build()) {
                Ok(checked) => checked,
                Err(reject) => unreachable!("a batch of our own is refused: {reject}"),
            };
            let ticket = self.log.append(checked, Origin::Coordinator, None);
            if let Some(Err(error)) = ticket.peek() {
                return Err(error);
            }
            self.last = Some(ticket);
            rest = behind;
        }
        Ok(())
    }
}

/// How many of the records make one batch; at least one.
fn fitting(records: &[KeyValue]) -> usize {
    let mut bytes = 0;
    let within = records.iter().take_while(|record| {
        bytes += record.bytes();
        bytes <= SPLIT_BYTES
    });
    within.count().max(1)
}

/// The batches of transactions that have not ended, with the offsets that they begin at.
type Held = HashMap<ProducerId, Vec<(Offset, Vec<u8>)>>;

/// Takes in what one read gives; answers the offset behind it.
fn replay_step<M: Machine>(
    log: &Log,
    from: Offset,
    end: Offset,
    machine: &mut M,
    held: &mut Held,
    unread: &mut u64,
) -> Result<Offset, LoadError> {
    let plan = log.read(from, LOAD_STEP_BYTES, true, Bound::HighWatermark)?;
    let mut bytes = Vec::with_capacity(plan.bytes);
    for part in &plan.parts {
        bytes.extend_from_slice(&part.read()?);
    }
    let (mut rest, mut next) = (&bytes[..], from);
    // The last batch of a step may be cut off; the next step begins with it.
    while next < end
        && let Ok(header) = BatchHeader::parse(rest)
        && let Some((batch, behind)) = rest.split_at_checked(header.total_bytes())
    {
        // What stands in a transaction does not count before it is committed, and counts then.
        if header.is_control() {
            let ended = held.remove(&header.producer_id).unwrap_or_default();
            if EndMarker::of(batch).is_some_and(|marker| marker.committed) {
                for (offset, batch) in &ended {
                    replay_batch(batch, *offset, machine, unread)?;
                }
            }
        } else if header.is_transactional() {
            held.entry(header.producer_id).or_default().push((next, batch.to_vec()));
        } else {
            replay_batch(batch, next, machine, unread)?;
        }
        next = header.next_offset();
        rest = behind;
    }
    if next > from {
        return Ok(next);
    }
    // A log is read behind its damage, unless nothing there is known to be right. All of the shard's groups would be the
    // price of waiting for it.
    *unread += (end.0 - from.0).unsigned_abs();
    tracing::error!(log = log.dir_name(), from = %from, to = %end, "the end of a coordinator's log is damaged: what it said of groups and offsets is lost, and everything before it counts; \
         check the disk, `ottla log verify` names the damage, and groups that went back read some records again");
    Ok(end)
}

fn replay_batch<M: Machine>(
    batch: &[u8],
    offset: Offset,
    machine: &mut M,
    unread: &mut u64,
) -> Result<(), LoadError> {
    for record in records(batch).map_err(|error| LoadError::Batch { offset, error })? {
        let record = record.map_err(|error| LoadError::Batch { offset, error })?;
        let key = record.key.as_deref().unwrap_or_default();
        if let Err(why) = machine.replay(key, record.value.as_deref()) {
            *unread += 1;
            if *unread <= NAMED_MAX {
                tracing::warn!(offset = %record.offset, %why, "a record of a coordinator is passed over");
            }
        }
    }
    Ok(())
}
