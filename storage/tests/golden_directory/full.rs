//! A directory with all that a log of today may hold: a start in the middle of a batch, compacted segments with gaps,
//! emptied batches and delete horizons, producers, transactions open and aborted, a piece in quarantine, every codec.
//!
//! `golden/format-1-full/closed` was closed in order, `killed` is what lay under the open logs. `batches` lists what
//! readers get, as in the other folders; `facts` says of each log where it starts, is stable and ends, whom it knows and
//! what was aborted. `OTTLA_REGENERATE_GOLDEN=format-1-full` writes it, as long as no build was published with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::at_rest::{repair, verify};
use storage::env::{SimClock, SimFiles};
use storage::{
    BatchBuilder, BatchHeader, Bound, Cleanup, DataDir, DataDirOptions, Durability, EndMarker, Env, Flushing,
    JournalOptions, LeaderEpoch, Log, LogConfig, LogId, Offset, Origin, ProducerId, TopicId, check_internal,
};

use crate::compression::CODECS;
use crate::generate::{Tree, tree as sim_tree};
use crate::set::{BATCHES, Set, batch, copy, in_codec, list_from, options, scratch, tree};
use crate::{Damages, set};

pub(crate) const FULL: Set = Set { folder: "format-1-full", logs: &[], dirs: &["closed", "killed"] };
const DIR: &str = "/data";
const SEED: u64 = 2;
const LOGS: [&str; 4] = ["started-0", "compacted-0", "transactions-0", "damaged-0"];
const STARTED: usize = 0;
const COMPACTED: usize = 1;
const TRANSACTIONS: usize = 2;
const DAMAGED: usize = 3;
/// In the middle of a batch, and behind some segments.
const START: Offset = Offset(20);
const TIME: i64 = 1_700_000_000_000;
/// Of the log with a start.
const SEQUENCES: i32 = 8;
const IDEMPOTENT: i64 = 40;

fn config(log: usize) -> LogConfig {
    let is_compacted = log == COMPACTED;
    LogConfig {
        segment_bytes: 800,
        index_interval_bytes: 100,
        durability: if log == DAMAGED { Durability::Relaxed } else { Durability::Durable },
        cleanup: Cleanup { delete: !is_compacted, compact: is_compacted },
        retention: None,
        dirty_ratio_min: 0.0,
        file_delete_delay: Duration::ZERO,
        ..LogConfig::default()
    }
}

fn open_log(dir: &DataDir, log: usize) -> Arc<Log> {
    let id = LogId { topic: TopicId([log as u8 + 1; 16]), partition: 0 };
    dir.open_log(id, LOGS[log], config(log), LeaderEpoch(3)).unwrap()
}

/// Nothing happens by itself: neither retention nor compaction touches what is compared.
fn open_dir(env: Env, path: PathBuf) -> Arc<DataDir> {
    let journal = JournalOptions { bytes_max: 96 << 10, file_bytes: 48 << 10, ..JournalOptions::SMALL };
    DataDir::open(env, path, DataDirOptions { flushing: Flushing::Manual, journal, ..options() }).unwrap()
}

fn put(dir: &DataDir, log: &Log, batch: Bytes, origin: Origin) -> i64 {
    let ticket = log.append(check_internal(batch).unwrap(), origin, None);
    dir.flush();
    ticket.wait().unwrap().base.0
}

fn produced(producer: i64, sequence: i32) -> BatchBuilder {
    BatchBuilder::new(TIME + i64::from(sequence)).producer(ProducerId(producer), 2, sequence)
}

fn idempotent(sequence: i32) -> Bytes {
    produced(IDEMPOTENT, sequence).push(Some(b"key"), Some(&[b'i'; 40]), &[]).build()
}

