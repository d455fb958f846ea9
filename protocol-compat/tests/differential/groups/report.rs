//! What was compared and what differed. No difference is meant.

use crate::differential::requests::difference;
use anyhow::{Result, ensure};
use protocol_compat::versions::api_info;
use std::collections::BTreeMap;

/// The project promises at least so many.
const REQUESTS_MIN: usize = 300;
/// Requests of each version of each API, at least.
const OF_A_VERSION_MIN: usize = 5;
/// The APIs of groups.
const KEYS: &[i16] = &[8, 9, 10, 11, 12, 13, 14, 15, 16, 42, 47, 68, 69];
const KINDS_SHOWN_MAX: usize = 100;
const NAMES_SHOWN_MAX: usize = 8;

#[derive(Default)]
pub(super) struct Report {
    count: usize,
    of_version: BTreeMap<(i16, i16), usize>,
    /// Requests by the way in which the replies differ.
    kinds: BTreeMap<String, Vec<String>>,
}

impl Report {
    pub(super) fn note(&mut self, key: i16, version: i16, name: &str, theirs: &str, ours: &str) {
        self.count += 1;
        *self.of_version.entry((key, version)).or_default() += 1;
        if theirs == ours {
            return;
        }
        self.kinds.entry(difference(theirs, ours)).or_default().push(name.to_owned());
    }

    pub(super) fn judge(&self) -> Result<()> {
        ensure!(self.kinds.is_empty(), "replies differ");
        ensure!(self.count >= REQUESTS_MIN, "only {} requests", self.count);
        for key in KEYS {
            let api = api_info(*key).expect("Kafka has it");
            for version in api.min..=api.max {
                let found = self.of_version.get(&(*key, version)).copied().unwrap_or(0);
                ensure!(found >= OF_A_VERSION_MIN, "{} {version}: only {found} requests", api.name);
            }
        }
        println!("{} requests about groups", self.count);
        Ok(())
    }

    /// What differed.
    pub(super) fn shown(&self) -> String {
        let different: usize = self.kinds.values().map(Vec::len).sum();
        let mut shown =
            format!("{different} of {} requests to groups are answered differently:\n", self.count);
        for (kind, names) in self.kinds.iter().take(KINDS_SHOWN_MAX) {
            let some: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
            shown += &format!("{} requests, such as {}\n{kind}\n", names.len(), some.join("; "));
        }
        shown
    }
}
