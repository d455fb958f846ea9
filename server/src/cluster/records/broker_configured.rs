//! Type 11: changes of brokers' settings, of one broker or for all of them. Those that it does not name stay as they are.

use std::collections::BTreeMap;

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfigured {
    /// `None`: for all brokers that have no value of their own.
    pub node_id: Option<i32>,
    /// Each with its new value; `None`: there is none any more.
    pub changes: BTreeMap<String, Option<String>>,
}

const ALL_BROKERS: i32 = -1;

impl Body for BrokerConfigured {
    const TYPE: u16 = 11;

    fn write(&self, w: &mut Writer) {
        w.u32(self.node_id.unwrap_or(ALL_BROKERS) as u32);
        w.changes(&self.changes);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let node_id = match r.u32()? as i32 {
            ALL_BROKERS => None,
            id => Some(id).filter(|id| *id >= 0).map(Some)?,
        };
        Some(Self { node_id, changes: r.changes()? })
    }
}
