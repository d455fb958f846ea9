//! Groups: one pure state machine for all groups of a partition of `__consumer_offsets`.
//!
//! What a group id *is* (its type) is decided here and nowhere else: [`Group`]. So far there are classic groups; a group
//! that only commits offsets is a classic one without members, as in Kafka. Offsets stand beside the groups, because they
//! outlive a group's type. One folder for each type, one for offsets. Must not know: clocks, logs, tasks, wire formats.

mod admin;
mod bounds;
pub mod classic;
pub mod consumer;
mod error;
mod expiry;
pub mod offsets;
mod op;

pub use bounds::{Bound, BoundFigures};
pub use error::GroupError;
pub use op::*;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use self::bounds::Held;
use self::classic::ClassicGroup;
use self::consumer::{Beat, Beaten, ConsumerGroup, ConsumerSettings};
use self::offsets::Offsets;
use super::OFFSETS_TOPIC;
use super::records::{ConsumerRecord, Encoded, Record};
use super::shard::{KeyValue, Machine, Now, Out, Waiter};
use crate::cluster::Image;

/// The settings that groups go by.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// How long the first rebalance of an empty group waits for more members.
    pub initial_delay_ms: i32,
    pub size_max: usize,
    /// The longest metadata of an offset, in UTF-16 units as Kafka counts.
    pub metadata_chars_max: usize,
    pub retention_ms: i64,
    pub sweep_interval: Duration,
    /// The largest batch that the log takes, unless its topic says otherwise. It may change.
    pub batch_bytes_max: Arc<AtomicUsize>,
    pub consumer: ConsumerSettings,
    /// Of all groups.
    pub group_bound: Arc<Bound>,
    /// Of the member ids, in all groups, that nobody has joined with yet.
    pub pending_bound: Arc<Bound>,
}

impl GroupSettings {
    /// The largest batch that the log takes now.
    fn batch_bytes_max(&self, image: &Image) -> usize {
        let of_topic = image.topic(OFFSETS_TOPIC).and_then(|topic| topic.configs.get("max.message.bytes"));
        let of_topic = of_topic.and_then(|bytes| bytes.parse().ok());
        of_topic.unwrap_or_else(|| self.batch_bytes_max.load(Ordering::Relaxed))
    }
}

/// What a group id is.
pub enum Group {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

impl Group {
    /// The name of its type, as ListGroups shows it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
            Self::Consumer(_) => "consumer",
        }
    }

    pub fn state_name(&self) -> &'static str {
        match self {
            Self::Classic(group) => group.state_name(),
            Self::Consumer(group) => group.state_name(),
        }
    }

    pub fn member_count(&self) -> usize {
        match self {
            Self::Classic(group) => group.member_count(),
            Self::Consumer(group) => group.member_count(),
        }
    }

    fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
            Self::Consumer(group) => group.is_subscribed_to(topic),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Timer {
    /// A member has been silent for its session timeout.
    Session { group: Arc<str>, member: Arc<str> },
    /// The time to join a rebalance is over.
    Join { group: Arc<str> },
    /// The time to ask for the assignment is over.
    Assignment { group: Arc<str> },
    /// A member of a consumer group has not given up in time what it has to.
    Revocation { group: Arc<str>, member: Arc<str> },
    /// A member of the classic protocol in a consumer group has not joined again in time.
    MemberJoin { group: Arc<str>, member: Arc<str> },
    /// Nor asked for its assignment.
    MemberSync { group: Arc<str>, member: Arc<str> },
    /// Offsets and groups are looked at for what has expired.
    Sweep,
}

/// What the metrics count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub commits: u64,
    pub expired_offsets: u64,
    pub rebalances: u64,
}

/// What the metrics count of one group, for as long as it is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub commits: u64,
    pub rebalances: u64,
}

pub struct GroupMachine {
    settings: Arc<GroupSettings>,
    groups: HashMap<Arc<str>, Group>,
    /// Soft: as many places as there are groups.
    places: Held,
    offsets: Offsets,
    counts: Counts,
    tallies: HashMap<Arc<str>, Tally>,
    /// Soft: topics and groups' settings as the last request saw them, for what happens without one.
    image: Arc<Image>,
}

