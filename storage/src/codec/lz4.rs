//! lz4 frames, as much of them as Kafka's clients know.
//!
//! Layout, little-endian: magic 4, flags 1, block size 1, content size 8 if flagged, header checksum 1; then blocks,
//! each a length 4 (the top bit: stored plain), its bytes and, if flagged, a checksum 4; then a length of 0 and, if
//! flagged, a checksum of the content. Like Java's reader this one wants independent blocks, checks the header's and
//! the blocks' checksums, and looks at nothing behind the end.

use std::io;

use lz4_flex::block;
use twox_hash::XxHash32;

use super::{Block, bad, take};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// Magic, version 1 with independent blocks, blocks of 64 KiB, and the checksum of those two bytes.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
/// Plain bytes of each block that we write.
pub(super) const BLOCK_BYTES: usize = 64 << 10;

const RESERVED: u8 = 0b0000_0011;
const CONTENT_SIZE: u8 = 0b0000_1000;
const BLOCK_CHECKSUM: u8 = 0b0001_0000;
/// Version and independence of blocks: what has to be, and where it stands.
const FORM: u8 = 0b0110_0000;
const FORM_MASK: u8 = 0b1110_0000;
const STORED: u32 = 1 << 31;
/// No byte of a block makes more than so many.
const EXPANSION_MAX: usize = 255;

pub(super) struct Reader<'a> {
    rest: &'a [u8],
    block_bytes_max: usize,
    has_checksums: bool,
    is_ended: bool,
    block: Block,
}

fn number(rest: &mut &[u8]) -> io::Result<u32> {
    let bytes = take(rest, 4)?;
    Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> io::Result<Reader<'a>> {
        let mut rest = input;
        if take(&mut rest, 4)? != MAGIC {
            return Err(bad("it is no lz4 frame"));
        }
        let from = rest;
        let &[flags, block_size] = take(&mut rest, 2)? else { unreachable!("two were taken") };
        if flags & FORM_MASK != FORM || flags & RESERVED != 0 {
            return Err(bad("an lz4 frame of dependent blocks, or of an unknown version"));
        }
        let block_bytes_max = match block_size {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return Err(bad("an unknown size of lz4 blocks")),
        };
        if flags & CONTENT_SIZE != 0 {
            take(&mut rest, 8)?;
        }
        let descriptor = &from[..from.len() - rest.len()];
        let checksum = (XxHash32::oneshot(0, descriptor) >> 8) as u8;
        if take(&mut rest, 1)? != [checksum] {
            return Err(bad("the checksum of the lz4 frame's header is wrong"));
        }
        let has_checksums = flags & BLOCK_CHECKSUM != 0;
        Ok(Reader { rest, block_bytes_max, has_checksums, is_ended: false, block: Block::new() })
    }

    /// Decodes the next block; false at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        let length = number(&mut self.rest)?;
        if length == 0 {
            self.is_ended = true;
            return Ok(false);
        }
        let bytes = (length & !STORED) as usize;
        if bytes > self.block_bytes_max {
            return Err(bad("an lz4 block is larger than its frame allows"));
        }
        let block = take(&mut self.rest, bytes)?;
        if self.has_checksums && number(&mut self.rest)? != XxHash32::oneshot(0, block) {
            return Err(bad("the checksum of an lz4 block is wrong"));
        }
        if length & STORED != 0 {
            self.block.fill(bytes, |out| {
                out.copy_from_slice(block);
                Ok(bytes)
            })?;
        } else {
            let plain_max = self.block_bytes_max.min(bytes.saturating_mul(EXPANSION_MAX));
            self.block.fill(plain_max, |out| {
                block::decompress_into(block, out).map_err(|_| bad("an lz4 block does not decode"))
            })?;
        }
        Ok(true)
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            if self.is_ended || !self.next_block()? {
                return Ok(0);
            }
        }
        Ok(self.block.hand_on(buf))
    }
}

pub(super) fn begin(out: &mut Vec<u8>) {
    out.extend(HEADER);
}

/// Adds a block of at most [`BLOCK_BYTES`]; plain, if compressing makes nothing of it.
pub(super) fn block(plain: &[u8], out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + 4 + block::get_maximum_output_size(plain.len()), 0);
    let packed = block::compress_into(plain, &mut out[at + 4..]).expect("there is room for any block");
    let (length, bytes) = if packed < plain.len() {
        (packed as u32, packed)
    } else {
        out[at + 4..at + 4 + plain.len()].copy_from_slice(plain);
        (plain.len() as u32 | STORED, plain.len())
    };
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
    out.truncate(at + 4 + bytes);
}

pub(super) fn end(out: &mut Vec<u8>) {
    out.extend([0; 4]);
}
