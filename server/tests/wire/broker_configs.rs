//! Brokers' settings over the wire: altered, described with where they come from, in force when the reply comes, and
//! there in the next life.
#![expect(clippy::disallowed_methods, reason = "bounds on what a test waits for")]

use std::time::{Duration, Instant, UNIX_EPOCH};

use protocol_compat::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol_compat::messages::{ApiVersionsRequest, IncrementalAlterConfigsRequest};
use storage::{BatchBuilder, ProducerId};

use super::configs::*;
use super::disk::Disk;
use super::harness::{Broker, Client, TestDir};
use super::{groups, producers};

/// Not a record of its own is larger than this.
const SMALL: &str = "1000";
const MESSAGE_TOO_LARGE: i16 = 10;

/// What is known of a setting: value, source, whether it cannot change, and the synonyms with their sources.
type Known = (Option<String>, i8, bool, Vec<(String, String, i8)>);

fn known(client: &mut Client, kind: i8, resource: &str, name: &str) -> Option<Known> {
    let results = describe(client, vec![asked(kind, resource, Some(&[name]))]);
    assert_eq!(results[0].error_code, 0, "{results:?}");
    let config = results[0].configs.first()?;
    let synonyms = config.synonyms.iter().map(|synonym| {
        let value = synonym.value.as_ref().map(ToString::to_string).unwrap_or_default();
        (synonym.name.to_string(), value, synonym.source)
    });
    let value = config.value.as_ref().map(ToString::to_string);
    Some((value, config.config_source, config.read_only, synonyms.collect()))
}

fn shown(client: &mut Client, resource: &str, name: &str) -> (Option<String>, i8) {
    let (value, source, ..) = known(client, BROKER, resource, name).unwrap();
    (value, source)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn set(client: &mut Client, resource: &str, ops: &[Op]) -> i16 {
    alter(client, &[(BROKER, resource, ops)])[0]
}

#[test]
fn the_broker_goes_before_all_brokers_and_they_before_the_start() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["log.segment.bytes=3000000"]);
    let mut client = broker.client();
    create(&mut client, "t");
    let name = "log.segment.bytes";
    assert_eq!(set(&mut client, "", &[(name, SET, Some("4000000"))]), 0);
    assert_eq!(shown(&mut client, "1", name), (some("4000000"), 3));
    assert_eq!(set(&mut client, "1", &[(name, SET, Some("5000000"))]), 0);
    let synonym = |value: &str, source: i8| (name.to_owned(), value.to_owned(), source);
    let layers =
        vec![synonym("5000000", 2), synonym("4000000", 3), synonym("3000000", 4), synonym("1073741824", 5)];
    assert_eq!(known(&mut client, BROKER, "1", name), Some((some("5000000"), 2, false, layers.clone())));
    assert_eq!(known(&mut client, TOPIC, "t", "segment.bytes"), Some((some("5000000"), 2, false, layers)));
    let of_all = vec![synonym("4000000", 3)];
    assert_eq!(known(&mut client, BROKER, "", name), Some((some("4000000"), 3, false, of_all)));
    assert_eq!(describe(&mut client, vec![asked(BROKER, "", None)])[0].configs.len(), 1);
    for (resource, then) in [("1", (some("4000000"), 3)), ("", (some("3000000"), 4))] {
        assert_eq!(set(&mut client, resource, &[(name, DELETE, None)]), 0);
        assert_eq!(shown(&mut client, "1", name), then);
    }
}

#[test]
fn of_several_names_of_a_setting_the_one_set_last_above_counts() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["log.retention.ms=7000"]);
    let mut client = broker.client();
    create(&mut client, "t");
    let value = |client: &mut Client| known(client, TOPIC, "t", "retention.ms").unwrap().0;
    assert_eq!(value(&mut client), some("7000"));
    assert_eq!(set(&mut client, "", &[("log.retention.ms", SET, Some("8000"))]), 0);
    assert_eq!(value(&mut client), some("8000"));
    assert_eq!(set(&mut client, "", &[("log.retention.hours", SET, Some("1"))]), 42, "as in Kafka");
    assert_eq!(value(&mut client), some("8000"));
}

