//! The place where an append's ticket arrives when the append itself had to wait: for others on the same log, for room
//! in the journal, or because the disk is slow.
//!
//! Invariant: it is filled once, and everyone who waited is woken then. It must not know why anything waits.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use crate::ticket::Ticket;

#[derive(Default)]
pub(crate) struct Slot {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ticket: Option<Ticket>,
    flush_wanted: bool,
    wakers: Vec<(u64, Waker)>,
    next_id: u64,
}

impl Slot {
    pub(crate) fn new() -> Arc<Slot> {
        Arc::default()
    }

    /// Fills the place. `make` is told whether somebody asked for a flush in the meantime.
    pub(crate) fn fill(&self, make: impl FnOnce(bool) -> Ticket) {
        let wakers = {
            let mut inner = self.inner.lock().unwrap();
            let ticket = make(inner.flush_wanted);
            inner.ticket.get_or_insert(ticket);
            std::mem::take(&mut inner.wakers)
        };
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }

    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.inner.lock().unwrap().ticket.clone()
    }

    /// Asks for a flush of what is not placed yet; the ticket, if it is here already.
    pub(crate) fn want_flush(&self) -> Option<Ticket> {
        let mut inner = self.inner.lock().unwrap();
        inner.flush_wanted |= inner.ticket.is_none();
        inner.ticket.clone()
    }

    /// The ticket, or a promise to wake.
    pub(crate) fn poll(&self, id: &mut Option<u64>, waker: &Waker) -> Option<Ticket> {
        let mut inner = self.inner.lock().unwrap();
        if let Some(ticket) = &inner.ticket {
            return Some(ticket.clone());
        }
        let mine = *id.get_or_insert_with(|| {
            inner.next_id += 1;
            inner.next_id
        });
        inner.wakers.retain(|(id, _)| *id != mine);
        inner.wakers.push((mine, waker.clone()));
        None
    }

    pub(crate) fn forget(&self, id: u64) {
        self.inner.lock().unwrap().wakers.retain(|(kept, _)| *kept != id);
    }
}
