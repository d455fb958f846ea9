//! What there is: ApiVersions, Metadata, DescribeCluster, DescribeTopicPartitions.

use super::script::{Script, UNKNOWN_ID_BYTE, id, text, topic};
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::*;
use uuid::Uuid;

pub(super) fn all(script: &mut Script) {
    api_versions(script);
    metadata(script);
    cluster(script);
    pages(script);
}

fn api_versions(script: &mut Script) {
    let software = |name: &str, version: &str| {
        ApiVersionsRequest::default()
            .with_client_software_name(text(name))
            .with_client_software_version(text(version))
    };
    script.ask("nothing said", |_| ApiVersionsRequest::default());
    for (name, version) in [
        ("a", "1"),
        ("apache-kafka-java", "4.3.1"),
        ("", "1"),
        ("a", ""),
        ("-a", "1"),
        ("a", "1 2"),
        ("ä", "1"),
        ("a.", "1"),
    ] {
        script.ask(&format!("software {name:?} {version:?}"), |_| software(name, version));
    }
    script.ask("again", |_| ApiVersionsRequest::default());
    script.ask("once more", |_| software("b", "2"));
    for number in 0..4 {
        script.ask_of(&[0, 1, 2], &format!("time {number}"), |_| ApiVersionsRequest::default());
    }
}

fn metadata(script: &mut Script) {
    let names = |names: &[&str]| {
        let one = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic(name)));
        let request = MetadataRequest::default().with_topics(Some(names.iter().map(one).collect()));
        request.with_allow_auto_topic_creation(true)
    };
    script.ask("no topics", |_| names(&[]));
    script
        .ask("all", |v| MetadataRequest::default().with_topics(if v == 0 { Some(Vec::new()) } else { None }));
    script.ask("one", |_| names(&["plain"]));
    script.ask("some unknown", |_| names(&["plain", "absent", "wide"]));
    script.ask("not to be made", |v| names(&["absent"]).with_allow_auto_topic_creation(v < 4));
    script.ask("twice", |_| names(&["plain", "plain", "absent", "absent"]));
    script.ask("bad names", |_| names(&["a b", "", ".", &"n".repeat(300)]));
    script.ask("internal", |_| names(&["__share_group_state", "__consumer_offsets", "__cluster_metadata"]));
    script.ask("operations", |v| {
        let asked = names(&["plain", "absent"]);
        match v {
            8..=10 => asked
                .with_include_cluster_authorized_operations(true)
                .with_include_topic_authorized_operations(true),
            11.. => asked.with_include_topic_authorized_operations(true),
            _ => asked,
        }
    });
    let ids = |all: &[(Option<&str>, Uuid)]| {
        let one = |(name, id): &(Option<&str>, Uuid)| {
            MetadataRequestTopic::default().with_name(name.map(topic)).with_topic_id(*id)
        };
        MetadataRequest::default().with_topics(Some(all.iter().map(one).collect()))
    };
    let unknown = Uuid::from_bytes([UNKNOWN_ID_BYTE; 16]);
    script.ask("by id", |_| ids(&[(None, id("plain"))]));
    script.ask("by unknown id", |_| ids(&[(None, unknown)]));
    script.ask("by ids", |_| {
        ids(&[(None, id("plain")), (None, unknown), (None, id("empty")), (None, id("plain"))])
    });
    script.ask("by id, one by name", |_| ids(&[(None, id("plain")), (Some("empty"), Uuid::nil())]));
    script.ask("by id and name", |_| ids(&[(Some("plain"), id("plain"))]));
    script.ask("by id and another's name", |_| ids(&[(Some("empty"), id("plain"))]));
    script.ask("neither name nor id", |_| ids(&[(None, Uuid::nil())]));
    script.ask("neither, beside a name", |_| ids(&[(None, Uuid::nil()), (Some("plain"), Uuid::nil())]));
}

fn cluster(script: &mut Script) {
    script.ask("plain", |_| DescribeClusterRequest::default());
    script.ask("operations", |_| {
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true)
    });
    for kind in [0, 1, 2, 3, -1] {
        script.ask(&format!("endpoint type {kind}"), |_| {
            DescribeClusterRequest::default().with_endpoint_type(kind)
        });
    }
    script.ask("fenced too", |_| DescribeClusterRequest::default().with_include_fenced_brokers(true));
    for number in 0..4 {
        script.ask(&format!("time {number}"), |_| DescribeClusterRequest::default());
    }
}

fn pages(script: &mut Script) {
    let page = |names: &[&str], limit: i32, cursor: Option<(&str, i32)>| {
        let cursor = cursor
            .map(|(name, index)| Cursor::default().with_topic_name(topic(name)).with_partition_index(index));
        let one = |name: &&str| TopicRequest::default().with_name(topic(name));
        DescribeTopicPartitionsRequest::default()
            .with_topics(names.iter().map(one).collect())
            .with_response_partition_limit(limit)
            .with_cursor(cursor)
    };
    let cases: Vec<(&str, DescribeTopicPartitionsRequest)> = vec![
        ("all", page(&[], 2_000, None)),
        ("all, limit 3", page(&[], 3, None)),
        ("all, limit 0", page(&[], 0, None)),
        ("all, limit -5", page(&[], -5, None)),
        ("all, no limit", page(&[], i32::MAX, None)),
        ("all, from a topic on", page(&[], 4, Some(("plain", 1)))),
        ("all, from what is not there", page(&[], 4, Some(("plaim", 5)))),
        ("all, behind the last", page(&[], 4, Some(("zzz", 0)))),
        ("all, a negative partition", page(&[], 4, Some(("plain", -1)))),
        ("some", page(&["wide", "plain", "absent"], 2_000, None)),
        ("some, limit 3", page(&["wide", "plain", "empty"], 3, None)),
        ("some, limit 4", page(&["wide", "plain", "empty"], 4, None)),
        ("some, from a partition on", page(&["wide", "plain", "empty"], 4, Some(("wide", 5)))),
        ("behind the last partition", page(&["wide", "plain"], 4, Some(("plain", 90)))),
        ("the cursor's topic is not asked for", page(&["wide", "plain"], 4, Some(("empty", 0)))),
        ("a negative partition", page(&["wide", "plain"], 4, Some(("plain", -1)))),
        ("twice", page(&["wide", "wide"], 2_000, None)),
        ("bad names", page(&["a b", ".", "zażółć", "plain"], 2_000, None)),
        ("empty name", page(&[""], 2_000, None)),
        ("unknown, limit 1", page(&["absent", "plain", "wide"], 1, None)),
        ("only unknown", page(&["absent"], 1, None)),
        ("internal", page(&["__share_group_state", "__consumer_offsets"], 9, None)),
    ];
    for (what, request) in cases {
        script.ask(what, |_| request.clone());
    }
}
