//! ConsumerGroupDescribe (key 69), versions 0–1: groups of the KIP-848 protocol, with what each member has and is to have.
//!
//! - 1 (KIP-1099): which protocol each member follows.
//!
//! A classic group is not found here, as in Kafka. Partitions of topics that are gone are left out.

use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use protocol_compat::messages::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId, StrBytes, TopicName, Uuid,
};

use super::error::ToCode;
use super::groups::{self, arc, text};
use super::{Api, Cx, Then};
use crate::cluster::Image;
use crate::cluster::feature::GROUP_VERSION;
use crate::coordinator::group::GroupError;
use crate::coordinator::group::consumer::{DescribedConsumer, DescribedConsumerMember};
use crate::coordinator::records::Partitions;
use crate::coordinator::shard::{Pending, ShardError};
use crate::security::{Operation, Resource};

pub(super) struct ConsumerGroupDescribe;

const MEMBER_TYPE_FROM: i16 = 1;
const CLASSIC_MEMBER: i8 = 0;
const CONSUMER_MEMBER: i8 = 1;
/// What stands where no operations were asked for.
const NO_OPERATIONS: i32 = i32::MIN;

/// One group of the request: what may be done to it, or why it is not shown.
type Asked = (GroupId, Result<i32, ErrorCode>, Pending<Option<DescribedConsumer>>);

impl Api for ConsumerGroupDescribe {
    const KEY: i16 = ApiKey::ConsumerGroupDescribe as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    type Req = ConsumerGroupDescribeRequest;
    type Resp = ConsumerGroupDescribeResponse;

    fn codes(reply: &ConsumerGroupDescribeResponse) -> impl Iterator<Item = i16> {
        reply.groups.iter().map(|group| group.error_code)
    }

    fn begin(
        cx: &Cx,
        req: ConsumerGroupDescribeRequest,
        version: i16,
    ) -> Then<ConsumerGroupDescribeResponse> {
        let with_operations = req.include_authorized_operations;
        let asked: Vec<Asked> = req.group_ids.into_iter().map(|id| ask(cx, id, with_operations)).collect();
        let (image, broker, peer) = (cx.seen.image.clone(), cx.broker.clone(), cx.peer.clone());
        Then::later(async move {
            let may_see = |topic: &str| {
                broker.authorizer.allow(&peer.principal, Operation::Describe, Resource::Topic(topic))
            };
            let mut shown = Vec::with_capacity(asked.len());
            for (id, operations, pending) in asked {
                let group = match operations {
                    Ok(operations) => {
                        let group = show(pending.wait().await, id, &image, may_see, version);
                        // Nothing may be done to a group that is not shown.
                        let is_shown = group.error_code == 0;
                        if is_shown { group.with_authorized_operations(operations) } else { group }
                    }
                    // What is refused before the group is asked has no words.
                    Err(code) => failed(id, code, "").with_error_message(None),
                };
                shown.push(group);
            }
            ConsumerGroupDescribeResponse::default().with_groups(shown)
        })
    }
}

fn ask(cx: &Cx, id: GroupId, with_operations: bool) -> Asked {
    let refused = |id, code| (id, Err(code), Pending::Now(Ok(None)));
    if cx.seen.image.features().is_off(GROUP_VERSION) {
        return refused(id, ErrorCode::UnsupportedVersion);
    }
    if !cx.allow(Operation::Describe, Resource::Group(&id)) {
        return refused(id, ErrorCode::GroupAuthorizationFailed);
    }
    if id.is_empty() {
        return refused(id, GroupError::InvalidGroupId.code());
    }
    let operations = match with_operations {
        true => cx.allowed_operations(Resource::Group(&id)),
        false => NO_OPERATIONS,
    };
    let group: Arc<str> = arc(&id);
    let described = match groups::shard(cx, &group) {
        Ok(shard) => shard.read(|machine| machine.describe_consumer(&group)),
        Err(error) => Pending::failed(error),
    };
    (id, Ok(operations), described)
}

fn show(
    found: Result<Option<DescribedConsumer>, ShardError>,
    id: GroupId,
    image: &Image,
    may_see: impl Fn(&str) -> bool,
    version: i16,
) -> DescribedGroup {
    let group = match found {
        Ok(Some(group)) => group,
        Ok(None) => {
            let why = format!("Group {} is not a consumer group.", id.0);
            return failed(id, GroupError::GroupNotFound.code(), &why);
        }
        Err(error) => return failed(id, error.code(), &error.to_string()),
    };
    if !group.members.iter().flat_map(|member| &member.topics).all(|topic| may_see(topic)) {
        return failed(id, ErrorCode::TopicAuthorizationFailed, "a topic of the group may not be described");
    }
    DescribedGroup::default()
        .with_group_id(id)
        .with_error_message(None)
        .with_group_state(StrBytes::from_static_str(group.state))
        .with_group_epoch(group.epoch)
        .with_assignment_epoch(group.assignment_epoch)
        .with_assignor_name(StrBytes::from_static_str(group.assignor))
        .with_members(group.members.into_iter().map(|member| show_member(member, image, version)).collect())
}

fn show_member(member: DescribedConsumerMember, image: &Image, version: i16) -> Member {
    let kind = if member.is_classic { CLASSIC_MEMBER } else { CONSUMER_MEMBER };
    let text_or_none = |given: &Option<String>| given.as_deref().map(text);
    let shown = Member::default()
        .with_member_id(text(&member.id))
        .with_instance_id(text_or_none(&member.instance))
        .with_rack_id(text_or_none(&member.rack))
        .with_member_epoch(member.epoch)
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_subscribed_topic_names(member.topics.iter().map(|name| TopicName(text(name))).collect())
        // No pattern is an empty one to Kafka.
        .with_subscribed_topic_regex(Some(text(member.pattern.as_deref().unwrap_or_default())))
        .with_assignment(assignment(&member.assigned, image))
        .with_target_assignment(assignment(&member.target, image));
    if version >= MEMBER_TYPE_FROM { shown.with_member_type(kind) } else { shown }
}

fn assignment(partitions: &Partitions, image: &Image) -> Assignment {
    let mut topics = Vec::with_capacity(partitions.len());
    for (id, partitions) in partitions {
        let Some(topic) = image.topic_by_id(*id) else { continue };
        let shown = TopicPartitions::default()
            .with_topic_id(Uuid::from_bytes(id.0))
            .with_topic_name(TopicName(text(&topic.name)))
            .with_partitions(partitions.iter().copied().collect());
        topics.push(shown);
    }
    Assignment::default().with_topic_partitions(topics)
}

fn failed(id: GroupId, code: ErrorCode, why: &str) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(id)
        .with_error_code(code.code())
        .with_error_message(Some(text(why)))
        .with_authorized_operations(NO_OPERATIONS)
}
