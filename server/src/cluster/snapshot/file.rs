//! The file of a snapshot: the records that make an image, and the offset of the log's first record behind it.
//!
//! Name: that offset in 20 digits, `.image`. Layout, big endian: magic 8, version u16, offset i64, count u32, for each
//! record its length u32 and its bytes as the log has them, CRC-32C u32 over all before it (the last four bytes in every
//! version). Invariants: a file that is damaged anywhere is not read at all; a newer version is refused and not guessed at.

use storage::Offset;

use super::super::records::{Record, RecordError};

pub(super) const SUFFIX: &str = ".image";
const MAGIC: &[u8; 8] = b"OTTLAIMG";
pub(super) const VERSION: u16 = 1;
const OFFSET_DIGITS: usize = 20;

/// Why a file is no snapshot for this version.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Damage {
    Newer(u16),
    Broken,
    /// It is whole, and a record in it is not known.
    Record(RecordError),
}

pub(super) fn name_of(next: Offset) -> String {
    format!("{:0OFFSET_DIGITS$}{SUFFIX}", next.0)
}

/// The offset in a snapshot's name.
pub(super) fn offset_in(name: &str) -> Option<Offset> {
    let digits = name.strip_suffix(SUFFIX)?;
    let is_offset = digits.len() == OFFSET_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_offset { digits.parse().ok().map(Offset) } else { None }
}

pub(super) fn encode(next: Offset, records: &[Record]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_be_bytes());
    out.extend(next.0.to_be_bytes());
    out.extend((records.len() as u32).to_be_bytes());
    for record in records {
        let bytes = record.encode();
        out.extend((bytes.len() as u32).to_be_bytes());
        out.extend(bytes);
    }
    let crc = crc32c::crc32c(&out);
    out.extend(crc.to_be_bytes());
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<(Offset, Vec<Record>), Damage> {
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
        records.push(Record::decode(record).map_err(Damage::Record)?);
        rest = behind;
    }
    if rest.is_empty() { Ok((Offset(i64::from_be_bytes(*next)), records)) } else { Err(Damage::Broken) }
}
