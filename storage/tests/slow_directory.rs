//! One slow data directory beside a quick one: after a few slow appends its callers wait no more, everybody else is as
//! quick as before, nothing is lost or out of order, and when the disk is well again appends are written at once again.
//!
//! Who wait is seen by who writes: an append that is written on its caller's thread holds the caller up. What bounds the
//! appends that wait is the server's, which holds a request's memory until its append has a place.

#[path = "slow_directory/watched.rs"]
mod watched;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use storage::env::{RealClock, SimClock};
use storage::{
    BatchBuilder, Clock, DataDir, DataDirOptions, Durability, Env, JournalOptions, LeaderEpoch, Log,
    LogConfig, LogId, Offset, Origin, Ticket, TopicId, check_internal,
};
use watched::Watched;

const SLOW: &str = "/slow/topic-0";
const QUICK: &str = "/quick/topic-0";
/// Appends that may hold their callers up until a disk counts as slow.
const HANDFUL: usize = 5;
const APPENDS: usize = 40;
/// What has not come by then never comes: tenfold what a slow disk needs before it counts as quick again.
const PATIENCE: Duration = Duration::from_secs(60);

struct Directory {
    dir: Arc<DataDir>,
    log: Arc<Log>,
    files: Arc<Watched>,
}

impl Directory {
    /// A directory in which the files of its log are watched.
    fn open(path: &str, log_path: &str, clock: Arc<dyn Clock>, durability: Durability) -> Directory {
        let (env, files, _) = Env::simulated(1);
        let files = Watched::new(files, log_path);
        let env = Env { files: files.clone(), clock, ..env };
        // Large enough for no checkpoint to come in between: it would write the log's epochs.
        let journal = JournalOptions { bytes_max: 4 << 20, file_bytes: 2 << 20, ..Default::default() };
        let options = DataDirOptions { journal, ..Default::default() };
        let dir = DataDir::open(env, PathBuf::from(path), options).unwrap();
        let id = LogId { topic: TopicId([1; 16]), partition: 0 };
        let config = LogConfig { durability, ..LogConfig::default() };
        let log = dir.open_log(id, "topic-0", config, LeaderEpoch(1)).unwrap();
        Directory { dir, log, files }
    }

    fn append(&self) -> Ticket {
        let batch = BatchBuilder::new(1).push(None, Some(b"value"), &[]).build();
        self.log.append(check_internal(batch).unwrap(), Origin::Client, None)
    }

    /// How many writes were done on this thread since the last time that this was asked, and how many on others.
    fn writes(&self) -> (usize, usize) {
        let writers = self.files.take_writers();
        let here = writers.iter().filter(|writer| **writer == std::thread::current().id()).count();
        (here, writers.len() - here)
    }
}

fn in_order(tickets: Vec<Ticket>, first: i64) {
    for (offset, ticket) in (first..).zip(tickets) {
        assert_eq!(ticket.wait().unwrap().base, Offset(offset));
    }
}

fn slow_beside_quick(durability: Durability) {
    let slow = Directory::open("/slow", SLOW, Arc::new(RealClock::new()), durability);
    // By a clock that stands still its own appends are quick, however busy the machine is.
    let quick = Directory::open("/quick", QUICK, Arc::new(SimClock::new()), durability);
    // The first append makes the log.
    for directory in [&slow, &quick] {
        in_order(vec![directory.append()], 0);
        directory.writes();
    }
    slow.files.delay_writes(Duration::from_millis(50));
    let (mut late, mut soon) = (Vec::new(), Vec::new());
    for _ in 0..APPENDS {
        late.push(slow.append());
        soon.push(quick.append());
    }
    assert!(late.iter().any(|ticket| !ticket.is_placed()), "appends wait, and not those who asked for them");
    assert_eq!(quick.writes(), (APPENDS, 0), "the other directory's appends are written at once");
    in_order(late, 1);
    in_order(soon, 1);
    let (held_up, elsewhere) = slow.writes();
    assert!((1..=HANDFUL).contains(&held_up), "{held_up} callers were held up");
    assert!(elsewhere > 0);
    assert_eq!(slow.log.end_offset(), Offset(1 + APPENDS as i64));
    assert!(slow.dir.stats().waiting_appends > 0 && quick.dir.stats().waiting_appends == 0);
    slow.files.delay_writes(Duration::ZERO);
    quick_again(&slow);
    slow.dir.close();
    quick.dir.close();
}

/// Appends from time to time, until one is written on this thread.
fn quick_again(slow: &Directory) {
    let clock = RealClock::new();
    let begun = clock.monotonic();
    loop {
        slow.append().wait().unwrap();
        if slow.writes().0 > 0 {
            return;
        }
        assert!(clock.monotonic() - begun < PATIENCE, "the disk is quick, and appends still go elsewhere");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
fn a_slow_directory_holds_up_nobody_for_long_durable() {
    slow_beside_quick(Durability::Durable);
}

#[test]
fn a_slow_directory_holds_up_nobody_for_long_relaxed() {
    slow_beside_quick(Durability::Relaxed);
}
