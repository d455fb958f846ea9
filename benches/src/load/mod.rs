//! Load generators: raw blocking sockets, one thread a connection, frames encoded before the clock starts.
//!
//! Invariants: any refusal, wrong reply, lost connection or silence of `SILENCE_MAX` ends the run with an error; the
//! clock runs from the moment all connections stand to the last reply. Both brokers get the same bytes.

pub(crate) mod fetch;
pub(crate) mod groups;
pub(crate) mod java;
pub(crate) mod nats;
pub(crate) mod open_loop;
pub(crate) mod produce;
pub(crate) mod produce_timed;
pub(crate) mod roundtrip;

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;

/// A broker that says nothing for so long has failed its row.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// No reply that the generators ask for is longer, Fetch apart, which is read in pieces. Metadata of 10,000 partitions is.
const REPLY_BYTES_MAX: usize = 1 << 20;

/// What one run of a generator did.
#[derive(Debug)]
pub(crate) struct Done {
    pub elapsed: Duration,
    /// Bytes of whole record batches.
    pub bytes: u64,
    pub requests: u64,
    /// Nanoseconds, where the row times each round.
    pub latency_ns: Option<Histogram<u64>>,
}

impl Done {
    pub(crate) fn quantile_ms(&self, quantile: f64) -> Result<f64> {
        let latency_ns = self.latency_ns.as_ref().context("a run that times nothing")?;
        Ok(latency_ns.value_at_quantile(quantile) as f64 / 1e6)
    }
}

/// How long a run goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Requests(u64),
    Elapsed(Duration),
}

/// The work left, shared by all connections so that they end together.
#[derive(Debug)]
pub(crate) struct Budget {
    requests_left: AtomicU64,
    deadline: Option<Instant>,
}

impl Budget {
    fn new(until: Until) -> Self {
        match until {
            Until::Requests(count) => Self { requests_left: AtomicU64::new(count), deadline: None },
            Until::Elapsed(span) => {
                Self { requests_left: AtomicU64::new(u64::MAX), deadline: Some(Instant::now() + span) }
            }
        }
    }

    /// Takes up to `wanted` requests; zero means that the run is over.
    fn claim(&self, wanted: u64) -> u64 {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return 0;
        }
        let take = |left: u64| Some(left - left.min(wanted));
        let before = match self.requests_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(before) | Err(before) => before,
        };
        before.min(wanted)
    }
}

pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, SILENCE_MAX)
        .with_context(|| format!("cannot connect to the broker at {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    Ok(stream)
}

/// The broker did not answer within [`SILENCE_MAX`].
#[derive(Debug)]
pub(crate) struct Silence;

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no reply within {} s", SILENCE_MAX.as_secs())
    }
}

impl std::error::Error for Silence {}

/// One read, with the broker's silence and its hanging up told apart.
fn read_some(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    match stream.read(buffer) {
        Ok(0) => bail!("the broker closed the connection"),
        Ok(len) => Ok(len),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            bail!(Silence)
        }
        Err(error) => Err(error).context("reading a reply"),
    }
}

/// Splits a stream of short replies into frames, with as few reads as their arrival allows.
#[derive(Debug)]
pub(crate) struct Replies {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Replies {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; REPLY_BYTES_MAX], start: 0, end: 0 }
    }

    /// The next reply that has already arrived whole, without its length.
    fn ready(&mut self) -> Result<Option<&[u8]>> {
        let have = &self.buffer[self.start..self.end];
        let Some(prefix) = have.first_chunk::<4>() else { return Ok(None) };
        let len = i32::from_be_bytes(*prefix);
        ensure!(
            len > 0 && (len as usize) < REPLY_BYTES_MAX - 4,
            "a reply of {len} bytes where a short one was due"
        );
        let end = 4 + len as usize;
        if have.len() < end {
            return Ok(None);
        }
        let frame = self.start + 4..self.start + end;
        self.start = frame.end;
        Ok(Some(&self.buffer[frame]))
    }

    /// Reads once, moving a partial reply to the front first.
    fn fill(&mut self, stream: &mut TcpStream) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.end += read_some(stream, &mut self.buffer[self.end..])?;
        Ok(())
    }

    /// Waits for the next reply and hands it to `check`.
    pub(crate) fn next<R>(
        &mut self,
        stream: &mut TcpStream,
        check: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<R> {
        loop {
            if let Some(reply) = self.ready()? {
                return check(reply);
            }
            self.fill(stream)?;
        }
    }
}

pub(crate) fn unix_time_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Joins the threads of a run; the first failure is the run's.
fn join_all<T>(handles: Vec<std::thread::ScopedJoinHandle<'_, Result<T>>>) -> Result<Vec<T>> {
    let mut done = Vec::new();
    let mut failure = None;
    for handle in handles {
        match handle.join() {
            Ok(Ok(value)) => done.push(value),
            Ok(Err(error)) => failure = failure.or(Some(error)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_hands_out_each_request_once() {
        let budget = Budget::new(Until::Requests(7));
        assert_eq!([budget.claim(5), budget.claim(5), budget.claim(5)], [5, 2, 0]);
    }

    #[test]
    fn budget_of_time_ends() {
        let budget = Budget::new(Until::Elapsed(Duration::from_secs(3600)));
        assert_eq!(budget.claim(5), 5);
        assert_eq!(Budget::new(Until::Elapsed(Duration::ZERO)).claim(5), 0);
    }

    #[test]
    fn replies_come_out_whole() {
        let mut replies = Replies::new();
        let bytes = [0, 0, 0, 2, b'a', b'b', 0, 0, 0, 1];
        replies.buffer[..bytes.len()].copy_from_slice(&bytes);
        replies.end = bytes.len();
        assert_eq!(replies.ready().unwrap(), Some(&b"ab"[..]));
        assert_eq!(replies.ready().unwrap(), None);
        replies.buffer[replies.start..replies.start + 4].copy_from_slice(&(-1i32).to_be_bytes());
        assert!(replies.ready().is_err(), "a negative length must not pass");
    }
}
