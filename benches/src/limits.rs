//! What the machine itself can do, measured in the same run: no broker goes past these.
//!
//! Invariants: each limit is the median of `PASSES` short passes; CPU is that of the thread in the broker's place (the
//! receiver, the writer, the echo), never of both ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cpu::thread_cpu;
use crate::load::roundtrip::new_histogram;
use crate::stats::median;

const PASSES: usize = 5;
const SPAN: Duration = Duration::from_millis(300);
/// The batches that rows send, and the step in which a good receiver takes them.
const CHUNK_BYTES: usize = 16 * 1024;
const RECEIVE_BYTES: usize = 256 * 1024;
const FILE_BYTES: u64 = 256 << 20;
const SEND_BYTES: usize = 1 << 20;
/// How much of the file a sender sends before it looks at the clock.
const FILE_BYTES_SENT: u64 = 16 << 20;
/// The step in which the fetch rows' generator reads.
const CONSUMER_BYTES: usize = 64 * 1024;
const FLUSHES: usize = 200;
const FLUSH_BYTES: usize = 4096;
/// A Produce request with one 100 B record is about this long.
const SMALL_BYTES: usize = 220;
const ECHO_IN_FLIGHT: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitKind {
    Loopback,
    PageCache,
    Flush,
    RoundTrip,
    Echo,
    Sendfile,
}

/// A limit's name and its figures with their units.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub name: &'static str,
    pub figures: Vec<(f64, &'static str)>,
}

/// Measures one limit; files it needs are made in `dir` and removed.
pub(crate) fn measure(kind: LimitKind, dir: &Path, connections: usize) -> Result<Limit> {
    let passes = |units: &[&'static str], pass: &dyn Fn() -> Result<Vec<f64>>| -> Result<_> {
        let runs = (0..PASSES).map(|_| pass()).collect::<Result<Vec<_>>>()?;
        let middle = |at: usize| median(runs.iter().map(|run| run[at]).collect()).unwrap_or(f64::NAN);
        Ok(units.iter().enumerate().map(|(at, unit)| (middle(at), *unit)).collect())
    };
    let stream_units = ["MB/s", "CPU-s/GB"];
    let (name, figures) = match kind {
        LimitKind::Loopback => ("loopback, received", passes(&stream_units, &|| loopback(connections))?),
        LimitKind::PageCache => ("page cache, 16 KiB appends", passes(&stream_units, &|| page_cache(dir))?),
        LimitKind::Sendfile => {
            ("sendfile of 1 MiB, sent", passes(&stream_units, &|| sendfile(dir, connections))?)
        }
        LimitKind::Flush => {
            ("4 KiB append + fdatasync", passes(&["flushes/s", "ms p50", "ms p99"], &|| flush(dir))?)
        }
        LimitKind::RoundTrip => {
            ("round trip of 220 B", passes(&["ms avg", "ms p50", "ms p99"], &round_trip)?)
        }
        LimitKind::Echo => {
            ("echo of 220 B, 5 in flight", passes(&["requests/s", "CPU-us/req"], &|| echo(connections))?)
        }
    };
    Ok(Limit { name, figures })
}

fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on loopback")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

fn joined<T>(handle: thread::JoinHandle<Result<T>>) -> Result<T> {
    match handle.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn rate_and_cpu(bytes: u64, elapsed: Duration, cpu: Duration) -> Vec<f64> {
    vec![bytes as f64 / 1e6 / elapsed.as_secs_f64(), cpu.as_secs_f64() / (bytes as f64 / 1e9)]
}

/// Reads until the other end is done; returns bytes and the reading thread's CPU.
fn drain(mut stream: TcpStream, step_bytes: usize) -> Result<(u64, Duration)> {
    let mut buffer = vec![0; step_bytes];
    let (before, mut bytes) = (thread_cpu(), 0);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok((bytes, thread_cpu() - before)),
            len => bytes += len as u64,
        }
    }
}

/// Which end of a stream stands in the broker's place.
enum BrokerEnd {
    Sender,
    Receiver,
}

/// `send` to `drain` over as many connections as the rows have, for `SPAN`.
fn stream(
    connections: usize,
    end: BrokerEnd,
    step_bytes: usize,
    send: impl Fn(&mut TcpStream) -> Result<()> + Sync,
) -> Result<Vec<f64>> {
    let pairs = (0..connections).map(|_| pair()).collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let send = &send;
    let (bytes, cpu) = thread::scope(|scope| {
        let lanes: Vec<_> = pairs
            .into_iter()
            .map(|(mut near, far)| {
                let receiver = thread::spawn(move || drain(far, step_bytes));
                let sender = scope.spawn(move || {
                    let before = thread_cpu();
                    while started.elapsed() < SPAN {
                        send(&mut near)?;
                    }
                    Ok(thread_cpu() - before)
                });
                (sender, receiver)
            })
            .collect();
        let (mut bytes, mut cpu) = (0, Duration::ZERO);
        for (sender, receiver) in lanes {
            let sent: Result<Duration> =
                sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let sender_cpu = sent?;
            let (received, receiver_cpu) = joined(receiver)?;
            bytes += received;
            cpu += match end {
                BrokerEnd::Sender => sender_cpu,
                BrokerEnd::Receiver => receiver_cpu,
            };
        }
        anyhow::Ok((bytes, cpu))
    })?;
    Ok(rate_and_cpu(bytes, started.elapsed(), cpu))
}

fn loopback(connections: usize) -> Result<Vec<f64>> {
    let chunk = vec![b'x'; CHUNK_BYTES];
    stream(connections, BrokerEnd::Receiver, RECEIVE_BYTES, |near| Ok(near.write_all(&chunk)?))
}

