//! Settings of groups, and the list of all that has settings.

use super::script::Script;
use super::settings::{changed, described, replaced};
use kafka_protocol::messages::ListConfigResourcesRequest;

const TOPIC: i8 = 2;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) fn all(script: &mut Script) {
    describe(script, "before");
    change(script);
    replace(script);
    describe(script, "afterwards");
    list(script);
}

fn describe(script: &mut Script, when: &str) {
    script.ask(&format!("a group, {when}"), |_| described(&[(GROUP, "of-settings", None)]));
    script.ask(&format!("a group's synonyms, {when}"), |_| {
        described(&[(GROUP, "of-settings", None)]).with_include_synonyms(true)
    });
    script.ask(&format!("some of a group, {when}"), |_| {
        let keys: &[&str] = &["consumer.session.timeout.ms", "no.such.setting", "share.isolation.level"];
        described(&[
            (GROUP, "nobody-knows", Some(keys)),
            (GROUP, "", None),
            (GROUP, "of-settings", Some(&[])),
        ])
    });
    script.ask_of(&[3, 4], &format!("a group's docs, {when}"), |_| {
        described(&[(GROUP, "of-settings", None)]).with_include_documentation(true)
    });
}

/// A setting and a value, which may be wrong.
const VALUES: &[(&str, &str)] = &[
    ("consumer.session.timeout.ms", "50000"),
    ("consumer.session.timeout.ms", "45000"),
    ("consumer.session.timeout.ms", "44999"),
    ("consumer.session.timeout.ms", "60001"),
    ("consumer.session.timeout.ms", "0"),
    ("consumer.session.timeout.ms", "soon"),
    ("consumer.session.timeout.ms", ""),
    ("consumer.heartbeat.interval.ms", "7000"),
    ("consumer.heartbeat.interval.ms", "4999"),
    ("consumer.heartbeat.interval.ms", "15001"),
    ("consumer.assignment.interval.ms", "15001"),
    ("consumer.assignment.interval.ms", "20"),
    ("consumer.assignment.interval.ms", "-1"),
    ("consumer.assignor.offload.enable", "true"),
    ("share.session.timeout.ms", "44999"),
    ("share.session.timeout.ms", "47000"),
    ("share.heartbeat.interval.ms", "15001"),
    ("share.record.lock.duration.ms", "14999"),
    ("share.record.lock.duration.ms", "20000"),
    ("share.delivery.count.limit", "1"),
    ("share.delivery.count.limit", "3"),
    ("share.delivery.count.limit", "11"),
    ("share.partition.max.record.locks", "99"),
    ("share.partition.max.record.locks", "4001"),
    ("share.partition.max.record.locks", "200"),
    ("share.assignment.interval.ms", "1"),
    ("share.auto.offset.reset", "earliest"),
    ("share.auto.offset.reset", "by_duration:PT1H"),
    ("share.auto.offset.reset", "by_duration:-PT1H"),
    ("share.auto.offset.reset", "by_duration:P"),
    ("share.auto.offset.reset", "none"),
    ("share.isolation.level", "read_committed"),
    ("share.isolation.level", "READ_COMMITTED"),
    ("share.renew.acknowledge.enable", "false"),
    ("share.renew.acknowledge.enable", "maybe"),
    ("streams.session.timeout.ms", "46000"),
    ("streams.heartbeat.interval.ms", "1"),
    ("streams.num.standby.replicas", "2"),
    ("streams.num.standby.replicas", "3"),
    ("streams.initial.rebalance.delay.ms", "0"),
    ("streams.initial.rebalance.delay.ms", "-1"),
    ("streams.assignment.interval.ms", "2"),
    ("streams.task.offset.interval.ms", "60000"),
    ("errors.deadletterqueue.topic.name", "letters"),
    ("no.such.setting", "1"),
    ("", "1"),
];

fn change(script: &mut Script) {
    for (name, value) in VALUES {
        script.ask(&format!("group setting {name}={value}"), |_| {
            changed(&[(GROUP, "of-settings", &[(name, SET, Some(value))])], false)
        });
    }
    let one: &[(&str, i8, Option<&str>)] = &[("consumer.session.timeout.ms", SET, Some("55000"))];
    script.ask("a group, validated", |_| changed(&[(GROUP, "of-settings", one)], true));
    script.ask("the empty group", |_| changed(&[(GROUP, "", one)], false));
    script.ask("a group and a topic", |_| changed(&[(GROUP, "other", one), (TOPIC, "absent", one)], false));
    script.ask("a group twice", |_| changed(&[(GROUP, "other", one), (GROUP, "other", one)], false));
    script.ask("a group, deleted", |_| {
        changed(&[(GROUP, "other", &[("consumer.session.timeout.ms", DELETE, None)])], false)
    });
    script.ask("a group, an unknown one deleted", |_| {
        changed(&[(GROUP, "other", &[("no.such.setting", DELETE, None)])], false)
    });
    for operation in [APPEND, SUBTRACT] {
        script.ask(&format!("a group, operation {operation}"), |_| {
            changed(&[(GROUP, "other", &[("consumer.session.timeout.ms", operation, Some("1"))])], false)
        });
    }
    script.ask("a group, a null", |_| {
        changed(&[(GROUP, "other", &[("consumer.session.timeout.ms", SET, None)])], false)
    });
    script.ask("a group, good and wrong", |_| {
        let both = [("consumer.session.timeout.ms", SET, Some("55000")), ("no.such.setting", SET, Some("1"))];
        changed(&[(GROUP, "other", &both)], false)
    });
}

fn replace(script: &mut Script) {
    let good: &[(&str, Option<&str>)] =
        &[("consumer.session.timeout.ms", Some("52000")), ("share.isolation.level", Some("read_committed"))];
    script.ask("a group", |_| replaced(&[(GROUP, "replaced", good)], false));
    script.ask("a group, fewer", |_| replaced(&[(GROUP, "replaced", &good[..1])], false));
    script.ask("a group, out of bounds", |_| {
        replaced(&[(GROUP, "replaced", &[("consumer.session.timeout.ms", Some("1"))])], false)
    });
    script.ask("a group, unknown", |_| replaced(&[(GROUP, "replaced", &[("no.such", Some("1"))])], false));
    script.ask("the empty group", |_| replaced(&[(GROUP, "", good)], false));
    script.ask("a group, validated", |_| replaced(&[(GROUP, "replaced", &[])], true));
}

fn list(script: &mut Script) {
    script.ask("all", |_| ListConfigResourcesRequest::default());
    let kinds: [&[i8]; 9] = [&[32], &[16], &[8], &[4], &[2], &[32, 4], &[1], &[0, 32], &[-1]];
    for kinds in kinds {
        script.ask(&format!("types {kinds:?}"), |_| {
            ListConfigResourcesRequest::default().with_resource_types(kinds.to_vec())
        });
    }
    for again in 0..5 {
        script.ask_of(&[0], &format!("client metrics, time {again}"), |_| {
            ListConfigResourcesRequest::default()
        });
    }
    script.ask("a group, all taken back", |_| replaced(&[(GROUP, "replaced", &[])], false));
    script.ask_of(&[1], "a group less", |_| {
        ListConfigResourcesRequest::default().with_resource_types(vec![GROUP])
    });
}
