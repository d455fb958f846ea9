//! The same work in the words of NATS: a stream where Kafka has a partition, a publication with its acknowledgement
//! where Kafka has Produce, a consumer to which the server pushes where Kafka has a parked Fetch.
//!
//! Invariants: as of the other generators; what a run sends is written before the clock starts.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::roundtrip::new_histogram;
use super::{Budget, Done, Until, connect, join_all, read_some};

const BUFFER_BYTES: usize = 1 << 16;
/// Subscriptions of a connection: what answers its requests, and what a consumer is given.
const ANSWERS: &str = "1";
const PUSHED: &str = "2";
const END: &[u8] = b"\r\n";

#[derive(Debug, Clone)]
pub(crate) struct Plan<'a> {
    /// Begins the names of streams and subjects.
    pub topic: &'a str,
    pub connections: usize,
    pub in_flight: usize,
    pub record_bytes: usize,
    pub until: Until,
}

/// A message that the server sent.
#[derive(Debug)]
struct Message<'a> {
    subscription: &'a str,
    payload: &'a [u8],
}

/// One client.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// What answers to requests are sent to.
    inbox: String,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = connect(address)?;
        let inbox = format!("_INBOX.{}", stream.local_addr()?.port());
        let buffer = vec![0; BUFFER_BYTES];
        let mut connection = Self { stream, buffer, start: 0, end: 0, inbox };
        let hello = r#"CONNECT {"verbose":false,"pedantic":false,"lang":"rust","version":"1","protocol":1}"#;
        let subscribe = format!("{hello}\r\nSUB {} {ANSWERS}\r\n", connection.inbox);
        connection.stream.write_all(subscribe.as_bytes()).context("greeting NATS")?;
        Ok(connection)
    }

    /// A request to JetStream, whose answer is JSON.
    fn call(&mut self, subject: &str, body: &str) -> Result<Value> {
        let frame = publication(subject, &self.inbox, body.as_bytes());
        self.stream.write_all(&frame).with_context(|| subject.to_owned())?;
        self.next(|message| answer(message.payload)).with_context(|| subject.to_owned())
    }

    pub(crate) fn check_jetstream(&mut self) -> Result<()> {
        self.call("$JS.API.INFO", "").map(drop)
    }

    /// A stream with one subject of the same name, in files.
    fn make_stream(&mut self, name: &str) -> Result<()> {
        let config = json!({ "name": name, "subjects": [name], "storage": "file", "num_replicas": 1 });
        self.call(&format!("$JS.API.STREAM.CREATE.{name}"), &config.to_string()).map(drop)
    }

    /// Lets the server push a stream to this connection from its first record on, without acknowledgements.
    fn follow(&mut self, stream: &str) -> Result<()> {
        let pushed = format!("{}.pushed", self.inbox);
        let subscribe = format!("SUB {pushed} {PUSHED}\r\n");
        self.stream.write_all(subscribe.as_bytes()).context("subscribing")?;
        let config = json!({ "deliver_subject": pushed, "deliver_policy": "all", "ack_policy": "none" });
        let body = json!({ "stream_name": stream, "config": config });
        self.call(&format!("$JS.API.CONSUMER.CREATE.{stream}"), &body.to_string()).map(drop)
    }

    /// Waits for the next message and hands it to `check`; sees to everything else that a server says.
    fn next<R>(&mut self, check: impl FnOnce(Message<'_>) -> Result<R>) -> Result<R> {
        loop {
            match parse(&self.buffer[self.start..self.end])? {
                Some((Said::Message(header, payload), used)) => {
                    let at = self.start;
                    self.start += used;
                    let header = str::from_utf8(&self.buffer[at..at + header])?;
                    let subscription = header.split(' ').nth(2).context("MSG without a subscription")?;
                    let payload = &self.buffer[at + payload.start..at + payload.end];
                    return check(Message { subscription, payload });
                }
                Some((Said::Ping, used)) => {
                    self.start += used;
                    self.stream.write_all(b"PONG\r\n").context("answering PING")?;
                }
                Some((Said::Other, used)) => self.start += used,
                None => self.fill()?,
            }
        }
    }

    /// Whether another message has arrived whole.
    fn has_message(&self) -> Result<bool> {
        let found = parse(&self.buffer[self.start..self.end])?;
        Ok(matches!(found, Some((Said::Message(..), _))))
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        ensure!(self.end < self.buffer.len(), "a longer message than any that was sent");
        self.end += read_some(&mut self.stream, &mut self.buffer[self.end..])?;
        Ok(())
    }
}

