//! What readers of the real log have to find: the same bytes where it was never compacted, otherwise the last value of
//! each key and nothing that was not sent.

use std::collections::BTreeMap;

use bytes::Bytes;
use storage::{BatchHeader, Bound, Log, Offset, TimestampMs};

use super::batch::{Content, commits, contents};
use super::producers::{Aborted, Outcome};
use super::{Batch, Model};

/// How much a reader that wants everything asks for at once.
const READ_BYTES: usize = 1_500;

/// A whole batch as it was read.
pub(crate) struct Found {
    pub(crate) header: BatchHeader,
    pub(crate) bytes: Bytes,
}

/// A reader of committed records.
#[derive(Default)]
pub(crate) struct Reader {
    next: i64,
    /// Where it found each key's last value.
    view: BTreeMap<Vec<u8>, i64>,
}

impl Reader {
    /// What it read beyond the log's end was lost: it begins anew.
    pub(crate) fn cut(&mut self, end: i64) {
        if self.next > end {
            *self = Reader::default();
        }
    }
}

/// The whole batches of one read, and the aborted transactions that came with them.
fn read(log: &Log, from: i64, bytes_max: usize, bound: Bound) -> (Vec<Found>, Aborted) {
    try_read(log, from, bytes_max, bound).unwrap()
}

fn try_read(
    log: &Log,
    from: i64,
    bytes_max: usize,
    bound: Bound,
) -> Result<(Vec<Found>, Aborted), Box<dyn std::error::Error>> {
    let plan = log.read(Offset(from), bytes_max, true, bound)?;
    assert_eq!(plan.aborted.is_some(), bound == Bound::LastStable);
    let mut bytes = Vec::new();
    for part in &plan.parts {
        bytes.extend_from_slice(&part.read()?);
    }
    let mut rest = Bytes::from(bytes);
    let mut found = Vec::new();
    while let Some(header) = BatchHeader::parse(&rest).ok().filter(|h| h.total_bytes() <= rest.len()) {
        let bytes = rest.split_to(header.total_bytes());
        found.push(Found { header, bytes });
    }
    let aborted = plan.aborted.unwrap_or_default();
    let aborted = Aborted::new(aborted.iter().map(|txn| (txn.first_offset.0, txn.producer_id)).collect());
    Ok((found, aborted))
}

/// The batch at an offset, whoever may see it; none if the machine gives nothing any more.
pub(crate) fn batch_at(log: &Log, at: i64) -> Option<Found> {
    try_read(log, at, 1, Bound::End).ok()?.0.into_iter().next()
}

fn read_all(log: &Log, from: i64, to: i64, bound: Bound) -> Vec<Found> {
    let (mut next, mut all) = (from, Vec::new());
    while next < to {
        let (found, _) = read(log, next, READ_BYTES, bound);
        let last =
            found.last().unwrap_or_else(|| panic!("{}: nothing at {next}, below {to}", log.dir_name()));
        next = last.header.next_offset().0;
        all.extend(found);
    }
    assert_eq!(next, to, "a batch ends where the log does");
    all
}

impl Model {
    /// Everything from the start to `to` is there and right.
    pub(crate) fn compare(&mut self, log: &Log, bound: Bound, to: Offset, now: TimestampMs) {
        let found = read_all(log, self.start, to.0, bound);
        if self.is_compacted {
            return self.compare_keys(&found, to.0, now);
        }
        let mut next = None;
        let mut found = found.iter();
        let expected = self.batches.range(..to.0).filter(|(base, batch)| *base + batch.count() > self.start);
        for (base, batch) in expected {
            let found = found.next().expect("a read ends where its batches do");
            assert!(next.is_none_or(|next| next == *base), "offsets continue");
            assert_eq!(found.header.base_offset.0, *base);
            assert!(batch.is(&found.bytes), "the batch at {base} is as it was sent");
            next = Some(base + batch.count());
        }
        assert!(found.next().is_none(), "nothing else is there");
    }

    /// What a compacted log holds of the batch that was sent; its records above the start.
    fn of_batch(&self, found: &Found) -> Vec<(i64, Content)> {
        let header = &found.header;
        let base = header.base_offset.0;
        let sent = self.batches.get(&base).expect("only what was sent is read");
        let like = |header: &BatchHeader| {
            let flags = (header.is_control(), header.is_transactional(), header.last_offset_delta);
            (flags, header.producer_id, header.producer_epoch, header.base_sequence)
        };
        assert_eq!(like(header), like(&sent.header), "the batch at {base} keeps what it says of itself");
        let mut records = contents(&found.bytes);
        assert!(records.is_sorted_by(|a, b| a.0 < b.0), "offsets rise");
        for (offset, content) in &records {
            let place = usize::try_from(offset - base).expect("offsets are the batch's");
            assert_eq!(sent.records.get(place), Some(content), "the record at {offset} is as it was sent");
        }
        records.retain(|(offset, _)| *offset >= self.start);
        records
    }

    /// The last decided value of each key from the start to `to`.
    fn last_values(&self, to: i64) -> BTreeMap<&[u8], (i64, &Batch, bool)> {
        let outcomes = self.outcomes();
        let mut last = BTreeMap::new();
        let records = self.batches.range(..to).filter(|(_, batch)| !batch.header.is_control());
        for (base, batch) in records {
            if outcomes.get(base).is_some_and(|outcome| *outcome != Outcome::Committed) {
                continue;
            }
            for (offset, (key, value)) in (*base..).zip(&batch.records) {
                if (self.start..to).contains(&offset) {
                    last.insert(&key[..], (offset, batch, value.is_none()));
                }
            }
        }
        last
    }

