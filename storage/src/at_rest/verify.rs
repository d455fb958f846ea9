//! `verify`: what a path names, and the checks that belong to it.
//!
//! Invariant: nothing is opened for writing, no lock is held. It must not know what stands in the files.

use std::io;
use std::path::{Path, PathBuf};

use crate::env::{DirEntry, Env, OpenMode};
use crate::ids::LogId;
use crate::journal::{self, ring};
use crate::meta;
use crate::segment::{LOG_SUFFIX, base_of};

use super::around::{Around, is_data_dir};
use super::finding::{Finding, Report, Severity, Summary};
use super::kind::{Kind, base_in};
use super::{AtRestError, checkpoint, journal as journals, log_dir, small, state};

/// Checks what `path` names: a data directory, the directory of a log, or one file. Reads only.
pub fn verify(env: &Env, path: &Path, report: &mut dyn Report) -> Result<Summary, AtRestError> {
    let mut verifier = Verifier::new(env, report);
    let Ok(entries) = env.files.list(path) else {
        if !env.files.exists(path) {
            return Err(AtRestError::Missing { path: path.to_owned() });
        }
        verifier.file(path)?;
        return Ok(verifier.summary);
    };
    let is_log = entries.iter().any(|entry| base_of(&entry.name, LOG_SUFFIX).is_some());
    if is_data_dir(env, path) {
        let around = Around::of_data_dir(env, Some(path))?;
        verifier.data_dir(path, &around);
    } else if is_log || entries.iter().any(|entry| entry.name == meta::PARTITION_FILE_NAME) {
        let around = Around::of(env, path, 1)?;
        verifier.report.expect(log_bytes(&entries));
        verifier.say_if_live(&around);
        log_dir::check(&mut verifier, path, &around);
    } else if entries.iter().any(|entry| ring::number_of(&entry.name).is_some()) {
        let around = Around::of(env, path, 1)?;
        verifier.report.expect(entries.iter().map(|entry| entry.len).sum());
        journals::check(&mut verifier, path, &around)?;
    } else if meta::partition_of(&name_of(path)).is_none() || !entries.is_empty() {
        return Err(AtRestError::Unknown { path: path.to_owned() });
    }
    Ok(verifier.summary)
}

/// The bytes that a check of a log's directory reads.
fn log_bytes(entries: &[DirEntry]) -> u64 {
    let counts = |entry: &&DirEntry| Kind::of(Path::new(&entry.name)).is_some_and(Kind::is_read_whole);
    entries.iter().filter(counts).map(|entry| entry.len).sum()
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// One check under way.
pub(super) struct Verifier<'v> {
    pub(super) env: &'v Env,
    report: &'v mut dyn Report,
    /// Only what is found in this file counts.
    only: Option<PathBuf>,
    pub(super) summary: Summary,
}

