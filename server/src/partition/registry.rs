//! The partitions of this broker: opened on first use, dropped when their topic is deleted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use storage::{
    Cleanup, DataDir, Durability, Env, LeaderEpoch, LogConfig, LogId, MoveView, OpenError, TopicId,
    Unfinished, settle_copies,
};

use super::moves::Moves;
use super::{Partition, cleaner_options};
use crate::cluster::{Image, Topic, topic_name};
use crate::config::{Config, LiveConfig, TopicConfig};

/// Why a partition cannot be served.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unavailable {
    #[error("the topic has no such partition")]
    NoSuchPartition,
    #[error("the partition's log cannot be opened: {0}")]
    Storage(String),
}

/// A partition in a data directory.
pub struct Placed {
    pub topic: Arc<Topic>,
    pub partition: i32,
    pub open: Option<Arc<Partition>>,
    /// It is a copy that is being made here, and not in force.
    pub copy: Option<Arc<MoveView>>,
}

/// Why a deleted topic's directories are still there.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How long a partition that could not be opened is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One partition's place: whoever comes first opens it, and nobody else's requests wait for that.
struct Slot {
    /// The data directory, by its place in `dirs`.
    home: usize,
    opened: OnceLock<Arc<Partition>>,
    opening: Mutex<Opening>,
}

enum Opening {
    Open,
    Failed { at: Duration, error: Unavailable },
    Deleted,
}

impl Slot {
    fn new(home: usize) -> Self {
        Self { home, opened: OnceLock::new(), opening: Mutex::new(Opening::Open) }
    }

    fn get(
        &self,
        now: Duration,
        open: impl FnOnce() -> Result<Arc<Partition>, OpenError>,
    ) -> Result<Arc<Partition>, Unavailable> {
        if let Some(partition) = self.opened.get() {
            return Ok(partition.clone());
        }
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opening {
            Opening::Deleted => return Err(Unavailable::NoSuchPartition),
            Opening::Failed { at, error } if now.saturating_sub(*at) < RETRY_AFTER => {
                return Err(error.clone());
            }
            _ => {}
        }
        if let Some(partition) = self.opened.get() {
            return Ok(partition.clone());
        }
        match open() {
            Ok(partition) => Ok(self.opened.get_or_init(|| partition).clone()),
            Err(error) => {
                let error = Unavailable::Storage(error.to_string());
                *opening = Opening::Failed { at: now, error: error.clone() };
                Err(error)
            }
        }
    }

    /// What is open, once an opening that has begun is over.
    fn settled(&self) -> Option<Arc<Partition>> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        self.opened.get().cloned()
    }

    /// From here on it opens no more; answers what was open.
    fn close(&self) -> Option<Arc<Partition>> {
        *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = Opening::Deleted;
        self.opened.get().cloned()
    }
}

pub struct Partitions {
    pub(super) dirs: Vec<Arc<DataDir>>,
    pub(super) config: Arc<LiveConfig>,
    env: Env,
    epoch: LeaderEpoch,
    state: RwLock<State>,
    /// Held from asking for a topic's newest settings until its logs have them.
    reconfiguring: Mutex<()>,
    pub(super) moves: Moves,
    /// Held while it is decided where a partition moves to.
    pub(super) moving: Mutex<()>,
    /// Moves that an earlier process began.
    unfinished: Mutex<Vec<Unfinished>>,
}

#[derive(Default)]
pub(super) struct State {
    slots: HashMap<LogId, Arc<Slot>>,
    /// The data directory (by its place in `dirs`) of every partition that has one.
    pub(super) homes: HashMap<LogId, usize>,
    /// Where partitions that are not there yet were asked to be made, by their topics' names.
    pub(super) chosen: HashMap<(String, i32), usize>,
    /// Topics that were deleted in this life: a request that began before must not open them again.
    deleted: HashSet<TopicId>,
    /// Topics whose settings changed in this life: a request that began before must not open them with the old ones.
    configured: HashMap<TopicId, Arc<Topic>>,
}

