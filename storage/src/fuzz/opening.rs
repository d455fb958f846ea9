//! Targets that put bytes in the place of one file of a data directory and open it, as a broker does after a crash:
//! what is served was appended, the logs go on, and the next start finds the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::decoding::put;
use super::identity;
use crate::batch::verify_crc;
use crate::env::{Files, SimFiles};
use crate::{
    BatchBuilder, BatchHeader, Bound, DataDir, DataDirOptions, Durability, Env, Flushing, JournalOptions,
    LeaderEpoch, Log, LogConfig, LogId, Offset, OffsetSpec, OpenError, Origin, ReadError, TopicId,
    check_internal,
};

const DIR: &str = "/data";
const NAME: &str = "topic-0";
const LOG_FILE: &str = "topic-0/00000000000000000000.log";
const BATCHES: i64 = 12;
const LEFT_COUNT: usize = 4;
/// A segment's name may hold any number below this. Above, offsets end.
const BASE_MAX: i64 = i64::MAX / 4;

/// Batches by offset, without what the log stamps.
type Content = BTreeMap<i64, Vec<u8>>;

/// A directory as one process left it.
struct Left {
    files: Vec<(PathBuf, Vec<u8>)>,
    content: Content,
    /// Below this records were deleted.
    start: Offset,
}

/// What has to be served although a file may be wrong.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Serves {
    /// Every batch: the file only saves time.
    Everything,
    /// Only batches that were appended.
    Appended,
    /// The same; but the file may lie, and hide what was appended since.
    Believed,
    /// Whatever has the right checksum.
    Anything,
}

/// Simulated files with a directory that has its identity and nothing else.
pub fn new_disk() -> (Env, SimFiles) {
    let (env, files, _) = Env::simulated(1);
    files.create_dir_all(Path::new(DIR)).expect("there is memory");
    put(&files, &Path::new(DIR).join("meta.properties"), identity().encode().as_bytes());
    (env, files)
}

fn open(env: &Env) -> Result<Arc<DataDir>, OpenError> {
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    DataDir::open(env.clone(), PathBuf::from(DIR), options)
}

fn open_log(dir: &DataDir) -> Result<Arc<Log>, OpenError> {
    let id = LogId { topic: TopicId([1; 16]), partition: 0 };
    let config = LogConfig {
        segment_bytes: 500,
        index_interval_bytes: 0,
        durability: Durability::Durable,
        ..LogConfig::default()
    };
    dir.open_log(id, NAME, config, LeaderEpoch(1))
}

fn batch(number: i64) -> Bytes {
    let value = format!("value {number}");
    let builder = BatchBuilder::new(1_000 + number).push(None, Some(value.as_bytes()), &[]);
    builder.push(Some(b"key"), None, &[]).build()
}

/// Directories that were closed, killed before any checkpoint but the first, and killed behind one, at last with a
/// deletion in between.
fn left() -> &'static [Left; LEFT_COUNT] {
    static LEFT: OnceLock<[Left; LEFT_COUNT]> = OnceLock::new();
    LEFT.get_or_init(|| {
        let half = Some(BATCHES / 2);
        [(Some(BATCHES), true, 0), (None, false, 0), (half, false, 0), (half, false, 10)]
            .map(|(at, close, start)| leave(at, close, Offset(start)))
    })
}

fn leave(checkpoint: Option<i64>, close: bool, start: Offset) -> Left {
    let (env, files) = new_disk();
    let dir = open(&env).expect("a new directory opens");
    let log = open_log(&dir).expect("a new log opens");
    let mut content = Content::new();
    for number in 0..BATCHES {
        let base = append(&dir, &log, number);
        content.insert(base.0, batch(number).to_vec());
        if checkpoint == Some(number) {
            dir.checkpoint();
        }
    }
    let deleted = log.delete_records(Some(start)).expect("the log has such an offset");
    dir.flush();
    assert_eq!(deleted.peek(), Some(Ok(start)));
    if close {
        dir.close();
    }
    files.kill();
    drop((dir, log));
    Left { files: tree(&files, Path::new(DIR)), content, start }
}

