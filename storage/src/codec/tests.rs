//! Round trips with the libraries' own readers and writers on the other side, limits, and what Java's readers do at the
//! edges of their formats.

use std::io::Write;

use super::testing::{CODECS, compress as foreign, compress_xerial};
use super::*;
use proptest::prelude::*;

fn all(codec: Codec, input: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    decompress(codec, input, limit)?.read_to_end(&mut out)?;
    Ok(out)
}

/// Read by somebody else's reader.
fn foreign_read(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match codec {
        Codec::None => out.extend(input),
        Codec::Gzip => drop(flate2::read::GzDecoder::new(input).read_to_end(&mut out).unwrap()),
        Codec::Lz4 => drop(lz4_flex::frame::FrameDecoder::new(input).read_to_end(&mut out).unwrap()),
        Codec::Zstd => out = ::zstd::decode_all(input).unwrap(),
        Codec::Snappy => {
            let mut rest = input.strip_prefix(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01").unwrap();
            while let Some((len, behind)) = rest.split_first_chunk::<4>() {
                let (block, behind) = behind.split_at(u32::from_be_bytes(*len) as usize);
                out.extend(snap::raw::Decoder::new().decompress_vec(block).unwrap());
                rest = behind;
            }
            assert!(rest.is_empty());
        }
    }
    out
}

fn encodings() -> Vec<Encoding> {
    let levels = [-1, 1, 9].map(|level| Encoding { codec: Codec::Gzip, level }).into_iter();
    let zstd = [-7, 0, 1, 3, 19, 20].map(|level| Encoding { codec: Codec::Zstd, level });
    let lz4 = [1, 17].map(|level| Encoding { codec: Codec::Lz4, level });
    CODECS.map(Encoding::of).into_iter().chain(levels).chain(zstd).chain(lz4).collect()
}

#[test]
fn every_codec_gives_back_what_went_in() {
    let plain: Vec<u8> = (0..50_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
    for codec in CODECS {
        assert_eq!(all(codec, &foreign(codec, &plain), 1 << 20).unwrap(), plain, "{codec:?}");
    }
    assert_eq!(all(Codec::Snappy, &compress_xerial(&plain), 1 << 20).unwrap(), plain);
    for encoding in encodings() {
        let packed = compress(encoding, &plain);
        assert_eq!(all(encoding.codec, &packed, 1 << 20).unwrap(), plain, "{encoding:?}");
        assert_eq!(foreign_read(encoding.codec, &packed), plain, "{encoding:?}");
    }
}

#[test]
fn levels_are_felt() {
    let plain: Vec<u8> =
        (0..60_000u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 20).to_le_bytes()).collect();
    for (codec, low, high) in [(Codec::Gzip, 1, 9), (Codec::Zstd, -5, 19)] {
        let bytes = |level| compress(Encoding { codec, level }, &plain).len();
        assert!(bytes(high) < bytes(low), "{codec:?}: {} {}", bytes(high), bytes(low));
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    let plain = vec![0u8; 4 << 20];
    for codec in CODECS {
        let error = all(codec, &foreign(codec, &plain), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{codec:?}");
    }
    assert!(all(Codec::Snappy, &compress_xerial(&plain), 1 << 20).is_err());
}

/// A record of `bytes` zeros, in a zstd frame whose window is as large as `window_log` says.
fn windowed(bytes: usize, window_log: u32) -> Vec<u8> {
    let mut encoder = ::zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.write_all(&vec![0; bytes]).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_light_reader_gives_up_what_is_much_work_and_nothing_else() {
    let read = |codec, input: &[u8], effort| {
        let reader = decompress(codec, input, u64::MAX).and_then(|reader| reader.at(effort));
        reader.and_then(|mut reader| reader.read_to_end(&mut Vec::new())).map_err(|error| error.kind())
    };
    let (little, much) = (vec![0u8; 1 << 20], vec![0u8; (LIGHT_BYTES_MAX + 1) as usize]);
    for codec in CODECS {
        let (little, much) = (foreign(codec, &little), foreign(codec, &much));
        assert_eq!(read(codec, &little, Effort::Light), Ok(1 << 20), "{codec:?}");
        assert_eq!(read(codec, &much, Effort::Light), Err(io::ErrorKind::QuotaExceeded), "{codec:?}");
        assert_eq!(read(codec, &much, Effort::Whole), Ok((LIGHT_BYTES_MAX + 1) as usize), "{codec:?}");
        if codec != Codec::None {
            let cut = &little[..little.len() - 1];
            assert_ne!(read(codec, cut, Effort::Light), Err(io::ErrorKind::QuotaExceeded), "{codec:?}");
        }
    }
    let (usual, wide) = (windowed(1 << 20, 23), windowed(1 << 20, 27));
    assert_eq!(read(Codec::Zstd, &usual, Effort::Light), Ok(1 << 20));
    assert_eq!(read(Codec::Zstd, &wide, Effort::Light), Err(io::ErrorKind::QuotaExceeded));
    assert_eq!(
        read(Codec::Zstd, &wide, Effort::Whole),
        Ok(1 << 20),
        "the decoder that was used before has no say"
    );
}

#[test]
fn what_is_written_keeps_its_bound() {
    let noise: Vec<u8> = (0..200_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for encoding in encodings() {
        let mut out = Compressor::new(encoding, None, vec![7; 61], 10_000);
        let written = out.write(&noise).and_then(|()| out.finish());
        assert_eq!(written, Err(CompressError::TooLarge), "{encoding:?}");
        let mut out = Compressor::new(encoding, None, vec![7; 61], 1 << 20);
        out.write(&noise).unwrap();
        let written = out.finish().unwrap();
        assert_eq!(written[..61], [7; 61]);
        assert_eq!(all(encoding.codec, &written[61..], 1 << 20).unwrap(), noise, "{encoding:?}");
    }
}

#[test]
fn a_lying_snappy_length_allocates_nothing() {
    // The varint claims 2 GiB; three bytes follow.
    let lie = [0x80, 0x80, 0x80, 0x80, 0x08, 0, 0, 0];
    assert!(all(Codec::Snappy, &lie, u64::MAX).is_err());
}

#[test]
fn streams_that_are_cut_are_not_whole() {
    let plain: Vec<u8> = (0..30_000u32).flat_map(|i| (i / 5).to_le_bytes()).collect();
    for codec in &CODECS[1..] {
        let whole = compress(Encoding::of(*codec), &plain);
        for cut in [0, 1, 6, 16, whole.len() / 2, whole.len() - 5] {
            let read = all(*codec, &whole[..cut], 1 << 20);
            assert!(read.is_err() || read.unwrap() != plain, "{codec:?} cut to {cut}");
        }
    }
}

#[test]
fn what_java_passes_over_behind_a_stream() {
    let plain = b"something to say, and to say, and to say".repeat(9);
    for (codec, tail, passes) in [
        (Codec::Gzip, &b"\x1f\x8b"[..], true),
        (Codec::Gzip, b"twenty bytes of rubbish, or more", true),
        (Codec::Lz4, b"whatever", true),
        (Codec::Snappy, b"\0\0\0", true),
        (Codec::Snappy, b"\0\0\0\x09", false),
        (Codec::Zstd, b"whatever", false),
    ] {
        let bytes = [&compress(Encoding::of(codec), &plain)[..], tail].concat();
        let read = all(codec, &bytes, 1 << 20);
        assert_eq!(read.is_ok_and(|read| read == plain), passes, "{codec:?} {tail:?}");
    }
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Zstd] {
        let twice = compress(Encoding::of(codec), &plain).repeat(2);
        assert_eq!(all(codec, &twice, 1 << 20).unwrap(), plain.repeat(2), "{codec:?}: two streams are one");
    }
}

/// As Java's reader: what it cannot read must not come into a log.
#[test]
fn lz4_frames_that_consumers_cannot_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let plain: Vec<u8> = (0..70_000u32).flat_map(|i| (i / 9).to_le_bytes()).collect();
    let frame = |info: FrameInfo| {
        let mut out = FrameEncoder::with_frame_info(info, Vec::new());
        out.write_all(&plain).unwrap();
        out.finish().unwrap()
    };
    let read = |bytes: &[u8]| all(Codec::Lz4, bytes, 1 << 20);
    assert!(read(&frame(FrameInfo::new().block_mode(BlockMode::Linked))).is_err());
    for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
        let info = FrameInfo::new().block_size(size).content_size(Some(plain.len() as u64));
        let good = frame(info.block_checksums(true).content_checksum(true));
        assert_eq!(read(&good).unwrap(), plain);
        for at in [0, 4, 5, 6, 14, 20, 400] {
            let mut bad = good.clone();
            bad[at] ^= 0x08;
            assert!(read(&bad).is_err(), "byte {at}");
        }
    }
}

#[test]
fn gzip_headers_with_all_their_fields() {
    let plain = b"plain".repeat(100);
    let built = flate2::GzBuilder::new().filename("name").comment("words").extra(vec![1, 2, 3]).mtime(7);
    let mut out = built.write(Vec::new(), flate2::Compression::best());
    out.write_all(&plain).unwrap();
    let packed = out.finish().unwrap();
    assert_eq!(all(Codec::Gzip, &packed, 1 << 20).unwrap(), plain);
    let at = packed.len() - 8;
    for (at, what) in [(at, "CRC"), (at + 4, "length"), (2, "method"), (0, "magic")] {
        let mut bad = packed.clone();
        bad[at] ^= 1;
        assert!(all(Codec::Gzip, &bad, 1 << 20).is_err(), "{what}");
    }
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
        let streams = CODECS.map(|codec| (codec, foreign(codec, &plain))).into_iter()
            .chain(CODECS.map(|codec| (codec, compress(Encoding::of(codec), &plain))))
            .chain([(Codec::Snappy, compress_xerial(&plain))]);
        for (codec, mut bytes) in streams {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = with;
            }
            let _ = all(codec, &bytes, 1 << 20);
        }
    }

    /// Whatever it is and in whatever pieces it comes, it is given back, by us and by somebody else's reader.
    #[test]
    fn round_trips(
        which in 0usize..16,
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
        repeat in 1usize..40,
    ) {
        let all_of = encodings();
        let encoding = all_of[which % all_of.len()];
        let plain = pieces.concat().repeat(repeat);
        let mut out = Compressor::new(encoding, (which % 2 == 0).then_some(plain.len()), Vec::new(), usize::MAX);
        for _ in 0..repeat {
            pieces.iter().try_for_each(|piece| out.write(piece)).unwrap();
        }
        let packed = out.finish().unwrap();
        prop_assert_eq!(&all(encoding.codec, &packed, 1 << 20).unwrap(), &plain);
        prop_assert_eq!(&foreign_read(encoding.codec, &packed), &plain);
        prop_assert_eq!(&all(encoding.codec, &foreign(encoding.codec, &plain), 1 << 20).unwrap(), &plain);
    }
}
