//! Type 5: producer ids below `next` may be in use. Durable before the first of a block is handed out.

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerIdsReserved {
    pub next: i64,
}

impl Body for ProducerIdsReserved {
    const TYPE: u16 = 5;

    fn write(&self, w: &mut Writer) {
        w.i64(self.next);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { next: r.i64()? })
    }
}
