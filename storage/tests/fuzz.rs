//! Every target of `storage::fuzz` with mutated bytes: golden files and freshly written ones, in which bits are flipped,
//! pieces cut out and put elsewhere, and numbers overwritten, with and without right checksums.
//!
//! A seed decides everything about one input. By default a time budget ends it, not before a least number of inputs;
//! `OTTLA_EFFORT=long` makes 10⁷, without a budget. `OTTLA_SIM_SEED` runs one seed, `OTTLA_SIM_TRACE` says what it is.

#![expect(clippy::disallowed_methods, reason = "the committed files are on the real machine")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use storage::env::{Files, Random, SimFiles, SimRandom};
use storage::fuzz::{TARGETS, Target, new_disk};
use storage::{
    BatchBuilder, Cleanup, Clock, DataDir, DataDirOptions, Durability, EndMarker, Env, Flushing,
    JournalOptions, LeaderEpoch, Log, LogConfig, LogId, Offset, Origin, ProducerId, TopicId, check_internal,
    state_image,
};

const BUDGET: Duration = Duration::from_secs(30);
const INPUTS_MIN: u64 = 30_000;
const INPUTS_LONG: u64 = 10_000_000;
/// One input in so many opens a directory, which takes a thousand times as long as to read a record.
const OPENS_EVERY: u64 = 16;
const INPUT_BYTES_MAX: usize = 48 << 10;

/// What our files begin or end with, in their own byte order.
const DICTIONARY: [&[u8]; 12] = [
    b"OTTLACKP",
    b"OTTLAQRN",
    b"OJNL",
    b"ottla.format=",
    b"cluster.id=",
    b"version: 0\ntopic_id: ",
    b"AAAAAAAAAAAAAAAAAAAAAA",
    b"\n-1 -1\n",
    b"0\n1\n",
    b"9223372036854775807",
    &[0; 16],
    &[0xff; 8],
];

/// Numbers at which lengths, counts and offsets go wrong.
const NUMBERS: [u64; 12] = [
    0,
    1,
    2,
    60,
    61,
    4096,
    i32::MAX as u64,
    i32::MAX as u64 + 1,
    u32::MAX as u64,
    i64::MAX as u64 - 1,
    i64::MAX as u64,
    u64::MAX,
];

/// Contents to begin with, by the target that takes them.
struct Corpus(Vec<Vec<Vec<u8>>>);

impl Corpus {
    fn gather() -> Corpus {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let mut files = Vec::new();
        read_tree(&golden.join("format-1"), &mut files);
        read_tree(&golden.join("batches"), &mut files);
        files.extend(fresh());
        let image = state_image::encode(Offset(7), &[b"one".to_vec(), Vec::new(), vec![0; 40]]);
        files.push((PathBuf::from("00000000000000000007.image"), image));
        files.sort();
        let of = |target: &Target| {
            let mine = files.iter().filter(|(path, _)| path.to_str().unwrap().ends_with(target.file));
            let contents: Vec<_> = mine.flat_map(|(_, content)| pieces(target, content)).collect();
            assert!(!contents.is_empty(), "{} has nothing to begin with", target.name);
            contents
        };
        Corpus(TARGETS.iter().map(of).collect())
    }
}

/// A file as it is; of a journal also what stands at each commit.
fn pieces(target: &Target, content: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![content[..content.len().min(INPUT_BYTES_MAX)].to_vec()];
    if target.file == ".journal" {
        let blocks = content.chunks(4096).filter(|block| block.starts_with(b"OJNL"));
        found.extend(blocks.map(<[u8]>::to_vec));
    }
    found
}

fn read_tree(dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_tree(&path, found);
        } else {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
}

/// A directory of today's: killed in the middle, damaged, taken up again, closed. With the files of each moment.
fn fresh() -> Vec<(PathBuf, Vec<u8>)> {
    let (env, files) = new_disk();
    let mut found = Vec::new();
    for life in 0..4 {
        let dir = live(&env, life);
        if life == 3 {
            dir.close();
        }
        files.kill();
        drop(dir);
        copy_tree(&files, Path::new("/data"), &mut found);
        // More than one wrong bit, which recovery would mend, in what no checkpoint and no journal vouches for.
        for bit in [3, 5] {
            let first = Path::new("/data/topic1-0/00000000000000000000.log");
            files.flip_bit(first, 100 + life, bit).unwrap();
        }
        let epochs = Path::new("/data/topic0-0/leader-epoch-checkpoint");
        assert!(life == 0 || files.exists(epochs));
    }
    assert!(found.iter().any(|(path, _)| path.extension().is_some_and(|end| end == "quarantine")));
    found
}

fn live(env: &Env, life: u64) -> std::sync::Arc<DataDir> {
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from("/data"), options).unwrap();
    // The third is compacted.
    let durabilities = [Durability::Durable, Durability::Relaxed, Durability::Durable];
    let logs = durabilities.into_iter().enumerate().map(|(number, durability)| {
        let id = LogId { topic: TopicId([number as u8 + 1; 16]), partition: 0 };
        let config = LogConfig {
            segment_bytes: 600,
            index_interval_bytes: 0,
            durability,
            cleanup: Cleanup { delete: false, compact: number == 2 },
            ..LogConfig::default()
        };
        dir.open_log(id, &format!("topic{number}-0"), config, LeaderEpoch(1)).unwrap()
    });
    let logs: Vec<_> = logs.collect();
    for round in 0..10 {
        for log in &logs {
            let value = "v".repeat(10 + 7 * round);
            let batch =
                BatchBuilder::new(1_000 + round as i64).push(Some(b"k"), Some(value.as_bytes()), &[]).build();
            log.append(check_internal(batch).unwrap(), Origin::Client, None);
        }
        abort(&logs[0], ProducerId(round as i64 % 3), life);
        if round % 3 == 0 {
            dir.flush();
        }
        if round == 5 && life > 0 {
            dir.checkpoint();
        }
    }
    dir.flush();
    // Not before: its checkpoints would vouch for what is to be judged.
    if life == 3 {
        assert_eq!(dir.clean(), 1);
    }
    dir
}

