//! The rules of groups, over a simulated log and a clock that moves when a test moves it. Every test ends with the same
//! question: does the next life know what this one knew?

mod bounds;
mod members;
mod offsets;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use storage::env::SimClock;
use storage::{
    BatchBuilder, DataDir, DataDirOptions, Durability, Env, LeaderEpoch, Log, LogConfig, LogId, Origin,
    TopicId, check_internal,
};

use super::*;
use crate::config::{Bounded, ConsumerTimes};
use crate::coordinator::assignor::Assignor;
use crate::coordinator::records::{GroupMember, GroupMetadata};
use crate::coordinator::shard::Core;

pub(super) const LOG: LogId = LogId { topic: TopicId([1; 16]), partition: 0 };
pub(super) const GROUP: &str = "g";
const SESSION_MS: i32 = 10_000;
const REBALANCE_MS: i32 = 60_000;
const DELAY_MS: i32 = 3_000;
const GROUPS_MAX: usize = 3;
const PENDING_MAX: usize = 5;

fn settings() -> GroupSettings {
    GroupSettings {
        initial_delay_ms: DELAY_MS,
        size_max: 4,
        metadata_chars_max: 10,
        retention_ms: 1_000_000,
        sweep_interval: Duration::from_secs(600),
        batch_bytes_max: Arc::new((1 << 20).into()),
        consumer: ConsumerSettings {
            times: ConsumerTimes {
                session_timeout_ms: Bounded::free(45_000),
                heartbeat_interval_ms: Bounded::free(5_000),
                assignment_interval_ms: Bounded::free(1_000),
            },
            patterns_interval_ms: 600_000,
            assignors: Assignor::ALL.to_vec(),
            size_max: 4,
            may_upgrade: true,
            may_downgrade: true,
        },
        group_bound: Bound::new(GROUPS_MAX),
        pending_bound: Bound::new(PENDING_MAX),
    }
}

struct World {
    env: Env,
    clock: SimClock,
    dir: Arc<DataDir>,
    core: Core<GroupMachine>,
    next_waiter: u64,
    /// What was answered and not asked for yet.
    answers: BTreeMap<Waiter, Reply>,
    settings: Arc<GroupSettings>,
}

pub(super) fn load(env: &Env, dir: &DataDir, settings: &Arc<GroupSettings>) -> Core<GroupMachine> {
    let machine = GroupMachine::new(settings.clone(), Arc::default());
    Core::load(machine, open_log(dir), || now(env), |_| {}).unwrap()
}

fn open_dir(env: &Env) -> Arc<DataDir> {
    DataDir::open(env.clone(), PathBuf::from("/data"), DataDirOptions::default()).unwrap()
}

fn open_log(dir: &DataDir) -> Arc<Log> {
    let config = LogConfig { durability: Durability::Durable, ..LogConfig::default() };
    dir.open_log(LOG, "__consumer_offsets-0", config, LeaderEpoch(0)).unwrap()
}

pub(super) fn now(env: &Env) -> Now {
    Now { at: env.clock.monotonic(), wall_ms: env.clock.now_ms() }
}

