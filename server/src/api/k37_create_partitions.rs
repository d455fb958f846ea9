//! CreatePartitions (key 37), versions 0–3.
//!
//! - 1: as 0. 2: flexible. 3 (KIP-599): what exceeds the client's quota is refused.
//!
//! As ReplicationControlManager on one broker: a topic that is named twice is refused once and not touched; a count that is
//! not above the topic's own is INVALID_PARTITIONS; assignments name this broker, once for each new partition. What is to
//! be created is durable before the reply leaves, and served from then on: a partition is opened at its first use.

use std::collections::HashMap;
use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_partitions_request::CreatePartitionsTopic;
use protocol_compat::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol_compat::messages::{ApiKey, BrokerId, CreatePartitionsRequest, CreatePartitionsResponse};

use super::error::{ToCode, text};
use super::k19_create_topics::{PARTITIONS_MAX, defaults};
use super::{Api, Cx, Then};
use crate::cluster::Image;
use crate::cluster::command::{self, MorePartitions, Refusal};
use crate::cluster::controller::{CommandError, Seen};
use crate::cluster::policy;
use crate::security::{Operation, Resource};

pub(super) struct CreatePartitions;

/// From here on what exceeds the client's quota is refused, topic by topic.
const STRICT_FROM: i16 = 3;

impl Api for CreatePartitions {
    const KEY: i16 = ApiKey::CreatePartitions as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;
    type Req = CreatePartitionsRequest;
    type Resp = CreatePartitionsResponse;

    fn codes(reply: &CreatePartitionsResponse) -> impl Iterator<Item = i16> {
        reply.results.iter().map(|t| t.error_code)
    }

    fn begin(cx: &Cx, req: CreatePartitionsRequest, version: i16) -> Then<CreatePartitionsResponse> {
        let mut times_named = HashMap::new();
        for topic in &req.topics {
            *times_named.entry(topic.name.clone()).or_insert(0u32) += 1;
        }
        let mut request = Request {
            cx,
            validate_only: req.validate_only,
            is_strict: version >= STRICT_FROM,
            newest: cx.seen.clone(),
            added: 0,
        };
        let mut results = Vec::new();
        for topic in req.topics {
            let Some(times) = times_named.remove(&topic.name) else { continue };
            let base = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
            let outcome = match times {
                1 => request.grow(topic),
                _ => {
                    Err((ErrorCode::InvalidRequest, "the request names this topic more than once".to_owned()))
                }
            };
            results.push(match outcome {
                Ok(()) => base,
                Err((code, why)) => base.with_error_code(code.code()).with_error_message(text(why)),
            });
        }
        let reply = CreatePartitionsResponse::default().with_results(results);
        Then::once_durable(&request.newest, reply, |mut reply, error| {
            for result in reply.results.iter_mut().filter(|result| result.error_code == 0) {
                result.error_code = error.code().code();
                result.error_message = text(&error);
            }
            reply
        })
    }
}

/// One request while its topics are gone through.
struct Request<'a> {
    cx: &'a Cx,
    validate_only: bool,
    is_strict: bool,
    newest: Arc<Seen>,
    /// Partitions that it has added so far; the limit is of the request and not of each topic.
    added: u32,
}

impl Request<'_> {
    fn grow(&mut self, topic: CreatePartitionsTopic) -> Result<(), (ErrorCode, String)> {
        let cx = self.cx;
        if !cx.allow(Operation::Alter, Resource::Topic(&topic.name)) {
            let why = "adding partitions to this topic is not allowed".to_owned();
            return Err((ErrorCode::TopicAuthorizationFailed, why));
        }
        let replicas = |brokers: Vec<BrokerId>| brokers.iter().map(|b| b.0).collect();
        let more = MorePartitions {
            name: topic.name.to_string(),
            count: topic.count,
            assignments: topic
                .assignments
                .map(|all| all.into_iter().map(|a| replicas(a.broker_ids)).collect()),
        };
        let mut limits = defaults(cx);
        limits.partitions_max = PARTITIONS_MAX - self.added;
        let is_strict = self.is_strict;
        let decide = |image: &Image| {
            let grown = command::create_partitions(image, &more, limits)?;
            let before = image.topic_by_id(grown.id).map_or(0, |topic| topic.partitions);
            let added = grown.partitions - before;
            policy::check_partitions(grown.partitions, &cx.broker.config.load())?;
            cx.change(added as usize, is_strict)?;
            Ok::<_, Refusal>((added, grown))
        };
        let outcome = if self.validate_only {
            decide(&self.newest.image).map(|(added, _)| added).map_err(CommandError::Refused)
        } else {
            let (outcome, seen) = cx.broker.controller.execute(|image| {
                let (added, grown) = decide(image)?;
                Ok((vec![grown.into()], added))
            });
            self.newest = seen;
            outcome
        };
        let added = outcome.map_err(|error| (error.code(), error.to_string()))?;
        self.added += added;
        Ok(())
    }
}
