//! The directory of one log: its segments continue each other, and what stands beside them is readable.
//!
//! It must not know the other logs.

use std::path::Path;

use crate::compact::swap;
use crate::env::OpenMode;
use crate::epoch_cache::{self, EpochCache};
use crate::ids::Offset;
use crate::quarantine::{HEAD_BYTES, Piece, Pieces, QUARANTINE_SUFFIX};
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, base_of, file_name};
use crate::small_file;

use super::around::Around;
use super::finding::Finding;
use super::segment::{self, End, Facts};
use super::small;
use super::state;
use super::verify::{Verifier, name_of};

/// Checks everything in a log's directory.
pub(super) fn check(verifier: &mut Verifier<'_>, dir: &Path, around: &Around) {
    let epochs = small::check_log_files(verifier, dir, around);
    let listed = verifier.env.files.list(dir);
    let Some(entries) = verifier.or_unreadable(dir, around.is_live, listed) else { return };
    let bases = |suffix| entries.iter().filter_map(move |entry| base_of(&entry.name, suffix));
    let mut logs: Vec<Offset> = bases(LOG_SUFFIX).collect();
    // What lies wholly below the start goes at the next one, whatever a crash left of it.
    let start = around.entry(&name_of(dir)).map_or(Offset(0), |entry| entry.start);
    let below = logs.windows(2).take_while(|pair| pair[1] <= start).count();
    let removed: Vec<Offset> = logs.drain(..below).collect();
    let is_swapping = entries.iter().any(|entry| swap::is_pending(&entry.name));
    if is_swapping {
        const ADVICE: &str =
            "the next start finishes it; segments that it replaces may be missing until then";
        verifier.found(&Finding::note(dir, "a compaction was interrupted", ADVICE));
    }
    let mut before: Option<End> = None;
    for (place, base) in logs.iter().enumerate() {
        if let Some(end) = before.as_ref().filter(|_| !is_swapping) {
            check_follows(verifier, dir, *base, end);
        }
        let facts = facts(dir, *base, logs.get(place + 1).copied(), around, epochs.as_ref());
        before = segment::check(verifier, &facts);
    }
    // What is torn may be more, and without a segment nothing is known.
    let end = before.filter(|end| !end.is_open).map_or(Offset(i64::MAX), |end| end.due);
    state::check_all(verifier, dir, &entries, around, end);
    for base in bases(QUARANTINE_SUFFIX) {
        check_quarantine(verifier, dir, base);
    }
    // Empty ones are what is left of a segment whose making a crash cut short.
    for entry in entries.iter().filter(|entry| entry.len > 0) {
        let base = [INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX]
            .iter()
            .find_map(|suffix| base_of(&entry.name, suffix));
        if base.is_some_and(|base| !logs.contains(&base) && !removed.contains(&base)) {
            const ADVICE: &str = "delete it, or restore the segment from a copy";
            let path = dir.join(&entry.name);
            verifier.found(&Finding::note(&path, "an index without its segment", ADVICE));
        }
    }
}

/// Checks one segment with what belongs to it.
pub(super) fn check_segment(verifier: &mut Verifier<'_>, dir: &Path, base: Offset, around: &Around) {
    let listed = verifier.env.files.list(dir);
    let Some(entries) = verifier.or_unreadable(dir, around.is_live, listed) else { return };
    let names =
        [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX].map(|suffix| file_name(base, suffix));
    verifier.expect(entries.iter().filter(|entry| names.contains(&entry.name)).map(|entry| entry.len).sum());
    let next =
        entries.iter().filter_map(|entry| base_of(&entry.name, LOG_SUFFIX)).filter(|other| *other > base);
    let next = next.min();
    let epochs = small_file::read(&*verifier.env.files, &dir.join(epoch_cache::FILE_NAME)).ok().flatten();
    let epochs = epochs.as_deref().and_then(EpochCache::decode);
    if entries.iter().any(|entry| entry.name == names[0]) {
        let facts = facts(dir, base, next, around, epochs.as_ref());
        segment::check(verifier, &facts);
    }
    if entries.iter().any(|entry| entry.name == file_name(base, QUARANTINE_SUFFIX)) {
        check_quarantine(verifier, dir, base);
    }
}

