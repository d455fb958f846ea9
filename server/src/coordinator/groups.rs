//! The group coordinator of this broker: the partitions of `__consumer_offsets`, each a shard of groups.
//!
//! The topic is made when a client first asks for its coordinator, and each shard is opened when it is first asked. A
//! group belongs to the partition that Kafka's rule says. Knows no wire format; the API translates.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use storage::{Env, TopicId};

use super::assignor::Assignor;
use super::group::consumer::ConsumerSettings;
use super::group::{Bound, BoundFigures, Counts, GroupMachine, GroupSettings};
use super::placement::partition_of;
use super::shard::{Pending, Phase, Shard, ShardError};
use crate::cluster::command::{self, Defaults, NewTopic};
use crate::cluster::controller::{CommandError, Seen};
use crate::cluster::{Controller, Image, Topic};
use crate::config::{Bounded, Config, ConsumerTimes, assignor_name};
use crate::partition::Partitions;

/// The topic that groups and offsets are kept in.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// On one broker there is one replica, whatever the default for other topics is.
const REPLICAS: i16 = 1;

pub type GroupShard = Shard<GroupMachine>;

/// The topic of the coordinators cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("topic {OFFSETS_TOPIC} cannot be made: {0}")]
pub struct NoTopic(String);

/// Whether the policy lets live groups go that way.
fn allows(policy: &str, direction: &str) -> bool {
    [direction, "bidirectional"].iter().any(|name| policy.eq_ignore_ascii_case(name))
}

fn consumer_times(config: &Config) -> ConsumerTimes {
    ConsumerTimes {
        session_timeout_ms: Bounded::new(
            config.group_consumer_session_timeout_ms,
            config.group_consumer_min_session_timeout_ms,
            config.group_consumer_max_session_timeout_ms,
        ),
        heartbeat_interval_ms: Bounded::new(
            config.group_consumer_heartbeat_interval_ms,
            config.group_consumer_min_heartbeat_interval_ms,
            config.group_consumer_max_heartbeat_interval_ms,
        ),
        assignment_interval_ms: Bounded::new(
            config.group_consumer_assignment_interval_ms,
            config.group_consumer_min_assignment_interval_ms,
            config.group_consumer_max_assignment_interval_ms,
        ),
    }
}

/// In the order of the setting, which has been checked.
fn assignors(config: &Config) -> Vec<Assignor> {
    let mut assignors = Vec::new();
    for name in config.group_consumer_assignors.iter().filter_map(|name| assignor_name(name)) {
        assignors.extend(Assignor::named(name).filter(|assignor| !assignors.contains(assignor)));
    }
    assignors
}

/// What the metrics show of groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFigures {
    /// By the name of the state.
    pub groups: BTreeMap<&'static str, usize>,
    pub members: usize,
    pub offsets: usize,
    pub counts: Counts,
    pub loading_shards: usize,
    pub group_bound: BoundFigures,
    pub pending_bound: BoundFigures,
}

pub struct Groups {
    env: Env,
    settings: Arc<GroupSettings>,
    durable_timeout: Duration,
    partitions: i32,
    segment_bytes: u32,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// Of the topic with this id: should it be deleted and made again, nothing of the old one counts.
    topic: TopicId,
    shards: HashMap<i32, GroupShard>,
    is_closed: bool,
}

impl Groups {
    pub fn new(config: &Config, env: Env) -> Self {
        let settings = GroupSettings {
            initial_delay_ms: config.group_initial_rebalance_delay_ms.max(0),
            size_max: config.group_max_size,
            metadata_chars_max: config.offset_metadata_max_bytes,
            retention_ms: i64::from(config.offsets_retention_minutes) * 60_000,
            sweep_interval: Duration::from_millis(config.offsets_retention_check_interval_ms),
            batch_bytes_max: Arc::new(config.message_max_bytes.into()),
            consumer: ConsumerSettings {
                times: consumer_times(config),
                patterns_interval_ms: config.group_consumer_regex_refresh_interval_ms,
                assignors: assignors(config),
                size_max: config.group_consumer_max_size,
                may_upgrade: allows(&config.group_consumer_migration_policy, "upgrade"),
                may_downgrade: allows(&config.group_consumer_migration_policy, "downgrade"),
            },
            group_bound: Bound::new(config.group_count_max),
            pending_bound: Bound::new(config.group_pending_members_max),
        };
        Self {
            env,
            settings: Arc::new(settings),
            durable_timeout: Duration::from_millis(config.offsets_commit_timeout_ms),
            partitions: config.offsets_topic_num_partitions,
            segment_bytes: config.offsets_topic_segment_bytes,
            state: RwLock::default(),
        }
    }

    /// The topic, made if it is not there. The answer must wait for the returned [`Seen`], if there is one.
    pub fn ensure_topic(
        &self,
        controller: &Controller,
        image: &Image,
        node_id: i32,
    ) -> Result<Option<Arc<Seen>>, NoTopic> {
        if image.topic(OFFSETS_TOPIC).is_some() {
            return Ok(None);
        }
        let configs = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("durability", "durable".to_owned()),
            ("segment.bytes", self.segment_bytes.to_string()),
        ];
        let wanted = NewTopic {
            name: OFFSETS_TOPIC.to_owned(),
            partitions: self.partitions,
            replication_factor: REPLICAS,
            assignments: BTreeMap::new(),
            configs: configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let defaults = Defaults {
            node_id,
            partitions: self.partitions,
            replication_factor: REPLICAS,
            partitions_max: self.partitions.unsigned_abs(),
        };
        let id = TopicId::random(&*self.env.random);
        let (created, seen) = controller.execute(|image| {
            command::create_topic(image, &wanted, id, defaults).map(|created| (vec![created.into()], ()))
        });
        match created {
            Ok(()) | Err(CommandError::Refused(command::Refusal::Exists(_))) => Ok(Some(seen)),
            Err(error) => Err(NoTopic(error.to_string())),
        }
    }

