//! Seeded simulations of a data directory: appends, flushes, checkpoints, full and failing disks, kills and power cuts
//! with torn writes, in an order that a seed decides.
//!
//! What is checked after every restart: nothing that was promised is gone, nothing that was readable on a durable log
//! has vanished or changed, offsets continue, bytes are those that were appended. The same seed twice gives the same
//! trace. `OTTLA_SIM_SEED` runs one seed (or begins there), `OTTLA_SIM_RUNS` that many; without them a time
//! budget ends it. `OTTLA_SIM_TRACE` prints each step as it is taken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::env::{Files, OpenMode, SimClock, SimFiles, SimRandom};
use storage::{
    AppendError, BatchBuilder, BatchHeader, Bound, Clock, DataDir, DataDirOptions, Durability, Env, Flushing,
    JournalOptions, LeaderEpoch, Log, LogConfig, LogId, Offset, OffsetSpec, Origin, Ticket, TopicId,
    check_internal,
};

const DIR: &str = "/sim/data";
const LOGS: usize = 3;
const STEPS_MAX: u64 = 160;
/// Without a number of runs the suite keeps to this.
const BUDGET: Duration = Duration::from_secs(10);

/// What was appended to one log in an order that the log confirmed, by base offset.
#[derive(Default)]
struct Model {
    batches: BTreeMap<i64, Bytes>,
    end: i64,
    /// Below this nothing may ever vanish again.
    promised: i64,
    /// Promised, unless the power is cut.
    promised_by_process: i64,
}

struct LogUnderTest {
    log: Option<Arc<Log>>,
    model: Model,
    config: LogConfig,
    waiting: Vec<Ticket>,
}

struct World {
    random: SimRandom,
    env: Env,
    files: SimFiles,
    clock: SimClock,
    dir: Option<Arc<DataDir>>,
    logs: Vec<LogUnderTest>,
    /// A flush failed: the kernel may call pages clean that are not on the disk, and only a power cut ends that.
    lying: bool,
    starts: i32,
    appends: u64,
    trace: Vec<String>,
}

