//! Clients' own metrics over the wire: subscriptions set, shown, there in the next life; who is asked for what; and what is
//! pushed among the broker's metrics.

use bytes::Bytes;
use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_configs_request::DescribeConfigsResource;
use protocol_compat::messages::{
    alter_configs_request as whole, incremental_alter_configs_request as single, *,
};

use super::harness::{Broker, Client, TestDir};

const CLIENT_METRICS: i8 = 16;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn alter(client: &mut Client, name: &str, changes: &[(&str, i8, &str)]) -> i16 {
    let change = |(name, operation, value): &(&str, i8, &str)| {
        let config = single::AlterableConfig::default().with_name(text(name));
        config.with_config_operation(*operation).with_value(Some(text(value)))
    };
    let resource = single::AlterConfigsResource::default()
        .with_resource_type(CLIENT_METRICS)
        .with_resource_name(text(name))
        .with_configs(changes.iter().map(change).collect());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    client.call(1, &request).responses[0].error_code
}

fn replace(client: &mut Client, name: &str, settings: &[(&str, &str)], validate_only: bool) -> i16 {
    let config = |(name, value): &(&str, &str)| {
        whole::AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let resource = whole::AlterConfigsResource::default()
        .with_resource_type(CLIENT_METRICS)
        .with_resource_name(text(name))
        .with_configs(settings.iter().map(config).collect());
    let request =
        AlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(validate_only);
    client.call(2, &request).responses[0].error_code
}

/// Each setting with its value and source.
fn described(client: &mut Client, name: &str) -> Result<Vec<(String, String, i8)>, i16> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(CLIENT_METRICS)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let reply = client.call(4, &DescribeConfigsRequest::default().with_resources(vec![resource]));
    let result = &reply.results[0];
    let all = result.configs.iter().map(|setting| {
        let value = setting.value.as_ref().map(StrBytes::to_string).unwrap_or_default();
        (setting.name.to_string(), value, setting.config_source)
    });
    if result.error_code == 0 { Ok(all.collect()) } else { Err(result.error_code) }
}

fn listed(client: &mut Client, version: i16) -> Vec<String> {
    let types = if version > 0 { vec![CLIENT_METRICS] } else { Vec::new() };
    let reply = client.call(version, &ListConfigResourcesRequest::default().with_resource_types(types));
    reply.config_resources.iter().map(|resource| resource.resource_name.to_string()).collect()
}

fn ask(client: &mut Client, instance: Uuid) -> GetTelemetrySubscriptionsResponse {
    client.call(0, &GetTelemetrySubscriptionsRequest::default().with_client_instance_id(instance))
}

fn push(client: &mut Client, instance: Uuid, subscription: i32, payload: &[u8]) -> i16 {
    let request = PushTelemetryRequest::default()
        .with_client_instance_id(instance)
        .with_subscription_id(subscription)
        .with_metrics(Bytes::copy_from_slice(payload));
    client.call(0, &request).error_code
}