    /// What of the settings may change while the broker runs. Groups see it with what they do next.
    pub fn reconfigure(&self, config: &Config) {
        let times = &self.settings.consumer.times;
        times.assignment_interval_ms.set(config.group_consumer_assignment_interval_ms);
        self.settings.batch_bytes_max.store(config.message_max_bytes, Ordering::Relaxed);
    }

    /// The assignors that members of consumer groups may ask for.
    pub fn assignors(&self) -> &[Assignor] {
        &self.settings.consumer.assignors
    }

    /// The shard of a group. There is none before the topic is there.
    pub fn shard(
        &self,
        partitions: &Partitions,
        image: &Arc<Image>,
        group: &str,
    ) -> Result<GroupShard, ShardError> {
        let topic = image.topic(OFFSETS_TOPIC).ok_or(ShardError::Gone)?;
        self.shard_of(partitions, image, topic, partition_of(group, topic.partitions))
    }

    /// Every shard. One that cannot be opened is left out, as one of another broker would be.
    pub fn shards(&self, partitions: &Partitions, image: &Arc<Image>) -> Vec<GroupShard> {
        let Some(topic) = image.topic(OFFSETS_TOPIC) else { return Vec::new() };
        topic.partition_ids().filter_map(|p| self.shard_of(partitions, image, topic, p).ok()).collect()
    }

    /// Begins to read the logs of the groups that were there before the broker started.
    pub fn load(&self, partitions: &Partitions, image: &Arc<Image>) {
        self.shards(partitions, image).iter().for_each(Shard::load);
    }

    fn shard_of(
        &self,
        partitions: &Partitions,
        image: &Arc<Image>,
        topic: &Topic,
        partition: i32,
    ) -> Result<GroupShard, ShardError> {
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            if state.is_closed {
                return Err(ShardError::Gone);
            }
            if state.topic == topic.id
                && let Some(shard) = state.shards.get(&partition)
            {
                return Ok(shard.clone());
            }
        }
        let log = match partitions.get(topic, partition) {
            Ok(partition) => partition.log.clone(),
            Err(error) => {
                tracing::warn!(partition, %error, "a partition of the group coordinator is not served");
                return Err(ShardError::Gone);
            }
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return Err(ShardError::Gone);
        }
        if state.topic != topic.id {
            state.shards.drain().for_each(|(_, shard)| shard.close());
            state.topic = topic.id;
        }
        let settings = self.settings.clone();
        // Until requests bring newer ones: the settings of groups count from the first moment.
        let image = image.clone();
        let make = move || GroupMachine::new(settings.clone(), image.clone());
        let shard = state.shards.entry(partition);
        Ok(shard.or_insert_with(|| Shard::new(log, self.env.clone(), self.durable_timeout, make)).clone())
    }

    /// A topic is gone: what groups have committed for it is forgotten. Waiting for it is for who wants to know.
    pub fn forget_topic(
        &self,
        partitions: &Partitions,
        image: &Arc<Image>,
        topic: &Topic,
    ) -> Vec<Pending<()>> {
        let shards = self.shards(partitions, image);
        let forget = |shard: GroupShard| {
            let op = super::group::Op::ForgetTopic { topic: topic.name.clone(), topic_id: topic.id };
            shard.write(op).map(drop)
        };
        shards.into_iter().map(forget).collect()
    }

    /// From here on nobody is answered but with a hint to look for another coordinator.
    pub fn close(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.is_closed = true;
        state.shards.drain().for_each(|(_, shard)| shard.close());
    }

    /// The shards that are open.
    fn open_shards(&self) -> Vec<GroupShard> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.shards.values().cloned().collect()
    }

    /// Looks at one shard after the other; with what was seen each time goes on when the shard does.
    pub fn look_at_each<R>(&self, look: impl Fn(&GroupMachine) -> R, mut seen: impl FnMut(R)) {
        self.open_shards().iter().filter_map(|shard| shard.glance(&look)).for_each(&mut seen);
    }

    /// What the metrics show. It looks at every group.
    pub fn figures(&self) -> GroupFigures {
        let shards = self.open_shards();
        let mut figures = GroupFigures {
            group_bound: self.settings.group_bound.figures(),
            pending_bound: self.settings.pending_bound.figures(),
            ..GroupFigures::default()
        };
        for shard in shards {
            figures.loading_shards += usize::from(matches!(shard.phase(), Phase::Loading { .. }));
            shard.glance(|machine| figures.add(machine));
        }
        figures
    }
}

impl GroupFigures {
    fn add(&mut self, machine: &GroupMachine) {
        for (_, group) in machine.groups() {
            *self.groups.entry(group.state_name()).or_default() += 1;
            self.members += group.member_count();
        }
        self.offsets += machine.offsets().len();
        let Counts { commits, expired_offsets, rebalances } = machine.counts();
        self.counts.commits += commits;
        self.counts.expired_offsets += expired_offsets;
        self.counts.rebalances += rebalances;
    }
}
