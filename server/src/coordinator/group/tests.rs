//! The rules of groups, over a simulated log and a clock that moves when a test moves it. Every test ends with the same
//! question: does the next life know what this one knew?

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use storage::env::SimClock;
use storage::{DataDir, DataDirOptions, Durability, Env, LeaderEpoch, LogConfig, LogId, TopicId};

use super::*;
use crate::coordinator::shard::Core;

pub(super) const LOG: LogId = LogId { topic: TopicId([1; 16]), partition: 0 };
pub(super) const GROUP: &str = "g";
const SESSION_MS: i32 = 10_000;
const REBALANCE_MS: i32 = 60_000;
const DELAY_MS: i32 = 3_000;

fn settings() -> GroupSettings {
    GroupSettings {
        initial_delay_ms: DELAY_MS,
        size_max: 4,
        metadata_chars_max: 10,
        retention_ms: 1_000_000,
        sweep_interval: Duration::from_secs(600),
        batch_bytes_max: 1 << 20,
        consumer: ConsumerSettings {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            assignment_interval_ms: 1_000,
            size_max: 4,
            may_upgrade: true,
            may_downgrade: true,
        },
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
    let config = LogConfig { durability: Durability::Durable, ..LogConfig::default() };
    let log = dir.open_log(LOG, "__consumer_offsets-0", config, LeaderEpoch(0)).unwrap();
    Core::load(GroupMachine::new(settings.clone()), log, || now(env), |_| {}).unwrap()
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
        let dir = DataDir::open(env.clone(), PathBuf::from("/data"), DataDirOptions::default()).unwrap();
        let settings = Arc::new(settings);
        let core = load(&env, &dir, &settings);
        Self { env, clock, dir, core, next_waiter: 0, answers: BTreeMap::new(), settings }
    }

    /// A clean end and another start.
    fn restart(&mut self) {
        self.dir.close();
        self.dir =
            DataDir::open(self.env.clone(), PathBuf::from("/data"), DataDirOptions::default()).unwrap();
        self.core = load(&self.env, &self.dir, &self.settings);
        self.answers.clear();
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

#[test]
fn two_members_from_nothing_to_stable_and_over_a_restart() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    assert_eq!(generation, 1);
    let before = world.core.machine().describe(GROUP).unwrap();
    assert_eq!((&*before.protocol, before.members.len()), ("range", 2));
    world.restart();
    assert_eq!(world.core.machine().describe(GROUP).unwrap(), before, "the next life knows it all");
    assert_eq!(world.beat(&ids[0], generation), Ok(()));
    assert_eq!(world.beat(&ids[0], generation + 1), Err(GroupError::IllegalGeneration));
    assert_eq!(world.beat("stranger", generation), Err(GroupError::UnknownMember));
}

#[test]
fn the_first_rebalance_waits_longer_for_each_who_comes_but_not_for_ever() {
    let mut world = World::new();
    let (_, first) = world.join_anew("a");
    world.wait_ms(DELAY_MS - 1);
    assert!(world.is_waiting(first));
    let (_, second) = world.join_anew("b");
    world.wait_ms(1);
    assert!(world.is_waiting(first) && world.is_waiting(second), "one came, so it waits once more");
    world.wait_ms(DELAY_MS);
    assert_eq!((world.joined(first).generation, world.joined(second).generation), (1, 1));
}

#[test]
fn the_leader_alone_learns_the_members() {
    let mut world = World::new();
    let (a, first) = world.join_anew("a");
    let (b, second) = world.join_anew("b");
    world.wait_ms(DELAY_MS);
    world.wait_ms(DELAY_MS);
    let (first, second) = (world.joined(first), world.joined(second));
    assert_eq!((&first.leader, &second.leader), (&a, &a));
    let ids: Vec<_> = first.members.iter().map(|member| &member.id).collect();
    assert_eq!((ids, second.members.len()), (vec![&a, &b], 0));
}

#[test]
fn who_comes_later_sets_off_a_rebalance_of_all() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    let (b, waiter) = world.join_anew("b");
    assert_eq!((world.state(), world.is_waiting(waiter)), ("PreparingRebalance", true));
    assert_eq!(world.beat(&ids[0], generation), Err(GroupError::RebalanceInProgress));
    let again = world.send(join(&ids[0], "a").into());
    let (first, second) = (world.joined(again), world.joined(waiter));
    assert_eq!((first.generation, second.generation), (generation + 1, generation + 1));
    assert_eq!((&first.leader, first.members.len()), (&ids[0], 2));
    assert_eq!(world.commit(&b, generation + 1, 1), Err(GroupError::RebalanceInProgress));
    let leader = world.assign(&ids[0], generation + 1, &[&ids[0], &b]);
    assert!(world.synced(leader).is_ok());
    let late = world.send(sync(&b, generation + 1, Vec::new()));
    assert_eq!(world.synced(late).unwrap().assignment, b.as_bytes());
}

