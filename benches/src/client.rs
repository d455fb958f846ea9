//! The bench's errands before a run: is the broker there, does it serve what the rows send, make a topic.
//!
//! Invariant: a row begins only when each partition of its topic has a leader that answers.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::load::{Replies, connect, unix_time_ms};
use crate::peer::START_MAX;
use crate::wire::{SPOKEN, batch, reply, request};

/// How often a broker that is not ready is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// The same where the time is of interest.
const ASK_SOON: Duration = Duration::from_millis(1);
const TOPIC_TIMEOUT: Duration = Duration::from_secs(60);
/// Of each partition: enough for a full batch.
const SERVED_BYTES_MAX: i32 = 32 << 10;
const FIRST_RECORD_BYTES: usize = 100;
/// As many as Kafka's producer keeps on the way.
const FIRST_RECORDS_IN_FLIGHT: usize = 5;

#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    replies: Replies,
    correlation_id: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { stream: connect(address)?, replies: Replies::new(), correlation_id: 0 })
    }

    fn call<R>(
        &mut self,
        encode: impl FnOnce(i32) -> Vec<u8>,
        read: impl FnOnce(&[u8], i32) -> Result<R>,
    ) -> Result<R> {
        self.correlation_id += 1;
        let id = self.correlation_id;
        self.stream.write_all(&encode(id)).context("sending a request")?;
        self.replies.next(&mut self.stream, |frame| read(frame, id))
    }

    fn metadata(&mut self, topic: Option<&str>) -> Result<reply::Metadata> {
        self.call(|id| request::metadata(id, topic), reply::metadata)
    }

    /// Fails, naming them, if the broker lacks APIs that the rows need.
    pub(crate) fn check_versions(&mut self) -> Result<()> {
        let served = self.call(request::api_versions, reply::api_versions)?;
        let missing = SPOKEN.iter().filter(|api| !served.serves(**api));
        let missing: Vec<_> = missing.map(|api| format!("{} {}", api.name, api.version)).collect();
        ensure!(missing.is_empty(), "the broker does not serve {}", missing.join(", "));
        Ok(())
    }

    /// Makes a topic and waits until all its partitions serve.
    pub(crate) fn create_topic(
        &mut self,
        topic: &str,
        partitions: usize,
        settings: request::Settings<'_>,
    ) -> Result<()> {
        let timeout_ms = TOPIC_TIMEOUT.as_millis() as i32;
        let (code, words) = self.call(
            |id| request::create_topic(id, topic, partitions as i32, settings, timeout_ms),
            reply::create_topic,
        )?;
        ensure!(code == 0, "CreateTopics of {topic} was answered with error code {code}: {words}");
        let deadline = Instant::now() + TOPIC_TIMEOUT;
        while self.metadata(Some(topic))?.led_partitions < partitions {
            ensure!(Instant::now() < deadline, "topic {topic} has no leaders after {TOPIC_TIMEOUT:?}");
            thread::sleep(ASK_AGAIN);
        }
        self.wait_until_served(topic, partitions, deadline)
    }

    /// One small record to each partition of a topic, a few on the way.
    pub(crate) fn one_record_each(&mut self, topic: &str, partitions: usize) -> Result<()> {
        let (batch, _) = batch::fill(1, FIRST_RECORD_BYTES, unix_time_ms());
        for sent in 0..partitions + FIRST_RECORDS_IN_FLIGHT {
            if sent < partitions {
                let partition = sent as i32;
                let frame = request::Produce { topic, partition, acks: 1, timeout_ms: 30_000, batch: &batch };
                self.stream.write_all(&request::produce(partition, frame)).context("sending Produce")?;
            }
            if let Some(answered) = sent.checked_sub(FIRST_RECORDS_IN_FLIGHT) {
                self.replies.next(&mut self.stream, |frame| reply::produce(frame, answered as i32))?;
            }
        }
        Ok(())
    }

    /// A client of a broker that serves, once it does.
    pub(crate) fn ready(address: SocketAddr, alive: impl FnMut() -> Result<()>) -> Result<Self> {
        wait_until_ready(address, Instant::now() + START_MAX, alive)?;
        Self::connect(address)
    }

    /// The connection by itself.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Waits until groups have a coordinator. The first who asks for one makes the topic that they are kept in.
    pub(crate) fn wait_for_coordinators(&mut self) -> Result<()> {
        let deadline = Instant::now() + TOPIC_TIMEOUT;
        loop {
            let code = self.call(|id| request::find_coordinator(id, "bench"), reply::find_coordinator)?;
            if code == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "FindCoordinator still answers error code {code}");
            thread::sleep(ASK_AGAIN);
        }
    }

    /// Sets one setting of a topic.
    pub(crate) fn alter_topic(&mut self, topic: &str, name: &str, value: &str) -> Result<()> {
        let code = self.call(|id| request::alter_topic(id, topic, name, value), reply::alter_topic)?;
        ensure!(code == 0, "{name}={value} of {topic} was answered with error code {code}");
        Ok(())
    }

    /// Sends one batch and waits for its offset.
    pub(crate) fn produce(&mut self, frame: request::Produce<'_>) -> Result<i64> {
        self.call(|id| request::produce(id, frame), reply::produce)
    }

    /// Kafka names a leader in Metadata a moment before that leader takes requests (it answers 6 until then), so
    /// the proof is an answered Fetch of all partitions; it leaves those that are empty so.
    pub(crate) fn wait_until_served(
        &mut self,
        topic: &str,
        partitions: usize,
        deadline: Instant,
    ) -> Result<()> {
        loop {
            let answer = self.call(
                |id| request::fetch_beginnings(id, topic, partitions, SERVED_BYTES_MAX),
                |frame, id| Ok(reply::fetch_all(frame, id, partitions)),
            )?;
            match answer {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= deadline => {
                    return Err(error.context(format!("{topic} is still not served")));
                }
                Err(_) => thread::sleep(ASK_AGAIN),
            }
        }
    }
}

/// Waits until the broker answers anything at all, asking often: the time is of interest.
pub(crate) fn wait_for_first_reply(
    address: SocketAddr,
    deadline: Instant,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<()> {
    loop {
        alive()?;
        let asked = Client::connect(address)
            .and_then(|mut client| client.call(request::api_versions, reply::api_versions));
        match asked {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                return Err(error.context("the broker gave no reply in time"));
            }
            Err(_) => thread::sleep(ASK_SOON),
        }
    }
}

/// Waits until the broker answers, knows itself in Metadata, and is found to serve what is needed.
pub(crate) fn wait_until_ready(
    address: SocketAddr,
    deadline: Instant,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<()> {
    let mut last_failure = None;
    while Instant::now() < deadline {
        alive()?;
        match Client::connect(address).and_then(|mut client| Ok((client.metadata(None)?, client))) {
            Ok((metadata, mut client)) if metadata.brokers > 0 => return client.check_versions(),
            Ok(_) => last_failure = None,
            Err(error) => last_failure = Some(error),
        }
        thread::sleep(ASK_AGAIN);
    }
    match last_failure {
        Some(error) => Err(error.context("the broker was not ready in time")),
        None => bail!("the broker answers but Metadata never named a broker"),
    }
}
