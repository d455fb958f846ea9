//! The file of a state machine's image: what its log says up to an offset, as the records that make it anew.
//!
//! Name: the offset of the log's first record behind it in 20 digits, `.image`. Layout, big endian: magic 8, version u16,
//! that offset i64, count u32, for each record its length u32 and its bytes as the log has them, CRC-32C u32 over all
//! before it (the last four bytes in every version). Invariants: a file that is damaged anywhere is not read at all; a
//! newer version is refused and not guessed at. This module must not know what a record says.

use crate::ids::Offset;
use crate::segment::{base_of, file_name};

pub(crate) const IMAGE_SUFFIX: &str = "image";
const MAGIC: &[u8; 8] = b"OTTLAIMG";
/// Of the layout.
pub const VERSION: u16 = 1;

/// Why a file is no image for this version.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    Newer(u16),
    Broken,
}

pub fn name_of(next: Offset) -> String {
    file_name(next, IMAGE_SUFFIX)
}

/// The offset in an image's name.
pub fn offset_in(name: &str) -> Option<Offset> {
    base_of(name, IMAGE_SUFFIX)
}

pub fn encode(next: Offset, records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_be_bytes());
    out.extend(next.0.to_be_bytes());
    out.extend((records.len() as u32).to_be_bytes());
    for record in records {
        out.extend((record.len() as u32).to_be_bytes());
        out.extend(record);
    }
    let crc = crc32c::crc32c(&out);
    out.extend(crc.to_be_bytes());
    out
}

/// The offset and the records.
pub fn decode(bytes: &[u8]) -> Result<(Offset, Vec<&[u8]>), Damage> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(Damage::Broken)?;
    let rest = body.strip_prefix(MAGIC).ok_or(Damage::Broken)?;
    // The checksum comes before the version: a flipped bit is damage, and not a newer format.
    if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
        return Err(Damage::Broken);
    }
    let (version, rest) = rest.split_first_chunk().ok_or(Damage::Broken)?;
    match u16::from_be_bytes(*version) {
        VERSION => {}
        newer if newer > VERSION => return Err(Damage::Newer(newer)),
        _ => return Err(Damage::Broken),
    }
    let (next, rest) = rest.split_first_chunk().ok_or(Damage::Broken)?;
    let (count, mut rest) = rest.split_first_chunk().ok_or(Damage::Broken)?;
    let mut records = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let (len, behind) = rest.split_first_chunk().ok_or(Damage::Broken)?;
        let (record, behind) =
            behind.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or(Damage::Broken)?;
        records.push(record);
        rest = behind;
    }
    if rest.is_empty() { Ok((Offset(i64::from_be_bytes(*next)), records)) } else { Err(Damage::Broken) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(next in 0..i64::MAX, records: Vec<Vec<u8>>) {
            let bytes = encode(Offset(next), &records);
            let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(decode(&bytes), Ok((Offset(next), slices)));
            prop_assert_eq!(offset_in(&name_of(Offset(next))), Some(Offset(next)));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let mut sealed = [&b"OTTLAIMG\x00\x01"[..], &bytes].concat();
            sealed.extend(crc32c::crc32c(&sealed).to_be_bytes());
            let _ = decode(&sealed);
        }
    }

    #[test]
    fn what_is_newer_is_told_from_what_is_damaged() {
        let mut bytes = encode(Offset(1), &[vec![7; 9]]);
        bytes[9] = 2;
        assert_eq!(decode(&bytes), Err(Damage::Broken));
        let body = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..body]).to_be_bytes();
        bytes[body..].copy_from_slice(&crc);
        assert_eq!(decode(&bytes), Err(Damage::Newer(2)));
    }
}
