//! Each API, each version: the reply decodes to its last byte and says what Kafka says.

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol_compat::messages::delete_topics_request::DeleteTopicState;
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol_compat::messages::metadata_request::MetadataRequestTopic;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir, batch};

fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_owned()))
}

fn code(error: ErrorCode) -> i16 {
    error.code()
}

fn create(client: &mut Client, topic: &str, partitions: i32) -> Uuid {
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let reply =
        client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000));
    assert_eq!(reply.topics[0].error_code, 0, "{:?}", reply.topics[0].error_message);
    reply.topics[0].topic_id
}

/// Produces one batch to partition 0 and gives (error, base offset).
fn produce(client: &mut Client, version: i16, topic: &str, id: Uuid, records: bytes::Bytes) -> (i16, i64) {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(records));
    let mut topic_data = TopicProduceData::default().with_partition_data(vec![data]);
    if version >= 13 {
        topic_data.topic_id = id;
    } else {
        topic_data.name = name(topic);
    }
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic_data]);
    let reply = client.call(version, &request);
    let partition = &reply.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn fetch_request(version: i16, topic: &str, id: Uuid, offset: i64, wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let mut asked = FetchTopic::default().with_partitions(vec![partition]);
    if version >= 13 {
        asked.topic_id = id;
    } else {
        asked.topic = name(topic);
    }
    let request = FetchRequest::default().with_max_wait_ms(wait_ms).with_min_bytes(1).with_max_bytes(1 << 20);
    let mut request = request.with_topics(vec![asked]);
    if version >= 7 {
        request.session_epoch = -1;
    }
    if version < 15 {
        request.replica_id = BrokerId(-1);
    }
    request
}

#[test]
fn api_versions() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    for version in 0..=4 {
        let software = StrBytes::from_static_str("test");
        let mut request = ApiVersionsRequest::default();
        if version >= 3 {
            request =
                request.with_client_software_name(software.clone()).with_client_software_version(software);
        }
        let reply = broker.client().call(version, &request);
        assert_eq!(reply.error_code, 0);
        assert_eq!(reply.api_keys.len(), server::api::TABLE.len());
        let features: Vec<_> = reply.finalized_features.iter().map(|f| f.name.to_string()).collect();
        let expected: &[&str] = if version >= 3 { &["group.version", "metadata.version"] } else { &[] };
        assert_eq!(features, expected);
        let supported: Vec<_> = reply.supported_features.iter().map(|f| f.name.to_string()).collect();
        let expected = if version == 3 { &expected[1..] } else { expected };
        assert_eq!(supported, expected);
    }
}

#[test]
fn api_versions_of_the_future_are_answered_in_version_0() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    client.send_raw(18, 99, 7, &[1, 2, 3]);
    let (correlation_id, mut body) = client.receive_raw().unwrap();
    let reply = ApiVersionsResponse::decode(&mut body, 0).unwrap();
    assert_eq!((correlation_id, reply.error_code), (7, code(ErrorCode::UnsupportedVersion)));
    let range = &reply.api_keys[0];
    assert_eq!((range.api_key, range.min_version, range.max_version), (18, 0, 4));
    // The connection lives on.
    assert_eq!(client.call(0, &ApiVersionsRequest::default()).error_code, 0);
}