impl World {
    fn new(seed: u64) -> World {
        let (env, files, clock) = Env::simulated(seed);
        let random = SimRandom::new(seed);
        let mut log = |number: usize| LogUnderTest {
            log: None,
            model: Model::default(),
            config: LogConfig {
                segment_bytes: 400 + random.below(4_000) as u32,
                index_interval_bytes: 64 + random.below(1_000) as u32,
                segment_index_bytes: 24 + random.below(400) as u32,
                durability: if number == 0 { Durability::Relaxed } else { Durability::Durable },
                ..LogConfig::default()
            },
            waiting: Vec::new(),
        };
        let logs = (0..LOGS).map(&mut log).collect();
        let mut world = World {
            random,
            env,
            files,
            clock,
            dir: None,
            logs,
            lying: false,
            starts: 0,
            appends: 0,
            trace: Vec::new(),
        };
        world.start();
        world
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

    fn start(&mut self) {
        self.starts += 1;
        let options = DataDirOptions {
            flushing: Flushing::Manual,
            journal: JournalOptions::SMALL,
            ..Default::default()
        };
        let dir = DataDir::open(self.env.clone(), PathBuf::from(DIR), options).unwrap();
        let on_disk = dir.logs_on_disk();
        for (number, under_test) in self.logs.iter_mut().enumerate() {
            let id = LogId { topic: TopicId([number as u8 + 1; 16]), partition: 0 };
            if let Some((_, found)) = on_disk.iter().find(|(name, _)| *name == dir_name(number)) {
                assert!(found.is_none() || *found == Some(id));
            }
            let config = under_test.config.clone();
            let log = dir.open_log(id, &dir_name(number), config, LeaderEpoch(self.starts)).unwrap();
            under_test.model.survived(number, &log);
            under_test.log = Some(log);
        }
        self.dir = Some(dir);
        let ends: Vec<i64> = self.logs.iter().map(|l| l.model.end).collect();
        self.note(format!("start {} ends {ends:?}", self.starts));
    }

    fn dir(&self) -> &DataDir {
        self.dir.as_ref().expect("a data directory is open")
    }

    fn step(&mut self) {
        match self.below(100) {
            0..=54 => self.append(),
            55..=69 => self.flush(),
            70..=73 => self.dir().checkpoint(),
            74..=85 => self.check(),
            86..=87 => self.fill_disk(),
            88 => self.fail_flush(),
            89..=92 => self.restart_clean(),
            93..=95 => self.restart_killed(),
            _ => self.restart_cut(),
        }
        self.clock.advance(Duration::from_millis(self.random.below(50)));
    }

    fn append(&mut self) {
        let number = self.below(LOGS as u64) as usize;
        let (count, size) = (1 + self.below(6), self.below(300) as usize);
        let mut builder = BatchBuilder::new(self.clock.now_ms());
        for _ in 0..count {
            self.appends += 1;
            let value = format!("{}{}", self.appends, "x".repeat(size));
            builder = builder.push(None, Some(value.as_bytes()), &[]);
        }
        let batch = builder.build();
        let force = self.below(4) == 0;
        let under_test = &mut self.logs[number];
        let log = under_test.log.as_ref().unwrap();
        let (before, ticket) =
            (log.end_offset(), log.append(check_internal(batch.clone()).unwrap(), Origin::Client, None));
        if let Some(Err(error)) = ticket.peek() {
            assert_eq!(log.end_offset(), before, "a refused append leaves nothing");
            self.note(format!("append {number} refused: {error}"));
            return;
        }
        assert_eq!((before.0, log.end_offset().0), (under_test.model.end, before.0 + count as i64));
        under_test.model.batches.insert(before.0, batch);
        under_test.model.end = before.0 + count as i64;
        under_test.waiting.push(if force { log.flushed(ticket.clone()) } else { ticket });
        self.note(format!("append {number} at {before} count {count}"));
        self.settle();
    }

    /// Turns tickets that resolved into promises.
    fn settle(&mut self) {
        for under_test in &mut self.logs {
            let durable = under_test.log.as_ref().is_some_and(|log| log.durability() == Durability::Durable);
            let model = &mut under_test.model;
            under_test.waiting.retain(|ticket| match ticket.peek() {
                Some(Ok(appended)) => {
                    // A ticket of a relaxed log promises as much as the process keeps, unless a flush was asked for.
                    model.promised_by_process = model.promised_by_process.max(appended.last.0 + 1);
                    if durable {
                        model.promised = model.promised.max(appended.last.0 + 1);
                    }
                    false
                }
                Some(Err(AppendError::Offline { .. } | AppendError::Closed)) => false,
                Some(Err(error)) => panic!("an append that was taken fails with {error}"),
                None => true,
            });
        }
    }

    fn flush(&mut self) {
        let ends: Vec<i64> = self.logs.iter().map(|l| l.model.end).collect();
        let forced: Vec<bool> =
            self.logs.iter().map(|l| l.waiting.iter().any(|t| t.peek().is_none())).collect();
        self.dir().flush();
        if !self.dir().is_offline() {
            for ((under_test, end), forced) in self.logs.iter_mut().zip(ends).zip(forced) {
                assert!(
                    under_test.waiting.iter().all(|t| t.peek().is_some()),
                    "a flush resolves every ticket"
                );
                if forced {
                    under_test.model.promised = under_test.model.promised.max(end);
                }
            }
        }
        self.settle();
        self.note("flush".to_owned());
    }

    /// Everything readable is what was appended. On durable logs, it is promised from now on.
    fn check(&mut self) {
        for under_test in &mut self.logs {
            let log = under_test.log.as_ref().unwrap();
            let high_watermark = log.high_watermark();
            under_test.model.compare(log, Bound::HighWatermark, high_watermark);
            let seen = log.offset_for(OffsetSpec::MaxTimestamp).unwrap();
            assert!(seen.is_none_or(|found| found.offset < high_watermark));
            if log.durability() == Durability::Durable {
                under_test.model.promised = under_test.model.promised.max(high_watermark.0);
            }
        }
        let marks: Vec<i64> = self.logs.iter().map(|l| l.log.as_ref().unwrap().high_watermark().0).collect();
        self.note(format!("high watermarks {marks:?}"));
    }

    fn fill_disk(&mut self) {
        let free = self.below(600);
        self.files.set_free_bytes(free);
        self.note(format!("{free} bytes free"));
        for _ in 0..self.below(6) {
            match self.below(3) {
                0 => self.flush(),
                1 => self.dir().checkpoint(),
                _ => self.append(),
            }
        }
        self.files.set_free_bytes(1 << 40);
    }

    fn fail_flush(&mut self) {
        self.append();
        self.files.fail_syncs(true);
        self.flush();
        self.files.fail_syncs(false);
        self.lying = self.dir().is_offline();
        self.append();
        self.flush();
        self.check();
    }

    fn restart_clean(&mut self) {
        if self.lying {
            return self.restart_cut();
        }
        self.note("close".to_owned());
        self.dir().close();
        self.settle();
        for under_test in &mut self.logs {
            under_test.model.promised = under_test.model.end;
        }
        self.leave();
        self.start();
    }

    fn restart_killed(&mut self) {
        if self.lying {
            return self.restart_cut();
        }
        self.note("kill".to_owned());
        self.files.kill();
        self.leave();
        for under_test in &mut self.logs {
            let model = &mut under_test.model;
            model.promised = model.promised.max(model.promised_by_process);
        }
        self.start();
    }

    fn restart_cut(&mut self) {
        self.note("power cut".to_owned());
        self.files.crash();
        self.leave();
        self.lying = false;
        if self.below(3) == 0 {
            self.harm_hints();
        }
        self.start();
    }

    fn leave(&mut self) {
        self.dir = None;
        for under_test in &mut self.logs {
            under_test.log = None;
            under_test.waiting.clear();
        }
    }

    /// Damages files that only save time: indexes, epochs, the checkpoint.
    fn harm_hints(&mut self) {
        let mut hints = vec![Path::new(DIR).join("checkpoint")];
        for number in 0..LOGS {
            let dir = Path::new(DIR).join(dir_name(number));
            let Ok(entries) = self.files.list(&dir) else { continue };
            let is_hint = |name: &str| name.ends_with("index") || name == "leader-epoch-checkpoint";
            hints.extend(entries.iter().filter(|e| is_hint(&e.name)).map(|e| dir.join(&e.name)));
        }
        hints.retain(|path| self.files.exists(path));
        for _ in 0..=self.below(3) {
            let Some(path) = hints.get(self.below(hints.len() as u64 + 1) as usize) else { continue };
            let len = self.files.content(path).map_or(0, |content| content.len() as u64);
            match self.below(3) {
                0 if len > 0 => self.files.flip_bit(path, self.below(len), self.below(8) as u8).unwrap(),
                1 => self.files.open(path, OpenMode::Write).unwrap().set_len(self.below(len + 1)).unwrap(),
                _ => {
                    let file = self.files.open(path, OpenMode::Write).unwrap();
                    file.set_len(0).unwrap();
                }
            }
            self.trace.push(format!("harmed {}", path.display()));
        }
    }
}

impl Model {
    /// Compares a log after a restart with what was promised, and takes over what is left.
    fn survived(&mut self, number: usize, log: &Log) {
        let end = log.end_offset();
        assert!(
            end.0 >= self.promised && end.0 <= self.end,
            "log {number}: promised up to {}, appended up to {}, found {end}",
            self.promised,
            self.end
        );
        assert_eq!(log.high_watermark(), end);
        self.end = end.0;
        self.promised_by_process = self.promised_by_process.min(end.0);
        self.batches.split_off(&end.0);
        self.compare(log, Bound::End, end);
        // A durable log shows all of it from now on.
        if log.durability() == Durability::Durable {
            self.promised = end.0;
        }
    }