impl State {
    /// The directory that was asked for before there was such a partition.
    fn chosen_for(&self, topic: &Topic, partition: i32) -> Option<usize> {
        match self.chosen.is_empty() {
            true => None,
            false => self.chosen.get(&(topic.name.to_string(), partition)).copied(),
        }
    }
}

impl Partitions {
    /// Takes the partitions that are on disk. Directories that the image does not know are set aside, never deleted.
    pub fn new(
        dirs: Vec<Arc<DataDir>>,
        config: Arc<LiveConfig>,
        env: Env,
        image: &Image,
        internal: LogId,
    ) -> io::Result<Self> {
        let settled = settle_copies(&dirs)?;
        let mut homes = HashMap::new();
        for dir in &dirs {
            for (name, id) in dir.logs_on_disk() {
                match id.filter(|id| *id == internal || is_known(image, *id)) {
                    Some(id) => homes.extend(settled.homes.get(&id).map(|home| (id, *home))),
                    None => dir.stray(&name)?,
                }
            }
        }
        let epoch = image.leader_epoch();
        Ok(Self {
            dirs,
            config,
            env,
            epoch,
            state: RwLock::new(State { homes, ..State::default() }),
            reconfiguring: Mutex::new(()),
            moves: Moves::default(),
            moving: Mutex::new(()),
            unfinished: Mutex::new(settled.unfinished),
        })
    }

