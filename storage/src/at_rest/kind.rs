//! Which of our files a path names, by its name alone.

use std::path::Path;

use crate::ids::Offset;
use crate::quarantine::QUARANTINE_SUFFIX;
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, base_of};
use crate::{checkpoint, epoch_cache, journal::ring, meta};

/// What a file is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Segment,
    OffsetIndex,
    TimeIndex,
    Quarantine,
    Epochs,
    PartitionMetadata,
    Journal,
    Checkpoint,
    Meta,
}

impl Kind {
    pub fn of(path: &Path) -> Option<Kind> {
        let name = path.file_name()?.to_str()?;
        Some(match name {
            checkpoint::FILE_NAME | checkpoint::OLD_FILE_NAME => Kind::Checkpoint,
            meta::META_FILE_NAME => Kind::Meta,
            meta::PARTITION_FILE_NAME => Kind::PartitionMetadata,
            epoch_cache::FILE_NAME => Kind::Epochs,
            _ if ring::number_of(name).is_some() => Kind::Journal,
            _ => match path.extension()?.to_str()? {
                LOG_SUFFIX => Kind::Segment,
                INDEX_SUFFIX => Kind::OffsetIndex,
                TIME_INDEX_SUFFIX => Kind::TimeIndex,
                QUARANTINE_SUFFIX => Kind::Quarantine,
                _ => return None,
            },
        })
    }

    /// Whether the file stands in a log's directory, beside a segment of the same base offset.
    pub(super) fn is_of_segment(self) -> bool {
        matches!(self, Kind::Segment | Kind::OffsetIndex | Kind::TimeIndex | Kind::Quarantine)
    }
}

/// The base offset in the name of a segment's file.
pub(super) fn base_in(path: &Path) -> Option<Offset> {
    let (name, suffix) = (path.file_name()?.to_str()?, path.extension()?.to_str()?);
    base_of(name, suffix)
}
