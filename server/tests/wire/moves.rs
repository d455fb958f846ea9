//! Partitions that move from one data directory to another while they are written and read.
#![expect(
    clippy::disallowed_methods,
    reason = "a directory is looked at, and bounds on what a test waits for"
)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use protocol_compat::ErrorCode;
use protocol_compat::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::delete_topics_request::DeleteTopicState;
use protocol_compat::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;
use storage::{BatchBuilder, ProducerId, records};

use super::configs::{BROKER, DELETE, SET};
use super::disk::Disk;
use super::harness::{Broker, Client, TestDir};
use super::requests::fetch;
use super::{configs, groups};

const PATIENCE: Duration = Duration::from_secs(60);
const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
/// A move of which nobody sees the end.
const VERY_SLOW: &str = "replica.alter.log.dirs.io.max.bytes.per.second=1";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn start(dir: &TestDir, settings: &[&str]) -> Broker {
    let dirs = format!("log.dirs={},{}", path(dir, "a"), path(dir, "b"));
    Broker::start(dir, &[&[&*dirs], settings].concat())
}

fn path(dir: &TestDir, which: &str) -> String {
    dir.path().join(which).display().to_string()
}

fn create(client: &mut Client, topic: &str) {
    let creation = CreatableTopic::default()
        .with_name(TopicName(text(topic)))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let reply =
        client.call(7, &CreateTopicsRequest::default().with_topics(vec![creation]).with_timeout_ms(5000));
    assert_eq!(reply.topics[0].error_code, 0, "{reply:?}");
}

/// Asks for partition 0 of a topic to move; the error.
fn alter(client: &mut Client, version: i16, topic: &str, path: &str) -> i16 {
    alter_one(client, version, topic, 0, path)
}

fn alter_one(client: &mut Client, version: i16, topic: &str, partition: i32, path: &str) -> i16 {
    let topic =
        AlterReplicaLogDirTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![partition]);
    let dir = AlterReplicaLogDir::default().with_path(text(path)).with_topics(vec![topic]);
    let reply = client.call(version, &AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]));
    reply.results[0].partitions[0].error_code
}

/// Where the partition is: (directory, is a copy, bytes, lag).
fn places(client: &mut Client, topic: &str) -> Vec<(String, bool, i64, i64)> {
    let reply = client.call(4, &DescribeLogDirsRequest::default().with_topics(None));
    let mut found = Vec::new();
    for dir in &reply.results {
        for of_topic in dir.topics.iter().filter(|found| *found.name == *topic) {
            let place = &of_topic.partitions[0];
            let dir = dir.log_dir.to_string();
            found.push((dir, place.is_future_key, place.partition_size, place.offset_lag));
        }
    }
    found
}

/// The directory that a topic's partition lives in, and the other one.
fn home_and_other(client: &mut Client, dir: &TestDir, topic: &str) -> (String, String) {
    let home = places(client, topic)[0].0.clone();
    let [a, b] = ["a", "b"].map(|which| path(dir, which));
    let other = if home == a { b } else { a };
    (home, other)
}

fn lives_in(client: &mut Client, topic: &str, path: &str) -> bool {
    let places = places(client, topic);
    places.len() == 1 && places[0].0 == path && !places[0].1
}

fn wait_for(client: &mut Client, topic: &str, path: &str) {
    let begun = Instant::now();
    while !lives_in(client, topic, path) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", places(client, topic));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn value(number: i32) -> String {
    format!("{number} {}", "x".repeat(20_000))
}

/// The producer's record of this number; (error, base offset).
fn produce(client: &mut Client, topic: &str, number: i32) -> (i16, i64) {
    let batch = BatchBuilder::new(1_000).producer(ProducerId(7), 0, number);
    let batch = batch.push(None, Some(value(number).as_bytes()), &[]).build();
    let data = PartitionProduceData::default().with_records(Some(batch));
    let data = TopicProduceData::default().with_name(TopicName(text(topic))).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![data]);
    let reply = client.call(9, &request);
    let answer = &reply.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