#[test]
fn metadata_creates_describes_and_refuses() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["num.partitions=3"]);
    let mut client = broker.client();
    for version in 0..=13 {
        let fresh = format!("fresh-{version}");
        let ask = |topic: &str| MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![ask(&fresh), ask("bad name")]));
        let reply = client.call(version, &request.with_allow_auto_topic_creation(true));
        assert_eq!((reply.brokers.len(), reply.brokers[0].port), (1, i32::from(broker.port())));
        let [good, bad] = &reply.topics[..] else { panic!("{reply:?}") };
        assert_eq!((good.error_code, good.partitions.len()), (0, 3), "version {version}");
        assert!(good.partitions.iter().all(|p| p.leader_id.0 == 1 && p.isr_nodes.len() == 1));
        assert_eq!(bad.error_code, code(ErrorCode::InvalidTopicException));

        let all = if version == 0 { Some(Vec::new()) } else { None };
        let reply = client.call(version, &MetadataRequest::default().with_topics(all));
        assert_eq!(reply.topics.len(), version as usize + 1);
        if version >= 1 {
            let none = client.call(version, &MetadataRequest::default().with_topics(Some(Vec::new())));
            assert!(none.topics.is_empty());
        }
        if version >= 4 {
            let request = MetadataRequest::default().with_topics(Some(vec![ask("not-made")]));
            let reply = client.call(version, &request.with_allow_auto_topic_creation(false));
            assert_eq!(reply.topics[0].error_code, code(ErrorCode::UnknownTopicOrPartition));
        }
        if version >= 12 {
            let by_id = |id| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
            let id = client
                .call(version, &MetadataRequest::default().with_topics(Some(vec![ask(&fresh)])))
                .topics[0]
                .topic_id;
            let request =
                MetadataRequest::default().with_topics(Some(vec![by_id(id), by_id(Uuid::from_u128(9))]));
            let reply = client.call(version, &request);
            assert_eq!(reply.topics[0].name.as_ref().unwrap().to_string(), fresh);
            assert_eq!(reply.topics[1].error_code, code(ErrorCode::UnknownTopicId));
        }
    }
}

#[test]
fn create_topics() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    for version in 2..=7 {
        let topic = |n: &str, partitions, factor| {
            CreatableTopic::default()
                .with_name(name(n))
                .with_num_partitions(partitions)
                .with_replication_factor(factor)
        };
        let made = format!("made-{version}");
        let config = |n: &'static str, v: &'static str| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(n))
                .with_value(Some(StrBytes::from_static_str(v)))
        };
        let topics = vec![
            topic(&made, 2, 1)
                .with_configs(vec![config("retention.ms", "1000"), config("durability", "relaxed")]),
            topic("none", 0, 1),
            topic("many", 1, 2),
            topic("odd", 1, 1).with_configs(vec![config("no.such.setting", "1")]),
            topic("twice", 1, 1),
            topic("twice", 1, 1),
            topic(".", 1, 1),
        ];
        let reply =
            client.call(version, &CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(5000));
        let codes: Vec<_> = reply.topics.iter().map(|t| (t.name.to_string(), t.error_code)).collect();
        let expect = |n: &str, e: ErrorCode| (n.to_owned(), code(e));
        assert_eq!(
            codes,
            [
                expect(&made, ErrorCode::None),
                expect("none", ErrorCode::InvalidPartitions),
                expect("many", ErrorCode::InvalidReplicationFactor),
                expect("odd", ErrorCode::InvalidConfig),
                expect("twice", ErrorCode::InvalidRequest),
                expect(".", ErrorCode::InvalidTopicException),
            ]
        );
        if version >= 5 {
            let made = &reply.topics[0];
            assert_eq!((made.num_partitions, made.replication_factor), (2, 1));
            let configs = made.configs.as_ref().unwrap();
            let retention = configs.iter().find(|c| &*c.name == "retention.ms").unwrap();
            assert_eq!((retention.value.as_deref(), retention.config_source), (Some("1000"), 1));
            assert!(configs.len() > 25, "all settings are described, not {}", configs.len());
        }
        let again = CreateTopicsRequest::default().with_topics(vec![topic(&made, 2, 1)]);
        assert_eq!(client.call(version, &again).topics[0].error_code, code(ErrorCode::TopicAlreadyExists));

        let dry =
            CreateTopicsRequest::default().with_topics(vec![topic("dry", 1, 1)]).with_validate_only(true);
        assert_eq!(client.call(version, &dry).topics[0].error_code, 0, "dry runs leave nothing behind");
    }
}

