//! A topic's settings.

use super::super::describe::{Described, ValueSource, describe_broker, describe_topic};
use super::super::kafka_names::TOPIC;
use super::super::topic::{topic_setting, topic_settings};
use super::super::topic_docs::DOCS;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use storage::{Codec, Durability, Encoding, RecordValidation, TimestampType};

fn overrides(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn topic(pairs: &[(&str, &str)], broker: &[(&str, &str)]) -> Result<TopicConfig, TopicConfigError> {
    TopicConfig::from_overrides(&overrides(pairs), &load(broker))
}

fn fine(pairs: &[(&str, &str)], broker: &[(&str, &str)]) -> TopicConfig {
    topic(pairs, broker).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn kafkas_defaults() {
    let config = fine(&[], &[]);
    assert_eq!(
        (config.segment_bytes, config.index_interval_bytes, config.segment_index_bytes),
        (1 << 30, 4096, 10 << 20)
    );
    assert_eq!(
        (config.retention_ms, config.retention_bytes, config.segment_ms),
        (604_800_000, -1, 604_800_000)
    );
    assert_eq!(
        (config.timestamp_type, config.timestamp_after_max_ms),
        (TimestampType::CreateTime, 3_600_000)
    );
    assert_eq!((config.is_deleted, config.is_compacted), (true, false));
    assert_eq!((config.durability, config.record_validation), (Durability::Durable, RecordValidation::Full));
    assert_eq!((config.flush_messages, config.flush_ms), (i64::MAX, i64::MAX));
    assert_eq!((config.compression, config.message_bytes_max), (Compression::Producer, 1_048_588));
    assert_eq!(config.encoding, None);
}

#[test]
fn compression_takes_its_own_level() {
    let levels =
        [("compression.gzip.level", "4"), ("compression.lz4.level", "5"), ("compression.zstd.level", "-6")];
    let of = |kind, settings: &[_]| fine(&[&[("compression.type", kind)], settings].concat(), &[]).encoding;
    let encoding = |codec, level| Some(Encoding { codec, level });
    assert_eq!(of("gzip", &levels), encoding(Codec::Gzip, 4));
    assert_eq!(of("lz4", &levels), encoding(Codec::Lz4, 5));
    assert_eq!(of("zstd", &levels), encoding(Codec::Zstd, -6));
    for (kind, codec) in [
        ("uncompressed", Codec::None),
        ("snappy", Codec::Snappy),
        ("gzip", Codec::Gzip),
        ("zstd", Codec::Zstd),
    ] {
        assert_eq!(of(kind, &[]), Some(Encoding::of(codec)), "Kafka's default levels");
    }
    assert_eq!(of("producer", &levels), None);
}

/// Where broker and topic have no value, the topic's own default and the one through its synonyms are the same.
#[test]
fn the_two_ways_to_a_default_agree() {
    let broker = load(&[]);
    let config = fine(&[], &[]);
    for setting in topic_settings() {
        let text = config.text(setting.name, &broker);
        if TOPIC.iter().any(|kafkas| kafkas.name == setting.name) {
            assert_eq!(text.as_deref(), setting.default, "{}", setting.name);
        } else {
            assert!(text.is_some(), "{}", setting.name);
        }
    }
}

#[test]
fn the_topic_goes_before_the_broker() {
    let broker =
        [("message.max.bytes", "2000"), ("log.durability", "relaxed"), ("record.validation", "header")];
    let config = fine(&[], &broker);
    assert_eq!((config.message_bytes_max, config.durability), (2000, Durability::Relaxed));
    assert_eq!(config.record_validation, RecordValidation::Header);
    let config = fine(
        &[("max.message.bytes", "3000"), ("durability", "durable"), ("record.validation", "full")],
        &broker,
    );
    assert_eq!((config.message_bytes_max, config.durability), (3000, Durability::Durable));
    assert_eq!(config.record_validation, RecordValidation::Full);
}

#[test]
fn synonyms_by_kafkas_precedence() {
    let retention = |broker: &[(&str, &str)]| fine(&[], broker).retention_ms;
    assert_eq!(retention(&[("log.retention.hours", "2")]), 7_200_000);
    assert_eq!(retention(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")]), 180_000);
    assert_eq!(retention(&[("log.retention.minutes", "3"), ("log.retention.ms", "4")]), 4);
    assert_eq!(retention(&[("log.retention.hours", "-1")]), -1);
    assert_eq!(retention(&[("log.retention.minutes", "-7")]), -1);
    assert_eq!(retention(&[("log.retention.ms", "-5")]), -1);
    assert_eq!(fine(&[("retention.ms", "9")], &[("log.retention.ms", "4")]).retention_ms, 9);
    let roll = fine(&[], &[("log.roll.hours", "1"), ("log.roll.jitter.hours", "2")]);
    assert_eq!((roll.segment_ms, roll.segment_jitter_ms), (3_600_000, 7_200_000));
    assert_eq!(fine(&[], &[("log.roll.hours", "1"), ("log.roll.ms", "5")]).segment_ms, 5);
    let flush = [("log.flush.scheduler.interval.ms", "8")];
    assert_eq!(fine(&[], &flush).flush_ms, 8);
    assert_eq!(fine(&[], &[flush[0], ("log.flush.interval.ms", "7")]).flush_ms, 7);
}

#[test]
fn a_flush_behind_each_record_is_durable() {
    assert_eq!(
        fine(&[("flush.messages", "1"), ("durability", "relaxed")], &[]).durability,
        Durability::Durable
    );
    assert_eq!(
        fine(&[], &[("log.flush.interval.messages", "1"), ("log.durability", "relaxed")]).durability,
        Durability::Durable
    );
    assert_eq!(
        fine(&[("flush.messages", "2"), ("durability", "relaxed")], &[]).durability,
        Durability::Relaxed
    );
}

#[test]
fn what_becomes_of_old_records() {
    let policy = |text: &str| {
        let config = fine(&[("cleanup.policy", text)], &[]);
        (config.is_deleted, config.is_compacted)
    };
    assert_eq!(policy("compact"), (false, true));
    assert_eq!(policy("compact, delete"), (true, true));
    assert_eq!(policy("delete,delete"), (true, false), "Kafka drops what occurs twice");
    assert_eq!(policy(""), (false, false), "Kafka allows to keep everything");
}

#[test]
fn segments_may_be_smaller_by_the_name_of_kafkas_tests() {
    assert_eq!(fine(&[("internal.segment.bytes", "1024")], &[]).segment_bytes, 1024);
    assert!(topic(&[("segment.bytes", "1024")], &[]).is_err());
}

#[test]
fn what_is_refused_is_named_with_what_is_allowed() {
    for (name, value, allowed) in [
        ("retention.mss", "1", "did you mean retention.ms"),
        ("log.retention.ms", "1", "the names of Kafka's topic settings"),
        ("retention.ms", "-2", "at least -1"),
        ("cleanup.policy", "shred", "compact, delete"),
        ("cleanup.policy", "delete,", "compact, delete"),
        ("min.cleanable.dirty.ratio", "NaN", "from 0 to 1"),
        ("preallocate", "maybe", "true or false"),
        ("durability", "safe", "durable, relaxed"),
        ("leader.replication.throttled.replicas", "1:2,x", "partition:broker"),
        ("remote.storage.enable", "true", "no remote storage"),
        ("max.message.bytes", "-1", "at least 0"),
    ] {
        let error = topic(&[(name, value)], &[]).expect_err(name);
        assert_eq!((error.name.as_str(), error.value.as_str()), (name, value));
        assert!(error.allowed.contains(allowed), "{error}");
    }
    let lag =
        topic(&[("min.compaction.lag.ms", "9"), ("max.compaction.lag.ms", "8")], &[]).expect_err("9 > 8");
    assert_eq!(lag.name, "min.compaction.lag.ms");
}

#[test]
fn what_is_accepted_without_effect() {
    for (name, value) in [
        ("leader.replication.throttled.replicas", "*"),
        ("follower.replication.throttled.replicas", "0:1,1:2"),
        ("local.retention.ms", "-2"),
        ("remote.storage.enable", "false"),
        ("compression.zstd.level", "-5"),
    ] {
        let config = fine(&[(name, value)], &[]);
        assert_eq!(config.text(name, &load(&[])).as_deref(), Some(value));
    }
}

fn described(overrides: &[(&str, &str)], broker: &[(&str, &str)], name: &str) -> Described<'static> {
    let all = describe_topic(&self::overrides(overrides), &load(broker));
    all.into_iter().find(|setting| setting.name == name).unwrap_or_else(|| panic!("{name} is not described"))
}

#[test]
fn values_are_shown_in_kafkas_form() {
    for (name, given, shown) in [
        ("retention.ms", " 600000 ", "600000"),
        ("retention.ms", "+5", "5"),
        ("retention.bytes", "007", "7"),
        ("compression.type", " gzip ", "gzip"),
        ("preallocate", "TRUE", "true"),
        ("cleanup.policy", "compact, delete,compact", "compact,delete"),
        ("cleanup.policy", "", ""),
        ("leader.replication.throttled.replicas", "3:1,3:1", "3:1,3:1"),
        ("min.cleanable.dirty.ratio", "0.10", "0.1"),
        ("min.cleanable.dirty.ratio", "0", "0.0"),
        ("min.cleanable.dirty.ratio", "0.00001", "1.0E-5"),
    ] {
        assert_eq!(described(&[(name, given)], &[], name).value.as_deref(), Some(shown), "{name}={given}");
    }
}

#[test]
fn synonyms_are_told_with_their_sources() {
    use ValueSource::{Broker, Default, Topic};
    let told = |overrides: &[(&str, &str)], broker: &[(&str, &str)], name: &str| {
        let setting = described(overrides, broker, name);
        let synonyms = setting.synonyms.into_iter();
        let synonyms: Vec<_> = synonyms.map(|s| (s.name, s.value.unwrap_or_default(), s.source)).collect();
        (setting.source, synonyms)
    };
    let text = str::to_owned;
    assert_eq!(
        told(&[("segment.bytes", "2000000")], &[("log.segment.bytes", "3000000")], "segment.bytes"),
        (
            Topic,
            vec![
                ("segment.bytes", text("2000000"), Topic),
                ("log.segment.bytes", text("3000000"), Broker),
                ("log.segment.bytes", text("1073741824"), Default),
            ]
        )
    );
    // Kafka's lists begin with the strongest synonym, or are empty.
    assert_eq!(told(&[], &[], "retention.ms"), (Default, vec![]));
    assert_eq!(told(&[], &[("log.retention.hours", "2")], "retention.ms"), (Default, vec![]));
    assert_eq!(
        told(&[], &[("log.retention.ms", "9")], "retention.ms"),
        (
            Broker,
            vec![("log.retention.ms", text("9"), Broker), ("log.retention.hours", text("168"), Default)]
        )
    );
    assert_eq!(described(&[], &[("log.retention.hours", "2")], "retention.ms").value, Some(text("7200000")));
}

#[test]
fn each_topic_setting_has_a_doc() {
    assert!(DOCS.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted by name");
    assert_eq!(DOCS.len(), TOPIC.len());
    for setting in topic_settings() {
        assert!(setting.doc.len() > 20 && setting.doc.ends_with('.'), "{}", setting.name);
    }
}

#[test]
fn the_brokers_settings_are_described_once_each() {
    let broker = load(&[("num.partitions", "3"), ("log.retention.hours", "2")]);
    let all = describe_broker(&broker);
    let find = |name: &str| {
        let found: Vec<_> = all.iter().filter(|setting| setting.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0]
    };
    let shown = |name| (find(name).value.as_deref(), find(name).source);
    assert_eq!(shown("num.partitions"), (Some("3"), ValueSource::Broker));
    assert_eq!(shown("auto.create.topics.enable"), (Some("true"), ValueSource::Default));
    assert_eq!(shown("log.retention.hours"), (Some("2"), ValueSource::Broker));
    assert_eq!(shown("log.retention.ms"), (None, ValueSource::Default));
    assert!(all.iter().all(|setting| !setting.doc.is_empty()));
    assert!(find("num.partitions").is_read_only && find("num.network.threads").is_read_only);
    assert!(!find("log.retention.ms").is_read_only && !find("max.connections").is_read_only);
}

/// A described setting must be accepted when it is set back.
#[test]
fn every_described_value_can_be_set() {
    let broker = load(&[]);
    let config = fine(&[], &[]);
    let described = topic_settings()
        .filter_map(|setting| Some((setting.name.to_owned(), config.text(setting.name, &broker)?)));
    let again = TopicConfig::from_overrides(&described.collect(), &broker).expect("accepted");
    assert_eq!(TopicConfig { overrides: BTreeMap::new(), ..again }, config);
}

#[test]
fn every_synonym_is_a_broker_setting() {
    for setting in topic_settings() {
        for (synonym, factor) in setting.synonyms {
            assert!(sources::known_names().any(|name| name == *synonym), "{synonym}");
            assert!(*factor >= 1);
        }
    }
    assert_eq!(topic_setting("no.such"), None);
}

proptest! {
    #[test]
    fn no_override_makes_it_panic(
        name in prop::sample::select(topic_settings().map(|setting| setting.name).collect::<Vec<_>>()),
        value in prop_oneof![any::<String>(), "[0-9:,*. -]{0,24}"],
    ) {
        let _ = TopicConfig::from_overrides(&overrides(&[(name, &value)]), &load(&[]));
    }
}
