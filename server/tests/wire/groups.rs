//! Groups over a real socket: every API of theirs in every version, and what a restart leaves.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use protocol_compat::ErrorCode;
use protocol_compat::messages::join_group_request::JoinGroupRequestProtocol;
use protocol_compat::messages::leave_group_request::MemberIdentity;
use protocol_compat::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol_compat::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol_compat::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol_compat::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir};

/// A first rebalance that waits for nobody else.
const NO_DELAY: &str = "group.initial.rebalance.delay.ms=0";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

pub(super) fn find(client: &mut Client, version: i16, id: &str) -> i16 {
    let request = match version {
        4.. => FindCoordinatorRequest::default().with_coordinator_keys(vec![text(id)]),
        _ => FindCoordinatorRequest::default().with_key(text(id)),
    };
    let reply = client.call(version, &request);
    match version {
        4.. => reply.coordinators[0].error_code,
        _ => reply.error_code,
    }
}

fn make_topic(client: &mut Client, name: &str) {
    let topic = create_topics_request::CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(2)
        .with_replication_factor(1);
    let reply =
        client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000));
    assert_eq!(reply.topics[0].error_code, 0);
}

fn topic_id(client: &mut Client, name: &str) -> Uuid {
    let topic = metadata_request::MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
    client.call(12, &MetadataRequest::default().with_topics(Some(vec![topic]))).topics[0].topic_id
}

fn join_request(id: &str, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"meta"));
    JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_member_id(text(member))
        .with_group_instance_id(None)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

/// Joins, however often it takes.
fn join(client: &mut Client, version: i16, id: &str) -> JoinGroupResponse {
    let reply = client.call(version, &join_request(id, ""));
    if reply.error_code != ErrorCode::MemberIdRequired.code() {
        return reply;
    }
    assert!(version >= 4);
    client.call(version, &join_request(id, &reply.member_id))
}

fn sync(client: &mut Client, version: i16, id: &str, joined: &JoinGroupResponse) -> SyncGroupResponse {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(b"all"));
    let request = SyncGroupRequest::default()
        .with_group_id(group(id))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_group_instance_id(None)
        .with_protocol_type((version >= 5).then(|| text("consumer")))
        .with_protocol_name((version >= 5).then(|| text("range")))
        .with_assignments(vec![assignment]);
    client.call(version, &request)
}

fn beat(client: &mut Client, version: i16, id: &str, joined: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group(id))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_group_instance_id(None);
    client.call(version, &request).error_code
}

fn leave(client: &mut Client, version: i16, id: &str, member: &StrBytes) -> i16 {
    let request = LeaveGroupRequest::default().with_group_id(group(id));
    let leaving = MemberIdentity::default().with_member_id(member.clone()).with_group_instance_id(None);
    let reply = match version {
        3.. => client.call(version, &request.with_members(vec![leaving])),
        _ => client.call(version, &request.with_member_id(member.clone())),
    };
    reply.error_code | reply.members.first().map_or(0, |member| member.error_code)
}

fn commit_request(id: &str, topic: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("note")));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_generation_id_or_member_epoch(-1)
        .with_group_instance_id(None)
        .with_topics(vec![topic])
}

pub(super) fn commit(
    client: &mut Client,
    version: i16,
    id: &str,
    topic: &str,
    partition: i32,
    offset: i64,
) -> i16 {
    let reply = client.call(version, &commit_request(id, topic, partition, offset));
    reply.topics[0].partitions[0].error_code
}

