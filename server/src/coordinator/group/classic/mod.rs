//! A group of the classic protocol: its members choose a leader's assignment among themselves, the coordinator keeps them
//! together.
//!
//! ```text
//! Empty → Preparing (members join) → Completing (the leader assigns) → Stable → Preparing …
//! ```
//!
//! *Hard* is what the last record says: the members of a finished rebalance with their assignments, or that there are
//! none. *Soft* is everything on the way from one record to the next: who has joined, the generation that is being made,
//! who waits. [`ClassicGroup::apply`] takes a record in, at runtime as when a log is loaded: it ends a rebalance.
//! After a restart the group stands where its last rebalance ended. The rules, and the order in which they are asked, are
//! those of Kafka 4.3.1's `ClassicGroup` and `GroupMetadataManager`.

mod conversion;
mod join;
mod leave;
mod member;
mod rebalance;
mod subscription;
mod sync;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use self::member::Member;
use super::bounds::Held;
use super::expiry::Since;
use super::{As, Described, GroupError, Protocol, Timer, Turn};
use crate::coordinator::records::GroupMetadata;

/// The type of protocol that consumers follow.
const CONSUMER: &str = "consumer";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    /// Members join; see [`rebalance`].
    Preparing(Preparing),
    /// Members have joined, and the leader is to say who reads what.
    Completing,
    Stable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Preparing {
    /// It was empty before: more members may be about to come.
    is_first: bool,
    /// How long they are waited for now, and how much longer at most.
    delay: Option<Delay>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Delay {
    now_ms: i32,
    left_ms: i32,
}

pub struct ClassicGroup {
    state: State,
    /// When the state changed last, by the wall.
    changed_ms: Option<i64>,
    generation: i32,
    protocol_type: Option<Arc<str>>,
    protocol: Option<Arc<str>>,
    leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    /// What all members together subscribe to; `None` where that cannot be told.
    subscribed: Option<BTreeSet<Arc<str>>>,
    // Soft from here on, or made from what is above.
    /// The member of each instance.
    instances: HashMap<Arc<str>, Arc<str>>,
    /// How many members know each protocol.
    supported: HashMap<Arc<str>, usize>,
    /// Members whose join waits.
    joining: usize,
    /// Those who were given an id and have not joined with it yet.
    pending: BTreeMap<Arc<str>, Held>,
    /// Those who have not asked for their assignment yet.
    unsynced: BTreeSet<Arc<str>>,
    /// Somebody joined while the first rebalance waited.
    someone_came: bool,
}

impl ClassicGroup {
    /// A group without members, as one that only commits offsets is.
    pub(super) fn simple() -> Self {
        Self {
            state: State::Empty,
            changed_ms: None,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            subscribed: None,
            instances: HashMap::new(),
            supported: HashMap::new(),
            joining: 0,
            pending: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            someone_came: false,
        }
    }

    /// What a new group is kept as.
    pub(super) fn new_record(now_ms: i64) -> GroupMetadata {
        GroupMetadata {
            protocol_type: String::new(),
            generation: 0,
            protocol: None,
            leader: None,
            changed_ms: now_ms,
            members: Vec::new(),
        }
    }

    /// The end of a rebalance. Members that are here already keep what only they know: their other protocols, and who
    /// waits for them.
    pub(super) fn apply(&mut self, record: GroupMetadata) {
        self.state = if record.members.is_empty() { State::Empty } else { State::Stable };
        self.changed_ms = Some(record.changed_ms).filter(|at| *at != -1);
        self.generation = record.generation;
        self.protocol_type = Some(record.protocol_type).filter(|t| !t.is_empty()).map(Into::into);
        self.protocol = record.protocol.map(Into::into);
        self.leader = record.leader.map(Into::into);
        let mut before = std::mem::take(&mut self.members);
        for kept in record.members {
            let id: Arc<str> = kept.id.as_str().into();
            let member = match before.remove_entry(&id) {
                Some((id, member)) => (id, Member { assignment: kept.assignment, ..member }),
                None => (id, Member::from_record(kept, self.protocol.as_deref())),
            };
            self.members.insert(member.0, member.1);
        }
        self.count_members();
        self.subscribed = self.subscriptions();
    }

    /// Makes anew what follows from the members.
    fn count_members(&mut self) {
        self.instances.clear();
        self.supported.clear();
        self.joining = 0;
        for (id, member) in &self.members {
            if let Some(instance) = &member.instance {
                self.instances.insert(instance.clone(), id.clone());
            }
            for protocol in &member.protocols {
                *self.supported.entry(protocol.name.clone()).or_insert(0) += 1;
            }
            self.joining += usize::from(member.joining.is_some());
        }
        let members = &self.members;
        self.unsynced.retain(|id| members.contains_key(id));
    }

    /// As the group is now, with these assignments.
    fn record(&self, assignment: impl Fn(&str, &Member) -> Bytes) -> GroupMetadata {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let to_record = |(id, member): (&Arc<str>, &Member)| {
            let assignment = assignment(id, member);
            member.to_record(id, protocol, assignment)
        };
        GroupMetadata {
            protocol_type: self.protocol_type.as_deref().unwrap_or_default().to_owned(),
            generation: self.generation,
            protocol: self.protocol.as_deref().map(str::to_owned),
            leader: self.leader.as_deref().map(str::to_owned),
            changed_ms: self.changed_ms.unwrap_or(-1),
            members: self.members.iter().map(to_record).collect(),
        }
    }

    /// After a restart, or when it has come from a group of the newer protocol: every member has its session time to be
    /// heard of.
    pub(super) fn loaded(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        ids.iter().for_each(|id| self.renew_session(id, turn));
        // A generation without a leader is that of a group of the newer protocol, and was to be followed by another. The
        // limit may be lower than it was: the rebalance sends those away who come last.
        let is_unled = self.leader.is_none() && !self.members.is_empty();
        if is_unled || self.members.len() > turn.settings.size_max {
            self.prepare_rebalance(turn);
        }
    }

    pub fn state_name(&self) -> &'static str {
        match self.state {
            State::Empty => "Empty",
            State::Preparing(_) => "PreparingRebalance",
            State::Completing => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }

    /// Everybody has joined and has what the leader gave.
    pub fn is_stable(&self) -> bool {
        matches!(self.state, State::Stable)
    }

    pub fn generation(&self) -> i32 {
        self.generation
    }

    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// The members that a finished rebalance gave something, with what it gave.
    pub fn assignments(&self) -> impl Iterator<Item = (&Arc<str>, &Bytes)> {
        self.members.iter().map(|(id, member)| (id, &member.assignment))
    }

    pub(super) fn protocol_type(&self) -> Option<&Arc<str>> {
        self.protocol_type.as_ref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// Nobody is in it, and nobody is about to come.
    pub(super) fn is_unused(&self) -> bool {
        self.is_empty() && self.pending.is_empty()
    }

    fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether its members read a topic; of consumers whose subscriptions cannot be read, any.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or_else(|| self.is_of_consumers(), |topics| topics.contains(topic))
    }

    fn subscriptions(&self) -> Option<BTreeSet<Arc<str>>> {
        if !self.is_of_consumers() {
            return None;
        }
        let mut all = BTreeSet::new();
        if self.members.is_empty() {
            return Some(all);
        }
        let protocol = self.protocol.as_deref()?;
        for member in self.members.values() {
            all.append(&mut subscription::topics(&member.metadata(protocol))?);
        }
        Some(all)
    }

    /// From when on what it has committed grows old; `None`: it does not.
    pub(super) fn offsets_expire_since(&self) -> Option<Since> {
        match (&self.protocol_type, self.state) {
            (None, _) => Some(Since::Commit),
            (Some(_), State::Empty) => Some(self.changed_ms.map_or(Since::Commit, Since::Moment)),
            (Some(_), State::Stable) if self.is_of_consumers() && self.subscribed.is_some() => {
                Some(Since::Commit)
            }
            _ => None,
        }
    }

    pub(super) fn may_delete_offsets(&self) -> Result<(), GroupError> {
        if self.is_empty() || self.is_of_consumers() { Ok(()) } else { Err(GroupError::GroupNotEmpty) }
    }

    pub(super) fn may_commit(&self, who: &As) -> Result<(), GroupError> {
        if who.generation < 0 && self.is_empty() {
            return Ok(());
        }
        if who.generation >= 0 || !who.member.is_empty() || who.instance.is_some() {
            self.check_member(&who.member, who.instance.as_deref())?;
            if who.generation != self.generation {
                return Err(GroupError::IllegalGeneration);
            }
        } else if !self.is_empty() {
            return Err(GroupError::UnknownMember);
        }
        if self.state == State::Completing { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    /// A member that commits is alive.
    pub(super) fn renew_by_commit(&self, member: &str, turn: &mut Turn<'_>) {
        if matches!(self.state, State::Stable | State::Preparing(_))
            && let Some((id, _)) = self.members.get_key_value(member)
        {
            self.renew_session(&id.clone(), turn);
        }
    }

    pub(super) fn describe(&self) -> Described {
        let protocol = self.protocol.as_deref().filter(|_| self.state == State::Stable);
        Described {
            state: self.state_name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.map(Into::into).unwrap_or_default(),
            members: self.members.iter().map(|(id, member)| member.describe(id, protocol)).collect(),
        }
    }

    /// Is this the member, and is the instance its own?
    fn check_member(&self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(GroupError::UnknownMember),
                Some(owner) if &**owner != member => return Err(GroupError::FencedInstance),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(GroupError::UnknownMember) }
    }

    fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    fn set_state(&mut self, state: State, turn: &Turn<'_>) {
        self.state = state;
        self.changed_ms = Some(turn.now.wall_ms);
    }

    fn renew_session(&self, id: &Arc<str>, turn: &mut Turn<'_>) {
        let timeout_ms = self.members.get(id).map_or(0, |member| member.session_timeout_ms);
        turn.set_session(id, timeout_ms);
    }

    fn add_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            *self.supported.entry(protocol.name.clone()).or_insert(0) += 1;
        }
    }

    fn remove_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            if let Some(count) = self.supported.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supported.remove(&protocol.name);
                }
            }
        }
    }

    /// A member, or somebody who was about to be one, is no more.
    fn remove(&mut self, id: &str) -> Option<Member> {
        self.pending.remove(id);
        self.unsynced.remove(id);
        let member = self.members.remove(id);
        if let Some(member) = &member {
            self.remove_protocols(&member.protocols);
            self.joining -= usize::from(member.joining.is_some());
            if let Some(instance) = &member.instance {
                self.instances.remove(instance);
            }
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        member
    }
}