#[test]
fn defaults_of_topics_are_in_force_when_the_reply_comes_and_in_the_next_life() {
    let dir = TestDir::new();
    let large = "x".repeat(5000);
    {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        create(&mut client, "t");
        assert_eq!(produced(&mut client, &large, 5000), 0);
        for resource in ["1", "", "1"] {
            assert_eq!(set(&mut client, resource, &[("message.max.bytes", SET, Some(SMALL))]), 0);
            assert_eq!(produced(&mut client, &large, 5000), MESSAGE_TOO_LARGE);
            assert_eq!(set(&mut client, resource, &[("message.max.bytes", DELETE, None)]), 0);
            assert_eq!(produced(&mut client, &large, 5000), 0);
        }
        assert_eq!(set(&mut client, "", &[("message.max.bytes", SET, Some(SMALL))]), 0);
        // What a topic has of its own stays.
        assert_eq!(alter(&mut client, &[(TOPIC, "t", &[("max.message.bytes", SET, Some("100000"))])]), [0]);
        assert_eq!(produced(&mut client, &large, 5000), 0);
        assert_eq!(alter(&mut client, &[(TOPIC, "t", &[("max.message.bytes", DELETE, None)])]), [0]);
        assert_eq!(produced(&mut client, &large, 5000), MESSAGE_TOO_LARGE);
    }
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    assert_eq!(shown(&mut client, "1", "message.max.bytes"), (some(SMALL), 3));
    assert_eq!(produced(&mut client, &large, 5000), MESSAGE_TOO_LARGE);
    assert_eq!(replace(&mut client, BROKER, "", &[("log.retention.ms", Some("5"))]), 0);
    assert_eq!(produced(&mut client, &large, 5000), 0, "what a whole replacement does not name is gone");
    assert_eq!(shown(&mut client, "1", "log.retention.ms"), (some("5"), 3));
}

/// A client is served: it has a place.
fn is_served(broker: &Broker) -> Option<Client> {
    let mut client = broker.client();
    client.stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    client.send(0, &ApiVersionsRequest::default());
    client.receive_raw_if_whole().then_some(client)
}

#[test]
fn bounds_of_connections_change_for_those_who_wait_too() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    for name in ["max.connections", "listener.name.plaintext.max.connections"] {
        assert_eq!(set(&mut client, "1", &[(name, SET, Some("1"))]), 0);
        assert!(is_served(&broker).is_none(), "{name}");
        let mut waiting = broker.client();
        waiting.send(0, &ApiVersionsRequest::default());
        assert_eq!(set(&mut client, "1", &[(name, SET, Some("100"))]), 0);
        assert!(waiting.receive_raw_if_whole(), "{name}: whoever waited is served now");
        assert!(is_served(&broker).is_some(), "{name}");
        assert_eq!(set(&mut client, "1", &[(name, DELETE, None)]), 0);
    }
    assert_eq!(set(&mut client, "", &[("max.connections.per.ip", SET, Some("1"))]), 0);
    assert!(is_served(&broker).is_none());
    assert_eq!(set(&mut client, "", &[("max.connections.per.ip.overrides", SET, Some("127.0.0.1:100"))]), 0);
    assert!(is_served(&broker).is_some());
    assert_eq!(
        set(&mut client, "", &[("max.connections.per.ip.overrides", SET, Some("127.0.0.1:many"))]),
        42
    );
}

#[test]
fn a_slow_pace_of_connections_is_kept_at_once() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    // Ten seconds' worth pass at once.
    assert_eq!(set(&mut client, "", &[("max.connection.creation.rate", SET, Some("1"))]), 0);
    let begun = Instant::now();
    let clients: Vec<_> = (0..11).map(|_| broker.client()).collect();
    for mut client in clients {
        client.send(0, &ApiVersionsRequest::default());
        assert!(client.receive_raw_if_whole());
    }
    assert!(begun.elapsed() > Duration::from_millis(800), "{:?}", begun.elapsed());
}