/// Partition 0 of a topic: offset, leader epoch, metadata.
fn fetch(client: &mut Client, version: i16, id: &str, topic: &str) -> (i64, i32, String) {
    let name = TopicName(text(topic));
    if version >= 8 {
        let topic = OffsetFetchRequestTopics::default().with_name(name).with_partition_indexes(vec![0]);
        let asked =
            OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(Some(vec![topic]));
        let reply = client.call(version, &OffsetFetchRequest::default().with_groups(vec![asked]));
        let found = &reply.groups[0].topics[0].partitions[0];
        assert_eq!((reply.groups[0].error_code, found.error_code), (0, 0));
        return (
            found.committed_offset,
            found.committed_leader_epoch,
            found.metadata.as_ref().unwrap().to_string(),
        );
    }
    let topic = OffsetFetchRequestTopic::default().with_name(name).with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default().with_group_id(group(id)).with_topics(Some(vec![topic]));
    let reply = client.call(version, &request);
    let found = &reply.topics[0].partitions[0];
    assert_eq!((reply.error_code, found.error_code), (0, 0));
    (found.committed_offset, found.committed_leader_epoch, found.metadata.as_ref().unwrap().to_string())
}

#[test]
fn a_group_lives_in_every_version() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[NO_DELAY]);
    let mut client = broker.client();
    // Without the topic there is no coordinator to talk to.
    let early = beat(&mut client, 4, "g", &JoinGroupResponse::default());
    assert_eq!(early, ErrorCode::NotCoordinator.code());
    for version in 0..=6 {
        assert_eq!(find(&mut client, version, "g"), 0, "FindCoordinator {version}");
    }
    for version in 0..=9 {
        let id = format!("group-{version}");
        let joined = join(&mut client, version, &id);
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "JoinGroup {version}");
        assert_eq!((&joined.leader, joined.members.len()), (&joined.member_id, 1));
        let synced = sync(&mut client, version.min(5), &id, &joined);
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]), "SyncGroup {version}");
        assert_eq!(beat(&mut client, version.min(4), &id, &joined), 0, "Heartbeat {version}");
        let described = client.call(
            version.min(6),
            &DescribeGroupsRequest::default().with_groups(vec![group(&id), group("none")]),
        );
        let (ours, none) = (&described.groups[0], &described.groups[1]);
        assert_eq!((&*ours.group_state, &*ours.protocol_data, ours.members.len()), ("Stable", "range", 1));
        assert_eq!(&*ours.members[0].client_host, "/127.0.0.1");
        let unknown = if version >= 6 { ErrorCode::GroupIdNotFound.code() } else { 0 };
        assert_eq!((&*none.group_state, none.error_code), ("Dead", unknown));
        let listed = client.call(version.min(5), &ListGroupsRequest::default());
        assert!(listed.groups.iter().any(|g| *g.group_id.0 == *id), "ListGroups {version}");
        let delete = DeleteGroupsRequest::default().with_groups_names(vec![group(&id)]);
        let full = client.call(version.min(2), &delete).results[0].error_code;
        assert_eq!(full, ErrorCode::NonEmptyGroup.code());
        assert_eq!(leave(&mut client, version.min(5), &id, &joined.member_id), 0, "LeaveGroup {version}");
        let again = leave(&mut client, version.min(5), &id, &joined.member_id);
        assert_eq!(again, ErrorCode::UnknownMemberId.code());
        assert_eq!(client.call(version.min(2), &delete).results[0].error_code, 0, "DeleteGroups {version}");
    }
    assert_eq!(client.call(5, &ListGroupsRequest::default()).groups.len(), 0);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
