//! Names, sources and the declared table.

use super::super::kafka_names::{DYNAMIC_ONLY, SERVER, TOPIC};
use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(variable, value)| ((*variable).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn without_any_source_the_defaults_count() {
    let config = load(&[]);
    assert_eq!((config.node_id, config.num_partitions), (1, 1));
    assert_eq!(config.log_dirs, [PathBuf::from("ottla-data")]);
    assert_eq!((config.message_max_bytes, config.fetch_max_bytes), (1_048_588, 57_671_680));
    assert_eq!(config.log_durability, storage::Durability::Durable);
    assert_eq!(config.metrics_listener.as_ref().map(ToString::to_string), Some("127.0.0.1:9464".to_owned()));
    assert_eq!((config.otlp_endpoint.clone(), load(&[("otlp.endpoint", "")]).otlp_endpoint), (None, None));
    assert_eq!(config.max_in_flight_requests_per_connection, 64);
    assert_eq!((config.cluster_id.clone(), config.num_network_threads), (None, None));
    assert!(config.auto_create_topics_enable && config.journal_direct);
    assert_eq!(config.notices, []);
}

#[test]
fn the_command_line_goes_before_the_environment_before_the_file() {
    let file = TempFile::new("num.partitions=2\nnode.id=5\n# a comment\nlog.dirs=/a,\\\n   /b\n");
    let environment = env(&[("OTTLA_NUM_PARTITIONS", "3"), ("OTTLA_MESSAGE_MAX_BYTES", "1000")]);
    let config = Config::load(&file.cli(&[("message.max.bytes", "2000")]), environment).expect("fine");
    assert_eq!((config.node_id, config.num_partitions, config.message_max_bytes), (5, 3, 2000));
    assert_eq!(config.log_dirs, [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert!(matches!(config.values.source("node.id"), Source::File { line: 2, .. }));
    assert_eq!(config.values.source("num.partitions").to_string(), "OTTLA_NUM_PARTITIONS");
    assert_eq!(config.values.source("message.max.bytes"), Source::CommandLine);
    assert_eq!(config.values.source("fetch.max.bytes"), Source::Default);
}

#[test]
fn the_last_of_equal_names_counts_and_a_file_is_told_so() {
    assert_eq!(load(&[("num.partitions", "2"), ("num.partitions", "7")]).num_partitions, 7);
    let file = TempFile::new("num.partitions=2\nnum.partitions=4\n");
    let config = Config::load(&file.cli(&[]), []).expect("fine");
    assert_eq!(config.num_partitions, 4);
    assert!(has_notice(&config, "num.partitions", "the last counts"), "{:?}", config.notices);
}

#[test]
fn the_environment_is_ours_only_behind_the_prefix() {
    let ignored = [
        ("PATH", "x"),
        ("OTTLA_SIM_SEED", "1"),
        ("OTTLA_EFFORT", "long"),
        ("OTTLA_TEST_CACHE", "t"),
        ("OTTLA_REQUIRE_ALL", "1"),
    ];
    assert!(Config::load(&cli(&[]), env(&ignored)).expect("fine").notices.is_empty());
    let error = Config::load(&cli(&[]), env(&[("OTTLA_LOG_DIR5", "x")])).expect_err("unknown").to_string();
    assert!(error.contains("`OTTLA_LOG_DIR5`") && error.contains("did you mean `OTTLA_LOG_DIR"), "{error}");
    let error =
        Config::load(&cli(&[]), env(&[("OTTLA_NUM_PARTITIONS", "many")])).expect_err("no number").to_string();
    assert!(error.contains("`num.partitions` (OTTLA_NUM_PARTITIONS): `many` is not allowed"), "{error}");
}

#[test]
fn every_name_has_a_variable_of_its_own() {
    let variables: HashSet<_> = sources::known_names().map(variable_of).collect();
    assert_eq!(variables.len(), sources::known_names().count());
}

#[test]
fn unknown_names_stop_the_start_and_name_the_closest() {
    let error = refused(&[("log.drs", "x")]);
    assert!(
        error.contains("unknown setting `log.drs` (--set)") && error.contains("did you mean `log.dirs`"),
        "{error}"
    );
    let file = TempFile::new("\nnum.partition=1\n");
    let error = Config::load(&file.cli(&[]), []).expect_err("unknown").to_string();
    assert!(error.contains(":2)") && error.contains("did you mean `num.partitions`"), "{error}");
    assert!(!refused(&[("something.quite.unlike.any", "1")]).contains("did you mean"));
}

#[test]
fn names_that_kafka_4_removed_say_what_to_do() {
    for name in ["zookeeper.connect", "inter.broker.protocol.version", "log.message.format.version"] {
        assert!(refused(&[(name, "x")]).contains("delete the line"), "{name}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = Cli { config: Some("/nonexistent/server.properties".into()), ..Cli::default() };
    let error = Config::load(&missing, []).expect_err("missing").to_string();
    assert!(error.contains("/nonexistent/server.properties"), "{error}");
    let file = TempFile::new("a=1\nnode.id=\\u00");
    let error = Config::load(&file.cli(&[]), []).expect_err("broken");
    assert!(matches!(error, ConfigError::UnknownName { .. } | ConfigError::FileFormat { .. }), "{error}");
    let file = TempFile::new("node.id=\\u00");
    let error = Config::load(&file.cli(&[]), []).expect_err("broken").to_string();
    assert!(error.contains("line 1"), "{error}");
}

/// A Kafka user's file may carry any name that Kafka knows, at Kafka's own default.
#[test]
fn every_name_of_kafka_is_accepted_at_its_default() {
    for kafkas in SERVER {
        let Some(default) = kafkas.default else { continue };
        let config = load(&[(kafkas.name, default)]);
        let expected = setting(kafkas.name).is_none();
        assert_eq!(has_notice(&config, kafkas.name, "no effect"), expected, "{}", kafkas.name);
    }
    for name in DYNAMIC_ONLY.iter().filter(|name| setting(name).is_none()) {
        assert!(has_notice(&load(&[(name, "1000")]), name, "no effect"), "{name}");
    }
}

#[test]
fn names_below_known_prefixes() {
    for name in [
        "listener.name.internal.ssl.keystore.location",
        "listener.name.internal.scram-sha-256.sasl.jaas.config",
        "listener.name.internal.max.connections",
        "config.providers.vault.class",
        "super.users",
    ] {
        assert!(has_notice(&load(&[(name, "1")]), name, "no effect"), "{name}");
    }
    for name in
        ["listener.name.internal", "listener.name.internal.ssl.keystore.lokation", "config.providers."]
    {
        assert!(refused(&[(name, "1")]).starts_with("unknown setting"), "{name}");
    }
    assert!(refused(&[("listener.name.x.max.connections", "many")]).contains("a whole number"));
}

/// What has no effect is checked all the same, so that a file that passes here passes where the setting has its effect.
#[test]
fn values_without_effect_are_checked() {
    let error = refused(&[("num.io.threads", "0")]);
    assert!(
        error.contains("`num.io.threads` (--set): `0` is not allowed; allowed: a whole number, at least 1"),
        "{error}"
    );
    assert!(refused(&[("group.consumer.migration.policy", "sideways")]).contains("one of DISABLED"));
    assert!(refused(&[("log.cleaner.min.cleanable.ratio", "1.5")]).contains("a number from 0 to 1"));
    assert!(refused(&[("compression.gzip.level", "0")]).contains("-1 or from 1 to 9"));
    assert!(refused(&[("ssl.enabled.protocols", "TLSv1.3,")]).contains("between commas"));
}

#[test]
fn declared_settings_refuse_what_is_out_of_bounds() {
    for (name, value, allowed) in [
        ("node.id", "-1", "at least 0"),
        ("num.partitions", "0", "at least 1"),
        ("num.partitions", "1.5", "whole number"),
        ("num.partitions", "2147483648", "whole number"),
        ("auto.create.topics.enable", "yes", "true or false"),
        ("log.durability", "safe", "durable, relaxed"),
        ("record.validation", "none", "full, header"),
        ("compression.type", "brotli", "producer"),
        ("log.message.timestamp.type", "createtime", "CreateTime, LogAppendTime"),
        ("log.cleanup.policy", "shred", "compact, delete"),
        ("metrics.listener", "9464", "host:port, or off"),
        ("otlp.endpoint", "https://localhost:4318", "http://host:port, or off"),
        ("otlp.traces.sample.ratio", "1.5", "a number from 0 to 1"),
        ("journal.bytes.max", "1", "at least 33554432"),
        ("max.in.flight.requests.per.connection", "4", "from 5 to"),
        ("request.timeout.ms", "-5", "a number from 0"),
        ("log.segment.bytes", "1024", "at least 1048576"),
        ("cluster.id", " ", "not empty"),
    ] {
        let error = refused(&[(name, value)]);
        assert!(
            error.contains(name) && error.contains(&format!("`{value}`")) && error.contains(allowed),
            "{error}"
        );
    }
}

#[test]
fn values_are_read_as_java_reads_them() {
    let config =
        load(&[("num.partitions", " +4 "), ("auto.create.topics.enable", "FALSE "), ("log.dirs", " a , b ")]);
    assert_eq!((config.num_partitions, config.auto_create_topics_enable), (4, false));
    assert_eq!(config.log_dirs, [PathBuf::from("a"), PathBuf::from("b")]);
}

#[test]
fn passwords_are_never_told() {
    let error = refused(&[("listener.name.x.sasl.jaas.config", "geheim"), ("num.partitions", "0")]);
    assert!(!error.contains("geheim"), "{error}");
    let config = load(&[("ssl.key.password", "geheim")]);
    assert!(!format!("{:?}", config.notices).contains("geheim"));
    assert!(is_secret("ssl.key.password") && is_secret("rsm.config.secret") && !is_secret("log.dirs"));
}

#[test]
fn the_table_is_sound() {
    let mut names = HashSet::new();
    for setting in SETTINGS.iter() {
        assert!(names.insert(setting.name), "{} is declared twice", setting.name);
        assert_eq!(
            setting.is_kafkas,
            SERVER.iter().any(|kafkas| kafkas.name == setting.name),
            "{}",
            setting.name
        );
        assert!(
            setting.doc().ends_with('.') && setting.doc().len() > 20,
            "{}: {}",
            setting.name,
            setting.doc()
        );
        let in_bounds = setting.default.is_none_or(|default| setting.kind.accepts(setting.allowed, default));
        assert!(in_bounds, "{}: {:?}", setting.name, setting.default);
    }
    for table in [SERVER, TOPIC] {
        assert!(table.is_sorted_by(|a, b| a.name < b.name), "lookups search by halves");
        for kafkas in table {
            let in_bounds = kafkas.default.is_none_or(|default| kafkas.kind.accepts(kafkas.allowed, default));
            // Kafka has defaults that its own check of a given value refuses.
            assert!(in_bounds || kafkas.default == Some(""), "{}: {:?}", kafkas.name, kafkas.default);
        }
    }
}

#[test]
fn units_are_read_off_the_names() {
    let unit = |name: &str| setting(name).unwrap_or_else(|| panic!("{name}")).unit();
    assert_eq!(unit("socket.request.max.bytes"), Some("bytes"));
    assert_eq!(unit("log.message.timestamp.after.max.ms"), Some("ms"));
    assert_eq!(unit("num.partitions"), None);
}

proptest! {
    #[test]
    fn no_text_makes_loading_panic(name in prop::sample::select(sources::known_names().collect::<Vec<_>>()), value in any::<String>()) {
        let _ = try_load(&[(name, &value)]);
    }

    #[test]
    fn no_value_of_the_formats_own_characters_makes_loading_panic(
        name in prop::sample::select(SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>()),
        value in "[A-Z:/,.\\[\\]0-9 *-]{0,40}",
    ) {
        let _ = try_load(&[(name, &value)]);
    }

    #[test]
    fn no_file_makes_loading_panic(text in any::<String>()) {
        let file = TempFile::new(&text);
        let _ = Config::load(&file.cli(&[]), []);
    }
}
