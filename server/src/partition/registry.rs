//! The partitions of this broker: opened on first use, dropped when their topic is deleted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use storage::{DataDir, Env, LeaderEpoch, LogConfig, LogId, OpenError, TopicId};

use super::Partition;
use crate::cluster::{Image, Topic};
use crate::config::{Config, TopicConfig};

/// Why a partition cannot be served.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unavailable {
    #[error("the topic has no such partition")]
    NoSuchPartition,
    #[error("the partition's log cannot be opened: {0}")]
    Storage(String),
}

/// Why a deleted topic's directories are still there.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub struct Partitions {
    dirs: Vec<Arc<DataDir>>,
    config: Arc<Config>,
    env: Env,
    epoch: LeaderEpoch,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<LogId, Arc<Partition>>,
    /// The data directory (by its place in `dirs`) of every partition that has one.
    homes: HashMap<LogId, usize>,
    /// Topics that were deleted in this life: a request that began before must not open them again.
    deleted: HashSet<TopicId>,
}

impl Partitions {
    /// Takes the partitions that are on disk. Directories that the image does not know are set aside, never deleted.
    pub fn new(
        dirs: Vec<Arc<DataDir>>,
        config: Arc<Config>,
        env: Env,
        image: &Image,
        internal: LogId,
    ) -> io::Result<Self> {
        let mut homes = HashMap::new();
        for (place, dir) in dirs.iter().enumerate() {
            for (name, id) in dir.logs_on_disk() {
                match id.filter(|id| *id == internal || is_known(image, *id)) {
                    Some(id) => drop(homes.insert(id, place)),
                    None => {
                        tracing::warn!(directory = %dir.path().join(&name).display(), "no topic owns it: renamed -stray");
                        dir.stray(&name)?;
                    }
                }
            }
        }
        let epoch = image.leader_epoch();
        Ok(Self { dirs, config, env, epoch, state: RwLock::new(State { homes, ..State::default() }) })
    }

    /// Opens every partition that is on disk, so that recovery is over before the first client comes.
    pub fn open_existing(&self, image: &Image) {
        let on_disk: Vec<LogId> = self.read().homes.keys().copied().collect();
        for id in on_disk {
            let Some(topic) = image.topic_by_id(id.topic) else { continue };
            if let Err(error) = self.get(topic, id.partition) {
                tracing::error!(topic = %topic.name, partition = id.partition, %error, "a partition is not served");
            }
        }
    }

    /// A partition of a topic that the image has. Its directory is made at its first append, not here.
    pub fn get(&self, topic: &Topic, partition: i32) -> Result<Arc<Partition>, Unavailable> {
        let id = topic.log_id(partition).ok_or(Unavailable::NoSuchPartition)?;
        if let Some(open) = self.read().open.get(&id) {
            return Ok(open.clone());
        }
        let mut state = self.write();
        if let Some(open) = state.open.get(&id) {
            return Ok(open.clone());
        }
        if state.deleted.contains(&id.topic) {
            return Err(Unavailable::NoSuchPartition);
        }
        let home = state.homes.get(&id).copied().unwrap_or_else(|| self.emptiest(&state));
        let opened = self.open(topic, id, home).map_err(|e| Unavailable::Storage(e.to_string()))?;
        state.homes.insert(id, home);
        state.open.insert(id, opened.clone());
        Ok(opened)
    }

    fn emptiest(&self, state: &State) -> usize {
        let mut logs = vec![0usize; self.dirs.len()];
        if logs.len() > 1 {
            state.homes.values().for_each(|place| logs[*place] += 1);
        }
        logs.iter().enumerate().min_by_key(|(_, count)| **count).map_or(0, |(place, _)| place)
    }

    fn open(&self, topic: &Topic, id: LogId, home: usize) -> Result<Arc<Partition>, OpenError> {
        let config = self.config_of(topic);
        let log =
            self.dirs[home].open_log(id, &dir_name(topic, id.partition), log_config(&config), self.epoch)?;
        Ok(Arc::new(Partition::new(log, config, self.env.clone())))
    }

    fn config_of(&self, topic: &Topic) -> TopicConfig {
        TopicConfig::from_overrides(&topic.configs, &self.config).unwrap_or_else(|error| {
            // The metadata log takes only settings that passed this check, but the broker's own may have changed since.
            tracing::warn!(topic = %topic.name, %error, "a stored topic setting is not valid any more: the defaults apply");
            default_config(&self.config)
        })
    }

    /// Closes a deleted topic's partitions and removes their directories. Doing it twice does no harm.
    pub fn delete(&self, topic: &Topic) -> Result<(), DeleteError> {
        self.write().deleted.insert(topic.id);
        for partition in topic.partition_ids() {
            let id = LogId { topic: topic.id, partition };
            let (open, home) = {
                let mut state = self.write();
                (state.open.remove(&id), state.homes.get(&id).copied())
            };
            let Some(home) = home else { continue };
            let log = match open {
                Some(open) => open.log.clone(),
                None => self.open(topic, id, home)?.log.clone(),
            };
            self.dirs[home].delete_log(&log)?;
            self.write().homes.remove(&id);
        }
        Ok(())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
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
        durability: config.durability,
    }
}
