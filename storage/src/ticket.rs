//! The late answer of an append, and the one way in which a data directory publishes how far it is.
//!
//! A durable append waits for a number of a [`Progress`]: its LSN in the journal, or its place in the flusher's queue.
//! Publishing a number resolves all tickets up to it at once. Invariants: numbers resolve in order; once the directory failed, nothing more resolves well. This module
//! must not know logs or files, and no executor: it waits by `std::task` alone.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::ids::{Offset, ProducerId, TimestampMs};
use crate::slot::Slot;

/// Where an append ended up.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first record.
    pub base: Offset,
    /// The offset of the last record.
    pub last: Offset,
    /// The log's time if it stamps its own (`LogAppendTime`), otherwise -1.
    pub append_time: TimestampMs,
}

/// Why an append was not, or may not have been, kept. Kafka's code for the whole group is KAFKA_STORAGE_ERROR (56)
/// unless a variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk is full, or its reserve is reached. Nothing was kept, and the log goes on as soon as there is room.
    #[error("the data directory has no room: delete topics or add space")]
    NoSpace,
    /// The log's file could not be opened. Nothing was kept, and the log goes on as soon as other files are closed.
    #[error("too many files are open: raise `ulimit -n`, or keep fewer partitions")]
    TooManyFiles,
    /// A write or a flush of the data directory failed; a restart is the repair. Whether the records are there, nobody knows.
    #[error("the data directory is offline: {reason}")]
    Offline { reason: Arc<str> },
    /// The data directory was closed: the broker is stopping. NOT_LEADER_OR_FOLLOWER (6) sends clients elsewhere.
    #[error("the data directory is closed")]
    Closed,
    /// The log was deleted. UNKNOWN_TOPIC_OR_PARTITION (3).
    #[error("the log was deleted")]
    Deleted,
    /// Only coordinators write control batches. INVALID_RECORD (87).
    #[error("control batches are not the client's to write")]
    ControlBatch,
    /// A copied batch does not continue the log.
    #[error("the batch begins at offset {found}, but the log ends at {expected}")]
    OutOfOrder { found: Offset, expected: Offset },
    /// The batches hold no record.
    #[error("nothing to append")]
    Empty,
    /// Records of the producer are missing before these, or these are older than what is remembered of it.
    /// OUT_OF_ORDER_SEQUENCE_NUMBER (45).
    #[error("producer {producer} sends sequence {found} behind {last}")]
    OutOfOrderSequence { producer: ProducerId, found: i32, last: i32 },
    /// Another instance of the producer has taken over. INVALID_PRODUCER_EPOCH (47).
    #[error("producer {producer} has epoch {current}, not {found} any more")]
    InvalidProducerEpoch { producer: ProducerId, found: i16, current: i16 },
    /// The producer has a transaction open, and these records are outside of it. INVALID_TXN_STATE (48).
    #[error("producer {producer} has a transaction open and sends records outside of it")]
    NotInTransaction { producer: ProducerId },
    /// A coordinator of a later epoch has ended transactions here. TRANSACTION_COORDINATOR_FENCED (52).
    #[error("the transaction coordinator has epoch {current}, not {found} any more")]
    CoordinatorFenced { found: i32, current: i32 },
    /// A control batch of a producer that is no transaction's end. INVALID_RECORD (87).
    #[error("the control batch does not end a transaction")]
    BadMarker,
}

impl AppendError {
    /// Whether it is the batch that does not fit to what the log knows, and nothing is wrong with the log.
    pub fn is_the_producers(&self) -> bool {
        match self {
            Self::ControlBatch
            | Self::OutOfOrder { .. }
            | Self::Empty
            | Self::OutOfOrderSequence { .. }
            | Self::InvalidProducerEpoch { .. }
            | Self::NotInTransaction { .. }
            | Self::CoordinatorFenced { .. }
            | Self::BadMarker => true,
            Self::NoSpace | Self::TooManyFiles | Self::Offline { .. } | Self::Closed | Self::Deleted => false,
        }
    }
}

type Outcome = Result<Appended, AppendError>;

/// How far a journal, or a flusher, has come.
pub(crate) struct Progress {
    issued: AtomicU64,
    published: AtomicU64,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    wakers: BTreeMap<(u64, u64), Waker>,
    next_id: u64,
    failure: Option<AppendError>,
}

impl Progress {
    pub(crate) fn new() -> Arc<Progress> {
        Progress::from(0)
    }

