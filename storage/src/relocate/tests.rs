//! Moves between two simulated data directories: with everything that a log may hold, cut short at each of their
//! operations, given up, refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::env::{Env, Files, SimClock, SimFiles};
use crate::records::BatchBuilder;
use crate::ticket::AppendError;
use crate::validate::check_internal;
use crate::*;

const NAME: &str = "topic-0";
const ID: LogId = LogId { topic: TopicId([7; 16]), partition: 0 };
const PRODUCER: ProducerId = ProducerId(5);

struct World {
    env: Env,
    files: SimFiles,
    clock: SimClock,
    dirs: Vec<Arc<DataDir>>,
    log: Arc<Log>,
    config: LogConfig,
    /// Values by offset.
    sent: Vec<(i64, String)>,
}

fn paths() -> [PathBuf; 2] {
    ["/a", "/b"].map(PathBuf::from)
}

fn open_dirs(env: &Env) -> Result<Vec<Arc<DataDir>>, OpenError> {
    let mut cluster_id = None;
    let mut dirs = Vec::new();
    for path in paths() {
        let options = DataDirOptions {
            flushing: Flushing::Manual,
            journal: JournalOptions::SMALL,
            cluster_id: cluster_id.clone(),
            ..Default::default()
        };
        let dir = DataDir::open(env.clone(), path, options)?;
        cluster_id = Some(dir.meta().cluster_id.clone());
        dirs.push(dir);
    }
    Ok(dirs)
}

type Opened = (Vec<Arc<DataDir>>, Arc<Log>, Vec<Unfinished>);

/// As a broker starts; the copies that were begun are told of.
fn open(env: &Env, config: &LogConfig) -> Result<Opened, OpenError> {
    let dirs = open_dirs(env)?;
    let settled = settle_copies(&dirs).map_err(OpenError::io("settling", Path::new("/")))?;
    let home = settled.homes.get(&ID).copied().unwrap_or(0);
    let log = dirs[home].open_log(ID, NAME, config.clone(), LeaderEpoch(1))?;
    Ok((dirs, log, settled.unfinished))
}

fn config(durability: Durability) -> LogConfig {
    LogConfig { segment_bytes: 1_500, index_interval_bytes: 200, durability, ..LogConfig::default() }
}

impl World {
    fn new(seed: u64, durability: Durability) -> World {
        let (env, files, clock) = Env::simulated(seed);
        let config = config(durability);
        let (dirs, log, _) = open(&env, &config).unwrap();
        World { env, files, clock, dirs, log, config, sent: Vec::new() }
    }

    fn reopen(&mut self) -> Vec<Unfinished> {
        let (dirs, log, unfinished) = open(&self.env, &self.config).unwrap();
        (self.dirs, self.log) = (dirs, log);
        unfinished
    }

    fn batch(&self, number: usize) -> (String, Bytes) {
        let value = format!("value {number}");
        let key = format!("key {number}");
        let builder = BatchBuilder::new(1_000 + number as i64).producer(PRODUCER, 0, number as i32);
        (value.clone(), builder.push(Some(key.as_bytes()), Some(value.as_bytes()), &[]).build())
    }

    /// The producer's next batch.
    fn append(&mut self) -> Ticket {
        let number = self.sent.len();
        let (value, bytes) = self.batch(number);
        self.sent.push((number as i64, value));
        self.log.append(check_internal(bytes).unwrap(), Origin::Client, None)
    }

    fn append_some(&mut self, count: usize) {
        for _ in 0..count {
            let ticket = self.append();
            self.flush();
            ticket.wait().unwrap();
        }
    }

    fn flush(&self) {
        self.dirs.iter().for_each(|dir| dir.flush());
    }

    fn begin(&self, target: usize) -> Move {
        Move::begin(&self.dirs[target], &self.log, None).unwrap()
    }

    fn finish(&self, mut moving: Move) -> Result<Arc<Log>, MoveError> {
        for _ in 0..1_000 {
            match moving.step(600)? {
                Step::Done(log) => return Ok(log),
                Step::Waiting => self.flush(),
                Step::Copied(_) => {}
            }
        }
        panic!("the move does not end");
    }

    fn move_to(&mut self, target: usize) {
        let moving = self.begin(target);
        self.log = self.finish(moving).unwrap();
        self.flush();
        assert!(self.has(target) && !self.has(1 - target), "it is where it was moved to");
    }

    fn has(&self, place: usize) -> bool {
        self.files.exists(&paths()[place].join(NAME))
    }

    /// Every record that was sent, once.
    fn check(&self) {
        let start = self.log.start_offset().0;
        let expected: Vec<_> = self.sent.iter().filter(|(at, _)| *at >= start).cloned().collect();
        assert_eq!(everything(&self.log), expected);
        assert_eq!(self.log.end_offset().0, self.sent.len() as i64);
    }
}

