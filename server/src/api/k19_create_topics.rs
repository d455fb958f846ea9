//! CreateTopics (key 19), versions 2–7.
//!
//! - 4 (KIP-464): -1 asks for the broker's defaults. 5 (KIP-525): flexible; the reply describes the topic and all its
//!   settings. 6 (KIP-599): what exceeds the client's quota is refused. 7: topic id.
//!
//! The topic is there for everyone when the reply leaves (Kafka's lags by milliseconds, which makes tests flake).

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use protocol_compat::messages::{ApiKey, CreateTopicsRequest, CreateTopicsResponse, StrBytes, Uuid};
use storage::TopicId;

use super::config_resource::source_number;
use super::error::{ToCode, text};
use super::{Api, Cx, Then};
use crate::cluster::Image;
use crate::cluster::command::{self, Defaults, NewTopic, Refusal};
use crate::cluster::controller::{CommandError, Seen};
use crate::cluster::policy;
use crate::cluster::records::TopicCreated;
use crate::config::topic::topic_setting;
use crate::config::{TopicConfig, ValueSource, describe_topic};
use crate::security::{Operation, Resource};

pub(super) struct CreateTopics;

/// Most partitions that one request may create, as Kafka's controller has it: each costs memory for good.
pub(super) const PARTITIONS_MAX: u32 = 10_000;
/// From here on what exceeds the client's quota is refused, topic by topic (KIP-599).
const STRICT_FROM: i16 = 6;
/// The first version whose reply describes the topic.
const DESCRIBED_FROM: i16 = 5;

impl Api for CreateTopics {
    const KEY: i16 = ApiKey::CreateTopics as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=7;
    type Req = CreateTopicsRequest;
    type Resp = CreateTopicsResponse;

    fn codes(reply: &CreateTopicsResponse) -> impl Iterator<Item = i16> {
        reply.topics.iter().map(|t| t.error_code)
    }

    fn begin(cx: &Cx, req: CreateTopicsRequest, version: i16) -> Then<CreateTopicsResponse> {
        let mut times_named = BTreeMap::new();
        for topic in &req.topics {
            *times_named.entry(topic.name.clone()).or_insert(0u32) += 1;
        }
        let too_many = records_asked(cx, &req.topics) > u64::from(PARTITIONS_MAX);
        let mut newest = cx.seen.clone();
        let mut results = Vec::new();
        for topic in req.topics {
            let Some(times) = times_named.remove(&topic.name) else { continue };
            let outcome = if too_many {
                Err((
                    ErrorCode::PolicyViolation,
                    format!("one request may create {PARTITIONS_MAX} partitions"),
                ))
            } else if times > 1 {
                Err((ErrorCode::InvalidRequest, "the request names this topic more than once".to_owned()))
            } else {
                create_one(cx, &topic, req.validate_only, version >= STRICT_FROM, &mut newest)
            };
            results.push(result(cx, topic, outcome, version));
        }
        let reply = CreateTopicsResponse::default().with_topics(results);
        Then::once_durable(&newest, reply, |reply, error| {
            fail_created(reply, error.code(), &error.to_string())
        })
    }
}

fn create_one(
    cx: &Cx,
    topic: &CreatableTopic,
    validate_only: bool,
    is_strict: bool,
    newest: &mut Arc<Seen>,
) -> Result<TopicCreated, (ErrorCode, String)> {
    let name = &topic.name;
    if !cx.allow(Operation::Create, Resource::Cluster) && !cx.allow(Operation::Create, Resource::Topic(name))
    {
        return Err((ErrorCode::TopicAuthorizationFailed, "creating this topic is not allowed".to_owned()));
    }
    // What is wrong with the name is said before what is wrong with the settings, and that before all else.
    let refuse = |refusal: Refusal| (refusal.code(), refusal.to_string());
    command::check_new_name(&newest.image, name).map_err(refuse)?;
    let wanted = new_topic(topic)?;
    if let Err(error) = TopicConfig::from_overrides(&wanted.configs, &cx.broker.config.load()) {
        return Err((ErrorCode::InvalidConfig, error.to_string()));
    }
    let outcome = if validate_only {
        // The id that it could get: Kafka shows one, too.
        let id = TopicId::random(&*cx.broker.env.random);
        decide(cx, &newest.image, &wanted, id, is_strict).map_err(CommandError::Refused)
    } else {
        let (created, seen) = create(cx, &wanted, is_strict);
        *newest = seen;
        created
    };
    outcome.map_err(|error| (error.code(), error.to_string()))
}

