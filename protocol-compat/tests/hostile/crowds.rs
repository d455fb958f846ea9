//! Thousands at once: connections that are merely there, senders of a byte a second, readers that never read.

use super::frames::{frame, topic_name};
use super::{ATTACKERS, WAIT_IN_CROWDS_MILLIS_MAX, besiege, good, without_disk};
use crate::harness::Stage;
use crate::harness::place::long_effort;
use crate::harness::wire::{Connection, Heard, api_versions_v0};
use anyhow::{Context, Result, ensure};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{CreateTopicsRequest, MetadataRequest};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
const CONNECTIONS: usize = 5_000;
const SLOW_SENDERS: usize = 10_000;
/// Each of them sends a byte this often,
const BEAT: Duration = Duration::from_secs(1);
/// for so long; then they had their time to make progress twice over.
const BEATS: usize = 12;
const BEATS_LONG: usize = 60;
const PROGRESS_MILLIS: u64 = 5_000;
/// Descriptors of either process that no connection of the crowd may take.
const DESCRIPTORS_KEPT: u64 = 500;

/// As many as are wanted, or as the limit of descriptors leaves the broker: a quarter of them is for its files.
fn as_many_as_may(wanted: usize) -> Result<usize> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("raising the limit of open files")?;
    let most = limit.maximum.map_or(u64::MAX, |most| (most - most / 4).saturating_sub(DESCRIPTORS_KEPT));
    let count = wanted.min(usize::try_from(most).unwrap_or(usize::MAX));
    if count < wanted {
        println!("{count} connections instead of {wanted}: more are not allowed to one process here");
    }
    ensure!(count > 0, "`ulimit -n` leaves no connections");
    Ok(count)
}

/// Every other connection has asked something, the others have sent a piece of a frame; all of them stay.
pub(crate) fn five_thousand_connections(stage: &Stage) -> Result<()> {
    let count = as_many_as_may(CONNECTIONS)?;
    let gathered = besiege(stage, without_disk(), WAIT_IN_CROWDS_MILLIS_MAX, |address| {
        let begun = Instant::now();
        let mut crowd = Vec::with_capacity(count);
        for n in 0..count {
            let mut connection = Connection::open(address, PATIENCE)?;
            let question = api_versions_v0(n as i32);
            if n % 2 == 0 {
                connection.ask(&question).with_context(|| format!("connection {n}"))?;
            } else {
                ensure!(connection.send_raw(&question[..question.len() - 1]), "connection {n} was closed");
            }
            crowd.push(connection);
        }
        let gathered = begun.elapsed();
        thread::sleep(Duration::from_secs(2));
        for (n, connection) in crowd.iter_mut().enumerate().step_by(10) {
            connection
                .ask(&api_versions_v0(n as i32))
                .with_context(|| format!("connection {n} at the end"))?;
        }
        Ok(gathered)
    })?;
    println!("{count} connections in {} ms", gathered.as_millis());
    Ok(())
}

/// One of the crowd that sends a byte at a time.
struct Slow {
    stream: TcpStream,
    frame: Vec<u8>,
    sent: usize,
    is_closed: bool,
}

impl Slow {
    fn beat(&mut self) {
        match self.stream.write(&self.frame[self.sent..=self.sent]) {
            Ok(_) => self.sent = (self.sent + 1).min(self.frame.len() - 1),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.is_closed = true,
        }
        // The end of the stream, or of the connection. Nothing else is to be heard: no frame becomes whole.
        if !matches!(self.stream.read(&mut [0; 64]), Err(error) if error.kind() == ErrorKind::WouldBlock) {
            self.is_closed = true;
        }
    }
}

