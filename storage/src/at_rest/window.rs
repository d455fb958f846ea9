//! A file read from front to back through one buffer, so that whole batches lie in memory.
//!
//! Invariant: the buffer never grows, whatever a batch's header claims. It must not know what the bytes mean.

use std::io;
use std::sync::Arc;

use crate::env::File;

/// The largest piece that is handed out whole.
pub(super) const WINDOW_BYTES: usize = 1 << 20;

pub(super) struct Window<'f> {
    file: &'f Arc<dyn File>,
    len: u64,
    buffer: Vec<u8>,
    from: u64,
    filled: usize,
}

impl<'f> Window<'f> {
    /// Nothing at or behind the position `len` is looked at.
    pub(super) fn new(file: &'f Arc<dyn File>, len: u64) -> Window<'f> {
        Window { file, len, buffer: vec![0; WINDOW_BYTES.min(len as usize)], from: 0, filled: 0 }
    }

    /// `bytes` at `position`, or as many as the file has; at most [`WINDOW_BYTES`].
    pub(super) fn at(&mut self, position: u64, bytes: usize) -> io::Result<&[u8]> {
        let bytes = bytes.min(self.buffer.len()).min(self.len.saturating_sub(position) as usize);
        let inside = position >= self.from && position + bytes as u64 <= self.from + self.filled as u64;
        if !inside {
            let wanted = self.len.saturating_sub(position).min(self.buffer.len() as u64) as usize;
            self.from = position;
            self.filled = 0;
            self.filled = self.file.read_at(&mut self.buffer[..wanted], position)?;
        }
        let at = (position - self.from) as usize;
        Ok(&self.buffer[at..(at + bytes).min(self.filled)])
    }
}
