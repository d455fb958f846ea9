//! Appends of one thread that are written together.
//!
//! Whoever has several requests at hand takes a log's turn with the first append to it, and writes what has gathered there
//! once, at the end: one write and one journal record instead of many. Others' appends to the log queue up meanwhile, so
//! nothing that takes long may happen before [`Together::write`]. It must not know how a turn is kept.

use std::sync::{Arc, Mutex};

use crate::log::Log;

/// The logs whose turn is taken. A dropped one has written.
#[derive(Default)]
pub struct Together {
    logs: Mutex<Vec<Arc<Log>>>,
}

impl Together {
    pub(super) fn add(&self, log: Arc<Log>) {
        self.logs.lock().unwrap().push(log);
    }

    /// Writes what was appended together, as far as it may be written now; whatever else waits there as well.
    pub fn write(&self) {
        let logs = std::mem::take(&mut *self.logs.lock().unwrap());
        logs.iter().for_each(|log| log.drain(true));
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        self.write();
    }
}
