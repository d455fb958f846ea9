//! One wrong bit anywhere in a data directory: nothing wrong is served, nobody panics, and only the batch with the bit
//! may be gone.
//!
//! Small logs are written through the public interface on simulated files, then closed, killed or cut from power; a
//! seed chooses the bit. Every batch has an index entry (the distance is 0), so that all behind a damaged one must be
//! found again. Only a power cut may take entries that were not flushed, and then the rest of that segment is set aside.
//! Each log has one producer, whose last batch must be known again: wherever the bit is wrong, it is not stored twice. By
//! default a time budget ends it, not before the least number of flips; `OTTLA_EFFORT=long` makes many more, without one.
//! `OTTLA_SIM_SEED` runs one seed, `OTTLA_SIM_TRACE` says what each does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use storage::env::{Files, SimFiles, SimRandom};
use storage::{
    BatchBuilder, BatchHeader, Bound, Clock, DataDir, DataDirOptions, Durability, Env, Flushing,
    JournalOptions, LeaderEpoch, Log, LogConfig, LogId, Offset, OffsetSpec, OpenError, Origin, ProducerId,
    TopicId, check_internal,
};

const DIR: &str = "/sim/data";
const LOGS: usize = 2;
const BUDGET: Duration = Duration::from_secs(15);
const FLIPS_MIN: u64 = 2_000;
const FLIPS_LONG: u64 = 100_000;
const PRODUCER: ProducerId = ProducerId(7);

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Killed,
    PowerCut,
}

/// What was appended and flushed, by base offset: the bytes from the CRC on, and how many records.
type Model = BTreeMap<i64, Vec<u8>>;

struct World {
    env: Env,
    files: SimFiles,
    random: SimRandom,
    models: Vec<Model>,
}

fn dir_name(number: usize) -> String {
    format!("topic{number}-0")
}

fn config(number: usize) -> LogConfig {
    LogConfig {
        segment_bytes: 900,
        index_interval_bytes: 0,
        segment_index_bytes: 1 << 16,
        durability: if number == 0 { Durability::Relaxed } else { Durability::Durable },
        ..LogConfig::default()
    }
}

type Opened = (Arc<DataDir>, Vec<Arc<Log>>);

fn open(env: &Env) -> Result<Opened, OpenError> {
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from(DIR), options)?;
    let open = |number: usize| {
        let id = LogId { topic: TopicId([number as u8 + 1; 16]), partition: 0 };
        dir.open_log(id, &dir_name(number), config(number), LeaderEpoch(1))
    };
    let logs = (0..LOGS).map(open).collect::<Result<_, _>>()?;
    Ok((dir, logs))
}

/// A batch that would fit behind any other, as a payload that is no batch of this log.
fn forged(base: i64) -> Vec<u8> {
    let batch = BatchBuilder::new(1).push(None, Some(b"forged"), &[]).build();
    let mut batch = batch.to_vec();
    batch[..8].copy_from_slice(&base.to_be_bytes());
    batch
}

impl World {
    /// Everything in it is flushed: what a power cut may take is the simulation's matter.
    fn written(seed: u64) -> (World, Opened) {
        let (env, files, _) = Env::simulated(seed);
        let random = SimRandom::new(seed ^ 0xb17);
        let mut world = World { env, files, random, models: vec![Model::new(); LOGS] };
        let (dir, logs) = open(&world.env).unwrap();
        let checkpoint = world.random.below(16);
        for round in 0..8 + world.random.below(8) {
            for (log, model) in logs.iter().zip(&mut world.models) {
                let base = log.end_offset().0;
                let count = 1 + world.random.below(3);
                // A record each has the sequence of its offset: nothing else is in the log.
                let mut builder = BatchBuilder::new(1_000 + round as i64).producer(PRODUCER, 0, base as i32);
                for record in 0..count {
                    let mut value = format!("value {base} {record}").into_bytes();
                    if world.random.below(2) == 0 {
                        value.extend(forged(base + count as i64));
                    }
                    builder = builder.push(None, Some(&value), &[]);
                }
                let batch = builder.build();
                let ticket = log.append(check_internal(batch.clone()).unwrap(), Origin::Client, None);
                assert!(!matches!(log.flushed(ticket).peek(), Some(Err(_))));
                model.insert(base, batch.to_vec());
            }
            dir.flush();
            if round == checkpoint {
                dir.checkpoint();
            }
        }
        (world, (dir, logs))
    }

