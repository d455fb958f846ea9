//! Type 9: changes of a group's own settings. Those that it does not name stay as they are.

use std::collections::BTreeMap;

use super::{Body, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfigured {
    pub group: String,
    /// Each with its new value; `None`: the group has none of its own any more.
    pub changes: BTreeMap<String, Option<String>>,
}

impl Body for GroupConfigured {
    const TYPE: u16 = 9;

    fn write(&self, w: &mut Writer) {
        w.string(&self.group);
        w.changes(&self.changes);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self { group: r.string()?, changes: r.changes()? })
    }
}
