//! What a state machine over a log is: decisions in, records, answers and timers out. No clock, no socket, no file.
//!
//! A machine has *hard* state, which only its records change, and *soft* state beside it (who waits for whom, since
//! when), which a restart loses by design. While it decides it hands its records to [`Out`] and applies each at once to
//! itself, by the same function that loads them: the shard appends them before anybody learns of anything. If they cannot
//! be appended the machine is thrown away and made anew from the log, so nothing is ever un-applied.

use std::hash::Hash;
use std::time::Duration;

/// The time of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Measures: never goes back.
    pub at: Duration,
    /// Labels: what the wall says, in milliseconds.
    pub wall_ms: i64,
}

/// Somebody who waits for an answer. A machine may keep it and answer at any later turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter(pub u64);

/// One record's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl KeyValue {
    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Everything that a turn of a machine wants done.
pub struct Out<M: Machine + ?Sized> {
    pub(super) records: Vec<KeyValue>,
    pub(super) answers: Vec<(Waiter, M::Reply)>,
    pub(super) timers: Vec<(M::Timer, Option<Duration>)>,
    pub(super) may_split: bool,
}

impl<M: Machine + ?Sized> Out<M> {
    pub(super) fn new() -> Self {
        Self { records: Vec::new(), answers: Vec::new(), timers: Vec::new(), may_split: false }
    }

    /// A record that the machine has applied. The records of a turn are kept all or none.
    pub fn record(&mut self, record: KeyValue) {
        self.records.push(record);
    }

    /// The records of this turn may be kept in part: each stands for itself.
    pub fn may_split(&mut self) {
        self.may_split = true;
    }

    pub fn answer(&mut self, waiter: Waiter, reply: M::Reply) {
        self.answers.push((waiter, reply));
    }

    /// From here on `timer` rings at `at`, and only then.
    pub fn set_timer(&mut self, timer: M::Timer, at: Duration) {
        self.timers.push((timer, Some(at)));
    }

    pub fn cancel_timer(&mut self, timer: M::Timer) {
        self.timers.push((timer, None));
    }
}

/// A state machine that a shard keeps.
pub trait Machine: Send + 'static {
    type Op: Send;
    type Reply: Send + 'static;
    type Timer: Clone + Eq + Hash + Send;

    /// Decides on a request. `waiter` must be answered, in this turn or in a later one.
    fn decide(&mut self, op: Self::Op, waiter: Waiter, now: Now, out: &mut Out<Self>);

    /// A timer rings. It is gone by then.
    fn ring(&mut self, timer: Self::Timer, now: Now, out: &mut Out<Self>);

    /// Takes in a record of the log. One that it cannot take it names, and leaves its state as it was.
    fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String>;

    /// The whole log is replayed; what follows from the time may be arranged.
    fn loaded(&mut self, now: Now, out: &mut Out<Self>);
}
