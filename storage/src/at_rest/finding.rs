//! What a check finds, and who is told of it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::ids::Offset;

/// How bad it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Worth knowing, and nothing to mend: what a crash leaves and the next start puts right, what was set aside before.
    Note,
    /// Bytes are not what was written.
    Damage,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Note => "note",
            Severity::Damage => "damage",
        })
    }
}

/// One thing that was found in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub path: PathBuf,
    /// Where in the file.
    pub position: Option<u64>,
    /// The offset in the log that is due there.
    pub offset: Option<Offset>,
    pub what: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Finding {
    pub(super) fn damage(path: &Path, what: impl Into<String>, advice: &'static str) -> Finding {
        let (path, what) = (path.to_owned(), what.into());
        Finding { severity: Severity::Damage, path, position: None, offset: None, what, advice }
    }

    pub(super) fn note(path: &Path, what: impl Into<String>, advice: &'static str) -> Finding {
        Finding { severity: Severity::Note, ..Finding::damage(path, what, advice) }
    }

    pub(super) fn at(self, position: u64) -> Finding {
        Finding { position: Some(position), ..self }
    }

    pub(super) fn due(self, offset: Offset) -> Finding {
        Finding { offset: Some(offset), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { severity, path, position, offset, what, advice } = self;
        write!(f, "{severity}: {}", path.display())?;
        if let Some(position) = position {
            write!(f, ", position {position}")?;
        }
        if let Some(offset) = offset {
            write!(f, ", offset {offset}")?;
        }
        write!(f, ": {what}")?;
        if advice.is_empty() { Ok(()) } else { write!(f, "; {advice}") }
    }
}

/// Told what a check finds and how far it is.
pub trait Report {
    /// So many bytes more will be read.
    fn expect(&mut self, bytes: u64);
    /// So many of them were read.
    fn done(&mut self, bytes: u64);
    fn found(&mut self, finding: &Finding);
}

/// What a check went over.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub files: u64,
    pub bytes: u64,
    pub batches: u64,
    pub records: u64,
    pub notes: u64,
    pub damages: u64,
}