fn start_in_the_middle(dir: &DataDir, log: &Log) {
    for number in 0..BATCHES {
        put(dir, log, batch(LOGS[STARTED], number), Origin::Client);
    }
    for sequence in 0..SEQUENCES {
        put(dir, log, idempotent(sequence), Origin::Client);
    }
    let new_start = log.delete_records(Some(START)).unwrap();
    dir.flush();
    assert_eq!(new_start.wait().unwrap(), START);
    // A segment is settled two checkpoints after it was rolled.
    dir.checkpoint();
    dir.checkpoint();
    dir.retain();
}

fn compact(dir: &DataDir, log: &Log, clock: &SimClock) {
    let write = |number: i32, key: &str, value: Option<&str>| {
        let batch = produced(50 + i64::from(number % 2), number / 2 * 2);
        let batch = batch.push(Some(key.as_bytes()), value.map(str::as_bytes), &[("h", Some(b"x"))]);
        let batch = batch.push(Some(b"each time"), Some(b"the same key in every batch"), &[]);
        put(dir, log, in_codec(CODECS[number as usize % CODECS.len()], &batch.build()), Origin::Client);
    };
    let mut number = 0;
    for pass in 0..3 {
        write(number, &format!("gone {pass}"), None);
        for key in 0..16 {
            write(number + 1, &format!("key {}", key % (5 + pass)), Some(&format!("value {pass} {key}")));
            number += 1;
        }
        number += 1;
        // What the last pass writes stays as it was appended.
        if pass < 2 {
            assert_eq!(dir.clean(), 1);
            clock.advance(Duration::from_secs(60));
            assert!(dir.clean() <= 1);
        }
    }
}

fn transactions(dir: &DataDir, log: &Log) {
    let ended = |producer: i64, sequence: i32, committed: bool| {
        let marker = EndMarker { committed, coordinator_epoch: 1 };
        put(dir, log, marker.batch(ProducerId(producer), 2, TIME + i64::from(sequence)), Origin::Coordinator);
    };
    let write = |producer: i64, sequence: i32| {
        let plain = produced(producer, sequence).transactional().push(Some(b"k"), Some(&[b't'; 90]), &[]);
        let codec = CODECS[sequence as usize % CODECS.len()];
        put(dir, log, in_codec(codec, &plain.build()), Origin::Coordinator);
    };
    for sequence in 0..10 {
        if sequence == 5 {
            // A kill finds some of the indexes, and others in the batches alone.
            dir.checkpoint();
        }
        for producer in [60, 61] {
            write(producer, sequence);
        }
        // The second producer's transactions go over two rounds.
        ended(60, sequence, sequence % 2 == 0);
        if sequence % 2 == 1 {
            ended(61, sequence, sequence % 4 == 1);
        }
    }
    write(62, 0);
    write(60, 10);
}

/// The first life: two wrong bits in a batch, which no recovery mends, and a repair.
fn damage(env: &Env, files: &SimFiles) {
    let dir = open_dir(env.clone(), DIR.into());
    let log = open_log(&dir, DAMAGED);
    for number in 0..BATCHES {
        put(&dir, &log, batch(LOGS[DAMAGED], number), Origin::Client);
    }
    dir.close();
    drop((log, dir));
    let first = Path::new(DIR).join(LOGS[DAMAGED]).join("00000000000000000000.log");
    for bit in [3, 5] {
        files.flip_bit(&first, 100, bit).unwrap();
    }
    let repaired = repair(env, Path::new(DIR), &mut Damages::default(), &mut Damages::default()).unwrap();
    assert!(repaired.is_whole() && repaired.before.damages > 0, "{repaired:?}");
}

struct Generated {
    dirs: BTreeMap<&'static str, Tree>,
    batches: String,
    facts: String,
}

