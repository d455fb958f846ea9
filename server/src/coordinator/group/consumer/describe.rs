//! A group as it is shown.

use std::sync::Arc;

use super::{ConsumerGroup, ConsumerSettings, Member};
use crate::coordinator::records::{Partitions, WithEpochs};

/// A group as ConsumerGroupDescribe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumer {
    pub state: &'static str,
    pub epoch: i32,
    pub assignment_epoch: i32,
    pub assignor: &'static str,
    pub members: Vec<DescribedConsumerMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumerMember {
    pub id: Arc<str>,
    pub epoch: i32,
    pub instance: Option<String>,
    pub rack: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub topics: Vec<String>,
    pub pattern: Option<String>,
    /// What it has, and what it has yet to give up.
    pub assigned: Partitions,
    pub target: Partitions,
    pub is_classic: bool,
}

impl ConsumerGroup {
    pub fn state_name(&self) -> &'static str {
        let is_reconciled = |member: &Member| member.is_reconciled_to(self.target_epoch.epoch);
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch.epoch {
            "Assigning"
        } else if self.members.values().all(is_reconciled) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    pub fn describe(&self, settings: &ConsumerSettings) -> DescribedConsumer {
        DescribedConsumer {
            state: self.state_name(),
            epoch: self.epoch,
            assignment_epoch: self.target_epoch.epoch,
            assignor: self.assignor(settings).name(),
            members: self.members.iter().map(|(id, member)| self.describe_member(id, member)).collect(),
        }
    }

    fn describe_member(&self, id: &Arc<str>, member: &Member) -> DescribedConsumerMember {
        let mut assigned = Partitions::new();
        add(&mut assigned, &member.has.assigned);
        add(&mut assigned, &member.has.revoking);
        DescribedConsumerMember {
            id: id.clone(),
            epoch: member.has.epoch,
            instance: member.said.instance.clone(),
            rack: member.said.rack.clone(),
            client_id: member.said.client_id.clone(),
            client_host: member.said.client_host.clone(),
            topics: member.said.topics.iter().cloned().collect(),
            pattern: member.said.pattern.clone(),
            assigned,
            target: self.target.get(id).map(|target| (**target).clone()).unwrap_or_default(),
            is_classic: member.is_classic(),
        }
    }
}

fn add(all: &mut Partitions, partitions: &WithEpochs) {
    for (topic, partitions) in partitions {
        all.entry(*topic).or_default().extend(partitions.keys());
    }
}
