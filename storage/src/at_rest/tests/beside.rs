//! What stands beside the segments: producers' snapshots, aborted transactions, images, what compactions leave.

use super::*;
use crate::compact::clean_offsets;
use crate::env::SimClock;
use crate::{Cleanup, EndMarker, ProducerId, state_image};

const CLEANER: &str = "/d/data/cleaner-offset-checkpoint";
/// Aborted every third time, over several segments.
const TRANSACTIONS: i32 = 12;
const PRODUCER: ProducerId = ProducerId(9);

fn put(dir: &DataDir, log: &Log, batch: bytes::Bytes) {
    let ticket = log.append(check_internal(batch).unwrap(), Origin::Coordinator, None);
    dir.flush();
    ticket.wait().unwrap();
}

fn transactions(dir: &DataDir, log: &Log) {
    for number in 0..TRANSACTIONS {
        let batch = BatchBuilder::new(5_000).producer(PRODUCER, 1, number).transactional();
        put(dir, log, batch.push(Some(b"k"), Some(&[b'v'; 200]), &[]).build());
        let marker = EndMarker { committed: number % 3 != 0, coordinator_epoch: 2 };
        put(dir, log, marker.batch(PRODUCER, 1, 5_000));
    }
}

/// The first log has transactions, the second was compacted.
pub(super) fn lived() -> (Env, SimFiles, Arc<DataDir>) {
    let (env, files, clock): (Env, SimFiles, SimClock) = Env::simulated(1);
    let (dir, log, other) = open(&env);
    transactions(&dir, &log);
    let cleanup = Cleanup { delete: false, compact: true };
    other.reconfigure(LogConfig {
        cleanup,
        dirty_ratio_min: 0.0,
        segment_bytes: 2_000,
        ..LogConfig::default()
    });
    for number in 0..30 {
        append(&dir, &other, number);
    }
    dir.checkpoint();
    dir.checkpoint();
    assert_eq!(dir.clean(), 1);
    clock.advance(std::time::Duration::from_secs(3_600));
    (env, files, dir)
}

fn closed() -> (Env, SimFiles) {
    let (env, files, dir) = lived();
    dir.close();
    (env, files)
}

/// The files of the first log with this suffix.
fn with_suffix(files: &SimFiles, suffix: &str) -> Vec<PathBuf> {
    let all = all_files(files, Path::new(LOG)).into_iter();
    all.filter(|path| path.extension().is_some_and(|found| found == suffix)).collect()
}

fn write(files: &SimFiles, path: &Path, content: &[u8]) {
    let file = files.open(path, OpenMode::Create).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(&[IoSlice::new(content)], 0).unwrap();
}

/// The only damage of the directory, which is also found in the file alone.
fn only_damage(env: &Env, path: &Path) -> Finding {
    let found = check(env, DIR);
    let [finding] = &found.damages()[..] else { panic!("{}: {:#?}", path.display(), found.found) };
    assert_eq!(finding.path, path);
    assert_eq!(check(env, path).damages(), [*finding], "the file on its own");
    (*finding).clone()
}

fn repairs(env: &Env) {
    let repaired = repair(env, Path::new(DIR), &mut Findings::default(), &mut Findings::default()).unwrap();
    assert!(repaired.is_whole(), "{repaired:?}");
    assert_eq!(check(env, DIR).damages(), Vec::<&Finding>::new());
}

fn dumped(env: &Env, path: &Path) -> Vec<Item> {
    let mut items = Vec::new();
    let mut take = |item| {
        items.push(item);
        Ok(())
    };
    assert!(dump(env, path, &DumpOptions::default(), &mut take).unwrap(), "{}", path.display());
    items
}

fn field<'i>(item: &'i Item, name: &str) -> &'i Field {
    &item.fields.iter().find(|(found, _)| *found == name).unwrap_or_else(|| panic!("{name}: {item:?}")).1
}

#[test]
fn what_was_written_in_order_is_in_order() {
    let (env, files) = closed();
    assert!(with_suffix(&files, "snapshot").len() > 1 && with_suffix(&files, "txnindex").len() > 1);
    assert!(files.exists(Path::new(CLEANER)));
    let before = everything(&files);
    let findings = check(&env, DIR);
    assert_eq!(findings.damages(), Vec::<&Finding>::new());
    assert!(findings.found.iter().all(|found| found.what.contains("set aside")), "{:?}", findings.found);
    assert_eq!(findings.done, findings.expected, "the progress is exact");
    for path in all_files(&files, Path::new(DIR)).iter().filter(|path| Kind::of(path).is_some()) {
        assert_eq!(check(&env, path).damages(), Vec::<&Finding>::new(), "{}", path.display());
    }
    assert_eq!(everything(&files), before);
    for power_cut in [false, true] {
        let (env, files, dir) = lived();
        drop(dir);
        if power_cut {
            files.crash()
        } else {
            files.kill()
        }
        assert_eq!(check(&env, DIR).damages(), Vec::<&Finding>::new(), "power cut: {power_cut}");
    }
}

#[test]
fn a_snapshot_of_producers_with_a_wrong_bit_is_found_and_goes() {
    for place in [0, 1] {
        let (env, files) = closed();
        let all = with_suffix(&files, "snapshot");
        let path = if place == 0 { &all[0] } else { all.last().unwrap() };
        flip(&files, path, 20, 3);
        let finding = only_damage(&env, path);
        assert!(finding.what.contains("checksum") && finding.advice.contains("nothing is lost"), "{finding}");
        repairs(&env);
        let (dir, log, _) = open(&env);
        let known = log.producers();
        assert_eq!(known.len(), 1, "the producer is known again");
        dir.close();
    }
}

