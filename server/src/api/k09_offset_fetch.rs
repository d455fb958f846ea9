//! OffsetFetch (key 9), versions 1–10.
//!
//! - 2 (KIP-88): null topics ask for all; an error of the whole request. 5 (KIP-320): leader epochs. 6: flexible. 7
//!   (KIP-447): `require_stable`. 8 (KIP-709): many groups. 9 (KIP-848): member and epoch. 10: topics by their ids.
//!
//! What was never committed is -1 and no error, its metadata an empty text. As every answer of a coordinator this one
//! waits until what it shows is durable, so that nothing in it is unstable; without transactions `require_stable` asks
//! for nothing more.

use std::iter::once;
use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol_compat::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol_compat::messages::{ApiKey, OffsetFetchRequest, OffsetFetchResponse, TopicName, Uuid};
use protocol_compat::topic_ids::{BY_ID, OffsetFetch as AnyVersion};
use storage::TopicId;

use super::error::ToCode;
use super::groups::{self, arc, text, topic_of, unknown_topic};
use super::{Api, Cx, Then};
use crate::coordinator::group::{FetchedTopic, GroupError, TopicPartitions};
use crate::coordinator::records::Committed;
use crate::coordinator::shard::{Pending, ShardError};
use crate::security::{Operation, Resource};

pub(super) struct OffsetFetch;

/// The first version that asks for many groups.
const BATCHED_FROM: i16 = 8;
/// The first version in which members of groups with epochs say who they are.
const EPOCHS_FROM: i16 = 9;
/// The first version with an error of the whole request.
const ERROR_FROM: i16 = 2;

impl Api for OffsetFetch {
    const KEY: i16 = ApiKey::OffsetFetch as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=10;
    type Req = AnyVersion;
    type Resp = OffsetFetchResponse;

    fn codes(reply: &OffsetFetchResponse) -> impl Iterator<Item = i16> {
        let of_partitions = reply.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code);
        let of_group = |g: &OffsetFetchResponseGroup| {
            let of_partitions = g.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code);
            once(g.error_code).chain(of_partitions).collect::<Vec<_>>()
        };
        once(reply.error_code).chain(of_partitions).chain(reply.groups.iter().flat_map(of_group))
    }

    fn begin(cx: &Cx, AnyVersion(req): AnyVersion, version: i16) -> Then<OffsetFetchResponse> {
        if version >= BATCHED_FROM {
            let asked: Vec<_> = req.groups.into_iter().map(|group| ask(cx, group, version)).collect();
            return Then::later(async move {
                let mut groups = Vec::with_capacity(asked.len());
                for group in asked {
                    groups.push(group.answer().await);
                }
                OffsetFetchResponse::default().with_groups(groups)
            });
        }
        let (asked, group) = (req.topics.clone(), ask(cx, alone(req), version));
        Then::later(async move { single(group.answer().await, asked, version) })
    }
}

/// A request of one group, as later versions say it.
fn alone(req: OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topic = |t: protocol_compat::messages::offset_fetch_request::OffsetFetchRequestTopic| {
        OffsetFetchRequestTopics::default().with_name(t.name).with_partition_indexes(t.partition_indexes)
    };
    let topics = req.topics.map(|topics| topics.into_iter().map(topic).collect());
    OffsetFetchRequestGroup::default().with_group_id(req.group_id).with_topics(topics)
}

/// What a group answers; only groups with epochs refuse anybody.
type Found = Result<Vec<FetchedTopic>, GroupError>;

/// A group whose offsets are asked for.
struct Asked {
    reply: OffsetFetchResponseGroup,
    found: Result<Pending<Found>, ErrorCode>,
    /// Topics that are not asked for, with why, behind those that are.
    refused: Vec<OffsetFetchResponseTopics>,
    /// A topic's id by its name, where the reply wants it.
    ids: Option<Vec<(Arc<str>, TopicId)>>,
}

fn ask(cx: &Cx, group: OffsetFetchRequestGroup, version: i16) -> Asked {
    let by_id = version >= BY_ID;
    let id = group.group_id.clone();
    let reply = OffsetFetchResponseGroup::default().with_group_id(group.group_id);
    let mut asked =
        Asked { reply, found: Ok(Pending::Now(Ok(Ok(Vec::new())))), refused: Vec::new(), ids: None };
    if !cx.allow(Operation::Describe, Resource::Group(&id)) {
        asked.found = Err(ErrorCode::GroupAuthorizationFailed);
        return asked;
    }
    let shard = match groups::shard(cx, &id) {
        Ok(shard) => shard,
        Err(error) => {
            asked.found = Err(fetch_code(error));
            return asked;
        }
    };
    let name: Arc<str> = arc(&id);
    let (member, epoch) = match version {
        EPOCHS_FROM.. => (group.member_id.as_deref(), group.member_epoch),
        _ => (None, -1),
    };
    let found = match group.topics {
        Some(topics) => {
            let topics = known(cx, topics, by_id, &mut asked.refused);
            asked.ids = by_id.then(|| topics.iter().map(|t| (t.topic.clone(), t.topic_id)).collect());
            shard.read(|machine| {
                machine.may_fetch(&name, member, epoch)?;
                Ok(machine.offsets().fetch(&name, &topics))
            })
        }
        None => {
            let image = cx.seen.image.clone();
            let id_of = |topic: &str| image.topic(topic).map_or(TopicId::ZERO, |topic| topic.id);
            let found = shard.read(|machine| {
                machine.may_fetch(&name, member, epoch)?;
                Ok(machine.offsets().fetch_all(&name, id_of))
            });
            let (broker, peer) = (cx.broker.clone(), cx.peer.clone());
            if by_id {
                asked.ids = Some(image.topics().map(|topic| (topic.name.clone(), topic.id)).collect());
            }
            found.map(move |topics: Found| {
                let may_see = |topic: &FetchedTopic| {
                    broker.authorizer.allow(
                        &peer.principal,
                        Operation::Describe,
                        Resource::Topic(&topic.topic),
                    )
                };
                topics.map(|topics| topics.into_iter().filter(may_see).collect())
            })
        }
    };
    asked.found = Ok(found);
    asked
}

