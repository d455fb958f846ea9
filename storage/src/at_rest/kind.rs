//! Which of our files a path names, by its name alone.

use std::path::{Path, PathBuf};

use crate::compact::clean_offsets;
use crate::compact::swap::{self, CLEANED_SUFFIX, SWAP_SUFFIX};
use crate::ids::Offset;
use crate::producer_state::snapshot::SNAPSHOT_SUFFIX;
use crate::quarantine::QUARANTINE_SUFFIX;
use crate::retention::DELETED_SUFFIX;
use crate::segment::{INDEX_SUFFIX, LOG_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, base_of};
use crate::state_image::IMAGE_SUFFIX;
use crate::{checkpoint, epoch_cache, journal::ring, meta};

/// What a file is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Segment,
    OffsetIndex,
    TimeIndex,
    TxnIndex,
    Quarantine,
    Producers,
    Image,
    Epochs,
    PartitionMetadata,
    Journal,
    Checkpoint,
    CleanOffsets,
    Meta,
    /// What retention or a compaction took out of a log, or had not put into it yet.
    Leftover,
}

impl Kind {
    pub fn of(path: &Path) -> Option<Kind> {
        let name = path.file_name()?.to_str()?;
        Some(match name {
            checkpoint::FILE_NAME | checkpoint::OLD_FILE_NAME => Kind::Checkpoint,
            clean_offsets::FILE_NAME => Kind::CleanOffsets,
            meta::META_FILE_NAME => Kind::Meta,
            meta::PARTITION_FILE_NAME => Kind::PartitionMetadata,
            epoch_cache::FILE_NAME => Kind::Epochs,
            _ if ring::number_of(name).is_some() => Kind::Journal,
            _ if original(path).is_some() => Kind::Leftover,
            _ => match path.extension()?.to_str()? {
                LOG_SUFFIX => Kind::Segment,
                INDEX_SUFFIX => Kind::OffsetIndex,
                TIME_INDEX_SUFFIX => Kind::TimeIndex,
                TXN_INDEX_SUFFIX => Kind::TxnIndex,
                QUARANTINE_SUFFIX => Kind::Quarantine,
                SNAPSHOT_SUFFIX => Kind::Producers,
                IMAGE_SUFFIX => Kind::Image,
                _ => return None,
            },
        })
    }

    /// Whether the file stands in a log's directory, beside a segment of the same base offset.
    #[cfg(test)]
    pub(super) fn is_of_segment(self) -> bool {
        matches!(self, Kind::Segment | Kind::OffsetIndex | Kind::TimeIndex | Kind::Quarantine)
    }

    /// Whether a check of a log's directory reads all of it.
    pub(super) fn is_read_whole(self) -> bool {
        use Kind::{Image, OffsetIndex, Producers, Quarantine, Segment, TimeIndex, TxnIndex};
        matches!(self, Segment | OffsetIndex | TimeIndex | TxnIndex | Quarantine | Producers | Image)
    }

    /// Whether Kafka's files of that name have the same format.
    pub(super) fn is_kafkas(self) -> bool {
        self == Kind::Epochs || self == Kind::CleanOffsets || self == Kind::Leftover || self.is_read_whole()
    }
}

/// The offset in the name of a log's file.
pub(super) fn base_in(path: &Path) -> Option<Offset> {
    let (name, suffix) = (path.file_name()?.to_str()?, path.extension()?.to_str()?);
    base_of(name, suffix)
}

/// What retention and compactions put behind the names of a log's files.
const LEFTOVER_SUFFIXES: [&str; 3] = [CLEANED_SUFFIX, SWAP_SUFFIX, DELETED_SUFFIX];

/// The name that a leftover had or was to have, which tells what is in it; `None` if it is none.
pub(super) fn original(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let stripped = LEFTOVER_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix))?;
    // The mark of a swap names the batches, and where those that they replace end.
    let name = if swap::is_pending(name) {
        format!("{}.{LOG_SUFFIX}", stripped.split_once('.')?.0)
    } else {
        stripped.to_owned()
    };
    Some(path.with_file_name(name))
}
