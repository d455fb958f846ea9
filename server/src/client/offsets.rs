//! Offsets: where logs begin and end, where records of a time are, and what groups have committed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use protocol_compat::ErrorCode;
use protocol_compat::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol_compat::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol_compat::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol_compat::messages::offset_fetch_response::OffsetFetchResponse;
use protocol_compat::messages::{
    BrokerId, GroupId, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest,
};

use super::attempts::Attempts;
use super::cluster::{Client, Metadata, NodeId, text, topic_name};
use super::error::ClientError;

const LIST_OFFSETS: RangeInclusive<i16> = 1..=9;
const OFFSET_FETCH: RangeInclusive<i16> = 2..=9;
/// From this version on a request asks for several groups.
const FETCH_MANY: i16 = 8;
const OFFSET_COMMIT: RangeInclusive<i16> = 2..=9;
/// Whoever is no consumer has no replica's number and no generation.
const NOBODY: i32 = -1;

/// A partition by its topic's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

impl TopicPartition {
    pub fn new(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Which place of a log is asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum When {
    Earliest,
    Latest,
    /// The first record of this time, in milliseconds since 1970, or a later one.
    At(i64),
}

impl When {
    fn timestamp(self) -> i64 {
        match self {
            When::Earliest => -2,
            When::Latest => -1,
            When::At(ms) => ms.max(0),
        }
    }
}

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    /// -1 where there is none.
    pub leader_epoch: i32,
    pub metadata: String,
}

type Found = BTreeMap<TopicPartition, Result<Option<i64>, ClientError>>;

impl Client {
    /// The offsets at these places; nothing where no record is so late.
    pub async fn offsets_at(&mut self, wanted: &[(TopicPartition, When)]) -> Result<Found, ClientError> {
        let what = "reading offsets";
        let mut attempts = Attempts::within(self.patience());
        loop {
            let mut found = self.ask(what, async |client| client.offsets_at_once(wanted).await).await?;
            let passing = found.iter().find_map(|(partition, found)| match found {
                Err(error) if error.may_pass() => Some(partition.clone()),
                _ => None,
            });
            // A partition without a leader must not hide all others.
            let Some(partition) = passing else { return Ok(found) };
            let Some(Err(error)) = found.remove(&partition) else { return Ok(found) };
            if let Err(last) = attempts.again(what, error).await {
                found.insert(partition, Err(last));
                return Ok(found);
            }
        }
    }

    async fn offsets_at_once(&mut self, wanted: &[(TopicPartition, When)]) -> Result<Found, ClientError> {
        let mut topics: Vec<String> = wanted.iter().map(|(partition, _)| partition.topic.clone()).collect();
        topics.sort_unstable();
        topics.dedup();
        if topics.is_empty() {
            return Ok(Found::new());
        }
        let metadata = self.metadata_once(Some(&topics), false).await?;
        let mut found = Found::new();
        let mut by_leader: BTreeMap<NodeId, BTreeMap<&str, Vec<ListOffsetsPartition>>> = BTreeMap::new();
        for (partition, when) in wanted {
            match metadata.leader(partition) {
                Ok(leader) => by_leader.entry(leader).or_default().entry(&partition.topic).or_default().push(
                    ListOffsetsPartition::default()
                        .with_partition_index(partition.partition)
                        .with_current_leader_epoch(-1)
                        .with_timestamp(when.timestamp()),
                ),
                Err(error) => {
                    found.insert(partition.clone(), Err(error));
                }
            }
        }
        for (leader, topics) in by_leader {
            let topics = topics
                .into_iter()
                .map(|(name, partitions)| {
                    ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(partitions)
                })
                .collect();
            let request = ListOffsetsRequest::default().with_replica_id(BrokerId(NOBODY)).with_topics(topics);
            let reply = self.call(leader, LIST_OFFSETS, |_| request).await?;
            for topic in &reply.topics {
                for answer in &topic.partitions {
                    let partition = TopicPartition::new(&topic.name, answer.partition_index);
                    let offset = (answer.offset >= 0).then_some(answer.offset);
                    let what = || format!("partition {partition}");
                    let checked = ClientError::check(answer.error_code, what, None).map(|()| offset);
                    found.insert(partition, checked);
                }
            }
        }
        Ok(found)
    }

