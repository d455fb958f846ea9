//! DeleteRecords (key 21), versions 0–2.
//!
//! - 1: same bytes. 2: flexible.
//!
//! The log's start moves to the offset asked for (-1 is the high watermark): from here on nothing below is read, and the
//! reply leaves when no crash can take that back, on relaxed topics too. The files go with the next retention. As in
//! Kafka 4.3.1: an offset below the start is no error and no news, one below zero or above the high watermark is
//! OFFSET_OUT_OF_RANGE; a topic that is compacted and not deleted from is POLICY_VIOLATION; an internal topic is
//! INVALID_TOPIC_EXCEPTION; of a partition that is named twice, the last offset counts and there is one answer.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol_compat::ErrorCode;
use protocol_compat::messages::delete_records_request::DeleteRecordsTopic;
use protocol_compat::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use protocol_compat::messages::{ApiKey, DeleteRecordsRequest, DeleteRecordsResponse, TopicName};
use storage::{NewStart, Offset};

use super::error::ToCode;
use super::{Api, Cx, Then};
use crate::cluster::{Topic, topic_name};
use crate::security::{Operation, Resource};

pub(super) struct DeleteRecords;

const HIGH_WATERMARK: i64 = -1;
const NO_LOW_WATERMARK: i64 = -1;
/// How long a reply waits for the disk, however little time the client gives: that is for replicas.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// What was asked of each partition of each topic, in the order of their names and numbers.
type Asked = BTreeMap<TopicName, BTreeMap<i32, i64>>;

/// One partition's answer, or the wait for it.
type Begun = Result<NewStart, ErrorCode>;

impl Api for DeleteRecords {
    const KEY: i16 = ApiKey::DeleteRecords as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    type Req = DeleteRecordsRequest;
    type Resp = DeleteRecordsResponse;

    fn codes(reply: &DeleteRecordsResponse) -> impl Iterator<Item = i16> {
        reply.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code)
    }

    fn begin(cx: &Cx, req: DeleteRecordsRequest, _version: i16) -> Then<DeleteRecordsResponse> {
        let timeout = Duration::from_millis(u64::try_from(req.timeout_ms).unwrap_or(0)).max(FLUSH_PATIENCE);
        let topics: Vec<(TopicName, Vec<(i32, Begun)>)> = asked(req.topics)
            .into_iter()
            .map(|(name, partitions)| {
                let topic = find_topic(cx, &name);
                let begun = partitions
                    .into_iter()
                    .map(|(index, offset)| (index, topic.and_then(|topic| delete(cx, topic, index, offset))));
                let begun = begun.collect();
                (name, begun)
            })
            .collect();
        Then::later(async move {
            let waits = async {
                // One flush is behind them all, so that all waits but the first are nearly always over.
                for new_start in
                    topics.iter().flat_map(|(_, all)| all).filter_map(|(_, begun)| begun.as_ref().ok())
                {
                    // The outcome of each is read from its own below.
                    let _ = new_start.clone().await;
                }
            };
            let _ = tokio::time::timeout(timeout, waits).await;
            reply(topics)
        })
    }
}

fn asked(topics: Vec<DeleteRecordsTopic>) -> Asked {
    let mut asked = Asked::new();
    for topic in topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        let partitions = topic.partitions.into_iter().map(|p| (p.partition_index, p.offset));
        asked.entry(topic.name).or_default().extend(partitions);
    }
    asked
}

fn find_topic<'a>(cx: &'a Cx, name: &str) -> Result<&'a Topic, ErrorCode> {
    if !cx.allow(Operation::Delete, Resource::Topic(name)) {
        return Err(ErrorCode::TopicAuthorizationFailed);
    }
    let topic = cx.seen.image.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if topic_name::is_internal(name) {
        return Err(ErrorCode::InvalidTopicException);
    }
    Ok(topic)
}

fn delete(cx: &Cx, topic: &Topic, index: i32, offset: i64) -> Begun {
    let partition = cx.broker.partitions.get(topic, index).map_err(|e| e.code())?;
    let to = (offset != HIGH_WATERMARK).then_some(Offset(offset));
    partition.log.delete_records(to).map_err(|e| {
        tracing::debug!(topic = %topic.name, partition = index, client = %cx.client_id, error = %e, "refused to delete records");
        e.code()
    })
}

fn reply(topics: Vec<(TopicName, Vec<(i32, Begun)>)>) -> DeleteRecordsResponse {
    let result = |(index, begun): (i32, Begun)| {
        let outcome = match begun.map(|new_start| new_start.peek()) {
            Ok(Some(Ok(start))) => Ok(start),
            Ok(Some(Err(error))) => Err(error.code()),
            // The wait ended first. The start has moved, and may last; the client may ask again.
            Ok(None) => Err(ErrorCode::RequestTimedOut),
            Err(code) => Err(code),
        };
        let base = DeleteRecordsPartitionResult::default().with_partition_index(index);
        match outcome {
            Ok(start) => base.with_low_watermark(start.0),
            Err(code) => base.with_low_watermark(NO_LOW_WATERMARK).with_error_code(code.code()),
        }
    };
    let topics = topics.into_iter().map(|(name, all)| {
        let partitions = all.into_iter().map(result).collect();
        DeleteRecordsTopicResult::default().with_name(name).with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}
