//! What is sent to the logs: plain batches, producers' numbered ones, the ends of transactions, and DeleteRecords.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::{
    BatchBuilder, Clock, Codec, DeleteRecordsError, EndMarker, Log, Offset, Origin, ProducerId, Together,
    check_internal,
};

use super::clients::{Client, Next, Wish};
use super::{LOGS, World};
use crate::model::Batch;
use crate::model::batch::compressed;

/// So many keys there are in a log.
const KEYS: u64 = 7;
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
/// A producer that begins there wraps soon.
const NEAR_THE_WRAP: i32 = i32::MAX - 12;
const CLIENTS_MAX: u64 = 3;

impl World {
    pub(super) fn clients(&mut self) -> Vec<Client> {
        (0..self.below(CLIENTS_MAX + 1)).map(|_| self.client(None)).collect()
    }

    fn client(&mut self, is_transactional: Option<bool>) -> Client {
        self.producers += 1;
        let sequence = if self.below(3) == 0 { NEAR_THE_WRAP } else { 0 };
        let is_transactional = is_transactional.unwrap_or_else(|| self.below(2) == 0);
        Client::new(ProducerId(self.producers), sequence, is_transactional)
    }

    /// A batch of records with keys that come again, and values that do not.
    fn batch(&mut self, begin: impl FnOnce(BatchBuilder) -> BatchBuilder) -> Batch {
        let (count, size) = (1 + self.below(6), self.below(300) as usize);
        let mut builder = begin(BatchBuilder::new(self.clock.now_ms()));
        for _ in 0..count {
            self.appends += 1;
            let key = format!("key{}", self.below(KEYS));
            let value = format!("{}{}", self.appends, "x".repeat(size));
            let value = (self.below(5) > 0).then_some(value.as_bytes());
            builder = builder.push(Some(key.as_bytes()), value, &[]);
        }
        let codec = CODECS[self.below(2 * CODECS.len() as u64) as usize % CODECS.len()];
        Batch::of(compressed(builder.build(), codec))
    }

    fn put(&mut self, number: usize, batch: Batch, origin: Origin) -> storage::Ticket {
        self.put_together(number, batch, origin, None)
    }

    fn put_together(
        &mut self,
        number: usize,
        batch: Batch,
        origin: Origin,
        together: Option<&Together>,
    ) -> storage::Ticket {
        let force = self.below(4) == 0;
        let log = Arc::clone(self.log(number));
        let bytes: Bytes = batch.bytes.clone();
        let (header, count) = (batch.header.clone(), batch.count());
        let ticket = log.append_together(check_internal(bytes).unwrap(), origin, None, together);
        let answer = ticket.peek().and_then(Result::err).map_or("taken".to_owned(), |e| e.to_string());
        let end = log.end_offset();
        let producer = (header.producer_id.0, header.producer_epoch, header.base_sequence);
        let kind = (header.is_transactional(), header.is_control());
        self.note(format!("append {number} by {producer:?} {kind:?} count {count} {answer}, end {end}"));
        let model = &mut self.logs[number].model;
        model.sent(ticket.clone(), batch);
        model.settle(&log, force);
        ticket
    }

    pub(super) fn append(&mut self) {
        let number = self.below(LOGS as u64) as usize;
        let together = (self.below(3) == 0).then(Together::default);
        for _ in 0..1 + self.below(3) {
            let batch = self.batch(|builder| builder);
            self.put_together(number, batch, Origin::Client, together.as_ref());
        }
        drop(together);
        let log = Arc::clone(self.log(number));
        self.logs[number].model.settle(&log, false);
    }

    /// One of the clients of a log does what it has to do next, some times.
    pub(super) fn produce(&mut self) {
        let number = self.below(LOGS as u64) as usize;
        let count = self.logs[number].clients.len() as u64;
        if count == 0 {
            return self.append();
        }
        let place = self.below(count) as usize;
        for _ in 0..1 + self.below(6) {
            self.drive(number, place);
        }
    }

