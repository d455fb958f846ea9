//! A fetch as a consumer sends it, for every test that reads over the wire.

use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::{BrokerId, FetchRequest, TopicName};

const BYTES_MAX: i32 = 16 << 20;

/// Asks for partitions of a topic, each from an offset.
pub(crate) fn fetch(
    topic: TopicName,
    from: &[(i32, i64)],
    wait_ms: i32,
    partition_bytes_max: i32,
) -> FetchRequest {
    let partition = |(partition, offset): &(i32, i64)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(partition_bytes_max)
    };
    let topic = FetchTopic::default().with_topic(topic).with_partitions(from.iter().map(partition).collect());
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(BYTES_MAX)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}
