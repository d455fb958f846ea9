//! Records at a fixed rate, whatever the broker does: an open loop, each record timed from when it was due.
//!
//! Invariants: a broker that is slow once pays for all records that were due meanwhile; producing, the reading of its
//! replies and fetching are threads of their own, so that none of them waits for another.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;

use super::fetch::read_reply;
use super::roundtrip::new_histogram;
use super::{Done, Replies, connect, join_all, unix_time_ms};
use crate::wire::request::{self, CORRELATION_AT};
use crate::wire::{batch, reply};

const FETCH_WAIT_MS: i32 = 500;
const FETCH_BYTES_MAX: i32 = 1 << 20;
/// A sleeping thread wakes up later than it wanted; it looks at the clock from here on instead.
const AWAKE_BEFORE: Duration = Duration::from_micros(80);
/// The first record is due when all threads run.
const BEGIN_AFTER: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub topic: &'a str,
    pub acks: i16,
    pub record_bytes: usize,
    pub per_second: u32,
    pub span: Duration,
}

impl Plan<'_> {
    fn records(&self) -> i64 {
        (self.span.as_secs_f64() * f64::from(self.per_second)) as i64
    }
}

/// When each record is due.
#[derive(Debug, Clone, Copy)]
struct Timetable {
    begun: Instant,
    every: Duration,
}

impl Timetable {
    fn due(&self, record: i64) -> Instant {
        self.begun + self.every * record as u32
    }

    fn wait_for(&self, record: i64) {
        let due = self.due(record);
        thread::sleep(due.saturating_duration_since(Instant::now()).saturating_sub(AWAKE_BEFORE));
        while Instant::now() < due {
            std::hint::spin_loop();
        }
    }
}

/// The topic must be empty.
pub(crate) fn run(address: SocketAddr, plan: &Plan<'_>) -> Result<Done> {
    let (batch, _) = batch::fill(1, plan.record_bytes, unix_time_ms());
    let (topic, acks) = (plan.topic, plan.acks);
    let frame = request::Produce { topic, partition: 0, acks, timeout_ms: 30_000, batch: &batch };
    let frame = request::produce(0, frame);
    let mut producer = connect(address)?;
    // The first record makes the partition's files; it is none of a running system.
    producer.write_all(&frame).context("sending Produce")?;
    let first = Replies::new().next(&mut producer, |frame| reply::produce(frame, 0))?;
    let (replies, consumer) = (producer.try_clone()?, connect(address)?);
    let records = plan.records();
    let started = Instant::now();
    let timetable =
        Timetable { begun: started + BEGIN_AFTER, every: Duration::from_secs(1) / plan.per_second };
    let latency_ns = thread::scope(|scope| {
        let sending = scope.spawn(move || send(producer, frame, records, timetable).map(|()| None));
        let answered = scope.spawn(move || take_replies(replies, records, first + 1).map(|()| None));
        let fetched =
            scope.spawn(move || take_records(consumer, topic, first + 1, records, timetable).map(Some));
        join_all(vec![sending, answered, fetched])
    })?;
    let latency_ns = latency_ns.into_iter().flatten().next();
    let bytes = records as u64 * batch.len() as u64;
    Ok(Done { elapsed: started.elapsed(), bytes, requests: records as u64, latency_ns })
}

fn send(mut stream: TcpStream, mut frame: Vec<u8>, records: i64, timetable: Timetable) -> Result<()> {
    for record in 0..records {
        timetable.wait_for(record);
        frame[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&(record as i32).to_be_bytes());
        stream.write_all(&frame).context("sending Produce")?;
    }
    Ok(())
}

fn take_replies(mut stream: TcpStream, records: i64, first: i64) -> Result<()> {
    let mut replies = Replies::new();
    for record in 0..records {
        let base = replies.next(&mut stream, |frame| reply::produce(frame, record as i32))?;
        ensure!(base == first + record, "record {record} stands at {base}, not at {}", first + record);
    }
    Ok(())
}

fn take_records(
    mut stream: TcpStream,
    topic: &str,
    first: i64,
    records: i64,
    timetable: Timetable,
) -> Result<Histogram<u64>> {
    let mut latency_ns = new_histogram()?;
    let mut buffer = vec![0; FETCH_BYTES_MAX as usize];
    let (mut offset, end, mut correlation_id) = (first, first + records, 0);
    while offset < end {
        let (bytes_max, wait_ms_max) = (FETCH_BYTES_MAX, FETCH_WAIT_MS);
        let fetch = request::Fetch { topic, partition: 0, offset, bytes_max, wait_ms_max };
        stream.write_all(&request::fetch(correlation_id, fetch)).context("sending Fetch")?;
        let (_, walk) = read_reply(&mut stream, correlation_id, &mut buffer)?;
        correlation_id += 1;
        let (now, next) = (Instant::now(), walk.next_offset.unwrap_or(offset));
        for record in offset..next {
            let late = now.saturating_duration_since(timetable.due(record - first));
            latency_ns.saturating_record(late.as_nanos() as u64);
        }
        offset = next;
    }
    Ok(latency_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_due_one_after_the_other() {
        let timetable = Timetable { begun: Instant::now(), every: Duration::from_millis(1) };
        assert_eq!(timetable.due(1_500) - timetable.begun, Duration::from_millis(1_500));
        timetable.wait_for(3);
        assert!(Instant::now() >= timetable.due(3), "nobody is early");
    }
}