    /// All offsets that a group has committed.
    pub async fn committed(
        &mut self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, Committed>, ClientError> {
        let what = format!("reading the offsets of group '{group}'");
        self.ask(&what, async |client| client.committed_once(group).await).await
    }

    async fn committed_once(
        &mut self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, Committed>, ClientError> {
        let coordinator = self.coordinator(group).await?;
        let request = |version| match version >= FETCH_MANY {
            true => OffsetFetchRequest::default().with_groups(vec![
                OffsetFetchRequestGroup::default()
                    .with_group_id(GroupId(text(group)))
                    .with_member_epoch(NOBODY)
                    .with_topics(None),
            ]),
            false => OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(None),
        };
        let reply = self.call(coordinator, OFFSET_FETCH, request).await?;
        let what = || format!("the offsets of group '{group}'");
        let mut all = BTreeMap::new();
        for (partition, code, committed) in flat(reply, what)? {
            ClientError::check(code, || format!("group '{group}', partition {partition}"), None)?;
            // -1 stands for none.
            if committed.offset >= 0 {
                all.insert(partition, committed);
            }
        }
        Ok(all)
    }

    /// Commits offsets for a group without members. Each partition has its own answer.
    pub async fn commit(
        &mut self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<BTreeMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        let what = format!("committing offsets of group '{group}'");
        // The same offset twice is one offset.
        self.ask(&what, async |client| client.commit_once(group, offsets).await).await
    }

    async fn commit_once(
        &mut self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<BTreeMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        let coordinator = self.coordinator(group).await?;
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for (partition, offset) in offsets {
            topics.entry(&partition.topic).or_default().push(
                OffsetCommitRequestPartition::default()
                    .with_partition_index(partition.partition)
                    .with_committed_offset(*offset)
                    .with_committed_metadata(Some(text(""))),
            );
        }
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| {
                OffsetCommitRequestTopic::default().with_name(topic_name(name)).with_partitions(partitions)
            })
            .collect();
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(NOBODY)
            .with_topics(topics);
        let reply = self.call(coordinator, OFFSET_COMMIT, |_| request).await?;
        let mut answers = BTreeMap::new();
        for topic in &reply.topics {
            for answer in &topic.partitions {
                let partition = TopicPartition::new(&topic.name, answer.partition_index);
                let checked =
                    ClientError::check(answer.error_code, || format!("partition {partition}"), None);
                match checked {
                    // Such errors are the whole request's.
                    Err(error) if error.left_no_trace() => return Err(error),
                    checked => answers.insert(partition, checked),
                };
            }
        }
        Ok(answers)
    }

    pub(super) async fn coordinator(&mut self, group: &str) -> Result<NodeId, ClientError> {
        let groups = [group.to_owned()];
        let found = self.coordinators(&groups).await?;
        found.get(group).copied().ok_or_else(|| ClientError::Refused {
            what: format!("group '{group}'"),
            code: ErrorCode::CoordinatorNotAvailable.code(),
            message: Some("no coordinator was named".to_owned()),
        })
    }
}

/// The one group's partitions, in either form of the reply.
fn flat(
    reply: OffsetFetchResponse,
    what: impl Fn() -> String,
) -> Result<Vec<(TopicPartition, i16, Committed)>, ClientError> {
    ClientError::check(reply.error_code, &what, None)?;
    let mut all = Vec::new();
    let committed = |offset, leader_epoch, metadata: Option<_>| Committed {
        offset,
        leader_epoch,
        metadata: metadata
            .map(|text: protocol_compat::messages::StrBytes| text.to_string())
            .unwrap_or_default(),
    };
    for topic in reply.topics {
        for one in topic.partitions {
            let partition = TopicPartition::new(&topic.name, one.partition_index);
            let committed = committed(one.committed_offset, one.committed_leader_epoch, one.metadata);
            all.push((partition, one.error_code, committed));
        }
    }
    for group in reply.groups {
        ClientError::check(group.error_code, &what, None)?;
        for topic in group.topics {
            for one in topic.partitions {
                let partition = TopicPartition::new(&topic.name, one.partition_index);
                let committed = committed(one.committed_offset, one.committed_leader_epoch, one.metadata);
                all.push((partition, one.error_code, committed));
            }
        }
    }
    Ok(all)
}

impl Metadata {
    /// Who leads a partition.
    pub(super) fn leader(&self, partition: &TopicPartition) -> Result<NodeId, ClientError> {
        let refused = |error: ErrorCode, message: &str| ClientError::Refused {
            what: format!("partition {partition}"),
            code: error.code(),
            message: Some(message.to_owned()),
        };
        let topic = self
            .topics
            .get(&partition.topic)
            .ok_or_else(|| refused(ErrorCode::UnknownTopicOrPartition, "there is no such topic"))?;
        topic.check()?;
        let found = topic.partitions.iter().find(|found| found.index == partition.partition);
        let found =
            found.ok_or_else(|| refused(ErrorCode::UnknownTopicOrPartition, "there is no such partition"))?;
        found.leader.ok_or_else(|| refused(ErrorCode::LeaderNotAvailable, "it has no leader"))
    }
}
