//! Whole and honest request frames of the APIs that the broker serves: what the hostile ones are made from. Those of
//! Kafka's own serialisers for every API and version that the broker says it serves, and for the APIs that do most, frames
//! that speak of a topic that is there.

#[path = "../golden/frames.rs"]
mod golden;

use crate::harness::wire::Connection;
use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// The topic that hostile frames speak of; the honest client uses another one.
const TOPIC: &str = "hostile";

/// Length, header and body of a request, or nothing when this version cannot say what `message` says.
pub(crate) fn frame<M: Request>(message: &M, version: i16, correlation: i32) -> Option<Vec<u8>> {
    let mut bytes = BytesMut::zeroed(4);
    let header = RequestHeader::default()
        .with_request_api_key(M::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str("sockets")));
    header.encode(&mut bytes, M::header_version(version)).ok()?;
    message.encode(&mut bytes, version).ok()?;
    let length = i32::try_from(bytes.len() - 4).expect("a request of the tests is small");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Some(bytes.to_vec())
}

/// One uncompressed batch.
pub(crate) fn batch(values: &[&[u8]], producer_id: i64) -> Bytes {
    let record = |(i, value): (usize, &&[u8])| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch: if producer_id < 0 { -1 } else { 0 },
        timestamp_type: TimestampType::Creation,
        offset: i as i64,
        sequence: if producer_id < 0 { -1 } else { i as i32 },
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(Bytes::copy_from_slice(value)),
        headers: IndexMap::from([(StrBytes::from_static_str("h"), Some(Bytes::from_static(b"v")))]),
    };
    let records: Vec<Record> = values.iter().enumerate().map(record).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, records.iter(), &options).expect("plain records encode");
    bytes.freeze()
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// The samples for the broker at this address: an API takes part as soon as it is served.
pub(crate) fn served_by(address: &str) -> Result<Vec<Vec<u8>>> {
    const CORRELATION: i32 = 5;
    let question =
        frame(&ApiVersionsRequest::default(), 0, CORRELATION).context("ApiVersions has a version 0")?;
    let mut reply = Bytes::from(Connection::open(address, Duration::from_secs(10))?.ask(&question)?);
    drop(reply.split_to(4));
    let served = ApiVersionsResponse::decode(&mut reply, 0)?.api_keys;
    let is_served = |of: &golden::Golden| {
        served
            .iter()
            .any(|api| api.api_key == of.key && (api.min_version..=api.max_version).contains(&of.version))
    };
    let framed = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
    let golden = golden::all().into_iter().filter(|golden| golden.is_request && is_served(golden));
    let mut all: Vec<Vec<u8>> = golden.map(|golden| framed(&golden.bytes)).collect();
    let keys: BTreeSet<[u8; 2]> = all.iter().map(|frame| [frame[4], frame[5]]).collect();
    ensure!(keys.len() == served.len(), "{} of {} APIs have golden frames", keys.len(), served.len());
    all.extend(samples());
    Ok(all)
}

/// The samples of our own. Names serve the older versions and ids the newer ones, so each message comes in both forms.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let software =
        |name| ApiVersionsRequest::default().with_client_software_name(StrBytes::from_static_str(name));
    every_version(&mut all, &[ApiVersionsRequest::default(), software("suite")]);
    every_version(&mut all, &metadata());
    every_version(&mut all, &produce());
    every_version(&mut all, &fetch());
    every_version(&mut all, &list_offsets());
    every_version(&mut all, &create_topics());
    every_version(&mut all, &delete_topics());
    every_version(&mut all, &[InitProducerIdRequest::default().with_transaction_timeout_ms(60_000)]);
    every_version(&mut all, &[offset_for_leader_epoch()]);
    every_version(&mut all, &[DescribeClusterRequest::default()]);
    every_version(
        &mut all,
        &[FindCoordinatorRequest::default().with_key(StrBytes::from_static_str("group"))],
    );
    all
}

fn every_version<M: Request + std::fmt::Debug>(all: &mut Vec<Vec<u8>>, messages: &[M]) {
    for message in messages {
        let before = all.len();
        all.extend((M::VERSIONS.min..=M::VERSIONS.max).filter_map(|version| frame(message, version, 1)));
        assert!(all.len() > before, "no version of API {} can say {message:?}", M::KEY);
    }
}

fn metadata() -> [MetadataRequest; 2] {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(TOPIC)));
    [
        MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(true),
        MetadataRequest::default().with_topics(None),
    ]
}

fn produce() -> [ProduceRequest; 3] {
    let data = |acks, topic: TopicProduceData| {
        let partition =
            PartitionProduceData::default().with_records(Some(batch(&[b"one", &[b'x'; 200]], -1)));
        let topic = topic.with_partition_data(vec![partition.clone(), partition.with_index(1)]);
        ProduceRequest::default().with_acks(acks).with_timeout_ms(1_000).with_topic_data(vec![topic])
    };
    let named = TopicProduceData::default().with_name(topic_name(TOPIC));
    let by_id = TopicProduceData::default().with_topic_id(Uuid::from_u128(1));
    [data(-1, named.clone()), data(0, named), data(1, by_id)]
}

fn fetch() -> [FetchRequest; 2] {
    let partitions = vec![FetchPartition::default().with_partition_max_bytes(1 << 20)];
    let of = |topic: FetchTopic, forgotten: ForgottenTopic| {
        FetchRequest::default()
            .with_max_wait_ms(5)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_topics(vec![topic.with_partitions(partitions.clone())])
            .with_forgotten_topics_data(vec![forgotten.with_partitions(vec![3])])
    };
    let named = FetchTopic::default().with_topic(topic_name(TOPIC));
    let by_id = FetchTopic::default().with_topic_id(Uuid::from_u128(1));
    [
        of(named, ForgottenTopic::default().with_topic(topic_name(TOPIC))),
        of(by_id, ForgottenTopic::default().with_topic_id(Uuid::from_u128(2))),
    ]
}

fn list_offsets() -> [ListOffsetsRequest; 2] {
    let of = |timestamp| {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_name(topic_name(TOPIC)).with_partitions(vec![partition]);
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
    };
    [of(-1), of(1_700_000_000_000)]
}

fn offset_for_leader_epoch() -> OffsetForLeaderEpochRequest {
    let partition = OffsetForLeaderPartition::default().with_leader_epoch(1);
    let topic =
        OffsetForLeaderTopic::default().with_topic(topic_name(TOPIC)).with_partitions(vec![partition]);
    OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
}

fn create_topics() -> [CreateTopicsRequest; 1] {
    let config = CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str("retention.ms"))
        .with_value(Some(StrBytes::from_static_str("1000")));
    let topic = CreatableTopic::default()
        .with_name(topic_name(TOPIC))
        .with_num_partitions(2)
        .with_replication_factor(1)
        .with_configs(vec![config]);
    [CreateTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![topic])]
}

fn delete_topics() -> [DeleteTopicsRequest; 2] {
    let state = DeleteTopicState::default().with_name(Some(topic_name("nobody-has-this")));
    [
        DeleteTopicsRequest::default()
            .with_topic_names(vec![topic_name("nobody-has-this")])
            .with_timeout_ms(1_000),
        DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(1_000),
    ]
}