#[test]
fn a_rebalance_that_is_not_finished_leaves_the_old_generation_after_a_restart() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    let (_, waiter) = world.join_anew("b");
    let again = world.send(join(&ids[0], "a").into());
    assert_eq!(
        (world.joined(again).generation, world.joined(waiter).generation),
        (generation + 1, generation + 1)
    );
    world.restart();
    assert_eq!((world.state(), world.beat(&ids[0], generation)), ("Stable", Ok(())));
    assert_eq!(world.beat("b-id", generation + 1), Err(GroupError::UnknownMember));
}

#[test]
fn who_does_not_join_in_time_is_out() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    let (_, waiter) = world.join_anew("c");
    let again = world.send(join(&ids[0], "a").into());
    for _ in 0..REBALANCE_MS / 5_000 {
        // `b` is alive and does not join.
        world.wait_ms(5_000);
        let _ = world.beat(&ids[1], generation);
    }
    assert_eq!((world.joined(again).generation, world.joined(waiter).generation), (2, 2));
    assert_eq!(world.beat(&ids[1], generation), Err(GroupError::UnknownMember));
}

#[test]
fn silence_for_a_session_ends_a_membership() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    world.wait_ms(SESSION_MS - 1);
    assert_eq!(world.beat(&ids[0], generation), Ok(()));
    world.wait_ms(1);
    assert_eq!(world.state(), "PreparingRebalance");
    world.wait_ms(SESSION_MS);
    assert_eq!((world.state(), world.core.machine().describe(GROUP).unwrap().members.len()), ("Empty", 0));
    world.restart();
    assert_eq!(world.state(), "Empty");
}

#[test]
fn an_id_that_is_never_used_is_forgotten() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    let Reply::Joined(given) = world.ask(join("", "b").into()) else { panic!() };
    assert_eq!(given.error, Some(GroupError::MemberIdRequired));
    // A rebalance waits for who was given an id.
    let mut changed = join(&ids[0], "a");
    changed.protocols[0].metadata = Bytes::from_static(b"new");
    let again = world.send(changed.into());
    assert!(world.is_waiting(again));
    world.wait_ms(SESSION_MS);
    assert_eq!(world.joined(again).generation, generation + 1);
    let late = world.ask(join("b-id", "b").into());
    assert!(matches!(late, Reply::Joined(j) if j.error == Some(GroupError::UnknownMember)));
}

#[test]
fn who_never_asks_for_the_assignment_is_out() {
    let mut world = World::new();
    let (a, first) = world.join_anew("a");
    let (b, second) = world.join_anew("b");
    world.wait_ms(DELAY_MS);
    world.wait_ms(DELAY_MS);
    world.joined(first);
    world.joined(second);
    let leader = world.assign(&a, 1, &[&a, &b]);
    assert!(world.synced(leader).is_ok());
    for _ in 0..REBALANCE_MS / 5_000 {
        world.wait_ms(5_000);
        let _ = (world.beat(&a, 1), world.beat(&b, 1));
    }
    assert_eq!(world.state(), "PreparingRebalance");
    assert_eq!(world.beat(&b, 1), Err(GroupError::UnknownMember));
}

