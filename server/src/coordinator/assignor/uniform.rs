//! `uniform` where all members subscribe to the same topics: loads differ by one partition at most, and only what has to
//! move does.
//!
//! Each member may have the quotient of partitions and members, and as many members as the remainder says one more. The
//! extra ones stay with those who have them. What a member has above its quota, or of other topics, it gives up; what is
//! free then fills those below theirs.

use std::sync::Arc;

use storage::TopicId;

use super::{Assignment, Owners, PartitionCounts, Subscriber, add};

pub(super) fn assign(members: &[&Subscriber<'_>], counts: &PartitionCounts) -> Vec<Arc<Assignment>> {
    let Some(first) = members.first() else { return Vec::new() };
    let topics: Vec<TopicId> =
        first.topics.iter().filter(|topic| counts.contains_key(topic)).copied().collect();
    let mut owners = Owners::none(topics.iter(), counts);
    let mut dealt = Dealt::new(members.len(), &topics, counts);
    for (index, member) in members.iter().enumerate() {
        dealt.keep(index, member, &mut owners);
    }
    dealt.fill(free(&topics, &owners))
}

fn free(topics: &[TopicId], owners: &Owners) -> Vec<(TopicId, i32)> {
    let of_topic = |topic: &TopicId| {
        let free = owners.topic(*topic).iter().enumerate().filter(|(_, owner)| owner.is_none());
        free.map(|(partition, _)| (*topic, partition as i32)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(of_topic).collect()
}

struct Dealt {
    assigned: Vec<Arc<Assignment>>,
    /// Members that can take more, and how much.
    below: Vec<(usize, usize)>,
    quota: usize,
    /// Extra partitions that nobody has yet.
    extra: usize,
    members: usize,
}

impl Dealt {
    fn new(members: usize, topics: &[TopicId], counts: &PartitionCounts) -> Self {
        let total: usize = topics.iter().map(|topic| usize::try_from(counts[topic]).unwrap_or(0)).sum();
        Self {
            assigned: Vec::with_capacity(members),
            below: Vec::new(),
            quota: total / members,
            extra: total % members,
            members,
        }
    }

    /// Lets a member keep of what it has as much as its quota allows.
    fn keep(&mut self, index: usize, member: &Subscriber<'_>, owners: &mut Owners) {
        let mut may_have_extra = self.extra > 0;
        let mut left = self.quota + usize::from(may_have_extra);
        let mut kept = Assignment::new();
        for (topic, partitions) in member.current.iter() {
            for partition in partitions {
                if left > 0 && owners.claim(*topic, *partition, index) {
                    kept.entry(*topic).or_default().insert(*partition);
                    left -= 1;
                }
            }
        }
        // Somebody behind may have the extra one already; the last ones have to take what is left of them.
        if left > 0 && may_have_extra && self.members - index > self.extra {
            left -= 1;
            may_have_extra = false;
        }
        self.extra -= usize::from(may_have_extra);
        if left > 0 {
            self.below.push((index, left));
        }
        let unchanged = kept == *member.current;
        self.assigned.push(if unchanged { member.current.clone() } else { Arc::new(kept) });
    }

    fn fill(mut self, free: Vec<(TopicId, i32)>) -> Vec<Arc<Assignment>> {
        let mut free = free.into_iter();
        for (member, room) in &self.below {
            for (topic, partition) in free.by_ref().take(*room) {
                add(&mut self.assigned[*member], topic, partition);
            }
        }
        assert!(free.next().is_none(), "the quotas of all members together are all partitions");
        self.assigned
    }
}
