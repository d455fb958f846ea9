//! The commits of a group as the log of its coordinator holds them, in their order. A group of the newer kind takes the
//! commit of a member that has just given a partition up, and the next owner may then commit a smaller offset: that an
//! offset goes back is no loss, but that an answered one is nowhere in the log is.

use crate::differential::peer::{Peer, whole_batches};
use crate::members::ledger::{Answered, Offsets};
use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes};
use kafka_protocol::records::RecordBatchDecoder;
use std::collections::{BTreeMap, BTreeSet};

const TOPIC: &str = "__consumer_offsets";
/// As many as the topic has by default.
const PARTITIONS: i32 = 50;
/// Versions of a record's key; others are of groups and of members.
const KEY_OF_OFFSET: [i16; 2] = [0, 1];

/// What was read of a group's commits so far.
#[derive(Debug)]
pub(crate) struct CommitLog {
    group: String,
    next: i64,
    offsets: BTreeMap<i32, Vec<i64>>,
}

impl CommitLog {
    pub(crate) fn of(group: &str) -> Self {
        Self { group: group.to_owned(), next: 0, offsets: BTreeMap::new() }
    }

    /// Takes in what was written since the last time. Returns how many commits of each partition are known then.
    pub(crate) fn read_on(&mut self, broker: &str) -> Result<BTreeMap<i32, usize>> {
        let mut peer = Peer::connect(broker)?;
        loop {
            let (error, _, _, mut records) = peer.fetch_of(TOPIC, partition_of(&self.group), self.next)?;
            ensure!(error == 0, "{TOPIC}: error {error} at {}", self.next);
            if records.is_empty() {
                return Ok(self.offsets.iter().map(|(partition, all)| (*partition, all.len())).collect());
            }
            for set in RecordBatchDecoder::decode_all(&mut whole_batches(&mut records))? {
                let next = self.next;
                for record in set.records.into_iter().filter(|record| record.offset >= next) {
                    self.next = record.offset + 1;
                    self.take(record.key.context("a record without key")?, record.value)?;
                }
            }
        }
    }

    fn take(&mut self, mut key: Bytes, value: Option<Bytes>) -> Result<()> {
        if !KEY_OF_OFFSET.contains(&key.try_get_i16()?) || string(&mut key)? != self.group {
            return Ok(());
        }
        string(&mut key)?;
        let mut value = value.with_context(|| format!("{}: a commit was deleted", self.group))?;
        value.try_get_i16()?;
        self.offsets.entry(key.try_get_i32()?).or_default().push(value.try_get_i64()?);
        Ok(())
    }

    /// Each answered commit is in the log.
    pub(crate) fn holds(&self, answered: &Answered) -> Result<()> {
        for (partition, answered) in answered {
            let logged: BTreeSet<i64> = self.offsets.get(partition).into_iter().flatten().copied().collect();
            let lost = answered.difference(&logged).next();
            ensure!(
                lost.is_none(),
                "{}: {lost:?} of partition {partition} was answered and is lost",
                self.group
            );
        }
        Ok(())
    }

    /// The group is at the last commit of so many, or at one that came later.
    pub(crate) fn is_where(&self, kept: &Offsets, known: &BTreeMap<i32, usize>) -> Result<()> {
        for (partition, count) in known {
            let latest = &self.offsets[partition][count - 1..];
            let found = kept.get(partition).copied().unwrap_or(-1);
            ensure!(
                latest.contains(&found),
                "{}: partition {partition} is at {found}, and its log at {latest:?}",
                self.group
            );
        }
        Ok(())
    }
}

/// The partition in which a group is kept: by Java's hash of its name.
fn partition_of(group: &str) -> i32 {
    let hash = group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    (hash & i32::MAX) % PARTITIONS
}

fn string(bytes: &mut Bytes) -> Result<String> {
    let length = usize::try_from(bytes.try_get_i16()?)?;
    ensure!(bytes.len() >= length, "a key that ends early");
    Ok(String::from_utf8(bytes.split_to(length).to_vec())?)
}
