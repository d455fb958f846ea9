//! Files and directories to be flushed together: a few one by one, many by one flush of the whole file system.
//!
//! Invariant: what is gone by the time of the flush needs none. It must not know why anything is flushed.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::env::{Files, OpenMode};

/// Flushed one by one; above, the whole file system is flushed at once.
pub(crate) const SYNC_EACH_MAX: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Syncs {
    files: BTreeSet<PathBuf>,
    dirs: BTreeSet<PathBuf>,
}

impl Syncs {
    pub(crate) fn file(&mut self, path: PathBuf) {
        self.files.insert(path);
    }

    /// The names in a directory.
    pub(crate) fn dir(&mut self, path: &Path) {
        if !self.dirs.contains(path) {
            self.dirs.insert(path.to_owned());
        }
    }

    pub(crate) fn add(&mut self, others: Syncs) {
        self.files.extend(others.files);
        self.dirs.extend(others.dirs);
    }

    /// All of it is on the disk when this returns. `root` is a directory above.
    pub(crate) fn perform(&self, files: &dyn Files, root: &Path) -> io::Result<()> {
        if self.files.len() > SYNC_EACH_MAX {
            return files.sync_fs(root);
        }
        for path in &self.files {
            unless_gone(files.open(path, OpenMode::Write).and_then(|file| file.sync_data()))?;
        }
        self.dirs.iter().try_for_each(|dir| unless_gone(files.sync_dir(dir)))
    }
}

fn unless_gone(flushed: io::Result<()>) -> io::Result<()> {
    match flushed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;
    use crate::env::SimFiles;

    #[test]
    fn few_and_many_survive_a_power_cut_and_the_gone_are_no_error() {
        for count in [3, SYNC_EACH_MAX + 1] {
            let disk = SimFiles::new(1);
            let (dir, mut syncs) = (Path::new("/dir"), Syncs::default());
            disk.create_dir(dir).unwrap();
            syncs.dir(Path::new("/"));
            let paths: Vec<PathBuf> = (0..count).map(|number| dir.join(number.to_string())).collect();
            for path in &paths {
                let file = disk.open(path, OpenMode::Create).unwrap();
                file.write_all_at(&[IoSlice::new(b"content")], 0).unwrap();
                syncs.file(path.clone());
                syncs.dir(dir);
            }
            syncs.file(dir.join("gone"));
            syncs.dir(Path::new("/gone"));
            syncs.perform(&disk, Path::new("/")).unwrap();
            disk.crash();
            assert!(paths.iter().all(|path| disk.content(path).unwrap() == b"content"));
        }
    }
}
