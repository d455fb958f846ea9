//! Which leader epoch began at which offset, kept in Kafka's `leader-epoch-checkpoint`: a line with the version (0), a
//! line with the count, a line per entry.
//!
//! Invariants: epochs and offsets rise from entry to entry. Every batch carries its epoch, so that the file is a
//! shortcut: what it lacks is found again in the batches.

use crate::batch::BatchHeader;
use crate::ids::{LeaderEpoch, Offset};

pub(crate) const FILE_NAME: &str = "leader-epoch-checkpoint";

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct EpochStart {
    pub(crate) epoch: LeaderEpoch,
    pub(crate) start: Offset,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EpochCache {
    entries: Vec<EpochStart>,
}

impl EpochCache {
    pub(crate) fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// An epoch begins; false if it, or a later one, has begun already. Epochs that got no record are forgotten.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || self.latest().is_some_and(|latest| latest >= epoch) {
            return false;
        }
        self.cut_end(start);
        self.entries.push(EpochStart { epoch, start });
        true
    }

    pub(crate) fn see(&mut self, header: &BatchHeader) -> bool {
        self.assign(header.leader_epoch, header.base_offset)
    }

    /// Forgets epochs that begin at `end` or later.
    pub(crate) fn cut_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start < end);
        self.entries.len() != before
    }

    /// The log starts at `start` from here on: the epoch in force there begins there, and those before are forgotten.
    pub(crate) fn cut_start(&mut self, start: Offset) -> bool {
        let Some(last) = self.entries.iter().rposition(|entry| entry.start <= start) else { return false };
        if last == 0 && self.entries[0].start == start {
            return false;
        }
        self.entries.drain(..last);
        self.entries[0].start = start;
        true
    }

    pub(crate) fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.entries.iter().rfind(|entry| entry.start <= offset).map(|entry| entry.epoch)
    }

    /// Kafka's answer to OffsetForLeaderEpoch: the greatest epoch not above the one asked for, and where it ends.
    pub(crate) fn end_of(&self, asked: LeaderEpoch, end: Offset) -> Option<(LeaderEpoch, Offset)> {
        const UNDEFINED: LeaderEpoch = LeaderEpoch(-1);
        if asked == UNDEFINED {
            return None;
        }
        if self.latest() == Some(asked) {
            return Some((asked, end));
        }
        let above = self.entries.iter().position(|entry| entry.epoch > asked)?;
        let found = above.checked_sub(1).map_or(asked, |floor| self.entries[floor].epoch);
        Some((found, self.entries[above].start.min(end)))
    }

    pub(crate) fn encode(&self) -> String {
        let lines: String = self.entries.iter().map(|e| format!("{} {}\n", e.epoch, e.start)).collect();
        format!("0\n{}\n{lines}", self.entries.len())
    }

    /// `None` if the text is not whole or not in order: then the batches have to tell.
    pub(crate) fn decode(text: &[u8]) -> Option<EpochCache> {
        let mut lines = std::str::from_utf8(text).ok()?.lines();
        if lines.next()?.trim() != "0" {
            return None;
        }
        let count: usize = lines.next()?.trim().parse().ok()?;
        let mut cache = EpochCache::default();
        for line in lines {
            let (epoch, start) = line.split_once(' ')?;
            let entry = EpochStart {
                epoch: LeaderEpoch(epoch.trim().parse().ok()?),
                start: Offset(start.trim().parse().ok()?),
            };
            let rises =
                cache.entries.last().is_none_or(|last| last.epoch < entry.epoch && last.start < entry.start);
            if !rises || entry.epoch.0 < 0 || entry.start.0 < 0 {
                return None;
            }
            cache.entries.push(entry);
        }
        (cache.entries.len() == count).then_some(cache)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cache(entries: &[(i32, i64)]) -> EpochCache {
        let mut cache = EpochCache::default();
        for (epoch, start) in entries {
            assert!(cache.assign(LeaderEpoch(*epoch), Offset(*start)));
        }
        cache
    }

    #[test]
    fn answers_as_kafka_does() {
        let cache = cache(&[(2, 0), (4, 10), (7, 20)]);
        let end = |epoch| cache.end_of(LeaderEpoch(epoch), Offset(33)).map(|(e, o)| (e.0, o.0));
        assert_eq!(end(7), Some((7, 33)), "the latest ends with the log");
        assert_eq!(end(8), None, "never heard of");
        assert_eq!(end(1), Some((1, 0)), "older than all: itself, and where the first begins");
        assert_eq!(end(2), Some((2, 10)));
        assert_eq!(end(5), Some((4, 20)), "the greatest below");
        assert_eq!(end(-1), None);
        assert_eq!(end(-2), Some((-2, 0)), "only -1 stands for none");
        assert_eq!(EpochCache::default().end_of(LeaderEpoch(0), Offset(0)), None);
    }

    #[test]
    fn an_epoch_without_records_is_forgotten() {
        let mut cache = cache(&[(1, 0), (2, 10), (3, 10)]);
        assert_eq!(cache.encode(), "0\n2\n1 0\n3 10\n");
        assert!(!cache.assign(LeaderEpoch(3), Offset(12)));
        assert_eq!(cache.epoch_of(Offset(9)), Some(LeaderEpoch(1)));
        assert!(cache.cut_end(Offset(10)));
        assert_eq!(cache.latest(), Some(LeaderEpoch(1)));
    }

    #[test]
    fn a_cut_at_the_start_is_as_in_kafka() {
        let mut cache = cache(&[(2, 0), (4, 10), (7, 20)]);
        assert!(!cache.cut_start(Offset(0)));
        assert!(cache.cut_start(Offset(15)));
        assert_eq!(cache.encode(), "0\n2\n4 15\n7 20\n");
        let end = |epoch| cache.end_of(LeaderEpoch(epoch), Offset(33)).map(|(e, o)| (e.0, o.0));
        assert_eq!(end(2), Some((2, 15)), "older than all: itself, and where the log starts");
        assert_eq!((end(4), end(7)), (Some((4, 20)), Some((7, 33))));
        assert!(cache.cut_start(Offset(20)));
        assert_eq!(cache.encode(), "0\n1\n7 20\n");
        assert!(!cache.cut_start(Offset(20)) && !EpochCache::default().cut_start(Offset(9)));
    }

    #[test]
    fn refuses_what_is_cut_or_out_of_order() {
        for text in ["", "0\n", "0\n2\n1 0\n", "0\n2\n1 5\n2 5\n", "0\n1\nx 0\n", "1\n0\n", "0\n1\n-3 0\n"] {
            assert_eq!(EpochCache::decode(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(steps in proptest::collection::vec((1i32..9, 1i64..100), 0..20)) {
            let (mut cache, mut epoch, mut start) = (EpochCache::default(), 0, 0);
            for (e, s) in steps {
                (epoch, start) = (epoch + e, start + s);
                cache.assign(LeaderEpoch(epoch), Offset(start));
            }
            prop_assert_eq!(EpochCache::decode(cache.encode().as_bytes()), Some(cache));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = EpochCache::decode(&bytes);
        }
    }
}
