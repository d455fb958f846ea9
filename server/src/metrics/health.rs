//! What the process says of itself to whoever supervises it: alive, and ready for clients.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where the broker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It reads its directories; clients must wait.
    Starting,
    /// It serves.
    Ready,
    /// It ends what it has begun; new clients go elsewhere.
    Stopping,
    /// It cannot serve any more; only a restart helps.
    Failed,
}

const STATES: [State; 4] = [State::Starting, State::Ready, State::Stopping, State::Failed];

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Ready => "ready",
            State::Stopping => "stopping",
            State::Failed => "failed",
        }
    }
}

/// The state, set by the composition root and shown by the metrics listener.
#[derive(Debug)]
pub struct Health(AtomicU8);

impl Default for Health {
    fn default() -> Health {
        Health(AtomicU8::new(State::Starting as u8))
    }
}

impl Health {
    pub fn set(&self, state: State) {
        self.0.store(state as u8, Ordering::Release);
    }

    pub fn state(&self) -> State {
        STATES[usize::from(self.0.load(Ordering::Acquire))]
    }
}
