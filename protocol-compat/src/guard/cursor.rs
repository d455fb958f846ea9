//! A reader over a peer's bytes: every step is checked against what is left, and says where it failed.
//!
//! It owns nothing and allocates nothing. It knows integers and lengths, not schemas.

use super::{GuardError, Violation};

/// What has been read is everything before `at`.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn violation(&self, violation: Violation) -> GuardError {
        GuardError::Malformed { at: self.at, violation }
    }

    #[inline]
    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'a [u8], GuardError> {
        if bytes > self.left() {
            return Err(self.violation(Violation::Truncated));
        }
        let taken = &self.bytes[self.at..self.at + bytes];
        self.at += bytes;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn take_array<const N: usize>(&mut self) -> Result<[u8; N], GuardError> {
        match self.bytes[self.at..].first_chunk::<N>() {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => Err(self.violation(Violation::Truncated)),
        }
    }

    #[inline]
    pub(crate) fn i16(&mut self) -> Result<i16, GuardError> {
        self.take_array().map(i16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32, GuardError> {
        self.take_array().map(i32::from_be_bytes)
    }

    /// An unsigned varint of at most five bytes. Bits beyond the 32nd are dropped, as Kafka drops them; a sixth byte is
    /// an error there and here.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u32, GuardError> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u32::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u32, GuardError> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.violation(Violation::VarintTooLong))
    }

    /// Text of a length already read.
    #[inline]
    pub(crate) fn text(&mut self, bytes: usize) -> Result<&'a str, GuardError> {
        let taken = self.take(bytes)?;
        std::str::from_utf8(taken).map_err(|_| self.violation(Violation::NotUtf8))
    }

    /// The number and size of an unknown tag, skipped with its bytes.
    pub(crate) fn skip_tag(&mut self) -> Result<(), GuardError> {
        self.varint()?;
        self.skip_tag_body()
    }

    /// The size of an unknown tag whose number was read, skipped with its bytes.
    pub(crate) fn skip_tag_body(&mut self) -> Result<(), GuardError> {
        let bytes = self.varint()? as usize;
        self.take(bytes).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use kafka_protocol::protocol::buf::ByteBufMut;
    use proptest::prelude::*;

    fn put_varint(mut value: u32, out: &mut BytesMut) {
        while value >= 0x80 {
            out.extend_from_slice(&[(value & 0x7f) as u8 | 0x80]);
            value >>= 7;
        }
        out.extend_from_slice(&[value as u8]);
    }

    proptest! {
        #[test]
        fn varints_come_back(value: u32, tail in prop::collection::vec(any::<u8>(), 0..4)) {
            let mut bytes = BytesMut::new();
            put_varint(value, &mut bytes);
            let length = bytes.offset();
            bytes.extend_from_slice(&tail);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.varint(), Ok(value));
            prop_assert_eq!(cursor.at(), length);
            for cut in 0..length {
                prop_assert!(Cursor::new(&bytes[..cut]).varint().is_err());
            }
        }

        #[test]
        fn no_bytes_make_it_panic_or_overrun(bytes in prop::collection::vec(any::<u8>(), 0..12), length: usize) {
            let mut cursor = Cursor::new(&bytes);
            let _ = cursor.varint();
            let _ = cursor.take(length);
            let _ = cursor.i16();
            let _ = cursor.skip_tag();
            prop_assert!(cursor.at() <= bytes.len());
        }
    }

    #[test]
    fn a_sixth_varint_byte_is_refused() {
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).varint(), Ok(u32::MAX));
        let refused = Cursor::new(&[0xff; 8]).varint();
        assert_eq!(refused, Err(GuardError::Malformed { at: 5, violation: Violation::VarintTooLong }));
    }
}
