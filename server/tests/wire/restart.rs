//! What was acknowledged is there after a restart, under the same identity.

use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::harness::{Broker, TestDir, batch};

#[test]
fn topics_records_and_identity_survive() {
    let dir = TestDir::new();
    let topic = TopicName(StrBytes::from_static_str("kept"));
    let mut identity = None;
    for life in 0..4i64 {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        if life == 0 {
            let wanted = CreatableTopic::default()
                .with_name(topic.clone())
                .with_num_partitions(2)
                .with_replication_factor(1);
            assert_eq!(
                client.call(7, &CreateTopicsRequest::default().with_topics(vec![wanted])).topics[0]
                    .error_code,
                0
            );
        }
        let ask = MetadataRequestTopic::default().with_name(Some(topic.clone()));
        let metadata = client.call(12, &MetadataRequest::default().with_topics(Some(vec![ask])));
        let described = &metadata.topics[0];
        assert_eq!((described.error_code, described.partitions.len()), (0, 2));
        let who = (metadata.cluster_id.clone(), described.topic_id);
        assert_eq!(*identity.get_or_insert(who.clone()), who);
        // Each life is a new leadership, so that clients notice what a crash may have cost them.
        assert_eq!(i64::from(described.partitions[0].leader_epoch), life);

        let data = PartitionProduceData::default().with_index(1).with_records(Some(batch(life, &["record"])));
        let to = TopicProduceData::default().with_name(topic.clone()).with_partition_data(vec![data]);
        let reply = client.call(
            9,
            &ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![to]),
        );
        assert_eq!(reply.responses[0].partition_responses[0].base_offset, life);

        let partition = FetchPartition::default().with_partition(1).with_partition_max_bytes(1 << 20);
        let from = FetchTopic::default().with_topic(topic.clone()).with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1);
        let reply = client.call(12, &request.with_topics(vec![from]));
        let records = reply.responses[0].partitions[0].records.as_ref().unwrap();
        assert_eq!(records.len(), batch(0, &["record"]).len() * (life as usize + 1));
    }
}
