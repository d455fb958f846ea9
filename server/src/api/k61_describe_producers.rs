//! DescribeProducers (key 61), version 0 (KIP-664).
//!
//! Who has written to a partition and is still known to its log, with the first offset of a transaction that is open: what
//! an operator needs to find one that hangs. It takes the right to read the topic, as in Kafka. -1 stands for what a
//! producer does not have.

use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_producers_request::TopicRequest;
use protocol_compat::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use protocol_compat::messages::{
    ApiKey, DescribeProducersRequest, DescribeProducersResponse, ProducerId, StrBytes,
};
use storage::ProducerView;

use super::error::{ToCode, text};
use super::{Api, Cx, Then};
use crate::cluster::command::Refusal;
use crate::cluster::topic_name;
use crate::security::{Operation, Resource};

pub(super) struct DescribeProducers;

impl Api for DescribeProducers {
    const KEY: i16 = ApiKey::DescribeProducers as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    type Req = DescribeProducersRequest;
    type Resp = DescribeProducersResponse;

    fn codes(reply: &DescribeProducersResponse) -> impl Iterator<Item = i16> {
        reply.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code)
    }

    fn begin(cx: &Cx, req: DescribeProducersRequest, _version: i16) -> Then<DescribeProducersResponse> {
        let topics = req.topics.into_iter().map(|asked| answer_topic(cx, asked)).collect();
        Then::Now(DescribeProducersResponse::default().with_topics(topics))
    }
}

fn answer_topic(cx: &Cx, asked: TopicRequest) -> TopicResponse {
    let answer = |index: &i32| {
        let base = PartitionResponse::default().with_partition_index(*index);
        match producers(cx, &asked.name, *index) {
            Ok(known) => base
                .with_error_message(None)
                .with_active_producers(known.into_iter().map(state).collect()),
            Err((code, why)) => base.with_error_code(code.code()).with_error_message(why),
        }
    };
    let partitions = asked.partition_indexes.iter().map(answer).collect();
    TopicResponse::default().with_name(asked.name).with_partitions(partitions)
}

fn producers(
    cx: &Cx,
    name: &str,
    partition: i32,
) -> Result<Vec<ProducerView>, (ErrorCode, Option<StrBytes>)> {
    topic_name::check(name).map_err(|why| (ErrorCode::InvalidTopicException, text(why)))?;
    if !cx.allow(Operation::Read, Resource::Topic(name)) {
        let why = "reading this topic is not allowed";
        return Err((ErrorCode::TopicAuthorizationFailed, text(why)));
    }
    let unknown = || (ErrorCode::UnknownTopicOrPartition, text(Refusal::UnknownName(name.to_owned())));
    let topic = cx.seen.image.topic(name).ok_or_else(unknown)?;
    let partition = cx.broker.partitions.get(topic, partition).map_err(|e| (e.code(), None))?;
    Ok(partition.log.producers())
}

fn state(known: ProducerView) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(known.id.0))
        .with_producer_epoch(i32::from(known.epoch))
        .with_last_sequence(known.last_sequence)
        .with_last_timestamp(known.last_timestamp)
        .with_coordinator_epoch(known.coordinator_epoch)
        .with_current_txn_start_offset(known.txn_first_offset.map_or(-1, |offset| offset.0))
}