#[test]
fn an_index_of_aborted_transactions_is_held_against_the_markers() {
    let (_, pristine) = closed();
    let paths = with_suffix(&pristine, "txnindex");
    let wanted: Vec<_> = paths.iter().map(|path| pristine.content(path).unwrap()).collect();
    // Version, producer, first and last offset, and the greatest bit of the last stable offset.
    for (at, what) in [(1, "no entry"), (9, "is aborted at"), (10, "no entry"), (25, ""), (26, "no entry")] {
        for path in [&paths[0], paths.last().unwrap()] {
            let (env, files) = closed();
            flip(&files, path, at, 1);
            let finding = only_damage(&env, path);
            assert!(finding.what.contains(what), "{at}: {finding}");
            repairs(&env);
            let now: Vec<_> = paths.iter().map(|path| files.content(path).unwrap()).collect();
            assert_eq!(now, wanted, "byte {at}");
        }
    }
    let (env, files) = closed();
    files.remove_file(&paths[0]).unwrap();
    let found = check(&env, DIR);
    let [finding] = &found.damages()[..] else { panic!("{:#?}", found.found) };
    assert!(finding.path == paths[0] && finding.what.contains("is missing"), "{finding}");
}

#[test]
fn what_is_beyond_the_end_or_was_set_aside_is_a_note() {
    let (env, files) = closed();
    let content = files.content(&with_suffix(&files, "snapshot")[0]).unwrap();
    let beyond = Path::new(LOG).join("00000000000000009999.snapshot");
    write(&files, &beyond, &content);
    let names = ["00000000000000000000.log.deleted", "00000000000000000000.index.swap"];
    let mark = "00000000000000000000.00000000000000000003.swap";
    for name in names.iter().chain([&"00000000000000000000.timeindex.cleaned"]) {
        write(&files, &Path::new(LOG).join(name), &[]);
    }
    let found = check(&env, LOG);
    let notes: Vec<&str> = found.found.iter().map(|finding| &*finding.what).collect();
    assert_eq!(found.damages(), Vec::<&Finding>::new());
    assert!(notes.iter().any(|what| what.contains("it is of offset 9999")), "{notes:?}");
    assert!(notes.iter().any(|what| what.contains("3 files that retention")), "{notes:?}");
    // Each is shown as what it was.
    let segment = segment(0, "log");
    let batches = dumped(&env, &segment);
    for name in [names[0], mark] {
        let path = Path::new(LOG).join(name);
        write(&files, &path, &files.content(&segment).unwrap());
        assert_eq!((Kind::of(&path), dumped(&env, &path)), (Some(Kind::Leftover), batches.clone()), "{name}");
    }
}

#[test]
fn how_far_logs_are_clean_is_read_and_what_is_damaged_goes() {
    let (env, files) = closed();
    let items = dumped(&env, Path::new(CLEANER));
    let [item] = &items[..] else { panic!("{items:?}") };
    assert_eq!(field(item, "dir"), &Field::Text("t-1".to_owned()));
    assert!(matches!(field(item, "upTo"), Field::Number(offset) if *offset > 0), "{item:?}");
    flip(&files, Path::new(CLEANER), 0, 2);
    only_damage(&env, Path::new(CLEANER));
    repairs(&env);
    let left = files.exists(Path::new(CLEANER)).then(|| files.content(Path::new(CLEANER)).unwrap());
    assert!(left.is_none_or(|text| clean_offsets::decode(&text).is_some()));
}

#[test]
fn an_image_is_checked_and_its_records_are_shown() {
    let (env, files) = closed();
    let path = Path::new(LOG).join("00000000000000000007.image");
    let bytes = state_image::encode(Offset(7), &[b"one".to_vec(), b"three".to_vec()]);
    write(&files, &path, &bytes);
    assert_eq!(check(&env, &path).found, []);
    let items = dumped(&env, &path);
    assert_eq!((field(&items[0], "nextOffset"), field(&items[0], "records")), (&7i64.into(), &2u64.into()));
    assert_eq!(field(&items[2], "bytes"), &Field::Bytes(Some("three".into())));
    assert!(items[2].is_inner && items[2].kind == Item::STATE);
    let newer = |bytes: &[u8]| {
        let mut bytes = bytes[..bytes.len() - 4].to_vec();
        bytes[9] = 2;
        let crc = crc32c::crc32c(&bytes);
        [bytes, crc.to_be_bytes().to_vec()].concat()
    };
    let other = state_image::encode(Offset(8), &[]);
    let mut wrong_bit = bytes.clone();
    wrong_bit[20] ^= 1;
    for (content, what) in
        [(&wrong_bit, "checksum"), (&newer(&bytes), "version 2"), (&other, "its name says another")]
    {
        write(&files, &path, content);
        let finding = only_damage(&env, &path);
        assert!(finding.what.contains(what), "{finding}");
    }
}

#[test]
fn producers_and_aborted_transactions_are_shown() {
    let (env, files) = closed();
    let items = dumped(&env, with_suffix(&files, "snapshot").last().unwrap());
    let [item] = &items[..] else { panic!("{items:?}") };
    assert_eq!((field(item, "producerId"), field(item, "lastSequence")), (&9i64.into(), &11i64.into()));
    assert!(item.fields.iter().all(|(name, _)| *name != "transactionFrom"), "none is open");
    let aborted: Vec<Item> =
        with_suffix(&files, "txnindex").iter().flat_map(|path| dumped(&env, path)).collect();
    let places: Vec<_> =
        aborted.iter().map(|item| (field(item, "firstOffset"), field(item, "lastOffset"))).collect();
    let wanted: Vec<_> = (0..4i64).map(|n| (Field::from(n * 6), Field::from(n * 6 + 1))).collect();
    assert_eq!(places, wanted.iter().map(|(first, last)| (first, last)).collect::<Vec<_>>());
}
