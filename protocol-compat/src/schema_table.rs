//! The request schemas of every API and version that Kafka 4.3.1 serves, as static data for the guard's walk.
//!
//! Generated from Kafka's own jar (`generator/`), so that it cannot disagree with the clients; equal schemas share one
//! static, and nothing is built at start-up. A schema never refers to itself, so a walk is as deep as the deepest
//! message and no deeper. It knows layouts only: neither names nor meanings, nor what this server serves.

use Field::{Blob, Fixed, Inline, Many, NotInThisVersion, NullableStruct, Text};
use Form::{Compact, CompactNullable, Plain, PlainNullable};

/// How a length or a count is written, and whether it may say "null".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A big-endian integer: 16 bits for text, 32 for blobs and arrays.
    Plain,
    /// The same, where -1 is null.
    PlainNullable,
    /// An unsigned varint of the length plus one.
    Compact,
    /// The same, where 0 is null.
    CompactNullable,
}

/// One step of the walk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// A run of neighbouring fields whose sizes never vary.
    Fixed(u16),
    /// UTF-8 text.
    Text(Form),
    /// Bytes or records.
    Blob(Form),
    /// An array.
    Many(&'static Array),
    /// A struct, always there.
    Inline(&'static Struct),
    /// A struct behind a byte that says whether it is there.
    NullableStruct(&'static Struct),
    /// A tag that the struct has in other versions but not in this one; its presence is an error.
    NotInThisVersion,
}

/// An array and what one element costs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Array {
    pub(crate) form: Form,
    pub(crate) element: Field,
    /// The least that an element takes on the wire; never 0, so that a count is always bounded by the bytes left.
    pub(crate) wire_bytes_min: u32,
    /// Every element takes exactly that: the array is skipped with one multiplication.
    pub(crate) wire_is_fixed: bool,
    /// What an element takes in memory once decoded, without what hangs off it.
    pub(crate) memory_bytes: u32,
}

/// A message or a part of one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Struct {
    pub(crate) fields: &'static [Field],
    /// The known tags of a flexible version; `None` where the version is not flexible.
    pub(crate) tags: Option<&'static [(u32, Field)]>,
    /// Its size in memory: room for the fields of all versions.
    pub(crate) memory_bytes: u32,
}

/// The versions of one API's request.
struct Request {
    min: i16,
    versions: &'static [&'static Struct],
}

/// The schema of a request body, if Kafka 4.3.1 serves that version.
pub(crate) fn request_schema(key: i16, version: i16) -> Option<&'static Struct> {
    let request = REQUESTS.get(usize::try_from(key).ok()?)?.as_ref()?;
    let at = usize::try_from(version.checked_sub(request.min)?).ok()?;
    request.versions.get(at).copied()
}

/// Whether two versions of a request have the same bytes.
pub fn same_request_bytes(key: i16, version: i16, other: i16) -> bool {
    match (request_schema(key, version), request_schema(key, other)) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        _ => false,
    }
}

include!("generated/requests.rs");

#[cfg(test)]
mod sizes;

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(schema: &Struct) -> usize {
        let tagged = schema.tags.unwrap_or(&[]).iter().map(|(_, field)| field);
        let deepest = schema.fields.iter().chain(tagged).map(field_depth).max();
        1 + deepest.unwrap_or(0)
    }

    fn field_depth(field: &Field) -> usize {
        match field {
            Many(array) => field_depth(&array.element),
            Inline(inner) | NullableStruct(inner) => depth(inner),
            _ => 0,
        }
    }

    #[test]
    fn the_walk_is_shallow_and_every_count_is_bounded() {
        let mut schemas = 0;
        for request in REQUESTS.iter().flatten() {
            for schema in request.versions {
                assert!(depth(schema) <= 6, "{schema:?}");
                schemas += 1;
            }
        }
        assert!(schemas > 200, "{schemas} schemas");
        for key in 0..i16::try_from(REQUESTS.len()).unwrap() {
            for version in -1..40 {
                let served = crate::versions::api_info(key).is_some_and(|api| api.serves(version));
                assert_eq!(request_schema(key, version).is_some(), served, "{key} {version}");
            }
        }
    }

    #[test]
    fn unknown_coordinates_have_no_schema() {
        for (key, version) in [(-1, 0), (93, 0), (i16::MAX, 0), (0, i16::MIN), (0, 2), (0, 14), (4, 0)] {
            assert!(request_schema(key, version).is_none());
        }
    }
}
