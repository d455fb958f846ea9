//! Members of the classic protocol in a group of the newer one: a live group moves from one to the other member by
//! member.
//!
//! To them a member's epoch is the generation, the target's epoch being ahead of it is a rebalance, and what they have is
//! what their last join says. Each is told its own assignment; there is no leader. A rebalance goes: a heartbeat says so,
//! the member joins (perhaps twice, where it has to give up something first) and asks for its assignment. It has its
//! rebalance timeout for each.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::TopicId;

use super::embedded::{self, ByName, Subscription};
use super::{ConsumerGroup, Member};
use crate::cluster::Image;
use crate::coordinator::group::{As, GroupError, Join, Joined, Leaving, Sync, Synced, Timer, Turn};
use crate::coordinator::records::{ClassicMember, ConsumerMember, MemberState, Partitions};

/// The protocol type of consumers.
const CONSUMER: &str = "consumer";

impl ConsumerGroup {
    pub(in crate::coordinator::group) fn join_classic(&mut self, join: &Join, turn: &mut Turn<'_>) -> Joined {
        match self.try_join(join, turn) {
            Ok(joined) => joined,
            Err(GroupError::MemberIdRequired) => {
                Joined::failed(GroupError::MemberIdRequired, join.new_member.clone())
            }
            // Of a group of this kind Kafka's refusals name no member.
            Err(error) => Joined::failed(error, Arc::default()),
        }
    }

    fn try_join(&mut self, join: &Join, turn: &mut Turn<'_>) -> Result<Joined, GroupError> {
        if !turn.settings.consumer.may_upgrade && !turn.settings.consumer.may_downgrade {
            return Err(GroupError::InconsistentProtocol);
        }
        let is_unknown = join.member.is_empty();
        let id = if is_unknown { &join.new_member } else { &join.member };
        if self.members.len() >= turn.settings.consumer.size_max && !self.members.contains_key(id) {
            return Err(GroupError::GroupFull);
        }
        if !self.supports(join) {
            return Err(GroupError::InconsistentProtocol);
        }
        if is_unknown && join.instance.is_none() && join.takes_member_id {
            return Err(GroupError::MemberIdRequired);
        }
        let first = join.protocols.first().ok_or(GroupError::InconsistentProtocol)?;
        let subscription = embedded::subscription(&first.metadata).ok_or(GroupError::Unexpected)?;
        let before = self.classic_before(join, id, is_unknown, turn)?;
        let changed = self.subscribe(id, &before.said, said(join, &subscription, &before.said), turn);
        self.make_target(turn);
        let owned = by_id(&subscription.owned, &turn.image);
        self.reconcile(id, changed, Some(&owned), turn);
        self.awaited.remove(id);
        let (id, member) = self.member(id);
        turn.cancel_classic(&id);
        turn.set_consumer_session(&id, join.session_timeout_ms);
        turn.set_member(
            Timer::MemberSync { group: turn.id.clone(), member: id.clone() },
            join.rebalance_timeout_ms,
        );
        Ok(Joined {
            error: None,
            generation: member.has.epoch,
            protocol_type: Some(CONSUMER.into()),
            protocol: Some(first.name.clone()),
            leader: Arc::default(),
            skip_assignment: false,
            member: id,
            members: Vec::new(),
        })
    }

    /// One of its protocols is known to all classic members.
    fn supports(&self, join: &Join) -> bool {
        let knows =
            |member: &ClassicMember, name: &str| member.protocols.iter().any(|(known, _)| known == name);
        let others = || self.members.values().filter_map(|member| member.said.classic.as_ref());
        let is_common = |name: &str| others().all(|member| knows(member, name));
        &*join.protocol_type == CONSUMER && join.protocols.iter().any(|protocol| is_common(&protocol.name))
    }