/// Reads what comes behind an offset, and checks that it is what was sent; the next offset.
fn read(client: &mut Client, topic: &str, from: i64) -> i64 {
    let reply = client.call(11, &fetch(TopicName(text(topic)), &[(0, from)], 10, 1 << 20));
    let answer = &reply.responses[0].partitions[0];
    assert_eq!(answer.error_code, 0);
    let mut next = from;
    let bytes = answer.records.clone().unwrap_or_default();
    // The last batch may be cut short.
    for record in records(&bytes).into_iter().flatten().map_while(Result::ok) {
        if record.offset.0 >= next {
            assert_eq!(record.offset.0, next, "nothing is left out, nothing is there twice");
            assert_eq!(record.value.unwrap(), value(next as i32).as_bytes());
            next += 1;
        }
    }
    next
}

fn read_all(client: &mut Client, topic: &str, count: i64) {
    let mut next = 0;
    while next < count {
        let before = next;
        next = read(client, topic, next);
        assert!(next > before, "record {next} of {count} is not there");
    }
    assert_eq!(read(client, topic, count), count, "and no more");
}

fn copies(dir: &str) -> usize {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with("-future")).count()
}

/// Ends the other threads, however this one ends.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_partition_moves_there_and_back_under_load() {
    let dir = TestDir::new();
    let count = AtomicI32::new(0);
    let (mut home, mut other) = ("a", "b");
    {
        let broker = start(&dir, &["replica.alter.log.dirs.io.max.bytes.per.second=8000000"]);
        let mut client = broker.client();
        create(&mut client, "t");
        for number in 0..100 {
            assert_eq!(produce(&mut client, "t", number), (0, i64::from(number)));
        }
        count.store(100, Ordering::SeqCst);
        if lives_in(&mut client, "t", &path(&dir, other)) {
            (home, other) = (other, home);
        }
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = broker.client();
                while !is_over.load(Ordering::SeqCst) {
                    let number = count.load(Ordering::SeqCst);
                    assert_eq!(produce(&mut client, "t", number), (0, i64::from(number)));
                    if number % 7 == 0 {
                        assert_eq!(produce(&mut client, "t", number), (0, i64::from(number)), "sent again");
                    }
                    count.store(number + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(4));
                }
            });
            scope.spawn(|| {
                let (mut client, mut next) = (broker.client(), 0);
                while !is_over.load(Ordering::SeqCst) {
                    next = read(&mut client, "t", next);
                }
            });
            let _at_the_end = Ends(&is_over);
            for which in [other, home, other] {
                let to = path(&dir, which);
                assert_eq!(alter(&mut client, 2, "t", &to), 0);
                let (mut were_copies, begun) = (0, Instant::now());
                while !lives_in(&mut client, "t", &to) {
                    let places = places(&mut client, "t");
                    let copy = places.iter().find(|place| place.1);
                    were_copies += usize::from(copy.is_some_and(|(dir, _, bytes, lag)| {
                        assert_eq!(*dir, to);
                        *bytes > 0 && *lag >= 0
                    }));
                    assert!(begun.elapsed() < PATIENCE, "{places:?}");
                    std::thread::sleep(Duration::from_millis(2));
                }
                assert!(were_copies > 0, "the copy is seen while it is made");
            }
        });
        read_all(&mut client, "t", i64::from(count.load(Ordering::SeqCst)));
    }
    let broker = start(&dir, &[]);
    let mut client = broker.client();
    assert!(lives_in(&mut client, "t", &path(&dir, other)));
    let count = count.load(Ordering::SeqCst);
    read_all(&mut client, "t", i64::from(count));
    assert_eq!(produce(&mut client, "t", count - 1), (0, i64::from(count) - 1), "sent again");
    assert_eq!(produce(&mut client, "t", count), (0, i64::from(count)));
    assert!(!Path::new(&path(&dir, home)).join("t-0").exists());
}

