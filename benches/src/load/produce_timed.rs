//! One record at a time, each timed from its request to its reply.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result};

use super::roundtrip::new_histogram;
use super::{Budget, Done, Replies, Until, connect, unix_time_ms};
use crate::wire::request::{self, CORRELATION_AT};
use crate::wire::{batch, reply};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub topic: &'a str,
    pub record_bytes: usize,
    pub until: Until,
}

pub(crate) fn run(address: SocketAddr, plan: &Plan<'_>) -> Result<Done> {
    let (batch, _) = batch::fill(1, plan.record_bytes, unix_time_ms());
    let frame =
        request::Produce { topic: plan.topic, partition: 0, acks: 1, timeout_ms: 30_000, batch: &batch };
    let mut frame = request::produce(0, frame);
    let (mut stream, mut replies) = (connect(address)?, Replies::new());
    let (mut latency_ns, budget) = (new_histogram()?, Budget::new(plan.until));
    let (started, mut requests) = (Instant::now(), 0u64);
    while budget.claim(1) == 1 {
        let id = requests as i32;
        frame[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&id.to_be_bytes());
        let sent = Instant::now();
        stream.write_all(&frame).context("sending Produce")?;
        replies.next(&mut stream, |frame| reply::produce(frame, id))?;
        latency_ns.saturating_record(sent.elapsed().as_nanos() as u64);
        requests += 1;
    }
    let bytes = requests * batch.len() as u64;
    Ok(Done { elapsed: started.elapsed(), bytes, requests, latency_ns: Some(latency_ns) })
}
