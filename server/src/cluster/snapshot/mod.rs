//! Snapshots of the image beside the metadata log, so that a start follows topics and not history.
//!
//! One is written when the log has grown by a bound since the last one: beside, flushed, renamed, the name flushed. The
//! last two stay. At a start the newest that is whole counts, and the log behind it is replayed; one that is damaged is
//! reported, passed over, and gone when the next one is written, which is at once.
//!
//! Invariants: what a snapshot says was durable in the log before it was begun; images change by `apply` alone, also when
//! they are made of a snapshot; the log is complete from the older of the two on. This module must not know who commands.

mod file;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::{Env, Offset, small_file};

use super::apply::apply;
use super::image::{Image, Topic};
use super::quota::{Key, Value};
use super::records::{
    BrokerConfigured, BrokerStarts, ClientMetricsConfigured, ClientQuotaAltered, GroupConfigured,
    ProducerIdsReserved, Record, RecordError, TopicCreated, TopicDeleted,
};
use file::Damage;

/// The log grows by at least this much between two snapshots.
const GROWTH_BYTES_MIN: u64 = 1 << 20;
/// And by this many times the last one's size: what is written for snapshots stays a part of what is written anyway.
const GROWTH_FACTOR: u64 = 4;
/// The last one, and the one before should the last be damaged.
const KEPT: usize = 2;

/// The snapshots cannot be used for a start.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("{path} has version {version}: it was written by a newer Ottla, start that version")]
    Newer { path: PathBuf, version: u16 },
    #[error("{path}: {error}")]
    Record { path: PathBuf, error: RecordError },
    #[error(
        "the metadata log begins at offset {start}, and no snapshot in {dir} that can be read reaches it; restore one from a copy"
    )]
    Gap { start: Offset, dir: PathBuf },
    #[error("{path} cannot be written: {error}")]
    Write { path: PathBuf, error: io::Error },
}

/// An image and the offset of the first record that it does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) image: Image,
    pub(super) next: Offset,
}

pub(super) struct Snapshots {
    env: Env,
    dir: PathBuf,
    /// Held while one is written, which may take a while; `state` is held for moments only.
    writing: Mutex<()>,
    state: Mutex<State>,
}

struct State {
    /// The offsets of those that are whole, rising.
    whole: Vec<Offset>,
    /// Size of the last one.
    bytes: u64,
    /// How much the log had grown in this life when the last attempt to write one was begun.
    tried_at: u64,
    /// One that was there could not be used: a new one is due whatever the growth.
    is_damaged: bool,
}

impl Snapshots {
    /// The newest snapshot that is whole and what it says, for a log that reaches from `start` to `end`.
    pub(super) fn load(
        env: Env,
        dir: PathBuf,
        start: Offset,
        end: Offset,
    ) -> Result<(Self, Loaded), SnapshotError> {
        let state = State { whole: Vec::new(), bytes: 0, tried_at: 0, is_damaged: false };
        let snapshots = Self { env, dir, writing: Mutex::new(()), state: Mutex::new(state) };
        let loaded = snapshots.newest()?;
        let mut loaded = match loaded {
            Some(loaded) if loaded.next >= start => loaded,
            _ if start == Offset(0) => Loaded { image: Image::default(), next: start },
            _ => return Err(SnapshotError::Gap { start, dir: snapshots.dir.clone() }),
        };
        if loaded.next > end {
            loaded.next = snapshots.go_back(&loaded, end)?;
        }
        Ok((snapshots, loaded))
    }

    fn newest(&self) -> Result<Option<Loaded>, SnapshotError> {
        let mut newest = None;
        for next in self.on_disk() {
            let path = self.dir.join(file::name_of(next));
            let (bytes, damage) =
                match small_file::read(&*self.env.files, &path).map(Option::unwrap_or_default) {
                    Ok(bytes) => match file::decode(&bytes) {
                        Ok((said, records)) if said == next => {
                            let mut state = self.state();
                            state.whole.insert(0, next);
                            if newest.is_none() {
                                state.bytes = bytes.len() as u64;
                                newest = Some(Loaded { image: image_of(records), next });
                            }
                            continue;
                        }
                        Err(Damage::Newer(version)) => return Err(SnapshotError::Newer { path, version }),
                        Err(Damage::Record(error)) => return Err(SnapshotError::Record { path, error }),
                        Ok(_) | Err(Damage::Broken) => (bytes.len(), "its bytes are damaged".to_owned()),
                    },
                    Err(error) => (0, error.to_string()),
                };
            tracing::error!(path = %path.display(), bytes, damage, "a snapshot of the metadata is passed over; the one before and the log have what it had");
            self.state().is_damaged = true;
        }
        Ok(newest)
    }

