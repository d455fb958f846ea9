//! Finding what a journal holds after a crash.
//!
//! Commits are found by their headers, in the order of their LSNs, from where the last checkpoint began. A hole in that
//! order is the torn tail if it lies above everything that a later commit calls durable, and damage if it lies below.
//! Invariants: nothing behind a torn tail is taken; without a checkpoint to trust, nothing before a hole is, since what
//! stood in it may have been used again. It must not know what the operations do.

use std::io;

use super::record::{
    BLOCK_BYTES, COMMIT_HEADER_BYTES, CommitHeader, Found, Key, RecordHeader, RecordWalk, Whole,
};
use super::ring::RingFile;

/// From where on a journal counts.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// The last checkpoint says so: everything from this LSN on is there.
    Checkpoint(u64),
    /// Not before this LSN, but a checkpoint that is lost may have given up more.
    AtLeast(u64),
}

/// What stands in a journal behind a checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Records below it do not count.
    least: u64,
    commits: Vec<CommitAt>,
    /// Headers in which a bit was wrong.
    mended: u64,
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
    /// Places where one bit was wrong, which cost nothing.
    pub(crate) mended: u64,
}

/// Looks at the files that may hold records that count.
pub(crate) fn scan(key: Key, files: &[RingFile], since: Since) -> io::Result<Scan> {
    let (Since::Checkpoint(least) | Since::AtLeast(least)) = since;
    let mut begun = Vec::new();
    for (place, file) in files.iter().enumerate() {
        if let Some(first_lsn) = first_lsn(key, file)? {
            begun.push((first_lsn, place));
        }
    }
    begun.sort_unstable();
    // A file ends where the next begins: one that ends too early is left out. One whose first commit is torn seems to be
    // where it was in its earlier use, and is not missed: nothing in it counts.
    let counts = |at: usize| begun.get(at + 1).is_none_or(|(next, _)| *next > least);
    let counting: Vec<usize> =
        begun.iter().enumerate().filter(|(at, _)| counts(*at)).map(|(_, (_, place))| *place).collect();
    for place in &counting {
        files[*place].file.read_ahead(0, files[*place].bytes);
    }
    let mut scan = Scan::nothing_behind(least);
    for place in counting {
        scan.file(key, place, &files[place])?;
    }
    scan.commits.sort_unstable_by_key(|commit| commit.header.first_lsn);
    // What stands twice, as a block does that went to a wrong place too, is taken once.
    scan.commits.dedup_by(|later, earlier| later.header.first_lsn <= earlier.header.last_lsn());
    if matches!(since, Since::AtLeast(_)) {
        scan.keep_last_run();
    }
    Ok(scan)
}

/// The LSN of a file's first commit; of the first that can be read, should that one be damaged.
fn first_lsn(key: Key, file: &RingFile) -> io::Result<Option<u64>> {
    let mut front = [0; COMMIT_HEADER_BYTES];
    for position in (0..file.bytes).step_by(BLOCK_BYTES) {
        file.file.read_at(&mut front, position)?;
        if let Some(header) = CommitHeader::decode(key, &front) {
            return Ok(Some(header.found.first_lsn));
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
        Scan { least: lsn, next_lsn: lsn.max(1), ..Scan::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// Goes from commit to commit, and block by block where there is none. What an earlier use of the file left is below
    /// what counts: it was covered by a checkpoint before the file was used again.
    fn file(&mut self, key: Key, place: usize, file: &RingFile) -> io::Result<()> {
        let mut position = 0;
        let mut block = [0; BLOCK_BYTES];
        while position + BLOCK_BYTES as u64 <= file.bytes {
            if file.file.read_at(&mut block, position)? < BLOCK_BYTES {
                break;
            }
            let header = CommitHeader::decode(key, &block);
            let fits = |Whole { found: header, .. }: &Whole<CommitHeader>| {
                header.count > 0
                    && header.last_lsn() >= self.least
                    && position + header.padded_bytes() <= file.bytes
            };
            match header.filter(fits) {
                Some(Whole { found: header, is_mended }) => {
                    self.mended += u64::from(is_mended);
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

    /// Leaves out the torn tail, and everything before the last hole.
    fn keep_last_run(&mut self) {
        let holes = |commits: &[CommitAt]| -> Vec<(usize, u64)> {
            let pairs = commits.windows(2).enumerate();
            pairs
                .map(|(at, pair)| (at + 1, pair[0].header.last_lsn() + 1, pair[1].header.first_lsn))
                .filter(|(_, due, found)| found > due)
                .map(|(at, due, _)| (at, due))
                .collect()
        };
        if let Some((torn, _)) = holes(&self.commits).into_iter().find(|(_, due)| *due > self.durable_lsn) {
            self.commits.truncate(torn);
        }
        if let Some((hole, _)) = holes(&self.commits).last() {
            self.commits.drain(..hole);
        }
        // The first commit may begin below what counts.
        let first = self.commits.first().map_or(0, |first| first.header.first_lsn);
        self.least = self.least.max(first);
    }

    /// Hands over every record that counts, in order, as far as the journal is whole.
    pub(crate) fn replay<E>(
        &self,
        key: Key,
        files: &[RingFile],
        mut apply: impl FnMut(&RecordHeader, &[u8]) -> Result<(), E>,
    ) -> Result<Damage, E>
    where
        E: From<io::Error>,
    {
        let mut damage = Damage { mended: self.mended, ..Damage::default() };
        let (mut due, mut buffer) = (self.least, Vec::new());
        for CommitAt { file, position, header } in &self.commits {
            if header.first_lsn > due && !self.lost(due, header.first_lsn, &mut damage) {
                return Ok(damage);
            }
            buffer.resize(header.record_bytes as usize, 0);
            let n = files[*file].file.read_at(&mut buffer, position + COMMIT_HEADER_BYTES as u64)?;
            let mut walk = RecordWalk::new(key, header, &mut buffer[..n]);
            let mut next = header.first_lsn;
            while let Some(found) = walk.next() {
                let (bad_to, record) = match found {
                    Found::Record(record, payload) => (next, Some((record, payload))),
                    Found::BadPayload(_) => (walk.next_lsn(), None),
                    Found::BadHeader => (header.last_lsn() + 1, None),
                };
                match record {
                    Some((record, payload)) if record.lsn >= self.least => {
                        apply(&record, &walk.bytes[payload])?;
                    }
                    Some(_) => {}
                    None if bad_to <= self.least => {}
                    None if !self.lost(next.max(self.least), bad_to, &mut damage) => return Ok(damage),
                    None => {}
                }
                next = walk.next_lsn();
            }
            damage.mended += walk.mended;
            due = header.last_lsn() + 1;
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
