//! What is forgotten by itself: offsets that are older than they are kept, and groups that have none left.
//!
//! As in Kafka: of an empty group the time runs from when it became empty, of one that only commits from each commit. Of
//! a group that consumes, only offsets of topics that it no longer consumes are forgotten. Deleted topics' offsets go
//! with their topics.

use std::sync::Arc;

use storage::TopicId;

use super::{Group, GroupMachine, Timer};
use crate::coordinator::records::{Committed, OffsetKey, Record};
use crate::coordinator::shard::{Now, Out};

/// From when on an offset's time runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Commit,
    /// When the group became empty.
    Moment(i64),
}

impl Since {
    fn is_over(self, committed: &Committed, retention_ms: i64, now_ms: i64) -> bool {
        match (committed.expire_ms, self) {
            (Some(at), _) => now_ms >= at,
            (None, Self::Commit) => now_ms.saturating_sub(committed.commit_ms) >= retention_ms,
            (None, Self::Moment(since)) => now_ms.saturating_sub(since) >= retention_ms,
        }
    }
}

impl GroupMachine {
    /// Forgets what is over.
    pub(super) fn sweep(&mut self, now: Now, out: &mut Out<Self>) {
        out.may_split();
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            let expired = self.expired_of(&id, now);
            self.counts.expired_offsets += expired.len() as u64;
            for key in expired {
                self.commit(Record::Offset(key, None), out);
            }
            if self.offsets.has_any(&id) {
                continue;
            }
            let takes_back = match self.group(&id) {
                Some(Group::Classic(classic)) if classic.is_unused() => {
                    vec![Record::ClassicGroup(id.to_string(), None)]
                }
                Some(Group::Consumer(consumer)) if consumer.is_empty() => consumer
                    .tombstones()
                    .into_iter()
                    .map(|record| Record::Consumer(id.to_string(), record))
                    .collect(),
                _ => continue,
            };
            takes_back.into_iter().for_each(|record| self.commit(record, out));
        }
        out.set_timer(Timer::Sweep, now.at + self.settings.sweep_interval);
    }

    fn expired_of(&self, id: &Arc<str>, now: Now) -> Vec<OffsetKey> {
        let Some(group) = self.group(id) else { return Vec::new() };
        let since = match group {
            Group::Classic(classic) => classic.offsets_expire_since(),
            Group::Consumer(_) => Some(Since::Commit),
        };
        let Some(since) = since else { return Vec::new() };
        let of_group = self.offsets.of_group(id);
        let over = of_group.filter(|(topic, _, committed)| {
            !group.is_subscribed_to(topic)
                && since.is_over(committed, self.settings.retention_ms, now.wall_ms)
        });
        over.map(|(topic, partition, _)| OffsetKey {
            group: id.to_string(),
            topic: topic.to_string(),
            partition,
        })
        .collect()
    }

    /// Offsets of a topic that is gone say nothing of one that takes its name.
    pub(super) fn forget_topic(&mut self, topic: &str, topic_id: TopicId, out: &mut Out<Self>) {
        out.may_split();
        for key in self.offsets.keys_of_topic(topic, topic_id) {
            self.commit(Record::Offset(key, None), out);
        }
    }
}
