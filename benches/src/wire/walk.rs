//! Walks over fetched batches as they stream in, to learn where the next fetch begins.
//!
//! Invariants: it keeps the head of one batch and nothing else, so that reading a reply stays within the CPU's
//! caches; only whole batches count, for a consumer drops the piece that Kafka may send at the end.

use anyhow::{Result, ensure};

use super::batch::LENGTH_END;

/// Base offset, length, leader epoch, magic, checksum, attributes and last offset delta.
const HEAD_BYTES: usize = 27;
const DELTA_AT: usize = 23;

#[derive(Debug, Clone)]
pub(crate) struct BatchWalk {
    head: [u8; HEAD_BYTES],
    head_have: usize,
    /// Bytes of the current batch that are still to come behind its head.
    body_left: usize,
    /// Whole batches, in bytes.
    pub whole_bytes: u64,
    /// The offset behind the last whole batch.
    pub next_offset: Option<i64>,
}

impl BatchWalk {
    pub(crate) fn new() -> Self {
        Self { head: [0; HEAD_BYTES], head_have: 0, body_left: 0, whole_bytes: 0, next_offset: None }
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.head_have < HEAD_BYTES {
                let step = bytes.len().min(HEAD_BYTES - self.head_have);
                self.head[self.head_have..self.head_have + step].copy_from_slice(&bytes[..step]);
                self.head_have += step;
                bytes = &bytes[step..];
                if self.head_have < HEAD_BYTES {
                    return Ok(());
                }
                self.body_left = self.batch_bytes()? - HEAD_BYTES;
            }
            let step = bytes.len().min(self.body_left);
            self.body_left -= step;
            bytes = &bytes[step..];
            if self.body_left == 0 {
                self.finish_batch()?;
            }
        }
        Ok(())
    }

    fn field(&self, at: usize) -> i32 {
        i32::from_be_bytes([self.head[at], self.head[at + 1], self.head[at + 2], self.head[at + 3]])
    }

    fn batch_bytes(&self) -> Result<usize> {
        let len = self.field(LENGTH_END - 4);
        ensure!(len as i64 + LENGTH_END as i64 > HEAD_BYTES as i64, "a batch of length {len} was fetched");
        Ok(len as usize + LENGTH_END)
    }

    fn finish_batch(&mut self) -> Result<()> {
        self.whole_bytes += self.batch_bytes()? as u64;
        let base = (i64::from(self.field(0)) << 32) | i64::from(self.field(4) as u32);
        self.next_offset = Some(base + i64::from(self.field(DELTA_AT)) + 1);
        self.head_have = 0;
        Ok(())
    }
}
