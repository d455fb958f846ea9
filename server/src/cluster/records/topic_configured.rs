//! Type 6: changes of a topic's own settings. Those that it does not name stay as they are.

use std::collections::BTreeMap;

use storage::TopicId;

use super::{Body, Reader, Writer};

const REMOVED: u8 = 0;
const SET: u8 = 1;

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
        w.u32(self.changes.len() as u32);
        for (name, value) in &self.changes {
            w.string(name);
            match value {
                None => w.u8(REMOVED),
                Some(value) => {
                    w.u8(SET);
                    w.string(value);
                }
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let id = r.topic_id()?;
        let mut changes = BTreeMap::new();
        for _ in 0..r.u32()? {
            let name = r.string()?;
            let value = match r.u8()? {
                REMOVED => None,
                SET => Some(r.string()?),
                _ => return None,
            };
            changes.insert(name, value);
        }
        Some(Self { id, changes })
    }
}
