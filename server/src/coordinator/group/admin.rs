//! What tools ask of groups: listing, describing, deleting.

use std::sync::Arc;

use super::{Described, Group, GroupError, GroupMachine, Listed, TopicPartitions, op::ByPartition};
use crate::coordinator::records::{OffsetKey, Record};
use crate::coordinator::shard::Out;

impl GroupMachine {
    pub fn list(&self) -> Vec<Listed> {
        let list = |(id, group): (&Arc<str>, &Group)| {
            let Group::Classic(classic) = group;
            Listed {
                group: id.clone(),
                protocol_type: classic.protocol_type().cloned().unwrap_or_default(),
                state: classic.state_name(),
                kind: group.kind(),
            }
        };
        self.groups().map(list).collect()
    }

    pub fn describe(&self, id: &str) -> Option<Described> {
        let Group::Classic(classic) = self.group(id)?;
        Some(classic.describe())
    }

    /// A group without members goes with all that it has committed.
    pub(super) fn delete_group(&mut self, id: &Arc<str>, out: &mut Out<Self>) -> Result<(), GroupError> {
        let Group::Classic(classic) = self.group(id).ok_or(GroupError::GroupNotFound)?;
        if !classic.is_empty() {
            return Err(GroupError::GroupNotEmpty);
        }
        for key in self.offsets.keys_of(id) {
            self.commit(Record::Offset(key, None), out);
        }
        self.commit(Record::ClassicGroup(id.to_string(), None), out);
        Ok(())
    }

    /// Takes back what a group has committed, but for topics that it consumes.
    pub(super) fn delete_offsets(
        &mut self,
        id: &Arc<str>,
        topics: &[TopicPartitions],
        out: &mut Out<Self>,
    ) -> Result<ByPartition, GroupError> {
        let Group::Classic(classic) = self.group(id).ok_or(GroupError::GroupNotFound)?;
        classic.may_delete_offsets()?;
        let consumed: Vec<bool> = topics.iter().map(|t| classic.is_subscribed_to(&t.topic)).collect();
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
