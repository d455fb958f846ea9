//! The batches of one file, one by one: a segment of Kafka's metadata log, or one of its snapshots.
//!
//! Invariant: memory is bounded by the largest batch that is taken, not by what a length says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{BatchHeader, HEADER_BYTES, verify_crc};
use crate::env::{Env, File, OpenMode};

use super::AdoptError;

/// Kafka writes no longer ones into its metadata.
const BATCH_BYTES_MAX: usize = 64 << 20;

pub struct Batches {
    path: PathBuf,
    file: Arc<dyn File>,
    position: u64,
    len: u64,
    /// What follows the last right batch is an end that was not written to the end.
    may_be_torn: bool,
}

/// With `may_be_torn` the file ends at its last right batch, whatever stands behind.
pub fn batches(env: &Env, path: &Path, may_be_torn: bool) -> Result<Batches, AdoptError> {
    let io = |error| AdoptError::io("reading", path)(error);
    let file = env.files.open(path, OpenMode::Read).map_err(io)?;
    let len = file.len().map_err(io)?;
    Ok(Batches { path: path.to_owned(), file, position: 0, len, may_be_torn })
}

impl Batches {
    fn read(&self) -> Result<Result<(BatchHeader, Bytes), &'static str>, AdoptError> {
        let io = |error| AdoptError::io("reading", &self.path)(error);
        let mut head = [0; HEADER_BYTES];
        if self.file.read_at(&mut head, self.position).map_err(io)? < HEADER_BYTES {
            return Ok(Err("it is cut short"));
        }
        let Ok(header) = BatchHeader::parse(&head) else { return Ok(Err("no batch stands there")) };
        let bytes = header.total_bytes();
        if bytes > BATCH_BYTES_MAX || bytes as u64 > self.len - self.position {
            return Ok(Err("a batch is cut short"));
        }
        let mut batch = vec![0; bytes];
        if self.file.read_at(&mut batch, self.position).map_err(io)? < bytes {
            return Ok(Err("a batch is cut short"));
        }
        match verify_crc(&header, &batch) {
            Ok(()) => Ok(Ok((header, batch.into()))),
            Err(_) => Ok(Err("the checksum of a batch is wrong")),
        }
    }
}

impl Iterator for Batches {
    type Item = Result<(BatchHeader, Bytes), AdoptError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.len {
            return None;
        }
        match self.read() {
            Ok(Ok((header, batch))) => {
                self.position += batch.len() as u64;
                Some(Ok((header, batch)))
            }
            Ok(Err(_)) if self.may_be_torn => {
                self.position = self.len;
                None
            }
            Ok(Err(what)) => {
                let what = format!("{what}, at position {}", self.position);
                self.position = self.len;
                Some(Err(AdoptError::Damaged { path: self.path.clone(), what }))
            }
            Err(error) => {
                self.position = self.len;
                Some(Err(error))
            }
        }
    }
}
