//! A compacted segment takes the place of those that it was made from.
//!
//! The files are written under names that end with `.cleaned`, and flushed. Then they are renamed, the batches last:
//! once `<base>.<end>.swap` is on the disk, the swap has happened, whatever comes: it stands for all segments from
//! `base` to below `end`. Those are renamed to `.deleted`, the new files get the segment's own names, the batches last,
//! and so the mark goes when all is done. A start finishes what it finds. The index of aborted transactions takes part
//! wherever there was one, empty if need be: so a crash never leaves the old one beside new batches. The snapshots of
//! producers at the segments that are no more go with them, but for the last one, as in Kafka.
//! Invariants: a crash at any point leaves all of the old segments or all of the new one; readers that hold an old one
//! keep its files; the log's segments and what it knows of their aborted transactions change at once; segments' names
//! change only under the directory's `cycle`, and under no flush of the log. It must not know what was filtered.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::Files;
use crate::ids::Offset;
use crate::log::Log;
use crate::producer_state::snapshot::SNAPSHOT_SUFFIX;
use crate::retention::{DELETED_SUFFIX, mark_deleted};
use crate::segment::{
    INDEX_SUFFIX, LOG_SUFFIX, Segment, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, base_of, file_name,
};

use super::Abandoned;
use super::rewrite::{Rewritten, SUFFIXES, writing};

/// Behind the name of a segment's file that is being written anew.
pub(crate) const CLEANED_SUFFIX: &str = ".cleaned";
pub(crate) const SWAP_SUFFIX: &str = ".swap";
/// What stands beside the batches.
const INDEX_SUFFIXES: [&str; 3] = [INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX];

/// The name that says that the segments from `base` to below `end` are replaced.
fn mark(base: Offset, end: Offset) -> String {
    format!("{:020}.{:020}{SWAP_SUFFIX}", base.0, end.0)
}

fn marked(name: &str) -> Option<(Offset, Offset)> {
    let (base, end) = name.strip_suffix(SWAP_SUFFIX)?.split_once('.')?;
    let offset = |digits: &str| base_of(&format!("{digits}.{LOG_SUFFIX}"), LOG_SUFFIX);
    Some((offset(base)?, offset(end)?))
}

/// Whether the name says that a swap was not finished.
pub(crate) fn is_pending(name: &str) -> bool {
    marked(name).is_some()
}

/// Puts the new segment in the place of `group`, which ends at `end`; the files to unlink are returned.
pub(super) fn swap(
    log: &Log,
    group: &[Arc<Segment>],
    end: Offset,
    rewritten: Rewritten,
) -> Result<Vec<PathBuf>, Abandoned> {
    let (shared, files) = (&log.shared, &*log.shared.env.files);
    let _cycle = shared.cycle();
    let _all = shared.flushing.read().unwrap();
    let _flushing = log.flushing.lock().unwrap();
    let is_wanted = if log.is_gone() || !log.config().cleanup.compact || place_of(log, group).is_none() {
        Err(Abandoned::Gone)
    } else if shared.refusal().is_some() {
        Err(Abandoned::Stopped)
    } else {
        Ok(())
    };
    let Rewritten { segment, aborted, files: beside } = rewritten;
    let base = segment.base;
    let (dir, mark) = (&*log.path, log.path.join(mark(base, end)));
    let swapping = |suffix: &str| dir.join(format!("{}{SWAP_SUFFIX}", file_name(base, suffix)));
    let begin = || {
        for (path, suffix) in beside.paths.iter().zip(INDEX_SUFFIXES) {
            if suffix != TXN_INDEX_SUFFIX || files.exists(path) {
                files.rename(path, &swapping(suffix))?;
            }
        }
        files.sync_dir(dir)
    };
    if let Err(abandoned) = is_wanted.and_then(|()| begin().map_err(writing)) {
        beside.remove(files);
        for suffix in INDEX_SUFFIXES {
            // What stays is removed by the next start.
            let _ = files.remove_file(&swapping(suffix));
        }
        return Err(abandoned);
    }
    let broken = |error| Abandoned::Broken("renaming a compacted segment", error);
    files.rename(&beside.paths[3], &mark).and_then(|()| files.sync_dir(dir)).map_err(broken)?;
    let segment = Arc::new(segment);
    log.leave_high_mark_behind(end);
    let is_clear_of_aborts = aborted.is_empty();
    let spent_snapshots = {
        let mut segments = log.segments.write().unwrap();
        let first = segments.partition_point(|other| other.base < base);
        segments.splice(first..first + group.len(), [segment]);
        let mut producers = log.producers.lock().unwrap();
        producers.aborts.merge(base, end, aborted);
        producers.drop_snapshots(group[1..].iter().map(|old| old.base))
    };
    let replaced = group[1..].iter().flat_map(|old| SUFFIXES.map(|suffix| old.path(suffix)));
    let spent = spent_snapshots.into_iter().map(|at| dir.join(file_name(at, SNAPSHOT_SUFFIX)));
    let mut deleted = Vec::new();
    for path in replaced.chain(spent) {
        deleted.extend(mark_deleted(files, &path).map_err(broken)?);
    }
    take_names(files, dir, base, &mark).map_err(broken)?;
    if is_clear_of_aborts {
        // An empty one says the same.
        let _ = files.remove_file(&dir.join(file_name(base, TXN_INDEX_SUFFIX)));
    }
    Ok(deleted)
}