#[test]
fn what_cannot_be_is_refused_as_in_kafka() {
    let dir = TestDir::new();
    let broker = start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t");
    let long = "x".repeat(230);
    create(&mut client, &long);
    let (a, b) = (path(&dir, "a"), path(&dir, "b"));
    for version in 1..=2 {
        let mut alter = |topic: &str, path: &str| alter(&mut client, version, topic, path);
        assert_eq!(alter("t", "/nowhere"), ErrorCode::LogDirNotFound.code());
        assert_eq!(alter("absent", "/nowhere"), ErrorCode::LogDirNotFound.code());
        assert_eq!(alter("absent", &b), ErrorCode::UnknownTopicOrPartition.code());
        assert_eq!(alter(&long, &b), ErrorCode::InvalidTopicException.code());
        assert_eq!(alter(&long, "/nowhere"), ErrorCode::InvalidTopicException.code());
    }
    // What was asked for before it was there is made there.
    for other in ["one", "two", "three"] {
        create(&mut client, other);
        produce(&mut client, other, 0);
    }
    create(&mut client, "absent");
    produce(&mut client, "absent", 0);
    assert!(lives_in(&mut client, "absent", &b));
    assert_eq!(alter(&mut client, 2, "absent", &b), 0, "it is there");
    // Without a record it moves too, and stays there.
    for to in [&b, &a, &b] {
        assert_eq!(alter(&mut client, 2, "t", to), 0);
        wait_for(&mut client, "t", to);
    }
    drop((client, broker));
    assert!(lives_in(&mut start(&dir, &[]).client(), "t", &b));
}

