//! The rules of consumer groups, over a simulated log and a clock that moves when a test moves it.

mod conversion;
mod seeded;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use storage::env::SimClock;
use storage::{DataDir, DataDirOptions, Env};

use super::*;
use crate::cluster::Topic;
use crate::cluster::image::of_topics as test_image;
use crate::config::{Bounded, ConsumerTimes};
use crate::coordinator::group::tests::{GROUP, load, now};
use crate::coordinator::group::{
    Bound, Commit, CommitPartition, CommitTopic, Group, GroupMachine, GroupSettings, Join, Joined, Op,
    Protocol, Reply, Sync,
};
use crate::coordinator::shard::{Core, Waiter};

const SESSION_MS: i32 = 45_000;
const INTERVAL_MS: i32 = 5_000;
const REBALANCE_MS: i32 = 60_000;

fn settings() -> GroupSettings {
    GroupSettings {
        initial_delay_ms: 0,
        size_max: 4,
        metadata_chars_max: 10,
        retention_ms: 1_000_000_000,
        sweep_interval: Duration::from_secs(600),
        batch_bytes_max: Arc::new((1 << 20).into()),
        consumer: ConsumerSettings {
            times: ConsumerTimes {
                session_timeout_ms: Bounded::free(SESSION_MS),
                heartbeat_interval_ms: Bounded::free(INTERVAL_MS),
                assignment_interval_ms: Bounded::free(1_000),
            },
            patterns_interval_ms: 600_000,
            assignors: Assignor::ALL.to_vec(),
            size_max: 6,
            may_upgrade: true,
            may_downgrade: true,
        },
        group_bound: Bound::new(100),
        pending_bound: Bound::new(100),
    }
}

