//! Quotas over the wire: set, shown, removed, there in the next life; and who is slowed by them, by how much, and who not.
#![expect(
    clippy::disallowed_methods,
    reason = "how long a client is made to wait is told by the machine's clock"
)]

use std::net::TcpStream;
use std::time::{Duration, Instant};

use protocol_compat::ErrorCode;
use protocol_compat::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol_compat::messages::create_partitions_request::CreatePartitionsTopic;
use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::delete_topics_request::DeleteTopicState;
use protocol_compat::messages::describe_client_quotas_request::ComponentData;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir, batch};
use super::requests;
use super::topics::{Topic, create, name};

/// A type of entity and a name; none is the default.
type Part<'a> = (&'a str, Option<&'a str>);

const SLOW: [Part; 1] = [("client-id", Some("slow"))];
/// What one test allows for the machine to be late.
const SLACK: Duration = Duration::from_millis(700);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn entry(entity: &[Part], ops: &[(&str, Option<f64>)]) -> EntryData {
    let part = |(kind, name): &Part| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
    };
    let op = |(key, value): &(&str, Option<f64>)| {
        let value_or_none = OpData::default().with_key(text(key)).with_remove(value.is_none());
        value_or_none.with_value(value.unwrap_or_default())
    };
    EntryData::default().with_entity(entity.iter().map(part).collect()).with_ops(ops.iter().map(op).collect())
}

fn alter(client: &mut Client, version: i16, entries: Vec<EntryData>) -> Vec<i16> {
    let reply = client.call(version, &AlterClientQuotasRequest::default().with_entries(entries));
    assert!(reply.entries.iter().all(|e| (e.error_code == 0) == e.error_message.is_none()), "{reply:?}");
    reply.entries.iter().map(|entry| entry.error_code).collect()
}

fn set(client: &mut Client, entity: &[Part], key: &str, value: impl Into<Option<f64>>) {
    assert_eq!(alter(client, 1, vec![entry(entity, &[(key, value.into())])]), [0]);
}

fn describe(
    client: &mut Client,
    version: i16,
    filter: &[(&str, i8, Option<&str>)],
    strict: bool,
) -> Result<Vec<String>, i16> {
    let component = |(kind, how, name): &(&str, i8, Option<&str>)| {
        ComponentData::default().with_entity_type(text(kind)).with_match_type(*how).with_match(name.map(text))
    };
    let request = DescribeClientQuotasRequest::default()
        .with_components(filter.iter().map(component).collect())
        .with_strict(strict);
    let reply = client.call(version, &request);
    let Some(entries) = reply.entries else { return Err(reply.error_code) };
    let shown = entries.iter().map(|entry| {
        let part = |part: &describe_client_quotas_response::EntityData| {
            format!("{}={}", part.entity_type, part.entity_name.as_deref().unwrap_or("<default>"))
        };
        let value =
            |value: &describe_client_quotas_response::ValueData| format!("{}={}", value.key, value.value);
        let (parts, values) = (entry.entity.iter().map(part), entry.values.iter().map(value));
        parts.chain(values).collect::<Vec<_>>().join(" ")
    });
    Ok(shown.collect())
}

fn produce_request(topic: &Topic, bytes: usize, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch(1, &["x".repeat(bytes).as_str()])));
    let to = TopicProduceData::default().with_name(name(topic.name)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5000).with_topic_data(vec![to])
}

/// How long the client is told to rest after so many bytes.
fn produce(client: &mut Client, topic: &Topic, bytes: usize) -> i32 {
    let reply = client.call(9, &produce_request(topic, bytes, 1));
    assert_eq!(reply.responses[0].partition_responses[0].error_code, 0);
    reply.throttle_time_ms
}

fn fetch(client: &mut Client, topic: &Topic, from: i64) -> (usize, i32) {
    let request = requests::fetch(name(topic.name), &[(0, from)], 0, 1 << 20);
    let reply = client.call(12, &request);
    let partitions = reply.responses.iter().flat_map(|topic| &topic.partitions);
    let bytes = partitions.map(|p| p.records.as_ref().map_or(0, |records| records.len())).sum();
    (bytes, reply.throttle_time_ms)
}

fn ms(ms: i32) -> Duration {
    Duration::from_millis(ms as u64)
}

