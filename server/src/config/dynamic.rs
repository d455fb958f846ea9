//! Settings that are changed while the broker runs: which may be, and how the layers of values become one.
//!
//! What was set for this broker goes before what was set for all, that before the start's own values, those before the
//! defaults, as in Kafka. A setting that Kafka lets change and that has no effect here is taken and kept; one that would
//! have an effect and cannot take it here is refused. A name that nobody knows is kept as Kafka keeps it, for plug-ins
//! that do not exist here, and never shown. Pure.

use super::kafka_names::DYNAMIC_ONLY;
use super::kinds::{Allowed, Kind, Update, find};
use super::sources::{Known, OF_LISTENERS, known, of_listener};
use super::topic::topic_settings;
use super::{Config, ConfigError, kafka_names, setting};
use std::collections::BTreeMap;

/// Names and values of one layer.
pub type Layer = BTreeMap<String, String>;

/// What was set while the broker ran, now or in an earlier life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    pub this_broker: Layer,
    pub all_brokers: Layer,
}

impl Dynamic {
    pub(super) fn has(&self, name: &str) -> bool {
        self.this_broker.contains_key(name) || self.all_brokers.contains_key(name)
    }
}

/// Which layer somebody wants to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    ThisBroker,
    AllBrokers,
}

/// Why a broker's setting is not changed; Kafka's code for it is INVALID_REQUEST (42).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    #[error("the setting `{0}` cannot change while the broker runs")]
    ReadOnly(String),
    #[error("the setting `{name}` cannot change while the broker runs: {why}")]
    Fixed { name: String, why: &'static str },
    #[error("the setting `{0}` can be set for a single broker only, and not for all of them")]
    PerBroker(String),
    #[error("the setting `{name}` cannot have this value; allowed: {allowed}")]
    Value { name: String, allowed: String },
    #[error("{0}")]
    Together(String),
    #[error("a broker may have {SETTINGS_MAX} settings of its own, and not {0}")]
    TooMany(usize),
}

/// Of one layer; Kafka knows fewer names than this.
const SETTINGS_MAX: usize = 1000;

const NO_CLASSES: &str = "Ottla loads no Java classes";
const NO_SECURITY: &str = "neither TLS nor SASL is served";
const AT_START: &str = "listeners are opened at the start";

/// What Kafka lets change and Ottla does not, by the beginnings of the names.
const FIXED: [(&str, &str); 9] = [
    ("num.network.threads", "these threads are made at the start"),
    ("listeners", AT_START),
    ("listener.security.protocol.map", AT_START),
    ("cordoned.log.dirs", "no data directory can be closed to new partitions"),
    ("metric.reporters", NO_CLASSES),
    ("config.providers", NO_CLASSES),
    ("principal.builder.class", NO_CLASSES),
    ("ssl.", NO_SECURITY),
    ("sasl.", NO_SECURITY),
];

/// Kafka's thread pools: they change step by step, to half and to double at most.
const THREADS: [&str; 9] = [
    "background.threads",
    "num.io.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.reader.threads",
    "num.network.threads",
];

/// Several names of one setting, the strongest first; setting one in a layer hides the others of the layers below.
const FAMILIES: [&[&str]; 3] = [
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];
const FLUSH: &[&str] = &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];

/// The names that may say what this one says, the strongest first, itself included.
pub(super) fn family(name: &str) -> Vec<&str> {
    match FAMILIES.iter().find(|family| family.contains(&name)) {
        Some(family) => family.to_vec(),
        None if name == FLUSH[0] => FLUSH.to_vec(),
        None => match of_listener(name) {
            Some((_, base)) => vec![name, base],
            None => vec![name],
        },
    }
}

/// The others that a value of this name hides. What is set for a listener hides nothing.
pub(super) fn hidden_by(name: &str) -> Vec<&str> {
    if of_listener(name).is_some() { vec![name] } else { family(name) }
}

/// How Kafka lets a setting change; `None`: nobody knows the name, and Kafka keeps it.
fn update_of(name: &str) -> Option<Update> {
    match (of_listener(name), known(name)) {
        (Some((_, base)), _) if OF_LISTENERS.contains(&base) => Some(Update::ClusterWide),
        (Some(_), _) => Some(Update::PerBroker),
        (None, Known::Ours(ours)) => Some(ours.update),
        (None, Known::Kafkas(kafkas)) => Some(kafkas.update),
        _ => DYNAMIC_ONLY.contains(&name).then_some(Update::ClusterWide),
    }
}

/// Whether a setting may change while the broker runs; why not, if it may not.
pub fn may_change(name: &str) -> Result<(), NotChanged> {
    let base = of_listener(name).map_or(name, |(_, base)| base);
    if let Some((_, why)) = FIXED.iter().find(|(start, _)| base.starts_with(start)) {
        return Err(NotChanged::Fixed { name: name.to_owned(), why });
    }
    match update_of(name) {
        Some(Update::ReadOnly) => Err(NotChanged::ReadOnly(name.to_owned())),
        _ => Ok(()),
    }
}

/// Whether DescribeConfigs shows a broker's setting as one that cannot change. Names that Kafka's table does not hold
/// are among these, although they may be set.
pub(super) fn is_read_only(name: &str) -> bool {
    let is_in_table = setting(name).is_some() || find(kafka_names::SERVER, name).is_some();
    !(is_in_table || DYNAMIC_ONLY.contains(&name)) || may_change(name).is_err()
}

