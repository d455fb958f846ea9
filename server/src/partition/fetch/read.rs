//! One pass over the partitions of a fetch: what each of them has for it, within the limits of all.
//!
//! Kafka's rules: the first partition that has anything gives at least one whole batch, whatever the limits; what it gave
//! counts against the limit of the rest.

use storage::{Bound, LeaderEpoch, Offset, ReadPlan};

use super::{Asked, Entry, FetchError};
use crate::partition::{EpochCheck, Partition};

/// What holds for a whole fetch.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub bytes_max: i32,
    /// Fewer are waited for.
    pub bytes_min: i32,
    pub bound: Bound,
    /// Asked by a follower of a broker that has none.
    pub is_follower: bool,
}

/// What one partition has.
pub enum Found {
    Records(ReadPlan),
    /// The reader's history parted from ours at (epoch, its end); and where the partition stands.
    Diverging((i32, i64), ReadPlan),
}

/// What all of them have, in the order of the entries.
pub struct Pass {
    pub found: Vec<Result<Found, FetchError>>,
    bytes: i64,
    /// Something is to be said at once.
    is_urgent: bool,
    /// There is a partition to be read.
    has_readable: bool,
}

impl Pass {
    /// Bytes of records.
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Kafka's rule: enough bytes, an error or a divergence in reading, or nothing to read from.
    pub fn is_enough(&self, limits: &Limits) -> bool {
        self.is_urgent || !self.has_readable || self.bytes >= i64::from(limits.bytes_min)
    }
}

/// Reads every partition once.
pub fn read(entries: &[Entry], limits: &Limits) -> Pass {
    let found = Vec::with_capacity(entries.len());
    let mut pass = Pass { found, bytes: 0, is_urgent: false, has_readable: false };
    let (mut bytes_left, mut is_first) = (limits.bytes_max, true);
    for entry in entries {
        let found = match &entry.target {
            Ok(partition) => read_one(&entry.asked, partition, limits, (bytes_left, is_first)),
            Err(error) => Err(*error),
        };
        let is_unread = matches!(&entry.target, Err(error) if error.is_known_before());
        pass.has_readable |= !is_unread;
        let bytes = match &found {
            Ok(Found::Records(plan)) => plan.bytes,
            Ok(Found::Diverging(..)) | Err(_) => {
                pass.is_urgent |= !is_unread;
                0
            }
        };
        is_first &= bytes == 0;
        if !is_unread {
            bytes_left = bytes_left.saturating_sub(i32::try_from(bytes).unwrap_or(i32::MAX)).max(0);
        }
        pass.bytes += bytes as i64;
        pass.found.push(found);
    }
    pass
}

fn read_one(
    asked: &Asked,
    partition: &Partition,
    limits: &Limits,
    (bytes_left, is_first): (i32, bool),
) -> Result<Found, FetchError> {
    let log = &partition.log;
    if asked.leader_epoch >= 0 {
        match partition.check_epoch(asked.leader_epoch) {
            EpochCheck::Current => {}
            EpochCheck::Fenced => return Err(FetchError::Fenced),
            EpochCheck::Unknown => return Err(FetchError::UnknownEpoch),
        }
    }
    if limits.is_follower {
        let knows_epoch = asked.leader_epoch >= 0;
        return Err(if knows_epoch { FetchError::UnknownFollower } else { FetchError::NoFollower });
    }
    if let Some(parted) = diverging(asked, partition)? {
        let stand = log.read(log.high_watermark(), 0, false, limits.bound)?;
        return Ok(Found::Diverging(parted, stand));
    }
    let bytes_max = asked.bytes_max.min(bytes_left);
    let from = Offset(asked.offset);
    let Ok(bytes_max) = usize::try_from(bytes_max) else {
        let plan = log.read(from, 0, false, limits.bound)?;
        let bound = if limits.bound == Bound::LastStable { plan.last_stable } else { plan.high_watermark };
        // Kafka takes offence only where there is something to read.
        return if from < bound { Err(FetchError::NegativeSize) } else { Ok(Found::Records(plan)) };
    };
    Ok(Found::Records(log.read(from, bytes_max, is_first, limits.bound)?))
}

/// KIP-320 for readers that say which epoch they read last: where their history and ours part. An epoch that the log has
/// never had, and an offset that it has no more, are out of range whatever the epochs say.
fn diverging(asked: &Asked, partition: &Partition) -> Result<Option<(i32, i64)>, FetchError> {
    if asked.last_epoch < 0 {
        return Ok(None);
    }
    let found = partition.log.epoch_end_offset(LeaderEpoch(asked.last_epoch));
    let (epoch, end) = found.ok_or(FetchError::OutOfRange)?;
    if asked.offset < partition.log.start_offset().0 {
        return Err(FetchError::OutOfRange);
    }
    let parted = epoch.0 < asked.last_epoch || end.0 < asked.offset;
    Ok(parted.then_some((epoch.0, end.0)))
}
