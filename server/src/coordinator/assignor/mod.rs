//! Who reads what: the assignors that run on the server, `uniform` and `range`, with Kafka 4.3.1's outcome.
//!
//! From members (what each subscribes to, what it has) and the partitions of topics each makes an assignment in which
//! every partition of a topic with subscribers has exactly one owner, a subscriber of the topic. The same input gives the
//! same output, whatever order the members come in. Racks play no part, as in Kafka 4.3. Must not know: groups, records,
//! epochs, topics' names.

mod range;
#[cfg(test)]
mod tests;
mod uneven;
mod uniform;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use storage::TopicId;

/// Partitions by topic. A topic without partitions is not in it.
pub type Assignment = BTreeMap<TopicId, BTreeSet<i32>>;
/// How many partitions each topic has.
pub type PartitionCounts = BTreeMap<TopicId, i32>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// As even as can be, and partitions stay where they are.
    Uniform,
    /// Of each topic every member gets a range; topics with equally many partitions are cut alike.
    Range,
}

impl Assignor {
    /// The first is the default.
    pub const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// What each member gets, in the order of `members`. Topics that have no count do not exist: they are left out.
    pub fn assign(self, members: &[Subscriber<'_>], counts: &PartitionCounts) -> Vec<Arc<Assignment>> {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|a, b| self.rank(&members[*a]).cmp(&self.rank(&members[*b])));
        let ordered: Vec<&Subscriber<'_>> = order.iter().map(|index| &members[*index]).collect();
        let assigned = match self {
            Self::Range => range::assign(&ordered, counts),
            Self::Uniform if are_even(&ordered) => uniform::assign(&ordered, counts),
            Self::Uniform => uneven::assign(&ordered, counts),
        };
        let mut by_member = vec![Arc::default(); members.len()];
        for (index, assignment) in order.into_iter().zip(assigned) {
            by_member[index] = assignment;
        }
        by_member
    }

    /// Ranges go by instance ids before member ids, so that an instance keeps its range over restarts.
    fn rank<'a>(self, member: &Subscriber<'a>) -> (bool, Option<&'a str>, &'a str) {
        match self {
            Self::Range => (member.instance.is_none(), member.instance, member.id),
            Self::Uniform => (false, None, member.id),
        }
    }
}

/// A member as the assignors see it.
#[derive(Debug, Clone)]
pub struct Subscriber<'a> {
    pub id: &'a str,
    pub instance: Option<&'a str>,
    /// Shared between members that subscribe to the same.
    pub topics: Arc<BTreeSet<TopicId>>,
    /// What it is to have by the assignment before this one.
    pub current: Arc<Assignment>,
}

/// Whether all subscribe to the same topics.
fn are_even(members: &[&Subscriber<'_>]) -> bool {
    members
        .windows(2)
        .all(|pair| Arc::ptr_eq(&pair[0].topics, &pair[1].topics) || pair[0].topics == pair[1].topics)
}

/// For each topic the owner of each of its partitions, by the member's index.
struct Owners(HashMap<TopicId, Vec<Option<usize>>>);

impl Owners {
    fn none<'a>(topics: impl Iterator<Item = &'a TopicId>, counts: &PartitionCounts) -> Self {
        let of_topic = |topic: &TopicId| {
            let count = usize::try_from(*counts.get(topic)?).ok()?;
            Some((*topic, vec![None; count]))
        };
        Self(topics.filter_map(of_topic).collect())
    }

    fn topic(&self, topic: TopicId) -> &[Option<usize>] {
        self.0.get(&topic).map_or(&[], Vec::as_slice)
    }

    /// Gives a partition to a member if it exists and is free.
    fn claim(&mut self, topic: TopicId, partition: i32, member: usize) -> bool {
        let slot = usize::try_from(partition).ok().and_then(|p| self.0.get_mut(&topic)?.get_mut(p));
        match slot {
            Some(owner @ None) => {
                *owner = Some(member);
                true
            }
            _ => false,
        }
    }

    fn set(&mut self, topic: TopicId, partition: i32, member: usize) {
        if let Some(owners) = self.0.get_mut(&topic) {
            owners[partition as usize] = Some(member);
        }
    }
}

fn add(assignment: &mut Arc<Assignment>, topic: TopicId, partition: i32) {
    Arc::make_mut(assignment).entry(topic).or_default().insert(partition);
}

fn remove(assignment: &mut Arc<Assignment>, topic: TopicId, partition: i32) {
    let assignment = Arc::make_mut(assignment);
    if let Some(partitions) = assignment.get_mut(&topic) {
        partitions.remove(&partition);
        if partitions.is_empty() {
            assignment.remove(&topic);
        }
    }
}
