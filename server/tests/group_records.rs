//! The targets of `server::coordinator::fuzz` with logs of groups that nobody would write: records of every kind with wild
//! numbers, for a few groups, members and topics so that they meet, and bytes in which bits are flipped, pieces are cut
//! out and put elsewhere, and numbers are overwritten.
//!
//! A seed decides everything about one input. By default it goes on for some seconds and a least number of inputs;
//! `OTTLA_EFFORT=long` makes 10⁶. `OTTLA_SIM_SEED` runs one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use server::coordinator::fuzz;
use server::coordinator::records::{
    ClassicMember, Committed, ConsumerMember, ConsumerRecord, CurrentAssignment, Encoded, GroupEpoch,
    GroupMember, GroupMetadata, MemberState, OffsetKey, Partitions, Record, ResolvedPattern, TargetEpoch,
    WithEpochs,
};
use server::coordinator::shard::{Core, Machine, Now, Out, Waiter};
use storage::env::{Clock, Random, RealClock, SimRandom};
use storage::{
    BatchBuilder, DataDir, DataDirOptions, Durability, Env, LeaderEpoch, LogConfig, LogId, Origin, TopicId,
    check_internal,
};

const SPAN: Duration = Duration::from_secs(4);
const INPUTS_MIN: u64 = 400;
const INPUTS_LONG: u64 = 1_000_000;
/// So many inputs are read record by record for one that a coordinator lives with, which takes as much longer.
const READ_EACH: u64 = 20;
const RECORDS_MAX: u64 = 30;

/// Numbers at which epochs, times and lengths go wrong.
const NUMBERS: [i64; 12] =
    [0, 1, 2, 5, -1, -2, 127, i32::MAX as i64, i32::MIN as i64, u32::MAX as i64, i64::MAX, i64::MIN];
/// A subscription of the classic protocol to `t`, an assignment of `t`'s first partition, neither.
const EMBEDDED: [&[u8]; 4] = [
    b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0",
    b"\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\xff\xff\xff\xff",
    b"",
    b"\0\x03\0\0\x01",
];

/// Makes up values.
struct Maker(SimRandom);

impl Maker {
    fn one_in(&self, n: u64) -> bool {
        self.0.below(n) == 0
    }

    fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[self.0.below(from.len() as u64) as usize]
    }

    fn name(&self, of: &[&str]) -> String {
        if self.one_in(20) { "é".repeat(self.0.below(40) as usize) } else { self.pick(of).to_owned() }
    }

    fn name_or_none(&self, of: &[&str]) -> Option<String> {
        (!self.one_in(2)).then(|| self.name(of))
    }

    /// A likely number, or one of those.
    fn number(&self) -> i64 {
        if self.one_in(6) { self.pick(&NUMBERS) } else { self.0.below(8) as i64 }
    }

    fn int(&self) -> i32 {
        self.number() as i32
    }

    fn bytes(&self) -> Bytes {
        Bytes::from_static(self.pick(&EMBEDDED))
    }

    fn several<T>(&self, max: u64, one: impl Fn() -> T) -> Vec<T> {
        (0..self.0.below(max + 1)).map(|_| one()).collect()
    }

    fn topic(&self) -> TopicId {
        TopicId([self.pick(&[3, 3, 4, 9, 0]); 16])
    }

    fn partitions(&self) -> Partitions {
        let of_topic = || (self.topic(), self.several(4, || self.int()).into_iter().collect::<BTreeSet<_>>());
        self.several(2, of_topic).into_iter().collect()
    }

    fn with_epochs(&self) -> WithEpochs {
        let one = || (self.int(), self.int());
        let of_topic = || (self.topic(), self.several(4, one).into_iter().collect::<BTreeMap<_, _>>());
        // A topic without partitions is not written.
        self.several(2, of_topic).into_iter().filter(|(_, partitions)| !partitions.is_empty()).collect()
    }

    fn group(&self) -> String {
        self.name(&["g", "h", "k"])
    }

    fn member(&self) -> String {
        self.name(&["a", "b", "c", "d"])
    }

    fn or_none<T>(&self, value: impl FnOnce() -> T) -> Option<T> {
        (!self.one_in(5)).then(value)
    }

    fn record(&self) -> Record {
        match self.0.below(12) {
            0 | 1 => self.offset(),
            2 | 3 => Record::ClassicGroup(self.group(), self.or_none(|| self.classic())),
            _ => Record::Consumer(self.group(), self.of_consumers()),
        }
    }

    fn offset(&self) -> Record {
        let topic = self.name(&["t", "u", "gone"]);
        let key = OffsetKey { group: self.group(), topic, partition: self.int() };
        let committed = || {
            let expire_ms = self.one_in(4).then(|| self.number()).filter(|at| *at != -1);
            let newest = expire_ms.is_none();
            Committed {
                offset: self.number(),
                leader_epoch: if newest { self.int() } else { -1 },
                metadata: self.name(&["", "m"]).into(),
                commit_ms: self.number(),
                expire_ms,
                topic_id: if newest { self.topic() } else { TopicId::default() },
            }
        };
        Record::Offset(key, self.or_none(committed))
    }

    fn classic(&self) -> GroupMetadata {
        let member = || GroupMember {
            id: self.member(),
            instance: self.name_or_none(&["i1", "i2"]),
            client_id: self.name(&["c"]),
            client_host: self.name(&["/h"]),
            rebalance_timeout_ms: self.int(),
            session_timeout_ms: self.int(),
            subscription: self.bytes(),
            assignment: self.bytes(),
        };
        GroupMetadata {
            protocol_type: self.name(&["consumer", "consumer", "", "connect"]),
            generation: self.int(),
            protocol: self.name_or_none(&["range", "roundrobin"]),
            leader: self.or_none(|| self.member()),
            changed_ms: self.number(),
            members: self.several(4, member),
        }
    }

    fn of_consumers(&self) -> ConsumerRecord {
        match self.0.below(11) {
            0 => ConsumerRecord::Epoch(
                self.or_none(|| GroupEpoch { epoch: self.int(), topics_hash: self.number() }),
            ),
            1 => ConsumerRecord::PartitionMetadata(self.or_none(|| ())),
            2 => ConsumerRecord::TargetEpoch(
                self.or_none(|| TargetEpoch { epoch: self.int(), made_ms: self.number() }),
            ),
            3 | 4 => ConsumerRecord::Target(self.member(), self.or_none(|| self.partitions())),
            5 | 6 => ConsumerRecord::Current(self.member(), self.or_none(|| self.current())),
            7 => ConsumerRecord::Pattern(self.name(&["u.*", "t", "("]), self.or_none(|| self.pattern())),
            _ => ConsumerRecord::Member(self.member(), self.or_none(|| self.says())),
        }
    }

    fn current(&self) -> CurrentAssignment {
        let states =
            [MemberState::Stable, MemberState::Unrevoked, MemberState::Unreleased, MemberState::Unknown];
        CurrentAssignment {
            epoch: self.int(),
            previous_epoch: self.int(),
            state: self.pick(&states),
            assigned: self.with_epochs(),
            revoking: self.with_epochs(),
        }
    }

    fn pattern(&self) -> ResolvedPattern {
        let topics = self.several(2, || self.name(&["t", "u"])).into_iter().collect();
        ResolvedPattern { topics, version: self.number(), at_ms: self.number() }
    }

    fn says(&self) -> ConsumerMember {
        let protocol = || (self.name(&["range", "roundrobin"]), self.bytes());
        let classic =
            || ClassicMember { session_timeout_ms: self.int(), protocols: self.several(2, protocol) };
        ConsumerMember {
            instance: self.name_or_none(&["i1", "i2"]),
            rack: self.name_or_none(&["r"]),
            client_id: self.name(&["c"]),
            client_host: self.name(&["/h"]),
            topics: self.several(3, || self.name(&["t", "u", "gone"])).into_iter().collect(),
            pattern: self.name_or_none(&["", "u.*", "t", "("]),
            rebalance_timeout_ms: self.int(),
            assignor: self.name_or_none(&["uniform", "range", "none"]),
            classic: self.one_in(2).then(classic),
        }
    }

    fn log(&self) -> Vec<u8> {
        let mut log = Vec::new();
        for _ in 0..1 + self.0.below(RECORDS_MAX) {
            let Encoded { key, value } = self.record().encode();
            let (mut key, mut value) = (key, value);
            if self.one_in(8) {
                self.damage(&mut key);
            }
            if let Some(value) = value.as_mut().filter(|_| self.one_in(4)) {
                self.damage(value);
            }
            fuzz::frame(&mut log, (&key, value.as_deref()));
        }
        // The lengths between the records, too.
        if self.one_in(16) {
            self.damage(&mut log);
        }
        log
    }

    fn damage(&self, bytes: &mut Vec<u8>) {
        let at = |bytes: &[u8]| self.0.below(bytes.len() as u64 + 1) as usize;
        for _ in 0..1 + self.0.below(3) {
            match self.0.below(5) {
                0 if !bytes.is_empty() => {
                    let bit = self.0.below(bytes.len() as u64 * 8) as usize;
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
                1 => bytes.truncate(at(bytes)),
                2 => {
                    let (a, b) = (at(bytes), at(bytes));
                    let piece = bytes[a.min(b)..a.max(b)].to_vec();
                    let to = at(bytes);
                    bytes.splice(to..to, piece);
                }
                3 => {
                    let number = self.pick(&NUMBERS).to_be_bytes();
                    let width = self.pick(&[1, 2, 4, 8]);
                    let from = at(bytes);
                    bytes.iter_mut().skip(from).zip(&number[8 - width..]).for_each(|(b, n)| *b = *n);
                }
                _ => {
                    let from = at(bytes);
                    self.0.fill(&mut bytes[from..]);
                }
            }
        }
    }
}

