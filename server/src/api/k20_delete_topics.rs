//! DeleteTopics (key 20), versions 1–6.
//!
//! - 4: flexible. 5 (KIP-599): error messages; what exceeds the client's quota is refused. 6 (KIP-516): topics by name or id.
//!
//! The deletion is durable before the reply leaves; the directories are renamed then and unlinked later.

use std::collections::HashMap;
use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::delete_topics_request::DeleteTopicState;
use protocol_compat::messages::delete_topics_response::DeletableTopicResult;
use protocol_compat::messages::{
    ApiKey, DeleteTopicsRequest, DeleteTopicsResponse, StrBytes, TopicName, Uuid,
};
use storage::TopicId;

use super::error::{ToCode, text};
use super::{Api, Broker, Cx, Then};
use crate::cluster::command::{self, Refusal};
use crate::cluster::controller::Seen;
use crate::cluster::{Image, Topic, topic_name};
use crate::security::{Operation, Resource};

pub(super) struct DeleteTopics;

/// The first version that names topics by state (name or id) instead of by name.
const STATES_FROM: i16 = 6;
/// From here on what exceeds the client's quota is refused, topic by topic (KIP-599).
const STRICT_FROM: i16 = 5;

impl Api for DeleteTopics {
    const KEY: i16 = ApiKey::DeleteTopics as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=6;
    type Req = DeleteTopicsRequest;
    type Resp = DeleteTopicsResponse;

    fn codes(reply: &DeleteTopicsResponse) -> impl Iterator<Item = i16> {
        reply.responses.iter().map(|t| t.error_code)
    }

    fn begin(cx: &Cx, req: DeleteTopicsRequest, version: i16) -> Then<DeleteTopicsResponse> {
        let asked: Vec<DeleteTopicState> = if version >= STATES_FROM {
            req.topics
        } else {
            req.topic_names
                .into_iter()
                .map(|name| DeleteTopicState::default().with_name(Some(name)))
                .collect()
        };
        let mut newest = cx.seen.clone();
        let mut deleted = Vec::new();
        let mut responses = Vec::new();
        for (state, wanted) in judge(cx, asked, version) {
            let is_strict = version >= STRICT_FROM;
            let outcome = wanted.and_then(|topic| delete_one(cx, topic, is_strict, &mut newest));
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
                forget(&broker, &deleted).await;
                purge(broker, deleted).await;
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

/// What groups have committed for these topics goes with them. Where that fails their ids keep it from counting.
async fn forget(broker: &Broker, deleted: &[Arc<Topic>]) {
    let image = broker.controller.seen().image.clone();
    for topic in deleted {
        for forgotten in broker.groups.forget_topic(&broker.partitions, &image, topic) {
            if let Err(error) = forgotten.wait().await {
                tracing::debug!(topic = %topic.name, %error, "a coordinator keeps offsets of a deleted topic");
            }
        }
    }
}

/// Renaming and flushing directories would hold up the connections of a network thread.
#[expect(
    clippy::disallowed_methods,
    reason = "rare, long and off every hot path: a thread of its own is what it needs"
)]
async fn purge(broker: Arc<Broker>, deleted: Vec<Arc<Topic>>) {
    let work = tokio::task::spawn_blocking(move || deleted.iter().for_each(|topic| broker.purge(topic)));
    if let Err(panic) = work.await {
        tracing::error!(%panic, "deleted topics' directories stay until the next start");
    }
}

/// What is to become of a topic, or why nothing.
type Judged = Result<Arc<Topic>, (ErrorCode, String)>;

/// What the request means: each name and each id is answered once, and what is meant twice, even if once by its name and
/// once by its id, is not deleted at all.
fn judge(cx: &Cx, asked: Vec<DeleteTopicState>, version: i16) -> Vec<(DeleteTopicState, Judged)> {
    let refuse = |code: ErrorCode, why: &str| Err((code, why.to_owned()));
    if !cx.broker.config.load().delete_topic_enable {
        // The code has a name of its own from version 3 on.
        let code = if version < 3 { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
        return asked
            .into_iter()
            .map(|state| (state, refuse(code, "delete.topic.enable is false")))
            .collect();
    }
    let image = &cx.seen.image;
    let mut times_named = HashMap::new();
    let mut times_meant = HashMap::new();
    for state in asked.iter().filter(|state| state.name.is_some() == state.topic_id.is_nil()) {
        let times = times_named.entry((state.name.clone(), state.topic_id)).or_insert(0u32);
        *times += 1;
        if *times == 1
            && let Some(topic) = topic_of(image, state)
        {
            *times_meant.entry(topic.id).or_insert(0u32) += 1;
        }
    }
    let mut judged = Vec::new();
    for mut state in asked {
        if state.name.is_some() != state.topic_id.is_nil() {
            let why = "name the topic or its id: one of them, not both";
            judged.push((state, refuse(ErrorCode::InvalidRequest, why)));
            continue;
        }
        let Some(times) = times_named.remove(&(state.name.clone(), state.topic_id)) else { continue };
        let wanted = match topic_of(image, &state) {
            _ if times > 1 => {
                refuse(ErrorCode::InvalidRequest, "the request names this topic more than once")
            }
            Some(topic) if times_meant[&topic.id] > 1 => {
                if state.name.is_none() {
                    // The answer is the one to its name.
                    continue;
                }
                state.topic_id = Uuid::from_bytes(topic.id.0);
                refuse(ErrorCode::InvalidRequest, "the request names this topic by its id, too")
            }
            Some(topic) => Ok(topic.clone()),
            None => {
                let unknown = match &state.name {
                    Some(name) => Refusal::UnknownName(name.to_string()),
                    None => Refusal::UnknownId(TopicId(*state.topic_id.as_bytes())),
                };
                Err((unknown.code(), unknown.to_string()))
            }
        };
        judged.push((state, wanted));
    }
    judged
}

fn topic_of<'a>(image: &'a Image, state: &DeleteTopicState) -> Option<&'a Arc<Topic>> {
    match &state.name {
        Some(name) => image.topic(name),
        None => image.topic_by_id(TopicId(*state.topic_id.as_bytes())),
    }
}

fn delete_one(cx: &Cx, topic: Arc<Topic>, is_strict: bool, newest: &mut Arc<Seen>) -> Judged {
    if !cx.allow(Operation::Delete, Resource::Topic(&topic.name)) {
        return Err((ErrorCode::TopicAuthorizationFailed, "deleting this topic is not allowed".to_owned()));
    }
    if topic_name::is_internal(&topic.name) {
        tracing::warn!(topic = %topic.name, client = %cx.client_id, "an internal topic is being deleted");
    }
    let (outcome, seen) = cx.broker.controller.execute(|image| {
        let record = command::delete_topic(image, topic.id)?;
        // It may have grown since: all of its partitions go.
        let last = image.topic_by_id(topic.id).unwrap_or(&topic).clone();
        cx.change(last.partitions as usize, is_strict)?;
        Ok::<_, Refusal>((vec![record.into()], last))
    });
    *newest = seen;
    outcome.map_err(|error| (error.code(), error.to_string()))
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
                base.error_message = text(message);
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
