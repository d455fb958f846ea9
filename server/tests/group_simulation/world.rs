//! One run: the coordinator's process, its members, what is on its way between them, and what must hold.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use server::config::{Bounded, ConsumerTimes};
use server::coordinator::assignor::Assignor;
use server::coordinator::group::consumer::ConsumerSettings;
use server::coordinator::group::{Bound, Group, GroupMachine, GroupSettings, Op, Reply};
use server::coordinator::shard::{Core, Now, Waiter};
use storage::env::{SimClock, SimFiles, SimRandom};
use storage::{
    DataDir, DataDirOptions, Durability, Env, Flushing, JournalOptions, LeaderEpoch, LogConfig, LogId,
    Ticket, TopicId,
};

use crate::history::History;
use crate::member::{
    Asked, GROUP, JOIN_PATIENCE_MS, Kind, Member, PARTITIONS, Phase, REBALANCE_MS, SESSION_MS, TOPIC,
};
use crate::topics;

const LOG: LogId = LogId { topic: TopicId([1; 16]), partition: 0 };
/// How long things go wrong.
const TROUBLE_MS: u64 = 90_000;
/// How long the group then has to become stable: a session, a rebalance, what was on its way, and some room.
const PEACE_MS: u64 = 2 * (SESSION_MS as u64 + REBALANCE_MS as u64) + 2 * JOIN_PATIENCE_MS + 30_000;
const INITIAL_DELAY_MS: i32 = 1_000;
/// How often a member says something.
const STEP_MS: u64 = 1_000;

/// What members of a run speak: one protocol all of them, or each one of both.
const KINDS: &[&[Kind]] = &[&[Kind::Classic], &[Kind::Newer], &[Kind::Classic, Kind::Newer]];

enum Event {
    /// A message reaches the coordinator.
    Arrives {
        member: usize,
        request: u64,
        op: Op,
    },
    /// An answer reaches a member.
    Returns {
        member: usize,
        request: u64,
        reply: Reply,
        /// Of the group, when the answer was made.
        life: u32,
    },
    /// A member does its next step.
    Step {
        member: usize,
    },
    Flush,
    /// The coordinator's process, or its machine, goes.
    Crash {
        power: bool,
    },
    Start,
}

/// An answer, or what was read, that waits for its ticket.
struct Parked {
    seen: Ticket,
    what: Shown,
}

enum Shown {
    Answer {
        waiter: Waiter,
        reply: Reply,
        life: u32,
    },
    /// For each partition the place in the history of commits that a reader saw.
    Read(Vec<Option<usize>>),
}

struct Process {
    dir: Arc<DataDir>,
    core: Core<GroupMachine>,
    parked: Vec<Parked>,
    waiting: HashMap<Waiter, (usize, u64)>,
}

pub(crate) struct World {
    env: Env,
    files: SimFiles,
    clock: SimClock,
    random: SimRandom,
    process: Option<Process>,
    members: Vec<Member>,
    events: BTreeMap<u64, Event>,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    next_id: u64,
    now_ms: u64,
    starts: i32,
    histories: Vec<History>,
    /// Of a waiter's commit: its partitions and offset.
    commits: HashMap<Waiter, (Vec<u8>, i64)>,
    /// Which protocols members may speak when they begin anew.
    kinds: &'static [Kind],
    /// A group that was empty and is of the other kind now counts its generations anew: that is another life.
    life: u32,
    last_epoch: i32,
    owners: HashMap<(u32, i32, u8), usize>,
    trace: Vec<String>,
}

impl World {
    /// Plays one seed to its end, and answers its trace.
    pub(crate) fn run(seed: u64) -> Vec<String> {
        let mut world = Self::new(seed);
        world.play();
        world.trace
    }

