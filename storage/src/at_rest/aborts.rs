//! Holding a segment's index of aborted transactions against its batches, which are shown one by one in their order.
//!
//! Kafka's format has no checksum, so that an entry is believed when a marker of its producer stands where it says, and
//! the other way about. Invariant: what a compaction took is missed by nobody. It must not know files.

use std::collections::BTreeSet;

use crate::batch::BatchHeader;
use crate::ids::{Offset, ProducerId};
use crate::marker::{self, Found};
use crate::txn_index::{self, ENTRY_BYTES, Entry};

#[derive(Default)]
pub(super) struct AbortCheck {
    entries: Vec<Entry>,
    next: usize,
    /// Producers whose records of a transaction stand in this segment, with no marker behind them yet.
    open: BTreeSet<ProducerId>,
    /// The first thing that is wrong, and where in the file.
    wrong: Option<(u64, String)>,
}

impl AbortCheck {
    /// Of an index file; `None` where there is none.
    pub(super) fn new(bytes: Option<&[u8]>, base: Offset) -> AbortCheck {
        let bytes = bytes.unwrap_or_default();
        let entries = txn_index::decode(bytes, base);
        let right = entries.len() * ENTRY_BYTES;
        let what = || (right as u64, "what stands here is no entry, or does not rise".to_owned());
        AbortCheck { entries, wrong: (right != bytes.len()).then(what), ..AbortCheck::default() }
    }

    fn is_wrong(&mut self, entry: usize, what: impl FnOnce() -> String) {
        self.wrong.get_or_insert_with(|| ((entry * ENTRY_BYTES) as u64, what()));
    }

    /// A right batch with right records.
    pub(super) fn see(&mut self, header: &BatchHeader, batch: &[u8]) {
        let Offset(last) = header.last_offset();
        if header.is_transactional() && !header.is_control() {
            self.open.insert(header.producer_id);
        }
        let end = match header.is_control().then(|| marker::read(batch)) {
            Some(Found::End(marker, _)) => Some(marker.committed),
            _ => None,
        };
        let is_expected = end.is_some() && self.open.remove(&header.producer_id) && end == Some(false);
        let mut is_named = false;
        while let Some(entry) = self.entries.get(self.next).copied().filter(|entry| entry.last.0 <= last) {
            let is_here = entry.last >= header.base_offset;
            let fits = end == Some(false) && entry.producer == header.producer_id;
            if is_here && !fits {
                self.is_wrong(self.next, || {
                    format!(
                        "no transaction of producer {} is aborted at offset {}",
                        entry.producer.0, entry.last
                    )
                });
            }
            is_named |= is_here && fits;
            self.next += 1;
        }
        if is_expected && !is_named {
            let (next, producer) = (self.next, header.producer_id.0);
            self.is_wrong(next, || {
                format!("the aborted transaction of producer {producer} up to offset {last} is missing")
            });
        }
    }

    /// Bytes up to before the offset `to` are damaged: entries may name any of them.
    pub(super) fn pass(&mut self, to: Offset) {
        self.next += self.entries[self.next..].partition_point(|entry| entry.last < to);
        self.open.clear();
    }

    /// The segment ends here.
    pub(super) fn finish(mut self, due: Offset) -> Option<(u64, String)> {
        if let Some(entry) = self.entries.get(self.next).filter(|entry| entry.last >= due) {
            let last = entry.last;
            self.is_wrong(self.next, || format!("it names offset {last}, and the segment ends before {due}"));
        }
        self.wrong
    }
}
