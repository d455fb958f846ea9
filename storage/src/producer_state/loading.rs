//! Knowing the producers again at a start: the last snapshot that is right, and the batches behind it.
//!
//! Invariants: a snapshot counts only if it reads whole and right, is not beyond the log's end, and the log has every
//! batch behind it; one beyond the end is gone, for good, before anything is appended. Without one the log is read from
//! its start, or from where it ended when it was last closed in order: a log without one had no producers then. Once a
//! snapshot was found damaged, one before it counts only if no transaction was open in it: the compaction may have
//! taken that one's end since. A transaction all of whose records are below the log's start is not open. Where batches
//! below the start are missing, what was known before them is not known any more, as in Kafka: producers may have gone on in
//! them, and nothing that readers see was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::draft::has_producer;
use super::producer::Producer;
use super::snapshot::{self, SNAPSHOT_SUFFIX};
use super::{Producers, looking_back};
use crate::env::Files;
use crate::error::{OpenError, ReadError};
use crate::ids::{Offset, ProducerId};
use crate::log::Log;
use crate::segment::{LOG_SUFFIX, Mark, Segment, TXN_INDEX_SUFFIX, base_of, file_name};
use crate::small_file;
use crate::syncs::Syncs;
use crate::txn_index::{self, Entry};
use crate::txn_sums;

/// What a start can say of a log before its producers are known.
pub(crate) struct Found<'f> {
    pub(crate) files: &'f Arc<dyn Files>,
    pub(crate) dir: &'f Path,
    pub(crate) segments: &'f [Arc<Segment>],
    pub(crate) start: Offset,
    pub(crate) end: Mark,
    /// It was closed in order when it ended here. What a process appended that was killed since stands behind.
    pub(crate) closed_at: Option<Offset>,
}

pub(crate) fn load(found: &Found<'_>, syncs: &mut Syncs) -> Result<Producers, OpenError> {
    let mut producers = Producers::default();
    let last = found.last_snapshot(&mut producers, syncs)?;
    let from = match last {
        Last::At(offset) => offset,
        Last::Never => found.closed_at.unwrap_or(found.segments[0].base),
        Last::Damaged => found.segments[0].base,
    };
    found.aborts_before(from, &mut producers, syncs)?;
    let span = Span { from, to: found.end.offset, start: found.start };
    let first = replay(&mut producers, found.segments, &span).map_err(walking)?;
    producers.taken_at = first.unwrap_or((found.end.segment, found.end.position));
    producers.forget_transactions_below(found.start);
    if matches!(last, Last::Damaged) {
        producers.take_snapshot(found.end);
    }
    looking_back::look_back(&mut producers, found.segments);
    Ok(producers)
}

impl Producers {
    /// Goes on from a snapshot.
    fn resume(&mut self, entries: BTreeMap<ProducerId, Producer>) {
        self.open = entries.iter().filter_map(|(id, entry)| Some((entry.txn_first?, *id))).collect();
        self.entries = entries;
    }

    /// What is known so far may not be the last of anybody.
    fn forget_all(&mut self, segment: &Segment) {
        if !self.entries.is_empty() {
            let producers = self.entries.len();
            tracing::warn!(
                path = %segment.path(LOG_SUFFIX).display(), producers,
                "records that were deleted are gone before their time, and their producers are forgotten"
            );
        }
        self.resume(BTreeMap::new());
    }

    /// A transaction of which no record is left holds nobody up: its end may have been lost with the records, and would
    /// never come again. What its producer adds to it begins it anew.
    fn forget_transactions_below(&mut self, start: Offset) {
        for (id, producer) in &mut self.entries {
            let is_gone = producer.batches().last().is_some_and(|last| last.last_offset < start);
            if let Some(first) = producer.txn_first.take_if(|_| is_gone) {
                tracing::warn!(
                    producer = id.0,
                    first_offset = first.0,
                    "no record of a transaction is left: whether it ended does not matter any more"
                );
                self.open.remove(&first);
            }
        }
    }
}

enum Last {
    At(Offset),
    /// There is none.
    Never,
    /// There are some, and none counts. They stay until there is another: a log without any would seem to have had no
    /// producers.
    Damaged,
}