/// What a checkpoint says of a segment, as recovery takes it.
fn facts<'f>(
    dir: &'f Path,
    base: Offset,
    next: Option<Offset>,
    around: &Around,
    epochs: Option<&'f EpochCache>,
) -> Facts<'f> {
    let entry = around.entry(&name_of(dir)).map(|entry| entry.recovery);
    let (flushed, flushed_due) = match entry {
        Some(recovery) if base < recovery.segment => (u64::MAX, Offset(i64::MAX)),
        Some(recovery) if base == recovery.segment => (recovery.position, recovery.offset),
        // Where nothing is known, only a log's last segment can have been written to when the power went.
        None if around.checkpoint.is_none() && next.is_some() => (u64::MAX, Offset(i64::MAX)),
        _ => (0, base),
    };
    let is_clean = around.is_clean();
    let may_be_torn = !is_clean && flushed != u64::MAX;
    let finished = is_clean || flushed == u64::MAX;
    Facts { dir, base, flushed, flushed_due, may_be_torn, finished, next, is_live: around.is_live, epochs }
}

fn check_follows(verifier: &mut Verifier<'_>, dir: &Path, base: Offset, end: &End) {
    const ADVICE: &str = "restore the segment from a copy; without it, reads go on behind the gap";
    let path = dir.join(file_name(base, LOG_SUFFIX));
    if base < end.due {
        const ADVICE: &str = "`ottla log repair` sets it aside";
        let what = format!("the segment begins before offset {}, where the one before it ends", end.due);
        verifier.found(&Finding::damage(&path, what, ADVICE).at(0).due(base));
    } else if base > end.due && !end.is_open {
        let what = format!("records from offset {} on are missing before this segment", end.due);
        verifier.found(&Finding::damage(&path, what, ADVICE).at(0).due(end.due));
    }
}

/// What was set aside is worth knowing; a file that cannot be read to its end is damaged itself.
fn check_quarantine(verifier: &mut Verifier<'_>, dir: &Path, base: Offset) {
    let path = dir.join(file_name(base, QUARANTINE_SUFFIX));
    let files = &*verifier.env.files;
    let read = Pieces::read(files, &path).and_then(|pieces| {
        let file = files.open(&path, OpenMode::Read)?;
        let mut head = [0; HEAD_BYTES];
        let is_whole = file.read_at(&mut head, pieces.end)? == HEAD_BYTES;
        Ok((pieces, file.len()?, is_whole && Piece::decode(&head).is_none()))
    });
    let Some((pieces, len, is_harmed)) = verifier.or_unreadable(&path, false, read) else { return };
    verifier.summary.files += 1;
    verifier.read(len);
    let bytes: u64 = pieces.pieces.iter().map(|piece| piece.bytes).sum();
    if let (Some(first), Some(last)) = (pieces.pieces.first(), pieces.pieces.last()) {
        const ADVICE: &str =
            "what the bytes held can be read from the file (`ottla log dump`), or produced again";
        let what = format!(
            "{bytes} bytes in {} pieces were set aside; offsets from {} to below {} are affected",
            pieces.pieces.len(),
            first.due,
            last.next
        );
        verifier.found(&Finding::note(&path, what, ADVICE));
    }
    let left = len - pieces.end.min(len);
    if is_harmed {
        const ADVICE: &str =
            "what was set aside there can be read by hand only; the log itself is not touched by it";
        let what = format!("a piece's header is damaged: {left} bytes cannot be read");
        verifier.found(&Finding::damage(&path, what, ADVICE).at(pieces.end));
    } else if left > 0 {
        let what = format!("{left} bytes of a piece that a crash cut");
        verifier.found(
            &Finding::note(&path, what, "nothing to do: the bytes still stand in the segment").at(pieces.end),
        );
    }
}
