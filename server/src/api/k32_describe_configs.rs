//! DescribeConfigs (key 32), versions 1–4.
//!
//! - 1: synonyms. 3 (KIP-569): types and docs. 4: flexible.
//!
//! As ConfigHelper answers: null and empty keys mean all, unknown keys are left out, resources that the asker may not see come
//! last. A type of resource that does not exist makes every answer an INVALID_REQUEST. A question that is asked twice is
//! answered once, where Kafka answers twice: some bytes of a request must not become kilobytes each.
//!
//! Of a broker those settings are described that have an effect here, and those that were set while it ran; of all brokers
//! (empty name) only the latter. A setting is read only where Kafka's is, and where Ottla cannot change it without a
//! restart (`config/dynamic.rs`). Loggers are the modules of this source, and `root`. A group's settings are described
//! whether or not it is there. So are those of a subscription to clients' metrics.

use std::collections::{BTreeMap, HashSet};

use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_configs_request::DescribeConfigsResource;
use protocol_compat::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol_compat::messages::{ApiKey, DescribeConfigsRequest, DescribeConfigsResponse, StrBytes};

use super::config_resource::{Refused, ResourceType, check_broker_id, invalid, source_number};
use super::error::{ToCode, text};
use super::{Api, Cx, Then, config_logger};
use crate::cluster::command::Refusal;
use crate::cluster::topic_name;
use crate::config::{
    Described, Kind, describe_all_brokers, describe_broker, describe_client_metrics, describe_group, describe_topic, ValueSource,
};
use crate::logging::loggers;
use crate::security::{Operation, Resource};

pub(super) struct DescribeConfigs;

/// The first version with types and docs.
const TYPED_FROM: i16 = 3;

impl Api for DescribeConfigs {
    const KEY: i16 = ApiKey::DescribeConfigs as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=4;
    type Req = DescribeConfigsRequest;
    type Resp = DescribeConfigsResponse;

    fn codes(reply: &DescribeConfigsResponse) -> impl Iterator<Item = i16> {
        reply.results.iter().map(|result| result.error_code)
    }

    fn begin(cx: &Cx, req: DescribeConfigsRequest, version: i16) -> Then<DescribeConfigsResponse> {
        let detail = Detail {
            synonyms: req.include_synonyms,
            docs: req.include_documentation && version >= TYPED_FROM,
            types: version >= TYPED_FROM,
        };
        let all_known = req.resources.iter().all(|r| ResourceType::of(r.resource_type).is_some());
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        let mut questions = HashSet::new();
        for resource in req.resources.iter().filter(|resource| questions.insert(question(resource))) {
            match ResourceType::of(resource.resource_type) {
                Some(kind) if all_known => match forbidden(cx, kind, &resource.resource_name) {
                    Some(code) => {
                        unseen.push(refused(resource, (code, "describing this is not allowed".to_owned())))
                    }
                    None => seen.push(
                        describe(cx, kind, resource, detail).unwrap_or_else(|why| refused(resource, why)),
                    ),
                },
                _ => seen.push(refused(
                    resource,
                    invalid("the request asks for a type of resource that does not exist"),
                )),
            }
        }
        seen.append(&mut unseen);
        Then::Now(DescribeConfigsResponse::default().with_results(seen))
    }
}

/// What a resource asks for: the same for every way to say it.
fn question(resource: &DescribeConfigsResource) -> (i8, String, &[StrBytes]) {
    // A broker's id is the same number with zeros in front.
    let name = match (ResourceType::of(resource.resource_type), resource.resource_name.parse::<i32>()) {
        (Some(ResourceType::Broker | ResourceType::BrokerLogger), Ok(id)) => id.to_string(),
        _ => resource.resource_name.to_string(),
    };
    (resource.resource_type, name, resource.configuration_keys.as_deref().unwrap_or_default())
}

fn forbidden(cx: &Cx, kind: ResourceType, name: &str) -> Option<ErrorCode> {
    let (resource, code) = match kind {
        ResourceType::Topic => (Resource::Topic(name), ErrorCode::TopicAuthorizationFailed),
        ResourceType::Group => (Resource::Group(name), ErrorCode::GroupAuthorizationFailed),
        _ => (Resource::Cluster, ErrorCode::ClusterAuthorizationFailed),
    };
    (!cx.allow(Operation::DescribeConfigs, resource)).then_some(code)
}

