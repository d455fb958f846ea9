//! Fetch sessions (KIP-227) over the wire: what is told, what is left out, and how a session ends.
#![expect(clippy::disallowed_methods, reason = "how long a fetch waits is told by the machine's clock")]

use std::time::{Duration, Instant};

use protocol_compat::ErrorCode;
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir, batch};
use super::topics::{Topic, create, delete, name, produce};

const NONE: i16 = 0;
/// What an empty fetch waits, where a test has no wish of its own.
const A_MOMENT_MS: i32 = 200;

/// A client with a session.
struct Reader {
    client: Client,
    version: i16,
    id: i32,
    epoch: i32,
}

impl Reader {
    fn new(broker: &Broker, version: i16) -> Self {
        Self { client: broker.client(), version, id: 0, epoch: 0 }
    }

    fn request(&self, topics: &[(&Topic, &[(i32, i64)])]) -> FetchRequest {
        let partition = |(index, offset): &(i32, i64)| {
            FetchPartition::default()
                .with_partition(*index)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(1 << 20)
        };
        let asked = |(topic, partitions): &(&Topic, &[(i32, i64)])| {
            let asked = FetchTopic::default().with_partitions(partitions.iter().map(partition).collect());
            if self.version >= 13 {
                asked.with_topic_id(topic.id)
            } else {
                asked.with_topic(name(topic.name))
            }
        };
        let request = FetchRequest::default()
            .with_max_wait_ms(A_MOMENT_MS)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_session_id(self.id)
            .with_session_epoch(self.epoch)
            .with_topics(topics.iter().map(asked).collect());
        if self.version < 15 { request.with_replica_id(BrokerId(-1)) } else { request }
    }

    fn forgetting(&self, request: FetchRequest, topic: &Topic, partitions: &[i32]) -> FetchRequest {
        let gone = ForgottenTopic::default().with_partitions(partitions.to_vec());
        let gone =
            if self.version >= 13 { gone.with_topic_id(topic.id) } else { gone.with_topic(name(topic.name)) };
        request.with_forgotten_topics_data(vec![gone])
    }

    fn send(&mut self, request: &FetchRequest) -> FetchResponse {
        let reply = self.client.call(self.version, request);
        if reply.error_code == NONE {
            self.epoch = if reply.session_id == 0 { 0 } else { self.epoch + 1 };
            self.id = reply.session_id;
        }
        reply
    }

    fn ask(&mut self, topics: &[(&Topic, &[(i32, i64)])]) -> FetchResponse {
        let request = self.request(topics);
        self.send(&request)
    }
}

/// Partition, error and number of bytes, in the order of the reply.
fn told(reply: &FetchResponse) -> Vec<(i32, i16, usize)> {
    let partitions = reply.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|p| (p.partition_index, p.error_code, p.records.as_ref().map_or(0, |r| r.len()))).collect()
}

fn partitions(reply: &FetchResponse) -> Vec<i32> {
    told(reply).into_iter().map(|(index, ..)| index).collect()
}

#[test]
fn a_session_tells_what_is_new() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let bytes = batch(1, &["a"]).len();
    for version in [7, 9, 11, 12, 13, 15, 16, 18] {
        let topic = create(&mut client, &format!("t{version}"), 3);
        let mut reader = Reader::new(&broker, version);
        let all: &[(i32, i64)] = &[(0, 0), (1, 0), (2, 0)];
        let reply = reader.ask(&[(&topic, all)]);
        assert_eq!(told(&reply), [(0, 0, 0), (1, 0, 0), (2, 0, 0)], "version {version}");
        assert!(reply.session_id > 0);

        let begun = Instant::now();
        let reply = reader.ask(&[]);
        assert!(reply.responses.is_empty() && reply.session_id == reader.id);
        assert!(begun.elapsed() >= Duration::from_millis(A_MOMENT_MS as u64), "with no news it waits");

        produce(&mut client, &topic, 1, batch(1, &["a"]));
        assert_eq!(told(&reader.ask(&[])), [(1, 0, bytes)]);
        // It was not read yet: the client says so by not moving on.
        assert_eq!(told(&reader.ask(&[])), [(1, 0, bytes)]);
        assert!(told(&reader.ask(&[(&topic, &[(1, 1)])])).is_empty());

        let request = reader.request(&[]);
        let request = reader.forgetting(request, &topic, &[1]);
        assert!(told(&reader.send(&request)).is_empty());
        produce(&mut client, &topic, 1, batch(1, &["b"]));
        assert!(told(&reader.ask(&[])).is_empty(), "forgotten");
        produce(&mut client, &topic, 2, batch(1, &["c"]));
        assert_eq!(told(&reader.ask(&[(&topic, &[(1, 2)])])), [(2, 0, bytes), (1, 0, 0)], "asked for anew");
    }
}

#[test]
fn a_session_that_is_none_has_its_code() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create(&mut client, "t", 1);
    let mut by_name = Reader::new(&broker, 12);
    by_name.ask(&[(&topic, &[(0, 0)])]);
    let code = |reply: FetchResponse| (reply.error_code, reply.session_id, reply.responses.len());

    let wrong = by_name.request(&[]).with_session_epoch(7);
    assert_eq!(code(by_name.send(&wrong)), (ErrorCode::InvalidFetchSessionEpoch.code(), 0, 0));
    let unknown = by_name.request(&[]).with_session_id(by_name.id.wrapping_add(1).max(1));
    assert_eq!(code(by_name.send(&unknown)), (ErrorCode::FetchSessionIdNotFound.code(), 0, 0));
    by_name.version = 13;
    let by_id = by_name.request(&[]);
    assert_eq!(code(by_name.send(&by_id)), (ErrorCode::FetchSessionTopicIdError.code(), 0, 0));
    by_name.version = 12;
    assert_eq!(by_name.ask(&[]).error_code, NONE, "none of them has hurt it");

    let closing = by_name.request(&[(&topic, &[(0, 0)])]).with_session_epoch(-1).with_max_wait_ms(0);
    let id = by_name.id;
    assert_eq!(by_name.send(&closing).session_id, 0);
    let after = by_name.request(&[]).with_session_id(id).with_session_epoch(3);
    assert_eq!(by_name.send(&after).error_code, ErrorCode::FetchSessionIdNotFound.code());
}

