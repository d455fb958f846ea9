//! Ends what the harness started when the harness itself is asked to end.
//!
//! Invariants: only processes that `spawn` started, or that these started, are killed, by their id, and only while they are
//! still unwaited children, so that an id cannot have passed to a stranger. The data directory goes with them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

static WATCHED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED_STATUS: i32 = 130;

/// Starts a process and watches it; both under the lock, so that none slips through between the two.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    watched.push(child.id());
    Ok(child)
}

/// Watches a process that one of those has started.
pub(super) fn watch(pid: u32) {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
}

/// Kills a process that is watched, and watches it no more.
pub(super) fn kill(pid: u32) {
    kill_one(pid);
    forget(pid);
}

fn kill_one(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It fails only for a process that has just ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
}

pub(crate) fn forget(pid: u32) {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|watched| *watched != pid);
}

/// Kills all that is watched, and leaves the list locked so that nothing is started behind its back.
fn end_all_and_exit(data_dir: &Path) -> ! {
    let watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.iter().for_each(|pid| kill_one(*pid));
    // A dying broker may still write; what is left then is removed by the next run.
    let _ = std::fs::remove_dir_all(data_dir);
    std::process::exit(INTERRUPTED_STATUS)
}

/// Waits for SIGINT, SIGTERM and SIGHUP on a thread of its own.
pub(crate) fn install(data_dir: PathBuf) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.context("making a runtime for signals")?;
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [mut interrupt, mut terminate, mut hangup] = {
        let _inside = runtime.enter();
        let [first, second, third] = kinds.map(signal);
        [first?, second?, third?]
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        eprintln!("interrupted: ending the brokers");
        end_all_and_exit(&data_dir);
    });
    Ok(())
}
