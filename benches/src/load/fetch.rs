//! Fetch at saturation: each connection reads its own partition of a filled topic, over and over, one request at a
//! time, as a consumer does.
//!
//! Invariants: replies are read in steps that stay within the CPU's caches, and only batches that arrived whole are
//! counted; a reply without one, short of the end of the log, is a failure.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{Budget, Done, Until, connect, join_all, read_some};
use crate::wire::reply::{self, FETCH_HEAD_BYTES_MAX, FetchHead};
use crate::wire::request;
use crate::wire::walk::BatchWalk;

/// Bytes taken from the socket at once.
const STEP_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Plan<'a> {
    pub topic: &'a str,
    pub connections: usize,
    pub bytes_max: i32,
    pub until: Until,
}

pub(crate) fn run(address: SocketAddr, plan: &Plan<'_>) -> Result<Done> {
    let mut lanes = Vec::new();
    for _ in 0..plan.connections {
        lanes.push(connect(address)?);
    }
    let start_line = Barrier::new(plan.connections + 1);
    let budget = Budget::new(plan.until);
    let started = Instant::now();
    let read = thread::scope(|scope| {
        let (budget, start_line) = (&budget, &start_line);
        let drivers = lanes.into_iter().enumerate().map(|(lane, stream)| {
            scope.spawn(move || {
                start_line.wait();
                drive(stream, plan, lane as i32, budget).with_context(|| format!("connection {lane}"))
            })
        });
        let drivers = drivers.collect();
        start_line.wait();
        join_all(drivers)
    })?;
    let (bytes, requests) = read.iter().fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1));
    Ok(Done { elapsed: started.elapsed(), bytes, requests, latency_ns: None })
}

/// Reads the partition from its beginning until the budget is spent; returns bytes and requests.
fn drive(mut stream: TcpStream, plan: &Plan<'_>, partition: i32, budget: &Budget) -> Result<(u64, u64)> {
    let mut buffer = vec![0; STEP_BYTES];
    let (mut offset, mut bytes, mut requests) = (0, 0, 0);
    while budget.claim(1) == 1 {
        let topic = plan.topic;
        let bytes_max = plan.bytes_max;
        let fetch = request::Fetch { topic, partition, offset, bytes_max, wait_ms_max: 500 };
        let correlation_id = requests as i32;
        stream.write_all(&request::fetch(correlation_id, fetch)).context("sending Fetch")?;
        let (head, walk) = read_reply(&mut stream, correlation_id, &mut buffer)?;
        let next = walk.next_offset.with_context(|| {
            format!("Fetch at {offset} of {} brought no whole batch", head.high_watermark)
        })?;
        ensure!(next > offset, "Fetch at {offset} led back to {next}");
        offset = if next >= head.high_watermark { 0 } else { next };
        bytes += walk.whole_bytes;
        requests += 1;
    }
    Ok((bytes, requests))
}

/// Reads one Fetch reply, whose head fits into `buffer`, without ever holding all of its records.
pub(crate) fn read_reply(
    stream: &mut TcpStream,
    correlation_id: i32,
    buffer: &mut [u8],
) -> Result<(FetchHead, BatchWalk)> {
    let mut have = 0;
    while have < 4 {
        have += read_some(stream, &mut buffer[have..])?;
    }
    let len = i32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
    ensure!(len > 0, "a Fetch reply of {len} bytes");
    let total = 4 + len as usize;
    // The head may come in a packet of its own, ahead of records that are sent from a file.
    let mut head = None;
    while head.is_none() {
        ensure!(have <= total, "more bytes than the one reply that was asked for");
        match reply::fetch_head(&buffer[4..have], correlation_id) {
            Ok(parsed) => head = Some(parsed),
            Err(error) if have == total || have >= FETCH_HEAD_BYTES_MAX => return Err(error),
            Err(_) => have += read_some(stream, &mut buffer[have..])?,
        }
    }
    let head = head.context("a Fetch reply without a head")?;
    let mut walk = BatchWalk::new();
    let records = 4 + head.head_bytes..4 + head.head_bytes + head.records_bytes;
    ensure!(records.end <= total, "a Fetch reply whose records pass its end");
    walk.feed(&buffer[records.start..have.min(records.end)])?;
    let mut position = have;
    while position < total {
        let step = buffer.len().min(total - position);
        let got = read_some(stream, &mut buffer[..step])?;
        walk.feed(&buffer[..got.min(records.end.saturating_sub(position))])?;
        position += got;
    }
    Ok((head, walk))
}
