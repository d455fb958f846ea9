//! What consumers cost that wait for nothing: the real binary's processor time and memory while many fetches are parked,
//! what a fetch costs whose time runs out, and what a partition costs in a session that has nothing new.
//!
//! `OTTLA_EFFORT=long` has nearly as many consumers as a process may have descriptors for by default. The figures are
//! printed; the bounds are far above them.
#![expect(clippy::disallowed_methods, reason = "the figures of a process on the real machine")]

use std::time::{Duration, Instant};

use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::*;

use super::harness::Client;
use super::process::{Home, PATIENCE, Process, Spec, long_effort};
use super::requests;
use super::topics::{Topic, create, name};

const PARTITIONS: i32 = 10;
const VERSION: i16 = 12;
/// The kernel counts processor time in these.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of a process, and the memory that it has in RAM.
fn figures(process: &Process) -> (Duration, u64) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", process.child.id())).unwrap();
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    let pages: u64 = read("statm").split_whitespace().nth(1).unwrap().parse().unwrap();
    (TICK * ticks, pages * 4096)
}

fn start(home: &Home) -> Process {
    Process::start(&Spec::new(home, &[]))
}

fn fetch(topic: &Topic, partition: i32, wait_ms: i32) -> FetchRequest {
    requests::fetch(name(topic.name), &[(partition, 0)], wait_ms, 1 << 20)
}

#[test]
fn consumers_that_wait_cost_next_to_nothing() {
    let home = Home::new("idle");
    let broker = start(&home);
    let topic = create(&mut Client::to(broker.port), "t", PARTITIONS);
    let count = if long_effort() { 9_900 } else { 500 };
    let numbered = |index: usize| index as i32 % PARTITIONS;
    for partition in 0..PARTITIONS {
        Client::to(broker.port).call(VERSION, &fetch(&topic, partition, 0));
    }
    let (_, empty_bytes) = figures(&broker);
    let mut consumers: Vec<Client> = (0..count).map(|_| Client::to(broker.port)).collect();
    let wait = Duration::from_secs(if long_effort() { 60 } else { 12 });
    for (index, consumer) in consumers.iter_mut().enumerate() {
        consumer.stream.set_read_timeout(Some(wait + PATIENCE)).unwrap();
        consumer.send(VERSION, &fetch(&topic, numbered(index), wait.as_millis() as i32));
    }
    // Whoever is served after them finds them parked.
    Client::to(broker.port).call(VERSION, &fetch(&topic, 0, 1_000));
    let (before, full_bytes) = figures(&broker);
    let parked = Duration::from_secs(4);
    std::thread::park_timeout(parked);
    let (after, _) = figures(&broker);
    let (busy, bytes_each) = (after - before, full_bytes.saturating_sub(empty_bytes) / count as u64);
    println!("{count} parked fetches: {busy:?} of processor time in {parked:?}, {bytes_each} bytes each");
    assert!(busy < parked / 4, "{busy:?} for waiting");
    assert!(bytes_each < 200 << 10, "{bytes_each} bytes each");

    for consumer in &mut consumers {
        consumer.receive::<FetchRequest>(VERSION);
    }
    let ((before, _), begun) = (figures(&broker), Instant::now());
    let mut rounds = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        for (index, consumer) in consumers.iter_mut().enumerate() {
            consumer.send(VERSION, &fetch(&topic, numbered(index), 500));
        }
        for consumer in &mut consumers {
            consumer.receive::<FetchRequest>(VERSION);
        }
        rounds += 1;
    }
    let busy = figures(&broker).0 - before;
    let each = busy / (rounds * count as u32);
    println!("{} fetches whose time ran out: {each:?} of processor time each", rounds * count as u32);
    assert!(each < Duration::from_millis(1), "{each:?} for each fetch whose time runs out");
}

#[test]
fn a_partition_without_news_costs_next_to_nothing() {
    let home = Home::new("quiet");
    let broker = start(&home);
    let mut client = Client::to(broker.port);
    let partitions = 1000;
    let topic = create(&mut client, "t", partitions);
    let each_ns = |client: &mut Client, count: i32| {
        let asked = |index| FetchPartition::default().with_partition(index).with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic(name(topic.name))
            .with_partitions((0..count).map(asked).collect());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_session_epoch(0)
            .with_topics(vec![topic]);
        let id = client.call(VERSION, &request).session_id;
        assert!(id > 0);
        let rounds = 2000;
        let (before, _) = figures(&broker);
        for epoch in 1..=rounds {
            let next = FetchRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_min_bytes(1)
                .with_max_bytes(1 << 20)
                .with_session_id(id)
                .with_session_epoch(epoch);
            let reply = client.call(VERSION, &next);
            assert!(reply.error_code == 0 && reply.responses.is_empty());
        }
        ((figures(&broker).0 - before) / rounds as u32).as_nanos() as i64
    };
    let one = each_ns(&mut client, 1);
    let all = each_ns(&mut client, partitions);
    let each = (all - one) / i64::from(partitions - 1);
    println!(
        "an incremental fetch of one partition: {one} ns, of {partitions}: {all} ns; {each} ns a partition"
    );
    assert!(each < 20_000, "{each} ns a partition");
}
