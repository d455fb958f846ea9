//! Whole directories on simulated files: in order, after a crash, with a wrong bit in every kind of file.

mod beside;

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::env::{Env, Files, OpenMode, Random, SimFiles, SimRandom};
use crate::journal::JournalOptions;
use crate::plan::{Bound, Origin};
use crate::records::BatchBuilder;
use crate::validate::check_internal;
use crate::{
    DataDir, DataDirOptions, Durability, Flushing, LeaderEpoch, Log, LogConfig, LogId, Offset, TopicId,
};

const DIR: &str = "/d/data";
const LOG: &str = "/d/data/t-0";

#[derive(Default)]
struct Findings {
    found: Vec<Finding>,
    expected: u64,
    done: u64,
}

impl Report for Findings {
    fn expect(&mut self, bytes: u64) {
        self.expected += bytes;
    }

    fn done(&mut self, bytes: u64) {
        self.done += bytes;
    }

    fn found(&mut self, finding: &Finding) {
        self.found.push(finding.clone());
    }
}

impl Findings {
    fn damages(&self) -> Vec<&Finding> {
        self.found.iter().filter(|finding| finding.severity == Severity::Damage).collect()
    }
}

fn check(env: &Env, path: impl AsRef<Path>) -> Findings {
    let mut findings = Findings::default();
    let summary = verify(env, path.as_ref(), &mut findings).unwrap();
    assert_eq!(summary.damages as usize, findings.damages().len());
    findings
}

fn id(partition: i32) -> LogId {
    LogId { topic: TopicId([7; 16]), partition }
}

fn open(env: &Env) -> (Arc<DataDir>, Arc<Log>, Arc<Log>) {
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from(DIR), options).unwrap();
    let config = |durability| LogConfig {
        segment_bytes: 2_000,
        index_interval_bytes: 200,
        durability,
        ..LogConfig::default()
    };
    let log = |partition, durability| {
        dir.open_log(id(partition), &format!("t-{partition}"), config(durability), LeaderEpoch(1)).unwrap()
    };
    let (durable, relaxed) = (log(0, Durability::Durable), log(1, Durability::Relaxed));
    (dir, durable, relaxed)
}

fn append(dir: &DataDir, log: &Log, number: i64) {
    let value = vec![b'v'; 60];
    let mut batch = BatchBuilder::new(1_000 + number * 10);
    for record in 0..3 {
        batch = batch.push_at(1_000 + number * 10 + record, Some(b"k"), Some(&value), &[("h", None)]);
    }
    let ticket = log.append(check_internal(batch.build()).unwrap(), Origin::Client, None);
    dir.flush();
    ticket.wait().unwrap();
}

/// Two logs of some segments each.
fn filled() -> (Env, SimFiles, Arc<DataDir>) {
    filled_with(20)
}

fn filled_with(batches: i64) -> (Env, SimFiles, Arc<DataDir>) {
    let (env, files, _) = Env::simulated(1);
    let (dir, durable, relaxed) = open(&env);
    for number in 0..batches {
        append(&dir, &durable, number);
        append(&dir, &relaxed, number);
    }
    (env, files, dir)
}

fn closed() -> (Env, SimFiles) {
    let (env, files, dir) = filled();
    dir.close();
    (env, files)
}

fn flip(files: &SimFiles, path: &Path, at: usize, bit: u8) {
    let byte = files.content(path).unwrap()[at] ^ (1 << bit);
    let file = files.open(path, OpenMode::Write).unwrap();
    file.write_all_at(&[IoSlice::new(&[byte])], at as u64).unwrap();
}

fn all_files(files: &SimFiles, dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in files.list(dir).unwrap() {
        let path = dir.join(&entry.name);
        if entry.is_dir { found.extend(all_files(files, &path)) } else { found.push(path) }
    }
    found
}

fn everything(files: &SimFiles) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = all_files(files, Path::new(DIR)).into_iter();
    paths.map(|path| (path.clone(), files.content(&path).unwrap())).collect()
}

