//! The committed directories: what is in each, and what was appended to it.
//!
//! Nothing here changes a committed file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use storage::{
    BatchBuilder, BatchHeader, Bound, Checked, DataDir, DataDirOptions, Durability, Env, LeaderEpoch, Log,
    LogConfig, LogId, Offset, OffsetSpec, OpenError, Origin, RecordValidation, Rules, TimestampType, TopicId,
    check,
};

use crate::compression::{CODECS, compress};

/// Batches that every log was given.
pub(crate) const BATCHES: usize = 15;
const FIRST_TIME: i64 = 1_700_000_000_000;
const CLUSTER: &str = "golden-cluster-of-test";

/// A log: its directory, the byte that its topic's id repeats, its partition, and its durability in the end.
pub(crate) type Named = (&'static str, u8, i32, Durability);

pub(crate) const DURABLE: Named = ("durable-0", 1, 0, Durability::Durable);
pub(crate) const DURABLE_12: Named = ("durable-12", 1, 12, Durability::Durable);
pub(crate) const RELAXED: Named = ("relaxed.topic-0", 2, 0, Durability::Relaxed);
/// Relaxed at first, durable since the middle.
pub(crate) const JOINED: Named = ("joined-0", 3, 0, Durability::Durable);
/// Deleted before the end.
pub(crate) const DROPPED: Named = ("dropped-0", 4, 0, Durability::Durable);

/// The directories of one format, and the logs that are in all of them.
pub(crate) struct Set {
    pub(crate) folder: &'static str,
    pub(crate) logs: &'static [Named],
    pub(crate) dirs: &'static [&'static str],
}

/// Without a journal: the first builds.
pub(crate) const FIRST: Set =
    Set { folder: "format-1", logs: &[DURABLE, DURABLE_12, RELAXED], dirs: &["clean", "killed"] };

pub(crate) const JOURNAL: Set = Set {
    folder: "format-1-journal",
    logs: &[DURABLE, DURABLE_12, RELAXED, JOINED],
    dirs: &["clean", "killed", "cut"],
};

impl Set {
    pub(crate) fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(self.folder)
    }

    /// A copy of a committed directory for one test.
    pub(crate) fn copy_of(&self, golden_name: &str, test: &str) -> PathBuf {
        let to = scratch(&format!("{}-{test}", self.folder));
        copy(&self.path().join(golden_name), &to);
        to
    }

    /// The committed listing, by log.
    pub(crate) fn listing(&self) -> BTreeMap<String, Vec<Listed>> {
        listed(&fs::read_to_string(self.path().join("batches")).unwrap())
    }
}

/// A place for a test's files, where nothing is yet.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

pub(crate) fn options() -> DataDirOptions {
    DataDirOptions { cluster_id: Some(CLUSTER.to_owned()), node_id: 7, ..Default::default() }
}

pub(crate) fn open_dir(path: &Path) -> Result<Arc<DataDir>, OpenError> {
    DataDir::open(Env::real(), path.to_owned(), options())
}

pub(crate) fn config(durability: Durability) -> LogConfig {
    LogConfig { segment_bytes: 800, index_interval_bytes: 200, durability, ..Default::default() }
}

pub(crate) fn open_log(dir: &DataDir, (name, topic, partition, durability): Named) -> Arc<Log> {
    let id = LogId { topic: TopicId([topic; 16]), partition };
    dir.open_log(id, name, config(durability), LeaderEpoch(3)).unwrap()
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
pub(crate) fn batch(log: &str, number: usize) -> Bytes {
    in_codec(CODECS[number % CODECS.len()], &plain_batch(log, number))
}

/// A batch with its records compressed.
pub(crate) fn in_codec(codec: storage::Codec, plain: &[u8]) -> Bytes {
    const HEADER_BYTES: usize = 61;
    let mut out = plain[..HEADER_BYTES].to_vec();
    out.extend(compress(codec, &plain[HEADER_BYTES..]));
    let length = out.len() as i32 - 12;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[22] |= codec.id();
    let crc = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.into()
}

pub(crate) fn checked(batch: Bytes) -> Checked {
    let rules = Rules {
        message_bytes_max: 1 << 20,
        segment_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
        now_ms: FIRST_TIME,
        compacted: false,
        walk: RecordValidation::Full,
        compression: None,
        zstd_allowed: true,
    };
    check(batch, &rules).unwrap()
}

pub(crate) fn append(log: &Log, batch: Bytes) -> i64 {
    log.append(checked(batch), Origin::Client, None).wait().unwrap().base.0
}

/// The batches of a log from `from`, as they are stored.
pub(crate) fn read_from(log: &Log, from: i64) -> Vec<(i64, Bytes)> {
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

/// A batch as it was stored.
pub(crate) struct Listed {
    pub(crate) base: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) bytes: Vec<u8>,
}

/// A log's batches as lines of a listing.
pub(crate) fn list(log: &Log) -> String {
    list_from(log, 0)
}

pub(crate) fn list_from(log: &Log, from: i64) -> String {
    let mut text = String::new();
    for (base, bytes) in read_from(log, from) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let time = BatchHeader::parse(&bytes).unwrap().max_timestamp;
        text += &format!("{} {base} {time} {hex}\n", log.dir_name());
    }
    text
}

pub(crate) fn listed(text: &str) -> BTreeMap<String, Vec<Listed>> {
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

/// The log holds these batches, finds them by time, and has nothing behind them.
pub(crate) fn check_log(log: &Log, listed: &[Listed]) {
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

pub(crate) fn copy(from: &Path, to: &Path) {
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

/// Every file below `dir` with its bytes, by its path from there.
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}
