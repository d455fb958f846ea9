//! Topics come, grow and go.

use super::script::{Script, UNKNOWN_ID_BYTE, id, text, topic};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::*;
use uuid::Uuid;

/// The versions of the requests whose names and layouts differ: the last of each form.
const CREATE_VERSIONS: &[i16] = &[2, 4, 5, 7];

/// Name, partitions, settings.
pub(super) type Made<'a> = (&'a str, i32, &'a [(&'a str, &'a str)]);
/// A partition and the brokers that it is to be on.
type Placed<'a> = (i32, &'a [i32]);

/// What the other cases work with.
pub(super) const TOPICS: &[Made<'_>] = &[
    ("plain", 3, &[]),
    ("empty", 1, &[]),
    ("compacted", 1, &[("cleanup.policy", "compact")]),
    ("small", 1, &[("max.message.bytes", "1000")]),
    ("cut", 2, &[]),
    ("settings", 1, &[("retention.ms", "1000000")]),
    ("wide", 7, &[]),
    ("grows", 1, &[]),
    ("dotted.name", 1, &[]),
    ("__share_group_state", 1, &[]),
    ("gone-a", 1, &[]),
    ("gone-b", 2, &[]),
    ("gone-c", 1, &[]),
    ("gone-d", 1, &[]),
    ("gone-e", 1, &[]),
];

pub(super) fn topics_to_work_with() -> Script {
    let mut script = Script::default();
    for (name, partitions, settings) in TOPICS {
        let wanted = with_settings(wanted(name, *partitions, 1), settings);
        script.ask_of(&[7], &format!("to work with: {name}"), |_| creation(vec![wanted.clone()], false));
    }
    script
}

fn creation(topics: Vec<CreatableTopic>, validate_only: bool) -> CreateTopicsRequest {
    CreateTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(30_000)
        .with_validate_only(validate_only)
}

fn wanted(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

fn with_settings(topic: CreatableTopic, settings: &[(&str, &str)]) -> CreatableTopic {
    let setting = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    topic.with_configs(settings.iter().map(setting).collect())
}

fn placed(name: &str, partitions: &[(i32, &[i32])]) -> CreatableTopic {
    let one = |(index, brokers): &(i32, &[i32])| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*index)
            .with_broker_ids(brokers.iter().map(|b| BrokerId(*b)).collect())
    };
    wanted(name, -1, -1).with_assignments(partitions.iter().map(one).collect())
}