impl Turn<'_> {
    fn session_timer(&self, member: &Arc<str>) -> Timer {
        Timer::Session { group: self.id.clone(), member: member.clone() }
    }

    fn set_session(&mut self, member: &Arc<str>, timeout_ms: i32) {
        let (timer, at) = (self.session_timer(member), self.at(timeout_ms.into()));
        self.out.set_timer(timer, at);
    }

    fn cancel_session(&mut self, member: &Arc<str>) {
        let timer = self.session_timer(member);
        self.out.cancel_timer(timer);
    }

    fn set_join(&mut self, after_ms: i32) {
        let (timer, at) = (Timer::Join { group: self.id.clone() }, self.at(after_ms.into()));
        self.out.set_timer(timer, at);
    }

    fn cancel_join(&mut self) {
        let timer = Timer::Join { group: self.id.clone() };
        self.out.cancel_timer(timer);
    }

    fn set_assignment(&mut self, after_ms: i32) {
        let (timer, at) = (Timer::Assignment { group: self.id.clone() }, self.at(after_ms.into()));
        self.out.set_timer(timer, at);
    }

    fn cancel_assignment(&mut self) {
        let timer = Timer::Assignment { group: self.id.clone() };
        self.out.cancel_timer(timer);
    }
}

/// What a consumer that reads these topics says of itself.
#[cfg(test)]
pub(super) fn subscribed(topics: &[&str]) -> Vec<u8> {
    subscription::encode(topics)
}
