//! The thread that flushes a data directory, over and over: while one flush runs, the appends for the next gather.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::OpenError;
use crate::shared::{Shared, Work};

pub(crate) fn start(shared: Arc<Shared>, checkpoint_interval: Duration) -> Result<JoinHandle<()>, OpenError> {
    let path = shared.path.clone();
    std::thread::Builder::new()
        .name("flusher".to_owned())
        .spawn(move || run(&shared, checkpoint_interval))
        .map_err(OpenError::io("starting the flusher of", &path))
}

fn run(shared: &Shared, checkpoint_interval: Duration) {
    let clock = &shared.env.clock;
    let mut checkpointed = clock.monotonic();
    loop {
        let due_in = checkpoint_interval.saturating_sub(clock.monotonic().saturating_sub(checkpointed));
        match shared.wait_for_work(due_in) {
            Work::Stop => return,
            Work::Flush => shared.flush_cycle(),
            Work::Checkpoint => shared.look_at_space(),
        }
        // Asked after every flush: under load there is always one more waiting.
        if clock.monotonic().saturating_sub(checkpointed) >= checkpoint_interval {
            shared.checkpoint_cycle();
            checkpointed = clock.monotonic();
        }
    }
}
