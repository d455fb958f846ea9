//! Groups of the newer protocol whose members send heartbeats and commit, each at its own times: an open loop.
//!
//! Invariants: before the clock starts every member has what it is to have; a request's time runs from when it was due,
//! so that a broker that is slow once pays for all that had to wait. A connection stands for the members of some groups,
//! with one request on the way, for a broker answers one at a time on each.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;

use super::roundtrip::new_histogram;
use super::{Done, Replies, SILENCE_MAX, connect, join_all};
use crate::wire::reply;
use crate::wire::request::{self, CORRELATION_AT, Settings};

/// As clients do by their defaults: `group.consumer.heartbeat.interval.ms` and `auto.commit.interval.ms`.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// Members join one by one, and nobody is to wait for the next assignment.
pub(crate) const SETTINGS: Settings<'_> = &[("group.consumer.assignment.interval.ms", "0")];
/// The epoch by which a member says that it leaves.
const LEAVES: i32 = -1;
/// So many, that no member waits for another group's.
const CONNECTIONS: usize = 40;
/// How often a coordinator that is not there yet is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// A group that has not come to rest by then never will.
const ROUNDS_MAX: usize = 30;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub topic: &'a str,
    pub groups: usize,
    pub members: usize,
}

#[derive(Debug)]
struct Member {
    group: String,
    id: String,
    epoch: i32,
    /// What it has, as the broker said it: topics' ids and partitions.
    owned: reply::Assigned,
}

/// One connection and the members that speak on it.
#[derive(Debug)]
struct Lane {
    /// Among all connections, from 0 to 1: no two of them are due at the same moments.
    phase: f64,
    stream: TcpStream,
    replies: Replies,
    correlation_id: i32,
    members: Vec<Member>,
}

/// Members that have joined.
#[derive(Debug)]
pub(crate) struct Ready {
    lanes: Vec<Lane>,
    topic: String,
}

/// Lets all members join, and waits until each has its part.
pub(crate) fn prepare(address: SocketAddr, plan: Plan<'_>) -> Result<Ready> {
    let share = plan.groups.div_ceil(CONNECTIONS);
    let numbers: Vec<usize> = (0..plan.groups).collect();
    let lanes = thread::scope(|scope| {
        let threads = numbers.chunks(share).enumerate().map(|(lane, groups)| {
            let phase = lane as f64 / CONNECTIONS as f64;
            scope.spawn(move || Lane::open(address, plan, groups, phase))
        });
        let threads = threads.collect();
        join_all(threads)
    })?;
    Ok(Ready { lanes, topic: plan.topic.to_owned() })
}

/// Lets them send what they send for a while.
pub(crate) fn run(ready: &mut Ready, span: Duration) -> Result<Done> {
    let Ready { lanes, topic } = ready;
    let (topic, started) = (topic.as_str(), Instant::now());
    let histograms = thread::scope(|scope| {
        let threads = lanes.iter_mut().map(|lane| scope.spawn(move || lane.play(topic, started, span)));
        let threads = threads.collect();
        join_all(threads)
    })?;
    let elapsed = started.elapsed();
    let mut all = new_histogram()?;
    for one in histograms {
        all.add(&one).context("merging histograms")?;
    }
    Ok(Done { elapsed, bytes: 0, requests: all.len(), latency_ns: Some(all) })
}

/// Lets all of them leave: sessions that end later would end in the run of another broker.
pub(crate) fn leave(ready: Ready) -> Result<()> {
    thread::scope(|scope| {
        let threads = ready.lanes.into_iter().map(|lane| scope.spawn(move || lane.leave()));
        let threads = threads.collect();
        join_all(threads)
    })?;
    Ok(())
}

impl Lane {
    fn open(address: SocketAddr, plan: Plan<'_>, groups: &[usize], phase: f64) -> Result<Self> {
        let member = |group: usize, number: usize| Member {
            group: format!("bench-group-{group}"),
            id: format!("bench-member-{group}-{number}"),
            epoch: 0,
            owned: reply::Assigned::default(),
        };
        let members = groups.iter().flat_map(|group| (0..plan.members).map(move |n| member(*group, n)));
        let mut lane = Self {
            phase,
            stream: connect(address)?,
            replies: Replies::new(),
            correlation_id: 0,
            members: members.collect(),
        };
        for _ in 0..ROUNDS_MAX {
            if lane.round(plan.topic)? {
                return Ok(lane);
            }
        }
        anyhow::bail!("groups do not come to rest within {ROUNDS_MAX} rounds")
    }

