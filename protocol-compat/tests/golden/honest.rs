//! Large requests as honest clients write them: the guard must let them by.

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::Request;
use protocol_compat::guard::{Limits, check_body};
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;
use std::ops::RangeInclusive;

/// Encodes a request in each version and has the guard walk it.
fn passes<R: Request>(versions: RangeInclusive<i16>, request: impl Fn(i16) -> R) {
    for version in versions {
        let mut body = BytesMut::new();
        request(version).encode(&mut body, version).unwrap();
        let checked = check_body(R::KEY, version, &body, &Limits::default());
        let footprint = checked.unwrap_or_else(|e| panic!("{} {version}: {e}", std::any::type_name::<R>()));
        assert_eq!(footprint.wire_bytes, body.len());
    }
}

fn topic(number: usize) -> TopicName {
    TopicName(StrBytes::from_string(format!("t{number:02}")))
}

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

#[test]
fn a_fetch_of_ten_thousand_partitions() {
    for per_topic in [1, 100, 10_000] {
        passes(4..=18, |version| {
            let partitions =
                (0..per_topic).map(|i| FetchPartition::default().with_partition(i)).collect::<Vec<_>>();
            let topics = (0..10_000 / per_topic as usize).map(|i| {
                let fetch = FetchTopic::default().with_partitions(partitions.clone());
                if version >= 13 { fetch.with_topic_id(id(i)) } else { fetch.with_topic(topic(i)) }
            });
            FetchRequest::default().with_topics(topics.collect())
        });
    }
}

#[test]
fn a_produce_to_a_thousand_partitions() {
    for (per_topic, records) in [(1, 70), (1, 10_000), (1000, 70)] {
        passes(3..=13, |version| {
            let records = Bytes::from(vec![0; records]);
            let partition =
                |i| PartitionProduceData::default().with_index(i).with_records(Some(records.clone()));
            let topics = (0..1000 / per_topic as usize).map(|i| {
                let data =
                    TopicProduceData::default().with_partition_data((0..per_topic).map(partition).collect());
                if version >= 13 { data.with_topic_id(id(i)) } else { data.with_name(topic(i)) }
            });
            ProduceRequest::default().with_topic_data(topics.collect())
        });
    }
}

#[test]
fn an_offset_commit_of_ten_thousand_partitions() {
    for per_topic in [1, 10_000] {
        passes(2..=9, |_| {
            let partition = |i| OffsetCommitRequestPartition::default().with_partition_index(i);
            let partitions: Vec<_> = (0..per_topic).map(partition).collect();
            let topics = (0..10_000 / per_topic as usize).map(|i| {
                OffsetCommitRequestTopic::default().with_name(topic(i)).with_partitions(partitions.clone())
            });
            OffsetCommitRequest::default().with_topics(topics.collect())
        });
    }
}

#[test]
fn metadata_for_ten_thousand_topics_with_short_names() {
    passes(0..=13, |_| {
        let topics = (0..10_000).map(|i| MetadataRequestTopic::default().with_name(Some(topic(i))));
        MetadataRequest::default().with_topics(Some(topics.collect()))
    });
}
