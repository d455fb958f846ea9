//! A log from outside while it is compacted, on simulated files, driven by hand.

mod crash;
mod edges;
mod model;
mod transactions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::batch::{BatchHeader, verify_crc};
use crate::codec::Codec;
use crate::codec::testing::compress;
use crate::env::{Env, Files, OpenMode, SimClock, SimFiles};
use crate::records::{BatchBuilder, records};
use crate::recover::Depth;
use crate::validate::check_internal;
use crate::*;

const DIR: &str = "/data";
const NAME: &str = "topic-0";

struct World {
    env: Env,
    files: SimFiles,
    clock: SimClock,
    dir: Arc<DataDir>,
    log: Arc<Log>,
    config: LogConfig,
    cleaner: CleanerOptions,
}

/// A record as a reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

fn id(partition: i32) -> LogId {
    LogId { topic: TopicId([7; 16]), partition }
}

fn compacted() -> LogConfig {
    LogConfig {
        segment_bytes: 700,
        index_interval_bytes: 100,
        segment_index_bytes: 1 << 20,
        cleanup: Cleanup { delete: false, compact: true },
        dirty_ratio_min: 0.0,
        ..LogConfig::default()
    }
}

fn options(cleaner: &CleanerOptions) -> DataDirOptions {
    DataDirOptions {
        flushing: Flushing::Manual,
        journal: JournalOptions::SMALL,
        cleaner: cleaner.clone(),
        ..Default::default()
    }
}

impl World {
    fn new(seed: u64, config: LogConfig) -> World {
        World::with(seed, config, CleanerOptions { buffer_bytes: 300, ..CleanerOptions::default() })
    }

    fn with(seed: u64, config: LogConfig, cleaner: CleanerOptions) -> World {
        let (env, files, clock) = Env::simulated(seed);
        let dir = DataDir::open(env.clone(), PathBuf::from(DIR), options(&cleaner)).unwrap();
        let log = dir.open_log(id(0), NAME, config.clone(), LeaderEpoch(1)).unwrap();
        World { env, files, clock, dir, log, config, cleaner }
    }

    fn reopen(&mut self) {
        self.dir = DataDir::open(self.env.clone(), PathBuf::from(DIR), options(&self.cleaner)).unwrap();
        self.log = self.dir.open_log(id(0), NAME, self.config.clone(), LeaderEpoch(1)).unwrap();
    }

    /// Appends a batch of records at the clock's time; the first one's offset.
    fn append(&self, codec: Codec, records: &[(Option<&str>, Option<&str>)]) -> i64 {
        let mut builder = BatchBuilder::new(self.now());
        for (key, value) in records {
            builder = builder.push(key.map(str::as_bytes), value.map(str::as_bytes), &[("h", Some(b"x"))]);
        }
        self.put(builder.finish(codec, |plain| compress(codec, &plain)))
    }

    fn put(&self, batch: Bytes) -> i64 {
        let offset = self.log.end_offset().0;
        drop(self.log.append(check_internal(batch).unwrap(), Origin::Coordinator, None));
        offset
    }

    /// Behind it, what was appended before can be cleaned.
    fn roll(&self) {
        let segments = self.log.segment_count();
        while self.log.segment_count() == segments {
            self.append(Codec::None, &[(Some("filler"), Some("filler"))]);
        }
        self.dir.flush();
    }

    fn now(&self) -> i64 {
        self.env.clock.now_ms()
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(DIR).join(NAME).join(name)
    }

    fn names(&self) -> Vec<String> {
        let all = self.files.list(&Path::new(DIR).join(NAME)).unwrap();
        all.into_iter().map(|entry| entry.name).collect()
    }

    /// Up to where the log is clean.
    fn clean_end(&self) -> i64 {
        let mut state = self.log.shared.cleaner.state.lock().unwrap();
        state.clean.of(id(0), NAME).unwrap_or(self.log.start_offset()).0
    }

    fn records(&self) -> Vec<Seen> {
        read_all(&self.log).1
    }

    fn values(&self) -> BTreeMap<String, String> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let all = self.records().into_iter();
        all.filter_map(|record| Some((text(record.key?), text(record.value?)))).collect()
    }
}

