//! Partitions move between data directories while they are written, and the process is killed in between: nothing that was
//! acknowledged is lost, each partition has one directory, and a move that was begun ends by itself in the next life.
//!
//! In one life a small partition goes to and fro, so that kills hit switches; in the next one a large one is copied, so
//! that they hit copies.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use protocol_compat::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::{
    AlterReplicaLogDirsRequest, DescribeLogDirsRequest, ProduceRequest, StrBytes,
};
use storage::BatchBuilder;
use storage::env::SimRandom;

use crate::SEED;
use crate::process::{Client, Home, PATIENCE, Process, Spec, long_effort, topic_name};
use crate::switching::{check, produce};

const TOPICS: [&str; 2] = ["small", "large"];
const LARGE_BATCHES: usize = 24;
const LARGE_BATCH_BYTES: usize = 256 << 10;
const KILLS: u64 = 12;
const KILLS_LONG: u64 = 400;
/// The large partition takes about half a second.
const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second=12000000";

#[test]
fn nothing_acknowledged_is_lost_while_partitions_move() {
    let home = Home::new("moving");
    let dirs = ["a", "b"].map(|name| home.path().join(name));
    let set = format!("log.dirs={},{}", dirs[0].display(), dirs[1].display());
    let settings = [&*set, RATE, "log.segment.bytes=1048576", "log.dir.min.free.bytes=0"];
    let mut spec = Spec::new(&home, &settings);
    let mut process = Process::start(&spec);
    spec.port = process.port;
    for topic in TOPICS {
        process.client().create(topic, 1, ("durability", "durable"));
    }
    fill(&mut process.client());
    let random = SimRandom::new(SEED);
    let mut acknowledged = [Vec::new(), Vec::new()];
    let (mut moves, mut copies) = (0, 0);
    let kills = if long_effort() { KILLS_LONG } else { KILLS };
    for life in 0..kills {
        let killed = AtomicBool::new(false);
        let (port, run) = (process.port, Duration::from_millis(100 + random.below(600)));
        let moved = TOPICS[(life % 2) as usize];
        std::thread::scope(|scope| {
            let killed = &killed;
            let producers = TOPICS.map(|topic| scope.spawn(move || produce(port, topic, life, killed)));
            let mover = scope.spawn(|| keep_moving(port, moved, &dirs, killed));
            std::thread::sleep(run);
            killed.store(true, Ordering::SeqCst);
            process.kill();
            for (all, producer) in acknowledged.iter_mut().zip(producers) {
                all.extend(producer.join().unwrap());
            }
            moves += mover.join().unwrap();
        });
        drop(process);
        copies += usize::from(names(&dirs).iter().any(|name| name.ends_with("-future")));
        process = Process::start(&spec);
        let mut client = process.client();
        for (topic, acknowledged) in TOPICS.iter().zip(&acknowledged) {
            check(&mut client, topic, acknowledged);
            wait_for_one_place(&mut client, topic, &dirs);
            check(&mut client, topic, acknowledged);
        }
    }
    let records: usize = acknowledged.iter().map(Vec::len).sum();
    println!("{kills} kills, {copies} of a copy, {moves} moves, {records} batches acknowledged");
    assert!(copies > 0 && moves > 0 && records as u64 > kills, "{copies}, {moves}, {records}");
    let (status, _) = process.terminate();
    assert!(status.success(), "SIGTERM after all this: {status}");
}

/// What takes a while to copy.
fn fill(client: &mut Client) {
    let value = vec![b'x'; LARGE_BATCH_BYTES];
    for _ in 0..LARGE_BATCHES {
        let batch = BatchBuilder::new(1_700_000_000_000).push(None, Some(&value), &[]).build();
        let data = PartitionProduceData::default().with_records(Some(batch));
        let data =
            TopicProduceData::default().with_name(topic_name(TOPICS[1])).with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(20_000);
        let reply = client.call(9, &request.with_topic_data(vec![data]));
        assert_eq!(reply.responses[0].partition_responses[0].error_code, 0);
    }
}

/// To the other directory, and back, and so on until the connection ends; how often it came there.
fn keep_moving(port: u16, topic: &str, dirs: &[PathBuf; 2], killed: &AtomicBool) -> u64 {
    let mut moves = 0;
    let ended = (|| -> io::Result<()> {
        let mut client = Client::connect(port)?;
        loop {
            let home = places(&mut client, topic)?.into_iter().find(|(_, is_copy)| !is_copy);
            let target = dirs.iter().find(|dir| home.as_ref().is_some_and(|(home, _)| home != *dir));
            let target = target.expect("a partition is in one directory, and not in the other");
            alter(&mut client, topic, target)?;
            while places(&mut client, topic)? != [(target.clone(), false)] {}
            moves += 1;
        }
    })();
    assert!(killed.load(Ordering::SeqCst), "cut off before the kill: {ended:?}");
    moves
}

fn alter(client: &mut Client, topic: &str, path: &Path) -> io::Result<()> {
    let moved = AlterReplicaLogDirTopic::default().with_name(topic_name(topic)).with_partitions(vec![0]);
    let path = StrBytes::from_string(path.display().to_string());
    let dir = AlterReplicaLogDir::default().with_path(path).with_topics(vec![moved]);
    client.send(2, &AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]))?;
    let reply = client.receive::<AlterReplicaLogDirsRequest>(2)?;
    assert_eq!(reply.results[0].partitions[0].error_code, 0, "{reply:?}");
    Ok(())
}

/// The directories that have the partition, and whether as a copy.
fn places(client: &mut Client, topic: &str) -> io::Result<Vec<(PathBuf, bool)>> {
    client.send(4, &DescribeLogDirsRequest::default().with_topics(None))?;
    let reply = client.receive::<DescribeLogDirsRequest>(4)?;
    let mut found = Vec::new();
    for dir in &reply.results {
        assert_eq!(dir.error_code, 0, "{reply:?}");
        for of_topic in dir.topics.iter().filter(|found| *found.name == *topic) {
            let path = PathBuf::from(dir.log_dir.to_string());
            found.extend(of_topic.partitions.iter().map(|place| (path.clone(), place.is_future_key)));
        }
    }
    Ok(found)
}

/// What was begun ends by itself.
fn wait_for_one_place(client: &mut Client, topic: &str, dirs: &[PathBuf; 2]) {
    let begun = Instant::now();
    let found = loop {
        let found = places(client, topic).unwrap();
        if let [(path, false)] = &found[..] {
            break path.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "the move of {topic} does not end: {found:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let name = format!("{topic}-0");
    for dir in dirs {
        assert_eq!(
            dir.join(&name).exists(),
            *dir == found,
            "{topic} has one directory, in {}",
            found.display()
        );
    }
    let copy = names(dirs).into_iter().find(|name| name.starts_with(topic) && name.ends_with("-future"));
    assert_eq!(copy, None, "a copy is left");
}

fn names(dirs: &[PathBuf; 2]) -> Vec<String> {
    let entries = dirs.iter().flat_map(|dir| std::fs::read_dir(dir).unwrap());
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