    /// The member as it was; one that takes an instance over has what that had, whatever protocol that followed.
    fn classic_before(
        &mut self,
        join: &Join,
        id: &Arc<str>,
        is_unknown: bool,
        turn: &mut Turn<'_>,
    ) -> Result<Member, GroupError> {
        let Some(instance) = join.instance.as_deref() else {
            return Ok(self.members.get(id).cloned().unwrap_or_default());
        };
        let owner = self.instances.get(instance).cloned();
        match owner {
            None if is_unknown => Ok(Member::default()),
            None => Err(GroupError::UnknownMember),
            Some(owner) if is_unknown => {
                let member = self.members[&owner].clone();
                Ok(self.take_over(instance, id, member, turn))
            }
            Some(owner) if owner != *id => Err(GroupError::FencedInstance),
            Some(owner) => Ok(self.members[&owner].clone()),
        }
    }

    pub(in crate::coordinator::group) fn sync_classic(
        &mut self,
        sync: &Sync,
        turn: &mut Turn<'_>,
    ) -> Result<Synced, GroupError> {
        let (id, member, classic) = self.classic_member(&sync.who)?;
        let (name, metadata) = classic.protocols.first().ok_or(GroupError::InconsistentProtocol)?;
        let differs = |said: &Option<Arc<str>>, ours: &str| said.as_deref().is_some_and(|said| said != ours);
        if differs(&sync.protocol_type, CONSUMER) || differs(&sync.protocol, name) {
            return Err(GroupError::InconsistentProtocol);
        }
        let rebalance_ms = member.said.rebalance_timeout_ms;
        if self.target_epoch.epoch > member.has.epoch && member.has.state != MemberState::Unrevoked {
            self.await_join(&id, rebalance_ms, turn);
            return Err(GroupError::RebalanceInProgress);
        }
        let version = embedded::subscription(metadata).map_or(0, |subscription| subscription.version);
        let assigned = by_name(&super::heartbeat::without_epochs(&member.has), &turn.image);
        turn.out.cancel_timer(Timer::MemberSync { group: turn.id.clone(), member: id.clone() });
        turn.set_consumer_session(&id, classic.session_timeout_ms);
        Ok(Synced {
            protocol_type: sync.protocol_type.clone(),
            protocol: sync.protocol.clone(),
            assignment: embedded::encode_assignment(version, &assigned),
        })
    }

    pub(in crate::coordinator::group) fn beat_classic(
        &mut self,
        who: &As,
        turn: &mut Turn<'_>,
    ) -> Result<(), GroupError> {
        let (id, member, classic) = self.classic_member(who)?;
        turn.set_consumer_session(&id, classic.session_timeout_ms);
        let is_behind = match member.has.state {
            _ if member.has.epoch < self.target_epoch.epoch => true,
            MemberState::Unrevoked => true,
            MemberState::Unreleased => !self.waits(&id, member),
            MemberState::Stable | MemberState::Unknown => false,
        };
        if !is_behind {
            return Ok(());
        }
        let rebalance_ms = member.said.rebalance_timeout_ms;
        self.await_join(&id, rebalance_ms, turn);
        Err(GroupError::RebalanceInProgress)
    }

    pub(in crate::coordinator::group) fn leave_classic(
        &mut self,
        members: &[Leaving],
        turn: &mut Turn<'_>,
    ) -> Vec<Result<(), GroupError>> {
        let mut gone: Vec<Arc<str>> = Vec::new();
        let outcomes = members.iter().map(|leaving| self.find(leaving).map(|id| gone.push(id))).collect();
        gone.sort();
        gone.dedup();
        self.fence(&gone, turn);
        outcomes
    }

    fn find(&self, leaving: &Leaving) -> Result<Arc<str>, GroupError> {
        let id = match &leaving.instance {
            None => self.members.get_key_value(&leaving.member).map(|(id, _)| id),
            Some(instance) => self.instances.get(&**instance),
        };
        let id = id.ok_or(GroupError::UnknownMember)?;
        // An operator removes a static member by its instance alone.
        let is_right = leaving.instance.is_none() || leaving.member.is_empty() || *id == leaving.member;
        if is_right { Ok(id.clone()) } else { Err(GroupError::FencedInstance) }
    }

