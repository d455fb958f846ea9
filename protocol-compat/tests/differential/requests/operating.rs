//! What operators ask: data directories, elections, reassignments, the quorum, producers.

use super::script::{Script, text, topic};
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::*;

type Asked<'a> = (&'a str, &'a [i32]);
/// Partitions that are there, that are not, and of topics that are not.
const MANY: &[(&str, &[Asked<'_>])] = &[
    ("one", &[("plain", &[0])]),
    ("some", &[("plain", &[0, 2]), ("wide", &[1])]),
    ("unknown partition", &[("plain", &[3, -1, 0])]),
    ("unknown topic", &[("absent", &[0])]),
    ("unknown beside known", &[("absent", &[0]), ("empty", &[0])]),
    ("no partitions", &[("plain", &[])]),
    ("none", &[]),
];

pub(super) fn all(script: &mut Script) {
    log_dirs(script);
    moves(script);
    elections(script);
    reassignments(script);
    quorum(script);
    producers(script);
}

fn log_dirs(script: &mut Script) {
    let one = |(name, partitions): &Asked<'_>| {
        DescribableLogDirTopic::default().with_topic(topic(name)).with_partitions(partitions.to_vec())
    };
    let request = |topics: Option<&[Asked<'_>]>| {
        DescribeLogDirsRequest::default().with_topics(topics.map(|topics| topics.iter().map(one).collect()))
    };
    script.ask("all", |_| request(None));
    for (what, topics) in MANY {
        script.ask(what, |_| request(Some(topics)));
    }
}

/// To directories that the brokers do not have; what becomes of moves to others is looked at in `relocated`.
fn moves(script: &mut Script) {
    let request = |path: &str, topics: &[Asked<'_>]| {
        let moved = |(name, partitions): &Asked<'_>| {
            AlterReplicaLogDirTopic::default().with_name(topic(name)).with_partitions(partitions.to_vec())
        };
        let topics = topics.iter().map(moved).collect();
        AlterReplicaLogDir::default().with_path(text(path)).with_topics(topics)
    };
    let all = |dirs: Vec<AlterReplicaLogDir>| AlterReplicaLogDirsRequest::default().with_dirs(dirs);
    for (what, topics) in MANY {
        script.ask(what, |_| all(vec![request("/nowhere", topics)]));
    }
    script.ask("no path", |_| all(vec![request("", MANY[0].1)]));
    script.ask("bad names", |_| all(vec![request("/nowhere", &[("a b", &[0]), ("", &[0])])]));
    script.ask("a partition twice", |_| {
        all(vec![request("/nowhere", MANY[0].1), request("/neither", &[("plain", &[1, 0, 0])])])
    });
    let (longest, too_long) = ("x".repeat(213), "x".repeat(214));
    script.ask("long names", |_| all(vec![request("/nowhere", &[(&longest, &[0, 10]), (&too_long, &[0])])]));
    script.ask("no directory", |_| all(Vec::new()));
}

fn elections(script: &mut Script) {
    let one = |(name, partitions): &Asked<'_>| {
        TopicPartitions::default().with_topic(topic(name)).with_partitions(partitions.to_vec())
    };
    let request = |topics: Option<&[Asked<'_>]>| {
        let topics = topics.map(|topics| topics.iter().map(one).collect());
        ElectLeadersRequest::default().with_topic_partitions(topics).with_timeout_ms(30_000)
    };
    script.ask("all", |_| request(None));
    for (what, topics) in MANY {
        script.ask(what, |_| request(Some(topics)));
        script.ask_of(&[1, 2], &format!("{what}, unclean"), |_| request(Some(topics)).with_election_type(1));
    }
    script.ask_of(&[1, 2], "another kind", |_| request(Some(&[("plain", &[0])])).with_election_type(2));
    script.ask_of(&[1, 2], "another kind, all", |_| request(None).with_election_type(-1));
}

fn reassignments(script: &mut Script) {
    let one = |name: &str, partition: i32, replicas: Option<&[i32]>| {
        let replicas = replicas.map(|all| all.iter().copied().map(BrokerId).collect());
        let partition =
            ReassignablePartition::default().with_partition_index(partition).with_replicas(replicas);
        ReassignableTopic::default().with_name(topic(name)).with_partitions(vec![partition])
    };
    let request = |topics: Vec<ReassignableTopic>| {
        AlterPartitionReassignmentsRequest::default().with_topics(topics).with_timeout_ms(30_000)
    };
    script.ask("as it is", |_| request(vec![one("plain", 0, Some(&[1]))]));
    script.ask("nobody to cancel", |_| request(vec![one("plain", 0, None)]));
    script.ask("another broker", |_| request(vec![one("plain", 0, Some(&[2]))]));
    script.ask("one more broker", |_| request(vec![one("plain", 0, Some(&[1, 2]))]));
    script.ask("no broker", |_| request(vec![one("plain", 0, Some(&[]))]));
    script.ask("a broker twice", |_| request(vec![one("plain", 0, Some(&[1, 1]))]));
    script.ask("unknown partition", |_| request(vec![one("plain", 3, Some(&[1]))]));
    script.ask("unknown topic", |_| request(vec![one("absent", 0, Some(&[1]))]));
    script.ask("good beside bad", |_| {
        request(vec![one("absent", 0, None), one("plain", 1, Some(&[1])), one("plain", 1, Some(&[7]))])
    });
    script.ask("none", |_| request(Vec::new()));
    script.ask_of(&[1], "the same number of replicas", |_| {
        request(vec![one("plain", 0, Some(&[1])), one("plain", 1, Some(&[1, 2]))])
            .with_allow_replication_factor_change(false)
    });
    let listed = |(name, partitions): &Asked<'_>| {
        ListPartitionReassignmentsTopics::default()
            .with_name(topic(name))
            .with_partition_indexes(partitions.to_vec())
    };
    let list = |topics: Option<&[Asked<'_>]>| {
        let topics = topics.map(|topics| topics.iter().map(listed).collect());
        ListPartitionReassignmentsRequest::default().with_topics(topics).with_timeout_ms(30_000)
    };
    script.ask("all", |_| list(None));
    for (what, topics) in MANY {
        script.ask(what, |_| list(Some(topics)));
    }
}

fn quorum(script: &mut Script) {
    let one = |(name, partitions): &Asked<'_>| {
        let partition = |index: &i32| PartitionData::default().with_partition_index(*index);
        TopicData::default()
            .with_topic_name(topic(name))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    let request =
        |topics: &[Asked<'_>]| DescribeQuorumRequest::default().with_topics(topics.iter().map(one).collect());
    script.ask("the metadata's", |_| request(&[("__cluster_metadata", &[0])]));
    script.ask("another partition", |_| request(&[("__cluster_metadata", &[1])]));
    script.ask("two partitions", |_| request(&[("__cluster_metadata", &[0, 1])]));
    for (what, topics) in MANY {
        script.ask(what, |_| request(topics));
    }
}

fn producers(script: &mut Script) {
    let one = |(name, partitions): &Asked<'_>| {
        TopicRequest::default().with_name(topic(name)).with_partition_indexes(partitions.to_vec())
    };
    let request = |topics: &[Asked<'_>]| {
        DescribeProducersRequest::default().with_topics(topics.iter().map(one).collect())
    };
    for (what, topics) in MANY {
        script.ask(what, |_| request(topics));
    }
    script.ask("bad names", |_| request(&[("a b", &[0]), ("", &[0])]));
    script.ask("a topic twice", |_| request(&[("plain", &[0]), ("plain", &[1])]));
}
