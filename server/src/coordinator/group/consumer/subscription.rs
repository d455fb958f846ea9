//! What members subscribe to, and what that makes of the group's epoch.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::TopicId;

use super::{ConsumerGroup, pattern, pattern_of};
use crate::cluster::Image;
use crate::coordinator::group::Turn;
use crate::coordinator::records::{ConsumerMember, ConsumerRecord, GroupEpoch, ResolvedPattern};

/// Patterns that are resolved are not looked at again before this time is over.
const PATTERNS_INTERVAL_MS: i64 = 10_000;

/// What stands for topics that are not there.
pub(super) const HASH_OF_NO_TOPICS: i64 = 0;

impl ConsumerGroup {
    /// Takes in what a member says of itself, looks at the topics again if they may have changed, and raises the epoch
    /// if the assignment may have to. Says whether the member's own subscription is another one.
    pub(super) fn subscribe(
        &mut self,
        id: &Arc<str>,
        before: &ConsumerMember,
        said: ConsumerMember,
        turn: &mut Turn<'_>,
    ) -> bool {
        let pattern_changed = pattern_of(before) != pattern_of(&said);
        let changed = before.topics != said.topics || pattern_changed;
        if *before != said || !self.members.contains_key(id) {
            self.commit(ConsumerRecord::Member(id.to_string(), Some(said)), turn);
        }
        if let Some(old) =
            pattern_of(before).filter(|old| pattern_changed && !self.subscribed.contains_key(*old))
        {
            self.commit(ConsumerRecord::Pattern(old.to_owned(), None), turn);
        }
        let resolved_anew = self.resolve_patterns(turn);
        let same_topics = self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &turn.image));
        if !changed && !resolved_anew && same_topics {
            return false;
        }
        let topics_hash = self.hash_topics(&turn.image);
        if changed || resolved_anew || topics_hash != self.topics_hash {
            self.commit(
                ConsumerRecord::Epoch(Some(GroupEpoch { epoch: self.next_epoch(), topics_hash })),
                turn,
            );
            turn.count_rebalance();
        }
        if self.has_partition_metadata {
            self.commit(ConsumerRecord::PartitionMetadata(None), turn);
        }
        self.seen = Some(turn.image.clone());
        changed
    }

    /// Looks which topics the patterns stand for: at once for new ones, for the others where there are other topics, or
    /// when it was done long ago. Says whether any stands for others than before.
    fn resolve_patterns(&mut self, turn: &mut Turn<'_>) -> bool {
        let now_ms = turn.now.wall_ms;
        let unresolved = self.subscribed.keys().any(|pattern| !self.patterns.contains_key(pattern));
        let same_topics = self.patterns_seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &turn.image));
        let age_ms = now_ms.saturating_sub(self.patterns_at_ms);
        let is_time = age_ms > PATTERNS_INTERVAL_MS;
        let is_old = age_ms > turn.settings.consumer.patterns_interval_ms.into();
        if !unresolved && !is_old && (same_topics || !is_time) {
            return false;
        }
        let mut changed = false;
        for name in self.subscribed.keys().cloned().collect::<Vec<_>>() {
            let topics = pattern::resolve(&name, &turn.image);
            let before = self.patterns.get(&name);
            if before.is_some_and(|before| before.topics == topics) {
                continue;
            }
            let version = before.map_or(0, |before| before.version.wrapping_add(1));
            changed |= before.map_or(!topics.is_empty(), |before| before.topics != topics);
            let resolved = ResolvedPattern { topics, version, at_ms: now_ms };
            self.commit(ConsumerRecord::Pattern(name, Some(resolved)), turn);
        }
        self.patterns_seen = Some(turn.image.clone());
        self.patterns_at_ms = now_ms;
        changed
    }

    /// The topics that a member reads, as far as they exist.
    pub(super) fn topics_of(&self, said: &ConsumerMember, image: &Image) -> BTreeSet<TopicId> {
        let matched = pattern_of(said).and_then(|pattern| self.patterns.get(pattern));
        let names = said.topics.iter().chain(matched.into_iter().flat_map(|pattern| &pattern.topics));
        names.filter_map(|name| Some(image.topic(name)?.id)).collect()
    }

    /// Tells whether the topics that the group reads are as they were: FNV-1a over their names, ids and partitions. 0
    /// where there are none. Kafka hashes them otherwise, which costs a group that it takes over one more assignment.
    pub(super) fn hash_topics(&self, image: &Image) -> i64 {
        let matched = self.patterns.values().flat_map(|pattern| &pattern.topics);
        let names: BTreeSet<&String> = self.named.keys().chain(matched).collect();
        let mut topics = names.into_iter().filter_map(|name| image.topic(name)).peekable();
        if topics.peek().is_none() {
            return HASH_OF_NO_TOPICS;
        }
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for topic in topics {
            let length = (topic.name.len() as u32).to_be_bytes();
            let count = topic.partitions.to_be_bytes();
            for byte in length.iter().chain(topic.name.as_bytes()).chain(&topic.id.0).chain(&count) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        hash as i64
    }
}