fn segment(number: usize, suffix: &str) -> PathBuf {
    Path::new(LOG).join(format!("{:020}.{suffix}", number))
}

fn base(files: &SimFiles, place: usize) -> usize {
    let bases = files.list(Path::new(LOG)).unwrap();
    let mut bases = bases.iter().filter_map(|entry| crate::segment::base_of(&entry.name, "log"));
    bases.nth(place).unwrap().0 as usize
}

#[test]
fn a_directory_that_was_closed_is_in_order_and_untouched() {
    let (env, files) = closed();
    let before = everything(&files);
    let findings = check(&env, DIR);
    assert_eq!(findings.found, []);
    assert!(findings.done > 5_000 && findings.done == findings.expected, "the progress is exact");
    for path in all_files(&files, Path::new(DIR)).iter().filter(|path| Kind::of(path).is_some()) {
        assert_eq!(check(&env, path).found, [], "{}", path.display());
    }
    for path in [LOG, "/d/data/journal"] {
        assert_eq!(check(&env, path).found, [], "{path}");
    }
    assert_eq!(everything(&files), before);
}

#[test]
fn what_a_kill_or_a_power_cut_leaves_is_no_damage() {
    for power_cut in [false, true] {
        let (env, files, dir) = filled();
        drop(dir);
        if power_cut {
            files.crash();
        }
        assert_eq!(check(&env, DIR).damages(), Vec::<&Finding>::new(), "power cut: {power_cut}");
    }
}

#[test]
fn a_live_directory_is_said_to_be_one() {
    let (env, _, dir) = filled();
    let findings = check(&env, DIR);
    assert!(findings.found[0].what.contains("a broker has this directory"), "{:?}", findings.found);
    assert_eq!(findings.damages(), Vec::<&Finding>::new());
    assert!(matches!(
        repair(&env, Path::new(DIR), &mut Findings::default(), &mut Findings::default()),
        Err(AtRestError::InUse { .. })
    ));
    dir.close();
}

/// Flips a bit in each kind of file of a closed directory; the finding names the file and the place.
#[test]
fn a_wrong_bit_is_found_in_every_kind_of_file() {
    let (_, files) = closed();
    let old = base(&files, 1);
    let cases = [
        (segment(old, "log"), 300, Some((277, Some(old as i64 + 3))), "checksum"),
        (segment(old, "index"), 3, Some((0, None)), "batch"),
        (segment(old, "index"), 7, Some((0, None)), "no batch begins"),
        (segment(old, "timeindex"), 7, Some((0, None)), "the time"),
        (segment(0, "log"), 14, Some((0, Some(0))), "leader epoch"),
        (Path::new(LOG).join("leader-epoch-checkpoint"), 2, None, "not whole"),
        (Path::new(LOG).join("partition.metadata"), 3, None, "which topic"),
        (Path::new(LOG).join("partition.metadata"), 26, None, "the checkpoint says"),
        (Path::new(DIR).join("checkpoint"), 40, None, "checksum"),
        (Path::new(DIR).join("checkpoint.old"), 40, None, "checksum"),
    ];
    for (path, at, place, what) in cases {
        let (env, files) = closed();
        flip(&files, &path, at, 1);
        let found = check(&env, DIR);
        let damages = found.damages();
        let [finding] = &damages[..] else { panic!("{}, {at}: {damages:#?}", path.display()) };
        assert_eq!(finding.path, path);
        assert!(finding.what.contains(what), "{finding}");
        assert!(!finding.advice.is_empty(), "{finding}");
        if let Some((position, offset)) = place {
            assert_eq!((finding.position, finding.offset), (Some(position), offset.map(Offset)), "{finding}");
        }
        let alone = check(&env, &path);
        assert_eq!(alone.damages(), damages, "the file on its own");
    }
}

