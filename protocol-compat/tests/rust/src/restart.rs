//! Writing and reading while the broker goes and comes back. What this client sends again it may store twice: it has no
//! idempotence. Nothing may be lost, and nothing may come out of order.

use crate::suite::{number, partition, stored, value_only};
use anyhow::{Result, ensure};
use rskafka::client::partition::OffsetAt;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const TIME_TO_READ: Duration = Duration::from_secs(20);

pub async fn through(bootstrap: &str, prefix: &str) -> Result<()> {
    let topic = format!("{prefix}-plain");
    let writer = partition(bootstrap, &topic).await?;
    let mut acknowledged = BTreeMap::from([(stored(&writer, value_only(b"0".to_vec())).await?, 0)]);
    fs::write(format!("writing-{prefix}"), "")?;
    let found = tokio::try_join!(
        async {
            for value in 1_usize.. {
                if Path::new("enough").exists() {
                    break;
                }
                let offset = stored(&writer, value_only(value.to_string().into_bytes())).await?;
                acknowledged.insert(offset, value);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        },
        read(bootstrap, &topic)
    )?
    .1;
    let sent = acknowledged.len();
    ensure!(sent > 100, "only {sent} were sent");
    for (offset, value) in &acknowledged {
        ensure!(found.get(offset) == Some(value), "{value} is not at offset {offset}");
    }
    let lost = (0..sent).find(|value| !found.values().any(|found| found == value));
    ensure!(lost.is_none(), "{lost:?} is lost");
    println!("{topic}: {sent} sent, {} doubled", found.len() - sent);
    Ok(())
}

/// Everything from the beginning to the end that there is when the writer has ended.
async fn read(bootstrap: &str, topic: &str) -> Result<BTreeMap<i64, usize>> {
    let reader = partition(bootstrap, topic).await?;
    let mut found = BTreeMap::new();
    let mut over = None;
    loop {
        let next = found.len() as i64;
        for record in reader.fetch_records(next, 1..1_000_000, 200).await?.0 {
            if record.offset >= next {
                ensure!(record.offset == found.len() as i64, "{} comes after {}", record.offset, found.len());
                let value = String::from_utf8(record.record.value.unwrap_or_default())?;
                found.insert(record.offset, number(&value)?);
            }
        }
        if Path::new("enough").exists() {
            let until = *over.get_or_insert_with(|| Instant::now() + TIME_TO_READ);
            ensure!(Instant::now() < until, "the reader has only {} records", found.len());
            // The writer's last record may still be under way.
            tokio::time::sleep(Duration::from_millis(300)).await;
            if reader.get_offset(OffsetAt::Latest).await? == found.len() as i64 {
                return Ok(found);
            }
        }
    }
}
