//! Type 3: a topic is gone for clients; its directories are still to be removed.

use storage::TopicId;

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDeleted {
    pub id: TopicId,
}

impl Body for TopicDeleted {
    const TYPE: u16 = 3;

    fn write(&self, w: &mut Writer) {
        w.topic_id(self.id);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { id: r.topic_id()? })
    }
}