#[test]
fn a_broken_meta_is_found_and_a_missing_one() {
    let (env, files) = closed();
    let path = Path::new(DIR).join("meta.properties");
    let text = String::from_utf8(files.content(&path).unwrap()).unwrap();
    flip(&files, &path, text.find("node.id=").unwrap(), 0);
    let findings = check(&env, DIR);
    assert!(
        findings.damages()[0].what.contains("its checksum is wrong"),
        "{findings:?}",
        findings = findings.found
    );
    files.remove_file(&path).unwrap();
    assert!(check(&env, DIR).damages()[0].what.contains("missing"));
}

#[test]
fn the_journal_is_checked_where_it_counts() {
    let (env, files, dir) = filled_with(6);
    drop(dir);
    let path = all_files(&files, &Path::new(DIR).join("journal"))[0].clone();
    let mut commits = Vec::new();
    dump(&env, &path, &DumpOptions::default(), &mut |item| {
        if item.kind == "commit" {
            commits.push(item.fields);
        }
        Ok(())
    })
    .unwrap();
    assert!(commits.len() >= 5, "{commits:?}");
    let position = |commit: usize| match &commits[commit][0] {
        ("position", Field::Count(position)) => *position as usize,
        other => panic!("{other:?}"),
    };
    // In a payload, then in a record's header, then in the commit's own: one wrong bit, and two.
    for (at, what) in [(150, "payload"), (60, "header of a record"), (12, "are missing")] {
        let victim = commits.len() / 2;
        flip(&files, &path, position(victim) + at, 1);
        let found = check(&env, DIR);
        let mended = found.damages();
        assert!(mended.len() == 1 && mended[0].what.contains("one bit"), "{mended:?}");
        flip(&files, &path, position(victim) + at, 3);
        let found = check(&env, DIR);
        let damages = found.damages();
        let [finding] = &damages[..] else { panic!("{at}: {damages:#?}") };
        assert_eq!(finding.path, path);
        assert!(finding.what.contains(what), "{finding}");
        let at_least = position(victim) as u64;
        assert!((at_least..at_least + 4096).contains(&finding.position.unwrap()), "{finding}");
        flip(&files, &path, position(victim) + at, 1);
        flip(&files, &path, position(victim) + at, 3);
    }
    // The last commit's record may be a torn tail.
    for bit in [1, 3] {
        flip(&files, &path, position(commits.len() - 1) + 150, bit);
    }
    let found = check(&env, DIR);
    assert_eq!(found.damages(), Vec::<&Finding>::new());
    assert!(found.found.iter().any(|finding| finding.what.contains("torn tail")), "{:?}", found.found);
}

/// Every bit of batches, indexes and checkpoints is covered by some check.
#[test]
fn no_wrong_bit_of_a_covered_file_goes_unnoticed() {
    let (_, pristine) = closed();
    let covered = |path: &&PathBuf| {
        let kind = Kind::of(path);
        kind.is_some_and(Kind::is_of_segment) || kind == Some(Kind::Checkpoint)
    };
    let paths = all_files(&pristine, Path::new(DIR));
    let paths: Vec<&PathBuf> = paths.iter().filter(covered).collect();
    let random = SimRandom::new(5);
    let (env, files) = closed();
    for _ in 0..400 {
        let path = paths[random.next_u64() as usize % paths.len()];
        let len = files.content(path).unwrap().len();
        if len == 0 {
            continue;
        }
        let (at, bit) = (random.next_u64() as usize % len, (random.next_u64() % 8) as u8);
        flip(&files, path, at, bit);
        let found = check(&env, DIR);
        assert!(
            found.damages().iter().any(|finding| finding.path == *path),
            "{}, byte {at}, bit {bit}: {:#?}",
            path.display(),
            found.found
        );
        flip(&files, path, at, bit);
    }
    assert_eq!(check(&env, DIR).found, []);
}

