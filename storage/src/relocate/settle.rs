//! What a start makes of moves that a crash cut short: of several directories of one log, the one that was moved last is
//! in force, and what others there are is deleted; copies that were not finished are told of.
//!
//! Invariants: nothing but a copy that is not in force is deleted, and where counts do not tell which is, nothing is. It
//! must not know which logs are wanted.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::names;
use crate::data_dir::{DELETE_SUFFIX, DataDir};
use crate::ids::LogId;
use crate::meta::{self, PARTITION_FILE_NAME};
use crate::small_file;

/// A copy that an earlier process began, or left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The data directory that it is in, by its place among those that were asked.
    pub target: usize,
    pub name: String,
    /// `None` if it does not say.
    pub log: Option<LogId>,
}

/// Where the logs of some data directories live.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Each log's data directory, by its place.
    pub homes: BTreeMap<LogId, usize>,
    pub unfinished: Vec<Unfinished>,
}

/// Decides which directory of each log is in force, and deletes the others. Called before any of these logs is opened.
pub fn settle_copies(dirs: &[Arc<DataDir>]) -> io::Result<Settled> {
    let mut found: BTreeMap<LogId, Vec<(usize, String)>> = BTreeMap::new();
    let mut settled = Settled::default();
    for (place, dir) in dirs.iter().enumerate() {
        for (name, id) in dir.logs_on_disk() {
            if let Some(id) = id {
                found.entry(id).or_default().push((place, name));
            }
        }
        settled.unfinished.extend(dir.unfinished(place)?);
    }
    for (id, copies) in found {
        let home = match &copies[..] {
            [(home, _)] => *home,
            _ => decide(dirs, id, copies)?,
        };
        settled.homes.insert(id, home);
        // What checkpoints say of it elsewhere is from before it was moved.
        let others = dirs.iter().enumerate().filter(|(place, _)| *place != home);
        others.for_each(|(_, dir)| drop(dir.shared.known().remove(&id)));
    }
    Ok(settled)
}

/// Which of several directories is the log's; the others are deleted.
fn decide(dirs: &[Arc<DataDir>], id: LogId, copies: Vec<(usize, String)>) -> io::Result<usize> {
    let mut counted = Vec::with_capacity(copies.len());
    for (place, name) in copies {
        let dir = &dirs[place];
        let last = names::last_move(&*dir.shared.env.files, &dir.path().join(&name))?;
        counted.push((last.map_or(0, |last| last.count), place, name));
    }
    counted.sort();
    let most = counted.last().map_or(0, |(count, ..)| *count);
    let home = counted.last().map_or(0, |(_, place, _)| *place);
    for (count, place, name) in counted {
        if count < most {
            dirs[place].discard(&name)?;
        } else if place != home {
            tracing::error!(
                log = %id, served = %dirs[home].path().display(), other = %dirs[place].path().display(),
                "a log has two directories, and nothing tells which is its own: compare them, and remove one"
            );
        }
    }
    Ok(home)
}

impl DataDir {
    fn unfinished(&self, target: usize) -> io::Result<Vec<Unfinished>> {
        let files = &*self.shared.env.files;
        let mut found = Vec::new();
        for entry in files.list(self.path())?.into_iter().filter(|entry| entry.is_dir) {
            let Some(of) = names::copied_by(&entry.name) else { continue };
            let text = small_file::read(files, &self.path().join(&entry.name).join(PARTITION_FILE_NAME))?;
            let log = text.and_then(|text| meta::log_id(of, &text));
            found.push(Unfinished { target, name: entry.name, log });
        }
        Ok(found)
    }

    /// Deletes a copy that is not in force.
    pub fn discard(&self, name: &str) -> io::Result<()> {
        let _directories = self.shared.directories();
        let _cycle = self.shared.cycle();
        if self.shared.logs().values().any(|log| log.dir_name() == name) {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the log is open"));
        }
        let trash = self.shared.rename_away(name, DELETE_SUFFIX)?;
        tracing::info!(path = %self.path().join(name).display(), "a copy of a log that is not in force is deleted");
        self.shared.known().retain(|_, entry| entry.dir_name != name);
        self.shared.throw_away(trash);
        Ok(())
    }
}
