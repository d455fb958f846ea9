//! Making a log's own files last: for checkpoints, and for relaxed logs, which no journal protects. And closing those that
//! have been made so, once nobody uses them.
//!
//! Invariants: what is flushed is captured before the first sync, so that a later append never counts; one flush of a
//! log at a time; the recovery point rises only after every name and byte below it is on the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::checkpoint;
use crate::config::Durability;
use crate::epoch_cache;
use crate::error::is_passing;
use crate::ids::Offset;
use crate::indexes::MaxTimestamp;
use crate::log::Log;
use crate::meta;
use crate::producer_state;
use crate::segment::{Mark, Segment};
use crate::small_file;

/// How much of a log is on the disk.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Flushed {
    pub(crate) mark: Mark,
    pub(crate) max_time: Option<MaxTimestamp>,
}

/// What one flush has to make last.
pub(crate) struct Capture {
    pub(crate) end: Mark,
    max_time: Option<MaxTimestamp>,
    /// What a relaxed log took since the flush before.
    bytes: u64,
    segments: Vec<Arc<Segment>>,
    names: bool,
    dir: bool,
    producers: producer_state::Captured,
    /// Since this of its joins, everything that the log writes goes into the journal.
    joined: Option<u64>,
}

/// Who makes what was captured last.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// The log itself, file by file.
    Itself,
    /// The caller, by a flush of the whole file system that follows.
    Caller,
}

/// A flush that failed is not tried again, whatever the reason: its pages may be called clean by now.
fn never_again(error: io::Error) -> io::Error {
    io::Error::other(error)
}

impl Log {
    /// Flushes everything that is written now.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let _flushing = self.flushing.lock().unwrap();
        let Some(capture) = self.capture() else { return Ok(()) };
        match self.sync(&capture, By::Itself) {
            Ok(complete) => {
                self.raise(&capture, complete);
                self.shared.counts.uncovered_bytes.fetch_add(capture.bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.give_back(capture);
                Err(error)
            }
        }
    }

    /// What was captured is not on the disk after all: the next flush has to make it last.
    pub(crate) fn give_back(&self, capture: Capture) {
        let mut writer = self.writer.lock().unwrap();
        writer.new_names |= capture.names;
        writer.new_dir |= capture.dir;
        self.producers.lock().unwrap().give_back(capture.producers);
    }

    /// `None` for a log that is deleted.
    pub(crate) fn capture(&self) -> Option<Capture> {
        let mut writer = self.writer.lock().unwrap();
        if self.is_gone() {
            return None;
        }
        let bytes = self.take_unflushed(&mut writer);
        let segments = self.segments.read().unwrap();
        // All of it may be on the disk already: a flush asked for twice, or an idle log at the end.
        let recovery = self.marks.lock().unwrap().recovery;
        let done = recovery.is_some_and(|recovery| recovery.mark == writer.end_mark());
        let first = segments.partition_point(|segment| done || segment.base < writer.first_unflushed);
        Some(Capture {
            end: writer.end_mark(),
            max_time: segments.last().and_then(|active| active.max_timestamp().ok()),
            bytes,
            segments: segments[first..].to_vec(),
            names: std::mem::take(&mut writer.new_names),
            dir: std::mem::take(&mut writer.new_dir),
            producers: self.producers.lock().unwrap().capture(writer.end_mark()),
            joined: writer.journaled.then_some(writer.joins),
        })
    }

    /// False if the data is safe, but an index had no room: recovery must not begin behind it.
    pub(crate) fn sync(&self, capture: &Capture, by: By) -> io::Result<bool> {
        let files = &self.shared.env.files;
        let itself = by == By::Itself;
        if capture.dir && itself {
            // What says whose it is was closed when it was written, for there are many logs: whether the disk has it is
            // not known.
            let path = self.path.join(meta::PARTITION_FILE_NAME);
            small_file::replace(&**files, &path, meta::encode_partition(self.id().topic).as_bytes())?;
        }
        let mut complete = true;
        for segment in &capture.segments {
            if itself {
                segment.file()?.sync_data().map_err(never_again)?;
            }
            if segment.base < capture.end.segment {
                match segment.finish_indexes(true, itself) {
                    Err(error) if is_passing(&error) => complete = false,
                    other => other?,
                }
            }
        }
        if capture.names && itself {
            files.sync_dir(&self.path)?;
        }
        if capture.dir && itself {
            files.sync_dir(&self.shared.path)?;
        }
        self.save_producers(&capture.producers, capture.end, by)?;
        Ok(complete)
    }

    /// Whether a checkpoint will say anything of the log once that is on the disk: one without segments may have no
    /// directory yet.
    pub(crate) fn is_to_be_named(&self, capture: &Capture) -> bool {
        !capture.segments.is_empty() || self.marks.lock().unwrap().recovery.is_some()
    }

