//! The journal's files: commits in the order of their LSNs, and every record in them.
//!
//! Invariants: what a checkpoint covers is never damage, since nobody reads it again; a hole above everything that was
//! called durable is the torn tail, and one below it is damage. It must not know what the operations do.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::{File, OpenMode};
use crate::ids::LogId;
use crate::journal::record::{
    BLOCK_BYTES, COMMIT_HEADER_BYTES, CommitHeader, Found, Key, Op, RECORD_HEADER_BYTES, RecordHeader,
    RecordWalk, Whole,
};
use crate::journal::ring;

use super::AtRestError;
use super::around::Around;
use super::finding::Finding;
use super::verify::Verifier;
use super::window::Window;

const LOST: &str = "of these records only what reached the logs' own files is left: the lines for the logs say whether \
                    it is whole. Check the disk";
const MENDED: &str = "nothing is lost: the next start mends it. Check the disk and the memory";
const TORN: &str = "nothing to do: none of it was acknowledged, and the next start leaves it out";

/// A commit in its file.
pub(super) struct Commit {
    pub(super) position: u64,
    pub(super) header: CommitHeader,
    /// Where its first wrong bit is, of those that a start mends.
    mended: Option<u64>,
    /// Its records, with their places in the file.
    pub(super) records: Vec<(u64, Placed)>,
}

/// A record, or what stands where one is due.
pub(super) enum Placed {
    Whole(RecordHeader),
    BadPayload(RecordHeader),
    BadHeader { lsn: u64 },
}

/// The commit at the front of `bytes`, if one stands there.
fn header_at(key: Key, bytes: &[u8]) -> Option<Whole<CommitHeader>> {
    CommitHeader::decode(key, bytes).filter(|header| header.found.count > 0)
}

