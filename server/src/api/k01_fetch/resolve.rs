//! What stands behind names and ids of a fetch, in the image that its request sees.

use std::sync::Arc;

use storage::TopicId;

use crate::api::Cx;
use crate::partition::Partition;
use crate::partition::fetch::{FetchError, Resolve};
use crate::security::{Operation, Resource};

pub(super) struct InImage<'a> {
    cx: &'a Cx,
    is_follower: bool,
    /// The topic that was asked about last, since its partitions stand together, and the answer.
    last: Option<(Arc<str>, bool)>,
}

impl<'a> InImage<'a> {
    pub(super) fn new(cx: &'a Cx, is_follower: bool) -> Self {
        Self { cx, is_follower, last: None }
    }
}

impl Resolve for InImage<'_> {
    fn name_of(&mut self, id: TopicId) -> Option<Arc<str>> {
        self.cx.seen.image.topic_by_id(id).map(|topic| topic.name.clone())
    }

    fn may_read(&mut self, name: &Arc<str>) -> bool {
        if let Some((last, allowed)) = &self.last
            && (Arc::ptr_eq(last, name) || last == name)
        {
            return *allowed;
        }
        let allowed = if self.is_follower {
            self.cx.allow(Operation::ClusterAction, Resource::Cluster)
        } else {
            self.cx.allow(Operation::Read, Resource::Topic(name))
        };
        self.last = Some((name.clone(), allowed));
        allowed
    }

    fn partition(&mut self, name: &str, id: Option<TopicId>, index: i32) -> Result<Arc<Partition>, FetchError> {
        let topic = self.cx.seen.image.topic(name).ok_or(FetchError::UnknownPartition)?;
        if topic.log_id(index).is_none() {
            return Err(FetchError::UnknownPartition);
        }
        if id.is_some_and(|id| id != topic.id) {
            return Err(FetchError::OtherTopic);
        }
        Ok(self.cx.broker.partitions.get(topic, index)?)
    }
}