/// Frames that claim to be large and come at a byte a second. Each loses its connection when its time is over.
pub(crate) fn ten_thousand_slow_senders(stage: &Stage) -> Result<()> {
    let count = as_many_as_may(SLOW_SENDERS)?;
    let spec = without_disk().set("frame.progress.timeout.ms", &PROGRESS_MILLIS.to_string());
    let closed = besiege(stage, spec, WAIT_IN_CROWDS_MILLIS_MAX, |address| {
        let mut crowd = Vec::with_capacity(count);
        for n in 0..count {
            let stream = TcpStream::connect(address).with_context(|| format!("connection {n}"))?;
            stream.set_nonblocking(true)?;
            let claimed: i32 = [100 << 20, 1_000_000, 4_096, 200][n % 4];
            let frame = [&claimed.to_be_bytes()[..], &[0; 100]].concat();
            crowd.push(Slow { stream, frame, sent: 0, is_closed: false });
        }
        for _ in 0..if long_effort() { BEATS_LONG } else { BEATS } {
            let begun = Instant::now();
            crowd.iter_mut().filter(|slow| !slow.is_closed).for_each(Slow::beat);
            thread::sleep(BEAT.saturating_sub(begun.elapsed()));
        }
        Ok(crowd.iter().filter(|slow| slow.is_closed).count())
    })?;
    println!("{closed} of {count} slow senders were cut off");
    ensure!(closed == count, "{closed} of {count} slow senders were cut off in twice their time");
    Ok(())
}

const UNREAD_CONNECTIONS: usize = 150;
const UNREAD_REQUESTS: usize = 16;
const TOPICS: usize = 1_000;
/// Long names make long replies.
const NAME_BYTES: usize = 200;

/// Each asks for metadata again and again, and takes none of it: in all more than twice the memory that there is.
pub(crate) fn replies_that_nobody_reads(stage: &Stage) -> Result<()> {
    let spec = without_disk().set("frame.progress.timeout.ms", "2000");
    let closed = besiege(stage, spec, WAIT_IN_CROWDS_MILLIS_MAX, |address| {
        make_topics(address)?;
        let question = frame(&MetadataRequest::default().with_topics(None), 5, 1).context("a version 5")?;
        let questions = question.repeat(UNREAD_REQUESTS);
        let mut crowd = Vec::new();
        for n in 0..UNREAD_CONNECTIONS {
            let mut connection = Connection::open(address, Duration::from_secs(5))?;
            ensure!(connection.send_raw(&questions), "connection {n} takes no requests");
            crowd.push(connection);
        }
        thread::sleep(Duration::from_secs(6));
        let is_cut_off = |mut connection: Connection| -> Result<bool> {
            for _ in 0..UNREAD_REQUESTS {
                match connection.receive() {
                    Ok(Heard::Reply(_)) => {}
                    Ok(Heard::Nothing) => anyhow::bail!("a peer that reads after all is not answered"),
                    Ok(Heard::Closed) | Err(_) => return Ok(true),
                }
            }
            Ok(false)
        };
        let mut closed = 0;
        for connection in crowd {
            closed += usize::from(is_cut_off(connection)?);
        }
        Ok(closed)
    })?;
    println!("{closed} of {UNREAD_CONNECTIONS} that read nothing were cut off");
    ensure!(closed > 0, "replies that nobody reads stay for ever");
    Ok(())
}

fn make_topics(address: &str) -> Result<()> {
    let name = |n: usize| topic_name(&format!("{n:0NAME_BYTES$}"));
    let topic =
        |n| CreatableTopic::default().with_name(name(n)).with_num_partitions(1).with_replication_factor(1);
    let request =
        CreateTopicsRequest::default().with_topics((0..TOPICS).map(topic).collect()).with_timeout_ms(20_000);
    good::create(address, &request)
}

/// Kept beside the crowds: how many attack at once where one cannot do it alone.
pub(super) fn attackers<T: Send>(attack: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    thread::scope(|threads| {
        let attack = &attack;
        let all: Vec<_> = (0..ATTACKERS).map(|n| threads.spawn(move || attack(n))).collect();
        all.into_iter().map(|attacker| attacker.join().expect("an attacker does not panic")).collect()
    })
}
