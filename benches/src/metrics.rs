//! What being observed costs: the counting of a Produce request beside all that the broker does for one, and a scrape of
//! many topics beside the requests that go on meanwhile.
//!
//! Invariants: the counting is measured on the broker's own handles, in this process, for it cannot be left out of a
//! broker; everything else on the real binary, over its listeners.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use server::metrics::{CountedApi, Limit, Metrics, NamedMax, Observed, Parts, WaitsFor};

use crate::client::Client;
use crate::cpu::{process_cpu, thread_cpu};
use crate::load::{Until, produce};
use crate::log::logs_max;
use crate::peer::ottla::Ottla;
use crate::peer::{Broker, TempDir};
use crate::stats::median;
use crate::wire::batch;
use crate::wire::request::Produce;

#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// Fewer topics and shorter runs
    #[arg(long)]
    quick: bool,
    /// The Ottla binary; built in release mode otherwise
    #[arg(long, value_name = "PATH")]
    pub ottla: Option<PathBuf>,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

struct Effort {
    topics: usize,
    /// How often a Produce request is counted in one span.
    counted: u32,
    spans: usize,
    load: Duration,
    scrapes: usize,
}

const FULL: Effort =
    Effort { topics: 10_000, counted: 5_000_000, spans: 5, load: Duration::from_secs(10), scrapes: 30 };
const QUICK: Effort =
    Effort { topics: 500, counted: 200_000, spans: 3, load: Duration::from_secs(1), scrapes: 5 };

const PRODUCE: i16 = 0;
/// How often the clock is read for the turns of a connection in which a request came, began, was decided and was sent: once
/// for all requests that were in them.
const CLOCK_READS_OF_TURNS: usize = 4;
const VALUE_BYTES: usize = 100;
/// Every so often a request goes out while scrapes are taken.
const PING_PAUSE: Duration = Duration::from_millis(1);
const TOPIC: &str = "observed";
const MS: f64 = 1e-6;

pub(crate) fn run(args: &MetricsArgs, ottla: &Ottla, dir: TempDir) -> Result<()> {
    let mut effort = if args.quick { QUICK } else { FULL };
    // A log of one topic needs as many descriptors here as there.
    effort.topics = effort.topics.min(logs_max()?);
    let metrics = Metrics::new(
        &[CountedApi { key: PRODUCE, name: "Produce", waits_for: WaitsFor::Durability }],
        NamedMax::default(),
    );
    let request = counting(&effort, |turn| count_request(&metrics, turn))?;
    let turns = counting(&effort, |turn| count_turns(&metrics, turn))?;
    let (broker, metrics) = ottla.start_observed(dir, "relaxed")?;
    println!(
        "Counting one Produce request: {request:.0} ns of CPU, and {turns:.0} ns for all that come together"
    );
    let mut shares = Vec::new();
    for in_flight in [1, 64] {
        let cost = request_cost(&broker, &effort, in_flight)?;
        // None of them came together with another one, or all did.
        let (most, least) = ((request + turns) / cost, (request + turns / in_flight as f64) / cost);
        println!(
            "  {in_flight:>2} in flight: {:.1} us of the broker's CPU a request, {:.2} to {:.2} % of it counting",
            cost / 1e3,
            100.0 * least,
            100.0 * most
        );
        shares.push(json!({ "in_flight": in_flight, "request_ns": cost, "least": least, "most": most }));
    }
    let scraped = scrapes(&broker, metrics, &effort)?;
    println!("\nA scrape with {} topics of a partition each", effort.topics);
    println!("  {:>10} bytes, {} series", scraped.bytes, scraped.series);
    println!(
        "  {:>10.1} ms in the middle, {:.1} ms at most",
        scraped.middle_ms,
        scraped.times_ms.iter().copied().fold(0.0, f64::max)
    );
    println!("  {:<28} {:>10} {:>10} {:>10}", "Produce beside it, in ms", "p50", "p99", "max");
    for (name, times) in [("nobody scrapes", &scraped.alone), ("one scrape after the other", &scraped.beside)]
    {
        let [p50, p99, max] = percentiles(times);
        println!("  {name:<28} {p50:>10.3} {p99:>10.3} {max:>10.3}");
    }
    let Some(path) = &args.json else { return Ok(()) };
    let document = json!({
        "format": 1,
        "quick": args.quick,
        "machine": crate::machine_json()?,
        "counting_ns": { "request": request, "turns": turns },
        "produce": shares,
        "scrape": scraped.json(),
    });
    crate::write_document(path, &document)
}

/// Nanoseconds of CPU for one time of such counting.
fn counting(effort: &Effort, count: impl Fn(u32)) -> Result<f64> {
    let mut spans = Vec::new();
    for _ in 0..=effort.spans {
        let begun = thread_cpu();
        (0..effort.counted).for_each(&count);
        spans.push((thread_cpu() - begun).as_nanos() as f64 / f64::from(effort.counted));
    }
    spans.remove(0);
    median(spans).context("no span was measured")
}

/// What the broker counts of each request of one batch, the reading of the clock between it and the next included.
fn count_request(metrics: &Metrics, turn: u32) {
    std::hint::black_box(Instant::now());
    let elapsed = Duration::from_micros(u64::from(turn % 1_000));
    let api = metrics.api(PRODUCE);
    api.arrived();
    metrics.logs.appended(1, 1, VALUE_BYTES);
    api.observe(Observed { request_bytes: VALUE_BYTES, response_bytes: VALUE_BYTES, elapsed, failed: false });
    api.sent(Parts { queue: elapsed, local: elapsed, wait: Some(elapsed), send: elapsed });
}

