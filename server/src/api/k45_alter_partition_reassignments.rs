//! AlterPartitionReassignments (key 45), versions 0–1.
//!
//! - 1 (KIP-860): whether the number of replicas may change.
//!
//! A partition's replica is this broker. To ask for that again is well and changes nothing; any other placement is
//! INVALID_REPLICA_ASSIGNMENT, and as none is ever on its way, there is none to cancel.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use protocol_compat::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol_compat::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ApiKey,
};

use super::error::{ToCode, text};
use super::k19_create_topics::defaults;
use super::{Api, Cx, Then};
use crate::cluster::command::{Refusal, check_partition, check_replicas};
use crate::security::{Operation, Resource};

pub(super) struct AlterPartitionReassignments;

impl Api for AlterPartitionReassignments {
    const KEY: i16 = ApiKey::AlterPartitionReassignments as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    type Req = AlterPartitionReassignmentsRequest;
    type Resp = AlterPartitionReassignmentsResponse;

    fn codes(reply: &AlterPartitionReassignmentsResponse) -> impl Iterator<Item = i16> {
        let partitions = reply.responses.iter().flat_map(|topic| &topic.partitions);
        once(reply.error_code).chain(partitions.map(|p| p.error_code))
    }

    fn begin(
        cx: &Cx,
        req: AlterPartitionReassignmentsRequest,
        version: i16,
    ) -> Then<AlterPartitionReassignmentsResponse> {
        let mut reply = AlterPartitionReassignmentsResponse::default();
        if !req.topics.is_empty() {
            // Kafka's is empty where nothing was asked, and absent else.
            reply.error_message = None;
        }
        if version >= 1 {
            reply.allow_replication_factor_change = req.allow_replication_factor_change;
        }
        if !cx.allow(Operation::Alter, Resource::Cluster) {
            let code = ErrorCode::ClusterAuthorizationFailed.code();
            return Then::Now(
                reply.with_error_code(code).with_error_message(text("moving partitions is not allowed")),
            );
        }
        Then::Now(reply.with_responses(req.topics.into_iter().map(|topic| reassign_topic(cx, topic)).collect()))
    }
}

fn reassign_topic(cx: &Cx, asked: ReassignableTopic) -> ReassignableTopicResponse {
    let answer = |partition: &ReassignablePartition| {
        let base =
            ReassignablePartitionResponse::default().with_partition_index(partition.partition_index);
        match reassign(cx, &asked.name, partition) {
            Ok(()) => base.with_error_message(None),
            Err((code, why)) => base.with_error_code(code.code()).with_error_message(text(why)),
        }
    };
    let partitions = asked.partitions.iter().map(answer).collect();
    ReassignableTopicResponse::default().with_name(asked.name).with_partitions(partitions)
}

fn reassign(cx: &Cx, name: &str, asked: &ReassignablePartition) -> Result<(), (ErrorCode, String)> {
    let told = |refusal: Refusal| (refusal.code(), refusal.to_string());
    let number = asked.partition_index;
    check_partition(&cx.seen.image, name, number).map_err(told)?;
    let Some(replicas) = &asked.replicas else {
        let why = "no reassignment of this partition is in progress".to_owned();
        return Err((ErrorCode::NoReassignmentInProgress, why));
    };
    let replicas: Vec<i32> = replicas.iter().map(|broker| broker.0).collect();
    check_replicas(number, &replicas, defaults(cx)).map_err(told)
}
