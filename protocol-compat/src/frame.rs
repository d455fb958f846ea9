//! Frames: a four-byte length and that many bytes, split off a receive buffer without copying.
//!
//! Memory is taken as bytes arrive, never on the strength of a length prefix: [`growth`] says how much more room a
//! partial frame may have, a small multiple of what it has already sent.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes of the length prefix.
pub const PREFIX_BYTES: usize = 4;

/// How much of a frame may be reserved ahead, as a multiple of what has arrived.
const GROWTH_FACTOR: usize = 3;

/// What a receive buffer holds at its front.
#[derive(Debug, PartialEq, Eq)]
pub enum Split {
    /// A whole frame, without its prefix.
    Frame(Bytes),
    /// A partial frame (or nothing): so many bytes are missing at least.
    Missing(usize),
}

/// A length prefix that no honest peer sends.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    #[error("a frame of {len} bytes exceeds the limit of {max} bytes")]
    TooLarge { len: usize, max: usize },
    #[error("a frame has the negative length {0}")]
    Negative(i32),
}

/// Splits the next whole frame off `buffer`. The bytes stay in the buffer's allocation.
pub fn split(buffer: &mut BytesMut, frame_bytes_max: usize) -> Result<Split, FrameError> {
    let Some(prefix) = buffer.first_chunk::<PREFIX_BYTES>() else {
        return Ok(Split::Missing(PREFIX_BYTES - buffer.len()));
    };
    let len = i32::from_be_bytes(*prefix);
    let len = usize::try_from(len).map_err(|_| FrameError::Negative(len))?;
    if len > frame_bytes_max {
        return Err(FrameError::TooLarge { len, max: frame_bytes_max });
    }
    let whole = PREFIX_BYTES + len;
    if buffer.len() < whole {
        return Ok(Split::Missing(whole - buffer.len()));
    }
    buffer.advance(PREFIX_BYTES);
    Ok(Split::Frame(buffer.split_to(len).freeze()))
}

/// How much room to reserve behind a partial frame that has `arrived` bytes and misses `missing`: never less than one
/// read's worth (`step`), never more than is missing, and otherwise in proportion to what the peer has really sent.
pub fn growth(arrived: usize, missing: usize, step: usize) -> usize {
    missing.min(step.max(arrived.saturating_mul(GROWTH_FACTOR)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_frames_are_split_and_the_rest_stays() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 5, 1][..]);
        assert_eq!(split(&mut buffer, 10), Ok(Split::Frame(Bytes::from_static(&[7, 8]))));
        assert_eq!(split(&mut buffer, 10), Ok(Split::Frame(Bytes::new())));
        assert_eq!(split(&mut buffer, 10), Ok(Split::Missing(4)));
        assert_eq!(&buffer[..], &[0, 0, 0, 5, 1]);
    }

    #[test]
    fn hostile_lengths_are_refused_before_any_room_is_taken() {
        let mut huge = BytesMut::from(&i32::MAX.to_be_bytes()[..]);
        assert_eq!(split(&mut huge, 100), Err(FrameError::TooLarge { len: i32::MAX as usize, max: 100 }));
        let mut negative = BytesMut::from(&(-1i32).to_be_bytes()[..]);
        assert_eq!(split(&mut negative, 100), Err(FrameError::Negative(-1)));
    }

    #[test]
    fn growth_follows_what_arrived() {
        assert_eq!(growth(4, 100 << 20, 64 << 10), 64 << 10);
        assert_eq!(growth(1 << 20, 100 << 20, 64 << 10), 3 << 20);
        assert_eq!(growth(1 << 20, 10, 64 << 10), 10);
    }

    proptest! {
        /// However the stream is cut into reads, the same frames come out.
        #[test]
        fn cuts_do_not_matter(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20), step in 1usize..40) {
            let mut stream = Vec::new();
            for f in &frames {
                stream.extend((f.len() as i32).to_be_bytes());
                stream.extend(f);
            }
            let mut buffer = BytesMut::new();
            let mut out = Vec::new();
            for chunk in stream.chunks(step) {
                buffer.extend_from_slice(chunk);
                while let Split::Frame(f) = split(&mut buffer, 50).unwrap() {
                    out.push(f.to_vec());
                }
            }
            prop_assert_eq!(out, frames);
            prop_assert!(buffer.is_empty());
        }
    }
}