fn describe(
    cx: &Cx,
    kind: ResourceType,
    resource: &DescribeConfigsResource,
    detail: Detail,
) -> Result<DescribeConfigsResult, Refused> {
    let (name, broker) = (&*resource.resource_name, cx.broker.config.load());
    match kind {
        ResourceType::Topic => {
            let refuse = |refusal: Refusal| (refusal.code(), refusal.to_string());
            topic_name::check(name).map_err(|why| refuse(Refusal::InvalidName(why)))?;
            let topic =
                cx.seen.image.topic(name).ok_or_else(|| refuse(Refusal::UnknownName(name.to_owned())))?;
            Ok(described(resource, describe_topic(&topic.configs, &broker), detail))
        }
        ResourceType::Broker if name.is_empty() => {
            Ok(described(resource, describe_all_brokers(&broker), detail))
        }
        ResourceType::Broker => {
            check_broker_id(cx, name)?;
            Ok(described(resource, describe_broker(&broker), detail))
        }
        ResourceType::BrokerLogger => {
            check_broker_id(cx, name)?;
            Ok(described(resource, config_logger::described(&loggers().levels()), detail))
        }
        ResourceType::Group if name.is_empty() => Err(invalid("the name of a group must not be empty")),
        ResourceType::Group => {
            let own = cx.seen.image.group_configs(name).cloned().unwrap_or_default();
            Ok(described(resource, describe_group(&own, &broker), detail))
        }
        ResourceType::ClientMetrics if name.is_empty() => Err(invalid("a subscription needs a name")),
        ResourceType::ClientMetrics => {
            let none = BTreeMap::new();
            let own = cx.seen.image.client_subscriptions().get(name).unwrap_or(&none);
            Ok(described(resource, describe_client_metrics(own), detail))
        }
    }
}

/// What the asker wants to know besides values and sources.
#[derive(Clone, Copy)]
struct Detail {
    synonyms: bool,
    docs: bool,
    types: bool,
}

fn described(
    resource: &DescribeConfigsResource,
    all: Vec<Described<'_>>,
    detail: Detail,
) -> DescribeConfigsResult {
    let keys = resource.configuration_keys.as_deref().filter(|keys| !keys.is_empty());
    let is_asked = |name: &str| keys.is_none_or(|keys| keys.iter().any(|key| **key == *name));
    let asked = all.into_iter().filter(|setting| is_asked(setting.name));
    base(resource).with_configs(asked.map(|setting| entry(setting, detail)).collect())
}

fn entry(setting: Described<'_>, detail: Detail) -> DescribeConfigsResourceResult {
    let mut entry = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_string(setting.name.to_owned()))
        .with_value(setting.value.map(StrBytes::from_string))
        .with_read_only(setting.is_read_only)
        .with_config_source(source_number(setting.source))
        .with_is_sensitive(setting.is_secret)
        .with_documentation(None);
    if detail.types {
        entry.config_type = setting.kind.map_or(UNKNOWN_TYPE, type_number);
    }
    if detail.docs && !setting.doc.is_empty() {
        entry.documentation = Some(StrBytes::from_string(setting.doc));
    } else if setting.source == ValueSource::Logger {
        // Kafka says nothing of it, which on the wire is an empty text.
        entry.documentation = Some(StrBytes::default());
    }
    if detail.synonyms {
        entry.synonyms = setting
            .synonyms
            .into_iter()
            .map(|synonym| {
                DescribeConfigsSynonym::default()
                    .with_name(StrBytes::from_string(synonym.name.to_owned()))
                    .with_value(synonym.value.map(StrBytes::from_string))
                    .with_source(source_number(synonym.source))
            })
            .collect();
    }
    entry
}

/// Of loggers, and of names that nobody knows.
const UNKNOWN_TYPE: i8 = 0;

fn type_number(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::Text => 2,
        Kind::Int => 3,
        Kind::Short => 4,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
        Kind::Class => 8,
        Kind::Password => 9,
    }
}

fn refused(resource: &DescribeConfigsResource, (code, why): Refused) -> DescribeConfigsResult {
    base(resource).with_error_code(code.code()).with_error_message(text(why))
}

fn base(resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone())
}