/// What a server says; a message by the end of its first line and the range of its payload.
#[derive(Debug, PartialEq)]
enum Said {
    Message(usize, std::ops::Range<usize>),
    Ping,
    Other,
}

/// The first thing that was said whole, and how long it is.
fn parse(bytes: &[u8]) -> Result<Option<(Said, usize)>> {
    let Some(line_end) = bytes.windows(END.len()).position(|two| two == END) else { return Ok(None) };
    let (line, begin) = (str::from_utf8(&bytes[..line_end])?, line_end + END.len());
    match line.split(' ').next() {
        Some("MSG") => {
            let length: usize =
                line.rsplit(' ').next().unwrap_or("").parse().context("the length of a message")?;
            let end = begin + length;
            let whole = end + END.len();
            Ok((bytes.len() >= whole).then_some((Said::Message(line_end, begin..end), whole)))
        }
        Some("PING") => Ok(Some((Said::Ping, begin))),
        Some("-ERR") => bail!("NATS refused: {line}"),
        _ => Ok(Some((Said::Other, begin))),
    }
}

/// What JetStream answers, unless that is an error.
fn answer(payload: &[u8]) -> Result<Value> {
    let value: Value = serde_json::from_slice(payload).context("an answer that is no JSON")?;
    ensure!(value.get("error").is_none(), "JetStream refused: {}", value["error"]);
    Ok(value)
}

/// Fails unless the record was stored.
fn stored(message: &Message<'_>) -> Result<()> {
    ensure!(message.subscription == ANSWERS, "a record where an acknowledgement was due");
    let is_stored = message.payload.windows(5).any(|five| five == b"\"seq\"");
    ensure!(is_stored, "no acknowledgement: {}", String::from_utf8_lossy(message.payload));
    Ok(())
}

fn publication(subject: &str, reply_to: &str, payload: &[u8]) -> Vec<u8> {
    let mut frame = format!("PUB {subject} {reply_to} {}\r\n", payload.len()).into_bytes();
    frame.extend_from_slice(payload);
    frame.extend_from_slice(END);
    frame
}

/// Names hold no dots, which part subjects.
fn stream_of(topic: &str, lane: usize) -> String {
    format!("{topic}-{lane}").replace('.', "-")
}

/// One record a publication, so many on the way on each connection, each with a stream of its own.
pub(crate) fn publish(address: SocketAddr, plan: &Plan<'_>) -> Result<Done> {
    let mut lanes = Vec::new();
    for lane in 0..plan.connections {
        let stream = stream_of(plan.topic, lane);
        let mut connection = Connection::open(address)?;
        connection.make_stream(&stream)?;
        let frame = publication(&stream, &connection.inbox, &vec![b'x'; plan.record_bytes]);
        lanes.push((connection, frame.repeat(plan.in_flight), frame.len()));
    }
    let start_line = Barrier::new(plan.connections + 1);
    let budget = Budget::new(plan.until);
    let started = Instant::now();
    let requests = thread::scope(|scope| {
        let (budget, start_line) = (&budget, &start_line);
        let drivers = lanes.into_iter().enumerate().map(|(lane, (connection, train, frame_bytes))| {
            scope.spawn(move || {
                start_line.wait();
                drive(connection, &train, frame_bytes, budget).with_context(|| format!("connection {lane}"))
            })
        });
        let drivers = drivers.collect();
        start_line.wait();
        join_all(drivers)
    })?;
    let requests: u64 = requests.iter().sum();
    let bytes = requests * plan.record_bytes as u64;
    Ok(Done { elapsed: started.elapsed(), bytes, requests, latency_ns: None })
}