/// Whatever stands in the files, both readers come to an end, and a repair leaves nothing that a check calls damage but
/// what it says it left.
#[test]
fn any_damage_is_read_without_a_panic() {
    for seed in 0..120 {
        let random = SimRandom::new(seed);
        let (env, files, dir) = if seed % 4 < 2 { filled_with(12) } else { beside::lived() };
        if seed % 2 == 0 {
            dir.close();
        }
        drop(dir);
        for _ in 0..1 + random.next_u64() % 4 {
            let paths = all_files(&files, Path::new(DIR));
            let path = &paths[random.next_u64() as usize % paths.len()];
            let file = files.open(path, OpenMode::Write).unwrap();
            let mut bytes = vec![0; 1 + random.next_u64() as usize % 60];
            if !random.next_u64().is_multiple_of(3) {
                random.fill(&mut bytes);
            }
            let at = random.next_u64() % (file.len().unwrap() + 1);
            file.write_all_at(&[IoSlice::new(&bytes)], at).unwrap();
        }
        let checked = verify(&env, Path::new(DIR), &mut Findings::default()).map(drop);
        let options = DumpOptions { records: true, ..DumpOptions::default() };
        for path in all_files(&files, Path::new(DIR)) {
            let dumped = dump(&env, &path, &options, &mut |_| Ok(()));
            let strange = matches!(dumped, Err(AtRestError::Io { .. } | AtRestError::Missing { .. }));
            assert!(!strange, "{}: {dumped:?}", path.display());
        }
        let (mut before, mut after) = (Findings::default(), Findings::default());
        match (checked, repair(&env, Path::new(DIR), &mut before, &mut after)) {
            (Ok(()), Ok(repaired)) => {
                let left = check(&env, DIR);
                let whole = left.damages().is_empty();
                assert!(whole || !repaired.is_whole(), "seed {seed}: {:#?}", left.found);
            }
            (_, Err(error)) => assert!(!matches!(error, AtRestError::InUse { .. }), "{error}"),
            (Err(error), Ok(_)) => panic!("a check refuses what is repaired: {error}"),
        }
    }
}

#[test]
fn what_a_producer_wrote_wrong_is_told_from_what_the_disk_did() {
    let (env, files) = closed();
    let path = segment(0, "log");
    let mut content = files.content(&path).unwrap();
    let header = crate::BatchHeader::parse(&content).unwrap();
    // The second record claims the first one's offset, and the checksum fits.
    let records = crate::batch::HEADER_BYTES;
    let length = (usize::from(content[records] & 0x7f) | usize::from(content[records + 1]) << 7) / 2;
    content[records + 2 + length + 4] = 0;
    let crc = crc32c::crc32c(&content[crate::batch::CRC_FROM..header.total_bytes()]);
    content[17..21].copy_from_slice(&crc.to_be_bytes());
    let file = files.open(&path, OpenMode::Write).unwrap();
    file.write_all_at(&[IoSlice::new(&content)], 0).unwrap();
    let found = check(&env, DIR);
    let [finding] = &found.damages()[..] else { panic!("{:#?}", found.found) };
    assert!(finding.what.starts_with("record 1"), "{finding}");
    assert!(finding.advice.contains("its producer wrote it so"), "{finding}");
}

#[test]
fn a_missing_segment_and_a_shorter_one_are_found() {
    let (env, files) = closed();
    let (second, last) = (base(&files, 1), base(&files, 2));
    files.remove_file(&segment(second, "log")).unwrap();
    let found = check(&env, DIR);
    let missing =
        |finding: &&&Finding| finding.path == segment(last, "log") && finding.what.contains("missing");
    assert!(found.damages().iter().any(|finding| missing(&finding)), "{:#?}", found.found);
    let (env, files) = closed();
    let entries = files.list(Path::new(LOG)).unwrap();
    let last = entries.iter().rfind(|entry| entry.name.ends_with(".log")).unwrap();
    let file = files.open(&Path::new(LOG).join(&last.name), OpenMode::Write).unwrap();
    file.set_len(last.len - 1).unwrap();
    let found = check(&env, DIR);
    let texts: Vec<&str> = found.damages().iter().map(|finding| &*finding.what).collect();
    assert!(texts.iter().any(|text| text.contains("were on the disk")), "{texts:#?}");
}