#[test]
fn a_move_is_given_up_by_moving_back_and_with_its_topic() {
    let dir = TestDir::new();
    let broker = start(&dir, &[VERY_SLOW]);
    let mut client = broker.client();
    for topic in ["t", "u"] {
        create(&mut client, topic);
        let (home, target) = home_and_other(&mut client, &dir, topic);
        produce(&mut client, topic, 0);
        assert_eq!(alter(&mut client, 2, topic, &target), 0);
        assert_eq!(places(&mut client, topic).iter().filter(|place| place.1).count(), 1);
        assert_eq!(copies(&target), 1);
        if topic == "t" {
            assert_eq!(alter(&mut client, 2, topic, &home), 0);
            assert!(lives_in(&mut client, topic, &home));
            assert_eq!(produce(&mut client, topic, 1), (0, 1));
            read_all(&mut client, topic, 2);
        } else {
            let state = DeleteTopicState::default().with_name(Some(TopicName(text(topic))));
            let request = DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(5000);
            assert_eq!(client.call(6, &request).responses[0].error_code, 0);
            let begun = Instant::now();
            while Path::new(&home).join("u-0").exists() {
                assert!(begun.elapsed() < PATIENCE, "the topic's directory is still there");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        assert_eq!(copies(&target), 0, "{topic}");
    }
}

#[test]
fn a_move_goes_on_after_a_restart() {
    let dir = TestDir::new();
    let (home, target) = {
        let broker = start(&dir, &[VERY_SLOW]);
        let mut client = broker.client();
        create(&mut client, "t");
        for number in 0..20 {
            produce(&mut client, "t", number);
        }
        let (home, target) = home_and_other(&mut client, &dir, "t");
        assert_eq!(alter(&mut client, 2, "t", &target), 0);
        (home, target)
    };
    let broker = start(&dir, &[]);
    let mut client = broker.client();
    wait_for(&mut client, "t", &target);
    read_all(&mut client, "t", 20);
    assert_eq!(produce(&mut client, "t", 20), (0, 20));
    assert!(!Path::new(&home).join("t-0").exists());
}

#[test]
fn nothing_moves_to_or_from_a_directory_that_is_offline() {
    let (dir, disk) = (TestDir::new(), Disk::default());
    let [a, b] = ["a", "b"].map(|which| path(&dir, which));
    let broker = Broker::start_in(disk.env(), &dir, &[&format!("log.dirs={a},{b}")]);
    let mut client = broker.client();
    for (topic, home) in [("t", &a), ("u", &b)] {
        assert_eq!(alter(&mut client, 2, topic, home), ErrorCode::UnknownTopicOrPartition.code());
        create(&mut client, topic);
        assert_eq!(produce(&mut client, topic, 0), (0, 0));
        assert!(lives_in(&mut client, topic, home));
    }
    // The other one's journal may be written to at any time, and would take that directory offline too.
    disk.break_journal(Path::new(&b));
    let refused = ErrorCode::KafkaStorageError.code();
    assert_eq!(produce(&mut client, "u", 1).0, refused);
    assert_eq!(alter(&mut client, 2, "t", &b), refused);
    assert_eq!(alter(&mut client, 2, "u", &a), refused);
    assert!(lives_in(&mut client, "t", &a));
    assert_eq!(copies(&a) + copies(&b), 0);
    read_all(&mut client, "u", 1);
}

#[test]
fn a_move_goes_as_fast_as_the_setting_says_now() {
    let dir = TestDir::new();
    let broker = start(&dir, &[]);
    let mut client = broker.client();
    let limit = |client: &mut Client, op: (&str, i8, Option<&str>)| {
        assert_eq!(configs::alter(client, &[(BROKER, "1", &[op])]), [0]);
    };
    limit(&mut client, (RATE, SET, Some("0")));
    create(&mut client, "t");
    for number in 0..20 {
        produce(&mut client, "t", number);
    }
    let (_, target) = home_and_other(&mut client, &dir, "t");
    assert_eq!(alter(&mut client, 2, "t", &target), 0);
    std::thread::sleep(Duration::from_millis(300));
    let copy = places(&mut client, "t").into_iter().find(|place| place.1).unwrap();
    assert_eq!((copy.0, copy.2, copy.3), (target.clone(), 0, 20), "nothing may be copied");
    limit(&mut client, (RATE, DELETE, None));
    wait_for(&mut client, "t", &target);
    read_all(&mut client, "t", 20);
}

#[test]
fn a_coordinator_goes_on_while_its_partition_moves() {
    const OFFSETS: &str = "__consumer_offsets";
    // Of the group "g", as Kafka counts.
    const PARTITION: i32 = 3;
    let dir = TestDir::new();
    let mut offset = 0;
    {
        let broker = start(&dir, &[]);
        let mut client = broker.client();
        create(&mut client, "t");
        let begun = Instant::now();
        while groups::find(&mut client, 4, "g") != 0 {
            assert!(begun.elapsed() < PATIENCE, "there is no coordinator");
        }
        let name = format!("{OFFSETS}-{PARTITION}");
        assert_eq!(groups::commit(&mut client, 8, "g", "t", 0, offset), 0);
        for which in ["a", "b", "a", "b"] {
            let to = path(&dir, which);
            assert_eq!(alter_one(&mut client, 2, OFFSETS, PARTITION, &to), 0);
            let other = Path::new(&path(&dir, if which == "a" { "b" } else { "a" })).join(&name);
            while !Path::new(&to).join(&name).exists() || other.exists() {
                offset += 1;
                assert_eq!(groups::commit(&mut client, 8, "g", "t", 0, offset), 0);
                assert!(begun.elapsed() < PATIENCE, "it does not come to {to}");
            }
            offset += 1;
            assert_eq!(groups::commit(&mut client, 8, "g", "t", 0, offset), 0);
            assert_eq!(committed(&mut client), Ok(offset));
        }
    }
    let broker = start(&dir, &[]);
    let mut client = broker.client();
    assert_eq!(groups::find(&mut client, 4, "g"), 0);
    let begun = Instant::now();
    let found = loop {
        match committed(&mut client) {
            Err(code) if code == ErrorCode::CoordinatorLoadInProgress.code() => {}
            found => break found,
        }
        assert!(begun.elapsed() < PATIENCE, "the coordinator does not come back");
    };
    assert_eq!(found, Ok(offset));
}

/// What the group "g" committed of the topic "t", or the error.
fn committed(client: &mut Client) -> Result<i64, i16> {
    let topic =
        OffsetFetchRequestTopics::default().with_name(TopicName(text("t"))).with_partition_indexes(vec![0]);
    let asked =
        OffsetFetchRequestGroup::default().with_group_id(GroupId(text("g"))).with_topics(Some(vec![topic]));
    let reply = client.call(8, &OffsetFetchRequest::default().with_groups(vec![asked]));
    match reply.groups[0].error_code {
        0 => Ok(reply.groups[0].topics[0].partitions[0].committed_offset),
        code => Err(code),
    }
}
