//! A file's bytes for a dump: a map of it, or reads where somebody may be writing.
//!
//! Invariant: a file is mapped only while no broker has its data directory, because a map of a file that is cut ends the
//! process.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::env::{Env, File, OpenMode};

pub(super) enum Content {
    Map(Bytes),
    File(Arc<dyn File>, u64),
}

impl Content {
    pub(super) fn open(env: &Env, path: &Path, is_live: bool) -> io::Result<Content> {
        if !is_live {
            return env.files.map(path).map(Content::Map);
        }
        let file = env.files.open(path, OpenMode::Read)?;
        let len = file.len()?;
        Ok(Content::File(file, len))
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Content::Map(bytes) => bytes.len() as u64,
            Content::File(_, len) => *len,
        }
    }

    /// `bytes` at `position`, or as many as there are.
    pub(super) fn get(&self, position: u64, bytes: u64) -> io::Result<Bytes> {
        let position = position.min(self.len());
        let bytes = bytes.min(self.len() - position) as usize;
        match self {
            Content::Map(map) => Ok(map.slice(position as usize..position as usize + bytes)),
            Content::File(file, _) => {
                let mut read = vec![0; bytes];
                let n = file.read_at(&mut read, position)?;
                read.truncate(n);
                Ok(read.into())
            }
        }
    }
}