    /// Everything up to `published` is on the disk already.
    pub(crate) fn from(published: u64) -> Arc<Progress> {
        Arc::new(Progress {
            issued: AtomicU64::new(published),
            published: AtomicU64::new(published),
            waiters: Mutex::new(Waiters::default()),
        })
    }

    /// The next number. The caller holds the lock under which its log is marked dirty.
    pub(crate) fn issue(&self) -> u64 {
        self.issued.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::SeqCst)
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued.load(Ordering::SeqCst)
    }

    /// Everything up to `position` is on the disk.
    pub(crate) fn publish(&self, position: u64) {
        let ready = {
            let mut waiters = self.waiters.lock().unwrap();
            if waiters.failure.is_some() {
                return;
            }
            self.published.fetch_max(position, Ordering::SeqCst);
            let later = waiters.wakers.split_off(&(position + 1, 0));
            std::mem::replace(&mut waiters.wakers, later)
        };
        ready.into_values().for_each(Waker::wake);
    }

    /// Nothing beyond what is published will ever be.
    pub(crate) fn fail(&self, error: AppendError) {
        let ready = {
            let mut waiters = self.waiters.lock().unwrap();
            waiters.failure.get_or_insert(error);
            std::mem::take(&mut waiters.wakers)
        };
        ready.into_values().for_each(Waker::wake);
    }

    fn outcome(&self, position: u64, appended: Appended) -> Option<Outcome> {
        if self.published.load(Ordering::SeqCst) >= position {
            return Some(Ok(appended));
        }
        let failure = self.waiters.lock().unwrap().failure.clone();
        // What was published just before the failure counts.
        if self.published.load(Ordering::SeqCst) >= position { Some(Ok(appended)) } else { failure.map(Err) }
    }
}

/// The answer of an append, to be awaited by any executor, as often as wanted: every clone resolves alike.
#[derive(Clone)]
pub struct Ticket {
    state: State,
}

#[derive(Clone)]
enum State {
    Ready(Outcome),
    Pending(Pending),
    Queued(Queued),
}

/// Not even written yet.
struct Queued {
    slot: Arc<Slot>,
    waiter: Option<u64>,
}

impl Clone for Queued {
    fn clone(&self) -> Queued {
        Queued { slot: Arc::clone(&self.slot), waiter: None }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let Some(id) = self.waiter {
            self.slot.forget(id);
        }
    }
}

struct Pending {
    progress: Arc<Progress>,
    position: u64,
    appended: Appended,
    /// The key of this clone's waker, so that dropping the clone takes it along.
    waiter: Option<u64>,
}

impl Clone for Pending {
    fn clone(&self) -> Pending {
        let progress = Arc::clone(&self.progress);
        Pending { progress, position: self.position, appended: self.appended, waiter: None }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(id) = self.waiter {
            self.progress.waiters.lock().unwrap().wakers.remove(&(self.position, id));
        }
    }
}

impl Ticket {
    pub(crate) fn ready(appended: Appended) -> Ticket {
        Ticket { state: State::Ready(Ok(appended)) }
    }

    pub(crate) fn pending(progress: Arc<Progress>, position: u64, appended: Appended) -> Ticket {
        Ticket { state: State::Pending(Pending { progress, position, appended, waiter: None }) }
    }

    /// A ticket for what is yet to be written.
    pub(crate) fn queued(slot: Arc<Slot>) -> Ticket {
        Ticket { state: State::Queued(Queued { slot, waiter: None }) }
    }

    /// Whether the append has its place in the log, or was refused: nothing of the caller's is held any more.
    pub fn is_placed(&self) -> bool {
        match &self.state {
            State::Queued(queued) => queued.slot.ticket().is_some(),
            State::Ready(_) | State::Pending(_) => true,
        }
    }

    /// Waits until [`Ticket::is_placed`]. The ticket itself may still wait for its flush then.
    pub async fn when_placed(&mut self) {
        poll_fn(|cx| {
            let State::Queued(Queued { slot, waiter }) = &mut self.state else { return Poll::Ready(()) };
            let Some(ticket) = slot.poll(waiter, cx.waker()) else { return Poll::Pending };
            self.state = ticket.state;
            Poll::Ready(())
        })
        .await;
    }

    /// A ticket that has failed already.
    pub fn failed(error: AppendError) -> Ticket {
        Ticket { state: State::Ready(Err(error)) }
    }

    /// The answer, if it is known.
    pub fn peek(&self) -> Option<Result<Appended, AppendError>> {
        match &self.state {
            State::Ready(outcome) => Some(outcome.clone()),
            State::Pending(p) => p.progress.outcome(p.position, p.appended),
            State::Queued(queued) => queued.slot.ticket()?.peek(),
        }
    }

