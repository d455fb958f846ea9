//! One coordinator's shard over a simulated disk, from a log that somebody made up, and what members, tools and time do
//! to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use storage::env::{SimClock, SimRandom};
use storage::{
    BatchBuilder, DataDir, DataDirOptions, Durability, Env, Flushing, LeaderEpoch, Log, LogConfig, LogId,
    Origin, TopicId, check_internal,
};

use super::Bytes;
use crate::cluster::command::{self, Defaults, NewTopic};
use crate::cluster::{Controller, Image};
use crate::config::{Bounded, ConsumerTimes};
use crate::coordinator::assignor::Assignor;
use crate::coordinator::group::consumer::{
    Beat, ConsumerSettings, DescribedConsumer, LEAVES, LEAVES_FOR_NOW,
};
use crate::coordinator::group::{
    As, Bound, Commit, CommitPartition, CommitTopic, Group, GroupMachine, GroupSettings, Join, Leaving, Op,
    Protocol, Sync, TopicPartitions,
};
use crate::coordinator::records::Committed;
use crate::coordinator::shard::{Core, Now, Waiter};

const OFFSETS: LogId = LogId { topic: TopicId([1; 16]), partition: 0 };
const METADATA: LogId = LogId { topic: TopicId([2; 16]), partition: 0 };
const METADATA_DIR: &str = "__cluster_metadata-0";
/// The topics that there are, by the byte that their ids are made of.
const TOPICS: [(&str, u8, u32); 2] = [("t", 3, 3), ("u", 4, 2)];
const STEPS: u64 = 24;
/// Records of a batch.
const BATCH: usize = 50;
const REBALANCE_MS: [i32; 3] = [0, 500, 60_000];
const SESSION_MS: i32 = 6_000;

pub(super) struct Life {
    env: Env,
    clock: SimClock,
    dir: Arc<DataDir>,
    log: Arc<Log>,
    core: Core<GroupMachine>,
    next_waiter: u64,
}

/// What outlives a coordinator: the offsets of each group, and what the group is.
pub(super) type Kept = BTreeMap<Arc<str>, (Shown, Vec<(Arc<str>, i32, Committed)>)>;

/// A consumer group shows all that it knows; of a classic one a part lives as long as the coordinator does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Classic,
    Consumer(DescribedConsumer),
}

