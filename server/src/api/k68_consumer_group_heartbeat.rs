//! ConsumerGroupHeartbeat (key 68), versions 0–1: joining, living and leaving in a group of the KIP-848 protocol.
//!
//! - 1 (KIP-1082): the client makes the member's id; patterns (KIP-848) may be subscribed to.
//!
//! The reply leaves when what it tells is durable. A member that subscribes to a pattern learns of its partitions with
//! the first reply; from Kafka, which resolves patterns beside, with one of the next.

use std::iter::once;
use std::collections::BTreeSet;

use protocol_compat::ErrorCode;
use protocol_compat::messages::consumer_group_heartbeat_request::TopicPartitions as Owned;
use protocol_compat::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use protocol_compat::messages::{
    ApiKey, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, StrBytes, Uuid,
};
use storage::TopicId;

use super::error::ToCode;
use super::groups::{self, arc, arc_or_none, text};
use super::{Api, Cx, Then};
use crate::cluster::feature::GROUP_VERSION;
use crate::coordinator::group::consumer::{Beat, Beaten, LEAVES, LEAVES_FOR_NOW};
use crate::coordinator::group::{GroupError, Op, Reply};
use crate::coordinator::records::Partitions;
use crate::coordinator::shard::ShardError;
use crate::security::{Operation, Resource};

pub(super) struct ConsumerGroupHeartbeat;

const MEMBER_ID_FROM: i16 = 1;
/// What stands where a member does not say its rebalance timeout again.
const UNSAID: i32 = -1;

impl Api for ConsumerGroupHeartbeat {
    const KEY: i16 = ApiKey::ConsumerGroupHeartbeat as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    type Req = ConsumerGroupHeartbeatRequest;
    type Resp = ConsumerGroupHeartbeatResponse;

    fn codes(reply: &ConsumerGroupHeartbeatResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(
        cx: &Cx,
        req: ConsumerGroupHeartbeatRequest,
        version: i16,
    ) -> Then<ConsumerGroupHeartbeatResponse> {
        if let Err((code, why)) = check(cx, &req, version) {
            return Then::Now(failed(code, why));
        }
        let op = Op::Beat(Box::new(beat(cx, &req)));
        groups::then(groups::write(cx, &req.group_id, op), reply)
    }
}

type Refused = (ErrorCode, String);

/// What is refused before the group is asked.
fn check(cx: &Cx, req: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), Refused> {
    if cx.seen.image.features().is_off(GROUP_VERSION) {
        let why = "the protocol is turned off by the feature group.version".to_owned();
        return Err((ErrorCode::UnsupportedVersion, why));
    }
    if !cx.allow(Operation::Read, Resource::Group(&req.group_id)) {
        return Err((ErrorCode::GroupAuthorizationFailed, "this group may not be read".to_owned()));
    }
    let names = req.subscribed_topic_names.iter().flatten();
    if !names.into_iter().all(|name| cx.allow(Operation::Describe, Resource::Topic(name))) {
        return Err((ErrorCode::TopicAuthorizationFailed, "a topic may not be described".to_owned()));
    }
    let has_id = version >= MEMBER_ID_FROM || req.member_epoch > 0 || req.member_epoch == LEAVES;
    let named = |is_right: bool, why: &str| match is_right {
        true => Ok(()),
        false => Err((ErrorCode::InvalidRequest, why.to_owned())),
    };
    let not_blank = |text: &Option<StrBytes>| text.as_ref().is_none_or(|text| !text.trim().is_empty());
    named(!has_id || !req.member_id.trim().is_empty(), "MemberId can't be empty.")?;
    named(!req.group_id.trim().is_empty(), "GroupId can't be empty.")?;
    named(not_blank(&req.instance_id), "InstanceId can't be empty.")?;
    named(not_blank(&req.rack_id), "RackId can't be empty.")?;
    match req.member_epoch {
        0 => {
            named(
                req.rebalance_timeout_ms != UNSAID,
                "RebalanceTimeoutMs must be provided in first request.",
            )?;
            let has_nothing = req.topic_partitions.as_ref().is_some_and(Vec::is_empty);
            named(has_nothing, "TopicPartitions must be empty when (re-)joining.")?;
            let subscribes = req.subscribed_topic_names.is_some() || req.subscribed_topic_regex.is_some();
            named(
                subscribes,
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
            )?;
        }
        LEAVES_FOR_NOW => named(req.instance_id.is_some(), "InstanceId can't be null.")?,
        epoch => named(epoch > LEAVES_FOR_NOW, "MemberEpoch is invalid.")?,
    }
    let assignors = cx.broker.groups.assignors();
    match &req.server_assignor {
        Some(name) if !assignors.iter().any(|assignor| assignor.name() == &**name) => {
            let known = assignors.iter().map(|assignor| assignor.name()).collect::<Vec<_>>().join(", ");
            let why = format!("ServerAssignor {name} is not supported. Supported assignors: {known}.");
            Err((GroupError::UnsupportedAssignor.code(), why))
        }
        _ => Ok(()),
    }
}

fn beat(cx: &Cx, req: &ConsumerGroupHeartbeatRequest) -> Beat {
    let topics = req.subscribed_topic_names.as_ref();
    Beat {
        group: arc(&req.group_id),
        member: match req.member_id.is_empty() {
            true => TopicId::random(&*cx.broker.env.random).to_string().into(),
            false => arc(&req.member_id),
        },
        epoch: req.member_epoch,
        instance: arc_or_none(&req.instance_id),
        rack: arc_or_none(&req.rack_id),
        client_id: arc(&cx.client_id),
        // As Java prints an address that has no name.
        client_host: format!("/{}", cx.peer.address.ip()).into(),
        rebalance_timeout_ms: Some(req.rebalance_timeout_ms).filter(|timeout| *timeout != UNSAID),
        topics: topics.map(|names| names.iter().map(|name| name.to_string()).collect()),
        pattern: arc_or_none(&req.subscribed_topic_regex),
        assignor: arc_or_none(&req.server_assignor),
        owned: req.topic_partitions.as_ref().map(|topics| owned(topics)),
    }
}

fn owned(topics: &[Owned]) -> Partitions {
    let mut owned = Partitions::new();
    for topic in topics {
        let partitions: &mut BTreeSet<i32> = owned.entry(TopicId(topic.topic_id.into_bytes())).or_default();
        partitions.extend(&topic.partitions);
    }
    owned
}

fn reply(answer: Result<Reply, ShardError>) -> ConsumerGroupHeartbeatResponse {
    let Beaten { member, epoch, heartbeat_interval_ms, assigned } = match answer {
        Ok(Reply::ConsumerBeaten(Ok(beaten))) => beaten,
        Ok(Reply::ConsumerBeaten(Err(error))) => return failed(error.code(), error.to_string()),
        Ok(other) => groups::mismatch(&other),
        Err(error) => return failed(error.code(), error.to_string()),
    };
    ConsumerGroupHeartbeatResponse::default()
        .with_error_message(None)
        .with_member_id(Some(text(&member)))
        .with_member_epoch(epoch)
        .with_heartbeat_interval_ms(heartbeat_interval_ms)
        .with_assignment(assigned.map(assignment))
}

fn assignment(assigned: Partitions) -> Assignment {
    let topic = |(id, partitions): (TopicId, BTreeSet<i32>)| {
        let partitions = partitions.into_iter().collect();
        TopicPartitions::default().with_topic_id(Uuid::from_bytes(id.0)).with_partitions(partitions)
    };
    Assignment::default().with_topic_partitions(assigned.into_iter().map(topic).collect())
}

fn failed(code: ErrorCode, why: String) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(text(&why)))
}
