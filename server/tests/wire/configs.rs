//! Settings over the wire: described, altered, in force at once, and there in the next life. What is expected here was
//! seen on Apache Kafka 4.3.1, but for the two places that the APIs' headers name.

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::describe_configs_request::DescribeConfigsResource;
use protocol_compat::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::{
    alter_configs_request as full, incremental_alter_configs_request as single, *,
};

use super::disk::Disk;
use super::harness::{Broker, Client, TestDir, batch};

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

pub(super) const SET: i8 = 0;
pub(super) const DELETE: i8 = 1;
pub(super) const APPEND: i8 = 2;
pub(super) const SUBTRACT: i8 = 3;

/// Setting, operation, value.
pub(super) type Op<'a> = (&'a str, i8, Option<&'a str>);

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn create(client: &mut Client, topic: &str) {
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(topic)))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let reply = client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]));
    assert_eq!(reply.topics[0].error_code, 0);
}

pub(super) fn asked(kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResource {
    DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()))
}

pub(super) fn describe(
    client: &mut Client,
    resources: Vec<DescribeConfigsResource>,
) -> Vec<DescribeConfigsResult> {
    let request = DescribeConfigsRequest::default()
        .with_resources(resources)
        .with_include_synonyms(true)
        .with_include_documentation(true);
    client.call(4, &request).results
}

/// Value and source of one setting of the topic `t`.
fn value(client: &mut Client, name: &str) -> (String, i8) {
    let results = describe(client, vec![asked(TOPIC, "t", Some(&[name]))]);
    let [setting] = &results[0].configs[..] else { panic!("{results:?}") };
    (setting.value.as_ref().unwrap().to_string(), setting.config_source)
}

fn is(value: &str, source: i8) -> (String, i8) {
    (value.to_owned(), source)
}

pub(super) fn alter_request(resources: &[(i8, &str, &[Op])]) -> IncrementalAlterConfigsRequest {
    let config = |(name, operation, value): &Op| {
        single::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    let resource = |(kind, name, ops): &(i8, &str, &[Op])| {
        single::AlterConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configs(ops.iter().map(config).collect())
    };
    IncrementalAlterConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

/// The error codes, in the order of the resources.
pub(super) fn alter(client: &mut Client, resources: &[(i8, &str, &[Op])]) -> Vec<i16> {
    let reply = client.call(1, &alter_request(resources));
    assert!(reply.responses.iter().all(|r| (r.error_code == 0) == r.error_message.is_none()), "{reply:?}");
    reply.responses.iter().map(|response| response.error_code).collect()
}

fn alter_topic(client: &mut Client, ops: &[Op]) -> i16 {
    alter(client, &[(TOPIC, "t", ops)])[0]
}

pub(super) fn replace_request(kind: i8, name: &str, configs: &[(&str, Option<&str>)]) -> AlterConfigsRequest {
    let config = |(n, v): &(&str, Option<&str>)| {
        full::AlterableConfig::default().with_name(text(n)).with_value(v.map(text))
    };
    let resource = full::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.iter().map(config).collect());
    AlterConfigsRequest::default().with_resources(vec![resource])
}

pub(super) fn replace(client: &mut Client, kind: i8, name: &str, configs: &[(&str, Option<&str>)]) -> i16 {
    client.call(2, &replace_request(kind, name, configs)).responses[0].error_code
}

fn produce(value: &str, timeout_ms: i32) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch(1, &[value])));
    let topic = TopicProduceData::default().with_name(TopicName(text("t"))).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(timeout_ms).with_topic_data(vec![topic])
}

pub(super) fn produced(client: &mut Client, value: &str, timeout_ms: i32) -> i16 {
    client.call(9, &produce(value, timeout_ms)).responses[0].partition_responses[0].error_code
}

