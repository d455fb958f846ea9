//! How long a fetch waits, and for what: Kafka's rules of the delayed fetch, and who is refused in what words.
#![expect(clippy::disallowed_methods, reason = "how long a fetch waits is told by the machine's clock")]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use protocol_compat::ErrorCode;
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::fetch_response::PartitionData;
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir, batch};
use super::requests;
use super::topics::{Topic, create, create_with, name, produce};

/// Nothing that a test waits for takes so long; what lasts this long waited for its whole time.
const FOR_EVER_MS: i32 = 15_000;
/// Long enough for what should come at once to come, and short enough to wait for.
const A_WHILE_MS: i32 = 300;

fn fetch(topic: &Topic, from: &[(i32, i64)], wait_ms: i32) -> FetchRequest {
    requests::fetch(name(topic.name), from, wait_ms, 1 << 20)
}

fn only(reply: &FetchResponse) -> &PartitionData {
    &reply.responses[0].partitions[0]
}

fn bytes_of(partition: &PartitionData) -> usize {
    partition.records.as_ref().map_or(0, |records| records.len())
}

/// The reply, and whether it came before its time was up.
fn timed(client: &mut Client, version: i16, request: &FetchRequest) -> (FetchResponse, bool) {
    let begun = Instant::now();
    let reply = client.call(version, request);
    let waited = begun.elapsed() >= Duration::from_millis(request.max_wait_ms as u64);
    (reply, !waited)
}

#[test]
fn a_fetch_waits_for_its_least_bytes() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create(&mut client, "t", 2);
    let bytes = batch(1, &["a"]).len();
    let wanted = fetch(&topic, &[(0, 0), (1, 0)], FOR_EVER_MS).with_min_bytes(3 * bytes as i32);
    let mut reader = broker.client();
    let (sender, receiver) = mpsc::channel();
    let reading = std::thread::spawn(move || sender.send(timed(&mut reader, 12, &wanted)).unwrap());
    produce(&mut client, &topic, 0, batch(1, &["a"]));
    produce(&mut client, &topic, 1, batch(1, &["a"]));
    let too_early = receiver.recv_timeout(Duration::from_millis(A_WHILE_MS as u64));
    assert!(too_early.is_err(), "two thirds are not enough");
    produce(&mut client, &topic, 1, batch(1, &["a"]));
    let (reply, in_time) = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(in_time);
    let all: usize = reply.responses[0].partitions.iter().map(bytes_of).sum();
    assert_eq!(all, 3 * bytes);
    reading.join().unwrap();

    // More than the most is never waited for.
    let wanted = fetch(&topic, &[(0, 0)], FOR_EVER_MS).with_min_bytes(i32::MAX).with_max_bytes(bytes as i32);
    assert!(timed(&mut client, 12, &wanted).1);
}

/// Of each partition counts what may be read of it: what comes beyond that is no reason to answer.
#[test]
fn a_partition_counts_only_as_far_as_it_may_be_read() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create(&mut client, "t", 1);
    let wanted = requests::fetch(name(topic.name), &[(0, 0)], A_WHILE_MS, 10).with_min_bytes(50);
    let mut reader = broker.client();
    let (sender, receiver) = mpsc::channel();
    let reading = std::thread::spawn(move || sender.send(timed(&mut reader, 12, &wanted)).unwrap());
    std::thread::park_timeout(Duration::from_millis(A_WHILE_MS as u64 / 3));
    produce(&mut client, &topic, 0, batch(1, &["x".repeat(1000).as_str()]));
    let (reply, _) = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(bytes_of(only(&reply)) > 1000, "the first batch is whole, whatever the limits");
    reading.join().unwrap();
}

/// A read ends with its segment: who stands in an older one is answered, however little is left of it.
#[test]
fn the_rest_of_an_older_segment_is_not_waited_for() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create_with(&mut client, "t", 1, &[("segment.bytes", "1048576")]);
    let large = "x".repeat(400_000);
    for _ in 0..4 {
        produce(&mut client, &topic, 0, batch(1, &[large.as_str()]));
    }
    let wanted = fetch(&topic, &[(0, 1)], FOR_EVER_MS).with_min_bytes(1_000_000);
    let (reply, in_time) = timed(&mut client, 12, &wanted);
    assert!(in_time && bytes_of(only(&reply)) > 400_000 && bytes_of(only(&reply)) < 1_000_000);
}