    fn leave(&self, (dir, logs): Opened, end: End) {
        match end {
            End::Closed => dir.close(),
            End::Killed => self.files.kill(),
            End::PowerCut => self.files.crash(),
        }
        drop((dir, logs));
    }

    /// All files that may be hit, the journal's included.
    fn targets(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        let mut dirs = vec![PathBuf::from(DIR)];
        while let Some(dir) = dirs.pop() {
            for entry in self.files.list(&dir).unwrap() {
                let path = dir.join(&entry.name);
                if entry.is_dir {
                    dirs.push(path);
                } else if entry.len > 0 && entry.name != "lock" {
                    found.push((path, entry.len));
                }
            }
        }
        found
    }

    /// The base offset of the segment behind that of `path`.
    fn segment_behind(&self, path: &Path) -> i64 {
        let base = |path: &Path| path.file_stem()?.to_str()?.parse::<i64>().ok();
        let names = self.files.list(path.parent().unwrap()).unwrap();
        let logs = names.iter().filter(|entry| entry.name.ends_with(".log"));
        logs.filter_map(|entry| base(Path::new(&entry.name)))
            .find(|other| Some(*other) > base(path))
            .unwrap_or(i64::MAX)
    }

    /// The log whose batch holds a byte of a file, and the batch's offset.
    fn batch_at(&self, path: &Path, byte: u64) -> Option<(usize, i64)> {
        let number = (0..LOGS).find(|number| path.starts_with(Path::new(DIR).join(dir_name(*number))))?;
        if path.extension()? != "log" {
            return None;
        }
        let (content, mut at) = (self.files.content(path).unwrap(), 0);
        loop {
            // Behind what a power cut left, the journal has it.
            let header = BatchHeader::parse(&content[at..]).ok()?;
            at += header.total_bytes();
            if byte < at as u64 {
                return Some((number, header.base_offset.0));
            }
        }
    }
}

/// Reads all there is, every other time from the front with small reads and once by asking for each offset, and gives
/// the base offsets of what came.
fn read_all(log: &Log, model: &Model, bytes_max: usize) -> BTreeSet<i64> {
    let mut found = BTreeSet::new();
    let mut next = log.start_offset();
    while next < log.high_watermark() {
        let plan = log.read(next, bytes_max, true, Bound::HighWatermark).unwrap();
        let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap().to_vec()).collect();
        let (mut rest, before) = (&bytes[..], next);
        while let Some(header) = BatchHeader::parse(rest).ok().filter(|h| h.total_bytes() <= rest.len()) {
            let batch = model.get(&header.base_offset.0).expect("no batch has another one's offset");
            // Offset and epoch are stamped; the epoch has no checksum in Kafka's format.
            assert_eq!(rest[8..12], batch[8..12], "at {}", header.base_offset);
            assert_eq!(rest[16..batch.len()], batch[16..], "at {}", header.base_offset);
            assert!(header.base_offset >= next || before == next, "offsets rise");
            found.insert(header.base_offset.0);
            next = header.next_offset();
            rest = &rest[header.total_bytes()..];
        }
        if next == before {
            // The last batches of the log are damaged.
            assert!(bytes.is_empty());
            break;
        }
    }
    found
}

