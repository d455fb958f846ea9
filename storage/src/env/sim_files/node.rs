//! One simulated file or directory: what was flushed, what processes see, and the changes between the two.
//!
//! Invariants: changes keep their order; what is not a change any more, or is a durable one, survives whatever comes. It
//! must not know paths, handles or when the power goes.

use std::collections::BTreeMap;

use crate::env::random::SimRandom;

/// What a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

pub(super) type NodeId = usize;

pub(super) enum Node {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Default)]
pub(super) struct FileNode {
    pub(super) live: Vec<u8>,
    pub(super) flushed: Vec<u8>,
    changes: Vec<Change>,
}

enum Change {
    Write {
        pos: usize,
        bytes: Vec<u8>,
    },
    SetLen(usize),
    /// On the disk already, and listed only because a change before it may not be: the order decides whose bytes stay.
    Durable {
        pos: usize,
        bytes: Vec<u8>,
    },
}

#[derive(Default)]
pub(super) struct DirNode {
    pub(super) live: BTreeMap<String, NodeId>,
    flushed: BTreeMap<String, NodeId>,
    changes: Vec<NameChange>,
}

#[derive(Clone)]
pub(super) enum NameChange {
    Put(String, NodeId),
    Remove(String),
    Rename(String, String),
}

impl Node {
    /// How many changes a power cut could take.
    pub(super) fn unflushed(&self) -> usize {
        match self {
            Node::File(file) => file.changes.len(),
            Node::Dir(dir) => dir.changes.len(),
        }
    }

    pub(super) fn flush(&mut self) {
        self.flush_first(self.unflushed());
    }

    /// Flushes the first `n` changes.
    pub(super) fn flush_first(&mut self, n: usize) {
        match self {
            Node::File(file) => file.changes.drain(..n).for_each(|change| change.apply(&mut file.flushed)),
            Node::Dir(dir) => dir.changes.drain(..n).for_each(|change| change.apply(&mut dir.flushed)),
        }
    }

    /// Decides what of the changes since the last flush has reached the disk; that is all there is from now on.
    pub(super) fn survive(&mut self, random: &SimRandom) {
        match self {
            Node::File(file) => file.survive(random),
            Node::Dir(dir) => {
                // A journal of names keeps their order: some first part of it has reached the disk.
                let kept = random.below(dir.changes.len() as u64 + 1) as usize;
                dir.changes.drain(..).take(kept).for_each(|change| change.apply(&mut dir.flushed));
                dir.live = dir.flushed.clone();
            }
        }
    }
}

impl FileNode {
    pub(super) fn write(&mut self, pos: usize, bytes: Vec<u8>) {
        apply_write(&mut self.live, pos, &bytes);
        self.changes.push(Change::Write { pos, bytes });
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.live.resize(len, 0);
        self.changes.push(Change::SetLen(len));
    }

    /// Writes what no power cut takes back. Changes before it stay unflushed.
    pub(super) fn write_durably(&mut self, pos: usize, bytes: Vec<u8>) {
        apply_write(&mut self.live, pos, &bytes);
        self.reach_disk(pos, bytes);
    }

    /// A durable write that failed: processes see it; what the disk has of it is decided now, and no later flush
    /// writes the rest.
    pub(super) fn write_failing(&mut self, pos: usize, bytes: Vec<u8>, random: &SimRandom) {
        apply_write(&mut self.live, pos, &bytes);
        match random.below(4) {
            0 => {}
            1 => torn(pos, &bytes, random).into_iter().for_each(|(pos, bytes)| self.reach_disk(pos, bytes)),
            _ => self.reach_disk(pos, bytes),
        }
    }

    /// A flush failed: the kernel marks the pages clean, and no later flush will write them.
    pub(super) fn lose_unflushed(&mut self) {
        self.changes.retain(|change| matches!(change, Change::Durable { .. }));
    }

    fn reach_disk(&mut self, pos: usize, bytes: Vec<u8>) {
        if self.changes.is_empty() {
            apply_write(&mut self.flushed, pos, &bytes);
        } else {
            self.changes.push(Change::Durable { pos, bytes });
        }
    }

    fn survive(&mut self, random: &SimRandom) {
        for change in std::mem::take(&mut self.changes) {
            if matches!(change, Change::Durable { .. }) {
                change.apply(&mut self.flushed);
                continue;
            }
            match (change, random.below(4)) {
                (_, 0) => {}
                (Change::Write { pos, bytes }, 1) => {
                    for (pos, bytes) in torn(pos, &bytes, random) {
                        apply_write(&mut self.flushed, pos, &bytes);
                    }
                }
                (change, _) => change.apply(&mut self.flushed),
            }
        }
        self.live = self.flushed.clone();
    }
}

impl Change {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Change::Write { pos, bytes } | Change::Durable { pos, bytes } => {
                apply_write(content, pos, &bytes)
            }
            Change::SetLen(len) => content.resize(len, 0),
        }
    }
}

impl DirNode {
    pub(super) fn change(&mut self, change: NameChange) {
        change.clone().apply(&mut self.live);
        self.changes.push(change);
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<String, NodeId>) {
        match self {
            NameChange::Put(name, id) => {
                names.insert(name, id);
            }
            NameChange::Remove(name) => {
                names.remove(&name);
            }
            NameChange::Rename(from, to) => {
                if let Some(id) = names.remove(&from) {
                    names.insert(to, id);
                }
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

/// What reached the disk of a write that was torn: each sector or not; one in eight is rubbish.
fn torn(pos: usize, bytes: &[u8], random: &SimRandom) -> Vec<(usize, Vec<u8>)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes.len().min(at + SECTOR_BYTES - (pos + at) % SECTOR_BYTES);
        match random.below(8) {
            0 => pieces.push((pos + at, (at..end).map(|_| random.below(256) as u8).collect())),
            1..=4 => pieces.push((pos + at, bytes[at..end].to_vec())),
            _ => {}
        }
        at = end;
    }
    pieces
}
