//! Moving a log from one data directory to another while it is written and read.
//!
//! 1. A directory `….-future` is made in the target: it says that a move is wanted, over restarts too.
//! 2. Segments and what stands beside them are copied behind the log's writer, whatever compaction and retention do.
//! 3. Appends wait. All that is written becomes durable, the source is flushed as for an end in order, the rest is
//!    copied, and all of the copy is on the disk, with a mark that counts the moves of the log.
//! 4. One rename gives the copy the log's name. From the flush of that name on it is in force: its count is the greater.
//! 5. The log is opened there as after an end in order, answers for the one that it replaces, and appends go on. The
//!    directory left behind is deleted.
//!
//! Invariants: at every instant the directory with the greatest count has every record that was acknowledged, and a
//! start takes no other; nothing is appended to the copy before its name is durable; where it is not known whether it is
//! durable, the source gets a greater count, durably, before anything is appended there again. One thread moves: nobody
//! else has locks of two directories. It must not know topics, nor how fast it should go.

mod copy;
pub(crate) mod names;
mod settle;
mod switch;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::data_dir::{DELETE_SUFFIX, DataDir, unique};
use crate::error::is_passing;
use crate::ids::Offset;
use crate::log::Log;
use crate::meta::{self, PARTITION_FILE_NAME};
use crate::shared::Shared;
use crate::small_file;
use copy::Copied;
pub use names::COPIED_NAME_BYTES_MAX;
pub use settle::{Settled, Unfinished, settle_copies};

/// Appends wait so long for the last ones to be durable; then they go on, and the move tries again.
const HELD_MAX: Duration = Duration::from_secs(2);
/// So little may be left to copy while appends wait.
const NEAR_BYTES: u64 = 1 << 20;
/// So often the switch is tried.
const TRIES_MAX: u32 = 20;

/// Why a log was not moved. It is where it was.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error("the log was deleted")]
    Gone,
    #[error("the log lives there already")]
    Same,
    /// INVALID_TOPIC_EXCEPTION (17).
    #[error("the name of the log is too long for a copy")]
    NameTooLong,
    #[error("another directory has the log's name there")]
    NameTaken,
    #[error("the directory that it moves to has no room")]
    NoRoom,
    #[error("the directory that it is in: {0}")]
    Source(String),
    #[error("the directory that it moves to: {0}")]
    Target(String),
}

/// What became of one step.
pub enum Step {
    /// So many bytes were copied.
    Copied(u64),
    /// Something else has to happen first; it will soon.
    Waiting,
    /// The log lives in the target.
    Done(Arc<Log>),
}

/// How far a move is, for others to look at.
#[derive(Debug, Default)]
pub struct MoveView {
    bytes: AtomicU64,
    end: AtomicI64,
}

impl MoveView {
    /// Bytes of batches in the copy.
    pub fn size_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where the copy ends, as far as segments tell.
    pub fn end_offset(&self) -> Offset {
        Offset(self.end.load(Ordering::Relaxed))
    }
}

enum Stage {
    /// The journal of the target may still know the log from when it lived there before.
    New,
    Copying {
        /// All but what came last is copied and flushed.
        is_near: bool,
    },
    Holding {
        since: Duration,
    },
    Over,
}

/// A log on its way. Dropping it leaves the copy for the next start to go on with.
pub struct Move {
    log: Arc<Log>,
    source: Arc<Shared>,
    target: Arc<Shared>,
    /// Of the copy.
    dir: PathBuf,
    copied: BTreeMap<Offset, Copied>,
    /// Files beside the batches that are copied and change no more.
    settled: BTreeSet<String>,
    stage: Stage,
    /// How often appends were held in vain.
    tries: u32,
    view: Arc<MoveView>,
}

impl Move {
    /// Begins to move `log` into `target`, with the copy that an earlier process began, if one is `found`. That it is
    /// wanted lasts when this returns.
    pub fn begin(target: &DataDir, log: &Log, found: Option<&str>) -> Result<Move, MoveError> {
        let log = log.newest();
        let (source, target) = (Arc::clone(&log.shared), Arc::clone(&target.shared));
        if log.is_gone() {
            return Err(MoveError::Gone);
        }
        if Arc::ptr_eq(&source, &target) {
            return Err(MoveError::Same);
        }
        if let Some(refusal) = target.refusal() {
            return Err(MoveError::Target(refusal.to_string()));
        }
        let files = &target.env.files;
        if files.exists(&target.path.join(log.dir_name())) {
            return Err(MoveError::NameTaken);
        }
        let new_name = || names::future_name(log.dir_name(), unique(&*target.env.random));
        let name = found.map(str::to_owned).or_else(new_name).ok_or(MoveError::NameTooLong)?;
        let dir = target.path.join(name);
        let make = || {
            if found.is_none() {
                files.create_dir(&dir)?;
            }
            for entry in files.list(&dir)?.iter().filter(|entry| entry.name != PARTITION_FILE_NAME) {
                files.remove_file(&dir.join(&entry.name))?;
            }
            let text = meta::encode_partition(log.id().topic);
            small_file::replace(&**files, &dir.join(PARTITION_FILE_NAME), text.as_bytes())?;
            files.sync_dir(&target.path)
        };
        make().map_err(|error| failed(&target, "beginning a copy", &error))?;
        target.counts.moves_underway.fetch_add(1, Ordering::Relaxed);
        let (copied, settled, view) = (BTreeMap::new(), BTreeSet::new(), Arc::default());
        Ok(Move { log, source, target, dir, copied, settled, stage: Stage::New, tries: 0, view })
    }