#[test]
fn subscriptions_are_set_shown_and_there_in_the_next_life() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let invalid = (ErrorCode::InvalidRequest.code(), ErrorCode::InvalidConfig.code());
    assert_eq!(alter(&mut client, "a", &[("metrics", SET, "x,y"), ("match", SET, "client_id=c.*")]), 0);
    for (change, code) in [
        (("interval.ms", SET, "99"), invalid.0),
        (("unknown", SET, "1"), invalid.0),
        (("interval.ms", SET, "often"), invalid.1),
        (("match", SET, "client=c"), invalid.1),
        (("metrics", APPEND, "z"), invalid.1),
    ] {
        assert_eq!(alter(&mut client, "a", &[change]), code, "{change:?}");
    }
    assert_eq!(alter(&mut client, "", &[("metrics", SET, "x")]), invalid.0);
    assert_eq!(replace(&mut client, "b", &[("interval.ms", "100")], false), 0);
    assert_eq!(replace(&mut client, "not", &[("interval.ms", "100")], true), 0);
    let owned = |all: &[(&str, &str, i8)]| {
        all.iter().map(|(name, value, source)| ((*name).to_owned(), (*value).to_owned(), *source)).collect()
    };
    let a = owned(&[("interval.ms", "300000", 5), ("match", "client_id=c.*", 7), ("metrics", "x,y", 7)]);
    assert_eq!(described(&mut client, "a"), Ok(a));
    assert_eq!(described(&mut client, ""), Err(invalid.0));
    assert_eq!([0, 1].map(|version| listed(&mut client, version)), [["a", "b"], ["a", "b"]]);
    drop((client, broker));

    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    assert_eq!(listed(&mut client, 0), ["a", "b"]);
    assert_eq!(alter(&mut client, "a", &[("metrics", DELETE, ""), ("match", DELETE, "")]), 0);
    assert_eq!(replace(&mut client, "b", &[], false), 0);
    assert!(listed(&mut client, 1).is_empty());
    let defaults = owned(&[("interval.ms", "300000", 5), ("match", "", 5), ("metrics", "", 5)]);
    assert_eq!(described(&mut client, "a"), Ok(defaults));
}

/// `MetricsData` with the gauge `org.apache.kafka.up` of 1.5.
const GAUGE: &[u8] =
    b"\x0a\x26\x12\x24\x12\x22\x0a\x13org.apache.kafka.up\x2a\x0b\x0a\x09\x21\0\0\0\0\0\0\xf8\x3f";

#[test]
fn what_a_client_pushes_is_among_the_brokers_metrics() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["telemetry.max.bytes=1000"]);
    let mut client = broker.client().named("c-1");
    let none = ask(&mut client, Uuid::nil());
    assert_eq!((none.error_code, none.requested_metrics.len(), none.push_interval_ms), (0, 0, 300_000));
    assert!(!none.client_instance_id.is_nil() && none.delta_temporality);
    assert_eq!((none.accepted_compression_types, none.telemetry_max_bytes), (vec![4, 3, 1, 2], 1000));
    let instance = none.client_instance_id;
    let again = ask(&mut client, instance);
    assert_eq!(again.error_code, ErrorCode::ThrottlingQuotaExceeded.code());

    let settings =
        [("metrics", SET, "org.apache."), ("interval.ms", SET, "100"), ("match", SET, "client_id=c-.")];
    assert_eq!(alter(&mut client, "s", &settings), 0);
    let old = push(&mut client, instance, none.subscription_id, GAUGE);
    assert_eq!(old, ErrorCode::UnknownSubscriptionId.code());
    let now = ask(&mut client, instance);
    assert_eq!((now.error_code, now.client_instance_id, now.push_interval_ms), (0, instance, 100));
    assert_eq!(now.requested_metrics, [text("org.apache.")]);
    assert_ne!(now.subscription_id, none.subscription_id);

    // It pushed a moment ago: it goes on until its time comes.
    let mut pushed = push(&mut client, instance, now.subscription_id, GAUGE);
    while pushed == ErrorCode::ThrottlingQuotaExceeded.code() {
        pushed = push(&mut client, instance, now.subscription_id, GAUGE);
    }
    assert_eq!(pushed, 0);
    let metrics = broker.services().metrics.render();
    let line = metrics.lines().find(|line| line.starts_with("ottla_client_up{")).expect("it is shown");
    assert!(line.contains("client_id=\"c-1\"") && line.ends_with(" 1.5"), "{line}");
    assert!(metrics.contains("# TYPE ottla_client_up gauge\n"));
    let reserved = push(&mut client, Uuid::nil(), now.subscription_id, GAUGE);
    assert_eq!(reserved, ErrorCode::InvalidRequest.code());

    let other = ask(&mut broker.client().named("d"), Uuid::nil());
    assert!(other.requested_metrics.is_empty(), "the subscription is not for it");
}