    fn classic_member(&self, who: &As) -> Result<(Arc<str>, &Member, &ClassicMember), GroupError> {
        if let Some(instance) = &who.instance {
            let owner = self.instances.get(&**instance).ok_or(GroupError::UnknownMember)?;
            if *owner != who.member {
                return Err(GroupError::FencedInstance);
            }
        }
        let (id, member) = self.members.get_key_value(&*who.member).ok_or(GroupError::UnknownMember)?;
        let classic = member.said.classic.as_ref().ok_or(GroupError::UnknownMember)?;
        if member.has.epoch == who.generation {
            Ok((id.clone(), member, classic))
        } else {
            Err(GroupError::IllegalGeneration)
        }
    }

    /// Some of what it is to have is still with others.
    fn waits(&self, id: &Arc<str>, member: &Member) -> bool {
        let Some(target) = self.target.get(id) else { return false };
        let is_missing = |topic, partition: &i32| {
            let has = member.has.assigned.get(topic).is_some_and(|has| has.contains_key(partition));
            !has && self.owners.contains_key(&(*topic, *partition))
        };
        target
            .iter()
            .any(|(topic, partitions)| partitions.iter().any(|partition| is_missing(topic, partition)))
    }

    /// The member was told to join again. It is told so more than once; the time runs from the first.
    fn await_join(&mut self, id: &Arc<str>, rebalance_ms: i32, turn: &mut Turn<'_>) {
        if self.awaited.insert(id.clone()) {
            turn.set_member(Timer::MemberJoin { group: turn.id.clone(), member: id.clone() }, rebalance_ms);
        }
    }
}

impl Turn<'_> {
    fn set_member(&mut self, timer: Timer, after_ms: i32) {
        let at = self.at(after_ms.into());
        self.out.set_timer(timer, at);
    }

    pub(super) fn cancel_classic(&mut self, member: &Arc<str>) {
        self.out.cancel_timer(Timer::MemberJoin { group: self.id.clone(), member: member.clone() });
        self.out.cancel_timer(Timer::MemberSync { group: self.id.clone(), member: member.clone() });
    }
}

fn said(join: &Join, subscription: &Subscription, before: &ConsumerMember) -> ConsumerMember {
    let protocol = |protocol: &crate::coordinator::group::Protocol| {
        (protocol.name.to_string(), protocol.metadata.clone())
    };
    ConsumerMember {
        instance: join.instance.as_deref().map(str::to_owned).or_else(|| before.instance.clone()),
        rack: subscription.rack.clone().or_else(|| before.rack.clone()),
        client_id: join.client_id.to_string(),
        client_host: join.client_host.to_string(),
        topics: subscription.topics.clone(),
        // What such a member matches by a pattern it finds by itself.
        pattern: Some(String::new()),
        rebalance_timeout_ms: join.rebalance_timeout_ms,
        assignor: before.assignor.clone(),
        classic: Some(ClassicMember {
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols.iter().map(protocol).collect(),
        }),
    }
}

pub(super) fn by_id(partitions: &ByName, image: &Image) -> Partitions {
    let mut all = Partitions::new();
    for (name, partitions) in partitions {
        if let Some(topic) = image.topic(name).filter(|_| !partitions.is_empty()) {
            all.entry(topic.id).or_default().extend(partitions);
        }
    }
    all
}

pub(super) fn by_name(partitions: &Partitions, image: &Image) -> ByName {
    let name = |(topic, partitions): (&TopicId, &BTreeSet<i32>)| {
        Some((image.topic_by_id(*topic)?.name.to_string(), partitions.iter().copied().collect()))
    };
    partitions.iter().filter_map(name).collect()
}
