//! The assignment that a group moves to: for which epoch of the group it was made, and what each member is to have.
//!
//! Value of the epoch: epoch, and as tag 0 when it was made. Value of a member: topics, each its id and partitions.

use super::Partitions;
use crate::coordinator::records::wire::{Reader, Writer};

const MADE_TAG: u32 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetEpoch {
    pub epoch: i32,
    /// 0: not known.
    pub made_ms: i64,
}

impl TargetEpoch {
    pub(super) fn encode(self, out: &mut Writer) {
        out.i32(self.epoch);
        match self.made_ms {
            0 => out.end(&[]),
            at => out.end(&[(MADE_TAG, &at.to_be_bytes())]),
        }
    }

    pub(super) fn decode(rest: &mut Reader<'_>) -> Option<Self> {
        let epoch = rest.i32()?;
        let mut made_ms = 0;
        rest.end(|tag, bytes| {
            if tag == MADE_TAG {
                made_ms = i64::from_be_bytes(bytes.try_into().ok()?);
            }
            Some(())
        })?;
        Some(Self { epoch, made_ms })
    }
}

pub(super) fn encode(partitions: &Partitions, out: &mut Writer) {
    out.count(partitions.len());
    for (topic, partitions) in partitions {
        out.id(*topic);
        out.count(partitions.len());
        partitions.iter().for_each(|partition| out.i32(*partition));
        out.end(&[]);
    }
    out.end(&[]);
}

pub(super) fn decode(rest: &mut Reader<'_>) -> Option<Partitions> {
    let mut all = Partitions::new();
    for _ in 0..rest.count()? {
        let topic = rest.id()?;
        let partitions = all.entry(topic).or_default();
        for _ in 0..rest.count()? {
            partitions.insert(rest.i32()?);
        }
        rest.end(|_, _| Some(()))?;
    }
    rest.end(|_, _| Some(()))?;
    Some(all)
}
