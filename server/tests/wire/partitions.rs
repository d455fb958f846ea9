//! Partitions that are added to a topic that lives, and topics described page by page.

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::delete_topics_request::DeleteTopicState;
use protocol_compat::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir, batch};

fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_owned()))
}

fn create(client: &mut Client, topics: &[(&str, i32)]) {
    let wanted = topics.iter().map(|(topic, partitions)| {
        CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(*partitions)
            .with_replication_factor(1)
    });
    let reply = client.call(7, &CreateTopicsRequest::default().with_topics(wanted.collect()));
    assert!(reply.topics.iter().all(|topic| topic.error_code == 0), "{reply:?}");
}

fn grow(
    client: &mut Client,
    version: i16,
    topics: Vec<CreatePartitionsTopic>,
    validate_only: bool,
) -> Vec<i16> {
    let request = CreatePartitionsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(5000)
        .with_validate_only(validate_only);
    let reply = client.call(version, &request);
    for result in &reply.results {
        assert_eq!(result.error_message.is_some(), result.error_code != 0, "{result:?}");
    }
    reply.results.iter().map(|result| result.error_code).collect()
}

fn to(topic: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic::default().with_name(name(topic)).with_count(count).with_assignments(None)
}

fn partitions(client: &mut Client, topic: &str) -> usize {
    let ask = MetadataRequestTopic::default().with_name(Some(name(topic)));
    client.call(12, &MetadataRequest::default().with_topics(Some(vec![ask]))).topics[0].partitions.len()
}

/// Produces one record and gives its offset.
fn produce(client: &mut Client, topic: &str, partition: i32) -> Result<i64, i16> {
    let data =
        PartitionProduceData::default().with_index(partition).with_records(Some(batch(1, &["record"])));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic]);
    let answer = &client.call(9, &request).responses[0].partition_responses[0];
    if answer.error_code == 0 { Ok(answer.base_offset) } else { Err(answer.error_code) }
}

fn fetched_bytes(client: &mut Client, topic: &str, partition: i32) -> usize {
    let partition = FetchPartition::default().with_partition(partition).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    let request =
        FetchRequest::default().with_max_bytes(1 << 20).with_session_epoch(-1).with_topics(vec![topic]);
    let reply = client.call(12, &request);
    reply.responses[0].partitions[0].records.as_ref().map_or(0, bytes::Bytes::len)
}

#[test]
fn new_partitions_are_served_at_once_and_after_a_restart() {
    let dir = TestDir::new();
    {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        create(&mut client, &[("grows", 1)]);
        for version in 0..=3 {
            let count = i32::from(version) + 2;
            assert_eq!(
                produce(&mut client, "grows", count - 1),
                Err(ErrorCode::UnknownTopicOrPartition.code())
            );
            assert_eq!(grow(&mut client, version, vec![to("grows", count)], true), [0]);
            assert_eq!(partitions(&mut client, "grows"), count as usize - 1, "validated only");
            assert_eq!(grow(&mut client, version, vec![to("grows", count)], false), [0]);
            assert_eq!(partitions(&mut client, "grows"), count as usize);
            assert_eq!(produce(&mut client, "grows", count - 1), Ok(0));
            assert!(fetched_bytes(&mut client, "grows", count - 1) > 0);
        }
        let placed = vec![CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1)])];
        assert_eq!(grow(&mut client, 3, vec![to("grows", 6).with_assignments(Some(placed))], false), [0]);
    }
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    assert_eq!(partitions(&mut client, "grows"), 6);
    for partition in 1..5 {
        assert_eq!(produce(&mut client, "grows", partition), Ok(1));
    }
    assert_eq!(produce(&mut client, "grows", 5), Ok(0));
    assert_eq!(grow(&mut client, 3, vec![to("grows", 6)], false), [ErrorCode::InvalidPartitions.code()]);
}

#[test]
fn wrong_ones_are_refused_and_change_nothing() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, &[("a", 2), ("b", 1)]);
    let assigned = |brokers: &[&[i32]]| {
        let one = |ids: &&[i32]| {
            CreatePartitionsAssignment::default()
                .with_broker_ids(ids.iter().map(|id| BrokerId(*id)).collect())
        };
        Some(brokers.iter().map(one).collect::<Vec<_>>())
    };
    let wrong = [
        (to("a", 2), ErrorCode::InvalidPartitions),
        (to("a", -1), ErrorCode::InvalidPartitions),
        (to("absent", 3), ErrorCode::UnknownTopicOrPartition),
        (to("a", 3).with_assignments(assigned(&[])), ErrorCode::InvalidReplicaAssignment),
        (to("a", 3).with_assignments(assigned(&[&[2]])), ErrorCode::InvalidReplicaAssignment),
        (to("a", 20_000), ErrorCode::PolicyViolation),
    ];
    for (asked, code) in wrong {
        assert_eq!(grow(&mut client, 3, vec![asked.clone()], false), [code.code()], "{asked:?}");
    }
    // A topic that is named twice is answered once; the limit is one of the whole request.
    let twice = vec![to("a", 3), to("b", 2), to("a", 4)];
    assert_eq!(grow(&mut client, 3, twice, false), [ErrorCode::InvalidRequest.code(), 0]);
    let together = vec![to("a", 6_002), to("b", 6_002)];
    assert_eq!(grow(&mut client, 3, together, true), [0, ErrorCode::PolicyViolation.code()]);
    assert_eq!((partitions(&mut client, "a"), partitions(&mut client, "b")), (2, 2));
}

