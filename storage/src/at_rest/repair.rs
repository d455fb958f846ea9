//! `repair`: what a start of the broker does for its logs, and what it leaves for later, done now and in full.
//!
//! Invariants: the directory is checked before anything is changed, and what was changed is checked again; its lock is
//! held while anything is; bytes leave a segment only into its quarantine. All judging and mending is recovery's.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::compact::clean_offsets;
use crate::config::LogConfig;
use crate::data_dir::{DataDir, DataDirOptions, Flushing};
use crate::env::Env;
use crate::error::{OpenError, ReadError};
use crate::ids::{LeaderEpoch, LogId, Offset};
use crate::log::Log;
use crate::meta::{self, MetaProperties};
use crate::producer_state::snapshot::{self, SNAPSHOT_SUFFIX};
use crate::recover::Depth;
use crate::segment::{LOG_SUFFIX, TXN_INDEX_SUFFIX, base_of};
use crate::small_file;

use super::around::{Around, read_meta};
use super::finding::{Finding, Report, Severity, Summary};
use super::verify::{Verifier, name_of, verify};
use super::{AtRestError, log_dir};

/// What was done to one log.
#[derive(Debug)]
pub struct RepairedLog {
    pub dir_name: String,
    /// The log was opened, and is in order as far as its batches go.
    pub outcome: Result<Opened, OpenError>,
    /// It was damaged, and every batch of it was judged again.
    pub was_damaged: bool,
}

/// A log that was opened and closed again.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub start: Offset,
    pub end: Offset,
    pub segments: usize,
    pub quarantined_bytes: u64,
    /// Bytes that are neither in the log nor in its quarantine any more: a torn tail.
    pub cut_bytes: u64,
}

/// What a repair came to.
#[derive(Debug)]
pub struct Repaired {
    pub logs: Vec<RepairedLog>,
    /// Directories of logs that nothing says the owner of: left alone.
    pub unknown: Vec<PathBuf>,
    pub before: Summary,
    /// What is left, of the logs that were damaged.
    pub after: Summary,
}

impl Repaired {
    /// Whether nothing is left that is wrong.
    pub fn is_whole(&self) -> bool {
        self.after.damages == 0 && self.unknown.is_empty() && self.logs.iter().all(|log| log.outcome.is_ok())
    }
}

/// Repairs the data directory `dir`. The findings before go to `before`, those that are left to `after`.
pub fn repair(
    env: &Env,
    dir: &Path,
    before: &mut dyn Report,
    after: &mut dyn Report,
) -> Result<Repaired, AtRestError> {
    let meta = may_be_repaired(env, dir)?;
    let mut damaged = Damaged { report: before, dir, logs: BTreeSet::new() };
    let found = verify(env, dir, &mut damaged)?;
    let damaged = damaged.logs;
    let options =
        DataDirOptions { node_id: meta.node_id, flushing: Flushing::Manual, ..DataDirOptions::default() };
    let data_dir = DataDir::open(env.clone(), dir.to_owned(), options).map_err(|error| match error {
        OpenError::Locked { path } => AtRestError::InUse { path },
        other => AtRestError::Open(other),
    })?;
    remove_if(env, &dir.join(clean_offsets::FILE_NAME), |bytes| clean_offsets::decode(bytes).is_none())
        .map_err(AtRestError::io(dir))?;
    let mut repaired =
        Repaired { logs: Vec::new(), unknown: Vec::new(), before: found, after: Summary::default() };
    for (name, id) in logs(&data_dir)? {
        match id {
            Some(id) => {
                let log = open(env, &data_dir, id, &name, damaged.contains(&name));
                repaired.logs.push(log);
            }
            None => repaired.unknown.push(dir.join(name)),
        }
    }
    data_dir.close();
    let is_offline = data_dir.is_offline();
    drop(data_dir);
    let changed = repaired.logs.iter().filter(|log| log.was_damaged).map(|log| &*log.dir_name);
    repaired.after = check_again(env, dir, changed, after)?;
    if is_offline {
        const ADVICE: &str = "look at the disk, then repair again";
        let what = "the disk took not all of the repair's writes";
        after.found(&Finding::damage(dir, what, ADVICE));
        repaired.after.damages += 1;
    }
    Ok(repaired)
}

/// What [`repair`] would begin with: whether it would begin at all, and what it would find.
pub fn repair_dry_run(env: &Env, dir: &Path, report: &mut dyn Report) -> Result<Summary, AtRestError> {
    may_be_repaired(env, dir)?;
    verify(env, dir, report)
}

fn may_be_repaired(env: &Env, dir: &Path) -> Result<MetaProperties, AtRestError> {
    if !env.files.exists(dir) {
        return Err(AtRestError::Missing { path: dir.to_owned() });
    }
    let Some(meta) = read_meta(env, dir)? else {
        return Err(AtRestError::NoDataDir { path: dir.to_owned() });
    };
    if Around::of_data_dir(env, Some(dir))?.is_live {
        return Err(AtRestError::InUse { path: dir.to_owned() });
    }
    Ok(meta)
}

