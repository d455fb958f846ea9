//! The checkpoint held against the directory: it can be read, and where it says a log is on the disk, the log is there.
//!
//! It must not know what stands in the batches.

use std::io;
use std::path::Path;

use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::checkpoint::{self, Checkpoint, Damage, Entry};
use crate::env::{Files, OpenMode};
use crate::ids::{LogId, Offset};
use crate::quarantine::{Pieces, QUARANTINE_SUFFIX};
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, file_name};
use crate::{offset_index, small_file};

use super::around::Around;
use super::finding::Finding;
use super::verify::{Verifier, name_of};

/// Checks one of the two checkpoints. The logs in `dropped` may be gone.
pub(super) fn check_file(verifier: &mut Verifier<'_>, path: &Path, around: &Around, dropped: &[LogId]) {
    let is_last = name_of(path) == checkpoint::FILE_NAME;
    let read = small_file::read(&*verifier.env.files, path);
    let Some(text) = verifier.or_unreadable(path, around.is_live, read) else { return };
    let Some(text) = text else {
        if is_last && !around.is_live {
            const ADVICE: &str = "nothing to do: the next start reads more of the logs and writes it";
            verifier.found(&Finding::note(path, "it is missing", ADVICE));
        }
        return;
    };
    verifier.summary.files += 1;
    match checkpoint::decode(&text) {
        Ok(checkpoint) if is_last => check_entries(verifier, path, &checkpoint, around, dropped),
        Ok(_) => {}
        Err(Damage::Newer(version)) => {
            let what = format!("it is of version {version}, known are those up to {}", checkpoint::VERSION);
            verifier.found(&Finding::damage(path, what, "use a newer ottla"));
        }
        Err(Damage::Broken) => {
            const ADVICE: &str =
                "no record is lost: the next start takes the one before, or reads all of the logs";
            verifier.found(&Finding::damage(path, "its checksum is wrong, or it is cut", ADVICE));
        }
    }
}

fn check_entries(
    verifier: &mut Verifier<'_>,
    path: &Path,
    checkpoint: &Checkpoint,
    around: &Around,
    dropped: &[LogId],
) {
    let dir = path.parent().unwrap_or(Path::new("."));
    for entry in checkpoint.entries.iter().filter(|entry| !dropped.contains(&entry.id)) {
        let log = dir.join(&entry.dir_name);
        let checked = check_entry(&*verifier.env.files, &log, entry);
        if let Some(Some(what)) = verifier.or_unreadable(&log, around.is_live, checked)
            && !around.is_live
        {
            const ADVICE: &str = "restore the log's directory from a copy, or delete the topic";
            let what = format!("log {}: {what}", entry.dir_name);
            verifier.found(&Finding::damage(path, what, ADVICE).due(entry.recovery.offset));
        }
    }
}

/// What is not as the checkpoint says.
fn check_entry(files: &dyn Files, log: &Path, entry: &Entry) -> io::Result<Option<String>> {
    let recovery = entry.recovery;
    if recovery.offset <= entry.start && recovery.position == 0 {
        return Ok(None);
    }
    if !files.exists(log) {
        return Ok(Some("its directory is gone".to_owned()));
    }
    let name = file_name(recovery.segment, LOG_SUFFIX);
    let file = match files.open(&log.join(&name), OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(format!("{name} is gone"))),
        opened => opened?,
    };
    let len = file.len()?;
    if len < recovery.position {
        return Ok(Some(format!("{name} has {len} bytes, {} were on the disk", recovery.position)));
    }
    let read = |position: u64| -> io::Result<Option<BatchHeader>> {
        let mut head = [0; HEADER_BYTES];
        file.read_at(&mut head, position)?;
        Ok(BatchHeader::parse(&head).ok())
    };
    let index = log.join(file_name(recovery.segment, INDEX_SUFFIX));
    let index = small_file::read(files, &index)?.unwrap_or_default();
    let (mut position, mut due) = (0, recovery.segment);
    let relative = u32::try_from(recovery.offset.0 - recovery.segment.0).unwrap_or(u32::MAX);
    if let Some(near) = offset_index::floor(&index, relative)
        && let Some(header) = read(u64::from(near.position))?
        && header.last_offset() == Offset(recovery.segment.0 + i64::from(near.relative))
        && u64::from(near.position) < recovery.position
    {
        (position, due) = (u64::from(near.position), header.base_offset);
    }
    while position < recovery.position {
        // A batch that is damaged is the log's own matter.
        let Some(header) = read(position)? else { return Ok(None) };
        position += header.total_bytes() as u64;
        due = header.next_offset();
    }
    let pieces = Pieces::read(files, &log.join(file_name(recovery.segment, QUARANTINE_SUFFIX)))?;
    let goes_on = due == recovery.offset || pieces.next_of(due) == Some(recovery.offset);
    let wrong = position != recovery.position || !goes_on;
    Ok(wrong.then(|| {
        let Offset(offset) = recovery.offset;
        format!("no batch of offset {offset} is due at position {} of {name}", recovery.position)
    }))
}