    /// What was captured is on the disk: recovery begins behind it, and a wanted mode comes into force.
    pub(crate) fn raise(&self, capture: &Capture, complete: bool) {
        let mut writer = self.writer.lock().unwrap();
        let high = {
            let mut marks = self.marks.lock().unwrap();
            if complete && !capture.segments.is_empty() {
                writer.first_unflushed = capture.end.segment;
                marks.recovery = Some(Flushed { mark: capture.end, max_time: capture.max_time });
            }
            let wanted = writer.config.durability;
            if writer.durability != wanted && capture.joined == Some(writer.joins) {
                writer.durability = wanted;
                writer.durable_at = writer.last_lsn;
                writer.journaled = wanted == Durability::Durable;
                self.journaled.store(writer.journaled, Ordering::Relaxed);
                if wanted == Durability::Relaxed {
                    marks.high = marks.end;
                }
            }
            marks.high.offset
        };
        drop(writer);
        self.watch.raise(high.0);
    }

    /// Closes the files that nobody asked for since this was called before, of those that are on the disk as they are.
    pub(crate) fn close_idle(&self) {
        let writer = self.writer.lock().unwrap();
        let flushed =
            self.marks.lock().unwrap().recovery.is_some_and(|flushed| flushed.mark == writer.end_mark());
        let segments = self.segments.read().unwrap();
        let settled = segments.iter().take_while(|segment| flushed || segment.base < writer.first_unflushed);
        settled.for_each(|segment| segment.close_if_idle());
    }

    /// A commit of the journal made everything below `end` last: readers see it.
    pub(crate) fn raise_high(&self, end: Mark) {
        {
            let mut marks = self.marks.lock().unwrap();
            if marks.high.offset >= end.offset {
                return;
            }
            marks.high = end;
        }
        self.watch.raise(end.offset.0);
    }

    /// The segment before `next` is about to be replaced: a high watermark where it ends is where the next one begins.
    pub(crate) fn leave_high_mark_behind(&self, next: Offset) {
        let mut marks = self.marks.lock().unwrap();
        if marks.high.offset == next && marks.high.segment < next {
            marks.high = Mark { offset: next, segment: next, position: 0 };
        }
    }

    /// What a checkpoint may say of this log; `None` as long as nothing of it was flushed. Called between flushes.
    pub(crate) fn checkpoint_entry(&self, by: By) -> io::Result<Option<checkpoint::Entry>> {
        let Some(recovery) = self.marks.lock().unwrap().recovery else { return Ok(None) };
        if self.is_gone() {
            return Ok(None);
        }
        self.write_epochs(recovery.mark, by)?;
        Ok(Some(checkpoint::Entry {
            id: self.id(),
            dir_name: self.dir_name().to_owned(),
            start: self.start_offset(),
            recovery: recovery.mark,
            max_time: recovery.max_time,
            clean: false,
        }))
    }

    /// The epochs of everything below the recovery point have to be in their file before a checkpoint names the point;
    /// those above are found again in the batches.
    pub(crate) fn write_epochs(&self, recovery: Mark, by: By) -> io::Result<()> {
        let mut begun = {
            let epochs = self.epochs.lock().unwrap();
            if epochs.written.as_ref() == Some(&epochs.cache) {
                return Ok(());
            }
            epochs.cache.clone()
        };
        // An epoch without records is no news: every start of the broker begins one in every log.
        begun.cut_end(recovery.offset);
        if self.epochs.lock().unwrap().written.as_ref() == Some(&begun) {
            return Ok(());
        }
        let path = self.path.join(epoch_cache::FILE_NAME);
        let replace = if by == By::Itself { small_file::replace } else { small_file::replace_unflushed };
        replace(&*self.shared.env.files, &path, begun.encode().as_bytes())?;
        self.epochs.lock().unwrap().written = Some(begun);
        Ok(())
    }

    /// The last flush of a log that takes no more appends; its checkpoint entry is then clean, once a caller that said so
    /// has flushed the file system.
    pub(crate) fn finish(&self, by: By) -> io::Result<Option<checkpoint::Entry>> {
        self.flush()?;
        let Some(mut entry) = self.checkpoint_entry(by)? else { return Ok(None) };
        let active = self.segments.read().unwrap().last().cloned();
        let finished = active.is_none_or(|active| match active.finish_indexes(false, by == By::Itself) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(log = self.dir_name(), %error, "an index was not completed; the next start makes it anew");
                false
            }
        });
        let saved = match self.finish_producers(entry.recovery, by) {
            Err(error) if !is_passing(&error) => return Err(error),
            saved => saved.is_ok(),
        };
        entry.clean = finished && saved && entry.recovery.offset == self.end_offset();
        Ok(Some(entry))
    }
}