fn id(name: &str) -> TopicId {
    let mut id = [7; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    TopicId(id)
}

struct World {
    env: Env,
    clock: SimClock,
    dir: Arc<DataDir>,
    core: Core<GroupMachine>,
    image: Arc<Image>,
    topics: BTreeMap<&'static str, u32>,
    answers: BTreeMap<Waiter, Reply>,
    next_waiter: u64,
    settings: Arc<GroupSettings>,
}

impl World {
    fn new(topics: &[(&'static str, u32)]) -> Self {
        Self::with(settings(), topics)
    }

    fn with(settings: GroupSettings, topics: &[(&'static str, u32)]) -> Self {
        let settings = Arc::new(settings);
        let (env, _files, clock) = Env::simulated(7);
        let dir = DataDir::open(env.clone(), PathBuf::from("/data"), DataDirOptions::default()).unwrap();
        let core = load(&env, &dir, &settings);
        let mut world = Self {
            env,
            clock,
            dir,
            core,
            image: Arc::default(),
            topics: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_waiter: 0,
            settings,
        };
        topics.iter().for_each(|(name, partitions)| world.set_topic(name, *partitions));
        world
    }

    fn set_topic(&mut self, name: &'static str, partitions: u32) {
        self.topics.insert(name, partitions);
        let topics = self.topics.iter().map(|(name, partitions)| Topic {
            id: id(name),
            name: (*name).into(),
            partitions: *partitions,
            configs: BTreeMap::new(),
        });
        self.image = Arc::new(test_image(topics));
    }

    /// A clean end and another start: the next life knows what this one knew.
    fn restart(&mut self) {
        let before = self.described();
        self.dir.close();
        let (env, dir) = (self.env.clone(), PathBuf::from("/data"));
        self.dir = DataDir::open(env, dir, DataDirOptions::default()).unwrap();
        self.core = load(&self.env, &self.dir, &self.settings);
        assert_eq!(self.described(), before);
    }

    fn send(&mut self, op: Op) -> Waiter {
        let waiter = Waiter(self.next_waiter);
        self.next_waiter += 1;
        let op = Op::Seeing(self.image.clone(), Box::new(op));
        let turn = self.core.decide(op, waiter, now(&self.env)).unwrap();
        self.answers.extend(turn.answers);
        waiter
    }

    fn ask(&mut self, op: Op) -> Reply {
        let waiter = self.send(op);
        self.answers.remove(&waiter).expect("an answer at once")
    }

    fn beat(&mut self, beat: Beat) -> Result<Beaten, GroupError> {
        match self.ask(Op::Beat(Box::new(beat))) {
            Reply::ConsumerBeaten(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn wait_ms(&mut self, ms: i32) {
        self.clock.advance(Duration::from_millis(ms as u64));
        let turn = self.core.ring(now(&self.env)).unwrap();
        self.answers.extend(turn.answers);
    }

    fn described(&self) -> Option<DescribedConsumer> {
        self.core.machine().describe_consumer(GROUP)
    }

    fn state(&self) -> &'static str {
        self.described().map_or("none", |group| group.state)
    }

    /// Beats of all, until nothing changes any more.
    fn settle(&mut self, members: &mut [Client]) {
        for _ in 0..20 {
            self.wait_ms(1_000);
            for member in &mut *members {
                member.beat(self).unwrap();
            }
        }
        assert_eq!(self.state(), "Stable");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.dir.close();
    }
}

/// A member as clients are written: it joins, tells what it has when that changes, and gives up what it is not assigned.
#[derive(Debug, Clone)]
struct Client {
    id: Arc<str>,
    instance: Option<Arc<str>>,
    topics: Option<BTreeSet<String>>,
    pattern: Option<Arc<str>>,
    assignor: Option<Arc<str>>,
    epoch: i32,
    has: Partitions,
    /// It says all again with the next heartbeat.
    says_all: bool,
    /// It has yet to give up what it is not assigned.
    is_slow: bool,
    /// What it was told last.
    told: Partitions,
}

impl Client {
    fn new(id: &str, topics: &[&str]) -> Self {
        Self {
            id: id.into(),
            instance: None,
            topics: Some(topics.iter().map(|topic| (*topic).to_owned()).collect()),
            pattern: None,
            assignor: None,
            epoch: 0,
            has: Partitions::new(),
            says_all: true,
            is_slow: false,
            told: Partitions::new(),
        }
    }

    fn of_instance(id: &str, instance: &str, topics: &[&str]) -> Self {
        Self { instance: Some(instance.into()), ..Self::new(id, topics) }
    }

    fn request(&self) -> Beat {
        let all = self.says_all || self.epoch == 0;
        Beat {
            group: GROUP.into(),
            member: self.id.clone(),
            epoch: self.epoch,
            instance: self.instance.clone(),
            rack: None,
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: all.then_some(REBALANCE_MS),
            topics: self.topics.clone().filter(|_| all),
            pattern: self.pattern.clone().filter(|_| all),
            assignor: self.assignor.clone().filter(|_| all),
            owned: Some(self.has.clone()),
        }
    }

    fn beat(&mut self, world: &mut World) -> Result<Beaten, GroupError> {
        let outcome = world.beat(self.request());
        self.hear(&outcome);
        outcome
    }

    fn hear(&mut self, outcome: &Result<Beaten, GroupError>) {
        match outcome {
            Ok(beaten) => {
                self.epoch = beaten.epoch;
                self.says_all = false;
                if let Some(assigned) = &beaten.assigned {
                    self.told = assigned.clone();
                }
                self.follow();
            }
            Err(GroupError::FencedMemberEpoch | GroupError::UnknownMember) => {
                (self.epoch, self.says_all) = (0, true);
                self.has.clear();
                self.told.clear();
            }
            Err(_) => {}
        }
    }

    /// Gives up what it is not to have, unless it is slow, and takes what it is told.
    fn follow(&mut self) {
        if self.is_slow {
            return;
        }
        self.has = self.told.clone();
    }

    fn leave(&mut self, world: &mut World, epoch: i32) -> Result<Beaten, GroupError> {
        let outcome = world.beat(Beat { epoch, ..self.request() });
        (self.epoch, self.says_all) = (0, true);
        self.has.clear();
        self.told.clear();
        outcome
    }
}

fn count(partitions: &Partitions) -> usize {
    partitions.values().map(BTreeSet::len).sum()
}

fn all(members: &[Client]) -> Vec<(TopicId, i32)> {
    let mut all: Vec<_> = members
        .iter()
        .flat_map(|member| member.has.iter())
        .flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
        .collect();
    all.sort();
    all
}

fn partitions(topic: &str, count: i32) -> Vec<(TopicId, i32)> {
    (0..count).map(|partition| (id(topic), partition)).collect()
}

#[test]
fn one_three_one() {
    let mut world = World::new(&[("t", 6)]);
    let mut members = vec![Client::new("a", &["t"])];
    let first = members[0].beat(&mut world).unwrap();
    assert_eq!((first.epoch, first.heartbeat_interval_ms), (2, INTERVAL_MS));
    assert_eq!(count(&first.assigned.unwrap()), 6);
    // Nothing new: nothing is said.
    assert_eq!(members[0].beat(&mut world).unwrap().assigned, None);
    members.extend([Client::new("b", &["t"]), Client::new("c", &["t"])]);
    // What the first one has is not free yet.
    assert_eq!(count(&members[1].beat(&mut world).unwrap().assigned.unwrap()), 0);
    world.settle(&mut members);
    assert!(members.iter().all(|member| count(&member.has) == 2), "{members:?}");
    assert_eq!(all(&members), partitions("t", 6));
    world.restart();
    world.settle(&mut members);
    for gone in [2, 1] {
        let left = members.remove(gone).leave(&mut world, LEAVES).unwrap();
        assert_eq!((left.epoch, left.assigned), (LEAVES, None));
        world.settle(&mut members);
    }
    assert_eq!(count(&members[0].has), 6);
    members[0].leave(&mut world, LEAVES).unwrap();
    assert_eq!(world.state(), "Empty");
    world.restart();
    let Reply::GroupsDeleted(deleted) = world.ask(Op::DeleteGroups { groups: vec![GROUP.into()] }) else {
        panic!()
    };
    assert_eq!((deleted, world.state()), (vec![Ok(())], "none"));
    world.restart();
}

#[test]
fn what_somebody_still_has_is_given_to_nobody() {
    let mut world = World::new(&[("t", 2)]);
    let (mut a, mut b) = (Client::new("a", &["t"]), Client::new("b", &["t"]));
    a.beat(&mut world).unwrap();
    a.is_slow = true;
    b.beat(&mut world).unwrap();
    world.wait_ms(1_000);
    for _ in 0..4 {
        b.beat(&mut world).unwrap();
        let told = a.beat(&mut world).unwrap();
        assert_eq!((told.epoch, count(&a.has), count(&a.told), count(&b.has)), (2, 2, 1, 0));
    }
    assert_eq!(world.state(), "Reconciling");
    a.is_slow = false;
    a.follow();
    a.beat(&mut world).unwrap();
    b.beat(&mut world).unwrap();
    assert_eq!((a.epoch, count(&a.has), count(&b.has), world.state()), (3, 1, 1, "Stable"));
}

#[test]
fn who_does_not_give_up_in_time_is_out() {
    let mut world = World::new(&[("t", 2)]);
    let (mut a, mut b) = (Client::new("a", &["t"]), Client::new("b", &["t"]));
    a.beat(&mut world).unwrap();
    a.is_slow = true;
    b.beat(&mut world).unwrap();
    for _ in 0..REBALANCE_MS / 10_000 + 1 {
        world.wait_ms(10_000);
        b.beat(&mut world).unwrap();
        let _ = a.beat(&mut world);
    }
    assert_eq!(a.epoch, 0);
    world.wait_ms(1_000);
    b.beat(&mut world).unwrap();
    assert_eq!(count(&b.has), 2);
}

#[test]
fn who_is_not_heard_of_is_out() {
    let mut world = World::new(&[("t", 2)]);
    let mut members = vec![Client::new("a", &["t"]), Client::new("b", &["t"])];
    world.settle_from_nothing(&mut members);
    let mut gone = members.pop().unwrap();
    for _ in 0..SESSION_MS / 5_000 {
        members[0].beat(&mut world).unwrap();
        world.wait_ms(5_000);
    }
    world.settle(&mut members);
    assert_eq!(count(&members[0].has), 2);
    assert_eq!(gone.beat(&mut world), Err(GroupError::UnknownMember));
    // A restart gives everybody the whole time again.
    world.restart();
    world.wait_ms(SESSION_MS - 1);
    members[0].beat(&mut world).unwrap();
    world.wait_ms(SESSION_MS);
    assert_eq!(world.state(), "Empty");
}

impl World {
    fn settle_from_nothing(&mut self, members: &mut [Client]) {
        for member in &mut *members {
            member.beat(self).unwrap();
        }
        self.settle(members);
    }
}

#[test]
fn epochs_fence() {
    let mut world = World::new(&[("t", 2)]);
    let mut a = Client::new("a", &["t"]);
    assert_eq!(world.beat(Beat { epoch: 3, ..a.request() }), Err(GroupError::GroupNotFound));
    assert_eq!(world.beat(Beat { epoch: LEAVES, ..a.request() }), Err(GroupError::GroupNotFound));
    a.beat(&mut world).unwrap();
    assert_eq!(world.beat(Beat { epoch: 3, ..a.request() }), Err(GroupError::FencedMemberEpoch));
    assert_eq!(world.beat(Beat { member: "x".into(), ..a.request() }), Err(GroupError::UnknownMember));
    // The answer with epoch 3 is lost: the member comes with 2 and what it has, and is told again.
    let mut b = Client::new("b", &["t"]);
    b.beat(&mut world).unwrap();
    world.wait_ms(1_000);
    b.beat(&mut world).unwrap();
    a.beat(&mut world).unwrap();
    let lost = world.beat(a.request()).unwrap();
    assert_eq!((a.epoch, lost.epoch), (2, 3));
    assert_eq!(a.beat(&mut world).unwrap().epoch, 3);
    // With more than it is to have it would be one that has missed something.
    let more = Partitions::from([(id("t"), [0, 1].into())]);
    let lagging = Beat { epoch: 2, owned: Some(more), ..a.request() };
    assert_eq!(world.beat(lagging), Err(GroupError::FencedMemberEpoch));
    assert_eq!(world.beat(Beat { epoch: 2, owned: None, ..a.request() }), Err(GroupError::FencedMemberEpoch));
    // Whoever joins again is told everything.
    let again = world.beat(Client::new("a", &["t"]).request());
    assert_eq!(count(&again.unwrap().assigned.unwrap()), 1);
}

#[test]
fn an_instance_keeps_what_it_has() {
    let mut world = World::new(&[("t", 4)]);
    let mut members = vec![Client::of_instance("a", "i", &["t"]), Client::new("b", &["t"])];
    world.settle_from_nothing(&mut members);
    let had = members[0].has.clone();
    let mut second = Client::of_instance("a2", "i", &["t"]);
    assert_eq!(second.beat(&mut world), Err(GroupError::UnreleasedInstance));
    assert_eq!(members[0].leave(&mut world, LEAVES_FOR_NOW).unwrap().epoch, LEAVES_FOR_NOW);
    let epoch = world.described().unwrap().epoch;
    world.restart();
    let back = second.beat(&mut world).unwrap();
    assert_eq!((back.assigned.as_ref(), back.epoch), (Some(&had), epoch));
    assert_eq!((world.described().unwrap().epoch, world.state()), (epoch, "Stable"));
    let old = Beat { epoch, owned: Some(had.clone()), ..members[0].request() };
    assert_eq!(world.beat(old), Err(GroupError::FencedInstance));
    // One that does not come back in time is out.
    second.leave(&mut world, LEAVES_FOR_NOW).unwrap();
    for _ in 0..SESSION_MS / 5_000 {
        members[1].beat(&mut world).unwrap();
        world.wait_ms(5_000);
    }
    world.settle(&mut members[1..]);
    assert_eq!(count(&members[1].has), 4);
    assert_eq!(world.beat(Beat { epoch: LEAVES, ..second.request() }), Err(GroupError::UnknownMember));
}

#[test]
fn patterns_find_topics() {
    let mut world = World::new(&[("xa", 1), ("y", 1)]);
    let mut a = Client { topics: None, pattern: Some("x.*".into()), ..Client::new("a", &[]) };
    let wrong = Beat { pattern: Some("(".into()), ..a.request() };
    assert_eq!(world.beat(wrong), Err(GroupError::InvalidPattern));
    assert_eq!(world.state(), "none");
    a.beat(&mut world).unwrap();
    assert_eq!(a.has, Partitions::from([(id("xa"), [0].into())]));
    world.set_topic("xb", 2);
    world.wait_ms(11_000);
    world.restart();
    a.beat(&mut world).unwrap();
    assert_eq!(count(&a.has), 3);
    // No pattern any more: what it stood for is forgotten.
    (a.pattern, a.topics, a.says_all) = (Some("".into()), Some(["y".to_owned()].into()), true);
    world.wait_ms(1_000);
    a.beat(&mut world).unwrap();
    a.beat(&mut world).unwrap();
    assert_eq!(a.has, Partitions::from([(id("y"), [0].into())]));
    world.restart();
    let Some(Group::Consumer(group)) = world.core.machine().group(GROUP) else { panic!() };
    assert!(group.patterns.is_empty() && group.is_subscribed_to("y") && !group.is_subscribed_to("xa"));
}

#[test]
fn topics_that_come_and_grow_are_given_out() {
    let mut world = World::new(&[]);
    let mut members = vec![Client::new("a", &["t"])];
    assert_eq!(count(&members[0].beat(&mut world).unwrap().assigned.unwrap()), 0);
    for (partitions, wait) in [(1, 1_000), (3, 1_000)] {
        world.set_topic("t", partitions);
        world.wait_ms(wait);
        members[0].beat(&mut world).unwrap();
        assert_eq!(count(&members[0].has), partitions as usize);
    }
    world.restart();
    let epoch = world.described().unwrap().epoch;
    world.settle(&mut members);
    assert_eq!(world.described().unwrap().epoch, epoch);
}

#[test]
fn the_assignor_that_most_ask_for() {
    let mut world = World::new(&[("t", 3), ("u", 3)]);
    let range = |name: &str| Client { assignor: Some("range".into()), ..Client::new(name, &["t", "u"]) };
    let mut members = vec![range("a"), range("b")];
    world.settle_from_nothing(&mut members);
    assert_eq!(world.described().unwrap().assignor, "range");
    assert_eq!(members[0].has, Partitions::from([(id("t"), [0, 1].into()), (id("u"), [0, 1].into())]));
}

#[test]
fn a_full_group_takes_nobody() {
    let mut world = World::new(&[("t", 1)]);
    for n in 0..6 {
        Client::new(&format!("m{n}"), &["t"]).beat(&mut world).unwrap();
    }
    assert_eq!(Client::new("m6", &["t"]).beat(&mut world), Err(GroupError::GroupFull));
    assert!(Client::new("m5", &["t"]).beat(&mut world).is_ok());
}

#[test]
fn members_commit_what_they_have() {
    let mut world = World::new(&[("t", 2)]);
    let mut members = vec![Client::new("a", &["t"])];
    world.settle_from_nothing(&mut members);
    members.push(Client::new("b", &["t"]));
    world.settle(&mut members);
    let mine = *members[0].has[&id("t")].first().unwrap();
    let commit = |who: &str, epoch: i32, partition: i32, knows: bool| {
        Op::Commit(Commit {
            group: GROUP.into(),
            who: As { member: who.into(), instance: None, generation: epoch },
            knows_unknown_groups: knows,
            retention_ms: None,
            topics: vec![CommitTopic {
                topic: "t".into(),
                topic_id: id("t"),
                partitions: vec![CommitPartition {
                    partition,
                    offset: 1,
                    leader_epoch: -1,
                    metadata: "".into(),
                }],
            }],
        })
    };
    let stale = GroupError::StaleMemberEpoch;
    for (op, expected) in [
        (commit("a", 3, mine, true), Ok(vec![vec![Ok(())]])),
        // It has had this one since epoch 2, and the other one is not its own any more.
        (commit("a", 2, mine, true), Ok(vec![vec![Ok(())]])),
        (commit("a", 2, 1 - mine, true), Ok(vec![vec![Err(stale)]])),
        (commit("b", 2, 1 - mine, true), Ok(vec![vec![Err(stale)]])),
        (commit("a", 4, mine, true), Err(stale)),
        (commit("a", 3, mine, false), Err(GroupError::UnsupportedVersion)),
        (commit("x", 3, mine, true), Err(GroupError::UnknownMember)),
        (commit("", -1, mine, true), Err(GroupError::UnknownMember)),
    ] {
        let Reply::Committed(outcome) = world.ask(op) else { panic!() };
        assert_eq!(outcome, expected);
    }
    let Some(Group::Consumer(group)) = world.core.machine().group(GROUP) else { panic!() };
    assert_eq!(group.may_fetch(None, -1), Ok(()));
    assert_eq!(group.may_fetch(Some("a"), 3), Ok(()));
    assert_eq!(group.may_fetch(Some("a"), 2), Err(stale));
    assert_eq!(group.may_fetch(Some("x"), 2), Err(GroupError::UnknownMember));
}
