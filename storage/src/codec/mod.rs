//! Compression of record batches, both ways: streaming, and bounded in what it may give and take.
//!
//! Formats are those of Kafka's clients: gzip (RFC 1952), snappy in xerial's stream of blocks or as one raw block, lz4
//! frames of independent blocks, zstd frames. Invariants: no more than the given limit ever comes out; working memory is
//! bounded by the codec's window or by a small multiple of the input, never by a length that the input merely claims;
//! what Java's reader refuses is refused, so that no consumer meets a batch that it cannot read. The contexts of the
//! codecs belong to threads ([`pool`]) and are used again. This module must not know what the plain bytes are.

mod gzip;
mod lz4;
mod pool;
mod snappy;
mod writer;
mod zstd;

use std::io::{self, Read};

pub(crate) use pool::Buffer;
pub(crate) use writer::{CompressError, Compressor};

/// How a batch's records are compressed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// A codec, and how hard it tries where it has levels.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    pub codec: Codec,
    /// gzip: -1 (its default) or 1 to 9. zstd: up to 22, negative ones are quicker. lz4: accepted, but every level
    /// compresses alike, as the level that is Kafka's default; none changes the format. The others have none.
    pub level: i32,
}

impl Encoding {
    /// The codec with the level that Kafka gives it by default.
    pub const fn of(codec: Codec) -> Encoding {
        let level = match codec {
            Codec::Gzip => gzip::LEVEL_DEFAULT,
            Codec::Lz4 => 9,
            Codec::Zstd => 3,
            Codec::None | Codec::Snappy => 0,
        };
        Encoding { codec, level }
    }
}

/// The most that one batch may decompress to, unless it is so large itself that [`EXPANSION_MAX`] allows more. No client's
/// batch comes near; and a zstd frame touches as much memory as comes out of it, up to a window of 128 MiB.
pub const DECOMPRESSED_BYTES_MAX: u64 = 64 << 20;
/// How many times its size a batch may grow to beyond [`DECOMPRESSED_BYTES_MAX`].
pub const EXPANSION_MAX: u64 = 64;

impl Codec {
    pub fn from_id(id: u8) -> Option<Codec> {
        Some(match id {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            _ => return None,
        })
    }

    /// The number in a batch's attributes.
    pub fn id(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }
}

/// What a batch of `compressed_bytes` may decompress to.
pub fn decompressed_bytes_max(compressed_bytes: usize) -> u64 {
    DECOMPRESSED_BYTES_MAX.max(EXPANSION_MAX.saturating_mul(compressed_bytes as u64))
}

/// How much work the reading of a batch may be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Effort {
    /// So little that others can wait for it: [`LIGHT_BYTES_MAX`] come out of it, or a window of half of that is needed.
    Light,
    /// Whatever a batch may be.
    Whole,
}

/// What a thread that serves others decompresses of one batch.
const LIGHT_BYTES_MAX: u64 = 16 << 20;

/// A reader of what `input` decompresses to; it fails once more than `limit` bytes would come out.
pub fn decompress(codec: Codec, input: &[u8], limit: u64) -> io::Result<Decompressor<'_>> {
    let inner = match codec {
        Codec::None => Inner::Plain(input),
        Codec::Gzip => Inner::Gzip(gzip::Reader::new(input)?),
        Codec::Snappy => Inner::Snappy(snappy::Reader::new(input)?),
        Codec::Lz4 => Inner::Lz4(lz4::Reader::new(input)?),
        Codec::Zstd => Inner::Zstd(zstd::Reader::new(input)?),
    };
    Ok(Decompressor { inner, left: limit, effort: Effort::Whole })
}

/// `plain` as one stream of `encoding`.
pub fn compress(encoding: Encoding, plain: &[u8]) -> Vec<u8> {
    let mut out = Compressor::new(encoding, Some(plain.len()), Vec::new(), usize::MAX);
    let written = out.write(plain);
    written.and_then(|()| out.finish()).expect("there is memory, and no other bound")
}

/// See [`decompress`].
pub struct Decompressor<'a> {
    inner: Inner<'a>,
    left: u64,
    effort: Effort,
}

impl Decompressor<'_> {
    /// A reader that gives up with [`io::ErrorKind::QuotaExceeded`] where it would be more work than that.
    pub(crate) fn at(mut self, effort: Effort) -> io::Result<Self> {
        if effort == Effort::Light {
            (self.left, self.effort) = (self.left.min(LIGHT_BYTES_MAX), effort);
            if let Inner::Zstd(reader) = &mut self.inner {
                reader.take_small_windows_only()?;
            }
        }
        Ok(self)
    }
}

enum Inner<'a> {
    Plain(&'a [u8]),
    Gzip(gzip::Reader<'a>),
    Snappy(snappy::Reader<'a>),
    Lz4(lz4::Reader<'a>),
    Zstd(zstd::Reader<'a>),
}

impl Read for Decompressor<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.inner {
            Inner::Plain(input) => input.read(buf)?,
            Inner::Gzip(reader) => reader.read(buf)?,
            Inner::Snappy(reader) => reader.read(buf)?,
            Inner::Lz4(reader) => reader.read(buf)?,
            Inner::Zstd(reader) => reader.read(buf)?,
        };
        let Some(left) = self.left.checked_sub(n as u64) else {
            return Err(match self.effort {
                Effort::Light => io::ErrorKind::QuotaExceeded.into(),
                Effort::Whole => bad("it grows beyond the limit"),
            });
        };
        self.left = left;
        Ok(n)
    }
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The next `bytes` of `rest`.
fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> io::Result<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(bytes).ok_or_else(|| bad("the stream is cut short"))?;
    *rest = behind;
    Ok(taken)
}

/// A codec's block that was decoded as a whole, and how far it was handed on.
struct Block {
    bytes: Buffer,
    at: usize,
}

impl Block {
    fn new() -> Block {
        Block { bytes: Buffer::get(), at: 0 }
    }

    fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Fills the block with what `decode` makes of at most `bytes_max` bytes.
    fn fill(
        &mut self,
        bytes_max: usize,
        decode: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        self.at = 0;
        self.bytes.resize(bytes_max, 0);
        let decoded = decode(&mut self.bytes);
        self.bytes.truncate(*decoded.as_ref().unwrap_or(&0));
        decoded.map(drop)
    }

    fn hand_on(&mut self, buf: &mut [u8]) -> usize {
        let n = buf.len().min(self.bytes.len() - self.at);
        buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        n
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
