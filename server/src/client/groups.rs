//! Groups: listed, described in both protocols, deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use protocol_compat::ErrorCode;
use protocol_compat::messages::consumer_group_describe_response::{
    Assignment as WireAssignment, DescribedGroup as NewGroup,
};
use protocol_compat::messages::describe_groups_response::DescribedGroup as OldGroup;
use protocol_compat::messages::{
    ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest,
};

use super::cluster::{Client, Endpoint, NodeId, text};
use super::error::ClientError;
use super::member_bytes;

const LIST_GROUPS: RangeInclusive<i16> = 0..=5;
const LIST_STATES: i16 = 4;
const LIST_TYPES: i16 = 5;
const DESCRIBE_GROUPS: RangeInclusive<i16> = 0..=6;
const CONSUMER_GROUP_DESCRIBE: RangeInclusive<i16> = 0..=1;
const DELETE_GROUPS: RangeInclusive<i16> = 0..=2;
/// The protocol type of groups that share partitions.
const CONSUMER: &str = "consumer";

/// One line of a list of groups. What an old broker does not say is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    pub id: String,
    pub protocol_type: String,
    pub state: String,
    pub kind: String,
}

impl GroupListing {
    /// Whether it is a group of consumers, or of a program that only commits offsets.
    pub fn is_of_consumers(&self) -> bool {
        let is_their_kind = matches!(&*self.kind.to_ascii_lowercase(), "" | "classic" | "consumer");
        is_their_kind && matches!(&*self.protocol_type, "" | CONSUMER)
    }
}

/// What a group is doing, as far as it matters to who asks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// It has offsets and no members.
    Empty,
    Stable,
    Rebalancing,
    /// There is no such group.
    Dead,
    Other,
}

/// Topics with some of their partitions.
pub type Assignment = BTreeMap<String, BTreeSet<i32>>;

#[derive(Clone, Debug)]
pub struct Member {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub host: String,
    pub assignment: Assignment,
    /// Where the coordinator assigns: what the member is to have, and its epoch.
    pub target: Option<Assignment>,
    pub epoch: Option<i32>,
    /// It speaks the classic protocol in a group of the other.
    pub is_classic: bool,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub id: String,
    /// `Classic` or `Consumer`.
    pub kind: &'static str,
    pub protocol_type: String,
    /// As the broker names it.
    pub state: String,
    pub assignor: String,
    pub coordinator: Option<Endpoint>,
    pub members: Vec<Member>,
    /// The group's epoch and that of its target assignment, where the coordinator assigns.
    pub epochs: Option<(i32, i32)>,
}

impl Group {
    pub fn state(&self) -> GroupState {
        match &*self.state {
            "Empty" => GroupState::Empty,
            "Stable" => GroupState::Stable,
            "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
                GroupState::Rebalancing
            }
            "Dead" => GroupState::Dead,
            _ => GroupState::Other,
        }
    }
}

impl Client {
    /// The groups of all brokers, by name.
    pub async fn groups(
        &mut self,
        states: &[String],
        kinds: &[String],
    ) -> Result<Vec<GroupListing>, ClientError> {
        self.metadata(Some(&[]), false).await?;
        let mut all = Vec::new();
        for node in self.nodes() {
            let what = "listing groups";
            let found = self.ask(what, async |client| client.groups_once(node, states, kinds).await).await?;
            all.extend(found);
        }
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all.dedup_by(|one, other| one.id == other.id);
        Ok(all)
    }

    async fn groups_once(
        &mut self,
        node: NodeId,
        states: &[String],
        kinds: &[String],
    ) -> Result<Vec<GroupListing>, ClientError> {
        let texts = |all: &[String]| all.iter().map(|one| text(one)).collect::<Vec<_>>();
        let request = |version| {
            let mut request = ListGroupsRequest::default();
            if version >= LIST_STATES {
                request.states_filter = texts(states);
            }
            if version >= LIST_TYPES {
                request.types_filter = texts(kinds);
            }
            request
        };
        let reply = self.call(node, LIST_GROUPS, request).await?;
        ClientError::check(reply.error_code, || "listing groups".to_owned(), None)?;
        let listing = |group: protocol_compat::messages::list_groups_response::ListedGroup| GroupListing {
            id: group.group_id.to_string(),
            protocol_type: group.protocol_type.to_string(),
            state: group.group_state.to_string(),
            kind: capitalised(&group.group_type),
        };
        // An older broker ignores the filters.
        let is_wanted = |all: &[String], found: &str| {
            all.is_empty() || all.iter().any(|one| one.eq_ignore_ascii_case(found))
        };
        let listings = reply.groups.into_iter().map(listing);
        Ok(listings
            .filter(|group| is_wanted(states, &group.state) && is_wanted(kinds, &group.kind))
            .collect())
    }

    /// Describes groups, each with its own answer. One that does not exist is [`GroupState::Dead`].
    pub async fn describe_groups(
        &mut self,
        groups: &[String],
    ) -> Result<BTreeMap<String, Result<Group, ClientError>>, ClientError> {
        let coordinators = self.coordinators(groups).await?;
        let mut by_node: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
        for (group, node) in coordinators {
            by_node.entry(node).or_default().push(group);
        }
        let mut all = BTreeMap::new();
        for groups in by_node.into_values() {
            let what = "describing groups";
            let found = self.ask(what, async |client| client.describe_once(&groups).await).await?;
            all.extend(found);
        }
        Ok(all)
    }

