//! Settings of subscriptions to clients' metrics (KIP-714), and levels of features.

use super::script::{Script, text};
use super::settings::{changed, described, replaced};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{ListConfigResourcesRequest, UpdateFeaturesRequest};

const CLIENT_METRICS: i8 = 16;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

const NAME: &str = "subscription";

pub(super) fn all(script: &mut Script) {
    describe(script, "before");
    change(script);
    describe(script, "set");
    replace(script);
    describe(script, "afterwards");
    features(script);
}

fn describe(script: &mut Script, when: &str) {
    script.ask(&format!("a subscription, {when}"), |_| described(&[(CLIENT_METRICS, NAME, None)]));
    script.ask(&format!("a subscription's synonyms, {when}"), |_| {
        described(&[(CLIENT_METRICS, NAME, None)]).with_include_synonyms(true)
    });
    script.ask(&format!("some of a subscription, {when}"), |_| {
        let keys: &[&str] = &["interval.ms", "no.such.setting"];
        described(&[
            (CLIENT_METRICS, NAME, Some(keys)),
            (CLIENT_METRICS, "nobody-knows", None),
            (CLIENT_METRICS, "", None),
        ])
    });
    script.ask_of(&[1], &format!("the list of subscriptions, {when}"), |_| {
        ListConfigResourcesRequest::default().with_resource_types(vec![CLIENT_METRICS])
    });
}

/// A setting and a value, which may be wrong.
const VALUES: &[(&str, &str)] = &[
    ("metrics", "org.apache.kafka.producer."),
    ("metrics", "a,b"),
    ("metrics", "*"),
    ("metrics", ""),
    ("interval.ms", "100"),
    ("interval.ms", "99"),
    ("interval.ms", "3600000"),
    ("interval.ms", "3600001"),
    ("interval.ms", "soon"),
    ("interval.ms", ""),
    ("match", "client_id=a.*"),
    ("match", "client_id=a.*,client_software_name=apache-kafka-java"),
    ("match", "client_id"),
    ("match", "client_id=("),
    ("match", "nobody=a"),
    ("match", ""),
    ("no.such.setting", "1"),
    ("", "1"),
];

fn change(script: &mut Script) {
    for (name, value) in VALUES {
        script.ask(&format!("subscription's setting {name}={value}"), |_| {
            changed(&[(CLIENT_METRICS, NAME, &[(name, SET, Some(value))])], false)
        });
    }
    let one: &[(&str, i8, Option<&str>)] = &[("interval.ms", SET, Some("5000"))];
    script.ask("a subscription, validated", |_| changed(&[(CLIENT_METRICS, "validated", one)], true));
    script.ask("the empty subscription", |_| changed(&[(CLIENT_METRICS, "", one)], false));
    script.ask("a subscription twice", |_| {
        changed(&[(CLIENT_METRICS, "other", one), (CLIENT_METRICS, "other", one)], false)
    });
    for (what, operation, value) in [
        ("longer", APPEND, Some("c")),
        ("longer again", APPEND, Some("c")),
        ("shorter", SUBTRACT, Some("c")),
        ("less", DELETE, None),
        ("null", SET, None),
    ] {
        script.ask(&format!("a subscription's metrics, {what}"), |_| {
            changed(&[(CLIENT_METRICS, NAME, &[("metrics", operation, value)])], false)
        });
    }
    script.ask("a subscription, no list", |_| {
        changed(&[(CLIENT_METRICS, NAME, &[("interval.ms", APPEND, Some("1"))])], false)
    });
}

fn replace(script: &mut Script) {
    let both = [("interval.ms", Some("7000")), ("metrics", Some("a"))];
    script.ask("a subscription, whole", |_| replaced(&[(CLIENT_METRICS, NAME, &both)], false));
    script.ask("a subscription, wrong", |_| {
        replaced(&[(CLIENT_METRICS, NAME, &[("interval.ms", Some("1"))])], false)
    });
    script.ask("a subscription, nothing", |_| replaced(&[(CLIENT_METRICS, NAME, &[])], false));
}

/// A feature, a level, the type of the update.
const LEVELS: &[(&str, i16, i8)] = &[
    ("group.version", 1, 1),
    ("group.version", 2, 1),
    ("group.version", -1, 1),
    ("group.version", 0, 1),
    ("group.version", 2, 2),
    ("group.version", 1, 2),
    ("group.version", 1, 0),
    ("group.version", 1, 4),
    ("no.such.feature", 1, 1),
    ("no.such.feature", 0, 2),
    ("", 1, 1),
];

/// None of them changes anything.
fn features(script: &mut Script) {
    let update = |(feature, level, kind): (&str, i16, i8), version: i16| {
        let update = FeatureUpdateKey::default().with_feature(text(feature)).with_max_version_level(level);
        if version == 0 { update.with_allow_downgrade(kind > 1) } else { update.with_upgrade_type(kind) }
    };
    for one in LEVELS {
        script.ask(&format!("feature {one:?}"), |version| {
            UpdateFeaturesRequest::default()
                .with_timeout_ms(5000)
                .with_feature_updates(vec![update(*one, version)])
        });
    }
    script.ask("no feature", |_| UpdateFeaturesRequest::default().with_timeout_ms(5000));
    script.ask_of(&[1, 2], "a feature lowered, validated", |version| {
        UpdateFeaturesRequest::default()
            .with_timeout_ms(5000)
            .with_validate_only(true)
            .with_feature_updates(vec![update(("group.version", 0, 2), version)])
    });
    script.ask("a feature, right and wrong", |version| {
        let both = [("group.version", 1, 1), ("no.such.feature", 1, 1)];
        UpdateFeaturesRequest::default()
            .with_timeout_ms(5000)
            .with_feature_updates(both.iter().map(|one| update(*one, version)).collect())
    });
}
