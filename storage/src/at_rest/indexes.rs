//! Holding a segment's two indexes against its batches, which are shown one by one in their order.
//!
//! Invariants: an entry is judged once, whatever order the entries stand in; entries of bytes that are damaged themselves
//! are not judged; what a crash may have left behind the last checkpoint is told from damage. It must not know files.

use crate::batch::BatchHeader;
use crate::ids::NO_TIMESTAMP;
use crate::{offset_index, time_index};

/// What is wrong with an index: its first wrong entry, and how many there are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Where the entry stands in the index.
    pub(super) position: u64,
    pub(super) what: String,
    pub(super) entries: u64,
    /// None of it is more than what a crash leaves.
    pub(super) is_left_over: bool,
}

#[derive(Default)]
struct Wrongs(Option<Wrong>);

impl Wrongs {
    fn add(&mut self, position: u64, is_left_over: bool, what: impl FnOnce() -> String) {
        match &mut self.0 {
            Some(wrong) if wrong.is_left_over && !is_left_over => {
                *wrong = Wrong { position, what: what(), entries: wrong.entries + 1, is_left_over };
            }
            Some(wrong) => wrong.entries += 1,
            None => self.0 = Some(Wrong { position, what: what(), entries: 1, is_left_over }),
        }
    }
}

/// What of a segment's end a crash may have left in disorder.
#[derive(Copy, Clone, Debug)]
pub(super) struct Loose {
    /// The file position from which on nothing is vouched for.
    pub(super) position: u64,
    /// The same, as an offset relative to the segment's base.
    pub(super) relative: u64,
}

/// An entry as it stands in its file.
struct Placed<E> {
    entry: E,
    position: u64,
    /// It was written since the last checkpoint: a power cut may have left anything in its place.
    is_loose: bool,
}

/// The entries of an index that rise, in the order of what they name, and how far that was held against the batches.
struct Entries<E> {
    sorted: Vec<Placed<E>>,
    next: usize,
    wrongs: Wrongs,
    key: fn(&E) -> u64,
}

impl<E: Copy> Entries<E> {
    /// Entries behind the last one that `is_vouched` are loose.
    fn new(
        all: Vec<E>,
        entry_bytes: usize,
        key: fn(&E) -> u64,
        is_vouched: impl Fn(&E) -> bool,
        rises: impl Fn(&E, &E) -> bool,
    ) -> Entries<E> {
        let vouched = all.iter().rposition(is_vouched).map_or(0, |last| last + 1);
        let (mut sorted, mut wrongs) = (Vec::with_capacity(all.len()), Wrongs::default());
        for (number, entry) in all.iter().enumerate() {
            let (position, is_loose) = ((number * entry_bytes) as u64, number >= vouched);
            if number == 0 || rises(&all[number - 1], entry) {
                sorted.push(Placed { entry: *entry, position, is_loose });
            } else {
                wrongs.add(position, is_loose, || {
                    format!("entry {number} does not rise above the one before it")
                });
            }
        }
        sorted.sort_by_key(|placed| key(&placed.entry));
        Entries { sorted, next: 0, wrongs, key }
    }

    /// The index's length is none that whole entries give.
    fn see_length(&mut self, bytes: usize, entry_bytes: usize, is_loose: bool) {
        if !bytes.is_multiple_of(entry_bytes) {
            let position = bytes / entry_bytes * entry_bytes;
            self.wrongs.add(position as u64, is_loose, || "its last entry is cut".to_owned());
        }
    }

    /// The next entry whose key is below `end`.
    fn take_below(&mut self, end: u64) -> Option<&Placed<E>> {
        let placed = self.sorted.get(self.next).filter(|placed| (self.key)(&placed.entry) < end)?;
        self.next += 1;
        Some(placed)
    }

    /// The next entry whose key is `here`; those before it name nothing.
    fn take_at(&mut self, here: u64, nothing: &str) -> Option<&Placed<E>> {
        self.name_nothing_below(here, nothing);
        self.take_below(here.saturating_add(1))
    }

    fn name_nothing_below(&mut self, end: u64, nothing: &str) {
        while let Some(placed) = self.take_below(end) {
            let (position, is_loose, entry) = (placed.position, placed.is_loose, placed.entry);
            let named = (self.key)(&entry);
            self.wrongs.add(position, is_loose, || format!("{nothing}{named}, which it names"));
        }
    }
}

const NO_BATCH_BEGINS: &str = "no batch begins at ";
const NO_BATCH_ENDS: &str = "no batch ends at the offset +";

pub(super) struct OffsetCheck {
    entries: Entries<offset_index::Entry>,
}