/// Where the group stands in the log, if it still does. As long as the caller holds `cycle`, it stays so.
pub(super) fn place_of(log: &Log, group: &[Arc<Segment>]) -> Option<usize> {
    let segments = log.segments.read().unwrap();
    let first = segments.partition_point(|segment| segment.base < group[0].base);
    let there = segments.get(first..first + group.len())?;
    there.iter().zip(group).all(|(one, other)| Arc::ptr_eq(one, other)).then_some(first)
}

/// The new files get their own names, the mark last.
fn take_names(files: &dyn Files, dir: &Path, base: Offset, mark: &Path) -> io::Result<()> {
    for suffix in INDEX_SUFFIXES {
        let from = dir.join(format!("{}{SWAP_SUFFIX}", file_name(base, suffix)));
        if files.exists(&from) {
            files.rename(&from, &dir.join(file_name(base, suffix)))?;
        }
    }
    // Without the mark nobody would look for the indexes.
    files.sync_dir(dir)?;
    files.rename(mark, &dir.join(file_name(base, LOG_SUFFIX)))?;
    files.sync_dir(dir)
}

/// At the start of a log: swaps that have happened are finished, and what else a compaction left is removed.
pub(crate) fn finish(files: &dyn Files, dir: &Path) -> io::Result<()> {
    let names = files.list(dir)?;
    for (base, end) in names.iter().filter_map(|entry| marked(&entry.name)) {
        for entry in &names {
            let is_replaced =
                |suffix| base_of(&entry.name, suffix).is_some_and(|old| base < old && old < end);
            if SUFFIXES.into_iter().any(is_replaced) {
                files.remove_file(&dir.join(&entry.name))?;
            }
        }
        tracing::info!(path = %dir.display(), first_offset = base.0, end_offset = end.0, "an interrupted compaction is finished");
        take_names(files, dir, base, &dir.join(mark(base, end)))?;
    }
    for entry in files.list(dir)? {
        let is_leftover = |suffix: &str| entry.name.ends_with(suffix);
        if [CLEANED_SUFFIX, SWAP_SUFFIX, DELETED_SUFFIX].into_iter().any(is_leftover) {
            files.remove_file(&dir.join(&entry.name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mark_says_what_is_replaced(base in 0..i64::MAX, end in 0..i64::MAX) {
            prop_assert_eq!(marked(&mark(Offset(base), Offset(end))), Some((Offset(base), Offset(end))));
        }

        #[test]
        fn other_names_are_no_marks(name in "[0-9.]{0,45}(swap|log|index.swap)?") {
            if let Some((base, end)) = marked(&name) {
                prop_assert_eq!(mark(base, end), name);
            }
        }
    }
}