fn append(dir: &DataDir, log: &Log, number: i64) -> Offset {
    let end = log.end_offset();
    let checked = check_internal(batch(number)).expect("it is a batch");
    let ticket = log.append(checked, Origin::Client, None);
    dir.flush();
    let appended = ticket.peek().expect("it was flushed").expect("the log takes it");
    assert_eq!(appended.base, end);
    appended.base
}

fn tree(files: &SimFiles, dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in files.list(dir).expect("it is there") {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            found.extend(tree(files, &path));
        } else {
            let content = files.content(&path).expect("it is there");
            found.push((path, content));
        }
    }
    found
}

fn disk_of(left: &Left) -> (Env, SimFiles) {
    let (env, files) = new_disk();
    for (path, content) in &left.files {
        files.create_dir_all(path.parent().expect("it is in a directory")).expect("there is memory");
        put(&files, path, content);
    }
    (env, files)
}

/// Lives twice on a directory in which `name` holds `bytes`.
fn replaced(name: &str, bytes: &[u8], serves: Serves) {
    let left = &left()[crc32c::crc32c(bytes) as usize % LEFT_COUNT];
    let (env, files) = disk_of(left);
    put(&files, &Path::new(DIR).join(name), bytes);
    let Some(served) = two_lives(&env, &files, serves) else {
        assert!(serves != Serves::Everything, "{name} is not worth a start");
        return;
    };
    let is_appended = |(base, batch): (&i64, &Vec<u8>)| {
        left.content.get(base).is_some_and(|known| known[16..] == batch[16..])
    };
    assert!(serves == Serves::Anything || served.iter().all(is_appended), "what is served was not appended");
    let kept = left.content.range(left.start.0..);
    assert!(
        serves != Serves::Everything || served.keys().eq(kept.map(|(base, _)| base)),
        "not the right batches"
    );
}

/// What the first life served; nothing if the directory or the log was refused.
fn two_lives(env: &Env, files: &SimFiles, serves: Serves) -> Option<Content> {
    let dir = accepted(open(env))?;
    let log = accepted(open_log(&dir))?;
    let served = read_all(&log);
    let base = append(&dir, &log, BATCHES);
    if base.0 % 2 == 0 {
        dir.close();
    }
    files.kill();
    drop((dir, log));
    if serves == Serves::Believed {
        accepted(open(env)).and_then(|dir| accepted(open_log(&dir))).map(|log| read_all(&log));
        return Some(served);
    }
    let dir = open(env).expect("it opened before");
    let log = open_log(&dir).expect("it opened before");
    let mut expected = served.clone();
    expected.insert(base.0, batch(BATCHES).to_vec());
    let again = read_all(&log);
    assert!(again.keys().eq(expected.keys()), "{:?} became {:?}", expected.keys(), again.keys());
    assert!(again.values().zip(expected.values()).all(|(a, b)| a[16..] == b[16..]));
    append(&dir, &log, BATCHES);
    Some(served)
}

/// What is refused is refused with a word.
fn accepted<T>(opened: Result<T, OpenError>) -> Option<T> {
    opened.inspect_err(|error| assert!(!error.to_string().is_empty())).ok()
}