#[test]
fn leaving_by_request() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    assert_eq!(world.leave("nobody"), Err(GroupError::UnknownMember));
    assert_eq!(world.leave(&ids[1]), Ok(()));
    assert_eq!(world.beat(&ids[0], generation), Err(GroupError::RebalanceInProgress));
    assert_eq!(world.leave(&ids[0]), Ok(()));
    assert_eq!(world.state(), "Empty");
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let mut world = World::new();
    let instance = |member: &str, new: &str| Join {
        instance: Some("i".into()),
        new_member: new.into(),
        ..join(member, "s")
    };
    let waiter = world.send(instance("", "s-1").into());
    world.wait_ms(DELAY_MS);
    let joined = world.joined(waiter);
    assert_eq!((joined.error, &*joined.member, joined.generation), (None, "s-1", 1));
    let assigned = world.assign("s-1", 1, &[&"s-1".into()]);
    assert!(world.synced(assigned).is_ok());
    world.restart();
    let Reply::Joined(again) = world.ask(instance("", "s-2").into()) else { panic!() };
    assert_eq!(
        (again.error, &*again.member, again.generation, again.skip_assignment),
        (None, "s-2", 1, true)
    );
    assert_eq!((&*again.leader, again.members.len(), world.state()), ("s-2", 1, "Stable"));
    let assigned = world.send(sync("s-2", 1, Vec::new()));
    assert_eq!(world.synced(assigned).unwrap().assignment, "s-1".as_bytes(), "it keeps what it had");
    // The old one is fenced, in this life and the next.
    for _ in 0..2 {
        let old = As { instance: Some("i".into()), ..who("s-1", 1) };
        let Reply::Beaten(fenced) = world.ask(Op::Heartbeat { group: GROUP.into(), who: old }) else {
            panic!()
        };
        assert_eq!(fenced, Err(GroupError::FencedInstance));
        world.restart();
    }
    // A client that does not know how to skip is told of the leader before, so that it assigns nothing.
    let older = Join { skips_assignment: false, ..instance("", "s-3") };
    let Reply::Joined(again) = world.ask(older.into()) else { panic!() };
    assert_eq!((&*again.leader, &*again.member, again.members.len()), ("s-2", "s-3", 0));
}

#[test]
fn protocols_must_fit_and_most_votes_count() {
    let mut world = World::new();
    let (ids, _) = world.stable(&["a", "b"]);
    let stranger = Join { protocols: vec![protocol("sticky")], ..join("", "c") };
    let refused = world.ask(stranger.into());
    assert!(matches!(refused, Reply::Joined(j) if j.error == Some(GroupError::InconsistentProtocol)));
    let other_type = Join { protocol_type: "connect".into(), ..join("", "c") };
    let refused = world.ask(other_type.into());
    assert!(matches!(refused, Reply::Joined(j) if j.error == Some(GroupError::InconsistentProtocol)));
    let turned =
        |id: &str| Join { protocols: vec![protocol("roundrobin"), protocol("range")], ..join(id, "x") };
    let (first, second) = (world.send(turned(&ids[0]).into()), world.send(turned(&ids[1]).into()));
    assert_eq!(world.joined(first).protocol.as_deref(), Some("roundrobin"));
    assert_eq!(world.joined(second).protocol.as_deref(), Some("roundrobin"));
}

#[test]
fn a_full_group_takes_nobody() {
    let mut world = World::with(GroupSettings { size_max: 2, ..settings() });
    world.stable(&["a", "b"]);
    let refused = world.ask(join("", "c").into());
    assert!(matches!(refused, Reply::Joined(j) if j.error == Some(GroupError::GroupFull)));
    assert_eq!(world.state(), "Stable");
}