/// What a group needs to take a turn.
pub(super) struct Turn<'a> {
    pub(super) id: Arc<str>,
    pub(super) settings: &'a GroupSettings,
    pub(super) counts: &'a mut Counts,
    pub(super) tallies: &'a mut HashMap<Arc<str>, Tally>,
    pub(super) image: Arc<Image>,
    pub(super) now: Now,
    pub(super) out: &'a mut Out<GroupMachine>,
}

impl Turn<'_> {
    /// For the metrics.
    pub(super) fn count_rebalance(&mut self) {
        self.counts.rebalances += 1;
        self.tallies.entry(self.id.clone()).or_default().rebalances += 1;
    }

    /// What the group has of settings of its own.
    fn configs(&self) -> Option<&BTreeMap<String, String>> {
        self.image.group_configs(&self.id)
    }

    fn at(&self, ms: i64) -> Duration {
        self.now.at + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

impl From<Encoded> for KeyValue {
    fn from(Encoded { key, value }: Encoded) -> Self {
        Self { key, value }
    }
}

impl GroupMachine {
    /// A machine that sees `image` until a request brings a newer one.
    pub fn new(settings: Arc<GroupSettings>, image: Arc<Image>) -> Self {
        let (offsets, counts, places) = (Offsets::default(), Counts::default(), settings.group_bound.hold());
        let (groups, tallies) = (HashMap::new(), HashMap::new());
        Self { settings, groups, places, offsets, counts, tallies, image }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub fn tally(&self, group: &str) -> Tally {
        self.tallies.get(group).copied().unwrap_or_default()
    }

    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    pub fn groups(&self) -> impl Iterator<Item = (&Arc<str>, &Group)> {
        self.groups.iter()
    }

    /// A classic group of this id and what it needs for a turn.
    fn classic<'a>(
        &'a mut self,
        id: &str,
        now: Now,
        out: &'a mut Out<Self>,
    ) -> Option<(&'a mut ClassicGroup, Turn<'a>)> {
        let id = self.groups.get_key_value(id)?.0.clone();
        let Group::Classic(group) = self.groups.get_mut(&id)? else { return None };
        let image = self.image.clone();
        let (settings, counts, tallies) = (&*self.settings, &mut self.counts, &mut self.tallies);
        Some((group, Turn { id, settings, counts, tallies, image, now, out }))
    }

    /// As [`GroupMachine::classic`], of a consumer group.
    fn consumer<'a>(
        &'a mut self,
        id: &str,
        now: Now,
        out: &'a mut Out<Self>,
    ) -> Option<(&'a mut ConsumerGroup, Turn<'a>)> {
        let id = self.groups.get_key_value(id)?.0.clone();
        let Group::Consumer(group) = self.groups.get_mut(&id)? else { return None };
        let image = self.image.clone();
        let (settings, counts, tallies) = (&*self.settings, &mut self.counts, &mut self.tallies);
        Some((group, Turn { id, settings, counts, tallies, image, now, out }))
    }

    /// Writes a record and takes it in.
    fn commit(&mut self, record: Record, out: &mut Out<Self>) {
        out.record(record.encode().into());
        self.apply(record);
    }

    /// The one way in which hard state changes, now and when a log is loaded.
    fn apply(&mut self, record: Record) {
        match record {
            Record::Offset(key, Some(committed)) => {
                let group: Arc<str> = self.shared_id(&key.group);
                // Who commits without being a member makes a group of it all the same.
                self.groups.entry(group.clone()).or_insert_with(|| Group::Classic(ClassicGroup::simple()));
                self.offsets.put(group, &key.topic, key.partition, committed);
            }
            Record::Offset(key, None) => self.offsets.remove(&key.group, &key.topic, key.partition),
            Record::ClassicGroup(id, Some(metadata)) => {
                let id = self.shared_id(&id);
                let group = self.groups.entry(id).or_insert_with(|| Group::Classic(ClassicGroup::simple()));
                match group {
                    Group::Classic(group) => group.apply(metadata),
                    // The log is right: what the group was before is gone, although compaction may have taken the notes.
                    Group::Consumer(_) => {
                        let mut classic = ClassicGroup::simple();
                        classic.apply(metadata);
                        *group = Group::Classic(classic);
                    }
                }
            }
            Record::ClassicGroup(id, None) => {
                if matches!(self.group(&id), Some(Group::Classic(_))) {
                    self.groups.remove(id.as_str());
                    self.tallies.remove(id.as_str());
                }
            }
            Record::Consumer(id, ConsumerRecord::Epoch(None)) => {
                if matches!(self.group(&id), Some(Group::Consumer(_))) {
                    self.groups.remove(id.as_str());
                    self.tallies.remove(id.as_str());
                }
            }
            Record::Consumer(id, record) => self.apply_consumer(&id, record),
        }
    }

    fn apply_consumer(&mut self, id: &str, record: ConsumerRecord) {
        match self.groups.get_mut(id) {
            Some(Group::Consumer(group)) => return group.apply(record),
            _ if record.takes_back() => return,
            _ => {}
        }
        let mut group = ConsumerGroup::default();
        group.apply(record);
        self.groups.insert(self.shared_id(id), Group::Consumer(group));
    }

    /// One allocation for the id of a group, wherever it is kept.
    fn shared_id(&self, id: &str) -> Arc<str> {
        self.groups.get_key_value(id).map_or_else(|| id.into(), |(id, _)| id.clone())
    }
}