/// Whether a change of the file takes effect without a restart: also that of a default of topics which Kafka does not
/// let change.
pub(super) fn may_reload(name: &str) -> bool {
    may_change(name).is_ok() || is_behind_topics(name)
}

/// Whether it means anything here.
pub(super) fn has_effect(name: &str) -> bool {
    setting(name).is_some() || is_behind_topics(name) || is_of_listener_here(name)
}

fn is_of_listener_here(name: &str) -> bool {
    of_listener(name).is_some_and(|(_, base)| OF_LISTENERS.contains(&base))
}

fn is_behind_topics(name: &str) -> bool {
    topic_settings().any(|topics| topics.synonyms.iter().any(|(behind, _)| *behind == name))
}

/// Is this a value for the setting, in this layer?
fn check_one(name: &str, value: &str, scope: Scope) -> Result<(), NotChanged> {
    may_change(name)?;
    let (kind, allowed) = match known(name) {
        Known::Ours(ours) => (ours.kind, ours.allowed),
        Known::Kafkas(kafkas) => (kafkas.kind, kafkas.allowed),
        _ if DYNAMIC_ONLY.contains(&name) => (Kind::Long, Allowed::Whole(&[(0, i64::MAX)])),
        _ => (Kind::Text, Allowed::Anything),
    };
    if !kind.accepts(allowed, value) {
        return Err(NotChanged::Value { name: name.to_owned(), allowed: kind.describe(allowed) });
    }
    match (scope, update_of(name)) {
        (Scope::AllBrokers, Some(Update::PerBroker)) => Err(NotChanged::PerBroker(name.to_owned())),
        _ => Ok(()),
    }
}

impl Config {
    /// The settings that hold if one layer becomes `next`.
    pub fn with_layer(&self, scope: Scope, next: &Layer) -> Result<Config, NotChanged> {
        if next.len() > SETTINGS_MAX {
            return Err(NotChanged::TooMany(next.len()));
        }
        let mut dynamic = self.values.dynamic().clone();
        let layer = match scope {
            Scope::ThisBroker => &mut dynamic.this_broker,
            Scope::AllBrokers => &mut dynamic.all_brokers,
        };
        for (name, value) in next.iter().filter(|(name, value)| layer.get(*name) != Some(value)) {
            check_one(name, value, scope)?;
        }
        *layer = next.clone();
        let config = self.with_dynamic(&dynamic).map_err(|error| NotChanged::Together(error.to_string()))?;
        self.check_steps(&config)?;
        Ok(config)
    }

    fn check_steps(&self, next: &Config) -> Result<(), NotChanged> {
        let threads = |config: &Config, name: &str| -> Option<i64> {
            config.values.text(name).and_then(|text| text.trim().parse().ok())
        };
        for name in THREADS {
            let (Some(now), Some(then)) = (threads(self, name), threads(next, name)) else { continue };
            if then != now && !(now / 2..=now.saturating_mul(2)).contains(&then) {
                let allowed = format!("from half to double of what it is now, {now}");
                return Err(NotChanged::Value { name: name.to_owned(), allowed });
            }
        }
        Ok(())
    }

    /// The same start with these settings over it.
    fn with_dynamic(&self, dynamic: &Dynamic) -> Result<Config, ConfigError> {
        Config::read(self.values.under(dynamic.clone()))?.resolve()
    }

    /// The same start with stored settings over it; what cannot count any more is left out, and told of.
    pub fn with_stored(&self, stored: &Dynamic) -> (Config, Vec<String>) {
        let mut complaints = Vec::new();
        let mut sound = |layer: &Layer, scope: Scope| -> Layer {
            let is_sound = |(name, value): &(&String, &String)| match check_one(name, value, scope) {
                Ok(()) => true,
                Err(why) => {
                    complaints.push(why.to_string());
                    false
                }
            };
            layer.iter().filter(is_sound).map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let all_brokers = sound(&stored.all_brokers, Scope::AllBrokers);
        let this_broker = sound(&stored.this_broker, Scope::ThisBroker);
        // The less goes with the whole, the better: first what is nearest to this broker is left out.
        let attempts = [
            Dynamic { this_broker, all_brokers: all_brokers.clone() },
            Dynamic { this_broker: Layer::new(), all_brokers },
            Dynamic::default(),
        ];
        for attempt in &attempts {
            match self.with_dynamic(attempt) {
                Ok(config) => return (config, complaints),
                Err(error) => complaints.push(error.to_string()),
            }
        }
        (self.clone(), complaints)
    }

    /// The settings of another start under the same changes, as far as they may count without a restart; and what is to
    /// be said of each that differs.
    pub fn reloaded(&self, start: &Config) -> Result<(Config, Vec<Reloaded>), ConfigError> {
        let (values, told) = self.values.restarted(&start.values);
        Ok((Config::read(values)?.resolve()?, told))
    }
}

/// A setting that another start would have otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// It counts from now on.
    Taken(String),
    /// It counts, but for what was set while the broker ran.
    Hidden(String),
    NeedsRestart(String),
    /// It means nothing here.
    WithoutEffect(String),
}
