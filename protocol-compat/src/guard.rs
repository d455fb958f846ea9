//! The walk over a request's body before it is decoded.
//!
//! The codec behind trusts counts: five bytes can make it reserve gigabytes. The guard walks the body along its schema
//! and lets it pass only when every length, count, null, varint and text is right and the bytes are really there. It
//! also adds up what the decoded message will take in memory, the *footprint*, and refuses what is out of proportion.
//!
//! After a pass the codec neither fails nor panics, and allocates no more than the footprint. The walk allocates
//! nothing, and is as deep as the schema, which never refers to itself. It must not know what a field means.
//!
//! Like Kafka it ignores bytes behind the body. It is stricter than Kafka where nobody honest differs: text must be
//! UTF-8 (Kafka replaces what is not), and a length below -1 is an error rather than a null.

pub(crate) mod cursor;
#[cfg(test)]
mod tests;

use crate::schema_table::{Array, Field, Form, Struct, request_schema};
use cursor::Cursor;

/// A footprint up to this passes whatever the body's size: small requests may be all structure.
pub const FOOTPRINT_FLOOR_BYTES: usize = 64 * 1024;
/// How many bytes of memory a byte of body may become. The leanest honest request, a long Metadata request for topics
/// with names of three letters, comes to 14.4.
pub const FOOTPRINT_FACTOR: usize = 16;
/// No request's structure may take more than this, records and text not counted: they stay slices of the frame.
pub const FOOTPRINT_MAX_BYTES: usize = 16 * 1024 * 1024;

/// The codec's map of unknown tags takes a node for its first entry, and then a share of a node for each.
const UNKNOWN_TAG_FIRST_BYTES: u64 = 512;
const UNKNOWN_TAG_NEXT_BYTES: u64 = 112;
/// Slicing a frame for the first time makes its shared counter.
const SHARED_FRAME_BYTES: u64 = 64;
/// Kafka's readers refuse longer text, in every form.
const TEXT_BYTES_MAX: u32 = i16::MAX as u32;

/// How large a decoded request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub footprint_floor_bytes: usize,
    pub footprint_factor: usize,
    pub footprint_max_bytes: usize,
}

impl Limits {
    /// The footprint that a body of this length may have.
    pub fn footprint_bytes(&self, body_bytes: usize) -> usize {
        let in_proportion = body_bytes.saturating_mul(self.footprint_factor);
        in_proportion.max(self.footprint_floor_bytes).min(self.footprint_max_bytes)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            footprint_floor_bytes: FOOTPRINT_FLOOR_BYTES,
            footprint_factor: FOOTPRINT_FACTOR,
            footprint_max_bytes: FOOTPRINT_MAX_BYTES,
        }
    }
}

/// What a guarded body comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// The most that the decoded message takes in memory, beyond the frame itself.
    pub decoded_bytes_max: usize,
    /// How many bytes the message takes of the body; what is behind them is ignored.
    pub wire_bytes: usize,
}

/// Why a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    #[error("no schema for API {key} version {version}")]
    NoSchema { key: i16, version: i16 },
    #[error("malformed at byte {at}: {violation}")]
    Malformed { at: usize, violation: Violation },
    #[error("at byte {at} the decoded request passes {limit_bytes} bytes")]
    TooLarge { at: usize, limit_bytes: usize },
}

/// What is wrong with the bytes at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("the bytes end before the field does")]
    Truncated,
    #[error("a varint is longer than five bytes")]
    VarintTooLong,
    #[error("a length is negative")]
    NegativeLength,
    #[error("a field that may not be null is null")]
    UnexpectedNull,
    #[error("text is longer than 32767 bytes")]
    TextTooLong,
    #[error("text is not UTF-8")]
    NotUtf8,
    #[error("an array has more elements than the bytes left can hold")]
    CountTooLarge,
    #[error("the byte that says whether a struct is there is neither 1 nor negative")]
    BadPresence,
    #[error("a tag belongs to another version of the message")]
    TagOfAnotherVersion,
}

/// Walks `body` (what follows the header) as a request of this API and version.
pub fn check_body(key: i16, version: i16, body: &[u8], limits: &Limits) -> Result<Footprint, GuardError> {
    let schema = request_schema(key, version).ok_or(GuardError::NoSchema { key, version })?;
    let mut walk = Walk {
        cursor: Cursor::new(body),
        footprint_bytes: 0,
        limit_bytes: limits.footprint_bytes(body.len()) as u64,
    };
    walk.charge(u64::from(schema.memory_bytes) + SHARED_FRAME_BYTES)?;
    walk.fields(schema)?;
    Ok(Footprint { decoded_bytes_max: walk.footprint_bytes as usize, wire_bytes: walk.cursor.at() })
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    footprint_bytes: u64,
    limit_bytes: u64,
}

