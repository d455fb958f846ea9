//! The fields of Kafka's coordinator records: big-endian numbers, and texts, bytes and counts in their plain or, from a
//! record's first flexible version on, compact form.
//!
//! Reading never panics and takes no memory on the strength of a length. As in Kafka no text is longer than its plain
//! length can say, in either form: what is read can be written in the other one.

use storage::TopicId;

const TEXT_BYTES_MAX: usize = i16::MAX as usize;

/// How lengths are written, and whether tagged fields follow a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Flexible,
}

pub(super) struct Writer {
    bytes: Vec<u8>,
    form: Form,
}

impl Writer {
    /// Begins with the version, as every key and value of these logs does.
    pub(super) fn new(version: i16, form: Form) -> Self {
        Self { bytes: version.to_be_bytes().to_vec(), form }
    }

    /// The bytes of a part without a version, as a tagged field holds them; always flexible.
    pub(super) fn part(write: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut part = Self { bytes: Vec::new(), form: Form::Flexible };
        write(&mut part);
        part.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn id(&mut self, id: TopicId) {
        self.bytes.extend(id.0);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length(Some(text.len()), Width::Short);
        self.bytes.extend(text.as_bytes());
    }

    pub(super) fn text_or_null(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.length(None, Width::Short),
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(Some(bytes.len()), Width::Int);
        self.bytes.extend(bytes);
    }

    pub(super) fn count(&mut self, count: usize) {
        self.length(Some(count), Width::Int);
    }

    /// The end of a structure: its tagged fields, each a number and what it says.
    pub(super) fn end(&mut self, tags: &[(u32, &[u8])]) {
        if self.form == Form::Plain {
            return;
        }
        self.varint(tags.len() as u32);
        for (tag, bytes) in tags {
            self.varint(*tag);
            self.varint(bytes.len() as u32);
            self.bytes.extend(*bytes);
        }
    }

    fn length(&mut self, length: Option<usize>, width: Width) {
        match (self.form, width, length) {
            (Form::Flexible, _, length) => self.varint(length.map_or(0, |length| length as u32 + 1)),
            (Form::Plain, Width::Short, Some(length)) => self.bytes.extend((length as i16).to_be_bytes()),
            (Form::Plain, Width::Short, None) => self.bytes.extend((-1i16).to_be_bytes()),
            (Form::Plain, Width::Int, length) => {
                self.i32(length.map_or(-1, |length| length as i32));
            }
        }
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// The width of a plain length.
#[derive(Clone, Copy)]
enum Width {
    Short,
    Int,
}

/// Every method answers `None` where the bytes do not say what is asked for.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    form: Form,
}

impl<'a> Reader<'a> {
    /// Reads the version that the bytes begin with; `form` says which form that version has.
    pub(super) fn new(bytes: &'a [u8], form: impl FnOnce(i16) -> Form) -> Option<(i16, Self)> {
        let (version, rest) = bytes.split_first_chunk::<2>()?;
        let version = i16::from_be_bytes(*version);
        Some((version, Self { rest, form: form(version) }))
    }

    /// The content of a tagged field.
    pub(super) fn part(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, form: Form::Flexible }
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(head)
    }

    pub(super) fn i8(&mut self) -> Option<i8> {
        self.chunk().map(i8::from_be_bytes)
    }

    pub(super) fn id(&mut self) -> Option<TopicId> {
        self.chunk().map(TopicId)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.chunk().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.chunk().map(i64::from_be_bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.text_or_null()?
    }

    pub(super) fn text_or_null(&mut self) -> Option<Option<&'a str>> {
        match self.length(Width::Short)? {
            None => Some(None),
            Some(bytes) if bytes > TEXT_BYTES_MAX => None,
            Some(bytes) => Some(Some(std::str::from_utf8(self.take(bytes)?).ok()?)),
        }
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length(Width::Int)??;
        self.take(length)
    }

    /// How many elements follow, of at least one byte each.
    pub(super) fn count(&mut self) -> Option<usize> {
        self.length(Width::Int)?.filter(|count| *count <= self.rest.len())
    }

    /// As [`Reader::count`]; `Some(None)` is null.
    pub(super) fn count_or_null(&mut self) -> Option<Option<usize>> {
        let count = self.length(Width::Int)?;
        count.is_none_or(|count| count <= self.rest.len()).then_some(count)
    }

    /// The end of a structure. `see` is shown each tagged field; those that it does not know are passed over.
    pub(super) fn end(&mut self, mut see: impl FnMut(u32, &[u8]) -> Option<()>) -> Option<()> {
        if self.form == Form::Plain {
            return Some(());
        }
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let length = self.varint()? as usize;
            see(tag, self.take(length)?)?;
        }
        Some(())
    }

    /// `Some(None)` is null.
    fn length(&mut self, width: Width) -> Option<Option<usize>> {
        Some(match (self.form, width) {
            (Form::Flexible, _) => (self.varint()? as usize).checked_sub(1),
            (Form::Plain, Width::Short) => usize::try_from(i16::from_be_bytes(self.chunk()?)).ok(),
            (Form::Plain, Width::Int) => usize::try_from(self.i32()?).ok(),
        })
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.chunk()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

pub(super) fn topic_id(bytes: &[u8]) -> Option<TopicId> {
    bytes.try_into().ok().map(TopicId)
}
