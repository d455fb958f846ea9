//! OffsetDelete (key 47), version 0 (KIP-496).
//!
//! Takes back what a group has committed for some partitions. Offsets of topics that its members read now stay.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::offset_delete_request::OffsetDeleteRequestTopic;
use protocol_compat::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol_compat::messages::{ApiKey, OffsetDeleteRequest, OffsetDeleteResponse, TopicName};

use super::error::ToCode;
use super::groups::{self, arc};
use super::{Api, Cx, Then};
use crate::coordinator::group::{GroupError, Op, Reply, TopicPartitions};
use crate::coordinator::shard::ShardError;
use crate::security::{Operation, Resource};

pub(super) struct OffsetDelete;

impl Api for OffsetDelete {
    const KEY: i16 = ApiKey::OffsetDelete as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    type Req = OffsetDeleteRequest;
    type Resp = OffsetDeleteResponse;

    fn codes(reply: &OffsetDeleteResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code).chain(reply.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code))
    }

    fn begin(cx: &Cx, req: OffsetDeleteRequest, _version: i16) -> Then<OffsetDeleteResponse> {
        if !cx.allow(Operation::Delete, Resource::Group(&req.group_id)) {
            return Then::Now(failed(ErrorCode::GroupAuthorizationFailed));
        }
        if req.group_id.is_empty() {
            return Then::Now(failed(GroupError::InvalidGroupId.code()));
        }
        let mut outcomes = Outcomes::default();
        let topics: Vec<TopicPartitions> =
            req.topics.iter().filter_map(|asked| known(cx, asked, &mut outcomes)).collect();
        let op = Op::DeleteOffsets { group: arc(&req.group_id), topics: topics.clone() };
        groups::then(groups::write(cx, &req.group_id, op), move |answer| reply(answer, &topics, outcomes))
    }
}

/// What is said of each partition, by topic.
#[derive(Default)]
struct Outcomes(Vec<OffsetDeleteResponseTopic>);

impl Outcomes {
    fn add(&mut self, topic: &str, partition: i32, code: i16) {
        let at = self.0.iter().position(|t| *t.name.0 == *topic).unwrap_or_else(|| {
            let name = TopicName(groups::text(topic));
            self.0.push(OffsetDeleteResponseTopic::default().with_name(name));
            self.0.len() - 1
        });
        let outcome =
            OffsetDeleteResponsePartition::default().with_partition_index(partition).with_error_code(code);
        self.0[at].partitions.push(outcome);
    }
}

/// The partitions that exist; the others have their outcome.
fn known(cx: &Cx, asked: &OffsetDeleteRequestTopic, outcomes: &mut Outcomes) -> Option<TopicPartitions> {
    let name: &str = &asked.name;
    let mut refuse = |partition: i32, code: ErrorCode| outcomes.add(name, partition, code.code());
    if !cx.allow(Operation::Read, Resource::Topic(name)) {
        asked.partitions.iter().for_each(|p| refuse(p.partition_index, ErrorCode::TopicAuthorizationFailed));
        return None;
    }
    let topic = cx.seen.image.topic(name);
    let mut partitions = Vec::new();
    for asked in &asked.partitions {
        match topic.filter(|topic| topic.log_id(asked.partition_index).is_some()) {
            Some(_) => partitions.push(asked.partition_index),
            None => refuse(asked.partition_index, ErrorCode::UnknownTopicOrPartition),
        }
    }
    let topic = topic.filter(|_| !partitions.is_empty())?;
    Some(TopicPartitions { topic: topic.name.clone(), topic_id: topic.id, partitions })
}

fn reply(
    answer: Result<Reply, ShardError>,
    topics: &[TopicPartitions],
    mut outcomes: Outcomes,
) -> OffsetDeleteResponse {
    let deleted = match answer {
        Ok(Reply::OffsetsDeleted(Ok(deleted))) => deleted,
        Ok(Reply::OffsetsDeleted(Err(error))) => return failed(error.code()),
        Ok(other) => groups::mismatch(&other),
        Err(error) => return failed(error.code()),
    };
    for (topic, deleted) in topics.iter().zip(deleted) {
        for (partition, outcome) in topic.partitions.iter().zip(deleted) {
            outcomes.add(&topic.topic, *partition, groups::code(outcome));
        }
    }
    OffsetDeleteResponse::default().with_topics(outcomes.0)
}

fn failed(code: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse::default().with_error_code(code.code())
}
