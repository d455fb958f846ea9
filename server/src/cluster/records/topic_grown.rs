//! Type 8: a topic has more partitions. It never has fewer: an offset is given once.

use storage::TopicId;

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicGrown {
    pub id: TopicId,
    /// All of them, the old ones included.
    pub partitions: u32,
}

impl Body for TopicGrown {
    const TYPE: u16 = 8;

    fn write(&self, w: &mut Writer) {
        w.topic_id(self.id);
        w.u32(self.partitions);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { id: r.topic_id()?, partitions: r.u32()? })
    }
}
