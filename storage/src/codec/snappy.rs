//! Snappy as producers send it: xerial's stream of blocks, or one raw block.
//!
//! Layout of xerial's stream: magic 8, version 4, lowest compatible version 4, then for each block its compressed
//! length 4 and the block, all big-endian. A stream may follow another. Without the magic all bytes are one raw block.

use std::io;

use super::pool::{Pooled, kept};
use super::{Block, bad, take};

/// A copy element makes at most 64 bytes of three: a block that claims to grow more is lying.
const EXPANSION_MAX: usize = 22;
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_BYTES: usize = 16;
/// The header that snappy-java writes: both versions are 1.
const HEADER: [u8; HEADER_BYTES] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// Streams that ask for a newer reader are refused.
const VERSION: i32 = 1;
/// Plain bytes of each block that we write, as snappy-java's default.
pub(super) const BLOCK_BYTES: usize = 32 << 10;

pub(super) struct Reader<'a> {
    rest: &'a [u8],
    is_framed: bool,
    block: Block,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> io::Result<Reader<'a>> {
        let mut reader = Reader { rest: input, is_framed: false, block: Block::new() };
        if input.len() >= HEADER_BYTES && input.starts_with(&MAGIC) {
            reader.is_framed = true;
            reader.header()?;
        } else {
            let raw = std::mem::take(&mut reader.rest);
            reader.decode(raw)?;
        }
        Ok(reader)
    }

    fn header(&mut self) -> io::Result<()> {
        let header = take(&mut self.rest, HEADER_BYTES)?;
        let lowest = i32::from_be_bytes(header[12..].try_into().expect("four bytes"));
        if lowest > VERSION { Err(bad("it needs a newer reader of snappy")) } else { Ok(()) }
    }

    /// The next compressed block, `None` at the end. Like Java's reader, it takes less than a length for the end.
    fn next_block(&mut self) -> io::Result<Option<&'a [u8]>> {
        while self.is_framed && self.rest.len() >= 4 {
            if self.rest.starts_with(&MAGIC) {
                self.header()?;
                continue;
            }
            let len = take(&mut self.rest, 4)?;
            let len = u32::from_be_bytes(len.try_into().expect("four bytes"));
            return take(&mut self.rest, len as usize).map(Some);
        }
        Ok(None)
    }

    fn decode(&mut self, block: &[u8]) -> io::Result<()> {
        let len = snap::raw::decompress_len(block)?;
        if len > block.len().saturating_mul(EXPANSION_MAX) {
            return Err(bad("a snappy block claims more than it can hold"));
        }
        self.block.fill(len, |out| Ok(snap::raw::Decoder::new().decompress(block, out)?))
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            let Some(block) = self.next_block()? else { return Ok(0) };
            self.decode(block)?;
        }
        Ok(self.block.hand_on(buf))
    }
}

/// Its tables are large to be moved about.
struct Encoder(Box<snap::raw::Encoder>);

kept!(Encoder, |_this| true);

pub(super) struct Writer {
    encoder: Pooled<Encoder>,
}

impl Writer {
    pub(super) fn new(out: &mut Vec<u8>) -> Writer {
        out.extend(HEADER);
        let made = || Ok::<_, std::convert::Infallible>(Encoder(Box::new(snap::raw::Encoder::new())));
        let Ok(encoder) = Pooled::get(|_| true, made);
        Writer { encoder }
    }

    /// Adds a block of at most [`BLOCK_BYTES`].
    pub(super) fn block(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let at = out.len();
        out.resize(at + 4 + snap::raw::max_compress_len(plain.len()), 0);
        let n = self.encoder.0.compress(plain, &mut out[at + 4..]).expect("there is room for any block");
        out[at..at + 4].copy_from_slice(&(n as u32).to_be_bytes());
        out.truncate(at + 4 + n);
    }
}
