//! Writing what stays of a group of segments into one, beside them, with its indexes.
//!
//! Invariants: nothing of the log changes; what was written is flushed when this returns, and removed if the pass is
//! given up. Names: the segment's own with `.cleaned` behind.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use crate::batch::BatchHeader;
use crate::config::LogConfig;
use crate::env::{File, Files, OpenMode};
use crate::error::is_passing;
use crate::ids::{NO_TIMESTAMP, Offset};
use crate::indexes::ActiveIndexes;
use crate::log::Log;
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, Segment, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, file_name};
use crate::txn_index::{self, Entry};

use super::Abandoned;
use super::filter::{Filter, Verdict};
use super::pace::Pace;
use super::read::BatchReader;
use super::swap::CLEANED_SUFFIX;

/// The suffixes of a segment's files; that of the batches comes last, as everywhere where the order counts.
pub(super) const SUFFIXES: [&str; 4] = [INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, LOG_SUFFIX];

/// Segments become one segment: their sizes together stay below the limits of one.
pub(super) fn groups(segments: &[Arc<Segment>], config: &LogConfig, end: Offset) -> Vec<Vec<Arc<Segment>>> {
    let mut groups: Vec<Vec<Arc<Segment>>> = Vec::new();
    let (mut bytes, mut index_bytes) = (0, 0);
    for (place, segment) in segments.iter().enumerate() {
        let next = segments.get(place + 1).map_or(end, |next| next.base);
        // An index entry stands for more bytes of batches than an entry of the time index for entries.
        let indexes = segment.index_bytes().len() as u64;
        let fits = groups.last().is_some_and(|group| {
            bytes + segment.size_bytes() <= u64::from(config.segment_bytes)
                && (index_bytes + indexes) * 3 / 2 <= u64::from(config.segment_index_bytes)
                && group[0].relative(Offset(next.0 - 1)).is_some()
        });
        match groups.last_mut().filter(|_| fits) {
            Some(group) => group.push(Arc::clone(segment)),
            None => {
                groups.push(vec![Arc::clone(segment)]);
                (bytes, index_bytes) = (0, 0);
            }
        }
        bytes += segment.size_bytes();
        index_bytes += indexes;
    }
    groups
}

/// The files of a segment that is being written, by the order of [`SUFFIXES`].
pub(super) struct Beside {
    pub(super) paths: [PathBuf; 4],
}

impl Beside {
    fn new(log: &Log, base: Offset) -> Beside {
        let path = |suffix| log.path.join(format!("{}{CLEANED_SUFFIX}", file_name(base, suffix)));
        Beside { paths: SUFFIXES.map(path) }
    }

    pub(super) fn remove(&self, files: &dyn Files) {
        for path in &self.paths {
            match files.remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a file of the compaction stays until the next start");
                }
                _ => {}
            }
        }
    }
}

/// What a group became.
pub(super) struct Rewritten {
    pub(super) segment: Segment,
    /// The aborted transactions of it.
    pub(super) aborted: Vec<Entry>,
    pub(super) files: Beside,
}

/// Writes what `filter` leaves of the group.
pub(super) fn rewrite(
    log: &Log,
    group: &[Arc<Segment>],
    filter: &mut Filter<'_>,
    buffer_bytes: usize,
    pace: &mut Pace<'_>,
) -> Result<Rewritten, Abandoned> {
    let files = Beside::new(log, group[0].base);
    let mut work = || {
        let mut output = Output::new(log, &group[0], &files, buffer_bytes)?;
        let last = group.iter().rposition(|segment| segment.size_bytes() > 0);
        for (place, segment) in group.iter().enumerate() {
            let mut reader = BatchReader::new(segment, segment.base, buffer_bytes)?;
            while let Some(found) = reader.next(pace)? {
                // It keeps the segment's end where the next one begins.
                let is_last = found.is_last && Some(place) == last;
                let verdict = filter.judge(&found.header, found.bytes, is_last);
                match verdict.map_err(|error| {
                    let what = format!("the batch of offset {}: {error}", found.header.base_offset);
                    Abandoned::Uncleanable(what)
                })? {
                    Verdict::Goes => {}
                    Verdict::Stays => output.put(&found.header, &[found.bytes], pace)?,
                    Verdict::Becomes(header, records) => {
                        output.put(&header, &[&header.encode(), &records], pace)?;
                    }
                }
            }
        }
        let aborted = filter.transactions.take_retained();
        Ok((output.finish(&aborted, pace)?, aborted))
    };
    match work() {
        Ok((segment, aborted)) => Ok(Rewritten { segment, aborted, files }),
        Err(abandoned) => {
            files.remove(&*log.shared.env.files);
            Err(abandoned)
        }
    }
}

