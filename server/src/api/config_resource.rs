//! What the three APIs of settings share: the kinds of resources by their numbers, which of them can be altered at all, and
//! the way from decided changes to the reply.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use protocol_compat::ErrorCode;
use storage::{AppendError, TopicId};

use super::error::ToCode;
use super::{Cx, Then, config_logger};
use crate::cluster::Image;
use crate::cluster::client_metrics::configure_client_metrics;
use crate::cluster::configure::{self, ConfigRefusal, Wanted};
use crate::cluster::controller::Seen;
use crate::cluster::records::Record;
use crate::config::{Scope, ValueSource};
use crate::security::Resource;

/// What settings belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResourceType {
    Topic,
    Broker,
    BrokerLogger,
    ClientMetrics,
    Group,
}

impl ResourceType {
    /// In the order in which Kafka lists them.
    pub(super) const ALL: &'static [ResourceType] =
        &[Self::Group, Self::ClientMetrics, Self::BrokerLogger, Self::Broker, Self::Topic];

    pub(super) fn of(number: i8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }

    pub(super) fn number(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }
}

/// Where a value comes from, as replies number it.
pub(super) fn source_number(source: ValueSource) -> i8 {
    match source {
        ValueSource::Topic => 1,
        ValueSource::ThisBroker => 2,
        ValueSource::AllBrokers => 3,
        ValueSource::Broker => 4,
        ValueSource::ClientMetrics => 7,
        ValueSource::Default => 5,
        ValueSource::Logger => 6,
        ValueSource::Group => 8,
    }
}

/// An error code with its words.
pub(super) type Refused = (ErrorCode, String);

pub(super) fn invalid(why: impl Into<String>) -> Refused {
    (ErrorCode::InvalidRequest, why.into())
}

/// Is this name the id of this broker?
pub(super) fn check_broker_id(cx: &Cx, name: &str) -> Result<(), Refused> {
    let expected = cx.broker.identity.node_id;
    match name.parse::<i32>() {
        Ok(id) if id == expected => Ok(()),
        Ok(_) => Err(invalid(format!("this is broker {expected}, not {name}"))),
        Err(_) => Err(invalid(format!("the id of a broker is a number, and not '{name}'"))),
    }
}

/// One resource of a request that alters settings.
pub(super) struct Altered<V> {
    pub(super) kind: i8,
    pub(super) name: String,
    pub(super) configs: Vec<(String, Option<V>)>,
    /// Whether an operation of it does not exist.
    pub(super) has_unknown_operation: bool,
}

/// What a request asks for as a whole.
pub(super) struct Asked<'a> {
    pub(super) validate_only: bool,
    /// Whether the API may alter loggers.
    pub(super) loggers_too: bool,
    /// Whether the asker may alter the settings of this resource.
    pub(super) may_alter: &'a dyn Fn(Resource<'_>) -> bool,
}

/// What became of each resource of a request, in the request's order.
pub(super) struct Altering {
    pub(super) outcomes: Vec<Result<(), Refused>>,
    changed: Vec<TopicId>,
    /// Settings of this broker, or of all.
    has_changed_brokers: bool,
    newest: Arc<Seen>,
}

/// Alters what can be altered. `translate` makes of a resource's settings what is wanted of it; `None` in place of a
/// value is a null that is not allowed there.
pub(super) fn alter<V>(
    cx: &Cx,
    resources: Vec<Altered<V>>,
    asked: &Asked<'_>,
    translate: impl Fn(BTreeMap<String, V>) -> Result<Wanted, Refused>,
) -> Altering {
    let mut times_named = HashMap::new();
    for resource in &resources {
        *times_named.entry((resource.kind, resource.name.clone())).or_insert(0u32) += 1;
    }
    let mut altering = Altering {
        outcomes: Vec::new(),
        changed: Vec::new(),
        has_changed_brokers: false,
        newest: cx.seen.clone(),
    };
    for resource in resources {
        let outcome = if times_named[&(resource.kind, resource.name.clone())] > 1 {
            Err(invalid("the request names this resource more than once"))
        } else {
            alter_one(cx, resource, asked, &translate, &mut altering)
        };
        altering.outcomes.push(outcome);
    }
    altering
}

