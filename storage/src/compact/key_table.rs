//! The last offset of each key of a range: what a pass of the compaction knows of the log.
//!
//! A key is held as a hash of 128 bits, so that a slot is 24 bytes whatever the keys are. Two keys of one hash would cost
//! the records of one of them; the hash is therefore SipHash-2-4 under a secret that each pass draws anew: chance alone
//! makes two of ten thousand million keys meet once in 10^18 passes, and no producer can make them meet on purpose, as
//! he can with an unkeyed hash. Layout of a slot: hash 16, offset plus one 8; an offset of zero is an empty slot.
//! Invariants: memory is taken for the keys that can come, up to the given bound, and is given back with the table; a
//! slot is always left empty, so that every probe ends. It must not know records or logs.

use std::io;

use memmap2::MmapMut;
use siphasher::sip128::SipHasher24;

use crate::env::Random;
use crate::ids::Offset;

const SLOT_BYTES: usize = 24;

pub(crate) struct KeyTable {
    slots: MmapMut,
    hasher: SipHasher24,
    slot_count: u64,
    used: u64,
    used_max: u64,
}

/// The table takes no other key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl KeyTable {
    /// A table for `keys` keys, or as many as `bytes_max` holds when no more than `load` of its slots are taken.
    pub(crate) fn new(bytes_max: u64, load: f64, keys: u64, random: &dyn Random) -> io::Result<KeyTable> {
        let load = load.clamp(0.01, 0.99);
        let slots_max = (bytes_max / SLOT_BYTES as u64).max(2);
        let used_max = keys.min((slots_max as f64 * load) as u64).max(1);
        // Half full, a probe takes two steps; at nine tenths it may take fifty.
        let slot_count = slots_max.min(used_max.saturating_mul(2)).max(used_max + 1);
        let bytes = usize::try_from(slot_count).ok().and_then(|slots| slots.checked_mul(SLOT_BYTES));
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let mut secret = [0; 16];
        random.fill(&mut secret);
        Ok(KeyTable {
            // Pages that come zeroed from the kernel and go back to it, not to an allocator that may keep them.
            slots: MmapMut::map_anon(bytes)?,
            hasher: SipHasher24::new_with_key(&secret),
            slot_count,
            used: 0,
            used_max,
        })
    }

    /// Where the key's slot is, taken or free, and its hash.
    fn find(&self, key: &[u8]) -> (usize, [u8; 16]) {
        let hash = self.hasher.hash(key);
        let bytes = hash.as_bytes();
        let mut slot = ((u128::from(hash.h1) * u128::from(self.slot_count)) >> 64) as u64;
        loop {
            let at = slot as usize * SLOT_BYTES;
            let found = &self.slots[at..at + SLOT_BYTES];
            if found[..16] == bytes || number(&found[16..]) == 0 {
                return (at, bytes);
            }
            slot = (slot + 1) % self.slot_count;
        }
    }

    /// The key's last offset is `offset` from here on.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> Result<(), Full> {
        let (at, hash) = self.find(key);
        let is_new = number(&self.slots[at + 16..at + SLOT_BYTES]) == 0;
        if is_new && self.used == self.used_max {
            return Err(Full);
        }
        self.used += u64::from(is_new);
        self.slots[at..at + 16].copy_from_slice(&hash);
        // Offsets below zero cannot be stored, and no log has any.
        let stored = (offset.0.max(0) as u64) + 1;
        self.slots[at + 16..at + SLOT_BYTES].copy_from_slice(&stored.to_ne_bytes());
        Ok(())
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let (at, _) = self.find(key);
        let stored = number(&self.slots[at + 16..at + SLOT_BYTES]);
        stored.checked_sub(1).map(|offset| Offset(offset as i64))
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(*bytes.first_chunk().expect("a slot ends with eight bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::env::SimRandom;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map_until_it_is_full(
            puts in proptest::collection::vec((0u16..60, 0i64..1_000_000), 0..200),
            slots in 1u64..80,
            seed: u64,
        ) {
            let random = SimRandom::new(seed);
            let mut table = KeyTable::new(slots * SLOT_BYTES as u64, 0.9, 1_000, &random).unwrap();
            let mut model = BTreeMap::new();
            for (key, offset) in puts {
                let known = model.contains_key(&key);
                match table.put(&key.to_be_bytes(), Offset(offset)) {
                    Ok(()) => drop(model.insert(key, offset)),
                    Err(Full) => {
                        prop_assert!(!known, "a key that it has always fits");
                        prop_assert!(model.len() as u64 >= ((slots.max(2) as f64 * 0.9) as u64).max(1));
                    }
                }
            }
            for key in 0..60u16 {
                let found = table.get(&key.to_be_bytes());
                prop_assert_eq!(found, model.get(&key).map(|offset| Offset(*offset)));
            }
        }
    }

    #[test]
    fn it_takes_no_more_memory_than_its_keys_need() {
        let table = KeyTable::new(1 << 30, 0.9, 90, &SimRandom::new(1)).unwrap();
        assert_eq!(table.slots.len(), 180 * SLOT_BYTES);
        let table = KeyTable::new(100 * SLOT_BYTES as u64, 0.9, 1_000, &SimRandom::new(1)).unwrap();
        assert_eq!((table.slots.len(), table.used_max), (100 * SLOT_BYTES, 90));
    }
}