    async fn describe_once(
        &mut self,
        groups: &[String],
    ) -> Result<BTreeMap<String, Result<Group, ClientError>>, ClientError> {
        let Some(first) = groups.first() else { return Ok(BTreeMap::new()) };
        let node = self.coordinator(first).await?;
        let mut all = BTreeMap::new();
        let mut classic = Vec::new();
        let ids = |groups: &[String]| groups.iter().map(|group| GroupId(text(group))).collect::<Vec<_>>();
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(ids(groups));
        match self.call(node, CONSUMER_GROUP_DESCRIBE, |_| request).await {
            Ok(reply) => {
                for group in reply.groups {
                    let (id, code) = (group.group_id.to_string(), group.error_code);
                    if is_other_kind(code) {
                        classic.push(id);
                        continue;
                    }
                    let found = self.new_group(node, group);
                    all.insert(id, passing_first(found)?);
                }
            }
            Err(ClientError::Unsupported { .. }) => classic = groups.to_vec(),
            Err(error) => return Err(error),
        }
        if classic.is_empty() {
            return Ok(all);
        }
        let request = DescribeGroupsRequest::default().with_groups(ids(&classic));
        let reply = self.call(node, DESCRIBE_GROUPS, |_| request).await?;
        for group in reply.groups {
            let id = group.group_id.to_string();
            let found = self.old_group(node, group);
            all.insert(id, passing_first(found)?);
        }
        Ok(all)
    }

    fn new_group(&self, node: NodeId, group: NewGroup) -> Result<Group, ClientError> {
        let id = group.group_id.to_string();
        ClientError::check(group.error_code, || format!("group '{id}'"), group.error_message.as_deref())?;
        let members = group.members.into_iter().map(|member| Member {
            id: member.member_id.to_string(),
            instance_id: member.instance_id.map(|id| id.to_string()),
            client_id: member.client_id.to_string(),
            host: member.client_host.to_string(),
            assignment: understood(&member.assignment),
            target: Some(understood(&member.target_assignment)),
            epoch: Some(member.member_epoch),
            is_classic: member.member_type == 0,
        });
        Ok(Group {
            id,
            kind: "Consumer",
            protocol_type: CONSUMER.to_owned(),
            state: group.group_state.to_string(),
            assignor: group.assignor_name.to_string(),
            coordinator: self.endpoint(node).cloned(),
            members: members.collect(),
            epochs: Some((group.group_epoch, group.assignment_epoch)),
        })
    }

    fn old_group(&self, node: NodeId, group: OldGroup) -> Result<Group, ClientError> {
        let id = group.group_id.to_string();
        let is_missing = group.error_code == ErrorCode::GroupIdNotFound.code();
        if !is_missing {
            let message = group.error_message.as_deref();
            ClientError::check(group.error_code, || format!("group '{id}'"), message)?;
        }
        let members = group.members.into_iter().map(|member| Member {
            id: member.member_id.to_string(),
            instance_id: member.group_instance_id.map(|id| id.to_string()),
            client_id: member.client_id.to_string(),
            host: member.client_host.to_string(),
            assignment: by_topic(member_bytes::assigned(&member.member_assignment).unwrap_or_default()),
            target: None,
            epoch: None,
            is_classic: true,
        });
        Ok(Group {
            id,
            kind: "Classic",
            protocol_type: group.protocol_type.to_string(),
            state: if is_missing { "Dead".to_owned() } else { group.group_state.to_string() },
            assignor: group.protocol_data.to_string(),
            coordinator: self.endpoint(node).cloned(),
            members: members.collect(),
            epochs: None,
        })
    }

    /// Deletes groups, each with its own answer.
    pub async fn delete_groups(
        &mut self,
        groups: &[String],
    ) -> Result<BTreeMap<String, Result<(), ClientError>>, ClientError> {
        let mut all = BTreeMap::new();
        for group in groups {
            let what = format!("deleting group '{group}'");
            let done = self.order(&what, async |client| client.delete_group_once(group).await).await;
            all.insert(group.clone(), done);
        }
        Ok(all)
    }

    async fn delete_group_once(&mut self, group: &str) -> Result<(), ClientError> {
        let node = self.coordinator(group).await?;
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
        let reply = self.call(node, DELETE_GROUPS, |_| request).await?;
        for answer in &reply.results {
            ClientError::check(answer.error_code, || format!("group '{group}'"), None)?;
        }
        Ok(())
    }
}

/// A type as Kafka's tools write it: some brokers say it in small letters.
fn capitalised(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Whether a description in the newer protocol says that the group is none of it, or not there.
fn is_other_kind(code: i16) -> bool {
    code == ErrorCode::GroupIdNotFound.code() || code == ErrorCode::UnsupportedVersion.code()
}

/// An error that may pass is the whole question's.
fn passing_first(found: Result<Group, ClientError>) -> Result<Result<Group, ClientError>, ClientError> {
    match found {
        Err(error) if error.may_pass() => Err(error),
        found => Ok(found),
    }
}

fn understood(assignment: &WireAssignment) -> Assignment {
    let topics = assignment.topic_partitions.iter();
    by_topic(topics.map(|topic| (topic.topic_name.to_string(), topic.partitions.clone())).collect())
}

fn by_topic(topics: Vec<(String, Vec<i32>)>) -> Assignment {
    let mut assignment = Assignment::new();
    for (topic, partitions) in topics {
        assignment.entry(topic).or_default().extend(partitions);
    }
    assignment
}
