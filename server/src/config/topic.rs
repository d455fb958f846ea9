//! A topic's settings: what its creator set, over what the broker's settings say, over Kafka's defaults.
//!
//! Every topic setting that Kafka knows is checked, whether or not it has an effect yet, so that no topic carries a value that a
//! later version would choke on. Pure: the same overrides and the same broker settings give the same result.

use super::Config;
use super::kafka_names::{SYNONYMS, TOPIC};
use super::kinds::{Allowed, KafkaSetting, Kind, Update, boolean, find, items};
use super::topic_docs::{self, doc_of};
use super::values::{Compression, FromSetting, Words};
use std::borrow::Cow;
use std::collections::BTreeMap;
use storage::{Codec, Durability, Encoding, RecordValidation, TimestampType};

/// Why a topic's settings are refused; Kafka's code for it is INVALID_CONFIG (40).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("topic setting `{name}`: `{value}` is not allowed; allowed: {allowed}")]
pub struct TopicConfigError {
    pub name: String,
    pub value: String,
    pub allowed: String,
}

/// One topic setting as it is declared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicSetting {
    pub name: &'static str,
    pub kind: Kind,
    /// The default where no broker setting stands behind it.
    pub default: Option<&'static str>,
    pub allowed: Allowed,
    pub update: Update,
    /// The broker settings that give its default, the strongest first, each with the factor to this setting's unit.
    pub synonyms: &'static [(&'static str, i64)],
    /// What it does, in a sentence.
    pub doc: &'static str,
}

const DURABILITY: &str = "durability";
const RECORD_VALIDATION: &str = "record.validation";

/// Topic settings that Kafka does not have.
static OWN: [TopicSetting; 2] = [
    TopicSetting {
        name: DURABILITY,
        kind: Kind::Text,
        default: None,
        allowed: Allowed::OneOf(Durability::WORDS),
        update: Update::ReadOnly,
        synonyms: &[("log.durability", 1)],
        doc: topic_docs::DURABILITY,
    },
    TopicSetting {
        name: RECORD_VALIDATION,
        kind: Kind::Text,
        default: None,
        allowed: Allowed::OneOf(RecordValidation::WORDS),
        update: Update::ReadOnly,
        synonyms: &[("record.validation", 1)],
        doc: topic_docs::RECORD_VALIDATION,
    },
];

/// Every topic setting, Kafka's and our own.
pub fn topic_settings() -> impl Iterator<Item = TopicSetting> {
    OWN.into_iter().chain(TOPIC.iter().map(of_kafka))
}

/// The topic setting of this name.
pub fn topic_setting(name: &str) -> Option<TopicSetting> {
    let own = OWN.iter().find(|own| own.name == name);
    own.copied().or_else(|| find(TOPIC, name).map(of_kafka))
}

fn of_kafka(kafkas: &'static KafkaSetting) -> TopicSetting {
    let synonyms = SYNONYMS.iter().find(|(topic, _)| *topic == kafkas.name);
    TopicSetting {
        name: kafkas.name,
        kind: kafkas.kind,
        default: kafkas.default,
        allowed: kafkas.allowed,
        update: kafkas.update,
        synonyms: synonyms.map_or(&[], |(_, synonyms)| synonyms),
        doc: doc_of(kafkas.name),
    }
}

/// A topic's settings, typed and complete.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// What the topic's creator set, as it was given.
    pub overrides: BTreeMap<String, String>,
    pub durability: Durability,
    pub record_validation: RecordValidation,
    pub message_bytes_max: usize,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub is_compacted: bool,
    pub is_deleted: bool,
    pub segment_bytes: u32,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub index_interval_bytes: u32,
    pub segment_index_bytes: u32,
    pub compression: Compression,
    /// What that makes of a producer's batch; `None` keeps it as it came.
    pub encoding: Option<Encoding>,
    pub min_insync_replicas: i32,
    pub retention_bytes: i64,
    pub retention_ms: i64,
    pub delete_retention_ms: i64,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub compaction_lag_min_ms: i64,
    pub compaction_lag_max_ms: i64,
    pub cleanable_dirty_ratio_min: f64,
    pub preallocate: bool,
    pub unclean_leader_election: bool,
}