/// A transaction of one record that comes to nothing.
fn abort(log: &Log, producer: ProducerId, life: u64) {
    let record =
        BatchBuilder::new(900).producer(producer, life as i16, -1).transactional().push(None, None, &[]);
    let marker = EndMarker { committed: false, coordinator_epoch: 1 }.batch(producer, life as i16, 901);
    for batch in [record.build(), marker] {
        log.append(check_internal(batch).unwrap(), Origin::Coordinator, None);
    }
}

fn copy_tree(files: &SimFiles, dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in files.list(dir).unwrap() {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            copy_tree(files, &path, found);
        } else {
            found.push((path.clone(), files.content(&path).unwrap()));
        }
    }
}

fn mutate(random: &SimRandom, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = |bytes: &[u8]| random.below(bytes.len() as u64 + 1) as usize;
    let range = |bytes: &[u8]| {
        let (a, b) = (at(bytes), at(bytes));
        a.min(b)..a.max(b)
    };
    let overwrite = |bytes: &mut [u8], from: usize, with: &[u8]| {
        bytes.iter_mut().skip(from).zip(with).for_each(|(byte, with)| *byte = *with);
    };
    match random.below(10) {
        0 | 1 if !bytes.is_empty() => {
            let bit = random.below(bytes.len() as u64 * 8) as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        2 => bytes.truncate(at(bytes)),
        3 => drop(bytes.drain(range(bytes))),
        4 => {
            let other = &others[random.below(others.len() as u64) as usize];
            let (from, piece) = (at(bytes), range(other));
            bytes.splice(from..from, other[piece].iter().copied());
        }
        5 => {
            // Blocks of the journal move as a whole.
            let (from, to) = (at(bytes) / 4096 * 4096, at(bytes) / 4096 * 4096);
            let block = bytes[from..bytes.len().min(from + 4096)].to_vec();
            overwrite(bytes, to, &block);
        }
        6 | 7 => {
            let mut number = NUMBERS[random.below(NUMBERS.len() as u64) as usize];
            if random.below(4) == 0 {
                number = random.next_u64() >> random.below(64);
            }
            let width = [2, 4, 8][random.below(3) as usize];
            // What matters stands at the front.
            let reach = if random.below(2) == 0 { bytes.len().min(64) } else { bytes.len() };
            overwrite(bytes, at(&vec![0; reach]), &number.to_be_bytes()[8 - width..]);
        }
        8 => {
            let word = DICTIONARY[random.below(DICTIONARY.len() as u64) as usize];
            let from = at(bytes);
            if random.below(2) == 0 {
                overwrite(bytes, from, word);
            } else {
                bytes.splice(from..from, word.iter().copied());
            }
        }
        _ => {
            let range = range(bytes);
            random.fill(&mut bytes[range]);
        }
    }
    bytes.truncate(INPUT_BYTES_MAX);
}

fn run(corpus: &Corpus, seed: u64) {
    let random = SimRandom::new(seed);
    let opens = random.below(OPENS_EVERY) == 0;
    let targets: Vec<usize> = (0..TARGETS.len()).filter(|place| TARGETS[*place].opens == opens).collect();
    let place = targets[random.below(targets.len() as u64) as usize];
    let (target, known) = (&TARGETS[place], &corpus.0[place]);
    let mut bytes = known[random.below(known.len() as u64) as usize].clone();
    for _ in 0..random.below(6) {
        mutate(&random, &mut bytes, known);
    }
    if random.below(2) == 0 {
        (target.seal)(&mut bytes);
    }
    if std::env::var_os("OTTLA_SIM_TRACE").is_some() {
        eprintln!("{seed}: {} of {} bytes: {}", target.name, bytes.len(), bytes.escape_ascii());
    }
    (target.run)(&bytes);
}

#[test]
fn no_bytes_of_a_disk_do_harm() {
    let corpus = Corpus::gather();
    let setting = |name: &str| std::env::var(name).ok();
    if let Some(seed) = setting("OTTLA_SIM_SEED") {
        return run(&corpus, seed.parse().expect("OTTLA_SIM_SEED is a number"));
    }
    let long = setting("OTTLA_EFFORT").as_deref() == Some("long");
    let clock = storage::env::RealClock::new();
    let begin = clock.monotonic();
    let mut seed = 0;
    while seed < if long { INPUTS_LONG } else { INPUTS_MIN }
        || (!long && clock.monotonic() - begin < BUDGET / 10)
    {
        if let Err(panic) = std::panic::catch_unwind(|| run(&corpus, seed)) {
            eprintln!("again with: OTTLA_SIM_SEED={seed} cargo test -p storage --test fuzz");
            std::panic::resume_unwind(panic);
        }
        seed += 1;
    }
    assert!(long || clock.monotonic() - begin < BUDGET, "{seed} inputs took longer than the budget");
    println!("{seed} inputs");
}

/// What is not changed is accepted: the targets reach what they are for.
#[test]
fn every_target_takes_what_was_written() {
    let corpus = Corpus::gather();
    for (target, known) in TARGETS.iter().zip(&corpus.0) {
        known.iter().for_each(|bytes| (target.run)(bytes));
    }
}
