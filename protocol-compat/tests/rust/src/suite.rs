//! The records that every client of the suites writes and expects, and what the parts share.

use anyhow::{Context, Result, ensure};
use chrono::{TimeZone, Utc};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;
const TIME_TO_READ: Duration = Duration::from_secs(20);
const FETCH_BYTES_MAX: i32 = 50 << 20;

pub fn equal<T: PartialEq + Debug>(found: T, wanted: T, what: &str) -> Result<()> {
    ensure!(found == wanted, "{what} is {found:?} and should be {wanted:?}");
    Ok(())
}

pub fn number(word: &str) -> Result<usize> {
    word.parse().with_context(|| format!("{word} is no number"))
}

/// The record that belongs at offset `i` of partition 0: nulls, empties, and more than ASCII. What other clients write
/// has two headers of this name; the later one is left of them here.
pub fn record(i: usize) -> Record {
    let text = || format!("τιμή 🦦 {i} {}", "x".repeat(i * 37 % 400)).into_bytes();
    let value = match i % 7 {
        3 => None,
        4 => Some(Vec::new()),
        _ => Some(text()),
    };
    let key = match i % 5 {
        0 if value.is_some() => None,
        1 => Some(Vec::new()),
        _ => Some(format!("κλειδί-{i}").into_bytes()),
    };
    let mut headers = BTreeMap::new();
    if i % 3 != 0 {
        headers.insert("заголовок".to_owned(), Vec::new());
    }
    let timestamp = Utc.timestamp_millis_opt(FIRST_TIMESTAMP + 1000 * i as i64).unwrap();
    Record { key, value, headers, timestamp }
}

/// A record of a value alone.
pub fn value_only(value: Vec<u8>) -> Record {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let timestamp = Utc.timestamp_millis_opt(now.as_millis() as i64).unwrap();
    Record { key: None, value: Some(value), headers: BTreeMap::new(), timestamp }
}

pub fn check(found: &RecordAndOffset, offset: usize) -> Result<()> {
    equal(found.offset, offset as i64, "the offset")?;
    ensure!(found.record == record(offset), "at {offset} there is {:?}", found.record);
    Ok(())
}

pub async fn connect(bootstrap: &str) -> Result<Client> {
    Ok(ClientBuilder::new(vec![bootstrap.to_owned()]).build().await?)
}

/// A client of partition 0. To ask for the topic makes it.
pub async fn partition(bootstrap: &str, topic: &str) -> Result<PartitionClient> {
    Ok(connect(bootstrap).await?.partition_client(topic, 0, UnknownTopicHandling::Retry).await?)
}

pub async fn is_listed(client: &Client, topic: &str) -> Result<bool> {
    Ok(client.list_topics().await?.iter().any(|found| found.name == topic))
}

/// Writes one record and returns its offset.
pub async fn stored(client: &PartitionClient, record: Record) -> Result<i64> {
    Ok(client.produce(vec![record], Compression::NoCompression).await?[0])
}

/// Writes records `first`… in one batch and checks where they were stored.
pub async fn write(
    bootstrap: &str,
    topic: &str,
    first: usize,
    count: usize,
    codec: Compression,
) -> Result<()> {
    let records = (first..first + count).map(record).collect();
    let offsets = partition(bootstrap, topic).await?.produce(records, codec).await?;
    let wanted: Vec<i64> = (first..first + count).map(|i| i as i64).collect();
    equal(offsets, wanted, "the offsets")
}

/// The records from `offset` on until there are `count`.
pub async fn take(client: &PartitionClient, offset: i64, count: usize) -> Result<Vec<RecordAndOffset>> {
    let mut taken: Vec<RecordAndOffset> = Vec::new();
    let until = Instant::now() + TIME_TO_READ;
    while taken.len() < count {
        ensure!(Instant::now() < until, "only {} of {count} records came", taken.len());
        let next = taken.last().map_or(offset, |last| last.offset + 1);
        let (found, _) = client.fetch_records(next, 1..FETCH_BYTES_MAX, 500).await?;
        // A batch is given whole, from its first record on.
        taken.extend(found.into_iter().filter(|record| record.offset >= next));
    }
    Ok(taken)
}

pub async fn read_back(bootstrap: &str, topic: &str, count: usize) -> Result<()> {
    let client = partition(bootstrap, topic).await?;
    let found = take(&client, 0, count).await?;
    equal(found.len(), count, "how many records came")?;
    found.iter().enumerate().try_for_each(|(offset, found)| check(found, offset))
}

/// Waits until a question about a change just made is answered with yes: at once, but where the broker under test is known
/// to show its changes late.
pub async fn settled(mut question: impl AsyncFnMut() -> Result<bool>, otherwise: &str) -> Result<()> {
    let patience = number(&std::env::var("SUITE_PATIENCE_SECONDS")?)?;
    let until = Instant::now() + Duration::from_secs(patience as u64);
    while !question().await? {
        ensure!(Instant::now() < until, "{otherwise}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
