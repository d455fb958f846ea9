//! The image: everything the metadata log says, immutable, shared by `Arc`.
//!
//! A request takes one image at its start and sees it to its end. Maps are persistent, so that a new image costs its
//! change and not its size.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use storage::{LeaderEpoch, LogId, TopicId};

use super::client_metrics::ClientSubscriptions;
use super::feature::Features;
use super::quota::{Entity, Key, Quotas, Value};
use super::records::FeatureLevelSet;

/// A topic as the metadata log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub id: TopicId,
    pub name: Arc<str>,
    pub partitions: u32,
    /// What it has of its own; every other setting has the broker's default.
    pub configs: BTreeMap<String, String>,
}

impl Topic {
    /// The log of one partition, if the topic has it.
    pub fn log_id(&self, partition: i32) -> Option<LogId> {
        let exists = u32::try_from(partition).is_ok_and(|p| p < self.partitions);
        exists.then_some(LogId { topic: self.id, partition })
    }

    pub fn partition_ids(&self) -> impl Iterator<Item = i32> + use<> {
        0..self.partitions as i32
    }
}

/// The state of the metadata log at one position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    topics: OrdMap<TopicId, Arc<Topic>>,
    ids_by_name: OrdMap<Arc<str>, TopicId>,
    /// The topic behind each name with `.` written as `_`: no other topic may join it there (see `topic_name`).
    collisions: OrdMap<String, Arc<str>>,
    /// Deleted topics whose directories may still be there.
    deleting: OrdMap<TopicId, Arc<Topic>>,
    /// What groups have of their own, whether or not there is one of the id; none has nothing here.
    group_configs: OrdMap<Arc<str>, Arc<BTreeMap<String, String>>>,
    client_subscriptions: ClientSubscriptions,
    features: Features,
    /// What brokers were given while they ran, by their ids; `None`: for all of them. None has nothing here.
    broker_configs: OrdMap<Option<i32>, Arc<BTreeMap<String, String>>>,
    quotas: Quotas,
    broker_starts: u32,
    producer_id_next: i64,
}