/// A wrong bit in an old segment that a checkpoint vouches for: a start would not even look at it.
#[test]
fn repair_sets_aside_what_is_damaged_and_keeps_the_rest() {
    let (env, files) = closed();
    let (old, later) = (base(&files, 1), base(&files, 2));
    let whole: u64 = files.list(Path::new(LOG)).unwrap().iter().map(|entry| entry.len).sum();
    flip(&files, &segment(old, "log"), 300, 3);
    flip(&files, &segment(later, "index"), 6, 0);
    flip(&files, Path::new("/d/data/t-1/partition.metadata"), 25, 0);
    let (mut before, mut after) = (Findings::default(), Findings::default());
    let repaired = repair(&env, Path::new(DIR), &mut before, &mut after).unwrap();
    assert_eq!(before.damages().len(), 3, "{:#?}", before.found);
    assert_eq!(after.damages(), Vec::<&Finding>::new());
    assert!(repaired.is_whole());
    let log = &repaired.logs.iter().find(|log| log.dir_name == "t-0").unwrap();
    let opened = log.outcome.as_ref().unwrap();
    assert_eq!((opened.start, opened.end, opened.cut_bytes), (Offset(0), Offset(60), 0));
    assert!(opened.quarantined_bytes > 100 && opened.quarantined_bytes < whole / 10);

    let found = check(&env, DIR);
    let [finding] = &found.found[..] else { panic!("{:#?}", found.found) };
    assert_eq!((finding.severity, finding.path.clone()), (Severity::Note, segment(old, "quarantine")));
    assert!(finding.what.contains("were set aside"), "{finding}");

    let (dir, log, _) = open(&env);
    let mut offsets = Vec::new();
    let mut from = Offset(0);
    while from < Offset(60) {
        let plan = log.read(from, 1 << 20, true, Bound::HighWatermark).unwrap();
        for part in &plan.parts {
            let bytes = part_bytes(part);
            let mut at = 0;
            while at < bytes.len() {
                let header = crate::BatchHeader::parse(&bytes[at..]).unwrap();
                crate::batch::verify_crc(&header, &bytes[at..at + header.total_bytes()]).unwrap();
                offsets.push(header.base_offset.0);
                from = header.next_offset();
                at += header.total_bytes();
            }
        }
    }
    let expected: Vec<i64> =
        (0..20).map(|number| number * 3).filter(|base| *base != old as i64 + 3).collect();
    assert_eq!(offsets, expected, "all but the damaged batch");
    dir.close();
}

fn part_bytes(part: &crate::Part) -> Vec<u8> {
    match part {
        crate::Part::Bytes(bytes) => bytes.to_vec(),
        crate::Part::File { file, pos, len } => {
            let mut bytes = vec![0; *len];
            file.read_at(&mut bytes, *pos).unwrap();
            bytes
        }
    }
}

#[test]
fn what_cannot_be_repaired_is_said_and_left() {
    let (env, files) = closed();
    files.remove_dir_all(Path::new(LOG)).unwrap();
    let found = check(&env, DIR);
    let [finding] = &found.damages()[..] else { panic!("{:#?}", found.found) };
    assert!(finding.what.contains("its directory is gone"), "{finding}");
    let repaired = repair(&env, Path::new(DIR), &mut Findings::default(), &mut Findings::default()).unwrap();
    assert!(!repaired.is_whole());
    let gone = repaired.logs.iter().find(|log| log.dir_name == "t-0").unwrap();
    assert!(matches!(gone.outcome, Err(OpenError::LogGone { .. })), "{gone:?}");
    assert!(!files.exists(Path::new(LOG)), "nothing is made in its place");
    assert_eq!(check(&env, DIR).damages().len(), 1, "and it is not forgotten");

    let (env, files) = closed();
    for name in ["t-0/partition.metadata", "checkpoint", "checkpoint.old"] {
        files.remove_file(&Path::new(DIR).join(name)).unwrap();
    }
    let repaired = repair(&env, Path::new(DIR), &mut Findings::default(), &mut Findings::default()).unwrap();
    assert_eq!((repaired.unknown.clone(), repaired.is_whole()), (vec![PathBuf::from(LOG)], false));
    assert!(files.exists(&segment(0, "log")), "it is left alone");
}