    fn new(seed: u64) -> Self {
        let (env, files, clock) = Env::simulated(seed);
        let random = SimRandom::new(seed ^ 0x5eed);
        let count = 2 + random.below(4) as usize;
        let kinds = KINDS[random.below(KINDS.len() as u64) as usize];
        let kind = |random: &SimRandom| kinds[random.below(kinds.len() as u64) as usize];
        let members =
            (0..count).map(|index| Member::new(index, kind(&random), random.below(4) == 0)).collect();
        let mut world = Self {
            env,
            files,
            clock,
            random,
            process: None,
            members,
            events: BTreeMap::new(),
            queue: BinaryHeap::new(),
            next_id: 0,
            now_ms: 0,
            starts: 0,
            histories: (0..PARTITIONS).map(|_| History::default()).collect(),
            commits: HashMap::new(),
            kinds,
            life: 0,
            last_epoch: 0,
            owners: HashMap::new(),
            trace: Vec::new(),
        };
        world.start();
        for member in 0..count {
            let after = world.random.below(3_000);
            world.after(after, Event::Step { member });
        }
        world.after(5, Event::Flush);
        let first = 5_000 + world.random.below(30_000);
        let power = world.random.below(2) == 0;
        world.after(first, Event::Crash { power });
        world
    }

    fn is_trouble(&self) -> bool {
        self.now_ms < TROUBLE_MS
    }

    fn one_in(&self, n: u64) -> bool {
        self.random.below(n) == 0
    }

    fn after(&mut self, ms: u64, event: Event) {
        let id = self.next_id;
        self.next_id += 1;
        self.events.insert(id, event);
        self.queue.push(Reverse((self.now_ms + ms, id)));
    }

    fn note(&mut self, text: String) {
        let line = format!("{:>7} {text}", self.now_ms);
        if std::env::var_os("OTTLA_SIM_TRACE").is_some() {
            println!("{line}");
        }
        self.trace.push(line);
    }