fn alter_one<V>(
    cx: &Cx,
    resource: Altered<V>,
    asked: &Asked<'_>,
    translate: &impl Fn(BTreeMap<String, V>) -> Result<Wanted, Refused>,
    altering: &mut Altering,
) -> Result<(), Refused> {
    let Altered { kind, name, configs, has_unknown_operation } = resource;
    let configs = named_once(configs)?;
    match ResourceType::of(kind) {
        Some(ResourceType::Topic) => {
            if !(asked.may_alter)(Resource::Topic(&name)) {
                let why = "altering this topic's settings is not allowed".to_owned();
                return Err((ErrorCode::TopicAuthorizationFailed, why));
            }
            let (wanted, broker) = (translate(configs)?, cx.broker.config.load());
            let decide = |image: &Image| configure::configure_topic(image, &name, &wanted, &broker);
            if altering.take(cx, asked.validate_only, decide)? {
                altering.changed.extend(altering.newest.image.topic(&name).map(|topic| topic.id));
            }
            Ok(())
        }
        Some(ResourceType::Group) => {
            if !(asked.may_alter)(Resource::Group(&name)) {
                let why = "altering this group's settings is not allowed".to_owned();
                return Err((ErrorCode::GroupAuthorizationFailed, why));
            }
            let (wanted, broker) = (translate(configs)?, cx.broker.config.load());
            // Groups look into the image that each request brings: there is nothing else to tell.
            let decide = |image: &Image| configure::configure_group(image, &name, &wanted, &broker);
            altering.take(cx, asked.validate_only, decide).map(drop)
        }
        Some(ResourceType::ClientMetrics) => {
            if !(asked.may_alter)(Resource::Cluster) {
                let why = "altering subscriptions to clients' metrics is not allowed".to_owned();
                return Err((ErrorCode::ClusterAuthorizationFailed, why));
            }
            let wanted = translate(configs)?;
            // Telemetry looks there as groups do.
            let decide = |image: &Image| configure_client_metrics(image, &name, &wanted);
            altering.take(cx, asked.validate_only, decide).map(drop)
        }
        Some(ResourceType::Broker) => {
            if !name.is_empty() {
                check_broker_id(cx, &name)?;
            }
            check_cluster(asked)?;
            if has_unknown_operation {
                return Err(invalid(UNKNOWN_OPERATION));
            }
            let (wanted, broker) = (translate(configs)?, cx.broker.config.load());
            let scope = if name.is_empty() { Scope::AllBrokers } else { Scope::ThisBroker };
            let decide = |image: &Image| configure::configure_broker(image, scope, &wanted, &broker);
            altering.has_changed_brokers |= altering.take(cx, asked.validate_only, decide)?;
            Ok(())
        }
        Some(ResourceType::BrokerLogger) if asked.loggers_too => {
            check_broker_id(cx, &name)?;
            check_cluster(asked)?;
            if has_unknown_operation {
                return Err((ErrorCode::UnknownServerError, UNKNOWN_OPERATION.to_owned()));
            }
            config_logger::alter(translate(configs)?, asked.validate_only)
        }
        _ => Err(invalid(format!("settings of resources of type {kind} cannot be altered here"))),
    }
}

/// Of a broker it is an invalid request; of a logger, and of anything else, Kafka trips over it.
const UNKNOWN_OPERATION: &str = "the request holds an operation that does not exist; there are 0 to 3";

/// What is asked of brokers and loggers before anything else.
fn check_cluster(asked: &Asked<'_>) -> Result<(), Refused> {
    if !(asked.may_alter)(Resource::Cluster) {
        let why = "altering the broker's settings is not allowed".to_owned();
        return Err((ErrorCode::ClusterAuthorizationFailed, why));
    }
    Ok(())
}

fn named_once<V>(configs: Vec<(String, Option<V>)>) -> Result<BTreeMap<String, V>, Refused> {
    let mut names = HashSet::new();
    if let Some((twice, _)) = configs.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(invalid(format!("the request names the setting '{twice}' more than once")));
    }
    let with_value = |(name, value): (String, Option<V>)| match value {
        Some(value) => Ok((name, value)),
        None => Err(invalid(format!("the setting '{name}' has no value"))),
    };
    configs.into_iter().map(with_value).collect()
}

impl Altering {
    /// Writes down what is decided, unless it is asked for only; and whether anything was to be written.
    fn take(
        &mut self,
        cx: &Cx,
        validate_only: bool,
        decide: impl Fn(&Image) -> Result<Option<Record>, ConfigRefusal>,
    ) -> Result<bool, Refused> {
        if validate_only {
            return decide(&self.newest.image)
                .map(|_| false)
                .map_err(|refusal| (refusal.code(), refusal.to_string()));
        }
        let (outcome, seen) = cx.broker.controller.execute(|image| {
            let record = decide(image)?;
            let is_changed = record.is_some();
            Ok::<_, ConfigRefusal>((record.into_iter().collect(), is_changed))
        });
        self.newest = seen;
        outcome.map_err(|error| (error.code(), error.to_string()))
    }

    /// The reply, once the changes are durable and in force. `failed` says what the client learns if they cannot be.
    pub(super) fn then<R: Send + 'static>(
        self,
        cx: &Cx,
        reply: R,
        failed: impl FnOnce(R, ErrorCode, &str) -> R + Send + 'static,
    ) -> Then<R> {
        let Altering { changed, has_changed_brokers, newest, .. } = self;
        if changed.is_empty() && !has_changed_brokers {
            return Then::once_durable(&newest, reply, |reply, error| {
                failed(reply, error.code(), &error.to_string())
            });
        }
        // The logs get their settings even if the client hangs up: this work has begun.
        let (seen, broker) = (Seen::clone(&newest), cx.broker.clone());
        let work = tokio::spawn(async move {
            seen.durable().await?;
            if has_changed_brokers {
                broker.take_settings().await;
            }
            for id in changed {
                broker.reconfigure(id).await;
            }
            Ok::<(), AppendError>(())
        });
        Then::later(async move {
            match work.await {
                Ok(Ok(())) => reply,
                Ok(Err(error)) => failed(reply, error.code(), &error.to_string()),
                Err(_) => {
                    failed(reply, ErrorCode::UnknownServerError, "the settings did not reach every log")
                }
            }
        })
    }
}
