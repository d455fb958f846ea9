//! Settings as DescribeConfigs and CreateTopics show them: value, source, synonyms, type, doc.
//!
//! What Kafka's ConfigHelper shows of a topic's settings, with its corner: the synonyms of a setting begin with the
//! strongest one, so that where only a weaker one is set (`log.retention.hours` and not `log.retention.ms`), the list is
//! empty and the source is called a default, although the value is the broker's. Pure, and without a wire format.

use super::dynamic::{Dynamic, family, is_read_only};
use super::group::group_settings;
use super::kafka_names::SERVER;
use super::kinds::{Kind, find};
use super::sources::kind_of;
use super::table::SETTINGS;
use super::topic::{Texts, TopicSetting, topic_settings};
use super::{Config, setting};
use std::collections::{BTreeMap, BTreeSet};

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// The topic's own.
    Topic,
    /// The group's own.
    Group,
    /// The subscription's own, of clients' metrics.
    ClientMetrics,
    /// Set for this broker while it ran.
    ThisBroker,
    /// Set for all brokers while they ran.
    AllBrokers,
    /// It is the level of a logger.
    Logger,
    /// The command line, the environment or the file of the broker.
    Broker,
    Default,
}

/// A value that counts, or would if those before it were not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym<'n> {
    pub name: &'n str,
    pub value: Option<String>,
    pub source: ValueSource,
}

/// One setting with all that is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described<'n> {
    pub name: &'n str,
    /// `None`: it has none, or it must not be shown.
    pub value: Option<String>,
    pub source: ValueSource,
    /// `None`: a name that nobody knows.
    pub kind: Option<Kind>,
    pub is_read_only: bool,
    pub is_secret: bool,
    pub synonyms: Vec<Synonym<'n>>,
    pub doc: String,
}

/// All settings of a topic. Those of Kafka's own tests are shown only where somebody has set them.
pub fn describe_topic(overrides: &BTreeMap<String, String>, broker: &Config) -> Vec<Described<'static>> {
    let texts = Texts { overrides, broker };
    let is_shown = |s: &TopicSetting| !s.name.starts_with("internal.") || overrides.contains_key(s.name);
    topic_settings().filter(is_shown).map(|setting| of_topic(&setting, &texts)).collect()
}

fn of_topic(setting: &TopicSetting, texts: &Texts<'_>) -> Described<'static> {
    let value = texts.find(setting).map(|text| setting.kind.canonical(setting.allowed, &text));
    let mut synonyms = Vec::new();
    if texts.overrides.contains_key(setting.name) {
        synonyms.push(Synonym { name: setting.name, value: value.clone(), source: ValueSource::Topic });
    }
    let of_broker: Vec<&'static str> = setting.synonyms.iter().map(|(name, _)| *name).collect();
    synonyms.extend(broker_synonyms(&of_broker, texts.broker));
    Described {
        name: setting.name,
        value,
        source: synonyms.first().map_or(ValueSource::Default, |first| first.source),
        kind: Some(setting.kind),
        is_read_only: false,
        is_secret: false,
        synonyms,
        doc: setting.doc.to_owned(),
    }
}

/// What is set by one of these names, layer by layer, then what is a default by one of them, from the first occurrence of
/// the first name on.
fn broker_synonyms<'n>(names: &[&'n str], broker: &Config) -> Vec<Synonym<'n>> {
    synonyms_from(names.first().copied().unwrap_or_default(), names, broker)
}

fn synonyms_from<'n>(first: &str, names: &[&'n str], broker: &Config) -> Vec<Synonym<'n>> {
    let Dynamic { this_broker, all_brokers } = broker.values.dynamic();
    let started = |name: &str| Some(broker.values.started().get(name)?.text.trim());
    let of_layer = |source: ValueSource, name: &str| match source {
        ValueSource::ThisBroker => this_broker.get(name).map(String::as_str),
        ValueSource::AllBrokers => all_brokers.get(name).map(String::as_str),
        ValueSource::Broker => started(name),
        _ => default_of(name),
    };
    let mut synonyms = Vec::new();
    for source in LAYERS {
        synonyms.extend(names.iter().filter_map(|name| {
            let text = of_layer(source, name)?.to_owned();
            Some(Synonym { name, value: shown(name, text), source })
        }));
    }
    synonyms.into_iter().skip_while(|synonym| synonym.name != first).collect()
}

