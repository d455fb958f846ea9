//! A group of the KIP-848 protocol: the coordinator decides who reads what, and each member moves there by itself.
//!
//! A change of members, of what they subscribe to, or of those topics raises the group's *epoch*. For the newest epoch a
//! *target* is made that says what each member is to have. Members come to it one by one with their heartbeats: first
//! each gives up what is not its own any more, then it is in the target's epoch, and what others gave up is added as it
//! becomes free. So nobody waits for the whole group, and a partition has one owner at any time: that is the invariant of
//! [`ConsumerGroup::owners`].
//!
//! All of it is hard state and follows from records by [`ConsumerGroup::apply`], but for when members were heard of (the
//! shard's timers) and which image of the topics was looked at last. The rules are those of Kafka 4.3.1's `ConsumerGroup`
//! and `GroupMetadataManager`; patterns are resolved at once here, where Kafka does it beside and bumps the epoch later.

mod classic_members;
mod conversion;
mod describe;
mod embedded;
mod heartbeat;
mod leave;
mod pattern;
mod reconcile;
mod subscription;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use storage::TopicId;

pub(super) use conversion::{Converted, seats};
pub use describe::{DescribedConsumer, DescribedConsumerMember};
pub use heartbeat::{Beat, Beaten, LEAVES, LEAVES_FOR_NOW};

use leave::LeaveKind;

use super::{As, GroupError, Timer, Turn};
use crate::cluster::Image;
use crate::config::ConsumerTimes;
use crate::coordinator::assignor::Assignor;
use crate::coordinator::records::{
    ConsumerMember, ConsumerRecord, CurrentAssignment, MemberState, Partitions, Record, ResolvedPattern,
    TargetEpoch, WithEpochs,
};

/// The settings of these groups.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    /// Sessions and heartbeats; a target is not made again before the interval between assignments is over.
    pub times: ConsumerTimes,
    /// Resolved patterns are looked at again after this time, whether or not there are other topics.
    pub patterns_interval_ms: i32,
    /// The assignors that members may ask for. The first is for those who ask for none; there is one.
    pub assignors: Vec<Assignor>,
    pub size_max: usize,
    /// A live classic group becomes one of this protocol when a member of it joins.
    pub may_upgrade: bool,
    /// And a classic one again, when its last member of this protocol has gone.
    pub may_downgrade: bool,
}

#[derive(Debug, Clone)]
struct Member {
    said: ConsumerMember,
    has: CurrentAssignment,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            said: ConsumerMember { rebalance_timeout_ms: -1, ..ConsumerMember::default() },
            has: CurrentAssignment {
                epoch: 0,
                previous_epoch: -1,
                state: MemberState::Stable,
                assigned: WithEpochs::new(),
                revoking: WithEpochs::new(),
            },
        }
    }
}

impl Member {
    fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.has.state == MemberState::Stable && self.has.epoch == epoch
    }

    fn is_classic(&self) -> bool {
        self.said.classic.is_some()
    }

    fn owned(&self) -> impl Iterator<Item = (TopicId, i32)> {
        let of = |(topic, partitions): (&TopicId, &BTreeMap<i32, i32>)| {
            let topic = *topic;
            partitions.keys().map(move |partition| (topic, *partition)).collect::<Vec<_>>()
        };
        self.has.assigned.iter().chain(&self.has.revoking).flat_map(of)
    }

    /// The epoch in which it got a partition that it still has to do with.
    fn epoch_of(&self, topic: TopicId, partition: i32) -> Option<i32> {
        let find = |partitions: &WithEpochs| partitions.get(&topic)?.get(&partition).copied();
        find(&self.has.assigned).or_else(|| find(&self.has.revoking))
    }
}

pub struct ConsumerGroup {
    epoch: i32,
    topics_hash: i64,
    /// Kafka before 4.1 wrote a record that is taken back now.
    has_partition_metadata: bool,
    members: BTreeMap<Arc<str>, Member>,
    target_epoch: TargetEpoch,
    target: HashMap<Arc<str>, Arc<Partitions>>,
    patterns: BTreeMap<String, ResolvedPattern>,
    // What follows from the members.
    instances: HashMap<String, Arc<str>>,
    /// How many members name each topic.
    named: BTreeMap<String, usize>,
    /// How many subscribe to each pattern.
    subscribed: BTreeMap<String, usize>,
    /// Who has each partition, or has yet to give it up.
    owners: HashMap<(TopicId, i32), Arc<str>>,
    // Soft.
    /// The topics as they were looked at last, for the hash and for the patterns.
    seen: Option<Arc<Image>>,
    patterns_seen: Option<Arc<Image>>,
    patterns_at_ms: i64,
    /// Classic members that were told to join again.
    awaited: BTreeSet<Arc<str>>,
}

