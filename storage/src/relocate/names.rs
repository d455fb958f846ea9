//! The names that a move between data directories leaves on the disk.
//!
//! `<log>.<32 digits>-future`, as in Kafka, is a directory with a copy that is being made. `moved-<count>-<start>` is an
//! empty file in a log's directory: the log has been moved that often, and the last time it started at that offset. Of
//! two directories of one log, the one with the greater count is in force. It must not know how copies are made.

use std::io;
use std::path::Path;

use crate::data_dir::NAME_BYTES_MAX;
use crate::env::{DirEntry, Files};
use crate::ids::Offset;
use crate::meta;

const FUTURE_SUFFIX: &str = "-future";
const UNIQUE_DIGITS: usize = 32;
const MOVED_PREFIX: &str = "moved-";
/// The longest name of a log's directory that leaves room for the ending of a copy's.
pub const COPIED_NAME_BYTES_MAX: usize = NAME_BYTES_MAX - ".".len() - UNIQUE_DIGITS - FUTURE_SUFFIX.len();

/// What a directory says of the last move of its log.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastMove {
    pub(crate) count: u64,
    pub(crate) start: Offset,
}

impl LastMove {
    pub(crate) fn file_name(self) -> String {
        format!("{MOVED_PREFIX}{}-{}", self.count, self.start.0)
    }

    pub(crate) fn parse(name: &str) -> Option<LastMove> {
        let (count, start) = name.strip_prefix(MOVED_PREFIX)?.split_once('-')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(count) || !is_number(start) {
            return None;
        }
        Some(LastMove { count: count.parse().ok()?, start: Offset(start.parse().ok()?) })
    }

    /// What the names in a log's directory say.
    pub(crate) fn among(entries: &[DirEntry]) -> Option<LastMove> {
        let moves = entries.iter().filter_map(|entry| LastMove::parse(&entry.name));
        moves.reduce(|one, other| LastMove {
            count: one.count.max(other.count),
            start: one.start.max(other.start),
        })
    }
}

/// The last move of the log that lives in a directory; none if it was never moved, or has no directory.
pub(crate) fn last_move(files: &dyn Files, dir: &Path) -> io::Result<Option<LastMove>> {
    match files.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        listed => listed.map(|entries| LastMove::among(&entries)),
    }
}

/// A name for a log's copy that no other copy has; `None` if it would be too long.
pub(crate) fn future_name(dir_name: &str, unique: u128) -> Option<String> {
    let is_short = dir_name.len() <= COPIED_NAME_BYTES_MAX;
    is_short.then(|| format!("{dir_name}.{unique:0UNIQUE_DIGITS$x}{FUTURE_SUFFIX}"))
}

/// The name of the log's directory that a copy is made of.
pub(crate) fn copied_by(name: &str) -> Option<&str> {
    let (log, unique) = name.strip_suffix(FUTURE_SUFFIX)?.rsplit_once('.')?;
    let is_unique = unique.len() == UNIQUE_DIGITS && unique.bytes().all(|b| b.is_ascii_hexdigit());
    (is_unique && meta::partition_of(log).is_some()).then_some(log)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_say_what_they_were_made_from(count: u64, start in 0..i64::MAX, unique: u128) {
            let last = LastMove { count, start: Offset(start) };
            prop_assert_eq!(LastMove::parse(&last.file_name()), Some(last));
            let name = future_name("a.b-c-7", unique).unwrap();
            prop_assert_eq!(copied_by(&name), Some("a.b-c-7"));
            prop_assert_eq!(meta::partition_of(&name), None, "a copy is no log");
        }

        #[test]
        fn other_names_say_nothing(name in "(moved|[a-z])?[-0-9.+]{0,20}(-future)?") {
            if let Some(last) = LastMove::parse(&name) {
                prop_assert!(!name.contains('+') && last.start >= Offset(0));
            }
            prop_assert_eq!(copied_by(&name), None);
        }
    }

    #[test]
    fn a_copy_of_a_long_name_is_refused() {
        let longest = future_name(&"x".repeat(COPIED_NAME_BYTES_MAX), u128::MAX).unwrap();
        assert_eq!(longest.len(), NAME_BYTES_MAX);
        assert_eq!(future_name(&"x".repeat(COPIED_NAME_BYTES_MAX + 1), 0), None);
    }
}
