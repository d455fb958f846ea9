//! Producers as clients drive them: numbered batches, up to five on the way, lost replies, retries in order; and
//! transactions with the coordinator that ends them.
//!
//! A client whose batch is refused as out of order although nothing before it is on its way begins anew with the next
//! epoch, or gives up, and another producer takes its place; what was on its way is not sent again. It must not know what
//! is in the log.

use std::collections::VecDeque;

use storage::{AppendError, ProducerId, Ticket};

use crate::model::Batch;
use crate::model::producers::advance;

/// As many batches a client has on the way.
const IN_FLIGHT_MAX: usize = 5;

struct OnTheWay {
    batch: Batch,
    /// None if its answer is lost, or said that it may be tried again.
    ticket: Option<Ticket>,
}

/// How a transaction is to end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Commit,
    Abort,
    /// The coordinator ends it by itself: what its client has still on the way is refused from there on.
    Fence,
}

struct Ending {
    wish: Wish,
    ticket: Option<Ticket>,
}

pub(super) struct Client {
    pub(super) id: ProducerId,
    pub(super) epoch: i16,
    next_sequence: i32,
    in_flight: VecDeque<OnTheWay>,
    pub(super) is_transactional: bool,
    is_open: bool,
    ending: Option<Ending>,
    has_failed: bool,
}

/// What a client does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Send,
    /// What is there at this place is sent again.
    Retry(usize),
    End(Wish),
    Wait,
    /// It is to begin anew, or to be replaced by another.
    GiveUp,
}

impl Client {
    /// A producer that nobody knows may begin at any sequence.
    pub(super) fn new(id: ProducerId, next_sequence: i32, is_transactional: bool) -> Client {
        Client {
            id,
            epoch: 0,
            next_sequence,
            in_flight: VecDeque::new(),
            is_transactional,
            is_open: false,
            ending: None,
            has_failed: false,
        }
    }

    pub(super) fn next_sequence(&self) -> i32 {
        self.next_sequence
    }

    pub(super) fn has_open_transaction(&self) -> bool {
        self.is_open && self.ending.is_none()
    }

    pub(super) fn wish(&mut self, wish: Wish) {
        self.ending = Some(Ending { wish, ticket: None });
    }

    /// Takes answers. `is_lost` says which of them get lost on their way.
    pub(super) fn hear(&mut self, mut is_lost: impl FnMut() -> bool) {
        for place in 0..self.in_flight.len() {
            let on_the_way = &mut self.in_flight[place];
            let Some(answer) = on_the_way.ticket.as_ref().and_then(Ticket::peek) else { continue };
            on_the_way.ticket = None;
            match answer {
                _ if is_lost() => {}
                // Answers come in order: those before it were heard or have to be asked for again.
                Ok(_) if place == 0 => {
                    self.in_flight.pop_front();
                    return self.hear(is_lost);
                }
                Err(AppendError::OutOfOrderSequence { .. }) if place > 0 => {}
                Err(error) if error.is_the_producers() => self.has_failed = true,
                Ok(_) | Err(_) => {}
            }
        }
        let answer = self.ending.as_ref().and_then(|ending| ending.ticket.as_ref()?.peek());
        match answer {
            Some(Ok(_)) => self.ended(),
            Some(Err(error)) => {
                assert!(!error.is_the_producers(), "a transaction's end is refused with {error}");
                self.ending.iter_mut().for_each(|ending| ending.ticket = None);
            }
            None => {}
        }
    }

    fn ended(&mut self) {
        let ending = self.ending.take().expect("it was answered just now");
        self.is_open = false;
        if ending.wish == Wish::Fence {
            self.begin_anew();
        }
    }

    /// With the next epoch, and nothing on the way.
    pub(super) fn begin_anew(&mut self) {
        (self.epoch, self.next_sequence, self.has_failed) = (self.epoch + 1, 0, false);
        self.in_flight.clear();
    }

    pub(super) fn next(&self) -> Next {
        let retry = self.in_flight.iter().position(|on_the_way| on_the_way.ticket.is_none());
        match &self.ending {
            Some(Ending { ticket: Some(_), .. }) => Next::Wait,
            Some(Ending { wish: Wish::Fence, .. }) => Next::End(Wish::Fence),
            Some(_) | None if self.has_failed && !self.is_transactional => Next::GiveUp,
            Some(_) | None if self.has_failed => Next::End(Wish::Fence),
            Some(Ending { wish, .. }) if self.in_flight.is_empty() => Next::End(*wish),
            _ if retry.is_some() => Next::Retry(retry.unwrap_or(0)),
            Some(_) => Next::Wait,
            None if self.in_flight.len() < IN_FLIGHT_MAX => Next::Send,
            None => Next::Wait,
        }
    }

    pub(super) fn send(&mut self, batch: Batch, ticket: Ticket) {
        self.next_sequence = advance(self.next_sequence, batch.count());
        self.is_open |= self.is_transactional;
        self.in_flight.push_back(OnTheWay { batch, ticket: Some(ticket) });
    }

    pub(super) fn batch(&self, place: usize) -> Batch {
        self.in_flight[place].batch.clone()
    }

    pub(super) fn retried(&mut self, place: usize, ticket: Ticket) {
        self.in_flight[place].ticket = Some(ticket);
    }

    pub(super) fn ending(&mut self, wish: Wish, ticket: Ticket) {
        self.ending = Some(Ending { wish, ticket: Some(ticket) });
    }

    /// The broker is gone: no answer will come any more.
    pub(super) fn disconnected(&mut self) {
        self.in_flight.iter_mut().for_each(|on_the_way| on_the_way.ticket = None);
        self.ending.iter_mut().for_each(|ending| ending.ticket = None);
    }
}
