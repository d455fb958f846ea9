use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::batch::BatchHeader;
use crate::env::{Env, Files, OpenMode, SimFiles};
use crate::ids::{LogId, Offset, TopicId};
use crate::{
    BatchBuilder, Bound, DataDir, DataDirOptions, Flushing, JournalOptions, LeaderEpoch, Log, LogConfig,
    Origin, check_internal, meta, small_file,
};

const KAFKA: &str = "/kafka";
const OURS: &str = "/deep/ottla";
const ID: LogId = LogId { topic: TopicId([5; 16]), partition: 0 };
const PROPERTIES: &str = "#\n#Thu Jan 01\ncluster.id=AwMDAwMDAwMDAwMDAwMDAw\nversion=1\nnode.id=4\ndirectory.id=AwMDAwMDAwMDAwMDAwMDAw\n";
const BATCHES: i64 = 20;

fn write(files: &SimFiles, path: impl AsRef<Path>, content: &[u8]) {
    let file = files.open(path.as_ref(), OpenMode::Create).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(&[IoSlice::new(content)], 0).unwrap();
}

/// A directory as Kafka leaves it, whose log the library itself wrote: two records a batch, some segments.
fn kafka() -> (Env, SimFiles) {
    let (env, files, _) = Env::simulated(7);
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from("/made"), options).unwrap();
    let config = LogConfig { segment_bytes: 600, ..LogConfig::default() };
    let log = dir.open_log(ID, "t-0", config, LeaderEpoch(3)).unwrap();
    for number in 0..BATCHES {
        let batch = BatchBuilder::new(number)
            .producer(crate::ProducerId(9), 0, (2 * number) as i32)
            .push(Some(b"k"), Some(&[number as u8; 40]), &[])
            .push(None, None, &[]);
        let ticket = log.append(check_internal(batch.build()).unwrap(), Origin::Client, None);
        dir.flush();
        ticket.wait().unwrap();
    }
    dir.close();
    files.create_dir_all(Path::new("/kafka/t-0")).unwrap();
    for entry in files.list(Path::new("/made/t-0")).unwrap() {
        let content = files.content(&Path::new("/made/t-0").join(&entry.name)).unwrap();
        write(&files, Path::new("/kafka/t-0").join(&entry.name), &content);
    }
    write(&files, "/kafka/meta.properties", PROPERTIES.as_bytes());
    write(&files, "/kafka/.lock", b"");
    write(&files, "/kafka/.kafka_cleanshutdown", b"{}");
    write(&files, "/kafka/log-start-offset-checkpoint", b"0\n1\nt 0 7\n");
    files.sync_fs(Path::new("/")).unwrap();
    (env, files)
}

fn everything(files: &SimFiles, dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in files.list(dir).unwrap() {
        let path = dir.join(&entry.name);
        match entry.is_dir {
            true => found.extend(everything(files, &path)),
            false => found.push((path.clone(), files.content(&path).unwrap())),
        }
    }
    found
}

fn adopt(env: &Env) -> Result<(u64, u64), AdoptError> {
    let source = Source::open(env, Path::new(KAFKA))?;
    let log = source.logs[0].clone();
    source.check_format(env, &log)?;
    let sources = [source];
    Target::check(env, Path::new(OURS), &sources, log.bytes)?;
    let [source] = sources;
    let target = Target::begin(env, Path::new(OURS), &source.cluster_id, source.node_id)?;
    let mut copied = 0;
    let taken = target.take(&source, &log, ID, &mut |bytes| copied += bytes)?;
    assert_eq!(copied, log.bytes);
    let found = (taken.quarantined_bytes, taken.cut_bytes);
    drop(taken);
    target.finish()?;
    Ok(found)
}

fn open(env: &Env, path: &str) -> Result<Arc<DataDir>, OpenError> {
    let options = DataDirOptions {
        node_id: 4,
        flushing: Flushing::Manual,
        journal: JournalOptions::SMALL,
        ..Default::default()
    };
    DataDir::open(env.clone(), PathBuf::from(path), options)
}

fn opened(env: &Env) -> (Arc<DataDir>, Arc<Log>) {
    let dir = open(env, OURS).unwrap();
    let log = dir.open_log(ID, "t-0", LogConfig::default(), LeaderEpoch(0)).unwrap();
    (dir, log)
}

/// The offsets of the batches that are served.
fn served(log: &Log) -> Vec<i64> {
    let (mut found, mut next) = (Vec::new(), log.start_offset());
    while next < log.end_offset() {
        let plan = log.read(next, 1, true, Bound::HighWatermark).unwrap();
        let bytes = plan.parts[0].read().unwrap();
        let header = BatchHeader::parse(&bytes).unwrap();
        found.push(header.base_offset.0);
        next = header.next_offset();
    }
    found
}

fn segments() -> Vec<PathBuf> {
    let (_, files) = kafka();
    let names = files.list(Path::new("/kafka/t-0")).unwrap().into_iter().map(|entry| entry.name);
    names.filter(|name| name.ends_with(".log")).map(|name| Path::new("/kafka/t-0").join(name)).collect()
}