fn everything(log: &Log) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let mut next = log.start_offset();
    while next < log.high_watermark() {
        let plan = log.read(next, 1 << 20, true, Bound::HighWatermark).unwrap();
        let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
        for record in records(&bytes).unwrap() {
            let record = record.unwrap();
            let value = String::from_utf8(record.value.unwrap().into_owned()).unwrap();
            if record.offset >= next {
                found.push((record.offset.0, value));
            }
        }
        next = Offset(found.last().expect("a read gives something").0 + 1);
    }
    found
}

#[test]
fn moves_are_counted_where_they_go() {
    let mut world = World::new(1, Durability::Durable);
    world.append_some(20);
    let bytes = world.log.size_bytes();
    let counted = |world: &World| -> Vec<_> {
        let figures = |stats: DataDirStats| (stats.moves_underway, stats.moved_logs, stats.moved_bytes);
        world.dirs.iter().map(|dir| figures(dir.stats())).collect()
    };
    let given_up = world.begin(1);
    assert_eq!(counted(&world), [(0, 0, 0), (1, 0, 0)]);
    given_up.cancel();
    assert_eq!(counted(&world), [(0, 0, 0); 2]);
    world.move_to(1);
    assert_eq!(counted(&world), [(0, 0, 0), (0, 1, bytes)]);
}

#[test]
fn a_log_goes_there_and_back_with_all_that_it_knows() {
    for durability in [Durability::Durable, Durability::Relaxed] {
        let mut world = World::new(1, durability);
        world.append_some(40);
        world.log.delete_records(Some(Offset(12))).unwrap();
        world.flush();
        let (before, epoch) = (Arc::clone(&world.log), world.log.leader_epoch());
        let watch = world.log.watch_high_watermark().clone();
        for target in [1, 0, 1] {
            world.move_to(target);
            world.check();
            assert_eq!(world.log.leader_epoch(), epoch, "its leadership goes on");
            assert_eq!(world.log.start_offset(), Offset(12));
            assert_eq!(watch.value(), world.sent.len() as i64, "who waits goes on waiting");
            // What is sent again is known there.
            for number in world.sent.len() - 5..world.sent.len() {
                let (_, again) = world.batch(number);
                let ticket = world.log.append(check_internal(again).unwrap(), Origin::Client, None);
                world.flush();
                assert_eq!(ticket.wait().unwrap().base.0, number as i64);
            }
            world.append_some(7);
            world.check();
        }
        world.files.crash();
        world.reopen();
        assert_eq!(world.log.start_offset(), Offset(12), "a start that moved with its log lasts");
        if durability == Durability::Durable {
            world.check();
        }
        drop(before);
    }
}

#[test]
fn who_holds_the_log_from_before_has_the_one_in_force() {
    let mut world = World::new(2, Durability::Durable);
    world.append_some(5);
    let old = Arc::clone(&world.log);
    world.move_to(1);
    world.log = Arc::clone(&old);
    world.append_some(5);
    world.check();
    assert!(!old.is_deleted());
    assert_eq!(old.producers().len(), 1);
    old.delete_records(None).unwrap();
    assert_eq!(old.newest().start_offset(), Offset(10));
    assert!(world.dirs[0].delete_log(&old).is_err(), "it lives elsewhere");
    world.dirs[1].delete_log(&old.newest()).unwrap();
    assert!(old.is_deleted() && old.watch_high_watermark().is_closed());
}

#[test]
fn appends_that_come_during_the_switch_are_the_first_in_the_new_place() {
    let mut world = World::new(3, Durability::Durable);
    world.append_some(10);
    let mut moving = world.begin(1);
    let mut unanswered = Vec::new();
    let log = loop {
        match moving.step(1 << 20).unwrap() {
            Step::Done(log) => break log,
            _ if unanswered.len() < 12 => unanswered.push(world.append()),
            _ => world.flush(),
        }
    };
    world.log = log;
    world.flush();
    for (place, ticket) in unanswered.into_iter().enumerate() {
        assert_eq!(ticket.wait().unwrap().base, Offset(10 + place as i64));
    }
    world.check();
}

#[test]
fn a_producer_whose_append_waits_is_not_forgotten() {
    let mut world = World::new(3, Durability::Durable);
    world.append_some(10);
    assert!(world.log.hold_appends());
    let (_, again) = world.batch(9);
    let ticket = world.log.append(check_internal(again).unwrap(), Origin::Client, None);
    assert_eq!(world.log.expire_producers(Duration::ZERO), 0);
    world.log.let_appends_go();
    world.flush();
    assert_eq!(ticket.wait().unwrap().base, Offset(9), "it is known to be there");
    assert_eq!(world.log.expire_producers(Duration::ZERO), 1, "it writes no more");
    world.check();
}

#[test]
fn a_move_that_is_given_up_leaves_the_log_and_no_copy() {
    let mut world = World::new(4, Durability::Durable);
    world.append_some(20);
    for steps in 0..12 {
        let mut moving = world.begin(1);
        for _ in 0..steps {
            assert!(!matches!(moving.step(300).unwrap(), Step::Done(_)), "it is not over in {steps} steps");
        }
        moving.cancel();
        world.append_some(2);
        let left = world.files.list(&paths()[1]).unwrap();
        assert!(!left.iter().any(|entry| entry.name.ends_with("-future")));
        world.check();
    }
    world.move_to(1);
    world.check();
}

