//! DescribeQuorum (key 55), versions 0–2.
//!
//! - 1 (KIP-836): when each replica last fetched and was level. 2 (KIP-853): messages, directory ids and addresses.
//!
//! The quorum of the metadata is this broker alone: it leads, in the epoch of its start, and is level at all times. The
//! high watermark is what no crash takes back. There is no listener of controllers: its address is the one the asker
//! came by.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use protocol_compat::messages::{
    ApiKey, BrokerId, DescribeQuorumRequest, DescribeQuorumResponse, StrBytes, TopicName, Uuid,
    describe_quorum_request,
};

use super::error::text;
use super::{Api, Cx, Then};
use crate::cluster::topic_name;
use crate::security::{Operation, Resource};

pub(super) struct DescribeQuorum;

const METADATA_PARTITION: i32 = 0;

impl Api for DescribeQuorum {
    const KEY: i16 = ApiKey::DescribeQuorum as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    type Req = DescribeQuorumRequest;
    type Resp = DescribeQuorumResponse;

    fn codes(reply: &DescribeQuorumResponse) -> impl Iterator<Item = i16> {
        let partitions = reply.topics.iter().flat_map(|topic| &topic.partitions);
        once(reply.error_code).chain(partitions.map(|p| p.error_code))
    }

    fn begin(cx: &Cx, req: DescribeQuorumRequest, version: i16) -> Then<DescribeQuorumResponse> {
        // Where all is well, Kafka's message is empty and not absent, and so is the codec's.
        let reply = DescribeQuorumResponse::default();
        if !cx.allow(Operation::Describe, Resource::Cluster) {
            let reply = reply.with_error_code(ErrorCode::ClusterAuthorizationFailed.code());
            return Then::Now(match version >= 2 {
                true => reply.with_error_message(text("describing the quorum is not allowed")),
                false => reply,
            });
        }
        Then::Now(match is_about_metadata(&req) {
            true => describe(cx, reply, version),
            false => reply.with_topics(req.topics.into_iter().map(|topic| unknown(topic, version)).collect()),
        })
    }
}

/// The metadata's one partition, and nothing else.
fn is_about_metadata(req: &DescribeQuorumRequest) -> bool {
    let [topic] = &req.topics[..] else { return false };
    let [partition] = &topic.partitions[..] else { return false };
    *topic.topic_name.0 == *topic_name::METADATA && partition.partition_index == METADATA_PARTITION
}

fn unknown(asked: describe_quorum_request::TopicData, version: i16) -> TopicData {
    let code = ErrorCode::UnknownTopicOrPartition.code();
    let failed = |index: i32| {
        let failed = PartitionData::default().with_partition_index(index).with_error_code(code);
        match version >= 2 {
            true => failed.with_error_message(text("the one quorum is that of __cluster_metadata-0")),
            false => failed,
        }
    };
    let partitions = asked.partitions.iter().map(|p| failed(p.partition_index)).collect();
    TopicData::default().with_topic_name(asked.topic_name).with_partitions(partitions)
}

fn describe(cx: &Cx, reply: DescribeQuorumResponse, version: i16) -> DescribeQuorumResponse {
    let broker = &cx.broker;
    let node = BrokerId(broker.identity.node_id);
    let (end, high_watermark) = broker.controller.log_ends();
    let mut voter = ReplicaState::default().with_replica_id(node).with_log_end_offset(end.0);
    if version >= 1 {
        let now = broker.env.clock.now_ms();
        voter = voter.with_last_fetch_timestamp(now).with_last_caught_up_timestamp(now);
    }
    if version >= 2 {
        voter.replica_directory_id = Uuid::from_bytes(broker.partitions.metadata_dir().meta().directory_id.0);
    }
    let partition = PartitionData::default()
        .with_partition_index(METADATA_PARTITION)
        .with_leader_id(node)
        .with_leader_epoch(cx.seen.image.leader_epoch().0)
        .with_high_watermark(high_watermark.0)
        .with_current_voters(vec![voter]);
    let topic = TopicData::default()
        .with_topic_name(TopicName(StrBytes::from_static_str(topic_name::METADATA)))
        .with_partitions(vec![partition]);
    let reply = reply.with_topics(vec![topic]);
    if version < 2 {
        return reply;
    }
    let listener = broker.advertised_on(&cx.peer.listener).map(|address| {
        Listener::default()
            .with_name(StrBytes::from_string(address.name.clone()))
            .with_host(StrBytes::from_string(address.host.clone()))
            .with_port(address.port)
    });
    reply.with_nodes(vec![Node::default().with_node_id(node).with_listeners(listener.into_iter().collect())])
}
