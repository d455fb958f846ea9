//! Files in memory that forget what was not flushed, tear writes, flip bits, fill up and fail: what a power cut and a
//! bad disk do, decided by a seed.
//!
//! The model: a file is what was flushed plus a list of changes since; a directory is the names that were flushed plus
//! a list of changes since. [`SimFiles::crash`] keeps a random choice of the unflushed changes (whole, torn at sectors,
//! or not at all; names in their order) and makes every handle opened before it dead. Invariant: the same seed and the
//! same calls give the same bytes.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::files::{DirEntry, File, Files, LockGuard, OpenMode};
use super::random::SimRandom;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

type NodeId = usize;

/// Clones are the same disk.
#[derive(Clone)]
pub struct SimFiles {
    disk: Arc<Mutex<Disk>>,
}

struct Disk {
    nodes: Vec<Node>,
    random: SimRandom,
    /// Counts crashes: a handle of an earlier life is dead.
    life: u64,
    locks: Vec<NodeId>,
    space_bytes: u64,
    used_bytes: u64,
    fail_sync: bool,
    fail_write: bool,
    fail_read: bool,
}

enum Node {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Default)]
struct FileNode {
    live: Vec<u8>,
    flushed: Vec<u8>,
    changes: Vec<Change>,
}

enum Change {
    Write { pos: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Default)]
struct DirNode {
    live: BTreeMap<String, NodeId>,
    flushed: BTreeMap<String, NodeId>,
    changes: Vec<NameChange>,
}

#[derive(Clone)]
enum NameChange {
    Put(String, NodeId),
    Remove(String),
    Rename(String, String),
}

