//! rskafka: what every client of the suites does, as far as it can.
//!
//! It has no consumer but fetches, no idempotence and one kind of acknowledgement, and it keeps the headers of a record
//! in a map: a name that stands twice comes back once, with the value that came last.

mod restart;
mod suite;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, TimeZone, Utc};
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, OffsetAt};
use std::time::{Duration, Instant};
use suite::{
    FIRST_TIMESTAMP, check, connect, equal, is_listed, number, partition, read_back, record, settled, stored,
    take, value_only, write,
};

const TIMEOUT_MS: i32 = 10_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    for part in words.split(|word| word == "--") {
        let words: Vec<&str> = part.iter().map(String::as_str).collect();
        let (name, words) = words.split_first().context("no part is named")?;
        play(name, words).await.with_context(|| (*name).to_owned())?;
        println!("PASS {name}");
    }
    Ok(())
}

async fn play(name: &str, words: &[&str]) -> Result<()> {
    match (name, words) {
        ("write_all", [bootstrap, prefix, count, codecs @ ..]) => {
            write_all(bootstrap, prefix, number(count)?, codecs).await
        }
        ("read_all", [bootstrap, count, topics @ ..]) => {
            for topic in topics {
                read_back(bootstrap, topic, number(count)?).await?;
            }
            Ok(())
        }
        ("positions", [bootstrap, topic]) => positions(bootstrap, topic).await,
        ("empty_topic", [bootstrap, topic]) => empty_topic(bootstrap, topic).await,
        ("large_records", [bootstrap, topic, bytes]) => large_records(bootstrap, topic, number(bytes)?).await,
        ("too_large_for_the_broker", [bootstrap, topic]) => too_large(bootstrap, topic).await,
        ("admin", [bootstrap, topic]) => administer(bootstrap, topic).await,
        ("deleted_topic", [bootstrap, topic]) => deleted_topic(bootstrap, topic).await,
        ("through_a_restart", [bootstrap, topic, _guarantee]) => restart::through(bootstrap, topic).await,
        _ => bail!("no such part"),
    }
}

/// Each codec to a topic of its own, read back at once.
async fn write_all(bootstrap: &str, prefix: &str, count: usize, codecs: &[&str]) -> Result<()> {
    for codec in codecs {
        let compression = match *codec {
            "none" => Compression::NoCompression,
            "gzip" => Compression::Gzip,
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4,
            "zstd" => Compression::Zstd,
            other => bail!("no codec is called {other}"),
        };
        let topic = format!("{prefix}-{codec}");
        write(bootstrap, &topic, 0, count, compression).await?;
        read_back(bootstrap, &topic, count).await?;
    }
    Ok(())
}

fn after_first(milliseconds: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(FIRST_TIMESTAMP + milliseconds).unwrap()
}

async fn positions(bootstrap: &str, topic: &str) -> Result<()> {
    write(bootstrap, topic, 0, 60, Compression::NoCompression).await?;
    let client = partition(bootstrap, topic).await?;
    equal(client.get_offset(OffsetAt::Earliest).await?, 0, "the beginning")?;
    equal(client.get_offset(OffsetAt::Latest).await?, 60, "the end")?;
    for (after, wanted) in [(0, 0), (30_000, 30), (30_001, 31), (59_000, 59), (60_000, -1)] {
        let found = client.get_offset(OffsetAt::Timestamp(after_first(after))).await?;
        equal(found, wanted, "the offset of a time")?;
    }
    check(&take(&client, 17, 43).await?[0], 17)?;
    let (found, _) = client.fetch_records(60, 1..1_000_000, 200).await?;
    equal(found.len(), 0, "how many records lie at the end")?;
    write(bootstrap, topic, 60, 1, Compression::NoCompression).await?;
    check(&take(&client, 60, 1).await?[0], 60)?;
    match client.fetch_records(10_000, 1..1_000_000, 200).await {
        Err(Error::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. }) => Ok(()),
        other => bail!("beyond the end is {other:?}"),
    }
}

async fn empty_topic(bootstrap: &str, topic: &str) -> Result<()> {
    let made = connect(bootstrap).await?;
    made.controller_client()?.create_topic(topic, 1, 1, TIMEOUT_MS).await?;
    let client = partition(bootstrap, topic).await?;
    for _ in 0..2 {
        let asked = Instant::now();
        let (found, end) = client.fetch_records(0, 1..1_000_000, 1_000).await?;
        equal((found.len(), end), (0, 0), "what an empty topic has")?;
        let waited = asked.elapsed();
        ensure!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&waited), "waited {waited:?}");
    }
    Ok(())
}

