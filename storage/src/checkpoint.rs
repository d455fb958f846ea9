//! The file `checkpoint` of a data directory: for each log how far it is known to be on the disk, so that recovery
//! reads only what came after.
//!
//! Layout: magic 8, version u16, since version 2 the journal's position (LSN u64, file u64, position u64) and flags u8
//! (1: closed in order), count u32, entries, CRC-32C u32 over all before it (the last four bytes in every version). An
//! entry: topic id 16, partition i32, start offset i64, recovery offset i64, segment base i64, position u64, since
//! version 2 the greatest time in that segment below the position i64 and the offset that has it u32 (relative to the
//! base), flags u8 (1: closed cleanly, 2: that time is known), name u16 + bytes. Big endian. Invariants: whatever an
//! entry says is on the disk is there, sealed indexes and epochs included; a file that is damaged counts as absent,
//! which costs time and no data.

use bytes::{Buf, BufMut};

use crate::ids::{LogId, Offset, TopicId};
use crate::indexes::MaxTimestamp;
use crate::journal::record::LSN_MAX;
use crate::journal::ring::{Place, Position};
use crate::segment::Mark;

pub(crate) const FILE_NAME: &str = "checkpoint";
/// The one before, should the last be damaged.
pub(crate) const OLD_FILE_NAME: &str = "checkpoint.old";
const MAGIC: &[u8; 8] = b"OTTLACKP";
pub(crate) const VERSION: u16 = 2;
const CLEAN: u8 = 1;
const KNOWS_TIME: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: LogId,
    /// The directory's name: should `partition.metadata` be lost, this tells whose directory it is.
    pub(crate) dir_name: String,
    pub(crate) start: Offset,
    /// Up to here the log is on the disk.
    pub(crate) recovery: Mark,
    /// The greatest time below that in its segment. The time index tells no more than the last entry that it got.
    pub(crate) max_time: Option<MaxTimestamp>,
    /// The log was closed in order: nothing stands behind `recovery`, and the indexes are complete.
    pub(crate) clean: bool,
}

impl Entry {
    /// A log of which nothing is vouched for but where it starts.
    pub(crate) fn unflushed(id: LogId, dir_name: String, start: Offset) -> Entry {
        Entry { id, dir_name, start, recovery: Mark::ZERO, max_time: None, clean: false }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// From here on the journal counts. Version 1 knew of none.
    pub(crate) journal: Position,
    /// The directory was closed in order: the journal holds nothing behind the position.
    pub(crate) clean: bool,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    Newer(u16),
    Broken,
}

pub(crate) fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_slice(MAGIC);
    out.put_u16(VERSION);
    let Checkpoint { journal, clean, entries } = checkpoint;
    out.put_u64(journal.lsn);
    out.put_u64(journal.place.file);
    out.put_u64(journal.place.position);
    out.put_u8(if *clean { CLEAN } else { 0 });
    out.put_u32(entries.len() as u32);
    for entry in entries {
        out.put_slice(&entry.id.topic.0);
        out.put_i32(entry.id.partition);
        out.put_i64(entry.start.0);
        out.put_i64(entry.recovery.offset.0);
        out.put_i64(entry.recovery.segment.0);
        out.put_u64(entry.recovery.position);
        let max_time = entry.max_time.unwrap_or(MaxTimestamp::NONE);
        out.put_i64(max_time.timestamp);
        out.put_u32(max_time.relative);
        let clean = if entry.clean { CLEAN } else { 0 };
        out.put_u8(clean | if entry.max_time.is_some() { KNOWS_TIME } else { 0 });
        out.put_u16(entry.dir_name.len() as u16);
        out.put_slice(entry.dir_name.as_bytes());
    }
    let crc = crc32c::crc32c(&out);
    out.put_u32(crc);
    out
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Checkpoint, Damage> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or(Damage::Broken)?;
    let mut rest = body.strip_prefix(MAGIC).ok_or(Damage::Broken)?;
    // The checksum comes before the version: a flipped bit is damage, and not a newer format.
    if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
        return Err(Damage::Broken);
    }
    let version = rest.try_get_u16().map_err(|_| Damage::Broken)?;
    if version > VERSION {
        return Err(Damage::Newer(version));
    }
    decode_body(version, &mut rest).filter(|_| rest.is_empty()).ok_or(Damage::Broken)
}

