//! Many topics on one broker: created one by one and together, listed, written to, at rest, stopped, killed, started again,
//! operated by requests and by commands.
//!
//! What each step took is printed; the bounds are tenfold what a slow machine needs, so that only a cost of another order
//! fails. `OTTLA_EFFORT=long` makes 10,000 topics, otherwise there are 1,000.
#![expect(
    clippy::disallowed_methods,
    reason = "a process on the real machine, and the time that an operator sees"
)]

mod operating;
#[path = "../kill/process.rs"]
mod process;

use std::time::{Duration, Instant};

use process::{Client, Home, PATIENCE, Process, Spec, long_effort, topic_name};
use protocol_compat::messages::create_topics_request::CreatableTopic;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::*;
use storage::BatchBuilder;

const TOPICS: usize = 1_000;
const TOPICS_LONG: usize = 10_000;
/// Of all topics, one in so many is created by a request of its own.
const ALONE: usize = 10;
const TOGETHER: usize = 1_000;
const WRITTEN_TOGETHER: usize = 500;
/// How long the broker is left alone to see what it does by itself.
const REST: Duration = Duration::from_secs(3);

/// For each thousand of topics, whatever is done to them.
const SECONDS_MAX: u64 = 20;
/// What the process may hold: a base and so much for each topic with a log.
const MEMORY_BASE_KIB: u64 = 64 << 10;
const MEMORY_KIB_EACH: u64 = 32;
/// Of one processor, while nothing is asked.
const IDLE_PERCENT_MAX: f64 = 15.0;

fn names(from: usize, to: usize) -> impl Iterator<Item = TopicName> {
    (from..to).map(|n| topic_name(&format!("topic-{n:05}")))
}

fn create(client: &mut Client, from: usize, to: usize) {
    let topic =
        |name| CreatableTopic::default().with_name(name).with_num_partitions(1).with_replication_factor(1);
    let request = CreateTopicsRequest::default()
        .with_topics(names(from, to).map(topic).collect())
        .with_timeout_ms(20_000);
    let reply = client.call(7, &request);
    assert_eq!(reply.topics.len(), to - from);
    assert!(reply.topics.iter().all(|topic| topic.error_code == 0), "{from} to {to}");
}

fn list(client: &mut Client) -> usize {
    let reply = client.call(12, &MetadataRequest::default().with_topics(None));
    assert!(reply.topics.iter().all(|topic| topic.error_code == 0 && topic.partitions.len() == 1));
    reply.topics.len()
}

fn write(client: &mut Client, from: usize, to: usize, base_offset: i64) {
    // Of today: retention removes what is old while a slow machine is still writing.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let records = BatchBuilder::new(now.as_millis() as i64).push(None, Some(b"value"), &[]).build();
    let topic = |name| {
        let data = PartitionProduceData::default().with_records(Some(records.clone()));
        TopicProduceData::default().with_name(name).with_partition_data(vec![data])
    };
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(20_000)
        .with_topic_data(names(from, to).map(topic).collect());
    let reply = client.call(9, &request);
    for topic in &reply.responses {
        let stored = &topic.partition_responses[0];
        assert_eq!((stored.error_code, stored.base_offset), (0, base_offset), "{:?}", topic.name);
    }
    assert_eq!(reply.responses.len(), to - from);
}

fn write_all(client: &mut Client, topics: usize, base_offset: i64) {
    for from in (0..topics).step_by(WRITTEN_TOGETHER) {
        write(client, from, topics.min(from + WRITTEN_TOGETHER), base_offset);
    }
}

/// A line of `/proc/<pid>/status` in KiB.
fn memory_kib(process: &Process, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let found = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    found.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").parse().unwrap()
}

/// Processor time so far, in clock ticks of a hundredth of a second.
fn ticks(process: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.child.id())).unwrap();
    let behind_name = stat.rsplit_once(") ").unwrap().1;
    behind_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Prints how long the step took, and fails where it is of another order.
fn timed<T>(topics: usize, step: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    let took = begun.elapsed();
    println!("{topics} topics: {step} took {} ms", took.as_millis());
    let most = Duration::from_secs(SECONDS_MAX * (topics as u64).div_ceil(1000));
    assert!(took < most, "{step} took {took:?}");
    done
}

/// The broker has nothing to do: once what it was given is flushed and checkpointed, it rests.
fn at_rest(process: &Process, topics: usize, when: &str) {
    let begun = Instant::now();
    let percent = loop {
        let before = ticks(process);
        std::thread::sleep(REST);
        let percent = (ticks(process) - before) as f64 / REST.as_secs_f64();
        if percent < IDLE_PERCENT_MAX {
            break percent;
        }
        assert!(begun.elapsed() < PATIENCE, "{when}: the broker is busy with nothing: {percent} %");
    };
    let (now, peak) = (memory_kib(process, "VmRSS"), memory_kib(process, "VmHWM"));
    println!("{topics} topics, {when}: idle {percent:.1} % of a processor, {now} KiB, at most {peak} KiB");
    let most = MEMORY_BASE_KIB + MEMORY_KIB_EACH * topics as u64;
    assert!(peak < most, "{when}: {peak} of {most} KiB");
}

#[test]
fn many_topics_stay_cheap() {
    let topics = if long_effort() { TOPICS_LONG } else { TOPICS };
    let home = Home::new("many-topics");
    let mut process = Process::start(&Spec::new(&home, &[]));
    let mut client = process.client();
    let alone = topics / ALONE;
    timed(topics, "creating a tenth one by one", || (0..alone).for_each(|n| create(&mut client, n, n + 1)));
    timed(topics, "creating the rest together", || {
        for from in (alone..topics).step_by(TOGETHER) {
            create(&mut client, from, topics.min(from + TOGETHER));
        }
    });
    assert_eq!(timed(topics, "listing", || list(&mut client)), topics);
    assert_eq!(timed(topics, "listing again", || list(&mut client)), topics);
    at_rest(&process, topics, "created");
    timed(topics, "the first record of each", || write_all(&mut client, topics, 0));
    timed(topics, "the second record of each", || write_all(&mut client, topics, 1));
    at_rest(&process, topics, "written");

    let restarted = |process: &mut Process| {
        *process = timed(topics, "a start", || Process::start(&Spec::new(&home, &[])));
        let mut client = process.client();
        assert_eq!(timed(topics, "listing after it", || list(&mut client)), topics);
        client
    };
    let (status, _) = timed(topics, "a stop", || process.terminate());
    assert!(status.success());
    let mut client = restarted(&mut process);
    timed(topics, "the third record of each", || write_all(&mut client, topics, 2));
    process.kill();
    let mut client = restarted(&mut process);
    at_rest(&process, topics, "after a kill");
    timed(topics, "the fourth record of each", || write_all(&mut client, topics, 3));

    operating::by_requests(&mut client, &home, topics, 4);
    operating::by_commands(&process, topics);
    let (status, _) = timed(topics, "a stop after all that", || process.terminate());
    assert!(status.success());
    operating::verify(&home, topics);
    process = timed(topics, "a start after all that", || Process::start(&Spec::new(&home, &[])));
    operating::delete(&process, topics);
    at_rest(&process, topics, "deleted");
    let said = std::fs::read_to_string(home.log()).unwrap();
    let errors: Vec<&str> = said.lines().filter(|line| line.contains(" ERROR ")).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