#[test]
fn a_full_target_refuses_and_nothing_is_lost() {
    let mut world = World::new(5, Durability::Durable);
    world.append_some(20);
    let moving = world.begin(1);
    world.files.set_free_bytes(700);
    let refused = world.finish(moving);
    world.files.set_free_bytes(1 << 40);
    assert!(matches!(refused, Err(MoveError::NoRoom)), "{:?}", refused.err());
    assert!(world.dirs.iter().all(|dir| !dir.is_offline()));
    world.append_some(3);
    world.check();
}

#[test]
fn a_failing_target_goes_offline_and_the_log_stays() {
    for nth in 1..30 {
        let mut world = World::new(nth, Durability::Durable);
        world.append_some(10);
        let mut moving = world.begin(1);
        assert!(matches!(moving.step(1 << 20), Ok(Step::Copied(0))));
        world.files.fail_sync_after(Some(nth));
        let moved = world.finish(moving);
        world.files.fail_sync_after(None);
        match moved {
            Ok(log) => world.log = log,
            Err(error) => assert!(world.dirs.iter().any(|dir| dir.is_offline()), "{error}"),
        }
        let ticket = world.append();
        world.flush();
        let taken = ticket.wait();
        if let Err(error) = &taken {
            assert!(matches!(error, AppendError::Offline { .. }), "{error}");
            world.sent.pop();
        }
        world.files.crash();
        world.reopen();
        world.check();
    }
}

#[test]
fn a_log_without_records_moves_and_stays_where_it_was_moved_to() {
    let mut world = World::new(6, Durability::Durable);
    world.move_to(1);
    world.files.crash();
    world.reopen();
    assert!(Arc::ptr_eq(&world.log.shared, &world.dirs[1].shared));
    world.append_some(3);
    world.check();
}

#[test]
fn names_that_are_taken_and_places_that_are_the_same_are_refused() {
    let world = World::new(7, Durability::Durable);
    let refusal = |target: usize| Move::begin(&world.dirs[target], &world.log, None).err();
    assert!(matches!(refusal(0), Some(MoveError::Same)));
    world.files.create_dir(&paths()[1].join(NAME)).unwrap();
    assert!(matches!(refusal(1), Some(MoveError::NameTaken)));
}

/// A log's life around two moves, as far as the power goes; the offsets that were acknowledged.
fn live(world: &mut World) -> i64 {
    let mut acknowledged = 0;
    let mut send = |world: &mut World, unanswered: &mut Vec<Ticket>| {
        unanswered.push(world.append());
        world.flush();
        for ticket in unanswered.iter() {
            if let Some(Ok(appended)) = ticket.peek() {
                acknowledged = acknowledged.max(appended.last.0 + 1);
            }
        }
    };
    let mut unanswered = Vec::new();
    for target in [1, 0] {
        for _ in 0..6 {
            send(world, &mut unanswered);
        }
        let Ok(mut moving) = Move::begin(&world.dirs[target], &world.log, None) else { return acknowledged };
        loop {
            match moving.step(500) {
                Ok(Step::Done(log)) => {
                    world.log = log;
                    break;
                }
                Ok(_) if unanswered.len() < 30 => send(world, &mut unanswered),
                Ok(_) => world.flush(),
                Err(_) => return acknowledged,
            }
        }
        send(world, &mut unanswered);
        world.clock.advance(Duration::from_millis(20));
    }
    acknowledged
}

#[test]
fn a_stop_at_any_operation_leaves_one_whole_log() {
    let mut stops = 0;
    for nth in (0..).step_by(2) {
        let mut world = World::new(100 + nth, Durability::Durable);
        world.files.cut_power_after(nth);
        let acknowledged = live(&mut world);
        let was_cut = world.files.power_is_out();
        let kill = nth % 3 == 0;
        if kill {
            world.files.kill()
        } else {
            world.files.crash()
        }
        let unfinished = world.reopen();
        let end = world.log.end_offset().0;
        assert!(end >= acknowledged, "stop {nth}: {acknowledged} were acknowledged, {end} are there");
        world.sent.truncate(end as usize);
        world.check();
        assert!(!(world.has(0) && world.has(1)), "stop {nth}: one directory is left");
        // A move that was begun goes on where its copy says.
        for copy in unfinished {
            match Move::begin(&world.dirs[copy.target], &world.log, Some(&copy.name)) {
                Ok(moving) => world.log = world.finish(moving).unwrap(),
                Err(_) => world.dirs[copy.target].discard(&copy.name).unwrap(),
            }
        }
        world.sent.truncate(world.log.end_offset().0 as usize);
        world.append_some(3);
        world.check();
        stops += 1;
        if !was_cut {
            break;
        }
    }
    assert!(stops > 100, "only {stops} stops");
}