impl TopicConfig {
    /// The settings of a topic whose creator set `overrides`.
    pub fn from_overrides(
        overrides: &BTreeMap<String, String>,
        broker: &Config,
    ) -> Result<TopicConfig, TopicConfigError> {
        for (name, value) in overrides {
            check(name, value)?;
        }
        let texts = Texts { overrides, broker };
        let policy = texts.of("cleanup.policy");
        let has_policy = |policy_word: &str| items(&policy).contains(&policy_word);
        let flush_messages = texts.read("flush.messages")?;
        let config = TopicConfig {
            overrides: overrides.clone(),
            // A flush behind each record is what durable means, whichever name it is asked by.
            durability: if flush_messages == 1 { Durability::Durable } else { texts.read(DURABILITY)? },
            record_validation: texts.read(RECORD_VALIDATION)?,
            message_bytes_max: texts.read("max.message.bytes")?,
            timestamp_type: texts.read("message.timestamp.type")?,
            timestamp_before_max_ms: texts.read("message.timestamp.before.max.ms")?,
            timestamp_after_max_ms: texts.read("message.timestamp.after.max.ms")?,
            is_compacted: has_policy("compact"),
            is_deleted: has_policy("delete"),
            segment_bytes: texts.segment_bytes()?,
            segment_ms: texts.read("segment.ms")?,
            segment_jitter_ms: texts.read("segment.jitter.ms")?,
            index_interval_bytes: texts.read("index.interval.bytes")?,
            segment_index_bytes: texts.read("segment.index.bytes")?,
            compression: texts.read("compression.type")?,
            encoding: texts.encoding()?,
            min_insync_replicas: texts.read("min.insync.replicas")?,
            retention_bytes: texts.read("retention.bytes")?,
            retention_ms: texts.read("retention.ms")?,
            delete_retention_ms: texts.read("delete.retention.ms")?,
            file_delete_delay_ms: texts.read("file.delete.delay.ms")?,
            flush_messages,
            flush_ms: texts.read("flush.ms")?,
            compaction_lag_min_ms: texts.read("min.compaction.lag.ms")?,
            compaction_lag_max_ms: texts.read("max.compaction.lag.ms")?,
            cleanable_dirty_ratio_min: texts.read("min.cleanable.dirty.ratio")?,
            preallocate: texts.read("preallocate")?,
            unclean_leader_election: texts.read("unclean.leader.election.enable")?,
        };
        config.check_together(&texts)?;
        Ok(config)
    }

    /// The value that counts for a topic setting, as text; `None` where it has none.
    pub fn text(&self, name: &str, broker: &Config) -> Option<String> {
        let texts = Texts { overrides: &self.overrides, broker };
        texts.find(&topic_setting(name)?).map(Cow::into_owned)
    }

    /// The broker setting that gives a topic setting its default: the strongest that is set, otherwise the one with a default.
    pub fn broker_setting(name: &str, broker: &Config) -> &'static str {
        let synonyms = topic_setting(name).map_or(&[][..], |setting| setting.synonyms);
        let with_value = synonyms.iter().find(|(synonym, _)| broker.values.text(synonym).is_some());
        with_value.or(synonyms.first()).map_or("log.cleanup.policy", |(synonym, _)| synonym)
    }

    fn check_together(&self, texts: &Texts<'_>) -> Result<(), TopicConfigError> {
        if self.compaction_lag_min_ms > self.compaction_lag_max_ms {
            let allowed = format!("at most max.compaction.lag.ms, {}", self.compaction_lag_max_ms);
            return Err(texts.refuse("min.compaction.lag.ms", allowed));
        }
        if boolean(&texts.of("remote.storage.enable")) == Some(true) {
            return Err(texts.refuse("remote.storage.enable", "false: this broker has no remote storage"));
        }
        Ok(())
    }
}

