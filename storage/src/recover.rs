//! Opening a log that is on the disk: what a checkpoint vouches for is taken as it is, the rest is read and judged.
//!
//! Invariants: a batch that is judged counts only if its header and checksum are right and its offset continues the log,
//! or a gap is vouched for. A torn tail is cut. Damage within a log is set aside, and what stands behind it is kept.
//! Nothing that was on the disk once is lost without a line that says so, and offsets that were given once are not given
//! again. What is still to be flushed before anything is served is listed.

mod damage;

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::batch::HEADER_BYTES;
use crate::checkpoint;
use crate::compact::swap;
use crate::env::{DirEntry, Files};
use crate::epoch_cache::{self, EpochCache};
use crate::error::{OpenError, ReadError};
use crate::ids::{LogId, Offset};
use crate::indexes::{ActiveIndexes, MaxTimestamp};
use crate::lock_file::Pages;
use crate::producer_state::{self, Producers};
use crate::quarantine::Piece;
use crate::relocate::names::LastMove;
use crate::retention;
use crate::segment::{
    INDEX_SUFFIX, Indexes, LOG_SUFFIX, Mark, Segment, TIME_INDEX_SUFFIX, base_of, file_name,
};
use crate::small_file::{self, TEMPORARY_SUFFIX};
use crate::syncs::Syncs;
use crate::{meta, offset_index, time_index};

/// What was found of a log.
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) start: Offset,
    pub(crate) end: Mark,
    pub(crate) epochs: EpochCache,
    /// What the epochs' file holds, if it can be read.
    pub(crate) epochs_written: Option<EpochCache>,
    /// What was damaged and is served no more.
    pub(crate) quarantined_bytes: u64,
    pub(crate) producers: Producers,
    /// To be flushed before anybody relies on it.
    pub(crate) syncs: Syncs,
}

impl Recovered {
    pub(crate) fn empty() -> Recovered {
        Recovered::empty_at(Offset(0))
    }

    /// No records are left of a log that starts at `start`.
    fn empty_at(start: Offset) -> Recovered {
        let (segments, epochs) = (Vec::new(), EpochCache::default());
        Recovered {
            segments,
            start,
            end: Mark { offset: start, segment: start, position: 0 },
            epochs,
            epochs_written: None,
            quarantined_bytes: 0,
            producers: Producers::default(),
            syncs: Syncs::default(),
        }
    }
}

/// How much of what a checkpoint vouches for is judged.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// As little as a start needs; the rest is verified before it is first served.
    Unknown,
    /// Every batch, as a repair needs: what is damaged is set aside wherever it stands.
    Everything,
}

/// The distance of index entries made by recovery: Kafka's default, whatever the topic says.
const INDEX_INTERVAL_BYTES: u32 = 4096;

struct Recovery<'r> {
    files: &'r Arc<dyn Files>,
    dir: Arc<Path>,
    known: Option<&'r checkpoint::Entry>,
    pages: Pages,
    depth: Depth,
    names: Vec<DirEntry>,
    segments: Vec<Arc<Segment>>,
    epochs: EpochCache,
    epochs_written: Option<EpochCache>,
    /// The epochs' file was not readable: every batch's header is asked.
    epochs_lost: bool,
    scanned: bool,
    quarantined_bytes: u64,
    syncs: Syncs,
}

/// How far a segment's content counts.
struct Scanned {
    segment: Segment,
    end: Offset,
    /// The segment may have lost its end in a power cut: what follows it with a gap does not count.
    torn: bool,
}

/// What came of walking over headers that need not be judged.
enum Walked {
    /// They lead where they should.
    Whole,
    /// They do not: every batch has to be judged.
    Broken,
}