impl Found<'_> {
    fn bases_of(&self, suffix: &str) -> Result<Vec<Offset>, OpenError> {
        let names = self.files.list(self.dir).map_err(OpenError::io("listing", self.dir))?;
        let mut bases: Vec<_> = names.iter().filter_map(|entry| base_of(&entry.name, suffix)).collect();
        bases.sort_unstable();
        Ok(bases)
    }

    fn read(&self, at: Offset, suffix: &str) -> Result<Vec<u8>, OpenError> {
        self.read_file(&file_name(at, suffix))
    }

    fn read_file(&self, name: &str) -> Result<Vec<u8>, OpenError> {
        let path = self.dir.join(name);
        let bytes = small_file::read(&**self.files, &path).map_err(OpenError::io("reading", &path))?;
        Ok(bytes.unwrap_or_default())
    }

    /// Removes a file for good: it must not come back beside what is appended from here on.
    fn remove(&self, at: Offset, suffix: &str, syncs: &mut Syncs) -> Result<(), OpenError> {
        let path = self.dir.join(file_name(at, suffix));
        self.files.remove_file(&path).map_err(OpenError::io("removing", &path))?;
        syncs.dir(self.dir);
        Ok(())
    }

    /// Takes the last snapshot that is right.
    fn last_snapshot(&self, producers: &mut Producers, syncs: &mut Syncs) -> Result<Last, OpenError> {
        let mut last = Last::Never;
        for at in self.bases_of(SNAPSHOT_SUFFIX)?.into_iter().rev() {
            if at > self.end.offset {
                self.remove(at, SNAPSHOT_SUFFIX, syncs)?;
                continue;
            }
            if at < self.segments[0].base {
                // What came between it and the first batch that is left is gone, ends of transactions perhaps.
                match last {
                    Last::At(_) => self.remove(at, SNAPSHOT_SUFFIX, syncs)?,
                    Last::Never | Last::Damaged => last = Last::Damaged,
                }
                continue;
            }
            if matches!(last, Last::At(_)) {
                producers.snapshots.insert(at);
                continue;
            }
            let Some(entries) = snapshot::decode(&self.read(at, SNAPSHOT_SUFFIX)?) else {
                tracing::warn!(path = %self.dir.display(), offset = at.0, "a snapshot of producers is damaged: more of the log is read instead");
                last = Last::Damaged;
                continue;
            };
            producers.snapshots.insert(at);
            if matches!(last, Last::Damaged) && entries.values().any(|entry| entry.txn_first.is_some()) {
                continue;
            }
            producers.resume(entries);
            last = Last::At(at);
        }
        Ok(last)
    }

    /// Takes the aborted transactions whose markers stand before `from`; those behind it are found in the batches.
    fn aborts_before(
        &self,
        from: Offset,
        producers: &mut Producers,
        syncs: &mut Syncs,
    ) -> Result<(), OpenError> {
        let sums = self.read_file(txn_sums::FILE_NAME)?;
        producers.aborts.expect(txn_sums::decode(&sums).unwrap_or_default());
        let mut bases = self.bases_of(TXN_INDEX_SUFFIX)?;
        let is_there = |base: &&Offset| self.segments.binary_search_by_key(*base, |s| s.base).is_ok();
        // Those that are gone are made anew too.
        bases.extend(producers.aborts.sums().keys().filter(is_there));
        bases.sort_unstable();
        bases.dedup();
        for base in bases {
            let Ok(place) = self.segments.binary_search_by_key(&base, |segment| segment.base) else {
                self.remove(base, TXN_INDEX_SUFFIX, syncs)?;
                continue;
            };
            let next = self.segments.get(place + 1).map(|next| next.base);
            let sum = producers.aborts.sum_of(base);
            if sum.is_some() && next.is_some_and(|next| next <= from) {
                producers.aborts.found(base);
                continue;
            }
            let bytes = self.read(base, TXN_INDEX_SUFFIX)?;
            let mut entries = txn_index::decode(&bytes, base);
            let whole = entries.len() * txn_index::ENTRY_BYTES == bytes.len();
            let is_wrong = sum.is_some_and(|sum| !sum.fits(&bytes));
            if is_wrong || (!whole && entries.last().is_none_or(|last| last.last < from)) {
                let (segments, snapshots) = (&self.segments[..=place], &producers.snapshots);
                entries =
                    aborts_again(&**self.files, self.dir, segments, snapshots, from).map_err(walking)?;
                producers.aborts.replace(base, entries);
                continue;
            }
            entries.retain(|entry| entry.last < from);
            match sum {
                Some(_) => producers.aborts.resume(base, entries),
                // Whoever wrote it was killed before it was flushed, perhaps: it is written again, before any snapshot.
                None => producers.aborts.replace(base, entries),
            }
        }
        Ok(())
    }
}

