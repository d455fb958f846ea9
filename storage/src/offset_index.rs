//! The offset index of one segment: Kafka's `.index`, sorted entries of (offset relative to the segment's base, file
//! position), four bytes each, big endian. An entry names a batch by its last offset and says where the batch begins.
//!
//! A view over bytes, wherever they live. It must not know files or batches; it never panics on a disk's bytes.

pub(crate) const ENTRY_BYTES: usize = 8;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The batch's last offset, relative to the segment's base.
    pub(crate) relative: u32,
    pub(crate) position: u32,
}

pub(crate) fn push(bytes: &mut Vec<u8>, entry: Entry) {
    bytes.extend_from_slice(&entry.relative.to_be_bytes());
    bytes.extend_from_slice(&entry.position.to_be_bytes());
}

pub(crate) fn len(bytes: &[u8]) -> usize {
    bytes.len() / ENTRY_BYTES
}

pub(crate) fn entry(bytes: &[u8], index: usize) -> Option<Entry> {
    let raw: &[u8; ENTRY_BYTES] = bytes.get(index * ENTRY_BYTES..)?.first_chunk()?;
    let (relative, position) = raw.split_at(4);
    Some(Entry {
        relative: u32::from_be_bytes(relative.try_into().ok()?),
        position: u32::from_be_bytes(position.try_into().ok()?),
    })
}

pub(crate) fn last(bytes: &[u8]) -> Option<Entry> {
    entry(bytes, len(bytes).checked_sub(1)?)
}

/// The last entry at or before `relative`.
pub(crate) fn floor(bytes: &[u8], relative: u32) -> Option<Entry> {
    let (mut low, mut high) = (0, len(bytes));
    while low < high {
        let middle = low + (high - low) / 2;
        if entry(bytes, middle)?.relative <= relative { low = middle + 1 } else { high = middle }
    }
    entry(bytes, low.checked_sub(1)?)
}

/// The first entry of a batch that begins at or behind the file position.
pub(crate) fn ceiling(bytes: &[u8], position: u64) -> Option<Entry> {
    let (mut low, mut high) = (0, len(bytes));
    while low < high {
        let middle = low + (high - low) / 2;
        if u64::from(entry(bytes, middle)?.position) < position { low = middle + 1 } else { high = middle }
    }
    entry(bytes, low)
}

/// How many of the first entries can be right: both numbers rise, and all lies below the given ends. What a power cut
/// left of an index is filled with zeros, which do not rise.
pub(crate) fn plausible(bytes: &[u8], relative_end: u64, position_end: u64) -> usize {
    let mut before = None;
    let good = |index: &usize| {
        let Some(entry) = entry(bytes, *index) else { return false };
        let rises = before.is_none_or(|b: Entry| b.relative < entry.relative && b.position < entry.position);
        before = Some(entry);
        rises && u64::from(entry.relative) < relative_end && u64::from(entry.position) < position_end
    };
    (0..len(bytes)).take_while(good).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_linear_search_finds(steps in proptest::collection::vec((1u32..50, 1u32..50), 0..60), at in 0u32..3_000) {
            let (mut bytes, mut entries, mut entry_at) = (Vec::new(), Vec::new(), Entry { relative: 0, position: 0 });
            for (relative, position) in steps {
                entry_at = Entry { relative: entry_at.relative + relative, position: entry_at.position + position };
                push(&mut bytes, entry_at);
                entries.push(entry_at);
            }
            prop_assert_eq!(floor(&bytes, at), entries.iter().copied().rfind(|e| e.relative <= at));
            prop_assert_eq!(last(&bytes), entries.last().copied());
            prop_assert_eq!(plausible(&bytes, u64::MAX, u64::MAX), entries.len());
            let below = entries.iter().filter(|e| e.relative < at && e.position < 500).count();
            prop_assert_eq!(plausible(&bytes, u64::from(at), 500), below);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), at: u32) {
            let _ = (floor(&bytes, at), last(&bytes), plausible(&bytes, 1 << 20, 1 << 20));
        }
    }
}
