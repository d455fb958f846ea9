//! Idempotent producers whose replies are lost: what they send again is stored once, in order, and nothing is missing.

use crate::differential::batch::{Batch, Form, Record};
use crate::differential::cases::Topic;
use crate::differential::now_ms;
use crate::differential::peer::{Peer, whole_batches};
use crate::harness::losing::Losing;
use crate::harness::place;
use crate::harness::random::Random;
use crate::harness::wire::{Connection, Heard};
use crate::harness::{Broker, Need, Scenario, Spec, Stage};
use crate::hostile::frames::{frame, topic_name};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion};
use kafka_protocol::records::RecordBatchDecoder;
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

/// Logs that are written to side by side, each a topic of one partition.
const TOPICS: &[Topic] = &[
    Topic { name: "lossy-0", settings: &[] },
    Topic { name: "lossy-1", settings: &[] },
    Topic { name: "lossy-2", settings: &[] },
];
const RECORDS: usize = 12_000;
/// The connection of one Produce request in so many is lost.
const ONE_IN: usize = 4;
const LOSSES_MIN: usize = 20;
const SEED: u64 = 7;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::of_ottla("losses::java_idempotent_producer", &[Need::Java], |stage| {
            through_losses(stage, |words| stage.java("Producing", "through_losses", words))
        }),
        Scenario::of_ottla("losses::python_idempotent_producer", &[Need::Python], |stage| {
            through_losses(stage, |words| stage.python("producing.py", "through_losses", words))
        }),
        Scenario::of_ottla("losses::librdkafka_idempotent_producer", &[Need::Python], |stage| {
            through_losses(stage, |words| stage.python("librdkafka.py", "through_losses", words))
        }),
        Scenario::of_ottla("losses::raw_sockets", &[], raw_sockets),
    ]
}

/// A client sends through the proxy; the records are then read from the broker itself.
fn through_losses(stage: &Stage, send: impl Fn(&[&str]) -> Result<String>) -> Result<()> {
    let proxy = Losing::bind(SEED, ONE_IN)?;
    let advertised = format!("PLAINTEXT://{}", proxy.address());
    let broker = stage.broker(Spec::default().set("advertised.listeners", &advertised))?;
    proxy.lead_to(broker.bootstrap())?;
    Peer::connect(broker.bootstrap())?.create(TOPICS)?;
    let count = RECORDS.to_string();
    let names = TOPICS.iter().map(|topic| topic.name);
    let words: Vec<&str> = [proxy.address(), &count].into_iter().chain(names).collect();
    send(&words)?;
    let (replies, requests) = proxy.lost();
    println!("{RECORDS} records, {replies} replies and {requests} requests lost");
    ensure!(replies >= LOSSES_MIN, "only {replies} replies were lost");
    for topic in TOPICS {
        holds_once_and_in_order(&broker, topic.name, 0, RECORDS / TOPICS.len())?;
    }
    Ok(())
}

/// The values of the partition's records are 0, 1, … in this order.
pub(crate) fn holds_once_and_in_order(
    broker: &Broker,
    topic: &str,
    partition: i32,
    count: usize,
) -> Result<()> {
    let mut peer = Peer::connect(broker.bootstrap())?;
    let (mut next, mut expected) = (0, 0);
    loop {
        let (error, end, _, mut records) = peer.fetch_of(topic, partition, next)?;
        ensure!(error == 0, "{topic}: error {error} at {next}");
        if records.is_empty() {
            ensure!(next == end, "{topic}: nothing at {next}, and the end is {end}");
            break;
        }
        for set in RecordBatchDecoder::decode_all(&mut whole_batches(&mut records))? {
            for record in set.records {
                let value = record.value.context("a record without value")?;
                let value: usize = std::str::from_utf8(&value)?.parse()?;
                ensure!(value >= expected, "{topic}: {value} is there twice, at offset {}", record.offset);
                ensure!(value == expected, "{topic}: {expected} is missing, {value} follows");
                ensure!(record.offset >= next, "{topic}: offset {} behind {next}", record.offset);
                expected += 1;
                next = record.offset + 1;
            }
        }
    }
    ensure!(expected == count, "{topic}: {expected} of {count} records");
    Ok(())
}

const ATTEMPTS: usize = 30_000;
const ATTEMPTS_LONG: usize = 1_000_000;
/// As many as a broker remembers of a producer.
const IN_FLIGHT: usize = 5;
/// Instead of a reply.
const DROPS_ONE_IN: usize = 10;
const PATIENCE: Duration = Duration::from_secs(30);
const PRODUCE_VERSION: i16 = 9;
const INIT_VERSION: i16 = 4;