#[test]
fn quotas_are_set_shown_and_removed_and_outlive_the_broker() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    for version in 0..=1 {
        assert_eq!(describe(&mut client, version, &[], false), Ok(vec![]));
        let both = entry(
            &[("user", Some("u")), ("client-id", None)],
            &[("producer_byte_rate", Some(5000.0)), ("request_percentage", Some(12.5))],
        );
        let id = entry(&[("client-id", Some("c"))], &[("consumer_byte_rate", Some(7.0))]);
        let wrong = entry(&[("user", Some("u"))], &[("bytes", Some(7.0))]);
        let request = AlterClientQuotasRequest::default().with_entries(vec![id.clone()]);
        assert_eq!(client.call(version, &request.with_validate_only(true)).entries[0].error_code, 0);
        assert_eq!(describe(&mut client, version, &[], false), Ok(vec![]), "it was only asked about");
        let invalid = ErrorCode::InvalidRequest.code();
        assert_eq!(alter(&mut client, version, vec![both, wrong, id]), [0, invalid, 0]);
        let shown_id = "client-id=c consumer_byte_rate=7".to_owned();
        let shown_both =
            "client-id=<default> user=u request_percentage=12.5 producer_byte_rate=5000".to_owned();
        let all = describe(&mut client, version, &[], false).unwrap();
        assert!(all.len() == 2 && all.contains(&shown_id) && all.contains(&shown_both), "{all:?}");
        for (filter, strict, expected) in [
            (&[("client-id", 0, Some("c"))][..], false, vec![&shown_id]),
            (&[("client-id", 1, None)], false, vec![&shown_both]),
            (&[("client-id", 1, None)], true, vec![]),
            (&[("client-id", 2, None)], true, vec![&shown_id]),
            (&[("client-id", 2, None), ("user", 0, Some("u"))], true, vec![&shown_both]),
            (&[("user", 0, Some("other"))], false, vec![]),
            (&[("ip", 2, None)], false, vec![]),
            (&[], true, vec![]),
        ] {
            let shown = describe(&mut client, version, filter, strict).unwrap();
            assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "{filter:?} {strict}");
        }
        for (filter, code) in [
            (&[("", 2, None)][..], ErrorCode::InvalidRequest),
            (&[("group", 2, None)], ErrorCode::UnsupportedVersion),
            (&[("user", 3, None)], ErrorCode::InvalidRequest),
            (&[("user", 0, None)], ErrorCode::InvalidRequest),
            (&[("user", 1, Some("u"))], ErrorCode::InvalidRequest),
            (&[("user", 2, None), ("user", 1, None)], ErrorCode::InvalidRequest),
            (&[("user", 2, None), ("ip", 1, None)], ErrorCode::InvalidRequest),
        ] {
            assert_eq!(describe(&mut client, version, filter, false), Err(code.code()), "{filter:?}");
        }
        let none = [("producer_byte_rate", None), ("request_percentage", None)];
        let removals = vec![
            entry(&[("user", Some("u")), ("client-id", None)], &none),
            entry(&[("client-id", Some("c"))], &[("consumer_byte_rate", None)]),
        ];
        assert_eq!(alter(&mut client, version, removals), [0, 0]);
    }
    assert_eq!(describe(&mut client, 1, &[], false), Ok(vec![]));
    set(&mut client, &[("ip", Some("10.0.0.1"))], "connection_creation_rate", 3.0);
    drop(client);
    drop(broker);
    let broker = Broker::start(&dir, &[]);
    let shown = describe(&mut broker.client(), 1, &[("ip", 2, None)], true);
    assert_eq!(shown, Ok(vec!["ip=10.0.0.1 connection_creation_rate=3".to_owned()]));
}

#[test]
fn a_producer_is_slowed_to_its_quota_and_nobody_else_is() {
    /// Three windows of a second: what two of them may bring passes at once.
    const SETTINGS: &[&str] = &["quota.window.num=3"];
    const RATE: f64 = 40_000.0;
    let dir = TestDir::new();
    let broker = Broker::start(&dir, SETTINGS);
    let mut admin = broker.client();
    let topic = create(&mut admin, "t", 1);
    let mut slow = broker.client().named("slow");
    assert_eq!(produce(&mut slow, &topic, 500_000), 0, "there is no quota yet");
    set(&mut admin, &SLOW, "producer_byte_rate", RATE);
    // The burst.
    let mut told = 0;
    while told == 0 {
        told = produce(&mut slow, &topic, 10_000);
    }
    // The client keeps to nothing by itself: it is the broker that does not read it.
    let (begun, mut sent) = (Instant::now(), 0);
    let mut told_in_all = ms(told);
    while begun.elapsed() < Duration::from_secs(12) {
        let told = produce(&mut slow, &topic, 10_000);
        sent += 10_000;
        told_in_all += ms(told);
    }
    let elapsed = begun.elapsed();
    let achieved = f64::from(sent) / elapsed.as_secs_f64();
    assert!((achieved / RATE - 1.0).abs() < 0.1, "{achieved} bytes a second of {RATE}");
    assert!(told_in_all > elapsed / 2, "{told_in_all:?} of {elapsed:?}");
    let (begun, mut quick) = (Instant::now(), broker.client().named("quick"));
    for _ in 0..20 {
        assert_eq!(produce(&mut quick, &topic, 100_000), 0);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "two million bytes would have taken 50 s");
    set(&mut admin, &SLOW, "producer_byte_rate", None);
    assert_eq!(produce(&mut broker.client().named("slow"), &topic, 500_000), 0, "the quota is gone");
}

