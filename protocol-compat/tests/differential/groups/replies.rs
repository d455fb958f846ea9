//! Replies made comparable: ports and words are blanked, and what has no order is put in one.

use super::talk::Names;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

/// A reply whose broker's own choices can be taken out.
pub(super) trait Settle {
    fn settle(&mut self, names: &Names);

    /// The member that the reply is about, where it names one.
    fn member(&self) -> Option<String> {
        None
    }
}

/// Whether there are words counts, not which.
fn silence(message: &mut Option<StrBytes>) {
    if message.as_ref().is_some_and(|message| !message.is_empty()) {
        *message = Some(StrBytes::from_static_str("(words)"));
    }
}

impl Settle for JoinGroupResponse {
    fn settle(&mut self, names: &Names) {
        self.members.sort_by_key(|member| names.symbol(&member.member_id));
    }

    fn member(&self) -> Option<String> {
        (!self.member_id.is_empty()).then(|| self.member_id.to_string())
    }
}

impl Settle for SyncGroupResponse {
    fn settle(&mut self, _: &Names) {}
}

impl Settle for HeartbeatResponse {
    fn settle(&mut self, _: &Names) {}
}

impl Settle for LeaveGroupResponse {
    fn settle(&mut self, _: &Names) {}
}

impl Settle for OffsetCommitResponse {
    fn settle(&mut self, names: &Names) {
        self.topics.sort_by_key(|topic| {
            (
                topic.name.to_string(),
                names.topic_name(topic.topic_id),
                topic.partitions.first().map(|p| p.error_code),
            )
        });
        self.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|p| p.partition_index));
    }
}

impl Settle for OffsetFetchResponse {
    fn settle(&mut self, names: &Names) {
        self.topics.sort_by(|a, b| a.name.cmp(&b.name));
        self.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|p| p.partition_index));
        self.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        for group in &mut self.groups {
            group.topics.sort_by_key(|topic| {
                (
                    topic.name.to_string(),
                    names.topic_name(topic.topic_id),
                    topic.partitions.first().map(|p| (p.error_code, p.committed_offset)),
                )
            });
            group.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|p| p.partition_index));
        }
    }
}

impl Settle for OffsetDeleteResponse {
    fn settle(&mut self, _: &Names) {
        self.topics.sort_by(|a, b| a.name.cmp(&b.name));
        self.topics.iter_mut().for_each(|topic| topic.partitions.sort_by_key(|p| p.partition_index));
    }
}

impl Settle for FindCoordinatorResponse {
    fn settle(&mut self, _: &Names) {
        silence(&mut self.error_message);
        self.port = self.port.min(1);
        for found in &mut self.coordinators {
            silence(&mut found.error_message);
            found.port = found.port.min(1);
        }
    }
}

impl Settle for DescribeGroupsResponse {
    fn settle(&mut self, names: &Names) {
        // Each group is asked of its partition of the coordinator.
        self.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        for group in &mut self.groups {
            silence(&mut group.error_message);
            group.members.sort_by_key(|member| names.symbol(&member.member_id));
        }
    }
}

impl Settle for ListGroupsResponse {
    fn settle(&mut self, _: &Names) {
        self.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    }
}

impl Settle for DeleteGroupsResponse {
    fn settle(&mut self, _: &Names) {
        self.results.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    }
}

impl Settle for ConsumerGroupHeartbeatResponse {
    fn settle(&mut self, names: &Names) {
        silence(&mut self.error_message);
        if let Some(assignment) = &mut self.assignment {
            assignment.topic_partitions.sort_by_key(|topic| names.topic_name(topic.topic_id));
            assignment.topic_partitions.iter_mut().for_each(|topic| topic.partitions.sort_unstable());
        }
    }

    fn member(&self) -> Option<String> {
        self.member_id.as_ref().map(|id| id.to_string())
    }
}

impl Settle for ConsumerGroupDescribeResponse {
    fn settle(&mut self, names: &Names) {
        self.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        for group in &mut self.groups {
            silence(&mut group.error_message);
            group.members.sort_by_key(|member| names.symbol(&member.member_id));
            for member in &mut group.members {
                member.subscribed_topic_names.sort();
                for assignment in [&mut member.assignment, &mut member.target_assignment] {
                    assignment.topic_partitions.sort_by(|a, b| a.topic_name.cmp(&b.topic_name));
                    assignment.topic_partitions.iter_mut().for_each(|topic| topic.partitions.sort_unstable());
                }
            }
        }
    }
}