#[test]
fn topics_are_described_in_every_version() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["log.segment.bytes=3000000"]);
    let mut client = broker.client();
    create(&mut client, "t");
    assert_eq!(alter_topic(&mut client, &[("segment.bytes", SET, Some("2000000"))]), 0);
    for version in 1..=4 {
        let resources = vec![
            asked(TOPIC, "t", Some(&[])),
            asked(TOPIC, "t", Some(&["segment.bytes", "nope", "segment.bytes"])),
            asked(TOPIC, "nobody", None),
            asked(TOPIC, "a/b", None),
        ];
        let mut request =
            DescribeConfigsRequest::default().with_resources(resources).with_include_synonyms(true);
        request.include_documentation = version >= 3;
        let reply = client.call(version, &request);
        let codes: Vec<_> = reply.results.iter().map(|r| (r.error_code, r.configs.len())).collect();
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        let invalid = ErrorCode::InvalidTopicException.code();
        assert_eq!(codes, [(0, 35), (0, 1), (unknown, 0), (invalid, 0)], "version {version}");
        let setting = &reply.results[1].configs[0];
        assert_eq!((setting.value.as_deref(), setting.config_source), (Some("2000000"), 1));
        assert!(!setting.read_only && !setting.is_sensitive);
        let synonyms: Vec<_> =
            setting.synonyms.iter().map(|s| (&*s.name, s.value.as_deref().unwrap(), s.source)).collect();
        assert_eq!(
            synonyms,
            [
                ("segment.bytes", "2000000", 1),
                ("log.segment.bytes", "3000000", 4),
                ("log.segment.bytes", "1073741824", 5)
            ]
        );
        assert_eq!(setting.config_type, if version >= 3 { 3 } else { 0 });
        let doc = setting.documentation.as_deref().unwrap_or_default();
        assert_eq!(doc, if version >= 3 { "The size at which a segment ends." } else { "" });
    }
    let plain = DescribeConfigsRequest::default().with_resources(vec![asked(TOPIC, "t", None)]);
    let reply = client.call(4, &plain);
    let silent = |c: &DescribeConfigsResourceResult| c.synonyms.is_empty() && c.documentation.is_none();
    assert_eq!(reply.results[0].configs.len(), 35, "null asks for all, too");
    assert!(reply.results[0].configs.iter().all(silent), "only on request");
    // However often it is asked.
    let often =
        [vec![asked(TOPIC, "t", None); 300], vec![asked(BROKER, "01", None), asked(BROKER, "1", None)]];
    assert_eq!(describe(&mut client, often.concat()).len(), 2);
}

#[test]
fn other_resources_are_described_as_far_as_they_are_there() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["node.id=5", "num.partitions=3"]);
    let mut client = broker.client();
    let results = describe(
        &mut client,
        vec![
            asked(BROKER, "5", None),
            asked(BROKER, "", None),
            asked(BROKER, "7", None),
            asked(BROKER, "x", None),
            asked(LOGGER, "5", None),
            asked(LOGGER, "", None),
            asked(CLIENT_METRICS, "x", None),
            asked(GROUP, "x", None),
            asked(BROKER, "5", Some(&["num.partitions"])),
        ],
    );
    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [0, 0, 42, 42, 0, 42, 0, 0, 0]);
    let find = |name: &str| results[0].configs.iter().find(|c| &*c.name == name).unwrap();
    let shown = |name| (find(name).value.as_deref(), find(name).config_source, find(name).read_only);
    assert_eq!(shown("auto.create.topics.enable"), (Some("true"), 5, true));
    assert_eq!(shown("num.partitions"), (Some("3"), 4, true));
    assert_eq!(shown("log.retention.hours"), (Some("168"), 5, true));
    assert_eq!((results[1].configs.len(), results[8].configs.len()), (0, 1));
    assert!(results[4].configs.iter().any(|logger| &*logger.name == "root"));
    let unknown = describe(&mut client, vec![asked(3, "x", None), asked(TOPIC, "t", None)]);
    assert!(unknown.iter().all(|result| result.error_code == 42 && result.configs.is_empty()));
}

