//! A log's producers against a plain model: every batch of every producer in one list, and Kafka's rules over it.

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;

use super::producer::{Producer, advance};
use crate::env::{Env, SimFiles};
use crate::*;

/// What the model keeps of an accepted batch.
#[derive(Clone)]
struct Sent {
    producer: i64,
    epoch: i16,
    sequence: i32,
    count: i32,
    base: i64,
}

#[derive(Clone, Debug)]
enum Step {
    /// Of a producer: its next batch, with an epoch and a sequence that are off by so much.
    Send {
        producer: i64,
        epoch: i16,
        off: i32,
        count: i32,
    },
    /// Its batch so many before its last, once more.
    Again {
        producer: i64,
        back: usize,
    },
    Flush,
    Checkpoint,
    Kill,
    PowerCut,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..4i64, prop_oneof![8 => Just(0i16), 1 => -1..=1i16], prop_oneof![8 => Just(0), 1 => -3..3], 1..9)
            .prop_map(|(producer, epoch, off, count)| Step::Send { producer, epoch, off, count }),
        5 => (0..4i64, 0..8usize).prop_map(|(producer, back)| Step::Again { producer, back }),
        3 => Just(Step::Flush),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
        1 => Just(Step::Close),
    ]
}

struct World {
    env: Env,
    files: SimFiles,
    dir: Arc<DataDir>,
    log: Arc<Log>,
    /// All of them, in the order of their offsets.
    sent: Vec<Sent>,
    /// Where each producer begins: near the end of the numbers.
    begin: i32,
}

fn open(env: &Env) -> (Arc<DataDir>, Arc<Log>) {
    let options =
        DataDirOptions { flushing: Flushing::Manual, journal: JournalOptions::SMALL, ..Default::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from("/data"), options).unwrap();
    let id = LogId { topic: TopicId([7; 16]), partition: 0 };
    let config = LogConfig { segment_bytes: 1_500, index_interval_bytes: 200, ..LogConfig::default() };
    let log = dir.open_log(id, "topic-0", config, LeaderEpoch(1)).unwrap();
    (dir, log)
}

impl World {
    fn new(begin: i32) -> World {
        let (env, files, _) = Env::simulated(1);
        let (dir, log) = open(&env);
        World { env, files, dir, log, sent: Vec::new(), begin }
    }

    fn of(&self, producer: i64) -> Vec<Sent> {
        self.sent.iter().filter(|sent| sent.producer == producer).cloned().collect()
    }

    /// What Kafka says to a batch: where it is, or the code of the refusal.
    fn expected(&self, batch: &Sent) -> Result<i64, i16> {
        let all = self.of(batch.producer);
        let Some(last) = all.last() else { return Ok(self.end()) };
        let current: Vec<_> = all.iter().filter(|sent| sent.epoch == last.epoch).collect();
        let is_same = |sent: &&&Sent| {
            (sent.epoch, sent.sequence, sent.count) == (batch.epoch, batch.sequence, batch.count)
        };
        // Behind a restart only the last one is surely remembered: the caller asks for more only without one.
        if let Some(first) = current.iter().rev().take(5).find(is_same) {
            return Ok(first.base);
        }
        if batch.epoch < last.epoch {
            return Err(47);
        }
        let due = if batch.epoch > last.epoch { 0 } else { advance(last.sequence, last.count) };
        if batch.sequence == due { Ok(self.end()) } else { Err(45) }
    }

    fn end(&self) -> i64 {
        self.sent.last().map_or(0, |last| last.base + i64::from(last.count))
    }

    fn send(&mut self, batch: Sent) {
        let id = ProducerId(batch.producer);
        let mut builder = BatchBuilder::new(1_000).producer(id, batch.epoch, batch.sequence);
        for _ in 0..batch.count {
            builder = builder.push(None, Some(b"some value"), &[]);
        }
        let expected = self.expected(&batch);
        let ticket = self.log.append(check_internal(builder.build()).unwrap(), Origin::Client, None);
        let end = self.end();
        self.dir.flush();
        match (expected, ticket.wait()) {
            (Ok(base), Ok(appended)) => {
                assert_eq!((appended.base.0, appended.last.0), (base, base + i64::from(batch.count) - 1));
                if base == end {
                    self.sent.push(Sent { base, ..batch });
                }
            }
            (Err(45), Err(AppendError::OutOfOrderSequence { .. })) => {}
            (Err(47), Err(AppendError::InvalidProducerEpoch { .. })) => {}
            (expected, found) => panic!("expected {expected:?}, found {found:?}"),
        }
        assert_eq!(self.log.end_offset().0, self.end());
    }