    /// Opens every partition that is on disk, so that recovery is over before the first client comes.
    pub fn open_existing(&self, image: &Image) {
        let on_disk: Vec<LogId> = self.read().homes.keys().copied().collect();
        let together: Vec<_> = self.dirs.iter().map(|dir| dir.open_together()).collect();
        for id in on_disk {
            let Some(topic) = image.topic_by_id(id.topic) else { continue };
            if let Err(error) = self.get(topic, id.partition) {
                tracing::error!(topic = %topic.name, partition = id.partition, %error, "a partition is not served");
            }
        }
        drop(together);
        let unfinished = std::mem::take(&mut *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner));
        self.resume_moves(image, unfinished);
    }

    /// A partition of a topic that the image has. Its directory is made at its first append, not here.
    pub fn get(&self, topic: &Topic, partition: i32) -> Result<Arc<Partition>, Unavailable> {
        let id = topic.log_id(partition).ok_or(Unavailable::NoSuchPartition)?;
        let known = self.read().slots.get(&id).cloned();
        let slot = match known {
            Some(slot) => slot,
            None => self.new_slot(topic, id)?,
        };
        slot.get(self.env.clock.monotonic(), || self.open(topic, id, slot.home))
    }

    /// The leader epoch of each of a topic's partitions, by their numbers; none is opened for it. A log that is not open
    /// was not there at the start, so that its epoch can only be the broker's, or it cannot be opened.
    pub fn leader_epochs(&self, topic: &Topic) -> Vec<LeaderEpoch> {
        let state = self.read();
        let epoch_of = |partition| {
            let slot = state.slots.get(&LogId { topic: topic.id, partition });
            let open = slot.and_then(|slot| slot.opened.get());
            open.map_or(self.epoch, |partition| partition.log.leader_epoch())
        };
        topic.partition_ids().map(epoch_of).collect()
    }

    /// Every partition of the image by its data directory, those of a topic one behind the other. One that was never
    /// written is where it would be made now.
    pub fn by_directory(&self, image: &Image) -> Vec<(Arc<DataDir>, Vec<Placed>)> {
        let mut all: Vec<_> = self.dirs.iter().map(|dir| (dir.clone(), Vec::new())).collect();
        let state = self.read();
        let emptiest = self.emptiest(&state);
        let mut copies = self.moves.all();
        for topic in image.topics() {
            for partition in topic.partition_ids() {
                let id = LogId { topic: topic.id, partition };
                let open = state.slots.get(&id).and_then(|slot| slot.opened.get().cloned());
                let chosen = || state.chosen_for(topic, partition);
                let home = state.homes.get(&id).copied().or_else(chosen).unwrap_or(emptiest);
                // One that is there by now is no copy any more.
                if let Some((target, copy)) = copies.remove(&id).filter(|(target, _)| *target != home) {
                    let (topic, open) = (topic.clone(), open.clone());
                    all[target].1.push(Placed { topic, partition, open, copy: Some(copy) });
                }
                all[home].1.push(Placed { topic: topic.clone(), partition, open, copy: None });
            }
        }
        all
    }

    /// How all data directories are compacted from now on.
    pub fn reconfigure_cleaners(&self, config: &Config) {
        self.dirs.iter().for_each(|dir| dir.reconfigure_cleaner(cleaner_options(config)));
    }

    /// The data directory that holds the metadata.
    pub fn metadata_dir(&self) -> &DataDir {
        &self.dirs[0]
    }

    /// All that are open, in no order.
    pub fn open_now(&self) -> Vec<Arc<Partition>> {
        self.read().slots.values().filter_map(|slot| slot.opened.get().cloned()).collect()
    }

    /// One that is open.
    pub fn open_one(&self, id: LogId) -> Option<Arc<Partition>> {
        self.read().slots.get(&id)?.opened.get().cloned()
    }

    /// A place for a partition that nobody asked for yet in this life.
    fn new_slot(&self, topic: &Topic, id: LogId) -> Result<Arc<Slot>, Unavailable> {
        let mut state = self.write();
        if state.deleted.contains(&id.topic) {
            return Err(Unavailable::NoSuchPartition);
        }
        let chosen = state.chosen_for(topic, id.partition);
        if chosen.is_some() {
            state.chosen.remove(&(topic.name.to_string(), id.partition));
        }
        let home = state.homes.get(&id).copied().or(chosen).unwrap_or_else(|| self.emptiest(&state));
        state.homes.insert(id, home);
        Ok(state.slots.entry(id).or_insert_with(|| Arc::new(Slot::new(home))).clone())
    }

    fn emptiest(&self, state: &State) -> usize {
        let mut logs = vec![0usize; self.dirs.len()];
        if logs.len() > 1 {
            state.homes.values().for_each(|place| logs[*place] += 1);
        }
        logs.iter().enumerate().min_by_key(|(_, count)| **count).map_or(0, |(place, _)| place)
    }

    fn open(&self, topic: &Topic, id: LogId, home: usize) -> Result<Arc<Partition>, OpenError> {
        let newest = self.read().configured.get(&topic.id).cloned();
        let config = self.config_of(newest.as_deref().unwrap_or(topic));
        let log =
            self.dirs[home].open_log(id, &dir_name(topic, id.partition), log_config(&config), self.epoch)?;
        Ok(Arc::new(Partition::new(log, config, self.env.clone())))
    }

    /// Gives a topic's logs the settings that `newest` says now, and answers the logs that are open. However many do this
    /// at once, the newest settings stay.
    pub fn reconfigure(&self, newest: impl FnOnce() -> Option<Arc<Topic>>) -> Vec<Arc<Partition>> {
        let _reconfiguring = self.reconfiguring.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(topic) = newest() else { return Vec::new() };
        let config = Arc::new(self.config_of(&topic));
        let slots: Vec<Arc<Slot>> = {
            let mut state = self.write();
            if state.deleted.contains(&topic.id) {
                return Vec::new();
            }
            state.configured.insert(topic.id, topic.clone());
            topic.partition_ids().filter_map(|p| state.slots.get(&topic.log_id(p)?).cloned()).collect()
        };
        let open: Vec<Arc<Partition>> = slots.iter().filter_map(|slot| slot.settled()).collect();
        for partition in &open {
            partition.set_config(config.clone());
            partition.log.reconfigure(log_config(&config));
        }
        open
    }

    fn config_of(&self, topic: &Topic) -> TopicConfig {
        let mut config = self.stored_config_of(topic);
        // What coordinators answer for must outlast a power cut, whatever others of the broker's topics are worth.
        if topic_name::is_internal(&topic.name) {
            config.durability = Durability::Durable;
        }
        config
    }

    fn stored_config_of(&self, topic: &Topic) -> TopicConfig {
        let broker = self.config.load();
        TopicConfig::from_overrides(&topic.configs, &broker).unwrap_or_else(|error| {
            // The metadata log takes only settings that passed this check, but the broker's own may have changed since.
            tracing::warn!(topic = %topic.name, %error, "a stored topic setting is not valid any more: the defaults apply");
            default_config(&broker)
        })
    }

    /// Closes a deleted topic's partitions and removes their directories. Doing it twice does no harm.
    pub fn delete(&self, topic: &Topic) -> Result<(), DeleteError> {
        {
            let mut state = self.write();
            state.deleted.insert(topic.id);
            state.configured.remove(&topic.id);
        }
        self.moves.cancel_topic(topic.id);
        for partition in topic.partition_ids() {
            let id = LogId { topic: topic.id, partition };
            let (slot, home) = {
                let mut state = self.write();
                (state.slots.remove(&id), state.homes.get(&id).copied())
            };
            let Some(home) = home else { continue };
            let log = match slot.and_then(|slot| slot.close()) {
                Some(open) => open.log.newest(),
                None => self.open(topic, id, home)?.log.clone(),
            };
            self.dirs[home].delete_log(&log)?;
            self.write().homes.remove(&id);
        }
        Ok(())
    }

    /// The data directory of a partition that has one.
    pub(super) fn home_of(&self, id: LogId) -> Option<usize> {
        self.read().homes.get(&id).copied()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_known(image: &Image, id: LogId) -> bool {
    let topic = image.topic_by_id(id.topic).or_else(|| image.deleting().find(|t| t.id == id.topic));
    topic.is_some_and(|t| t.log_id(id.partition).is_some())
}

/// The broker's own settings were checked together with the defaults at the start.
fn default_config(config: &Config) -> TopicConfig {
    TopicConfig::from_overrides(&BTreeMap::new(), config)
        .unwrap_or_else(|error| unreachable!("the broker's settings contradict each other: {error}"))
}

/// Kafka's name of a partition's directory.
fn dir_name(topic: &Topic, partition: i32) -> String {
    format!("{}-{partition}", topic.name)
}

fn log_config(config: &TopicConfig) -> LogConfig {
    LogConfig {
        segment_bytes: config.segment_bytes,
        index_interval_bytes: config.index_interval_bytes,
        segment_index_bytes: config.segment_index_bytes,
        segment_age_max: duration(config.segment_ms),
        segment_jitter: duration(config.segment_jitter_ms),
        durability: config.durability,
        flush_messages: u64::try_from(config.flush_messages).unwrap_or(u64::MAX),
        flush_after: limit(config.flush_ms),
        cleanup: Cleanup { delete: config.is_deleted, compact: config.is_compacted },
        retention_bytes: u64::try_from(config.retention_bytes).ok(),
        retention: limit(config.retention_ms),
        file_delete_delay: duration(config.file_delete_delay_ms),
        message_bytes_max: config.message_bytes_max,
        delete_retention: duration(config.delete_retention_ms),
        compaction_lag_min: duration(config.compaction_lag_min_ms),
        compaction_lag_max: duration(config.compaction_lag_max_ms),
        dirty_ratio_min: config.cleanable_dirty_ratio_min,
    }
}

/// The settings' bounds leave no negative ones here.
fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Kafka's words for no limit are the greatest number and those below zero.
fn limit(ms: i64) -> Option<Duration> {
    (0..i64::MAX).contains(&ms).then(|| duration(ms))
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