/// Everything that readers get: whole batches with the right checksums, at rising offsets.
fn read_all(log: &Log) -> Content {
    let mut found = Content::new();
    let mut next = log.start_offset();
    while next < log.high_watermark() {
        let before = next;
        let bytes: Vec<u8> = match log.read(next, 700, true, Bound::HighWatermark) {
            Ok(plan) => plan.parts.iter().flat_map(|part| part.read().expect("it was planned")).collect(),
            Err(ReadError::Corrupt { .. }) => break,
            Err(error) => panic!("memory was not read: {error}"),
        };
        let mut rest = &bytes[..];
        while let Some(header) =
            BatchHeader::parse(rest).ok().filter(|header| header.total_bytes() <= rest.len())
        {
            let (batch, behind) = rest.split_at(header.total_bytes());
            verify_crc(&header, batch).expect("what is served is right");
            assert!(header.base_offset >= next || next == before, "offsets rise");
            found.insert(header.base_offset.0, batch.to_vec());
            (next, rest) = (header.next_offset(), behind);
        }
        if next == before {
            break;
        }
    }
    match log.read(log.start_offset(), 700, true, Bound::LastStable) {
        Ok(plan) => assert!(plan.last_stable <= plan.high_watermark && plan.aborted.is_some()),
        Err(error) => assert!(matches!(error, ReadError::Corrupt { .. }), "{error}"),
    }
    for spec in [OffsetSpec::Timestamp(0), OffsetSpec::Timestamp(1_005), OffsetSpec::MaxTimestamp] {
        match log.offset_for(spec) {
            Ok(place) => assert!(place.is_none_or(|place| place.offset < log.high_watermark())),
            Err(error) => assert!(matches!(error, ReadError::Corrupt { .. }), "{error}"),
        }
    }
    found
}

/// The one segment of a log, named by the offset of its first batch.
pub fn segment_opened(bytes: &[u8]) {
    let (env, files) = new_disk();
    files.create_dir(&Path::new(DIR).join(NAME)).expect("there is memory");
    let base = BatchHeader::parse(bytes).map_or(0, |header| header.base_offset.0);
    let base = if (0..BASE_MAX).contains(&base) { base } else { 0 };
    put(&files, &Path::new(DIR).join(NAME).join(format!("{base:020}.log")), bytes);
    two_lives(&env, &files, Serves::Anything);
}

pub fn offset_index_opened(bytes: &[u8]) {
    replaced(&LOG_FILE.replace(".log", ".index"), bytes, Serves::Everything);
}

pub fn time_index_opened(bytes: &[u8]) {
    replaced(&LOG_FILE.replace(".log", ".timeindex"), bytes, Serves::Everything);
}

/// A checkpoint with the right checksum is believed, and this one may be another directory's.
pub fn checkpoint_opened(bytes: &[u8]) {
    let believed = crate::checkpoint::decode(bytes).is_ok();
    replaced("checkpoint", bytes, if believed { Serves::Believed } else { Serves::Appended });
}

/// A journal whose records are right may hold batches of its own.
pub fn journal_opened(bytes: &[u8]) {
    replaced("journal/00000001.journal", bytes, Serves::Anything);
}

pub fn meta_opened(bytes: &[u8]) {
    replaced("meta.properties", bytes, Serves::Appended);
}

pub fn partition_opened(bytes: &[u8]) {
    replaced(&format!("{NAME}/partition.metadata"), bytes, Serves::Appended);
}

pub fn epochs_opened(bytes: &[u8]) {
    replaced(&format!("{NAME}/leader-epoch-checkpoint"), bytes, Serves::Everything);
}

pub fn quarantine_opened(bytes: &[u8]) {
    replaced(&LOG_FILE.replace(".log", ".quarantine"), bytes, Serves::Everything);
}

/// With the right checksum it is believed; what it says of producers hides no record.
pub fn producer_snapshot_opened(bytes: &[u8]) {
    for at in ["00000000000000000000", "00000000000000000007"] {
        replaced(&format!("{NAME}/{at}.snapshot"), bytes, Serves::Everything);
    }
}

pub fn txn_index_opened(bytes: &[u8]) {
    replaced(&LOG_FILE.replace(".log", ".txnindex"), bytes, Serves::Everything);
}

pub fn lock_opened(bytes: &[u8]) {
    replaced("lock", bytes, Serves::Everything);
}