pub(crate) fn recover(
    files: &Arc<dyn Files>,
    id: LogId,
    dir: &Path,
    known: Option<&checkpoint::Entry>,
    pages: Pages,
    depth: Depth,
) -> Result<Recovered, OpenError> {
    let io = |what| OpenError::io(what, dir);
    swap::finish(&**files, dir).map_err(io("finishing a compaction in"))?;
    let names = files.list(dir).map_err(io("listing"))?;
    // What the last move says of where the log starts may be in no checkpoint yet.
    let moved = LastMove::among(&names).map(|at| {
        let unflushed = || checkpoint::Entry::unflushed(id, name_of(dir), at.start);
        let known = known.cloned().unwrap_or_else(unflushed);
        checkpoint::Entry { start: known.start.max(at.start), ..known }
    });
    let known = moved.as_ref().or(known);
    let is_leftover = |name: &str| name.ends_with(TEMPORARY_SUFFIX);
    for entry in names.iter().filter(|entry| is_leftover(&entry.name)) {
        files.remove_file(&dir.join(&entry.name)).map_err(io("tidying"))?;
    }
    let logs: Vec<(Offset, u64)> =
        names.iter().filter_map(|entry| Some((base_of(&entry.name, LOG_SUFFIX)?, entry.len))).collect();
    let start = known.map_or(Offset(0), |known| known.start);
    if logs.is_empty() {
        return match known {
            Some(known) if known.recovery.offset > known.start => {
                Err(OpenError::LogGone { path: dir.to_owned(), id: known.id })
            }
            _ => Ok(Recovered::empty_at(start)),
        };
    }
    let logs = retention::remove_below(&**files, dir, &names, logs, start).map_err(io("tidying"))?;
    let text =
        small_file::read(&**files, &dir.join(epoch_cache::FILE_NAME)).map_err(io("reading the epochs of"))?;
    let epochs = text.as_deref().and_then(EpochCache::decode);
    let mut recovery = Recovery {
        files,
        dir: dir.into(),
        known,
        pages,
        depth,
        names,
        segments: Vec::new(),
        epochs_lost: epochs.is_none(),
        epochs_written: epochs.clone(),
        epochs: epochs.unwrap_or_default(),
        scanned: false,
        quarantined_bytes: 0,
        syncs: Syncs::default(),
    };
    let end = recovery.segments(&logs)?;
    let end = recovery.make_good(end)?;
    let mut recovered = recovery.finish(end).map_err(io("flushing"))?;
    let found = producer_state::Found {
        files,
        dir,
        segments: &recovered.segments,
        start: recovered.start,
        end: recovered.end,
        closed_at: known.filter(|known| known.clean).map(|known| known.recovery.offset),
    };
    recovered.producers = producer_state::load(&found, &mut recovered.syncs)?;
    Ok(recovered)
}