#[test]
fn errors_in_reading_are_told_at_once_and_unknown_partitions_with_the_rest() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create(&mut client, "t", 2);
    let (reply, in_time) = timed(&mut client, 12, &fetch(&topic, &[(0, 0), (1, 9)], FOR_EVER_MS));
    assert!(in_time);
    let codes: Vec<_> = reply.responses[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [0, ErrorCode::OffsetOutOfRange.code()]);

    let (reply, in_time) = timed(&mut client, 12, &fetch(&topic, &[(7, 0)], FOR_EVER_MS));
    assert!(in_time, "there is nothing to wait for");
    assert_eq!(only(&reply).error_code, ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(only(&reply).aborted_transactions, Some(Vec::new()));

    let (reply, in_time) = timed(&mut client, 12, &fetch(&topic, &[(7, 0), (0, 0)], A_WHILE_MS));
    assert!(!in_time, "the other one may still have something");
    let order: Vec<_> =
        reply.responses[0].partitions.iter().map(|p| (p.partition_index, p.error_code)).collect();
    assert_eq!(order, [(0, 0), (7, ErrorCode::UnknownTopicOrPartition.code())]);
}

#[test]
fn limits_are_kept_and_the_first_batch_is_whole() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create(&mut client, "t", 3);
    let bytes = batch(1, &["a"]).len();
    for partition in 1..3 {
        produce(&mut client, &topic, partition, batch(1, &["a"]));
    }
    let all = &[(0, 0), (1, 0), (2, 0)];
    let mut given = |request: &FetchRequest| -> Vec<usize> {
        client.call(12, request).responses[0].partitions.iter().map(bytes_of).collect()
    };
    assert_eq!(given(&fetch(&topic, all, 0).with_max_bytes(0)), [0, bytes, 0], "one, where there is one");
    assert_eq!(given(&fetch(&topic, all, 0).with_max_bytes(2 * bytes as i32)), [0, bytes, bytes]);
    assert_eq!(given(&requests::fetch(name("t"), all, 0, 1)), [0, bytes, 0]);
    let negative = client.call(12, &requests::fetch(name("t"), all, 0, -1));
    let codes: Vec<_> = negative.responses[0].partitions.iter().map(|p| p.error_code).collect();
    let offended = ErrorCode::UnknownServerError.code();
    assert_eq!(codes, [0, offended, offended], "where there is something to read");
}

#[test]
fn who_is_refused_is_told_why() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create(&mut client, "t", 1);
    let zstd = create_with(&mut client, "z", 1, &[("compression.type", "zstd")]);
    for (version, code) in [(9, ErrorCode::UnsupportedCompressionType.code()), (10, 0)] {
        assert_eq!(only(&client.call(version, &fetch(&zstd, &[(0, 0)], 0))).error_code, code);
    }
    let follower = |epoch| {
        let mut request = fetch(&topic, &[(0, 0)], 0).with_replica_id(BrokerId(2));
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        request
    };
    let told = |reply: FetchResponse| only(&reply).error_code;
    assert_eq!(told(client.call(12, &follower(-1))), ErrorCode::NotLeaderOrFollower.code());
    assert_eq!(told(client.call(12, &follower(0))), ErrorCode::UnknownLeaderEpoch.code());
    assert_eq!(told(client.call(12, &follower(5))), ErrorCode::UnknownLeaderEpoch.code());
    let isolated = client.call(12, &fetch(&topic, &[(0, 0)], 0).with_isolation_level(2));
    let offended = ErrorCode::UnknownServerError.code();
    assert_eq!((isolated.error_code, told(isolated)), (offended, offended));
}

/// KIP-951: who asks with the epoch of an earlier leader is told the leader's own, and where it is, from version 16.
#[test]
fn a_fenced_reader_learns_of_the_leader() {
    let dir = TestDir::new();
    let id = {
        let broker = Broker::start(&dir, &[]);
        create(&mut broker.client(), "t", 1).id
    };
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    for version in [15, 16, 18] {
        let partition = FetchPartition::default().with_current_leader_epoch(0).with_partition_max_bytes(1);
        let topic = FetchTopic::default().with_topic_id(id).with_partitions(vec![partition]);
        let request = FetchRequest::default().with_session_epoch(-1).with_topics(vec![topic]);
        let reply = client.call(version, &request);
        let told = only(&reply);
        assert_eq!(told.error_code, ErrorCode::FencedLeaderEpoch.code());
        let endpoints: Vec<_> = reply.node_endpoints.iter().map(|e| (e.node_id.0, e.port)).collect();
        let leader = (told.current_leader.leader_id.0, told.current_leader.leader_epoch);
        if version >= 16 {
            assert_eq!((leader, endpoints), ((1, 1), vec![(1, i32::from(broker.port()))]));
        } else {
            assert_eq!((leader, endpoints), ((-1, -1), Vec::new()));
        }
    }
}
