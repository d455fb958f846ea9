//! The honest client among the hostile ones: it produces a batch, fetches it back, compares, and notes how long it
//! ever had to wait. Now and then it connects anew, because accepting must work too.

use super::frames::{batch, frame, topic_name};
use crate::harness::wire::Connection;
use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse, ProduceRequest,
    ProduceResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const TOPIC: &str = "the-good-one";
/// How long it waits before it calls the broker dead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const ROUNDS_PER_CONNECTION: usize = 25;
/// It stands for a client with a life of its own, not for one more load.
const PAUSE: Duration = Duration::from_millis(2);
/// The last version of each that knows topics by name.
const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;
const CREATE_VERSION: i16 = 5;
/// A batch's header ends here and its records begin, untouched by any broker.
const RECORDS_AT: usize = 61;

/// How the honest client fared.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) rounds: usize,
    pub(crate) worst: Duration,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worst_millis = self.worst.as_secs_f64() * 1000.0;
        write!(f, "{} rounds, worst wait {worst_millis:.1} ms", self.rounds)
    }
}

/// Makes the honest client's topic before anybody is rude.
pub(crate) fn prepare(address: &str) -> Result<()> {
    let topic = CreatableTopic::default()
        .with_name(topic_name(TOPIC))
        .with_num_partitions(1)
        .with_replication_factor(1);
    create(address, &CreateTopicsRequest::default().with_timeout_ms(10_000).with_topics(vec![topic]))
}

/// Makes topics.
pub(crate) fn create(address: &str, request: &CreateTopicsRequest) -> Result<()> {
    let made: CreateTopicsResponse = ask(&mut Connection::open(address, PATIENCE)?, request, CREATE_VERSION)?;
    ensure!(made.topics.iter().all(|topic| topic.error_code == 0), "{made:?}");
    Ok(())
}

/// Works until `is_over`, and one round more.
pub(crate) fn serve_until(address: &str, is_over: &AtomicBool) -> Result<Served> {
    let mut served = Served::default();
    let mut connection = Connection::open(address, PATIENCE)?;
    while !is_over.load(Ordering::Relaxed) {
        if served.rounds % ROUNDS_PER_CONNECTION == 0 {
            let asked = Instant::now();
            connection = Connection::open(address, PATIENCE)?;
            served.worst = served.worst.max(asked.elapsed());
        }
        round(&mut connection, &mut served)
            .with_context(|| format!("round {} of the honest client", served.rounds))?;
        thread::sleep(PAUSE);
    }
    round(&mut connection, &mut served).context("the honest client after the attack")?;
    Ok(served)
}

/// One batch out and back.
fn round(connection: &mut Connection, served: &mut Served) -> Result<()> {
    let value = format!("round {} {}", served.rounds, "x".repeat(served.rounds % 900));
    let written = batch(&[value.as_bytes()], -1);
    let asked = Instant::now();
    let offset = produce(connection, written.clone())?;
    let between = Instant::now();
    let found = fetch(connection, offset)?;
    served.worst = served.worst.max(between - asked).max(between.elapsed());
    served.rounds += 1;
    ensure!(found.len() == written.len(), "wrote {} bytes, read {}", written.len(), found.len());
    ensure!(found[RECORDS_AT..] == written[RECORDS_AT..], "the records came back changed");
    Ok(())
}

/// Sends a batch to the honest topic; where it stands then.
pub(crate) fn produce(connection: &mut Connection, records: Bytes) -> Result<i64> {
    let partition = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default().with_name(topic_name(TOPIC)).with_partition_data(vec![partition]);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic]);
    let reply: ProduceResponse = ask(connection, &request, PRODUCE_VERSION)?;
    let stored = reply
        .responses
        .first()
        .and_then(|topic| topic.partition_responses.first())
        .context("no partition")?;
    ensure!(stored.error_code == 0, "Produce answers {}", stored.error_code);
    Ok(stored.base_offset)
}

/// The records of that topic from an offset on.
pub(crate) fn fetch(connection: &mut Connection, offset: i64) -> Result<Bytes> {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic_name(TOPIC)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(5_000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic]);
    let reply: FetchResponse = ask(connection, &request, FETCH_VERSION)?;
    let found = reply.responses.first().and_then(|topic| topic.partitions.first()).context("no partition")?;
    ensure!(found.error_code == 0, "Fetch answers {}", found.error_code);
    found.records.clone().context("no records")
}

fn ask<M: Request>(connection: &mut Connection, message: &M, version: i16) -> Result<M::Response> {
    const CORRELATION: i32 = 77;
    let sent = frame(message, version, CORRELATION).context("the request cannot be written")?;
    let mut reply = Bytes::from(connection.ask(&sent)?);
    let header = ResponseHeader::decode(&mut reply, M::Response::header_version(version))?;
    ensure!(header.correlation_id == CORRELATION, "the reply belongs to request {}", header.correlation_id);
    let decoded = M::Response::decode(&mut reply, version)?;
    ensure!(!reply.has_remaining(), "{} bytes behind the reply", reply.remaining());
    Ok(decoded)
}
