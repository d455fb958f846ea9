//! Metadata (key 3), versions 0–13.
//!
//! - 0: an empty list asks for all topics; from 1, null does. 4: auto-creation may be declined. 7: leader epochs.
//! - 8–10 (KIP-430): authorised operations. 9: flexible. 10 (KIP-516): topic ids; usable in the request from 12.
//! - 13 (KIP-1102): an error for the whole reply.
//!
//! Deviation: a topic that is missing and may be created exists when the reply leaves; Kafka answers
//! LEADER_NOT_AVAILABLE or UNKNOWN_TOPIC_OR_PARTITION first, which some clients never retry.

use std::iter::once;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol_compat::messages::{
    ApiKey, BrokerId, MetadataRequest, MetadataResponse, StrBytes, TopicName, Uuid,
};
use storage::{AppendError, LeaderEpoch, TopicId};

use super::error::ToCode;
use super::{Api, Cx, Then, k19_create_topics};
use crate::cluster::controller::{CommandError, Seen};
use crate::cluster::{Topic, command, topic_name};
use crate::security::{Operation, Resource};

pub(super) struct Metadata;

/// The first version that can say what the asker may do.
const OPERATIONS_FROM: i16 = 8;
/// The first version whose requests may name topics by id.
const BY_ID_FROM: i16 = 12;

impl Api for Metadata {
    const KEY: i16 = ApiKey::Metadata as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=13;
    type Req = MetadataRequest;
    type Resp = MetadataResponse;

    fn codes(reply: &MetadataResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code).chain(reply.topics.iter().map(|t| t.error_code))
    }

    fn begin(cx: &Cx, req: MetadataRequest, version: i16) -> Then<MetadataResponse> {
        if req
            .topics
            .iter()
            .flatten()
            .any(|t| version < BY_ID_FROM && (t.name.is_none() || !t.topic_id.is_nil()))
        {
            return Then::Now(refuse_request(&req));
        }
        let mut newest = cx.seen.clone();
        let topics = match wanted(&req, version) {
            None => all_topics(cx, &req, version),
            Some(asked) => {
                // Each once, or a small request could ask for a reply without bounds.
                let mut answered = HashSet::new();
                // One id, and names count no more.
                let by_id = asked.iter().any(|t| !t.topic_id.is_nil());
                let counts = |t: &&MetadataRequestTopic| !by_id || !t.topic_id.is_nil();
                let key = |t: &MetadataRequestTopic| (t.name.clone().filter(|_| !by_id), t.topic_id);
                let once = asked.iter().filter(counts).filter(|t| answered.insert(key(t)));
                once.map(|t| one_topic(cx, t, &req, version, &mut newest)).collect()
            }
        };
        let reply = reply(cx, &req, version, topics);
        Then::once_durable(&newest, reply, |reply, error| not_durable(reply, &error))
    }
}

/// The topics asked for; `None` asks for all of them.
fn wanted(req: &MetadataRequest, version: i16) -> Option<&[MetadataRequestTopic]> {
    let asked = req.topics.as_deref()?;
    (version > 0 || !asked.is_empty()).then_some(asked)
}

fn reply(
    cx: &Cx,
    req: &MetadataRequest,
    version: i16,
    topics: Vec<MetadataResponseTopic>,
) -> MetadataResponse {
    let broker = &cx.broker;
    let node_id = BrokerId(broker.identity.node_id);
    let address = broker.advertised_on(&cx.peer.listener);
    let brokers = address.map(|a| {
        MetadataResponseBroker::default()
            .with_node_id(node_id)
            .with_host(StrBytes::from_string(a.host.clone()))
            .with_port(i32::from(a.port))
    });
    let mut reply = MetadataResponse::default()
        .with_brokers(brokers.into_iter().collect())
        .with_controller_id(node_id)
        .with_cluster_id(Some(StrBytes::from_string(broker.identity.cluster_id.clone())))
        .with_topics(topics);
    if (8..=10).contains(&version) && req.include_cluster_authorized_operations {
        reply.cluster_authorized_operations = cx.allowed_operations(Resource::Cluster);
    }
    reply
}

fn all_topics(cx: &Cx, req: &MetadataRequest, version: i16) -> Vec<MetadataResponseTopic> {
    let visible = cx.seen.image.topics().filter(|t| cx.allow(Operation::Describe, Resource::Topic(&t.name)));
    visible.map(|t| describe(cx, t, req, version)).collect()
}