impl OffsetCheck {
    pub(super) fn new(bytes: &[u8], loose: Option<Loose>) -> OffsetCheck {
        let all = (0..offset_index::len(bytes)).map_while(|number| offset_index::entry(bytes, number));
        let mut entries = Entries::new(
            all.collect(),
            offset_index::ENTRY_BYTES,
            |entry| u64::from(entry.position),
            |entry: &offset_index::Entry| {
                loose.is_none_or(|loose| entry.position > 0 && u64::from(entry.position) < loose.position)
            },
            |a, b| a.relative < b.relative && a.position < b.position,
        );
        entries.see_length(bytes.len(), offset_index::ENTRY_BYTES, loose.is_some());
        OffsetCheck { entries }
    }

    /// A right batch stands at `position` and ends at the offset `relative`.
    pub(super) fn see(&mut self, position: u64, relative: u64) {
        while let Some(placed) = self.entries.take_at(position, NO_BATCH_BEGINS) {
            let (found, at, is_loose) = (u64::from(placed.entry.relative), placed.position, placed.is_loose);
            if found != relative {
                self.entries.wrongs.add(at, is_loose, || {
                    format!("it says +{found} of the batch at {position}, whose last offset is +{relative}")
                });
            }
        }
    }

    /// Bytes from `from` to below `to` are damaged: entries may name anything in them.
    pub(super) fn pass(&mut self, from: u64, to: u64) {
        self.entries.name_nothing_below(from, NO_BATCH_BEGINS);
        while self.entries.take_below(to).is_some() {}
    }

    pub(super) fn finish(mut self) -> Option<Wrong> {
        self.entries.name_nothing_below(u64::MAX, NO_BATCH_BEGINS);
        self.entries.wrongs.0
    }
}

pub(super) struct TimeCheck {
    entries: Entries<time_index::Entry>,
    /// The latest time of the batches before, and that of the last entry.
    max: i64,
    last: i64,
    /// Behind the last entry.
    end: u64,
}

impl TimeCheck {
    pub(super) fn new(bytes: &[u8], loose: Option<Loose>) -> TimeCheck {
        let all = (0..time_index::len(bytes)).map_while(|number| time_index::entry(bytes, number));
        let mut entries = Entries::new(
            all.collect(),
            time_index::ENTRY_BYTES,
            |entry| u64::from(entry.relative),
            |entry: &time_index::Entry| {
                let is_something = entry.relative > 0 && entry.timestamp > 0;
                loose.is_none_or(|loose| is_something && u64::from(entry.relative) < loose.relative)
            },
            |a, b| a.relative < b.relative && a.timestamp < b.timestamp,
        );
        entries.see_length(bytes.len(), time_index::ENTRY_BYTES, loose.is_some());
        let last = time_index::last(bytes).map_or(NO_TIMESTAMP, |entry| entry.timestamp);
        TimeCheck { entries, max: NO_TIMESTAMP, last, end: bytes.len() as u64 }
    }

    /// A right batch ends at the offset `relative`.
    pub(super) fn see(&mut self, relative: u64, header: &BatchHeader) {
        let (time, max) = (header.records_time(), self.max);
        while let Some(placed) = self.entries.take_at(relative, NO_BATCH_ENDS) {
            let (found, at, is_loose) = (placed.entry.timestamp, placed.position, placed.is_loose);
            if found != time {
                self.entries.wrongs.add(at, is_loose, || {
                    format!("it gives +{relative} the time {found}, the batch has {time}")
                });
            } else if max > time {
                self.entries.wrongs.add(at, is_loose, || {
                    format!("it calls {time} the latest time up to +{relative}, a batch before has {max}")
                });
            }
        }
        self.max = max.max(time);
    }

    /// Offsets from `from` to below `to` are damaged: entries may name any of them, at any time.
    pub(super) fn pass(&mut self, from: u64, to: u64) {
        self.entries.name_nothing_below(from, NO_BATCH_ENDS);
        while let Some(placed) = self.entries.take_below(to) {
            self.max = self.max.max(placed.entry.timestamp);
        }
    }

    /// With `finished`, the last entry has to be the segment's latest time.
    pub(super) fn finish(mut self, finished: bool) -> Option<Wrong> {
        self.entries.name_nothing_below(u64::MAX, NO_BATCH_ENDS);
        let (max, last) = (self.max, self.last);
        if finished && last < max {
            let what = || format!("it ends with the time {last}, a batch has {max}");
            self.entries.wrongs.add(self.end, false, what);
        }
        self.entries.wrongs.0
    }
}
