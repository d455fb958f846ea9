//! Data directories of earlier versions, which every later version opens.
//!
//! `golden/format-1/clean` was closed in order; `golden/format-1/killed` was copied from under an open log, with half a
//! batch behind the last of one log, as a kill in mid-write leaves it. `golden/format-1/batches` lists what was
//! appended: log, base offset, greatest timestamp, the batch's bytes in hex. What is committed is never regenerated for
//! a change of code: a new format gets a directory of its own. `OTTLA_REGENERATE_GOLDEN=1` writes it anew.

#![expect(clippy::disallowed_methods, reason = "the committed files are on the real machine")]

#[path = "../src/codec/testing.rs"]
mod compression;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use storage::{
    BatchBuilder, BatchHeader, Bound, Codec, DataDir, DataDirOptions, Durability, Env, LeaderEpoch, Log,
    LogConfig, LogId, Offset, OffsetSpec, OpenError, Origin, RecordValidation, Rules, TimestampType, TopicId,
    check,
};

use compression::{CODECS, compress};

const BATCHES: usize = 15;
const FIRST_TIME: i64 = 1_700_000_000_000;
const CLUSTER: &str = "golden-cluster-of-test";

/// The logs of the golden directories.
const LOGS: [(&str, u8, i32, Durability); 3] = [
    ("durable-0", 1, 0, Durability::Durable),
    ("durable-12", 1, 12, Durability::Durable),
    ("relaxed.topic-0", 2, 0, Durability::Relaxed),
];

/// The log that the kill left with a torn batch.
const TORN: &str = "relaxed.topic-0";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-1")
}

fn open_dir(path: &Path) -> Result<Arc<DataDir>, OpenError> {
    let options = DataDirOptions { cluster_id: Some(CLUSTER.to_owned()), node_id: 7, ..Default::default() };
    DataDir::open(Env::real(), path.to_owned(), options)
}

fn open_log(dir: &DataDir, (name, topic, partition, durability): (&str, u8, i32, Durability)) -> Arc<Log> {
    let id = LogId { topic: TopicId([topic; 16]), partition };
    let config =
        LogConfig { segment_bytes: 800, index_interval_bytes: 200, durability, ..Default::default() };
    dir.open_log(id, name, config, LeaderEpoch(3)).unwrap()
}

/// Three records with keys, nulls and headers.
fn plain_batch(log: &str, number: usize) -> Bytes {
    let time = FIRST_TIME + 1000 * number as i64;
    let value = format!("{log} {number} {}", "rhubarb ".repeat(8));
    BatchBuilder::new(time)
        .push_at(time, Some(b"key"), Some(value.as_bytes()), &[])
        .push_at(time + 5, None, Some(value.as_bytes()), &[("header", Some(b"x")), ("none", None)])
        .push_at(time + 9, Some(b"key"), None, &[])
        .build()
}

/// A producer's batch with the same records, compressed.
fn batch(log: &str, number: usize) -> Bytes {
    const HEADER_BYTES: usize = 61;
    let codec = CODECS[number % CODECS.len()];
    let plain = plain_batch(log, number);
    let mut out = plain[..HEADER_BYTES].to_vec();
    out.extend(compress(codec, &plain[HEADER_BYTES..]));
    let length = out.len() as i32 - 12;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[22] |= codec.id();
    let crc = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.into()
}

fn append(log: &Log, batch: Bytes) -> i64 {
    let rules = Rules {
        message_bytes_max: 1 << 20,
        segment_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
        now_ms: FIRST_TIME,
        compacted: false,
        walk: RecordValidation::Full,
        zstd_allowed: true,
    };
    log.append(check(batch, &rules).unwrap(), Origin::Client, None).wait().unwrap().base.0
}

