//! Moves of partitions from one data directory to another: which are wanted, one after the other, and how fast.
//!
//! Invariants: a partition has one move at most, and none once its topic is deleted; a move that fails leaves the
//! partition where it is, and a line in the log. One thread takes all steps. How a log is moved is `storage`'s business.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::{LogId, Move, MoveView, Step, TopicId, Unfinished};

use super::{Partitions, Unavailable};
use crate::cluster::{Image, Topic};

/// The most that is copied at once.
const PIECE_BYTES_MAX: u64 = 1 << 20;
/// A step that has to wait for something else is tried again after this.
const RETRY_AFTER: Duration = Duration::from_millis(1);
/// So often is asked whether something may be copied by now.
const NOTHING_ALLOWED: Duration = Duration::from_millis(100);
/// Directories that were chosen for partitions that are not there yet; whoever chooses more is not remembered.
const CHOSEN_MAX: usize = 10_000;

/// Why a partition is not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveRefusal {
    #[error("the broker has no such data directory")]
    NoSuchDirectory,
    #[error("the topic's name is too long for a copy of a partition")]
    NameTooLong,
    #[error("{0}")]
    Storage(String),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A partition on its way.
struct Job {
    id: LogId,
    target: usize,
    view: Arc<MoveView>,
    /// Held during a step; none once it is over.
    moving: Mutex<Option<Move>>,
}

/// Those that are on their way, in the order in which they were asked for.
#[derive(Default)]
pub(super) struct Moves {
    jobs: Mutex<Jobs>,
    wake: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Arc<Job>>,
    /// Topics that were deleted in this life: a request that began before must not move what is left of them.
    deleted: HashSet<TopicId>,
    is_stopped: bool,
}

impl Moves {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a partition is on its way to, and how far it is.
    fn of(&self, id: LogId) -> Option<(usize, Arc<MoveView>)> {
        let jobs = self.lock();
        jobs.waiting.iter().find(|job| job.id == id).map(|job| (job.target, job.view.clone()))
    }

    /// As [`Moves::of`], for all.
    pub(super) fn all(&self) -> HashMap<LogId, (usize, Arc<MoveView>)> {
        self.lock().waiting.iter().map(|job| (job.id, (job.target, job.view.clone()))).collect()
    }

    fn remove(&self, of: impl Fn(&Job) -> bool) -> Vec<Arc<Job>> {
        let mut jobs = self.lock();
        let (removed, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut jobs.waiting).into_iter().partition(|job| of(job));
        jobs.waiting = kept.into();
        removed
    }

    fn cancel(&self, of: impl Fn(&Job) -> bool) {
        for job in self.remove(of) {
            let moving = job.moving.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(moving) = moving {
                moving.cancel();
            }
        }
    }

    /// It is on its way from here on; the move comes back if its topic was deleted meanwhile.
    fn push(&self, id: LogId, target: usize, moving: Move) -> Option<Move> {
        let mut jobs = self.lock();
        if jobs.deleted.contains(&id.topic) {
            return Some(moving);
        }
        let view = moving.view().clone();
        jobs.waiting.push_back(Arc::new(Job { id, target, view, moving: Mutex::new(Some(moving)) }));
        self.wake.notify_all();
        None
    }

    /// Nothing of a deleted topic is on its way any more, nor will be.
    pub(super) fn cancel_topic(&self, topic: TopicId) {
        self.lock().deleted.insert(topic);
        self.cancel(|job| job.id.topic == topic);
    }

    /// Sleeps for `longest`, or until there is more to do.
    fn rest(&self, longest: Duration, until: impl Fn(&Jobs) -> bool) {
        let idle = |jobs: &mut Jobs| !jobs.is_stopped && !until(jobs);
        drop(self.wake.wait_timeout_while(self.lock(), longest, idle));
    }
}

impl Partitions {
    /// Moves a partition into the data directory of this path, which takes a while and lasts over restarts; one that is on
    /// its way elsewhere turns round, and one that is there already stays.
    pub fn move_to(&self, topic: &Topic, partition: i32, path: &str) -> Result<(), MoveRefusal> {
        let target = self.place_of(path)?;
        let open = self.get(topic, partition)?;
        let id = open.id();
        let _one_at_a_time = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        if self.moves.of(id).is_some_and(|(wanted, _)| wanted == target) {
            return Ok(());
        }
        self.moves.cancel(|job| job.id == id);
        if self.home_of(id) == Some(target) {
            return Ok(());
        }
        // With one directory missing, nobody knows what copies are in it.
        if self.dirs.iter().any(|dir| dir.is_offline()) {
            return Err(MoveRefusal::Storage("a data directory of the broker is offline".to_owned()));
        }
        self.begin_move(id, &open.log, target, None)
    }

    fn begin_move(
        &self,
        id: LogId,
        log: &storage::Log,
        target: usize,
        found: Option<&str>,
    ) -> Result<(), MoveRefusal> {
        use storage::MoveError;
        let moving = Move::begin(&self.dirs[target], log, found).map_err(|error| match error {
            MoveError::Gone => MoveRefusal::Unavailable(Unavailable::NoSuchPartition),
            MoveError::NameTooLong => MoveRefusal::NameTooLong,
            other => MoveRefusal::Storage(other.to_string()),
        })?;
        let to = self.dirs[target].path().display();
        tracing::info!(log = log.dir_name(), %to, "a partition begins to move to another data directory");
        match self.moves.push(id, target, moving) {
            None => Ok(()),
            Some(unwanted) => {
                unwanted.cancel();
                Err(Unavailable::NoSuchPartition.into())
            }
        }
    }

