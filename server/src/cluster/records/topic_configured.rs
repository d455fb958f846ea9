//! Type 6: changes of a topic's own settings. Those that it does not name stay as they are.

use std::collections::BTreeMap;

use storage::TopicId;

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfigured {
    pub id: TopicId,
    /// Each with its new value; `None`: the topic has none of its own any more.
    pub changes: BTreeMap<String, Option<String>>,
}

impl Body for TopicConfigured {
    const TYPE: u16 = 6;

    fn write(&self, w: &mut Writer) {
        w.topic_id(self.id);
        w.changes(&self.changes);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { id: r.topic_id()?, changes: r.changes()? })
    }
}
