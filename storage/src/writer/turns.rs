//! Whose turn it is to append.
//!
//! Who finds the log idle appends at once, on its own thread, or keeps the turn until it has all its appends together
//! (`together.rs`); and then for all who came meanwhile. What cannot be written at once is written by the directory's own
//! thread. Invariants: one appends at a time, in the order in which they came; while a log is moved all wait, and go on in
//! its new place. It must not know what appending is.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Job, Together};
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

    /// The next ones that are written together.
    fn next_round(&mut self) -> Vec<Job> {
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.checked.bytes_len();
            bytes <= BYTES_PER_ROUND_MAX
        };
        let count = self.waiting.iter().take(JOBS_PER_ROUND_MAX).take_while(fits).count();
        self.waiting.drain(..count.max(1)).collect()
    }
}

/// A batch smaller than this that waits for the disk is copied, so that it does not keep the larger buffer that it came
/// in from being used again.
const DETACH_BELOW_BYTES: usize = 128 << 10;
/// Appends written at once for others, at most, before the directory's own thread takes over.
const ROUNDS_MAX: usize = 8;
const JOBS_PER_ROUND_MAX: usize = 256;
/// A round's time is held against the disk: with more bytes it would be long on a quick one, too.
const BYTES_PER_ROUND_MAX: usize = 4 << 20;

impl Log {
    /// Appends batches and answers with a ticket that resolves when the log's durability is kept. Never waits: what
    /// cannot be written at once is written by another thread. A client's batch that its producer sent before is not
    /// appended again: the answer is the first one's, and waits as that does. The transaction's token is carried for the
    /// check that will ask for it.
    pub fn append(&self, batches: Checked, origin: Origin, token: Option<TxnToken>) -> Ticket {
        self.append_together(batches, origin, token, None)
    }

    /// As [`Log::append`]; but with a [`Together`] it may be that nothing is written before its [`Together::write`], which
    /// the caller owes soon.
    pub fn append_together(
        &self,
        batches: Checked,
        origin: Origin,
        token: Option<TxnToken>,
        together: Option<&Together>,
    ) -> Ticket {
        // Tokens come with the coordinator that gives them; until then no client's transaction gets here.
        let _ = token;
        let mut job =
            Job { checked: batches, origin, appended: None, repeats: None, ticket: None, slot: None };
        {
            let mut jobs = self.jobs.lock().unwrap();
            if let Some(next) = self.moved.get() {
                drop(jobs);
                return next.append_together(job.checked, origin, token, together);
            }
            let in_turn = jobs.busy || !jobs.waiting.is_empty();
            let has_to_wait = self.has_to_wait(true);
            // What is refused anyway is refused at once.
            let together = together.filter(|_| self.refusal_of(origin).is_none());
            if in_turn || has_to_wait || together.is_some() {
                if has_to_wait {
                    job.checked.detach(DETACH_BELOW_BYTES);
                }
                let slot = Slot::new();
                job.slot = Some(Arc::clone(&slot));
                jobs.waiting.push_back(job);
                match together {
                    _ if jobs.busy => {}
                    Some(together) if !in_turn && !has_to_wait => {
                        jobs.busy = true;
                        together.add(self.me());
                    }
                    _ => self.shared.append_later(&self.me()),
                }
                return Ticket::queued(slot);
            }
            jobs.busy = true;
        }
        self.place_inline(std::slice::from_mut(&mut job));
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

    /// Writes on the thread of a request, and notices a slow disk.
    fn place_inline(&self, jobs: &mut [Job]) {
        let begun = self.shared.env.clock.monotonic();
        self.place(jobs);
        self.shared.took(self.shared.env.clock.monotonic().saturating_sub(begun));
    }

    /// Writes what waits, as far as it may be. The caller has set `busy`.
    pub(super) fn drain(&self, inline: bool) {
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
                jobs.next_round()
            };
            if inline {
                self.place_inline(&mut some);
            } else {
                self.place(&mut some);
            }
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