#[test]
fn what_is_described_can_be_set_back() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t");
    let described = describe(&mut client, vec![asked(TOPIC, "t", None)]);
    let all: Vec<(&str, Option<&str>)> =
        described[0].configs.iter().map(|config| (&*config.name, config.value.as_deref())).collect();
    assert!(all.iter().all(|(_, value)| value.is_some()));
    assert_eq!(replace(&mut client, TOPIC, "t", &all), 0);
    let again = describe(&mut client, vec![asked(TOPIC, "t", None)]);
    let values = |results: &[DescribeConfigsResult]| -> Vec<_> {
        results[0].configs.iter().map(|c| (c.name.clone(), c.value.clone())).collect()
    };
    assert_eq!(values(&again), values(&described));
    assert!(again[0].configs.iter().all(|config| config.config_source == 1));
}

#[test]
fn single_settings_are_altered_in_every_version() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t");
    for version in 0..=1 {
        let call = |client: &mut Client, ops: &[Op]| {
            client.call(version, &alter_request(&[(TOPIC, "t", ops)])).responses[0].error_code
        };
        let policy = "cleanup.policy";
        assert_eq!(
            call(&mut client, &[("retention.ms", SET, Some("2000")), (policy, APPEND, Some("compact"))]),
            0
        );
        assert_eq!(value(&mut client, "retention.ms"), is("2000", 1));
        assert_eq!(value(&mut client, policy), is("delete,compact", 1));
        assert_eq!(call(&mut client, &[(policy, APPEND, Some("compact"))]), 0, "it is there already");
        assert_eq!(call(&mut client, &[(policy, SUBTRACT, Some("delete"))]), 0);
        assert_eq!(value(&mut client, policy), is("compact", 1));
        assert_eq!(call(&mut client, &[(policy, SUBTRACT, Some("delete"))]), 0, "it is gone already");
        assert_eq!(call(&mut client, &[(policy, DELETE, None), ("retention.ms", DELETE, Some("zz"))]), 0);
        assert_eq!(value(&mut client, policy), is("delete", 5));
        assert_eq!(value(&mut client, "retention.ms"), is("604800000", 5));
        assert_eq!(call(&mut client, &[(policy, DELETE, None), ("nope", DELETE, None)]), 0);
        let mut dry = alter_request(&[(TOPIC, "t", &[("retention.ms", SET, Some("7"))])]);
        dry.validate_only = true;
        assert_eq!(client.call(version, &dry).responses[0].error_code, 0);
        assert_eq!(value(&mut client, "retention.ms"), is("604800000", 5), "a dry run leaves nothing behind");
        let mut dry = alter_request(&[(TOPIC, "t", &[("retention.ms", SET, Some("x"))])]);
        dry.validate_only = true;
        assert_eq!(client.call(version, &dry).responses[0].error_code, 40);
    }
}

