//! Where a walk over records takes its bytes from: a slice of an uncompressed batch, or a stream being decompressed.
//!
//! Invariant: nothing is allocated on the strength of a length alone. It must not know the layout of records, only
//! Kafka's zigzag integers.

use std::borrow::Cow;
use std::io::Read;

use crate::codec::Buffer;

/// Why no more could be read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The bytes ended too early.
    Ended,
    /// The bytes are there, but wrong.
    Bad(&'static str),
    /// The stream behind them does not decompress.
    Stream(std::io::Error),
}

pub(crate) trait Source<'a> {
    fn byte(&mut self) -> Result<u8, Fault>;
    fn skip(&mut self, bytes: usize) -> Result<(), Fault>;
    fn take(&mut self, bytes: usize) -> Result<Cow<'a, [u8]>, Fault>;
    /// Hands the next `bytes` on, in as many pieces as they come in.
    fn copy(&mut self, bytes: usize, to: &mut impl FnMut(&[u8])) -> Result<(), Fault>;
    /// What lies ready in memory behind the position: all the rest of a slice, some of a stream.
    fn ready(&self) -> &[u8];
    /// Bytes read so far.
    fn position(&self) -> u64;
    fn is_at_end(&mut self) -> Result<bool, Fault>;

    #[inline]
    fn unsigned(&mut self, bytes_max: u32) -> Result<u64, Fault> {
        let mut value = 0u64;
        for i in 0..bytes_max {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::Bad("a variable-length integer is too long"))
    }

    #[inline]
    fn varint(&mut self) -> Result<i32, Fault> {
        // Kafka's reader lets the bits above the 32nd fall off; so does this one.
        let raw = self.unsigned(5)? as u32;
        Ok(((raw >> 1) as i32) ^ -((raw & 1) as i32))
    }

    #[inline]
    fn varlong(&mut self) -> Result<i64, Fault> {
        let raw = self.unsigned(10)?;
        Ok(((raw >> 1) as i64) ^ -((raw & 1) as i64))
    }
}

/// Bytes in memory.
pub(crate) struct SliceSource<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> SliceSource<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> SliceSource<'a> {
        SliceSource { bytes, at: 0 }
    }
}

impl<'a> Source<'a> for SliceSource<'a> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Ended)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn skip(&mut self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.bytes.len() - self.at {
            return Err(Fault::Ended);
        }
        self.at += bytes;
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<Cow<'a, [u8]>, Fault> {
        let from = self.at;
        self.skip(bytes)?;
        Ok(Cow::Borrowed(&self.bytes[from..self.at]))
    }

    fn copy(&mut self, bytes: usize, to: &mut impl FnMut(&[u8])) -> Result<(), Fault> {
        let from = self.at;
        self.skip(bytes)?;
        to(&self.bytes[from..self.at]);
        Ok(())
    }

    #[inline]
    fn ready(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn position(&self) -> u64 {
        self.at as u64
    }

    fn is_at_end(&mut self) -> Result<bool, Fault> {
        Ok(self.at == self.bytes.len())
    }
}

/// A stream, read through a buffer.
pub(crate) struct StreamSource<R> {
    stream: R,
    buffer: Buffer,
    at: usize,
    filled: usize,
    /// Bytes of all earlier fillings of the buffer.
    before: u64,
}

const STREAM_BUFFER_BYTES: usize = 16 << 10;

impl<R: Read> StreamSource<R> {
    pub(crate) fn new(stream: R) -> StreamSource<R> {
        let mut buffer = Buffer::get();
        buffer.resize(STREAM_BUFFER_BYTES, 0);
        StreamSource { stream, buffer, at: 0, filled: 0, before: 0 }
    }