/// The batches of a log from `from`, as they are stored.
fn read_from(log: &Log, from: i64) -> Vec<(i64, Bytes)> {
    let mut found = Vec::new();
    let mut offset = Offset(from);
    while offset < log.high_watermark() {
        let plan = log.read(offset, 1 << 20, true, Bound::HighWatermark).unwrap();
        let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
        let mut bytes = Bytes::from(bytes);
        assert!(!bytes.is_empty(), "nothing at {offset} below the high watermark");
        while !bytes.is_empty() {
            let header = BatchHeader::parse(&bytes).unwrap();
            let batch = bytes.split_to(header.total_bytes());
            storage::batch::verify_crc(&header, &batch).unwrap();
            found.push((header.base_offset.0, batch));
            offset = header.next_offset();
        }
    }
    found
}

struct Listed {
    base: i64,
    max_timestamp: i64,
    bytes: Vec<u8>,
}

/// The committed listing, by log.
fn listing() -> BTreeMap<String, Vec<Listed>> {
    let text = fs::read_to_string(golden().join("batches")).unwrap();
    let mut logs: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [log, base, time, hex] = fields[..] else { panic!("no line of the listing: {line}") };
        let bytes =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let listed = Listed { base: base.parse().unwrap(), max_timestamp: time.parse().unwrap(), bytes };
        logs.entry(log.to_owned()).or_default().push(listed);
    }
    logs
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// A copy of a committed directory for one test.
fn copy_of(golden_name: &str, test: &str) -> PathBuf {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-{}-{test}", std::process::id()));
    let _ = fs::remove_dir_all(&to);
    copy(&golden().join(golden_name), &to);
    to
}

fn check_log(log: &Log, listed: &[Listed]) {
    let found = read_from(log, 0);
    assert_eq!(found.len(), listed.len(), "{}: as many batches as were appended", log.dir_name());
    let mut next = 0;
    for ((base, bytes), listed) in found.iter().zip(listed) {
        assert_eq!((*base, listed.base), (next, next), "{}: offsets are continuous", log.dir_name());
        assert_eq!(bytes[..], listed.bytes[..], "{}: the batch at {base}", log.dir_name());
        let header = BatchHeader::parse(bytes).unwrap();
        next = header.next_offset().0;
        assert_eq!(header.max_timestamp, listed.max_timestamp);
        let spec = OffsetSpec::Timestamp(listed.max_timestamp);
        let looked_up = log.offset_for(spec).unwrap().unwrap();
        assert_eq!((looked_up.offset.0, looked_up.timestamp), (next - 1, listed.max_timestamp));
    }
    assert_eq!(log.end_offset().0, next, "{}: nothing behind the last batch", log.dir_name());
}

/// Opens a copy, finds everything, appends, and finds that too in the next life.
fn opens_and_goes_on(name: &str) {
    let path = copy_of(name, name);
    let listing = listing();
    assert_eq!(listing.len(), LOGS.len());
    let dir = open_dir(&path).unwrap();
    let mut on_disk: Vec<String> = dir.logs_on_disk().into_iter().map(|(name, _)| name).collect();
    on_disk.sort();
    assert_eq!(on_disk, LOGS.map(|(name, ..)| name), "every log's directory is known as one");
    let mut ends = Vec::new();
    for wanted in LOGS {
        let log = open_log(&dir, wanted);
        check_log(&log, &listing[wanted.0]);
        assert!(log.leader_epoch() > LeaderEpoch(3), "a new life is a new leadership");
        assert!(log.segment_count() > 2, "the golden log has several segments");
        let end = log.end_offset().0;
        let bases: Vec<i64> = (0..BATCHES).map(|n| append(&log, batch("appended later", n))).collect();
        assert_eq!(bases[0], end, "offsets go on where they were");
        ends.push((end, bases));
    }
    dir.close();
    drop(dir);

    let dir = open_dir(&path).unwrap();
    for (wanted, (end, bases)) in LOGS.into_iter().zip(ends) {
        let log = open_log(&dir, wanted);
        let found = read_from(&log, end);
        assert_eq!(found.iter().map(|(base, _)| *base).collect::<Vec<_>>(), bases);
        for (number, (_, bytes)) in found.iter().enumerate() {
            assert_eq!(bytes[16..], batch("appended later", number)[16..], "behind offset and epoch");
        }
        let kept = read_from(&log, 0);
        for ((_, bytes), listed) in kept.iter().zip(&listing[wanted.0]) {
            assert_eq!(bytes[..], listed.bytes[..]);
        }
    }
    dir.close();
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_directory_that_was_closed_opens() {
    opens_and_goes_on("clean");
}

#[test]
fn a_directory_that_was_killed_opens() {
    opens_and_goes_on("killed");
}

/// Every file below `dir` with its bytes.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_newer_format_is_refused_untouched() {
    let path = copy_of("clean", "newer");
    let meta = path.join("meta.properties");
    let text = fs::read_to_string(&meta).unwrap();
    assert!(text.contains("\nottla.format=1\n"), "{text}");
    fs::write(&meta, text.replace("ottla.format=1", "ottla.format=2")).unwrap();
    let before = tree(&path);
    let Err(error) = open_dir(&path) else { panic!("a format that nobody knows yet was opened") };
    assert!(matches!(error, OpenError::NewerFormat { found: 2, known: 1, .. }), "{error}");
    let line = error.to_string();
    assert!(line.contains(&path.display().to_string()) && line.contains("use a newer one"), "{line}");
    assert_eq!(tree(&path), before, "nothing was touched");
    fs::remove_dir_all(path).unwrap();
}

