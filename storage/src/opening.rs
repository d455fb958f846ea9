//! Taking up a data directory's journal: replaying what a crash left, and beginning anew behind it.
//!
//! Invariants: when this returns, everything that the journal protected is on the disk in the segments, and a new
//! checkpoint says so, before any of the journal's files is used again. LSNs leap at every start, so that no commit
//! that was torn, wherever its remains stand, can be taken for one of this life.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checkpoint::{self, Checkpoint};
use crate::config::UNCOVERED_BYTES_MAX;
use crate::data_dir::DataDirOptions;
use crate::env::{Env, OpenMode};
use crate::error::OpenError;
use crate::floor;
use crate::ids::LogId;
use crate::journal::record::Key;
use crate::journal::replay::Replay;
use crate::journal::ring::{self, Place, Position, Ring, RingFile};
use crate::journal::scan::{Scan, Since, scan};
use crate::journal::{DIR_NAME, Journal};
use crate::lock_file::{self, Pages};
use crate::meta::{self, MetaProperties, PARTITION_FILE_NAME};
use crate::segment::{LOG_SUFFIX, file_name};
use crate::small_file;

pub(crate) struct Opened {
    pub(crate) journal: Journal,
    pub(crate) next_lsn: u64,
    pub(crate) known: BTreeMap<LogId, checkpoint::Entry>,
    pub(crate) pages: Pages,
}

/// More records than two commits can hold.
const LSN_LEAP: u64 = 1 << 20;

/// What is known of a directory before its journal is read.
pub(crate) struct LastCheckpoint {
    content: Checkpoint,
    since: Since,
}

/// What the last checkpoint says. Should it be damaged, the one before does: its recovery points are older, so that more
/// is read, and it does not tell where the journal begins.
pub(crate) fn read_checkpoint(env: &Env, path: &Path) -> Result<LastCheckpoint, OpenError> {
    for name in [checkpoint::FILE_NAME, checkpoint::OLD_FILE_NAME] {
        let file = path.join(name);
        let Some(bytes) = small_file::read(&*env.files, &file).map_err(OpenError::io("reading", &file))?
        else {
            continue;
        };
        match checkpoint::decode(&bytes) {
            Ok(content) if name == checkpoint::FILE_NAME => {
                return Ok(LastCheckpoint { since: Since::Checkpoint(content.journal.lsn), content });
            }
            Ok(content) => {
                let since = Since::AtLeast(content.journal.lsn);
                return Ok(LastCheckpoint { content: Checkpoint { clean: false, ..content }, since });
            }
            Err(checkpoint::Damage::Newer(found)) => {
                let (found, known) = (u32::from(found), u32::from(checkpoint::VERSION));
                return Err(OpenError::NewerFormat { path: file, found, known });
            }
            Err(checkpoint::Damage::Broken) => {
                tracing::warn!(path = %file.display(), "a checkpoint is damaged: more of the logs has to be read");
            }
        }
    }
    let since = Since::AtLeast(floor::read(&*env.files, path));
    Ok(LastCheckpoint { content: Checkpoint::default(), since })
}

pub(crate) fn open(
    env: &Env,
    path: &Path,
    meta: &MetaProperties,
    options: &DataDirOptions,
    LastCheckpoint { content: checkpoint, since }: LastCheckpoint,
) -> Result<Opened, OpenError> {
    let dir = path.join(DIR_NAME);
    let io = |what| OpenError::io(what, &dir);
    let has_journal = env.files.exists(&dir);
    let is_new = !has_journal && !has_logs(env, path).map_err(io("listing what is beside"))?;
    if !has_journal {
        env.files.create_dir(&dir).map_err(io("making"))?;
        env.files.sync_dir(path).map_err(io("making"))?;
    }
    let key = Key::of(meta.directory_id);
    let files = ring::open(&*env.files, &dir, options.journal.direct).map_err(io("opening"))?;
    // The process before may have been killed right after it made one.
    env.files.sync_dir(&dir).map_err(io("flushing"))?;
    let pages = lock_file::pages(&*env.files, path);
    let found = if checkpoint.clean {
        Scan::nothing_behind(checkpoint.journal.lsn)
    } else {
        if pages != Pages::Kept {
            read_tails_ahead(env, path, &checkpoint);
        }
        scan(key, &files, since).map_err(io("reading"))?
    };
    let mut known: BTreeMap<_, _> = checkpoint.entries.into_iter().map(|entry| (entry.id, entry)).collect();
    if !found.is_empty() {
        replay(env, path, key, &files, &found, pages, &mut known)?;
    }
    let pages = if is_new { Pages::Kept } else { pages };
    let noted = match pages {
        Pages::Kept => lock_file::note_boot(&*env.files, path),
        Pages::Unjudged | Pages::Lost => lock_file::note_replayed(&*env.files, path),
        Pages::Doubtful => Ok(()),
    };
    noted.map_err(io("noting the boot beside"))?;
    let next_lsn = found.next_lsn + LSN_LEAP;
    let first = files.first().map_or(1, |file| file.number);
    let position = Position { lsn: next_lsn, place: Place { file: first, position: 0 } };
    let entries = known.values().cloned().collect();
    let (file, old) = (path.join(checkpoint::FILE_NAME), path.join(checkpoint::OLD_FILE_NAME));
    let content = checkpoint::encode(&Checkpoint { journal: position, clean: false, entries });
    // Both: what the journal held before must not be replayed again over what recovery makes of the logs.
    for path in [file, old] {
        small_file::replace(&*env.files, &path, &content).map_err(OpenError::io("writing", &path))?;
    }
    floor::write(&*env.files, path, next_lsn)
        .map_err(OpenError::io("writing", &path.join(floor::FILE_NAME)))?;
    let journal =
        Journal::new(env.files.clone(), dir.clone(), options.journal, key, Ring::new(files), next_lsn)
            .map_err(io("making a file in"))?;
    Ok(Opened { journal, next_lsn, known, pages })
}

