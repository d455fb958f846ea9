//! A live group becomes one of the other protocol: of the newer one when its first member of that kind joins, of the
//! classic one when the last member of the newer kind has gone.
//!
//! Both sides of a conversion are written as one turn's records, so that a log never holds half of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::classic_members::{by_id, by_name};
use super::subscription::HASH_OF_NO_TOPICS;
use super::{ConsumerGroup, embedded};
use crate::cluster::Image;
use crate::coordinator::group::Turn;
use crate::coordinator::records::{
    ClassicMember, ConsumerMember, ConsumerRecord, CurrentAssignment, GroupEpoch, GroupMember, GroupMetadata,
    MemberState, TargetEpoch, WithEpochs,
};

/// A member of a classic group, as it is taken over.
pub(in crate::coordinator::group) struct Converted {
    pub(in crate::coordinator::group) id: Arc<str>,
    pub(in crate::coordinator::group) instance: Option<Arc<str>>,
    pub(in crate::coordinator::group) client_id: Arc<str>,
    pub(in crate::coordinator::group) client_host: Arc<str>,
    pub(in crate::coordinator::group) rebalance_timeout_ms: i32,
    pub(in crate::coordinator::group) session_timeout_ms: i32,
    /// By name.
    pub(in crate::coordinator::group) protocols: Vec<(String, Bytes)>,
    /// What it says for the protocol that its group follows.
    pub(in crate::coordinator::group) metadata: Bytes,
    pub(in crate::coordinator::group) assignment: Bytes,
}

/// A classic member's place in the new group.
pub(in crate::coordinator::group) struct Seat {
    id: Arc<str>,
    said: ConsumerMember,
    assigned: super::Partitions,
}

/// What the members of a classic group will say and have; `None` where one cannot be understood, or where their assignor
/// keeps data of its own, which would be lost.
pub(in crate::coordinator::group) fn seats(members: Vec<Converted>, image: &Image) -> Option<Vec<Seat>> {
    let seat = |member: Converted| {
        let subscription = embedded::subscription(&member.metadata)?;
        let assigned = embedded::assignment(&member.assignment).filter(|assigned| !assigned.has_user_data)?;
        let said = ConsumerMember {
            instance: member.instance.as_deref().map(str::to_owned),
            rack: subscription.rack,
            client_id: member.client_id.to_string(),
            client_host: member.client_host.to_string(),
            topics: subscription.topics,
            pattern: Some(String::new()),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            assignor: None,
            classic: Some(ClassicMember {
                session_timeout_ms: member.session_timeout_ms,
                protocols: member.protocols,
            }),
        };
        Some(Seat { id: member.id, said, assigned: by_id(&assigned.partitions, image) })
    };
    members.into_iter().map(seat).collect()
}

impl ConsumerGroup {
    /// Fills an empty group with the members of a classic one, each with what it has there. If that was about to rebalance,
    /// what they have together may not be everything: its topics are said to have been others, so that the epoch rises with
    /// the next look at them and all is assigned anew, whoever comes.
    pub(in crate::coordinator::group) fn seat(
        &mut self,
        seats: Vec<Seat>,
        generation: i32,
        is_settled: bool,
        turn: &mut Turn<'_>,
    ) {
        for seat in &seats {
            self.commit(ConsumerRecord::Member(seat.id.to_string(), Some(seat.said.clone())), turn);
        }
        let topics_hash = if is_settled { self.hash_topics(&turn.image) } else { HASH_OF_NO_TOPICS };
        self.commit(ConsumerRecord::Epoch(Some(GroupEpoch { epoch: generation, topics_hash })), turn);
        for seat in &seats {
            self.commit(ConsumerRecord::Target(seat.id.to_string(), Some(seat.assigned.clone())), turn);
        }
        self.commit(ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch: generation, made_ms: 0 })), turn);
        for Seat { id, said, assigned } in seats {
            let with_epoch = |(topic, partitions): (_, std::collections::BTreeSet<i32>)| {
                (topic, partitions.into_iter().map(|partition| (partition, generation)).collect())
            };
            let has = CurrentAssignment {
                epoch: generation,
                previous_epoch: generation,
                state: MemberState::Stable,
                assigned: assigned.into_iter().map(with_epoch).collect(),
                revoking: WithEpochs::new(),
            };
            self.commit(ConsumerRecord::Current(id.to_string(), Some(has)), turn);
            let session_ms = said.classic.map_or(0, |classic| classic.session_timeout_ms);
            turn.set_consumer_session(&id, session_ms);
        }
    }

    /// Only members of the classic protocol are left, and a classic group may take them.
    pub(in crate::coordinator::group) fn should_downgrade(&self, may: bool, size_max: usize) -> bool {
        may && !self.members.is_empty()
            && self.members.len() <= size_max
            && self.members.values().all(super::Member::is_classic)
    }

    /// What the group is as a classic one: a generation whose members are to have what the target says, and without a
    /// leader, so that it makes another one whatever happens until then: what the last to go had is nobody's. `None` if
    /// they have no protocol in common.
    pub(in crate::coordinator::group) fn as_classic(
        &self,
        now_ms: i64,
        image: &Image,
    ) -> Option<GroupMetadata> {
        let protocol = self.common_protocol()?;
        let member = |(id, member): (&Arc<str>, &super::Member)| {
            let classic = member.said.classic.as_ref()?;
            let (_, metadata) = classic.protocols.iter().find(|(name, _)| *name == protocol)?;
            let version = embedded::subscription(metadata)?.version;
            let target = self.target.get(id).map(|target| by_name(target, image)).unwrap_or_default();
            Some(GroupMember {
                id: id.to_string(),
                instance: member.said.instance.clone(),
                client_id: member.said.client_id.clone(),
                client_host: member.said.client_host.clone(),
                rebalance_timeout_ms: member.said.rebalance_timeout_ms,
                session_timeout_ms: classic.session_timeout_ms,
                subscription: metadata.clone(),
                assignment: embedded::encode_assignment(version, &target),
            })
        };
        Some(GroupMetadata {
            protocol_type: "consumer".to_owned(),
            generation: self.epoch,
            leader: None,
            changed_ms: now_ms,
            members: self.members.iter().map(member).collect::<Option<_>>()?,
            protocol: Some(protocol),
        })
    }

    /// Of the protocols that all know the one that most prefer.
    fn common_protocol(&self) -> Option<String> {
        let members = || self.members.values().filter_map(|member| member.said.classic.as_ref());
        let is_common =
            |name: &str| members().all(|member| member.protocols.iter().any(|(known, _)| known == name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in members() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| is_common(name)) {
                *votes.entry(name).or_insert(0) += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(name, _)| name.to_owned())
    }
}