/// The logs that are there, and those that were at the last checkpoint.
fn logs(data_dir: &DataDir) -> Result<Vec<(String, Option<LogId>)>, OpenError> {
    let known = data_dir.known_logs();
    let mut logs = data_dir.logs_on_disk();
    for (name, id) in &mut logs {
        // One wrong bit makes another topic's log of it, unless the checkpoint knows better.
        let knows = known.iter().find(|(known, _)| known == name).map(|(_, knows)| *knows);
        if let Some(knows) = knows.filter(|knows| Some(*knows) != *id)
            && data_dir.has_one_wrong_bit(knows, &data_dir.path().join(&*name))?
        {
            *id = Some(knows);
        }
    }
    let here: BTreeSet<String> = logs.iter().map(|(name, _)| name.clone()).collect();
    logs.extend(
        known.into_iter().filter(|(name, _)| !here.contains(name)).map(|(name, id)| (name, Some(id))),
    );
    Ok(logs)
}

fn open(env: &Env, data_dir: &DataDir, id: LogId, name: &str, was_damaged: bool) -> RepairedLog {
    let path = data_dir.path().join(name);
    let bytes_before = segment_bytes(env, &path);
    let depth = if was_damaged { Depth::Everything } else { Depth::Unknown };
    let opened = data_dir.open_log_to(depth, id, name, LogConfig::default(), LeaderEpoch(0));
    let mended = opened.and_then(|log| {
        if was_damaged {
            mend_beside(env, &path, &log)?;
        }
        Ok(log)
    });
    let outcome = mended.map(|log| {
        let quarantined_bytes = log.quarantined_bytes();
        let left = log.size_bytes() + quarantined_bytes;
        Opened {
            start: log.start_offset(),
            end: log.end_offset(),
            segments: log.segment_count(),
            quarantined_bytes,
            cut_bytes: bytes_before.saturating_sub(left),
        }
    });
    RepairedLog { dir_name: name.to_owned(), outcome, was_damaged }
}

/// What a start looks at when it is needed, and not before: older snapshots of producers, and the indexes of aborted
/// transactions of segments that take no more.
fn mend_beside(env: &Env, dir: &Path, log: &Log) -> Result<(), OpenError> {
    for entry in env.files.list(dir).map_err(OpenError::io("listing", dir))? {
        let path = dir.join(&entry.name);
        if base_of(&entry.name, SNAPSHOT_SUFFIX).is_some() {
            remove_if(env, &path, |bytes| snapshot::decode(bytes).is_none())
                .map_err(OpenError::io("removing", &path))?;
        }
    }
    let segments = log.segments.read().unwrap().clone();
    for segment in segments {
        let path = segment.path(TXN_INDEX_SUFFIX);
        if env.files.exists(&path) {
            // The flush at the close writes them, where they differ or not.
            log.find_aborts_again(&segment).map_err(|error| match error {
                ReadError::Corrupt { path, position, what } => OpenError::CorruptLog { path, position, what },
                ReadError::Io { path, source } => OpenError::Io { what: "reading", path, source },
                ReadError::OutOfRange { .. } | ReadError::Deleted => unreachable!("a segment is no log"),
            })?;
        }
    }
    Ok(())
}

/// Removes a file that is there and `is_useless`, for good.
fn remove_if(env: &Env, path: &Path, is_useless: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    if small_file::read(&*env.files, path)?.is_some_and(|bytes| is_useless(&bytes)) {
        env.files.remove_file(path)?;
        env.files.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn segment_bytes(env: &Env, dir: &Path) -> u64 {
    let entries = env.files.list(dir).unwrap_or_default();
    entries.iter().filter(|entry| base_of(&entry.name, LOG_SUFFIX).is_some()).map(|entry| entry.len).sum()
}

fn check_again<'l>(
    env: &Env,
    dir: &Path,
    logs: impl Iterator<Item = &'l str>,
    report: &mut dyn Report,
) -> Result<Summary, AtRestError> {
    let around = Around::of_data_dir(env, Some(dir))?;
    let mut verifier = Verifier::new(env, report);
    for name in logs {
        verifier.expect(segment_bytes(env, &dir.join(name)));
        log_dir::check(&mut verifier, &dir.join(name), &around);
    }
    Ok(verifier.summary)
}

/// Passes findings on, and keeps which logs are damaged.
struct Damaged<'d> {
    report: &'d mut dyn Report,
    dir: &'d Path,
    logs: BTreeSet<String>,
}

impl Report for Damaged<'_> {
    fn expect(&mut self, bytes: u64) {
        self.report.expect(bytes);
    }

    fn done(&mut self, bytes: u64) {
        self.report.done(bytes);
    }

    fn found(&mut self, finding: &Finding) {
        let log = finding.path.ancestors().find(|path| path.parent() == Some(self.dir)).map(name_of);
        if let (Severity::Damage, Some(log)) = (finding.severity, log)
            && meta::partition_of(&log).is_some()
        {
            self.logs.insert(log);
        }
        self.report.found(finding);
    }
}