#[test]
fn who_may_commit() {
    let mut world = World::new();
    assert_eq!(world.commit("", 3, 1), Err(GroupError::GroupNotFound));
    let older = Commit { knows_unknown_groups: false, ..commit("", 3, 1) };
    assert!(matches!(world.ask(Op::Commit(older)), Reply::Committed(Err(GroupError::IllegalGeneration))));
    // Nobody's member makes a group that only commits.
    assert_eq!(world.commit("", -1, 5), Ok(vec![vec![Ok(())], vec![Ok(())]]));
    assert_eq!((world.offset("t"), world.state()), (Some(5), "Empty"));
    let (ids, generation) = world.stable(&["a"]);
    assert_eq!(world.commit("", -1, 6), Err(GroupError::UnknownMember));
    assert_eq!(world.commit("x", generation, 6), Err(GroupError::UnknownMember));
    assert_eq!(world.commit(&ids[0], generation - 1, 6), Err(GroupError::IllegalGeneration));
    assert_eq!(world.offset("t"), Some(5));
    let mut long = commit(&ids[0], generation, 7);
    long.topics[1].partitions[0].metadata = "12345678901".into();
    let Reply::Committed(outcome) = world.ask(Op::Commit(long)) else { panic!() };
    assert_eq!(outcome, Ok(vec![vec![Ok(())], vec![Err(GroupError::MetadataTooLarge)]]));
    world.restart();
    assert_eq!((world.offset("t"), world.offset("other")), (Some(7), Some(5)));
}

#[test]
fn a_commit_keeps_its_member_alive() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    for offset in 0..5 {
        world.wait_ms(SESSION_MS - 1);
        assert!(world.commit(&ids[0], generation, offset).is_ok());
    }
    assert_eq!(world.state(), "Stable");
}

#[test]
fn a_commit_that_is_too_large_is_refused_whole() {
    let mut world = World::with(GroupSettings { batch_bytes_max: 200, ..settings() });
    assert_eq!(world.commit("", -1, 5), Err(GroupError::CommitTooLarge));
    assert_eq!((world.offset("t"), world.state()), (None, "none"));
}

#[test]
fn offsets_of_another_topic_of_the_name_do_not_count() {
    let mut world = World::new();
    world.commit("", -1, 5).unwrap();
    let ask = |topic_id| TopicPartitions { topic: "t".into(), topic_id, partitions: vec![0, 1] };
    let offsets = |world: &World, id| {
        let found = world.core.machine().offsets().fetch(GROUP, &[ask(id)]);
        found[0].partitions.iter().map(|(_, found)| found.as_ref().map(|c| c.offset)).collect::<Vec<_>>()
    };
    assert_eq!(offsets(&world, TopicId([9; 16])), [Some(5), None]);
    assert_eq!(offsets(&world, TopicId::ZERO), [Some(5), None]);
    assert_eq!(offsets(&world, TopicId([8; 16])), [None, None]);
    let all = world
        .core
        .machine()
        .offsets()
        .fetch_all(GROUP, |name| TopicId([if name == "t" { 8 } else { 9 }; 16]));
    assert_eq!(all.iter().map(|topic| &*topic.topic).collect::<Vec<_>>(), ["other"]);
    // The topic goes, and another one of the name stays out of it.
    world.ask(Op::ForgetTopic { topic: "t".into(), topic_id: TopicId([8; 16]) });
    assert_eq!(world.offset("t"), Some(5));
    world.ask(Op::ForgetTopic { topic: "t".into(), topic_id: TopicId([9; 16]) });
    world.restart();
    assert_eq!((world.offset("t"), world.offset("other")), (None, Some(5)));
}

#[test]
fn groups_and_offsets_are_deleted_when_nobody_uses_them() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    world.commit(&ids[0], generation, 5).unwrap();
    let delete = |world: &mut World| {
        let Reply::GroupsDeleted(outcomes) = world.ask(Op::DeleteGroups { groups: vec![GROUP.into()] })
        else {
            panic!()
        };
        outcomes[0]
    };
    let delete_offsets = |world: &mut World| {
        let ask = |t: &str| TopicPartitions { topic: t.into(), topic_id: TopicId::ZERO, partitions: vec![0] };
        let op = Op::DeleteOffsets { group: GROUP.into(), topics: vec![ask("t"), ask("other")] };
        let Reply::OffsetsDeleted(outcomes) = world.ask(op) else { panic!() };
        outcomes
    };
    assert_eq!(delete(&mut world), Err(GroupError::GroupNotEmpty));
    // Its members read `t`.
    assert_eq!(delete_offsets(&mut world), Ok(vec![vec![Err(GroupError::SubscribedToTopic)], vec![Ok(())]]));
    assert_eq!((world.offset("t"), world.offset("other")), (Some(5), None));
    world.leave(&ids[0]).unwrap();
    assert_eq!(delete(&mut world), Ok(()));
    assert_eq!(delete(&mut world), Err(GroupError::GroupNotFound));
    assert_eq!(delete_offsets(&mut world), Err(GroupError::GroupNotFound));
    world.restart();
    assert_eq!((world.state(), world.offset("t")), ("none", None));
}

