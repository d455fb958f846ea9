//! The file `txnindex.sums` of a log: checksums of its indexes of aborted transactions, which Kafka's format lacks.
//!
//! Layout, big endian: magic 8, version u16, count u32, and per index: the segment's base i64, how many entries u32,
//! their CRC-32C u32; at the end a CRC-32C u32 over all before it. What is listed and does not read so, or is missing, is
//! made anew from the batches. Invariants: it is written behind the indexes, so that a crash leaves it older than they
//! are, which costs a rebuilding and is never wrong: an index only grows, and its first entries stay as they were. An
//! index that is not listed, or a file that is damaged, is taken as in Kafka. This module must not know batches.

use std::collections::BTreeMap;

use crate::ids::Offset;
use crate::txn_index::ENTRY_BYTES;

pub(crate) const FILE_NAME: &str = "txnindex.sums";
const MAGIC: &[u8; 8] = b"OTTLATXS";
const VERSION: u16 = 1;
const SUM_BYTES: usize = 16;

/// Of an index.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    entries: u32,
    crc: u32,
}

impl Sum {
    /// Of whole entries.
    pub(crate) fn of(index: &[u8]) -> Sum {
        Sum { entries: (index.len() / ENTRY_BYTES) as u32, crc: crc32c::crc32c(index) }
    }

    /// Whether these bytes begin with what was summed.
    pub(crate) fn fits(self, index: &[u8]) -> bool {
        let bytes = (self.entries as usize).checked_mul(ENTRY_BYTES).and_then(|bytes| index.get(..bytes));
        bytes.is_some_and(|bytes| crc32c::crc32c(bytes) == self.crc)
    }
}

pub(crate) fn encode(sums: &BTreeMap<Offset, Sum>) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &VERSION.to_be_bytes(), &(sums.len() as u32).to_be_bytes()].concat();
    for (base, sum) in sums {
        bytes.extend_from_slice(&base.0.to_be_bytes());
        bytes.extend_from_slice(&sum.entries.to_be_bytes());
        bytes.extend_from_slice(&sum.crc.to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

/// `None` if it is not as it was written.
pub(crate) fn decode(bytes: &[u8]) -> Option<BTreeMap<Offset, Sum>> {
    let (body, crc) = bytes.split_last_chunk()?;
    let rest = body.strip_prefix(MAGIC)?.strip_prefix(&VERSION.to_be_bytes())?;
    let (count, rest) = rest.split_first_chunk()?;
    let count = u32::from_be_bytes(*count) as usize;
    if crc32c::crc32c(body) != u32::from_be_bytes(*crc) || rest.len() != count.checked_mul(SUM_BYTES)? {
        return None;
    }
    let number = |raw: &[u8], at: usize| raw[at..].first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let sum = |raw: &[u8]| {
        let base = Offset(i64::from_be_bytes(*raw.first_chunk()?));
        Some((base, Sum { entries: number(raw, 8)?, crc: number(raw, 12)? }))
    };
    let sums: Vec<(Offset, Sum)> = rest.chunks_exact(SUM_BYTES).map(sum).collect::<Option<_>>()?;
    let is_rising = sums.is_sorted_by(|one, other| one.0 < other.0);
    is_rising.then(|| sums.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(raw in proptest::collection::btree_map(0..i64::MAX, (0..9u32, any::<u32>()), 0..9)) {
            let sums = raw.into_iter().map(|(base, (entries, crc))| (Offset(base), Sum { entries, crc }));
            let sums: BTreeMap<_, _> = sums.collect();
            let bytes = encode(&sums);
            for at in 0..bytes.len() {
                let mut harmed = bytes.clone();
                harmed[at] ^= 4;
                prop_assert_eq!(decode(&harmed), None);
                prop_assert_eq!(decode(&bytes[..at]), None);
            }
            prop_assert_eq!(decode(&bytes), Some(sums));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn an_index_may_grow_and_nothing_else() {
        let index = [7; 3 * ENTRY_BYTES];
        let sum = Sum::of(&index[..2 * ENTRY_BYTES]);
        assert!(sum.fits(&index) && sum.fits(&index[..2 * ENTRY_BYTES]));
        assert!(!sum.fits(&index[..2 * ENTRY_BYTES - 1]) && !sum.fits(&[]));
        let mut harmed = index;
        harmed[ENTRY_BYTES] ^= 1;
        assert!(!sum.fits(&harmed));
    }
}