#[test]
fn a_log_is_the_same_and_goes_on() {
    let (env, files) = kafka();
    let before = everything(&files, Path::new(KAFKA));
    assert_eq!(adopt(&env).unwrap(), (0, 0));
    assert!(!files.exists(Path::new("/deep/ottla.adopting")));
    assert_eq!(before, everything(&files, Path::new(KAFKA)), "the source is what it was");
    let (dir, log) = opened(&env);
    assert_eq!(dir.meta().cluster_id, "AwMDAwMDAwMDAwMDAwMDAw");
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(7), Offset(2 * BATCHES)));
    // The first is the batch that holds the start.
    assert_eq!(served(&log)[1..], (8..2 * BATCHES).step_by(2).collect::<Vec<_>>());
    assert_eq!(log.leader_epoch(), LeaderEpoch(4), "one above Kafka's last");
    let producer = &log.producers()[0];
    assert_eq!((producer.id.0, producer.last_sequence), (9, 2 * BATCHES as i32 - 1));
    dir.close();
}

#[test]
fn what_is_not_kafkas_or_cannot_be_taken_over_is_refused_untouched() {
    type Harm = fn(&SimFiles);
    let cases: [(&str, Harm); 9] = [
        ("no meta.properties", |files| files.remove_file(Path::new("/kafka/meta.properties")).unwrap()),
        ("a data directory of Ottla's", |files| {
            write(
                files,
                "/kafka/meta.properties",
                &files.content(Path::new("/made/meta.properties")).unwrap(),
            );
        }),
        ("ZooKeeper", |files| {
            write(files, "/kafka/meta.properties", b"version=0\nbroker.id=1\ncluster.id=x\n")
        }),
        ("version 7", |files| write(files, "/kafka/meta.properties", b"version=7\n")),
        ("no node.id", |files| write(files, "/kafka/meta.properties", b"version=1\ncluster.id=x\n")),
        ("format 1, of Kafka before 0.11", |files| {
            let path = &segments()[1];
            let mut content = files.content(path).unwrap();
            content[16] = 1;
            write(files, path, &content);
        }),
        ("a compaction that was interrupted", |files| {
            write(files, "/kafka/t-0/00000000000000000000.log.swap", b"");
        }),
        ("is not empty", |files| {
            files.create_dir_all(Path::new(OURS)).unwrap();
            write(files, "/deep/ottla/something", b"");
        }),
        ("is in the way", |files| {
            files.create_dir_all(Path::new("/deep/ottla.adopting")).unwrap();
            write(files, "/deep/ottla.adopting/something", b"");
        }),
    ];
    for (words, harm) in cases {
        let (env, files) = kafka();
        harm(&files);
        let before = everything(&files, Path::new("/"));
        let error = adopt(&env).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert_eq!(before, everything(&files, Path::new("/")), "{words}");
    }
}

#[test]
fn a_list_of_starts_that_a_kill_has_damaged_says_nothing() {
    for damage in [&b""[..], b"0\n2\nt 0 7\n", b"0\n1\nt 0 -3\n", b"\0\0\0\0"] {
        let (env, files) = kafka();
        write(&files, "/kafka/log-start-offset-checkpoint", damage);
        assert!(Source::open(&env, Path::new(KAFKA)).unwrap().has_damaged_starts);
        adopt(&env).unwrap();
        assert_eq!(opened(&env).1.start_offset(), Offset(0), "{damage:?}");
    }
    let (env, files) = kafka();
    files.remove_file(Path::new("/kafka/log-start-offset-checkpoint")).unwrap();
    assert!(!Source::open(&env, Path::new(KAFKA)).unwrap().has_damaged_starts, "nothing was ever deleted");
}

#[test]
fn room_and_places_are_asked_for_first() {
    let (env, files) = kafka();
    let sources = [Source::open(&env, Path::new(KAFKA)).unwrap()];
    let inside = Target::check(&env, Path::new("/kafka/ottla"), &sources, 0);
    assert!(matches!(inside, Err(AdoptError::TargetInside { .. })));
    files.set_free_bytes(200 << 20);
    assert!(Target::check(&env, Path::new(OURS), &sources, 1 << 20).is_ok());
    let full = Target::check(&env, Path::new(OURS), &sources, 150 << 20);
    assert!(matches!(full, Err(AdoptError::NoRoom { .. })));
}

#[test]
fn a_source_in_use_is_refused() {
    let (env, files) = kafka();
    let held = files.lock(Path::new("/kafka/.lock")).unwrap();
    assert!(matches!(adopt(&env), Err(AdoptError::InUse { .. })));
    drop(held);
    assert!(adopt(&env).is_ok());
}

