//! What a log has to answer its producers, and what became of their transactions: both follow from the batches alone.

use std::collections::{BTreeMap, BTreeSet};

use storage::{BatchHeader, ProducerId};

use super::{Batch, Model};

/// As many batches of a producer are remembered.
const REMEMBERED: usize = 5;

/// What becomes of an append.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is in the log already, here.
    Repeats(i64),
    OutOfOrder,
    /// Its epoch is over.
    Stale,
}

struct Known {
    base: i64,
    first: i32,
    last: i32,
}

/// A producer by the batches of it that are in the log.
#[derive(Default)]
struct Producer {
    epoch: i16,
    batches: Vec<Known>,
    last_offset: i64,
    /// Of records.
    last_record: i64,
}

/// The sequence of a batch's last record: 0 follows 2147483647.
pub(crate) fn advance(sequence: i32, by: i64) -> i32 {
    ((i64::from(sequence) + by) & i64::from(i32::MAX)) as i32
}

impl Producer {
    fn judge(&self, header: &BatchHeader, remembered: usize) -> Verdict {
        let (first, last) =
            (header.base_sequence, advance(header.base_sequence, i64::from(header.last_offset_delta)));
        if header.producer_epoch < self.epoch {
            return Verdict::Stale;
        }
        if header.is_control() {
            return Verdict::Append;
        }
        if header.producer_epoch > self.epoch {
            return if first == 0 { Verdict::Append } else { Verdict::OutOfOrder };
        }
        let batches = &self.batches[self.batches.len().saturating_sub(remembered)..];
        if let Some(known) = batches.iter().rev().find(|known| known.first == first && known.last == last) {
            return Verdict::Repeats(known.base);
        }
        let next = batches.last().map_or(0, |known| advance(known.last, 1));
        if first == next { Verdict::Append } else { Verdict::OutOfOrder }
    }
}

/// A transaction that has records in the log.
pub(crate) struct Transaction {
    producer: ProducerId,
    pub(crate) first: i64,
    batches: Vec<i64>,
    /// Where its end stands, and whether that commits.
    pub(crate) end: Option<(i64, bool)>,
}

/// What readers of committed records make of a batch.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Aborted,
    Open,
}

impl Model {
    /// What the batches that count tell of a producer.
    fn producer(&self, id: ProducerId, counts: impl Fn(&Batch) -> bool) -> Option<Producer> {
        let mut found = None;
        let of_it = |entry: &(&i64, &Batch)| entry.1.header.producer_id == id && counts(entry.1);
        for (base, batch) in self.batches.iter().filter(of_it) {
            let header = &batch.header;
            let producer = found.get_or_insert_with(Producer::default);
            if header.producer_epoch != producer.epoch {
                (producer.epoch, producer.batches) = (header.producer_epoch, Vec::new());
            }
            producer.last_offset = base + batch.count() - 1;
            if !header.is_control() {
                let last = advance(header.base_sequence, batch.count() - 1);
                producer.last_record = producer.last_offset;
                producer.batches.push(Known { base: *base, first: header.base_sequence, last });
            }
        }
        found
    }

    /// What the log may answer. More than one answer only after a restart: then a producer may be known by its last
    /// batch alone, one that wrote nothing behind the log's start by its epoch or not at all, and one whose marker a
    /// compaction emptied by what stands before that: as in Kafka, the marker's record told its epoch.
    pub(crate) fn judge(&self, batch: &Batch) -> Vec<Verdict> {
        let producer = batch.header.producer_id;
        let known = if batch.has_producer() { self.producer(producer, |_| true) } else { None };
        let Some(known) = known else { return vec![Verdict::Append] };
        let mut allowed = vec![known.judge(&batch.header, REMEMBERED)];
        if self.was_restarted && matches!(allowed[0], Verdict::Repeats(_)) {
            allowed.push(known.judge(&batch.header, 1));
        }
        if self.was_restarted && known.last_record < self.start {
            allowed.push(known.judge(&batch.header, 0));
        }
        if self.was_restarted && known.last_offset < self.start {
            allowed.push(Verdict::Append);
        }
        if self.was_restarted && self.is_compacted && known.batches.is_empty() {
            let by_records = self.producer(producer, |batch| !batch.header.is_control());
            let judge = |known: Producer| known.judge(&batch.header, REMEMBERED);
            allowed.push(by_records.map_or(Verdict::Append, judge));
        }
        allowed
    }