/// The disk reads what recovery will judge of the logs while the journal is read: many reads at once are faster than
/// one behind the other.
fn read_tails_ahead(env: &Env, path: &Path, checkpoint: &Checkpoint) {
    for entry in checkpoint.entries.iter().filter(|entry| !entry.clean) {
        let name = file_name(entry.recovery.segment, LOG_SUFFIX);
        if let Ok(file) = env.files.open(&path.join(&entry.dir_name).join(name), OpenMode::Read) {
            file.read_ahead(entry.recovery.position, UNCOVERED_BYTES_MAX);
        }
    }
}

fn replay(
    env: &Env,
    path: &Path,
    key: Key,
    files: &[RingFile],
    found: &Scan,
    pages: Pages,
    known: &mut BTreeMap<LogId, checkpoint::Entry>,
) -> Result<(), OpenError> {
    let io = |what| OpenError::io(what, path);
    let begun = env.clock.monotonic();
    let vouched = known.values().map(|entry| (entry.id, entry.recovery)).collect();
    let mut replay = Replay::new(&env.files, path, pages, homes(env, path, known), vouched);
    let scan = found.replay(key, files, |record, _| {
        replay.note_drops(record);
        std::io::Result::Ok(())
    });
    scan.map_err(io("reading the journal of"))?;
    let damage = found
        .replay(key, files, |record, payload| replay.apply(record, payload))
        .map_err(io("replaying the journal of"))?;
    replay.sync().map_err(io("flushing"))?;
    for (id, start) in &replay.starts {
        match (known.get_mut(id), replay.dir_name(*id)) {
            (Some(entry), _) => entry.start = entry.start.max(*start),
            (None, Some(dir_name)) => {
                drop(known.insert(*id, checkpoint::Entry::unflushed(*id, dir_name, *start)))
            }
            (None, None) => {}
        }
    }
    let took_ms = env.clock.monotonic().saturating_sub(begun).max(Duration::ZERO).as_millis() as u64;
    if damage.records > 0 {
        tracing::error!(
            path = %path.display(), records = damage.records,
            "the journal is damaged: of these records only what reached the logs' own files is left; `ottla log verify` checks them"
        );
    }
    if damage.mended > 0 {
        tracing::error!(path = %path.display(), places = damage.mended, "bits of the journal were wrong and are mended; nothing is lost. Check the disk and the memory");
    }
    tracing::info!(
        path = %path.display(), writes = replay.writes, left_out = replay.left_out, torn = damage.torn, took_ms,
        "the broker was not stopped in order: the journal was replayed"
    );
    Ok(())
}

fn has_logs(env: &Env, path: &Path) -> std::io::Result<bool> {
    let entries = env.files.list(path)?;
    Ok(entries.iter().any(|entry| entry.is_dir && meta::partition_of(&entry.name).is_some()))
}

/// Where the logs live: as the checkpoint says, unless the directory is another's by now, and as their directories say.
fn homes(env: &Env, path: &Path, known: &BTreeMap<LogId, checkpoint::Entry>) -> HashMap<LogId, PathBuf> {
    let metadata = |dir: &Path| small_file::read(&*env.files, &dir.join(PARTITION_FILE_NAME)).ok().flatten();
    let is_anothers =
        |id: LogId, dir: &Path| metadata(dir).is_some_and(|text| meta::is_anothers(&text, id.topic));
    let mut homes: HashMap<_, _> = known
        .values()
        .map(|entry| (entry.id, path.join(&entry.dir_name)))
        .filter(|(id, dir)| env.files.exists(dir) && !is_anothers(*id, dir))
        .collect();
    let taken: std::collections::HashSet<PathBuf> = homes.values().cloned().collect();
    for entry in env.files.list(path).unwrap_or_default() {
        let dir = path.join(&entry.name);
        if !entry.is_dir || taken.contains(&dir) {
            continue;
        }
        if let Some(id) = metadata(&dir).and_then(|text| meta::log_id(&entry.name, &text)) {
            homes.insert(id, dir);
        }
    }
    homes
}
