//! A relaxed log may lose its tail to a power cut. What a consumer that had read the tail does then, as raw frames: it
//! learns that records are gone, and never goes on in the middle of others.
//!
//! The real binary is killed, and the end of the segment is cut off at rest, as unflushed pages go with the power.
#![expect(
    clippy::disallowed_methods,
    reason = "a broker's files on the real machine, and what goes wrong with them"
)]

use std::fs;

use protocol_compat::ErrorCode;
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::fetch_response::PartitionData;
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;
use storage::BatchHeader;

use super::harness::batch;
use super::process::{Client, Home, Process, Spec, topic_name};

const TOPIC: &str = "t";

fn produce(client: &mut Client, value: &str) -> i64 {
    let data = PartitionProduceData::default().with_records(Some(batch(1, &[value])));
    let topic = TopicProduceData::default().with_name(topic_name(TOPIC)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic]);
    let reply = client.call(9, &request);
    let stored = &reply.responses[0].partition_responses[0];
    assert_eq!(stored.error_code, 0);
    stored.base_offset
}

fn leader_epoch(client: &mut Client) -> i32 {
    let ask = MetadataRequestTopic::default().with_name(Some(topic_name(TOPIC)));
    let reply = client.call(12, &MetadataRequest::default().with_topics(Some(vec![ask])));
    reply.topics[0].partitions[0].leader_epoch
}

fn fetch(client: &mut Client, asked: FetchPartition) -> PartitionData {
    let partition = asked.with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic_name(TOPIC)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    client.call(12, &request).responses.remove(0).partitions.remove(0)
}

fn epoch_end(client: &mut Client, current: i32, epoch: i32) -> (i16, i32, i64) {
    let partition =
        OffsetForLeaderPartition::default().with_current_leader_epoch(current).with_leader_epoch(epoch);
    let topic =
        OffsetForLeaderTopic::default().with_topic(topic_name(TOPIC)).with_partitions(vec![partition]);
    let request =
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let found = client.call(4, &request).topics.remove(0).partitions.remove(0);
    (found.error_code, found.leader_epoch, found.end_offset)
}

/// Cuts a segment off behind its first `count` batches.
fn keep_batches(home: &Home, count: usize) {
    let path = home.data().join(format!("{TOPIC}-0/{:020}.log", 0));
    let bytes = fs::read(&path).unwrap();
    let mut kept = 0;
    for _ in 0..count {
        kept += BatchHeader::parse(&bytes[kept..]).unwrap().total_bytes();
    }
    assert!(kept < bytes.len(), "there is something to cut off");
    fs::write(&path, &bytes[..kept]).unwrap();
}

fn record_count(found: &PartitionData) -> usize {
    let mut rest = found.records.clone().unwrap_or_default();
    let mut count = 0;
    while !rest.is_empty() {
        count += 1;
        let batch = BatchHeader::parse(&rest).unwrap().total_bytes();
        drop(rest.split_to(batch));
    }
    count
}

#[test]
fn a_consumer_of_a_lost_tail_learns_of_it() {
    let home = Home::new("wire-truncation");
    let spec = Spec::new(&home, &[]);
    let mut process = Process::start(&spec);
    let mut client = process.client();
    client.create(TOPIC, 1, ("durability", "relaxed"));
    for n in 0..6 {
        assert_eq!(produce(&mut client, &format!("old {n}")), n);
    }
    let read_in = leader_epoch(&mut client);
    let from = |offset: i64| FetchPartition::default().with_fetch_offset(offset);
    assert_eq!(record_count(&fetch(&mut client, from(0).with_current_leader_epoch(read_in))), 6);

    process.kill();
    keep_batches(&home, 3);
    process = Process::start(&spec);
    client = process.client();
    // Other records are where the consumer has read, and beyond.
    for n in 3..8 {
        assert_eq!(produce(&mut client, &format!("new {n}")), n);
    }

    // It asks the leader that it knows, is sent for another, and holds its position against that one's history.
    let fenced = fetch(&mut client, from(6).with_current_leader_epoch(read_in));
    assert_eq!((fenced.error_code, record_count(&fenced)), (ErrorCode::FencedLeaderEpoch.code(), 0));
    let now = leader_epoch(&mut client);
    assert!(now > read_in);
    assert_eq!(epoch_end(&mut client, read_in, read_in).0, ErrorCode::FencedLeaderEpoch.code());
    assert_eq!(
        epoch_end(&mut client, now, read_in),
        (0, read_in, 3),
        "it read to 6: records 3 to 5 are lost"
    );
    // One that names the epoch of its last record need not ask first.
    let parted = fetch(&mut client, from(6).with_current_leader_epoch(now).with_last_fetched_epoch(read_in));
    assert_eq!((parted.error_code, record_count(&parted)), (0, 0));
    assert_eq!((parted.diverging_epoch.epoch, parted.diverging_epoch.end_offset), (read_in, 3));
    // From where the histories part, it goes on.
    let resumed = from(3).with_current_leader_epoch(now).with_last_fetched_epoch(read_in);
    assert_eq!(record_count(&fetch(&mut client, resumed)), 5);

    // A kill that loses nothing changes nothing of that.
    process.kill();
    process = Process::start(&spec);
    client = process.client();
    let later = leader_epoch(&mut client);
    assert!(later > now);
    assert_eq!(epoch_end(&mut client, later, read_in), (0, read_in, 3));
    assert_eq!(
        epoch_end(&mut client, later, now),
        (0, now, 8),
        "who read to 8 in that epoch has lost nothing"
    );
    process.kill();
}
