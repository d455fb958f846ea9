//! The threads of a data directory, each a loop around one kind of work.
//!
//! Two committers write the journal; the checkpointer makes segments last and the journal's files free; the flusher
//! looks after relaxed logs and the room that is left; the appender writes what may not be written on the thread of a
//! request; the retainer looks what of the logs is too old or too much; the cleaner compacts; the sweeper unlinks what
//! was deleted. A thread of its own for each, so that what is slow at one holds up no commit. What they do stands
//! elsewhere.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::UNCOVERED_BYTES_MAX;
use crate::data_dir::DataDirOptions;
use crate::error::{OpenError, is_passing};
use crate::journal::Commit;
use crate::shared::{STALL, Shared, Waiter};
use crate::space;

/// An idle thread looks around this often, at the least.
const IDLE: Duration = Duration::from_secs(60);
/// Appends that wait for room in the journal are tried again after this.
const RETRY_APPENDS: Duration = Duration::from_millis(2);
/// A disk that was slow counts as quick after this long without a slow append.
const QUICK_FOR: Duration = Duration::from_secs(5);
/// Retention looks for the first time this long after a start, as in Kafka, unless its interval is shorter.
const FIRST_RETENTION_AFTER: Duration = Duration::from_secs(30);
/// Retention waits for the journal so long, and otherwise goes on with what is durable by then.
const LOOKS_AT_JOURNAL_MAX: usize = 500;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

pub(crate) fn start(
    shared: &Arc<Shared>,
    options: &DataDirOptions,
) -> Result<Vec<JoinHandle<()>>, OpenError> {
    type Work = Box<dyn FnOnce(&Shared) + Send>;
    let &DataDirOptions { checkpoint_interval, retention_interval, idle_file_interval, .. } = options;
    let works: [(&str, Work); 8] = [
        ("commit-0", Box::new(commit)),
        ("commit-1", Box::new(commit)),
        ("checkpoint", Box::new(move |shared| checkpoint(shared, checkpoint_interval))),
        ("flush", Box::new(flush)),
        ("append", Box::new(append)),
        ("retain", Box::new(move |shared| retain(shared, retention_interval))),
        ("sweep", Box::new(move |shared| sweep(shared, idle_file_interval))),
        ("clean", Box::new(clean)),
    ];
    let spawn = |(name, work): (&str, Work)| {
        let shared = Arc::clone(shared);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))
    };
    works
        .into_iter()
        .map(spawn)
        .collect::<io::Result<_>>()
        .map_err(OpenError::io("starting the threads of", &shared.path))
}

fn commit(shared: &Shared) {
    while let Some(commit) = shared.journal().next_commit(&|| shared.ask_for_chores()) {
        let begun = shared.env.clock.monotonic();
        let written = commit.write();
        let elapsed = shared.env.clock.monotonic().saturating_sub(begun);
        if !shared.commit_ended(commit, written) {
            return;
        }
        // Durable appends take room without a flush.
        shared.look_at_space();
        if let Some(on_flush) = &shared.on_flush {
            on_flush(elapsed);
        }
    }
}

fn checkpoint(shared: &Shared, interval: Duration) {
    let clock = &shared.env.clock;
    let (mut last, mut failed) = (clock.monotonic(), false);
    loop {
        let due_in = interval.saturating_sub(clock.monotonic().saturating_sub(last));
        let due_in = if failed { due_in.min(space::RETRY_INTERVAL) } else { due_in };
        {
            let mut queues =
                shared.queues.wait(Waiter::Checkpointer, due_in.min(IDLE), |queues| queues.chores);
            if queues.stop {
                return;
            }
            queues.chores = false;
        }
        let since = clock.monotonic().saturating_sub(last);
        if shared.do_chores(since) || since >= interval || failed {
            let begun = clock.monotonic();
            failed = !shared.checkpoint_cycle();
            last = clock.monotonic();
            if let Some(on_checkpoint) = shared.on_checkpoint.as_ref().filter(|_| !failed) {
                on_checkpoint(last.saturating_sub(begun));
            }
        }
    }
}

fn flush(shared: &Shared) {
    loop {
        let now = shared.env.clock.monotonic();
        // Relaxed appends take room and tell nobody.
        let longest = if shared.keeps_a_reserve() { space::RETRY_INTERVAL } else { IDLE };
        let longest = shared.next_flush_in(now).unwrap_or(longest).min(longest);
        let known = shared.queues.lock().later.len();
        if shared
            .queues
            .wait(Waiter::Flusher, longest, |queues| !queues.dirty.is_empty() || queues.later.len() > known)
            .stop
        {
            return;
        }
        shared.flush_due();
        if !shared.flush_queued() {
            drop(shared.queues.wait(Waiter::Flusher, space::RETRY_INTERVAL, |_| false));
        }
        shared.look_at_space();
    }
}

fn append(shared: &Shared) {
    let clock = &shared.env.clock;
    let mut slow_at = clock.monotonic();
    loop {
        let logs = {
            let longest = if shared.is_slow() { QUICK_FOR } else { IDLE };
            let mut queues =
                shared.queues.wait(Waiter::Appender, longest, |queues| !queues.appends.is_empty());
            if queues.stop && queues.appends.is_empty() {
                return;
            }
            std::mem::take(&mut queues.appends)
        };
        for log in logs {
            let begun = clock.monotonic();
            log.append_waiting();
            let now = clock.monotonic();
            if now.saturating_sub(begun) >= STALL {
                slow_at = now;
            }
        }
        if shared.is_slow() && clock.monotonic().saturating_sub(slow_at) >= QUICK_FOR {
            shared.is_quick_again();
        }
        if shared.journal().is_full() {
            drop(shared.queues.wait(Waiter::Appender, RETRY_APPENDS, |_| false));
        }
    }
}

