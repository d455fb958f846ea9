//! What reads and lookups ask for and give: values only.

use std::sync::Arc;

use bytes::Bytes;

use crate::env::File;
use crate::ids::{LeaderEpoch, Offset, ProducerId, TimestampMs};
use crate::segment::Mark;

/// Up to where a reader may see.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    HighWatermark,
    LastStable,
    /// Everything written, flushed or not: for recovery and for followers, never for clients.
    End,
}

/// A piece of what was read: in memory, or still in a file for the kernel to send.
#[derive(Clone)]
pub enum Part {
    Bytes(Bytes),
    File { file: Arc<dyn File>, pos: u64, len: usize },
}

impl Part {
    pub fn len(&self) -> usize {
        match self {
            Part::Bytes(bytes) => bytes.len(),
            Part::File { len, .. } => *len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether reading it, or sending it, waits for no disk.
    pub fn is_cached(&self) -> bool {
        match self {
            Part::Bytes(_) => true,
            Part::File { file, pos, len } => file.is_cached(*pos, *len),
        }
    }

    /// The piece in memory. A file shorter than planned is an error: the plan ends below what was written.
    pub fn read(&self) -> std::io::Result<Bytes> {
        match self {
            Part::Bytes(bytes) => Ok(bytes.clone()),
            Part::File { file, pos, len } => {
                let mut bytes = vec![0; *len];
                if file.read_at(&mut bytes, *pos)? < *len {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                Ok(bytes.into())
            }
        }
    }
}

/// A transaction that was aborted inside the range of a read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
}

/// What a read found. The first part begins with a whole batch; the last may end within one.
#[derive(Clone)]
pub struct ReadPlan {
    pub parts: Vec<Part>,
    pub bytes: usize,
    /// The log's start offset.
    pub start: Offset,
    pub high_watermark: Offset,
    pub last_stable: Offset,
    /// With [`Bound::LastStable`] a list, possibly empty; otherwise none.
    pub aborted: Option<Vec<AbortedTxn>>,
    /// Where the reader stands; nothing for an offset beyond the bound.
    pub standing: Option<Standing>,
}

/// Where a reader stands in a log, so that it can ask how much has come since without reading
/// ([`Log::bytes_from`](crate::Log::bytes_from)).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Standing(pub(crate) Mark);

/// What to find an offset for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first record at or after a time.
    Timestamp(TimestampMs),
    /// The record with the greatest time.
    MaxTimestamp,
    Earliest,
    /// The high watermark.
    Latest,
    LastStable,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's time; -1 where the question was not about records.
    pub timestamp: TimestampMs,
    pub offset: Offset,
    /// [`LeaderEpoch::NONE`] where none is known.
    pub leader_epoch: LeaderEpoch,
}

/// Who appends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Client,
    /// Our own state machines: the only ones that may write control batches.
    Coordinator,
    /// Batches copied from another log: they keep their offsets and epochs.
    Replica,
}

/// The verification of a transactional append (KIP-890) that the caller holds. Opaque to the log.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct TxnToken(pub u64);