fn drive(mut connection: Connection, train: &[u8], frame_bytes: usize, budget: &Budget) -> Result<u64> {
    let in_flight = train.len() / frame_bytes;
    let (mut pending, mut answered) = (0, 0);
    loop {
        let count = budget.claim((in_flight - pending) as u64) as usize;
        connection.stream.write_all(&train[..count * frame_bytes]).context("publishing")?;
        pending += count;
        if pending == 0 {
            return Ok(answered);
        }
        loop {
            connection.next(|message| stored(&message))?;
            pending -= 1;
            answered += 1;
            if !connection.has_message()? {
                break;
            }
        }
    }
}

/// One record at a time: a round ends when its acknowledgement is in, and the record with the consumer.
pub(crate) fn round_trips(address: SocketAddr, plan: &Plan<'_>) -> Result<Done> {
    let stream = stream_of(plan.topic, 0);
    let (mut producer, mut consumer) = (Connection::open(address)?, Connection::open(address)?);
    producer.make_stream(&stream)?;
    consumer.follow(&stream)?;
    let frame = publication(&stream, &producer.inbox, &vec![b'x'; plan.record_bytes]);
    let mut pass = || -> Result<()> {
        producer.stream.write_all(&frame).context("publishing")?;
        producer.next(|message| stored(&message))?;
        consumer.next(|message| {
            ensure!(message.subscription == PUSHED, "an answer where a record was due");
            ensure!(message.payload.len() == plan.record_bytes, "another record than the one sent");
            Ok(())
        })
    };
    // The first record makes the stream's files.
    pass()?;
    let mut latency_ns = new_histogram()?;
    let budget = Budget::new(plan.until);
    let (started, mut requests) = (Instant::now(), 0);
    while budget.claim(1) == 1 {
        let sent = Instant::now();
        pass()?;
        latency_ns.saturating_record(sent.elapsed().as_nanos() as u64);
        requests += 1;
    }
    let bytes = requests * plan.record_bytes as u64;
    Ok(Done { elapsed: started.elapsed(), bytes, requests, latency_ns: Some(latency_ns) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_comes_out_whole() {
        let said = b"INFO {}\r\nMSG in 1 reply 2\r\nab\r\nPING\r\n";
        assert_eq!(parse(said).unwrap(), Some((Said::Other, 9)));
        assert_eq!(parse(&said[9..]).unwrap(), Some((Said::Message(16, 18..20), 22)));
        assert_eq!(parse(&said[9..30]).unwrap(), None);
        assert_eq!(parse(&said[31..]).unwrap(), Some((Said::Ping, 6)));
        assert_eq!(parse(b"MSG in 1 2").unwrap(), None);
    }

    #[test]
    fn refusals_are_errors() {
        assert!(parse(b"-ERR 'Unknown Protocol'\r\n").is_err());
        assert!(answer(br#"{"error":{"code":400}}"#).is_err());
        assert!(answer(br#"{"type":"io"}"#).is_ok());
        let refused = Message { subscription: ANSWERS, payload: br#"{"error":{"code":503}}"# };
        assert!(stored(&refused).is_err());
        assert!(stored(&Message { subscription: ANSWERS, payload: br#"{"stream":"s", "seq":1}"# }).is_ok());
    }

    #[test]
    fn publications_say_their_length() {
        assert_eq!(publication("s", "in", b"ab"), b"PUB s in 2\r\nab\r\n");
        assert_eq!(stream_of("bench-6-nats.1", 3), "bench-6-nats-1-3");
    }
}
