//! The table's sizes in memory against the codec's types, for the APIs that Ottla serves. The rest is seen at run time:
//! the hostile test counts what decoding allocates for every API.

use super::*;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use std::mem::size_of;

/// The message's own size, then those of the elements of its arrays, outermost and first ones first.
fn sizes(key: i16, version: i16) -> Vec<usize> {
    let schema = request_schema(key, version).unwrap();
    let mut out = vec![schema.memory_bytes as usize];
    schema.fields.iter().for_each(|field| element_sizes(field, &mut out));
    out
}

fn element_sizes(field: &Field, out: &mut Vec<usize>) {
    match field {
        Many(array) => {
            out.push(array.memory_bytes as usize);
            element_sizes(&array.element, out);
        }
        Inline(inner) | NullableStruct(inner) => {
            inner.fields.iter().for_each(|field| element_sizes(field, out))
        }
        _ => {}
    }
}

macro_rules! sizes_of {
    ($($type:ty),*) => { vec![$(size_of::<$type>()),*] };
}

#[test]
fn a_footprint_covers_the_real_types_and_not_much_more() {
    for (key, version, real) in [
        (0, 13, sizes_of![ProduceRequest, TopicProduceData, PartitionProduceData]),
        (0, 3, sizes_of![ProduceRequest, TopicProduceData, PartitionProduceData]),
        (1, 18, sizes_of![FetchRequest, FetchTopic, FetchPartition, ForgottenTopic, i32]),
        (1, 4, sizes_of![FetchRequest, FetchTopic, FetchPartition]),
        (2, 11, sizes_of![ListOffsetsRequest, ListOffsetsTopic, ListOffsetsPartition]),
        (2, 1, sizes_of![ListOffsetsRequest, ListOffsetsTopic, ListOffsetsPartition]),
        (3, 13, sizes_of![MetadataRequest, MetadataRequestTopic]),
        (3, 0, sizes_of![MetadataRequest, MetadataRequestTopic]),
        (18, 4, sizes_of![ApiVersionsRequest]),
        (
            19,
            7,
            sizes_of![
                CreateTopicsRequest,
                CreatableTopic,
                CreatableReplicaAssignment,
                BrokerId,
                CreatableTopicConfig
            ],
        ),
        (20, 6, sizes_of![DeleteTopicsRequest, DeleteTopicState]),
        (20, 5, sizes_of![DeleteTopicsRequest, TopicName]),
        (22, 5, sizes_of![InitProducerIdRequest]),
        (60, 2, sizes_of![DescribeClusterRequest]),
    ] {
        let table = sizes(key, version);
        assert_eq!(table.len(), real.len(), "{key} {version}: {table:?} {real:?}");
        for (table, real) in table.iter().zip(&real) {
            assert!(table >= real, "{key} {version}: {table} in the table, {real} in truth");
            assert!(*table <= real + 24, "{key} {version}: {table} in the table, {real} in truth");
        }
    }
}
