//! A group's settings, and what the broker's own have to do with them.

use super::super::describe::{Described, ValueSource};
use super::super::group::group_settings;
use super::super::kafka_names::SERVER;
use super::super::kinds::find;
use super::*;
use std::collections::BTreeMap;

fn overrides(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn check(pairs: &[(&str, &str)], broker: &[(&str, &str)]) -> Result<(), String> {
    check_group(&overrides(pairs), &load(broker)).map_err(|error| error.to_string())
}

#[test]
fn all_of_them_are_declared_well() {
    let names: Vec<&str> = group_settings().map(|setting| setting.name).collect();
    assert_eq!(names.len(), 17, "4.3.1 has as many");
    assert!(names.is_sorted(), "{names:?}");
    for setting in group_settings() {
        assert!(setting.doc.ends_with('.'), "{}", setting.name);
        // A value comes from a setting of the broker or from here, and is allowed.
        assert_ne!(setting.broker_setting().is_some(), setting.default.is_some(), "{}", setting.name);
        let of_broker =
            setting.broker_setting().and_then(|name| find(SERVER, name)).and_then(|kafkas| kafkas.default);
        let default = of_broker.or(setting.default).unwrap_or_default();
        assert_eq!(check(&[(setting.name, default)], &[]), Ok(()), "{}", setting.name);
    }
}

#[test]
fn values_must_be_of_their_type_and_within_the_brokers_bounds() {
    let session = "consumer.session.timeout.ms";
    for good in ["45000", " 50000 ", "60000"] {
        assert_eq!(check(&[(session, good)], &[]), Ok(()), "{good}");
    }
    for wrong in ["44999", "60001", "0", "-1", "soon", "", "5e4", "99999999999"] {
        assert!(check(&[(session, wrong)], &[]).is_err(), "{wrong}");
    }
    let wider = [
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.max.session.timeout.ms", "90000"),
    ];
    assert_eq!(check(&[(session, "6000")], &wider), Ok(()));
    assert_eq!(check(&[(session, "90000")], &wider), Ok(()));
    assert!(check(&[("streams.num.standby.replicas", "3")], &[]).is_err());
    assert!(check(&[("share.isolation.level", "READ_COMMITTED")], &[]).is_err());
    assert!(check(&[("share.renew.acknowledge.enable", "yes")], &[]).is_err());
    let unknown = check(&[("consumer.session.timeout", "45000")], &[]).unwrap_err();
    assert!(unknown.contains("did you mean consumer.session.timeout.ms?"), "{unknown}");
}

#[test]
fn a_session_is_longer_than_the_time_between_heartbeats() {
    let wider = [
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.max.heartbeat.interval.ms", "50000"),
    ];
    let both = |session, heartbeat| {
        check(
            &[("consumer.session.timeout.ms", session), ("consumer.heartbeat.interval.ms", heartbeat)],
            &wider,
        )
    };
    assert_eq!(both("20001", "20000"), Ok(()));
    assert!(both("20000", "20000").is_err());
    // What is not said is the broker's.
    assert!(check(&[("consumer.session.timeout.ms", "5000")], &wider).is_err());
    assert!(check(&[("consumer.heartbeat.interval.ms", "45000")], &wider).is_err());
}

#[test]
fn places_to_begin() {
    let reset = |value| check(&[("share.auto.offset.reset", value)], &[]).is_ok();
    for good in ["latest", "earliest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S", "by_duration:PT0S"] {
        assert!(reset(good), "{good}");
    }
    for wrong in [
        "",
        "none",
        "by_duration",
        "by_duration:",
        "by_duration:P",
        "by_duration:PT",
        "by_duration:-PT1H",
        "by_duration:1H",
        "by_duration:PT1H2",
    ] {
        assert!(!reset(wrong), "{wrong}");
    }
}

#[test]
fn what_counts_for_a_group_lies_within_the_bounds() {
    let times = ConsumerTimes {
        session_timeout_ms: Bounded::new(45_000, 40_000, 60_000),
        heartbeat_interval_ms: Bounded::new(5_000, 5_000, 15_000),
        assignment_interval_ms: Bounded::new(1_000, 0, 15_000),
    };
    let own = |value| overrides(&[("consumer.session.timeout.ms", value)]);
    assert_eq!(times.session_timeout_ms(None), 45_000);
    assert_eq!(times.session_timeout_ms(Some(&own("50000"))), 50_000);
    assert_eq!(times.session_timeout_ms(Some(&own("1"))), 40_000);
    assert_eq!(times.session_timeout_ms(Some(&own("70000"))), 60_000);
    assert_eq!(times.heartbeat_interval_ms(Some(&own("50000"))), 5_000);
    assert_eq!(
        times.assignment_interval_ms(Some(&overrides(&[("consumer.assignment.interval.ms", "7")]))),
        7
    );
}

#[test]
fn the_brokers_own_lie_within_its_bounds() {
    let session = "group.consumer.session.timeout.ms";
    let refusal = refused(&[(session, "6000")]);
    assert!(
        refusal.contains(session) && refusal.contains("group.consumer.min.session.timeout.ms"),
        "{refusal}"
    );
    load(&[(session, "6000"), ("group.consumer.min.session.timeout.ms", "6000")]);
    assert!(
        refused(&[("group.consumer.max.session.timeout.ms", "44000")]).contains("max.session.timeout.ms")
    );
    assert!(refused(&[("group.share.heartbeat.interval.ms", "16000")]).contains("group.share"));
    assert!(refused(&[("group.streams.num.standby.replicas", "3")]).contains("standby"));
    let equal = [
        ("group.consumer.max.heartbeat.interval.ms", "45000"),
        ("group.consumer.heartbeat.interval.ms", "45000"),
    ];
    assert!(refused(&equal).contains("more than group.consumer.heartbeat.interval.ms"));
    assert!(refused(&[("group.consumer.assignors", "sticky")]).contains("uniform, range"));
    load(&[(
        "group.consumer.assignors",
        "org.apache.kafka.coordinator.group.assignor.RangeAssignor,uniform",
    )]);
}

#[test]
fn a_groups_settings_are_shown_with_where_they_come_from() {
    let broker = load(&[("group.consumer.heartbeat.interval.ms", "6000")]);
    let all = describe_group(&overrides(&[("consumer.session.timeout.ms", "050000")]), &broker);
    let of = |name: &str| all.iter().find(|setting| setting.name == name).expect("declared");
    let seen = |setting: &Described<'static>| {
        let synonyms: Vec<_> = setting.synonyms.iter().map(|s| (s.name, s.value.clone(), s.source)).collect();
        (setting.value.clone(), setting.source, synonyms)
    };
    let text = |text: &str| Some(text.to_owned());
    let session = "consumer.session.timeout.ms";
    assert_eq!(
        seen(of(session)),
        (
            text("50000"),
            ValueSource::Group,
            vec![
                (session, text("50000"), ValueSource::Group),
                ("group.consumer.session.timeout.ms", text("45000"), ValueSource::Default)
            ]
        )
    );
    let (value, source, _) = seen(of("consumer.heartbeat.interval.ms"));
    assert_eq!((value, source), (text("6000"), ValueSource::Broker));
    let (value, source, synonyms) = seen(of("share.isolation.level"));
    assert_eq!((value, source, synonyms.len()), (text("read_uncommitted"), ValueSource::Default, 1));
}
