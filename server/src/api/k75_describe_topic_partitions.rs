//! DescribeTopicPartitions (key 75), version 0 (KIP-966).
//!
//! Topics in the order of their names (Java's, by UTF-16 units), page by page: at most `max.request.partition.size.limit`
//! partitions a reply or fewer if the asker wants fewer, and a cursor that says where the next page begins. No topics in
//! the request means all of them. A cursor whose topic is not among those asked for, or whose partition is negative, is
//! INVALID_REQUEST for every topic of the request. The one replica of a partition is its leader and in sync, so that
//! nothing is ever eligible besides.

use std::collections::BTreeMap;

use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_topic_partitions_request::Cursor as From;
use protocol_compat::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol_compat::messages::{
    ApiKey, BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, StrBytes, TopicName,
    Uuid,
};
use storage::LeaderEpoch;

use super::{Api, Cx, Then};
use crate::cluster::{Topic, topic_name};
use crate::security::{Operation, Resource};

pub(super) struct DescribeTopicPartitions;

impl Api for DescribeTopicPartitions {
    const KEY: i16 = ApiKey::DescribeTopicPartitions as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    type Req = DescribeTopicPartitionsRequest;
    type Resp = DescribeTopicPartitionsResponse;

    fn codes(reply: &DescribeTopicPartitionsResponse) -> impl Iterator<Item = i16> {
        reply.topics.iter().map(|t| t.error_code)
    }

    fn begin(
        cx: &Cx,
        req: DescribeTopicPartitionsRequest,
        _version: i16,
    ) -> Then<DescribeTopicPartitionsResponse> {
        let is_unusable = |cursor: &From| {
            let is_asked = req.topics.is_empty() || req.topics.iter().any(|t| t.name == cursor.topic_name);
            !is_asked || cursor.partition_index < 0
        };
        Then::Now(match &req.cursor {
            Some(cursor) if is_unusable(cursor) => refuse(&req),
            _ => page(cx, &req),
        })
    }
}

/// A name in Java's order.
fn order(name: &str) -> Vec<u16> {
    name.encode_utf16().collect()
}

/// The names that the reply is about, from the cursor's on.
fn wanted(cx: &Cx, req: &DescribeTopicPartitionsRequest) -> BTreeMap<Vec<u16>, TopicName> {
    let from = req.cursor.as_ref().map_or(Vec::new(), |cursor| order(&cursor.topic_name));
    let existing = || cx.seen.image.topics().map(|t| TopicName(StrBytes::from_string(t.name.to_string())));
    let names: Box<dyn Iterator<Item = TopicName>> = match req.topics.is_empty() {
        true => Box::new(existing()),
        false => Box::new(req.topics.iter().map(|topic| topic.name.clone())),
    };
    names.map(|name| (order(&name), name)).filter(|(at, _)| *at >= from).collect()
}

fn page(cx: &Cx, req: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let mut reply = DescribeTopicPartitionsResponse::default();
    let limit = cx.broker.config.load().max_request_partition_size_limit.min(req.response_partition_limit);
    let mut left = limit.max(1);
    let mut forbidden = Vec::new();
    for name in wanted(cx, req).into_values() {
        if !cx.allow(Operation::Describe, Resource::Topic(&name)) {
            // Topics that were not named and may not be seen are not there.
            if !req.topics.is_empty() {
                forbidden.push(failed(name, ErrorCode::TopicAuthorizationFailed).with_is_internal(false));
            }
            continue;
        }
        if reply.next_cursor.is_some() {
            continue;
        }
        if left == 0 {
            reply.next_cursor = Some(Cursor::default().with_topic_name(name));
            continue;
        }
        let operations = cx.allowed_operations(Resource::Topic(&name));
        let Some(topic) = cx.seen.image.topic(&name) else {
            let code = match topic_name::check(&name) {
                Ok(()) => ErrorCode::UnknownTopicOrPartition,
                Err(_) => ErrorCode::InvalidTopicException,
            };
            reply.topics.push(failed(name, code).with_topic_authorized_operations(operations));
            continue;
        };
        let first = req.cursor.as_ref().filter(|c| c.topic_name == name).map_or(0, |c| c.partition_index);
        let behind = first.saturating_add(left).min(topic.partitions as i32);
        if behind < topic.partitions as i32 {
            reply.next_cursor = Some(Cursor::default().with_topic_name(name).with_partition_index(behind));
        }
        left -= (behind - first).max(0);
        reply.topics.push(describe(cx, topic, first..behind).with_topic_authorized_operations(operations));
    }
    reply.topics.append(&mut forbidden);
    reply
}

fn describe(
    cx: &Cx,
    topic: &Topic,
    partitions: std::ops::Range<i32>,
) -> DescribeTopicPartitionsResponseTopic {
    let node = BrokerId(cx.broker.identity.node_id);
    let epochs = cx.broker.partitions.leader_epochs(topic);
    let of_one = |(index, LeaderEpoch(epoch)): (i32, &LeaderEpoch)| {
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(node)
            .with_leader_epoch(*epoch)
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
    };
    let all = topic.partition_ids().zip(&epochs).filter(|(index, _)| partitions.contains(index));
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.to_string()))))
        .with_topic_id(Uuid::from_bytes(topic.id.0))
        .with_is_internal(topic_name::is_internal(&topic.name))
        .with_partitions(all.map(of_one).collect())
}

fn failed(name: TopicName, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(code.code())
        .with_is_internal(topic_name::is_internal(&name))
        .with_name(Some(name))
}

/// The cursor is of no use, so that nothing is answered about any topic.
fn refuse(req: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = req.topics.iter().map(|topic| failed(topic.name.clone(), ErrorCode::InvalidRequest));
    DescribeTopicPartitionsResponse::default()
        .with_topics(topics.map(|t| t.with_is_internal(false)).collect())
}
