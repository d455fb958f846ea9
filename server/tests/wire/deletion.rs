//! Records that are deleted, by a client or by retention, and the offsets that are found behind that.

use std::time::{Duration, Instant};

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol_compat::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol_compat::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir, batch};
use super::process::{Home, Process, Spec};
use super::requests::fetch;

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
const GREATEST_TIME: i64 = -3;
const HIGH_WATERMARK: i64 = -1;

fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_owned()))
}

fn creation(topic: &str, settings: &[(&str, &str)]) -> CreateTopicsRequest {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let config = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(config).collect());
    CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000)
}

fn production(topic: &str, time: i64, values: &[&str]) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch(time, values)));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic])
}

fn deletion(topic: &str, offsets: &[(i32, i64)]) -> DeleteRecordsRequest {
    let partition = |(index, offset): &(i32, i64)| {
        DeleteRecordsPartition::default().with_partition_index(*index).with_offset(*offset)
    };
    let topic = DeleteRecordsTopic::default()
        .with_name(name(topic))
        .with_partitions(offsets.iter().map(partition).collect());
    DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000)
}

fn question(topic: &str, timestamp: i64) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

/// (partition, error, low watermark) of each partition, as they come.
fn answers(reply: &DeleteRecordsResponse) -> Vec<(i32, i16, i64)> {
    let all = reply.topics.iter().flat_map(|topic| &topic.partitions);
    all.map(|p| (p.partition_index, p.error_code, p.low_watermark)).collect()
}

fn create(client: &mut Client, topic: &str, settings: &[(&str, &str)]) {
    let reply = client.call(7, &creation(topic, settings));
    assert_eq!(reply.topics[0].error_code, 0, "{reply:?}");
}

fn produce(client: &mut Client, topic: &str, time: i64, values: &[&str]) {
    let reply = client.call(9, &production(topic, time, values));
    assert_eq!(reply.responses[0].partition_responses[0].error_code, 0, "{reply:?}");
}

fn offset(client: &mut Client, topic: &str, timestamp: i64) -> (i16, i64, i64) {
    let reply = client.call(7, &question(topic, timestamp));
    let found = &reply.topics[0].partitions[0];
    (found.error_code, found.offset, found.timestamp)
}

#[test]
fn records_are_deleted_in_every_version() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let failed = |error: ErrorCode| (0, error.code(), -1);
    for version in 0..=2 {
        let topic = &*format!("t{version}");
        create(&mut client, topic, &[]);
        (0..5).for_each(|i| produce(&mut client, topic, 1000 + 10 * i, &["a", "b"]));
        let mut delete =
            |topic: &str, offset| answers(&client.call(version, &deletion(topic, &[(0, offset)])));
        assert_eq!(delete(topic, 0), [(0, 0, 0)]);
        assert_eq!(delete(topic, 3), [(0, 0, 3)]);
        assert_eq!(delete(topic, 2), [(0, 0, 3)], "a lower one is no news");
        assert_eq!(delete(topic, 11), [failed(ErrorCode::OffsetOutOfRange)]);
        assert_eq!(delete(topic, -2), [failed(ErrorCode::OffsetOutOfRange)]);
        assert_eq!(delete("nobody's", 0), [failed(ErrorCode::UnknownTopicOrPartition)]);
        assert_eq!(offset(&mut client, topic, EARLIEST), (0, 3, -1));
        for (from, expected) in [(2, ErrorCode::OffsetOutOfRange.code()), (3, 0), (10, 0)] {
            let reply = client.call(12, &fetch(name(topic), &[(0, from)], 0, 1 << 20));
            let found = &reply.responses[0].partitions[0];
            assert_eq!(found.error_code, expected, "from {from}");
            if expected == 0 {
                assert_eq!((found.log_start_offset, found.high_watermark), (3, 10));
            }
        }
        // Named twice, the last counts; a partition that is not there says so.
        let reply = client.call(version, &deletion(topic, &[(0, 10), (7, 0), (0, 4)]));
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(answers(&reply), [(0, 0, 4), (7, unknown, -1)]);
        let reply = client.call(version, &deletion(topic, &[(0, HIGH_WATERMARK)]));
        assert_eq!(answers(&reply), [(0, 0, 10)]);
        assert_eq!(offset(&mut client, topic, EARLIEST), (0, 10, -1));
        assert_eq!(offset(&mut client, topic, LATEST), (0, 10, -1));
        assert_eq!(offset(&mut client, topic, 0), (0, -1, -1), "no record is left");
    }
}

#[test]
fn what_is_compacted_is_deleted_from_only_if_it_is_to_be_deleted_too() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let refused = ErrorCode::PolicyViolation.code();
    for (policy, expected) in [("compact", (0, refused, -1)), ("compact,delete", (0, 0, 0)), ("", (0, 0, 0))]
    {
        let topic = format!("t{}", policy.len());
        create(&mut client, &topic, &[("cleanup.policy", policy)]);
        let reply = client.call(2, &deletion(&topic, &[(0, HIGH_WATERMARK)]));
        assert_eq!(answers(&reply), [expected], "{policy:?}");
    }
}

