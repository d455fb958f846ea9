//! A data directory of Apache Kafka's, looked at and never written to.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::properties::{self, Problem, Properties};
use super::{AdoptError, lists};
use crate::env::{DirEntry, Env, LockGuard, OpenMode};
use crate::epoch_cache;
use crate::ids::{Offset, TopicId};
use crate::meta::{self, META_FILE_NAME, PARTITION_FILE_NAME};
use crate::producer_state::snapshot::SNAPSHOT_SUFFIX;
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, base_of, file_name};
use crate::small_file;

const LOCK: &str = ".lock";
/// Kafka writes it when it stops, and removes it when it starts.
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const STARTS: &str = "log-start-offset-checkpoint";
/// Endings of directories that Kafka is about to delete, to fill, or that nobody owns.
const NOT_LOGS: [&str; 3] = ["-delete", "-future", "-stray"];
/// What a compaction has written and not yet put in its place.
const SWAP: &str = ".log.swap";
/// Where a batch says its format, in every one of them.
const MAGIC_AT: u64 = 16;
const MAGIC: u8 = 2;

/// One of Kafka's `log.dirs`, held so that no Kafka starts on it.
pub struct Source {
    pub path: PathBuf,
    pub cluster_id: String,
    pub node_id: i32,
    pub directory_id: Option<TopicId>,
    /// Kafka stopped in order: everything that it wrote is there.
    pub is_clean: bool,
    /// Whether there is a lock that keeps Kafka out. A copy of a directory may have none.
    pub is_held: bool,
    pub logs: Vec<SourceLog>,
    /// The list of offsets below which records were deleted by request cannot be read, as after a kill: they are back, as
    /// Kafka would have them too.
    pub has_damaged_starts: bool,
    /// Directories that are no partition's any more, or not yet.
    pub left_out: Vec<String>,
    _lock: Option<Box<dyn LockGuard>>,
}

/// A partition's directory.
#[derive(Clone, Debug)]
pub struct SourceLog {
    pub dir_name: String,
    pub partition: i32,
    /// What its `partition.metadata` says.
    pub topic: Option<TopicId>,
    /// What is below was deleted by request.
    pub(super) start: Option<Offset>,
    /// Those that are taken over.
    pub(super) files: Vec<DirEntry>,
    /// A segment that a compaction was putting in the place of others.
    swap: Option<String>,
    pub bytes: u64,
}

impl SourceLog {
    /// The first offsets of its segments.
    pub(super) fn bases(&self) -> Vec<Offset> {
        self.files.iter().filter_map(|file| base_of(&file.name, LOG_SUFFIX)).collect()
    }
}

impl Source {
    pub fn open(env: &Env, path: &Path) -> Result<Source, AdoptError> {
        let properties = read_properties(env, path)?;
        let lock = lock(env, path)?;
        let is_clean = env.files.exists(&path.join(CLEAN_SHUTDOWN));
        let starts = read_starts(env, &path.join(STARTS))?;
        let has_damaged_starts = starts.is_none();
        let starts = starts.unwrap_or_default();
        let entries = env.files.list(path).map_err(AdoptError::io("listing", path))?;
        let (mut logs, mut left_out) = (Vec::new(), Vec::new());
        for entry in entries.iter().filter(|entry| entry.is_dir) {
            match meta::partition_of(&entry.name) {
                Some(partition) => {
                    let mut log = SourceLog::look(env, path, &entry.name, partition, is_clean)?;
                    log.start = starts.get(&entry.name).copied();
                    logs.push(log);
                }
                None if NOT_LOGS.iter().any(|ending| entry.name.ends_with(ending)) => {
                    left_out.push(entry.name.clone());
                }
                None => {}
            }
        }
        let Properties { cluster_id, node_id, directory_id } = properties;
        Ok(Source {
            path: path.to_owned(),
            cluster_id,
            node_id,
            directory_id,
            is_clean,
            is_held: lock.is_some(),
            logs,
            has_damaged_starts,
            left_out,
            _lock: lock,
        })
    }

    /// Whether a log is still what it was when it was looked at.
    pub(super) fn check_unchanged(&self, env: &Env, log: &SourceLog) -> Result<(), AdoptError> {
        let now = SourceLog::look(env, &self.path, &log.dir_name, log.partition, self.is_clean)?;
        let path = || self.path.join(&log.dir_name);
        if now.files == log.files { Ok(()) } else { Err(AdoptError::Changed { path: path() }) }
    }

