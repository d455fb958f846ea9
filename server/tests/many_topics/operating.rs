//! What an operator asks about many topics, or does to all of them: by one request of each admin API, and by the commands
//! of the binary. It must not know how the topics came to be.

use std::process::Command;

use protocol_compat::ErrorCode;
use protocol_compat::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use protocol_compat::messages::create_partitions_request::CreatePartitionsTopic;
use protocol_compat::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol_compat::messages::describe_configs_request::DescribeConfigsResource;
use protocol_compat::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol_compat::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol_compat::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol_compat::messages::*;

use super::process::{Client, Home, PATIENCE, Process, leave_settings_out};
use super::{TOGETHER, names, timed};

const TOPIC: i8 = 2;
const GROUP: &str = "operators";
const LATEST: i64 = -1;
const SET: i8 = 0;

fn text(content: &str) -> StrBytes {
    StrBytes::from_string(content.to_owned())
}

/// `values` records are in each topic, which has one partition; afterwards it has one record, and two partitions.
pub(crate) fn by_requests(client: &mut Client, home: &Home, topics: usize, values: i64) {
    timed(topics, "describing their settings", || describe_settings(client, topics));
    timed(topics, "altering a setting of each", || alter_settings(client, topics));
    timed(topics, "describing them page by page", || assert_eq!(describe_in_pages(client), topics));
    timed(topics, "asking for their ends", || ask_for_ends(client, topics, values));
    timed(topics, "describing their producers", || describe_producers(client, topics));
    timed(topics, "describing the data directory", || assert_eq!(placed(client), topics));
    timed(topics, "moving all to where they are", || move_nowhere(client, home, topics));
    timed(topics, "electing their leaders", || {
        let request = ElectLeadersRequest::default().with_topic_partitions(None).with_timeout_ms(20_000);
        assert_eq!(client.call(2, &request).error_code, 0);
    });
    timed(topics, "listing moves of replicas", || {
        let request = ListPartitionReassignmentsRequest::default().with_topics(None).with_timeout_ms(20_000);
        assert_eq!(client.call(0, &request).error_code, 0);
    });
    timed(topics, "deleting records of each", || delete_records(client, topics, values - 1));
    timed(topics, "committing an offset for each", || commit(client, topics, values - 1));
    timed(topics, "a second partition for each", || add_partitions(client, topics));
}

fn describe_settings(client: &mut Client, topics: usize) {
    let wanted = |name: TopicName| {
        DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(name.0)
            .with_configuration_keys(None)
    };
    let request = DescribeConfigsRequest::default()
        .with_resources(names(0, topics).map(wanted).collect())
        .with_include_synonyms(true);
    let reply = client.call(4, &request);
    assert_eq!(reply.results.len(), topics);
    assert!(reply.results.iter().all(|topic| topic.error_code == 0 && topic.configs.len() > 20));
}

fn alter_settings(client: &mut Client, topics: usize) {
    let setting = AlterableConfig::default()
        .with_name(text("retention.ms"))
        .with_config_operation(SET)
        .with_value(Some(text("86400000")));
    let altered = |name: TopicName| {
        AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(name.0)
            .with_configs(vec![setting.clone()])
    };
    for from in (0..topics).step_by(TOGETHER) {
        let resources = names(from, topics.min(from + TOGETHER)).map(altered).collect();
        let reply = client.call(1, &IncrementalAlterConfigsRequest::default().with_resources(resources));
        assert!(reply.responses.iter().all(|topic| topic.error_code == 0), "{:?}", reply.responses.first());
    }
}

fn describe_in_pages(client: &mut Client) -> usize {
    let (mut cursor, mut found) = (None, 0);
    loop {
        let request = DescribeTopicPartitionsRequest::default()
            .with_response_partition_limit(2_000)
            .with_cursor(cursor);
        let reply = client.call(0, &request);
        assert!(reply.topics.iter().all(|topic| topic.error_code == 0));
        found += reply.topics.iter().map(|topic| topic.partitions.len()).sum::<usize>();
        let Some(next) = reply.next_cursor else { return found };
        cursor = Some(
            describe_topic_partitions_request::Cursor::default()
                .with_topic_name(next.topic_name)
                .with_partition_index(next.partition_index),
        );
    }
}

fn ask_for_ends(client: &mut Client, topics: usize, end: i64) {
    let asked = |name| {
        let partition = ListOffsetsPartition::default().with_timestamp(LATEST);
        ListOffsetsTopic::default().with_name(name).with_partitions(vec![partition])
    };
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(names(0, topics).map(asked).collect());
    let reply = client.call(8, &request);
    assert_eq!(reply.topics.len(), topics);
    for topic in &reply.topics {
        let found = &topic.partitions[0];
        assert_eq!((found.error_code, found.offset), (0, end), "{:?}", topic.name);
    }
}

fn describe_producers(client: &mut Client, topics: usize) {
    let asked = |name| {
        describe_producers_request::TopicRequest::default().with_name(name).with_partition_indexes(vec![0])
    };
    let request = DescribeProducersRequest::default().with_topics(names(0, topics).map(asked).collect());
    let reply = client.call(0, &request);
    assert_eq!(reply.topics.len(), topics);
    assert!(reply.topics.iter().all(|topic| topic.partitions[0].error_code == 0));
}