fn run(seed: u64) {
    let (world, opened) = World::written(seed);
    let end = [End::Closed, End::Killed, End::PowerCut][world.random.below(3) as usize];
    world.leave(opened, end);
    let targets = world.targets();
    let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "log");
    let chosen: Vec<_> = if world.random.below(2) == 0 {
        targets.iter().filter(|(path, _)| is_log(path)).collect()
    } else {
        targets.iter().collect()
    };
    let (path, len) = chosen[world.random.below(chosen.len() as u64) as usize];
    let (byte, bit) = (world.random.below(*len), world.random.below(8) as u8);
    let hit = world.batch_at(path, byte);
    world.files.flip_bit(path, byte, bit).unwrap();
    // The offsets that may be missing, and of which log.
    let hit = hit.map(|(number, base)| {
        let behind = if end == End::PowerCut { world.segment_behind(path) } else { base + 1 };
        (number, base..behind)
    });
    let context = format!("seed {seed}: {end:?}, {} byte {byte} bit {bit}, batch {hit:?}", path.display());
    if std::env::var_os("OTTLA_SIM_TRACE").is_some() {
        eprintln!("{context}, of {targets:?}");
    }
    let (dir, logs) = match open(&world.env) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(path.ends_with("meta.properties"), "{context}: {error}");
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for round in 0..2 {
        for (number, (log, model)) in logs.iter().zip(&world.models).enumerate() {
            let lost = hit.clone().filter(|(hit, _)| *hit == number).map_or(0..0, |(_, lost)| lost);
            check(log, model, &lost, round, &context);
        }
    }
    let ends: Vec<Offset> = logs.iter().map(|log| log.end_offset()).collect();
    // A second start finds the same, and the logs go on.
    let before: Vec<_> =
        logs.iter().zip(&world.models).map(|(log, model)| read_all(log, model, 400)).collect();
    dir.close();
    drop((dir, logs));
    let (_dir, logs) = open(&world.env).unwrap_or_else(|error| panic!("{context}: {error}"));
    for (number, log) in logs.iter().enumerate() {
        assert_eq!(log.end_offset(), ends[number], "{context}");
        // What was found damaged while it was read is judged once more, and may be mended.
        let after = read_all(log, &world.models[number], 400);
        assert!(after.is_superset(&before[number]), "{context}: {:?}, {after:?}", before[number]);
        resend(log, &world.models[number], &after, &context);
    }
}

/// The last batch is sent again, if it can be read.
fn resend(log: &Log, model: &Model, found: &BTreeSet<i64>, context: &str) {
    let (base, batch) = model.last_key_value().expect("something was appended");
    let end = log.end_offset();
    if !found.contains(base) {
        return;
    }
    let again = check_internal(batch.clone().into()).unwrap();
    let answer = log.append(again, Origin::Client, None).peek();
    let answer = answer.and_then(Result::ok).map(|appended| appended.base.0);
    assert_eq!((answer, log.end_offset()), (Some(*base), end), "{context}: stored twice, or refused");
}

fn check(log: &Log, model: &Model, lost: &Range<i64>, round: usize, context: &str) {
    let found = read_all(log, model, if round == 0 { 300 } else { 100_000 });
    let missing: Vec<i64> = model.keys().copied().filter(|base| !found.contains(base)).collect();
    assert!(missing.iter().all(|base| lost.contains(base)), "{context}: missing {missing:?}");
    let damage = log.quarantined_bytes() + log.damaged_bytes();
    let counted = missing.is_empty() || damage > 0;
    assert!(counted, "{context}: what is not served is counted");
    for base in model.keys().filter(|base| found.contains(base)) {
        let time = log.offset_for(OffsetSpec::Timestamp(0)).unwrap().unwrap();
        assert!(found.contains(&time.offset.0), "{context}");
        let plan = log.read(Offset(*base), 1, true, Bound::HighWatermark).unwrap();
        assert!(plan.bytes > 0, "{context}: {base} can be asked for");
    }
    let max = log.offset_for(OffsetSpec::MaxTimestamp).unwrap();
    assert_eq!(max.is_some(), !found.is_empty(), "{context}");
    assert!(max.is_none_or(|max| found.range(..=max.offset.0).next_back().is_some()), "{context}");
}

#[test]
fn one_wrong_bit_costs_at_most_its_batch() {
    let setting = |name: &str| std::env::var(name).ok();
    if let Some(seed) = setting("OTTLA_SIM_SEED") {
        return run(seed.parse().expect("OTTLA_SIM_SEED is a number"));
    }
    let long = setting("OTTLA_EFFORT").as_deref() == Some("long");
    let clock = storage::env::RealClock::new();
    let begin = clock.monotonic();
    let mut seed = 0;
    while seed < if long { FLIPS_LONG } else { FLIPS_MIN }
        || (!long && clock.monotonic() - begin < BUDGET / 3)
    {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("again with: OTTLA_SIM_SEED={seed} cargo test -p storage --test bit_flips");
            std::panic::resume_unwind(panic);
        }
        seed += 1;
    }
    assert!(long || clock.monotonic() - begin < BUDGET, "{seed} flips took longer than the budget");
    println!("{seed} flips");
}