    /// Every batch below `to` reads back with the bytes that were appended.
    fn compare(&self, log: &Log, bound: Bound, to: Offset) {
        let mut next = log.start_offset();
        assert_eq!(next, Offset(0));
        for (base, batch) in self.batches.range(..to.0) {
            assert_eq!(next.0, *base, "offsets continue");
            let plan = log.read(next, batch.len(), true, bound).unwrap();
            let found: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
            let header = BatchHeader::parse(&found).unwrap();
            assert_eq!((header.base_offset, header.total_bytes()), (next, batch.len()));
            // Base offset and epoch were stamped; all else is as it came.
            assert_eq!(found[8..12], batch[8..12]);
            assert_eq!(found[16..batch.len()], batch[16..]);
            next = header.next_offset();
        }
        assert_eq!(next, to, "nothing is missing below the mark");
    }
}

fn dir_name(number: usize) -> String {
    format!("topic{number}-0")
}

fn run(seed: u64) -> Vec<String> {
    let mut world = World::new(seed);
    for _ in 0..20 + world.below(STEPS_MAX) {
        world.step();
    }
    world.restart_cut();
    world.check();
    world.trace
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 11, 27] {
        let (first, second) = (run(seed), run(seed));
        assert!(first.len() > 20);
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn nothing_promised_is_ever_lost() {
    let (seed, runs) = (setting("OTTLA_SIM_SEED"), setting("OTTLA_SIM_RUNS"));
    let runs = runs.or(seed.map(|_| 1));
    let clock = storage::env::RealClock::new();
    let begin = clock.monotonic();
    let mut done = 0;
    while runs.map_or(clock.monotonic() - begin < BUDGET, |runs| done < runs) {
        let seed = seed.unwrap_or(0) + done;
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("again with: OTTLA_SIM_SEED={seed} cargo test -p storage --test simulation");
            std::panic::resume_unwind(panic);
        }
        done += 1;
    }
    assert!(done > 0, "OTTLA_SIM_RUNS asks for nothing");
    println!("{done} runs");
}
