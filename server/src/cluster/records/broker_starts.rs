//! Type 7: how often the broker was started. It stands in snapshots, for all the starts before, and where
//! another server's directory was taken over, for its leaders' epochs.

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerStarts {
    pub count: u32,
}

impl Body for BrokerStarts {
    const TYPE: u16 = 7;

    fn write(&self, w: &mut Writer) {
        w.u32(self.count);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { count: r.u32()? })
    }
}