/// Batches to be seen, and where readers of the log begin.
struct Span {
    from: Offset,
    to: Offset,
    start: Offset,
}

/// Sees the batches from one offset to another; gives the place of the first.
fn replay(
    producers: &mut Producers,
    segments: &[Arc<Segment>],
    span: &Span,
) -> Result<Option<(Offset, u64)>, ReadError> {
    let Span { from, to, start } = *span;
    let (mut first_place, mut due) = (None, from);
    let first = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
    for segment in segments[first..].iter().take_while(|segment| segment.base < to && from < to) {
        let mut walk = segment.walk_from(from.max(segment.base), segment.size_bytes())?;
        while let Some((position, header)) = walk.next_header()? {
            if header.base_offset < from {
                continue;
            }
            if due < header.base_offset && header.base_offset <= start {
                producers.forget_all(segment);
            }
            due = header.next_offset();
            first_place.get_or_insert((segment.base, position));
            if has_producer(&header) {
                producers.see(segment.base, &header, || segment.read_batch(position, &header))?;
            }
        }
    }
    if let Some(last) = segments.last()
        && due < to
        && to <= start
    {
        producers.forget_all(last);
    }
    // Whatever stands in the log at a start, readers see.
    producers.ended.clear();
    Ok(first_place)
}

fn walking(error: ReadError) -> OpenError {
    match error {
        ReadError::Io { path, source } => OpenError::Io { what: "reading", path, source },
        ReadError::Corrupt { path, position, what } => OpenError::CorruptLog { path, position, what },
        ReadError::OutOfRange { .. } | ReadError::Deleted => unreachable!("a walk asks no log"),
    }
}

/// The aborted transactions of the last of these segments whose markers stand before `to`, from the batches.
fn aborts_again(
    files: &dyn Files,
    dir: &Path,
    segments: &[Arc<Segment>],
    snapshots: &BTreeSet<Offset>,
    to: Offset,
) -> Result<Vec<Entry>, ReadError> {
    let Some(segment) = segments.last() else { return Ok(Vec::new()) };
    let path = segment.path(TXN_INDEX_SUFFIX);
    tracing::warn!(path = %path.display(), "an index of aborted transactions is wrong and is made anew");
    let mut again = Producers::default();
    let mut from = segments[0].base;
    for at in snapshots.range(..=segment.base).rev() {
        let path = dir.join(file_name(*at, SNAPSHOT_SUFFIX));
        let bytes = small_file::read(files, &path).map_err(ReadError::io(&path))?;
        if let Some(entries) = bytes.as_deref().and_then(snapshot::decode) {
            again.resume(entries);
            from = *at;
            break;
        }
    }
    // Nothing is forgotten: a marker counts whatever became of what is before it.
    replay(&mut again, segments, &Span { from, to, start: Offset(0) })?;
    Ok(again.aborts.take(segment.base))
}

impl Log {
    /// The aborted transactions of a segment whose file is lost or damaged.
    pub(crate) fn find_aborts_again(&self, segment: &Arc<Segment>) -> Result<Vec<Entry>, ReadError> {
        let segments = self.segments.read().unwrap().clone();
        let place = segments.partition_point(|other| other.base <= segment.base);
        let snapshots = self.producers.lock().unwrap().snapshots.clone();
        let files = &*self.shared.env.files;
        let end = segments.get(place).map_or(Offset(i64::MAX), |next| next.base);
        let entries = aborts_again(files, &self.path, &segments[..place], &snapshots, end)?;
        // One that was replaced meanwhile is asked about by nobody any more.
        let segments = self.segments.read().unwrap();
        if segments.iter().any(|other| Arc::ptr_eq(other, segment)) {
            self.producers.lock().unwrap().aborts.replace(segment.base, entries.clone());
        }
        Ok(entries)
    }
}
