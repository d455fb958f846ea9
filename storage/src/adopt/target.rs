//! The directory that an adoption makes, beside the place where it will be.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::{Source, SourceLog};
use super::{AdoptError, MARK_FILE_NAME};
use crate::checkpoint::Entry;
use crate::data_dir::{DataDir, DataDirOptions, Flushing};
use crate::env::{DirEntry, Env, OpenMode};
use crate::ids::{LogId, Offset};
use crate::lock_file;
use crate::log::Log;
use crate::meta::META_FILE_NAME;
use crate::segment::Mark;

const TEMPORARY_SUFFIX: &str = ".adopting";
const COPY_BYTES: usize = 1 << 20;
/// What a data directory takes besides its logs: the journal, checkpoints, the metadata.
const OVERHEAD_BYTES: u64 = 96 << 20;

/// A data directory in the making.
pub struct Target {
    env: Env,
    to: PathBuf,
    temporary: PathBuf,
    pub dir: Arc<DataDir>,
}

/// A log that was taken over.
pub struct Taken {
    pub log: Arc<Log>,
    /// Bytes that were no batches, and stand in quarantine.
    pub quarantined_bytes: u64,
    /// Bytes at the log's end that were no batches, and are gone.
    pub cut_bytes: u64,
}

impl Target {
    /// Whether there can be a data directory at `to` that takes so many bytes. Nothing is changed.
    pub fn check(env: &Env, to: &Path, sources: &[Source], bytes: u64) -> Result<(), AdoptError> {
        if let Some(inside) = sources.iter().find(|source| to.starts_with(&source.path)) {
            let source_dir = inside.path.clone();
            return Err(AdoptError::TargetInside { target: to.to_owned(), source_dir });
        }
        if env.files.exists(to) && !env.files.list(to).map_err(AdoptError::io("listing", to))?.is_empty() {
            return Err(AdoptError::TargetTaken { path: to.to_owned() });
        }
        let temporary = temporary(to);
        if env.files.exists(&temporary) && !is_half(env, &temporary)? {
            return Err(AdoptError::InTheWay { path: temporary });
        }
        // Nobody need have made the place yet.
        let Some(above) = to.ancestors().skip(1).find(|above| env.files.exists(above)) else { return Ok(()) };
        let free = env.files.free_bytes(above).map_err(AdoptError::io("asking for the room of", above))?;
        let needed = bytes.saturating_add(OVERHEAD_BYTES);
        if free < needed {
            return Err(AdoptError::NoRoom { path: above.to_owned(), free, needed });
        }
        Ok(())
    }

    /// Begins anew, whatever an adoption before has left.
    pub fn begin(env: &Env, to: &Path, cluster_id: &str, node_id: i32) -> Result<Target, AdoptError> {
        let (files, temporary) = (&env.files, temporary(to));
        if files.exists(&temporary) {
            files.remove_dir_all(&temporary).map_err(AdoptError::io("removing", &temporary))?;
        }
        if files.exists(to) {
            // Whose it is and who may see it stays; and what cannot be renamed now cannot be in the end.
            files.rename(to, &temporary).map_err(|error| match error.kind() {
                io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => {
                    AdoptError::TargetIsMount { path: to.to_owned() }
                }
                _ => AdoptError::io("renaming", to)(error),
            })?;
        } else {
            files.create_dir_all(&temporary).map_err(AdoptError::io("making", &temporary))?;
        }
        let mark = temporary.join(MARK_FILE_NAME);
        let marked = files.open(&mark, OpenMode::Create).and_then(|file| file.sync_data());
        marked.and_then(|()| files.sync_dir(&temporary)).map_err(AdoptError::io("making", &mark))?;
        // It begins to look for failed writes.
        files.sync_fs(&temporary).map_err(AdoptError::io("flushing", &temporary))?;
        let options = DataDirOptions {
            cluster_id: Some(cluster_id.to_owned()),
            node_id,
            flushing: Flushing::Manual,
            adopting: true,
            ..DataDirOptions::default()
        };
        let dir = DataDir::open(env.clone(), temporary.clone(), options)?;
        Ok(Target { env: env.clone(), to: to.to_owned(), temporary, dir })
    }

