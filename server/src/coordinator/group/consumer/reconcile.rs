//! How a member comes from what it has to what it is to have.
//!
//! It keeps what is in both. What is only in the first it has to give up, and says so by no longer naming it; until then
//! it stays in its epoch. Then it moves to the target's epoch and gets what is free of the rest, and what is not free
//! later.

use std::collections::{BTreeMap, BTreeSet};

use storage::TopicId;

use super::ConsumerGroup;
use crate::coordinator::group::Turn;
use crate::coordinator::records::{ConsumerRecord, CurrentAssignment, MemberState, Partitions, WithEpochs};

/// What a member's way depends on beside what it has.
pub(super) struct Way<'a> {
    pub(super) target_epoch: i32,
    pub(super) target: &'a Partitions,
    /// The topics that it subscribes to now; the target may be older.
    pub(super) topics: &'a BTreeSet<TopicId>,
    pub(super) has_changed: bool,
    /// What it says it has; `None` where it says nothing of that.
    pub(super) owned: Option<&'a Partitions>,
    /// Nobody else has the partition.
    pub(super) is_free: &'a dyn Fn(TopicId, i32) -> bool,
}

impl ConsumerGroup {
    /// Moves a member on as far as it can be.
    pub(super) fn reconcile(
        &mut self,
        id: &str,
        has_changed: bool,
        owned: Option<&Partitions>,
        turn: &mut Turn<'_>,
    ) {
        let (id, member) = self.member(id);
        if !has_changed && member.is_reconciled_to(self.target_epoch.epoch) {
            return;
        }
        let is_free =
            |topic, partition| self.owners.get(&(topic, partition)).is_none_or(|owner| *owner == id);
        let empty = Partitions::new();
        let way = Way {
            target_epoch: self.target_epoch.epoch,
            target: self.target.get(&id).map_or(&empty, |target| target),
            topics: &self.topics_of(&member.said, &turn.image),
            has_changed,
            owned,
            is_free: &is_free,
        };
        let next = way.next(&member.has);
        if next == member.has {
            return;
        }
        let (timeout_ms, is_classic) = (member.said.rebalance_timeout_ms, member.is_classic());
        let is_unrevoked = next.state == MemberState::Unrevoked;
        self.commit(ConsumerRecord::Current(id.to_string(), Some(next)), turn);
        // Members of the classic protocol have the time to join instead.
        match (is_classic, is_unrevoked) {
            (true, _) => {}
            (false, true) => turn.set_revocation(&id, timeout_ms),
            (false, false) => turn.cancel_revocation(&id),
        }
    }
}

impl Way<'_> {
    pub(super) fn next(&self, has: &CurrentAssignment) -> CurrentAssignment {
        match has.state {
            MemberState::Stable if has.epoch == self.target_epoch => self.drop_unsubscribed(has),
            MemberState::Unrevoked if self.still_owns(&has.revoking) => self.drop_unsubscribed(has),
            MemberState::Stable | MemberState::Unrevoked | MemberState::Unreleased => self.towards(has),
            MemberState::Unknown => {
                self.towards(&CurrentAssignment { epoch: self.target_epoch, ..has.clone() })
            }
        }
    }

    fn still_owns(&self, partitions: &WithEpochs) -> bool {
        let Some(owned) = self.owned else { return true };
        let owns = |(topic, partitions): (&TopicId, &BTreeMap<i32, i32>)| {
            owned
                .get(topic)
                .is_some_and(|owned| owned.iter().any(|partition| partitions.contains_key(partition)))
        };
        partitions.iter().any(owns)
    }

    /// What it does not subscribe to any more it gives up without waiting for a new target.
    fn drop_unsubscribed(&self, has: &CurrentAssignment) -> CurrentAssignment {
        let mut next = has.clone();
        if !self.has_changed {
            return next;
        }
        next.assigned.retain(|topic, _| self.topics.contains(topic));
        if next.assigned.len() == has.assigned.len() {
            return next;
        }
        for (topic, partitions) in has.assigned.iter().filter(|(topic, _)| !self.topics.contains(topic)) {
            next.revoking.entry(*topic).or_default().extend(partitions);
        }
        next.previous_epoch = has.epoch;
        if self.still_owns(&next.revoking) {
            next.state = MemberState::Unrevoked;
        } else {
            next.revoking = has.revoking.clone();
        }
        next
    }

    fn towards(&self, has: &CurrentAssignment) -> CurrentAssignment {
        let mut kept = WithEpochs::new();
        let mut revoking = WithEpochs::new();
        for (topic, partitions) in &has.assigned {
            for (partition, epoch) in partitions {
                let side = if self.wants(*topic, *partition) { &mut kept } else { &mut revoking };
                side.entry(*topic).or_default().insert(*partition, *epoch);
            }
        }
        if !revoking.is_empty() && self.still_owns(&revoking) {
            return CurrentAssignment {
                epoch: has.epoch,
                previous_epoch: has.epoch,
                state: MemberState::Unrevoked,
                assigned: kept,
                revoking,
            };
        }
        let mut waits = false;
        for (topic, partitions) in self.target.iter().filter(|(topic, _)| self.topics.contains(topic)) {
            for partition in partitions {
                if kept.get(topic).is_some_and(|kept| kept.contains_key(partition)) {
                    continue;
                }
                if (self.is_free)(*topic, *partition) {
                    kept.entry(*topic).or_default().insert(*partition, self.target_epoch);
                } else {
                    waits = true;
                }
            }
        }
        CurrentAssignment {
            epoch: self.target_epoch,
            previous_epoch: has.epoch,
            state: if waits { MemberState::Unreleased } else { MemberState::Stable },
            assigned: kept,
            revoking: WithEpochs::new(),
        }
    }

    fn wants(&self, topic: TopicId, partition: i32) -> bool {
        self.topics.contains(&topic)
            && self.target.get(&topic).is_some_and(|target| target.contains(&partition))
    }
}
