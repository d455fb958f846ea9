//! Leader epochs: by them a client notices that a broker began anew, and what that cost (KIP-320).

use protocol_compat::ErrorCode;
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::fetch_response::PartitionData;
use protocol_compat::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir, batch};

const NONE: (i16, i32, i64) = (0, -1, -1);

fn topic_t() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}

fn failed(error: ErrorCode) -> (i16, i32, i64) {
    (error.code(), -1, -1)
}

fn produce(client: &mut Client, time: i64, values: &[&str]) {
    let data = PartitionProduceData::default().with_records(Some(batch(time, values)));
    let topic = TopicProduceData::default().with_name(topic_t()).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic]);
    assert_eq!(client.call(9, &request).responses[0].partition_responses[0].error_code, 0);
}

fn metadata_epochs(client: &mut Client) -> Vec<i32> {
    let ask = MetadataRequestTopic::default().with_name(Some(topic_t()));
    let request =
        MetadataRequest::default().with_topics(Some(vec![ask])).with_allow_auto_topic_creation(true);
    client.call(12, &request).topics[0].partitions.iter().map(|p| p.leader_epoch).collect()
}

/// Three lives of a broker: two records in epoch 0, none in epoch 1, one in epoch 2.
fn third_life(dir: &TestDir) -> Broker {
    for life in 0..3 {
        let broker = Broker::start(dir, &[]);
        let mut client = broker.client();
        assert_eq!(metadata_epochs(&mut client), [life]);
        match life {
            0 => produce(&mut client, 1000, &["a", "b"]),
            1 => {}
            _ => {
                produce(&mut client, 2000, &["c"]);
                return broker;
            }
        }
    }
    unreachable!("the third life is served")
}

/// (error, epoch, end) of an answer about one partition.
fn epoch_end(
    client: &mut Client,
    version: i16,
    asked: OffsetForLeaderPartition,
    topic: &str,
) -> (i16, i32, i64) {
    epoch_end_as(-1, client, version, asked, topic)
}