#[test]
fn what_cannot_be_is_refused_with_kafkas_codes_and_changes_nothing() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t");
    let refused: &[(&str, Op, i16)] = &[
        ("1", ("node.id", SET, Some("7")), 42),
        ("1", ("num.partitions", SET, Some("7")), 42),
        ("", ("log.dirs", SET, Some("x")), 42),
        ("1", ("log.retention.ms", SET, Some("soon")), 42),
        ("1", ("log.retention.ms", SET, Some("0")), 42),
        ("1", ("log.segment.bytes", SET, Some("1")), 42),
        ("1", ("log.cleanup.policy", SET, Some("forget")), 42),
        ("1", ("log.retention.ms", SET, None), 42),
        ("1", ("log.retention.ms", 4, Some("5")), 42),
        ("1", ("log.retention.ms", APPEND, Some("5")), 40),
        ("1", ("no.such", SUBTRACT, Some("5")), 40),
        // What Kafka can change and Ottla cannot.
        ("1", ("num.network.threads", SET, Some("4")), 42),
        ("1", ("listeners", SET, Some("PLAINTEXT://:1")), 42),
        ("1", ("listener.name.plaintext.ssl.keystore.password", SET, Some("x")), 42),
        ("", ("listener.name.plaintext.num.partitions", SET, Some("1")), 42),
        ("1", ("listener.name.plaintext.num.network.threads", SET, Some("1")), 42),
        // Thread pools change to half and to double at most.
        ("", ("num.io.threads", SET, Some("17")), 42),
        ("", ("leader.replication.throttled.rate", SET, Some("-1")), 42),
        ("2", ("log.retention.ms", SET, Some("5")), 42),
        ("one", ("log.retention.ms", SET, Some("5")), 42),
        // Alone it would be fine, together it is not.
        ("1", ("log.cleaner.min.compaction.lag.ms", SET, Some("9223372036854775807")), 0),
        ("1", ("log.cleaner.max.compaction.lag.ms", SET, Some("5")), 42),
        ("1", ("log.cleaner.min.compaction.lag.ms", DELETE, None), 0),
    ];
    for (resource, op, code) in refused {
        assert_eq!(set(&mut client, resource, &[*op]), *code, "{resource} {op:?}");
    }
    // One wrong, none counts.
    let half: &[Op] = &[("log.retention.ms", SET, Some("5")), ("node.id", SET, Some("7"))];
    assert_eq!(set(&mut client, "1", half), 42);
    // A topic's own settings must stay valid.
    let lag: &[Op] = &[("min.compaction.lag.ms", SET, Some("1000"))];
    assert_eq!(alter(&mut client, &[(TOPIC, "t", lag)]), [0]);
    assert_eq!(set(&mut client, "", &[("log.cleaner.max.compaction.lag.ms", SET, Some("500"))]), 42);
    let checked = AlterConfigsResource::default()
        .with_resource_type(BROKER)
        .with_resource_name(text("1"))
        .with_configs(vec![
            AlterableConfig::default().with_name(text("log.retention.ms")).with_value(Some(text("5"))),
        ]);
    let dry =
        IncrementalAlterConfigsRequest::default().with_validate_only(true).with_resources(vec![checked]);
    assert_eq!(client.call(1, &dry).responses[0].error_code, 0);
    let of_all = describe(&mut client, vec![asked(BROKER, "", None), asked(BROKER, "1", None)]);
    assert_eq!(of_all[0].configs.len(), 0);
    assert!(of_all[1].configs.iter().all(|config| config.config_source > 3));
}

#[test]
fn what_kafka_keeps_is_kept_and_secrets_are_not_shown() {
    let dir = TestDir::new();
    let names: &[(&str, &str)] = &[
        ("num.io.threads", "16"),
        ("leader.replication.throttled.rate", "1000"),
        ("some.plugins.password", "do not tell"),
    ];
    {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        let ops: Vec<Op> = names.iter().map(|(name, value)| (*name, SET, Some(*value))).collect();
        assert_eq!(set(&mut client, "", &ops), 0);
    }
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    for resource in ["", "1"] {
        assert_eq!(shown(&mut client, resource, names[0].0), (some("16"), 3));
        assert_eq!(shown(&mut client, resource, names[1].0), (some("1000"), 3));
        assert_eq!(shown(&mut client, resource, names[2].0), (None, 3));
        let (.., synonyms) = known(&mut client, BROKER, resource, names[2].0).unwrap();
        assert_eq!(synonyms, [(names[2].0.to_owned(), String::new(), 3)]);
    }
}