impl Machine for GroupMachine {
    type Op = Op;
    type Reply = Reply;
    type Timer = Timer;

    fn decide(&mut self, op: Op, waiter: Waiter, now: Now, out: &mut Out<Self>) {
        self.answer(op, waiter, now, out);
        self.places.set(self.groups.len());
    }

    fn ring(&mut self, timer: Timer, now: Now, out: &mut Out<Self>) {
        self.timer_rings(timer, now, out);
        self.places.set(self.groups.len());
    }

    fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        let record = Record::decode(key, value).map_err(|error| error.to_string())?;
        self.apply(record);
        Ok(())
    }

    fn loaded(&mut self, now: Now, out: &mut Out<Self>) {
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            if let Some((group, mut turn)) = self.classic(&id, now, out) {
                group.loaded(&mut turn);
            }
            if let Some((group, mut turn)) = self.consumer(&id, now, out) {
                group.loaded(&mut turn);
            }
        }
        out.set_timer(Timer::Sweep, now.at + self.settings.sweep_interval);
        self.places.set(self.groups.len());
    }
}

impl GroupMachine {
    fn answer(&mut self, op: Op, waiter: Waiter, now: Now, out: &mut Out<Self>) {
        let reply = match op {
            // Both answer whoever waits themselves, perhaps much later.
            Op::Join(join) => return self.join(*join, waiter, now, out),
            Op::Sync(sync) => return self.sync(sync, waiter, now, out),
            Op::Seeing(image, op) => {
                self.image = image;
                return self.answer(*op, waiter, now, out);
            }
            Op::Heartbeat { group, who } => Reply::Beaten(self.classic_beat(&group, &who, now, out)),
            Op::Leave { group, members } => Reply::Left(self.leave(&group, &members, now, out)),
            Op::Beat(beat) => Reply::ConsumerBeaten(self.beat(&beat, now, out)),
            Op::Commit(commit) => Reply::Committed(self.commit_offsets(commit, now, out)),
            Op::DeleteOffsets { group, topics } => {
                Reply::OffsetsDeleted(self.delete_offsets(&group, &topics, out))
            }
            Op::DeleteGroups { groups } => {
                let deleted = groups.iter().map(|group| self.delete_group(group, out)).collect();
                Reply::GroupsDeleted(deleted)
            }
            Op::ForgetTopic { topic, topic_id } => {
                self.forget_topic(&topic, topic_id, out);
                Reply::Forgotten
            }
        };
        out.answer(waiter, reply);
    }