/// Refuses a name that is no topic setting and a value that is not of its type or within its bounds.
fn check(name: &str, value: &str) -> Result<(), TopicConfigError> {
    let refuse = |allowed| TopicConfigError { name: name.to_owned(), value: value.to_owned(), allowed };
    let Some(setting) = topic_setting(name) else {
        let names = topic_settings().map(|setting| setting.name);
        let hint = super::closest::closest(name, names).map(|closest| format!("; did you mean {closest}?"));
        return Err(refuse(format!(
            "the names of Kafka's topic settings, {DURABILITY} and {RECORD_VALIDATION}{}",
            hint.unwrap_or_default()
        )));
    };
    if setting.kind.accepts(setting.allowed, value) {
        return Ok(());
    }
    Err(refuse(setting.kind.describe(setting.allowed)))
}

/// The texts of a topic's settings by their order of precedence.
pub(super) struct Texts<'a> {
    pub(super) overrides: &'a BTreeMap<String, String>,
    pub(super) broker: &'a Config,
}

impl<'a> Texts<'a> {
    pub(super) fn find(&self, setting: &TopicSetting) -> Option<Cow<'a, str>> {
        if let Some(text) = self.overrides.get(setting.name) {
            return Some(Cow::Borrowed(text));
        }
        let of_broker = setting.synonyms.iter().find_map(|(synonym, factor)| {
            let text = self.broker.values.text(synonym)?;
            // Settings that can be told in several units are those where every negative value means the same.
            let is_one_of_several = setting.synonyms.len() > 1;
            Some(if is_one_of_several { Cow::Owned(scaled(text, *factor)) } else { Cow::Borrowed(text) })
        });
        of_broker.or(setting.default.map(Cow::Borrowed))
    }

    fn of(&self, name: &str) -> Cow<'a, str> {
        topic_setting(name).and_then(|setting| self.find(&setting)).unwrap_or_default()
    }

    fn read<T: FromSetting>(&self, name: &str) -> Result<T, TopicConfigError> {
        let text = self.of(name);
        let setting = topic_setting(name).expect("the fields name settings of the table");
        // A broker setting may have wider bounds than the topic setting that it stands for.
        if !setting.kind.accepts(setting.allowed, &text) {
            return Err(self.refuse(name, setting.kind.describe(setting.allowed)));
        }
        T::from_setting(Some(&text)).map_err(|allowed| self.refuse(name, allowed))
    }

    fn encoding(&self) -> Result<Option<Encoding>, TopicConfigError> {
        // All levels are checked, whichever counts.
        let gzip = Encoding { codec: Codec::Gzip, level: self.read("compression.gzip.level")? };
        let lz4 = Encoding { codec: Codec::Lz4, level: self.read("compression.lz4.level")? };
        let zstd = Encoding { codec: Codec::Zstd, level: self.read("compression.zstd.level")? };
        Ok(match self.read("compression.type")? {
            Compression::Producer => None,
            Compression::Uncompressed => Some(Encoding::of(Codec::None)),
            Compression::Snappy => Some(Encoding::of(Codec::Snappy)),
            Compression::Gzip => Some(gzip),
            Compression::Lz4 => Some(lz4),
            Compression::Zstd => Some(zstd),
        })
    }

    /// Kafka's own tests make segments smaller than `segment.bytes` allows by a setting of this name.
    fn segment_bytes(&self) -> Result<u32, TopicConfigError> {
        const INTERNAL: &str = "internal.segment.bytes";
        if self.overrides.contains_key(INTERNAL) { self.read(INTERNAL) } else { self.read("segment.bytes") }
    }

    fn refuse(&self, name: &str, allowed: impl Into<String>) -> TopicConfigError {
        TopicConfigError { name: name.to_owned(), value: self.of(name).into_owned(), allowed: allowed.into() }
    }
}

/// A broker's value in the topic setting's unit. Negative means "no limit" in both; a product that does not fit is as good as none.
fn scaled(text: &str, factor: i64) -> String {
    match text.trim().parse::<i64>() {
        Ok(number) if number < 0 => "-1".to_owned(),
        Ok(number) => number.saturating_mul(factor).to_string(),
        Err(_) => text.to_owned(),
    }
}