/// The topics that may be asked for; the others have their answer.
fn known(
    cx: &Cx,
    topics: Vec<OffsetFetchRequestTopics>,
    by_id: bool,
    refused: &mut Vec<OffsetFetchResponseTopics>,
) -> Vec<TopicPartitions> {
    let mut known = Vec::with_capacity(topics.len());
    for asked in topics {
        let topic = topic_of(cx, &asked.name, asked.topic_id, by_id);
        let name = topic.map_or_else(|| arc(&asked.name), |topic| topic.name.clone());
        let code = match topic {
            None if by_id => Some(unknown_topic(by_id)),
            _ if !cx.allow(Operation::Describe, Resource::Topic(&name)) => {
                Some(ErrorCode::TopicAuthorizationFailed)
            }
            _ => None,
        };
        if let Some(code) = code {
            let partitions = asked.partition_indexes.iter().map(|p| partition(*p, None, code)).collect();
            let refusal = OffsetFetchResponseTopics::default().with_topic_id(asked.topic_id);
            refused.push(refusal.with_name(asked.name).with_partitions(partitions));
            continue;
        }
        let topic_id = topic.map_or(TopicId::ZERO, |topic| topic.id);
        known.push(TopicPartitions { topic: name, topic_id, partitions: asked.partition_indexes });
    }
    known
}

impl Asked {
    async fn answer(self) -> OffsetFetchResponseGroup {
        let found = match self.found {
            Ok(pending) => match pending.wait().await {
                Ok(found) => found.map_err(|error| error.code()),
                Err(error) => Err(fetch_code(error)),
            },
            Err(code) => Err(code),
        };
        let found = match found {
            Ok(found) => found,
            Err(code) => return self.reply.with_error_code(code.code()),
        };
        let mut topics: Vec<_> =
            found.into_iter().filter_map(|topic| show(topic, self.ids.as_deref())).collect();
        topics.extend(self.refused);
        self.reply.with_topics(topics)
    }
}

/// A topic whose id the reply must name, and that has none any more, is left out.
fn show(topic: FetchedTopic, ids: Option<&[(Arc<str>, TopicId)]>) -> Option<OffsetFetchResponseTopics> {
    let shown = match ids {
        None => OffsetFetchResponseTopics::default().with_name(TopicName(text(&topic.topic))),
        Some(ids) => {
            let (_, id) = ids.iter().find(|(name, _)| *name == topic.topic)?;
            OffsetFetchResponseTopics::default().with_topic_id(Uuid::from_bytes(id.0))
        }
    };
    let partitions = topic.partitions.into_iter().map(|(p, found)| partition(p, found, ErrorCode::None));
    Some(shown.with_partitions(partitions.collect()))
}

fn partition(index: i32, found: Option<Committed>, code: ErrorCode) -> OffsetFetchResponsePartitions {
    let shown =
        OffsetFetchResponsePartitions::default().with_partition_index(index).with_error_code(code.code());
    match found {
        Some(committed) => shown
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(&committed.metadata))),
        None => shown.with_committed_offset(-1).with_committed_leader_epoch(-1).with_metadata(Some(text(""))),
    }
}

/// Clients of releases before 3.9 know no error of a commit that takes its time when they fetch.
fn fetch_code(error: ShardError) -> ErrorCode {
    match error {
        ShardError::TimedOut => ErrorCode::NotCoordinator,
        other => other.code(),
    }
}

/// The reply of versions that ask for one group. The first has no place for an error but the partitions.
fn single(
    group: OffsetFetchResponseGroup,
    asked: Option<Vec<protocol_compat::messages::offset_fetch_request::OffsetFetchRequestTopic>>,
    version: i16,
) -> OffsetFetchResponse {
    let code = group.error_code;
    if code != 0 && version < ERROR_FROM {
        let failed = |index: i32| older(partition(index, None, ErrorCode::None)).with_error_code(code);
        let topics = asked.unwrap_or_default().into_iter().map(|topic| {
            let partitions = topic.partition_indexes.into_iter().map(failed).collect();
            OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions)
        });
        return OffsetFetchResponse::default().with_topics(topics.collect());
    }
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(older).collect();
        OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    OffsetFetchResponse::default().with_error_code(code).with_topics(topics.collect())
}

fn older(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition::default()
        .with_partition_index(partition.partition_index)
        .with_committed_offset(partition.committed_offset)
        .with_committed_leader_epoch(partition.committed_leader_epoch)
        .with_metadata(partition.metadata)
        .with_error_code(partition.error_code)
}