#[test]
fn a_producer_without_replies_rests_too() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["quota.window.num=2"]);
    let mut admin = broker.client();
    let topic = create(&mut admin, "t", 1);
    set(&mut admin, &SLOW, "producer_byte_rate", 10_000.0);
    let mut slow = broker.client().named("slow");
    slow.send(9, &produce_request(&topic, 30_000, 0));
    let begun = Instant::now();
    // 30,000 in one second, which has to become three: the second request waits for two.
    assert_eq!(produce_after(&mut slow, &topic), 0);
    let waited = begun.elapsed();
    assert!((Duration::from_millis(1900)..Duration::from_secs(2) + SLACK).contains(&waited), "{waited:?}");
}

/// One more request, of no size to speak of: its error.
fn produce_after(client: &mut Client, topic: &Topic) -> i16 {
    let reply = client.call(9, &produce_request(topic, 1, 1));
    reply.responses[0].partition_responses[0].error_code
}

#[test]
fn a_reader_gets_nothing_until_its_rate_allows_it() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["quota.window.num=3"]);
    let mut admin = broker.client();
    let topic = create(&mut admin, "t", 1);
    for _ in 0..10 {
        produce(&mut admin, &topic, 15_000);
    }
    set(&mut admin, &SLOW, "consumer_byte_rate", 20_000.0);
    let mut slow = broker.client().named("slow");
    // No more than two seconds' worth comes at once: it would have to wait each time, and never get anything.
    let (bytes, told) = fetch(&mut slow, &topic, 0);
    assert!((1..=40_000).contains(&bytes) && told == 0, "{bytes} {told}");
    let begun = Instant::now();
    let (bytes, told) = fetch(&mut slow, &topic, 2);
    assert!(bytes == 0 && (1_000..=2_000).contains(&told), "{bytes} {told}: twice as much as in two seconds");
    while fetch(&mut slow, &topic, 2).0 == 0 {}
    let waited = begun.elapsed();
    assert!(waited >= ms(told) - Duration::from_millis(20), "{waited:?} of {told}");
    // It comes after two seconds and is told to rest again; then the windows are over.
    assert!(waited < Duration::from_secs(4) + SLACK, "{waited:?}");
    let (bytes, told) = fetch(&mut broker.client().named("quick"), &topic, 0);
    assert!(bytes > 150_000 && told == 0, "{bytes} {told}");
}

#[test]
fn a_session_learns_nothing_from_an_answer_that_is_held_back() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["quota.window.num=3"]);
    let mut admin = broker.client();
    let topic = create(&mut admin, "t", 1);
    let mut slow = broker.client().named("slow");
    let request = requests::fetch(name(topic.name), &[(0, 0)], 0, 1 << 20).with_session_epoch(0);
    let session = slow.call(12, &request).session_id;
    assert_ne!(session, 0);
    set(&mut admin, &SLOW, "consumer_byte_rate", 10_000.0);
    produce(&mut admin, &topic, 19_000);
    let next = |epoch, offset| {
        let known = requests::fetch(name(topic.name), &[(0, offset)], 0, 1 << 20);
        known.with_session_id(session).with_session_epoch(epoch)
    };
    let records = |reply: &FetchResponse| {
        let partitions = reply.responses.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|p| p.records.as_ref().map_or(0, |records| records.len())).sum::<usize>()
    };
    let first = slow.call(12, &next(1, 0));
    assert!(records(&first) > 19_000 && first.throttle_time_ms == 0);
    let held_back = slow.call(12, &next(2, 0));
    assert_eq!((held_back.session_id, held_back.error_code, records(&held_back)), (session, 0, 0));
    assert!(held_back.responses.is_empty() && held_back.throttle_time_ms > 0, "{held_back:?}");
    let again = (3..100).map(|epoch| slow.call(12, &next(epoch, 0).with_topics(vec![])));
    let told = again.map(|reply| records(&reply)).find(|bytes| *bytes > 0);
    assert!(told.is_some_and(|bytes| bytes > 19_000), "what was not told is still news");
    // A full fetch that is held back begins no session.
    let full = slow.call(12, &request);
    assert_eq!((full.session_id, records(&full)), (0, 0), "{full:?}");
    assert!(full.throttle_time_ms > 0);
}

