//! The rules of a connection: order, pipelining, waiting, closing.

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir, batch};
use super::requests;

fn topic_t() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}

fn create(client: &mut Client) {
    let topic =
        CreatableTopic::default().with_name(topic_t()).with_num_partitions(1).with_replication_factor(1);
    assert_eq!(
        client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic])).topics[0].error_code,
        0
    );
}

fn produce(acks: i16, value: &str) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch(1, &[value])));
    let topic = TopicProduceData::default().with_name(topic_t()).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5000).with_topic_data(vec![topic])
}

fn latest() -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(topic_t()).with_partitions(vec![partition]);
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

fn fetch(offset: i64, wait_ms: i32) -> FetchRequest {
    requests::fetch(topic_t(), &[(0, offset)], wait_ms, 1 << 20)
}

/// Sixty produces and a question behind them in one write: replies keep their order, and the question sees them all.
#[test]
fn pipelined_requests_are_answered_in_order_and_see_what_came_before() {
    for durability in ["log.durability=durable", "log.durability=relaxed"] {
        let dir = TestDir::new();
        let broker = Broker::start(&dir, &[durability]);
        let mut client = broker.client();
        create(&mut client);
        for n in 0..200 {
            client.send(9, &produce(-1, &format!("{n}")));
        }
        client.send(6, &latest());
        for n in 0..200 {
            let (_, mut body) = client.receive_raw().unwrap();
            let _tags = body.split_to(1);
            let reply = ProduceResponse::decode(&mut body, 9).unwrap();
            assert_eq!(reply.responses[0].partition_responses[0].base_offset, n);
        }
        assert_eq!(client.receive::<ListOffsetsRequest>(6).topics[0].partitions[0].offset, 200);
    }
}

/// Requests that come in one piece are written together, and are told apart all the same: each has its own answer.
#[test]
fn requests_that_come_in_one_piece_are_each_answered_for_themselves() {
    for durability in ["log.durability=durable", "log.durability=relaxed"] {
        let dir = TestDir::new();
        let broker = Broker::start(&dir, &[durability, "auto.create.topics.enable=false"]);
        let mut client = broker.client();
        create(&mut client);
        let (mut lost, mut damaged) = (produce(1, "lost"), produce(1, "damaged"));
        lost.topic_data[0].name = TopicName(StrBytes::from_static_str("nowhere"));
        let mut bytes = batch(1, &["damaged"]).to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        damaged.topic_data[0].partition_data[0].records = Some(bytes.into());
        let good = |acks| produce(acks, "good");
        let requests = [good(-1), good(1), lost, good(0), damaged, good(-1), good(0), good(1)];
        let mut piece: Vec<u8> = requests.iter().flat_map(|request| client.frame(9, request)).collect();
        piece.extend(client.frame(6, &latest()));
        piece.extend(client.frame(9, &good(1)));
        client.stream.write_all(&piece).unwrap();
        let answered = |client: &mut Client| {
            let (_, mut body) = client.receive_raw().unwrap();
            let _tags = body.split_to(1);
            let reply = ProduceResponse::decode(&mut body, 9).unwrap();
            let partition = &reply.responses[0].partition_responses[0];
            (partition.error_code, partition.base_offset)
        };
        let answers: Vec<_> = (0..6).map(|_| answered(&mut client)).collect();
        assert_eq!(answers, [(0, 0), (0, 1), (3, -1), (2, -1), (0, 3), (0, 5)], "{durability}");
        let (_, mut body) = client.receive_raw().unwrap();
        let _tags = body.split_to(1);
        let seen = ListOffsetsResponse::decode(&mut body, 6).unwrap();
        assert_eq!(seen.topics[0].partitions[0].offset, 6, "{durability}: what comes behind is not seen");
        assert_eq!(answered(&mut client), (0, 6), "{durability}");
    }
}

#[test]
fn acks_0_has_no_reply_and_closes_on_an_error() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["log.durability=relaxed"]);
    let mut client = broker.client();
    create(&mut client);
    client.send(9, &produce(0, "a"));
    assert_eq!(client.call(6, &latest()).topics[0].partitions[0].offset, 1);
    let mut lost = produce(0, "b");
    lost.topic_data[0].name = TopicName(StrBytes::from_static_str("nowhere"));
    client.send(9, &lost);
    assert!(client.receive_raw().is_none(), "the connection ends where no reply can carry the error");
}

#[test]
fn a_fetch_waits_for_data_and_wakes_when_it_comes() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut writer = broker.client();
    create(&mut writer);
    let mut reader = broker.client();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let reply = reader.call(12, &fetch(0, 15_000));
        sender.send(reply.responses[0].partitions[0].records.as_ref().unwrap().len()).unwrap();
    });
    assert!(
        receiver.recv_timeout(Duration::from_millis(300)).is_err(),
        "there is nothing to answer with yet"
    );
    writer.call(9, &produce(1, "a"));
    let woken =
        receiver.recv_timeout(Duration::from_secs(5)).expect("the fetch wakes long before its time is up");
    assert_eq!(woken, batch(1, &["a"]).len());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time that a client sees")]
fn an_empty_fetch_keeps_its_time() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client);
    let begun = Instant::now();
    let reply = client.call(12, &fetch(0, 300));
    assert_eq!(reply.responses[0].partitions[0].error_code, 0);
    assert!(begun.elapsed() >= Duration::from_millis(290), "max_wait_ms is honoured");
}