/// The strongest first.
const LAYERS: [ValueSource; 4] =
    [ValueSource::ThisBroker, ValueSource::AllBrokers, ValueSource::Broker, ValueSource::Default];

fn shown(name: &str, text: String) -> Option<String> {
    (!super::is_secret(name)).then_some(text)
}

fn default_of(name: &str) -> Option<&'static str> {
    match setting(name) {
        Some(ours) => ours.default,
        None => find(SERVER, name)?.default,
    }
}

/// All settings of a group, whether or not there is one of that id.
pub fn describe_group(overrides: &BTreeMap<String, String>, broker: &Config) -> Vec<Described<'static>> {
    let of_group = |setting: &super::group::GroupSetting| {
        let text = overrides.get(setting.name).map(String::as_str).or_else(|| setting.broker_text(broker));
        let value = text.map(|text| setting.kind.canonical(setting.allowed, text));
        let own = overrides.contains_key(setting.name).then(|| Synonym {
            name: setting.name,
            value: value.clone(),
            source: ValueSource::Group,
        });
        let behind = match setting.broker_setting() {
            Some(of_broker) => broker_synonyms(&[of_broker], broker),
            None => vec![Synonym {
                name: setting.name,
                value: setting.default.map(str::to_owned),
                source: ValueSource::Default,
            }],
        };
        let synonyms: Vec<Synonym<'_>> = own.into_iter().chain(behind).collect();
        Described {
            name: setting.name,
            value,
            source: synonyms.first().map_or(ValueSource::Default, |first| first.source),
            kind: Some(setting.kind),
            is_read_only: false,
            is_secret: false,
            synonyms,
            doc: setting.doc.to_owned(),
        }
    };
    group_settings().map(of_group).collect()
}

/// The broker's settings that have an effect here: those that are declared, and those behind topics' settings; and what
/// was set while it ran.
pub fn describe_broker(broker: &Config) -> Vec<Described<'_>> {
    let mut named = BTreeSet::new();
    let declared = SETTINGS.iter().map(|ours| (ours.name, ours.kind, ours.doc()));
    let behind_topics = topic_settings().flat_map(|topics| {
        topics.synonyms.iter().filter_map(move |(name, _)| {
            let kafkas = find(SERVER, name)?;
            let doc = format!("The default of the topic setting {}. {}", topics.name, topics.doc);
            Some((kafkas.name, kafkas.kind, doc))
        })
    });
    let all: Vec<(&'static str, Kind, String)> = declared.chain(behind_topics).collect();
    let mut described: Vec<Described<'_>> = all
        .into_iter()
        .filter(|(name, ..)| named.insert(*name))
        .map(|(name, kind, doc)| of_broker(name, Some(kind), doc, broker))
        .collect();
    let Dynamic { this_broker, all_brokers } = broker.values.dynamic();
    let others: BTreeSet<&str> = this_broker.keys().chain(all_brokers.keys()).map(String::as_str).collect();
    described.extend(
        others
            .into_iter()
            .filter(|name| !named.contains(name))
            .map(|name| of_broker(name, kind_of(name), NO_DOC.to_owned(), broker)),
    );
    described
}

fn of_broker<'n>(name: &'n str, kind: Option<Kind>, doc: String, broker: &Config) -> Described<'n> {
    let synonyms = synonyms_from(name, &family(name), broker);
    Described {
        name,
        value: broker.values.text(name).and_then(|text| shown(name, text.trim().to_owned())),
        source: synonyms.first().map_or(ValueSource::Default, |first| first.source),
        kind,
        is_read_only: is_read_only(name),
        is_secret: super::is_secret(name),
        synonyms,
        doc,
    }
}

const NO_DOC: &str = "It was set while the broker ran, and has no doc here.";

/// What was set for all brokers while they ran, and nothing that lies below.
pub fn describe_all_brokers(broker: &Config) -> Vec<Described<'_>> {
    let layer = broker.values.dynamic().all_brokers.iter();
    layer
        .map(|(name, text)| {
            let doc = setting(name).map_or(NO_DOC.to_owned(), |ours| ours.doc());
            let mut described = of_broker(name, kind_of(name), doc, broker);
            described.synonyms.retain(|synonym| synonym.source == ValueSource::AllBrokers);
            described.source = described.synonyms.first().map_or(ValueSource::Default, |first| first.source);
            described.value = shown(name, text.clone());
            described
        })
        .collect()
}