fn generate() -> Generated {
    let (env, files, clock) = Env::simulated(SEED);
    damage(&env, &files);
    let dir = open_dir(env, DIR.into());
    let logs: Vec<_> = (0..LOGS.len()).map(|log| open_log(&dir, log)).collect();
    start_in_the_middle(&dir, &logs[STARTED]);
    compact(&dir, &logs[COMPACTED], &clock);
    transactions(&dir, &logs[TRANSACTIONS]);
    clock.advance(Duration::from_secs(60));
    dir.retain();
    let killed = sim_tree(&files);
    let batches = logs.iter().map(|log| list_from(log, log.start_offset().0)).collect();
    let facts = logs.iter().map(|log| facts(log)).collect();
    dir.close();
    Generated { dirs: [("closed", sim_tree(&files)), ("killed", killed)].into(), batches, facts }
}

impl Generated {
    fn write(&self, to: &Path) {
        for (name, tree) in &self.dirs {
            for (path, bytes) in tree {
                let path = to.join(name).join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        }
        fs::write(to.join("batches"), &self.batches).unwrap();
        fs::write(to.join("facts"), &self.facts).unwrap();
    }
}

/// What a log says of itself, but for its batches.
fn facts(log: &Log) -> String {
    let (name, mut text) = (log.dir_name(), String::new());
    let ends = (log.start_offset(), log.last_stable(), log.end_offset());
    writeln!(text, "{name} start {} stable {} end {}", ends.0, ends.1, ends.2).unwrap();
    let mut producers = log.producers();
    producers.sort_by_key(|producer| producer.id);
    let or_none = |offset: Option<Offset>| offset.map_or(-1, |offset| offset.0);
    for producer in producers {
        let (last, open) = (or_none(producer.last_offset), or_none(producer.txn_first_offset));
        let (id, epoch, sequence) = (producer.id.0, producer.epoch, producer.last_sequence);
        writeln!(text, "{name} producer {id} epoch {epoch} sequence {sequence} last {last} open {open}")
            .unwrap();
    }
    let (mut aborted, mut from) = (BTreeSet::new(), log.start_offset());
    while from < log.last_stable() {
        let plan = log.read(from, 1, true, Bound::LastStable).unwrap();
        aborted.extend(plan.aborted.unwrap().iter().map(|txn| (txn.first_offset, txn.producer_id.0)));
        let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
        from = BatchHeader::parse(&bytes).unwrap().next_offset();
    }
    for (first, producer) in aborted {
        writeln!(text, "{name} aborted {producer} from {first}").unwrap();
    }
    text
}

fn committed(file: &str) -> String {
    fs::read_to_string(FULL.path().join(file)).unwrap()
}

fn of_log(text: &str, log: usize) -> String {
    let mine = |line: &&str| line.starts_with(&format!("{} ", LOGS[log]));
    text.split_inclusive('\n').filter(mine).collect()
}

fn opens_and_goes_on(name: &str) {
    let path = FULL.copy_of(name, name);
    let (batches, wanted) = (committed("batches"), committed("facts"));
    for life in 0..2 {
        let dir = open_dir(Env::real(), path.clone());
        let logs: Vec<_> = (0..LOGS.len()).map(|log| open_log(&dir, log)).collect();
        for (number, log) in logs.iter().enumerate().filter(|(number, _)| *number != STARTED || life == 0) {
            let found = list_from(log, log.start_offset().0);
            assert!(found == of_log(&batches, number), "{name}, {}: other batches", LOGS[number]);
            assert_eq!(facts(log), of_log(&wanted, number), "{name}, life {life}");
        }
        let (log, end) = (&logs[STARTED], logs[STARTED].end_offset().0);
        let sent = SEQUENCES - 1 + life;
        assert_eq!(
            put(&dir, log, idempotent(sent), Origin::Client),
            end - 1,
            "what was sent before is known"
        );
        assert_eq!(log.end_offset().0, end);
        assert_eq!(put(&dir, log, idempotent(sent + 1), Origin::Client), end, "and what follows is taken");
        drop(logs);
        dir.close();
    }
    assert_eq!(damages(&path), Vec::<String>::new());
    fs::remove_dir_all(path).unwrap();
}

fn damages(path: &Path) -> Vec<String> {
    let mut damages = Damages::default();
    verify(&Env::real(), path, &mut damages).unwrap();
    damages.0
}

#[test]
fn a_full_directory_that_was_closed_opens() {
    opens_and_goes_on("closed");
}

#[test]
fn a_full_directory_that_was_killed_opens() {
    opens_and_goes_on("killed");
}

#[test]
fn nothing_in_the_full_directories_is_called_damaged() {
    for name in FULL.dirs {
        assert_eq!(damages(&FULL.path().join(name)), Vec::<String>::new(), "{name}");
    }
}

/// The committed directories have what they are there for.
#[test]
fn the_full_directories_are_full() {
    let listing = set::listed(&committed("batches"));
    for log in LOGS {
        let codec = |batch: &set::Listed| BatchHeader::parse(&batch.bytes).unwrap().codec().unwrap().id();
        let codecs: BTreeSet<u8> = listing[log].iter().map(codec).collect();
        assert_eq!(codecs.len(), CODECS.len(), "{log}: {codecs:?}");
    }
    let compacted: Vec<_> = listing[LOGS[COMPACTED]]
        .iter()
        .map(|batch| (BatchHeader::parse(&batch.bytes).unwrap(), batch.bytes[22]))
        .collect();
    let gaps = compacted.windows(2).filter(|pair| pair[0].0.next_offset() < pair[1].0.base_offset).count();
    let empty = compacted.iter().filter(|(header, _)| header.record_count == 0).count();
    let horizons = compacted.iter().filter(|(_, attributes)| attributes & 0x40 != 0).count();
    assert!(gaps > 2 && empty > 0 && horizons > 0, "{gaps} gaps, {empty} empty, {horizons} horizons");
    let started = BatchHeader::parse(&listing[LOGS[STARTED]][0].bytes).unwrap();
    assert!(started.base_offset < START && START <= started.last_offset());
    let facts = committed("facts");
    assert!(of_log(&facts, TRANSACTIONS).matches("aborted").count() > 5, "{facts}");
    assert_eq!(listing[LOGS[DAMAGED]].len(), BATCHES - 1, "one was set aside");
    for name in FULL.dirs {
        let files = tree(&FULL.path().join(name));
        let count = |suffix: &str| {
            files.keys().filter(|path| path.extension().is_some_and(|end| end == suffix)).count()
        };
        let aborted_min = if name == &"closed" { 4 } else { 1 };
        assert!(count("snapshot") > 3 && count("quarantine") == 1, "{name}");
        assert!(count("txnindex") >= aborted_min, "{name}");
        assert!(files.contains_key(Path::new("cleaner-offset-checkpoint")), "{name}");
        let first = files
            .keys()
            .find(|path| path.starts_with(LOGS[STARTED]) && path.extension().is_some_and(|end| end == "log"));
        assert!(first.is_some_and(|path| !path.ends_with("00000000000000000000.log")), "{name}: {first:?}");
    }
}

#[test]
fn the_generator_of_full_directories_writes_what_the_listing_says() {
    let generated = generate();
    if std::env::var_os("OTTLA_REGENERATE_GOLDEN").is_some_and(|name| name == FULL.folder) {
        let scratch = scratch("full");
        generated.write(&scratch);
        let _ = fs::remove_dir_all(FULL.path());
        copy(&scratch, &FULL.path());
        fs::remove_dir_all(scratch).unwrap();
    }
    let again = generate();
    assert!(again.dirs == generated.dirs, "the same bytes each time");
    // Compressors may change their output, and with it where a segment ends; what the records say may not.
    assert_eq!(of_log(&generated.facts, TRANSACTIONS), of_log(&committed("facts"), TRANSACTIONS));
    assert_eq!(generated.dirs.len(), FULL.dirs.len());
}
