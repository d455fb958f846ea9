//! The logs of a data directory: found, opened, deleted, set aside.
//!
//! Invariants: a directory is opened as a log only if it says whose it is, or the last checkpoint does; it is renamed before
//! it is deleted, and never deleted for being unknown; the new name is durable, and no other directory has it or gets it. It
//! must not know how a log is recovered.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use super::{DELETE_SUFFIX, DataDir, NAME_BYTES_MAX, unique};
use crate::checkpoint::Entry;
use crate::config::LogConfig;
use crate::error::OpenError;
use crate::ids::{LeaderEpoch, LogId};
use crate::lock_file::Pages;
use crate::log::Log;
use crate::meta::{self, PARTITION_FILE_NAME};
use crate::recover::{Depth, Recovered, recover};
use crate::shared::Shared;
use crate::small_file;
use crate::syncs::Syncs;
use crate::writer::Writer;

/// Kafka's ending of directories that no topic owns.
const STRAY_SUFFIX: &str = "-stray";

impl DataDir {
    /// The directories that look like logs, and whose they are. Where a directory itself does not say, the last
    /// checkpoint may.
    pub fn logs_on_disk(&self) -> Vec<(String, Option<LogId>)> {
        let files = &self.shared.env.files;
        let entries = files.list(&self.shared.path).unwrap_or_else(|error| {
            tracing::error!(path = %self.shared.path.display(), %error, "the data directory cannot be listed");
            Vec::new()
        });
        let logs =
            entries.into_iter().filter(|entry| entry.is_dir && meta::partition_of(&entry.name).is_some());
        logs.map(|entry| (self.owner(&entry.name), entry.name)).map(|(id, name)| (name, id)).collect()
    }

    /// The logs that the last checkpoint knew of, be they there or not.
    pub(crate) fn known_logs(&self) -> Vec<(String, LogId)> {
        self.shared.known().values().map(|entry| (entry.dir_name.clone(), entry.id)).collect()
    }

    fn owner(&self, dir_name: &str) -> Option<LogId> {
        let path = self.shared.path.join(dir_name).join(PARTITION_FILE_NAME);
        let text = small_file::read(&*self.shared.env.files, &path).ok().flatten();
        text.and_then(|text| meta::log_id(dir_name, &text)).or_else(|| {
            self.shared.known().values().find(|entry| entry.dir_name == dir_name).map(|entry| entry.id)
        })
    }

    /// Opens a log, recovering what is on the disk. Its directory is made at its first append. The log's leader epoch
    /// is `epoch`, or one above the last in the log if that is more.
    pub fn open_log(
        &self,
        id: LogId,
        dir_name: &str,
        config: LogConfig,
        epoch: LeaderEpoch,
    ) -> Result<Arc<Log>, OpenError> {
        self.open_log_to(Depth::Unknown, id, dir_name, config, epoch)
    }

    /// As [`DataDir::open_log`], and says how much is judged.
    pub(crate) fn open_log_to(
        &self,
        depth: Depth,
        id: LogId,
        dir_name: &str,
        config: LogConfig,
        epoch: LeaderEpoch,
    ) -> Result<Arc<Log>, OpenError> {
        if meta::partition_of(dir_name) != Some(id.partition) {
            return Err(OpenError::BadName(dir_name.to_owned()));
        }
        // Recovery must not run twice on the same files; a flush of other logs need not be waited for.
        let _directories = self.shared.directories();
        if self.shared.logs().contains_key(&id) {
            return Err(OpenError::AlreadyOpen { id });
        }
        let mut recovered = self.recover(depth, id, dir_name)?;
        self.flush_recovered(std::mem::take(&mut recovered.syncs))?;
        let counts = &self.shared.counts;
        counts.quarantined_bytes.fetch_add(recovered.quarantined_bytes, Ordering::Relaxed);
        let log = Log::new(Arc::clone(&self.shared), id, dir_name, config, epoch, recovered);
        self.shared.logs().insert(id, Arc::clone(&log));
        Ok(log)
    }

