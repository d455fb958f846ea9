//! `dump`: what stands in one file, item by item, each a list of named values.
//!
//! Invariants: nothing is judged but what says so itself (`crc: wrong`); what cannot be read is an item of kind `damage`
//! and does not end the dump where the file says how to go on. It must not know how items are printed.

mod files;
mod segment;

use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::env::Env;
use crate::ids::Offset;

use super::around::Around;
use super::content::Content;
use super::kind::{self, Kind};
use super::{AtRestError, journal};

/// What of a segment to show.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// Show every record, and not only the batches; and the payloads of a journal's records.
    pub records: bool,
    /// Begin with the batch that holds this offset.
    pub from: Option<Offset>,
    /// End after this many batches.
    pub count: Option<u64>,
}

/// One value of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Number(i64),
    Count(u64),
    Flag(bool),
    Text(String),
    /// Bytes of a client; `None` is Kafka's null.
    Bytes(Option<Bytes>),
    /// The headers of a record.
    Headers(Vec<(Bytes, Option<Bytes>)>),
}

/// One thing in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub kind: &'static str,
    /// It belongs to the item before it.
    pub is_inner: bool,
    pub fields: Vec<(&'static str, Field)>,
}

impl Item {
    /// The kind of an image's records. Their only field holds bytes that this crate cannot read.
    pub const STATE: &'static str = "state";

    fn new(kind: &'static str) -> Item {
        Item { kind, is_inner: false, fields: Vec::new() }
    }

    fn inner(kind: &'static str) -> Item {
        Item { is_inner: true, ..Item::new(kind) }
    }

    fn with(mut self, name: &'static str, field: impl Into<Field>) -> Item {
        self.fields.push((name, field.into()));
        self
    }
}

macro_rules! field_from {
    ($($from:ty => $variant:ident as $to:ty),*) => {$(
        impl From<$from> for Field {
            fn from(value: $from) -> Field {
                Field::$variant(value as $to)
            }
        }
    )*};
}
field_from!(i64 => Number as i64, i32 => Number as i64, i16 => Number as i64, i8 => Number as i64);
field_from!(u64 => Count as u64, u32 => Count as u64, usize => Count as u64);

impl From<bool> for Field {
    fn from(value: bool) -> Field {
        Field::Flag(value)
    }
}

impl From<String> for Field {
    fn from(value: String) -> Field {
        Field::Text(value)
    }
}

impl From<&str> for Field {
    fn from(value: &str) -> Field {
        Field::Text(value.to_owned())
    }
}

impl From<Option<&[u8]>> for Field {
    fn from(value: Option<&[u8]>) -> Field {
        Field::Bytes(value.map(Bytes::copy_from_slice))
    }
}

/// Takes the items, and says when it takes no more.
struct Out<'o> {
    take: &'o mut dyn FnMut(Item) -> io::Result<()>,
    whole: bool,
}

impl Out<'_> {
    fn put(&mut self, item: Item) -> Result<(), AtRestError> {
        (self.take)(item).map_err(AtRestError::Output)
    }

    /// Something cannot be read.
    fn damage(&mut self, position: u64, what: impl Into<String>) -> Result<(), AtRestError> {
        self.whole = false;
        self.put(Item::new("damage").with("position", position).with("what", what.into()))
    }
}

/// Hands over what stands in the file at `path`. True if all of it could be read.
pub fn dump(
    env: &Env,
    path: &Path,
    options: &DumpOptions,
    take: &mut dyn FnMut(Item) -> io::Result<()>,
) -> Result<bool, AtRestError> {
    if !env.files.exists(path) {
        return Err(AtRestError::Missing { path: path.to_owned() });
    }
    if env.files.list(path).is_ok() {
        return Err(AtRestError::IsDirectory { path: path.to_owned() });
    }
    let Some(kind) = Kind::of(path) else { return Err(AtRestError::Unknown { path: path.to_owned() }) };
    let levels = if matches!(kind, Kind::Checkpoint | Kind::CleanOffsets | Kind::Meta) { 1 } else { 2 };
    let around = match Around::of(env, path, levels) {
        // These are Kafka's own formats: a look at them changes nothing.
        Err(AtRestError::Open(_)) if kind.is_kafkas() => None,
        found => Some(found?),
    };
    // Whether Kafka has a directory of its own is not known.
    let is_live = around.as_ref().is_none_or(|around| around.is_live);
    let content = Content::open(env, path, is_live).map_err(AtRestError::io(path))?;
    let mut out = Out { take, whole: true };
    // What was set aside is what its name was.
    let named = kind::original(path).unwrap_or_else(|| path.to_owned());
    match Kind::of(&named).unwrap_or(kind) {
        Kind::Segment => segment::dump(env, path, &content, options, &mut out)?,
        Kind::OffsetIndex => files::offset_index(&named, &content, &mut out)?,
        Kind::TimeIndex => files::time_index(&named, &content, &mut out)?,
        Kind::Quarantine => files::quarantine(path, &content, options, &mut out)?,
        Kind::Epochs => files::epochs(path, &content, &mut out)?,
        Kind::PartitionMetadata => files::partition(path, &content, &mut out)?,
        Kind::Checkpoint => files::checkpoint(path, &content, &mut out)?,
        Kind::Meta => files::meta(path, &content, &mut out)?,
        Kind::TxnIndex => files::txn_index(&named, &content, &mut out)?,
        Kind::Producers => files::producers(path, &content, &mut out)?,
        Kind::Image => files::image(path, &content, &mut out)?,
        Kind::CleanOffsets => files::clean_offsets(path, &content, &mut out)?,
        Kind::Leftover => return Err(AtRestError::Unknown { path: path.to_owned() }),
        Kind::Journal => {
            let key = around.as_ref().and_then(Around::key);
            let key = key.ok_or_else(|| AtRestError::NoKey { path: path.to_owned() })?;
            files::journal(env, path, key, options, &mut out)?;
        }
    }
    Ok(out.whole)
}
