//! The controller over simulated files: what it answered is what the next life loads.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use storage::{DataDir, DataDirOptions, LeaderEpoch, LogConfig, LogId, TopicId};

use super::super::records::{BrokerStarted, ProducerIdsReserved, TopicCreated, TopicDeleted, TopicPurged};
use super::*;

/// Sequences of commands, flushes and snapshots that are cut off by a power cut.
const CUTS: u64 = 120;

const NAME: &str = "__cluster_metadata-0";
const LOG: LogId = LogId { topic: TopicId([1; 16]), partition: 0 };

fn open(env: &Env) -> (Arc<DataDir>, Controller) {
    let dir = DataDir::open(env.clone(), PathBuf::from("/data"), DataDirOptions::default()).unwrap();
    let log = dir.open_log(LOG, NAME, LogConfig::default(), LeaderEpoch(0)).unwrap();
    let controller = Controller::load(log, dir.path().join(NAME), env.clone()).unwrap();
    (dir, controller)
}

/// Flushed by nobody but the test.
fn open_by_hand(env: &Env) -> Result<(Arc<DataDir>, Controller), Box<dyn std::error::Error>> {
    let options = DataDirOptions { flushing: storage::Flushing::Manual, ..DataDirOptions::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from("/data"), options)?;
    let log = dir.open_log(LOG, NAME, LogConfig::default(), LeaderEpoch(0))?;
    let controller = Controller::load(log, dir.path().join(NAME), env.clone())?;
    Ok((dir, controller))
}

fn start(controller: &Controller) -> Arc<Seen> {
    let record = BrokerStarted { node_id: 1 };
    controller.execute(|_| Ok::<_, Infallible>((vec![record.into()], ()))).1
}

#[test]
fn every_life_loads_what_the_last_one_answered() {
    let (env, _files, _clock) = Env::simulated(7);
    for life in 0..5 {
        let (dir, controller) = open(&env);
        assert_eq!(controller.seen().image.producer_id_next(), life * 10);
        start(&controller);
        let next = (life + 1) * 10;
        let (answer, seen) =
            controller.execute(|_| Ok::<_, Infallible>((vec![ProducerIdsReserved { next }.into()], "done")));
        assert!(matches!(answer, Ok("done")));
        seen.last_append.clone().unwrap().wait().unwrap();
        assert!(seen.is_durable());
        assert_eq!(controller.seen().image.leader_epoch().0 as i64, life);
        dir.close();
    }
}

#[test]
fn a_refusal_changes_nothing() {
    let (env, _files, _clock) = Env::simulated(7);
    let (dir, controller) = open(&env);
    let before = start(&controller);
    let (answer, seen) = controller.execute(|_| Err::<(Vec<Record>, ()), _>("no"));
    assert!(matches!(answer, Err(CommandError::Refused("no"))));
    assert!(Arc::ptr_eq(&seen, &before));
    dir.close();
}

fn say(controller: &Controller, records: Vec<Record>) -> Arc<Seen> {
    controller.execute(|_| Ok::<_, Infallible>((records, ()))).1
}

fn durable(seen: &Seen) {
    seen.last_append.clone().unwrap().wait().unwrap();
}

/// A topic that comes and goes.
fn history_of(n: u128) -> [Record; 3] {
    let id = TopicId(n.to_be_bytes());
    let name = format!("topic-{n}");
    [
        TopicCreated { id, name, partitions: 1, configs: BTreeMap::new() }.into(),
        TopicDeleted { id }.into(),
        TopicPurged { id }.into(),
    ]
}

fn snapshots_on_disk(env: &Env) -> Vec<(PathBuf, u64)> {
    let dir = Path::new("/data").join(NAME);
    let entries = env.files.list(&dir).unwrap().into_iter();
    entries.filter(|e| e.name.ends_with(".image")).map(|e| (dir.join(&e.name), e.len)).collect()
}

/// 10,000 topics that came and went, and 3 that stay: the next start reads what is due by them, and not history.
#[test]
fn a_start_follows_topics_and_not_history() {
    let (env, files, _clock) = Env::simulated(7);
    let (dir, controller) = open(&env);
    start(&controller);
    for stays in [20_001, 20_002, 20_003] {
        say(&controller, vec![history_of(stays)[0].clone()]);
    }
    let mut written = 0;
    for n in 0..10_000 {
        let mut seen = None;
        for record in history_of(n) {
            seen = Some(say(&controller, vec![record]));
        }
        let seen = seen.unwrap();
        if controller.snapshots.is_due(seen.grown_bytes) {
            durable(&seen);
            controller.write_snapshot(&seen).unwrap();
            written += 1;
        }
    }
    let last = controller.seen();
    durable(&last);
    let log_bytes = controller.log.size_bytes();
    assert!(written >= 2 && log_bytes > 2 << 20, "{written} snapshots of {log_bytes} bytes");
    dir.close();
    let on_disk = snapshots_on_disk(&env);
    assert_eq!(on_disk.len(), 2);
    assert!(on_disk.iter().all(|(_, bytes)| *bytes < 300), "{on_disk:?}");

    let (dir, controller) = open(&env);
    let seen = controller.seen();
    assert_eq!(seen.image, last.image);
    assert!(seen.grown_bytes < 1 << 20, "{} of {log_bytes} bytes were replayed", seen.grown_bytes);
    assert!(controller.covered_by_snapshots().is_some_and(|covered| covered > Offset(0)));
    dir.close();

    // With the newest damaged, the one before and more of the log say the same.
    files.flip_bit(&on_disk[1].0, 20, 1).unwrap();
    let (dir, controller) = open(&env);
    let seen = controller.seen();
    assert_eq!(seen.image, last.image);
    assert!((1 << 20..2 << 20).contains(&seen.grown_bytes), "{}", seen.grown_bytes);
    dir.close();
    files.flip_bit(&on_disk[0].0, 20, 1).unwrap();
    let (dir, controller) = open(&env);
    assert_eq!(controller.seen().image, last.image, "the log has all");
    assert_eq!(controller.seen().grown_bytes, log_bytes);
    dir.close();
}