    /// Opens a log whose files somebody else wrote and an adoption has put here. `known` is what can be said of them, and
    /// every batch is judged.
    pub(crate) fn take_in(&self, known: Entry) -> Result<Arc<Log>, OpenError> {
        // A gap behind which another segment begins is a compaction's, and no power cut's.
        let pages = Pages::Kept;
        let _directories = self.shared.directories();
        let (id, dir_name) = (known.id, known.dir_name.clone());
        let path = self.shared.path.join(&dir_name);
        self.write_owner(id, &path, pages)?;
        let mut recovered =
            recover(&self.shared.env.files, id, &path, Some(&known), pages, Depth::Everything)?;
        self.shared.known().insert(id, known);
        self.flush_recovered(std::mem::take(&mut recovered.syncs))?;
        let config = LogConfig::default();
        let log = Log::new(Arc::clone(&self.shared), id, &dir_name, config, LeaderEpoch(0), recovered);
        self.shared.logs().insert(id, Arc::clone(&log));
        Ok(log)
    }

    fn flush_recovered(&self, syncs: Syncs) -> Result<(), OpenError> {
        if let Some(opening) = &mut *self.shared.opening.lock().unwrap() {
            opening.add(syncs);
            return Ok(());
        }
        let what = "flushing what was recovered in";
        self.shared.flush_recovered(&syncs).map_err(OpenError::io(what, &self.shared.path))
    }

    /// Logs that are opened while this lives are flushed together at its end: ten thousand at the cost of a few. Until
    /// then nothing of them may be served.
    pub fn open_together(&self) -> Opening<'_> {
        self.shared.opening.lock().unwrap().get_or_insert_default();
        Opening { shared: &self.shared }
    }

    fn recover(&self, depth: Depth, id: LogId, dir_name: &str) -> Result<Recovered, OpenError> {
        let (files, path) = (&self.shared.env.files, self.shared.path.join(dir_name));
        let known = self.shared.known().get(&id).cloned();
        if files.exists(&path) {
            if self.owner(dir_name) == Some(id)
                || self.is_unused(&path)?
                || self.has_one_wrong_bit(id, &path)?
            {
                let pages = self.shared.pages();
                self.write_owner(id, &path, pages)?;
                return recover(files, id, &path, known.as_ref(), pages, depth);
            }
            // A log that is open lives in its directory, whoever else may want the name.
            if self.shared.logs().values().any(|log| log.dir_name() == dir_name) {
                return Err(OpenError::DirectoryInUse { path });
            }
            self.shared.rename_away(dir_name, STRAY_SUFFIX).map_err(OpenError::io("renaming", &path))?;
        }
        match known {
            Some(_) => Err(OpenError::LogGone { path, id }),
            None => Ok(Recovered::empty()),
        }
    }

    /// Whether nothing was ever written in a log's directory: a crash came right after it was made.
    fn is_unused(&self, path: &Path) -> Result<bool, OpenError> {
        let entries = self.shared.env.files.list(path).map_err(OpenError::io("listing", path))?;
        Ok(entries.iter().all(|entry| entry.len == 0 && !entry.is_dir))
    }

    /// Whether the directory is `id`'s but for one bit.
    pub(crate) fn has_one_wrong_bit(&self, id: LogId, path: &Path) -> Result<bool, OpenError> {
        let file = path.join(PARTITION_FILE_NAME);
        let text =
            small_file::read(&*self.shared.env.files, &file).map_err(OpenError::io("reading", &file))?;
        let is_one = text.is_some_and(|text| meta::has_one_wrong_bit(&text, id.topic));
        if is_one {
            tracing::error!(path = %file.display(), "a bit of the file is wrong; it is written anew. Check the disk");
        }
        Ok(is_one)
    }

    /// Puts back a `partition.metadata` that is lost, or may be.
    fn write_owner(&self, id: LogId, path: &Path, pages: Pages) -> Result<(), OpenError> {
        let (files, file) = (&*self.shared.env.files, path.join(PARTITION_FILE_NAME));
        let text = small_file::read(files, &file).map_err(OpenError::io("reading", &file))?;
        if pages != Pages::Doubtful && text.as_deref().and_then(meta::decode_partition) == Some(id.topic) {
            return Ok(());
        }
        small_file::replace(files, &file, meta::encode_partition(id.topic).as_bytes())
            .map_err(OpenError::io("writing", &file))
    }

    /// Deletes a log: its directory is renamed, and that is durable, when this returns; its files are unlinked later.
    /// Doing it twice does no harm.
    pub fn delete_log(&self, log: &Log) -> io::Result<()> {
        let _directories = self.shared.directories();
        let _cycle = self.shared.cycle();
        // A flush that has begun needs the directory under its name.
        let _flushing = log.flushing.lock().unwrap();
        let writer = log.writer.lock().unwrap();
        if log.moved.get().is_some() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "the log was moved to another directory",
            ));
        }
        if log.is_gone() {
            return Ok(());
        }
        // By now the directory may be another log's of the same name.
        let is_there = self.shared.env.files.exists(&log.path);
        let trash = if is_there && self.owner(log.dir_name()).is_none_or(|owner| owner == log.id()) {
            Some(self.shared.rename_away(log.dir_name(), DELETE_SUFFIX)?)
        } else {
            None
        };
        self.shared.give_up(log, writer);
        log.watch_high_watermark().close();
        if let Some(trash) = trash {
            self.shared.throw_away(trash);
        }
        Ok(())
    }

    /// Sets a directory aside that no topic owns. It is never deleted, unless nothing was ever written in it: its owner
    /// may be found yet.
    pub fn stray(&self, dir_name: &str) -> io::Result<()> {
        if meta::partition_of(dir_name).is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no log's directory"));
        }
        let _directories = self.shared.directories();
        let _cycle = self.shared.cycle();
        if self.shared.logs().values().any(|log| log.dir_name() == dir_name) {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the log is open"));
        }
        let path = self.shared.path.join(dir_name);
        if self.is_unused(&path).map_err(io::Error::other)? {
            self.shared.env.files.remove_dir_all(&path)?;
        } else {
            let aside = self.shared.rename_away(dir_name, STRAY_SUFFIX)?;
            tracing::warn!(path = %path.display(), to = %aside.display(), "no topic owns this log: it is set aside; delete it if nobody misses it");
        }
        self.shared.known().retain(|_, entry| entry.dir_name != dir_name);
        Ok(())
    }
}

