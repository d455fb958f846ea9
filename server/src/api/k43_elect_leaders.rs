//! ElectLeaders (key 43), versions 0–2.
//!
//! - 1 (KIP-460): preferred or unclean, and one error for the whole reply. 2: flexible.
//!
//! On one broker it leads every partition, and is the preferred leader of each: no election is ever needed. As in Kafka,
//! that is an answer for partitions that were named; where all were meant, only those are told of that elected somebody.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::elect_leaders_request::TopicPartitions;
use protocol_compat::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol_compat::messages::{ApiKey, ElectLeadersRequest, ElectLeadersResponse, StrBytes, TopicName};

use super::error::{ToCode, text};
use super::{Api, Cx, Then};
use crate::cluster::command::check_partition;
use crate::security::{Operation, Resource};

pub(super) struct ElectLeaders;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

impl Api for ElectLeaders {
    const KEY: i16 = ApiKey::ElectLeaders as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    type Req = ElectLeadersRequest;
    type Resp = ElectLeadersResponse;

    fn codes(reply: &ElectLeadersResponse) -> impl Iterator<Item = i16> {
        let partitions = reply.replica_election_results.iter().flat_map(|topic| &topic.partition_result);
        once(reply.error_code).chain(partitions.map(|p| p.error_code))
    }

    fn begin(cx: &Cx, req: ElectLeadersRequest, version: i16) -> Then<ElectLeadersResponse> {
        let kind = if version >= 1 { req.election_type } else { PREFERRED };
        let refusal = if !cx.allow(Operation::Alter, Resource::Cluster) {
            Some((ErrorCode::ClusterAuthorizationFailed, "electing leaders is not allowed"))
        } else if kind != PREFERRED && kind != UNCLEAN {
            Some((ErrorCode::InvalidRequest, "this kind of election is not known: 0 is preferred, 1 unclean"))
        } else {
            None
        };
        let topics = match &req.topic_partitions {
            Some(topics) => topics.iter().map(|topic| elect(cx, topic, refusal)).collect(),
            None if refusal.is_some() => Vec::new(),
            None => cx.seen.image.topics().map(|topic| nobody_elected(&topic.name)).collect(),
        };
        let mut reply = ElectLeadersResponse::default().with_replica_election_results(topics);
        if let (Some((code, _)), true) = (refusal, version >= 1) {
            reply.error_code = code.code();
        }
        Then::Now(reply)
    }
}

fn nobody_elected(topic: &str) -> ReplicaElectionResult {
    ReplicaElectionResult::default().with_topic(TopicName(StrBytes::from_string(topic.to_owned())))
}

fn elect(
    cx: &Cx,
    asked: &TopicPartitions,
    refusal: Option<(ErrorCode, &'static str)>,
) -> ReplicaElectionResult {
    let judge = |partition: i32| {
        if let Some((code, why)) = refusal {
            return (code, why.to_owned());
        }
        match check_partition(&cx.seen.image, &asked.topic, partition) {
            Ok(()) => (ErrorCode::ElectionNotNeeded, "this broker leads the partition already".to_owned()),
            Err(unknown) => (unknown.code(), unknown.to_string()),
        }
    };
    let result = |partition: &i32| {
        let (code, why) = judge(*partition);
        PartitionResult::default()
            .with_partition_id(*partition)
            .with_error_code(code.code())
            .with_error_message(text(why))
    };
    ReplicaElectionResult::default()
        .with_topic(asked.topic.clone())
        .with_partition_result(asked.partitions.iter().map(result).collect())
}
