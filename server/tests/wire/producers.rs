//! Idempotent producers over the wire: what is sent again is not doubled, what is missing is noticed.

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;
use storage::{BatchBuilder, EndMarker, Origin, ProducerId, check_internal};

use super::harness::{Broker, Client, TestDir};

const READ_COMMITTED: i8 = 1;

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}

pub(super) fn create(client: &mut Client) {
    let topic =
        CreatableTopic::default().with_name(topic()).with_num_partitions(1).with_replication_factor(1);
    let reply =
        client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000));
    assert_eq!(reply.topics[0].error_code, 0);
}

fn records(producer: i64, epoch: i16, sequence: i32, count: i32) -> BatchBuilder {
    let builder = BatchBuilder::new(1_000).producer(ProducerId(producer), epoch, sequence);
    (0..count).fold(builder, |builder, _| builder.push(None, Some(b"value"), &[]))
}

pub(super) fn request(batch: bytes::Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic])
}

pub(super) fn answer(reply: &ProduceResponse) -> (i16, i64) {
    let partition = &reply.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn send(client: &mut Client, epoch: i16, sequence: i32, count: i32) -> (i16, i64) {
    answer(&client.call(11, &request(records(7, epoch, sequence, count).build())))
}

pub(super) fn refused(error: ErrorCode) -> (i16, i64) {
    (error.code(), -1)
}

#[test]
fn repeated_missing_and_fenced_batches() {
    let dir = TestDir::new();
    for life in 0..2 {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        if life == 0 {
            create(&mut client);
            assert_eq!(send(&mut client, 0, 0, 3), (0, 0));
            assert_eq!(send(&mut client, 0, 3, 2), (0, 3));
        }
        assert_eq!(send(&mut client, 0, 3, 2), (0, 3), "life {life}");
        assert_eq!(send(&mut client, 0, 7, 1), refused(ErrorCode::OutOfOrderSequenceNumber));
        if life == 1 {
            assert_eq!(send(&mut client, 1, 0, 1), (0, 5));
            assert_eq!(send(&mut client, 0, 5, 1), refused(ErrorCode::InvalidProducerEpoch));
        }
    }
}

/// As a producer does whose connection broke: it does not know what arrived.
#[test]
fn lost_replies_leave_neither_doubles_nor_gaps() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    create(&mut broker.client());
    for number in 0..50 {
        let first = number * 3;
        for _ in 0..number % 3 {
            let mut client = broker.client();
            client.send(11, &request(records(7, 0, first, 3).build()));
            // Gone before the reply comes; sometimes even before the request is read.
            drop(client);
        }
        assert_eq!(send(&mut broker.client(), 0, first, 3), (0, i64::from(first)));
    }
    // Several at once, each twice, on one connection.
    let mut client = broker.client();
    let sequences = [150, 153, 150, 156, 153, 159, 159];
    sequences.iter().for_each(|sequence| client.send(11, &request(records(7, 0, *sequence, 3).build())));
    for sequence in sequences {
        let (id, mut body) = client.receive_raw().expect("a reply");
        assert!(id > 0 && body.split_to(1)[0] == 0);
        let reply = ProduceResponse::decode(&mut body, 11).unwrap();
        assert_eq!(answer(&reply), (0, i64::from(sequence)));
    }
}

#[test]
fn readers_of_committed_records_wait_for_the_end_of_a_transaction() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client);
    assert_eq!(send(&mut client, 0, 0, 2), (0, 0));
    let in_transaction = answer(&client.call(11, &request(records(9, 0, 0, 1).transactional().build())));
    let refused = ErrorCode::TransactionalIdAuthorizationFailed.code();
    assert_eq!(in_transaction.0, refused, "whose transaction is it?");

    let image = broker.services().controller.seen().image.clone();
    let log = broker.services().partitions.get(image.topic("t").unwrap(), 0).unwrap().log.clone();
    let append =
        |batch| log.append(check_internal(batch).unwrap(), Origin::Coordinator, None).wait().unwrap();
    append(records(9, 0, 0, 1).transactional().build());
    assert_eq!(send(&mut client, 0, 2, 1), (0, 3));
    assert_eq!(read(&mut client, READ_COMMITTED), (2, 4, 2, Some(vec![])));
    assert_eq!(read(&mut client, 0), (4, 4, 2, None), "what is stable is told to all");
    assert_eq!((latest(&mut client, READ_COMMITTED), latest(&mut client, 0)), (2, 4));
    append(EndMarker { committed: false, coordinator_epoch: 0 }.batch(ProducerId(9), 0, 1_000));
    assert_eq!(read(&mut client, READ_COMMITTED), (5, 5, 5, Some(vec![(9, 2)])));
    assert_eq!((latest(&mut client, READ_COMMITTED), latest(&mut client, 0)), (5, 5));
}

type Read = (i64, i64, i64, Option<Vec<(i64, i64)>>);

/// What lies behind the records that come, the high watermark, the last stable offset, and what was aborted.
fn read(client: &mut Client, isolation: i8) -> Read {
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(1 << 20);
    let asked = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_isolation_level(isolation)
        .with_session_epoch(-1)
        .with_topics(vec![asked]);
    let reply = client.call(11, &request);
    let partition = &reply.responses[0].partitions[0];
    let (mut next, mut rest) = (0, &partition.records.as_ref().unwrap()[..]);
    while let Ok(header) = storage::BatchHeader::parse(rest) {
        next = header.next_offset().0;
        rest = &rest[header.total_bytes()..];
    }
    let aborted = partition.aborted_transactions.as_ref();
    let aborted = aborted.map(|all| all.iter().map(|txn| (txn.producer_id.0, txn.first_offset)).collect());
    (next, partition.high_watermark, partition.last_stable_offset, aborted)
}

fn latest(client: &mut Client, isolation: i8) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
    let asked = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_isolation_level(isolation)
        .with_topics(vec![asked]);
    client.call(5, &request).topics[0].partitions[0].offset
}
