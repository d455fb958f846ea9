//! The moment at which a log changes places: appends wait, all that is written is durable, and little is left to copy.
//!
//! Invariants: the rename happens when all of the copy is on the disk, and under the log's writer, so that its start, its
//! settings and its end are the copy's; whatever fails before it leaves all as it was; whatever fails from there on makes
//! the source's count the greater before anything is appended there. Locks: both directories' `directories`, then both
//! `cycle`s, then the writer.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use super::names::{self, LastMove};
use super::{Move, MoveError, Stage, Step, failed};
use crate::checkpoint;
use crate::data_dir::DELETE_SUFFIX;
use crate::env::{Files, OpenMode};
use crate::flush::By;
use crate::lock_file::Pages;
use crate::log::Log;
use crate::meta::{self, PARTITION_FILE_NAME};
use crate::recover::{Depth, recover};
use crate::small_file;
use crate::writer::Writer;

/// Copied in one piece while appends wait.
const PIECE_BYTES: usize = 1 << 20;
/// The most that is copied while appends wait: a compaction may have replaced a segment just before.
const LEFT_BYTES_MAX: u64 = 16 << 20;

impl Move {
    pub(super) fn switch(&mut self) -> Result<Step, MoveError> {
        let Some(new) = self.change_places()? else {
            self.wait_for_another_time()?;
            return Ok(Step::Waiting);
        };
        self.stage = Stage::Over;
        self.log.hand_appends_to(&new);
        new.let_appends_go();
        // Until the next checkpoint of the target a start would read all of it.
        self.target.journal().want_checkpoint();
        self.target.ask_for_chores();
        Ok(Step::Done(new))
    }

    /// `None` if the log has changed since appends began to wait, so that they would wait too long: retention may begin a
    /// segment, and a compaction may replace one.
    fn change_places(&mut self) -> Result<Option<Arc<Log>>, MoveError> {
        let (source, target) = (Arc::clone(&self.source), Arc::clone(&self.target));
        let _directories = (source.directories(), target.directories());
        let _cycles = (source.cycle(), target.cycle());
        let log = Arc::clone(&self.log);
        if log.is_gone() {
            return Err(MoveError::Gone);
        }
        if target.env.files.exists(&target.path.join(log.dir_name())) || target.logs().contains_key(&log.id())
        {
            return Err(MoveError::NameTaken);
        }
        let entry = {
            let _flushing = source.flushing.read().unwrap();
            log.finish(By::Itself)
                .map_err(|error| self.source_failed("flushing a log that is moved", &error))?
        };
        if self.left_bytes() > LEFT_BYTES_MAX {
            return Ok(None);
        }
        while self.copy_piece(PIECE_BYTES)?.is_some() {}
        self.copy_beside()?;
        // A flush that has begun needs the directory under its name.
        let _flushing = log.flushing.lock().unwrap();
        let writer = log.writer.lock().unwrap();
        let start = log.start_offset();
        let entry = match entry {
            Some(entry) if entry.recovery == writer.end_mark() => checkpoint::Entry { start, ..entry },
            // Nothing was ever written, or all of it was deleted.
            None if self.copied.is_empty() => {
                checkpoint::Entry::unflushed(log.id(), log.dir_name().to_owned(), start)
            }
            _ => return Ok(None),
        };
        if !self.has_all_segments() {
            return Ok(None);
        }
        let before = names::last_move(&*source.env.files, &log.path)
            .map_err(|error| MoveError::Source(error.to_string()))?
            .unwrap_or_default();
        let to = LastMove { count: before.count + 1, start };
        make_mark(&*target.env.files, &self.dir, to)
            .map_err(|error| failed(&target, "marking the copy of a log", &error))?;
        self.flush_copies()?;
        match self.take_over(&writer, &entry) {
            Ok(new) => {
                self.hand_over(writer, &new);
                Ok(Some(new))
            }
            Err(error) => {
                self.stay(LastMove { count: to.count + 1, start });
                Err(error)
            }
        }
    }

    /// From the flush of the name on, the copy is the log.
    fn take_over(&self, writer: &Writer, entry: &checkpoint::Entry) -> Result<Arc<Log>, MoveError> {
        let (log, target) = (&self.log, &self.target);
        let files = &target.env.files;
        let home = target.path.join(log.dir_name());
        let named = files.rename(&self.dir, &home).and_then(|()| files.sync_dir(&target.path));
        named.map_err(|error| failed(target, "naming the copy of a log", &io::Error::other(error)))?;
        let recovered = recover(files, log.id(), &home, Some(entry), Pages::Kept, Depth::Unknown);
        let mut recovered = recovered.map_err(|error| MoveError::Target(error.to_string()))?;
        let syncs = std::mem::take(&mut recovered.syncs);
        target.flush_recovered(&syncs).map_err(|error| MoveError::Target(error.to_string()))?;
        if recovered.end != writer.end_mark() || recovered.start != entry.start {
            let what = format!("the copy ends at {}, not at {}", recovered.end.offset, writer.end());
            return Err(MoveError::Target(what));
        }
        Ok(Log::succeeding(log, Arc::clone(target), writer.config.clone(), recovered))
    }

    /// Nobody gets to the source's log any more.
    fn hand_over(&self, writer: MutexGuard<'_, Writer>, new: &Arc<Log>) {
        let (log, source) = (&self.log, &self.source);
        self.target.logs().insert(log.id(), Arc::clone(new));
        self.target.counts.moved_logs.fetch_add(1, Ordering::Relaxed);
        let is_first = log.moved.set(Arc::clone(new)).is_ok();
        debug_assert!(is_first, "a log is moved once; the next time it is another");
        source.give_up(log, writer);
        if !source.env.files.exists(&log.path) {
            return;
        }
        match source.rename_away(log.dir_name(), DELETE_SUFFIX) {
            Ok(trash) => source.throw_away(trash),
            Err(error) => {
                tracing::warn!(path = %log.path.display(), %error, "what a moved log left behind stays until the next start");
            }
        }
    }

    /// Whether the copy has the log's name on the disk is not known, or it cannot be used: a start is not to take it.
    fn stay(&self, at: LastMove) {
        let (log, source) = (&self.log, &self.source);
        let files = &*source.env.files;
        let mark = || {
            if !files.exists(&log.path) {
                files.create_dir(&log.path)?;
                let text = meta::encode_partition(log.id().topic);
                small_file::replace(files, &log.path.join(PARTITION_FILE_NAME), text.as_bytes())?;
                files.sync_dir(&source.path)?;
            }
            make_mark(files, &log.path, at)?;
            files.sync_dir(&log.path)
        };
        if let Err(error) = mark() {
            return source.go_offline("keeping a log where it is", &error);
        }
        let home = self.target.path.join(log.dir_name());
        if self.target.env.files.exists(&home) && !self.target.is_offline() {
            match self.target.rename_away(log.dir_name(), DELETE_SUFFIX) {
                Ok(trash) => self.target.throw_away(trash),
                Err(error) => {
                    tracing::warn!(path = %home.display(), %error, "the copy of a log stays until the next start");
                }
            }
        }
    }
}

/// An empty file: its name says it all, and is flushed with the directory.
fn make_mark(files: &dyn Files, dir: &Path, at: LastMove) -> io::Result<()> {
    files.open(&dir.join(at.file_name()), OpenMode::Create).map(drop)
}