struct Output<'o> {
    log: &'o Log,
    of: &'o Segment,
    files: &'o Beside,
    file: Arc<dyn File>,
    indexes: ActiveIndexes,
    interval_bytes: u32,
    buffer: Vec<u8>,
    buffer_bytes: usize,
    /// What is in the file.
    written: u64,
}

impl<'o> Output<'o> {
    fn new(
        log: &'o Log,
        of: &'o Segment,
        files: &'o Beside,
        buffer_bytes: usize,
    ) -> Result<Output<'o>, Abandoned> {
        let path = &files.paths[3];
        let opened = log.shared.env.files.open(path, OpenMode::Create);
        let file = opened.and_then(|file| file.set_len(0).map(|()| file)).map_err(writing)?;
        Ok(Output {
            log,
            of,
            files,
            file,
            indexes: ActiveIndexes::fresh(),
            interval_bytes: log.config().index_interval_bytes,
            buffer: Vec::with_capacity(buffer_bytes),
            buffer_bytes,
            written: 0,
        })
    }

    fn put(&mut self, header: &BatchHeader, parts: &[&[u8]], pace: &mut Pace<'_>) -> Result<(), Abandoned> {
        let position = self.written + self.buffer.len() as u64;
        let bytes = header.total_bytes() as u64;
        let place = self.of.relative(header.last_offset()).zip(u32::try_from(position).ok());
        let Some((relative, place)) = place.filter(|_| position + bytes <= i32::MAX as u64) else {
            let what = format!("the batch of offset {} has no place in its segment", header.base_offset);
            return Err(Abandoned::Uncleanable(what));
        };
        let time = if header.record_count == 0 { NO_TIMESTAMP } else { header.max_timestamp };
        self.indexes.see(relative, place, bytes, time, self.interval_bytes);
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        if self.buffer.len() >= self.buffer_bytes { self.flush(pace) } else { Ok(()) }
    }

    fn flush(&mut self, pace: &mut Pace<'_>) -> Result<(), Abandoned> {
        self.file.write_all_at(&[IoSlice::new(&self.buffer)], self.written).map_err(writing)?;
        let bytes = self.buffer.len() as u64;
        self.written += bytes;
        self.buffer.clear();
        pace.wrote(bytes)
    }

    /// The index of aborted transactions is written where there is one to take the place of, even if it is empty.
    fn finish(mut self, aborted: &[Entry], pace: &mut Pace<'_>) -> Result<Segment, Abandoned> {
        self.flush(pace)?;
        let files = &*self.log.shared.env.files;
        let [offsets, times, transactions, _] = &self.files.paths;
        // A flush that failed is not tried again, whatever the reason.
        self.file.sync_data().map_err(|error| Abandoned::Broken("flushing a compacted segment", error))?;
        self.indexes.finish(files, offsets, times, true).map_err(writing)?;
        if !aborted.is_empty() || files.exists(&self.of.path(TXN_INDEX_SUFFIX)) {
            txn_index::write_whole(files, transactions, aborted).map_err(writing)?;
        }
        Segment::rewritten(self.of, self.file, self.written, offsets, times).map_err(writing)
    }
}

/// A file could not be written.
pub(super) fn writing(error: io::Error) -> Abandoned {
    if is_passing(&error) {
        Abandoned::NoRoom
    } else {
        Abandoned::Broken("writing a compacted segment", error)
    }
}
