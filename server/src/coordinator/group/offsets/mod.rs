//! What groups have committed: hard state, by group, topic and partition.
//!
//! Names of topics are kept once for each group. Nothing here decides; `commit` does.

mod commit;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use storage::TopicId;

use super::{FetchedTopic, TopicPartitions};
use crate::coordinator::records::{Committed, OffsetKey};

type OfGroup = BTreeMap<Arc<str>, BTreeMap<i32, Committed>>;

#[derive(Default)]
pub struct Offsets {
    groups: HashMap<Arc<str>, OfGroup>,
    count: usize,
}

impl Offsets {
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.groups.get(group)?.get(topic)?.get(&partition)
    }

    pub fn has_any(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// Offsets of all groups.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn of_group(&self, group: &str) -> impl Iterator<Item = (&Arc<str>, i32, &Committed)> {
        let topics = self.groups.get(group).into_iter().flatten();
        topics.flat_map(|(topic, partitions)| partitions.iter().map(move |(p, c)| (topic, *p, c)))
    }

    pub(super) fn put(&mut self, group: Arc<str>, topic: &str, partition: i32, committed: Committed) {
        let topics = self.groups.entry(group).or_default();
        let partitions = match topics.get_mut(topic) {
            Some(partitions) => partitions,
            None => topics.entry(topic.into()).or_default(),
        };
        self.count += usize::from(partitions.insert(partition, committed).is_none());
    }

    pub(super) fn remove(&mut self, group: &str, topic: &str, partition: i32) {
        let Some(topics) = self.groups.get_mut(group) else { return };
        let Some(partitions) = topics.get_mut(topic) else { return };
        self.count -= usize::from(partitions.remove(&partition).is_some());
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.groups.remove(group);
        }
    }

    pub(super) fn keys_of(&self, group: &str) -> Vec<OffsetKey> {
        let key = |(topic, partition, _): (&Arc<str>, i32, &Committed)| OffsetKey {
            group: group.to_owned(),
            topic: topic.to_string(),
            partition,
        };
        self.of_group(group).map(key).collect()
    }

    /// All groups' offsets of a topic, as far as they may be of the one with that id.
    pub(super) fn keys_of_topic(&self, topic: &str, id: TopicId) -> Vec<OffsetKey> {
        let mut keys = Vec::new();
        for (group, topics) in &self.groups {
            for (partition, committed) in topics.get(topic).into_iter().flatten() {
                if committed.topic_id.is_zero() || committed.topic_id == id {
                    let (group, topic) = (group.to_string(), topic.to_owned());
                    keys.push(OffsetKey { group, topic, partition: *partition });
                }
            }
        }
        keys
    }

    /// What a group has committed for these partitions.
    pub fn fetch(&self, group: &str, topics: &[TopicPartitions]) -> Vec<FetchedTopic> {
        let fetch = |asked: &TopicPartitions| {
            let find = |partition: &i32| {
                let found = self.get(group, &asked.topic, *partition);
                let found = found.filter(|committed| is_of(committed, asked.topic_id));
                (*partition, found.cloned())
            };
            FetchedTopic {
                topic: asked.topic.clone(),
                partitions: asked.partitions.iter().map(find).collect(),
            }
        };
        topics.iter().map(fetch).collect()
    }

    /// All that a group has committed. `id_of` tells a topic's id now; zero if there is none of the name.
    pub fn fetch_all(&self, group: &str, id_of: impl Fn(&str) -> TopicId) -> Vec<FetchedTopic> {
        let mut all = Vec::new();
        for (topic, partitions) in self.groups.get(group).into_iter().flatten() {
            let id = id_of(topic);
            let found: Vec<_> = partitions
                .iter()
                .filter(|(_, committed)| is_of(committed, id))
                .map(|(partition, committed)| (*partition, Some(committed.clone())))
                .collect();
            if !found.is_empty() {
                all.push(FetchedTopic { topic: topic.clone(), partitions: found });
            }
        }
        all
    }
}

/// Whether an offset is one of the topic that has this id now, as far as both are known.
fn is_of(committed: &Committed, id: TopicId) -> bool {
    committed.topic_id.is_zero() || id.is_zero() || committed.topic_id == id
}
