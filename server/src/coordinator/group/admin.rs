//! What tools ask of groups: listing, describing, deleting.

use std::sync::Arc;

use super::consumer::DescribedConsumer;
use super::{Described, Group, GroupError, GroupMachine, Listed, TopicPartitions, op::ByPartition};
use crate::coordinator::records::{OffsetKey, Record};
use crate::coordinator::shard::Out;

impl GroupMachine {
    pub fn list(&self) -> Vec<Listed> {
        let list = |(id, group): (&Arc<str>, &Group)| {
            let protocol_type = match group {
                Group::Classic(classic) => classic.protocol_type().cloned().unwrap_or_default(),
                Group::Consumer(_) => "consumer".into(),
            };
            Listed { group: id.clone(), protocol_type, state: group.state_name(), kind: group.kind() }
        };
        self.groups().map(list).collect()
    }

    pub fn describe(&self, id: &str) -> Option<Described> {
        match self.group(id)? {
            Group::Classic(classic) => Some(classic.describe()),
            // The request knows the older protocol only.
            Group::Consumer(_) => None,
        }
    }

    pub fn describe_consumer(&self, id: &str) -> Option<DescribedConsumer> {
        match self.group(id)? {
            Group::Consumer(consumer) => Some(consumer.describe(&self.settings.consumer)),
            Group::Classic(_) => None,
        }
    }

    /// Whether what a group has committed may be shown to one that says it is this member. Only groups that know epochs
    /// mind.
    pub fn may_fetch(&self, id: &str, member: Option<&str>, epoch: i32) -> Result<(), GroupError> {
        match self.group(id) {
            Some(Group::Consumer(consumer)) => consumer.may_fetch(member, epoch),
            _ => Ok(()),
        }
    }

    /// A group without members goes with all that it has committed.
    pub(super) fn delete_group(&mut self, id: &Arc<str>, out: &mut Out<Self>) -> Result<(), GroupError> {
        let takes_back = match self.group(id).ok_or(GroupError::GroupNotFound)? {
            Group::Classic(classic) if classic.is_empty() => vec![Record::ClassicGroup(id.to_string(), None)],
            Group::Consumer(consumer) if consumer.is_empty() => consumer
                .tombstones()
                .into_iter()
                .map(|record| Record::Consumer(id.to_string(), record))
                .collect(),
            _ => return Err(GroupError::GroupNotEmpty),
        };
        for key in self.offsets.keys_of(id) {
            self.commit(Record::Offset(key, None), out);
        }
        takes_back.into_iter().for_each(|record| self.commit(record, out));
        Ok(())
    }

    /// Takes back what a group has committed, but for topics that it consumes.
    pub(super) fn delete_offsets(
        &mut self,
        id: &Arc<str>,
        topics: &[TopicPartitions],
        out: &mut Out<Self>,
    ) -> Result<ByPartition, GroupError> {
        let group = self.group(id).ok_or(GroupError::GroupNotFound)?;
        if let Group::Classic(classic) = group {
            classic.may_delete_offsets()?;
        }
        let consumed: Vec<bool> = topics.iter().map(|t| group.is_subscribed_to(&t.topic)).collect();
        let mut outcomes = Vec::with_capacity(topics.len());
        for (asked, consumed) in topics.iter().zip(consumed) {
            let outcome = if consumed { Err(GroupError::SubscribedToTopic) } else { Ok(()) };
            outcomes.push(vec![outcome; asked.partitions.len()]);
            if consumed {
                continue;
            }
            for partition in &asked.partitions {
                if self.offsets.get(id, &asked.topic, *partition).is_some() {
                    let (group, topic) = (id.to_string(), asked.topic.to_string());
                    let key = OffsetKey { group, topic, partition: *partition };
                    self.commit(Record::Offset(key, None), out);
                }
            }
        }
        Ok(outcomes)
    }
}
