//! The decisions about brokers' settings, as Kafka's ConfigAdminManager and DynamicBrokerConfig make them.
//!
//! Beyond Kafka's rules, no default may make the settings that a topic has of its own invalid: they would not count any
//! more, and its records might go.

use std::collections::{BTreeMap, HashSet};

use super::{ConfigRefusal, Image, Wanted, changed, difference};
use crate::cluster::records::{BrokerConfigured, Record};
use crate::config::{Config, Dynamic, KAFKA_SETTINGS, Kind, Layer, Scope, TopicConfig, setting};

/// What brokers were given while they ran, as far as it concerns this one.
pub fn stored_settings(image: &Image, node_id: i32) -> Dynamic {
    let layer = |of: Option<i32>| image.broker_configs(of).cloned().unwrap_or_default();
    Dynamic { this_broker: layer(Some(node_id)), all_brokers: layer(None) }
}

/// The record that gives this broker, or all of them, the settings wanted; none if they have them.
pub fn configure_broker(
    image: &Image,
    scope: Scope,
    wanted: &Wanted,
    broker: &Config,
) -> Result<Option<Record>, ConfigRefusal> {
    let node_id = match scope {
        Scope::ThisBroker => Some(broker.node_id),
        Scope::AllBrokers => None,
    };
    let current = image.broker_configs(node_id).cloned().unwrap_or_default();
    let next = match wanted {
        Wanted::Changes(changes) => changed(&current, changes, list_of_brokers)?,
        Wanted::Exactly(exactly) => exactly.clone(),
    };
    let (now, _) = broker.with_stored(&stored_settings(image, broker.node_id));
    let then = now.with_layer(scope, &counting(&now, scope, &current, &next))?;
    check_topics(image, &now, &then)?;
    let changes = difference(&current, &next);
    Ok((!changes.is_empty()).then(|| BrokerConfigured { node_id, changes }.into()))
}

/// The settings without those that were stored once and do not count any more.
fn counting(now: &Config, scope: Scope, current: &Layer, next: &Layer) -> Layer {
    let counts = match scope {
        Scope::ThisBroker => &now.values.dynamic().this_broker,
        Scope::AllBrokers => &now.values.dynamic().all_brokers,
    };
    let is_new_or_counts =
        |(name, value): &(&String, &String)| current.get(*name) != Some(*value) || counts.contains_key(*name);
    next.iter().filter(is_new_or_counts).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn list_of_brokers(name: &str) -> Option<&'static str> {
    let own = setting(name).map(|own| (own.kind, own.default));
    let kafkas = || KAFKA_SETTINGS.iter().find(|s| s.name == name).map(|s| (s.kind, s.default));
    let (_, default) = own.or_else(kafkas).filter(|(kind, _)| *kind == Kind::List)?;
    Some(default.unwrap_or_default())
}

fn check_topics(image: &Image, now: &Config, then: &Config) -> Result<(), ConfigRefusal> {
    let none = BTreeMap::new();
    let defaults = TopicConfig::from_overrides(&none, then)?;
    if TopicConfig::from_overrides(&none, now).is_ok_and(|now| now == defaults) {
        return Ok(());
    }
    // Many topics have few different settings.
    let mut checked = HashSet::new();
    for topic in image.topics().filter(|topic| !topic.configs.is_empty() && checked.insert(&topic.configs)) {
        let was_valid = || TopicConfig::from_overrides(&topic.configs, now).is_ok();
        if let Err(why) = TopicConfig::from_overrides(&topic.configs, then)
            && was_valid()
        {
            return Err(ConfigRefusal::OfTopic { topic: topic.name.to_string(), why });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "broker_tests.rs"]
mod tests;
