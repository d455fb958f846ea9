//! What the settings of flushing and of the journal do, and what a slow journal does to those who wait for it.

use std::time::{Duration, Instant};

use protocol_compat::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::disk::Disk;
use super::harness::{Broker, Client, TestDir, batch};

/// What takes longer than this never comes.
const PATIENCE: Duration = Duration::from_secs(30);

fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_owned()))
}

fn create(client: &mut Client, topic: &str, configs: &[(&str, &str)]) {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let set =
        |(n, v): &(&str, &str)| CreatableTopicConfig::default().with_name(text(n)).with_value(Some(text(v)));
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(configs.iter().map(set).collect());
    let reply = client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]));
    assert_eq!(reply.topics[0].error_code, 0, "{:?}", reply.topics[0].error_message);
}

fn produce(topic: &str, acks: i16, value: &str) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch(1, &[value])));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5000).with_topic_data(vec![topic])
}

/// The error and the base offset of an answer about one partition.
fn outcome(reply: &ProduceResponse) -> (i16, i64) {
    let partition = &reply.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

#[expect(clippy::disallowed_methods, reason = "a bound on how long a test may wait for what it expects")]
fn comes_true(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    true
}

#[test]
fn relaxed_topics_are_flushed_by_time_and_by_count() {
    let (dir, disk) = (TestDir::new(), Disk::default());
    let broker = Broker::start_in(disk.env(), &dir, &["log.durability=relaxed"]);
    let mut client = broker.client();
    create(&mut client, "never", &[]);
    create(&mut client, "timed", &[("flush.ms", "200")]);
    create(&mut client, "counted", &[("flush.messages", "3")]);
    let file = |topic: &str| format!("{topic}-0/00000000000000000000.log");
    for topic in ["never", "timed", "counted"] {
        assert_eq!(outcome(&client.call(9, &produce(topic, -1, "a"))), (0, 0));
    }
    assert!(
        comes_true(|| disk.syncs_of(&file("timed")) == 1),
        "the time of a record passed and no flush came"
    );
    client.call(9, &produce("counted", -1, "b"));
    assert_eq!(disk.syncs_of(&file("counted")), 0, "two records are not three");
    client.call(9, &produce("counted", -1, "c"));
    assert!(comes_true(|| disk.syncs_of(&file("counted")) == 1), "three records and no flush");
    assert_eq!(disk.syncs_of(&file("never")), 0);
}

#[test]
fn the_journal_is_written_as_the_settings_say() {
    for (setting, expected) in [("journal.direct=true", true), ("journal.direct=false", false)] {
        let (dir, disk) = (TestDir::new(), Disk::default());
        let broker = Broker::start_in(disk.env(), &dir, &[setting, "journal.bytes.max=33554432"]);
        let mut client = broker.client();
        create(&mut client, "t", &[]);
        let value = "x".repeat(1_000_000);
        // More than three times what the journal may take.
        for n in 0..100 {
            assert_eq!(outcome(&client.call(9, &produce("t", -1, &value))), (0, n));
        }
        let opened = disk.journal_files_direct();
        assert!(
            !opened.is_empty() && opened.iter().all(|direct| *direct == expected),
            "{setting}: {opened:?}"
        );
        let bytes = journal_bytes_on_disk(&dir);
        assert!((1..=33_554_432).contains(&bytes), "{setting}: the journal's files take {bytes}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a look at what the broker has on the disk")]
fn journal_bytes_on_disk(dir: &TestDir) -> u64 {
    let files = std::fs::read_dir(dir.path().join("journal")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn the_metrics_show_how_a_data_directory_stands() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t", &[]);
    let label = format!("{{dir=\"{}\"}}", dir.path().display());
    let shown = |metric: &str| {
        let text = broker.services().metrics.render();
        let series = format!("{metric}{label} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series}in {text}")).parse::<f64>().unwrap()
    };
    let (commits, bytes) = (shown("ottla_journal_commits_total"), shown("ottla_journal_bytes_total"));
    client.call(9, &produce("t", -1, &"x".repeat(100_000)));
    assert!(shown("ottla_journal_commits_total") > commits);
    assert!(shown("ottla_journal_bytes_total") >= bytes + 100_000.0);
    assert!(shown("ottla_journal_live_bytes") >= 100_000.0);
    assert!(shown("ottla_journal_capacity_bytes") >= shown("ottla_journal_live_bytes"));
    assert_eq!((shown("ottla_quarantined_bytes"), shown("ottla_log_dir_offline")), (0.0, 0.0));
}