/// How many partitions of the topics the data directory says it has.
fn placed(client: &mut Client) -> usize {
    let reply = client.call(4, &DescribeLogDirsRequest::default().with_topics(None));
    let ours =
        reply.results.iter().flat_map(|dir| &dir.topics).filter(|topic| topic.name.starts_with("topic-"));
    ours.map(|topic| topic.partitions.len()).sum()
}

fn move_nowhere(client: &mut Client, home: &Home, topics: usize) {
    let moved = |name| AlterReplicaLogDirTopic::default().with_name(name).with_partitions(vec![0]);
    let dir = AlterReplicaLogDir::default()
        .with_path(text(&home.data().display().to_string()))
        .with_topics(names(0, topics).map(moved).collect());
    let reply = client.call(2, &AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]));
    assert_eq!(reply.results.len(), topics);
    assert!(reply.results.iter().all(|topic| topic.partitions[0].error_code == 0));
}

fn delete_records(client: &mut Client, topics: usize, to: i64) {
    let deleted = |name| {
        let partition = DeleteRecordsPartition::default().with_offset(to);
        DeleteRecordsTopic::default().with_name(name).with_partitions(vec![partition])
    };
    let request = DeleteRecordsRequest::default()
        .with_timeout_ms(20_000)
        .with_topics(names(0, topics).map(deleted).collect());
    let reply = client.call(2, &request);
    assert_eq!(reply.topics.len(), topics);
    for topic in &reply.topics {
        let found = &topic.partitions[0];
        assert_eq!((found.error_code, found.low_watermark), (0, to), "{:?}", topic.name);
    }
}

/// A group that nobody is in reads them all.
fn commit(client: &mut Client, topics: usize, offset: i64) {
    let committed = |name| {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        OffsetCommitRequestTopic::default().with_name(name).with_partitions(vec![partition])
    };
    let begun = std::time::Instant::now();
    let find = FindCoordinatorRequest::default().with_key_type(0).with_coordinator_keys(vec![text(GROUP)]);
    while client.call(4, &find).coordinators[0].error_code != 0 {
        assert!(begun.elapsed() < PATIENCE, "there is no coordinator");
    }
    for from in (0..topics).step_by(TOGETHER) {
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(GROUP)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(names(from, topics.min(from + TOGETHER)).map(committed).collect());
        loop {
            let reply = client.call(8, &request);
            let codes: Vec<i16> = reply.topics.iter().map(|topic| topic.partitions[0].error_code).collect();
            if codes.iter().all(|code| *code == 0) {
                break;
            }
            let is_loading = codes.iter().all(|code| *code == ErrorCode::CoordinatorLoadInProgress.code());
            assert!(is_loading, "{codes:?}");
            assert!(begun.elapsed() < PATIENCE, "the coordinator does not begin");
        }
    }
}

fn add_partitions(client: &mut Client, topics: usize) {
    for from in (0..topics).step_by(TOGETHER) {
        let grown =
            |name| CreatePartitionsTopic::default().with_name(name).with_count(2).with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_timeout_ms(20_000)
            .with_topics(names(from, topics.min(from + TOGETHER)).map(grown).collect());
        let reply = client.call(3, &request);
        assert!(reply.results.iter().all(|topic| topic.error_code == 0), "{:?}", reply.results.first());
    }
}

/// The lines that a command of the binary prints, which does well.
fn run(words: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    leave_settings_out(&mut command);
    let output = command.args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}: {said}",
        words.iter().take(6).copied().collect::<Vec<_>>().join(" ")
    );
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// What [`by_requests`] left is looked at.
pub(crate) fn by_commands(process: &Process, topics: usize) {
    let address = format!("127.0.0.1:{}", process.port);
    let ask = |words: &[&str]| {
        let step = format!("ottla {}", words.join(" "));
        timed(topics, &step, || run(&[words, &["--json", "--bootstrap-server", &address]].concat()))
    };
    assert_eq!(ask(&["topic", "list", "--exclude-internal"]).len(), topics);
    let described = ask(&["topic", "describe", "--exclude-internal"]);
    let of_ours = |lines: &[String]| lines.iter().map(|line| line.matches("\"topic-").count()).sum::<usize>();
    assert!(of_ours(&described) >= topics, "{} lines", described.len());
    assert!(!ask(&["topic", "describe", "topic-00000"]).is_empty());
    assert_eq!(of_ours(&ask(&["cluster", "--log-dirs"])), 2 * topics);
    assert_eq!(ask(&["cluster"]).len(), 1);
    assert_eq!(ask(&["config", "describe", "--topic", "topic-00000"]).len(), 1, "what was set");
    assert_eq!(ask(&["group", "list"]).len(), 1);
    assert_eq!(of_ours(&ask(&["group", "describe", GROUP])), topics);
}

/// The files of a broker that was stopped are read by `ottla log verify`.
pub(crate) fn verify(home: &Home, topics: usize) {
    let dir = home.data().display().to_string();
    timed(topics, "ottla log verify", || run(&["log", "verify", &dir]));
}

/// All are deleted by one command.
pub(crate) fn delete(process: &Process, topics: usize) {
    let address = format!("127.0.0.1:{}", process.port);
    let names: Vec<String> = names(0, topics).map(|name| name.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let server = ["--bootstrap-server", &address];
    timed(topics, "ottla topic delete", || run(&[&["topic", "delete"], &server[..], &names].concat()));
    let left = run(&[&["topic", "list", "--exclude-internal"], &server[..]].concat());
    assert!(left.is_empty(), "{} are left", left.len());
}