    fn timer_rings(&mut self, timer: Timer, now: Now, out: &mut Out<Self>) {
        match timer {
            Timer::Session { group, member } => {
                if let Some((consumer, mut turn)) = self.consumer(&group, now, out) {
                    consumer.session_over(&member, &mut turn);
                    return self.downgrade_if_due(&group, now, out);
                }
                if let Some((group, mut turn)) = self.classic(&group, now, out) {
                    group.session_over(&member, &mut turn);
                }
            }
            Timer::Revocation { group, member } => {
                if let Some((consumer, mut turn)) = self.consumer(&group, now, out) {
                    consumer.revocation_over(&member, &mut turn);
                    self.downgrade_if_due(&group, now, out);
                }
            }
            Timer::MemberJoin { group, member } | Timer::MemberSync { group, member } => {
                if let Some((consumer, mut turn)) = self.consumer(&group, now, out) {
                    consumer.classic_time_over(&member, &mut turn);
                    self.downgrade_if_due(&group, now, out);
                }
            }
            Timer::Join { group } => {
                if let Some((group, mut turn)) = self.classic(&group, now, out) {
                    group.join_time_over(&mut turn);
                }
            }
            Timer::Assignment { group } => {
                if let Some((group, mut turn)) = self.classic(&group, now, out) {
                    group.assignment_time_over(&mut turn);
                }
            }
            Timer::Sweep => self.sweep(now, out),
        }
    }

    fn join(&mut self, join: Join, waiter: Waiter, now: Now, out: &mut Out<Self>) {
        match self.group(&join.group) {
            Some(Group::Consumer(group)) if group.is_empty() => {
                let records = group.tombstones();
                for record in records {
                    self.commit(Record::Consumer(join.group.to_string(), record), out);
                }
            }
            _ => {}
        }
        if let Some((group, mut turn)) = self.consumer(&join.group, now, out) {
            let joined = group.join_classic(&join, &mut turn);
            out.answer(waiter, Reply::Joined(Box::new(joined)));
            return self.downgrade_if_due(&join.group, now, out);
        }
        if !self.groups.contains_key(&join.group) {
            if !join.member.is_empty() {
                let refused = Joined::failed(GroupError::UnknownMember, join.member);
                return out.answer(waiter, Reply::Joined(Box::new(refused)));
            }
            if !self.places.has_room() {
                let refused = Joined::failed(GroupError::TooManyGroups, join.member);
                return out.answer(waiter, Reply::Joined(Box::new(refused)));
            }
            let empty = ClassicGroup::new_record(now.wall_ms);
            self.commit(Record::ClassicGroup(join.group.to_string(), Some(empty)), out);
        }
        if let Some((group, mut turn)) = self.classic(&join.group, now, out) {
            group.join(join, waiter, &mut turn);
        }
    }

    /// A heartbeat of the newer protocol. A member that joins makes the group, also in the place of an empty classic one.
    fn beat(&mut self, beat: &Beat, now: Now, out: &mut Out<Self>) -> Result<Beaten, GroupError> {
        match self.group(&beat.group) {
            Some(Group::Consumer(_)) => {}
            _ if !beat.joins() => return Err(GroupError::GroupNotFound),
            // What may be refused later is refused now: nothing is changed for a member that is not taken.
            _ if !beat.has_valid_pattern() => return Err(GroupError::InvalidPattern),
            Some(Group::Classic(classic)) if classic.is_empty() => {
                self.dismiss(&beat.group, now, out);
                self.commit(Record::ClassicGroup(beat.group.to_string(), None), out);
            }
            Some(Group::Classic(_)) => self.upgrade(&beat.group, now, out)?,
            None if !self.places.has_room() => return Err(GroupError::TooManyGroups),
            None => {}
        }
        let group = self.shared_id(&beat.group);
        self.groups.entry(group).or_insert_with(|| Group::Consumer(ConsumerGroup::default()));
        let Some((group, mut turn)) = self.consumer(&beat.group, now, out) else {
            unreachable!("the group is one of consumers by now")
        };
        let outcome = group.heartbeat(beat, &mut turn);
        self.downgrade_if_due(&beat.group, now, out);
        outcome
    }

