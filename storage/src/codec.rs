//! Decompression of record batches: streaming, and bounded in what it may give and take.
//!
//! Invariants: no more than the given limit ever comes out; working memory is bounded by the codec's window or by a
//! small multiple of the input, never by a length that the input merely claims. Nothing is compressed here: what
//! clients compressed is stored as it came. It must not know what the decompressed bytes are.

use std::io::{self, Read};

/// How a batch's records are compressed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// The most that one batch may decompress to, unless it is so large itself that [`EXPANSION_MAX`] allows more.
pub const DECOMPRESSED_BYTES_MAX: u64 = 256 << 20;
/// How many times its size a batch may grow to beyond [`DECOMPRESSED_BYTES_MAX`].
pub const EXPANSION_MAX: u64 = 64;

/// zstd's own default limit of what a decoder accepts (128 MiB, of which only touched pages are real): level 22 uses it.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// A snappy copy element makes at most 64 bytes of three: a block that claims to grow more is lying.
const SNAPPY_EXPANSION_MAX: usize = 22;
/// The stream header that snappy-java ("xerial") writes before its blocks: magic, version, lowest compatible version.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_BYTES: usize = 16;

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

/// A reader of what `input` decompresses to; it fails once more than `limit` bytes would come out.
pub fn decompress(codec: Codec, input: &[u8], limit: u64) -> io::Result<Box<dyn Read + '_>> {
    let inner: Box<dyn Read + '_> = match codec {
        Codec::None => Box::new(input),
        Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Codec::Snappy => Box::new(SnappyReader::new(input, limit)),
        Codec::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(input)),
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    Ok(Box::new(Bounded { inner, left: limit }))
}

struct Bounded<'a> {
    inner: Box<dyn Read + 'a>,
    left: u64,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| bad("it grows beyond the limit"))?;
        Ok(n)
    }
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Snappy in both forms that producers send: one raw block, or xerial's stream of blocks.
struct SnappyReader<'a> {
    rest: &'a [u8],
    framed: bool,
    started: bool,
    block: Vec<u8>,
    at: usize,
    limit: u64,
}

impl<'a> SnappyReader<'a> {
    fn new(input: &'a [u8], limit: u64) -> SnappyReader<'a> {
        let framed = input.len() >= XERIAL_HEADER_BYTES && input.starts_with(&XERIAL_MAGIC);
        let rest = if framed { &input[XERIAL_HEADER_BYTES..] } else { input };
        SnappyReader { rest, framed, started: false, block: Vec::new(), at: 0, limit }
    }

    /// The next compressed block, `None` at the end.
    fn next_block(&mut self) -> io::Result<Option<&'a [u8]>> {
        if !self.framed {
            let whole = (!self.started).then_some(self.rest);
            self.started = true;
            return Ok(whole);
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (len, rest) =
            self.rest.split_first_chunk::<4>().ok_or_else(|| bad("a snappy block's length is cut"))?;
        let len = u32::from_be_bytes(*len) as usize;
        if len > rest.len() {
            return Err(bad("a snappy block is cut"));
        }
        let (block, rest) = rest.split_at(len);
        self.rest = rest;
        Ok(Some(block))
    }

    fn decode(&mut self, block: &[u8]) -> io::Result<()> {
        let len = snap::raw::decompress_len(block)?;
        if len as u64 > self.limit || len > block.len().saturating_mul(SNAPPY_EXPANSION_MAX) {
            return Err(bad("a snappy block claims more than it can hold"));
        }
        self.block.resize(len, 0);
        let n = snap::raw::Decoder::new().decompress(block, &mut self.block)?;
        self.block.truncate(n);
        self.at = 0;
        Ok(())
    }
}

impl Read for SnappyReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            let Some(block) = self.next_block()? else { return Ok(0) };
            self.decode(block)?;
        }
        let n = buf.len().min(self.block.len() - self.at);
        buf[..n].copy_from_slice(&self.block[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{CODECS, compress, compress_xerial};
    use super::*;
    use proptest::prelude::*;

    fn all(codec: Codec, input: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompress(codec, input, limit)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn every_codec_gives_back_what_went_in() {
        let plain: Vec<u8> = (0..50_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        for codec in CODECS {
            assert_eq!(all(codec, &compress(codec, &plain), 1 << 20).unwrap(), plain, "{codec:?}");
        }
        assert_eq!(all(Codec::Snappy, &compress_xerial(&plain), 1 << 20).unwrap(), plain);
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let plain = vec![0u8; 4 << 20];
        for codec in CODECS {
            let error = all(codec, &compress(codec, &plain), 1 << 20).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{codec:?}");
        }
        assert!(all(Codec::Snappy, &compress_xerial(&plain), 1 << 20).is_err());
    }

    #[test]
    fn a_lying_snappy_length_allocates_nothing() {
        // The varint claims 2 GiB; three bytes follow.
        let lie = [0x80, 0x80, 0x80, 0x80, 0x08, 0, 0, 0];
        assert!(all(Codec::Snappy, &lie, u64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for codec in CODECS {
                let _ = all(codec, &bytes, 1 << 20);
            }
        }

        #[test]
        fn mutated_streams_never_panic(at in 0usize..2000, with: u8, plain in proptest::collection::vec(0u8..4, 0..4000)) {
            for codec in CODECS {
                let mut bytes = compress(codec, &plain);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = with;
                }
                let _ = all(codec, &bytes, 1 << 20);
            }
            let mut bytes = compress_xerial(&plain);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
            let _ = all(Codec::Snappy, &bytes, 1 << 20);
        }
    }
}
