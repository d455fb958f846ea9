//! What a broker says of groups and topics, asked over a connection of its own each time, so that a broker may go and
//! come back between two questions.

use crate::harness::wire::Connection;
use crate::hostile::frames::{frame, topic_name};
use crate::members::ledger::Offsets;
use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request, StrBytes};
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const CORRELATION: i32 = 11;
/// The coordinator is not there yet: it loads, or its topic is being made.
const LATER: [i16; 3] = [14, 15, 16];

/// A group as its coordinator shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub state: String,
    /// The partitions of each member.
    pub members: BTreeMap<String, Vec<i32>>,
}

impl Shown {
    /// All is settled: so many members share so many partitions, each has its part, and nothing is with two.
    pub(crate) fn is_shared(&self, members: usize, partitions: i32) -> bool {
        let mut all: Vec<i32> = self.members.values().flatten().copied().collect();
        all.sort_unstable();
        let is_even = partitions as usize >= members && self.members.values().all(|has| !has.is_empty());
        self.state == "Stable"
            && self.members.len() == members
            && is_even
            && all.into_iter().eq(0..partitions)
    }
}

fn ask<M: Request>(broker: &str, request: &M, version: i16) -> Result<M::Response> {
    let frame = frame(request, version, CORRELATION).context("a request that does not encode")?;
    let mut reply = Bytes::from(Connection::open(broker, PATIENCE)?.ask(&frame)?);
    let header = ResponseHeader::decode(&mut reply, M::Response::header_version(version))?;
    ensure!(header.correlation_id == CORRELATION, "the reply to another request");
    M::Response::decode(&mut reply, version)
}

fn group_id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

pub(crate) fn make_topic(broker: &str, topic: &str, partitions: i32) -> Result<()> {
    let wanted = CreatableTopic::default()
        .with_name(topic_name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(30_000);
    for topic in ask(broker, &request, 7)?.topics {
        ensure!(topic.error_code == 0, "{:?}: error {}", topic.name, topic.error_code);
    }
    Ok(())
}

/// Which protocol the group is of, in the words of the list, if it is in that.
pub(crate) fn kind(broker: &str, group: &str) -> Result<Option<String>> {
    let listed = ask(broker, &ListGroupsRequest::default(), 5)?;
    ensure!(listed.error_code == 0 || LATER.contains(&listed.error_code), "error {}", listed.error_code);
    let found = listed.groups.iter().find(|found| found.group_id == group_id(group));
    Ok(found.map(|found| found.group_type.to_string()))
}

/// The group, if it is known and its coordinator is there.
pub(crate) fn group(broker: &str, group: &str) -> Result<Option<Shown>> {
    match kind(broker, group)? {
        None => Ok(None),
        Some(kind) if kind.eq_ignore_ascii_case("consumer") => consumer(broker, group),
        Some(_) => classic(broker, group),
    }
}

fn classic(broker: &str, group: &str) -> Result<Option<Shown>> {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    let reply = ask(broker, &request, 5)?;
    let found = reply.groups.first().context("a reply without groups")?;
    if found.error_code != 0 {
        return Ok(None);
    }
    let members = found.members.iter().map(|member| {
        let has = assignment(member.member_assignment.clone()).unwrap_or_default();
        (member.member_id.to_string(), has)
    });
    Ok(Some(Shown { state: found.group_state.to_string(), members: members.collect() }))
}

fn consumer(broker: &str, group: &str) -> Result<Option<Shown>> {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(group)]);
    let reply = ask(broker, &request, 0)?;
    let found = reply.groups.first().context("a reply without groups")?;
    if found.error_code != 0 {
        return Ok(None);
    }
    let members = found.members.iter().map(|member| {
        let has = member.assignment.topic_partitions.iter().flat_map(|topic| topic.partitions.clone());
        (member.member_id.to_string(), has.collect())
    });
    Ok(Some(Shown { state: found.group_state.to_string(), members: members.collect() }))
}

/// The partitions in what a leader gave to a member: a version, then topics with their partitions.
fn assignment(mut bytes: Bytes) -> Option<Vec<i32>> {
    let mut partitions = Vec::new();
    bytes.try_get_i16().ok()?;
    for _ in 0..bytes.try_get_i32().ok()? {
        let name = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
        (bytes.len() >= name).then(|| bytes.advance(name))?;
        for _ in 0..bytes.try_get_i32().ok()? {
            partitions.push(bytes.try_get_i32().ok()?);
        }
    }
    Some(partitions)
}

/// The committed offsets of a group, without partitions that have none; nothing while the coordinator is not there.
pub(crate) fn committed(broker: &str, group: &str, topic: &str, partitions: i32) -> Result<Option<Offsets>> {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(topic_name(topic))
        .with_partition_indexes((0..partitions).collect());
    let asked =
        OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default().with_groups(vec![asked]).with_require_stable(true);
    let reply = ask(broker, &request, 8)?;
    let found = reply.groups.first().context("a reply without groups")?;
    if LATER.contains(&found.error_code) {
        return Ok(None);
    }
    ensure!(found.error_code == 0, "{group}: error {}", found.error_code);
    let all = found.topics.iter().flat_map(|topic| &topic.partitions);
    let mut offsets = Offsets::new();
    for partition in all {
        ensure!(partition.error_code == 0, "{group}: error {}", partition.error_code);
        if partition.committed_offset >= 0 {
            offsets.insert(partition.partition_index, partition.committed_offset);
        }
    }
    Ok(Some(offsets))
}

/// Where the partitions end.
pub(crate) fn ends(broker: &str, topic: &str, partitions: i32) -> Result<Offsets> {
    const LATEST: i64 = -1;
    let asked = (0..partitions).map(|partition| {
        ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(LATEST)
    });
    let topic = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(asked.collect());
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let reply = ask(broker, &request, 7)?;
    let found = reply.topics.first().context("a reply without topics")?;
    let mut ends = Offsets::new();
    for partition in &found.partitions {
        ensure!(partition.error_code == 0, "error {}", partition.error_code);
        ends.insert(partition.partition_index, partition.offset);
    }
    Ok(ends)
}