    fn play(&mut self) {
        let end = TROUBLE_MS + PEACE_MS;
        loop {
            let event_at = self.queue.peek().map_or(end, |Reverse((at, _))| *at);
            let timer_at = self.process.as_ref().and_then(|p| p.core.next_timer());
            // The clock of the machine counts whole milliseconds.
            let timer_at = timer_at.map_or(u64::MAX, |at| at.as_millis() as u64).max(self.now_ms);
            let at = event_at.min(timer_at).min(end);
            self.clock.advance(Duration::from_millis(at - self.now_ms));
            self.now_ms = at;
            if at >= end {
                break;
            }
            if timer_at <= event_at {
                self.ring();
            } else if let Some(Reverse((_, id))) = self.queue.pop()
                && let Some(event) = self.events.remove(&id)
            {
                self.happen(event);
            }
        }
        self.judge();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives { member, request, op } => self.arrives(member, request, op),
            Event::Returns { member, request, reply, life } => self.returns(member, request, &reply, life),
            Event::Step { member } => {
                self.step(member);
                let after = STEP_MS / 2 + self.random.below(STEP_MS);
                self.after(after, Event::Step { member });
            }
            Event::Flush => {
                self.flush();
                let slow = self.is_trouble() && self.one_in(20);
                let after = if slow { 500 + self.random.below(3_000) } else { 1 + self.random.below(20) };
                self.after(after, Event::Flush);
            }
            Event::Crash { power } => {
                if self.is_trouble() {
                    self.crash(power);
                    let down = 100 + self.random.below(8_000);
                    self.after(down, Event::Start);
                    let (next, power) = (down + 2_000 + self.random.below(30_000), self.one_in(2));
                    self.after(next, Event::Crash { power });
                }
            }
            Event::Start => self.start(),
        }
    }

    fn now(&self) -> Now {
        Now { at: self.env.clock.monotonic(), wall_ms: self.env.clock.now_ms() }
    }

    // The coordinator.

    fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.starts += 1;
        let options = DataDirOptions {
            flushing: Flushing::Manual,
            journal: JournalOptions::SMALL,
            ..DataDirOptions::default()
        };
        let dir =
            DataDir::open(self.env.clone(), PathBuf::from("/data"), options).expect("the disk is sound");
        let config = LogConfig { durability: Durability::Durable, ..LogConfig::default() };
        let log = dir
            .open_log(LOG, "__consumer_offsets-0", config, LeaderEpoch(self.starts))
            .expect("the log is sound");
        let settings = GroupSettings {
            initial_delay_ms: INITIAL_DELAY_MS,
            size_max: 100,
            metadata_chars_max: 4096,
            retention_ms: i64::MAX,
            sweep_interval: Duration::from_secs(3600),
            batch_bytes_max: Arc::new((1 << 20).into()),
            consumer: ConsumerSettings {
                times: ConsumerTimes {
                    session_timeout_ms: Bounded::free(SESSION_MS),
                    heartbeat_interval_ms: Bounded::free(STEP_MS as i32),
                    assignment_interval_ms: Bounded::free(1_000),
                },
                patterns_interval_ms: 600_000,
                assignors: Assignor::ALL.to_vec(),
                size_max: 100,
                may_upgrade: true,
                may_downgrade: true,
            },
            group_bound: Bound::new(10),
            pending_bound: Bound::new(1_000),
        };
        let now = self.now();
        let core = Core::load(GroupMachine::new(settings.into(), topics::image()), log, || now, |_| {})
            .expect("the log is read");
        for partition in 0..PARTITIONS {
            let found = core.machine().offsets().get(GROUP, TOPIC, i32::from(partition)).map(|c| c.offset);
            self.histories[usize::from(partition)].survived(found, partition);
        }
        self.last_epoch = epoch_of(&core);
        let state = describe(&core);
        self.process = Some(Process { dir, core, parked: Vec::new(), waiting: HashMap::new() });
        self.note(format!("start {} {state}", self.starts));
    }

    fn crash(&mut self, power: bool) {
        let Some(process) = self.process.take() else { return };
        if power {
            self.files.crash();
        } else {
            self.files.kill();
        }
        drop(process);
        self.commits.clear();
        self.note(format!("crash, power {power}"));
    }

    /// The log takes nothing any more: the process ends, and another one begins.
    fn gives_up(&mut self) {
        self.note("a flush had failed".to_owned());
        self.crash(false);
        let down = 100 + self.random.below(3_000);
        self.after(down, Event::Start);
    }

    fn flush(&mut self) {
        let Some(process) = &self.process else { return };
        // Somebody waits for it, so that it is this one that fails.
        if self.is_trouble() && !process.parked.is_empty() && self.one_in(100) {
            self.files.fail_durable_after(1);
        }
        process.dir.flush();
        self.release();
    }

    /// What is durable by now leaves.
    fn release(&mut self) {
        let Some(process) = &mut self.process else { return };
        let (ready, parked): (Vec<_>, Vec<_>) = std::mem::take(&mut process.parked)
            .into_iter()
            .partition(|parked| matches!(parked.seen.peek(), Some(Ok(_))));
        let has_failed = parked.iter().any(|parked| matches!(parked.seen.peek(), Some(Err(_))));
        process.parked = parked;
        for Parked { what, .. } in ready {
            self.show(what);
        }
        // Whoever waits for an answer learns that there will be none.
        if has_failed {
            self.gives_up();
        }
    }

    fn ring(&mut self) {
        let now = self.now();
        let Some(process) = &mut self.process else { return };
        let Ok(turn) = process.core.ring(now) else { return self.gives_up() };
        let (state, epoch) = (describe(&process.core), epoch_of(&process.core));
        self.see_epoch(epoch);
        self.note(format!("timer: {state}"));
        self.took_turn(turn.answers, turn.seen);
    }

    fn arrives(&mut self, member: usize, request: u64, mut op: Op) {
        let now = self.now();
        let waiter = Waiter(self.next_id);
        self.next_id += 1;
        // The coordinator makes ids as requests come; one that comes twice is given two.
        if let Op::Join(join) = &mut op {
            join.new_member = format!("m{member}-{}", waiter.0).into();
        }
        let Some(process) = &mut self.process else { return };
        // In the newer protocol an answer tells once what changed, as in Kafka: a request that comes twice, or behind a
        // later one, would take it away. A client's connection keeps them in order, and each once.
        let is_newer = matches!(process.core.machine().group(GROUP), Some(Group::Consumer(_)));
        let tells = match &op {
            Op::Beat(beat) => beat.epoch >= 0,
            Op::Join(_) | Op::Sync(_) => is_newer,
            _ => false,
        };
        if tells {
            let last = &mut self.members[member].last_told;
            if last.is_some_and(|last| request <= last) {
                return;
            }
            *last = Some(request);
        }
        if let Op::Commit(commit) = &op {
            let asked = &commit.topics[0].partitions;
            let partitions = asked.iter().map(|p| p.partition as u8).collect();
            self.commits.insert(waiter, (partitions, asked[0].offset));
        }
        process.waiting.insert(waiter, (member, request));
        let op = Op::Seeing(topics::image(), Box::new(op));
        let Ok(turn) = process.core.decide(op, waiter, now) else { return self.gives_up() };
        let (state, epoch) = (describe(&process.core), epoch_of(&process.core));
        self.see_epoch(epoch);
        self.note(format!("m{member} asks {request}: {state}"));
        // A commit counts from here on: a restart may show it.
        for (answered, reply) in &turn.answers {
            let Some((partitions, offset)) = self.commits.get_mut(answered) else { continue };
            if let Reply::Committed(Ok(outcomes)) = reply {
                // What was refused is no part of it.
                let mut taken = outcomes.iter().flatten().map(Result::is_ok);
                partitions.retain(|_| taken.next() == Some(true));
                for partition in partitions {
                    self.histories[usize::from(*partition)].offsets.push(*offset);
                }
            }
        }
        self.took_turn(turn.answers, turn.seen);
        if self.one_in(4) {
            self.read();
        }
    }

    fn took_turn(&mut self, answers: Vec<(Waiter, Reply)>, seen: Option<Ticket>) {
        for (waiter, reply) in answers {
            self.park(Shown::Answer { waiter, reply, life: self.life }, seen.clone());
        }
    }

    /// Somebody looks at the committed offsets.
    fn read(&mut self) {
        let Some(process) = &mut self.process else { return };
        let offsets = process.core.machine().offsets();
        let shown = (0..PARTITIONS).map(|partition| {
            let found = offsets.get(GROUP, TOPIC, i32::from(partition))?.offset;
            let history = &self.histories[usize::from(partition)];
            Some(history.place_of(found).expect("nobody committed what is read"))
        });
        let shown = shown.collect();
        let seen = process.core.seen();
        self.park(Shown::Read(shown), seen);
    }

    fn park(&mut self, what: Shown, seen: Option<Ticket>) {
        match (seen, &mut self.process) {
            (Some(seen), Some(process)) => process.parked.push(Parked { seen, what }),
            _ => self.show(what),
        }
    }

    /// Somebody learns of it: from here on no crash may take it back.
    fn show(&mut self, what: Shown) {
        match what {
            Shown::Read(shown) => {
                for (history, place) in self.histories.iter_mut().zip(shown) {
                    history.known = history.known.max(place);
                }
            }
            Shown::Answer { waiter, reply, life } => {
                if let (Reply::Committed(Ok(_)), Some((partitions, offset))) =
                    (&reply, self.commits.remove(&waiter))
                {
                    for partition in partitions {
                        let history = &mut self.histories[usize::from(partition)];
                        history.known = history.known.max(history.place_of(offset));
                    }
                }
                let to = self.process.as_mut().and_then(|process| process.waiting.remove(&waiter));
                if let Some((member, request)) = to {
                    self.send_back(member, request, reply, life);
                }
            }
        }
    }

    // The network.

    /// How long a message is under way; `None` if it is lost.
    fn delay(&self) -> Option<u64> {
        if !self.is_trouble() {
            return Some(1);
        }
        match self.random.below(100) {
            0..4 => None,
            4..10 => Some(200 + self.random.below(6_000)),
            _ => Some(1 + self.random.below(30)),
        }
    }

    fn send_back(&mut self, member: usize, request: u64, reply: Reply, life: u32) {
        if let Some(delay) = self.delay() {
            self.after(delay, Event::Returns { member, request, reply, life });
        }
    }

    /// Within a process epochs rise, but for a group that begins anew.
    fn see_epoch(&mut self, epoch: i32) {
        if epoch < self.last_epoch {
            self.life += 1;
        }
        self.last_epoch = epoch;
    }

    // The members.

    fn step(&mut self, index: usize) {
        if self.is_trouble() && self.one_in(30) {
            return self.disturb(index);
        }
        let (now_ms, commits) = (self.now_ms, self.one_in(2).then_some(self.next_id as i64));
        let member = &mut self.members[index];
        if !member.is_alive {
            member.is_alive = true;
        }
        if member.asked.is_some_and(|asked| now_ms < asked.until_ms) {
            return;
        }
        if member.asked.take().is_some() {
            member.gives_up();
        }
        let (op, patience_ms) = member.next(commits);
        let request = self.next_id;
        member.asked = Some(Asked { request, until_ms: now_ms + patience_ms });
        // What a client sends again after a lost answer may meet what it sent first.
        if self.is_trouble() && self.one_in(20) {
            let (again, _) = self.members[index].next(commits);
            let after = 1 + self.random.below(3_000);
            self.after(after, Event::Arrives { member: index, request, op: again });
        }
        self.next_id += 1;
        if let Some(delay) = self.delay() {
            self.after(delay, Event::Arrives { member: index, request, op });
        }
    }

    /// A member dies, stalls or leaves.
    fn disturb(&mut self, index: usize) {
        let next = self.kinds[self.random.below(self.kinds.len() as u64) as usize];
        match self.random.below(3) {
            0 => {
                self.members[index].die(next);
                self.note(format!("m{index} dies"));
            }
            1 => {
                let until_ms = self.now_ms + self.random.below(3 * SESSION_MS as u64);
                self.members[index].asked = Some(Asked { request: u64::MAX, until_ms });
                self.note(format!("m{index} stalls until {until_ms}"));
            }
            _ => {
                let op = self.members[index].leave();
                self.members[index].die(next);
                self.note(format!("m{index} leaves"));
                if let Some(delay) = self.delay() {
                    self.after(delay, Event::Arrives { member: index, request: u64::MAX, op });
                }
            }
        }
    }

    fn returns(&mut self, index: usize, request: u64, reply: &Reply, life: u32) {
        let member = &mut self.members[index];
        if member.asked.is_none_or(|asked| asked.request != request) {
            return;
        }
        member.asked = None;
        let begins = member.hear(reply);
        let (generation, owned) = (member.generation, member.owned.clone());
        self.note(format!("m{index} hears {reply:?}"));
        if begins {
            for partition in owned {
                let owner = *self.owners.entry((life, generation, partition)).or_insert(index);
                assert_eq!(owner, index, "partition {partition} has two owners in generation {generation}");
            }
        }
        // Who speaks the newer protocol waits for its next step, as clients do.
        let member = &self.members[index];
        if member.phase != Phase::Reading && member.kind == Kind::Classic {
            self.step(index);
        }
    }

    /// Peace has lasted long enough for the group to be whole.
    fn judge(&mut self) {
        let process = self.process.as_ref().expect("the coordinator is up");
        assert!(describe(&process.core).starts_with("Stable"), "at the end: {}", describe(&process.core));
        let mut owned: Vec<u8> = self.members.iter().flat_map(|member| member.owned.clone()).collect();
        owned.sort_unstable();
        assert_eq!(owned, (0..PARTITIONS).collect::<Vec<_>>(), "what is owned at the end");
        assert!(self.members.iter().all(|member| member.phase == Phase::Reading), "somebody is not in");
        self.note("end".to_owned());
    }
}

fn describe(core: &Core<GroupMachine>) -> String {
    match core.machine().group(GROUP) {
        Some(Group::Classic(group)) => {
            format!("{} {} of {}", group.state_name(), group.generation(), group.member_count())
        }
        Some(group @ Group::Consumer(_)) => {
            format!("{} {} of {}, newer", group.state_name(), epoch_of(core), group.member_count())
        }
        None => "no group".to_owned(),
    }
}

/// The generation, or the epoch; 0 without a group.
fn epoch_of(core: &Core<GroupMachine>) -> i32 {
    match core.machine().group(GROUP) {
        Some(Group::Classic(group)) => group.generation(),
        Some(Group::Consumer(_)) => core.machine().describe_consumer(GROUP).map_or(0, |group| group.epoch),
        None => 0,
    }
}
