//! The simulated disk: a tree of nodes, its space, its locks and the faults that were set.
//!
//! Invariants: every operation that changes content or names begins with [`Power::begin`], and only then takes effect;
//! unlinked nodes stay, as open files do. It must not know who holds a handle.

use std::io;
use std::path::{Component, Path};

use super::node::{DirNode, FileNode, NameChange, Node, NodeId};
use super::power::{Fate, Power};
use crate::env::random::SimRandom;

const ROOT: NodeId = 0;

pub(super) struct Disk {
    pub(super) nodes: Vec<Node>,
    pub(super) random: SimRandom,
    /// Counts the ends of processes: a handle of an earlier life is dead.
    pub(super) life: u64,
    pub(super) locks: Vec<NodeId>,
    pub(super) space_bytes: u64,
    pub(super) used_bytes: u64,
    pub(super) power: Power,
    pub(super) faults: Faults,
}

/// What was set to go wrong.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) sync: bool,
    pub(super) write: bool,
    pub(super) read: bool,
    /// How many durable writes are left until one fails, that one included.
    pub(super) durable_in: Option<u64>,
    /// The same of flushes.
    pub(super) sync_in: Option<u64>,
}

/// How a file's writes reach the disk.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// By a flush later.
    Cached,
    /// At once.
    Durable,
}

impl Faults {
    /// Whether the durable write that begins now fails.
    fn durable_write_fails(&mut self) -> bool {
        self.sync | is_last(&mut self.durable_in)
    }

    /// Whether the flush of a file or directory that begins now fails.
    fn sync_fails(&mut self) -> bool {
        self.sync | is_last(&mut self.sync_in)
    }
}

/// Counts down; whether that was the last.
fn is_last(left: &mut Option<u64>) -> bool {
    let counted = left.map(|left| left - 1);
    *left = counted.filter(|left| *left > 0);
    counted == Some(0)
}

fn eio() -> io::Error {
    rustix::io::Errno::IO.into()
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

impl Disk {
    pub(super) fn new(seed: u64) -> Disk {
        Disk {
            nodes: vec![Node::Dir(DirNode::default())],
            random: SimRandom::new(seed ^ 0x00d1_5c00),
            life: 0,
            locks: Vec::new(),
            space_bytes: u64::MAX,
            used_bytes: 0,
            power: Power::default(),
            faults: Faults::default(),
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<NodeId> {
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

    pub(super) fn dir(&self, id: NodeId) -> io::Result<&DirNode> {
        match &self.nodes[id] {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn file(&mut self, id: NodeId) -> io::Result<&mut FileNode> {
        match &mut self.nodes[id] {
            Node::File(file) => Ok(file),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn change_name(&mut self, dir: NodeId, change: NameChange) -> io::Result<()> {
        let fate = self.power.begin()?;
        match &mut self.nodes[dir] {
            Node::Dir(dir) => dir.change(change),
            Node::File(_) => return Err(io::ErrorKind::NotADirectory.into()),
        }
        fate.end()
    }

    pub(super) fn add(&mut self, path: &Path, node: Node) -> io::Result<NodeId> {
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

    pub(super) fn find_or_add_file(&mut self, path: &Path) -> io::Result<NodeId> {
        match self.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.add(path, Node::File(FileNode::default()))
            }
            found => found,
        }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.find(from)?;
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        if from_dir != to_dir {
            // The log renames within one directory only; across two, a crash could tear the move.
            return Err(io::ErrorKind::Unsupported.into());
        }
        if let Ok(replaced) = self.find(to) {
            self.used_bytes -= self.bytes_below(replaced);
        }
        self.change_name(from_dir, NameChange::Rename(from_name.to_owned(), to_name.to_owned()))
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
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

    pub(super) fn write(
        &mut self,
        id: NodeId,
        pos: u64,
        mut bytes: Vec<u8>,
        writes: Writes,
    ) -> io::Result<()> {
        let fate = self.power.begin()?;
        if self.faults.write {
            return Err(io::Error::other("simulated: the disk cannot write"));
        }
        let grows = (pos + bytes.len() as u64).saturating_sub(self.file(id)?.live.len() as u64);
        let room = self.space_bytes.saturating_sub(self.used_bytes);
        let full = grows > room;
        if full {
            // A full disk takes what still fits, as the kernel does.
            bytes.truncate(bytes.len() - (grows - room).min(bytes.len() as u64) as usize);
        }
        self.used_bytes += grows.min(room);
        if writes == Writes::Cached || full || fate == Fate::Cut {
            self.file(id)?.write(pos as usize, bytes);
            fate.end()?;
            return if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) };
        }
        self.write_durably(id, pos as usize, bytes)
    }

    fn write_durably(&mut self, id: NodeId, pos: usize, bytes: Vec<u8>) -> io::Result<()> {
        let fails = self.faults.durable_write_fails();
        let Node::File(file) = &mut self.nodes[id] else { return Err(io::ErrorKind::IsADirectory.into()) };
        if fails {
            file.write_failing(pos, bytes, &self.random);
            return Err(eio());
        }
        file.write_durably(pos, bytes);
        Ok(())
    }

    pub(super) fn set_len(&mut self, id: NodeId, len: u64) -> io::Result<()> {
        let fate = self.power.begin()?;
        if self.faults.write {
            return Err(io::Error::other("simulated: the disk cannot write"));
        }
        let file = self.file(id)?;
        let before = file.live.len() as u64;
        file.set_len(len as usize);
        self.used_bytes = self.used_bytes + len - before;
        fate.end()
    }

    /// Flushes one file or one directory.
    pub(super) fn sync(&mut self, id: NodeId) -> io::Result<()> {
        let fate = self.power.begin()?;
        self.sync_node(id, fate)?;
        fate.end()
    }

    /// Flushes everything.
    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        let fate = self.power.begin()?;
        let flushed: Vec<_> = (0..self.nodes.len()).map(|id| self.sync_node(id, fate)).collect();
        flushed.into_iter().collect::<io::Result<()>>()?;
        fate.end()
    }

    fn sync_node(&mut self, id: NodeId, fate: Fate) -> io::Result<()> {
        let fails = fate == Fate::Whole && self.faults.sync_fails();
        let node = &mut self.nodes[id];
        // A failure of which nobody heard is the next flush's: the kernel keeps it until it is told.
        if fails {
            if let Node::File(file) = node {
                file.lose_unflushed();
            }
            return Err(io::Error::other("simulated: the flush failed"));
        }
        match fate {
            Fate::Whole => node.flush(),
            // Half of the flushes had not begun, the others got to somewhere.
            Fate::Cut if self.random.below(2) == 0 => {}
            Fate::Cut => node.flush_first(self.random.below(node.unflushed() as u64 + 1) as usize),
        }
        Ok(())
    }

    /// The power is back after a cut.
    pub(super) fn crash(&mut self) {
        self.end_process();
        self.power.back();
        self.faults = Faults::default();
        self.space_bytes = u64::MAX;
        for node in &mut self.nodes {
            node.survive(&self.random);
        }
        self.used_bytes = self.bytes_below(ROOT);
    }

    pub(super) fn end_process(&mut self) {
        self.life += 1;
        self.locks.clear();
    }
}
