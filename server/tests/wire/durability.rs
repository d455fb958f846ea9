//! What the settings of flushing and of the journal do, and what a slow journal does to those who wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol_compat::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
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

/// Where the topic's first partition ends for its readers.
fn end_of(client: &mut Client, topic: &str) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    client.call(6, &request).topics[0].partitions[0].offset
}

/// The value of a series of the broker's metrics.
fn shown(broker: &Broker, series: &str) -> f64 {
    let text = broker.services().metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
}

fn request_memory(broker: &Broker) -> f64 {
    shown(broker, "ottla_limit_used{limit=\"queued.max.request.bytes\"}")
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
    let (dir, disk) = (TestDir::new(), Disk::default());
    let broker = Broker::start_in(disk.env(), &dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t", &[]);
    let label = format!("{{dir=\"{}\"}}", dir.path().display());
    let shown = |metric: &str| shown(&broker, &format!("{metric}{label}"));
    let (commits, bytes) = (shown("ottla_journal_commits_total"), shown("ottla_journal_bytes_total"));
    client.call(9, &produce("t", -1, &"x".repeat(100_000)));
    assert!(shown("ottla_journal_commits_total") > commits);
    assert!(shown("ottla_journal_bytes_total") >= bytes + 100_000.0);
    assert!(shown("ottla_journal_live_bytes") >= 100_000.0);
    assert!(shown("ottla_journal_capacity_bytes") >= shown("ottla_journal_live_bytes"));
    assert_eq!((shown("ottla_quarantined_bytes"), shown("ottla_log_dir_offline")), (0.0, 0.0));
    disk.break_journal(dir.path());
    let refused = ErrorCode::KafkaStorageError.code();
    assert_eq!(outcome(&client.call(9, &produce("t", -1, "lost"))), (refused, -1));
    assert_eq!(shown("ottla_log_dir_offline"), 1.0);
    assert_eq!(end_of(&mut client, "t"), 1, "reads go on");
}

/// Bytes of one record of a flood.
const VALUE_BYTES: usize = 500_000;
/// The smallest requests and the least memory for them that a test can do with.
const LITTLE_MEMORY: [&str; 3] = [
    "socket.request.max.bytes=1000000",
    "queued.max.request.bytes=4000000",
    "socket.receive.buffer.bytes=65536",
];

/// A producer that asks for no reply is held up by what is not written yet, not by what is not answered.
#[test]
fn a_flood_without_replies_does_not_fill_the_memory_while_the_journal_waits() {
    const RECORDS: usize = 120;
    let (dir, disk) = (TestDir::new(), Disk::default());
    let broker = Broker::start_in(disk.env(), &dir, &LITTLE_MEMORY);
    let mut client = broker.client();
    create(&mut client, "t", &[]);
    let idle = request_memory(&broker);
    let held = disk.hold_journal();
    let sent = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        let flood = threads.spawn(|| {
            let request = produce("t", 0, &"x".repeat(VALUE_BYTES));
            for _ in 0..RECORDS {
                client.send(9, &request);
                sent.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert!(
            comes_true(|| request_memory(&broker) >= 4_000_000.0),
            "what waits counts as memory of requests"
        );
        let mut last = 0;
        assert!(comes_true(|| {
            let before = std::mem::replace(&mut last, sent.load(Ordering::SeqCst));
            std::thread::park_timeout(Duration::from_secs(1));
            before == sent.load(Ordering::SeqCst)
        }));
        // The journal gathers 8 MiB; the rest is the bound, one request more, and what the sockets hold.
        assert!(last < RECORDS / 2, "the broker took {last} requests of {VALUE_BYTES} bytes");
        // Others are served in the meantime.
        assert_eq!(broker.client().call(0, &ApiVersionsRequest::default()).error_code, 0);
        drop(held);
        flood.join().unwrap();
    });
    assert!(comes_true(|| end_of(&mut client, "t") == RECORDS as i64), "and all of it was taken");
    assert!(comes_true(|| request_memory(&broker) <= idle), "all of it is given back");
}

/// The same for who asks for replies and does not wait for them: to be told that it takes too long, or to go away, frees
/// nothing.
#[test]
fn what_waits_for_the_journal_counts_as_memory_after_its_reply_and_its_connection() {
    let (dir, disk) = (TestDir::new(), Disk::default());
    let settings = [&LITTLE_MEMORY[..], &["request.timeout.ms=1000"]].concat();
    let broker = Broker::start_in(disk.env(), &dir, &settings);
    let mut client = broker.client();
    create(&mut client, "t", &[]);
    let idle = request_memory(&broker);
    let held = disk.hold_journal();
    let request = produce("t", 1, &"x".repeat(VALUE_BYTES));
    // More than the journal gathers, less than that and the memory of requests.
    const RECORDS: i64 = 22;
    (0..RECORDS).for_each(|_| client.send(9, &request));
    for _ in 0..RECORDS {
        let (_, mut body) = client.receive_raw().unwrap();
        let _tags = body.split_to(1);
        let reply = ProduceResponse::decode(&mut body, 9).unwrap();
        assert_eq!(outcome(&reply).0, ErrorCode::RequestTimedOut.code());
    }
    assert!(request_memory(&broker) >= 1_000_000.0);
    drop(client);
    let open = || shown(&broker, "ottla_connections");
    assert!(comes_true(|| open() == 0.0));
    assert!(request_memory(&broker) >= 1_000_000.0);
    drop(held);
    assert!(comes_true(|| request_memory(&broker) <= idle));
    assert!(comes_true(|| end_of(&mut broker.client(), "t") == RECORDS), "nobody was lied to: it came late");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time that a client sees")]
fn a_wait_for_the_disk_ends_with_its_time_and_the_records_stay() {
    const PIPELINED: i64 = 40;
    let (dir, disk) = (TestDir::new(), Disk::default());
    let broker = Broker::start_in(disk.env(), &dir, &["request.timeout.ms=1000"]);
    let mut client = broker.client();
    create(&mut client, "t", &[]);
    let held = disk.hold_journal();
    let begun = Instant::now();
    for n in 0..PIPELINED {
        // acks=all waits as long as the client says, acks=1 as long as the broker's setting does.
        let mut request = produce("t", if n % 2 == 0 { -1 } else { 1 }, "late");
        request.timeout_ms = 500;
        client.send(9, &request);
    }
    for n in 0..PIPELINED {
        let (_, mut body) = client.receive_raw().unwrap();
        let _tags = body.split_to(1);
        let reply = ProduceResponse::decode(&mut body, 9).unwrap();
        assert_eq!(outcome(&reply), (ErrorCode::RequestTimedOut.code(), -1), "request {n}");
    }
    // One behind the other they would take forty seconds.
    assert!((Duration::from_millis(900)..Duration::from_secs(20)).contains(&begun.elapsed()));
    assert_eq!(end_of(&mut client, "t"), 0, "nobody sees what a power cut could take");
    drop(held);
    assert!(comes_true(|| end_of(&mut client, "t") == PIPELINED), "they became durable later");
    assert_eq!(outcome(&client.call(9, &produce("t", -1, "next"))), (0, PIPELINED));
}