#[test]
fn what_kafka_closes_is_closed() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["socket.request.max.bytes=1000"]);
    let unserved: &[(i16, i16)] = &[(999, 0), (1, 3), (2, 0), (0, 2), (19, 1), (3, 99)];
    for (key, version) in unserved {
        let mut client = broker.client();
        client.send_raw(*key, *version, 1, &[0; 20]);
        assert!(client.receive_raw().is_none(), "API {key} version {version}");
    }
    for frame in [&1001i32.to_be_bytes()[..], &(-1i32).to_be_bytes(), &[0, 0, 0, 1, 7], &[0, 0, 0, 0]] {
        let mut client = broker.client();
        client.stream.write_all(frame).unwrap();
        assert!(client.receive_raw().is_none(), "{frame:?}");
    }
    // A body with an array of a billion elements.
    let mut client = broker.client();
    client.send_raw(3, 1, 1, &1_000_000_000i32.to_be_bytes());
    assert!(client.receive_raw().is_none());
}

#[test]
fn connections_beyond_the_limit_are_turned_away_and_places_come_back() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["max.connections.per.ip=2"]);
    let answers = |client: &mut Client| {
        client.send_raw(18, 0, 1, &[]);
        client.receive_raw().is_some()
    };
    let (mut first, mut second) = (broker.client(), broker.client());
    assert!(answers(&mut first) && answers(&mut second));
    let mut third = broker.client();
    // The broker may have closed before or after the request was written.
    let _ = third.stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255]);
    assert!(third.receive_raw().is_none());
    drop(first);
    let served_again = (0..100).any(|_| {
        std::thread::park_timeout(Duration::from_millis(20));
        let mut next = broker.client();
        next.stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255]).is_ok()
            && next.receive_raw().is_some()
    });
    assert!(served_again, "a place that was left is free again");
}

#[test]
fn a_frame_that_makes_no_progress_ends_its_connection() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["frame.progress.timeout.ms=200"]);
    let mut client = broker.client();
    client.stream.write_all(&[0, 0, 0, 50, 0]).unwrap();
    assert!(client.receive_raw().is_none());
}

#[test]
fn a_peer_that_sends_no_more_still_gets_its_replies() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client);
    for n in 0..20 {
        client.send(9, &produce(-1, &format!("{n}")));
    }
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    for n in 0..20 {
        let (_, mut body) = client.receive_raw().expect("what was asked before the end is answered");
        let _tags = body.split_to(1);
        let reply = ProduceResponse::decode(&mut body, 9).unwrap();
        assert_eq!(reply.responses[0].partition_responses[0].base_offset, n);
    }
    assert!(client.receive_raw().is_none());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time that an operator sees")]
fn a_stop_does_not_wait_for_long_polls() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client);
    client.send(12, &fetch(0, 60_000));
    // The fetch is parked once another connection was served after it.
    broker.client().call(0, &ApiVersionsRequest::default());
    let begun = Instant::now();
    drop(broker);
    assert!(begun.elapsed() < Duration::from_secs(10), "stopping took {:?}", begun.elapsed());
}

#[test]
fn a_peer_that_takes_no_replies_is_let_go() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["connections.max.idle.ms=500"]);
    let mut client = broker.client();
    create(&mut client);
    let value = "x".repeat(900_000);
    for _ in 0..20 {
        client.call(9, &produce(-1, &value));
    }
    let mut greedy = broker.client();
    for _ in 0..20 {
        let mut request = fetch(0, 0);
        request.max_bytes = 50 << 20;
        request.topics[0].partitions[0].partition_max_bytes = 50 << 20;
        greedy.send(12, &request);
    }
    // Nothing is read here: the broker's side fills up, and then it is silent for longer than is allowed.
    std::thread::park_timeout(Duration::from_secs(2));
    let mut replies = 0;
    while greedy.receive_raw_if_whole() {
        replies += 1;
    }
    assert!(replies < 20, "the broker gave up on a peer that does not read");
}

#[test]
fn large_batches_pass_in_both_directions() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client);
    let value = "x".repeat(1_000_000);
    for n in 0..3 {
        let reply = client.call(9, &produce(-1, &value));
        assert_eq!(reply.responses[0].partition_responses[0].base_offset, n);
    }
    // The first batch comes whole although it is larger than what was asked for.
    let mut request = fetch(1, 0);
    request.topics[0].partitions[0].partition_max_bytes = 100;
    let reply = client.call(12, &request);
    assert_eq!(reply.responses[0].partitions[0].records.as_ref().unwrap().len(), batch(1, &[&value]).len());
}

/// Says nothing, or not enough.
fn silent(broker: &Broker) -> Client {
    let mut client = broker.client();
    client.stream.write_all(&[0, 0]).unwrap();
    client
}

/// Connections that never ask anything cannot keep those out that do: when places are short they have the time of a frame
/// that makes no progress.
#[test]
fn silent_connections_give_way_when_places_are_short() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["max.connections=3", "frame.progress.timeout.ms=700"]);
    let mut asked = broker.client();
    asked.call(0, &ApiVersionsRequest::default());
    let silent: Vec<Client> =
        (0..2).map(|n| if n == 0 { silent(&broker) } else { broker.client() }).collect();
    // Both wait in the kernel's queue until the silent ones are gone.
    let mut late: Vec<Client> = (0..2).map(|_| broker.client()).collect();
    for client in &mut late {
        client.call(0, &ApiVersionsRequest::default());
    }
    asked.call(0, &ApiVersionsRequest::default());
    for mut client in silent {
        assert!(client.receive_raw().is_none(), "its place was wanted");
    }
}

/// Without anybody waiting, silence costs nothing.
#[test]
fn silent_connections_stay_where_there_is_room() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["frame.progress.timeout.ms=100"]);
    let mut client = broker.client();
    std::thread::park_timeout(Duration::from_millis(500));
    client.call(0, &ApiVersionsRequest::default());
}