#[test]
fn produce_and_fetch_in_every_version() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let id = create(&mut client, "t", 1);
    for version in 3..=13 {
        let expected_base = i64::from(version - 3) * 2;
        assert_eq!(produce(&mut client, version, "t", id, batch(1000, &["a", "b"])), (0, expected_base));

        let mut torn = batch(1000, &["x"]).to_vec();
        *torn.last_mut().unwrap() ^= 1;
        assert_eq!(produce(&mut client, version, "t", id, torn.into()).0, code(ErrorCode::CorruptMessage));

        let unknown =
            if version >= 13 { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        assert_eq!(
            produce(&mut client, version, "gone", Uuid::from_u128(5), batch(1, &["x"])).0,
            code(unknown)
        );
    }
    let written = 11 * batch(1000, &["a", "b"]).len();
    for version in 4..=18 {
        let reply = client.call(version, &fetch_request(version, "t", id, 0, 0));
        let partition = &reply.responses[0].partitions[0];
        assert_eq!(
            (partition.error_code, partition.high_watermark, partition.last_stable_offset),
            (0, 22, 22)
        );
        assert_eq!(partition.records.as_ref().unwrap().len(), written);

        // From the middle of a batch the whole batch comes.
        let reply = client.call(version, &fetch_request(version, "t", id, 21, 0));
        assert_eq!(reply.responses[0].partitions[0].records.as_ref().unwrap().len(), written / 11);

        let reply = client.call(version, &fetch_request(version, "t", id, 23, 0));
        assert_eq!(reply.responses[0].partitions[0].error_code, code(ErrorCode::OffsetOutOfRange));

        let unknown =
            if version >= 13 { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let reply = client.call(version, &fetch_request(version, "gone", Uuid::from_u128(5), 0, 0));
        assert_eq!(reply.responses[0].partitions[0].error_code, code(unknown));

        if version >= 7 {
            let mut request = fetch_request(version, "t", id, 0, 0);
            (request.session_id, request.session_epoch) = (77, 3);
            assert_eq!(client.call(version, &request).error_code, code(ErrorCode::FetchSessionIdNotFound));
        }
        if version >= 9 {
            let mut request = fetch_request(version, "t", id, 0, 0);
            request.topics[0].partitions[0].current_leader_epoch = 9;
            let reply = client.call(version, &request);
            assert_eq!(reply.responses[0].partitions[0].error_code, code(ErrorCode::UnknownLeaderEpoch));
        }
    }
}

#[test]
fn wrong_acks_are_refused() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t", 1);
    let data = PartitionProduceData::default().with_records(Some(batch(1, &["a"])));
    let topic = TopicProduceData::default().with_name(name("t")).with_partition_data(vec![data]);
    let reply = client.call(9, &ProduceRequest::default().with_acks(2).with_topic_data(vec![topic]));
    assert_eq!(reply.responses[0].partition_responses[0].error_code, code(ErrorCode::InvalidRequiredAcks));
}

#[test]
fn list_offsets_in_every_version() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let id = create(&mut client, "t", 1);
    // Times 1000, 1001, 1002, then 500.
    produce(&mut client, 13, "t", id, batch(1000, &["a", "b", "c"]));
    produce(&mut client, 13, "t", id, batch(500, &["d"]));
    let ask = |client: &mut Client, version: i16, timestamp: i64| {
        let partition =
            ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
        let topic = ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let reply = client.call(version, &request);
        let p = &reply.topics[0].partitions[0];
        (p.error_code, p.offset, p.timestamp)
    };
    for version in 1..=11 {
        assert_eq!(ask(&mut client, version, -1), (0, 4, -1), "latest");
        assert_eq!(ask(&mut client, version, -2), (0, 0, -1), "earliest");
        assert_eq!(ask(&mut client, version, 1001), (0, 1, 1001), "down to the record");
        assert_eq!(ask(&mut client, version, 2000), (0, -1, -1), "behind every record");
        let unsupported = (code(ErrorCode::UnsupportedVersion), -1, -1);
        let from = |first: i16, answer| if version >= first { answer } else { unsupported };
        assert_eq!(ask(&mut client, version, -3), from(7, (0, 2, 1002)), "greatest time, version {version}");
        assert_eq!(ask(&mut client, version, -4), from(8, (0, 0, -1)), "earliest local");
        assert_eq!(ask(&mut client, version, -5), from(9, (0, -1, -1)), "latest tiered");
        assert_eq!(ask(&mut client, version, -6), from(11, (0, -1, -1)), "earliest pending upload");
    }
}