#[test]
fn time_is_bounded_for_every_api() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut admin = broker.client();
    set(&mut admin, &[("user", None), ("client-id", Some("slow"))], "request_percentage", 1e-6);
    let mut slow = broker.client().named("slow");
    let begun = Instant::now();
    let told = slow
        .call(
            3,
            &ApiVersionsRequest::default()
                .with_client_software_name(text("a"))
                .with_client_software_version(text("1")),
        )
        .throttle_time_ms;
    assert!((1..=1000).contains(&told), "{told}: a window at most");
    let told_again = slow.call(12, &MetadataRequest::default().with_topics(Some(vec![]))).throttle_time_ms;
    assert!((1..=1000).contains(&told_again), "{told_again}");
    assert!(begun.elapsed() >= ms(told) - Duration::from_millis(20));
    let free = broker.client().call(12, &MetadataRequest::default().with_topics(Some(vec![])));
    assert_eq!(free.throttle_time_ms, 0);
}

fn new_topic(name: &str, partitions: i32) -> CreateTopicsRequest {
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    CreateTopicsRequest::default().with_topics(vec![topic])
}

#[test]
fn changes_of_topics_beyond_the_quota_are_refused_or_slowed() {
    let refused = ErrorCode::ThrottlingQuotaExceeded.code();
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["controller.quota.window.num=2"]);
    let mut admin = broker.client();
    set(&mut admin, &SLOW, "controller_mutation_rate", 4.0);
    let slow = || broker.client().named("slow");
    // Eight are there; the first change takes ten of them.
    let created = slow().call(7, &new_topic("a", 10));
    assert_eq!((created.topics[0].error_code, created.throttle_time_ms), (0, 0));
    let created = slow().call(6, &new_topic("b", 1));
    assert_eq!(created.topics[0].error_code, refused);
    assert!((1..=500).contains(&created.throttle_time_ms), "{}", created.throttle_time_ms);
    let more = CreatePartitionsTopic::default()
        .with_name(TopicName(text("a")))
        .with_count(11)
        .with_assignments(None);
    let more = CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(1000);
    assert_eq!(slow().call(3, &more).results[0].error_code, refused);
    let state = DeleteTopicState::default().with_name(Some(TopicName(text("a"))));
    let delete = DeleteTopicsRequest::default().with_topics(vec![state]);
    assert_eq!(slow().call(6, &delete).responses[0].error_code, refused);
    // Older clients do not know the code: it happens, and they rest.
    let grown = slow().call(2, &more);
    assert_eq!(grown.results[0].error_code, 0);
    assert!(grown.throttle_time_ms > 0);
    let mut older = slow();
    let begun = Instant::now();
    let created = older.call(5, &new_topic("b", 8));
    assert_eq!(created.topics[0].error_code, 0);
    assert!((2000..=3000).contains(&created.throttle_time_ms), "{}", created.throttle_time_ms);
    let deleted = older.call(4, &DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("b"))]));
    assert_eq!(deleted.responses[0].error_code, 0);
    assert!(begun.elapsed() >= ms(created.throttle_time_ms) - Duration::from_millis(20));
    let others = admin.call(7, &new_topic("c", 50));
    assert_eq!((others.topics[0].error_code, others.throttle_time_ms), (0, 0));
}

#[test]
fn connections_from_an_address_beyond_its_rate_are_kept_outside() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut admin = broker.client();
    set(&mut admin, &[("ip", Some("127.0.0.1"))], "connection_creation_rate", 1.0);
    let asks = |client: &mut Client| {
        client.send(12, &MetadataRequest::default().with_topics(Some(vec![])));
        client.receive_raw_if_whole()
    };
    // Ten windows' worth, less one for a second that goes by.
    let served = (0..40).take_while(|_| asks(&mut broker.client())).count();
    assert!((10..=12).contains(&served), "{served}");
    let begun = Instant::now();
    let mut outside = Client::over(TcpStream::connect(("127.0.0.1", broker.port())).unwrap());
    assert!(!asks(&mut outside), "it is closed when its time is over");
    assert!(begun.elapsed() < Duration::from_secs(1) + SLACK);
    set(&mut admin, &[("ip", Some("127.0.0.1"))], "connection_creation_rate", None);
    assert!(asks(&mut broker.client()), "the quota is gone");
}