async fn large_records(bootstrap: &str, topic: &str, bytes: usize) -> Result<()> {
    // Multiples of an odd number repeat late enough: nothing here compresses.
    let large = |n: usize| -> Vec<u8> { (0..bytes).map(|i| ((i + n) * 2_654_435_761 >> 13) as u8).collect() };
    let client = partition(bootstrap, topic).await?;
    for n in 0..2 {
        equal(stored(&client, value_only(large(n))).await?, n as i64, "the offset")?;
    }
    for (n, found) in take(&client, 0, 2).await?.into_iter().enumerate() {
        ensure!(found.record.value == Some(large(n)), "a value of {bytes} bytes came back changed");
    }
    Ok(())
}

/// Refused with its own error, and the next record goes through.
async fn too_large(bootstrap: &str, topic: &str) -> Result<()> {
    let client = partition(bootstrap, topic).await?;
    match client.produce(vec![value_only(vec![7; 1_100_000])], Compression::NoCompression).await {
        Err(Error::ServerError { protocol_error: ProtocolError::MessageTooLarge, .. }) => {}
        other => bail!("a batch above message.max.bytes gives {other:?}"),
    }
    equal(stored(&client, value_only(b"after".to_vec())).await?, 0, "the offset after it")
}

async fn administer(bootstrap: &str, topic: &str) -> Result<()> {
    let client = connect(bootstrap).await?;
    ensure!(!is_listed(&client, topic).await?, "the topic is there before it is made");
    let admin = client.controller_client()?;
    admin.create_topic(topic, 3, 1, TIMEOUT_MS).await?;
    settled(async || is_listed(&client, topic).await, "the topic is not listed").await?;
    let topics = client.list_topics().await?;
    let partitions = &topics.iter().find(|found| found.name == topic).context("the topic")?.partitions;
    equal(partitions.iter().copied().collect::<Vec<_>>(), vec![0, 1, 2], "the partitions")?;
    for (name, partitions, replicas, wanted) in [
        (topic, 1, 1, ProtocolError::TopicAlreadyExists),
        ("not/a/name", 1, 1, ProtocolError::InvalidTopicException),
        ("wrong", 0, 1, ProtocolError::InvalidPartitions),
        ("wrong", 1, 3, ProtocolError::InvalidReplicationFactor),
    ] {
        match admin.create_topic(name, partitions, replicas, TIMEOUT_MS).await {
            Err(Error::ServerError { protocol_error, .. }) if protocol_error == wanted => {}
            other => bail!("{name} gives {other:?} instead of {wanted:?}"),
        }
    }
    write(bootstrap, topic, 0, 20, Compression::NoCompression).await?;
    let of_topic = partition(bootstrap, topic).await?;
    of_topic.delete_records(7, TIMEOUT_MS).await?;
    equal(of_topic.get_offset(OffsetAt::Earliest).await?, 7, "the beginning after a deletion")?;
    check(&take(&of_topic, 7, 13).await?[0], 7)?;
    admin.delete_topic(topic, TIMEOUT_MS).await?;
    settled(async || Ok(!is_listed(&client, topic).await?), "the deleted topic is listed").await
}

/// A topic goes and comes back beneath a client, which goes on with the new one.
async fn deleted_topic(bootstrap: &str, topic: &str) -> Result<()> {
    write(bootstrap, topic, 0, 20, Compression::NoCompression).await?;
    let reader = partition(bootstrap, topic).await?;
    check(&take(&reader, 0, 20).await?[19], 19)?;
    let client = connect(bootstrap).await?;
    let admin = client.controller_client()?;
    admin.delete_topic(topic, TIMEOUT_MS).await?;
    // Its client asks again and again, and one of its questions makes the topic anew.
    let asking = reader.fetch_records(0, 1..1_000, 200);
    if let Ok(answer) = tokio::time::timeout(Duration::from_secs(1), asking).await {
        ensure!(answer?.0.is_empty(), "records came of a deleted topic");
    }
    match admin.create_topic(topic, 1, 1, TIMEOUT_MS).await {
        // The client's own question may have made it.
        Ok(()) | Err(Error::ServerError { protocol_error: ProtocolError::TopicAlreadyExists, .. }) => {}
        Err(e) => return Err(e.into()),
    }
    settled(async || is_listed(&client, topic).await, "the topic made again is not listed").await?;
    write(bootstrap, topic, 0, 5, Compression::NoCompression).await?;
    for (offset, found) in take(&reader, 0, 5).await?.iter().enumerate() {
        check(found, offset)?;
        equal(&found.record, &record(offset), "the record")?;
    }
    Ok(())
}
