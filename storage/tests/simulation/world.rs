//! The simulated machine with two data directories on it, and everything that happens to them.
//!
//! Whatever happens is decided by the seed, and noted. Before any step the power may be set to go, or the process to be
//! killed, in the middle of one of the next operations on the disk; the same goes for starts. `traffic` has what is sent,
//! `clients` who sends it, `moves` what changes its directory.

mod clients;
mod moves;
mod traffic;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use storage::env::{Files, OpenMode, SimClock, SimFiles, SimRandom};
use storage::{
    CleanerOptions, Cleanup, Clock, DataDir, DataDirOptions, Durability, Env, Flushing, JournalOptions,
    LeaderEpoch, Log, LogConfig, LogId, Move, OffsetSpec, OpenError, TopicId, Unfinished, settle_copies,
};

use self::clients::Client;

use crate::model::{Model, SeenInLogs};

const DIRS: [&str; 2] = ["/sim/data", "/sim/other"];
const LOGS: usize = 4;
const STEPS_MAX: u64 = 200;
/// A stop that is set happens within this many operations, or not at all.
const STOP_WITHIN: u64 = 40;

struct LogUnderTest {
    name: String,
    id: LogId,
    config: LogConfig,
    log: Option<Arc<Log>>,
    /// The data directory that it lives in.
    home: usize,
    model: Model,
    clients: Vec<Client>,
    /// Its deletion was decided: whatever is left of it goes at the next start.
    doomed: bool,
}

/// How a process ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum End {
    Killed,
    PowerCut,
}

/// How often what the simulation is for happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The process ended otherwise than in order.
    pub(crate) crashes: u64,
    /// Logs were compacted.
    passes: u64,
    /// Producers were forgotten.
    expired: u64,
    /// Logs went to the other data directory.
    moves: u64,
    in_logs: SeenInLogs,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Seen) {
        self.crashes += other.crashes;
        self.passes += other.passes;
        self.expired += other.expired;
        self.moves += other.moves;
        self.in_logs.add(&other.in_logs);
    }

    /// All of it happened.
    pub(crate) fn is_everything(&self) -> bool {
        let all = [self.crashes, self.passes, self.expired, self.moves];
        all.iter().all(|count| *count > 0) && self.in_logs.is_everything()
    }
}

pub(crate) struct World {
    random: SimRandom,
    env: Env,
    files: SimFiles,
    clock: SimClock,
    dirs: Vec<Arc<DataDir>>,
    logs: Vec<LogUnderTest>,
    /// One of the logs on its way to the other directory.
    moving: Option<(usize, Move)>,
    /// Copies that an earlier process began.
    unfinished: Vec<Unfinished>,
    starts: i32,
    appends: u64,
    topics: u8,
    producers: i64,
    trace: Vec<String>,
    seen: Seen,
}

/// A world's whole life; what happened in it, step by step and in numbers.
pub(crate) fn run(seed: u64) -> (Vec<String>, Seen) {
    let mut world = World::new(seed);
    for _ in 0..20 + world.below(STEPS_MAX) {
        world.step();
    }
    world.restart(End::PowerCut);
    world.check();
    for under_test in &world.logs {
        world.seen.in_logs.add(&under_test.model.seen);
    }
    (world.trace, world.seen)
}

impl World {
    fn new(seed: u64) -> World {
        let (env, files, clock) = Env::simulated(seed);
        let random = SimRandom::new(seed);
        let mut world = World {
            random,
            env,
            files,
            clock,
            dirs: Vec::new(),
            logs: Vec::new(),
            moving: None,
            unfinished: Vec::new(),
            starts: 0,
            appends: 0,
            topics: 0,
            producers: 0,
            trace: Vec::new(),
            seen: Seen::default(),
        };
        world.logs = (0..LOGS).map(|number| world.new_log(format!("topic{number}-0"))).collect();
        world.start();
        world
    }

