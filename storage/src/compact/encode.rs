//! Stands in for the crate's encoders: compresses the records of a batch that was filtered with the batch's own codec.
//!
//! Every client reads what it writes: lz4 in independent blocks of 64 KiB, snappy as one raw block.

use std::io::{self, Write};

use crate::codec::Codec;

/// `plain` in `codec`, at the codec's usual level.
pub(super) fn compress(codec: Codec, plain: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        Codec::None => Ok(plain.to_vec()),
        Codec::Gzip => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            out.write_all(plain)?;
            out.finish()
        }
        Codec::Snappy => Ok(snap::raw::Encoder::new().compress_vec(plain)?),
        Codec::Lz4 => {
            let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
            let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            out.write_all(plain)?;
            out.finish().map_err(io::Error::other)
        }
        Codec::Zstd => zstd::encode_all(plain, zstd::DEFAULT_COMPRESSION_LEVEL),
    }
}