fn offsets_in_every_version_and_after_a_restart() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    make_topic(&mut client, "t");
    assert_eq!(find(&mut client, 6, "g"), 0);
    for version in 2..=9 {
        assert_eq!(
            commit(&mut client, version, "g", "t", 0, i64::from(version)),
            0,
            "OffsetCommit {version}"
        );
        for fetching in 1..=9 {
            let found = fetch(&mut client, fetching, "g", "t");
            assert_eq!(found, (i64::from(version), -1, "note".to_owned()), "OffsetFetch {fetching}");
        }
    }
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(commit(&mut client, 9, "g", "none", 0, 1), unknown);
    assert_eq!(commit(&mut client, 9, "g", "t", 7, 1), unknown);
    assert_eq!(fetch(&mut client, 9, "g", "none"), (-1, -1, String::new()));
    assert_eq!(fetch(&mut client, 9, "stranger", "t"), (-1, -1, String::new()));
    drop(client);
    drop(broker);
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let all = OffsetFetchRequestGroup::default().with_group_id(group("g")).with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(vec![all]).with_require_stable(true);
    // The log may still be being read.
    let deadline = Instant::now() + Duration::from_secs(20);
    let reply = loop {
        let reply = client.call(9, &request);
        if reply.groups[0].error_code != ErrorCode::CoordinatorLoadInProgress.code() {
            break reply;
        }
        assert!(Instant::now() < deadline, "still loading");
    };
    let topics = &reply.groups[0].topics;
    assert_eq!((topics.len(), &*topics[0].name.0, topics[0].partitions[0].committed_offset), (1, "t", 9));
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
    let topic =
        OffsetDeleteRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    let delete = OffsetDeleteRequest::default().with_group_id(group("g")).with_topics(vec![topic]);
    let deleted = client.call(0, &delete);
    assert_eq!((deleted.error_code, deleted.topics[0].partitions[0].error_code), (0, 0));
    assert_eq!(fetch(&mut client, 9, "g", "t").0, -1);
}

/// A flexible request body by hand: the codec stops before version 10.
struct Body(BytesMut);

impl Body {
    fn text(mut self, text: &str) -> Self {
        self.0.put_u8(text.len() as u8 + 1);
        self.0.put_slice(text.as_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.put_slice(bytes);
        self
    }
}

fn commit_by_id(client: &mut Client, id: Uuid, offset: i64) -> OffsetCommitResponse {
    let body = Body(BytesMut::new())
        .text("g")
        .bytes(&(-1i32).to_be_bytes())
        .text("")
        .bytes(&[0, 2])
        .bytes(id.as_bytes())
        .bytes(&[2, 0, 0, 0, 0])
        .bytes(&offset.to_be_bytes())
        .bytes(&(-1i32).to_be_bytes())
        .text("by id")
        .bytes(&[0, 0, 0]);
    client.send_raw(8, 10, 77, &body.0);
    let (correlation_id, mut reply) = client.receive_raw().expect("a reply");
    assert_eq!((correlation_id, reply.split_to(1)[0]), (77, 0));
    OffsetCommitResponse::decode(&mut reply, 10).unwrap()
}

/// `None` asks for all topics.
fn fetch_by_id(client: &mut Client, id: Option<Uuid>) -> OffsetFetchResponse {
    let body = Body(BytesMut::new()).bytes(&[2]).text("g").bytes(&[0]).bytes(&(-1i32).to_be_bytes());
    let body = match id {
        None => body.bytes(&[0]),
        Some(id) => body.bytes(&[2]).bytes(id.as_bytes()).bytes(&[2, 0, 0, 0, 0, 0]),
    };
    client.send_raw(9, 10, 78, &body.bytes(&[0, 1, 0]).0);
    let (correlation_id, mut reply) = client.receive_raw().expect("a reply");
    assert_eq!((correlation_id, reply.split_to(1)[0]), (78, 0));
    OffsetFetchResponse::decode(&mut reply, 10).unwrap()
}

#[test]
fn offsets_by_topic_id_do_not_outlive_the_topic() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    make_topic(&mut client, "t");
    assert_eq!(find(&mut client, 6, "g"), 0);
    let id = topic_id(&mut client, "t");
    let committed = commit_by_id(&mut client, id, 42);
    assert_eq!((committed.topics[0].topic_id, committed.topics[0].partitions[0].error_code), (id, 0));
    let stranger = Uuid::from_bytes([7; 16]);
    let unknown = ErrorCode::UnknownTopicId.code();
    assert_eq!(commit_by_id(&mut client, stranger, 1).topics[0].partitions[0].error_code, unknown);
    let found = fetch_by_id(&mut client, Some(id));
    let topic = &found.groups[0].topics[0];
    assert_eq!((topic.topic_id, topic.partitions[0].committed_offset), (id, 42));
    assert_eq!(topic.partitions[0].metadata.as_deref(), Some("by id"));
    assert_eq!(
        fetch_by_id(&mut client, Some(stranger)).groups[0].topics[0].partitions[0].error_code,
        unknown
    );
    assert_eq!(fetch_by_id(&mut client, None).groups[0].topics[0].topic_id, id);
    let delete = DeleteTopicsRequest::default()
        .with_topics(vec![
            delete_topics_request::DeleteTopicState::default().with_name(None).with_topic_id(id),
        ])
        .with_timeout_ms(5000);
    assert_eq!(client.call(6, &delete).responses[0].error_code, 0);
    make_topic(&mut client, "t");
    assert_eq!(fetch(&mut client, 9, "g", "t"), (-1, -1, String::new()));
    assert_eq!(fetch_by_id(&mut client, None).groups[0].topics.len(), 0);
}