/// What the whole request would cost Kafka's controller, which counts a record for each partition, topic and setting.
fn records_asked(cx: &Cx, topics: &[CreatableTopic]) -> u64 {
    let partitions = |topic: &CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => u64::try_from(cx.broker.config.load().num_partitions).unwrap_or(0),
        (0, asked) => u64::try_from(asked).unwrap_or(0),
        (assigned, _) => assigned as u64,
    };
    topics.iter().map(|topic| partitions(topic).saturating_add(1 + topic.configs.len() as u64)).sum()
}

fn new_topic(topic: &CreatableTopic) -> Result<NewTopic, (ErrorCode, String)> {
    let mut configs = BTreeMap::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            return Err((ErrorCode::InvalidConfig, format!("the setting '{}' has no value", config.name)));
        };
        configs.insert(config.name.to_string(), value.to_string());
    }
    let mut assignments = BTreeMap::new();
    for placed in &topic.assignments {
        let replicas = placed.broker_ids.iter().map(|b| b.0).collect();
        if assignments.insert(placed.partition_index, replicas).is_some() {
            let message = format!("partition {} is assigned twice", placed.partition_index);
            return Err((ErrorCode::InvalidReplicaAssignment, message));
        }
    }
    Ok(NewTopic {
        name: topic.name.to_string(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments,
        configs,
    })
}

pub(super) fn defaults(cx: &Cx) -> Defaults {
    let config = cx.broker.config.load();
    Defaults {
        node_id: cx.broker.identity.node_id,
        partitions: config.num_partitions,
        replication_factor: config.default_replication_factor as i16,
        partitions_max: PARTITIONS_MAX,
    }
}

fn decide(
    cx: &Cx,
    image: &Image,
    wanted: &NewTopic,
    id: TopicId,
    is_strict: bool,
) -> Result<TopicCreated, Refusal> {
    let created = command::create_topic(image, wanted, id, defaults(cx))?;
    policy::check_new(&created, &cx.broker.config.load())?;
    cx.change(created.partitions as usize, is_strict)?;
    Ok(created)
}

/// Creates a topic under a new id. The reply must wait for the returned [`Seen`].
pub(super) fn create(
    cx: &Cx,
    wanted: &NewTopic,
    is_strict: bool,
) -> (Result<TopicCreated, CommandError<Refusal>>, Arc<Seen>) {
    let id = TopicId::random(&*cx.broker.env.random);
    cx.broker.controller.execute(|image| {
        let created = decide(cx, image, wanted, id, is_strict)?;
        Ok((vec![created.clone().into()], created))
    })
}

fn result(
    cx: &Cx,
    topic: CreatableTopic,
    outcome: Result<TopicCreated, (ErrorCode, String)>,
    version: i16,
) -> CreatableTopicResult {
    let base = CreatableTopicResult::default().with_name(topic.name).with_error_message(None);
    match outcome {
        Ok(created) if version >= DESCRIBED_FROM => base
            .with_topic_id(Uuid::from_bytes(created.id.0))
            .with_num_partitions(created.partitions as i32)
            .with_replication_factor(1)
            .with_configs(Some(describe_configs(cx, &created))),
        Ok(_) => base,
        Err((code, message)) => base.with_error_code(code.code()).with_error_message(text(message)),
    }
}

/// All settings of the topic, with the source of each: here Kafka looks at all of the broker's settings that may stand
/// behind one, where DescribeConfigs looks at the strongest.
fn describe_configs(cx: &Cx, created: &TopicCreated) -> Vec<CreatableTopicConfigs> {
    let broker = &cx.broker.config.load();
    let is_set = |name: &str| {
        let behind = topic_setting(name).map_or(&[][..], |setting| setting.synonyms);
        behind.iter().any(|(synonym, _)| broker.values.assigned(synonym).is_some())
    };
    describe_topic(&created.configs, broker)
        .into_iter()
        .map(|setting| {
            let source = match setting.source {
                ValueSource::Default if is_set(setting.name) => ValueSource::Broker,
                source => source,
            };
            CreatableTopicConfigs::default()
                .with_name(StrBytes::from_static_str(setting.name))
                .with_value(setting.value.map(StrBytes::from_string))
                .with_config_source(source_number(source))
        })
        .collect()
}

/// The records of these topics could not be made durable: nobody may learn of them.
fn fail_created(mut reply: CreateTopicsResponse, code: ErrorCode, message: &str) -> CreateTopicsResponse {
    for topic in reply.topics.iter_mut().filter(|t| t.error_code == 0) {
        topic.error_code = code.code();
        topic.error_message = text(message);
    }
    reply
}