/// A file that is gone when its user is.
struct Scratch {
    file: File,
    path: std::path::PathBuf,
}

impl Scratch {
    fn new(dir: &Path) -> Result<Self> {
        let path = dir.join("limit.scratch");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(&path);
        Ok(Self { file: file.with_context(|| format!("making {}", path.display()))?, path })
    }

    fn fill(&self, bytes: u64) -> Result<()> {
        let chunk = vec![b'x'; CHUNK_BYTES];
        for position in (0..bytes).step_by(CHUNK_BYTES) {
            self.file.write_all_at(&chunk, position)?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing rests on it: the directory goes at the end of the run.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn page_cache(dir: &Path) -> Result<Vec<f64>> {
    let scratch = Scratch::new(dir)?;
    let (started, before) = (Instant::now(), thread_cpu());
    scratch.fill(FILE_BYTES)?;
    Ok(rate_and_cpu(FILE_BYTES, started.elapsed(), thread_cpu() - before))
}

/// The CPU time that nothing but so many bytes of appends takes.
pub(crate) fn append_cpu(dir: &Path, bytes: u64) -> Result<Duration> {
    let scratch = Scratch::new(dir)?;
    let before = thread_cpu();
    scratch.fill(bytes)?;
    Ok(thread_cpu() - before)
}

fn sendfile(dir: &Path, connections: usize) -> Result<Vec<f64>> {
    let scratch = Scratch::new(dir)?;
    scratch.fill(FILE_BYTES)?;
    let file = &scratch.file;
    stream(connections, BrokerEnd::Sender, CONSUMER_BYTES, |near| {
        let mut position = 0;
        while position < FILE_BYTES_SENT {
            rustix::fs::sendfile(&mut *near, file, Some(&mut position), SEND_BYTES)?;
        }
        Ok(())
    })
}

fn flush(dir: &Path) -> Result<Vec<f64>> {
    let scratch = Scratch::new(dir)?;
    let block = vec![b'x'; FLUSH_BYTES];
    let mut times_ns = new_histogram()?;
    let started = Instant::now();
    for index in 0..FLUSHES {
        let begun = Instant::now();
        scratch.file.write_all_at(&block, (index * FLUSH_BYTES) as u64)?;
        scratch.file.sync_data()?;
        times_ns.saturating_record(begun.elapsed().as_nanos() as u64);
    }
    let rate = FLUSHES as f64 / started.elapsed().as_secs_f64();
    let ms = |quantile| times_ns.value_at_quantile(quantile) as f64 / 1e6;
    Ok(vec![rate, ms(0.5), ms(0.99)])
}

/// Sends back what comes; returns the bytes and the thread's CPU.
fn echo_all(mut stream: TcpStream) -> Result<(u64, Duration)> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let (before, mut bytes) = (thread_cpu(), 0);
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Ok((bytes, thread_cpu() - before));
        }
        stream.write_all(&buffer[..len])?;
        bytes += len as u64;
    }
}

fn round_trip() -> Result<Vec<f64>> {
    let (mut near, far) = pair()?;
    let echo = thread::spawn(move || echo_all(far));
    let mut block = [b'x'; SMALL_BYTES];
    let mut times_ns = new_histogram()?;
    let started = Instant::now();
    while started.elapsed() < SPAN {
        let begun = Instant::now();
        near.write_all(&block)?;
        near.read_exact(&mut block)?;
        times_ns.saturating_record(begun.elapsed().as_nanos() as u64);
    }
    drop(near);
    joined(echo)?;
    let ms = |quantile| times_ns.value_at_quantile(quantile) as f64 / 1e6;
    Ok(vec![times_ns.mean() / 1e6, ms(0.5), ms(0.99)])
}

fn echo(connections: usize) -> Result<Vec<f64>> {
    let (mut echoes, mut drivers) = (Vec::new(), Vec::new());
    let started = Instant::now();
    for _ in 0..connections {
        let (near, far) = pair()?;
        echoes.push(thread::spawn(move || echo_all(far)));
        drivers.push(thread::spawn(move || drive_echo(near, started + SPAN)));
    }
    for driver in drivers {
        joined(driver)?;
    }
    let elapsed = started.elapsed();
    let (mut bytes, mut cpu) = (0, Duration::ZERO);
    for echo in echoes {
        let (echoed, spent) = joined(echo)?;
        bytes += echoed;
        cpu += spent;
    }
    let requests = bytes as f64 / SMALL_BYTES as f64;
    Ok(vec![requests / elapsed.as_secs_f64(), cpu.as_secs_f64() * 1e6 / requests])
}

fn drive_echo(mut stream: TcpStream, deadline: Instant) -> Result<()> {
    let window = [b'x'; ECHO_IN_FLIGHT * SMALL_BYTES];
    let mut buffer = [0; ECHO_IN_FLIGHT * SMALL_BYTES];
    stream.write_all(&window)?;
    let mut partial = 0;
    while Instant::now() < deadline {
        partial += stream.read(&mut buffer)?;
        let whole = partial / SMALL_BYTES * SMALL_BYTES;
        partial -= whole;
        stream.write_all(&window[..whole])?;
    }
    // Closing with unread echoes would reset the connection under the other end's write.
    stream.shutdown(Shutdown::Write)?;
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_measured() {
        let dir = std::env::temp_dir().join(format!("ottla-limits-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for kind in [
            LimitKind::Loopback,
            LimitKind::Flush,
            LimitKind::RoundTrip,
            LimitKind::Echo,
            LimitKind::Sendfile,
        ] {
            let limit = measure(kind, &dir, 2).unwrap();
            for (value, unit) in limit.figures {
                assert!(value.is_finite() && value > 0.0, "{}: {value} {unit}", limit.name);
            }
        }
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "scratch files stay behind");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
