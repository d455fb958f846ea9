//! Groups of the KIP-848 protocol over a real socket: every version, every refusal, and what a restart leaves.

use protocol_compat::ErrorCode;
use protocol_compat::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol_compat::messages::*;

use super::harness::{Broker, Client, TestDir};

const TIMEOUT_MS: i32 = 60_000;
const LEAVES: i32 = -1;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

fn start(dir: &TestDir) -> (Broker, Client) {
    let broker = Broker::start(dir, &[]);
    let mut client = broker.client();
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]);
    assert_eq!(client.call(6, &find).coordinators[0].error_code, 0);
    (broker, client)
}

fn make_topic(client: &mut Client, name: &str) -> Uuid {
    let topic = create_topics_request::CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(2)
        .with_replication_factor(1);
    let reply =
        client.call(7, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000));
    assert_eq!(reply.topics[0].error_code, 0);
    reply.topics[0].topic_id
}

fn joining(id: &str, member: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(id))
        .with_member_id(text(member))
        .with_member_epoch(0)
        .with_rebalance_timeout_ms(TIMEOUT_MS)
        .with_subscribed_topic_names(Some(vec![TopicName(text("logs"))]))
        .with_topic_partitions(Some(Vec::new()))
}

fn beating(id: &str, member: &StrBytes, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group(id))
        .with_member_id(member.clone())
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None)
}

#[test]
fn from_joining_to_leaving_in_every_version() {
    let dir = TestDir::new();
    let (mut broker, mut client) = start(&dir);
    let topic = make_topic(&mut client, "logs");
    for version in 0..=1 {
        let id = format!("g{version}");
        // From version 1 on the client makes the id.
        let joined = client.call(version, &joining(&id, if version == 0 { "" } else { "m" }));
        assert_eq!((joined.error_code, joined.member_epoch, joined.heartbeat_interval_ms), (0, 2, 5000));
        let member = joined.member_id.unwrap();
        assert!(!member.is_empty());
        let assigned = &joined.assignment.unwrap().topic_partitions[0];
        assert_eq!((assigned.topic_id, &assigned.partitions[..]), (topic, &[0, 1][..]));
        let beaten = client.call(version, &beating(&id, &member, 2));
        assert_eq!((beaten.error_code, beaten.member_epoch, beaten.assignment), (0, 2, None));

        let ask = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group(&id), group("none")]);
        let reply = client.call(version, &ask);
        let (ours, none) = (&reply.groups[0], &reply.groups[1]);
        assert_eq!(none.error_code, ErrorCode::GroupIdNotFound.code());
        assert_eq!((ours.error_code, &*ours.group_state, &*ours.assignor_name), (0, "Stable", "uniform"));
        assert_eq!((ours.group_epoch, ours.assignment_epoch, ours.members.len()), (2, 2, 1));
        let shown = &ours.members[0];
        assert_eq!((&shown.member_id, shown.member_epoch), (&member, 2));
        assert_eq!(shown.member_type, if version == 0 { -1 } else { 1 });
        assert_eq!(&*shown.assignment.topic_partitions[0].topic_name.0, "logs");
        assert_eq!(shown.assignment, shown.target_assignment);

        // A restart interrupts nothing.
        drop((broker, client));
        (broker, client) = start(&dir);
        let beaten = loop {
            let beaten = client.call(version, &beating(&id, &member, 2));
            if beaten.error_code != ErrorCode::CoordinatorLoadInProgress.code() {
                break beaten;
            }
        };
        assert_eq!((beaten.error_code, beaten.member_epoch), (0, 2));

        let fetch = |member: &StrBytes, epoch| {
            let asked = OffsetFetchRequestGroup::default().with_group_id(group(&id)).with_topics(None);
            let asked = asked.with_member_id(Some(member.clone())).with_member_epoch(epoch);
            OffsetFetchRequest::default().with_groups(vec![asked])
        };
        let mut code = |member, epoch| client.call(9, &fetch(member, epoch)).groups[0].error_code;
        assert_eq!(code(&member, 2), 0);
        assert_eq!(code(&member, 3), ErrorCode::StaleMemberEpoch.code());
        assert_eq!(code(&text("stranger"), 1), ErrorCode::UnknownMemberId.code());

        let left = client.call(version, &beating(&id, &member, LEAVES));
        assert_eq!((left.error_code, left.member_epoch), (0, LEAVES));
        let again = client.call(version, &beating(&id, &member, 2));
        assert_eq!(again.error_code, ErrorCode::UnknownMemberId.code());
        let listed = client.call(5, &ListGroupsRequest::default().with_types_filter(vec![text("Consumer")]));
        let listed = listed.groups.iter().find(|listed| *listed.group_id.0 == *id).unwrap();
        assert_eq!((&*listed.group_state, &*listed.group_type), ("Empty", "consumer"));
        let delete = DeleteGroupsRequest::default().with_groups_names(vec![group(&id)]);
        assert_eq!(client.call(2, &delete).results[0].error_code, 0);
    }
}

#[test]
fn what_is_refused() {
    let dir = TestDir::new();
    let (_broker, mut client) = start(&dir);
    make_topic(&mut client, "logs");
    let invalid = ErrorCode::InvalidRequest;
    let fixed = |id: &str| joining("g", "a").with_instance_id(Some(text(id)));
    let in_group = |epoch| beating("g", &text("m"), epoch);
    for (request, expected) in [
        (joining("", "m"), invalid),
        (joining("g", ""), invalid),
        (fixed(""), invalid),
        (joining("g", "m").with_rack_id(Some(text(""))), invalid),
        (joining("g", "m").with_rebalance_timeout_ms(-1), invalid),
        (joining("g", "m").with_topic_partitions(None), invalid),
        (joining("g", "m").with_subscribed_topic_names(None), invalid),
        (in_group(-3), invalid),
        // Only an instance leaves for now.
        (in_group(-2), invalid),
        (joining("g", "m").with_server_assignor(Some(text("mine"))), ErrorCode::UnsupportedAssignor),
        (joining("g", "m").with_subscribed_topic_regex(Some(text("("))), ErrorCode::InvalidRegularExpression),
        (in_group(1), ErrorCode::GroupIdNotFound),
        (joining("g", "m"), ErrorCode::None),
        (in_group(7), ErrorCode::FencedMemberEpoch),
        (beating("g", &text("x"), 1), ErrorCode::UnknownMemberId),
        (fixed("i"), ErrorCode::None),
        (fixed("i").with_member_id(text("b")), ErrorCode::UnreleasedInstanceId),
        (beating("g", &text("b"), 1).with_instance_id(Some(text("i"))), ErrorCode::FencedInstanceId),
        (beating("g", &text("b"), 1).with_instance_id(Some(text("j"))), ErrorCode::UnknownMemberId),
    ] {
        let reply = client.call(1, &request);
        assert_eq!(ErrorCode::from_code(reply.error_code), Some(expected), "{request:?}");
        assert_eq!(reply.error_message.is_some(), expected != ErrorCode::None);
    }
}