    /// Everybody says all that he has; true if that was nothing new to anybody.
    fn round(&mut self, topic: &str) -> Result<bool> {
        let mut is_quiet = true;
        let mut epochs: BTreeMap<String, i32> = BTreeMap::new();
        for at in 0..self.members.len() {
            let member = &self.members[at];
            let beat = request::Beat { group: &member.group, member: &member.id, epoch: member.epoch };
            let frame = request::full_heartbeat(0, beat, topic, &member.owned);
            let heard = self.ask_until_there(&frame)?;
            let member = &mut self.members[at];
            let owned = heard.assigned.unwrap_or_else(|| member.owned.clone());
            is_quiet &= owned == member.owned && heard.epoch == member.epoch;
            (member.owned, member.epoch) = (owned, heard.epoch);
            let epoch = epochs.entry(member.group.clone()).or_insert(heard.epoch);
            is_quiet &= *epoch == heard.epoch;
        }
        Ok(is_quiet)
    }

    fn ask_until_there(&mut self, frame: &[u8]) -> Result<reply::GroupHeartbeat> {
        let begun = Instant::now();
        loop {
            if let Some(heard) = self.ask(frame.to_vec(), reply::group_heartbeat_or_later)? {
                return Ok(heard);
            }
            ensure!(begun.elapsed() < SILENCE_MAX, "a group has no coordinator");
            thread::sleep(ASK_AGAIN);
        }
    }

    fn ask<R>(&mut self, mut frame: Vec<u8>, read: impl FnOnce(&[u8], i32) -> Result<R>) -> Result<R> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let id = self.correlation_id;
        frame[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&id.to_be_bytes());
        self.stream.write_all(&frame).context("sending a request")?;
        self.replies.next(&mut self.stream, |reply| read(reply, id))
    }

    fn leave(mut self) -> Result<()> {
        for at in 0..self.members.len() {
            let Member { group, id, .. } = &self.members[at];
            let frame = request::heartbeat(0, request::Beat { group, member: id, epoch: LEAVES });
            self.ask(frame, reply::group_heartbeat)?;
        }
        Ok(())
    }

    fn play(&mut self, topic: &str, started: Instant, span: Duration) -> Result<Histogram<u64>> {
        let mut latency_ns = new_histogram()?;
        let mut due = schedule(self.members.len(), self.phase, span);
        due.sort_unstable();
        // Encoded before they are due: what is measured is the broker.
        let (beats, commits) = (self.beats(), self.commits(topic));
        for (after, what, at) in due {
            let moment = started + after;
            thread::sleep(moment.saturating_duration_since(Instant::now()));
            match what {
                Due::Heartbeat => {
                    let heard = self.ask(beats[at].clone(), reply::group_heartbeat)?;
                    let expected = self.members[at].epoch;
                    ensure!(heard.epoch == expected, "a member of epoch {expected} is told {}", heard.epoch);
                }
                Due::Commit => self.ask(commits[at].clone(), reply::offset_commit)?,
            }
            latency_ns.saturating_record(moment.elapsed().as_nanos() as u64);
        }
        Ok(latency_ns)
    }

    fn beats(&self) -> Vec<Vec<u8>> {
        let beat = |member: &Member| {
            let Member { group, id, epoch, .. } = member;
            request::heartbeat(0, request::Beat { group, member: id, epoch: *epoch })
        };
        self.members.iter().map(beat).collect()
    }

    fn commits(&self, topic: &str) -> Vec<Vec<u8>> {
        let commit = |(number, member): (usize, &Member)| {
            let Member { group, id, epoch, owned } = member;
            let partition = owned.first_partition().unwrap_or(0);
            let beat = request::Beat { group, member: id, epoch: *epoch };
            request::offset_commit(0, beat, topic, partition, number as i64)
        };
        self.members.iter().enumerate().map(commit).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Heartbeat,
    Commit,
}

/// What is due when, and by which member: evenly over each interval, commits halfway between heartbeats.
fn schedule(members: usize, of_lane: f64, span: Duration) -> Vec<(Duration, Due, usize)> {
    let mut due = Vec::new();
    for at in 0..members {
        let share = (at as f64 + of_lane) / members.max(1) as f64;
        for (what, every, phase) in [(Due::Heartbeat, HEARTBEAT_EVERY, 0.0), (Due::Commit, COMMIT_EVERY, 0.5)]
        {
            let mut after = every.mul_f64((share + phase) % 1.0);
            while after < span {
                due.push((after, what, at));
                after += every;
            }
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_due_once_in_each_interval() {
        let due = schedule(7, 0.5, 2 * HEARTBEAT_EVERY);
        assert_eq!(due.len(), 7 * 4);
        for at in 0..7 {
            let of =
                |what| due.iter().filter(move |(_, w, m)| *m == at && *w == what).map(|(after, ..)| *after);
            for what in [Due::Heartbeat, Due::Commit] {
                let times: Vec<Duration> = of(what).collect();
                assert_eq!(times.len(), 2);
                assert_eq!(times[1] - times[0], HEARTBEAT_EVERY);
            }
        }
    }
}