/// The codecs that the golden logs are there to keep readable are really in them.
#[test]
fn every_codec_is_listed() {
    for (log, listed) in listing() {
        for codec in CODECS {
            let has = |l: &&Listed| BatchHeader::parse(&l.bytes).unwrap().codec().unwrap() == codec;
            let listed = listed.iter().find(has).unwrap_or_else(|| panic!("{log} has no {codec:?}"));
            let records = storage::records(&listed.bytes).unwrap();
            assert_eq!(records.count(), 3, "{log}, {codec:?}");
        }
    }
}

/// Writes the golden directories when it is asked to.
#[test]
fn the_generator_writes_what_the_listing_says() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-new-{}", std::process::id()));
    let _ = fs::remove_dir_all(&scratch);
    let text = generate(&scratch);
    if std::env::var_os("OTTLA_REGENERATE_GOLDEN").is_some() {
        let _ = fs::remove_dir_all(golden());
        copy(&scratch, &golden());
    }
    // Compressors may change their output; what the records say, and where they are, may not.
    let old = listing();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let base: i64 = fields[1].parse().unwrap();
        let listed =
            old[fields[0]].iter().find(|listed| listed.base == base).expect("a batch at this offset");
        assert_eq!(listed.max_timestamp.to_string(), fields[2]);
    }
    for name in ["clean", "killed"] {
        assert!(scratch.join(name).join("checkpoint").exists(), "{name} has a checkpoint");
    }
    fs::remove_dir_all(scratch).unwrap();
}

/// Appends, with a checkpoint half way, copies the directory from under the logs, then closes them.
fn generate(to: &Path) -> String {
    let path = to.join("clean");
    let dir = open_dir(&path).unwrap();
    let logs: Vec<Arc<Log>> = LOGS.into_iter().map(|wanted| open_log(&dir, wanted)).collect();
    for number in 0..BATCHES {
        for log in &logs {
            append(log, batch(log.dir_name(), number));
        }
        if number == BATCHES / 2 {
            dir.checkpoint();
        }
    }
    let killed = to.join("killed");
    copy(&path, &killed);
    tear(&killed.join(TORN));
    let mut text = String::new();
    for log in &logs {
        for (base, bytes) in read_from(log, 0) {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let time = BatchHeader::parse(&bytes).unwrap().max_timestamp;
            text += &format!("{} {base} {time} {hex}\n", log.dir_name());
        }
    }
    fs::write(to.join("batches"), &text).unwrap();
    dir.close();
    text
}

/// Half a batch behind the last, as a kill between two pages of a write leaves it.
fn tear(log: &Path) {
    let segments = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    let last = segments.filter(|path| path.extension().is_some_and(|end| end == "log")).max().unwrap();
    let torn = batch("torn", 0);
    let mut bytes = fs::read(&last).unwrap();
    bytes.extend(&torn[..torn.len() / 2]);
    fs::write(last, bytes).unwrap();
}