#[test]
fn a_damaged_quarantine_is_found() {
    let (env, files) = closed();
    let old = base(&files, 1);
    flip(&files, &segment(old, "log"), 300, 3);
    repair(&env, Path::new(DIR), &mut Findings::default(), &mut Findings::default()).unwrap();
    flip(&files, &segment(old, "quarantine"), 20, 0);
    let found = check(&env, segment(old, "quarantine"));
    let [finding] = &found.damages()[..] else { panic!("{:#?}", found.found) };
    assert_eq!((finding.position, finding.what.contains("header is damaged")), (Some(0), true), "{finding}");
}

#[test]
fn kafkas_directory_is_refused_and_unchanged() {
    let (env, files) = closed();
    let path = Path::new(DIR).join("meta.properties");
    let file = files.open(&path, OpenMode::Write).unwrap();
    file.set_len(0).unwrap();
    let text = b"#\nversion=1\ncluster.id=x\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAEA\n";
    file.write_all_at(&[IoSlice::new(text)], 0).unwrap();
    let before = everything(&files);
    let refused = |result: Result<(), AtRestError>| {
        let error = result.expect_err("refused");
        assert!(matches!(error, AtRestError::Open(OpenError::KafkaDirectory { .. })), "{error}");
    };
    let dump = |path: &Path| dump(&env, path, &DumpOptions::default(), &mut |_| Ok(()));
    for path in
        [Path::new(DIR), Path::new(LOG), &segment(0, "log"), &path, &Path::new(DIR).join("checkpoint")]
    {
        refused(verify(&env, path, &mut Findings::default()).map(drop));
    }
    refused(repair(&env, Path::new(DIR), &mut Findings::default(), &mut Findings::default()).map(drop));
    refused(dump(&path).map(drop));
    assert!(dump(&segment(0, "log")).unwrap(), "its batches are the same");
    assert_eq!(everything(&files), before);
}

/// A log's directory copied to another place, without its data directory.
#[test]
fn a_copy_of_a_log_is_checked_on_its_own() {
    let (env, files) = closed();
    let copy = Path::new("/copy/t-0");
    files.create_dir_all(copy).unwrap();
    for entry in files.list(Path::new(LOG)).unwrap() {
        let content = files.content(&Path::new(LOG).join(&entry.name)).unwrap();
        let file = files.open(&copy.join(&entry.name), OpenMode::Create).unwrap();
        file.write_all_at(&[IoSlice::new(&content)], 0).unwrap();
    }
    files.remove_file(&copy.join("partition.metadata")).unwrap();
    assert_eq!(check(&env, copy).found, []);
    flip(&files, &copy.join(segment(0, "log").file_name().unwrap()), 300, 1);
    assert_eq!(check(&env, copy).damages().len(), 1);
}

#[test]
fn what_is_not_ours_is_said_to_be_so() {
    let (env, files) = closed();
    let check = |path: &str| verify(&env, Path::new(path), &mut Findings::default());
    assert!(matches!(check("/nowhere"), Err(AtRestError::Missing { .. })));
    assert!(matches!(check("/d"), Err(AtRestError::Unknown { .. })));
    assert!(matches!(check("/d/data/lock"), Err(AtRestError::Unknown { .. })));
    files.create_dir_all(Path::new("/e")).unwrap();
    let repaired = repair(&env, Path::new("/e"), &mut Findings::default(), &mut Findings::default());
    assert!(matches!(repaired, Err(AtRestError::NoDataDir { .. })), "nothing is made of an empty directory");
    assert_eq!(files.list(Path::new("/e")).unwrap(), []);
}
