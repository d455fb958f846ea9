//! The requests of the talk, each with what a version can say.

use super::talk::{Names, marked};
use bytes::Bytes;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

pub(super) const SESSION_MS: i32 = 300_000;
const REBALANCE_MS: i32 = 120_000;
const CONSUMER: &str = "consumer";
/// First versions.
const STATIC_COMMIT: i16 = 7;
const BY_ID: i16 = 10;
const BATCHED_FETCH: i16 = 8;
const MEMBER_FETCH: i16 = 9;

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// What consumers write into their joins.
pub(super) fn subscription(topics: &[&str]) -> Bytes {
    let mut out = vec![0, 1];
    out.extend((topics.len() as i32).to_be_bytes());
    for name in topics {
        out.extend((name.len() as i16).to_be_bytes());
        out.extend(name.as_bytes());
    }
    // No user data, nothing owned.
    out.extend((-1i32).to_be_bytes());
    out.extend(0i32.to_be_bytes());
    out.into()
}

/// What their leaders write.
pub(super) fn assignment(topic: &str, partitions: &[i32]) -> Bytes {
    let mut out = vec![0, 0, 0, 0, 0, 1];
    out.extend((topic.len() as i16).to_be_bytes());
    out.extend(topic.as_bytes());
    out.extend((partitions.len() as i32).to_be_bytes());
    partitions.iter().for_each(|partition| out.extend(partition.to_be_bytes()));
    out.extend((-1i32).to_be_bytes());
    out.into()
}

/// A member as requests of the classic protocol name it.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) member: &'a str,
    pub(super) instance: Option<&'a str>,
    pub(super) generation: i32,
}

pub(super) fn who(member: &str, generation: i32) -> Who<'_> {
    Who { member, instance: None, generation }
}

impl<'a> Who<'a> {
    pub(super) fn instance(self, instance: &'a str) -> Self {
        Self { instance: Some(instance), ..self }
    }
}

pub(super) fn protocols(names: &[&str]) -> Vec<JoinGroupRequestProtocol> {
    let one = |name: &&str| {
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(subscription(&["wide"]))
    };
    names.iter().map(one).collect()
}

/// A consumer that knows the protocol `range` and reads the topic `wide`.
pub(super) fn join(names: &Names, version: i16, id: &str, who: Who<'_>) -> JoinGroupRequest {
    let request = JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_session_timeout_ms(SESSION_MS)
        .with_member_id(names.member(who.member))
        .with_group_instance_id(who.instance.map(text))
        .with_protocol_type(text(CONSUMER))
        .with_protocols(protocols(&["range"]));
    if version >= 1 { request.with_rebalance_timeout_ms(REBALANCE_MS) } else { request }
}

pub(super) fn sync(
    names: &Names,
    version: i16,
    id: &str,
    who: Who<'_>,
    assigned: &[(&str, &[i32])],
) -> SyncGroupRequest {
    let one = |(member, partitions): &(&str, &[i32])| {
        SyncGroupRequestAssignment::default()
            .with_member_id(names.member(member))
            .with_assignment(assignment("wide", partitions))
    };
    let request = SyncGroupRequest::default()
        .with_group_id(group(id))
        .with_generation_id(who.generation)
        .with_member_id(names.member(who.member))
        .with_group_instance_id(who.instance.map(text))
        .with_assignments(assigned.iter().map(one).collect());
    match version {
        5.. => request.with_protocol_type(Some(text(CONSUMER))).with_protocol_name(Some(text("range"))),
        _ => request.with_protocol_type(None).with_protocol_name(None),
    }
}

pub(super) fn heartbeat(names: &Names, id: &str, who: Who<'_>) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group(id))
        .with_generation_id(who.generation)
        .with_member_id(names.member(who.member))
        .with_group_instance_id(who.instance.map(text))
}

/// Members and their instances; before version 3 only one leaves.
pub(super) fn leave(
    names: &Names,
    version: i16,
    id: &str,
    members: &[(&str, Option<&str>)],
) -> LeaveGroupRequest {
    let request = LeaveGroupRequest::default().with_group_id(group(id));
    if version < 3 {
        return request.with_member_id(names.member(members.first().map_or("", |(member, _)| member)));
    }
    let one = |(member, instance): &(&str, Option<&str>)| {
        MemberIdentity::default()
            .with_member_id(names.member(member))
            .with_group_instance_id(instance.map(text))
            .with_reason(None)
    };
    request.with_members(members.iter().map(one).collect())
}

/// Partition, offset, leader epoch, metadata.
pub(super) type Put<'a> = (i32, i64, i32, Option<&'a str>);

