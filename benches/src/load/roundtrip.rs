//! One record at a time, produced and fetched before the next, as Kafka's EndToEndLatency measures it.
//!
//! Invariants: the consumer's Fetch is on the way before the record is (Kafka's consumer asks ahead too), so that the
//! time includes the waking of a parked fetch; a round ends when the acknowledgement and the record are both in.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;

use super::fetch::read_reply;
use super::{Budget, Done, Replies, Until, connect};
use crate::wire::request::{self, CORRELATION_AT};
use crate::wire::{batch, reply};

/// The longest time that a histogram tells apart from longer ones.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Fetch must out-wait a slow round, or its empty reply would be taken for a second request.
const FETCH_WAIT_MS: i32 = 10_000;
const FETCH_BYTES_MAX: i32 = 64 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Plan<'a> {
    pub topic: &'a str,
    pub acks: i16,
    pub record_bytes: usize,
    pub until: Until,
}

pub(crate) fn new_histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).context("making a histogram")
}

/// Both ends of the round, on two connections as in a real pair of clients.
#[derive(Debug)]
struct Round<'a> {
    topic: &'a str,
    producer: TcpStream,
    consumer: TcpStream,
    replies: Replies,
    fetch_buffer: Vec<u8>,
    produce_frame: Vec<u8>,
    /// Where the next record will stand.
    offset: i64,
    correlation_id: i32,
}

/// The topic must be empty.
pub(crate) fn run(address: SocketAddr, plan: &Plan<'_>) -> Result<Done> {
    let (batch, _) = batch::fill(1, plan.record_bytes, super::unix_time_ms());
    let (topic, acks) = (plan.topic, plan.acks);
    let frame = request::Produce { topic, partition: 0, acks, timeout_ms: 30_000, batch: &batch };
    let mut round = Round {
        topic,
        producer: connect(address)?,
        consumer: connect(address)?,
        replies: Replies::new(),
        fetch_buffer: vec![0; FETCH_BYTES_MAX as usize],
        produce_frame: request::produce(0, frame),
        offset: 0,
        correlation_id: 0,
    };
    // The first record makes the partition's files; it is no round of a running system.
    round.pass()?;
    let mut latency_ns = new_histogram()?;
    let budget = Budget::new(plan.until);
    let (started, mut requests) = (Instant::now(), 0);
    while budget.claim(1) == 1 {
        let sent = Instant::now();
        round.pass()?;
        latency_ns.saturating_record(sent.elapsed().as_nanos() as u64);
        requests += 1;
    }
    let bytes = requests * batch.len() as u64;
    Ok(Done { elapsed: started.elapsed(), bytes, requests, latency_ns: Some(latency_ns) })
}

impl Round<'_> {
    fn pass(&mut self) -> Result<()> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let id = self.correlation_id;
        let fetch = request::fetch(
            id,
            request::Fetch {
                topic: self.topic,
                partition: 0,
                offset: self.offset,
                bytes_max: FETCH_BYTES_MAX,
                wait_ms_max: FETCH_WAIT_MS,
            },
        );
        self.produce_frame[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&id.to_be_bytes());
        self.consumer.write_all(&fetch).context("sending Fetch")?;
        self.producer.write_all(&self.produce_frame).context("sending Produce")?;
        let base = self.replies.next(&mut self.producer, |frame| reply::produce(frame, id))?;
        ensure!(base == self.offset, "the record stands at {base}, not at {}", self.offset);
        let (_, walk) = read_reply(&mut self.consumer, id, &mut self.fetch_buffer)?;
        let next = walk.next_offset.context("Fetch came back without the record")?;
        ensure!(next == self.offset + 1, "Fetch led to {next}, not behind the record at {base}");
        self.offset = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_holds_a_minute_and_saturates() {
        let mut histogram = new_histogram().unwrap();
        histogram.saturating_record(u64::MAX);
        histogram.saturating_record(1_000_000);
        assert_eq!(histogram.len(), 2);
        assert!(histogram.max() >= LATENCY_NS_MAX);
    }
}
