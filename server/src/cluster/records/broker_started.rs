//! Type 1: the broker began a life. Their count is the leader epoch of what it writes in that life.

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerStarted {
    pub node_id: u32,
}

impl Body for BrokerStarted {
    const TYPE: u16 = 1;

    fn write(&self, w: &mut Writer) {
        w.u32(self.node_id);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { node_id: r.u32()? })
    }
}
