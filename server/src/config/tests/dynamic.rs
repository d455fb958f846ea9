//! Settings that change while the broker runs, as pure functions.

use super::super::dynamic::{family, may_reload};
use super::*;
use proptest::prelude::*;

fn layer(pairs: &[(&str, &str)]) -> Layer {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn over(broker: &Config, all_brokers: &[(&str, &str)], this_broker: &[(&str, &str)]) -> Config {
    let broker = broker.with_layer(Scope::AllBrokers, &layer(all_brokers)).expect("fine for all");
    broker.with_layer(Scope::ThisBroker, &layer(this_broker)).expect("fine for this one")
}

#[test]
fn the_nearest_layer_counts_and_what_it_hides_comes_back() {
    let start = load(&[("message.max.bytes", "1000"), ("max.connections", "7")]);
    let config = over(&start, &[("message.max.bytes", "2000")], &[("message.max.bytes", "3000")]);
    assert_eq!((config.message_max_bytes, config.max_connections), (3000, 7));
    assert_eq!(over(&config, &[("message.max.bytes", "2000")], &[]).message_max_bytes, 2000);
    let rate = over(&start, &[("replica.alter.log.dirs.io.max.bytes.per.second", "0")], &[]);
    assert_eq!(
        rate.replica_alter_log_dirs_io_max_bytes_per_second, 0,
        "a name of Kafka's that has a meaning here"
    );
    let again = over(&config, &[], &[]);
    assert_eq!(again.message_max_bytes, 1000);
    assert_eq!(again.values.started(), start.values.started());
    assert_eq!(start.message_max_bytes, 1000, "what somebody holds does not change");
}

#[test]
fn another_name_of_the_same_setting_is_hidden_from_above() {
    let start = load(&[("log.roll.ms", "5000"), ("log.flush.scheduler.interval.ms", "3")]);
    let retention = |config: &Config| TopicConfig::from_overrides(&Layer::new(), config).expect("fine");
    let config = over(&start, &[("log.roll.ms", "6000"), ("log.flush.interval.ms", "9")], &[]);
    assert_eq!((retention(&config).segment_ms, retention(&config).flush_ms), (6000, 9));
    assert_eq!(family("log.retention.minutes").len(), 3);
    assert_eq!(
        family("listener.name.a.max.connections"),
        ["listener.name.a.max.connections", "max.connections"]
    );
}

#[test]
fn a_listener_may_have_bounds_of_its_own() {
    let config =
        over(&load(&[]), &[("listener.name.plaintext.max.connections", "3")], &[("max.connections", "9")]);
    assert_eq!((config.listeners[0].connections_max, config.max_connections), (3, 9));
}

#[test]
fn what_is_refused_says_why() {
    let broker = load(&[]);
    let refused =
        |scope: Scope, name: &str, value: &str| match broker.with_layer(scope, &layer(&[(name, value)])) {
            Ok(_) => panic!("{name}={value} was taken"),
            Err(why) => why,
        };
    let here = Scope::ThisBroker;
    assert!(matches!(refused(here, "num.partitions", "3"), NotChanged::ReadOnly(_)));
    assert!(matches!(refused(here, "log.format", "json"), NotChanged::ReadOnly(_)));
    assert!(matches!(refused(here, "num.network.threads", "3"), NotChanged::Fixed { .. }));
    assert!(matches!(refused(here, "ssl.keystore.password", "s"), NotChanged::Fixed { .. }));
    assert!(matches!(refused(here, "message.max.bytes", "s"), NotChanged::Value { .. }));
    assert!(matches!(refused(here, "num.io.threads", "3"), NotChanged::Value { .. }), "less than half of 8");
    assert!(matches!(refused(here, "log.retention.ms", "0"), NotChanged::Together(_)));
    assert!(refused(here, "message.max.bytes", "-1").to_string().contains("at least 0"));
    let many: Layer = (0..1001).map(|number| (format!("a{number}"), String::new())).collect();
    assert_eq!(broker.with_layer(here, &many).err(), Some(NotChanged::TooMany(1001)));
}

/// What one version stored another may not take; the rest counts.
#[test]
fn of_what_is_stored_the_sound_part_counts() {
    let stored = Dynamic {
        this_broker: layer(&[("message.max.bytes", "5"), ("num.partitions", "3")]),
        all_brokers: layer(&[("log.retention.ms", "never"), ("log.segment.bytes", "3000000"), ("odd", "1")]),
    };
    let (config, complaints) = load(&[]).with_stored(&stored);
    assert_eq!(
        (config.message_max_bytes, config.log_segment_bytes, config.num_partitions),
        (5, 3_000_000, 1)
    );
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    let stored = Dynamic {
        this_broker: layer(&[("log.cleaner.max.compaction.lag.ms", "5")]),
        all_brokers: layer(&[("message.max.bytes", "7")]),
    };
    let start = load(&[("log.cleaner.min.compaction.lag.ms", "10")]);
    let (config, complaints) = start.with_stored(&stored);
    assert_eq!(config.message_max_bytes, 7);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
}

#[test]
fn another_start_counts_as_far_as_it_needs_no_restart() {
    let now = over(
        &load(&[("num.partitions", "2"), ("log.retention.hours", "5")]),
        &[],
        &[("message.max.bytes", "9")],
    );
    let start = load(&[
        ("num.partitions", "3"),
        ("log.retention.hours", "6"),
        ("message.max.bytes", "8"),
        ("background.threads", "9"),
    ]);
    let (config, told) = now.reloaded(&start).expect("fine");
    assert_eq!((config.num_partitions, config.message_max_bytes), (2, 9));
    assert_eq!(config.values.text("log.retention.hours"), Some("6"));
    let text = str::to_owned;
    assert_eq!(
        told,
        [
            Reloaded::WithoutEffect(text("background.threads")),
            Reloaded::Taken(text("log.retention.hours")),
            Reloaded::Hidden(text("message.max.bytes")),
            Reloaded::NeedsRestart(text("num.partitions")),
        ]
    );
    let (again, told) = config.reloaded(&start).expect("fine");
    assert_eq!(told, [Reloaded::NeedsRestart(text("num.partitions"))], "as long as there was none");
    assert_eq!(over(&again, &[], &[]).message_max_bytes, 8);
}

/// Of what Kafka lets change, everything with an effect here can change or is named as what cannot.
#[test]
fn each_setting_that_kafka_lets_change_can_or_says_why_not() {
    for setting in SETTINGS.iter().filter(|setting| setting.update != Update::ReadOnly) {
        match may_change(setting.name) {
            Ok(()) | Err(NotChanged::Fixed { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert!(may_reload("log.retention.hours") && !may_reload("num.partitions"));
}

proptest! {
    #[test]
    fn no_layer_makes_it_panic_and_what_is_taken_is_taken_again(
        pairs in prop::collection::btree_map(
            prop::sample::select(sources::known_names().collect::<Vec<_>>()),
            prop_oneof!["[0-9]{1,8}", "true|false|delete|compact|gzip|-1|"],
            0..4
        ),
    ) {
        let layer: Layer = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let broker = load(&[]);
        if let Ok(config) = broker.with_layer(Scope::ThisBroker, &layer) {
            let stored = Dynamic { this_broker: layer, all_brokers: Layer::new() };
            let (again, complaints) = broker.with_stored(&stored);
            prop_assert_eq!(complaints, Vec::<String>::new());
            prop_assert_eq!(again.values, config.values);
        }
    }
}
