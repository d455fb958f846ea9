//! The levels of a broker's loggers, as the APIs of settings see them. Nothing of them outlives the process.

use protocol_compat::ErrorCode;

use super::config_resource::Refused;
use crate::cluster::configure::{Change, Wanted};
use crate::config::{Described, ValueSource};
use crate::logging::{Alteration, Level, NotAltered, loggers};

/// Alters all that are named, or none.
pub(super) fn alter(wanted: Wanted, validate_only: bool) -> Result<(), Refused> {
    let wanted: Vec<(String, Alteration)> = match wanted {
        Wanted::Changes(changes) => changes.into_iter().map(|(name, change)| (name, of(change))).collect(),
        Wanted::Exactly(exactly) => {
            exactly.into_iter().map(|(name, level)| (name, Alteration::Set(level))).collect()
        }
    };
    loggers().alter(&wanted, validate_only).map_err(|why| (code_of(&why), why.to_string()))
}

fn of(change: Change) -> Alteration {
    match change {
        Change::Set(level) => Alteration::Set(level),
        Change::Delete => Alteration::Delete,
        Change::Append(_) | Change::Subtract(_) => Alteration::OfList,
    }
}

/// Each logger as a setting whose value is its level.
pub(super) fn described(levels: &[(String, Level)]) -> Vec<Described<'_>> {
    levels
        .iter()
        .map(|(name, level)| Described {
            name,
            value: Some(level.word().to_owned()),
            source: ValueSource::Logger,
            kind: None,
            is_read_only: false,
            is_secret: false,
            synonyms: Vec::new(),
            doc: String::new(),
        })
        .collect()
}

fn code_of(why: &NotAltered) -> ErrorCode {
    match why {
        NotAltered::NoLogger(_) | NotAltered::NoLevel(_) => ErrorCode::InvalidConfig,
        NotAltered::Root | NotAltered::NoList => ErrorCode::InvalidRequest,
        NotAltered::Refused(_) => ErrorCode::UnknownServerError,
    }
}