impl Default for ConsumerGroup {
    fn default() -> Self {
        Self {
            // As in Kafka since 4.3: 0 is the epoch of who joins.
            epoch: 1,
            topics_hash: subscription::HASH_OF_NO_TOPICS,
            has_partition_metadata: false,
            members: BTreeMap::new(),
            target_epoch: TargetEpoch { epoch: 0, made_ms: 0 },
            target: HashMap::new(),
            patterns: BTreeMap::new(),
            instances: HashMap::new(),
            named: BTreeMap::new(),
            subscribed: BTreeMap::new(),
            owners: HashMap::new(),
            seen: None,
            patterns_seen: None,
            patterns_at_ms: i64::MIN,
            awaited: BTreeSet::new(),
        }
    }
}

impl ConsumerGroup {
    /// Takes in a record, at runtime and at start-up. Records of what is gone change nothing.
    pub(super) fn apply(&mut self, record: ConsumerRecord) {
        match record {
            ConsumerRecord::Epoch(Some(epoch)) => {
                self.epoch = epoch.epoch;
                self.topics_hash = epoch.topics_hash;
            }
            // With this the group itself goes; see the machine.
            ConsumerRecord::Epoch(None) => {}
            ConsumerRecord::PartitionMetadata(there) => self.has_partition_metadata = there.is_some(),
            ConsumerRecord::Member(id, Some(said)) => self.set_said(&id, said),
            ConsumerRecord::Member(id, None) => self.remove(&id),
            ConsumerRecord::TargetEpoch(epoch) => {
                self.target_epoch = epoch.unwrap_or(TargetEpoch { epoch: -1, made_ms: 0 });
            }
            ConsumerRecord::Target(id, Some(target)) => {
                self.target.insert(self.shared_id(&id), Arc::new(target));
            }
            ConsumerRecord::Target(id, None) => drop(self.target.remove(id.as_str())),
            ConsumerRecord::Current(id, Some(has)) => self.set_has(&id, has),
            ConsumerRecord::Current(id, None) => {
                if self.members.contains_key(id.as_str()) {
                    self.set_has(&id, CurrentAssignment { epoch: LEAVES, ..Member::default().has });
                }
            }
            ConsumerRecord::Pattern(pattern, Some(resolved)) => drop(self.patterns.insert(pattern, resolved)),
            ConsumerRecord::Pattern(pattern, None) => drop(self.patterns.remove(&pattern)),
        }
    }

    /// Writes a record and takes it in.
    fn commit(&mut self, record: ConsumerRecord, turn: &mut Turn<'_>) {
        let record = Record::Consumer(turn.id.to_string(), record);
        turn.out.record(record.encode().into());
        if let Record::Consumer(_, record) = record {
            self.apply(record);
        }
    }

    fn shared_id(&self, id: &str) -> Arc<str> {
        self.members.get_key_value(id).map_or_else(|| id.into(), |(id, _)| id.clone())
    }

    fn set_said(&mut self, id: &str, said: ConsumerMember) {
        let id = self.shared_id(id);
        let member = self.members.entry(id.clone()).or_default();
        let before = std::mem::replace(&mut member.said, said.clone());
        self.uncount(&before, &id);
        self.count(&said, id);
    }

    fn set_has(&mut self, id: &str, has: CurrentAssignment) {
        let id = self.shared_id(id);
        let member = self.members.entry(id.clone()).or_default();
        let before: Vec<_> = member.owned().collect();
        member.has = has;
        let now: Vec<_> = member.owned().collect();
        self.disown(before, &id);
        self.owners.extend(now.into_iter().map(|partition| (partition, id.clone())));
    }

    fn remove(&mut self, id: &str) {
        if let Some((id, member)) = self.members.remove_entry(id) {
            self.awaited.remove(&id);
            self.disown(member.owned().collect(), &id);
            self.uncount(&member.said, &id);
        }
    }

    /// Somebody else may own it by now, where records of a log were replayed of which compaction has left the last ones.
    fn disown(&mut self, partitions: Vec<(TopicId, i32)>, id: &Arc<str>) {
        for partition in partitions {
            if self.owners.get(&partition).is_some_and(|owner| owner == id) {
                self.owners.remove(&partition);
            }
        }
    }

    fn count(&mut self, said: &ConsumerMember, id: Arc<str>) {
        for topic in &said.topics {
            *self.named.entry(topic.clone()).or_insert(0) += 1;
        }
        if let Some(pattern) = pattern_of(said) {
            *self.subscribed.entry(pattern.to_owned()).or_insert(0) += 1;
        }
        if let Some(instance) = &said.instance {
            self.instances.insert(instance.clone(), id);
        }
    }

    fn uncount(&mut self, said: &ConsumerMember, id: &Arc<str>) {
        for topic in &said.topics {
            count_down(&mut self.named, topic);
        }
        if let Some(pattern) = pattern_of(said) {
            count_down(&mut self.subscribed, pattern);
        }
        if let Some(instance) = &said.instance
            && self.instances.get(instance) == Some(id)
        {
            self.instances.remove(instance);
        }
    }