impl Life {
    pub(super) fn begin(records: &[Bytes<'_>]) -> Self {
        let (env, _files, clock) = Env::simulated(1);
        let options = DataDirOptions { flushing: Flushing::Manual, ..DataDirOptions::default() };
        let dir = DataDir::open(env.clone(), PathBuf::from("/data"), options).expect("there is memory");
        let config = LogConfig { durability: Durability::Durable, ..LogConfig::default() };
        let log = dir.open_log(OFFSETS, "__consumer_offsets-0", config, LeaderEpoch(0));
        let log = log.expect("there is memory");
        for batch in records.chunks(BATCH) {
            let mut builder = BatchBuilder::new(0);
            for (key, value) in batch {
                builder = builder.push(Some(key), *value, &[]);
            }
            let checked = check_internal(builder.build()).expect("a batch of our own");
            log.append(checked, Origin::Coordinator, None);
        }
        dir.flush();
        let core = load(&env, &log);
        Self { env, clock, dir, log, core, next_waiter: 0 }
    }

    /// Another coordinator with the same log.
    pub(super) fn next(self) -> Self {
        self.dir.flush();
        let core = load(&self.env, &self.log);
        Self { core, ..self }
    }

    pub(super) fn end(self) {
        self.dir.close();
    }

    pub(super) fn passed_over(&self) -> u64 {
        self.core.passed_over()
    }

    pub(super) fn kept(&self) -> Kept {
        let machine = self.core.machine();
        let shown = |id: &Arc<str>, group: &Group| {
            let of_group = machine.offsets().of_group(id);
            let offsets: Vec<_> = of_group.map(|(topic, p, c)| (topic.clone(), p, c.clone())).collect();
            let shown = match group {
                Group::Classic(_) => Shown::Classic,
                Group::Consumer(_) => Shown::Consumer(machine.describe_consumer(id)?),
            };
            Some((id.clone(), (shown, offsets)))
        };
        machine.groups().filter_map(|(id, group)| shown(id, group)).collect()
    }

    /// Some requests, some time in between, and in the end a week.
    pub(super) fn play(&mut self, seed: u64) {
        let random = SimRandom::new(seed);
        for _ in 0..STEPS {
            let op = self.request(&random);
            self.ask(op);
            if random.below(3) == 0 {
                let until = self.core.next_timer().unwrap_or_default();
                let until = until.saturating_sub(self.now().at).min(Duration::from_secs(120));
                self.wait(until + Duration::from_millis(random.below(3) * 400));
            }
        }
        for hours in [1, 24, 24 * 7] {
            self.wait(Duration::from_secs(3600 * hours));
        }
    }

    fn ask(&mut self, op: Op) {
        let waiter = Waiter(self.next_waiter);
        self.next_waiter += 1;
        let op = Op::Seeing(image(), Box::new(op));
        self.core.decide(op, waiter, self.now()).expect("the disk is sound");
        // What tools ask for.
        let machine = self.core.machine();
        for group in machine.list() {
            let _shown = (machine.describe(&group.group), machine.describe_consumer(&group.group));
            let _found = machine.offsets().fetch_all(&group.group, |_| TopicId([3; 16]));
        }
    }

    fn wait(&mut self, span: Duration) {
        self.clock.advance(span);
        self.core.ring(self.now()).expect("the disk is sound");
    }

    fn now(&self) -> Now {
        now(&self.env)
    }

    /// A group that is there, mostly, asked by a member that is in it, mostly.
    fn request(&self, random: &SimRandom) -> Op {
        let mut ids: Vec<Arc<str>> = self.core.machine().groups().map(|(id, _)| id.clone()).collect();
        ids.sort();
        ids.push("another".into());
        let group = pick(random, &ids).clone();
        let (mut members, mut epoch) = (Vec::new(), 0);
        match self.core.machine().group(&group) {
            Some(Group::Classic(classic)) => {
                members.extend(classic.assignments().map(|(id, _)| (id.clone(), classic.generation())));
            }
            Some(Group::Consumer(_)) => {
                let shown = self.core.machine().describe_consumer(&group);
                members.extend(shown.into_iter().flat_map(|shown| shown.members).map(|m| (m.id, m.epoch)));
            }
            None => {}
        }
        members.push(("stranger".into(), 0));
        let (member, of_member) = pick(random, &members).clone();
        if random.below(4) > 0 {
            epoch = of_member;
        }
        let who = As { member: member.clone(), instance: None, generation: epoch };
        match random.below(11) {
            0 => Op::Heartbeat { group, who },
            1 => join(group, member, random),
            2 => join(group, Arc::default(), random),
            3 => Op::Sync(Sync {
                group,
                who,
                protocol_type: None,
                protocol: None,
                assignments: vec![(member, bytes::Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))],
            }),
            4 => Op::Leave { group, members: vec![Leaving { member, instance: None }] },
            5 => Op::Commit(commit(group, who)),
            6 => Op::DeleteOffsets {
                group,
                topics: vec![TopicPartitions {
                    topic: "t".into(),
                    topic_id: TopicId([3; 16]),
                    partitions: vec![0, -1],
                }],
            },
            7 if random.below(4) == 0 => Op::DeleteGroups { groups: vec![group] },
            8 if random.below(4) == 0 => Op::ForgetTopic { topic: "u".into(), topic_id: TopicId([4; 16]) },
            n => {
                let joins = n == 9;
                let leaves = [LEAVES, LEAVES_FOR_NOW];
                let epoch = if joins {
                    0
                } else if random.below(6) == 0 {
                    *pick(random, &leaves)
                } else {
                    epoch
                };
                Op::Beat(Box::new(beat(group, member, epoch, random)))
            }
        }
    }
}

fn load(env: &Env, log: &Arc<Log>) -> Core<GroupMachine> {
    let machine = GroupMachine::new(Arc::new(settings()), image());
    Core::load(machine, log.clone(), || now(env), |_| {}).expect("the log is sound")
}

fn now(env: &Env) -> Now {
    Now { at: env.clock.monotonic(), wall_ms: env.clock.now_ms() }
}

fn pick<'a, T>(random: &SimRandom, from: &'a [T]) -> &'a T {
    &from[random.below(from.len() as u64) as usize]
}

