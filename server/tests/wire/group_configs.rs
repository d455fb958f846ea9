//! Settings of groups: altered over the wire, in force at once, and there in the next life; and what bounds groups.

use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_configs_request::DescribeConfigsResource;
use protocol_compat::messages::{incremental_alter_configs_request as single, *};

use super::harness::{Broker, Client, TestDir};

const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const INTERVAL: &str = "consumer.heartbeat.interval.ms";
const SESSION: &str = "consumer.session.timeout.ms";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn start(dir: &TestDir, settings: &[&str]) -> (Broker, Client) {
    let broker = Broker::start(dir, settings);
    let mut client = broker.client();
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]);
    assert_eq!(client.call(6, &find).coordinators[0].error_code, 0);
    (broker, client)
}

fn alter(client: &mut Client, group: &str, changes: &[(&str, i8, &str)]) -> i16 {
    let change = |(name, operation, value): &(&str, i8, &str)| {
        single::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(Some(text(value)))
    };
    let resource = single::AlterConfigsResource::default()
        .with_resource_type(GROUP)
        .with_resource_name(text(group))
        .with_configs(changes.iter().map(change).collect());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    client.call(1, &request).responses[0].error_code
}

/// Value and source of one setting.
fn described(client: &mut Client, group: &str, name: &str) -> (String, i8) {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(GROUP)
        .with_resource_name(text(group))
        .with_configuration_keys(Some(vec![text(name)]));
    let reply = client.call(4, &DescribeConfigsRequest::default().with_resources(vec![resource]));
    let setting = &reply.results[0].configs[0];
    (setting.value.as_ref().unwrap().to_string(), setting.config_source)
}

fn listed(client: &mut Client) -> Vec<String> {
    let reply = client.call(1, &ListConfigResourcesRequest::default().with_resource_types(vec![GROUP]));
    reply.config_resources.iter().map(|resource| resource.resource_name.to_string()).collect()
}

/// A heartbeat of the group's one member; it joins with epoch 0.
fn beat(client: &mut Client, group: &str, epoch: i32) -> ConsumerGroupHeartbeatResponse {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text("m"))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(Vec::new()))
        .with_topic_partitions(Some(Vec::new()));
    loop {
        let reply = client.call(1, &request);
        if reply.error_code != ErrorCode::CoordinatorLoadInProgress.code() {
            return reply;
        }
    }
}

#[test]
fn they_count_at_once_and_in_the_next_life() {
    let dir = TestDir::new();
    let (broker, mut client) = start(&dir, &[]);
    assert_eq!(described(&mut client, "g", INTERVAL), ("5000".to_owned(), 5));
    assert_eq!(beat(&mut client, "g", 0).heartbeat_interval_ms, 5_000);
    assert_eq!(alter(&mut client, "g", &[(INTERVAL, SET, "7000"), (SESSION, SET, "50000")]), 0);
    assert_eq!(beat(&mut client, "g", 1).heartbeat_interval_ms, 7_000);
    assert_eq!(beat(&mut client, "other", 0).heartbeat_interval_ms, 5_000, "other groups are as before");
    let invalid = ErrorCode::InvalidConfig.code();
    assert_eq!(alter(&mut client, "g", &[(INTERVAL, SET, "15001")]), invalid);
    assert_eq!(alter(&mut client, "g", &[(INTERVAL, SET, "8000"), ("no.such", SET, "1")]), invalid);
    assert_eq!(
        described(&mut client, "g", INTERVAL),
        ("7000".to_owned(), 8),
        "one wrong, and nothing changes"
    );
    assert_eq!(listed(&mut client), ["g"]);
    drop((broker, client));

    // The bounds have changed: the nearest value that they allow counts.
    let (_broker, mut client) = start(&dir, &["group.consumer.max.heartbeat.interval.ms=6000"]);
    assert_eq!(described(&mut client, "g", INTERVAL), ("7000".to_owned(), 8));
    assert_eq!(described(&mut client, "g", SESSION), ("50000".to_owned(), 8));
    assert_eq!(beat(&mut client, "g", 1).heartbeat_interval_ms, 6_000);
    assert_eq!(alter(&mut client, "g", &[(INTERVAL, DELETE, ""), (SESSION, DELETE, "")]), 0);
    assert_eq!(beat(&mut client, "g", 1).heartbeat_interval_ms, 5_000);
    assert!(listed(&mut client).is_empty());
}

/// A member is out when its group's own session timeout is over, without a request that would tell.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when a member's session is over: the group is asked"
)]
fn a_session_ends_by_the_groups_own_timeout() {
    let dir = TestDir::new();
    let wide = [
        "group.consumer.min.session.timeout.ms=1000",
        "group.consumer.min.heartbeat.interval.ms=100",
        "group.consumer.heartbeat.interval.ms=200",
    ];
    let (broker, mut client) = start(&dir, &wide);
    assert_eq!(alter(&mut client, "g", &[(SESSION, SET, "1000")]), 0);
    assert_eq!(beat(&mut client, "g", 0).error_code, 0);
    drop((broker, client));
    // The next life knows it from its beginning, and nobody asks for the group but to see it go.
    let (_broker, mut client) = start(&dir, &wide);
    let ask = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text("g"))]);
    for _ in 0..500 {
        let group = &client.call(1, &ask).groups[0];
        if &*group.group_state == "Empty" {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("the member is still there");
}

#[test]
fn assignors_are_those_of_the_setting() {
    let dir = TestDir::new();
    let (_broker, mut client) = start(&dir, &["group.consumer.assignors=range"]);
    assert_eq!(beat(&mut client, "g", 0).error_code, 0);
    let ask = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text("g"))]);
    assert_eq!(&*client.call(1, &ask).groups[0].assignor_name, "range");
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(text("m"))
        .with_member_epoch(1)
        .with_server_assignor(Some(text("uniform")));
    assert_eq!(client.call(1, &request).error_code, ErrorCode::UnsupportedAssignor.code());
}

#[test]
fn groups_beyond_the_bound_wait() {
    let dir = TestDir::new();
    let (broker, mut client) = start(&dir, &["group.count.max=2"]);
    assert_eq!(beat(&mut client, "a", 0).error_code, 0);
    assert_eq!(beat(&mut client, "b", 0).error_code, 0);
    assert_eq!(beat(&mut client, "c", 0).error_code, ErrorCode::CoordinatorNotAvailable.code());
    let metrics = broker.services().metrics.render();
    for line in [
        "ottla_limit_hits_total{limit=\"group.count.max\"} 1",
        "ottla_limit_used{limit=\"group.count.max\"} 2",
        "ottla_limit_max{limit=\"group.count.max\"} 2",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
}