/// Every batch and every record below the high watermark, as a consumer that begins at the start gets them.
fn read_all(log: &Log) -> (Vec<BatchHeader>, Vec<Seen>) {
    let (mut batches, mut found) = (Vec::new(), Vec::new());
    let mut next = log.start_offset();
    let end = log.high_watermark();
    while next < end {
        let plan = log.read(next, 500, true, Bound::HighWatermark).unwrap();
        let bytes: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
        let before = next;
        let mut rest = &bytes[..];
        while let Ok(header) = BatchHeader::parse(rest) {
            if rest.len() < header.total_bytes() {
                break;
            }
            verify_crc(&header, rest).unwrap();
            assert!(header.base_offset >= next || next == before, "batches are in order");
            for record in records(rest).unwrap() {
                let record = record.unwrap();
                assert!(record.offset >= header.base_offset && record.offset <= header.last_offset());
                found.push(Seen {
                    offset: record.offset.0,
                    timestamp: record.timestamp,
                    key: record.key.map(|key| key.into_owned()),
                    value: record.value.map(|value| value.into_owned()),
                });
            }
            next = header.next_offset();
            rest = &rest[header.total_bytes()..];
            batches.push(header);
        }
        assert!(next > before, "a read gives at least one whole batch");
    }
    assert!(found.is_sorted_by(|a, b| a.offset < b.offset), "offsets rise");
    (batches, found)
}

#[test]
fn the_last_value_of_each_key_stays() {
    let mut world = World::new(1, compacted());
    for round in 0..20 {
        let value = format!("value {round}");
        for key in ["a", "b", "c"] {
            world.append(Codec::None, &[(Some(key), Some(&value))]);
        }
    }
    world.append(Codec::Gzip, &[(Some("a"), Some("last a")), (Some("d"), Some("last d"))]);
    world.roll();
    let (before, bytes, segments) = (world.values(), world.log.size_bytes(), world.log.segment_count());
    assert!(segments > 5);
    assert_eq!(world.dir.clean(), 1);
    assert_eq!(world.values(), before);
    assert!(world.log.size_bytes() < bytes / 3, "{} of {bytes}", world.log.size_bytes());
    assert_eq!(world.dir.clean(), 0, "nothing more is dirty");
    world.roll();
    assert_eq!(world.dir.clean(), 1);
    assert!(world.log.segment_count() < segments, "small ones become one");
    let stats = world.dir.stats().cleaner;
    assert_eq!((stats.passes, stats.uncleanable_logs), (2, 0));
    assert!(stats.read_bytes > bytes && stats.written_bytes > 0);
    let (records, end) = (world.records(), world.log.end_offset());
    for _ in 0..2 {
        world.files.kill();
        world.reopen();
        assert_eq!((world.records(), world.log.end_offset()), (records.clone(), end));
        // As if nothing were known of them.
        for name in world.names().iter().filter(|name| name.ends_with("index")) {
            world.files.remove_file(&world.path(name)).unwrap();
        }
    }
    world.files.kill();
    world.reopen();
    assert_eq!(world.records(), records, "without indexes");
    assert_eq!(world.log.damaged_bytes() + world.log.quarantined_bytes(), 0);
    let env = world.env.clone();
    world.dir.close();
    let dir = DataDir::open(env.clone(), PathBuf::from(DIR), options(&world.cleaner)).unwrap();
    let config = world.config.clone();
    let log = dir.open_log_to(Depth::Everything, id(0), NAME, config, LeaderEpoch(1)).unwrap();
    assert_eq!((read_all(&log).1, log.quarantined_bytes()), (records, 0), "as a repair judges it");
    dir.close();
    at_rest::verify(&env, Path::new(DIR), &mut NothingWrong).unwrap();
}

/// `ottla log verify` finds nothing.
struct NothingWrong;

impl at_rest::Report for NothingWrong {
    fn expect(&mut self, _: u64) {}

    fn done(&mut self, _: u64) {}

    fn found(&mut self, finding: &at_rest::Finding) {
        panic!("{finding:?}");
    }
}
