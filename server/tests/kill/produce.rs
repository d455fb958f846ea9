//! Who talks to the broker until it is killed: producers that note what was acknowledged, readers that note what they
//! were shown.
//!
//! Every batch is known by (producer, number), which its first record's value says; all of its bytes follow from that.
//! An error before the kill fails the test; after it, it ends the run.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::{FetchRequest, FetchResponse, ProduceRequest};
use storage::env::SimRandom;
use storage::{BatchBuilder, BatchHeader};

use crate::TOPICS;
use crate::process::{Client, topic_name};
use crate::requests;

const IN_FLIGHT: usize = 8;
const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;
const TIME: i64 = 1_700_000_000_000;

/// One batch of one producer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BatchId {
    pub(crate) producer: u64,
    pub(crate) number: u64,
}

impl BatchId {
    /// The batch's bytes: one to three records, of a few bytes up to some KiB.
    pub(crate) fn bytes(self) -> Bytes {
        let random = SimRandom::new(self.producer << 32 | self.number);
        let mut builder = BatchBuilder::new(TIME + self.number as i64);
        for record in 0..=random.below(3) {
            let fill = "x".repeat(random.below(if random.below(20) == 0 { 6000 } else { 300 }) as usize);
            let value = format!("{} {} {record} {fill}", self.producer, self.number);
            builder = builder.push(Some(b"key"), Some(value.as_bytes()), &[]);
        }
        builder.build()
    }

    /// Which batch it is that was read.
    pub(crate) fn of(batch: &[u8]) -> Self {
        let first = storage::records(batch).unwrap().next().unwrap().unwrap();
        let value = String::from_utf8(first.value.unwrap().to_vec()).unwrap();
        let mut words = value.split(' ').map(|word| word.parse().unwrap());
        Self { producer: words.next().unwrap(), number: words.next().unwrap() }
    }
}

/// A place of a partition.
pub(crate) type Place = (usize, i32, i64);

/// What one producer knows when the broker is gone.
pub(crate) struct Produced {
    pub(crate) producer: u64,
    /// Batches sent, acknowledged or not.
    pub(crate) sent: u64,
    pub(crate) acknowledged: Vec<(Place, BatchId)>,
}

pub(crate) struct Producer {
    topic: usize,
    acks: i16,
    random: SimRandom,
    produced: Produced,
    in_flight: VecDeque<Vec<(i32, BatchId)>>,
}

impl Producer {
    pub(crate) fn new(id: u64, topic: usize, acks: i16, seed: u64) -> Self {
        let produced = Produced { producer: id, sent: 0, acknowledged: Vec::new() };
        Self { topic, acks, random: SimRandom::new(seed ^ id), produced, in_flight: VecDeque::new() }
    }

    pub(crate) fn run(mut self, port: u16, killed: &AtomicBool) -> Produced {
        let ended = self.produce(port);
        assert!(killed.load(Ordering::SeqCst), "a producer was cut off before the kill: {ended:?}");
        self.produced
    }

    /// Ends with the connection.
    fn produce(&mut self, port: u16) -> io::Result<()> {
        let mut client = Client::connect(port)?;
        loop {
            while self.in_flight.len() < IN_FLIGHT {
                let request = self.request();
                client.send(PRODUCE_VERSION, &request)?;
            }
            let reply = client.receive::<ProduceRequest>(PRODUCE_VERSION)?;
            let batches = self.in_flight.pop_front().unwrap();
            let answers = &reply.responses[0].partition_responses;
            assert_eq!(answers.len(), batches.len());
            for ((partition, batch), answer) in batches.into_iter().zip(answers) {
                assert_eq!((answer.index, answer.error_code), (partition, 0), "{:?}", answer.error_message);
                self.produced.acknowledged.push(((self.topic, partition, answer.base_offset), batch));
            }
        }
    }

    /// The next request: one partition, or several different ones of a topic that has them.
    fn request(&mut self) -> ProduceRequest {
        let (name, partitions, _) = TOPICS[self.topic];
        let partitions = partitions as u64;
        let first = self.random.below(partitions);
        let count = 1 + self.random.below(partitions.min(20));
        let mut batches = Vec::new();
        let mut data = Vec::new();
        for partition in (first..first + count).map(|at| (at % partitions) as i32) {
            let batch = BatchId { producer: self.produced.producer, number: self.produced.sent };
            self.produced.sent += 1;
            batches.push((partition, batch));
            data.push(
                PartitionProduceData::default().with_index(partition).with_records(Some(batch.bytes())),
            );
        }
        self.in_flight.push_back(batches);
        let topic = TopicProduceData::default().with_name(topic_name(name)).with_partition_data(data);
        ProduceRequest::default().with_acks(self.acks).with_timeout_ms(20_000).with_topic_data(vec![topic])
    }
}

/// Follows the one partition of a topic.
pub(crate) struct Reader {
    topic: usize,
    next: i64,
    seen: Vec<(Place, BatchId)>,
}

impl Reader {
    pub(crate) fn new(topic: usize) -> Self {
        Self { topic, next: 0, seen: Vec::new() }
    }

    pub(crate) fn run(mut self, port: u16, killed: &AtomicBool) -> Vec<(Place, BatchId)> {
        let ended = self.follow(port);
        assert!(killed.load(Ordering::SeqCst), "a reader was cut off before the kill: {ended:?}");
        self.seen
    }

    fn follow(&mut self, port: u16) -> io::Result<()> {
        let mut client = Client::connect(port)?;
        loop {
            let request = fetch(self.topic, &[(0, self.next)], 50);
            client.send(FETCH_VERSION, &request)?;
            let reply = client.receive::<FetchRequest>(FETCH_VERSION)?;
            for (_, batches, _) in batches_of(reply) {
                for batch in batches {
                    let header = BatchHeader::parse(&batch).unwrap();
                    self.seen.push(((self.topic, 0, header.base_offset.0), BatchId::of(&batch)));
                    self.next = header.next_offset().0;
                }
            }
        }
    }
}

/// Asks for partitions of a topic, each from an offset.
pub(crate) fn fetch(topic: usize, from: &[(i32, i64)], wait_ms: i32) -> FetchRequest {
    requests::fetch(topic_name(TOPICS[topic].0), from, wait_ms, 4 << 20)
}

pub(crate) fn call_fetch(client: &mut Client, request: &FetchRequest) -> FetchResponse {
    client.call(FETCH_VERSION, request)
}

/// The whole batches in a reply, by partition, with the high watermark.
pub(crate) fn batches_of(reply: FetchResponse) -> Vec<(i32, Vec<Bytes>, i64)> {
    let partitions = reply.responses.into_iter().flat_map(|topic| topic.partitions);
    let whole = |partition: protocol_compat::messages::fetch_response::PartitionData| {
        assert_eq!(partition.error_code, 0, "partition {}", partition.partition_index);
        let mut bytes = partition.records.unwrap_or_default();
        let mut batches = Vec::new();
        while let Ok(header) = BatchHeader::parse(&bytes) {
            if bytes.len() < header.total_bytes() {
                break;
            }
            batches.push(bytes.split_to(header.total_bytes()));
        }
        (partition.partition_index, batches, partition.high_watermark)
    };
    partitions.map(whole).collect()
}