fn run(seed: u64) {
    let maker = Maker(SimRandom::new(seed));
    for _ in 0..READ_EACH {
        fuzz::records(&maker.log());
    }
    let log = maker.log();
    fuzz::records(&log);
    fuzz::lives(&log);
}

#[test]
fn no_log_of_groups_does_harm() {
    let setting = |name: &str| std::env::var(name).ok();
    if let Some(seed) = setting("OTTLA_SIM_SEED") {
        return run(seed.parse().expect("OTTLA_SIM_SEED is a number"));
    }
    let long = setting("OTTLA_EFFORT").as_deref() == Some("long");
    let clock = RealClock::new();
    let begin = clock.monotonic();
    let mut seed = 0;
    while seed < if long { INPUTS_LONG } else { INPUTS_MIN } || (!long && clock.monotonic() - begin < SPAN) {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("again with: OTTLA_SIM_SEED={seed} cargo test -p server --test group_records");
            std::panic::resume_unwind(panic);
        }
        seed += 1;
    }
    println!("{seed} inputs");
}

/// What is not damaged is understood: the targets reach what they are for.
#[test]
fn what_was_written_is_taken() {
    let maker = Maker(SimRandom::new(1));
    for _ in 0..2_000 {
        let record = maker.record();
        let Encoded { key, value } = record.encode();
        assert_eq!(Record::decode(&key, value.as_deref()), Ok(record));
    }
}

/// What one batch of the log said is gone with it. A start finds all the others; where the log's index names none behind
/// it, those before it.
#[test]
fn a_damaged_batch_is_no_reason_not_to_start() {
    for (index_interval_bytes, lost_behind) in [(0, 0), (4096, 4)] {
        let (env, files, _clock) = Env::simulated(7);
        let open = || {
            let dir = DataDir::open(env.clone(), PathBuf::from("/data"), DataDirOptions::default()).unwrap();
            let durability = Durability::Durable;
            let config = LogConfig { durability, index_interval_bytes, ..LogConfig::default() };
            let id = LogId { topic: TopicId([1; 16]), partition: 0 };
            (dir.clone(), dir.open_log(id, "__consumer_offsets-0", config, LeaderEpoch(0)).unwrap())
        };
        let (dir, log) = open();
        for n in 0..9 {
            let Encoded { key, value } = committed(n).encode();
            let batch = BatchBuilder::new(0).push(Some(&key), value.as_deref(), &[]).build();
            log.append(check_internal(batch).unwrap(), Origin::Coordinator, None);
        }
        dir.close();
        let path = PathBuf::from("/data/__consumer_offsets-0/00000000000000000000.log");
        let middle = files.content(&path).unwrap().len() as u64 / 2;
        // More than recovery can mend, and well within the batch.
        [0, 1, 2].iter().for_each(|n| files.flip_bit(&path, middle + n, 3).unwrap());
        let (dir, log) = open();
        let now = || Now { at: Duration::ZERO, wall_ms: 0 };
        let core = Core::load(Noted::default(), log, now, |_| {}).unwrap();
        let lost = 4..=4 + lost_behind;
        let expected: Vec<Record> = (0..9).filter(|n| !lost.contains(n)).map(committed).collect();
        assert_eq!(core.machine().0, expected);
        dir.close();
    }
}

fn committed(offset: i64) -> Record {
    let key = OffsetKey { group: "g".into(), topic: format!("t{offset}"), partition: 0 };
    let committed = Committed {
        offset,
        leader_epoch: -1,
        metadata: "".into(),
        commit_ms: 0,
        expire_ms: None,
        topic_id: TopicId([9; 16]),
    };
    Record::Offset(key, Some(committed))
}

/// Notes what its log says.
#[derive(Default)]
struct Noted(Vec<Record>);

impl Machine for Noted {
    type Op = ();
    type Reply = ();
    type Timer = ();

    fn decide(&mut self, (): (), _: Waiter, _: Now, _: &mut Out<Self>) {}

    fn ring(&mut self, (): (), _: Now, _: &mut Out<Self>) {}

    fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        self.0.push(Record::decode(key, value).map_err(|error| error.to_string())?);
        Ok(())
    }

    fn loaded(&mut self, _: Now, _: &mut Out<Self>) {}
}
