//! The time index of one segment: Kafka's `.timeindex`, entries of (timestamp, offset relative to the segment's base),
//! eight and four bytes, big endian. An entry says: up to this offset no record is later than this, and the batch that
//! ends at this offset holds a record of exactly this time.
//!
//! A view over bytes, wherever they live. It must not know files or batches; it never panics on a disk's bytes.

use crate::ids::TimestampMs;

pub(crate) const ENTRY_BYTES: usize = 12;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) timestamp: TimestampMs,
    /// The last offset of the batch, relative to the segment's base.
    pub(crate) relative: u32,
}

pub(crate) fn push(bytes: &mut Vec<u8>, entry: Entry) {
    bytes.extend_from_slice(&entry.timestamp.to_be_bytes());
    bytes.extend_from_slice(&entry.relative.to_be_bytes());
}

pub(crate) fn len(bytes: &[u8]) -> usize {
    bytes.len() / ENTRY_BYTES
}

pub(crate) fn entry(bytes: &[u8], index: usize) -> Option<Entry> {
    let raw: &[u8; ENTRY_BYTES] = bytes.get(index * ENTRY_BYTES..)?.first_chunk()?;
    let (timestamp, relative) = raw.split_at(8);
    Some(Entry {
        timestamp: i64::from_be_bytes(timestamp.try_into().ok()?),
        relative: u32::from_be_bytes(relative.try_into().ok()?),
    })
}

pub(crate) fn last(bytes: &[u8]) -> Option<Entry> {
    entry(bytes, len(bytes).checked_sub(1)?)
}

/// The last entry of the first ones for which `holds`; the entries are sorted by it.
fn last_where(bytes: &[u8], holds: impl Fn(Entry) -> bool) -> Option<Entry> {
    let (mut low, mut high) = (0, len(bytes));
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(entry(bytes, middle)?) { low = middle + 1 } else { high = middle }
    }
    entry(bytes, low.checked_sub(1)?)
}

/// The last entry whose time is not after `timestamp`.
pub(crate) fn floor(bytes: &[u8], timestamp: TimestampMs) -> Option<Entry> {
    last_where(bytes, |entry| entry.timestamp <= timestamp)
}

/// The last entry whose offset is below `relative_end`.
pub(crate) fn last_below(bytes: &[u8], relative_end: u64) -> Option<Entry> {
    last_where(bytes, |entry| u64::from(entry.relative) < relative_end)
}

/// How many of the first entries can be right: times and offsets rise, and the offsets lie below `relative_end`.
pub(crate) fn plausible(bytes: &[u8], relative_end: u64) -> usize {
    let mut before = None;
    let good = |index: &usize| {
        let Some(entry) = entry(bytes, *index) else { return false };
        let rises =
            before.is_none_or(|b: Entry| b.timestamp < entry.timestamp && b.relative < entry.relative);
        before = Some(entry);
        rises && entry.timestamp >= 0 && u64::from(entry.relative) < relative_end
    };
    (0..len(bytes)).take_while(good).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_linear_search_finds(steps in proptest::collection::vec((1i64..50, 1u32..50), 0..60), at in 0i64..3_000) {
            let (mut bytes, mut entries, mut entry_at) = (Vec::new(), Vec::new(), Entry { timestamp: 0, relative: 0 });
            for (timestamp, relative) in steps {
                entry_at = Entry { timestamp: entry_at.timestamp + timestamp, relative: entry_at.relative + relative };
                push(&mut bytes, entry_at);
                entries.push(entry_at);
            }
            prop_assert_eq!(floor(&bytes, at), entries.iter().copied().rfind(|e| e.timestamp <= at));
            prop_assert_eq!(last_below(&bytes, at as u64), entries.iter().copied().rfind(|e| i64::from(e.relative) < at));
            prop_assert_eq!(last(&bytes), entries.last().copied());
            prop_assert_eq!(plausible(&bytes, u64::MAX), entries.len());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), at: i64) {
            let _ = (floor(&bytes, at), last(&bytes), last_below(&bytes, at as u64), plausible(&bytes, 1 << 20));
        }
    }
}