impl<'v> Verifier<'v> {
    pub(super) fn new(env: &'v Env, report: &'v mut dyn Report) -> Verifier<'v> {
        Verifier { env, report, only: None, summary: Summary::default() }
    }

    pub(super) fn found(&mut self, finding: &Finding) {
        if self.only.as_ref().is_some_and(|only| *only != finding.path) {
            return;
        }
        match finding.severity {
            Severity::Note => self.summary.notes += 1,
            Severity::Damage => self.summary.damages += 1,
        }
        self.report.found(finding);
    }

    pub(super) fn read(&mut self, bytes: u64) {
        self.summary.bytes += bytes;
        self.report.done(bytes);
    }

    /// What was read, or a finding that it could not be. A live directory's file may be gone by now.
    pub(super) fn or_unreadable<T>(&mut self, path: &Path, is_live: bool, read: io::Result<T>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) if is_live && error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                const ADVICE: &str = "check the disk and who may read the file";
                self.found(&Finding::damage(path, format!("it cannot be read: {error}"), ADVICE));
                None
            }
        }
    }

    fn say_if_live(&mut self, around: &Around) {
        if let (true, Some(dir)) = (around.is_live, &around.dir) {
            const ADVICE: &str = "stop it for a complete check";
            let what = "a broker has this directory: it writes while this reads, the ends of logs may look torn and the \
                        journal is not checked";
            self.found(&Finding::note(dir, what, ADVICE));
        }
    }

    fn file(&mut self, path: &Path) -> Result<(), AtRestError> {
        let Some(kind) = Kind::of(path) else {
            return Err(AtRestError::Unknown { path: path.to_owned() });
        };
        let dir = path.parent().unwrap_or(Path::new("."));
        match kind {
            Kind::Journal => {
                let around = Around::of(self.env, path, 2)?;
                self.only = Some(path.to_owned());
                self.expect_dir(dir);
                journals::check(self, dir, &around)?;
            }
            Kind::Checkpoint => {
                let around = Around::of_data_dir(self.env, Some(dir))?;
                checkpoint::check_file(self, path, &around, &[]);
            }
            Kind::Meta => {
                Around::of_data_dir(self.env, Some(dir))?;
                small::check_meta(self, dir);
            }
            Kind::PartitionMetadata | Kind::Epochs => {
                let around = Around::of(self.env, path, 2)?;
                self.only = Some(path.to_owned());
                small::check_log_files(self, dir, &around);
            }
            Kind::Producers | Kind::Image => {
                let around = Around::of(self.env, path, 2)?;
                self.expect(
                    self.env.files.open(path, OpenMode::Read).and_then(|file| file.len()).unwrap_or(0),
                );
                if kind == Kind::Image {
                    state::check_image(self, path, &around);
                } else {
                    state::check_producers(self, path, &around, None);
                }
            }
            Kind::CleanOffsets => {
                let around = Around::of_data_dir(self.env, Some(dir))?;
                state::check_clean_offsets(self, dir, &around);
            }
            Kind::Leftover => {
                Around::of(self.env, path, 2)?;
                const ADVICE: &str = "name the log's directory for a check of what counts";
                self.found(&Finding::note(path, "it is no part of its log, or not yet", ADVICE));
            }
            Kind::Segment | Kind::OffsetIndex | Kind::TimeIndex | Kind::TxnIndex | Kind::Quarantine => {
                let around = Around::of(self.env, path, 2)?;
                let Some(base) = base_in(path) else {
                    return Err(AtRestError::Unknown { path: path.to_owned() });
                };
                // A segment's own file stands for all that belongs to it.
                self.only = (kind != Kind::Segment).then(|| path.to_owned());
                log_dir::check_segment(self, dir, base, &around);
            }
        }
        Ok(())
    }

    pub(super) fn expect(&mut self, bytes: u64) {
        self.report.expect(bytes);
    }

    fn expect_dir(&mut self, dir: &Path) {
        let bytes = self.env.files.list(dir).map(|entries| entries.iter().map(|entry| entry.len).sum());
        self.report.expect(bytes.unwrap_or(0));
    }

    /// A whole data directory: its own files, its journal, its logs.
    fn data_dir(&mut self, dir: &Path, around: &Around) {
        self.say_if_live(around);
        let listed = self.env.files.list(dir);
        let entries = self.or_unreadable(dir, false, listed).unwrap_or_default();
        let is_log = |entry: &&DirEntry| entry.is_dir && meta::partition_of(&entry.name).is_some();
        let logs: Vec<PathBuf> = entries.iter().filter(is_log).map(|entry| dir.join(&entry.name)).collect();
        for log in &logs {
            let bytes = self.env.files.list(log).map(|entries| log_bytes(&entries));
            self.expect(bytes.unwrap_or(0));
        }
        small::check_meta(self, dir);
        let dropped = self.journal(dir, around);
        for name in [crate::checkpoint::FILE_NAME, crate::checkpoint::OLD_FILE_NAME] {
            checkpoint::check_file(self, &dir.join(name), around, &dropped);
        }
        state::check_clean_offsets(self, dir, around);
        for log in &logs {
            log_dir::check(self, log, around);
        }
        for entry in entries.iter().filter(|entry| entry.is_dir && entry.name.ends_with("-stray")) {
            const ADVICE: &str = "delete it if nobody misses it";
            let what = "a log's directory that no topic owned was set aside here; it is not checked";
            self.found(&Finding::note(&dir.join(&entry.name), what, ADVICE));
        }
    }

    /// The logs that the journal says are deleted.
    fn journal(&mut self, dir: &Path, around: &Around) -> Vec<LogId> {
        let journal = dir.join(journal::DIR_NAME);
        if !self.env.files.exists(&journal) || around.is_live {
            return Vec::new();
        }
        self.expect_dir(&journal);
        match journals::check(self, &journal, around) {
            Ok(dropped) => dropped,
            Err(error) => {
                const ADVICE: &str = "put meta.properties right first";
                self.found(&Finding::note(&journal, error.to_string(), ADVICE));
                Vec::new()
            }
        }
    }
}