#[test]
fn wrong_alterations_have_kafkas_codes_and_change_nothing() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t");
    let retention = |operation, value| [("retention.ms", operation, value)];
    for (ops, code) in [
        (&retention(APPEND, Some("1"))[..], 40),
        (&retention(SUBTRACT, Some("1")), 40),
        (&retention(SET, Some("-2")), 40),
        (&retention(SET, None), 42),
        (&[("nope", SET, Some("1"))], 40),
        (&[("nope", APPEND, Some("1"))], 40),
        (&[("cleanup.policy", APPEND, None)], 42),
        (&[("retention.ms", SET, Some("5")), ("segment.bytes", SET, Some("1"))], 40),
        (&[("retention.ms", SET, Some("5")), ("retention.ms", SET, Some("6"))], 42),
        (&retention(9, Some("1")), -1),
    ] {
        assert_eq!(alter_topic(&mut client, ops), code, "{ops:?}");
    }
    let five: &[Op] = &[("retention.ms", SET, Some("5"))];
    assert_eq!(alter(&mut client, &[(TOPIC, "t", five), (TOPIC, "t", five)]), [42, 42]);
    assert_eq!(value(&mut client, "retention.ms"), is("604800000", 5));
    let others: &[(i8, &str, &[Op])] = &[
        (TOPIC, "nobody", five),
        (TOPIC, "a/b", five),
        (TOPIC, "", five),
        (TOPIC, "nobody", &[]),
        (TOPIC, "__cluster_metadata", five),
    ];
    for (resource, code) in others.iter().zip([3, 17, 42, 3, 3]) {
        assert_eq!(alter(&mut client, &[*resource]), [code], "{resource:?}");
    }
    // Each resource by itself.
    assert_eq!(
        alter(&mut client, &[(TOPIC, "nobody", five), (TOPIC, "t", five), (TOPIC, "a/b", &[])]),
        [3, 0, 17]
    );
    let files: &[Op] = &[("log.dirs", SET, Some("x"))];
    let odd: &[(i8, &str, &[Op])] = &[
        (BROKER, "1", files),
        (BROKER, "", files),
        (BROKER, "7", files),
        (BROKER, "x", files),
        (LOGGER, "1", &[("no.such.logger", SET, Some("INFO"))]),
        (LOGGER, "", &[]),
        (CLIENT_METRICS, "x", files),
        (GROUP, "x", files),
        (3, "x", files),
    ];
    assert_eq!(alter(&mut client, odd), [42, 42, 42, 42, 40, 42, 42, 40, 42]);
    assert_eq!(alter(&mut client, &[(BROKER, "1", &[]), (BROKER, "", &[]), (LOGGER, "1", &[])]), [0, 0, 0]);
}

#[test]
fn all_settings_are_replaced_in_every_version() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t");
    for version in 0..=2 {
        let mut call = |configs: &[(&str, Option<&str>)]| {
            client.call(version, &replace_request(TOPIC, "t", configs)).responses[0].error_code
        };
        assert_eq!(call(&[("retention.ms", Some("5")), ("segment.ms", Some("6"))]), 0);
        assert_eq!(call(&[("segment.ms", Some("7"))]), 0);
        assert_eq!(call(&[("segment.ms", None)]), 42);
        assert_eq!(call(&[("segment.ms", Some("0"))]), 40);
        assert_eq!(call(&[("segment.ms", Some("1")), ("segment.ms", Some("1"))]), 42);
        let mut dry = replace_request(TOPIC, "t", &[]);
        dry.validate_only = true;
        assert_eq!(client.call(version, &dry).responses[0].error_code, 0);
        assert_eq!(value(&mut client, "segment.ms"), is("7", 1));
        assert_eq!(value(&mut client, "retention.ms"), is("604800000", 5));
        let twice = replace_request(TOPIC, "t", &[]).resources;
        let twice = AlterConfigsRequest::default().with_resources([twice.clone(), twice].concat());
        let codes: Vec<_> = client.call(version, &twice).responses.iter().map(|r| r.error_code).collect();
        assert_eq!(codes, [42, 42]);
    }
    assert_eq!(replace(&mut client, TOPIC, "nobody", &[]), 3);
    let codes: Vec<_> = [(BROKER, "1"), (BROKER, "7"), (LOGGER, "1"), (0, "1")]
        .into_iter()
        .map(|(kind, name)| replace(&mut client, kind, name, &[]))
        .collect();
    assert_eq!(codes, [0, 42, 42, 42]);
    assert_eq!(replace(&mut client, BROKER, "1", &[("log.dirs", Some("x"))]), 42);
}

