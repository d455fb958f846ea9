//! Type 4: a deleted topic's directories are gone, so that no later start has to look for them.

use storage::TopicId;

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPurged {
    pub id: TopicId,
}

impl Body for TopicPurged {
    const TYPE: u16 = 4;

    fn write(&self, w: &mut Writer) {
        w.topic_id(self.id);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { id: r.topic_id()? })
    }
}