#[test]
fn delete_topics_by_name_and_id() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    for version in 1..=6 {
        let id = create(&mut client, "doomed", 1);
        produce(&mut client, 13, "doomed", id, batch(1, &["x"]));
        let doomed = |n: &str| DeleteTopicState::default().with_name(Some(name(n)));
        let request = if version >= 6 {
            let by_id = DeleteTopicState::default().with_name(None).with_topic_id(id);
            DeleteTopicsRequest::default().with_topics(vec![by_id, doomed("nobody")])
        } else {
            DeleteTopicsRequest::default().with_topic_names(vec![name("doomed"), name("nobody")])
        };
        let reply = client.call(version, &request);
        let codes: Vec<_> = reply.responses.iter().map(|r| r.error_code).collect();
        assert_eq!(codes, [0, code(ErrorCode::UnknownTopicOrPartition)], "version {version}");
        // The name is free at once, and the old id is gone.
        assert_eq!(
            produce(&mut client, 13, "doomed", id, batch(1, &["x"])).0,
            code(ErrorCode::UnknownTopicId)
        );
        assert!(!dir.path().join("doomed-0").exists());
    }
}

#[test]
fn producer_ids_are_never_handed_out_twice() {
    let dir = TestDir::new();
    let mut seen = std::collections::BTreeSet::new();
    for _life in 0..3 {
        let broker = Broker::start(&dir, &[]);
        let mut client = broker.client();
        for version in 0..=5 {
            let mut request = InitProducerIdRequest::default().with_transactional_id(None);
            (request.producer_id, request.producer_epoch) = ((-1).into(), -1);
            let reply = client.call(version, &request);
            assert_eq!((reply.error_code, reply.producer_epoch), (0, 0));
            assert!(seen.insert(reply.producer_id.0), "{} came twice", reply.producer_id.0);
        }
        let id = TransactionalId(StrBytes::from_static_str("tx"));
        let reply = client.call(4, &InitProducerIdRequest::default().with_transactional_id(Some(id)));
        assert_eq!(reply.error_code, code(ErrorCode::CoordinatorNotAvailable));
    }
}

#[test]
fn describe_cluster() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["node.id=0", "cluster.id=abc"]);
    let mut client = broker.client();
    for version in 0..=2 {
        let reply = client.call(
            version,
            &DescribeClusterRequest::default().with_include_cluster_authorized_operations(true),
        );
        assert_eq!((reply.error_code, reply.controller_id.0, &*reply.cluster_id), (0, 0, "abc"));
        assert_eq!((reply.brokers.len(), reply.brokers[0].port), (1, i32::from(broker.port())));
        if version >= 1 {
            let controllers = DescribeClusterRequest::default().with_endpoint_type(2);
            assert_eq!(
                client.call(version, &controllers).error_code,
                code(ErrorCode::MismatchedEndpointType)
            );
        }
    }
}

#[test]
fn the_metadata_log_cannot_be_taken_over() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let taken = name("__cluster_metadata");
    let topic =
        CreatableTopic::default().with_name(taken.clone()).with_num_partitions(1).with_replication_factor(1);
    let reply = client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]));
    assert_eq!(reply.topics[0].error_code, code(ErrorCode::InvalidRequest));
    let ask = MetadataRequestTopic::default().with_name(Some(taken));
    let reply = client.call(12, &MetadataRequest::default().with_topics(Some(vec![ask])));
    assert_eq!(reply.topics[0].error_code, code(ErrorCode::InvalidTopicException));
    assert_eq!(fetched_error(&mut client, "__cluster_metadata"), code(ErrorCode::UnknownTopicOrPartition));
}

fn fetched_error(client: &mut Client, topic: &str) -> i16 {
    client.call(12, &fetch_request(12, topic, Uuid::nil(), 0, 0)).responses[0].partitions[0].error_code
}

