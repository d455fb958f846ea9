//! Which batches a transaction's end makes superfluous, told while a log is read from front to back.
//!
//! As Kafka's CleanedTransactionMetadata: what an aborted transaction wrote goes at once, a marker only when nothing of
//! its transaction was met since the marker before. Invariant: everything that is asked about is decided, because no
//! pass goes beyond the last stable offset. It must not know keys, tombstones or files.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::BatchHeader;
use crate::ids::{Offset, ProducerId};
use crate::txn_index::Entry;

/// What a control batch says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    Abort,
    Commit,
    /// Not about a transaction.
    Other,
    /// Its record was removed before.
    Empty,
}

impl Marker {
    /// From the key of a control record: version 2, type 2.
    pub(crate) fn of_key(key: &[u8]) -> Marker {
        match key.get(2..4) {
            Some([0, 0]) => Marker::Abort,
            Some([0, 1]) => Marker::Commit,
            _ => Marker::Other,
        }
    }
}

pub(crate) struct Transactions<'a> {
    /// By their first offsets; those that were not reached yet.
    to_come: &'a [Entry],
    /// Those that the reading is in, and whether a batch of it was met.
    aborted: BTreeMap<ProducerId, (Entry, bool)>,
    committed: BTreeSet<ProducerId>,
    /// Of which something was left, by their markers, which stay: what the index of the segment written has to say.
    retained: Vec<Entry>,
}

impl<'a> Transactions<'a> {
    /// `aborted` is sorted by first offsets. What ended before `from`, where the reading begins, is left out.
    pub(crate) fn new(aborted: &'a [Entry], from: Offset) -> Transactions<'a> {
        let mut transactions = Transactions {
            to_come: aborted,
            aborted: BTreeMap::new(),
            committed: BTreeSet::new(),
            retained: Vec::new(),
        };
        transactions.enter(Offset(from.0 - 1), from);
        transactions
    }

    /// What the index of a segment says of the markers that were met since this was asked last.
    pub(crate) fn take_retained(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.retained)
    }

    /// Enters the transactions that begin at or before `offset` and end at or behind `from`.
    fn enter(&mut self, offset: Offset, from: Offset) {
        while let Some((next, rest)) = self.to_come.split_first().filter(|(next, _)| next.first <= offset) {
            if next.last >= from {
                self.aborted.entry(next.producer).or_insert((*next, false));
            }
            self.to_come = rest;
        }
    }

    /// A batch of records was met; true if it belongs to an aborted transaction.
    pub(crate) fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        self.enter(header.last_offset(), Offset(0));
        if !header.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some((_, met)) => {
                *met = true;
                true
            }
            None => {
                self.committed.insert(header.producer_id);
                false
            }
        }
    }

    /// A control batch was met; true if nothing of its transaction is left.
    pub(crate) fn is_superfluous(&mut self, header: &BatchHeader, marker: Marker) -> bool {
        self.enter(header.last_offset(), Offset(0));
        match marker {
            Marker::Abort => match self.aborted.remove(&header.producer_id) {
                Some((aborted, true)) => {
                    self.retained.push(aborted);
                    false
                }
                _ => true,
            },
            Marker::Commit => !self.committed.remove(&header.producer_id),
            Marker::Empty => true,
            Marker::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::BatchBuilder;

    fn batch(producer: i64, offset: i64, control: bool) -> BatchHeader {
        let builder = BatchBuilder::new(0).producer(ProducerId(producer), 0, 0).transactional();
        let builder = if control { builder.control() } else { builder };
        let bytes = builder.push(Some(b"k"), None, &[]).build();
        BatchHeader { base_offset: Offset(offset), ..BatchHeader::parse(&bytes).unwrap() }
    }

    fn entry(first: i64, last: i64) -> Entry {
        let (first, last, last_stable) = (Offset(first), Offset(last), Offset(last + 1));
        Entry { producer: ProducerId(1), first, last, last_stable }
    }

    #[test]
    fn aborted_batches_go_and_their_marker_stays_until_they_are_gone() {
        let aborted = [entry(0, 2)];
        let mut first = Transactions::new(&aborted, Offset(0));
        assert!(first.is_aborted(&batch(1, 0, false)));
        assert!(!first.is_aborted(&batch(2, 1, false)), "of another producer");
        assert!(!first.is_superfluous(&batch(1, 2, true), Marker::Abort));
        assert_eq!(first.take_retained(), aborted);
        assert_eq!(first.take_retained(), []);
        let mut second = Transactions::new(&aborted[..0], Offset(0));
        assert!(second.is_superfluous(&batch(1, 2, true), Marker::Abort));
        assert!(second.is_superfluous(&batch(1, 2, true), Marker::Empty));
    }

    #[test]
    fn a_commit_stays_as_long_as_its_records_do() {
        let mut transactions = Transactions::new(&[], Offset(0));
        assert!(!transactions.is_aborted(&batch(1, 0, false)));
        assert!(!transactions.is_superfluous(&batch(1, 1, true), Marker::Commit));
        assert!(transactions.is_superfluous(&batch(1, 2, true), Marker::Commit));
        assert!(!transactions.is_superfluous(&batch(1, 3, true), Marker::Other));
    }

    #[test]
    fn a_reading_that_begins_within_a_transaction_knows_it() {
        let aborted = [entry(0, 4), entry(6, 9)];
        let mut transactions = Transactions::new(&aborted, Offset(5));
        assert!(!transactions.is_aborted(&batch(1, 5, false)), "the first ended before");
        let mut transactions = Transactions::new(&aborted, Offset(8));
        assert!(transactions.is_aborted(&batch(1, 8, false)));
    }

    #[test]
    fn a_marker_is_told_by_its_key() {
        assert_eq!(Marker::of_key(&[0, 0, 0, 0]), Marker::Abort);
        assert_eq!(Marker::of_key(&[0, 0, 0, 1]), Marker::Commit);
        for other in [&[][..], &[0, 0], &[0, 0, 0, 2], &[0, 0, 1, 0]] {
            assert_eq!(Marker::of_key(other), Marker::Other);
        }
    }
}
