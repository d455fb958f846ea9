//! Kafka's checkpoint files of a data directory: a version, a count, and an offset for each partition on its line.

use std::collections::BTreeMap;

use crate::ids::Offset;

/// The offsets in such a file by the names of the partitions' directories; `None` if it is not whole.
pub fn offsets(text: &[u8]) -> Option<BTreeMap<String, Offset>> {
    let mut lines = std::str::from_utf8(text).ok()?.lines();
    if lines.next()?.trim() != "0" {
        return None;
    }
    let count: usize = lines.next()?.trim().parse().ok()?;
    let mut found = BTreeMap::new();
    let mut read = 0;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let [topic, partition, offset] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        let partition: u32 = partition.parse().ok()?;
        let offset: i64 = offset.parse().ok().filter(|offset| *offset >= 0)?;
        found.insert(format!("{topic}-{partition}"), Offset(offset));
        read += 1;
    }
    (read == count).then_some(found)
}