/// However many change the settings at once, each finds its own in force when it is answered.
#[test]
fn each_of_many_changes_is_in_force_when_it_is_answered() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    create(&mut broker.client(), "t");
    let large = "x".repeat(5000);
    for _ in 0..10 {
        std::thread::scope(|threads| {
            let mut beside = broker.client();
            threads.spawn(move || {
                for seconds in ["1000000", "2000000"] {
                    assert_eq!(set(&mut beside, "", &[("log.retention.ms", SET, Some(seconds))]), 0);
                }
            });
            let mut client = broker.client();
            for (limit, code) in [(SMALL, MESSAGE_TOO_LARGE), ("100000", 0)] {
                assert_eq!(set(&mut client, "1", &[("message.max.bytes", SET, Some(limit))]), 0);
                assert_eq!(produced(&mut client, &large, 5000), code);
            }
        });
    }
}

#[test]
fn a_relaxed_default_becomes_durable_before_the_reply() {
    let (dir, disk) = (TestDir::new(), Disk::default());
    let broker = Broker::start_in(disk.env(), &dir, &["log.durability=relaxed"]);
    let mut client = broker.client();
    create(&mut client, "t");
    assert_eq!(produced(&mut client, "relaxed", 5000), 0);
    assert_eq!(set(&mut client, "", &[("log.durability", SET, Some("durable"))]), 0);
    let held = disk.hold_journal();
    let late = protocol_compat::ErrorCode::RequestTimedOut.code();
    assert_eq!(produced(&mut client, "durable", 300), late, "acknowledged before it was on the disk");
    drop(held);
    assert_eq!(produced(&mut client, "durable", 5000), 0);
}

#[test]
fn groups_and_producers_go_by_the_settings_of_now() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["producer.id.expiration.check.interval.ms=20"]);
    let mut client = broker.client();
    let interval = "group.consumer.assignment.interval.ms";
    assert_eq!(set(&mut client, "", &[(interval, SET, Some("5000"))]), 0);
    let (value, ..) = known(&mut client, GROUP, "g", "consumer.assignment.interval.ms").unwrap();
    assert_eq!(value, some("5000"));
    assert_eq!(set(&mut client, "", &[(interval, SET, Some("999999999"))]), 42, "beyond its bound");
    producers::create(&mut client);
    let now_ms = UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let send = |client: &mut Client, sequence: i32| {
        let batch =
            BatchBuilder::new(now_ms).producer(ProducerId(7), 0, sequence).push(None, Some(b"v"), &[]);
        producers::answer(&client.call(11, &producers::request(batch.build())))
    };
    assert_eq!(send(&mut client, 0), (0, 0));
    std::thread::sleep(Duration::from_millis(100));
    let gap = producers::refused(protocol_compat::ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(send(&mut client, 50), gap, "the producer is known");
    assert_eq!(set(&mut client, "", &[("producer.id.expiration.ms", SET, Some("1"))]), 0);
    let begun = Instant::now();
    while send(&mut client, 50) != (0, 1) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the producer is never forgotten");
    }
}

#[test]
fn a_commit_may_be_as_large_as_a_batch_of_its_topic_is_now() {
    const TOO_LARGE: i16 = 28;
    const OFFSETS: &str = "__consumer_offsets";
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t");
    assert_eq!(groups::find(&mut client, 4, "g"), 0);
    let commit = |client: &mut Client| groups::commit(client, 8, "g", "t", 0, 0);
    assert_eq!(commit(&mut client), 0);
    assert_eq!(set(&mut client, "", &[("message.max.bytes", SET, Some("20"))]), 0);
    assert_eq!(commit(&mut client), TOO_LARGE);
    let of_topic = |client: &mut Client, op: Op| assert_eq!(alter(client, &[(TOPIC, OFFSETS, &[op])]), [0]);
    of_topic(&mut client, ("max.message.bytes", SET, Some("2000")));
    assert_eq!(commit(&mut client), 0);
    assert_eq!(set(&mut client, "", &[("message.max.bytes", DELETE, None)]), 0);
    of_topic(&mut client, ("max.message.bytes", SET, Some("20")));
    assert_eq!(commit(&mut client), TOO_LARGE);
    of_topic(&mut client, ("max.message.bytes", DELETE, None));
    assert_eq!(commit(&mut client), 0);
}
