//! What is kept so that a start reads less: producers' snapshots, images of a state, how far logs are compacted.
//!
//! Nothing is lost with one of them: what it says stands in the batches, too. It must not know batches.

use std::io;
use std::path::Path;

use crate::compact::clean_offsets;
use crate::env::DirEntry;
use crate::ids::Offset;
use crate::producer_state::snapshot;
use crate::small_file;
use crate::state_image::{self, Damage};

use super::around::Around;
use super::finding::Finding;
use super::kind::{self, Kind};
use super::verify::Verifier;

const NEXT_START: &str = "nothing to do: the next start removes it";

/// Checks a log's snapshots and images, and names what was left behind. `end` is where the log ends.
pub(super) fn check_all(
    verifier: &mut Verifier<'_>,
    dir: &Path,
    entries: &[DirEntry],
    around: &Around,
    end: Offset,
) {
    let mut leftovers = 0;
    for entry in entries {
        let path = dir.join(&entry.name);
        match Kind::of(&path) {
            Some(Kind::Producers) => check_producers(verifier, &path, around, Some(end)),
            Some(Kind::Image) => check_image(verifier, &path, around),
            Some(Kind::Leftover) => leftovers += 1,
            _ => {}
        }
    }
    // A broker keeps them for a while.
    if leftovers > 0 && !around.is_live {
        let what = format!("{leftovers} files that retention or a compaction set aside");
        verifier.found(&Finding::note(dir, what, NEXT_START));
    }
}

/// Whether an empty file may be what a crash left of one that was not flushed yet.
fn may_be_unwritten(bytes: &[u8], around: &Around) -> bool {
    bytes.is_empty() && !around.is_clean()
}

/// The file's bytes.
fn read(verifier: &mut Verifier<'_>, path: &Path, around: &Around) -> Option<Vec<u8>> {
    let read = small_file::read(&*verifier.env.files, path);
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let bytes =
        verifier.or_unreadable(path, around.is_live, read.and_then(|read| read.ok_or_else(missing)))?;
    verifier.summary.files += 1;
    verifier.read(bytes.len() as u64);
    Some(bytes)
}

pub(super) fn check_producers(
    verifier: &mut Verifier<'_>,
    path: &Path,
    around: &Around,
    end: Option<Offset>,
) {
    const ADVICE: &str = "nothing is lost: a start reads more of the log instead";
    let Some(bytes) = read(verifier, path, around) else { return };
    if may_be_unwritten(&bytes, around) {
        return verifier.found(&Finding::note(path, "it is empty, as a crash leaves it", ADVICE));
    }
    if snapshot::decode(&bytes).is_none() {
        let what = "its checksum is wrong, or it is cut, or of another version";
        return verifier.found(&Finding::damage(path, what, ADVICE));
    }
    let at = kind::base_in(path);
    if let Some((at, end)) = at.zip(end).filter(|(at, end)| at > end && !around.is_live) {
        let what = format!("it is of offset {at}, and the log ends at {end}");
        verifier.found(&Finding::note(path, what, NEXT_START));
    }
}

pub(super) fn check_image(verifier: &mut Verifier<'_>, path: &Path, around: &Around) {
    const ADVICE: &str =
        "a start takes the one before and the log behind that; the next one that is written replaces it";
    let Some(bytes) = read(verifier, path, around) else { return };
    let finding = match state_image::decode(&bytes) {
        Ok((next, _)) if Some(next) == kind::base_in(path) => return,
        Ok((next, _)) => Finding::damage(
            path,
            format!("it says that it is of offset {next}, its name says another"),
            ADVICE,
        ),
        Err(Damage::Newer(version)) => {
            let what = format!("it is of version {version}, known are those up to {}", state_image::VERSION);
            Finding::damage(path, what, "use a newer ottla")
        }
        Err(Damage::Broken) => Finding::damage(path, "its checksum is wrong, or it is cut", ADVICE),
    };
    verifier.found(&finding);
}

/// Checks how far the logs of a data directory are compacted.
pub(super) fn check_clean_offsets(verifier: &mut Verifier<'_>, dir: &Path, around: &Around) {
    const ADVICE: &str =
        "nothing is lost: logs are compacted from their start again. `ottla log repair` removes it";
    let path = dir.join(clean_offsets::FILE_NAME);
    let read = small_file::read(&*verifier.env.files, &path);
    let Some(Some(text)) = verifier.or_unreadable(&path, around.is_live, read) else { return };
    verifier.summary.files += 1;
    if clean_offsets::decode(&text).is_none() {
        verifier.found(&Finding::damage(&path, "it is not whole, or of another version", ADVICE));
    }
}
