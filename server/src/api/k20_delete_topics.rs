//! DeleteTopics (key 20), versions 1–6.
//!
//! - 4: flexible. 5: error messages. 6 (KIP-516): topics by name or id.
//!
//! The deletion is durable before the reply leaves; the directories are renamed then and unlinked later.

use std::collections::HashSet;
use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::delete_topics_request::DeleteTopicState;
use protocol_compat::messages::delete_topics_response::DeletableTopicResult;
use protocol_compat::messages::{ApiKey, DeleteTopicsRequest, DeleteTopicsResponse, StrBytes, TopicName, Uuid};
use storage::TopicId;

use super::error::ToCode;
use super::{Api, Cx, Then};
use crate::cluster::command::{self, Refusal};
use crate::cluster::controller::Seen;
use crate::cluster::{Topic, topic_name};
use crate::security::{Operation, Resource};

pub(super) struct DeleteTopics;

/// The first version that names topics by state (name or id) instead of by name.
const STATES_FROM: i16 = 6;

impl Api for DeleteTopics {
    const KEY: i16 = ApiKey::DeleteTopics as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=6;
    type Req = DeleteTopicsRequest;
    type Resp = DeleteTopicsResponse;

    fn failed(reply: &DeleteTopicsResponse) -> bool {
        reply.responses.iter().any(|t| t.error_code != 0)
    }

    fn begin(cx: &Cx, req: DeleteTopicsRequest, version: i16) -> Then<DeleteTopicsResponse> {
        let asked: Vec<DeleteTopicState> = if version >= STATES_FROM {
            req.topics
        } else {
            req.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name))).collect()
        };
        let mut newest = cx.seen.clone();
        let mut deleted = Vec::new();
        let mut named = HashSet::new();
        let mut responses = Vec::new();
        for state in asked {
            let outcome = if named.insert((state.name.clone(), state.topic_id)) {
                delete_one(cx, &state, &mut newest)
            } else {
                Err((ErrorCode::InvalidRequest, "the request names this topic more than once".to_owned()))
            };
            responses.push(result(state, &outcome, version));
            deleted.extend(outcome.ok());
        }
        let reply = DeleteTopicsResponse::default().with_responses(responses);
        if deleted.is_empty() && newest.is_durable() {
            return Then::Now(reply);
        }
        // The directories go even if the client hangs up: this work has begun.
        let seen = Seen::clone(&newest);
        let broker = cx.broker.clone();
        let work = tokio::spawn(async move {
            let durable = seen.durable().await;
            if durable.is_ok() {
                deleted.iter().for_each(|topic| broker.purge(topic));
            }
            durable
        });
        Then::later(async move {
            match work.await {
                Ok(Ok(())) => reply,
                Ok(Err(error)) => fail_deleted(reply, error.code()),
                Err(_) => fail_deleted(reply, ErrorCode::UnknownServerError),
            }
        })
    }
}

fn delete_one(
    cx: &Cx,
    state: &DeleteTopicState,
    newest: &mut Arc<Seen>,
) -> Result<Arc<Topic>, (ErrorCode, String)> {
    let refuse = |code: ErrorCode, why: &str| Err((code, why.to_owned()));
    if state.name.is_some() && !state.topic_id.is_nil() {
        return refuse(ErrorCode::InvalidRequest, "name the topic or its id, not both");
    }
    let found = match &state.name {
        Some(name) => newest.image.topic(name).ok_or_else(|| Refusal::UnknownName(name.to_string())),
        None => {
            let id = TopicId(*state.topic_id.as_bytes());
            newest.image.topic_by_id(id).ok_or(Refusal::UnknownId(id))
        }
    };
    let topic = found.map_err(|refusal| (refusal.code(), refusal.to_string()))?.clone();
    if !cx.allow(Operation::Delete, Resource::Topic(&topic.name)) {
        return refuse(ErrorCode::TopicAuthorizationFailed, "deleting this topic is not allowed");
    }
    if !cx.broker.config.delete_topic_enable {
        return refuse(ErrorCode::TopicDeletionDisabled, "delete.topic.enable is false");
    }
    if topic_name::is_internal(&topic.name) {
        tracing::warn!(topic = %topic.name, client = %cx.client_id, "an internal topic is being deleted");
    }
    let (outcome, seen) = cx.broker.controller.execute(|image| {
        let record = command::delete_topic(image, topic.id)?;
        Ok::<_, Refusal>((vec![record.into()], ()))
    });
    *newest = seen;
    match outcome {
        Ok(()) => Ok(topic),
        Err(error) => Err((error.code(), error.to_string())),
    }
}

fn result(
    state: DeleteTopicState,
    outcome: &Result<Arc<Topic>, (ErrorCode, String)>,
    version: i16,
) -> DeletableTopicResult {
    let mut base = DeletableTopicResult::default().with_topic_id(state.topic_id).with_name(state.name);
    match outcome {
        Ok(topic) => {
            base.topic_id = Uuid::from_bytes(topic.id.0);
            base.name = Some(TopicName(StrBytes::from_string(topic.name.to_string())));
        }
        Err((code, message)) => {
            base.error_code = code.code();
            if version >= 5 {
                base.error_message = Some(StrBytes::from_string(message.clone()));
            }
        }
    }
    base
}

fn fail_deleted(mut reply: DeleteTopicsResponse, code: ErrorCode) -> DeleteTopicsResponse {
    for response in reply.responses.iter_mut().filter(|r| r.error_code == 0) {
        response.error_code = code.code();
    }
    reply
}
