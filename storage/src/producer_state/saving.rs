//! What is written of the producers, so that a start need not read the whole log for them.
//!
//! A snapshot is taken in memory at each roll, when a log is closed, and by a flush that finds enough behind the last
//! one; flushes write them. Invariants: a snapshot is on the disk only when everything below its offset is, and the
//! aborted transactions of it with their sums, whoever flushes what; the last one is removed only behind a newer one. None is needed for what is right, only
//! for what is quick, as long as the log has the batches.

use std::collections::BTreeSet;
use std::io;

use super::Producers;
use super::snapshot::{self, SNAPSHOT_SUFFIX};
use crate::error::is_passing;
use crate::flush::By;
use crate::ids::Offset;
use crate::log::Log;
use crate::segment::{Mark, file_name};
use crate::small_file;
use crate::txn_sums;

/// A flush that finds this much behind the last snapshot takes another: what a start after a crash reads.
const SNAPSHOT_BYTES: u64 = 1 << 20;

pub(super) struct Taken {
    offset: Offset,
    bytes: Vec<u8>,
}

/// What one flush writes of the producers.
#[derive(Default)]
pub(crate) struct Captured {
    taken: Vec<Taken>,
}

impl Producers {
    /// Takes a snapshot of the log as it ends at `at`.
    pub(crate) fn take_snapshot(&mut self, at: Mark) {
        self.taken_at = (at.segment, at.position);
        if !self.snapshots.contains(&at.offset)
            && self.taken.last().is_none_or(|last| last.offset < at.offset)
        {
            self.taken.push(Taken { offset: at.offset, bytes: snapshot::encode(&self.entries) });
        }
    }

    fn is_due(&self, end: Mark) -> bool {
        let (segment, position) = self.taken_at;
        let behind =
            if segment == end.segment { end.position.saturating_sub(position) } else { end.position };
        behind >= SNAPSHOT_BYTES
    }

    /// What a flush of the log as it ends now has to write.
    pub(crate) fn capture(&mut self, end: Mark) -> Captured {
        if self.is_due(end) {
            self.take_snapshot(end);
        }
        Captured { taken: std::mem::take(&mut self.taken) }
    }

    pub(crate) fn give_back(&mut self, captured: Captured) {
        let later = std::mem::replace(&mut self.taken, captured.taken);
        self.taken.extend(later);
    }

    /// The snapshots that nothing needs any more: each segment needs its own, a start the last one.
    fn superfluous(&mut self, segments: &BTreeSet<Offset>) -> Vec<Offset> {
        let Some(last) = self.snapshots.last().copied() else { return Vec::new() };
        let gone = self.snapshots.iter().copied().filter(|at| *at != last && !segments.contains(at));
        let gone: Vec<_> = gone.collect();
        self.snapshots.retain(|at| !gone.contains(at));
        gone
    }

    /// The last snapshot on the disk.
    pub(crate) fn last_snapshot(&self) -> Option<Offset> {
        self.snapshots.last().copied()
    }

    /// The segments at these offsets are no more: which of their snapshots go with them. The last one never does.
    pub(crate) fn drop_snapshots(&mut self, segments: impl Iterator<Item = Offset>) -> Vec<Offset> {
        let Some(last) = self.snapshots.last().copied() else { return Vec::new() };
        segments.filter(|at| *at != last && self.snapshots.remove(at)).collect()
    }
}

impl Log {
    /// Everything below the snapshots is in the segments' files by now, and on the disk if the log flushes itself.
    pub(crate) fn save_producers(&self, captured: &Captured, end: Mark, by: By) -> io::Result<()> {
        match self.write_producers(captured, end, by) {
            // Without it a start reads more.
            Err(error) if is_passing(&error) => Ok(()),
            other => other,
        }
    }

    fn write_producers(&self, captured: &Captured, end: Mark, by: By) -> io::Result<()> {
        let files = &*self.shared.env.files;
        let replacing = |flushes| if flushes { small_file::replace } else { small_file::replace_unflushed };
        // Until the caller flushes, a power cut could leave the snapshot and not them.
        let is_first = by == By::Itself || !captured.taken.is_empty();
        let unwritten = self.producers.lock().unwrap().aborts.unwritten();
        for aborts in &unwritten {
            aborts.write(files, &self.path, is_first)?;
            self.producers.lock().unwrap().aborts.written(aborts);
        }
        let sums = self.producers.lock().unwrap().aborts.take_new_sums();
        if let Some(sums) = sums {
            replacing(is_first)(files, &self.path.join(txn_sums::FILE_NAME), &txn_sums::encode(&sums))
                .inspect_err(|_| self.producers.lock().unwrap().aborts.sums_are_unwritten())?;
        }
        let replace = replacing(by == By::Itself);
        if captured.taken.is_empty() {
            return Ok(());
        }
        let bases: BTreeSet<Offset> =
            self.segments.read().unwrap().iter().map(|segment| segment.base).collect();
        let superfluous = {
            let mut producers = self.producers.lock().unwrap();
            producers.aborts.seal(end.segment, |base| !bases.contains(&base));
            producers.superfluous(&bases)
        };
        for at in superfluous {
            match files.remove_file(&self.path.join(file_name(at, SNAPSHOT_SUFFIX))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for taken in &captured.taken {
            replace(files, &self.path.join(file_name(taken.offset, SNAPSHOT_SUFFIX)), &taken.bytes)?;
            self.producers.lock().unwrap().snapshots.insert(taken.offset);
        }
        Ok(())
    }

    /// The last snapshot of a log that takes no more appends and is flushed: its next start reads nothing else. A log
    /// that never had a producer does without.
    pub(crate) fn finish_producers(&self, end: Mark, by: By) -> io::Result<()> {
        let captured = {
            let mut producers = self.producers.lock().unwrap();
            if producers.snapshots.is_empty() && producers.taken.is_empty() && producers.len() == 0 {
                return Ok(());
            }
            producers.take_snapshot(end);
            producers.capture(end)
        };
        self.write_producers(&captured, end, by)
    }
}