#[test]
fn settings_are_in_force_when_the_reply_comes_and_in_the_next_life() {
    let dir = TestDir::new();
    let too_large = ErrorCode::MessageTooLarge.code();
    {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        create(&mut client, "t");
        assert_eq!(produced(&mut client, &"x".repeat(5000), 5000), 0);
        for _ in 0..10 {
            assert_eq!(alter_topic(&mut client, &[("max.message.bytes", SET, Some("1000"))]), 0);
            assert_eq!(produced(&mut client, &"x".repeat(5000), 5000), too_large);
            assert_eq!(alter_topic(&mut client, &[("max.message.bytes", DELETE, None)]), 0);
            assert_eq!(produced(&mut client, &"x".repeat(5000), 5000), 0);
        }
        assert_eq!(alter_topic(&mut client, &[("max.message.bytes", SET, Some("1000"))]), 0);
    }
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    assert_eq!(value(&mut client, "max.message.bytes"), is("1000", 1));
    assert_eq!(produced(&mut client, &"x".repeat(5000), 5000), too_large);
}

/// However two clients alter one topic at once, its log has what is described in the end.
#[test]
fn the_last_of_many_alterations_is_the_one_in_force() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    create(&mut broker.client(), "t");
    assert_eq!(produced(&mut broker.client(), "x", 5000), 0);
    for _ in 0..20 {
        std::thread::scope(|threads| {
            for limit in ["1000", "100000"] {
                let mut client = broker.client();
                threads.spawn(move || {
                    assert_eq!(alter_topic(&mut client, &[("max.message.bytes", SET, Some(limit))]), 0);
                });
            }
        });
        let mut client = broker.client();
        let small = value(&mut client, "max.message.bytes").0 == "1000";
        assert_eq!(produced(&mut client, &"x".repeat(5000), 5000) != 0, small);
    }
}

/// A held journal is a disk that answers nothing: who is relaxed does not wait for it, who is durable does.
#[test]
fn durability_is_in_force_when_the_reply_comes() {
    let (dir, disk) = (TestDir::new(), Disk::default());
    let broker = Broker::start_in(disk.env(), &dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t");
    assert_eq!(produced(&mut client, "first", 5000), 0);
    let late = ErrorCode::RequestTimedOut.code();
    for _ in 0..3 {
        assert_eq!(alter_topic(&mut client, &[("durability", SET, Some("relaxed"))]), 0);
        // A log that becomes relaxed may still be flushed for a moment; it waits for nothing from then on.
        assert_eq!(produced(&mut client, "relaxed", 5000), 0);
        assert_eq!(alter_topic(&mut client, &[("durability", SET, Some("durable"))]), 0);
        let held = disk.hold_journal();
        assert_eq!(produced(&mut client, "durable", 300), late, "acknowledged before it was on the disk");
        drop(held);
        assert_eq!(produced(&mut client, "durable", 5000), 0);
    }
}

/// The metadata log grows by megabytes, the image hardly: the next lives begin with a snapshot that says the same.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a look at what the broker has on the disk, and a bound on the wait for it"
)]
fn much_history_ends_in_a_snapshot() {
    let dir = TestDir::new();
    let images = || -> Vec<String> {
        let names = std::fs::read_dir(dir.path().join("__cluster_metadata-0")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".image")).collect()
    };
    let name = "leader.replication.throttled.replicas";
    let replicas: Vec<String> = (0..3_000).map(|n| format!("{n}:1")).collect();
    let replicas = replicas.join(",");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        create(&mut client, "t");
        while images().len() < 2 {
            assert!(std::time::Instant::now() < deadline, "no two snapshots: {:?}", images());
            assert_eq!(alter_topic(&mut client, &[(name, SET, Some(&replicas))]), 0);
            assert_eq!(alter_topic(&mut client, &[(name, DELETE, None)]), 0);
        }
        assert_eq!(alter_topic(&mut client, &[("retention.ms", SET, Some("5"))]), 0);
        assert_eq!(produced(&mut client, "kept", 5000), 0);
    }
    for _life in 0..2 {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        assert_eq!(images().len(), 2);
        assert_eq!(value(&mut client, "retention.ms"), is("5", 1));
        assert_eq!(value(&mut client, name), is("", 5));
        assert_eq!(produced(&mut client, "more", 5000), 0);
    }
}
