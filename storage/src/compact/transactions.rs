//! Which batches a transaction's end makes superfluous, told while a log is read from front to back.
//!
//! As Kafka's CleanedTransactionMetadata: what an aborted transaction wrote goes at once, a marker only when nothing of
//! its transaction was met since the marker before. Invariant: everything that is asked about is decided, because no
//! pass goes beyond the last stable offset. It must not know keys, tombstones or files.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::BatchHeader;
use crate::ids::{Offset, ProducerId};

/// A transaction that was aborted: from its first batch to its marker.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: ProducerId,
    pub(crate) first: Offset,
    pub(crate) last: Offset,
}

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
    to_come: &'a [Aborted],
    /// Those that the reading is in, and whether a batch of it was met.
    aborted: BTreeMap<ProducerId, (Aborted, bool)>,
    committed: BTreeSet<ProducerId>,
    /// Of which something is left: what an index of aborted transactions has to say of the segment written.
    pub(crate) retained: Vec<Aborted>,
}

impl<'a> Transactions<'a> {
    /// `aborted` is sorted by first offsets. What ended before `from`, where the reading begins, is left out.
    pub(crate) fn new(aborted: &'a [Aborted], from: Offset) -> Transactions<'a> {
        let mut transactions = Transactions {
            to_come: aborted,
            aborted: BTreeMap::new(),
            committed: BTreeSet::new(),
            retained: Vec::new(),
        };
        transactions.enter(Offset(from.0 - 1), from);
        transactions
    }

    /// Enters the transactions that begin at or before `offset` and end at or behind `from`.
    fn enter(&mut self, offset: Offset, from: Offset) {
        while let Some((next, rest)) = self.to_come.split_first().filter(|(next, _)| next.first <= offset) {
            if next.last >= from {
                self.aborted.entry(next.producer_id).or_insert((*next, false));
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

    #[test]
    fn aborted_batches_go_and_their_marker_stays_until_they_are_gone() {
        let aborted = [Aborted { producer_id: ProducerId(1), first: Offset(0), last: Offset(2) }];
        let mut first = Transactions::new(&aborted, Offset(0));
        assert!(first.is_aborted(&batch(1, 0, false)));
        assert!(!first.is_aborted(&batch(2, 1, false)), "of another producer");
        assert!(!first.is_superfluous(&batch(1, 2, true), Marker::Abort));
        assert_eq!(first.retained, aborted);
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
        let of =
            |first, last| Aborted { producer_id: ProducerId(1), first: Offset(first), last: Offset(last) };
        let aborted = [of(0, 4), of(6, 9)];
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
