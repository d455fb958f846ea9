//! The fields of a metadata record: fixed-width integers, strings with a length in front, and changes of settings.

use std::collections::BTreeMap;

use storage::TopicId;

const REMOVED: u8 = 0;
const SET: u8 = 1;

#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn u8(&mut self, v: u8) {
        self.0.push(v);
    }

    pub(super) fn u16(&mut self, v: u16) {
        self.0.extend(v.to_be_bytes());
    }

    pub(super) fn u32(&mut self, v: u32) {
        self.0.extend(v.to_be_bytes());
    }

    pub(super) fn i64(&mut self, v: i64) {
        self.0.extend(v.to_be_bytes());
    }

    pub(super) fn f64(&mut self, v: f64) {
        self.0.extend(v.to_be_bytes());
    }

    pub(super) fn topic_id(&mut self, id: TopicId) {
        self.0.extend(id.0);
    }

    pub(super) fn string(&mut self, s: &str) {
        self.u32(s.len() as u32);
        self.0.extend(s.as_bytes());
    }

    /// Settings with their new values; `None`: no value any more.
    pub(super) fn changes(&mut self, changes: &BTreeMap<String, Option<String>>) {
        self.u32(changes.len() as u32);
        for (name, value) in changes {
            self.string(name);
            match value {
                None => self.u8(REMOVED),
                Some(value) => {
                    self.u8(SET);
                    self.string(value);
                }
            }
        }
    }
}

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

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.chunk().map(u8::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.chunk().map(i64::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Option<f64> {
        self.chunk().map(f64::from_be_bytes)
    }

    pub(super) fn topic_id(&mut self) -> Option<TopicId> {
        self.chunk().map(TopicId)
    }

    pub(super) fn string(&mut self) -> Option<String> {
        let len = self.u32()? as usize;
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        String::from_utf8(head.to_vec()).ok()
    }

    pub(super) fn changes(&mut self) -> Option<BTreeMap<String, Option<String>>> {
        let mut changes = BTreeMap::new();
        for _ in 0..self.u32()? {
            let name = self.string()?;
            let value = match self.u8()? {
                REMOVED => None,
                SET => Some(self.string()?),
                _ => return None,
            };
            changes.insert(name, value);
        }
        Some(changes)
    }
}
