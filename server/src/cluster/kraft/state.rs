//! What the records of Kafka's metadata come to.

use std::collections::BTreeMap;

use storage::TopicId;

use super::records::{Change, KraftRecord, Placed};

/// Kafka's types of resources that have settings.
pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const CLIENT_METRICS: i8 = 16;
pub const GROUP: i8 = 32;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KraftTopic {
    pub name: String,
    pub partitions: BTreeMap<i32, Placed>,
}

/// An entity of quotas: its types, with a name or for all without one.
pub type QuotaEntity = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub topics: BTreeMap<TopicId, KraftTopic>,
    /// By type and name of the resource.
    pub configs: BTreeMap<(i8, String), BTreeMap<String, String>>,
    pub quotas: BTreeMap<QuotaEntity, BTreeMap<String, f64>>,
    pub producer_id_next: i64,
    pub features: BTreeMap<String, i16>,
    /// How many records of each kind were passed over.
    pub others: BTreeMap<&'static str, u64>,
    /// What a transaction that has not ended holds back.
    pending: Option<Vec<KraftRecord>>,
}

impl State {
    /// Takes a record in. Those between the begin and the end of a transaction count when it ends.
    pub fn replay(&mut self, record: KraftRecord) {
        match (record, &mut self.pending) {
            (KraftRecord::BeginTransaction, pending) => *pending = Some(Vec::new()),
            (KraftRecord::AbortTransaction, pending) => *pending = None,
            (KraftRecord::EndTransaction, pending) => {
                for record in pending.take().unwrap_or_default() {
                    self.apply(record);
                }
            }
            (record, Some(pending)) => pending.push(record),
            (record, None) => self.apply(record),
        }
    }

    fn apply(&mut self, record: KraftRecord) {
        match record {
            KraftRecord::Topic { name, id } => {
                self.topics.entry(id).or_default().name = name;
            }
            KraftRecord::Partition { topic, partition, placed } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    topic.partitions.insert(partition, placed);
                }
            }
            KraftRecord::PartitionChange { topic, partition, change } => {
                let topic = self.topics.get_mut(&topic);
                if let Some(placed) = topic.and_then(|topic| topic.partitions.get_mut(&partition)) {
                    placed.apply(change);
                }
            }
            KraftRecord::RemoveTopic(id) => {
                if let Some(topic) = self.topics.remove(&id) {
                    self.configs.remove(&(TOPIC, topic.name));
                }
            }
            KraftRecord::ClearEligible(only) => self.clear_eligible(only.as_deref()),
            KraftRecord::Config { kind, resource, name, value } => {
                self.configure((kind, resource), name, value)
            }
            KraftRecord::Quota { entity, key, value } => self.alter(entity.into_iter().collect(), key, value),
            KraftRecord::ProducerIds { next } => self.producer_id_next = self.producer_id_next.max(next),
            KraftRecord::Feature { name, level } => drop(self.features.insert(name, level)),
            KraftRecord::Other(name) => *self.others.entry(name).or_default() += 1,
            KraftRecord::BeginTransaction | KraftRecord::EndTransaction | KraftRecord::AbortTransaction => {}
        }
    }

    fn clear_eligible(&mut self, only: Option<&str>) {
        let meant = self.topics.values_mut().filter(|topic| only.is_none_or(|name| topic.name == name));
        meant.flat_map(|topic| topic.partitions.values_mut()).for_each(|placed| placed.eligible.clear());
    }

    fn configure(&mut self, resource: (i8, String), name: String, value: Option<String>) {
        let configs = self.configs.entry(resource.clone()).or_default();
        match value {
            Some(value) => drop(configs.insert(name, value)),
            None => drop(configs.remove(&name)),
        }
        if configs.is_empty() {
            self.configs.remove(&resource);
        }
    }

    fn alter(&mut self, entity: QuotaEntity, key: String, value: Option<f64>) {
        let values = self.quotas.entry(entity.clone()).or_default();
        match value {
            Some(value) => drop(values.insert(key, value)),
            None => drop(values.remove(&key)),
        }
        if values.is_empty() {
            self.quotas.remove(&entity);
        }
    }

    /// How many there are, once those are taken off that were removed again.
    pub fn left_of(&self, added: &str, removed: &str) -> u64 {
        let count = |name: &str| self.others.get(name).copied().unwrap_or(0);
        count(added).saturating_sub(count(removed))
    }
}

impl Placed {
    /// Whether everything that was acknowledged is on this node. What only one node has, nobody has more of.
    pub fn is_whole_on(&self, node_id: i32) -> bool {
        self.replicas == [node_id] || [&self.in_sync, &self.eligible].iter().any(|ids| ids.contains(&node_id))
    }

    fn apply(&mut self, change: Change) {
        if let Some(in_sync) = change.in_sync {
            self.in_sync = in_sync;
        }
        if let Some(eligible) = change.eligible {
            self.eligible = eligible;
        }
        if let Some(replicas) = change.replicas {
            self.replicas = replicas;
        }
        if let Some(directories) = change.directories {
            self.directories = directories;
        }
        if change.has_leader {
            self.leader_epoch = self.leader_epoch.saturating_add(1);
        }
    }
}