    /// After a restart every member has its session time to be heard of.
    pub(super) fn loaded(&mut self, turn: &mut Turn<'_>) {
        for (id, member) in &self.members {
            turn.set_consumer_session(id, member.session_timeout_ms(turn));
            if member.has.state == MemberState::Unrevoked && !member.is_classic() {
                turn.set_revocation(id, member.said.rebalance_timeout_ms);
            }
        }
    }

    /// No group comes to the end of the numbers, but a log that others have written may say that one has.
    fn next_epoch(&self) -> i32 {
        self.epoch.wrapping_add(1)
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Whether a member reads a topic, as far as that is known.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.named.contains_key(topic) || self.patterns.values().any(|pattern| pattern.topics.contains(topic))
    }

    /// Whether this member may commit; for which partitions is for [`ConsumerGroup::may_commit_partition`] to say.
    pub(super) fn may_commit(&self, who: &As, knows_epochs: bool) -> Result<(), GroupError> {
        if who.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get(&*who.member).ok_or(GroupError::UnknownMember)?;
        if !member.is_classic() && !knows_epochs {
            return Err(GroupError::UnsupportedVersion);
        }
        if who.generation > member.has.epoch { Err(member.stale()) } else { Ok(()) }
    }

    /// A member that has not heard of its newest epoch may commit what it has had since the one that it names.
    pub(super) fn may_commit_partition(
        &self,
        who: &As,
        topic: TopicId,
        partition: i32,
    ) -> Result<(), GroupError> {
        let Some(member) = self.members.get(&*who.member) else { return Ok(()) };
        if who.generation == member.has.epoch {
            return Ok(());
        }
        match member.epoch_of(topic, partition) {
            Some(since) if who.generation >= since => Ok(()),
            _ => Err(member.stale()),
        }
    }

    /// Whether what is committed may be shown to this member; without an id and an epoch to everybody.
    pub fn may_fetch(&self, member: Option<&str>, epoch: i32) -> Result<(), GroupError> {
        if member.is_none() && epoch < 0 {
            return Ok(());
        }
        let found = member.and_then(|id| self.members.get(id)).ok_or(GroupError::UnknownMember)?;
        if found.has.epoch == epoch { Ok(()) } else { Err(found.stale()) }
    }

    /// All that is kept of it is taken back, the group's epoch last.
    pub(super) fn tombstones(&self) -> Vec<ConsumerRecord> {
        let of_members =
            |record: fn(String) -> ConsumerRecord| self.members.keys().map(move |id| record(id.to_string()));
        let mut records: Vec<_> = of_members(|id| ConsumerRecord::Current(id, None)).collect();
        records.extend(of_members(|id| ConsumerRecord::Target(id, None)));
        records.push(ConsumerRecord::TargetEpoch(None));
        records.extend(of_members(|id| ConsumerRecord::Member(id, None)));
        records.extend(self.patterns.keys().map(|pattern| ConsumerRecord::Pattern(pattern.clone(), None)));
        if self.has_partition_metadata {
            records.push(ConsumerRecord::PartitionMetadata(None));
        }
        records.push(ConsumerRecord::Epoch(None));
        records
    }
}

impl Member {
    fn stale(&self) -> GroupError {
        if self.is_classic() { GroupError::IllegalGeneration } else { GroupError::StaleMemberEpoch }
    }

    fn session_timeout_ms(&self, turn: &Turn<'_>) -> i32 {
        let classic = self.said.classic.as_ref().map(|classic| classic.session_timeout_ms);
        classic.unwrap_or_else(|| turn.session_timeout_ms())
    }
}

/// An empty pattern is none.
fn pattern_of(said: &ConsumerMember) -> Option<&str> {
    said.pattern.as_deref().filter(|pattern| !pattern.is_empty())
}

fn count_down(counts: &mut BTreeMap<String, usize>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}

impl ConsumerSettings {
    /// For members that ask for none.
    fn default_assignor(&self) -> Assignor {
        self.assignors.first().copied().unwrap_or(Assignor::Uniform)
    }
}

impl Turn<'_> {
    fn session_timeout_ms(&self) -> i32 {
        self.settings.consumer.times.session_timeout_ms(self.configs())
    }

    fn set_consumer_session(&mut self, member: &Arc<str>, timeout_ms: i32) {
        let timer = Timer::Session { group: self.id.clone(), member: member.clone() };
        self.out.set_timer(timer, self.at(timeout_ms.into()));
    }

    fn set_revocation(&mut self, member: &Arc<str>, timeout_ms: i32) {
        let timer = Timer::Revocation { group: self.id.clone(), member: member.clone() };
        self.out.set_timer(timer, self.at(timeout_ms.into()));
    }

    fn cancel_revocation(&mut self, member: &Arc<str>) {
        let timer = Timer::Revocation { group: self.id.clone(), member: member.clone() };
        self.out.cancel_timer(timer);
    }

    fn cancel_member(&mut self, member: &Arc<str>) {
        self.cancel_revocation(member);
        self.cancel_classic(member);
        self.out.cancel_timer(Timer::Session { group: self.id.clone(), member: member.clone() });
    }
}