    pub(crate) fn transactions(&self) -> Vec<Transaction> {
        let mut open: BTreeMap<ProducerId, Transaction> = BTreeMap::new();
        let mut all = Vec::new();
        for (base, batch) in self.batches.iter().filter(|(_, batch)| batch.header.is_transactional()) {
            let producer = batch.header.producer_id;
            if let Some(committed) = batch.marker() {
                let ended = open.remove(&producer);
                all.extend(ended.map(|txn| Transaction { end: Some((*base, committed)), ..txn }));
                continue;
            }
            let begun = || Transaction { producer, first: *base, batches: Vec::new(), end: None };
            open.entry(producer).or_insert_with(begun).batches.push(*base);
        }
        all.extend(open.into_values());
        all
    }

    /// Producers with a transaction that is open, and of which the log holds records.
    pub(crate) fn open_producers(&self) -> BTreeSet<ProducerId> {
        let is_held = |base: &i64| *base + self.batches[base].count() > self.start;
        let is_open = |txn: &Transaction| txn.end.is_none() && txn.batches.iter().any(is_held);
        self.transactions().into_iter().filter(is_open).map(|txn| txn.producer).collect()
    }

    /// What became of each batch of a transaction.
    pub(crate) fn outcomes(&self) -> BTreeMap<i64, Outcome> {
        let of = |txn: Transaction| {
            let outcome = match txn.end {
                None => Outcome::Open,
                Some((_, true)) => Outcome::Committed,
                Some((_, false)) => Outcome::Aborted,
            };
            txn.batches.into_iter().map(move |base| (base, outcome))
        };
        self.transactions().into_iter().flat_map(of).collect()
    }

    /// Below it everything is decided, and readers up to `high` see that it is: the least and the most that it may be.
    /// After a restart the log may know nothing of what it does not hold any more.
    pub(crate) fn last_stable(&self, high: i64) -> (i64, i64) {
        let is_open = |txn: &Transaction| txn.end.is_none_or(|(marker, _)| marker >= high);
        let open: Vec<_> = self.transactions().into_iter().filter(is_open).collect();
        let below = |first: Option<i64>| first.map_or(high, |first| first.max(self.start).min(high));
        let least = below(open.iter().map(|txn| txn.first).min());
        let is_held = |base: &&i64| *base + self.batches[base].count() > self.start;
        let most = below(open.iter().flat_map(|txn| txn.batches.iter().filter(is_held).copied()).min());
        if self.was_restarted { (least, most) } else { (least, least) }
    }

    /// No producer's batch is in the log twice, above its start.
    pub(crate) fn assert_none_doubled(&self, name: &str) {
        let mut seen = BTreeSet::new();
        for (base, batch) in &self.batches {
            let is_gone = base + batch.count() <= self.start;
            if is_gone || !batch.has_producer() || batch.header.is_control() {
                continue;
            }
            let header = &batch.header;
            let is_new = seen.insert((header.producer_id, header.producer_epoch, header.base_sequence));
            assert!(
                is_new,
                "{name}: what stands at {base}, of a log from {}, is there twice: {header:?}",
                self.start
            );
        }
    }
}

/// What a reader of committed records does with the aborted transactions that it is told of, as the Java client does.
pub(crate) struct Aborted {
    /// Those still to begin, by their first offsets.
    coming: Vec<(i64, ProducerId)>,
    inside: BTreeSet<ProducerId>,
}

impl Aborted {
    pub(crate) fn new(mut coming: Vec<(i64, ProducerId)>) -> Aborted {
        coming.sort_unstable_by(|a, b| b.cmp(a));
        Aborted { coming, inside: BTreeSet::new() }
    }

    /// Whether the batch's records are delivered. `commits` says so if it ends a transaction.
    pub(crate) fn delivers(&mut self, header: &BatchHeader, commits: Option<bool>) -> bool {
        if header.producer_id == ProducerId::NONE {
            return true;
        }
        while let Some((_, producer)) = self.coming.pop_if(|(first, _)| *first <= header.last_offset().0) {
            self.inside.insert(producer);
        }
        if header.is_control() {
            if commits == Some(false) {
                self.inside.remove(&header.producer_id);
            }
            return false;
        }
        !(header.is_transactional() && self.inside.contains(&header.producer_id))
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?} ended {:?}", self.producer, self.batches, self.end)
    }
}