/// Goes over the commits of one file, whatever use of the file they are from.
pub(super) fn commits<E>(
    key: Key,
    file: &Arc<dyn File>,
    failed: impl Fn(io::Error) -> E,
    mut see: impl FnMut(Commit, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let len = file.len().map_err(&failed)?;
    let mut window = Window::new(file, len);
    let (mut position, mut records) = (0, Vec::new());
    while position + BLOCK_BYTES as u64 <= len {
        let header = header_at(key, window.at(position, COMMIT_HEADER_BYTES).map_err(&failed)?);
        let fits = |header: &Whole<CommitHeader>| position + header.found.padded_bytes() <= len;
        let Some(Whole { found: header, is_mended }) = header.filter(fits) else {
            position += BLOCK_BYTES as u64;
            continue;
        };
        records.resize(header.record_bytes as usize, 0);
        let from = position + COMMIT_HEADER_BYTES as u64;
        let n = file.read_at(&mut records, from).map_err(&failed)?;
        let (placed, mended) = placed(key, &header, &mut records[..n], from);
        let mended = is_mended.then_some(position).or(mended);
        see(Commit { position, header, mended, records: placed }, &records[..n])?;
        position += header.padded_bytes();
    }
    Ok(())
}

/// The records, and the place of the first in which a wrong bit was turned back.
fn placed(key: Key, header: &CommitHeader, bytes: &mut [u8], from: u64) -> (Vec<(u64, Placed)>, Option<u64>) {
    let mut walk = RecordWalk::new(key, header, bytes);
    let (mut at, mut out, mut mended) = (0, Vec::new(), None);
    loop {
        let lsn = walk.next_lsn();
        let (record, next) = match walk.next() {
            None => return (out, mended),
            Some(Found::Record(record, payload)) => (Placed::Whole(record), payload.end),
            Some(Found::BadPayload(record)) => {
                let next = at + RECORD_HEADER_BYTES + record.payload_bytes as usize;
                (Placed::BadPayload(record), next)
            }
            Some(Found::BadHeader) => (Placed::BadHeader { lsn }, at),
        };
        if walk.mended > 0 {
            mended = mended.or(Some(from + at as u64));
        }
        out.push((from + at as u64, record));
        at = next;
    }
}

/// What a check keeps of a commit.
struct Seen {
    path: PathBuf,
    position: u64,
    end: u64,
    last_lsn: u64,
    durable_lsn: u64,
    /// The first record that cannot be read: its LSN and place, what is wrong.
    bad: Option<(u64, u64, &'static str)>,
    mended: Option<u64>,
}

/// Checks all files of a journal. Gives the logs that it says are deleted.
pub(super) fn check(
    verifier: &mut Verifier<'_>,
    dir: &Path,
    around: &Around,
) -> Result<Vec<LogId>, AtRestError> {
    let Some(key) = around.key() else { return Err(AtRestError::NoKey { path: dir.to_owned() }) };
    if around.is_live {
        const ADVICE: &str = "stop the broker to check it";
        verifier.found(&Finding::note(dir, "a broker is writing to the journal: it is not checked", ADVICE));
        return Ok(Vec::new());
    }
    let least = around.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.journal.lsn);
    let entries = verifier.env.files.list(dir).map_err(AtRestError::io(dir))?;
    let (mut live, mut dropped) = (BTreeMap::new(), Vec::new());
    for entry in entries.iter().filter(|entry| ring::number_of(&entry.name).is_some()) {
        let path = dir.join(&entry.name);
        let read = verifier.env.files.open(&path, OpenMode::Read).and_then(|file| {
            commits(key, &file, std::convert::identity, |commit, _| {
                see(&path, commit, least, &mut live, &mut dropped);
                Ok(())
            })
        });
        verifier.summary.files += 1;
        verifier.read(entry.len);
        verifier.or_unreadable(&path, false, read);
    }
    judge(verifier, &live, least);
    Ok(dropped)
}

fn see(path: &Path, commit: Commit, least: u64, live: &mut BTreeMap<u64, Seen>, dropped: &mut Vec<LogId>) {
    let Commit { position, header, mended, records } = commit;
    if header.last_lsn() < least {
        return;
    }
    let mut bad = None;
    for (at, record) in records {
        match record {
            Placed::Whole(record) if record.op == Op::Drop => dropped.push(record.log),
            Placed::Whole(_) => {}
            Placed::BadPayload(record) => {
                bad = bad.or(Some((record.lsn, at, "the checksum of its payload is wrong")));
            }
            Placed::BadHeader { lsn } => bad = bad.or(Some((lsn, at, "no header of a record stands there"))),
        }
    }
    let (end, last_lsn, durable_lsn) =
        (position + header.padded_bytes(), header.last_lsn(), header.durable_lsn);
    let seen = Seen { path: path.to_owned(), position, end, last_lsn, durable_lsn, bad, mended };
    live.insert(header.first_lsn, seen);
}

/// Goes over what counts, in order.
fn judge(verifier: &mut Verifier<'_>, live: &BTreeMap<u64, Seen>, least: u64) {
    let durable = live.values().map(|seen| seen.durable_lsn).max().unwrap_or(0);
    let mut before: Option<&Seen> = None;
    for (first_lsn, seen) in live {
        // Without a checkpoint nothing says where the journal begins: its first commit does, and restarts leave gaps.
        let due = before.map_or(least, |before| before.last_lsn + 1);
        if due > 0 && least > 0 && *first_lsn > due {
            let (path, at) = before.map_or((&seen.path, 0), |before| (&before.path, before.end));
            let what = format!("records {due} to {} are missing", first_lsn - 1);
            if due > durable {
                return verifier.found(&Finding::note(path, format!("a torn tail: {what}"), TORN).at(at));
            }
            verifier.found(&Finding::damage(path, what, LOST).at(at));
        }
        if let Some(at) = seen.mended {
            let what = format!("one bit of the commit at {} is wrong", seen.position);
            verifier.found(&Finding::damage(&seen.path, what, MENDED).at(at));
        }
        if let Some((lsn, at, what)) = seen.bad.filter(|(lsn, ..)| *lsn >= least) {
            let what = format!("record {lsn} of the commit at {}: {what}", seen.position);
            if lsn > durable {
                return verifier
                    .found(&Finding::note(&seen.path, format!("a torn tail: {what}"), TORN).at(at));
            }
            verifier.found(&Finding::damage(&seen.path, what, LOST).at(at));
        }
        before = Some(seen);
    }
}
