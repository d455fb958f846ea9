//! `range`: each topic is cut into one range for each of its subscribers, the first ones a partition longer where it does
//! not divide. What members had before plays no part.

use std::collections::HashMap;
use std::sync::Arc;

use storage::TopicId;

use super::{Assignment, PartitionCounts, Subscriber};

/// A topic that is being cut.
struct Cut {
    next: i32,
    length: i32,
    /// How many more ranges are one longer.
    longer: i32,
}

pub(super) fn assign(members: &[&Subscriber<'_>], counts: &PartitionCounts) -> Vec<Arc<Assignment>> {
    let mut subscribers: HashMap<TopicId, i32> = HashMap::new();
    for topic in members.iter().flat_map(|member| member.topics.iter()) {
        *subscribers.entry(*topic).or_insert(0) += 1;
    }
    let cut = |(topic, members): (&TopicId, &i32)| {
        let count = *counts.get(topic)?;
        Some((*topic, Cut { next: 0, length: count / members, longer: count % members }))
    };
    let mut cuts: HashMap<TopicId, Cut> = subscribers.iter().filter_map(cut).collect();
    members.iter().map(|member| Arc::new(ranges(member, &mut cuts))).collect()
}

fn ranges(member: &Subscriber<'_>, cuts: &mut HashMap<TopicId, Cut>) -> Assignment {
    let mut assignment = Assignment::new();
    for topic in member.topics.iter() {
        let Some(cut) = cuts.get_mut(topic) else { continue };
        let end = cut.next + cut.length + i32::from(cut.longer > 0);
        cut.longer = (cut.longer - 1).max(0);
        if cut.next < end {
            assignment.insert(*topic, (cut.next..end).collect());
        }
        cut.next = end;
    }
    assignment
}