#[test]
fn a_grown_topic_is_deleted_with_all_its_partitions() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, &[("gone", 1)]);
    assert_eq!(grow(&mut client, 3, vec![to("gone", 3)], false), [0]);
    for partition in 0..3 {
        assert_eq!(produce(&mut client, "gone", partition), Ok(0));
    }
    let state = DeleteTopicState::default().with_name(Some(name("gone")));
    let reply = client.call(6, &DeleteTopicsRequest::default().with_topics(vec![state]));
    assert_eq!(reply.responses[0].error_code, 0);
    create(&mut client, &[("gone", 3)]);
    for partition in 0..3 {
        assert_eq!(fetched_bytes(&mut client, "gone", partition), 0, "a new topic is empty");
        assert_eq!(produce(&mut client, "gone", partition), Ok(0));
    }
}

/// Name, error and partitions of each topic, and where the next page begins.
type Page = (Vec<(String, i16, Vec<i32>)>, Option<(String, i32)>);

fn page(client: &mut Client, topics: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> Page {
    let topics = topics.iter().map(|topic| TopicRequest::default().with_name(name(topic)));
    let cursor = cursor
        .map(|(topic, index)| Cursor::default().with_topic_name(name(topic)).with_partition_index(index));
    let request = DescribeTopicPartitionsRequest::default()
        .with_topics(topics.collect())
        .with_response_partition_limit(limit)
        .with_cursor(cursor);
    let reply = client.call(0, &request);
    let topics = reply.topics.iter().map(|topic| {
        let name = topic.name.as_ref().map_or(String::new(), |name| name.to_string());
        (name, topic.error_code, topic.partitions.iter().map(|p| p.partition_index).collect())
    });
    (topics.collect(), reply.next_cursor.map(|at| (at.topic_name.to_string(), at.partition_index)))
}

#[test]
fn topics_are_described_page_by_page() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["max.request.partition.size.limit=5"]);
    let mut client = broker.client();
    create(&mut client, &[("c", 2), ("a", 4), ("b", 3)]);
    let mut cursor = None;
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let at = cursor.as_ref().map(|(topic, index): &(String, i32)| (topic.as_str(), *index));
        let (topics, next) = page(&mut client, &[], 100, at);
        assert!(topics.iter().map(|(_, _, partitions)| partitions.len()).sum::<usize>() <= 5);
        seen.extend(
            topics.into_iter().flat_map(|(topic, _, all)| all.into_iter().map(move |p| (topic.clone(), p))),
        );
        pages += 1;
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let whole = [("a", 4), ("b", 3), ("c", 2)];
    let whole: Vec<_> = whole.iter().flat_map(|(t, n)| (0..*n).map(|p| ((*t).to_owned(), p))).collect();
    assert_eq!((seen, pages), (whole, 2));

    let entry = |topic: &str, code: ErrorCode, partitions: &[i32]| {
        (topic.to_owned(), code.code(), partitions.to_vec())
    };
    let named = page(&mut client, &["c", "x", "b", "b", "a/b"], 3, None);
    let invalid = entry("a/b", ErrorCode::InvalidTopicException, &[]);
    assert_eq!(named, (vec![invalid, entry("b", ErrorCode::None, &[0, 1, 2])], Some(("c".to_owned(), 0))));
    let rest = page(&mut client, &["c", "x", "b"], 3, Some(("c", 1)));
    let absent = entry("x", ErrorCode::UnknownTopicOrPartition, &[]);
    assert_eq!(rest, (vec![entry("c", ErrorCode::None, &[1]), absent], None));
    // A limit that makes no sense is the least there is; a cursor behind the end finds nothing.
    assert_eq!(page(&mut client, &["c"], -7, None).1, Some(("c".to_owned(), 1)));
    assert_eq!(
        page(&mut client, &["c"], 5, Some(("c", i32::MAX))),
        (vec![entry("c", ErrorCode::None, &[])], None)
    );
    let refused = |topic| vec![entry(topic, ErrorCode::InvalidRequest, &[])];
    assert_eq!(page(&mut client, &["c"], 5, Some(("b", 0))), (refused("c"), None));
    assert_eq!(page(&mut client, &["c"], 5, Some(("c", -1))), (refused("c"), None));
}
