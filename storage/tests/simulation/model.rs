//! What a log has to hold: the plain model beside the real one.
//!
//! A batch enters when its place in the log is known. `promised` is what nothing may ever take again, `kept` what only a
//! power cut may. It must not know the disk.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use storage::{AppendError, BatchHeader, Bound, Durability, Log, Offset, Ticket};

/// An append that was sent and has no place yet.
struct Sent {
    ticket: Ticket,
    batch: Bytes,
    count: i64,
}

/// An append that waits for its answer.
struct Waiting {
    ticket: Ticket,
    /// Its answer promises that the record survives a power cut.
    durable: bool,
}

#[derive(Default)]
pub(crate) struct Model {
    batches: BTreeMap<i64, Bytes>,
    pub(crate) end: i64,
    promised: i64,
    kept: i64,
    sent: VecDeque<Sent>,
    waiting: Vec<Waiting>,
    /// Appends of which nobody knows whether they are in the log, since the directory failed with them.
    ghosts: Vec<(Bytes, i64)>,
    /// Where the polling reader goes on.
    reader: i64,
}

impl Model {
    pub(crate) fn sent(&mut self, ticket: Ticket, batch: Bytes, count: i64) {
        self.sent.push_back(Sent { ticket, batch, count });
    }

    /// Takes over what has found its place, and answers that have come. `force` asks for a flush of each.
    pub(crate) fn settle(&mut self, log: &Log, force: bool) {
        while self.sent.front().is_some_and(|sent| sent.ticket.is_placed()) {
            let Sent { ticket, batch, count } = self.sent.pop_front().expect("it was looked at just now");
            // One that failed when it stood in the log already is as good as any that waits.
            let is_there = self.end + count <= log.end_offset().0;
            match ticket.peek() {
                Some(Err(AppendError::NoSpace | AppendError::Deleted)) => continue,
                Some(Err(AppendError::Offline { .. } | AppendError::Closed)) if !is_there => {
                    self.ghosts.push((batch, count));
                    continue;
                }
                Some(Err(error)) if !is_there => panic!("an append fails with {error}"),
                _ => {}
            }
            assert!(is_there, "what has a place is in the log");
            self.batches.insert(self.end, batch);
            self.end += count;
            let durable = log.durability() == Durability::Durable;
            let ticket = if force { log.flushed(ticket) } else { ticket };
            self.waiting.push(Waiting { ticket, durable: durable || force });
        }
        let (promised, kept) = (&mut self.promised, &mut self.kept);
        self.waiting.retain(|Waiting { ticket, durable }| match ticket.peek() {
            Some(Ok(appended)) => {
                let end = appended.last.0 + 1;
                *kept = (*kept).max(end);
                if *durable {
                    *promised = (*promised).max(end);
                }
                false
            }
            Some(Err(AppendError::Offline { .. } | AppendError::Closed)) => false,
            Some(Err(error)) => panic!("an append that was taken fails with {error}"),
            None => true,
        });
        if self.sent.is_empty() && self.ghosts.is_empty() {
            assert_eq!(log.end_offset().0, self.end, "nothing else is in the log");
        }
    }

    /// Every append has its place and its answer.
    pub(crate) fn is_settled(&self) -> bool {
        self.sent.is_empty() && self.waiting.is_empty()
    }

    /// The log was closed in order.
    pub(crate) fn closed(&mut self) {
        self.promised = self.end;
    }

    /// The power was cut.
    pub(crate) fn cut(&mut self) {
        self.kept = self.promised;
    }

    /// The process is gone: what nobody placed is not in the log, or it is one of the ghosts.
    pub(crate) fn left(&mut self) {
        self.ghosts.extend(self.sent.drain(..).map(|sent| (sent.batch, sent.count)));
        self.waiting.clear();
    }

    /// Compares a log after a restart with what was promised, and takes over what is left.
    pub(crate) fn survived(&mut self, name: &str, log: &Log) {
        let end = log.end_offset();
        for (batch, count) in self.ghosts.drain(..) {
            if self.end < end.0 {
                self.batches.insert(self.end, batch);
                self.end += count;
            }
        }
        assert!(
            end.0 >= self.promised.max(self.kept) && end.0 <= self.end,
            "{name}: promised up to {}, kept up to {}, appended up to {}, found {end}",
            self.promised,
            self.kept,
            self.end
        );
        assert_eq!(log.high_watermark(), end);
        self.end = end.0;
        self.kept = end.0;
        self.reader = self.reader.min(end.0);
        self.batches.split_off(&end.0);
        self.compare(log, Bound::End, end);
        // Recovery makes everything last that it serves.
        self.promised = end.0;
    }

    /// Everything readable is what was appended. On a durable log it is promised from now on.
    pub(crate) fn check(&mut self, log: &Log) {
        let high_watermark = log.high_watermark();
        self.compare(log, Bound::HighWatermark, high_watermark);
        self.saw(log, high_watermark);
    }

    /// The polling reader reads on, at most `bytes_max` at once.
    pub(crate) fn poll(&mut self, log: &Log, bytes_max: usize) {
        let high_watermark = log.high_watermark();
        let plan = log.read(Offset(self.reader), bytes_max, true, Bound::HighWatermark).unwrap();
        let found: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap().to_vec()).collect();
        let mut rest = &found[..];
        while let Some(header) = BatchHeader::parse(rest).ok().filter(|h| h.total_bytes() <= rest.len()) {
            let batch = self.batches.get(&header.base_offset.0).expect("only what was appended is read");
            assert!(is_same(&rest[..header.total_bytes()], batch));
            assert!(header.base_offset.0 >= self.reader || self.reader < header.next_offset().0);
            self.reader = header.next_offset().0;
            rest = &rest[header.total_bytes()..];
        }
        assert!(self.reader <= log.high_watermark().0, "nothing above the high watermark is read");
        assert!(self.reader == high_watermark.0 || !found.is_empty(), "a reader gets on");
        self.saw(log, Offset(self.reader));
    }

    fn saw(&mut self, log: &Log, to: Offset) {
        if log.durability() == Durability::Durable {
            self.promised = self.promised.max(to.0);
        }
    }

    /// Every batch below `to` reads back with the bytes that were appended.
    fn compare(&self, log: &Log, bound: Bound, to: Offset) {
        let mut next = log.start_offset();
        assert_eq!(next, Offset(0));
        for (base, batch) in self.batches.range(..to.0) {
            assert_eq!(next.0, *base, "offsets continue");
            let plan = log.read(next, batch.len(), true, bound).unwrap();
            let found: Vec<u8> = plan.parts.iter().flat_map(|part| part.read().unwrap()).collect();
            let header = BatchHeader::parse(&found).unwrap();
            assert_eq!((header.base_offset, header.total_bytes()), (next, batch.len()));
            assert!(is_same(&found[..batch.len()], batch));
            next = header.next_offset();
        }
        assert_eq!(next, to, "nothing is missing below the mark");
    }
}

/// Base offset and epoch were stamped; all else is as it came.
fn is_same(found: &[u8], batch: &[u8]) -> bool {
    found.len() == batch.len() && found[8..12] == batch[8..12] && found[16..] == batch[16..]
}
