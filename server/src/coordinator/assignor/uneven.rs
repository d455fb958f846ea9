//! `uniform` where members subscribe to different topics: as even as a number of rounds makes it.
//!
//! Members keep what they have of their topics. Free partitions go to the subscriber with the fewest, topics with the
//! most partitions for each subscriber first. Then, topic by topic, partitions move from the subscriber with the most to
//! the one with the fewest while these differ by more than one; rounds over all topics end when one moved nothing. Among
//! members with equally many the order of their ids decides.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use storage::TopicId;

use super::{Assignment, Owners, PartitionCounts, Subscriber, add, remove};

/// Each round about halves what is uneven.
const ROUNDS_MAX: usize = 16;

pub(super) fn assign(members: &[&Subscriber<'_>], counts: &PartitionCounts) -> Vec<Arc<Assignment>> {
    let mut deal = Deal::new(members, counts);
    deal.keep(members);
    let topics = deal.ordered_topics();
    for topic in &topics {
        deal.fill(*topic);
    }
    deal.balance(&topics);
    deal.assigned
}

struct Deal<'a> {
    counts: &'a PartitionCounts,
    /// By index, in the order of the members.
    subscribers: BTreeMap<TopicId, Vec<usize>>,
    owners: Owners,
    loads: Vec<usize>,
    assigned: Vec<Arc<Assignment>>,
}

impl<'a> Deal<'a> {
    fn new(members: &[&Subscriber<'_>], counts: &'a PartitionCounts) -> Self {
        let mut subscribers: BTreeMap<TopicId, Vec<usize>> = BTreeMap::new();
        for (index, member) in members.iter().enumerate() {
            for topic in member.topics.iter().filter(|topic| counts.contains_key(topic)) {
                subscribers.entry(*topic).or_default().push(index);
            }
        }
        let owners = Owners::none(subscribers.keys(), counts);
        Self { counts, subscribers, owners, loads: vec![0; members.len()], assigned: Vec::new() }
    }

    fn keep(&mut self, members: &[&Subscriber<'_>]) {
        for (index, member) in members.iter().enumerate() {
            let mut kept = Assignment::new();
            for (topic, partitions) in
                member.current.iter().filter(|(topic, _)| member.topics.contains(topic))
            {
                let mine = partitions.iter().copied().filter(|p| self.owners.claim(*topic, *p, index));
                let mine: BTreeSet<i32> = mine.collect();
                if !mine.is_empty() {
                    self.loads[index] += mine.len();
                    kept.insert(*topic, mine);
                }
            }
            let unchanged = kept == *member.current;
            self.assigned.push(if unchanged { member.current.clone() } else { Arc::new(kept) });
        }
    }

    /// By partitions for each subscriber, then those with few subscribers, then by id.
    fn ordered_topics(&self) -> Vec<TopicId> {
        let mut topics: Vec<TopicId> = self.subscribers.keys().copied().collect();
        topics.sort_by(|a, b| self.compare(*a, *b));
        topics
    }

    fn compare(&self, a: TopicId, b: TopicId) -> Ordering {
        let (a_members, b_members) = (self.subscribers[&a].len() as i64, self.subscribers[&b].len() as i64);
        let (a_count, b_count) = (i64::from(self.counts[&a]), i64::from(self.counts[&b]));
        // Quotients compared without dividing.
        let by_share = (b_count * a_members).cmp(&(a_count * b_members));
        by_share.then(a_members.cmp(&b_members)).then(a.cmp(&b))
    }

    /// The subscribers of a topic, those with the fewest partitions first.
    fn by_load(&self, topic: TopicId) -> BTreeSet<(usize, usize)> {
        self.subscribers[&topic].iter().map(|member| (self.loads[*member], *member)).collect()
    }

    fn fill(&mut self, topic: TopicId) {
        let owners = self.owners.topic(topic).iter().enumerate();
        let free: Vec<i32> = owners.filter(|(_, owner)| owner.is_none()).map(|(p, _)| p as i32).collect();
        if free.is_empty() {
            return;
        }
        let mut by_load = self.by_load(topic);
        for partition in free {
            let Some((load, member)) = by_load.pop_first() else { return };
            self.give(topic, partition, member);
            by_load.insert((load + 1, member));
        }
    }

    fn give(&mut self, topic: TopicId, partition: i32, member: usize) {
        self.owners.set(topic, partition, member);
        self.loads[member] += 1;
        add(&mut self.assigned[member], topic, partition);
    }

    fn balance(&mut self, topics: &[TopicId]) {
        let shared: Vec<TopicId> =
            topics.iter().copied().filter(|topic| self.subscribers[topic].len() > 1).collect();
        let mut still = 0;
        for topic in shared.iter().cycle().take(shared.len() * ROUNDS_MAX) {
            still = if self.balance_topic(*topic) { 0 } else { still + 1 };
            if still == shared.len() {
                return;
            }
        }
    }

    /// Evens out one topic's subscribers. Says whether anything moved.
    fn balance_topic(&mut self, topic: TopicId) -> bool {
        let mut by_load = self.by_load(topic);
        let (Some((fewest, _)), Some((most, _))) = (by_load.first(), by_load.last()) else { return false };
        if most - fewest <= 1 {
            return false;
        }
        // Those who have something of this topic to give, their partitions in ascending order.
        let mut held: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
        for (partition, owner) in self.owners.topic(topic).iter().enumerate() {
            if let Some(owner) = owner {
                held.entry(*owner).or_default().push(partition as i32);
            }
        }
        let mut givers: BTreeSet<(usize, usize)> =
            held.keys().map(|member| (self.loads[*member], *member)).collect();
        let mut moved = false;
        while let (Some(&(most, giver)), Some(&(fewest, taker))) = (givers.last(), by_load.first())
            && most - fewest > 1
            && let Some(partition) = held.get_mut(&giver).and_then(Vec::pop)
        {
            remove(&mut self.assigned[giver], topic, partition);
            self.loads[giver] -= 1;
            self.give(topic, partition, taker);
            by_load.remove(&(most, giver));
            by_load.insert((most - 1, giver));
            by_load.remove(&(fewest, taker));
            by_load.insert((fewest + 1, taker));
            givers.remove(&(most, giver));
            if held.get(&giver).is_some_and(|left| !left.is_empty()) {
                givers.insert((most - 1, giver));
            }
            // Whoever takes does not give in the same round: it had the fewest.
            givers.remove(&(fewest, taker));
            moved = true;
        }
        moved
    }
}