#[test]
fn a_session_with_nothing_left_ends() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let topic = create(&mut broker.client(), "t", 2);
    let mut reader = Reader::new(&broker, 13);
    reader.ask(&[(&topic, &[(0, 0), (1, 0)])]);
    let (id, epoch) = (reader.id, reader.epoch);
    let request = reader.request(&[]);
    let request = reader.forgetting(request, &topic, &[0, 1]);
    let reply = reader.send(&request);
    assert_eq!((reply.error_code, reply.session_id, reply.responses.len()), (NONE, 0, 0));
    let after = reader.request(&[]).with_session_id(id).with_session_epoch(epoch + 1);
    assert_eq!(reader.send(&after).error_code, ErrorCode::FetchSessionIdNotFound.code());
}

/// The same request twice, from two connections: the second finds that the epoch has moved on; and the first, if it still
/// waits when a later one comes, is told that it was overtaken.
#[test]
fn a_request_that_was_overtaken_is_told() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let topic = create(&mut broker.client(), "t", 1);
    let mut reader = Reader::new(&broker, 12);
    reader.ask(&[(&topic, &[(0, 0)])]);
    let mut other = broker.client();
    let waiting = reader.request(&[]).with_max_wait_ms(2000);
    reader.client.send(12, &waiting);
    // It has begun when the epoch is no longer the session's.
    let overtaken = ErrorCode::InvalidFetchSessionEpoch.code();
    let probe = reader.request(&[]).with_session_epoch(reader.epoch + 1).with_max_wait_ms(0);
    let patience = Instant::now() + Duration::from_secs(20);
    while other.call(12, &probe).error_code == overtaken {
        assert!(Instant::now() < patience, "the first request never begins");
    }
    let late = reader.client.receive::<FetchRequest>(12);
    assert_eq!((late.error_code, late.session_id), (overtaken, reader.id));
}

#[test]
fn who_gave_records_is_read_last() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create(&mut client, "t", 3);
    for index in 0..3 {
        produce(&mut client, &topic, index, batch(1, &["x".repeat(2000).as_str()]));
    }
    let mut reader = Reader::new(&broker, 12);
    // One batch fits, and no more.
    let first = reader.request(&[(&topic, &[(0, 0), (1, 0), (2, 0)])]).with_max_bytes(1);
    let reply = reader.send(&first);
    assert_eq!(told(&reply).iter().filter(|(_, _, bytes)| *bytes > 0).count(), 1);
    let mut given = Vec::new();
    for _ in 0..6 {
        let next = reader.request(&[]).with_max_bytes(1);
        let reply = reader.send(&next);
        given.extend(told(&reply).into_iter().filter(|(_, _, bytes)| *bytes > 0).map(|(index, ..)| index));
    }
    assert_eq!(given, [0, 1, 2, 0, 1, 2], "none starves");
}

/// What a session by names and one by ids learn of a topic that goes, and of one that comes in its place.
#[test]
fn a_topic_that_is_deleted_and_made_again() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let topic = create(&mut client, "t", 1);
    let other = create(&mut client, "other", 1);
    let mut readers = [Reader::new(&broker, 12), Reader::new(&broker, 13)];
    for reader in &mut readers {
        reader.ask(&[(&topic, &[(0, 0)]), (&other, &[(0, 0)])]);
    }
    delete(&mut client, &topic);
    for reader in &mut readers {
        let gone = vec![(0, ErrorCode::UnknownTopicOrPartition.code(), 0)];
        assert_eq!(told(&reader.ask(&[])), gone);
        assert_eq!(told(&reader.ask(&[])), gone, "errors are told each time");
    }
    create(&mut client, "t", 1);
    let [by_name, by_id] = &mut readers;
    assert_eq!(told(&by_name.ask(&[])), [(0, 0, 0)], "the name is served again");
    assert_eq!(told(&by_id.ask(&[])), [(0, ErrorCode::InconsistentTopicId.code(), 0)]);
    let fresh = Reader::new(&broker, 13).ask(&[(&topic, &[(0, 0)]), (&other, &[(0, 0)])]);
    assert_eq!(
        told(&fresh),
        [(0, 0, 0), (0, ErrorCode::UnknownTopicId.code(), 0)],
        "those unread stand last"
    );
}

#[test]
fn without_room_there_is_no_session() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["max.incremental.fetch.session.cache.slots=1"]);
    let topic = create(&mut broker.client(), "t", 1);
    let (mut first, mut second) = (Reader::new(&broker, 12), Reader::new(&broker, 12));
    assert!(first.ask(&[(&topic, &[(0, 0)])]).session_id > 0);
    let reply = second.ask(&[(&topic, &[(0, 0)])]);
    assert_eq!((reply.error_code, reply.session_id, partitions(&reply)), (NONE, 0, vec![0]));
    assert_eq!(first.ask(&[]).error_code, NONE);
}