#[test]
fn a_topic_is_answered_once_however_often_it_is_asked_for() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    create(&mut client, "t", 100);
    let ask = MetadataRequestTopic::default().with_name(Some(name("t")));
    let reply = client.call(12, &MetadataRequest::default().with_topics(Some(vec![ask; 50_000])));
    assert_eq!((reply.topics.len(), reply.topics[0].partitions.len()), (1, 100));
}

#[test]
fn long_names_come_back_cut() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    for version in 2..=7 {
        let long = StrBytes::from_string("é".repeat(16_000));
        let config = CreatableTopicConfig::default().with_name(long.clone()).with_value(Some(long));
        let topic =
            CreatableTopic::default().with_name(name("t")).with_num_partitions(1).with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic.with_configs(vec![config])]);
        let reply = client.call(version, &request);
        assert_eq!(reply.topics[0].error_code, code(ErrorCode::InvalidConfig));
        assert!(reply.topics[0].error_message.as_ref().unwrap().len() <= 1024);
    }
}

#[test]
fn what_a_request_deletes_twice_is_not_deleted() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let id = create(&mut client, "t", 1);
    let by_name = DeleteTopicState::default().with_name(Some(name("t")));
    let by_id = DeleteTopicState::default().with_name(None).with_topic_id(id);
    let neither = DeleteTopicState::default().with_name(None);
    for topics in [vec![by_name.clone(), by_name.clone()], vec![by_name.clone(), by_id], vec![neither]] {
        let reply = client.call(6, &DeleteTopicsRequest::default().with_topics(topics));
        assert!(reply.responses.iter().all(|r| r.error_code == code(ErrorCode::InvalidRequest)), "{reply:?}");
    }
    assert_eq!(
        client.call(6, &DeleteTopicsRequest::default().with_topics(vec![by_name])).responses[0].error_code,
        0
    );
}

#[test]
fn one_request_does_not_create_partitions_without_bounds() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let topic = |n: &str| {
        CreatableTopic::default().with_name(name(n)).with_num_partitions(6_000).with_replication_factor(1)
    };
    let reply =
        broker.client().call(7, &CreateTopicsRequest::default().with_topics(vec![topic("a"), topic("b")]));
    assert!(reply.topics.iter().all(|t| t.error_code == code(ErrorCode::PolicyViolation)), "{reply:?}");
}

/// A producer that creates the topic anew while the old one's directories go must not lose a record with them.
#[test]
fn a_topic_made_anew_while_the_old_one_goes_keeps_its_records() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["num.partitions=30"]);
    let mut admin = broker.client();
    let mut client = broker.client();
    for round in 0..5 {
        let old = create(&mut admin, "t", 30);
        produce(&mut admin, 13, "t", old, batch(1, &["old"]));
        let doomed = DeleteTopicState::default().with_name(Some(name("t")));
        admin.send(6, &DeleteTopicsRequest::default().with_topics(vec![doomed.clone()]));
        let fresh = loop {
            let ask = MetadataRequestTopic::default().with_name(Some(name("t")));
            let request = MetadataRequest::default().with_topics(Some(vec![ask]));
            let topic = client.call(12, &request.with_allow_auto_topic_creation(true)).topics.remove(0);
            if topic.error_code == 0 && topic.topic_id != old {
                break topic.topic_id;
            }
        };
        assert_eq!(produce(&mut client, 13, "t", fresh, batch(1, &["new"])), (0, 0), "round {round}");
        assert_eq!(admin.receive::<DeleteTopicsRequest>(6).responses[0].error_code, 0);
        let reply = client.call(13, &fetch_request(13, "t", fresh, 0, 0));
        let partition = &reply.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, 1), "round {round}");
        let reply = client.call(6, &DeleteTopicsRequest::default().with_topics(vec![doomed]));
        assert_eq!(reply.responses[0].error_code, 0);
    }
    let left: Vec<_> = left_behind(&dir);
    assert!(left.is_empty(), "{left:?}");
}

#[expect(clippy::disallowed_methods, reason = "a look at what the broker left on the disk")]
fn left_behind(dir: &TestDir) -> Vec<String> {
    let names = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| n.ends_with("-stray")).collect()
}