    fn restart(&mut self) {
        let before = self.log.producers();
        (self.dir, self.log) = open(&self.env);
        assert_eq!(self.log.producers(), before);
        assert_eq!(self.log.end_offset().0, self.end());
    }

    fn run(&mut self, step: &Step, remembered: &mut [usize; 4]) {
        match *step {
            Step::Send { producer, epoch, off, count } => {
                let all = self.of(producer);
                let (last_epoch, due) = all
                    .last()
                    .map_or((5, self.begin), |last| (last.epoch, advance(last.sequence, last.count)));
                let due = if epoch > 0 { 0 } else { due };
                let sequence = if all.is_empty() || off == 0 { due } else { advance(due, off.rem_euclid(5)) };
                let before = self.sent.len();
                self.send(Sent { producer, epoch: last_epoch + epoch, sequence, count, base: 0 });
                if self.sent.len() > before {
                    let known = &mut remembered[producer as usize];
                    *known = if epoch > 0 { 1 } else { *known + 1 };
                }
            }
            Step::Again { producer, back } => {
                let all = self.of(producer);
                let known = remembered[producer as usize];
                if let Some(place) = all.len().checked_sub(back + 1).filter(|_| back < known.min(5)) {
                    self.send(all[place].clone());
                }
            }
            Step::Flush => self.dir.flush(),
            Step::Checkpoint => self.dir.checkpoint(),
            Step::Kill | Step::PowerCut | Step::Close => {
                match step {
                    Step::Kill => self.files.kill(),
                    Step::PowerCut => self.files.crash(),
                    _ => self.dir.close(),
                }
                self.restart();
                // A snapshot has but the last batch of each.
                remembered.iter_mut().for_each(|known| *known = (*known).min(1));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn they_are_as_a_plain_model_has_them(
        begin in prop_oneof![Just(0), i32::MAX - 40..=i32::MAX],
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(begin);
        let mut remembered = [0; 4];
        for step in &steps {
            world.run(step, &mut remembered);
        }
    }
}

/// The power goes at any operation: what was acknowledged is remembered, what is remembered is in the log.
#[test]
fn no_producer_is_remembered_for_what_the_log_lost() {
    for stop in 1..220 {
        let mut world = World::new(0);
        let mut acknowledged = 0;
        world.files.cut_power_after(stop);
        for number in 0..30 {
            let batch = BatchBuilder::new(1_000).producer(ProducerId(1), 0, number * 2);
            let batch = batch.push(None, Some(&[b'v'; 90]), &[]).push(None, None, &[]).build();
            let ticket = world.log.append(check_internal(batch).unwrap(), Origin::Client, None);
            if number % 4 == 3 {
                world.dir.checkpoint();
            }
            world.dir.flush();
            if matches!(ticket.peek(), Some(Ok(_))) && !world.files.power_is_out() {
                acknowledged = number * 2 + 2;
            }
        }
        world.files.crash();
        (world.dir, world.log) = open(&world.env);
        let (producers, end) = (world.log.producers(), world.log.end_offset().0);
        assert!(end >= i64::from(acknowledged), "stop {stop}");
        let known = producers.first().map_or(0, |producer| i64::from(producer.last_sequence) + 1);
        assert_eq!(known, end, "stop {stop}: the sequence goes with the offset");
        assert_eq!(
            producers.first().and_then(|producer| producer.last_offset),
            (end > 0).then(|| Offset(end - 1))
        );
    }
}

/// As when what was forgotten is known again after a restart, and its records were taken a second time meanwhile.
#[test]
fn of_two_batches_with_the_same_sequences_the_newer_is_repeated() {
    let header = |base_offset, sequence| {
        let batch =
            BatchBuilder::new(1_000).producer(ProducerId(5), 0, sequence).push(None, None, &[]).build();
        BatchHeader { base_offset: Offset(base_offset), ..BatchHeader::parse(&batch).unwrap() }
    };
    let mut producer = Producer::UNKNOWN;
    for (base_offset, sequence) in [(6, 0), (7, 1), (29, 0), (30, 1)] {
        producer.append(&header(base_offset, sequence), Origin::Replica).unwrap();
    }
    for (sequence, place) in [(0, 29), (1, 30)] {
        let found = producer.duplicate_of(&header(0, sequence)).map(|batch| batch.first_offset());
        assert_eq!(found, Some(Offset(place)), "sequence {sequence}");
    }
}
