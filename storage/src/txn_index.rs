//! The aborted transactions of each segment: Kafka's `.txnindex`, in memory while a segment grows, on the disk behind it.
//!
//! Layout of an entry, big endian: version 2 (0), producer id 8, first offset 8, offset of the marker 8, last stable
//! offset 8 when it was written. A segment's entries are of the markers in it, rising. Kafka's format has no checksum: that
//! stands beside (`txn_sums`). A file that is not as it was written is made anew by whoever has the batches.
//! Invariants: only a segment in which a transaction was aborted has a file; memory is ahead of the files, never behind.
//! This module must not know batches.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;

use crate::env::{Files, OpenMode};
use crate::ids::{Offset, ProducerId};
use crate::segment::{TXN_INDEX_SUFFIX, file_name};
use crate::small_file;
use crate::txn_sums::Sum;

pub(crate) const ENTRY_BYTES: usize = 34;
const VERSION: i16 = 0;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) producer: ProducerId,
    pub(crate) first: Offset,
    /// Of the marker.
    pub(crate) last: Offset,
    /// Below this nothing was open when the marker was written.
    pub(crate) last_stable: Offset,
}

pub(crate) fn push(bytes: &mut Vec<u8>, entry: &Entry) {
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    for number in [entry.producer.0, entry.first.0, entry.last.0, entry.last_stable.0] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    entries.iter().for_each(|entry| push(&mut bytes, entry));
    bytes
}

/// The first entries of a segment's file, as far as they can be right; what a power cut left is filled with zeros.
pub(crate) fn decode(bytes: &[u8], base: Offset) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::with_capacity(bytes.len() / ENTRY_BYTES);
    for raw in bytes.chunks_exact(ENTRY_BYTES) {
        let number = |at: usize| i64::from_be_bytes(*raw[at..].first_chunk().expect("the entry is whole"));
        let entry = Entry {
            producer: ProducerId(number(2)),
            first: Offset(number(10)),
            last: Offset(number(18)),
            last_stable: Offset(number(26)),
        };
        let rises = entry.last >= base && entries.last().is_none_or(|before| before.last < entry.last);
        let spans = entry.first.0 >= 0 && entry.first < entry.last && entry.producer.0 >= 0;
        let is_stable = entry.last_stable.0 >= 0 && entry.last_stable.0 <= entry.last.0.saturating_add(1);
        if raw[..2] != VERSION.to_be_bytes() || !rises || !spans || !is_stable {
            break;
        }
        entries.push(entry);
    }
    entries
}

enum Held {
    /// The segment takes no more, and its file is on the disk.
    OnDisk,
    Growing {
        entries: Vec<Entry>,
        /// So many of them are in the file, on the disk.
        kept: usize,
        /// A file is there that snapshots may rely on, though nobody vouches for it: it is exchanged as a whole.
        stands: bool,
    },
}

impl Held {
    fn new(entries: Vec<Entry>, kept: usize) -> Held {
        Held::Growing { entries, kept, stands: false }
    }
}

/// The aborted transactions of a log, by segment.
#[derive(Default)]
pub(crate) struct Aborts {
    segments: BTreeMap<Offset, Held>,
    /// Of the files.
    sums: BTreeMap<Offset, Sum>,
    /// Not all sums are on the disk.
    has_new_sums: bool,
}

/// What one flush writes of one segment.
pub(crate) struct Unwritten {
    base: Offset,
    entries: Vec<Entry>,
    kept: usize,
    stands: bool,
}

impl Aborts {
    pub(crate) fn push(&mut self, segment: Offset, entry: Entry) {
        let held = self.segments.entry(segment).or_insert_with(|| Held::new(Vec::new(), 0));
        if let Held::Growing { entries, .. } = held {
            entries.push(entry);
        }
    }

    /// Recovery: a segment that takes no more has a file.
    pub(crate) fn found(&mut self, segment: Offset) {
        self.segments.insert(segment, Held::OnDisk);
    }

    /// Recovery: the first entries of a segment stand in its file.
    pub(crate) fn resume(&mut self, segment: Offset, entries: Vec<Entry>) {
        let kept = entries.len();
        self.segments.insert(segment, Held::new(entries, kept));
    }

    /// A file turned out to be wrong: these are the entries, to be written again.
    pub(crate) fn replace(&mut self, segment: Offset, entries: Vec<Entry>) {
        self.has_new_sums |= self.sums.remove(&segment).is_some();
        self.segments.insert(segment, Held::Growing { entries, kept: 0, stands: true });
    }

    /// The segments from `base` to below `end` became one, with these entries in its file.
    pub(crate) fn merge(&mut self, base: Offset, end: Offset, entries: Vec<Entry>) {
        self.segments.retain(|segment, _| *segment < base || *segment >= end);
        self.sums.retain(|segment, _| *segment < base || *segment >= end);
        self.has_new_sums = true;
        if !entries.is_empty() {
            self.sums.insert(base, Sum::of(&encode(&entries)));
            self.resume(base, entries);
        }
    }

    /// Recovery: what the files are to be like.
    pub(crate) fn expect(&mut self, sums: BTreeMap<Offset, Sum>) {
        self.sums = sums;
    }

    pub(crate) fn sum_of(&self, segment: Offset) -> Option<Sum> {
        self.sums.get(&segment).copied()
    }

    pub(crate) fn sums(&self) -> &BTreeMap<Offset, Sum> {
        &self.sums
    }

    /// The sums, if they are to be written.
    pub(crate) fn take_new_sums(&mut self) -> Option<BTreeMap<Offset, Sum>> {
        std::mem::take(&mut self.has_new_sums).then(|| self.sums.clone())
    }

