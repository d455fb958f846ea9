//! What an operator lets clients do with topics: refused with POLICY_VIOLATION by each of the APIs that could get around it.

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_partitions_request::CreatePartitionsTopic;
use protocol_compat::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::*;

use super::configs::{DELETE, SET, TOPIC, alter, replace, text};
use super::harness::{Broker, Client, TestDir};
use super::topics::{create, create_with, name};

const NONE: i16 = 0;
const POLICY: i16 = ErrorCode::PolicyViolation as i16;

fn created(client: &mut Client, topic: &str, partitions: i32, set: &[&str], only_asked: bool) -> i16 {
    let config =
        |name: &&str| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text("1")));
    let wanted = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(-1)
        .with_configs(set.iter().map(config).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_validate_only(only_asked);
    let reply = client.call(7, &request);
    let topic = &reply.topics[0];
    assert_eq!(topic.error_code == NONE, topic.error_message.is_none());
    topic.error_code
}

fn grown(client: &mut Client, topic: &str, count: i32) -> i16 {
    let more =
        CreatePartitionsTopic::default().with_name(name(topic)).with_count(count).with_assignments(None);
    client.call(3, &CreatePartitionsRequest::default().with_topics(vec![more])).results[0].error_code
}

fn made_by_asking(client: &mut Client, topic: &str) -> i16 {
    let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
    let request =
        MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(true);
    client.call(12, &request).topics[0].error_code
}

#[test]
fn topics_beyond_the_limits_are_not_made() {
    let dir = TestDir::new();
    let settings = ["create.topic.policy.partitions.max=4", "create.topic.policy.name.pattern=team[.][a-z]+"];
    let broker = Broker::start(&dir, &settings);
    let mut client = broker.client();
    for only_asked in [true, false] {
        assert_eq!(created(&mut client, "team.orders", 5, &[], only_asked), POLICY);
        assert_eq!(created(&mut client, "orders", 1, &[], only_asked), POLICY);
        assert_eq!(created(&mut client, "team.orders2", 1, &[], only_asked), POLICY);
        // What is wrong for everyone is said as ever.
        assert_eq!(
            created(&mut client, "team/orders", 5, &[], only_asked),
            ErrorCode::InvalidTopicException as i16
        );
        assert_eq!(
            created(&mut client, "team.orders", 0, &[], only_asked),
            ErrorCode::InvalidPartitions as i16
        );
    }
    assert_eq!(created(&mut client, "team.orders", 3, &[], true), NONE);
    assert_eq!(created(&mut client, "team.orders", 3, &[], false), NONE);
    assert_eq!(grown(&mut client, "team.orders", 5), POLICY);
    assert_eq!(grown(&mut client, "team.orders", 4), NONE);

    let unknown = ErrorCode::UnknownTopicOrPartition as i16;
    assert_eq!(made_by_asking(&mut client, "elsewhere"), unknown);
    assert_eq!(made_by_asking(&mut client, "team.asked"), NONE);
    let listed = client.call(12, &MetadataRequest::default().with_topics(None)).topics;
    let mut names: Vec<_> = listed.iter().map(|topic| topic.name.as_ref().unwrap().to_string()).collect();
    names.sort();
    assert_eq!(names, ["team.asked", "team.orders"]);
}

#[test]
fn fixed_settings_are_not_set() {
    let dir = TestDir::new();
    create_with(&mut Broker::start(&dir, &[]).client(), "old", 1, &[("retention.ms", "7")]);
    let broker = Broker::start(&dir, &["alter.config.policy.fixed=retention.ms,flush.ms"]);
    let mut client = broker.client();
    create(&mut client, "t", 1);
    for only_asked in [true, false] {
        assert_eq!(created(&mut client, "u", 1, &["retention.ms"], only_asked), POLICY);
    }
    assert_eq!(created(&mut client, "u", 1, &["segment.ms"], false), NONE);
    let set = |client: &mut Client, setting| alter(client, &[(TOPIC, "t", &[(setting, SET, Some("9"))])])[0];
    assert_eq!(set(&mut client, "retention.ms"), POLICY);
    assert_eq!(set(&mut client, "flush.ms"), POLICY);
    assert_eq!(set(&mut client, "segment.ms"), NONE);
    assert_eq!(replace(&mut client, TOPIC, "t", &[("retention.ms", Some("9"))]), POLICY);
    assert_eq!(replace(&mut client, TOPIC, "t", &[]), NONE);

    // What was there before stays, and may be kept by those who name all settings.
    assert_eq!(alter(&mut client, &[(TOPIC, "old", &[("retention.ms", DELETE, None)])])[0], POLICY);
    assert_eq!(replace(&mut client, TOPIC, "old", &[]), POLICY);
    assert_eq!(
        replace(&mut client, TOPIC, "old", &[("retention.ms", Some("7")), ("segment.ms", Some("9"))]),
        NONE
    );
}