    fn compare_keys(&mut self, found: &[Found], to: i64, now: TimestampMs) {
        assert!(found.windows(2).all(|pair| pair[0].header.next_offset() <= pair[1].header.base_offset));
        let outcomes = self.outcomes();
        let is_there: BTreeMap<i64, Content> = found
            .iter()
            .filter(|found| !found.header.is_control())
            .flat_map(|found| self.of_batch(found))
            .collect();
        let mut spent_tombstones = 0;
        let (_, undecided) = self.last_stable(to);
        let behind = self.batches.range(undecided..to).filter(|(_, batch)| !batch.header.is_control());
        for (base, batch) in behind {
            for offset in *base..base + batch.count() {
                assert!(
                    is_there.contains_key(&offset),
                    "{offset} is not stable and gone, from {undecided} to {to}"
                );
            }
        }
        for (key, (offset, batch, is_tombstone)) in self.last_values(to) {
            if is_there.contains_key(&offset) {
                continue;
            }
            spent_tombstones += 1;
            assert!(is_tombstone, "the last value of {key:?}, at {offset}, is there");
            let horizon = batch.header.base_timestamp + self.delete_retention_ms_min;
            assert!(horizon <= now, "the tombstone at {offset} has its time, to {horizon} and not {now}");
            let is_older = |entry: &(&i64, &Content)| *entry.0 < offset && entry.1.0 == key;
            let mut older = is_there.iter().filter(is_older).map(|(offset, _)| *offset);
            let base_of = |offset: i64| *self.batches.range(..=offset).next_back().expect("it was sent").0;
            let is_aborted = |at: &i64| outcomes.get(&base_of(*at)) == Some(&Outcome::Aborted);
            assert_eq!(older.find(|at| !is_aborted(at)), None, "a value outlives its tombstone");
        }
        self.seen.spent_tombstones += spent_tombstones;
    }

    /// The polling reader of everything reads on, at most `bytes_max` at once.
    pub(crate) fn poll(&mut self, log: &Log, bytes_max: usize) -> (i64, i64) {
        let high_watermark = log.high_watermark().0;
        let from = self.reader.max(self.start);
        self.reader = from;
        let (found, _) = read(log, from, bytes_max, Bound::HighWatermark);
        for found in &found {
            let base = found.header.base_offset.0;
            let batch = self.batches.get(&base).expect("only what was appended is read");
            assert!(self.is_compacted || batch.is(&found.bytes));
            self.of_batch(found);
            assert!(found.header.next_offset().0 > self.reader);
            assert!(self.is_compacted || base <= self.reader, "nothing is passed by");
            self.reader = found.header.next_offset().0;
        }
        assert!(self.reader <= log.high_watermark().0, "nothing above the high watermark is read");
        assert!(self.reader == high_watermark || !found.is_empty(), "a reader gets on");
        self.saw(log, Offset(self.reader));
        (from, self.reader)
    }

    /// The reader of committed records reads on.
    pub(crate) fn poll_committed(&mut self, log: &Log, bytes_max: usize) -> (i64, i64) {
        let stable = log.last_stable().0;
        let from = self.committed.next.max(self.start);
        let (found, mut aborted) = read(log, from, bytes_max, Bound::LastStable);
        let outcomes = self.outcomes();
        let (mut next, mut delivered) = (from, Vec::new());
        for found in &found {
            let (header, records) = (&found.header, self.of_batch(found));
            next = header.next_offset().0;
            if records.is_empty() && !header.is_control() {
                continue;
            }
            let marker = records.first().filter(|_| header.is_control()).map(|(_, (key, _))| commits(key));
            if aborted.delivers(header, marker) {
                let outcome = outcomes.get(&header.base_offset.0).copied().unwrap_or(Outcome::Committed);
                assert_eq!(outcome, Outcome::Committed, "{header:?} is not for readers of committed records");
                delivered.extend(records.into_iter().filter(|(offset, _)| *offset >= from));
            } else if !header.is_control() {
                self.seen.aborted += 1;
                assert_eq!(
                    outcomes.get(&header.base_offset.0),
                    Some(&Outcome::Aborted),
                    "{header:?} is kept back"
                );
            }
        }
        assert!(
            next <= stable && (next == stable || !found.is_empty()),
            "a reader of committed records gets on"
        );
        if !self.is_compacted {
            let is_committed = |base: &i64| outcomes.get(base).is_none_or(|o| *o == Outcome::Committed);
            let expected = self
                .batches
                .range(..next)
                .filter(|(base, batch)| is_committed(base) && !batch.header.is_control());
            let count: i64 =
                expected.map(|(base, batch)| (next.min(base + batch.count()) - from.max(*base)).max(0)).sum();
            assert_eq!(
                delivered.len() as i64,
                count,
                "every committed record from {from} to {next} is delivered"
            );
        }
        self.committed.next = next;
        self.committed.view.extend(delivered.into_iter().map(|(offset, (key, _))| (key, offset)));
        if next == stable {
            for (key, (offset, _, is_tombstone)) in self.last_values(stable) {
                // A reader that comes too late for a tombstone does not see it, as in Kafka.
                let seen = self.committed.view.get(key);
                assert!(
                    is_tombstone || seen == Some(&offset),
                    "from {from} to {next} the reader saw {key:?} at {seen:?}, not {offset}; {:?}",
                    found
                        .iter()
                        .map(|f| (f.header.base_offset.0, f.header.next_offset().0, f.header.record_count))
                        .collect::<Vec<_>>()
                );
            }
        }
        self.saw(log, Offset(next));
        (from, next)
    }
}