impl Recovery<'_> {
    /// What is not known to be on the disk may be shown by the page cache alone: it is written again.
    fn is_doubtful(&self) -> bool {
        self.pages == Pages::Doubtful
    }

    fn segments(&mut self, logs: &[(Offset, u64)]) -> Result<Offset, OpenError> {
        let (mut end, mut torn) = (logs[0].0, false);
        for (place, (base, len)) in logs.iter().enumerate() {
            let next = logs.get(place + 1).map(|next| next.0);
            let flushed = self.known.is_some_and(|known| *base < known.recovery.segment);
            if *base < end || (torn && *base > end) {
                tracing::warn!(path = %self.dir.display(), expected = end.0, found = base.0, "a segment does not continue the log");
                self.set_aside(*base, *len)?;
                self.scanned = true;
                continue;
            }
            if *base > end {
                tracing::error!(path = %self.dir.display(), first_offset = end.0, next_offset = base.0, "records are missing before a segment; what follows is served");
            }
            if let (true, Some(next), Depth::Unknown) = (flushed, next, self.depth)
                && let Some(segment) = self.sealed(*base, *len, next)?
            {
                segment.precedes(next);
                self.segments.push(Arc::new(segment));
                end = next;
                continue;
            }
            let scanned = self.scan(*base, *len, flushed, next)?;
            if let Some(next) = next {
                scanned.segment.precedes(next);
            }
            self.segments.push(Arc::new(scanned.segment));
            (end, torn) = (scanned.end, scanned.torn);
        }
        Ok(end)
    }

    /// Whether both index files are there and whole, as far as their lengths tell. A finished time index has an entry,
    /// unless no record has a time; a header without records has none.
    fn has_indexes(&self, base: Offset, len: u64) -> bool {
        let whole = |suffix, entry_bytes: usize, least: u64| {
            let name = file_name(base, suffix);
            let is_whole =
                |entry: &DirEntry| entry.len >= least && entry.len.is_multiple_of(entry_bytes as u64);
            self.names.iter().any(|entry| entry.name == name && is_whole(entry))
        };
        whole(INDEX_SUFFIX, offset_index::ENTRY_BYTES, 0)
            && whole(TIME_INDEX_SUFFIX, time_index::ENTRY_BYTES, u64::from(len > HEADER_BYTES as u64))
    }

    /// A segment that a checkpoint vouches for: nothing of it is read, unless its indexes are missing. `None` if it has
    /// to be judged after all.
    fn sealed(&mut self, base: Offset, len: u64, next: Offset) -> Result<Option<Segment>, OpenError> {
        let indexed = self.has_indexes(base, len);
        let indexes = if indexed { Indexes::Sealed(None) } else { Indexes::Active(ActiveIndexes::fresh()) };
        let segment = Segment::new(Arc::clone(self.files), Arc::clone(&self.dir), base, len, indexes);
        let path = segment.path(LOG_SUFFIX);
        if !indexed || self.epochs_lost {
            let known = self.knowledge(base, len, false, Some(next))?;
            let walk = |recovery: &mut Self| recovery.walk_all(&segment, &known, !indexed, next);
            if matches!(broken_if_corrupt(walk(self))?, Walked::Broken) {
                return Ok(None);
            }
        }
        if !indexed {
            tracing::warn!(path = %path.display(), "the indexes of a segment were missing and are made anew");
            segment.finish_indexes(true, false).map_err(OpenError::io("making the indexes of", &path))?;
            self.sync_indexes(base);
        }
        segment.verify_below(len);
        Ok(Some(segment))
    }

    /// Asks all headers of a segment, which ends at or before the offset `next`.
    fn walk_all(
        &mut self,
        segment: &Segment,
        known: &damage::Known,
        index: bool,
        next: Offset,
    ) -> Result<Walked, ReadError> {
        let mut due = segment.base;
        let mut walk = segment.walk_at(0, segment.size_bytes())?;
        while let Some((position, header)) = walk.next_header()? {
            if !known.may_stand_behind(segment.base, position, due, &header) || header.next_offset() > next {
                return Ok(Walked::Broken);
            }
            due = header.next_offset();
            if self.epochs_lost {
                self.epochs.see(&header);
            }
            if index {
                segment.index(position, &header, INDEX_INTERVAL_BYTES);
            }
        }
        Ok(Walked::Whole)
    }

    /// Reads what no checkpoint vouches for, and takes out what does not count.
    fn scan(
        &mut self,
        base: Offset,
        len: u64,
        flushed: bool,
        next: Option<Offset>,
    ) -> Result<Scanned, OpenError> {
        let known = self.known.filter(|known| known.recovery.segment == base);
        let reached = known.filter(|known| known.recovery.position <= len && self.depth == Depth::Unknown);
        let (mut from, mut due) =
            reached.map_or((0, base), |known| (known.recovery.position, known.recovery.offset));
        let indexes = self.load_indexes(base, due, from)?;
        // With a segment behind it, this one was written to since it was closed: a write that a full disk refused may
        // have been cut off again, and the cut has to be on the disk before what follows counts.
        let clean = reached.is_some_and(|known| known.clean) && from == len && next.is_none();
        let trusted = clean
            && !self.is_doubtful()
            && !self.epochs_lost
            && indexes.is_as_on_disk()
            && self.has_indexes(base, len);
        let (dir, files) = (Arc::clone(&self.dir), Arc::clone(self.files));
        let segment = Segment::new(files, dir, base, len, Indexes::Active(indexes));
        let path = segment.path(LOG_SUFFIX);
        if trusted {
            segment.trust_indexes(len, reached.and_then(|known| known.max_time));
            segment.verify_below(len);
            return Ok(Scanned { segment, end: due, torn: false });
        }
        self.scanned = true;
        // No power cut took pages, and a segment was whole before the next was begun.
        let is_kept = self.pages == Pages::Kept;
        let is_whole = flushed || (is_kept && next.is_some());
        let flushed_bytes = if is_whole { len } else { known.map_or(0, |known| known.recovery.position) };
        let facts = self.knowledge(base, flushed_bytes, !flushed && !is_kept, next)?;
        let max_time = reached.and_then(|known| known.max_time);
        let walk = |recovery: &mut Self| recovery.walk_known(&segment, from, due, max_time);
        if self.is_doubtful() || matches!(broken_if_corrupt(walk(self))?, Walked::Broken) {
            (from, due) = (0, base);
            segment.forget_indexes();
        }
        let judged = self.judge(&segment, &facts, from, due).map_err(OpenError::io("reading", &path))?;
        self.apply(segment, judged, &facts, from, next)
    }

    /// Makes the file what was judged of it.
    fn apply(
        &mut self,
        segment: Segment,
        judged: damage::Judged,
        facts: &damage::Known,
        from: u64,
        next: Option<Offset>,
    ) -> Result<Scanned, OpenError> {
        let path = segment.path(LOG_SUFFIX);
        let (len, damage::Judged { holes, mends, position, mut end, damaged }) =
            (segment.size_bytes(), judged);
        if position < len && damaged {
            let known = self.known.filter(|known| known.recovery.segment == segment.base);
            let given = next.or(known.map(|known| known.recovery.offset)).unwrap_or(end).max(end);
            let piece = Piece { position, bytes: len - position, due: end, next: given };
            self.keep(&segment, &piece)?;
            end = given;
        } else if position < len {
            tracing::warn!(path = %path.display(), position, bytes = len - position, "a torn tail is cut");
        }
        let mut from = from;
        // Never in place: the disk may have what the cache shows, and a write that is cut short could take it.
        let as_it_is = holes.is_empty() && mends.is_empty() && !self.is_doubtful();
        let segment = if as_it_is {
            segment
        } else {
            from = 0;
            self.write_anew(&segment, &holes, &mends, position)?
        };
        let whole = if as_it_is { position } else { segment.size_bytes() };
        let file = segment.file().map_err(OpenError::io("opening", &path))?;
        if whole < segment.size_bytes() {
            file.set_len(whole).map_err(OpenError::io("cutting", &path))?;
            segment.set_size(whole);
        }
        self.syncs.file(path.clone());
        self.sync_indexes(segment.base);
        segment.verify_below(from);
        let mut walk = segment.walk_at(from, whole).map_err(walking)?;
        while let Some((position, header)) = walk.next_header().map_err(walking)? {
            segment.index(position, &header, INDEX_INTERVAL_BYTES);
        }
        segment.write_cut_indexes().map_err(OpenError::io("writing the indexes of", &path))?;
        Ok(Scanned { segment, end, torn: facts.torn && !damaged && holes.is_empty() })
    }

    fn sync_indexes(&mut self, base: Offset) {
        for suffix in [INDEX_SUFFIX, TIME_INDEX_SUFFIX] {
            self.syncs.file(self.dir.join(file_name(base, suffix)));
        }
    }

    fn load_indexes(&self, base: Offset, end: Offset, position_end: u64) -> Result<ActiveIndexes, OpenError> {
        let read = |suffix| {
            let path = self.dir.join(file_name(base, suffix));
            let found = small_file::read(&**self.files, &path).map_err(OpenError::io("reading", &path))?;
            Ok(found.unwrap_or_default())
        };
        let relative_end = (end.0 - base.0).max(0) as u64;
        Ok(ActiveIndexes::load(read(INDEX_SUFFIX)?, read(TIME_INDEX_SUFFIX)?, relative_end, position_end))
    }

    /// Completes the indexes, and the epochs if need be, of the part before `from`, where the offset `due` stands: its
    /// batches are on the disk, but the last entries of its indexes may not be.
    fn walk_known(
        &mut self,
        segment: &Segment,
        from: u64,
        due: Offset,
        max_time: Option<MaxTimestamp>,
    ) -> Result<Walked, ReadError> {
        let indexed = segment.indexed_up_to(from)?;
        if indexed.is_none() {
            segment.forget_indexes();
        }
        // Lost epochs are asked of every batch.
        let at = match (indexed.filter(|_| !self.epochs_lost), max_time) {
            (None, _) => 0,
            (Some((_, for_times)), None) => for_times,
            (Some((last, _)), Some(max_time)) => {
                segment.know_max_time(max_time);
                last
            }
        };
        let mut walk = segment.walk_at(at, from)?;
        let mut before = segment.base;
        while let Some((position, header)) = walk.next_header()? {
            if header.base_offset < before || header.next_offset() > due {
                return Ok(Walked::Broken);
            }
            before = header.next_offset();
            if self.epochs_lost {
                self.epochs.see(&header);
            }
            match indexed {
                Some((entry, _)) if position < entry => segment.see_time(&header),
                Some((entry, _)) if position == entry => {
                    segment.see_time(&header);
                    segment.resume_indexes(position + header.total_bytes() as u64);
                }
                _ => segment.index(position, &header, INDEX_INTERVAL_BYTES),
            }
        }
        Ok(Walked::Whole)
    }

    /// What the last checkpoint knew of and is gone was given offsets: they are not given again. Nor are those below the
    /// start, should a relaxed log have lost the end of what was deleted.
    fn make_good(&mut self, end: Offset) -> Result<Offset, OpenError> {
        let end = self.reach_start(end)?;
        let Some(known) = self.known.filter(|known| known.recovery.offset > end) else { return Ok(end) };
        let next = known.recovery.offset;
        tracing::error!(
            path = %self.dir.display(), first_offset = end.0, next_offset = next.0,
            "records that were on the disk at the last checkpoint are gone; the log goes on behind them. \
             Check the disk and restore the log from a copy if they are needed"
        );
        let last = Arc::clone(self.segments.last().expect("a log has a first segment"));
        self.keep(&last, &Piece { position: last.size_bytes(), bytes: 0, due: end, next })?;
        Ok(next)
    }

    fn reach_start(&mut self, end: Offset) -> Result<Offset, OpenError> {
        let Some(next) = self.known.map(|known| known.start).filter(|start| *start > end) else {
            return Ok(end);
        };
        tracing::warn!(path = %self.dir.display(), first_offset = end.0, next_offset = next.0, "records that were deleted are gone before their time; the log goes on behind them");
        let last = Arc::clone(self.segments.last().expect("a log has a first segment"));
        self.keep(&last, &Piece { position: last.size_bytes(), bytes: 0, due: end, next })?;
        Ok(next)
    }

    /// Seals all segments but the last.
    fn finish(mut self, end: Offset) -> io::Result<Recovered> {
        let active = Arc::clone(self.segments.last().expect("a log has a first segment"));
        for segment in &self.segments[..self.segments.len() - 1] {
            segment.finish_indexes(true, false)?;
        }
        if self.scanned {
            // The process before may have ended before its first flush.
            self.syncs.file(self.dir.join(meta::PARTITION_FILE_NAME));
            self.syncs.dir(&self.dir);
        }
        self.epochs.cut_end(end);
        let start = self.known.map_or(Offset(0), |known| known.start).max(self.segments[0].base).min(end);
        self.epochs.cut_start(start);
        Ok(Recovered {
            start,
            end: Mark { offset: end, segment: active.base, position: active.size_bytes() },
            segments: self.segments,
            epochs: self.epochs,
            epochs_written: self.epochs_written,
            quarantined_bytes: self.quarantined_bytes,
            producers: Producers::default(),
            syncs: self.syncs,
        })
    }
}

fn name_of(dir: &Path) -> String {
    dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Headers that do not stand where they should are judged again with their batches.
fn broken_if_corrupt(walked: Result<Walked, ReadError>) -> Result<Walked, OpenError> {
    match walked {
        Err(ReadError::Corrupt { .. }) => Ok(Walked::Broken),
        other => other.map_err(walking),
    }
}

/// What was judged cannot be read again.
fn walking(error: ReadError) -> OpenError {
    match error {
        ReadError::Io { path, source } => OpenError::Io { what: "reading", path, source },
        ReadError::Corrupt { path, position, what } => OpenError::CorruptLog { path, position, what },
        ReadError::OutOfRange { .. } | ReadError::Deleted => {
            unreachable!("a walk asks no log")
        }
    }
}

#[cfg(test)]
mod tests;
