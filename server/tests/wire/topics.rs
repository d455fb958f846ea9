//! Topics for tests that read: made, written to, deleted.

use protocol_compat::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol_compat::messages::delete_topics_request::DeleteTopicState;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::harness::Client;

pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) id: Uuid,
}

pub(crate) fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_owned()))
}

pub(crate) fn create(client: &mut Client, topic: &str, partitions: i32) -> Topic {
    create_with(client, topic, partitions, &[])
}

pub(crate) fn create_with(
    client: &mut Client,
    topic: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Topic {
    let setting = |(name, value): &(&str, &str)| {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let wanted = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(5000);
    let reply = client.call(7, &request);
    assert_eq!(reply.topics[0].error_code, 0, "{:?}", reply.topics[0].error_message);
    Topic { name: topic.to_owned().leak(), id: reply.topics[0].topic_id }
}

pub(crate) fn delete(client: &mut Client, topic: &Topic) {
    let gone = DeleteTopicState::default().with_name(Some(name(topic.name)));
    let reply = client.call(6, &DeleteTopicsRequest::default().with_topics(vec![gone]).with_timeout_ms(5000));
    assert_eq!(reply.responses[0].error_code, 0);
}

/// Gives the batch's base offset.
pub(crate) fn produce(client: &mut Client, topic: &Topic, partition: i32, records: bytes::Bytes) -> i64 {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let data = TopicProduceData::default().with_name(name(topic.name)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![data]);
    let reply = client.call(9, &request);
    let partition = &reply.responses[0].partition_responses[0];
    assert_eq!(partition.error_code, 0);
    partition.base_offset
}