pub(super) fn create(script: &mut Script) {
    // Each version makes a topic of its own, and is then told that it is there.
    script.ask("new", |v| creation(vec![wanted(&format!("new-{v}"), 2, 1)], false));
    script.ask("there already", |v| creation(vec![wanted(&format!("new-{v}"), 1, 1)], false));
    script.ask("there already, validated", |v| creation(vec![wanted(&format!("new-{v}"), 0, 9)], true));
    script.ask("broker's defaults", |_| creation(vec![wanted("defaults", -1, -1)], true));
    script.ask("none", |_| creation(Vec::new(), false));
    script.ask("timeout 0, validated", |_| creation(vec![wanted("soon", 1, 1)], true).with_timeout_ms(0));
    script.ask("named twice", |_| creation(vec![wanted("twice", 1, 1), wanted("twice", 2, 1)], false));
    script.ask("two, one wrong", |v| {
        creation(vec![wanted(&format!("pair-{v}"), 1, 1), wanted("a b", 1, 1)], false)
    });
    let long = "n".repeat(249);
    let too_long = "n".repeat(250);
    let names: [(&str, &str); 12] = [
        ("empty name", ""),
        ("dot", "."),
        ("two dots", ".."),
        ("a slash", "a/b"),
        ("a space", "a b"),
        ("beyond ASCII", "zażółć"),
        ("longest", &long),
        ("too long", &too_long),
        ("collides", "dotted_name"),
        ("metadata's own", "__cluster_metadata"),
        ("group offsets", "__consumer_offsets"),
        ("transactions", "__transaction_state"),
    ];
    for (what, name) in names {
        script
            .ask_of(CREATE_VERSIONS, &format!("name, {what}"), |_| creation(vec![wanted(name, 1, 1)], true));
    }
    let counts = [
        (0, 1),
        (-2, 1),
        (i32::MIN, 1),
        (1, 0),
        (1, -2),
        (1, 2),
        (1, i16::MAX),
        (0, 0),
        (10_000, 1),
        (10_001, 1),
    ];
    for (partitions, replicas) in counts {
        let what = format!("{partitions} partitions, {replicas} replicas");
        script
            .ask_of(CREATE_VERSIONS, &what, |_| creation(vec![wanted("counts", partitions, replicas)], true));
    }
    script.ask_of(CREATE_VERSIONS, "too many together", |_| {
        creation(vec![wanted("many-1", 6_000, 1), wanted("many-2", 6_000, 1)], true)
    });
    let assignments: [(&str, &[Placed<'_>]); 9] = [
        ("right", &[(0, &[1]), (1, &[1])]),
        ("right, another order", &[(1, &[1]), (0, &[1])]),
        ("a gap", &[(0, &[1]), (2, &[1])]),
        ("not from 0", &[(1, &[1])]),
        ("negative", &[(-1, &[1])]),
        ("no brokers", &[(0, &[])]),
        ("twice the same broker", &[(0, &[1, 1])]),
        ("an unknown broker", &[(0, &[2])]),
        ("a partition twice", &[(0, &[1]), (0, &[1])]),
    ];
    for (what, partitions) in assignments {
        script.ask_of(CREATE_VERSIONS, &format!("assignment, {what}"), |_| {
            creation(vec![placed("placed", partitions)], true)
        });
    }
    script.ask_of(CREATE_VERSIONS, "assignment and partitions", |_| {
        creation(vec![placed("placed", &[(0, &[1])]).with_num_partitions(1)], true)
    });
    script.ask_of(CREATE_VERSIONS, "assignment and replicas", |_| {
        creation(vec![placed("placed", &[(0, &[1])]).with_replication_factor(1)], true)
    });
    let settings: [(&str, &[(&str, &str)]); 10] = [
        ("good", &[("retention.ms", "5"), ("cleanup.policy", "compact,delete")]),
        ("unknown", &[("no.such.setting", "1")]),
        ("not a number", &[("retention.ms", "soon")]),
        ("out of bounds", &[("segment.bytes", "1")]),
        ("not one of", &[("cleanup.policy", "forget")]),
        ("empty value", &[("cleanup.policy", "")]),
        ("empty name", &[("", "1")]),
        ("named twice", &[("retention.ms", "5"), ("retention.ms", "6")]),
        ("they contradict", &[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]),
        ("replicas", &[("min.insync.replicas", "7")]),
    ];
    for (what, pairs) in settings {
        script.ask_of(CREATE_VERSIONS, &format!("settings, {what}"), |_| {
            creation(vec![with_settings(wanted("set", 1, 1), pairs)], true)
        });
    }
    script.ask_of(CREATE_VERSIONS, "settings, null", |_| {
        let null = CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(None);
        creation(vec![wanted("set", 1, 1).with_configs(vec![null])], true)
    });
    script.ask_of(CREATE_VERSIONS, "a wrong count and a wrong setting", |_| {
        creation(vec![with_settings(wanted("both", 0, 1), &[("no.such.setting", "1")])], true)
    });
}

fn more(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic::default().with_name(topic(name)).with_count(count).with_assignments(None)
}

fn growth(topics: Vec<CreatePartitionsTopic>, validate_only: bool) -> CreatePartitionsRequest {
    CreatePartitionsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(30_000)
        .with_validate_only(validate_only)
}

pub(super) fn partitions(script: &mut Script) {
    let assigned = |brokers: &[&[i32]]| {
        let one = |ids: &&[i32]| {
            CreatePartitionsAssignment::default().with_broker_ids(ids.iter().map(|b| BrokerId(*b)).collect())
        };
        Some(brokers.iter().map(one).collect::<Vec<_>>())
    };
    script.ask("one more", |v| growth(vec![more("grows", i32::from(v) + 2)], false));
    script.ask("one more, assigned", |v| {
        growth(vec![more("grows", i32::from(v) + 6).with_assignments(assigned(&[&[1]]))], false)
    });
    for count in [0, -1, 1, 2, i32::MIN, i32::MAX, 10_000, 10_003, 10_004] {
        script.ask(&format!("to {count}, validated"), |_| growth(vec![more("plain", count)], true));
    }
    script.ask("to what it has", |_| growth(vec![more("plain", 3)], false));
    script.ask("unknown", |_| growth(vec![more("absent", 3)], false));
    script.ask("bad name", |_| growth(vec![more("a b", 3)], false));
    script.ask("empty name", |_| growth(vec![more("", 3)], false));
    script.ask("the metadata", |_| growth(vec![more("__cluster_metadata", 3)], false));
    script.ask("internal, validated", |_| growth(vec![more("__share_group_state", 3)], true));
    script.ask("none", |_| growth(Vec::new(), false));
    script.ask("named twice", |_| growth(vec![more("plain", 4), more("empty", 2), more("plain", 5)], true));
    script.ask("several", |_| growth(vec![more("plain", 4), more("absent", 4), more("empty", 1)], true));
    let assignments: [(&str, &[&[i32]]); 7] = [
        ("none", &[]),
        ("too few", &[&[1]]),
        ("too many", &[&[1], &[1], &[1]]),
        ("an empty one", &[&[1], &[]]),
        ("an unknown broker", &[&[1], &[2]]),
        ("a broker twice", &[&[1], &[1, 1]]),
        ("right", &[&[1], &[1]]),
    ];
    for (what, brokers) in assignments {
        script.ask(&format!("assignments, {what}"), |_| {
            growth(vec![more("plain", 5).with_assignments(assigned(brokers))], true)
        });
    }
    script.ask("assignments for fewer", |_| {
        growth(vec![more("plain", 1).with_assignments(assigned(&[&[9]]))], true)
    });
}

pub(super) fn delete(script: &mut Script) {
    let by_name = |v: i16, names: &[&str]| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(30_000);
        if v < 6 {
            return request.with_topic_names(names.iter().map(|n| topic(n)).collect());
        }
        let state = |name: &&str| DeleteTopicState::default().with_name(Some(topic(name)));
        request.with_topics(names.iter().map(state).collect())
    };
    script.ask("unknown", |v| by_name(v, &["absent"]));
    script.ask("bad name", |v| by_name(v, &["a b"]));
    script.ask("empty name", |v| by_name(v, &[""]));
    script.ask("none", |v| by_name(v, &[]));
    script.ask("named twice", |v| by_name(v, &["gone-a", "gone-a"]));
    script.ask("unknown, twice", |v| by_name(v, &["absent", "absent"]));
    script.ask("the metadata", |v| by_name(v, &["__cluster_metadata"]));
    script.ask("two", |v| by_name(v, &[&format!("new-{}", v + 1), "absent"]));
    script.ask("again", |v| by_name(v, &[&format!("new-{}", v + 1)]));

    let states = |states: Vec<(Option<&str>, Uuid)>| {
        let one = |(name, id): (Option<&str>, Uuid)| {
            DeleteTopicState::default().with_name(name.map(topic)).with_topic_id(id)
        };
        DeleteTopicsRequest::default()
            .with_timeout_ms(30_000)
            .with_topics(states.into_iter().map(one).collect())
    };
    let none = Uuid::nil();
    let unknown = Uuid::from_bytes([UNKNOWN_ID_BYTE; 16]);
    type Named<'a> = (Option<&'a str>, Uuid);
    let cases: Vec<(&str, Vec<Named<'_>>)> = vec![
        ("unknown id", vec![(None, unknown)]),
        ("unknown id twice", vec![(None, unknown), (None, unknown)]),
        ("name and id", vec![(Some("gone-b"), id("gone-b"))]),
        ("neither name nor id", vec![(None, none)]),
        ("id twice", vec![(None, id("gone-b")), (None, id("gone-b"))]),
        ("by id and by name", vec![(None, id("gone-b")), (Some("gone-b"), none)]),
        ("by name and by id", vec![(Some("gone-b"), none), (None, id("gone-b"))]),
        ("reserved id", vec![(None, Uuid::from_u128(1))]),
        ("by id", vec![(None, id("gone-b"))]),
        ("by id again", vec![(None, id("gone-b"))]),
        ("both ways, two topics", vec![(None, id("gone-c")), (Some("gone-d"), none), (None, unknown)]),
    ];
    for (what, asked) in cases {
        script.ask_of(&[6], what, |_| states(asked.clone()));
    }
    script.ask_of(&[6], "made again", |v| by_name(v, &["gone-e"]));
}
