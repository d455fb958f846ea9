//! Compression for tests by the libraries' own writers, so that what we read is not only what we write. Tests outside the
//! crate take this file too.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::Write;

use super::Codec;

pub(crate) const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

pub(crate) fn compress(codec: Codec, plain: &[u8]) -> Vec<u8> {
    match codec {
        Codec::None => plain.to_vec(),
        Codec::Gzip => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Snappy => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
        Codec::Lz4 => {
            let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
            let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        Codec::Zstd => zstd::encode_all(plain, 1).unwrap(),
    }
}

/// Snappy as snappy-java sends it: a header with magic and versions, then blocks with their lengths.
pub(crate) fn compress_xerial(plain: &[u8]) -> Vec<u8> {
    let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for chunk in plain.chunks(1000) {
        let block = compress(Codec::Snappy, chunk);
        out.extend((block.len() as u32).to_be_bytes());
        out.extend(block);
    }
    out
}
