//! Type 2: a topic with its id, partitions and the settings that its creator gave.

use std::collections::BTreeMap;

use storage::TopicId;

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicCreated {
    pub id: TopicId,
    pub name: String,
    pub partitions: u32,
    pub configs: BTreeMap<String, String>,
}

impl Body for TopicCreated {
    const TYPE: u16 = 2;

    fn write(&self, w: &mut Writer) {
        w.topic_id(self.id);
        w.string(&self.name);
        w.u32(self.partitions);
        w.u32(self.configs.len() as u32);
        for (name, value) in &self.configs {
            w.string(name);
            w.string(value);
        }
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let (id, name, partitions) = (r.topic_id()?, r.string()?, r.u32()?);
        let mut configs = BTreeMap::new();
        for _ in 0..r.u32()? {
            configs.insert(r.string()?, r.string()?);
        }
        Some(Self { id, name, partitions, configs })
    }
}