/// Looks at intervals which segments are due, and removes them when checkpoints have settled them. What is due now may
/// need two that are not written yet.
fn retain(shared: &Shared, interval: Duration) {
    let clock = &shared.env.clock;
    let mut next = clock.monotonic().saturating_add(interval.min(FIRST_RETENTION_AFTER));
    let mut checkpoints = 0;
    loop {
        {
            let longest = next.saturating_sub(clock.monotonic());
            let mut queues =
                shared.queues.wait(Waiter::Retainer, longest.min(IDLE), |queues| queues.checkpointed);
            if queues.stop {
                return;
            }
            queues.checkpointed = false;
        }
        if clock.monotonic() >= next {
            let last = shared.expire_all();
            shared.wait_durable(last);
            next = clock.monotonic().saturating_add(interval);
            checkpoints = 2;
        }
        if !shared.remove_doomed() && checkpoints > 0 {
            checkpoints -= 1;
            shared.journal().want_checkpoint();
            shared.ask_for_chores();
        }
    }
}

/// Unlinks files, and closes those that nobody uses.
fn sweep(shared: &Shared, idle_file_interval: Duration) {
    let clock = &shared.env.clock;
    let mut next_look = clock.monotonic().saturating_add(idle_file_interval);
    loop {
        let look_in = next_look.saturating_sub(clock.monotonic());
        let longest = shared.next_unlink_in().map_or(look_in, |unlink_in| unlink_in.min(look_in));
        let known = shared.queues.lock().doomed.len();
        if shared
            .queues
            .wait(Waiter::Sweeper, longest, |queues| !queues.trash.is_empty() || queues.doomed.len() > known)
            .stop
        {
            return;
        }
        shared.sweep();
        if clock.monotonic() >= next_look {
            shared.open_logs().iter().for_each(|log| log.close_idle());
            next_look = clock.monotonic().saturating_add(idle_file_interval);
        }
    }
}

fn clean(shared: &Shared) {
    loop {
        let longest = if shared.cleans_by_itself() { shared.next_clean_in() } else { IDLE };
        let mut queues = shared.queues.wait(Waiter::Cleaner, longest, |queues| queues.cleaner_changed);
        if queues.stop {
            return;
        }
        let is_changed = std::mem::take(&mut queues.cleaner_changed);
        drop(queues);
        if !is_changed && shared.cleans_by_itself() {
            shared.clean();
        }
    }
}

impl Shared {
    /// Takes note of how a commit ended; false if nothing more will be written.
    pub(crate) fn commit_ended(&self, commit: Commit, written: io::Result<()>) -> bool {
        match written {
            Ok(()) => {
                self.journal().landed(
                    commit,
                    |log, end| log.raise_high(end),
                    |lsn| self.progress.publish(lsn),
                );
                true
            }
            Err(error) => {
                self.go_offline("writing the journal", &error);
                false
            }
        }
    }

    /// How long until a log's flush is due by time.
    fn next_flush_in(&self, now: Duration) -> Option<Duration> {
        self.queues.lock().later.iter().map(|(at, _)| at.saturating_sub(now)).min()
    }

    /// Queues the logs whose time has come.
    pub(crate) fn flush_due(&self) {
        let now = self.env.clock.monotonic();
        let due: Vec<_> = self.queues.lock().later.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, log) in due {
            self.mark_dirty(&log);
        }
    }

    /// Flushes every queued log, then publishes. False if it is to be tried again, when there is room.
    pub(crate) fn flush_queued(&self) -> bool {
        let (dirty, issued) = {
            let mut queues = self.queues.lock();
            let dirty = std::mem::take(&mut queues.dirty);
            dirty.iter().for_each(|log| log.queued.store(false, Ordering::SeqCst));
            (dirty, self.flushed.issued())
        };
        if dirty.is_empty() || self.is_offline() {
            return true;
        }
        for log in &dirty {
            let _flushing = self.flushing.read().unwrap();
            match self.spare.lend_if_short(|| log.flush()) {
                Ok(()) => {}
                Err(error) if is_passing(&error) => {
                    tracing::warn!(log = log.dir_name(), %error, "no room to flush a log");
                    // Numbers are published in order: all wait for this one.
                    for log in &dirty {
                        self.mark_dirty(log);
                    }
                    return false;
                }
                Err(error) => {
                    self.go_offline(&format!("flushing {}", log.dir_name()), &error);
                    return true;
                }
            }
        }
        self.flushed.publish(issued);
        if self.counts.uncovered_bytes.load(Ordering::Relaxed) >= UNCOVERED_BYTES_MAX {
            self.journal().want_checkpoint();
            self.ask_for_chores();
        }
        true
    }

    /// Waits until the journal is durable up to `lsn`, but not for long.
    fn wait_durable(&self, lsn: u64) {
        for _ in 0..LOOKS_AT_JOURNAL_MAX {
            let done = self.progress.published() >= lsn || self.is_offline();
            if done || self.queues.wait(Waiter::Retainer, BETWEEN_LOOKS, |_| false).stop {
                return;
            }
        }
    }

    /// Unlinks what was deleted.
    pub(crate) fn sweep(&self) {
        self.unlink_due();
        let trash = std::mem::take(&mut self.queues.lock().trash);
        for dir in trash {
            if let Err(error) = self.env.files.remove_dir_all(&dir) {
                tracing::warn!(path = %dir.display(), %error, "a deleted log's files stay until the next start");
            }
        }
    }
}
