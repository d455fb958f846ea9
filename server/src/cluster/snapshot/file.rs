//! The file of a snapshot: an image of the metadata's state in `storage`'s layout, its records those of the log.
//!
//! Invariants: a file that is damaged anywhere is not read at all; a newer version is refused and not guessed at.

use storage::{Offset, state_image};

use super::super::records::{Record, RecordError};

pub(super) use state_image::{name_of, offset_in};

/// Why a file is no snapshot for this version.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Damage {
    Newer(u16),
    Broken,
    /// It is whole, and a record in it is not known.
    Record(RecordError),
}

impl From<state_image::Damage> for Damage {
    fn from(damage: state_image::Damage) -> Damage {
        match damage {
            state_image::Damage::Newer(version) => Damage::Newer(version),
            state_image::Damage::Broken => Damage::Broken,
        }
    }
}

pub(super) fn encode(next: Offset, records: &[Record]) -> Vec<u8> {
    let records: Vec<Vec<u8>> = records.iter().map(Record::encode).collect();
    state_image::encode(next, &records)
}

pub(super) fn decode(bytes: &[u8]) -> Result<(Offset, Vec<Record>), Damage> {
    let (next, records) = state_image::decode(bytes)?;
    let records = records.into_iter().map(Record::decode).collect::<Result<_, _>>();
    Ok((next, records.map_err(Damage::Record)?))
}