#[test]
fn offsets_grow_old_and_groups_go_with_their_last() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    world.commit(&ids[0], generation, 5).unwrap();
    // A stable group keeps what it reads; what it does not read any more goes.
    for _ in 0..1_700_000 / 5_000 {
        world.wait_ms(5_000);
        assert_eq!(world.beat(&ids[0], generation), Ok(()));
    }
    assert_eq!((world.offset("t"), world.offset("other")), (Some(5), None));
    // From when it became empty, not from the commit.
    world.leave(&ids[0]).unwrap();
    world.wait_ms(600_000);
    assert_eq!(world.offset("t"), Some(5));
    world.wait_ms(600_000);
    world.wait_ms(600_000);
    assert_eq!((world.offset("t"), world.state()), (None, "none"));
    // A client of old chose how long.
    let short = Commit { retention_ms: Some(1_000), ..commit("", -1, 9) };
    world.ask(Op::Commit(short));
    world.restart();
    assert_eq!(world.offset("t"), Some(9));
    world.wait_ms(600_000);
    assert_eq!((world.offset("t"), world.state()), (None, "none"));
    world.restart();
    assert_eq!(world.state(), "none");
}

#[test]
fn a_lost_answer_is_given_again() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    let Reply::Joined(told) = world.ask(join(&ids[1], "b").into()) else { panic!() };
    assert_eq!((told.error, told.generation, told.members.len()), (None, generation, 0));
    assert_eq!(world.state(), "Stable", "a follower who says nothing new disturbs nobody");
    let again = world.send(sync(&ids[1], generation, Vec::new()));
    assert_eq!(world.synced(again).unwrap().assignment, ids[1].as_bytes());
    let leader = world.send(join(&ids[0], "a").into());
    assert_eq!((world.is_waiting(leader), world.state()), (true, "PreparingRebalance"));
}

/// One timer for each member, and none piles up however often they are heard.
#[test]
fn ten_thousand_members_are_one_group() {
    const MEMBERS: usize = 10_000;
    let mut world = World::with(GroupSettings { size_max: MEMBERS, batch_bytes_max: 8 << 20, ..settings() });
    let waiting: Vec<_> = (0..MEMBERS)
        .map(|n| {
            let name = format!("m{n}");
            let known = Join { takes_member_id: false, ..join("", &name) };
            (Arc::<str>::from(format!("{name}-id")), world.send(known.into()))
        })
        .collect();
    world.wait_ms(DELAY_MS);
    world.wait_ms(DELAY_MS);
    let joined: Vec<Joined> = waiting.iter().map(|(_, waiter)| world.joined(*waiter)).collect();
    assert_eq!(joined.iter().map(|j| j.members.len()).sum::<usize>(), MEMBERS, "the leader alone is told");
    let ids: Vec<&Arc<str>> = waiting.iter().map(|(id, _)| id).collect();
    let leader = world.assign(&joined[0].leader, 1, &ids);
    assert!(world.synced(leader).is_ok());
    for id in &ids {
        let waiter = world.send(sync(id, 1, Vec::new()));
        assert_eq!(world.synced(waiter).unwrap().assignment, id.as_bytes());
    }
    for _ in 0..3 {
        world.wait_ms(SESSION_MS - 1);
        for id in &ids {
            assert_eq!(world.beat(id, 1), Ok(()));
        }
    }
    // The members', and that of the sweep.
    assert_eq!((world.state(), world.core.timer_count()), ("Stable", MEMBERS + 1));
    world.restart();
    assert_eq!(world.core.machine().describe(GROUP).unwrap().members.len(), MEMBERS);
    assert_eq!(world.core.timer_count(), MEMBERS + 1);
}
