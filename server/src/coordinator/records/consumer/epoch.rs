//! A group's epoch: it rises with each change that asks for another assignment.
//!
//! Value: epoch, and as tag 0 a hash of the topics that the group subscribes to. The hash is compared with later ones of
//! the same broker only.

use crate::coordinator::records::wire::{Reader, Writer};

const HASH_TAG: u32 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupEpoch {
    pub epoch: i32,
    /// 0: of no topics.
    pub topics_hash: i64,
}

impl GroupEpoch {
    pub(super) fn encode(self, out: &mut Writer) {
        out.i32(self.epoch);
        match self.topics_hash {
            0 => out.end(&[]),
            hash => out.end(&[(HASH_TAG, &hash.to_be_bytes())]),
        }
    }

    pub(super) fn decode(rest: &mut Reader<'_>) -> Option<Self> {
        let epoch = rest.i32()?;
        let mut topics_hash = 0;
        rest.end(|tag, bytes| {
            if tag == HASH_TAG {
                topics_hash = i64::from_be_bytes(bytes.try_into().ok()?);
            }
            Some(())
        })?;
        Some(Self { epoch, topics_hash })
    }
}
