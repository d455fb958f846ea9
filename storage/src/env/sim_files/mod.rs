//! Files in memory that forget what was not flushed, tear writes, flip bits, fill up and fail: what a power cut and a
//! bad disk do, decided by a seed.
//!
//! The model: a file is what was flushed plus a list of changes since; a directory is the names that were flushed plus
//! a list of changes since. [`SimFiles::crash`] keeps a random choice of the unflushed changes (whole, torn at sectors,
//! or not at all; names in their order) and makes every handle opened before it dead. [`SimFiles::cut_power_after`]
//! takes the power in the middle of an operation. Invariant: the same seed and the same calls give the same bytes. It
//! must not know what the bytes mean.

mod disk;
mod file;
mod node;
mod power;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use self::disk::{Disk, Writes};
use self::file::{SimFile, SimLock};
use self::node::{DirNode, Node, NodeId};
use super::files::{DirEntry, File, Files, LockGuard, OpenMode};

/// Clones are the same disk.
#[derive(Clone)]
pub struct SimFiles {
    disk: Arc<Mutex<Disk>>,
}

impl SimFiles {
    pub fn new(seed: u64) -> SimFiles {
        SimFiles { disk: Arc::new(Mutex::new(Disk::new(seed))) }
    }

    /// Cuts the power, if it is not out yet, and starts the machine again. What was flushed stays; of the rest chance
    /// decides. Faults that were set are gone.
    pub fn crash(&self) {
        self.disk().crash();
    }

    /// Ends the process and not the machine: everything written stays, every handle is dead. If the power seemed to go in
    /// the middle of an operation, it was the process that went.
    pub fn kill(&self) {
        let mut disk = self.disk();
        disk.end_process();
        disk.power.stays();
    }

    /// Lets `operations` more of those that [`SimFiles::operations`] counts be done, and cuts the power in the middle
    /// of the one behind them. That one fails; its change is unflushed, a durable write's too, and of what it was to
    /// flush the disk has nothing or a first part. Then everything fails without effect until [`SimFiles::crash`].
    pub fn cut_power_after(&self, operations: u64) {
        self.disk().power.cut_after(operations);
    }

    /// Whether the power was cut in the middle of an operation and is not back.
    pub fn power_is_out(&self) -> bool {
        self.disk().power.check().is_err()
    }

    /// How many operations that change the disk were begun since it was made: writes, new lengths, flushes, and names
    /// made, renamed and removed.
    pub fn operations(&self) -> u64 {
        self.disk().power.operations()
    }

    /// From now on at most `bytes` more can be written.
    pub fn set_free_bytes(&self, bytes: u64) {
        let mut disk = self.disk();
        disk.space_bytes = disk.used_bytes.saturating_add(bytes);
    }

    /// Every flush and every durable write fails, and what it should have flushed is as lost as a kernel makes it.
    pub fn fail_syncs(&self, fail: bool) {
        self.disk().faults.sync = fail;
    }

    /// The `nth` flush of a file or directory from now on fails, and no other; 1 is the next, and with `None` none does.
    ///
    /// # Panics
    /// If it is 0.
    pub fn fail_sync_after(&self, nth: Option<u64>) {
        assert_ne!(nth, Some(0), "the next flush is the first");
        self.disk().faults.sync_in = nth;
    }

    /// The `nth` durable write from now on fails with EIO, and no other; 1 is the next.
    ///
    /// # Panics
    /// If `nth` is 0.
    pub fn fail_durable_after(&self, nth: u64) {
        assert!(nth > 0, "the next durable write is the first");
        self.disk().faults.durable_in = Some(nth);
    }

    pub fn fail_writes(&self, fail: bool) {
        self.disk().faults.write = fail;
    }

    pub fn fail_reads(&self, fail: bool) {
        self.disk().faults.read = fail;
    }

    /// Flips one bit of a file, on the disk and in the cache.
    pub fn flip_bit(&self, path: &Path, byte: u64, bit: u8) -> io::Result<()> {
        let mut disk = self.disk();
        let id = disk.find(path)?;
        let file = disk.file(id)?;
        for content in [&mut file.live, &mut file.flushed] {
            if let Some(byte) = content.get_mut(byte as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Ok(())
    }

    /// A file's content as processes see it.
    pub fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut disk = self.disk();
        let id = disk.find(path)?;
        Ok(disk.file(id)?.live.clone())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    /// The disk for a process, which gets nothing from it while the power is out.
    fn running(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk();
        disk.power.check()?;
        Ok(disk)
    }

    fn handle(&self, disk: &Disk, id: NodeId, writes: Writes, aligned: bool) -> io::Result<Arc<dyn File>> {
        match &disk.nodes[id] {
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
            Node::File(_) => {
                let (disk, life) = (Arc::clone(&self.disk), disk.life);
                Ok(Arc::new(SimFile { disk, id, life, writes, aligned }))
            }
        }
    }
}

impl Files for SimFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut disk = self.running()?;
        let id = if mode == OpenMode::Create { disk.find_or_add_file(path)? } else { disk.find(path)? };
        self.handle(&disk, id, Writes::Cached, false)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.running()?.add(path, Node::Dir(DirNode::default())).map(drop)
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
        self.running()?.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.running()?.remove(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.running()?.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let disk = self.running()?;
        let describe = |(name, id): (&String, &NodeId)| match &disk.nodes[*id] {
            Node::File(file) => DirEntry { name: name.clone(), is_dir: false, len: file.live.len() as u64 },
            Node::Dir(_) => DirEntry { name: name.clone(), is_dir: true, len: 0 },
        };
        Ok(disk.dir(disk.find(dir)?)?.live.iter().map(describe).collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.running()?;
        let id = disk.find(dir)?;
        disk.dir(id)?;
        disk.sync(id)
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk().find(path).is_ok()
    }

    fn map(&self, path: &Path) -> io::Result<Bytes> {
        drop(self.running()?);
        self.content(path).map(Bytes::from)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let mut disk = self.running()?;
        let id = disk.find_or_add_file(path)?;
        if disk.locks.contains(&id) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        disk.locks.push(id);
        Ok(Box::new(SimLock { disk: Arc::clone(&self.disk), id, life: disk.life }))
    }

    fn lock_as_java(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        if self.exists(path) { self.lock(path) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let disk = self.running()?;
        Ok(disk.find(path).is_ok_and(|id| disk.locks.contains(&id)))
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        let disk = self.running()?;
        Ok(disk.space_bytes - disk.used_bytes.min(disk.space_bytes))
    }

    fn total_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.running()?.space_bytes)
    }

    fn open_durable(&self, path: &Path, direct: bool) -> io::Result<Arc<dyn File>> {
        let mut disk = self.running()?;
        let id = disk.find_or_add_file(path)?;
        self.handle(&disk, id, Writes::Durable, direct)
    }

    fn sync_fs(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.running()?;
        let id = disk.find(dir)?;
        disk.dir(id)?;
        disk.sync_all()
    }

    fn boot_id(&self) -> Option<String> {
        Some(format!("00000000-0000-4000-8000-{:012x}", self.disk().power.boots()))
    }
}
