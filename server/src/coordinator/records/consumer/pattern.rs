//! The topics that a pattern stood for when it was last looked at.
//!
//! Value: topics in order, version of the metadata, time.

use std::collections::BTreeSet;

use crate::coordinator::records::wire::{Reader, Writer};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedPattern {
    pub topics: BTreeSet<String>,
    pub version: i64,
    pub at_ms: i64,
}

impl ResolvedPattern {
    pub(super) fn encode(&self, out: &mut Writer) {
        out.count(self.topics.len());
        self.topics.iter().for_each(|topic| out.text(topic));
        out.i64(self.version);
        out.i64(self.at_ms);
        out.end(&[]);
    }

    pub(super) fn decode(rest: &mut Reader<'_>) -> Option<Self> {
        let mut topics = BTreeSet::new();
        for _ in 0..rest.count()? {
            topics.insert(rest.text()?.to_owned());
        }
        let value = Self { topics, version: rest.i64()?, at_ms: rest.i64()? };
        rest.end(|_, _| Some(()))?;
        Some(value)
    }
}