#[test]
fn the_greatest_time_is_one_that_can_be_read() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t", &[]);
    produce(&mut client, "t", 5000, &["a", "b"]);
    produce(&mut client, "t", 1000, &["c", "d"]);
    produce(&mut client, "t", 1001, &["e"]);
    assert_eq!(offset(&mut client, "t", GREATEST_TIME), (0, 1, 5001));
    client.call(2, &deletion("t", &[(0, 1)]));
    assert_eq!(offset(&mut client, "t", GREATEST_TIME), (0, 1, 5001));
    client.call(2, &deletion("t", &[(0, 2)]));
    assert_eq!(offset(&mut client, "t", GREATEST_TIME), (0, 3, 1001), "the first of those that have it");
    assert_eq!(offset(&mut client, "t", 0), (0, 2, 1000));
    client.call(2, &deletion("t", &[(0, 3)]));
    assert_eq!(offset(&mut client, "t", 1000), (0, 3, 1001));
}

#[test]
fn a_question_that_the_version_lacks_is_refused_before_anybody_looks_for_the_topic() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let mut ask = |version, timestamp| {
        let reply = client.call(version, &question("nobody's", timestamp));
        reply.topics[0].partitions[0].error_code
    };
    assert_eq!(ask(6, GREATEST_TIME), ErrorCode::UnsupportedVersion.code());
    assert_eq!(ask(7, GREATEST_TIME), ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(ask(11, -7), ErrorCode::UnsupportedVersion.code());
}

/// Asks until the answer is the one that is to come.
#[expect(clippy::disallowed_methods, reason = "retention of a real broker, in real time")]
fn until(mut is_so: impl FnMut() -> bool, what: &str) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[expect(clippy::disallowed_methods, reason = "a look at what the broker has on the disk")]
fn segment_files(dir: &TestDir, topic: &str) -> Vec<String> {
    let names = std::fs::read_dir(dir.path().join(format!("{topic}-0"))).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut segments: Vec<String> = names.filter(|name| name.contains(".log")).collect();
    segments.sort();
    segments
}

#[test]
fn retention_empties_what_is_too_old_and_removes_its_files() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["log.retention.check.interval.ms=50"]);
    let mut client = broker.client();
    for durability in ["durable", "relaxed"] {
        let settings = [("durability", durability), ("retention.ms", "60000"), ("file.delete.delay.ms", "0")];
        create(&mut client, durability, &settings);
        create(
            &mut client,
            &format!("kept-{durability}"),
            &[("durability", durability), ("retention.ms", "-1")],
        );
        for topic in [durability, &*format!("kept-{durability}")] {
            (0..3).for_each(|_| produce(&mut client, topic, 1000, &["a", "b"]));
        }
    }
    for durability in ["durable", "relaxed"] {
        until(|| offset(&mut client, durability, EARLIEST).1 == 6, "old records are not removed");
        let empty = ["00000000000000000006.log"];
        until(|| segment_files(&dir, durability) == empty, "their files are not removed");
        produce(&mut client, durability, 1000, &["c"]);
        assert_eq!(offset(&mut client, durability, LATEST).1, 7);
        assert_eq!(offset(&mut client, &format!("kept-{durability}"), EARLIEST).1, 0);
    }
}

#[test]
fn a_killed_broker_does_not_bring_back_what_was_deleted() {
    let home = Home::new("deletion-kill");
    let mut spec = Spec::new(&home, &["log.dir.min.free.bytes=0"]);
    let mut process = Process::start(&spec);
    spec.port = process.port;
    const TOPICS: [&str; 2] = ["durable", "relaxed"];
    TOPICS.iter().for_each(|topic| process.client().create(topic, 1, ("durability", topic)));
    for round in 0..4 {
        let mut client = process.client();
        for topic in TOPICS {
            let reply = client.call(9, &production(topic, 1000, &["a", "b", "c"]));
            assert_eq!(reply.responses[0].partition_responses[0].error_code, 0, "{reply:?}");
            let to = 3 * round + 2;
            assert_eq!(answers(&client.call(2, &deletion(topic, &[(0, to)]))), [(0, 0, to)]);
        }
        process.kill();
        process = Process::start(&spec);
        for topic in TOPICS {
            let found = |timestamp| {
                let reply = process.client().call(7, &question(topic, timestamp));
                reply.topics[0].partitions[0].offset
            };
            assert_eq!((found(EARLIEST), found(LATEST)), (3 * round + 2, 3 * round + 3), "{topic}");
        }
    }
    let (status, _) = process.terminate();
    assert!(status.success(), "{status}");
}