/// A producer of its own for each topic, with five requests in flight, that drops its connection in the middle of them.
fn raw_sockets(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec::default())?;
    Peer::connect(broker.bootstrap())?.create(TOPICS)?;
    let attempts = if place::long_effort() { ATTEMPTS_LONG } else { ATTEMPTS } / TOPICS.len();
    let begun = Instant::now();
    let ended: Vec<Result<Raw>> = thread::scope(|scope| {
        let run = |(number, topic): (usize, &'static Topic)| {
            let address = broker.bootstrap();
            scope.spawn(move || Raw::run(address, topic.name, SEED + number as u64, attempts))
        };
        let running: Vec<_> = TOPICS.iter().enumerate().map(run).collect();
        running.into_iter().map(|it| it.join().expect("a producer does not panic")).collect()
    });
    let (mut sent, mut lost) = (0, 0);
    for (ended, topic) in ended.into_iter().zip(TOPICS) {
        let ended = ended.with_context(|| topic.name)?;
        sent += ended.sent;
        lost += ended.lost;
        holds_once_and_in_order(&broker, topic.name, 0, ended.acknowledged)?;
    }
    println!("{sent} requests, {lost} connections dropped, {:.1} s", begun.elapsed().as_secs_f64());
    ensure!(lost >= sent / 100, "only {lost} connections were dropped in {sent} requests");
    Ok(())
}

struct Raw {
    address: String,
    topic: &'static str,
    connection: Connection,
    producer: (i64, i16),
    /// The sequences that were sent over this connection and not answered.
    in_flight: VecDeque<usize>,
    /// All sequences below were.
    acknowledged: usize,
    /// No sequence from here on was ever sent.
    sent_until: usize,
    sent: usize,
    lost: usize,
}

impl Raw {
    fn run(address: &str, topic: &'static str, seed: u64, attempts: usize) -> Result<Raw> {
        let mut random = Random::seeded(seed);
        let connection = Connection::open(address, PATIENCE)?;
        let mut raw = Raw {
            address: address.to_owned(),
            topic,
            connection,
            producer: (-1, -1),
            in_flight: VecDeque::new(),
            acknowledged: 0,
            sent_until: 0,
            sent: 0,
            lost: 0,
        };
        raw.producer = raw.init()?;
        while raw.sent < attempts {
            while raw.in_flight.len() < IN_FLIGHT {
                raw.send()?;
            }
            if random.below(DROPS_ONE_IN) == 0 {
                raw.connection = Connection::open(&raw.address, PATIENCE)?;
                raw.in_flight.clear();
                raw.lost += 1;
            } else {
                raw.hear()?;
            }
        }
        // What the last loss left without an answer is stored all the same.
        while raw.acknowledged < raw.sent_until {
            while raw.in_flight.len() < IN_FLIGHT && raw.next() < raw.sent_until {
                raw.send()?;
            }
            raw.hear()?;
        }
        Ok(raw)
    }

    fn init(&mut self) -> Result<(i64, i16)> {
        let frame = frame(&InitProducerIdRequest::default().with_transactional_id(None), INIT_VERSION, 0);
        let mut reply = Bytes::from(self.connection.ask(&frame.context("it encodes")?)?);
        ResponseHeader::decode(&mut reply, InitProducerIdResponse::header_version(INIT_VERSION))?;
        let answer = InitProducerIdResponse::decode(&mut reply, INIT_VERSION)?;
        ensure!(answer.error_code == 0, "no producer id: error {}", answer.error_code);
        Ok((answer.producer_id.0, answer.producer_epoch))
    }

    /// The first sequence that is neither answered nor on its way.
    fn next(&self) -> usize {
        self.acknowledged + self.in_flight.len()
    }

    fn send(&mut self) -> Result<()> {
        let sequence = self.next();
        let value = sequence.to_string();
        let records = [Record::new(0, None, Some(value.as_bytes()))];
        let batch = Batch::of(Form::Plain, now_ms(), &records)
            .produced_by(self.producer.0, self.producer.1, i32::try_from(sequence)?)
            .encode();
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.into()));
        let topic =
            TopicProduceData::default().with_name(topic_name(self.topic)).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
        let frame = frame(&request, PRODUCE_VERSION, i32::try_from(self.sent)?).context("it encodes")?;
        ensure!(self.connection.send_raw(&frame), "the connection takes no more bytes");
        self.in_flight.push_back(sequence);
        self.sent += 1;
        self.sent_until = self.sent_until.max(sequence + 1);
        Ok(())
    }

    /// Each record is a batch, so that its offset is its sequence, whether it is stored now or was before.
    fn hear(&mut self) -> Result<()> {
        let sequence = self.in_flight.pop_front().context("nothing is on its way")?;
        let Heard::Reply(reply) = self.connection.receive()? else { bail!("no reply to {sequence}") };
        let mut reply = Bytes::from(reply);
        ResponseHeader::decode(&mut reply, ProduceResponse::header_version(PRODUCE_VERSION))?;
        let reply = ProduceResponse::decode(&mut reply, PRODUCE_VERSION)?;
        let answer = reply.responses.first().and_then(|topic| topic.partition_responses.first());
        let answer = answer.context("an answer without partitions")?;
        let found = (answer.error_code, answer.base_offset);
        ensure!(found == (0, i64::try_from(sequence)?), "record {sequence}: error and offset {found:?}");
        self.acknowledged = sequence + 1;
        Ok(())
    }
}