/// However many topics come and go, the log is as long as two snapshots are apart, and a start finds what was said.
#[test]
fn the_log_stays_short() {
    let (env, files, _clock) = Env::simulated(7);
    let config = LogConfig {
        segment_bytes: 100 << 10,
        cleanup: Cleanup { delete: false, compact: false },
        ..LogConfig::default()
    };
    let open = || {
        let options = DataDirOptions { flushing: storage::Flushing::Manual, ..DataDirOptions::default() };
        let dir = DataDir::open(env.clone(), PathBuf::from("/data"), options).unwrap();
        let log = dir.open_log(LOG, NAME, config.clone(), LeaderEpoch(0)).unwrap();
        let controller = Controller::load(log, dir.path().join(NAME), env.clone()).unwrap();
        (dir, controller)
    };
    let (mut dir, mut controller) = open();
    say(&controller, vec![history_of(20_001)[0].clone()]);
    let (mut longest_bytes, mut said_bytes) = (0, 0);
    for n in 0..10_000 {
        let before = controller.log.end_offset();
        let size_before = controller.log.size_bytes();
        history_of(n).into_iter().for_each(|record| drop(say(&controller, vec![record])));
        assert!(controller.log.end_offset() > before);
        said_bytes += controller.log.size_bytes() - size_before;
        longest_bytes = longest_bytes.max(controller.log.size_bytes());
        if n % 50 != 0 {
            continue;
        }
        dir.flush();
        // A quarter of what is usual, so that there are some.
        let seen = controller.seen();
        if seen.grown_bytes >= 256 << 10 {
            controller.write_snapshot(&seen).unwrap();
            controller.forget_covered();
            dir.flush();
            (0..2).for_each(|_| dir.checkpoint());
            dir.retain();
        }
        if n % 3_000 == 2_000 {
            let last = controller.seen();
            if n < 5_000 {
                files.crash()
            } else {
                dir.close()
            }
            (dir, controller) = open();
            assert_eq!(controller.seen().image, last.image);
        }
    }
    assert!(said_bytes > 2 << 20, "{said_bytes}");
    assert!(longest_bytes < 1 << 20, "{longest_bytes} of {said_bytes} bytes");
    assert!(controller.log.start_offset() > Offset(20_000), "{}", controller.log.start_offset());
    let last = controller.seen();
    dir.close();
    let (dir, controller) = open();
    assert_eq!(controller.seen().image, last.image);
    dir.close();
}

/// The power goes in the midst of commands, flushes and snapshots: what comes back is what was said up to some command, and
/// never less than was durable.
#[test]
fn no_power_cut_takes_back_what_was_durable() {
    let (mut lives, mut from_snapshots) = (0, 0);
    for seed in 0..CUTS {
        let (env, files, _clock) = Env::simulated(seed);
        let (mut durable_next, mut said_next) = (0, 0);
        for _life in 0..3 {
            let Ok((dir, controller)) = open_by_hand(&env) else {
                // The power went in the start.
                files.crash();
                continue;
            };
            let found = controller.seen().image.producer_id_next();
            assert!(
                (durable_next..=said_next).contains(&found),
                "{durable_next}..={said_next}: {found}, seed {seed}"
            );
            lives += 1;
            from_snapshots += u64::from(!controller.snapshots.is_empty());
            (durable_next, said_next) = (found, found);
            files.cut_power_after(env.random.next_u64() % 60);
            while !files.power_is_out() {
                said_next += 1;
                say(&controller, vec![ProducerIdsReserved { next: said_next }.into()]);
                let chance = env.random.next_u64() % 4;
                if chance < 2 {
                    dir.flush();
                }
                let seen = controller.seen();
                if seen.is_durable() && !files.power_is_out() {
                    durable_next = seen.image.producer_id_next();
                }
                if chance == 1 {
                    // It may fail: the power goes.
                    let _ = controller.write_snapshot(&seen);
                }
            }
            drop((dir, controller));
            files.crash();
        }
    }
    assert!(lives > CUTS && from_snapshots > CUTS / 4, "{lives} lives, {from_snapshots} with a snapshot");
}

/// What a crash could still take back stands in no snapshot.
#[test]
fn only_what_is_durable_is_kept() {
    let (env, _files, _clock) = Env::simulated(7);
    let (dir, controller) = open_by_hand(&env).unwrap();
    let seen = start(&controller);
    controller.write_snapshot(&seen).unwrap();
    assert_eq!(snapshots_on_disk(&env), []);
    dir.flush();
    controller.write_snapshot(&seen).unwrap();
    assert_eq!(snapshots_on_disk(&env).len(), 1);
    dir.close();
}