    /// Refuses what is written in a format of old, by the first batch of each segment, and what Kafka itself has to finish.
    pub fn check_format(&self, env: &Env, log: &SourceLog) -> Result<(), AdoptError> {
        if let Some(name) = &log.swap {
            return Err(AdoptError::Unfinished { path: self.path.join(&log.dir_name).join(name) });
        }
        for base in log.bases() {
            let path = self.path.join(&log.dir_name).join(file_name(base, LOG_SUFFIX));
            let file = env.files.open(&path, OpenMode::Read).map_err(AdoptError::io("opening", &path))?;
            let mut magic = [0];
            let read = file.read_at(&mut magic, MAGIC_AT).map_err(AdoptError::io("reading", &path))?;
            // A zero may also be what a power cut, or Kafka's preallocation, left of a segment.
            let is_old = read == 1 && magic[0] < MAGIC && begins_with_a_batch(&*file, &path)?;
            if is_old {
                return Err(AdoptError::OldFormat { path, magic: magic[0] });
            }
        }
        Ok(())
    }
}

/// Whether the first length says anything.
fn begins_with_a_batch(file: &dyn crate::env::File, path: &Path) -> Result<bool, AdoptError> {
    let mut head = [0; MAGIC_AT as usize];
    let read = file.read_at(&mut head, 0).map_err(AdoptError::io("reading", path))?;
    Ok(read == head.len() && head[8..12] != [0; 4])
}

impl SourceLog {
    fn look(
        env: &Env,
        dir: &Path,
        dir_name: &str,
        partition: i32,
        is_clean: bool,
    ) -> Result<SourceLog, AdoptError> {
        let path = dir.join(dir_name);
        let mut files = env.files.list(&path).map_err(AdoptError::io("listing", &path))?;
        let swap = files.iter().find(|file| file.name.ends_with(SWAP)).map(|file| file.name.clone());
        files.retain(|file| !file.is_dir && is_taken(&file.name));
        let active = files.iter().filter_map(|file| base_of(&file.name, LOG_SUFFIX)).max();
        if let Some(base) = active.filter(|_| !is_clean) {
            // Kafka makes them 10 MiB long and cuts them when it stops; they are made anew.
            let indexes = [INDEX_SUFFIX, TIME_INDEX_SUFFIX].map(|suffix| file_name(base, suffix));
            files.retain(|file| !indexes.contains(&file.name));
        }
        let owner = path.join(PARTITION_FILE_NAME);
        let text = small_file::read(&*env.files, &owner).map_err(AdoptError::io("reading", &owner))?;
        let bytes = files.iter().map(|file| file.len).sum();
        let (topic, start) = (text.as_deref().and_then(meta::decode_partition), None);
        let dir_name = dir_name.to_owned();
        Ok(SourceLog { dir_name, partition, topic, start, files, swap, bytes })
    }
}

fn is_taken(name: &str) -> bool {
    let suffixes = [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, SNAPSHOT_SUFFIX];
    name == epoch_cache::FILE_NAME || suffixes.iter().any(|suffix| base_of(name, suffix).is_some())
}

fn read_properties(env: &Env, path: &Path) -> Result<Properties, AdoptError> {
    let file = path.join(META_FILE_NAME);
    let text = small_file::read(&*env.files, &file).map_err(AdoptError::io("reading", &file))?;
    let path = path.to_owned();
    let Some(text) = text else { return Err(AdoptError::NotKafkas { path }) };
    properties::decode(&text).map_err(|problem| match problem {
        Problem::Ours => AdoptError::Ours { path },
        Problem::ZooKeeper => AdoptError::ZooKeeper { path },
        Problem::Bad(what) => AdoptError::BadProperties { path, what },
    })
}

/// `None` where no file is there to be locked.
fn lock(env: &Env, path: &Path) -> Result<Option<Box<dyn LockGuard>>, AdoptError> {
    let file = path.join(LOCK);
    match env.files.lock_as_java(&file) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => Err(AdoptError::InUse { path: path.to_owned() }),
            io::ErrorKind::NotFound => Ok(None),
            _ => Err(AdoptError::io("locking", &file)(error)),
        },
    }
}

/// `None` of a list that is damaged.
fn read_starts(env: &Env, file: &Path) -> Result<Option<BTreeMap<String, Offset>>, AdoptError> {
    let text = small_file::read(&*env.files, file).map_err(AdoptError::io("reading", file))?;
    Ok(text.map_or_else(|| Some(BTreeMap::new()), |text| lists::offsets(&text)))
}
