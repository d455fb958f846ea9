//! The file `cleaner-offset-checkpoint` of a data directory: up to where each log is clean.
//!
//! Kafka's format, lines of text: version `0`, the number of logs, then `topic partition offset` for each. Invariants: a
//! file that is damaged or missing counts as empty, which costs a pass and nothing else; an entry is the log's that it
//! was made for, and goes with it: another log of the same name begins anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::env::Files;
use crate::ids::{LogId, Offset};
use crate::{meta, small_file};

pub(crate) const FILE_NAME: &str = "cleaner-offset-checkpoint";
const VERSION: &str = "0";

/// By the names of the logs' directories.
#[derive(Default)]
pub(crate) struct CleanOffsets {
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    /// Whose it is, once that log was asked about.
    id: Option<LogId>,
    offset: Offset,
}

impl CleanOffsets {
    pub(crate) fn load(files: &dyn Files, dir: &Path) -> CleanOffsets {
        let read = small_file::read(files, &dir.join(FILE_NAME));
        let found = match read {
            Ok(text) => text.map_or_else(|| Some(Vec::new()), |text| decode(&text)),
            Err(_) => None,
        };
        if found.is_none() {
            tracing::warn!(path = %dir.join(FILE_NAME).display(), "the file cannot be read: logs are compacted from their start");
        }
        let is_there = |name: &str| files.exists(&dir.join(name));
        let found = found.unwrap_or_default().into_iter().filter(|(name, _)| is_there(name));
        let entries = found.map(|(name, offset)| (name, Entry { id: None, offset })).collect();
        CleanOffsets { entries }
    }

    /// Up to where the log is clean.
    pub(crate) fn of(&mut self, id: LogId, dir_name: &str) -> Option<Offset> {
        let entry = self.entries.get_mut(dir_name)?;
        (*entry.id.get_or_insert(id) == id).then_some(entry.offset)
    }

    pub(crate) fn set(&mut self, id: LogId, dir_name: &str, offset: Offset) {
        self.entries.insert(dir_name.to_owned(), Entry { id: Some(id), offset });
    }

    /// True if there was one.
    pub(crate) fn forget(&mut self, dir_name: &str) -> bool {
        self.entries.remove(dir_name).is_some()
    }

    pub(crate) fn save(&self, files: &dyn Files, dir: &Path) -> io::Result<()> {
        let entries = self.entries.iter().map(|(name, entry)| (name.as_str(), entry.offset));
        small_file::replace(files, &dir.join(FILE_NAME), encode(entries).as_bytes())
    }
}

pub(crate) fn encode<'n>(entries: impl Iterator<Item = (&'n str, Offset)>) -> String {
    let mut lines = String::new();
    let mut count = 0;
    for (name, offset) in entries {
        let Some((topic, partition)) = name.rsplit_once('-') else { continue };
        count += 1;
        writeln!(lines, "{topic} {partition} {offset}").expect("a string takes everything");
    }
    format!("{VERSION}\n{count}\n{lines}")
}

/// The names of directories with their offsets; `None` if the text is damaged.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<(String, Offset)>> {
    let mut lines = std::str::from_utf8(text).ok()?.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let count: usize = lines.next()?.parse().ok()?;
    let entry = |line: &str| {
        let (topic, rest) = line.split_once(' ')?;
        let (partition, offset) = rest.split_once(' ')?;
        let name = format!("{topic}-{partition}");
        let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
        meta::partition_of(&name).map(|_| (name, Offset(offset)))
    };
    let found: Vec<_> = lines.map(entry).collect::<Option<_>>()?;
    (found.len() == count).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SimFiles;
    use crate::ids::TopicId;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn what_is_written_is_read(
            entries in proptest::collection::btree_map("[a-z.-]{1,9}-[0-9]{1,4}", 0..i64::MAX, 0..9),
        ) {
            let entries: Vec<_> = entries
                .into_iter()
                .filter(|(name, _)| meta::partition_of(name).is_some())
                .map(|(name, offset)| (name, Offset(offset)))
                .collect();
            let text = encode(entries.iter().map(|(name, offset)| (name.as_str(), *offset)));
            prop_assert_eq!(decode(text.as_bytes()), Some(entries));
        }
    }

    #[test]
    fn it_is_kafkas_format() {
        let text = encode([("orders-in-3", Offset(17))].into_iter());
        assert_eq!(text, "0\n1\norders-in 3 17\n");
        for damaged in
            ["", "0\n", "1\n0\n", "0\n2\na 0 1\n", "0\n1\na 0 -1\n", "0\n1\na x 1\n", "0\n1\na 0\n"]
        {
            assert_eq!(decode(damaged.as_bytes()), None, "{damaged:?}");
        }
    }

    #[test]
    fn another_log_of_the_name_begins_anew() {
        let (files, dir) = (SimFiles::new(1), Path::new("/data"));
        files.create_dir_all(&dir.join("a-0")).unwrap();
        let id = |topic| LogId { topic: TopicId([topic; 16]), partition: 0 };
        let mut offsets = CleanOffsets::load(&files, dir);
        offsets.set(id(1), "a-0", Offset(7));
        offsets.set(id(1), "gone-0", Offset(7));
        offsets.save(&files, dir).unwrap();
        let mut offsets = CleanOffsets::load(&files, dir);
        assert_eq!(offsets.of(id(1), "a-0"), Some(Offset(7)));
        assert_eq!(offsets.of(id(2), "a-0"), None);
        assert_eq!(offsets.of(id(1), "gone-0"), None, "its directory is not there");
        assert!(offsets.forget("a-0") && !offsets.forget("a-0"));
    }
}
