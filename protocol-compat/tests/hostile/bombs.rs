//! Batches that are small on the wire and large in truth, in every codec, alone and many in one request.

use super::crowds::attackers;
use super::frames::{frame, topic_name};
use super::good;
use super::{WAIT_IN_CROWDS_MILLIS_MAX, besiege, without_disk};
use crate::differential::batch::{Batch, Form, Record};
use crate::harness::Stage;
use crate::harness::place::long_effort;
use crate::harness::wire::Connection;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{CreateTopicsRequest, ProduceRequest};
use std::io::Write;
use std::time::{Duration, Instant};

const TOPIC: &str = "bombs";
const VERSION: i16 = 9;
const PATIENCE: Duration = Duration::from_secs(60);
/// A record of this size is all that such a batch holds.
const BOMB_BYTES: usize = 60 << 20;
/// A record of this size is more than any batch of so few bytes may hold.
const GREATER_BOMB_BYTES: usize = 200 << 20;
/// Snappy cannot do better than one to twenty, and a batch may have a megabyte.
const SNAPPY_BYTES: usize = 18 << 20;
const IN_ONE_REQUEST: usize = 4;

struct Bomb {
    name: &'static str,
    batch: Bytes,
}

pub(crate) fn decompression_bombs(stage: &Stage) -> Result<()> {
    let bombs = bombs()?;
    for bomb in &bombs {
        println!("{}: {} bytes", bomb.name, bomb.batch.len());
    }
    let rounds = if long_effort() { 50 } else { 1 };
    let sent = besiege(stage, without_disk(), WAIT_IN_CROWDS_MILLIS_MAX, |address| {
        let topic = CreatableTopic::default()
            .with_name(topic_name(TOPIC))
            .with_num_partitions(1)
            .with_replication_factor(1);
        good::create(
            address,
            &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000),
        )?;
        let sent = attackers(|_| (0..rounds).map(|_| throw_all(address, &bombs)).sum::<Result<usize>>())?;
        Ok(sent.into_iter().sum::<usize>())
    })?;
    println!("{sent} requests with bombs were answered");
    Ok(())
}

/// Each alone, then some of a kind in one request. Whatever they hold, a whole reply comes.
fn throw_all(address: &str, bombs: &[Bomb]) -> Result<usize> {
    let mut sent = 0;
    for bomb in bombs {
        for count in [1, IN_ONE_REQUEST] {
            let mut connection = Connection::open(address, PATIENCE)?;
            let asked = Instant::now();
            let reply = connection.ask(&request(&bomb.batch, count))?;
            ensure!(reply.len() > 8, "{}: a reply of {} bytes", bomb.name, reply.len());
            sent += 1;
            println!("{} × {count}: answered in {} ms", bomb.name, asked.elapsed().as_millis());
        }
    }
    Ok(sent)
}

fn request(batch: &Bytes, count: usize) -> Vec<u8> {
    let data = vec![PartitionProduceData::default().with_records(Some(batch.clone())); count];
    let topic = TopicProduceData::default().with_name(topic_name(TOPIC)).with_partition_data(data);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(60_000).with_topic_data(vec![topic]);
    frame(&request, VERSION, 1).expect("Produce has this version")
}

fn bombs() -> Result<Vec<Bomb>> {
    let batch = |form, bytes| Batch::of(form, 1, &[Record::new(0, None, Some(&vec![0; bytes]))]);
    let bomb = |name, batch: &Batch| Bomb { name, batch: batch.encode().into() };
    let mut all = vec![
        bomb("gzip", &batch(Form::Gzip, BOMB_BYTES)),
        bomb("zstd", &batch(Form::Zstd, BOMB_BYTES)),
        bomb("lz4", &batch(Form::Lz4, BOMB_BYTES)),
        bomb("raw snappy", &batch(Form::RawSnappy, SNAPPY_BYTES)),
        bomb("xerial snappy", &batch(Form::XerialSnappy, SNAPPY_BYTES)),
        bomb("gzip, greater", &batch(Form::Gzip, GREATER_BOMB_BYTES)),
        bomb("zstd, greater", &batch(Form::Zstd, GREATER_BOMB_BYTES)),
    ];
    // The greatest window that decoders take lets one of them hold 128 MiB, if as much comes out.
    let body = Record::new(0, None, Some(&vec![0; GREATER_BOMB_BYTES])).body();
    let record = crate::differential::batch::sequence(&[body]);
    let mut wide = Batch::of(Form::Zstd, 1, &[Record::new(0, None, None)]);
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).context("a zstd encoder")?;
    encoder.window_log(27)?;
    encoder.write_all(&record)?;
    wide.body = encoder.finish()?;
    all.push(bomb("zstd with a wide window", &wide));
    Ok(all)
}
