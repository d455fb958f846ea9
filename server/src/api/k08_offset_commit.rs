//! OffsetCommit (key 8), versions 2–10.
//!
//! - 2–4: how long the offsets are kept; from 5 on the broker's retention counts. 6 (KIP-320): leader epochs. 7 (KIP-345):
//!   static members. 8: flexible. 9 (KIP-848): an unknown group is named as such. 10: topics by their ids.
//!
//! The reply leaves when the offsets are durable. With each the topic's id is kept, so that an offset never counts for
//! another topic of the same name; Kafka does so from version 10 on.

use protocol_compat::ErrorCode;
use protocol_compat::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol_compat::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol_compat::messages::{ApiKey, OffsetCommitRequest, OffsetCommitResponse, TopicName, Uuid};
use protocol_compat::topic_ids::{BY_ID, OffsetCommit as AnyVersion};

use super::error::ToCode;
use super::groups::{self, arc, text, topic_of, unknown_topic, who};
use super::{Api, Cx, Then};
use crate::coordinator::group::{Commit, CommitPartition, CommitTopic, Op, Reply};
use crate::coordinator::shard::ShardError;
use crate::security::{Operation, Resource};

pub(super) struct OffsetCommit;

/// The first version that knows the error of an unknown group.
const UNKNOWN_GROUP_FROM: i16 = 9;
/// Up to here the client may say how long its offsets are kept.
const RETENTION_TO: i16 = 4;

impl Api for OffsetCommit {
    const KEY: i16 = ApiKey::OffsetCommit as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=10;
    type Req = AnyVersion;
    type Resp = OffsetCommitResponse;

    fn codes(reply: &OffsetCommitResponse) -> impl Iterator<Item = i16> {
        reply.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code)
    }

    fn begin(cx: &Cx, AnyVersion(req): AnyVersion, version: i16) -> Then<OffsetCommitResponse> {
        let mut outcomes = Outcomes { by_id: version >= BY_ID, topics: Vec::new() };
        if !cx.allow(Operation::Read, Resource::Group(&req.group_id)) {
            outcomes.all(&req.topics, ErrorCode::GroupAuthorizationFailed);
            return Then::Now(outcomes.reply());
        }
        let topics: Vec<CommitTopic> =
            req.topics.iter().filter_map(|asked| known(cx, asked, &mut outcomes)).collect();
        if topics.is_empty() {
            return Then::Now(outcomes.reply());
        }
        let commit = commit(&req, topics.clone(), version);
        let pending = groups::write(cx, &req.group_id, Op::Commit(commit));
        groups::then(pending, move |answer| reply(answer, &topics, outcomes))
    }
}

fn commit(req: &OffsetCommitRequest, topics: Vec<CommitTopic>, version: i16) -> Commit {
    let retention_ms = req.retention_time_ms;
    Commit {
        group: arc(&req.group_id),
        who: who(&req.member_id, &req.group_instance_id, req.generation_id_or_member_epoch),
        knows_unknown_groups: version >= UNKNOWN_GROUP_FROM,
        retention_ms: (version <= RETENTION_TO && retention_ms != -1).then_some(retention_ms),
        topics,
    }
}

/// What is said of each partition, by topic.
struct Outcomes {
    by_id: bool,
    topics: Vec<OffsetCommitResponseTopic>,
}

impl Outcomes {
    fn add(&mut self, name: &str, id: Uuid, partition: i32, code: i16) {
        let (name, id) = if self.by_id { ("", id) } else { (name, Uuid::nil()) };
        // The last topic is nearly always the one: requests name a topic once.
        let at =
            self.topics.iter().rposition(|t| t.topic_id == id && *t.name.0 == *name).unwrap_or_else(|| {
                let topic =
                    OffsetCommitResponseTopic::default().with_name(TopicName(text(name))).with_topic_id(id);
                self.topics.push(topic);
                self.topics.len() - 1
            });
        let outcome =
            OffsetCommitResponsePartition::default().with_partition_index(partition).with_error_code(code);
        self.topics[at].partitions.push(outcome);
    }

    /// What is added for this topic from here on stands by itself.
    fn begin(&mut self, name: &str, id: Uuid) {
        let (name, id) = if self.by_id { ("", id) } else { (name, Uuid::nil()) };
        let topic = OffsetCommitResponseTopic::default().with_name(TopicName(text(name))).with_topic_id(id);
        self.topics.push(topic);
    }

    fn all(&mut self, topics: &[OffsetCommitRequestTopic], code: ErrorCode) {
        for topic in topics {
            for partition in &topic.partitions {
                self.add(&topic.name, topic.topic_id, partition.partition_index, code.code());
            }
        }
    }

    fn reply(self) -> OffsetCommitResponse {
        OffsetCommitResponse::default().with_topics(self.topics)
    }
}

/// The partitions that exist; the others have their outcome.
fn known(cx: &Cx, asked: &OffsetCommitRequestTopic, outcomes: &mut Outcomes) -> Option<CommitTopic> {
    let topic = topic_of(cx, &asked.name, asked.topic_id, outcomes.by_id);
    let name = topic.map_or(&*asked.name.0, |topic| &topic.name);
    if !cx.allow(Operation::Read, Resource::Topic(name)) {
        outcomes.all(std::slice::from_ref(asked), ErrorCode::TopicAuthorizationFailed);
        return None;
    }
    let Some(topic) = topic else {
        outcomes.all(std::slice::from_ref(asked), unknown_topic(outcomes.by_id));
        return None;
    };
    let mut partitions = Vec::with_capacity(asked.partitions.len());
    for partition in &asked.partitions {
        if topic.log_id(partition.partition_index).is_some() {
            partitions.push(wanted(partition));
        } else {
            let code = ErrorCode::UnknownTopicOrPartition.code();
            outcomes.add(&topic.name, asked.topic_id, partition.partition_index, code);
        }
    }
    let found = CommitTopic { topic: topic.name.clone(), topic_id: topic.id, partitions };
    (!found.partitions.is_empty()).then_some(found)
}

fn wanted(partition: &OffsetCommitRequestPartition) -> CommitPartition {
    CommitPartition {
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref().unwrap_or_default().into(),
    }
}

fn reply(
    answer: Result<Reply, ShardError>,
    topics: &[CommitTopic],
    mut outcomes: Outcomes,
) -> OffsetCommitResponse {
    let by_partition = match answer {
        Ok(Reply::Committed(Ok(by_partition))) => Ok(by_partition),
        Ok(Reply::Committed(Err(error))) => Err(error.code().code()),
        Ok(other) => groups::mismatch(&other),
        Err(error) => Err(error.code().code()),
    };
    // Where nothing was refused before, topics are answered as they were asked; otherwise together with what was.
    let as_asked = outcomes.topics.is_empty();
    for (t, topic) in topics.iter().enumerate() {
        if as_asked {
            outcomes.begin(&topic.topic, Uuid::from_bytes(topic.topic_id.0));
        }
        for (p, partition) in topic.partitions.iter().enumerate() {
            let code = match &by_partition {
                Ok(by_partition) => groups::code(by_partition[t][p]),
                Err(code) => *code,
            };
            outcomes.add(&topic.topic, Uuid::from_bytes(topic.topic_id.0), partition.partition, code);
        }
    }
    outcomes.reply()
}
