//! As much of Protocol Buffers as OpenTelemetry's messages need: a writer of fields, and a reader that goes from field to
//! field and never further than the bytes do.
//!
//! It knows no message. A field that has its default value is written all the same where the caller asks for it.

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

/// A message that is being written.
#[derive(Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    pub(crate) fn uint(mut self, field: u32, value: u64) -> Message {
        self.tag(field, VARINT);
        self.varint(value);
        self
    }

    /// `int64`: what is below zero has ten bytes.
    pub(crate) fn int(self, field: u32, value: i64) -> Message {
        self.uint(field, value as u64)
    }

    pub(crate) fn fixed64(mut self, field: u32, value: u64) -> Message {
        self.tag(field, FIXED64);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn fixed32(mut self, field: u32, value: u32) -> Message {
        self.tag(field, FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, field: u32, value: &[u8]) -> Message {
        self.tag(field, BYTES);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(crate) fn text(self, field: u32, value: &str) -> Message {
        self.bytes(field, value.as_bytes())
    }

    pub(crate) fn message(self, field: u32, value: Message) -> Message {
        self.bytes(field, &value.0)
    }

    pub(crate) fn messages(self, field: u32, values: impl IntoIterator<Item = Message>) -> Message {
        values.into_iter().fold(self, |message, value| message.message(field, value))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// What a field holds, of the kinds that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// A message that is cut short, or is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The fields of a message, as they stand there.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn next_field(&mut self) -> Option<(u64, Value<'a>)> {
        let message = &mut self.0;
        let tag = take_varint(message)?;
        let value = match (tag & 7) as u32 {
            VARINT => Value::Number(take_varint(message)?),
            FIXED64 => Value::Number(u64::from_le_bytes(*take(message, 8)?.first_chunk()?)),
            BYTES => {
                let count = usize::try_from(take_varint(message)?).ok()?;
                Value::Bytes(take(message, count)?)
            }
            FIXED32 => Value::Number(u32::from_le_bytes(*take(message, 4)?.first_chunk()?).into()),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

/// What is wrong is told once; nothing comes behind it.
impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.next_field().ok_or(Malformed);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// The last field of this number in a message; `None` if there is none, or if this is no message.
pub(crate) fn find(message: &[u8], wanted: u64) -> Option<Value<'_>> {
    let mut found = None;
    for field in Fields::of(message) {
        let (number, value) = field.ok()?;
        if number == wanted {
            found = Some(value);
        }
    }
    found
}

fn take<'a>(message: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(count)?;
    *message = rest;
    Some(taken)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for at in 0..10 {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of the format's own description.
    #[test]
    fn known_bytes() {
        assert_eq!(Message::default().uint(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").into_bytes(), b"\x12\x07testing");
        let inner = Message::default().uint(1, 150);
        assert_eq!(Message::default().message(3, inner).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let below_zero = Message::default().int(1, -2).into_bytes();
        assert_eq!(below_zero, [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
        let fixed = Message::default().fixed64(7, 1).fixed32(16, 2).into_bytes();
        assert_eq!(fixed, [0x39, 1, 0, 0, 0, 0, 0, 0, 0, 0x85, 0x01, 2, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_found(number: u64, short: u32, bytes: Vec<u8>, field in 1u32..1000) {
            let written = Message::default().uint(field, number).bytes(field + 1, &bytes);
            let written = written.fixed64(field + 2, number).fixed32(field + 3, short).into_bytes();
            let found = |more: u32| find(&written, u64::from(field + more));
            prop_assert_eq!(found(0), Some(Value::Number(number)));
            prop_assert_eq!(found(1), Some(Value::Bytes(&bytes)));
            prop_assert_eq!(found(2), Some(Value::Number(number)));
            prop_assert_eq!(found(3), Some(Value::Number(short.into())));
            prop_assert_eq!(found(4), None);
            for cut in 0..written.len() {
                find(&written[..cut], 1);
            }
        }

        #[test]
        fn nothing_that_comes_breaks_it(bytes: Vec<u8>, field: u64) {
            find(&bytes, field);
        }
    }
}