fn apply_name(names: &mut BTreeMap<String, NodeId>, change: &NameChange) {
    match change {
        NameChange::Put(name, id) => {
            names.insert(name.clone(), *id);
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
        NameChange::Rename(from, to) => {
            if let Some(id) = names.remove(from) {
                names.insert(to.clone(), id);
            }
        }
    }
}

fn apply_write(content: &mut Vec<u8>, pos: usize, bytes: &[u8]) {
    if content.len() < pos + bytes.len() {
        content.resize(pos + bytes.len(), 0);
    }
    content[pos..pos + bytes.len()].copy_from_slice(bytes);
}

const ROOT: NodeId = 0;

impl SimFiles {
    pub fn new(seed: u64) -> SimFiles {
        let disk = Disk {
            nodes: vec![Node::Dir(DirNode::default())],
            random: SimRandom::new(seed ^ 0x00d1_5c00),
            life: 0,
            locks: Vec::new(),
            space_bytes: u64::MAX,
            used_bytes: 0,
            fail_sync: false,
            fail_write: false,
            fail_read: false,
        };
        SimFiles { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Cuts the power. What was flushed stays; of the rest chance decides. Faults that were set are gone.
    pub fn crash(&self) {
        self.disk().crash();
    }

    /// Ends the process and not the machine: everything written stays, every handle is dead.
    pub fn kill(&self) {
        let mut disk = self.disk();
        disk.life += 1;
        disk.locks.clear();
    }

    /// From now on at most `bytes` more can be written.
    pub fn set_free_bytes(&self, bytes: u64) {
        let mut disk = self.disk();
        disk.space_bytes = disk.used_bytes.saturating_add(bytes);
    }

    /// Every flush fails with EIO, and what it should have flushed is as lost as a kernel makes it.
    pub fn fail_syncs(&self, fail: bool) {
        self.disk().fail_sync = fail;
    }

    pub fn fail_writes(&self, fail: bool) {
        self.disk().fail_write = fail;
    }

    pub fn fail_reads(&self, fail: bool) {
        self.disk().fail_read = fail;
    }

    /// Flips one bit of a file, on the disk and in the cache.
    pub fn flip_bit(&self, path: &Path, byte: u64, bit: u8) -> io::Result<()> {
        let mut disk = self.disk();
        let id = disk.find(path)?;
        let Node::File(file) = &mut disk.nodes[id] else { return Err(io::ErrorKind::IsADirectory.into()) };
        for content in [&mut file.live, &mut file.flushed] {
            if let Some(byte) = content.get_mut(byte as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Ok(())
    }

    /// A file's content as processes see it.
    pub fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        let id = disk.find(path)?;
        match &disk.nodes[id] {
            Node::File(file) => Ok(file.live.clone()),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

impl Disk {
    fn find(&self, path: &Path) -> io::Result<NodeId> {
        let mut at = ROOT;
        for name in names(path) {
            let Node::Dir(dir) = &self.nodes[at] else { return Err(io::ErrorKind::NotADirectory.into()) };
            at = *dir.live.get(name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The directory that holds `path`, and the name in it.
    fn parent<'p>(&self, path: &'p Path) -> io::Result<(NodeId, &'p str)> {
        let name = names(path).last().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = self.find(path.parent().unwrap_or(Path::new("")))?;
        Ok((parent, name))
    }

    fn dir(&mut self, id: NodeId) -> io::Result<&mut DirNode> {
        match &mut self.nodes[id] {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn change_name(&mut self, dir: NodeId, change: NameChange) -> io::Result<()> {
        let dir = self.dir(dir)?;
        apply_name(&mut dir.live, &change);
        dir.changes.push(change);
        Ok(())
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<NodeId> {
        if self.space_bytes <= self.used_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let (parent, name) = self.parent(path)?;
        if self.dir(parent)?.live.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = self.nodes.len();
        self.nodes.push(node);
        self.change_name(parent, NameChange::Put(name.to_owned(), id))?;
        Ok(id)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let id = self.find(path)?;
        self.used_bytes -= self.bytes_below(id);
        self.change_name(parent, NameChange::Remove(name.to_owned()))
    }

    fn bytes_below(&self, id: NodeId) -> u64 {
        match &self.nodes[id] {
            Node::File(file) => file.live.len() as u64,
            Node::Dir(dir) => dir.live.values().map(|id| self.bytes_below(*id)).sum(),
        }
    }

    fn crash(&mut self) {
        self.life += 1;
        self.locks.clear();
        (self.fail_sync, self.fail_write, self.fail_read) = (false, false, false);
        self.space_bytes = u64::MAX;
        for node in &mut self.nodes {
            match node {
                Node::Dir(dir) => {
                    // A journal of names keeps their order: some first part of it has reached the disk.
                    let kept = self.random.below(dir.changes.len() as u64 + 1) as usize;
                    dir.changes[..kept].iter().for_each(|change| apply_name(&mut dir.flushed, change));
                    dir.changes.clear();
                    dir.live = dir.flushed.clone();
                }
                Node::File(file) => {
                    file.survive(&self.random);
                }
            }
        }
        self.used_bytes = self.bytes_below(ROOT);
    }
}

impl FileNode {
    /// Decides for each change since the last flush what of it has reached the disk.
    fn survive(&mut self, random: &SimRandom) {
        for change in std::mem::take(&mut self.changes) {
            match (change, random.below(4)) {
                (_, 0) => {}
                (Change::SetLen(len), _) => self.flushed.resize(len, 0),
                (Change::Write { pos, bytes }, 1) => tear(&mut self.flushed, pos, &bytes, random),
                (Change::Write { pos, bytes }, _) => apply_write(&mut self.flushed, pos, &bytes),
            }
        }
        self.live = self.flushed.clone();
    }

    fn flush(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::Write { pos, bytes } => apply_write(&mut self.flushed, pos, &bytes),
                Change::SetLen(len) => self.flushed.resize(len, 0),
            }
        }
    }
}

/// Writes each sector or leaves it out; one in eight of those written is filled with rubbish.
fn tear(content: &mut Vec<u8>, pos: usize, bytes: &[u8], random: &SimRandom) {
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + SECTOR_BYTES - (pos + at) % SECTOR_BYTES);
        match random.below(8) {
            0 => {
                let rubbish: Vec<u8> = (at..end).map(|_| random.below(256) as u8).collect();
                apply_write(content, pos + at, &rubbish);
            }
            1..=4 => apply_write(content, pos + at, &bytes[at..end]),
            _ => {}
        }
        at = end;
    }
}

impl Files for SimFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        let id = match disk.find(path) {
            Ok(id) => id,
            Err(error) if error.kind() == io::ErrorKind::NotFound && mode == OpenMode::Create => {
                disk.add(path, Node::File(FileNode::default()))?
            }
            Err(error) => return Err(error),
        };
        match &disk.nodes[id] {
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
            Node::File(_) => Ok(Arc::new(SimFile { disk: Arc::clone(&self.disk), id, life: disk.life })),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk().add(path, Node::Dir(DirNode::default())).map(drop)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        for ancestor in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !self.exists(ancestor) {
                self.create_dir(ancestor)?;
            }
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.find(from)?;
        let ((from_dir, from_name), (to_dir, to_name)) = (disk.parent(from)?, disk.parent(to)?);
        if from_dir != to_dir {
            // The log renames within one directory only; across two, a crash could tear the move.
            return Err(io::ErrorKind::Unsupported.into());
        }
        if let Ok(replaced) = disk.find(to) {
            disk.used_bytes -= disk.bytes_below(replaced);
        }
        disk.change_name(from_dir, NameChange::Rename(from_name.to_owned(), to_name.to_owned()))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk().remove(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk().remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut disk = self.disk();
        let id = disk.find(dir)?;
        let entries: Vec<_> = disk.dir(id)?.live.iter().map(|(name, id)| (name.clone(), *id)).collect();
        let describe = |(name, id): (String, NodeId)| match &disk.nodes[id] {
            Node::File(file) => DirEntry { name, is_dir: false, len: file.live.len() as u64 },
            Node::Dir(_) => DirEntry { name, is_dir: true, len: 0 },
        };
        Ok(entries.into_iter().map(describe).collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let id = disk.find(dir)?;
        if disk.fail_sync {
            return Err(io::Error::other("simulated: the directory cannot be flushed"));
        }
        let dir = disk.dir(id)?;
        dir.flushed = dir.live.clone();
        dir.changes.clear();
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk().find(path).is_ok()
    }

    fn map(&self, path: &Path) -> io::Result<Bytes> {
        self.content(path).map(Bytes::from)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        self.open(path, OpenMode::Create)?;
        let mut disk = self.disk();
        let id = disk.find(path)?;
        if disk.locks.contains(&id) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        disk.locks.push(id);
        Ok(Box::new(SimLock { disk: Arc::clone(&self.disk), id, life: disk.life }))
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        let disk = self.disk();
        Ok(disk.space_bytes - disk.used_bytes.min(disk.space_bytes))
    }
}

struct SimLock {
    disk: Arc<Mutex<Disk>>,
    id: NodeId,
    life: u64,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut disk = self.disk.lock().unwrap();
        if disk.life == self.life {
            disk.locks.retain(|held| *held != self.id);
        }
    }
}

struct SimFile {
    disk: Arc<Mutex<Disk>>,
    id: NodeId,
    life: u64,
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut Disk, NodeId) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.disk.lock().unwrap();
        if disk.life != self.life {
            return Err(io::Error::other("simulated: this handle belongs to a process that is gone"));
        }
        act(&mut disk, self.id)
    }
}

fn file(disk: &mut Disk, id: NodeId) -> io::Result<&mut FileNode> {
    match &mut disk.nodes[id] {
        Node::File(file) => Ok(file),
        Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        self.with(|disk, id| {
            if disk.fail_read {
                return Err(io::Error::other("simulated: the disk cannot read"));
            }
            let content = &file(disk, id)?.live;
            let from = content.len().min(pos as usize);
            let n = buf.len().min(content.len() - from);
            buf[..n].copy_from_slice(&content[from..from + n]);
            Ok(n)
        })
    }

    fn write_all_at(&self, bufs: &[IoSlice<'_>], pos: u64) -> io::Result<()> {
        self.with(|disk, id| {
            if disk.fail_write {
                return Err(io::Error::other("simulated: the disk cannot write"));
            }
            let mut bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            let grows = (pos + bytes.len() as u64).saturating_sub(file(disk, id)?.live.len() as u64);
            let room = disk.space_bytes.saturating_sub(disk.used_bytes);
            let full = grows > room;
            if full {
                // A full disk takes what still fits, as the kernel does.
                bytes.truncate(bytes.len() - (grows - room).min(bytes.len() as u64) as usize);
            }
            disk.used_bytes += grows.min(room);
            let file = file(disk, id)?;
            apply_write(&mut file.live, pos as usize, &bytes);
            file.changes.push(Change::Write { pos: pos as usize, bytes });
            if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|disk, id| {
            if disk.fail_write {
                return Err(io::Error::other("simulated: the disk cannot write"));
            }
            let file = file(disk, id)?;
            let before = file.live.len() as u64;
            file.live.resize(len as usize, 0);
            file.changes.push(Change::SetLen(len as usize));
            disk.used_bytes = disk.used_bytes + len - before;
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|disk, id| {
            let fail = disk.fail_sync;
            let file = file(disk, id)?;
            if fail {
                // The kernel marks the pages clean: no later flush will write them.
                file.changes.clear();
                return Err(io::Error::other("simulated: the flush failed"));
            }
            file.flush();
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|disk, id| Ok(file(disk, id)?.live.len() as u64))
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &Arc<dyn File>, pos: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(&[IoSlice::new(bytes)], pos)
    }

    /// What is left of a file whose content and name were or were not flushed, over many seeds.
    fn survivors(sync_file: bool, sync_dir: bool) -> Vec<Option<Vec<u8>>> {
        let left = |seed| {
            let disk = SimFiles::new(seed);
            let file = disk.open(Path::new("/a"), OpenMode::Create).unwrap();
            write(&file, 0, &[7; 1500]).unwrap();
            if sync_file {
                file.sync_data().unwrap();
            }
            if sync_dir {
                disk.sync_dir(Path::new("/")).unwrap();
            }
            disk.crash();
            disk.content(Path::new("/a")).ok()
        };
        (0..60).map(left).collect()
    }

    #[test]
    fn what_is_flushed_survives_and_nothing_else_must() {
        assert!(survivors(true, true).iter().all(|left| left.as_deref() == Some(&[7; 1500])));
        let unnamed = survivors(true, false);
        assert!(unnamed.iter().any(Option::is_none) && unnamed.iter().any(Option::is_some));
        let unwritten = survivors(false, true);
        assert!(unwritten.iter().any(|left| left.as_deref() == Some(&[])), "lost");
        assert!(unwritten.iter().any(|left| left.as_deref() == Some(&[7; 1500])), "kept");
        let torn = |left: &Option<Vec<u8>>| left.as_ref().is_some_and(|l| !l.is_empty() && l != &[7; 1500]);
        assert!(unwritten.iter().any(torn), "torn");
    }

    #[test]
    fn the_same_seed_loses_the_same() {
        assert_eq!(survivors(false, true), survivors(false, true));
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_recovers() {
        let disk = SimFiles::new(1);
        let file = disk.open(Path::new("/a"), OpenMode::Create).unwrap();
        disk.set_free_bytes(100);
        assert_eq!(write(&file, 0, &[1; 150]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.len().unwrap(), 100);
        file.set_len(0).unwrap();
        write(&file, 0, &[1; 90]).unwrap();
    }

    #[test]
    fn handles_of_a_dead_process_are_dead_and_its_lock_is_free() {
        let disk = SimFiles::new(1);
        let file = disk.open(Path::new("/a"), OpenMode::Create).unwrap();
        let lock = disk.lock(Path::new("/lock")).unwrap();
        assert!(disk.lock(Path::new("/lock")).is_err());
        disk.kill();
        assert!(write(&file, 0, b"x").is_err());
        let again = disk.lock(Path::new("/lock")).unwrap();
        drop(lock);
        assert!(disk.lock(Path::new("/lock")).is_err(), "an old guard frees nothing");
        drop(again);
        disk.lock(Path::new("/lock")).unwrap();
    }
}