impl Walk<'_> {
    /// Cannot overflow: a charge is a count, which the bytes left bound, times the size of one struct.
    #[inline]
    fn charge(&mut self, bytes: u64) -> Result<(), GuardError> {
        self.footprint_bytes += bytes;
        if self.footprint_bytes > self.limit_bytes {
            return Err(GuardError::TooLarge {
                at: self.cursor.at(),
                limit_bytes: self.limit_bytes as usize,
            });
        }
        Ok(())
    }

    fn fields(&mut self, schema: &'static Struct) -> Result<(), GuardError> {
        for field in schema.fields {
            self.field(field)?;
        }
        match schema.tags {
            Some(known) => self.tags(known),
            None => Ok(()),
        }
    }

    #[inline]
    fn field(&mut self, field: &'static Field) -> Result<(), GuardError> {
        match field {
            Field::Fixed(bytes) => self.cursor.take(usize::from(*bytes)).map(|_| ()),
            Field::Text(form) => self.text(*form),
            Field::Blob(form) => match self.length(*form, LengthWidth::Four)? {
                Some(bytes) => self.cursor.take(bytes as usize).map(|_| ()),
                None => Ok(()),
            },
            Field::Many(array) => self.array(array),
            Field::Inline(inner) => self.fields(inner),
            Field::NullableStruct(inner) => self.nullable_struct(inner),
            Field::NotInThisVersion => Err(self.cursor.violation(Violation::TagOfAnotherVersion)),
        }
    }

    /// A length or a count in any form; `None` is null where that is allowed.
    #[inline]
    fn length(&mut self, form: Form, width: LengthWidth) -> Result<Option<u32>, GuardError> {
        let (length, nullable) = match form {
            Form::Compact | Form::CompactNullable => {
                (i64::from(self.cursor.varint()?) - 1, form == Form::CompactNullable)
            }
            Form::Plain | Form::PlainNullable => {
                let length = match width {
                    LengthWidth::Two => i64::from(self.cursor.i16()?),
                    LengthWidth::Four => i64::from(self.cursor.i32()?),
                };
                (length, form == Form::PlainNullable)
            }
        };
        match u32::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length < -1 => Err(self.cursor.violation(Violation::NegativeLength)),
            Err(_) if nullable => Ok(None),
            Err(_) => Err(self.cursor.violation(Violation::UnexpectedNull)),
        }
    }

    #[inline]
    fn text(&mut self, form: Form) -> Result<(), GuardError> {
        match self.length(form, LengthWidth::Two)? {
            Some(bytes) if bytes > TEXT_BYTES_MAX => Err(self.cursor.violation(Violation::TextTooLong)),
            Some(bytes) => self.cursor.text(bytes as usize).map(|_| ()),
            None => Ok(()),
        }
    }

    fn array(&mut self, array: &'static Array) -> Result<(), GuardError> {
        let Some(count) = self.length(array.form, LengthWidth::Four)? else {
            return Ok(());
        };
        let wire_bytes_min = u64::from(count) * u64::from(array.wire_bytes_min);
        if wire_bytes_min > self.cursor.left() as u64 {
            return Err(self.cursor.violation(Violation::CountTooLarge));
        }
        self.charge(u64::from(count) * u64::from(array.memory_bytes))?;
        if array.wire_is_fixed {
            return self.cursor.take(wire_bytes_min as usize).map(|_| ());
        }
        for _ in 0..count {
            self.field(&array.element)?;
        }
        Ok(())
    }

    /// Kafka's writers put 1 or -1. Its reader takes any other value above -1 for "present" and the codec for "absent":
    /// what they read differently does not pass.
    fn nullable_struct(&mut self, inner: &'static Struct) -> Result<(), GuardError> {
        let [presence] = self.cursor.take_array()?;
        match presence as i8 {
            1 => self.fields(inner),
            absent if absent < 0 => Ok(()),
            _ => Err(self.cursor.violation(Violation::BadPresence)),
        }
    }

    #[inline]
    fn tags(&mut self, known: &'static [(u32, Field)]) -> Result<(), GuardError> {
        match self.cursor.varint()? {
            0 => Ok(()),
            count => self.some_tags(count, known),
        }
    }

    /// The size before a known tag's bytes is ignored, as Kafka and the codec ignore it; the field knows its own end.
    fn some_tags(&mut self, count: u32, known: &'static [(u32, Field)]) -> Result<(), GuardError> {
        let mut unknown_tag_bytes = UNKNOWN_TAG_FIRST_BYTES;
        for _ in 0..count {
            let tag = self.cursor.varint()?;
            match known.iter().find(|(number, _)| *number == tag) {
                Some((_, field)) => {
                    self.cursor.varint()?;
                    self.field(field)?;
                }
                None => {
                    self.charge(unknown_tag_bytes)?;
                    unknown_tag_bytes = UNKNOWN_TAG_NEXT_BYTES;
                    self.cursor.skip_tag_body()?;
                }
            }
        }
        Ok(())
    }
}

/// How many bytes a plain length takes: text has two, everything else four.
#[derive(Clone, Copy)]
enum LengthWidth {
    Two,
    Four,
}