impl Image {
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.ids_by_name.get(name)?)
    }

    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// All topics in the order of their names.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.ids_by_name.values().filter_map(|id| self.topics.get(id))
    }

    /// The existing topic whose name differs only in `.` and `_`.
    pub fn collision(&self, name: &str) -> Option<&str> {
        self.collisions.get(&super::topic_name::collision_key(name)).map(|n| &**n).filter(|n| *n != name)
    }

    /// The settings that a group has of its own.
    pub fn group_configs(&self, group: &str) -> Option<&BTreeMap<String, String>> {
        self.group_configs.get(group).map(|configs| &**configs)
    }

    /// The groups that have settings of their own, in the order of their ids.
    pub fn configured_groups(&self) -> impl Iterator<Item = (&Arc<str>, &BTreeMap<String, String>)> {
        self.group_configs.iter().map(|(group, configs)| (group, &**configs))
    }

    /// What is asked of clients' metrics.
    pub fn client_subscriptions(&self) -> &ClientSubscriptions {
        &self.client_subscriptions
    }

    /// The levels that features were given.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The settings that a broker, or `None` all of them, were given while they ran.
    pub fn broker_configs(&self, node_id: Option<i32>) -> Option<&BTreeMap<String, String>> {
        self.broker_configs.get(&node_id).map(|configs| &**configs)
    }

    /// The brokers that were given settings, those for all of them first.
    pub fn configured_brokers(&self) -> impl Iterator<Item = (Option<i32>, &BTreeMap<String, String>)> {
        self.broker_configs.iter().map(|(node_id, configs)| (*node_id, &**configs))
    }

    /// The quotas of clients and addresses.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    pub fn deleting(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.deleting.values()
    }

    /// The epoch of every partition in this life of the broker: the first life has epoch 0, as Kafka's first leader.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.broker_starts.saturating_sub(1) as i32)
    }

    pub fn broker_starts(&self) -> u32 {
        self.broker_starts
    }

    pub fn producer_id_next(&self) -> i64 {
        self.producer_id_next
    }

    // The changes. `apply` is their only caller.

    pub(super) fn count_start(&mut self) {
        self.broker_starts += 1;
    }

    pub(super) fn set_starts(&mut self, count: u32) {
        self.broker_starts = count;
    }

    /// Changes of a topic that is gone by now change nothing.
    pub(super) fn configure_topic(&mut self, id: TopicId, changes: BTreeMap<String, Option<String>>) {
        let Some(topic) = self.topics.get(&id) else { return };
        let mut topic = Topic::clone(topic);
        change(&mut topic.configs, changes);
        self.topics.insert(id, Arc::new(topic));
    }

    pub(super) fn configure_group(&mut self, group: String, changes: BTreeMap<String, Option<String>>) {
        let mut configs = self.group_configs(&group).cloned().unwrap_or_default();
        change(&mut configs, changes);
        if configs.is_empty() {
            self.group_configs.remove(group.as_str());
        } else {
            self.group_configs.insert(group.into(), Arc::new(configs));
        }
    }

    pub(super) fn configure_client_metrics(
        &mut self,
        subscription: String,
        changes: BTreeMap<String, Option<String>>,
    ) {
        self.client_subscriptions.configure(subscription, changes);
    }

    pub(super) fn set_feature(&mut self, record: FeatureLevelSet) {
        self.features.set(record);
    }

    pub(super) fn configure_broker(
        &mut self,
        node_id: Option<i32>,
        changes: BTreeMap<String, Option<String>>,
    ) {
        let mut configs = self.broker_configs(node_id).cloned().unwrap_or_default();
        change(&mut configs, changes);
        if configs.is_empty() {
            self.broker_configs.remove(&node_id);
        } else {
            self.broker_configs.insert(node_id, Arc::new(configs));
        }
    }

    pub(super) fn alter_quota(&mut self, entity: Entity, key: Key, value: Option<Value>) {
        self.quotas.alter(entity, key, value);
    }

    /// As `configure_topic`. A count below the one that the topic has would take partitions away: it changes nothing either.
    pub(super) fn grow_topic(&mut self, id: TopicId, partitions: u32) {
        let Some(topic) = self.topics.get(&id).filter(|topic| topic.partitions < partitions) else { return };
        let grown = Topic { partitions, ..Topic::clone(topic) };
        self.topics.insert(id, Arc::new(grown));
    }

    pub(super) fn insert_topic(&mut self, topic: Topic) {
        let topic = Arc::new(topic);
        self.ids_by_name.insert(topic.name.clone(), topic.id);
        self.collisions.insert(super::topic_name::collision_key(&topic.name), topic.name.clone());
        self.topics.insert(topic.id, topic);
    }

    pub(super) fn delete_topic(&mut self, id: TopicId) {
        if let Some(topic) = self.topics.remove(&id) {
            self.ids_by_name.remove(&topic.name);
            self.collisions.remove(&super::topic_name::collision_key(&topic.name));
            self.deleting.insert(id, topic);
        }
    }

    pub(super) fn purge_topic(&mut self, id: TopicId) {
        self.deleting.remove(&id);
    }

    pub(super) fn reserve_producer_ids(&mut self, next: i64) {
        self.producer_id_next = self.producer_id_next.max(next);
    }
}

pub(super) fn change(configs: &mut BTreeMap<String, String>, changes: BTreeMap<String, Option<String>>) {
    for (name, value) in changes {
        match value {
            Some(value) => configs.insert(name, value),
            None => configs.remove(&name),
        };
    }
}

/// An image with these topics and nothing else.
#[cfg(test)]
pub(crate) fn of_topics(topics: impl IntoIterator<Item = Topic>) -> Image {
    let mut image = Image::default();
    topics.into_iter().for_each(|topic| image.insert_topic(topic));
    image
}

/// An image with these quotas and nothing else.
#[cfg(test)]
pub(crate) fn of_quotas(wanted: &[super::quota::Wanted]) -> Image {
    let mut image = Image::default();
    for one in wanted {
        let (records, outcomes) = super::quota::alter(&image, std::slice::from_ref(one)).expect("few");
        assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
        records.into_iter().for_each(|record| super::apply::apply(&mut image, record));
    }
    image
}