/// Many logs of a directory are being opened.
pub struct Opening<'d> {
    shared: &'d Shared,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let _cycle = self.shared.cycle();
        let Some(syncs) = self.shared.opening.lock().unwrap().take() else { return };
        let is_flushed = self.shared.flush_recovered(&syncs).is_ok();
        self.shared.doubtful.store(!is_flushed, Ordering::Relaxed);
    }
}

impl Shared {
    /// Renames a log's directory for good, in a way that no other directory has or gets.
    pub(crate) fn rename_away(&self, dir_name: &str, suffix: &str) -> io::Result<PathBuf> {
        let unique = format!(".{:032x}{suffix}", unique(&*self.env.random));
        let mut kept = dir_name.len().min(NAME_BYTES_MAX - unique.len());
        while !dir_name.is_char_boundary(kept) {
            kept -= 1;
        }
        let to = self.path.join(format!("{}{unique}", &dir_name[..kept]));
        self.env.files.rename(&self.path.join(dir_name), &to)?;
        // What is deleted frees descriptors: it must not fail for want of one.
        self.spare.lend_if_short(|| self.env.files.sync_dir(&self.path))?;
        Ok(to)
    }

    /// Nothing is left of a log in this directory: it is deleted, or lives in another. The caller has `directories` and
    /// `cycle`.
    pub(crate) fn give_up(&self, log: &Log, mut writer: MutexGuard<'_, Writer>) {
        log.deleted.store(true, Ordering::SeqCst);
        // Without it, a replay could make the directory anew, for nobody.
        log.note_drop(&mut writer);
        log.take_unflushed(&mut writer);
        log.let_go(&mut writer);
        drop(writer);
        self.logs().remove(&log.id());
        self.known().remove(&log.id());
        self.forget_clean_offset(log);
    }

    /// The directory goes offline where it fails.
    pub(crate) fn flush_recovered(&self, syncs: &Syncs) -> io::Result<()> {
        let flushed = self.spare.lend_if_short(|| syncs.perform(&*self.env.files, &self.path));
        flushed.inspect_err(|error| self.go_offline("flushing what was recovered", error))
    }
}