#[test]
fn a_torn_end_is_cut_and_damage_is_set_aside() {
    let last = segments().pop().unwrap();
    let (env, files) = kafka();
    files.remove_file(Path::new("/kafka/.kafka_cleanshutdown")).unwrap();
    let mut content = files.content(&last).unwrap();
    let torn = [&content[..], &content[..70]].concat();
    write(&files, &last, &torn);
    // As Kafka keeps the index of a segment that it writes to.
    write(&files, last.with_extension("index"), &[0; 10 << 20]);
    assert_eq!(adopt(&env).unwrap(), (0, 70));
    let (dir, log) = opened(&env);
    assert_eq!(log.end_offset(), Offset(2 * BATCHES));
    dir.close();

    // In a segment that Kafka had closed, all that stands behind the damage stays.
    let (env, files) = kafka();
    let first = &segments()[1];
    content = files.content(first).unwrap();
    content[100] ^= 0x55;
    write(&files, first, &content);
    let (quarantined, cut) = adopt(&env).unwrap();
    assert!(quarantined > 0 && cut == 0, "{quarantined} {cut}");
    let (dir, log) = opened(&env);
    assert_eq!(log.end_offset(), Offset(2 * BATCHES));
    assert!(served(&log).len() >= BATCHES as usize - 8, "{:?}", served(&log));
    dir.close();
}

#[test]
fn gaps_that_a_compaction_left_stay_in_a_killed_kafka() {
    let (env, files) = kafka();
    files.remove_file(Path::new("/kafka/.kafka_cleanshutdown")).unwrap();
    let all = segments();
    // A whole segment is gone from the middle.
    files.remove_file(&all[2]).unwrap();
    adopt(&env).unwrap();
    let (dir, log) = opened(&env);
    assert_eq!(log.end_offset(), Offset(2 * BATCHES));
    assert!(served(&log).len() < BATCHES as usize - 4 && !served(&log).is_empty());
    dir.close();
}

#[test]
fn half_a_target_is_never_started_on_and_is_made_anew() {
    let (env, _) = kafka();
    let source = Source::open(&env, Path::new(KAFKA)).unwrap();
    let target = Target::begin(&env, Path::new(OURS), "c", 4).unwrap();
    target.take(&source, &source.logs[0], ID, &mut |_| {}).unwrap();
    let taken = Target::check(&env, Path::new(OURS), &[], 0);
    assert!(matches!(taken, Err(AdoptError::TargetInUse { .. })));
    drop((target, source));
    let half = open(&env, "/deep/ottla.adopting").err().unwrap();
    assert!(matches!(half, OpenError::HalfAdopted { .. }), "{half}");
    adopt(&env).unwrap();
    assert_eq!(opened(&env).1.end_offset(), Offset(2 * BATCHES));
}

/// The power goes at every so many operations: the target is not there, or whole.
#[test]
fn a_power_cut_leaves_nothing_or_all() {
    let (env, files) = kafka();
    let before = files.operations();
    adopt(&env).unwrap();
    let operations = files.operations() - before;
    let (mut absent, mut whole) = (0, 0);
    // Everywhere a few, and each of the last, where it gets its name.
    let some = (0..operations).step_by(operations as usize / 12).chain(operations - 12..=operations);
    for at in some {
        let (env, files) = kafka();
        let source = everything(&files, Path::new(KAFKA));
        files.cut_power_after(at);
        let outcome = adopt(&env);
        files.crash();
        assert_eq!(source, everything(&files, Path::new(KAFKA)), "cut at {at}");
        if files.exists(Path::new(OURS)) && !files.list(Path::new(OURS)).unwrap().is_empty() {
            whole += 1;
        } else {
            absent += 1;
            assert!(outcome.is_err(), "it said that it is done, cut at {at}");
            adopt(&env).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
        }
        let (dir, log) = opened(&env);
        assert_eq!((log.start_offset(), log.end_offset()), (Offset(7), Offset(2 * BATCHES)), "cut at {at}");
        assert_eq!(served(&log).len(), BATCHES as usize - 3, "cut at {at}");
        dir.close();
    }
    assert!(absent > 10 && whole > 0, "{absent} {whole}");
}

#[test]
fn lists_of_offsets_are_whole_or_nothing() {
    let list = offset_list(b"0\n2\na-b 0 5\nt 12 0\n").unwrap();
    assert_eq!(list.get("a-b-0"), Some(&Offset(5)));
    assert_eq!(list.get("t-12"), Some(&Offset(0)));
    for bad in [
        "",
        "1\n0\n",
        "0\n1\n",
        "0\nx\n",
        "0\n1\nt 0\n",
        "0\n1\nt -1 5\n",
        "0\n1\nt 0 -5\n",
        "0\n1\nt 0 5 6\n",
    ] {
        assert_eq!(offset_list(bad.as_bytes()), None, "{bad:?}");
    }
    assert_eq!(offset_list(b"0\n0\n").map(|list| list.len()), Some(0));
    let owner = small_file::read(&*kafka().0.files, Path::new("/kafka/t-0/partition.metadata")).unwrap();
    assert_eq!(meta::decode_partition(&owner.unwrap()), Some(ID.topic));
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = (offset_list(&bytes), properties::decode(&bytes));
        let (env, files, _) = Env::simulated(1);
        write(&files, "/f", &bytes);
        for may_be_torn in [true, false] {
            let found = batches(&env, Path::new("/f"), may_be_torn).unwrap();
            proptest::prop_assert!(found.count() <= bytes.len());
        }
    }
}