/// Answers for one topic, creating it where that is asked for and allowed.
fn one_topic(
    cx: &Cx,
    asked: &MetadataRequestTopic,
    req: &MetadataRequest,
    version: i16,
    newest: &mut Arc<Seen>,
) -> MetadataResponseTopic {
    let Some(name) = asked.name.as_ref().filter(|_| asked.topic_id.is_nil()) else {
        return match cx.seen.image.topic_by_id(TopicId(*asked.topic_id.as_bytes())) {
            Some(topic) if cx.allow(Operation::Describe, Resource::Topic(&topic.name)) => {
                describe(cx, topic, req, version)
            }
            // An id that may not be seen is as good as none, or ids would tell which topics there are.
            _ => unknown(None, asked.topic_id, ErrorCode::UnknownTopicId),
        };
    };
    if !cx.allow(Operation::Describe, Resource::Topic(name)) {
        return unknown(Some(name), Uuid::nil(), ErrorCode::TopicAuthorizationFailed);
    }
    if let Some(topic) = newest.image.topic(name) {
        return describe(cx, topic, req, version);
    }
    match auto_create(cx, name, req, newest) {
        Ok(topic) => describe(cx, &topic, req, version),
        Err(code) => {
            let absent =
                unknown(Some(name), Uuid::nil(), code).with_is_internal(topic_name::is_internal(name));
            match version >= OPERATIONS_FROM && req.include_topic_authorized_operations {
                true => absent.with_topic_authorized_operations(cx.allowed_operations(Resource::Topic(name))),
                false => absent,
            }
        }
    }
}

fn auto_create(
    cx: &Cx,
    name: &TopicName,
    req: &MetadataRequest,
    newest: &mut Arc<Seen>,
) -> Result<Arc<Topic>, ErrorCode> {
    topic_name::check(name).map_err(|_| ErrorCode::InvalidTopicException)?;
    if !(req.allow_auto_topic_creation && cx.broker.config.load().auto_create_topics_enable) {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    if !cx.allow(Operation::Create, Resource::Topic(name)) {
        return Err(ErrorCode::TopicAuthorizationFailed);
    }
    let wanted = command::NewTopic {
        name: name.to_string(),
        partitions: -1,
        replication_factor: -1,
        assignments: BTreeMap::new(),
        configs: BTreeMap::new(),
    };
    let (created, seen) = k19_create_topics::create(cx, &wanted, false);
    *newest = seen;
    match created {
        Ok(_) => tracing::info!(topic = %wanted.name, client = %cx.client_id, "created a topic on first use"),
        // Another connection was quicker.
        Err(CommandError::Refused(command::Refusal::Exists(_))) => {}
        Err(CommandError::Refused(command::Refusal::BeingDeleted(_))) => {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        // In Kafka the refusal does not reach who asked in this way; clients ask on until their time is up.
        Err(CommandError::Refused(command::Refusal::AgainstPolicy(why))) => {
            tracing::debug!(topic = %wanted.name, client = %cx.client_id, why, "not created on first use");
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        Err(CommandError::Refused(command::Refusal::Reserved(_))) => {
            return Err(ErrorCode::InvalidTopicException);
        }
        Err(error) => return Err(error.code()),
    }
    newest.image.topic(name).cloned().ok_or(ErrorCode::UnknownTopicOrPartition)
}

fn describe(cx: &Cx, topic: &Topic, req: &MetadataRequest, version: i16) -> MetadataResponseTopic {
    let node = BrokerId(cx.broker.identity.node_id);
    // The log's own: what a request that names it is held against.
    let epochs = cx.broker.partitions.leader_epochs(topic);
    let partitions = topic
        .partition_ids()
        .zip(epochs)
        .map(|(index, LeaderEpoch(epoch))| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(node)
                .with_leader_epoch(epoch)
                .with_replica_nodes(vec![node])
                .with_isr_nodes(vec![node])
        })
        .collect();
    let mut described = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.to_string()))))
        .with_topic_id(Uuid::from_bytes(topic.id.0))
        .with_is_internal(topic_name::is_internal(&topic.name))
        .with_partitions(partitions);
    if version >= OPERATIONS_FROM && req.include_topic_authorized_operations {
        described.topic_authorized_operations = cx.allowed_operations(Resource::Topic(&topic.name));
    }
    described
}

fn unknown(name: Option<&TopicName>, id: Uuid, code: ErrorCode) -> MetadataResponseTopic {
    // Only versions that can ask by id may answer without a name, and those alone get here without one.
    MetadataResponseTopic::default().with_name(name.cloned()).with_topic_id(id).with_error_code(code.code())
}

/// A request that uses ids before they exist: every topic of it is answered with INVALID_REQUEST, and nothing else.
fn refuse_request(req: &MetadataRequest) -> MetadataResponse {
    let topics = req.topics.iter().flatten().map(|t| {
        let name = t.name.clone().unwrap_or_default();
        unknown(Some(&name), t.topic_id, ErrorCode::InvalidRequest)
    });
    MetadataResponse::default().with_topics(topics.collect())
}

/// The image that this reply shows could not be made durable: nobody may learn of it.
fn not_durable(mut reply: MetadataResponse, error: &AppendError) -> MetadataResponse {
    for topic in &mut reply.topics {
        topic.error_code = error.code().code();
        topic.partitions.clear();
    }
    reply
}
