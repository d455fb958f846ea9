//! The file `replay.floor` of a data directory: the least LSN that may ever be replayed.
//!
//! Layout: magic 8, version u16, LSN u64, CRC-32C u32 over all before it. Big endian. Both checkpoints tell where the
//! journal begins to count; without either, records might be replayed that were written before a compaction replaced
//! the segment, or retention removed it, and bring the old bytes back. So what settles segments is written a third time,
//! where neither a torn checkpoint nor a wrong bit in one reaches. Invariants: the number on the disk is at most where
//! either checkpoint begins, and no segment is settled by more than it; a file that is damaged counts as absent.

use std::io;
use std::path::Path;

use crate::env::Files;
use crate::journal::record::LSN_MAX;
use crate::small_file;

pub(crate) const FILE_NAME: &str = "replay.floor";
const MAGIC: &[u8; 8] = b"OTTLAFLR";
const VERSION: u16 = 1;

pub(crate) fn encode(lsn: u64) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &VERSION.to_be_bytes(), &lsn.to_be_bytes()].concat();
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

/// `None` if it is not as it was written.
pub(crate) fn decode(bytes: &[u8]) -> Option<u64> {
    let (body, crc) = bytes.split_last_chunk()?;
    let lsn = body.strip_prefix(MAGIC)?.strip_prefix(&VERSION.to_be_bytes())?;
    let lsn = u64::from_be_bytes(lsn.try_into().ok()?);
    (crc32c::crc32c(body) == u32::from_be_bytes(*crc) && lsn <= LSN_MAX).then_some(lsn)
}

pub(crate) fn write(files: &dyn Files, dir: &Path, lsn: u64) -> io::Result<()> {
    small_file::replace(files, &dir.join(FILE_NAME), &encode(lsn))
}

/// The number, 0 if none is known.
pub(crate) fn read(files: &dyn Files, dir: &Path) -> u64 {
    let path = dir.join(FILE_NAME);
    let found = match small_file::read(files, &path) {
        Ok(None) => return 0,
        found => found.ok().flatten().as_deref().and_then(decode),
    };
    if found.is_none() {
        tracing::warn!(path = %path.display(), "it is damaged, as both checkpoints: only the journal itself tells where it begins to count");
    }
    found.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(lsn in 0..=LSN_MAX) {
            prop_assert_eq!(decode(&encode(lsn)), Some(lsn));
        }

        #[test]
        fn any_wrong_bit_and_any_cut_is_noticed(lsn in 0..=LSN_MAX, at in 0..22usize, bit in 0..8) {
            let mut bytes = encode(lsn);
            prop_assert_eq!(decode(&bytes[..at]), None);
            bytes[at] ^= 1u8 << bit;
            prop_assert_eq!(decode(&bytes), None);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