fn decode_body(version: u16, rest: &mut &[u8]) -> Option<Checkpoint> {
    let mut checkpoint = Checkpoint::default();
    if version >= 2 {
        let lsn = rest.try_get_u64().ok().filter(|lsn| *lsn <= LSN_MAX)?;
        let place = Place { file: rest.try_get_u64().ok()?, position: rest.try_get_u64().ok()? };
        checkpoint.journal = Position { lsn, place };
        checkpoint.clean = rest.try_get_u8().ok()? & CLEAN != 0;
    }
    for _ in 0..rest.try_get_u32().ok()? {
        checkpoint.entries.push(decode_entry(version, rest)?);
    }
    Some(checkpoint)
}

fn decode_entry(version: u16, rest: &mut &[u8]) -> Option<Entry> {
    let mut topic = [0; 16];
    rest.try_copy_to_slice(&mut topic).ok()?;
    let id = LogId { topic: TopicId(topic), partition: rest.try_get_i32().ok()? };
    let start = Offset(rest.try_get_i64().ok()?);
    let recovery = Mark {
        offset: Offset(rest.try_get_i64().ok()?),
        segment: Offset(rest.try_get_i64().ok()?),
        position: rest.try_get_u64().ok()?,
    };
    let mut max_time = MaxTimestamp::NONE;
    if version >= 2 {
        (max_time.timestamp, max_time.relative) = (rest.try_get_i64().ok()?, rest.try_get_u32().ok()?);
    }
    let flags = rest.try_get_u8().ok()?;
    let (clean, max_time) = (flags & CLEAN != 0, (flags & KNOWS_TIME != 0).then_some(max_time));
    let len = usize::from(rest.try_get_u16().ok()?);
    let (name, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    let dir_name = std::str::from_utf8(name).ok()?.to_owned();
    Some(Entry { id, dir_name, start, recovery, max_time, clean })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let entry = (
            any::<[u8; 16]>(),
            any::<i32>(),
            any::<[i64; 3]>(),
            (any::<u64>(), any::<Option<(i64, u32)>>()),
            any::<bool>(),
            "[a-z.-]{0,20}",
        );
        let entry = entry.prop_map(
            |(topic, partition, [start, offset, segment], (position, time), clean, dir_name)| Entry {
                id: LogId { topic: TopicId(topic), partition },
                dir_name,
                start: Offset(start),
                recovery: Mark { offset: Offset(offset), segment: Offset(segment), position },
                max_time: time.map(|(timestamp, relative)| MaxTimestamp { timestamp, relative }),
                clean,
            },
        );
        proptest::collection::vec(entry, 0..8)
    }

    proptest! {
        #[test]
        fn round_trips(entries in entries(), lsn in 0..=LSN_MAX, place: [u64; 2], clean: bool) {
            let place = Place { file: place[0], position: place[1] };
            let checkpoint = Checkpoint { journal: Position { lsn, place }, clean, entries };
            prop_assert_eq!(decode(&encode(&checkpoint)), Ok(checkpoint));
        }

        #[test]
        fn any_damage_is_noticed(entries in entries(), at: prop::sample::Index, bit in 0u8..8, cut: prop::sample::Index) {
            let whole = encode(&Checkpoint { entries, ..Checkpoint::default() });
            let mut flipped = whole.clone();
            flipped[at.index(whole.len())] ^= 1 << bit;
            prop_assert!(decode(&flipped).is_err());
            prop_assert!(decode(&whole[..cut.index(whole.len())]).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn an_lsn_that_no_journal_reaches_is_damage() {
        let journal = Position { lsn: u64::MAX, ..Position::default() };
        assert_eq!(decode(&encode(&Checkpoint { journal, ..Checkpoint::default() })), Err(Damage::Broken));
    }

    #[test]
    fn a_newer_format_is_told_apart_from_a_broken_one() {
        let mut bytes = encode(&Checkpoint::default());
        bytes[9] = 3;
        assert_eq!(decode(&bytes), Err(Damage::Broken));
        let body = bytes.len() - 4;
        let crc = crc32c::crc32c(&bytes[..body]);
        bytes[body..].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(decode(&bytes), Err(Damage::Newer(3)));
    }
}
