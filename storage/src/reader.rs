//! Reading: from an offset to a range of a file that the kernel can send.
//!
//! Invariants: nothing at or above the bound is planned; the first byte planned begins the batch that holds the offset
//! asked for; no batch's records are decoded. One read gives bytes of one segment.

use std::sync::Arc;

use crate::error::ReadError;
use crate::ids::Offset;
use crate::log::Log;
use crate::plan::{Bound, Part, ReadPlan};
use crate::segment::{LOG_SUFFIX, Segment};

impl Log {
    /// Plans a read of up to `bytes_max` bytes from the batch that holds `from`. A first batch larger than that is
    /// given whole with `first_batch_whole`, and not at all without. The last batch may be cut short, as clients expect.
    pub fn read(
        &self,
        from: Offset,
        bytes_max: usize,
        first_batch_whole: bool,
        bound: Bound,
    ) -> Result<ReadPlan, ReadError> {
        self.check_readable()?;
        let marks = *self.marks.lock().unwrap();
        let start = self.start_offset();
        if from < start || from > marks.end.offset {
            return Err(ReadError::OutOfRange { start, end: marks.end.offset });
        }
        let mut plan = ReadPlan {
            parts: Vec::new(),
            bytes: 0,
            start,
            high_watermark: marks.high.offset,
            last_stable: marks.high.offset,
            // No log keeps transactions yet, so that none was aborted.
            aborted: (bound == Bound::LastStable).then(Vec::new),
        };
        let bound = if bound == Bound::End { marks.end } else { marks.high };
        if from >= bound.offset {
            return Ok(plan);
        }
        for segment in self.segments_between(from, bound) {
            let limit = bound.limit_in(&segment);
            if let Some((position, first_bytes)) = find_batch(&segment, from, limit)? {
                let room = (limit - position).min(bytes_max as u64) as usize;
                let bytes = if room >= first_bytes { room } else { first_bytes };
                if bytes <= bytes_max || first_batch_whole {
                    let file = segment.file().map_err(ReadError::io(&segment.path(LOG_SUFFIX)))?;
                    plan.parts.push(Part::File { file: Arc::clone(file), pos: position, len: bytes });
                    plan.bytes = bytes;
                }
                break;
            }
        }
        Ok(plan)
    }
}

/// The first batch of `segment` that ends at or behind `from`: its position and size.
fn find_batch(segment: &Segment, from: Offset, limit: u64) -> Result<Option<(u64, usize)>, ReadError> {
    let mut walk = segment.walk_from(from, limit)?;
    while let Some((position, header)) = walk.next_header()? {
        if header.last_offset() >= from {
            return Ok(Some((position, header.total_bytes())));
        }
    }
    Ok(None)
}