impl World {
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: GroupSettings) -> Self {
        let (env, _files, clock) = Env::simulated(7);
        let dir = open_dir(&env);
        let settings = Arc::new(settings);
        let core = load(&env, &dir, &settings);
        Self { env, clock, dir, core, next_waiter: 0, answers: BTreeMap::new(), settings }
    }

    /// A clean end and another start.
    fn restart(&mut self) {
        self.dir.close();
        self.dir = open_dir(&self.env);
        self.core = load(&self.env, &self.dir, &self.settings);
        self.answers.clear();
    }

    /// Somebody else has written this record in between.
    fn restart_with(&mut self, record: &Record) {
        self.dir.close();
        let dir = open_dir(&self.env);
        let Encoded { key, value } = record.encode();
        let batch = BatchBuilder::new(0).push(Some(&key), value.as_deref(), &[]).build();
        open_log(&dir).append(check_internal(batch).unwrap(), Origin::Coordinator, None);
        self.dir = dir;
        self.restart();
    }

    fn send(&mut self, op: Op) -> Waiter {
        let waiter = Waiter(self.next_waiter);
        self.next_waiter += 1;
        let turn = self.core.decide(op, waiter, now(&self.env)).unwrap();
        self.answers.extend(turn.answers);
        waiter
    }

    fn ask(&mut self, op: Op) -> Reply {
        let waiter = self.send(op);
        self.answers.remove(&waiter).expect("an answer at once")
    }

    fn wait_ms(&mut self, ms: i32) {
        self.clock.advance(Duration::from_millis(ms as u64));
        let turn = self.core.ring(now(&self.env)).unwrap();
        self.answers.extend(turn.answers);
    }

    fn joined(&mut self, waiter: Waiter) -> Joined {
        match self.answers.remove(&waiter) {
            Some(Reply::Joined(joined)) => *joined,
            other => panic!("{other:?}"),
        }
    }

    fn is_waiting(&self, waiter: Waiter) -> bool {
        !self.answers.contains_key(&waiter)
    }

    fn synced(&mut self, waiter: Waiter) -> Result<Synced, GroupError> {
        match self.answers.remove(&waiter) {
            Some(Reply::Synced(synced)) => synced,
            other => panic!("{other:?}"),
        }
    }

    /// A member without an id is given one, joins with it and waits.
    fn join_anew(&mut self, name: &str) -> (Arc<str>, Waiter) {
        let id: Arc<str> = format!("{name}-id").into();
        let Reply::Joined(given) = self.ask(join("", name).into()) else { panic!() };
        assert_eq!((given.error, &given.member), (Some(GroupError::MemberIdRequired), &id));
        let waiter = self.send(join(&id, name).into());
        (id, waiter)
    }

    /// The leader gives each member its own name.
    fn assign(&mut self, leader: &str, generation: i32, members: &[&Arc<str>]) -> Waiter {
        let given = |id: &&Arc<str>| ((*id).clone(), Bytes::from(id.to_string()));
        self.send(sync(leader, generation, members.iter().map(given).collect()))
    }

    /// A stable group of these members; the first leads. Answers their ids and the generation.
    fn stable(&mut self, names: &[&str]) -> (Vec<Arc<str>>, i32) {
        let waiting: Vec<_> = names.iter().map(|name| self.join_anew(name)).collect();
        for _ in 0..=names.len() {
            self.wait_ms(DELAY_MS);
        }
        let ids: Vec<Arc<str>> = waiting.iter().map(|(id, _)| id.clone()).collect();
        let joined: Vec<Joined> = waiting.iter().map(|(_, waiter)| self.joined(*waiter)).collect();
        let generation = joined[0].generation;
        assert!(joined.iter().all(|j| j.error.is_none() && j.generation == generation), "{joined:?}");
        let waiting: Vec<_> = ids[1..].iter().map(|id| self.send(sync(id, generation, Vec::new()))).collect();
        let leader = self.assign(&joined[0].leader, generation, &ids.iter().collect::<Vec<_>>());
        for (id, waiter) in ids.iter().zip([leader].into_iter().chain(waiting)) {
            assert_eq!(self.synced(waiter).unwrap().assignment, id.as_bytes());
        }
        assert_eq!(self.state(), "Stable");
        (ids, generation)
    }

    fn state(&self) -> &'static str {
        self.core.machine().describe(GROUP).map_or("none", |group| group.state)
    }

    fn beat(&mut self, member: &str, generation: i32) -> Result<(), GroupError> {
        let Reply::Beaten(outcome) =
            self.ask(Op::Heartbeat { group: GROUP.into(), who: who(member, generation) })
        else {
            panic!()
        };
        outcome
    }

    fn commit(&mut self, member: &str, generation: i32, offset: i64) -> Result<ByPartition, GroupError> {
        let Reply::Committed(outcome) = self.ask(Op::Commit(commit(member, generation, offset))) else {
            panic!()
        };
        outcome
    }

    fn offset(&self, topic: &str) -> Option<i64> {
        self.core.machine().offsets().get(GROUP, topic, 0).map(|committed| committed.offset)
    }

    fn leave(&mut self, member: &str) -> Result<(), GroupError> {
        let members = vec![Leaving { member: member.into(), instance: None }];
        let Reply::Left(outcome) = self.ask(Op::Leave { group: GROUP.into(), members }) else { panic!() };
        outcome?[0]
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.dir.close();
    }
}

impl From<Join> for Op {
    fn from(join: Join) -> Self {
        Self::Join(Box::new(join))
    }
}

fn protocol(name: &str) -> Protocol {
    Protocol { name: name.into(), metadata: Bytes::from(classic::subscribed(&["t"])) }
}

fn join(member: &str, name: &str) -> Join {
    Join {
        group: GROUP.into(),
        member: member.into(),
        new_member: format!("{name}-id").into(),
        instance: None,
        client_id: name.into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range"), protocol("roundrobin")],
        takes_member_id: true,
        skips_assignment: true,
    }
}

fn who(member: &str, generation: i32) -> As {
    As { member: member.into(), instance: None, generation }
}

fn sync(member: &str, generation: i32, assignments: Vec<(Arc<str>, Bytes)>) -> Op {
    Op::Sync(Sync {
        group: GROUP.into(),
        who: who(member, generation),
        protocol_type: Some("consumer".into()),
        protocol: None,
        assignments,
    })
}

fn commit(member: &str, generation: i32, offset: i64) -> Commit {
    let partition = CommitPartition { partition: 0, offset, leader_epoch: -1, metadata: "".into() };
    let topic = |name: &str| CommitTopic {
        topic: name.into(),
        topic_id: TopicId([9; 16]),
        partitions: vec![partition.clone()],
    };
    Commit {
        group: GROUP.into(),
        who: who(member, generation),
        knows_unknown_groups: true,
        retention_ms: None,
        topics: vec![topic("t"), topic("other")],
    }
}
