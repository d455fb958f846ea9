//! skeleton, being filled
use std::sync::Arc;
use crate::*;
pub struct Log { x: Arc<()>, w: Watch }
#[allow(unused_variables)]
impl Log {
    pub fn append(&self, batches: Checked, origin: Origin, token: Option<TxnToken>) -> Ticket { todo!() }
    pub fn flushed(&self, ticket: Ticket) -> Ticket { todo!() }
    pub fn read(&self, from: Offset, bytes_max: usize, first_batch_whole: bool, bound: Bound) -> Result<ReadPlan, ReadError> { todo!() }
    pub fn offset_for(&self, at: OffsetSpec) -> Result<Option<TimestampOffset>, ReadError> { todo!() }
    pub fn watch_high_watermark(&self) -> &Watch { &self.w }
    pub fn id(&self) -> LogId { todo!() }
    pub fn start_offset(&self) -> Offset { todo!() }
    pub fn end_offset(&self) -> Offset { todo!() }
    pub fn high_watermark(&self) -> Offset { todo!() }
    pub fn last_stable(&self) -> Offset { todo!() }
    pub fn leader_epoch(&self) -> LeaderEpoch { todo!() }
    pub fn set_leader_epoch(&self, epoch: LeaderEpoch) { todo!() }
    /// Kafka's OffsetForLeaderEpoch: the epoch found and where it ends; `None` when unknown.
    pub fn epoch_end_offset(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> { todo!() }
    pub fn reconfigure(&self, config: LogConfig) { todo!() }
    pub fn size_bytes(&self) -> u64 { todo!() }
    pub fn segment_count(&self) -> usize { todo!() }
    pub fn dir_name(&self) -> &str { todo!() }
    pub fn is_deleted(&self) -> bool { todo!() }
}
