//! OffsetForLeaderEpoch (key 23), versions 2–4.
//!
//! - 2 (KIP-320): consumers ask, too, and say which leader they believe in. 3: replica id. 4: flexible.
//!
//! How a client that has read to an offset of some epoch finds out whether what it read is still there: an epoch that
//! ends before its offset, or that is not known any more, means that records were lost. As in Kafka, the replica id is
//! no matter of right (-1 is a consumer, -2 a tool), and an epoch newer than any of the log's is answered with -1 and
//! no error. Whoever may act for the cluster may ask about every topic, others about those that they may describe.
//!
//! Deviation: the newest epoch ends at the high watermark, which on a durable log may be before the log's own end.

use protocol_compat::ErrorCode;
use protocol_compat::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol_compat::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use protocol_compat::messages::{ApiKey, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use storage::{LeaderEpoch, Offset};

use super::error::{ToCode, epoch_error};
use super::{Api, Cx, Then};
use crate::cluster::Topic;
use crate::security::{Operation, Resource};

pub(super) struct OffsetForLeaderEpoch;

impl Api for OffsetForLeaderEpoch {
    const KEY: i16 = ApiKey::OffsetForLeaderEpoch as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=4;
    type Req = OffsetForLeaderEpochRequest;
    type Resp = OffsetForLeaderEpochResponse;

    fn codes(reply: &OffsetForLeaderEpochResponse) -> impl Iterator<Item = i16> {
        reply.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code)
    }

    fn begin(cx: &Cx, req: OffsetForLeaderEpochRequest, _version: i16) -> Then<OffsetForLeaderEpochResponse> {
        let topics = req.topics.into_iter().map(|asked| answer_topic(cx, asked)).collect();
        Then::Now(OffsetForLeaderEpochResponse::default().with_topics(topics))
    }
}

fn answer_topic(cx: &Cx, asked: OffsetForLeaderTopic) -> OffsetForLeaderTopicResult {
    let topic = find_topic(cx, &asked.topic);
    let partitions = asked
        .partitions
        .iter()
        .map(|p| answer(p.partition, topic.and_then(|topic| epoch_end(cx, topic, p))))
        .collect();
    OffsetForLeaderTopicResult::default().with_topic(asked.topic).with_partitions(partitions)
}

fn find_topic<'a>(cx: &'a Cx, name: &str) -> Result<&'a Topic, ErrorCode> {
    let may_ask = cx.allow(Operation::ClusterAction, Resource::Cluster)
        || cx.allow(Operation::Describe, Resource::Topic(name));
    if !may_ask {
        return Err(ErrorCode::TopicAuthorizationFailed);
    }
    Ok(cx.seen.image.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition)?)
}

fn epoch_end(
    cx: &Cx,
    topic: &Topic,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    let partition = cx.broker.partitions.get(topic, asked.partition).map_err(|e| e.code())?;
    if let Some(code) = epoch_error(partition.check_epoch(asked.current_leader_epoch)) {
        return Err(code);
    }
    Ok(partition.log.epoch_end_offset(LeaderEpoch(asked.leader_epoch)))
}

fn answer(partition: i32, found: Result<Option<(LeaderEpoch, Offset)>, ErrorCode>) -> EpochEndOffset {
    let base = EpochEndOffset::default().with_partition(partition).with_leader_epoch(-1).with_end_offset(-1);
    match found {
        Ok(Some((epoch, end))) => base.with_leader_epoch(epoch.0).with_end_offset(end.0),
        Ok(None) => base,
        Err(code) => base.with_error_code(code.code()),
    }
}