    fn new_log(&mut self, name: String) -> LogUnderTest {
        self.topics = self.topics.wrapping_add(1).max(1);
        let id = LogId { topic: TopicId([self.topics; 16]), partition: 0 };
        let config = self.config();
        let (model, clients) = (Model::new(&config), self.clients());
        LogUnderTest { name, id, config, log: None, home: 0, model, clients, doomed: false }
    }

    /// A span up to a bound, in one of so many cases.
    fn maybe_ms(&self, one_in: u64, bound: u64) -> Option<Duration> {
        (self.below(one_in) == 0).then(|| Duration::from_millis(self.below(bound)))
    }

    fn config(&self) -> LogConfig {
        let durable = self.below(3) > 0;
        let compact = self.below(2) == 0;
        LogConfig {
            cleanup: Cleanup { compact, delete: !compact || self.below(3) == 0 },
            retention: self.maybe_ms(3, 3_000),
            retention_bytes: (self.below(3) == 0).then(|| 1 + self.below(10_000)),
            segment_age_max: self.maybe_ms(4, 1_000).unwrap_or(Duration::MAX),
            file_delete_delay: Duration::from_millis(self.below(300)),
            delete_retention: self.maybe_ms(2, 1_500).unwrap_or(Duration::from_millis(self.below(40))),
            compaction_lag_min: self.maybe_ms(4, 500).unwrap_or_default(),
            compaction_lag_max: self.maybe_ms(3, 2_000).unwrap_or(Duration::MAX),
            dirty_ratio_min: self.below(10).saturating_sub(4) as f64 / 10.0,
            segment_bytes: 400 + self.below(4_000) as u32,
            index_interval_bytes: 64 + self.below(1_000) as u32,
            segment_index_bytes: 24 + self.below(400) as u32,
            durability: if durable { Durability::Durable } else { Durability::Relaxed },
            flush_messages: if self.below(2) == 0 { u64::MAX } else { 1 + self.below(20) },
            flush_after: (self.below(2) == 0).then(|| Duration::from_millis(self.below(200))),
            ..LogConfig::default()
        }
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn note(&mut self, what: String) {
        if std::env::var_os("OTTLA_SIM_TRACE").is_some() {
            eprintln!("{what}");
        }
        self.trace.push(what);
    }

    fn is_offline(&self) -> bool {
        self.dirs.iter().any(|dir| dir.is_offline())
    }

    fn log(&self, number: usize) -> &Arc<Log> {
        self.logs[number].log.as_ref().expect("the logs are open")
    }

    /// Starts until a start is not cut short.
    fn start(&mut self) {
        self.starts += 1;
        loop {
            self.arm(3);
            let failing = (self.below(6) == 0).then(|| 1 + self.below(20));
            self.files.fail_sync_after(failing);
            let opened = self.open();
            self.files.fail_sync_after(None);
            match opened {
                Ok(()) if !self.files.power_is_out() && !self.is_offline() => break,
                Ok(()) => self.nothing_is_read_in_doubt(),
                Err(error) => assert!(self.files.power_is_out() || failing.is_some(), "{error}"),
            }
            let end = self.any_end();
            self.note(format!("start {} is cut short: {end:?}", self.starts));
            self.stop(end);
        }
        for under_test in &mut self.logs {
            let log = under_test.log.as_ref().expect("it was opened just now");
            under_test.model.survived(&under_test.name, log, self.clock.now_ms());
        }
        let ends: Vec<i64> = self.logs.iter().map(|l| l.model.end).collect();
        self.note(format!("start {} ends {ends:?}", self.starts));
        self.take_up();
    }

    fn open(&mut self) -> Result<(), OpenError> {
        self.dirs.clear();
        for path in DIRS {
            let options = DataDirOptions {
                flushing: Flushing::Manual,
                journal: JournalOptions::SMALL,
                cleaner: CleanerOptions { buffer_bytes: 600, ..CleanerOptions::default() },
                cluster_id: Some("simulated".to_owned()),
                ..Default::default()
            };
            self.dirs.push(DataDir::open(self.env.clone(), PathBuf::from(path), options)?);
        }
        let dirs = self.dirs.clone();
        let settled = settle_copies(&dirs).map_err(|source| OpenError::Io {
            what: "settling",
            path: PathBuf::from(DIRS[0]),
            source,
        })?;
        let is_together = self.below(2) == 0;
        let together: Vec<_> = dirs.iter().filter(|_| is_together).map(|dir| dir.open_together()).collect();
        for number in 0..LOGS {
            let home = settled.homes.get(&self.logs[number].id).copied().unwrap_or(number % DIRS.len());
            self.logs[number].home = home;
            if self.logs[number].doomed {
                self.redo_deletion(&dirs[home], number)?;
            }
            let under_test = &mut self.logs[number];
            let (config, epoch) = (under_test.config.clone(), LeaderEpoch(self.starts));
            let log = dirs[home].open_log(under_test.id, &under_test.name, config, epoch)?;
            (under_test.home, under_test.log) = (home, Some(log));
        }
        drop(together);
        self.unfinished = settled.unfinished;
        Ok(())
    }

    /// What a start could not flush may vanish: nobody gets to see it.
    fn nothing_is_read_in_doubt(&self) {
        let is_in_doubt =
            |log: &&LogUnderTest| !self.files.power_is_out() && self.dirs[log.home].is_offline();
        for under_test in self.logs.iter().filter(is_in_doubt) {
            let log = under_test.log.as_ref().expect("it was opened just now");
            assert!(log.offset_for(OffsetSpec::Latest).is_err(), "{} is read", under_test.name);
        }
    }

    /// As a broker does with the topics that its metadata calls deleted.
    fn redo_deletion(&mut self, dir: &DataDir, number: usize) -> Result<(), OpenError> {
        let (id, name) = (self.logs[number].id, self.logs[number].name.clone());
        let config = self.logs[number].config.clone();
        match dir.open_log(id, &name, config, LeaderEpoch(self.starts)) {
            Ok(log) => dir.delete_log(&log).map_err(|source| OpenError::Io {
                what: "deleting",
                path: PathBuf::from(&name),
                source,
            })?,
            Err(OpenError::LogGone { .. }) => {}
            Err(error) => return Err(error),
        }
        self.logs[number] = self.new_log(name);
        Ok(())
    }

    /// In one of `one_in` cases the next operations are cut short.
    fn arm(&mut self, one_in: u64) {
        if self.below(one_in) == 0 {
            self.files.cut_power_after(self.below(STOP_WITHIN));
        }
    }

    fn step(&mut self) {
        self.arm(12);
        match self.below(136) {
            0..=19 => self.append(),
            20..=54 => self.produce(),
            55..=66 => self.flush(),
            67..=71 => self.checkpoint(),
            72..=77 => self.check(),
            78..=85 => self.poll(),
            86..=87 => self.fill_disk(),
            88 => self.fail_flush(),
            89 => self.fail_commit(),
            90..=93 => self.reconfigure(),
            94..=95 => self.delete(),
            96..=98 => self.delete_records(),
            99..=102 => self.retain(),
            103..=109 => self.clean(),
            110 => self.expire(),
            111..=112 => self.close(),
            120..=135 => self.relocate(),
            113..=115 => self.restart(End::Killed),
            _ => self.restart(End::PowerCut),
        }
        if self.files.power_is_out() {
            let end = self.any_end();
            self.restart(end);
        }
        let pause_ms = if self.below(20) == 0 { 1_000 } else { 50 };
        self.clock.advance(Duration::from_millis(self.below(pause_ms)));
    }

    fn any_end(&self) -> End {
        if self.below(3) == 0 { End::Killed } else { End::PowerCut }
    }

    fn settle(&mut self) {
        for under_test in &mut self.logs {
            if let Some(log) = &under_test.log {
                under_test.model.settle(log, false);
            }
        }
    }

    fn flush(&mut self) {
        self.note("flush".to_owned());
        self.dirs.iter().for_each(|dir| dir.flush());
        self.settle();
    }

    /// With room on the disk, a flush answers everything.
    fn flush_all(&mut self) {
        self.flush();
        let goes_on = !self.is_offline() && !self.files.power_is_out();
        // Appends to one that changes places wait for that.
        assert!(
            self.moving.is_some() || !goes_on || self.logs.iter().all(|l| l.model.is_settled()),
            "a flush answers everything"
        );
    }

    fn checkpoint(&mut self) {
        self.note("checkpoint".to_owned());
        self.dirs.iter().for_each(|dir| dir.checkpoint());
        self.settle();
    }

    fn check(&mut self) {
        if self.files.power_is_out() {
            return;
        }
        for under_test in &mut self.logs {
            let log = under_test.log.as_ref().expect("the logs are open");
            under_test.model.check(log, self.clock.now_ms());
            let seen = log.offset_for(OffsetSpec::MaxTimestamp).unwrap();
            assert!(seen.is_none_or(|found| found.offset < log.high_watermark()));
        }
        let marks: Vec<i64> = (0..LOGS).map(|number| self.log(number).high_watermark().0).collect();
        self.note(format!("high watermarks {marks:?}"));
    }

    fn poll(&mut self) {
        if self.files.power_is_out() {
            return;
        }
        let (number, bytes_max) = (self.below(LOGS as u64) as usize, 1 + self.below(2_000) as usize);
        let log = Arc::clone(self.log(number));
        let is_committed = self.below(2) == 0;
        let model = &mut self.logs[number].model;
        model.see_start(&log);
        let (from, to) =
            if is_committed { model.poll_committed(&log, bytes_max) } else { model.poll(&log, bytes_max) };
        self.note(format!("poll {number} from {from} to {to}, committed {is_committed}"));
    }

    fn retain(&mut self) {
        let starts: Vec<i64> = (0..LOGS).map(|number| self.log(number).start_offset().0).collect();
        self.dirs.iter().for_each(|dir| dir.retain());
        self.settle();
        let now = self.clock.now_ms();
        for (under_test, start) in self.logs.iter().zip(&starts) {
            under_test.model.check_retained(*start, &under_test.config, now);
        }
        let starts: Vec<i64> = self.logs.iter().map(|l| l.model.start).collect();
        self.note(format!("retention, starts {starts:?}"));
    }

    fn clean(&mut self) {
        let passes: usize = self.dirs.iter().map(|dir| dir.clean()).sum();
        self.seen.passes += passes as u64;
        self.settle();
        let stats: Vec<_> = self.dirs.iter().map(|dir| dir.stats().cleaner).collect();
        let written: u64 = stats.iter().map(|stats| stats.written_bytes).sum();
        self.note(format!("clean, {passes} passes, {written} bytes"));
        let is_up = !self.is_offline() && !self.files.power_is_out();
        assert!(!is_up || stats.iter().all(|stats| stats.uncleanable_logs == 0), "a log is set aside");
    }

    fn fill_disk(&mut self) {
        let free = self.below(600);
        self.files.set_free_bytes(free);
        self.note(format!("{free} bytes free"));
        for _ in 0..self.below(6) {
            match self.below(3) {
                0 => self.flush(),
                1 => self.checkpoint(),
                _ => self.append(),
            }
        }
        self.files.set_free_bytes(1 << 40);
        self.flush_all();
    }

    fn fail_flush(&mut self) {
        self.append();
        self.files.fail_syncs(true);
        self.flush();
        self.files.fail_syncs(false);
        self.note(format!("flushes failed, offline {}", self.is_offline()));
        self.append();
        self.flush();
        self.check();
    }

    fn fail_commit(&mut self) {
        let nth = 1 + self.below(5);
        self.note(format!("durable write {nth} fails"));
        self.files.fail_durable_after(nth);
    }

    fn reconfigure(&mut self) {
        let number = self.below(LOGS as u64) as usize;
        let config = self.config();
        self.note(format!("log {number} becomes {:?}", config.durability));
        self.log(number).reconfigure(config.clone());
        self.logs[number].model.configured(&config);
        self.logs[number].config = config;
    }

    fn delete(&mut self) {
        let number = self.below(LOGS as u64) as usize;
        let log = self.log(number).newest();
        self.logs[number].doomed = true;
        let home = self.logs[number].home;
        let deleted = self.dirs[home].delete_log(&log);
        self.is_deleted_on_its_way(number);
        self.note(format!("delete {number}: {}", deleted.is_ok()));
        if deleted.is_err() || self.files.power_is_out() {
            return self.restart(End::PowerCut);
        }
        let name = self.logs[number].name.clone();
        let mut anew = self.new_log(name.clone());
        self.seen.in_logs.add(&self.logs[number].model.seen);
        anew.home = home;
        match self.dirs[home].open_log(anew.id, &name, anew.config.clone(), LeaderEpoch(self.starts)) {
            Ok(log) => anew.log = Some(log),
            Err(error) => {
                assert!(self.files.power_is_out() || self.is_offline(), "{error}");
                self.logs[number] = anew;
                return self.restart(End::PowerCut);
            }
        }
        self.logs[number] = anew;
    }

    /// The process ends in order, and another begins.
    fn close(&mut self) {
        self.note("close".to_owned());
        self.moving = None;
        self.dirs.iter().for_each(|dir| dir.close());
        self.settle();
        if self.is_offline() || self.files.power_is_out() {
            let end = self.any_end();
            return self.restart(end);
        }
        for under_test in &mut self.logs {
            under_test.model.closed();
        }
        self.leave();
        self.start();
    }

    fn restart(&mut self, end: End) {
        self.note(format!("{end:?}"));
        self.settle();
        self.stop(end);
        self.start();
    }

    /// The end of a process, be it one that was still starting.
    fn stop(&mut self, end: End) {
        self.seen.crashes += 1;
        match end {
            End::Killed => self.files.kill(),
            End::PowerCut => {
                self.files.crash();
                self.logs.iter_mut().for_each(|log| log.model.cut());
            }
        }
        self.leave();
        if self.below(4) == 0 {
            self.harm_hints();
        }
    }

    fn leave(&mut self) {
        self.moving = None;
        self.dirs.clear();
        for under_test in &mut self.logs {
            under_test.log = None;
            under_test.model.left();
            under_test.clients.iter_mut().for_each(Client::disconnected);
        }
    }

    /// Damages files that only save time: indexes, epochs, snapshots of producers, the checkpoint, what was compacted.
    fn harm_hints(&mut self) {
        let of_dirs = ["checkpoint", "cleaner-offset-checkpoint"];
        let mut hints: Vec<PathBuf> =
            DIRS.iter().flat_map(|dir| of_dirs.map(|name| Path::new(dir).join(name))).collect();
        let dirs = |log: &LogUnderTest| DIRS.map(|dir| Path::new(dir).join(&log.name));
        for dir in self.logs.iter().flat_map(dirs) {
            let Ok(entries) = self.files.list(&dir) else { continue };
            // What an index of aborted transactions says has no checksum.
            let suffixes = [".index", ".timeindex", ".snapshot", "leader-epoch-checkpoint"];
            let is_hint = |name: &str| suffixes.iter().any(|suffix| name.ends_with(suffix));
            hints.extend(entries.iter().filter(|e| is_hint(&e.name)).map(|e| dir.join(&e.name)));
        }
        hints.retain(|path| self.files.exists(path));
        for _ in 0..=self.below(3) {
            let Some(path) = hints.get(self.below(hints.len() as u64 + 1) as usize) else { continue };
            let len = self.files.content(path).map_or(0, |content| content.len() as u64);
            let file = self.files.open(path, OpenMode::Write).unwrap();
            match self.below(3) {
                0 if len > 0 => self.files.flip_bit(path, self.below(len), self.below(8) as u8).unwrap(),
                1 => file.set_len(self.below(len + 1)).unwrap(),
                _ => file.set_len(0).unwrap(),
            }
            // No later power cut mends it.
            file.sync_data().unwrap();
            self.note(format!("harmed {}", path.display()));
        }
    }
}