    pub fn view(&self) -> &Arc<MoveView> {
        &self.view
    }

    /// Goes on, for as long as copying a piece takes, or the switch. `piece_bytes_max` is the most that is copied.
    pub fn step(&mut self, piece_bytes_max: usize) -> Result<Step, MoveError> {
        let result = self.try_step(piece_bytes_max.max(1));
        if result.is_err() {
            self.stage = Stage::Over;
            self.log.let_appends_go();
        }
        result
    }

    fn try_step(&mut self, piece_bytes_max: usize) -> Result<Step, MoveError> {
        if self.log.is_gone() {
            return Err(MoveError::Gone);
        }
        let refusal = |shared: &Shared| shared.refusal().map(|refusal| refusal.to_string());
        refusal(&self.source).map_or(Ok(()), |why| Err(MoveError::Source(why)))?;
        refusal(&self.target).map_or(Ok(()), |why| Err(MoveError::Target(why)))?;
        match self.stage {
            Stage::New => self.forget_former_life(),
            Stage::Copying { is_near } => self.copy_on(is_near, piece_bytes_max),
            Stage::Holding { since } => self.hold_on(since),
            Stage::Over => Err(MoveError::Gone),
        }
    }

    /// No checkpoint, and no journal behind one, may say anything of the log from when it lived in the target before.
    fn forget_former_life(&mut self) -> Result<Step, MoveError> {
        let id = self.log.id();
        for _ in 0..2 {
            self.target.known().remove(&id);
            if !self.target.checkpoint_cycle() {
                let why = self.target.refusal().map(|refusal| refusal.to_string());
                return Err(why.map_or(MoveError::NoRoom, MoveError::Target));
            }
        }
        self.stage = Stage::Copying { is_near: false };
        Ok(Step::Copied(0))
    }

    fn copy_on(&mut self, is_near: bool, piece_bytes_max: usize) -> Result<Step, MoveError> {
        // Those who write all the time always leave something.
        if self.left_bytes() > NEAR_BYTES.min(piece_bytes_max as u64)
            && let Some(bytes) = self.copy_piece(piece_bytes_max)?
        {
            return Ok(Step::Copied(bytes));
        }
        if is_near {
            let since = self.source.env.clock.monotonic();
            self.stage = Stage::Holding { since };
            return self.hold_on(since);
        }
        // So that little is left to flush while appends wait.
        self.flush_source()?;
        self.copy_beside()?;
        self.flush_copies()?;
        self.stage = Stage::Copying { is_near: true };
        Ok(Step::Copied(0))
    }

    /// Appends wait until all before them are durable; then the log changes places.
    fn hold_on(&mut self, since: Duration) -> Result<Step, MoveError> {
        if self.log.hold_appends() && self.log.is_all_durable() {
            return self.switch();
        }
        if self.source.env.clock.monotonic().saturating_sub(since) > HELD_MAX {
            self.wait_for_another_time()?;
        }
        Ok(Step::Waiting)
    }

    fn wait_for_another_time(&mut self) -> Result<(), MoveError> {
        self.log.let_appends_go();
        self.stage = Stage::Copying { is_near: false };
        self.tries += 1;
        if self.tries == TRIES_MAX {
            return Err(MoveError::Source("it is too slow, or has no room, to flush the log".to_owned()));
        }
        Ok(())
    }

    /// Gives the move up: the copy is deleted. Where that fails, the next start goes on with it.
    pub fn cancel(self) {
        let Some(name) = self.dir.file_name().and_then(|name| name.to_str()) else { return };
        if !self.target.env.files.exists(&self.dir) || self.target.refusal().is_some() {
            return;
        }
        let _directories = self.target.directories();
        let _cycle = self.target.cycle();
        match self.target.rename_away(name, DELETE_SUFFIX) {
            Ok(trash) => self.target.throw_away(trash),
            Err(error) => {
                tracing::warn!(path = %self.dir.display(), %error, "the copy of a log stays until the next start");
            }
        }
    }
}

impl Drop for Move {
    fn drop(&mut self) {
        self.target.counts.moves_underway.fetch_sub(1, Ordering::Relaxed);
        self.log.let_appends_go();
    }
}

impl Log {
    /// Whether the journal has nothing of the log that is not durable.
    fn is_all_durable(&self) -> bool {
        let last_lsn = self.writer.lock().unwrap().last_lsn;
        self.shared.progress.published() >= last_lsn
    }
}

/// A write to a directory failed: it goes offline, but for want of room.
fn failed(target: &Shared, what: &str, error: &io::Error) -> MoveError {
    if is_passing(error) && !target.is_offline() {
        return MoveError::NoRoom;
    }
    target.go_offline(what, error);
    MoveError::Target(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