    fn classic_beat(&mut self, id: &str, who: &As, now: Now, out: &mut Out<Self>) -> Result<(), GroupError> {
        if let Some((group, mut turn)) = self.consumer(id, now, out) {
            return group.beat_classic(who, &mut turn);
        }
        let (group, mut turn) = self.classic(id, now, out).ok_or(GroupError::UnknownMember)?;
        group.heartbeat(who, &mut turn)
    }

    fn leave(
        &mut self,
        id: &str,
        members: &[Leaving],
        now: Now,
        out: &mut Out<Self>,
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        if let Some((group, mut turn)) = self.consumer(id, now, out) {
            let outcomes = group.leave_classic(members, &mut turn);
            self.downgrade_if_due(id, now, out);
            return Ok(outcomes);
        }
        let (group, mut turn) = self.classic(id, now, out).ok_or(GroupError::UnknownMember)?;
        Ok(group.leave(members, &mut turn))
    }

    /// An empty classic group makes room for one of the newer protocol.
    fn dismiss(&mut self, id: &str, now: Now, out: &mut Out<Self>) {
        if let Some((classic, mut turn)) = self.classic(id, now, out) {
            classic.dismiss(&mut turn);
        }
    }

    /// A live classic group becomes one of the newer protocol, its members stay.
    fn upgrade(&mut self, id: &Arc<str>, now: Now, out: &mut Out<Self>) -> Result<(), GroupError> {
        let settings = self.settings.clone();
        let image = self.image.clone();
        let Some((classic, mut turn)) = self.classic(id, now, out) else { return Ok(()) };
        let may = settings.consumer.may_upgrade && classic.member_count() <= settings.consumer.size_max;
        let members = classic.members_to_convert().filter(|_| may).ok_or(GroupError::GroupNotFound)?;
        let seats = consumer::seats(members, &image).ok_or(GroupError::GroupNotFound)?;
        let (generation, is_settled) = (classic.generation(), classic.is_stable());
        classic.dismiss(&mut turn);
        self.commit(Record::ClassicGroup(id.to_string(), None), out);
        self.groups.insert(id.clone(), Group::Consumer(ConsumerGroup::default()));
        if let Some((group, mut turn)) = self.consumer(id, now, out) {
            group.seat(seats, generation, is_settled, &mut turn);
        }
        tracing::info!(group = %id, "a classic group has become one of the consumer protocol");
        Ok(())
    }

    /// A consumer group that only classic members are left in becomes a classic one.
    fn downgrade_if_due(&mut self, id: &str, now: Now, out: &mut Out<Self>) {
        let (may, size_max) = (self.settings.consumer.may_downgrade, self.settings.size_max);
        let image = self.image.clone();
        let Some((group, mut turn)) = self.consumer(id, now, out) else { return };
        if !group.should_downgrade(may, size_max) {
            return;
        }
        let Some(metadata) = group.as_classic(now.wall_ms, &image) else { return };
        group.cancel_all(&mut turn);
        let takes_back = group.tombstones();
        for record in takes_back {
            self.commit(Record::Consumer(id.to_owned(), record), out);
        }
        self.commit(Record::ClassicGroup(id.to_owned(), Some(metadata)), out);
        if let Some((classic, mut turn)) = self.classic(id, now, out) {
            classic.loaded(&mut turn);
        }
        tracing::info!(group = %id, "a group of the consumer protocol has become a classic one");
    }

    fn sync(&mut self, sync: Sync, waiter: Waiter, now: Now, out: &mut Out<Self>) {
        if let Some((group, mut turn)) = self.consumer(&sync.group, now, out) {
            let synced = group.sync_classic(&sync, &mut turn);
            return out.answer(waiter, Reply::Synced(synced));
        }
        match self.classic(&sync.group, now, out) {
            Some((group, mut turn)) => group.sync(sync, waiter, &mut turn),
            None => out.answer(waiter, Reply::Synced(Err(GroupError::UnknownMember))),
        }
    }
}

#[cfg(test)]
mod tests;