    /// The answer, the calling thread sleeping until it is known. Not for threads that serve others.
    pub fn wait(self) -> Result<Appended, AppendError> {
        struct Unpark(std::thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut ticket = self;
        loop {
            match Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    /// Where an append went that is written and waits for no flush. One that is not written yet is asked to be flushed.
    pub(crate) fn placed(&self) -> Option<Appended> {
        match &self.state {
            State::Ready(Ok(appended)) => Some(*appended),
            State::Ready(Err(_)) | State::Pending(_) => None,
            State::Queued(queued) => queued.slot.want_flush()?.placed(),
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ticket").field(&self.peek()).finish()
    }
}

impl Future for Ticket {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        if let State::Queued(queued) = &mut self.state {
            let Queued { slot, waiter } = &mut *queued;
            let Some(ticket) = slot.poll(waiter, cx.waker()) else { return Poll::Pending };
            self.state = ticket.state;
        }
        let pending = match &mut self.state {
            State::Ready(outcome) => return Poll::Ready(outcome.clone()),
            State::Pending(pending) => pending,
            State::Queued(_) => unreachable!("a slot is filled with what is placed"),
        };
        if let Some(outcome) = pending.progress.outcome(pending.position, pending.appended) {
            return Poll::Ready(outcome);
        }
        {
            let mut waiters = pending.progress.waiters.lock().unwrap();
            let id = *pending.waiter.get_or_insert_with(|| {
                waiters.next_id += 1;
                waiters.next_id
            });
            waiters.wakers.insert((pending.position, id), cx.waker().clone());
        }
        // A publication between the look and the registration found no waker to wake.
        match pending.progress.outcome(pending.position, pending.appended) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Appended = Appended { base: Offset(3), last: Offset(4), append_time: -1 };

    #[test]
    fn resolves_in_order_and_for_every_clone() {
        let progress = Progress::new();
        let first = Ticket::pending(Arc::clone(&progress), progress.issue(), HERE);
        let second = Ticket::pending(Arc::clone(&progress), progress.issue(), HERE);
        assert_eq!(first.peek(), None);
        progress.publish(1);
        assert_eq!(first.clone().peek(), Some(Ok(HERE)));
        assert_eq!(second.peek(), None);
        progress.fail(AppendError::Closed);
        assert_eq!(first.peek(), Some(Ok(HERE)), "what was durable stays so");
        assert_eq!(second.wait(), Err(AppendError::Closed));
        progress.publish(2);
        let late = Ticket::pending(Arc::clone(&progress), 2, HERE);
        assert_eq!(late.peek(), Some(Err(AppendError::Closed)), "nothing resolves well after a failure");
    }

    #[test]
    fn dropping_a_waiting_ticket_leaves_no_waker() {
        let progress = Progress::new();
        let mut ticket = Ticket::pending(Arc::clone(&progress), progress.issue(), HERE);
        let mut other = ticket.clone();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut ticket).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut ticket).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut other).poll(&mut cx).is_pending());
        assert_eq!(progress.waiters.lock().unwrap().wakers.len(), 2);
        drop(ticket);
        drop(other);
        assert!(progress.waiters.lock().unwrap().wakers.is_empty());
    }

    #[test]
    fn tells_when_an_append_is_placed_before_it_is_flushed() {
        let (progress, slot) = (Progress::new(), Slot::new());
        let mut ticket = Ticket::queued(Arc::clone(&slot));
        let mut clone = ticket.clone();
        let mut cx = Context::from_waker(Waker::noop());
        {
            let mut placed = std::pin::pin!(ticket.when_placed());
            assert!(placed.as_mut().poll(&mut cx).is_pending());
            slot.fill(|_| Ticket::pending(Arc::clone(&progress), progress.issue(), HERE));
            assert!(placed.as_mut().poll(&mut cx).is_ready());
        }
        assert!(ticket.is_placed() && ticket.peek().is_none());
        assert!(std::pin::pin!(clone.when_placed()).poll(&mut cx).is_ready());
        progress.publish(1);
        assert_eq!((ticket.wait(), clone.wait()), (Ok(HERE), Ok(HERE)));
    }

    #[test]
    fn wakes_a_sleeping_thread() {
        let progress = Progress::new();
        let ticket = Ticket::pending(Arc::clone(&progress), progress.issue(), HERE);
        let waiting = std::thread::spawn(move || ticket.wait());
        progress.publish(1);
        assert_eq!(waiting.join().unwrap(), Ok(HERE));
    }
}
