//! What a member has: its epochs, how far it is on its way to its target, its partitions and those it is to give up.
//!
//! Value: epoch, epoch before, state, partitions assigned, partitions to be revoked. Of each topic its id and partitions,
//! and as tag 0 for each partition the epoch in which the member got it; where that is missing it is the member's.

use std::collections::BTreeMap;

use storage::TopicId;

use crate::coordinator::records::wire::{Reader, Writer};

const EPOCHS_TAG: u32 = 0;

/// By topic and partition, the epoch in which the member got it.
pub type WithEpochs = BTreeMap<TopicId, BTreeMap<i32, i32>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It has what its epoch says.
    Stable,
    /// It has to give up partitions.
    Unrevoked,
    /// It waits for partitions that others have not given up.
    Unreleased,
    /// One that a later version knows.
    Unknown,
}

impl MemberState {
    fn number(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::Unrevoked => 1,
            Self::Unreleased => 2,
            Self::Unknown => 127,
        }
    }

    fn numbered(number: i8) -> Self {
        match number {
            0 => Self::Stable,
            1 => Self::Unrevoked,
            2 => Self::Unreleased,
            _ => Self::Unknown,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentAssignment {
    pub epoch: i32,
    /// A member that has not heard of its epoch still comes with this one.
    pub previous_epoch: i32,
    pub state: MemberState,
    pub assigned: WithEpochs,
    pub revoking: WithEpochs,
}

impl CurrentAssignment {
    pub(super) fn encode(&self, out: &mut Writer) {
        out.i32(self.epoch);
        out.i32(self.previous_epoch);
        out.i8(self.state.number());
        encode(&self.assigned, out);
        encode(&self.revoking, out);
        out.end(&[]);
    }

    pub(super) fn decode(rest: &mut Reader<'_>) -> Option<Self> {
        let epoch = rest.i32()?;
        let value = Self {
            epoch,
            previous_epoch: rest.i32()?,
            state: MemberState::numbered(rest.i8()?),
            assigned: decode(rest, epoch)?,
            revoking: decode(rest, epoch)?,
        };
        rest.end(|_, _| Some(()))?;
        Some(value)
    }
}

fn encode(partitions: &WithEpochs, out: &mut Writer) {
    out.count(partitions.len());
    for (topic, partitions) in partitions {
        out.id(*topic);
        out.count(partitions.len());
        partitions.keys().for_each(|partition| out.i32(*partition));
        let epochs = Writer::part(|out| {
            out.count(partitions.len());
            partitions.values().for_each(|epoch| out.i32(*epoch));
        });
        out.end(&[(EPOCHS_TAG, &epochs)]);
    }
}

fn decode(rest: &mut Reader<'_>, epoch: i32) -> Option<WithEpochs> {
    let mut all = WithEpochs::new();
    for _ in 0..rest.count()? {
        let topic = rest.id()?;
        let partitions = numbers(rest)?;
        let mut epochs = Vec::new();
        rest.end(|tag, bytes| {
            if tag == EPOCHS_TAG {
                epochs = numbers(&mut Reader::part(bytes))?;
            }
            Some(())
        })?;
        if epochs.len() != partitions.len() {
            // A static member that is away has a negative epoch, which is none of a partition.
            epochs = vec![epoch.max(0); partitions.len()];
        }
        all.entry(topic).or_default().extend(partitions.into_iter().zip(epochs));
    }
    Some(all)
}

fn numbers(rest: &mut Reader<'_>) -> Option<Vec<i32>> {
    (0..rest.count_or_null()?.unwrap_or(0)).map(|_| rest.i32()).collect()
}