    /// Copies a log, and judges every batch of it. `copied` is told of bytes as they are.
    pub fn take(
        &self,
        source: &Source,
        log: &SourceLog,
        id: LogId,
        copied: &mut dyn FnMut(u64),
    ) -> Result<Taken, AdoptError> {
        let (from, to) = (source.path.join(&log.dir_name), self.temporary.join(&log.dir_name));
        self.env.files.create_dir(&to).map_err(AdoptError::io("making", &to))?;
        for file in &log.files {
            self.copy(&from, &to, file, copied)?;
        }
        source.check_unchanged(&self.env, log)?;
        let bases = log.bases();
        let mut known = Entry::unflushed(id, log.dir_name.clone(), log.start.unwrap_or(Offset(0)));
        // A segment was whole before Kafka began the next one. What it was writing may end anywhere.
        if let Some(base) = bases.last() {
            known.recovery = Mark { offset: *base, segment: *base, position: 0 };
        }
        let segments = log.files.iter().filter(|file| file.name.ends_with(".log"));
        let bytes: u64 = segments.map(|file| file.len).sum();
        let taken = self.dir.take_in(known)?;
        let quarantined_bytes = taken.quarantined_bytes();
        let left = taken.size_bytes() + quarantined_bytes;
        // What lies below the start is removed, too, and is no loss.
        let is_whole = taken.segment_count() == bases.len();
        let cut_bytes = if is_whole { bytes.saturating_sub(left) } else { 0 };
        Ok(Taken { log: taken, quarantined_bytes, cut_bytes })
    }

    fn copy(
        &self,
        from: &Path,
        to: &Path,
        file: &DirEntry,
        copied: &mut dyn FnMut(u64),
    ) -> Result<(), AdoptError> {
        let (from, to) = (from.join(&file.name), to.join(&file.name));
        let files = &self.env.files;
        if file.len > 0 && files.share_content(&from, &to).is_ok() {
            copied(file.len);
            return Ok(());
        }
        let reading = |error| AdoptError::io("reading", &from)(error);
        let writing = |error| AdoptError::io("writing", &to)(error);
        let source = files.open(&from, OpenMode::Read).map_err(reading)?;
        let target = files.open(&to, OpenMode::Create).map_err(writing)?;
        let mut buffer = vec![0; COPY_BYTES.min(file.len as usize)];
        let mut position = 0;
        while position < file.len {
            let wanted = buffer.len().min((file.len - position) as usize);
            if source.read_at(&mut buffer[..wanted], position).map_err(reading)? < wanted {
                return Err(AdoptError::Changed { path: from.clone() });
            }
            target.write_all_at(&[IoSlice::new(&buffer[..wanted])], position).map_err(writing)?;
            position += wanted as u64;
            copied(wanted as u64);
        }
        Ok(())
    }

    /// Everything is on the disk, and has the name that was wanted, when this returns.
    pub fn finish(self) -> Result<(), AdoptError> {
        let (files, temporary) = (&self.env.files, &self.temporary);
        self.dir.flush();
        self.dir.checkpoint();
        self.dir.close();
        if self.dir.is_offline() {
            return Err(AdoptError::Offline { path: self.temporary });
        }
        let flushing = |error| AdoptError::io("flushing", temporary)(error);
        files.sync_fs(temporary).map_err(flushing)?;
        let mark = temporary.join(MARK_FILE_NAME);
        files.remove_file(&mark).map_err(AdoptError::io("removing", &mark))?;
        files.sync_dir(temporary).map_err(flushing)?;
        files.rename(temporary, &self.to).map_err(AdoptError::io("renaming", temporary))?;
        let above = self.to.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        files.sync_dir(above).map_err(AdoptError::io("flushing", above))
    }
}

fn temporary(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    name.into()
}

/// Whether an adoption made it, and none is at it.
fn is_half(env: &Env, temporary: &Path) -> Result<bool, AdoptError> {
    let lock = temporary.join(lock_file::FILE_NAME);
    if env.files.is_locked(&lock).map_err(AdoptError::io("asking for the lock", &lock))? {
        return Err(AdoptError::TargetInUse { path: temporary.to_owned() });
    }
    let entries = env.files.list(temporary).map_err(AdoptError::io("listing", temporary))?;
    // The mark goes right before the name does: what was cut off in between has only the latter to get.
    let is_ours = |name: &str| [MARK_FILE_NAME, META_FILE_NAME].contains(&name);
    Ok(entries.is_empty() || entries.iter().any(|entry| is_ours(&entry.name)))
}
