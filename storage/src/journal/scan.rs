//! Finding what a journal holds after a crash.
//!
//! Commits are found by their headers, in the order of their LSNs, from where the last checkpoint began. A hole in that
//! order is the torn tail if it lies above everything that a later commit calls durable, and damage if it lies below.
//! Invariant: nothing behind a torn tail is taken. It must not know what the operations do.

use std::io;

use super::record::{BLOCK_BYTES, COMMIT_HEADER_BYTES, CommitHeader, Found, Key, RecordHeader, RecordWalk};
use super::ring::RingFile;

/// Read at a time while looking for headers.
const READ_BYTES: usize = 1 << 20;

/// What stands in a journal behind a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    commits: Vec<CommitAt>,
    /// The greatest LSN that some commit calls durable.
    durable_lsn: u64,
    /// Above everything that the files hold, taken or not.
    pub(crate) next_lsn: u64,
}

#[derive(Copy, Clone, Debug)]
struct CommitAt {
    /// The file, by its place in the list.
    file: usize,
    position: u64,
    header: CommitHeader,
}

/// What a reading of the records found wrong.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Records that were durable and cannot be read.
    pub(crate) records: u64,
    /// Whether a torn tail was left out.
    pub(crate) torn: bool,
}

/// Looks at the files that may hold records from `least` on.
pub(crate) fn scan(key: Key, files: &[RingFile], least: u64) -> io::Result<Scan> {
    let mut begun = Vec::new();
    for (place, file) in files.iter().enumerate() {
        if let Some(first_lsn) = first_lsn(key, file)? {
            begun.push((first_lsn, place));
        }
    }
    begun.sort_unstable();
    let mut scan = Scan::nothing_behind(least);
    for (at, (_, place)) in begun.iter().enumerate() {
        // A file ends where the next begins: one that ends too early is left out.
        if begun.get(at + 1).is_none_or(|(next, _)| *next > least) {
            scan.file(key, *place, &files[*place], least)?;
        }
    }
    Ok(scan)
}

/// The LSN of a file's first commit; of the first that can be read, should that one be damaged.
fn first_lsn(key: Key, file: &RingFile) -> io::Result<Option<u64>> {
    let mut front = [0; COMMIT_HEADER_BYTES];
    for position in (0..file.bytes).step_by(BLOCK_BYTES) {
        file.file.read_at(&mut front, position)?;
        if let Some(header) = CommitHeader::decode(key, &front) {
            return Ok(Some(header.first_lsn));
        }
        if position == 0 && front == [0; COMMIT_HEADER_BYTES] {
            return Ok(None);
        }
    }
    Ok(None)
}

impl Scan {
    /// The journal was closed in order, at this LSN.
    pub(crate) fn nothing_behind(lsn: u64) -> Scan {
        Scan { next_lsn: lsn.max(1), ..Scan::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    fn last_seen(&self) -> u64 {
        self.commits.last().map_or(0, |commit| commit.header.last_lsn())
    }

    /// Goes from commit to commit, and block by block where there is none. What an earlier use of the file left has
    /// smaller LSNs than what came before it.
    fn file(&mut self, key: Key, place: usize, file: &RingFile, least: u64) -> io::Result<()> {
        let mut position = 0;
        let mut buffer = vec![0; READ_BYTES.min(file.bytes as usize)];
        let (mut from, mut filled) = (0, 0);
        while position + BLOCK_BYTES as u64 <= file.bytes {
            if position < from || position + BLOCK_BYTES as u64 > from + filled as u64 {
                let wanted = (file.bytes - position).min(buffer.len() as u64) as usize;
                (from, filled) = (position, file.file.read_at(&mut buffer[..wanted], position)?);
                if filled < BLOCK_BYTES {
                    break;
                }
            }
            let at = (position - from) as usize;
            let header = CommitHeader::decode(key, &buffer[at..at + BLOCK_BYTES]);
            let fits = |header: &CommitHeader| {
                header.count > 0
                    && header.first_lsn > self.last_seen()
                    && header.last_lsn() >= least
                    && position + header.padded_bytes() <= file.bytes
            };
            match header.filter(fits) {
                Some(header) => {
                    self.commits.push(CommitAt { file: place, position, header });
                    self.durable_lsn = self.durable_lsn.max(header.durable_lsn);
                    self.next_lsn = self.next_lsn.max(header.last_lsn() + 1);
                    position += header.padded_bytes();
                }
                None => position += BLOCK_BYTES as u64,
            }
        }
        Ok(())
    }

    /// Hands over every record from `least` on, in order, as far as the journal is whole.
    pub(crate) fn replay<E>(
        &self,
        key: Key,
        files: &[RingFile],
        least: u64,
        mut apply: impl FnMut(&RecordHeader, &[u8]) -> Result<(), E>,
    ) -> Result<Damage, E>
    where
        E: From<io::Error>,
    {
        let (mut damage, mut expected, mut buffer) = (Damage::default(), None, Vec::new());
        for CommitAt { file, position, header } in &self.commits {
            let due = expected.unwrap_or(if least > 0 { least } else { header.first_lsn });
            if header.first_lsn > due && !self.lost(due, header.first_lsn, &mut damage) {
                return Ok(damage);
            }
            buffer.resize(header.record_bytes as usize, 0);
            let n = files[*file].file.read_at(&mut buffer, position + COMMIT_HEADER_BYTES as u64)?;
            let mut walk = RecordWalk::new(key, header, &buffer[..n]);
            let mut next = header.first_lsn;
            while let Some(found) = walk.next() {
                let (bad_to, record) = match found {
                    Found::Record(record, payload) => (next, Some((record, payload))),
                    Found::BadPayload(_) => (walk.next_lsn(), None),
                    Found::BadHeader => (header.last_lsn() + 1, None),
                };
                match record {
                    Some((record, payload)) if record.lsn >= least => apply(&record, &buffer[payload])?,
                    Some(_) => {}
                    None if bad_to <= least => {}
                    None if !self.lost(next.max(least), bad_to, &mut damage) => return Ok(damage),
                    None => {}
                }
                next = walk.next_lsn();
            }
            expected = Some(header.last_lsn() + 1);
        }
        Ok(damage)
    }

    /// Records from `from` to below `to` are not there. False if that is the torn tail.
    fn lost(&self, from: u64, to: u64, damage: &mut Damage) -> bool {
        if from > self.durable_lsn {
            damage.torn = true;
            return false;
        }
        damage.records += to - from;
        true
    }
}
