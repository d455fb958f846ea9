//! Kafka's metadata on the disk: the last snapshot, `<offset>-<epoch>.checkpoint`, and the log behind it.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use storage::adopt::{AdoptError, batches};
use storage::{BatchError, BatchHeader, Env, Offset, records};

use super::records::{KraftRecord, RecordError};
use super::state::State;

/// Why the metadata is not understood. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KraftError {
    #[error("{path} has neither a snapshot nor a log: name all of Kafka's log.dirs, and its metadata.log.dir", path = path.display())]
    Nothing { path: PathBuf },
    #[error("{path}: the metadata between offset {from} and offset {to} is missing; start Kafka on it once, or take a whole copy", path = path.display())]
    Gap { path: PathBuf, from: i64, to: i64 },
    #[error("{path}, offset {offset}: {error}", path = path.display())]
    Record { path: PathBuf, offset: Offset, error: RecordError },
    #[error("{path}: {error}", path = path.display())]
    Batch { path: PathBuf, error: BatchError },
    #[error(transparent)]
    Read(#[from] AdoptError),
    #[error("listing {path}: {source}", path = path.display())]
    List { path: PathBuf, source: std::io::Error },
}

/// What the directory of the metadata's log says.
pub fn load(env: &Env, dir: &Path) -> Result<State, KraftError> {
    let list = env.files.list(dir);
    let names = list.map_err(|source| KraftError::List { path: dir.to_owned(), source })?;
    let mut snapshots: Vec<(i64, i64, &str)> = Vec::new();
    let mut segments: Vec<(i64, &str)> = Vec::new();
    for entry in names.iter().filter(|entry| !entry.is_dir) {
        snapshots.extend(snapshot_of(&entry.name).map(|(end, epoch)| (end, epoch, &*entry.name)));
        segments.extend(segment_of(&entry.name).map(|base| (base, &*entry.name)));
    }
    let mut state = State::default();
    let mut next = 0;
    let last = snapshots.iter().max();
    if let Some((end, _, name)) = last {
        let path = dir.join(name);
        for batch in batches(env, &path, false)? {
            replay(&mut state, &path, 0, batch?)?;
        }
        next = *end;
    }
    segments.sort_unstable();
    if last.is_none() && segments.is_empty() {
        return Err(KraftError::Nothing { path: dir.to_owned() });
    }
    for (place, (base, name)) in segments.iter().enumerate() {
        let (path, behind) = (dir.join(name), segments.get(place + 1));
        if behind.is_some_and(|(base, _)| *base <= next) {
            continue;
        }
        if *base > next {
            return Err(KraftError::Gap { path, from: next, to: *base });
        }
        for batch in batches(env, &path, behind.is_none())? {
            let batch = batch?;
            let header = &batch.0;
            if header.next_offset().0 <= next {
                continue;
            }
            if header.base_offset.0 > next {
                return Err(KraftError::Gap { path, from: next, to: header.base_offset.0 });
            }
            let (from, to) = (next, header.next_offset().0);
            replay(&mut state, &path, from, batch)?;
            next = to;
        }
    }
    Ok(state)
}

/// Takes in what a batch says from the offset `from` on. Its control records are the quorum's own.
fn replay(
    state: &mut State,
    path: &Path,
    from: i64,
    (header, batch): (BatchHeader, Bytes),
) -> Result<(), KraftError> {
    if header.is_control() {
        return Ok(());
    }
    let broken = |error| KraftError::Batch { path: path.to_owned(), error };
    for record in records(&batch).map_err(broken)? {
        let record = record.map_err(broken)?;
        if record.offset.0 < from {
            continue;
        }
        let value = record.value.as_deref().unwrap_or_default();
        let decoded = KraftRecord::decode(value).map_err(|error| KraftError::Record {
            path: path.to_owned(),
            offset: record.offset,
            error,
        })?;
        state.replay(decoded);
    }
    Ok(())
}

/// The offset behind a snapshot, and its epoch.
fn snapshot_of(name: &str) -> Option<(i64, i64)> {
    let (end, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    Some((number(end, 20)?, number(epoch, 10)?))
}

fn segment_of(name: &str) -> Option<i64> {
    number(name.strip_suffix(".log")?, 20)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}