#[test]
fn the_offsets_topic_is_as_kafkas() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["log.durability=relaxed", "num.partitions=3"]);
    let mut client = broker.client();
    assert_eq!(find(&mut client, 6, "g"), 0);
    let image = broker.services().controller.seen().image.clone();
    let topic = image.topic("__consumer_offsets").unwrap();
    assert_eq!((topic.partitions, topic.configs["cleanup.policy"].as_str()), (50, "compact"));
    assert_eq!(topic.configs["segment.bytes"], "104857600");
    let partition = broker.services().partitions.get(topic, 12).unwrap();
    assert_eq!(partition.log.durability(), storage::Durability::Durable);
    assert_eq!(partition.config().durability, storage::Durability::Durable);
    // `my-group` is the one whose partition everybody knows.
    make_topic(&mut client, "t");
    assert_eq!(commit(&mut client, 9, "my-group", "t", 0, 1), 0);
    assert_eq!(partition.log.high_watermark().0, 1);
}

#[test]
fn groups_that_are_refused() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[NO_DELAY]);
    let mut client = broker.client();
    assert_eq!(find(&mut client, 6, "g"), 0);
    let refused = |client: &mut Client, request: JoinGroupRequest| client.call(9, &request).error_code;
    assert_eq!(refused(&mut client, join_request("", "")), ErrorCode::InvalidGroupId.code());
    let short = join_request("g", "").with_session_timeout_ms(5999);
    assert_eq!(refused(&mut client, short), ErrorCode::InvalidSessionTimeout.code());
    let long = join_request("g", "").with_session_timeout_ms(1_800_001);
    assert_eq!(refused(&mut client, long), ErrorCode::InvalidSessionTimeout.code());
    assert_eq!(refused(&mut client, join_request("g", "nobody")), ErrorCode::UnknownMemberId.code());
    let without = SyncGroupRequest::default().with_group_id(group("g")).with_protocol_type(None);
    assert_eq!(client.call(5, &without).error_code, ErrorCode::InconsistentGroupProtocol.code());
    for (kind, code) in [(1, ErrorCode::CoordinatorNotAvailable), (2, ErrorCode::InvalidRequest)] {
        let ask =
            FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text("x")]);
        let found = &client.call(6, &ask).coordinators[0];
        assert_eq!((found.error_code, found.node_id.0, found.port), (code.code(), -1, -1));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the deadline of a test")]
fn a_stop_does_not_wait_for_members_that_wait() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["group.initial.rebalance.delay.ms=600000"]);
    let mut client = broker.client();
    assert_eq!(find(&mut client, 6, "g"), 0);
    client.send(3, &join_request("g", ""));
    // The broker answers what it has read when it is told to stop, and nothing else.
    let mut other = broker.client();
    let asked = DescribeGroupsRequest::default().with_groups(vec![group("g")]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while &*other.call(5, &asked).groups[0].group_state != "PreparingRebalance" {
        assert!(Instant::now() < deadline, "the member has not arrived");
    }
    drop(broker);
    let reply = client.receive::<JoinGroupRequest>(3);
    assert_eq!(reply.error_code, ErrorCode::NotCoordinator.code());
}