fn text(random: &SimRandom, some: &str) -> Option<Arc<str>> {
    (random.below(4) == 0).then(|| some.into())
}

fn join(group: Arc<str>, member: Arc<str>, random: &SimRandom) -> Op {
    // Version 0 of a subscription to `t`, and of nobody's.
    let metadata = *pick(random, &[&b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"[..], b"?"]);
    let protocol = |name: &str| Protocol { name: name.into(), metadata: bytes::Bytes::from_static(metadata) };
    Op::Join(Box::new(Join {
        group,
        member,
        new_member: format!("m{}", random.below(1_000)).into(),
        instance: text(random, "i1"),
        client_id: "c".into(),
        client_host: "/h".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: *pick(random, &REBALANCE_MS),
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range"), protocol("roundrobin")],
        takes_member_id: random.below(2) == 0,
        skips_assignment: true,
    }))
}

fn beat(group: Arc<str>, member: Arc<str>, epoch: i32, random: &SimRandom) -> Beat {
    let says_all = epoch == 0 || random.below(3) == 0;
    Beat {
        group,
        member,
        epoch,
        instance: text(random, "i1"),
        rack: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        rebalance_timeout_ms: says_all.then(|| *pick(random, &REBALANCE_MS)),
        topics: says_all.then(|| ["t".to_owned(), "gone".to_owned()].into()),
        pattern: text(random, "u.*"),
        assignor: text(random, "range"),
        owned: says_all.then(Default::default),
    }
}

fn commit(group: Arc<str>, who: As) -> Commit {
    let partition = CommitPartition { partition: 0, offset: 5, leader_epoch: -1, metadata: "".into() };
    let topic = CommitTopic { topic: "t".into(), topic_id: TopicId([3; 16]), partitions: vec![partition] };
    Commit { group, who, knows_unknown_groups: true, retention_ms: None, topics: vec![topic] }
}

fn settings() -> GroupSettings {
    GroupSettings {
        initial_delay_ms: 100,
        size_max: 5,
        metadata_chars_max: 10,
        retention_ms: 3_600_000,
        sweep_interval: Duration::from_secs(600),
        batch_bytes_max: Arc::new((1 << 20).into()),
        consumer: ConsumerSettings {
            times: ConsumerTimes {
                session_timeout_ms: Bounded::free(SESSION_MS),
                heartbeat_interval_ms: Bounded::free(1_000),
                assignment_interval_ms: Bounded::free(0),
            },
            patterns_interval_ms: 60_000,
            assignors: Assignor::ALL.to_vec(),
            size_max: 5,
            may_upgrade: true,
            may_downgrade: true,
        },
        group_bound: Bound::new(100),
        pending_bound: Bound::new(3),
    }
}

/// The metadata that all lives see.
fn image() -> Arc<Image> {
    static IMAGE: LazyLock<Arc<Image>> = LazyLock::new(make_image);
    IMAGE.clone()
}

fn make_image() -> Arc<Image> {
    let (env, _files, _clock) = Env::simulated(1);
    let home = PathBuf::from("/metadata");
    let options = DataDirOptions { flushing: Flushing::Manual, ..DataDirOptions::default() };
    let dir = DataDir::open(env.clone(), home.clone(), options).expect("there is memory");
    let config = LogConfig { durability: Durability::Durable, ..LogConfig::default() };
    let log = dir.open_log(METADATA, METADATA_DIR, config, LeaderEpoch(0)).expect("there is memory");
    let controller = Controller::load(log, home.join(METADATA_DIR), env).expect("the log is sound");
    for (name, id, partitions) in TOPICS {
        let wanted = NewTopic {
            name: name.to_owned(),
            partitions: partitions as i32,
            replication_factor: 1,
            assignments: BTreeMap::new(),
            configs: BTreeMap::new(),
        };
        let defaults =
            Defaults { node_id: 1, partitions: 1, replication_factor: 1, partitions_max: partitions };
        let id = TopicId([id; 16]);
        let (created, _seen) = controller.execute(|image| {
            command::create_topic(image, &wanted, id, defaults).map(|created| (vec![created.into()], ()))
        });
        created.expect("the topic is new");
    }
    let image = controller.seen().image.clone();
    dir.close();
    image
}
