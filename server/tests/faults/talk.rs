//! The few requests that the faults are watched with, each on one partition.

use bytes::Bytes;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::{DeleteTopicsRequest, ProduceRequest};
use storage::BatchBuilder;

use crate::process::{Client, topic_name};
use crate::requests;

pub(crate) fn batch(value: &[u8]) -> Bytes {
    BatchBuilder::new(1_700_000_000_000).push(None, Some(value), &[]).build()
}

/// The error code and the base offset of one produced record.
pub(crate) fn produce(client: &mut Client, topic: &str, partition: i32, value: &[u8]) -> (i16, i64) {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch(value)));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(20_000);
    let reply = client.call(9, &request.with_topic_data(vec![topic]));
    let answer = &reply.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

/// The error code and the bytes at an offset of partition 0.
pub(crate) fn fetch(client: &mut Client, topic: &str, offset: i64) -> (i16, Bytes) {
    let request = requests::fetch(topic_name(topic), &[(0, offset)], 0, 4 << 20);
    let mut reply = client.call(12, &request);
    let partition = reply.responses.remove(0).partitions.remove(0);
    (partition.error_code, partition.records.unwrap_or_default())
}

pub(crate) fn delete(client: &mut Client, topic: &str) {
    let request = DeleteTopicsRequest::default().with_topic_names(vec![topic_name(topic)]);
    let reply = client.call(5, &request.with_timeout_ms(20_000));
    assert_eq!(reply.responses[0].error_code, 0, "deleting a topic");
}
