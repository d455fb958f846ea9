//! Whose turn it is to append.
//!
//! Who finds the log idle appends at once, on its own thread, and then for all who came meanwhile; what cannot be written
//! at once is written by the directory's own thread. Invariants: one appends at a time, in the order in which they came;
//! while a log is moved all wait, and go on in its new place. It must not know what appending is.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Job;
use crate::ids::ProducerId;
use crate::log::Log;
use crate::plan::{Origin, TxnToken};
use crate::slot::Slot;
use crate::ticket::Ticket;
use crate::validate::Checked;

/// Appends that wait for their turn.
#[derive(Default)]
pub(crate) struct Jobs {
    waiting: VecDeque<Job>,
    /// Somebody appends, and will look here before it leaves.
    busy: bool,
    hold: Hold,
}

/// Whether appends wait because the log is being moved.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Hold {
    #[default]
    No,
    /// Who moves the log gets the next turn.
    Wanted,
    /// It has it, and keeps it.
    Held,
}

impl Jobs {
    /// Those of a log that takes nothing yet.
    pub(crate) fn held() -> Jobs {
        Jobs { waiting: VecDeque::new(), busy: true, hold: Hold::Held }
    }
}

/// A batch smaller than this that waits for the disk is copied, so that it does not keep the larger buffer that it came
/// in from being used again.
const DETACH_BELOW_BYTES: usize = 128 << 10;
/// Appends written at once for others, at most, before the directory's own thread takes over.
const ROUNDS_MAX: usize = 8;
const JOBS_PER_ROUND_MAX: usize = 256;

impl Log {
    /// Appends batches and answers with a ticket that resolves when the log's durability is kept. Never waits: what
    /// cannot be written at once is written by another thread. A client's batch that its producer sent before is not
    /// appended again: the answer is the first one's, and waits as that does. The transaction's token is carried for the
    /// check that will ask for it.
    pub fn append(&self, batches: Checked, origin: Origin, token: Option<TxnToken>) -> Ticket {
        // Tokens come with the coordinator that gives them; until then no client's transaction gets here.
        let _ = token;
        let mut job =
            Job { checked: batches, origin, appended: None, repeats: None, ticket: None, slot: None };
        {
            let mut jobs = self.jobs.lock().unwrap();
            if let Some(next) = self.moved.get() {
                drop(jobs);
                return next.append(job.checked, origin, token);
            }
            let in_turn = jobs.busy || !jobs.waiting.is_empty();
            let has_to_wait = self.has_to_wait(true);
            if in_turn || has_to_wait {
                if has_to_wait {
                    job.checked.detach(DETACH_BELOW_BYTES);
                }
                let slot = Slot::new();
                job.slot = Some(Arc::clone(&slot));
                jobs.waiting.push_back(job);
                if !jobs.busy {
                    self.shared.append_later(&self.me());
                }
                return Ticket::queued(slot);
            }
            jobs.busy = true;
        }
        let begun = self.shared.env.clock.monotonic();
        self.place(std::slice::from_mut(&mut job));
        self.shared.took(self.shared.env.clock.monotonic().saturating_sub(begun));
        self.drain(true);
        job.ticket.expect("every job gets its ticket")
    }

    /// Whether an append may not be written now. On the thread of a request, a slow disk counts too.
    fn has_to_wait(&self, inline: bool) -> bool {
        if self.shared.refusal().is_some() {
            return false;
        }
        (inline && self.shared.is_slow())
            || (self.shared.journal().is_full() && self.journaled.load(Ordering::Relaxed))
    }

    /// Writes what waits, as far as it may be. The caller has set `busy`.
    fn drain(&self, inline: bool) {
        for round in 0.. {
            let mut some: Vec<Job> = {
                let mut jobs = self.jobs.lock().unwrap();
                if jobs.hold == Hold::Wanted {
                    jobs.hold = Hold::Held;
                    return;
                }
                let had_its_turns = inline && round == ROUNDS_MAX;
                if jobs.waiting.is_empty() || had_its_turns || self.has_to_wait(inline) {
                    jobs.busy = false;
                    if !jobs.waiting.is_empty() {
                        self.shared.append_later(&self.me());
                    }
                    return;
                }
                let count = jobs.waiting.len().min(JOBS_PER_ROUND_MAX);
                jobs.waiting.drain(..count).collect()
            };
            self.place(&mut some);
            for job in some {
                let ticket = job.ticket.expect("every job gets its ticket");
                if let Some(slot) = job.slot {
                    slot.fill(|flush| if flush { self.flushed(ticket) } else { ticket });
                }
            }
        }
    }

    /// The directory's own thread writes what had to wait.
    pub(crate) fn append_waiting(&self) {
        {
            let mut jobs = self.jobs.lock().unwrap();
            if jobs.busy {
                return;
            }
            jobs.busy = true;
        }
        self.drain(false);
    }

    /// Whose appends wait.
    pub(crate) fn producers_waiting(&self) -> BTreeSet<ProducerId> {
        let jobs = self.jobs.lock().unwrap();
        let batches = jobs.waiting.iter().flat_map(|job| &job.checked.batches);
        batches.map(|batch| batch.header.producer_id).collect()
    }

    /// From here on appends wait, as soon as those are over that have begun: true once they are. For one caller.
    pub(crate) fn hold_appends(&self) -> bool {
        let mut jobs = self.jobs.lock().unwrap();
        if jobs.hold == Hold::No {
            jobs.hold = if jobs.busy { Hold::Wanted } else { Hold::Held };
            jobs.busy = true;
        }
        jobs.hold == Hold::Held
    }

    /// The end of that: what waited is appended.
    pub(crate) fn let_appends_go(&self) {
        let was_held = std::mem::take(&mut self.jobs.lock().unwrap().hold) == Hold::Held;
        if was_held {
            self.drain(false);
        }
    }

    /// Appends that wait here are the first of the log's in its new place, whose own still wait.
    pub(crate) fn hand_appends_to(&self, next: &Log) {
        let mut jobs = self.jobs.lock().unwrap();
        let mut later = next.jobs.lock().unwrap();
        jobs.waiting.append(&mut later.waiting);
        std::mem::swap(&mut jobs.waiting, &mut later.waiting);
    }
}
