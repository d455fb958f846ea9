//! The decisions about the settings of topics, groups and brokers, as Kafka's ConfigurationControlManager and its validator
//! make them.
//!
//! One answer for a topic: if one of its changes is refused, nothing changes. Its settings are judged before it is asked
//! whether it exists. Pure functions.

mod broker;

use std::collections::BTreeMap;

pub use broker::{configure_broker, stored_settings};

use super::Image;
use super::command::Refusal;
use super::policy;
use super::records::{GroupConfigured, Record, TopicConfigured};
use super::topic_name;
use crate::config::topic::topic_setting;
use crate::config::{
    ClientMetricsError, Config, GroupConfigError, Kind, NotChanged, TopicConfig, TopicConfigError,
    check_group, group_setting,
};

/// What is to become of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Set(String),
    /// Back to the broker's default. What the topic does not have is deleted without a word.
    Delete,
    /// Items between commas, added where they are not yet. A topic without a value of its own starts from Kafka's default.
    Append(String),
    /// Items between commas, taken out where they are.
    Subtract(String),
}

/// What is to become of the settings of a topic, a group or a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Those that are named change.
    Changes(BTreeMap<String, Change>),
    /// It has these and no others.
    Exactly(BTreeMap<String, String>),
}

/// Why settings stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigRefusal {
    #[error("{what} is not possible with setting `{name}`: it is no list")]
    NoList { what: &'static str, name: String },
    #[error("{0}")]
    Value(#[from] TopicConfigError),
    #[error("{0}")]
    GroupValue(#[from] GroupConfigError),
    #[error("{0}")]
    ClientMetrics(#[from] ClientMetricsError),
    #[error("{0}")]
    Broker(#[from] NotChanged),
    #[error("with this default the settings of topic `{topic}` would not be valid: {why}")]
    OfTopic { topic: String, why: TopicConfigError },
    #[error("there are no default settings of topics or groups here: name one")]
    NoName,
    #[error(transparent)]
    Topic(#[from] Refusal),
}

/// The record that gives the topic `name` the settings wanted; none if it has them.
pub fn configure_topic(
    image: &Image,
    name: &str,
    wanted: &Wanted,
    broker: &Config,
) -> Result<Option<Record>, ConfigRefusal> {
    let topic = image.topic(name);
    let current = topic.map(|topic| topic.configs.clone()).unwrap_or_default();
    let next = match wanted {
        Wanted::Changes(changes) => changed(&current, changes, list_of_topics)?,
        Wanted::Exactly(exactly) => exactly.clone(),
    };
    if name.is_empty() {
        return Err(ConfigRefusal::NoName);
    }
    topic_name::check(name).map_err(Refusal::InvalidName)?;
    TopicConfig::from_overrides(&next, broker)?;
    let topic = topic.ok_or_else(|| Refusal::UnknownName(name.to_owned()))?;
    let changes = difference(&current, &next);
    policy::check_settings(changes.keys(), broker)?;
    Ok((!changes.is_empty()).then(|| TopicConfigured { id: topic.id, changes }.into()))
}

/// The record that gives the group `name` the settings wanted; none if it has them. It need not be there.
pub fn configure_group(
    image: &Image,
    name: &str,
    wanted: &Wanted,
    broker: &Config,
) -> Result<Option<Record>, ConfigRefusal> {
    let current = image.group_configs(name).cloned().unwrap_or_default();
    let next = match wanted {
        Wanted::Changes(changes) => changed(&current, changes, list_of_groups)?,
        Wanted::Exactly(exactly) => exactly.clone(),
    };
    if name.is_empty() {
        return Err(ConfigRefusal::NoName);
    }
    check_group(&next, broker)?;
    let changes = difference(&current, &next);
    Ok((!changes.is_empty()).then(|| GroupConfigured { group: name.to_owned(), changes }.into()))
}

/// The default of a setting that is a list; `None` where it is none.
pub(super) type FindList = fn(&str) -> Option<&'static str>;

fn list_of_topics(name: &str) -> Option<&'static str> {
    let setting = topic_setting(name).filter(|setting| setting.kind == Kind::List)?;
    Some(setting.default.unwrap_or_default())
}

fn list_of_groups(name: &str) -> Option<&'static str> {
    let setting = group_setting(name).filter(|setting| setting.kind == Kind::List)?;
    Some(setting.default.unwrap_or_default())
}

pub(super) fn changed(
    current: &BTreeMap<String, String>,
    changes: &BTreeMap<String, Change>,
    list: FindList,
) -> Result<BTreeMap<String, String>, ConfigRefusal> {
    let mut next = current.clone();
    for (name, change) in changes {
        let value = match change {
            Change::Delete => {
                next.remove(name);
                continue;
            }
            Change::Set(value) => value.clone(),
            Change::Append(added) => {
                let mut items = own_items(current, name, "APPEND", list)?;
                for item in split(added) {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
                items.join(",")
            }
            Change::Subtract(removed) => {
                let mut items = own_items(current, name, "SUBTRACT", list)?;
                for item in split(removed) {
                    if let Some(at) = items.iter().position(|known| *known == item) {
                        items.remove(at);
                    }
                }
                items.join(",")
            }
        };
        next.insert(name.clone(), value);
    }
    Ok(next)
}

/// The items of a list as they were set, spaces included; Kafka does not ask the broker's settings for them.
fn own_items<'a>(
    current: &'a BTreeMap<String, String>,
    name: &str,
    what: &'static str,
    list: FindList,
) -> Result<Vec<&'a str>, ConfigRefusal> {
    let default = list(name).ok_or_else(|| ConfigRefusal::NoList { what, name: name.to_owned() })?;
    let text = current.get(name).map_or(default, String::as_str);
    Ok(text.split(',').filter(|item| !item.is_empty()).collect())
}

/// Java's `split`: empty items at the end do not count, but an empty text is one empty item.
fn split(text: &str) -> Vec<&str> {
    match text.trim_end_matches(',') {
        "" if text.is_empty() => vec![""],
        "" => Vec::new(),
        kept => kept.split(',').collect(),
    }
}

pub(super) fn difference(
    current: &BTreeMap<String, String>,
    next: &BTreeMap<String, String>,
) -> BTreeMap<String, Option<String>> {
    let removed = current.keys().filter(|name| !next.contains_key(*name)).map(|name| (name.clone(), None));
    let set = next.iter().filter(|(name, value)| current.get(*name) != Some(*value));
    removed.chain(set.map(|(name, value)| (name.clone(), Some(value.clone())))).collect()
}

#[cfg(test)]
#[path = "configure_tests.rs"]
mod tests;
