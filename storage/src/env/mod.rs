//! The world outside: files, clocks, randomness. The only traits of the crate, because each has two implementations
//! from the start: the machine's, and a simulated one in which a seed decides everything.
//!
//! Invariant: no other module asks the machine for anything. It must not know batches, offsets or formats.

mod aligned;
mod clock;
mod durable;
mod files;
mod random;
mod sim_files;

use std::sync::Arc;

pub use aligned::{AlignedBuf, DIRECT_BLOCK_BYTES};
pub use clock::{Clock, RealClock, SimClock};
pub use files::{DirEntry, File, Files, LockGuard, OpenMode, RealFiles};
pub use random::{Random, RealRandom, SimRandom};
pub use sim_files::SimFiles;

/// What a data directory lives in.
#[derive(Clone)]
pub struct Env {
    pub files: Arc<dyn Files>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

impl Env {
    /// The machine itself.
    pub fn real() -> Env {
        Env {
            files: Arc::new(RealFiles::default()),
            clock: Arc::new(RealClock::new()),
            random: Arc::new(RealRandom),
        }
    }

    /// A world of its own in memory. The handles returned beside it let a test crash the files and move the clock.
    pub fn simulated(seed: u64) -> (Env, SimFiles, SimClock) {
        let (files, clock) = (SimFiles::new(seed), SimClock::new());
        let random = Arc::new(SimRandom::new(seed));
        (Env { files: Arc::new(files.clone()), clock: Arc::new(clock.clone()), random }, files, clock)
    }
}
