//! Checkpoints: everything that the journal protects is made last in the segments, so that its files can be used again.
//!
//! The order is what counts: note the journal's position, flush every log that has records below it and the names that
//! changed, write the checkpoint, and only then recycle. Appends go on all the while. Few logs are flushed one by one,
//! many by one flush of the whole file system.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::checkpoint::{self, Checkpoint};
use crate::error::is_passing;
use crate::floor;
use crate::flush::{By, Capture};
use crate::ids::{LogId, Offset};
use crate::journal::Position;
use crate::log::Log;
use crate::shared::{Shared, Waiter};
use crate::small_file;
use crate::syncs::SYNC_EACH_MAX;

impl Shared {
    /// Does what the journal asked for, `since` the last checkpoint. True if a checkpoint is wanted.
    pub(crate) fn do_chores(&self, since: Duration) -> bool {
        let wanted = self.journal().wanted();
        if wanted.file {
            self.grow_journal();
        }
        if wanted.checkpoint {
            for _ in 0..self.journal().growth(since) {
                if !self.grow_journal() {
                    break;
                }
            }
        }
        wanted.checkpoint
    }

    /// False if the journal is as large as it gets.
    fn grow_journal(&self) -> bool {
        // The reserve is for deleting topics, and not for the journal.
        if !self.has_room_for(self.journal().file_bytes()) {
            return false;
        }
        match self.journal().grow() {
            Ok(grown) => grown,
            Err(error) if is_passing(&error) => {
                self.say_no_room("no room for a larger journal: appends may have to wait");
                false
            }
            Err(error) => {
                self.go_offline("making a file of the journal", &error);
                false
            }
        }
    }

    /// A checkpoint in passing. One that fails for want of room is made up for by the next; the cost is a longer recovery.
    /// False if there was none: it is to be tried again soon, because appends may wait for it.
    pub(crate) fn checkpoint_cycle(&self) -> bool {
        let _cycle = self.cycle();
        // What recovery found may be in no checkpoint before it is flushed.
        if self.is_offline() || self.opening.lock().unwrap().is_some() {
            return false;
        }
        self.counts.uncovered_bytes.store(0, Ordering::Relaxed);
        let (position, dirty) = self.journal().begin_checkpoint();
        let work = || self.flush_all(&dirty).and_then(|()| self.write_checkpoint(position, false));
        let done = self.spare.lend_if_short(work);
        let is_done = done.is_ok();
        match done {
            Ok(()) => {
                self.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
                self.without_room.store(false, Ordering::Relaxed);
                self.journal().end_checkpoint(position);
                self.queues.change(Waiter::Retainer, |queues| queues.checkpointed = true);
            }
            Err(error) if is_passing(&error) => {
                self.say_no_room("no room for a checkpoint: appends may have to wait");
                self.journal().give_back(dirty);
            }
            Err(error) => self.go_offline("writing a checkpoint", &error),
        }
        is_done
    }

    /// Everything that these logs have taken so far is on the disk when this returns.
    pub(crate) fn flush_all(&self, dirty: &[Arc<Log>]) -> io::Result<()> {
        if dirty.len() > SYNC_EACH_MAX {
            return self.flush_at_once(dirty);
        }
        for log in dirty {
            let _flushing = self.flushing.read().unwrap();
            log.flush()?;
        }
        Ok(())
    }

    fn flush_at_once(&self, dirty: &[Arc<Log>]) -> io::Result<()> {
        let _flushing = self.flushing.write().unwrap();
        let captured: Vec<_> = dirty.iter().filter_map(|log| Some((log, log.capture()?))).collect();
        match self.sync_all(&captured) {
            Ok(complete) => {
                let whole = captured.iter().zip(complete);
                whole.for_each(|((log, capture), complete)| log.raise(capture, complete));
                Ok(())
            }
            Err(error) => {
                captured.into_iter().for_each(|(log, capture)| log.give_back(capture));
                Err(error)
            }
        }
    }

    /// Makes last what was captured of many logs; whether the indexes of each are complete.
    fn sync_all(&self, captured: &[(&Arc<Log>, Capture)]) -> io::Result<Vec<bool>> {
        let prepare = |(log, capture): &(&Arc<Log>, Capture)| {
            let complete = log.sync(capture, By::Caller)?;
            if !log.is_to_be_named(capture) {
                return Ok(complete);
            }
            match log.write_epochs(capture.end, By::Caller) {
                Err(error) if is_passing(&error) || log.is_gone() => Ok(false),
                other => other.map(|()| complete),
            }
        };
        let complete = captured.iter().map(prepare).collect::<io::Result<_>>()?;
        self.env.files.sync_fs(&self.path)?;
        Ok(complete)
    }

    /// Writes `checkpoint`. The caller holds `cycle`.
    pub(crate) fn write_checkpoint(&self, journal: Position, clean: bool) -> io::Result<()> {
        let open = self.open_logs();
        let (mut covered, mut news) = (Vec::with_capacity(open.len()), Vec::new());
        for log in open {
            if let Some(entry) = log.checkpoint_entry(By::Itself)? {
                let (start, segment) = (entry.start, entry.recovery.segment);
                let id = entry.id;
                let before = self.known().insert(id, entry).map_or(Offset(0), |before| before.start);
                if start > before {
                    news.push((id, before));
                }
                covered.push((log, segment));
            }
        }
        let entries = self.known().values().cloned().collect();
        let checkpoint = Checkpoint { journal, clean, entries };
        // The journal's records of new starts may be gone after this one, and recovery may have to begin at the one
        // before: both know them.
        for _ in 0..if news.is_empty() { 1 } else { 2 } {
            write(self, &checkpoint).inspect_err(|_| self.forget_starts(&news))?;
        }
        let mut replays = *self.replays.lock().unwrap();
        replays.push(journal.lsn);
        floor::write(&*self.env.files, &self.path, replays.least())?;
        *self.replays.lock().unwrap() = replays;
        for (log, segment) in covered {
            log.covered.lock().unwrap().push(Some(segment));
        }
        self.note_boot()
    }
}

impl Shared {
    /// The checkpoint that was the first to know these starts was not written: the next one will be.
    fn forget_starts(&self, news: &[(LogId, Offset)]) {
        let mut known = self.known();
        for (id, before) in news {
            known.entry(*id).and_modify(|entry| entry.start = *before);
        }
    }
}

fn write(shared: &Shared, checkpoint: &Checkpoint) -> io::Result<()> {
    let (path, old) = (shared.path.join(checkpoint::FILE_NAME), shared.path.join(checkpoint::OLD_FILE_NAME));
    small_file::replace_keeping(&*shared.env.files, &path, &old, &checkpoint::encode(checkpoint))
}