    /// Remembers where a partition that is not there yet is to be made, as long as the broker runs.
    pub fn choose(&self, topic: &str, partition: i32, path: &str) -> Result<(), MoveRefusal> {
        let place = self.place_of(path)?;
        let mut state = self.write();
        if state.chosen.len() < CHOSEN_MAX {
            state.chosen.insert((topic.to_owned(), partition), place);
        }
        Ok(())
    }

    /// The data directory of this path.
    fn place_of(&self, path: &str) -> Result<usize, MoveRefusal> {
        let absolute = |dir: &storage::DataDir| std::path::absolute(dir.path()).ok();
        let is_it = |dir: &Arc<storage::DataDir>| absolute(dir).is_some_and(|dir| dir.to_str() == Some(path));
        let place = self.dirs.iter().position(is_it).ok_or(MoveRefusal::NoSuchDirectory)?;
        if self.dirs[place].is_offline() {
            return Err(MoveRefusal::Storage("the data directory is offline".to_owned()));
        }
        Ok(place)
    }

    /// Goes on with moves that an earlier process began; copies that nobody wants any more are deleted.
    pub(super) fn resume_moves(&self, image: &Image, unfinished: Vec<Unfinished>) {
        for copy in unfinished {
            let dir = &self.dirs[copy.target];
            let path = dir.path().join(&copy.name);
            let error = match self.resume_move(image, &copy) {
                Ok(()) => continue,
                Err(MoveRefusal::Unavailable(Unavailable::Storage(error))) => {
                    tracing::warn!(path = %path.display(), error, "a copy waits for the next start: what it is a copy of is not served");
                    continue;
                }
                Err(error) => error,
            };
            tracing::warn!(path = %path.display(), %error, "a copy that was begun is given up");
            if let Err(error) = dir.discard(&copy.name) {
                tracing::warn!(path = %dir.path().display(), %error, "a copy stays until the next start");
            }
        }
    }

    fn resume_move(&self, image: &Image, copy: &Unfinished) -> Result<(), MoveRefusal> {
        let gone = || MoveRefusal::Unavailable(Unavailable::NoSuchPartition);
        let id = copy.log.ok_or_else(gone)?;
        let open = self.get(image.topic_by_id(id.topic).ok_or_else(gone)?, id.partition)?;
        if self.home_of(id) == Some(copy.target) || self.moves.of(id).is_some() {
            return Err(MoveRefusal::Storage("the partition is not to move there".to_owned()));
        }
        self.begin_move(id, &open.log, copy.target, Some(&copy.name))
    }

    /// The work of the thread that moves partitions, until it is told to end: true if there may be more to do.
    pub fn move_on(&self, idle: Duration) -> bool {
        self.go_on(idle);
        let is_stopped = self.moves.lock().is_stopped;
        if is_stopped {
            // Appends that wait for a switch are let go.
            drop(self.moves.remove(|_| true));
        }
        !is_stopped
    }

    fn go_on(&self, idle: Duration) {
        let first = self.moves.lock().waiting.front().cloned();
        let Some(job) = first else {
            return self.moves.rest(idle, |jobs| !jobs.waiting.is_empty());
        };
        let rate = self.config.load().replica_alter_log_dirs_io_max_bytes_per_second;
        if rate == 0 {
            return self.moves.rest(NOTHING_ALLOWED, |_| false);
        }
        match self.take_step(&job, PIECE_BYTES_MAX.min(rate) as usize) {
            Some(Step::Copied(bytes)) if rate < u64::MAX / 2 => {
                let pause = Duration::from_secs_f64(bytes as f64 / rate as f64);
                self.moves.rest(pause, |_| false);
            }
            Some(Step::Waiting) => self.moves.rest(RETRY_AFTER, |_| false),
            _ => {}
        }
    }

    /// The thread that moves partitions is to end. What is on its way goes on with the next start.
    pub fn stop_moving(&self) {
        self.moves.lock().is_stopped = true;
        self.moves.wake.notify_all();
    }

    fn take_step(&self, job: &Arc<Job>, piece_bytes_max: usize) -> Option<Step> {
        let mut moving = job.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let stepped = moving.as_mut()?.step(piece_bytes_max);
        let dir = &self.dirs[job.target];
        let to = dir.path().display();
        match &stepped {
            Ok(Step::Done(log)) => {
                tracing::info!(log = log.dir_name(), %to, end = %log.end_offset(), "a partition was moved");
                self.write().homes.insert(job.id, job.target);
                *moving = None;
            }
            Ok(_) => return stepped.ok(),
            Err(error) => {
                tracing::warn!(log = %job.id, %to, %error, "a partition is not moved and stays where it is");
                if let Some(moving) = moving.take() {
                    moving.cancel();
                }
            }
        }
        self.moves.remove(|other| std::ptr::eq(other, &**job));
        None
    }
}