    /// The log lost its end, and the snapshot knows what stood there: it is kept under the offset at which the log goes on,
    /// so that no record to come is taken for one that the snapshot knows.
    fn go_back(&self, loaded: &Loaded, end: Offset) -> Result<Offset, SnapshotError> {
        tracing::error!(snapshot = %loaded.next, %end, "the metadata log ends before its snapshot: the snapshot has what is missing");
        self.state().whole.retain(|next| *next < end);
        self.write(&loaded.image, end, 0)
            .map_err(|error| SnapshotError::Write { path: self.dir.join(file::name_of(end)), error })?;
        Ok(end)
    }

    /// Is one due, now that the log has grown by `grown` bytes in this life?
    pub(super) fn is_due(&self, grown: u64) -> bool {
        let state = self.state();
        let bound = GROWTH_BYTES_MIN.max(GROWTH_FACTOR * state.bytes);
        let is_overdue = state.is_damaged && state.tried_at == 0 && grown > 0;
        is_overdue || grown.saturating_sub(state.tried_at) >= bound
    }

    /// Writes an image that is durable in the log up to `next`. If that fails, the next attempt waits for the same growth.
    pub(super) fn write(&self, image: &Image, next: Offset, grown: u64) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut state = self.state();
            state.tried_at = grown;
            if state.whole.last().is_some_and(|last| *last >= next) {
                return Ok(());
            }
        }
        let bytes = file::encode(next, &records_of(image));
        small_file::replace(&*self.env.files, &self.dir.join(file::name_of(next)), &bytes)?;
        let kept = {
            let mut state = self.state();
            state.bytes = bytes.len() as u64;
            state.is_damaged = false;
            state.whole.push(next);
            let gone = state.whole.len().saturating_sub(KEPT);
            state.whole.drain(..gone);
            state.whole.clone()
        };
        self.remove_others(&kept);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.state().whole.is_empty()
    }

    /// The offset up to which the older of the snapshots that are kept covers the log. What stands before it in the log is
    /// not read any more.
    pub(super) fn covered(&self) -> Option<Offset> {
        let state = self.state();
        (state.whole.len() == KEPT).then(|| state.whole[0])
    }

    fn remove_others(&self, kept: &[Offset]) {
        for other in self.on_disk().into_iter().filter(|next| !kept.contains(next)) {
            let path = self.dir.join(file::name_of(other));
            if let Err(error) = self.env.files.remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an old snapshot of the metadata stays");
            }
        }
    }

    /// The offsets in the names, falling.
    fn on_disk(&self) -> Vec<Offset> {
        let entries = self.env.files.list(&self.dir).unwrap_or_else(|error| {
            // The directory is made with the log's first record.
            if error.kind() != io::ErrorKind::NotFound {
                tracing::error!(dir = %self.dir.display(), %error, "the snapshots of the metadata cannot be listed");
            }
            Vec::new()
        });
        let mut found: Vec<Offset> =
            entries.iter().filter_map(|entry| file::offset_in(&entry.name)).collect();
        found.sort_unstable_by_key(|next| std::cmp::Reverse(next.0));
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn image_of(records: Vec<Record>) -> Image {
    let mut image = Image::default();
    records.into_iter().for_each(|record| apply(&mut image, record));
    image
}

/// The records that make this image out of an empty one.
fn records_of(image: &Image) -> Vec<Record> {
    let mut records: Vec<Record> = vec![
        BrokerStarts { count: image.broker_starts() }.into(),
        ProducerIdsReserved { next: image.producer_id_next() }.into(),
    ];
    // Before the others: to delete a topic frees its name, which another may have by then.
    for topic in image.deleting() {
        records.extend([created(topic), TopicDeleted { id: topic.id }.into()]);
    }
    records.extend(image.topics().map(|topic| created(topic)));
    records.extend(image.configured_groups().map(|(group, configs)| {
        Record::from(GroupConfigured { group: group.to_string(), changes: all_set(configs) })
    }));
    records.extend(image.client_subscriptions().iter().map(|(name, settings)| {
        let (subscription, changes) = (name.to_string(), all_set(settings));
        Record::from(ClientMetricsConfigured { subscription, changes })
    }));
    records.extend(image.features().records().map(Record::from));
    records.extend(
        image
            .configured_brokers()
            .map(|(node_id, configs)| Record::from(BrokerConfigured { node_id, changes: all_set(configs) })),
    );
    for (entity, values) in image.quotas().iter() {
        let altered = |(key, value): (&Key, &Value)| {
            ClientQuotaAltered { entity: entity.clone(), key: *key, value: Some(*value) }.into()
        };
        records.extend(values.iter().map(altered));
    }
    records
}

/// Settings as changes of somebody who has none.
fn all_set(settings: &BTreeMap<String, String>) -> BTreeMap<String, Option<String>> {
    settings.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect()
}

/// A topic as if it were made only now, with the settings that it has.
fn created(topic: &Topic) -> Record {
    let (name, configs) = (topic.name.to_string(), topic.configs.clone());
    TopicCreated { id: topic.id, name, partitions: topic.partitions, configs }.into()
}

#[cfg(test)]
mod tests;
