//! A disk that does not answer holds up whoever reads from it, and nobody else.
//!
//! Reads of one topic's files end only when they are let go, and more readers come than the broker has threads: were one of
//! its serving threads to wait for the disk, the others' requests would never end.

use std::time::Duration;

use protocol_compat::messages::fetch_response::PartitionData;
use protocol_compat::messages::*;

use super::disk::{Disk, Frozen};
use super::harness::{Broker, Client, TestDir, batch};
use super::requests;
use super::topics::{Topic, create, name, produce};

const READERS: usize = 6;
const BATCHES: usize = 20;
const ROUNDS: usize = 50;

fn fetch(topic: &Topic, offset: i64) -> FetchRequest {
    requests::fetch(name(topic.name), &[(0, offset)], 0, 8 << 20)
}

fn only(reply: FetchResponse) -> PartitionData {
    reply.responses[0].partitions[0].clone()
}

/// Fills a topic, lets its disk freeze, and sends readers there; others are served all the while.
fn others_are_served_while(freeze: impl FnOnce(&Disk) -> Frozen) {
    let (dir, disk) = (TestDir::new(), Disk::default());
    let broker = Broker::start_in(disk.env(), &dir, &["cold.reads.max=2"]);
    let mut client = broker.client();
    let (cold, warm) = (create(&mut client, "cold", 1), create(&mut client, "warm", 1));
    let value = "x".repeat(100_000);
    for _ in 0..BATCHES {
        produce(&mut client, &cold, 0, batch(1, &[value.as_str()]));
    }
    let frozen = freeze(&disk);
    let mut readers: Vec<Client> = (0..READERS).map(|_| broker.client()).collect();
    for reader in &mut readers {
        reader.send(12, &fetch(&cold, 0));
    }
    assert!(frozen.is_waited_for(Duration::from_secs(20)), "somebody asks the disk");
    for round in 0..ROUNDS as i64 {
        assert_eq!(produce(&mut client, &warm, 0, batch(1, &["a"])), round);
        assert_eq!(only(client.call(12, &fetch(&warm, round))).high_watermark, round + 1);
    }
    drop(frozen);
    for reader in &mut readers {
        let all = only(reader.receive::<FetchRequest>(12)).records.unwrap();
        assert!(all.len() > BATCHES * value.len(), "{} bytes", all.len());
    }
}

#[test]
fn nothing_is_planned_on_a_serving_thread_that_waits_for_a_disk() {
    others_are_served_while(|disk| disk.freeze("cold-0", 0));
}

#[test]
fn nothing_is_sent_by_a_serving_thread_that_waits_for_a_disk() {
    // What planning reads is there.
    others_are_served_while(|disk| disk.freeze("cold-0", 64 << 10));
}
