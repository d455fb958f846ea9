//! Kafka's own tools as generators: what a Java client with the settings that it has by itself makes of a broker.
//!
//! Invariants: figures are those that a tool prints of its records, so that the start of its JVM is in its CPU alone; a
//! tool that fails, or that says anything else than it was asked for, fails the row.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Done;
use super::roundtrip::new_histogram;
use crate::peer::kafka::Kafka;
use crate::peer::reaper;

/// The consumer gives up when nothing has come for so long.
const NOTHING_CAME_MS: &str = "30000";
/// Rounds for each second that a run is to take; brokers manage more.
const ROUNDS_PER_SECOND: u64 = 1_000;
/// Batches and records have heads: of a volume, one part less than this is records.
const FILLED_PARTS: u64 = 10;
/// What the consumer's tool calls a megabyte.
const TOOLS_MEGABYTE: f64 = 1_048_576.0;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tool {
    /// `kafka-producer-perf-test`: a volume, as fast as it goes.
    Producer { record_bytes: usize },
    /// `kafka-consumer-perf-test`: the same of a filled topic.
    Consumer { record_bytes: usize },
    /// `kafka-e2e-latency`: one record at a time, produced and fetched before the next; for a time.
    EndToEnd { record_bytes: usize },
}

#[derive(Debug, Clone)]
pub(crate) struct Plan<'a> {
    pub tool: Tool,
    pub topic: &'a str,
    pub volume_bytes: u64,
    pub span: Duration,
}

pub(crate) fn run(kafka: &Kafka, address: SocketAddr, plan: &Plan<'_>) -> Result<Done> {
    let volume = |record_bytes: usize| plan.volume_bytes / record_bytes as u64;
    match plan.tool {
        Tool::Producer { record_bytes } => {
            let (records, size) = (volume(record_bytes), record_bytes.to_string());
            let words = ["--record-size", &size, "--throughput", "-1"];
            let said = tell(kafka, "ProducerPerformance", address, plan, records, &words)?;
            let (sent, per_second) = sent(&said).with_context(|| format!("its last words: {said}"))?;
            ensure!(sent == records, "{sent} of {records} records were stored: {said}");
            Ok(done(sent as f64 / per_second, sent * record_bytes as u64, sent))
        }
        Tool::Consumer { record_bytes } => {
            let records = volume(record_bytes) / FILLED_PARTS * (FILLED_PARTS - 1);
            let words = ["--timeout", NOTHING_CAME_MS, "--hide-header"];
            let said = tell(kafka, "ConsumerPerformance", address, plan, records, &words)?;
            let read = read(&said).with_context(|| format!("its last words: {said}"))?;
            ensure!(read.records >= records, "{} of {records} records came: {said}", read.records);
            Ok(done(read.seconds, read.bytes, read.records))
        }
        Tool::EndToEnd { record_bytes } => {
            let (rounds, size) = (plan.span.as_secs() * ROUNDS_PER_SECOND, record_bytes.to_string());
            let words = ["--record-size", &size, "--producer-acks", "1"];
            let said = tell(kafka, "EndToEndLatency", address, plan, rounds, &words)?;
            let average_ms = average(&said).with_context(|| format!("its last words: {said}"))?;
            // Its percentiles are whole milliseconds, so the mean is all that it says of a round.
            let mut latency_ns = new_histogram()?;
            latency_ns.saturating_record_n((average_ms * 1e6) as u64, rounds);
            let seconds = average_ms / 1e3 * rounds as f64;
            let done = done(seconds, rounds * record_bytes as u64, rounds);
            Ok(Done { latency_ns: Some(latency_ns), ..done })
        }
    }
}

fn done(seconds: f64, bytes: u64, requests: u64) -> Done {
    Done { elapsed: Duration::from_secs_f64(seconds), bytes, requests, latency_ns: None }
}

/// Runs one to its end and returns what it said.
fn tell(
    kafka: &Kafka,
    class: &str,
    address: SocketAddr,
    plan: &Plan<'_>,
    records: u64,
    words: &[&str],
) -> Result<String> {
    let (broker, records) = (address.to_string(), records.to_string());
    let common = ["--bootstrap-server", &broker, "--topic", plan.topic, "--num-records", &records];
    let mut command = kafka.tool(&format!("org.apache.kafka.tools.{class}"), &[&common[..], words].concat());
    let child = reaper::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let id = child.id();
    let output = child.wait_with_output();
    reaper::forget(id);
    let output = output.with_context(|| format!("reading what {class} says"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{class} failed: {said}{complaint}");
    Ok(said)
}

/// The producer's last line: how many records were stored, and how many a second.
fn sent(said: &str) -> Option<(u64, f64)> {
    let total = said.lines().rfind(|line| line.contains(" 99.9th"))?;
    let (count, rest) = total.split_once(" records sent, ")?;
    let (rate, _) = rest.split_once(" records/sec")?;
    Some((count.trim().parse().ok()?, rate.parse().ok()?))
}

/// What the consumer read.
#[derive(Debug, PartialEq)]
struct Read {
    seconds: f64,
    bytes: u64,
    records: u64,
}

/// The consumer's only line: begin, end, MB, MB/s, records, records/s, ms of the rebalance, ms of fetching, and rates.
fn read(said: &str) -> Option<Read> {
    let columns: Vec<&str> = said.lines().last()?.split(", ").collect();
    let megabytes: f64 = columns.get(2)?.parse().ok()?;
    let fetch_ms: f64 = columns.get(7)?.parse().ok()?;
    Some(Read {
        seconds: fetch_ms / 1e3,
        bytes: (megabytes * TOOLS_MEGABYTE) as u64,
        records: columns.get(4)?.parse().ok()?,
    })
}

/// The mean round.
fn average(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.strip_prefix("Avg latency: ")?.strip_suffix(" ms"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_producers_last_line_counts() {
        let said = "90 records sent, 18.0 records/sec (0.02 MB/sec), 1.0 ms avg latency, 9.0 ms max latency.\n\
                    100 records sent, 20.5 records/sec (0.02 MB/sec), 1.00 ms avg latency, 9.00 ms max latency, \
                    1 ms 50th, 2 ms 95th, 3 ms 99th, 9 ms 99.9th.\n";
        assert_eq!(sent(said), Some((100, 20.5)));
        assert_eq!(sent("90 records sent, 18.0 records/sec (0.02 MB/sec)"), None);
    }

    #[test]
    fn the_consumers_time_is_that_of_fetching() {
        let line = "2026-11-01 10:00:00:000, 2026-11-01 10:00:05:500, 2.0000, 0.3636, 2048, 372.3636, 3500, 2000, \
                    1.0000, 1024.0000\n";
        assert_eq!(read(line), Some(Read { seconds: 2.0, bytes: 2_097_152, records: 2_048 }));
        assert_eq!(read(""), None);
    }

    #[test]
    fn the_mean_round_is_found() {
        assert_eq!(average("0\t1.2\nAvg latency: 0.3811 ms\nPercentiles: 50th = 0\n"), Some(0.3811));
        assert_eq!(average("Percentiles: 50th = 0"), None);
    }
}
