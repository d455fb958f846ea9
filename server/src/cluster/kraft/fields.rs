//! The fields of Kafka's flexible messages, as its metadata records have them.

use std::collections::BTreeMap;

use storage::TopicId;

/// More tagged fields than any record has.
const TAGS_MAX: u32 = 64;

#[derive(Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        self.chunk::<1>().map(|[byte]| byte != 0)
    }

    pub(super) fn i8(&mut self) -> Option<i8> {
        self.chunk().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.chunk().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.chunk().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.chunk().map(i64::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Option<f64> {
        self.chunk().map(f64::from_be_bytes)
    }

    pub(super) fn id(&mut self) -> Option<TopicId> {
        self.chunk().map(TopicId)
    }

    pub(super) fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in (0..32).step_by(7) {
            let [byte] = self.chunk()?;
            // The fifth byte has room for four bits.
            if shift == 28 && byte > 0x0f {
                return None;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A length that has one added to it; 0 is null.
    fn length(&mut self) -> Option<Option<usize>> {
        Some(self.varint()?.checked_sub(1).map(|length| length as usize))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        self.text_or_null()?
    }

    pub(super) fn text_or_null(&mut self) -> Option<Option<String>> {
        let Some(length) = self.length()? else { return Some(None) };
        String::from_utf8(self.bytes(length)?.to_vec()).ok().map(Some)
    }

    pub(super) fn list<T>(&mut self, item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.list_or_null(item)?
    }

    pub(super) fn list_or_null<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Option<Vec<T>>> {
        let Some(count) = self.length()? else { return Some(None) };
        // Each item takes a byte at least, so that a count alone takes no memory.
        if count > self.0.len() {
            return None;
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(Some(items))
    }

    /// The tagged fields that end a message or a part of one.
    pub(super) fn tags(&mut self) -> Option<BTreeMap<u32, Reader<'a>>> {
        let count = self.varint()?;
        if count > TAGS_MAX {
            return None;
        }
        let mut tags = BTreeMap::new();
        for _ in 0..count {
            let tag = self.varint()?;
            let length = self.varint()? as usize;
            tags.insert(tag, Reader(self.bytes(length)?));
        }
        Some(tags)
    }

    /// Passes over the tagged fields of a part.
    pub(super) fn end(&mut self) -> Option<()> {
        self.tags().map(drop)
    }
}