    /// Fills the empty buffer again; false at the stream's end.
    #[cold]
    fn refill(&mut self) -> Result<bool, Fault> {
        self.before += self.filled as u64;
        (self.at, self.filled) = (0, 0);
        loop {
            match self.stream.read(&mut self.buffer) {
                Ok(n) => {
                    self.filled = n;
                    return Ok(n > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Stream(error)),
            }
        }
    }

    /// Takes up to `bytes` from the buffer, at least one.
    fn some(&mut self, bytes: usize) -> Result<&[u8], Fault> {
        if self.at == self.filled && !self.refill()? {
            return Err(Fault::Ended);
        }
        let from = self.at;
        self.at += bytes.min(self.filled - self.at);
        Ok(&self.buffer[from..self.at])
    }
}

impl<'a, R: Read> Source<'a> for StreamSource<R> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Fault> {
        if self.at < self.filled {
            self.at += 1;
            return Ok(self.buffer[self.at - 1]);
        }
        Ok(self.some(1)?[0])
    }

    fn skip(&mut self, mut bytes: usize) -> Result<(), Fault> {
        while bytes > 0 {
            bytes -= self.some(bytes)?.len();
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<Cow<'a, [u8]>, Fault> {
        // Grows with what really comes, whatever the length says.
        let mut out = Vec::new();
        while out.len() < bytes {
            let wanted = bytes - out.len();
            out.extend_from_slice(self.some(wanted)?);
        }
        Ok(Cow::Owned(out))
    }

    fn copy(&mut self, mut bytes: usize, to: &mut impl FnMut(&[u8])) -> Result<(), Fault> {
        while bytes > 0 {
            let some = self.some(bytes)?;
            bytes -= some.len();
            to(some);
        }
        Ok(())
    }

    #[inline]
    fn ready(&self) -> &[u8] {
        &self.buffer[self.at..self.filled]
    }

    fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    fn is_at_end(&mut self) -> Result<bool, Fault> {
        Ok(self.at == self.filled && !self.refill()?)
    }
}

/// How many bytes [`write_varlong`] writes.
pub(crate) fn varlong_bytes(value: i64) -> u64 {
    let raw = ((value << 1) ^ (value >> 63)) as u64;
    u64::from(64 - (raw | 1).leading_zeros()).div_ceil(7)
}

pub(crate) fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// The zigzag form of an `i32` is that of the same `i64`.
pub(crate) fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_varlong(out, i64::from(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_encodings() {
        for (value, bytes) in [(0, vec![0]), (-1, vec![1]), (1, vec![2]), (63, vec![126]), (64, vec![128, 1])]
        {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn both_sources_read_alike() {
        let bytes: Vec<u8> = (0..60_000u32).map(|i| (i % 100) as u8).collect();
        let (mut slice, mut stream) = (SliceSource::new(&bytes), StreamSource::new(&bytes[..]));
        for step in [1, 16_328, 7, 20_000, 500, 22_750] {
            slice.skip(step).unwrap();
            stream.skip(step).unwrap();
            assert_eq!(slice.take(5).unwrap(), stream.take(5).unwrap());
            let (mut of_slice, mut of_stream) = (Vec::new(), Vec::new());
            slice.copy(50, &mut |bytes| of_slice.extend_from_slice(bytes)).unwrap();
            stream.copy(50, &mut |bytes| of_stream.extend_from_slice(bytes)).unwrap();
            assert_eq!((of_slice.len(), &of_slice), (50, &of_stream));
            assert_eq!(slice.position(), stream.position());
        }
        assert!(matches!((slice.skip(100), stream.skip(100)), (Err(Fault::Ended), Err(Fault::Ended))));
    }

    proptest! {
        #[test]
        fn integers_round_trip(value: i64, small: i32) {
            let mut out = Vec::new();
            write_varlong(&mut out, value);
            prop_assert_eq!(varlong_bytes(value), out.len() as u64);
            write_varint(&mut out, small);
            let mut source = SliceSource::new(&out);
            prop_assert_eq!(source.varlong().unwrap(), value);
            prop_assert_eq!(source.varint().unwrap(), small);
            prop_assert!(source.is_at_end().unwrap());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            let _ = SliceSource::new(&bytes).varint();
            let _ = SliceSource::new(&bytes).varlong();
        }
    }
}