    /// They could not be written.
    pub(crate) fn sums_are_unwritten(&mut self) {
        self.has_new_sums = true;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub(crate) fn of(&self, segment: Offset) -> Option<Aborted> {
        Some(match self.segments.get(&segment)? {
            Held::OnDisk => Aborted::OnDisk,
            Held::Growing { entries, .. } => Aborted::Known(entries.clone()),
        })
    }

    pub(crate) fn take(&mut self, segment: Offset) -> Vec<Entry> {
        match self.segments.remove(&segment) {
            Some(Held::Growing { entries, .. }) => entries,
            _ => Vec::new(),
        }
    }

    /// What is in memory alone.
    pub(crate) fn unwritten(&self) -> Vec<Unwritten> {
        let is_behind = |(base, held): (&Offset, &Held)| match held {
            Held::Growing { entries, kept, stands } if *kept < entries.len() => {
                Some(Unwritten { base: *base, entries: entries.clone(), kept: *kept, stands: *stands })
            }
            _ => None,
        };
        self.segments.iter().filter_map(is_behind).collect()
    }

    /// What was unwritten is on the disk.
    pub(crate) fn written(&mut self, done: &Unwritten) {
        if let Some(Held::Growing { kept, stands, .. }) = self.segments.get_mut(&done.base) {
            (*kept, *stands) = (done.entries.len(), false);
            self.sums.insert(done.base, Sum::of(&encode(&done.entries)));
            self.has_new_sums = true;
        }
    }

    /// Segments before `active` take no more: their entries leave memory once they are on the disk. Those of segments
    /// that are `gone` are forgotten.
    pub(crate) fn seal(&mut self, active: Offset, is_gone: impl Fn(Offset) -> bool) {
        self.segments.retain(|base, _| !is_gone(*base));
        let before = self.sums.len();
        self.sums.retain(|base, _| !is_gone(*base));
        self.has_new_sums |= self.sums.len() < before;
        for (_, held) in self.segments.range_mut(..active) {
            if matches!(held, Held::Growing { entries, kept, .. } if *kept == entries.len()) {
                *held = Held::OnDisk;
            }
        }
    }
}

/// A whole index under any name, on the disk when this returns but for the name.
pub(crate) fn write_whole(files: &dyn Files, path: &Path, entries: &[Entry]) -> io::Result<()> {
    let file = files.open(path, OpenMode::Create)?;
    file.set_len(0)?;
    file.write_all_at(&[IoSlice::new(&encode(entries))], 0)?;
    file.sync_data()
}

/// What is known of a segment's aborted transactions.
pub(crate) enum Aborted {
    Known(Vec<Entry>),
    OnDisk,
}

impl Unwritten {
    /// Without `sync` the caller flushes the file in another way.
    pub(crate) fn write(&self, files: &dyn Files, dir: &Path, sync: bool) -> io::Result<()> {
        let path = dir.join(file_name(self.base, TXN_INDEX_SUFFIX));
        if self.stands {
            return small_file::replace(files, &path, &encode(&self.entries));
        }
        let file = files.open(&path, OpenMode::Create)?;
        let at = self.kept * ENTRY_BYTES;
        // What stands behind may be of another life.
        file.set_len(at as u64)?;
        file.write_all_at(&[IoSlice::new(&encode(&self.entries[self.kept..]))], at as u64)?;
        if !sync {
            return Ok(());
        }
        file.sync_data()?;
        if self.kept == 0 { files.sync_dir(dir) } else { Ok(()) }
    }
}

/// The entries in a segment's file; `None` if it is not as it was written.
pub(crate) fn read(
    files: &dyn Files,
    dir: &Path,
    base: Offset,
    sum: Option<Sum>,
) -> io::Result<Option<Vec<Entry>>> {
    let bytes = small_file::read(files, &dir.join(file_name(base, TXN_INDEX_SUFFIX)))?;
    Ok(bytes.and_then(|bytes| {
        let entries = decode(&bytes, base);
        let is_right = entries.len() * ENTRY_BYTES == bytes.len() && sum.is_none_or(|sum| sum.fits(&bytes));
        is_right.then_some(entries)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: Entry =
        Entry { producer: ProducerId(7), first: Offset(10), last: Offset(300), last_stable: Offset(11) };

    #[test]
    fn it_is_kafkas() {
        let mut expected = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 10];
        expected.extend([0, 0, 0, 0, 0, 0, 1, 44, 0, 0, 0, 0, 0, 0, 0, 11]);
        assert_eq!(encode(&[SAMPLE]), expected);
        assert_eq!(decode(&expected, Offset(0)), [SAMPLE]);
        assert!(decode(&[0; 340], Offset(0)).is_empty(), "zeros are no entry");
        assert!(decode(&expected, Offset(301)).is_empty(), "the marker is of a segment before");
    }

    proptest! {
        #[test]
        fn round_trips(steps in proptest::collection::vec((0i64..1 << 40, 0i64..100, 1i64..100, 0i64..50), 0..20)) {
            let (mut entries, mut last) = (Vec::new(), 0);
            for (producer, before, by, stable) in steps {
                last += by + before;
                entries.push(Entry {
                    producer: ProducerId(producer),
                    first: Offset(last - by),
                    last: Offset(last),
                    last_stable: Offset((last - stable).max(0)),
                });
            }
            prop_assert_eq!(decode(&encode(&entries), Offset(0)), entries);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, base: i64) {
            prop_assert!(decode(&bytes, Offset(base)).len() <= bytes.len() / ENTRY_BYTES);
        }
    }
}
