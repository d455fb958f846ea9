//! The way in of a stream that is being compressed: bytes are gathered into blocks, and the result is bounded.
//!
//! Invariant: what comes out has at most the given length; the encoder is asked to go on only while that holds, so that
//! it exceeds the bound by a block at most before it is stopped.

use super::{Buffer, Codec, Encoding, gzip, lz4, snappy, zstd};

/// Why a stream could not be compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CompressError {
    /// The result is larger than it may be.
    TooLarge,
    /// The codec's own reason, which is want of memory.
    Codec(String),
}

/// Plain bytes that encoders without blocks of their own are given at a time.
const PIECE_BYTES: usize = 32 << 10;

enum Encoder {
    Plain,
    Gzip(gzip::Writer),
    Snappy(snappy::Writer),
    Lz4,
    Zstd(zstd::Writer),
    /// It could not begin.
    Failed(CompressError),
}

pub(crate) struct Compressor {
    encoder: Encoder,
    piece: Buffer,
    piece_bytes_max: usize,
    out: Vec<u8>,
    out_bytes_max: usize,
}

impl Compressor {
    /// Compresses behind what `out` holds already, so that all together has at most `out_bytes_max`. `about_bytes` are
    /// to come, as far as that is known.
    pub(crate) fn new(
        encoding: Encoding,
        about_bytes: Option<usize>,
        mut out: Vec<u8>,
        out_bytes_max: usize,
    ) -> Compressor {
        let encoder = match encoding.codec {
            Codec::None => Encoder::Plain,
            Codec::Gzip => Encoder::Gzip(gzip::Writer::new(encoding.level, &mut out)),
            Codec::Snappy => Encoder::Snappy(snappy::Writer::new(&mut out)),
            Codec::Lz4 => {
                lz4::begin(&mut out);
                Encoder::Lz4
            }
            Codec::Zstd => match zstd::Writer::new(encoding.level, about_bytes) {
                Ok(writer) => Encoder::Zstd(writer),
                Err(error) => Encoder::Failed(error),
            },
        };
        let piece_bytes_max = match encoding.codec {
            Codec::Snappy => snappy::BLOCK_BYTES,
            Codec::Lz4 => lz4::BLOCK_BYTES,
            _ => PIECE_BYTES,
        };
        Compressor { encoder, piece: Buffer::get(), piece_bytes_max, out, out_bytes_max }
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), CompressError> {
        while !bytes.is_empty() {
            let room = self.piece_bytes_max - self.piece.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == self.piece_bytes_max {
                self.encode_piece()?;
            }
        }
        Ok(())
    }

    fn encode_piece(&mut self) -> Result<(), CompressError> {
        let (piece, out) = (&self.piece[..], &mut self.out);
        match &mut self.encoder {
            Encoder::Plain => out.extend_from_slice(piece),
            Encoder::Gzip(writer) => writer.block(piece, out)?,
            Encoder::Snappy(writer) => writer.block(piece, out),
            Encoder::Lz4 => lz4::block(piece, out),
            Encoder::Zstd(writer) => writer.block(piece, out)?,
            Encoder::Failed(error) => return Err(error.clone()),
        }
        self.piece.clear();
        self.check_bound()
    }

    fn check_bound(&self) -> Result<(), CompressError> {
        if self.out.len() > self.out_bytes_max { Err(CompressError::TooLarge) } else { Ok(()) }
    }

    /// The whole stream, behind what stood there at the beginning.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, CompressError> {
        if !self.piece.is_empty() {
            self.encode_piece()?;
        }
        match &mut self.encoder {
            Encoder::Plain | Encoder::Snappy(_) => {}
            Encoder::Gzip(writer) => writer.end(&mut self.out)?,
            Encoder::Lz4 => lz4::end(&mut self.out),
            Encoder::Zstd(writer) => writer.end(&mut self.out)?,
            Encoder::Failed(error) => return Err(error.clone()),
        }
        self.check_bound()?;
        Ok(self.out)
    }
}