    fn drive(&mut self, number: usize, place: usize) {
        let mut client = self.logs[number].clients.swap_remove(place);
        client.hear(|| self.random.below(6) == 0);
        if client.has_open_transaction() && self.below(5) == 0 {
            client.wish(
                [Wish::Commit, Wish::Commit, Wish::Abort, Wish::Abort, Wish::Fence][self.below(5) as usize],
            );
        }
        match client.next() {
            Next::Send => {
                let (id, epoch, sequence) = (client.id, client.epoch, client.next_sequence());
                let is_transactional = client.is_transactional;
                let batch = self.batch(|builder| {
                    let builder = builder.producer(id, epoch, sequence);
                    if is_transactional { builder.transactional() } else { builder }
                });
                let ticket = self.put(number, batch.clone(), Origin::Client);
                client.send(batch, ticket);
            }
            Next::Retry(at) => {
                let ticket = self.put(number, client.batch(at), Origin::Client);
                client.retried(at, ticket);
            }
            Next::End(wish) => {
                let marker = EndMarker { committed: wish == Wish::Commit, coordinator_epoch: self.starts };
                let epoch = client.epoch + i16::from(wish == Wish::Fence);
                let batch = Batch::of(marker.batch(client.id, epoch, self.clock.now_ms()));
                let ticket = self.put(number, batch, Origin::Coordinator);
                client.ending(wish, ticket);
            }
            Next::Wait => {}
            Next::GiveUp if self.below(2) == 0 => {
                self.note(format!("producer {} begins anew", client.id));
                client.begin_anew();
            }
            Next::GiveUp => {
                self.note(format!("producer {} gives up", client.id));
                client = self.client(Some(false));
            }
        }
        let clients = &mut self.logs[number].clients;
        clients.push(client);
        let last = clients.len() - 1;
        clients.swap(place, last);
    }

    /// Producers that wrote nothing for long are forgotten, but for those with a transaction open. Their clients are gone.
    pub(super) fn expire(&mut self) {
        let after = Duration::from_millis(self.below(2_000));
        let known = |log: &Arc<Log>| -> Vec<ProducerId> { log.producers().iter().map(|p| p.id).collect() };
        let before: Vec<_> = (0..LOGS).map(|number| known(self.log(number))).collect();
        let count: usize = self.dirs.iter().map(|dir| dir.expire_producers(after)).sum();
        let mut gone = 0;
        for (number, before) in before.into_iter().enumerate() {
            let left = known(self.log(number));
            let open = self.logs[number].model.open_producers();
            for id in before.into_iter().filter(|id| !left.contains(id)) {
                assert!(!open.contains(&id), "{id} has a transaction open and was forgotten");
                gone += 1;
                let place = self.logs[number].clients.iter().position(|client| client.id == id);
                if let Some(place) = place {
                    self.logs[number].clients[place] = self.client(None);
                }
            }
        }
        assert_eq!(count, gone);
        self.seen.expired += gone as u64;
        self.note(format!("{gone} producers silent for {after:?} are forgotten"));
    }

    pub(super) fn delete_records(&mut self) {
        let number = self.below(LOGS as u64) as usize;
        let log = Arc::clone(self.log(number));
        let (start, high) = (log.start_offset(), log.high_watermark());
        let to = (self.below(4) > 0).then(|| Offset(self.below(high.0 as u64 + 2) as i64));
        let cleanup = self.logs[number].config.cleanup;
        let model = &mut self.logs[number].model;
        let answer = match log.delete_records(to) {
            Ok(answer) => {
                model.start_asked(answer.clone());
                model.see_start(&log);
                let expected = if answer.peek().is_some_and(|answer| answer.is_err()) {
                    start
                } else {
                    start.max(to.unwrap_or(high))
                };
                assert_eq!(log.start_offset(), expected, "readers see the new start at once");
                "taken".to_owned()
            }
            Err(DeleteRecordsError::NotByPolicy) => {
                assert!(cleanup.compact && !cleanup.delete);
                "not by policy".to_owned()
            }
            Err(error) => {
                assert!(to.is_some_and(|to| to > high), "{error}");
                error.to_string()
            }
        };
        model.settle(&log, false);
        self.note(format!("delete records of {number} below {to:?}: {answer}"));
    }
}
