//! Committing offsets: who may, and what is written.

use crate::coordinator::group::{
    Commit, CommitPartition, CommitTopic, Group, GroupError, GroupMachine, op::ByPartition,
};
use crate::coordinator::records::{Committed, OffsetKey, Record};
use crate::coordinator::shard::{KeyValue, Now, Out};

/// What a batch takes for itself and for each record, beside keys and values; generous.
const BATCH_OVERHEAD_BYTES: usize = 64;
const RECORD_OVERHEAD_BYTES: usize = 32;

impl GroupMachine {
    /// All that the group takes is written as one batch: it is kept whole or not at all.
    pub(in crate::coordinator::group) fn commit_offsets(
        &mut self,
        commit: Commit,
        now: Now,
        out: &mut Out<Self>,
    ) -> Result<ByPartition, GroupError> {
        self.may_commit(&commit)?;
        if let Some((group, mut turn)) = self.classic(&commit.group, now, out) {
            group.renew_by_commit(&commit.who.member, &mut turn);
        }
        let mut records = Vec::new();
        let mut bytes = BATCH_OVERHEAD_BYTES;
        let mut outcomes = Vec::with_capacity(commit.topics.len());
        for topic in &commit.topics {
            let mut of_topic = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                if partition.metadata.encode_utf16().count() > self.settings.metadata_chars_max {
                    of_topic.push(Err(GroupError::MetadataTooLarge));
                    continue;
                }
                if let Some(error) = self.refusal(&commit, topic, partition.partition) {
                    of_topic.push(Err(error));
                    continue;
                }
                let record = record_of(&commit, topic, partition, now);
                let encoded = KeyValue::from(record.encode());
                bytes += encoded.bytes() + RECORD_OVERHEAD_BYTES;
                records.push((record, encoded));
                of_topic.push(Ok(()));
            }
            outcomes.push(of_topic);
        }
        if bytes > self.settings.batch_bytes_max(&self.image) {
            return Err(GroupError::CommitTooLarge);
        }
        let written = records.len() as u64;
        for (record, encoded) in records {
            out.record(encoded);
            self.apply(record);
        }
        if written > 0 {
            self.counts.commits += written;
            let group = self.shared_id(&commit.group);
            self.tallies.entry(group).or_default().commits += written;
        }
        Ok(outcomes)
    }

    /// Why a member may not commit for a partition that it may have lost.
    fn refusal(&self, commit: &Commit, topic: &CommitTopic, partition: i32) -> Option<GroupError> {
        match self.group(&commit.group)? {
            Group::Classic(_) => None,
            Group::Consumer(group) => {
                group.may_commit_partition(&commit.who, topic.topic_id, partition).err()
            }
        }
    }

    fn may_commit(&self, commit: &Commit) -> Result<(), GroupError> {
        match self.group(&commit.group) {
            Some(Group::Classic(group)) => group.may_commit(&commit.who),
            Some(Group::Consumer(group)) => group.may_commit(&commit.who, commit.knows_unknown_groups),
            // Nobody's member: a tool, or a consumer that divides partitions by itself.
            None if commit.who.generation < 0 && !self.places.has_room() => Err(GroupError::TooManyGroups),
            None if commit.who.generation < 0 => Ok(()),
            None if commit.knows_unknown_groups => Err(GroupError::GroupNotFound),
            None => Err(GroupError::IllegalGeneration),
        }
    }
}

fn record_of(commit: &Commit, topic: &CommitTopic, asked: &CommitPartition, now: Now) -> Record {
    let key = OffsetKey {
        group: commit.group.to_string(),
        topic: topic.topic.to_string(),
        partition: asked.partition,
    };
    let committed = Committed {
        offset: asked.offset,
        leader_epoch: asked.leader_epoch,
        metadata: asked.metadata.clone(),
        commit_ms: now.wall_ms,
        expire_ms: commit.retention_ms.map(|retention| now.wall_ms.saturating_add(retention)),
        topic_id: topic.topic_id,
    };
    Record::Offset(key, Some(committed))
}
