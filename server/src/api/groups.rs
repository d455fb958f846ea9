//! What the APIs of groups share: from a request to the shard of its group, and from an answer to a reply.

use std::sync::Arc;

use bytes::Bytes;
use protocol_compat::ErrorCode;
use protocol_compat::messages::{StrBytes, Uuid};
use storage::TopicId;

use super::error::ToCode;
use super::{Cx, Then};
use crate::cluster::Topic;
use crate::coordinator::GroupShard;
use crate::coordinator::group::{As, GroupError, Op, Reply};
use crate::coordinator::shard::{Pending, ShardError};

/// Tells a member from others with the same client id; the rest of the room is the client id's.
const MEMBER_ID_BYTES_MAX: usize = 32_000;

pub(super) fn shard(cx: &Cx, group: &str) -> Result<GroupShard, ShardError> {
    let broker = &cx.broker;
    broker.groups.shard(&broker.partitions, &cx.seen.image, group)
}

/// Decides on a request about one group.
pub(super) fn write(cx: &Cx, group: &str, op: Op) -> Pending<Reply> {
    match shard(cx, group) {
        Ok(shard) => shard.write(Op::Seeing(cx.seen.image.clone(), Box::new(op))),
        Err(error) => Pending::failed(error),
    }
}

/// The reply, at once if the answer is there.
pub(super) fn then<R: Send + 'static, S: Send + 'static>(
    pending: Pending<R>,
    reply: impl FnOnce(Result<R, ShardError>) -> S + Send + 'static,
) -> Then<S> {
    match pending {
        Pending::Now(result) => Then::Now(reply(result)),
        Pending::Later(wait) => Then::later(async move { reply(wait.await) }),
    }
}

/// An answer of a kind that the machine does not give to this request: a bug of ours.
pub(super) fn mismatch(reply: &Reply) -> ! {
    unreachable!("a group answers with {reply:?}")
}

pub(super) fn code(outcome: Result<(), GroupError>) -> i16 {
    outcome.err().map_or(0, |error| error.code().code())
}

/// A copy that does not keep the frame it came in.
pub(super) fn arc(text: &str) -> Arc<str> {
    text.into()
}

pub(super) fn arc_or_none(text: &Option<StrBytes>) -> Option<Arc<str>> {
    text.as_deref().map(Into::into)
}

pub(super) fn copied(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn text_or_none(given: &Option<Arc<str>>) -> Option<StrBytes> {
    given.as_deref().map(text)
}

pub(super) fn who(member: &StrBytes, instance: &Option<StrBytes>, generation: i32) -> As {
    As { member: arc(member), instance: arc_or_none(instance), generation }
}

/// An id for a member that has none, as Kafka makes it: what it calls itself, and what nobody else has.
pub(super) fn new_member_id(cx: &Cx, instance: &Option<StrBytes>) -> Arc<str> {
    let name: &str = instance.as_ref().unwrap_or(&cx.client_id);
    let name = &name[..name.floor_char_boundary(MEMBER_ID_BYTES_MAX)];
    let mut random = [0; 16];
    cx.broker.env.random.fill(&mut random);
    // Version 4 of a UUID, which is what Kafka's ids end with.
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    format!("{name}-{}", Uuid::from_bytes(random).hyphenated()).into()
}

/// The topic that a request names, by its id where it has one.
pub(super) fn topic_of<'a>(cx: &'a Cx, name: &str, id: Uuid, by_id: bool) -> Option<&'a Arc<Topic>> {
    if by_id { cx.seen.image.topic_by_id(TopicId(id.into_bytes())) } else { cx.seen.image.topic(name) }
}

/// What is said of a topic that is not there.
pub(super) fn unknown_topic(by_id: bool) -> ErrorCode {
    if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition }
}
