//! Making a log durable: called by the data directory's flusher alone, one call at a time.
//!
//! Invariants: what is flushed is captured before the first sync, so that a later append never counts; segments are
//! flushed in order, so that a crash leaves no hole; the high watermark rises only after every name and byte below it
//! is on the disk.

use std::io;
use std::sync::Arc;

use crate::checkpoint;
use crate::config::Durability;
use crate::env::File;
use crate::epoch_cache;
use crate::error::is_no_space;
use crate::ids::Offset;
use crate::log::Log;
use crate::segment::{Mark, Segment};
use crate::small_file;

/// What one flush has to make durable.
struct Capture {
    end: Mark,
    segments: Vec<Arc<Segment>>,
    metadata: Option<Arc<dyn File>>,
    names: bool,
    dir: bool,
}

impl Log {
    /// Flushes everything that is written now.
    pub(crate) fn flush(&self) -> io::Result<()> {
        if self.is_deleted() {
            return Ok(());
        }
        let capture = self.capture();
        let complete = if capture.segments.is_empty() { true } else { self.sync(&capture)? };
        self.raise(&capture, complete);
        Ok(())
    }

    fn capture(&self) -> Capture {
        let mut writer = self.writer.lock().unwrap();
        writer.unflushed_bytes = 0;
        let segments = self.segments.read().unwrap();
        // All of it may be on the disk already: a flush asked for twice, or an idle log at the end.
        let done = self.marks.lock().unwrap().recovery == Some(writer.end_mark());
        let first = segments.partition_point(|segment| done || segment.base < writer.first_unflushed);
        Capture {
            end: writer.end_mark(),
            segments: segments[first..].to_vec(),
            metadata: writer.new_metadata.take(),
            names: std::mem::take(&mut writer.new_names),
            dir: std::mem::take(&mut writer.new_dir),
        }
    }

    /// False if the data is safe, but an index had no room: recovery must not begin behind it.
    fn sync(&self, capture: &Capture) -> io::Result<bool> {
        let files = &self.shared.env.files;
        if let Some(metadata) = &capture.metadata {
            metadata.sync_data()?;
        }
        let mut complete = true;
        for segment in &capture.segments {
            segment.file()?.sync_data()?;
            if segment.base < capture.end.segment {
                match segment.finish_indexes(true) {
                    Err(error) if is_no_space(&error) => complete = false,
                    other => other?,
                }
            }
        }
        if capture.names {
            files.sync_dir(&self.path)?;
        }
        if capture.dir {
            files.sync_dir(&self.shared.path)?;
        }
        Ok(complete)
    }

    /// The captured end is durable: recovery begins there, readers see up to it, and a wanted mode comes into force.
    fn raise(&self, capture: &Capture, complete: bool) {
        let mut writer = self.writer.lock().unwrap();
        let (high, again) = {
            let mut marks = self.marks.lock().unwrap();
            if complete && !capture.segments.is_empty() {
                writer.first_unflushed = capture.end.segment;
                marks.recovery = Some(capture.end);
            }
            if marks.high.offset < capture.end.offset {
                marks.high = capture.end;
            }
            if writer.durability != writer.config.durability {
                writer.durability = writer.config.durability;
                if writer.durability == Durability::Relaxed {
                    marks.high = marks.end;
                }
            }
            // What came in while the mode changed is shown already, and has to be made good on.
            (
                marks.high.offset,
                marks.high.offset > capture.end.offset && writer.durability == Durability::Durable,
            )
        };
        drop(writer);
        self.watch.raise(high.0);
        if again {
            self.shared.mark_dirty(&self.me());
        }
    }

    /// What a checkpoint may say of this log; `None` as long as nothing of it is durable. Called between flushes.
    pub(crate) fn checkpoint_entry(&self) -> io::Result<Option<checkpoint::Entry>> {
        let Some(recovery) = self.marks.lock().unwrap().recovery else { return Ok(None) };
        if self.is_deleted() {
            return Ok(None);
        }
        self.write_epochs(recovery)?;
        Ok(Some(checkpoint::Entry {
            id: self.id(),
            dir_name: self.dir_name().to_owned(),
            start: self.start_offset(),
            recovery,
            clean: false,
        }))
    }

    /// The epochs of everything below the recovery point have to be in their file before a checkpoint names the point;
    /// those above are found again in the batches.
    fn write_epochs(&self, recovery: Mark) -> io::Result<()> {
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
        small_file::replace(&*self.shared.env.files, &path, begun.encode().as_bytes())?;
        self.epochs.lock().unwrap().written = Some(begun);
        Ok(())
    }

    /// The last flush of a log that takes no more appends; its checkpoint entry is then clean.
    pub(crate) fn finish(&self) -> io::Result<Option<checkpoint::Entry>> {
        self.flush()?;
        let Some(mut entry) = self.checkpoint_entry()? else { return Ok(None) };
        let active = self.segments.read().unwrap().last().cloned();
        let finished = active.is_none_or(|active| match active.finish_indexes(false) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(log = self.dir_name(), %error, "an index was not completed; the next start makes it anew");
                false
            }
        });
        entry.clean = finished && entry.recovery.offset == Offset(self.end_offset().0);
        Ok(Some(entry))
    }
}