pub(super) fn commit(
    names: &Names,
    version: i16,
    id: &str,
    who: Who<'_>,
    topics: &[(&str, &[Put<'_>])],
) -> OffsetCommitRequest {
    let put = |(index, offset, epoch, metadata): &Put<'_>| {
        let put = OffsetCommitRequestPartition::default()
            .with_partition_index(*index)
            .with_committed_offset(*offset)
            .with_committed_metadata(metadata.map(text));
        if version >= 6 { put.with_committed_leader_epoch(*epoch) } else { put }
    };
    let one = |(topic, puts): &(&str, &[Put<'_>])| {
        let name = if version >= BY_ID { marked(topic) } else { TopicName(text(topic)) };
        OffsetCommitRequestTopic::default().with_name(name).with_partitions(puts.iter().map(put).collect())
    };
    let request = OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_generation_id_or_member_epoch(who.generation)
        .with_member_id(names.member(who.member))
        .with_group_instance_id(None)
        .with_topics(topics.iter().map(one).collect());
    if version >= STATIC_COMMIT { request.with_group_instance_id(who.instance.map(text)) } else { request }
}

/// A group, who asks, and the topics with their partitions; all without.
pub(super) type Asked<'a> = (&'a str, Option<Who<'a>>, Option<&'a [(&'a str, &'a [i32])]>);

/// Before version 8 the first group only.
pub(super) fn fetch(names: &Names, version: i16, groups: &[Asked<'_>]) -> OffsetFetchRequest {
    if version < BATCHED_FETCH {
        let (id, _, topics) = groups[0];
        let one = |(topic, partitions): &(&str, &[i32])| {
            OffsetFetchRequestTopic::default()
                .with_name(TopicName(text(topic)))
                .with_partition_indexes(partitions.to_vec())
        };
        let topics = topics.map(|topics| topics.iter().map(one).collect());
        return OffsetFetchRequest::default().with_group_id(group(id)).with_topics(topics);
    }
    let one = |(topic, partitions): &(&str, &[i32])| {
        let name = if version >= BY_ID { marked(topic) } else { TopicName(text(topic)) };
        OffsetFetchRequestTopics::default().with_name(name).with_partition_indexes(partitions.to_vec())
    };
    let of_group = |(id, who, topics): &Asked<'_>| {
        let asked = OffsetFetchRequestGroup::default()
            .with_group_id(group(id))
            .with_topics(topics.map(|topics| topics.iter().map(one).collect()));
        match who {
            Some(who) if version >= MEMBER_FETCH => {
                asked.with_member_id(Some(names.member(who.member))).with_member_epoch(who.generation)
            }
            _ => asked,
        }
    };
    OffsetFetchRequest::default().with_groups(groups.iter().map(of_group).collect())
}

pub(super) fn describe(ids: &[&str]) -> DescribeGroupsRequest {
    DescribeGroupsRequest::default().with_groups(ids.iter().map(|id| group(id)).collect())
}

pub(super) fn describe_consumer(ids: &[&str]) -> ConsumerGroupDescribeRequest {
    ConsumerGroupDescribeRequest::default().with_group_ids(ids.iter().map(|id| group(id)).collect())
}

pub(super) fn delete(ids: &[&str]) -> DeleteGroupsRequest {
    DeleteGroupsRequest::default().with_groups_names(ids.iter().map(|id| group(id)).collect())
}

pub(super) fn delete_offsets(id: &str, topics: &[(&str, &[i32])]) -> OffsetDeleteRequest {
    let partition = |index: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*index);
    let one = |(topic, partitions): &(&str, &[i32])| {
        OffsetDeleteRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    OffsetDeleteRequest::default().with_group_id(group(id)).with_topics(topics.iter().map(one).collect())
}

/// A heartbeat of the newer protocol that says nothing new.
pub(super) fn beat(names: &Names, id: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(id))
        .with_member_id(names.member(member))
        .with_member_epoch(epoch)
        .with_instance_id(None)
        .with_rack_id(None)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_subscribed_topic_regex(None)
        .with_server_assignor(None)
        .with_topic_partitions(None)
}

/// One by which a member joins, or says all again.
pub(super) fn full_beat(
    names: &Names,
    id: &str,
    member: &str,
    epoch: i32,
    topics: &[&str],
) -> ConsumerGroupHeartbeatRequest {
    beat(names, id, member, epoch)
        .with_rebalance_timeout_ms(REBALANCE_MS)
        .with_subscribed_topic_names(Some(topics.iter().map(|topic| TopicName(text(topic))).collect()))
        .with_topic_partitions(Some(Vec::new()))
}

/// What a member of the newer protocol says it has.
pub(super) fn owned(names: &Names, topics: &[(&str, &[i32])]) -> Option<Vec<TopicPartitions>> {
    let one = |(topic, partitions): &(&str, &[i32])| {
        TopicPartitions::default().with_topic_id(names.topic(topic)).with_partitions(partitions.to_vec())
    };
    Some(topics.iter().map(one).collect())
}
