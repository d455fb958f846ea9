//! Queue and task against a collector that does as a test says.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::cli::{Assignment, Cli};
use crate::metrics::NamedMax;
use crate::protobuf::{Value, find};

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the collector has done so far.
#[derive(Default)]
struct Seen {
    connections: usize,
    bodies: Vec<Vec<u8>>,
}

/// Answers each POST with the next of these, and then with the last one for ever.
struct Collector {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Collector {
    async fn start(answers: &[&'static str]) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (answers, noted) = (answers.to_vec(), seen.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                noted.lock().unwrap().connections += 1;
                serve(stream, &noted, &answers).await;
            }
        });
        Collector { address, seen }
    }

    fn posts(&self) -> usize {
        self.seen.lock().unwrap().bodies.len()
    }
}

/// One connection, until either side closes it.
async fn serve(mut stream: TcpStream, seen: &Mutex<Seen>, answers: &[&'static str]) {
    let mut bytes = Vec::new();
    loop {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let head = String::from_utf8(bytes.drain(..end + 4).collect()).unwrap();
        assert!(head.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Type: application/x-protobuf\r\n"), "{head}");
        let (_, length) = head.split_once("Content-Length: ").unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        while bytes.len() < length {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the body is cut short");
        }
        let body = bytes.drain(..length).collect();
        let answer = {
            let mut seen = seen.lock().unwrap();
            seen.bodies.push(body);
            answers[(seen.bodies.len() - 1).min(answers.len() - 1)]
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        if answer.contains("close") || answer.is_empty() {
            return;
        }
    }
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const TAKEN_BUT_THREE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x0a\x02\x08\x03";
const LATER: &str = "HTTP/1.1 503 Away\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
const REFUSED: &str = "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n";

struct Fixture {
    traces: Traces,
    exporter: Option<Exporter>,
    metrics: Arc<Metrics>,
}

fn start(settings: &[(&str, &str)]) -> Fixture {
    let set = settings
        .iter()
        .map(|(name, value)| Assignment { name: (*name).to_owned(), value: (*value).to_owned() });
    let cli = Cli { set: set.collect(), ..Cli::default() };
    let config = Config::load(&cli, []).unwrap();
    let metrics = Metrics::new(&[], NamedMax::default());
    let service = Service { cluster_id: "cluster", node_id: 1 };
    let (traces, exporter) = Traces::start(&config, &Env::real(), &metrics, service);
    Fixture { traces, exporter, metrics }
}

fn start_with(address: SocketAddr) -> Fixture {
    let url = format!("http://{address}/base/");
    start(&[("otlp.endpoint", &url), ("otlp.traces.sample.ratio", "1")])
}

impl Fixture {
    fn count(&self, what: &str) -> u64 {
        let series = format!("ottla_trace_spans_{what}_total ");
        let page = self.metrics.render();
        page.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    }

    fn push(&self, requests: usize) {
        (0..requests).for_each(|_| self.traces.push(request()));
    }

    async fn finish(&mut self) {
        self.exporter.take().unwrap().finish().await;
    }
}

/// One of three spans.
fn request() -> Request {
    Request {
        api: "Produce",
        version: 3,
        came: Duration::ZERO,
        parts: Parts::default(),
        waits_for: WaitsFor::Durability,
        request_bytes: 1,
        response_bytes: None,
        error: None,
        client: Client { address: ([127, 0, 0, 1], 1).into(), id: "c".into(), software: None },
    }
}

async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn off_nothing_is_sampled() {
    let fixture = start(&[("otlp.traces.sample.ratio", "1")]);
    assert!(fixture.exporter.is_none() && !fixture.traces.samples());
    fixture.push(1);
    assert_eq!((fixture.count("sent"), fixture.count("dropped")), (0, 0));
}

#[tokio::test]
async fn batches_go_over_one_connection_and_the_last_one_when_it_stops() {
    let collector = Collector::start(&[TAKEN]).await;
    let mut fixture = start_with(collector.address);
    assert!(fixture.traces.samples());
    fixture.push(2);
    wait_until("the first batch", || collector.posts() == 1).await;
    fixture.push(BATCH_MAX + 1);
    wait_until("two more", || collector.posts() == 3).await;
    fixture.push(1);
    fixture.finish().await;
    assert_eq!((collector.posts(), collector.seen.lock().unwrap().connections), (4, 1));
    assert_eq!((fixture.count("sent"), fixture.count("dropped")), (3 * (BATCH_MAX as u64 + 4), 0));
}

#[tokio::test]
async fn a_batch_that_is_to_come_later_comes_again_as_it_was() {
    let collector = Collector::start(&[LATER, LATER, TAKEN]).await;
    let mut fixture = start_with(collector.address);
    fixture.push(1);
    wait_until("the batch is taken", || fixture.count("sent") == 3).await;
    fixture.finish().await;
    let bodies = std::mem::take(&mut collector.seen.lock().unwrap().bodies);
    assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]));
    assert!(matches!(find(&bodies[0], 1), Some(Value::Bytes(_))));
}

#[tokio::test]
async fn what_is_refused_does_not_come_again() {
    let collector = Collector::start(&[REFUSED, TAKEN_BUT_THREE]).await;
    let mut fixture = start_with(collector.address);
    fixture.push(2);
    wait_until("the refusal", || fixture.count("dropped") == 6).await;
    fixture.push(4);
    wait_until("the rest", || fixture.count("sent") == 9).await;
    fixture.finish().await;
    assert_eq!((collector.posts(), fixture.count("dropped")), (2, 9));
}

/// Nobody listens there: what finds no room is dropped at once, and a stop waits for nobody.
#[tokio::test]
async fn a_collector_that_is_away_costs_its_spans_only() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut fixture = start_with(nobody);
    fixture.push(QUEUE_MAX + BATCH_MAX + 100);
    assert!(fixture.count("dropped") >= 300, "{}", fixture.count("dropped"));
    fixture.finish().await;
    assert_eq!(fixture.count("sent"), 0);
    assert_eq!(fixture.count("dropped"), 3 * (QUEUE_MAX + BATCH_MAX + 100) as u64);
}

/// It takes the connection and says nothing.
#[tokio::test]
async fn a_collector_that_hangs_does_not_hold_up_a_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut fixture = start_with(listener.local_addr().unwrap());
    fixture.push(1);
    let (_stream, _) = listener.accept().await.unwrap();
    tokio::time::timeout(LAST_PATIENCE, fixture.finish()).await.expect("a second, with much slack");
}

/// Ten times what a stop may take.
const LAST_PATIENCE: Duration = Duration::from_secs(10);