/// The same question of a consumer (-1), a tool (-2), or somebody who calls itself a replica.
fn epoch_end_as(
    replica: i32,
    client: &mut Client,
    version: i16,
    asked: OffsetForLeaderPartition,
    topic: &str,
) -> (i16, i32, i64) {
    let topic = OffsetForLeaderTopic::default()
        .with_topic(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partitions(vec![asked.clone()]);
    let mut request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
    if version >= 3 {
        request.replica_id = BrokerId(replica);
    }
    let reply = client.call(version, &request);
    let found = &reply.topics[0].partitions[0];
    assert_eq!(found.partition, asked.partition);
    (found.error_code, found.leader_epoch, found.end_offset)
}

#[test]
fn where_an_epoch_ends_in_every_version() {
    let dir = TestDir::new();
    let broker = third_life(&dir);
    let mut client = broker.client();
    let of = |epoch| OffsetForLeaderPartition::default().with_leader_epoch(epoch);
    for version in 2..=4 {
        let mut ask = |asked| epoch_end(&mut client, version, asked, "t");
        assert_eq!(ask(of(0)), (0, 0, 2), "it ends where the next with records begins");
        assert_eq!(ask(of(1)), (0, 0, 2), "one without records is as the one before");
        assert_eq!(ask(of(2)), (0, 2, 3), "the newest ends with the log");
        assert_eq!(ask(of(3)), NONE, "nobody has heard of it");
        assert_eq!(ask(of(-1)), NONE);
        assert_eq!(ask(of(0).with_current_leader_epoch(2)), (0, 0, 2));
        assert_eq!(ask(of(0).with_current_leader_epoch(1)), failed(ErrorCode::FencedLeaderEpoch));
        assert_eq!(ask(of(0).with_current_leader_epoch(3)), failed(ErrorCode::UnknownLeaderEpoch));
        assert_eq!(ask(of(0).with_partition(1)), failed(ErrorCode::UnknownTopicOrPartition));
        for replica in [-2, 1, 7] {
            let answer = epoch_end_as(replica, &mut client, version, of(0), "t");
            assert_eq!(answer, (0, 0, 2), "who asks as {replica} is answered alike");
        }
        let unknown = epoch_end(&mut client, version, of(0), "nowhere");
        assert_eq!(unknown, failed(ErrorCode::UnknownTopicOrPartition));
    }
}

fn fetch(client: &mut Client, version: i16, asked: FetchPartition, topic_id: Uuid) -> PartitionData {
    let mut topic = FetchTopic::default().with_partitions(vec![asked.with_partition_max_bytes(1 << 20)]);
    if version >= 13 {
        topic.topic_id = topic_id;
    } else {
        topic.topic = topic_t();
    }
    let mut request =
        FetchRequest::default().with_max_bytes(1 << 20).with_session_epoch(-1).with_topics(vec![topic]);
    if version < 15 {
        request.replica_id = BrokerId(-1);
    }
    client.call(version, &request).responses.remove(0).partitions.remove(0)
}

#[test]
fn a_fetch_is_held_against_the_epochs() {
    let dir = TestDir::new();
    let broker = third_life(&dir);
    let mut client = broker.client();
    let ask = MetadataRequestTopic::default().with_name(Some(topic_t()));
    let id = client.call(12, &MetadataRequest::default().with_topics(Some(vec![ask]))).topics[0].topic_id;
    let at = |offset| FetchPartition::default().with_fetch_offset(offset);
    for version in 9..=18 {
        let mut code = |asked| fetch(&mut client, version, asked, id).error_code;
        assert_eq!(code(at(0).with_current_leader_epoch(2)), 0);
        assert_eq!(code(at(0).with_current_leader_epoch(1)), ErrorCode::FencedLeaderEpoch.code());
        assert_eq!(code(at(0).with_current_leader_epoch(3)), ErrorCode::UnknownLeaderEpoch.code());
    }
    for version in 12..=18 {
        let mut parted = |asked| {
            let found = fetch(&mut client, version, asked, id);
            let records = found.records.as_ref().map_or(0, |records| records.len());
            assert!(found.diverging_epoch.epoch == -1 || records == 0, "no records of another history");
            (found.error_code, found.diverging_epoch.epoch, found.diverging_epoch.end_offset)
        };
        assert_eq!(parted(at(2).with_last_fetched_epoch(0)), NONE, "the same history so far");
        assert_eq!(parted(at(3).with_last_fetched_epoch(2)), NONE);
        assert_eq!(parted(at(3).with_last_fetched_epoch(0)), (0, 0, 2), "a record of epoch 0 that is gone");
        assert_eq!(parted(at(2).with_last_fetched_epoch(1)), (0, 0, 2), "records of an epoch that left none");
        assert_eq!(parted(at(2).with_last_fetched_epoch(3)), failed(ErrorCode::OffsetOutOfRange));
        assert_eq!(parted(at(-5).with_last_fetched_epoch(0)), failed(ErrorCode::OffsetOutOfRange));
        let fenced = at(3).with_last_fetched_epoch(0).with_current_leader_epoch(1);
        assert_eq!(parted(fenced), failed(ErrorCode::FencedLeaderEpoch), "first of all, who leads");
    }
}

#[test]
fn offsets_are_listed_with_their_epochs() {
    let dir = TestDir::new();
    let broker = third_life(&dir);
    let mut client = broker.client();
    for version in 4..=11 {
        let mut ask = |timestamp, current| {
            let partition =
                ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(current);
            let topic = ListOffsetsTopic::default().with_name(topic_t()).with_partitions(vec![partition]);
            let request =
                ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
            let found = client.call(version, &request).topics.remove(0).partitions.remove(0);
            (found.error_code, found.leader_epoch, found.offset)
        };
        assert_eq!(ask(-1, 2), (0, 2, 3), "latest");
        assert_eq!(ask(-2, -1), (0, 0, 0), "earliest");
        assert_eq!(ask(1001, -1), (0, 0, 1));
        assert_eq!(ask(1500, -1), (0, 2, 2));
        assert_eq!(ask(-1, 1), failed(ErrorCode::FencedLeaderEpoch));
        assert_eq!(ask(-1, 3), failed(ErrorCode::UnknownLeaderEpoch));
    }
}

/// A log may have seen more leaders than this broker had starts, if it came from elsewhere. Clients are told the epoch
/// that they are held against, or they would ask for ever.
#[test]
#[expect(clippy::disallowed_methods, reason = "a file as another broker would have left it")]
fn metadata_tells_the_epoch_of_the_log_itself() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["num.partitions=2"]);
    assert_eq!(metadata_epochs(&mut broker.client()), [0, 0]);
    produce(&mut broker.client(), 1, &["a"]);
    drop(broker);
    std::fs::write(dir.path().join("t-0/leader-epoch-checkpoint"), "0\n1\n40 0\n").unwrap();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    assert_eq!(metadata_epochs(&mut client), [41, 1], "above the last one of the log");
    let current = FetchPartition::default().with_current_leader_epoch(41);
    assert_eq!(fetch(&mut client, 12, current, Uuid::nil()).error_code, 0);
}
