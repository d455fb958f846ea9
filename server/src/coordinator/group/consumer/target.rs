//! The target: what each member is to have, made anew for the group's newest epoch.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use storage::TopicId;

use super::{ConsumerGroup, ConsumerSettings};
use crate::coordinator::assignor::{Assignment, Assignor, PartitionCounts, Subscriber};
use crate::coordinator::group::Turn;
use crate::coordinator::records::{ConsumerRecord, TargetEpoch};

/// Topics by name, and a pattern.
type Subscription<'a> = (&'a BTreeSet<String>, Option<&'a String>);

impl ConsumerGroup {
    /// Makes the target for the newest epoch, unless the one before is too young: then a later heartbeat does.
    pub(super) fn make_target(&mut self, turn: &mut Turn<'_>) {
        if self.target_epoch.epoch >= self.epoch || !self.may_make_target(turn) {
            return;
        }
        let made = self.assign(turn);
        for (id, target) in made {
            let is_same =
                self.target.get(&id).is_some_and(|before| Arc::ptr_eq(before, &target) || *before == target);
            if !is_same {
                self.commit(ConsumerRecord::Target(id.to_string(), Some((*target).clone())), turn);
            }
        }
        let epoch = TargetEpoch { epoch: self.epoch, made_ms: turn.now.wall_ms };
        self.commit(ConsumerRecord::TargetEpoch(Some(epoch)), turn);
    }

    fn may_make_target(&self, turn: &Turn<'_>) -> bool {
        let interval_ms = turn.settings.consumer.times.assignment_interval_ms(turn.configs());
        let made_ms = self.target_epoch.made_ms;
        made_ms == 0 || interval_ms == 0 || turn.now.wall_ms >= made_ms.saturating_add(interval_ms.into())
    }

    fn assign(&self, turn: &Turn<'_>) -> Vec<(Arc<str>, Arc<Assignment>)> {
        let image = &turn.image;
        // Most members subscribe to what others do: it is looked up once.
        let mut shared: HashMap<Subscription<'_>, Arc<BTreeSet<TopicId>>> = HashMap::new();
        let mut subscribed = Vec::with_capacity(self.members.len());
        for member in self.members.values() {
            let topics = shared.entry((&member.said.topics, member.said.pattern.as_ref()));
            subscribed.push(topics.or_insert_with(|| Arc::new(self.topics_of(&member.said, image))).clone());
        }
        let mut counts = PartitionCounts::new();
        for topic in shared.values().flat_map(|topics| topics.iter()) {
            if let Some(found) = image.topic_by_id(*topic) {
                counts.insert(*topic, found.partitions as i32);
            }
        }
        let mut subscribers = Vec::with_capacity(self.members.len());
        for ((id, member), topics) in self.members.iter().zip(subscribed) {
            let current = self.target.get(id).cloned().unwrap_or_default();
            let instance = member.said.instance.as_deref();
            subscribers.push(Subscriber { id, instance, topics, current });
        }
        let assigned = self.assignor(&turn.settings.consumer).assign(&subscribers, &counts);
        self.members.keys().cloned().zip(assigned).collect()
    }

    /// The one that most members ask for, if it is still served.
    pub(super) fn assignor(&self, settings: &ConsumerSettings) -> Assignor {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.members.values().filter_map(|member| member.said.assignor.as_deref()) {
            *votes.entry(name).or_insert(0) += 1;
        }
        let most = votes.into_iter().max_by_key(|(_, votes)| *votes);
        let asked = most.and_then(|(name, _)| Assignor::named(name));
        asked
            .filter(|asked| settings.assignors.contains(asked))
            .unwrap_or_else(|| settings.default_assignor())
    }
}
