//! Levels of features over the wire: raised and lowered, told in ApiVersions, there in the next life, and in force.

use protocol_compat::ErrorCode;
use protocol_compat::messages::update_features_request::FeatureUpdateKey;
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir};

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// The code of the whole, and the features that have a code of their own.
fn update(
    client: &mut Client,
    version: i16,
    updates: &[(&str, i16, i8)],
    validate_only: bool,
) -> (i16, Vec<(String, i16)>) {
    let update = |(name, level, kind): &(&str, i16, i8)| {
        let update = FeatureUpdateKey::default().with_feature(text(name)).with_max_version_level(*level);
        if version > 0 {
            update.with_upgrade_type(*kind)
        } else {
            update.with_allow_downgrade(*kind > UPGRADE)
        }
    };
    let updates = updates.iter().map(update).collect();
    let request =
        UpdateFeaturesRequest::default().with_feature_updates(updates).with_validate_only(validate_only);
    let reply = client.call(version, &request);
    assert_eq!(reply.error_code == 0, reply.error_message.is_none(), "{reply:?}");
    let results = reply.results.iter().map(|result| (result.feature.to_string(), result.error_code));
    (reply.error_code, results.collect())
}

/// The features that count, with their levels, and the epoch of that.
fn finalized(client: &mut Client) -> (Vec<(String, i16)>, i64) {
    let software = StrBytes::from_static_str("test");
    let request = ApiVersionsRequest::default()
        .with_client_software_name(software.clone())
        .with_client_software_version(software);
    let reply = client.call(4, &request);
    let levels = reply.finalized_features.iter().map(|f| (f.name.to_string(), f.max_version_level));
    (levels.collect(), reply.finalized_features_epoch)
}

fn named(levels: &[(&str, i16)]) -> Vec<(String, i16)> {
    levels.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect()
}

fn beat(client: &mut Client) -> i16 {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(text("m"))
        .with_rebalance_timeout_ms(10_000)
        .with_subscribed_topic_names(Some(vec![TopicName(text("t"))]))
        .with_topic_partitions(Some(Vec::new()));
    client.call(1, &request).error_code
}

#[test]
fn a_feature_is_turned_off_and_on() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]);
    assert_eq!(client.call(6, &find).coordinators[0].error_code, 0);
    let (on, off) =
        (named(&[("group.version", 1), ("metadata.version", 30)]), named(&[("metadata.version", 30)]));
    assert_eq!(finalized(&mut client), (on.clone(), 0));
    let refused = ErrorCode::InvalidUpdateVersion.code();
    for wrong in [
        ("group.version", 0, UPGRADE),
        ("group.version", 2, UPGRADE),
        ("group.version", 1, 0),
        ("group.version", -1, SAFE_DOWNGRADE),
        ("metadata.version", 7, SAFE_DOWNGRADE),
        ("no.such", 1, UPGRADE),
    ] {
        assert_eq!(
            update(&mut client, 2, &[wrong, ("x", 0, UPGRADE)], false),
            (refused, vec![]),
            "{wrong:?}"
        );
    }
    let down = [("group.version", 0, SAFE_DOWNGRADE)];
    assert_eq!(update(&mut client, 0, &down, false), (refused, vec![]), "as 4.3.1 reads version 0");
    assert_eq!(update(&mut client, 2, &down, true), (0, vec![]));
    assert_eq!(finalized(&mut client), (on.clone(), 0), "it was only asked");
    assert_eq!(update(&mut client, 1, &down, false), (0, named(&[("group.version", 0)])));
    assert_eq!(finalized(&mut client), (off.clone(), 1));
    assert_eq!(beat(&mut client), ErrorCode::UnsupportedVersion.code());
    drop((client, broker));

    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    assert_eq!(finalized(&mut client), (off, 1));
    assert_eq!(update(&mut client, 2, &[("group.version", 1, UPGRADE)], false), (0, vec![]));
    assert_eq!(finalized(&mut client), (on, 2));
    assert_eq!(client.call(6, &find).coordinators[0].error_code, 0);
    assert_ne!(beat(&mut client), ErrorCode::UnsupportedVersion.code());
}