/// What it counts of the turns in which a request came, began, was decided and was sent.
fn count_turns(metrics: &Metrics, turn: u32) {
    for _ in 0..CLOCK_READS_OF_TURNS {
        std::hint::black_box(Instant::now());
    }
    let bytes = f64::from(turn);
    for limit in [Limit::RequestBytes, Limit::ResponseBytes] {
        metrics.limit(limit).used.set(bytes);
        metrics.limit(limit).used.set(0.0);
    }
}

/// Nanoseconds of the broker's CPU for one request with one small record.
fn request_cost(broker: &Broker, effort: &Effort, in_flight: usize) -> Result<f64> {
    let topic = format!("{TOPIC}-{in_flight}");
    Client::connect(broker.address)?.create_topic(&topic, 1, &[])?;
    let batch = small_batch();
    let plan = produce::Plan {
        topic: &topic,
        connections: 1,
        in_flight,
        acks: -1,
        batch: &batch,
        until: Until::Elapsed(effort.load),
    };
    produce::run(broker.address, &produce::Plan { until: Until::Requests(1_000), ..plan.clone() })?;
    let before = process_cpu(broker.process.pid())?;
    let done = produce::run(broker.address, &plan)?;
    let spent = process_cpu(broker.process.pid())?.saturating_sub(before);
    Ok(spent.as_nanos() as f64 / done.requests as f64)
}

fn small_batch() -> Vec<u8> {
    batch::encode([&[b'x'; VALUE_BYTES][..]], crate::load::unix_time_ms())
}

struct Scraped {
    bytes: usize,
    series: usize,
    times_ms: Vec<f64>,
    middle_ms: f64,
    /// Nanoseconds of a Produce request without scrapes, and with.
    alone: Histogram<u64>,
    beside: Histogram<u64>,
}

impl Scraped {
    fn json(&self) -> Value {
        let [alone, beside] = [&self.alone, &self.beside].map(|times| percentiles(times).to_vec());
        json!({
            "bytes": self.bytes,
            "series": self.series,
            "times_ms": self.times_ms,
            "produce_alone_ms": alone,
            "produce_beside_ms": beside,
        })
    }
}

fn scrapes(broker: &Broker, metrics: SocketAddr, effort: &Effort) -> Result<Scraped> {
    make_topics(broker.address, effort.topics)?;
    scrape(metrics)?;
    let (begun, is_over) = (Instant::now(), AtomicBool::new(false));
    let alone = ping(broker.address, || begun.elapsed() > effort.load)?;
    let (scraped, beside) = thread::scope(|scope| {
        let pinging = scope.spawn(|| ping(broker.address, || is_over.load(Ordering::Relaxed)));
        let scraped: Result<Vec<_>> = (0..effort.scrapes).map(|_| scrape(metrics)).collect();
        is_over.store(true, Ordering::Relaxed);
        (scraped, pinging.join().expect("a pinging thread does not panic"))
    });
    let (scraped, beside) = (scraped?, beside?);
    let times_ms: Vec<f64> = scraped.iter().map(|(_, took)| took.as_nanos() as f64 * MS).collect();
    let (text, _) = scraped.last().context("nothing was scraped")?;
    Ok(Scraped {
        bytes: text.len(),
        series: text.lines().filter(|line| !line.starts_with('#')).count(),
        middle_ms: median(times_ms.clone()).context("nothing was scraped")?,
        times_ms,
        alone,
        beside,
    })
}

/// Each has had a record, so that all have something to show.
fn make_topics(broker: SocketAddr, count: usize) -> Result<()> {
    const TOLD_EVERY: usize = 1_000;
    let mut client = Client::connect(broker)?;
    let batch = small_batch();
    for topic in 0..count {
        let name = format!("{TOPIC}-topic-{topic:05}");
        client.create_topic(&name, 1, &[])?;
        client.produce(Produce {
            topic: &name,
            partition: 0,
            acks: -1,
            timeout_ms: 30_000,
            batch: &batch,
        })?;
        if (topic + 1) % TOLD_EVERY == 0 {
            eprintln!("{} of {count} topics", topic + 1);
        }
    }
    Ok(())
}

/// One Produce after the other, and how long each took.
fn ping(broker: SocketAddr, is_over: impl Fn() -> bool) -> Result<Histogram<u64>> {
    let mut client = Client::connect(broker)?;
    let (batch, mut times) = (small_batch(), Histogram::new(3)?);
    let topic = format!("{TOPIC}-1");
    while !is_over() {
        let begun = Instant::now();
        client.produce(Produce {
            topic: &topic,
            partition: 0,
            acks: -1,
            timeout_ms: 30_000,
            batch: &batch,
        })?;
        times.record(begun.elapsed().as_nanos() as u64)?;
        thread::sleep(PING_PAUSE);
    }
    Ok(times)
}

/// The text of one scrape, and how long it took from the connection to its last byte.
fn scrape(metrics: SocketAddr) -> Result<(String, Duration)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(metrics)?;
    stream.set_read_timeout(Some(crate::load::SILENCE_MAX))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let took = begun.elapsed();
    let (head, body) = reply.split_once("\r\n\r\n").context("a reply without an end of its head")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "the scrape was answered with `{head}`");
    Ok((body.to_owned(), took))
}

/// The middle, the 99th of a hundred and the greatest, in milliseconds.
fn percentiles(times: &Histogram<u64>) -> [f64; 3] {
    [times.value_at_quantile(0.5), times.value_at_quantile(0.99), times.max()].map(|nanos| nanos as f64 * MS)
}
