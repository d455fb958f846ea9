//! Produce at saturation: each connection owns one partition and keeps `in_flight` requests on the way.
//!
//! Invariants: frames are encoded before the clock starts and differ in their correlation ids alone; replies must
//! come in the order of their requests. What a generator thread does per turn is one write and one read.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{Budget, Done, Replies, Until, connect, join_all};
use crate::wire::{reply, request};

#[derive(Debug, Clone)]
pub(crate) struct Plan<'a> {
    pub topic: &'a str,
    pub connections: usize,
    pub in_flight: usize,
    pub acks: i16,
    pub batch: &'a [u8],
    pub until: Until,
}

/// Frames numbered 0 to n-1, twice in a row, so that any n consecutive ones are one slice.
#[derive(Debug)]
struct Train {
    bytes: Vec<u8>,
    frame_bytes: usize,
}

impl Train {
    fn new(plan: &Plan<'_>, partition: i32) -> Self {
        let Plan { topic, acks, batch, .. } = *plan;
        let mut bytes = Vec::new();
        for index in 0..2 * plan.in_flight {
            let frame = request::Produce { topic, partition, acks, timeout_ms: 30_000, batch };
            bytes.extend_from_slice(&request::produce((index % plan.in_flight) as i32, frame));
        }
        Self { frame_bytes: bytes.len() / (2 * plan.in_flight), bytes }
    }

    fn slice(&self, first: usize, count: usize) -> &[u8] {
        &self.bytes[first * self.frame_bytes..(first + count) * self.frame_bytes]
    }
}

pub(crate) fn run(address: SocketAddr, plan: &Plan<'_>) -> Result<Done> {
    let mut lanes = Vec::new();
    for partition in 0..plan.connections {
        lanes.push((connect(address)?, Train::new(plan, partition as i32)));
    }
    let start_line = Barrier::new(plan.connections + 1);
    let budget = Budget::new(plan.until);
    let started = Instant::now();
    let requests = thread::scope(|scope| {
        let (budget, start_line) = (&budget, &start_line);
        let drivers = lanes.into_iter().enumerate().map(|(lane, (stream, train))| {
            scope.spawn(move || {
                start_line.wait();
                drive(stream, &train, plan.in_flight, budget).with_context(|| format!("connection {lane}"))
            })
        });
        let drivers = drivers.collect();
        start_line.wait();
        join_all(drivers)
    })?;
    let requests: u64 = requests.iter().sum();
    let bytes = requests * plan.batch.len() as u64;
    Ok(Done { elapsed: started.elapsed(), bytes, requests, latency_ns: None })
}

/// Drives one connection until the budget is spent and every reply is in.
fn drive(mut stream: TcpStream, train: &Train, in_flight: usize, budget: &Budget) -> Result<u64> {
    let mut replies = Replies::new();
    let (mut next_sent, mut next_answered) = (0, 0);
    let (mut pending, mut answered) = (0, 0u64);
    loop {
        let count = budget.claim((in_flight - pending) as u64) as usize;
        if count > 0 {
            stream.write_all(train.slice(next_sent, count)).context("sending Produce")?;
            next_sent = (next_sent + count) % in_flight;
            pending += count;
        }
        if pending == 0 {
            return Ok(answered);
        }
        replies.fill(&mut stream)?;
        while let Some(frame) = replies.ready()? {
            reply::produce(frame, next_answered as i32)?;
            next_answered = (next_answered + 1) % in_flight;
            pending -= 1;
            answered += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::request::CORRELATION_AT;

    #[test]
    fn train_numbers_wrap() {
        let plan = Plan {
            topic: "t",
            connections: 1,
            in_flight: 3,
            acks: 1,
            batch: b"x",
            until: Until::Requests(1),
        };
        let train = Train::new(&plan, 0);
        let ids: Vec<u8> =
            train.slice(2, 3).chunks(train.frame_bytes).map(|frame| frame[CORRELATION_AT + 3]).collect();
        assert_eq!(ids, [2, 0, 1]);
    }
}
