//! Sessions beside a plain model of what their clients know, and the rules of their cache one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser;
use proptest::prelude::*;
use storage::Env;
use storage::env::SimClock;

use super::session::next_epoch;
use super::*;
use crate::cli::Cli;
use crate::cluster::Image;
use crate::config::Config;
use crate::metrics::Metrics;

/// No topic has a log here: sessions do not read.
struct Nothing;

impl Resolve for Nothing {
    fn name_of(&mut self, _: TopicId) -> Option<Arc<str>> {
        Some("topic".into())
    }

    fn may_read(&mut self, _: &Arc<str>) -> bool {
        true
    }

    fn partition(&mut self, _: &str, _: Option<TopicId>, _: i32) -> Result<Arc<Partition>, FetchError> {
        Err(FetchError::UnknownPartition)
    }
}

struct World {
    sessions: FetchSessions,
    clock: SimClock,
    image: Arc<Image>,
}

impl World {
    fn new(slots: usize, bytes: usize) -> World {
        let slots = format!("max.incremental.fetch.session.cache.slots={slots}");
        let bytes = format!("fetch.session.cache.bytes.max={bytes}");
        let cli = Cli::parse_from(["ottla", "--set", &slots, "--set", &bytes]);
        let config = Config::load(&cli, []).expect("the settings fit together");
        let (env, _, clock) = Env::simulated(1);
        let sessions = FetchSessions::new(&config, env, Metrics::new(&[], Default::default()));
        World { sessions, clock, image: Arc::default() }
    }

    fn roomy() -> World {
        World::new(1000, 64 << 20)
    }

    fn create(&self, partitions: &[i32]) -> i32 {
        self.sessions.create(false, partitions.iter().map(|index| full(*index, STANDING)).collect())
    }

    fn add(&self, id: i32, epoch: i32, ask: &[i32], forget: &[i32]) -> Result<Added, SessionError> {
        let ask = ask.iter().map(|index| wanted(*index, 0)).collect();
        let forget = forget.iter().map(|index| (topic(), *index)).collect();
        self.sessions.add((id, epoch), false, (ask, forget), &self.image, &mut Nothing)
    }

    fn is_there(&self, id: i32) -> bool {
        // No session has the epoch 0.
        self.add(id, 0, &[], &[]).err() == Some(SessionError::Epoch)
    }
}

const STANDING: Shown =
    Shown { high_watermark: 5, log_start: 0, has_records: false, has_failed: false, diverges: false };

fn topic() -> TopicKey {
    TopicKey::Name("topic".into())
}

fn wanted(index: i32, offset: i64) -> Wanted {
    let asked = Asked { leader_epoch: -1, last_epoch: -1, offset, bytes_max: 1 };
    Wanted { topic: topic(), index, asked }
}

fn full(index: i32, shown: Shown) -> Told {
    Told { wanted: wanted(index, 0), name: None, shown }
}

fn order(added: &Added) -> Vec<i32> {
    added.entries.iter().map(|entry| entry.index).collect()
}

/// The partitions of which a reply says something.
fn news(added: &Added, epoch: i32, shown: impl Fn(i32) -> Shown) -> Vec<i32> {
    let session = added.session.as_ref().expect("a session");
    let told = added.entries.iter().map(|entry| (entry.place, shown(entry.index)));
    let news = session.tell(epoch, told).expect("nobody came between");
    order(added).into_iter().zip(news).filter(|(_, is_news)| *is_news).map(|(index, _)| index).collect()
}

#[test]
fn a_reply_says_only_what_is_new() {
    let world = World::roomy();
    let id = world.create(&[0, 1, 2]);
    let added = world.add(id, 1, &[], &[]).unwrap();
    assert_eq!(news(&added, 1, |_| STANDING), [0; 0]);
    let added = world.add(id, 2, &[3], &[]).unwrap();
    let higher = |index| if index == 1 { Shown { high_watermark: 6, ..STANDING } } else { STANDING };
    assert_eq!(news(&added, 2, higher), [1, 3], "what rose, and what is asked for the first time");
    let added = world.add(id, 3, &[], &[]).unwrap();
    let later = |index| Shown { log_start: i64::from(index == 0), ..higher(index) };
    assert_eq!(news(&added, 3, later), [0]);
    let added = world.add(id, 4, &[], &[]).unwrap();
    assert_eq!(news(&added, 4, |index| Shown { diverges: index == 2, ..later(index) }), [2]);
}

#[test]
fn an_error_is_told_each_time_and_so_is_its_end() {
    let world = World::roomy();
    let id = world.create(&[0, 1]);
    let failed = |index| {
        if index == 1 {
            Shown { high_watermark: -1, log_start: -1, has_failed: true, ..STANDING }
        } else {
            STANDING
        }
    };
    for epoch in 1..3 {
        let added = world.add(id, epoch, &[], &[]).unwrap();
        assert_eq!(news(&added, epoch, failed), [1]);
    }
    let added = world.add(id, 3, &[], &[]).unwrap();
    assert_eq!(news(&added, 3, |_| STANDING), [1], "all is well again");
}

#[test]
fn who_gave_records_goes_to_the_end() {
    let world = World::roomy();
    let id = world.create(&[0, 1, 2, 3]);
    let added = world.add(id, 1, &[], &[]).unwrap();
    let given = |index| Shown { has_records: index == 0 || index == 2, ..STANDING };
    assert_eq!(news(&added, 1, given), [0, 2]);
    assert_eq!(order(&world.add(id, 2, &[], &[]).unwrap()), [1, 3, 0, 2]);
}

#[test]
fn epochs_follow_each_other_and_a_reply_that_comes_too_late_is_none() {
    let world = World::roomy();
    let id = world.create(&[0]);
    assert_eq!(world.add(id, 2, &[], &[]).err(), Some(SessionError::Epoch));
    let slow = world.add(id, 1, &[], &[]).unwrap();
    assert_eq!(world.add(id, 1, &[], &[]).err(), Some(SessionError::Epoch), "sent twice");
    world.add(id, 2, &[], &[]).unwrap();
    let told = slow.entries.iter().map(|entry| (entry.place, STANDING));
    assert_eq!(slow.session.unwrap().tell(1, told).err(), Some(SessionError::Epoch));
    assert_eq!((next_epoch(0), next_epoch(7), next_epoch(i32::MAX), next_epoch(-1)), (1, 8, 1, -1));
    let by_id = world.sessions.add((id, 3), true, (Vec::new(), Vec::new()), &world.image, &mut Nothing);
    assert_eq!(by_id.err(), Some(SessionError::TopicIds));
    assert_eq!(world.add(id + 1, 1, &[], &[]).err(), Some(SessionError::Unknown));
}

#[test]
fn a_session_without_partitions_is_over() {
    let world = World::roomy();
    let id = world.create(&[0, 1]);
    assert_eq!(order(&world.add(id, 1, &[], &[1, 7]).unwrap()), [0]);
    let added = world.add(id, 2, &[4], &[0, 4]).unwrap();
    assert!(added.session.is_none());
    assert_eq!(order(&added), [4], "what the request asks for by itself");
    assert!(!world.is_there(id));
    assert_eq!(world.sessions.figures(), (0, 0, 0));
}

#[test]
fn a_partition_that_is_asked_for_twice_is_read_once() {
    let asked = vec![wanted(0, 1), wanted(1, 2), wanted(0, 3)];
    let once: Vec<_> = entries(asked, &mut Nothing).iter().map(|e| (e.index, e.asked.offset)).collect();
    assert_eq!(once, [(0, 3), (1, 2)]);
}

#[test]
fn a_full_cache_gives_way_only_to_what_is_worth_more() {
    let world = World::new(2, 64 << 20);
    let (first, second) = (world.create(&[0]), world.create(&[0, 1]));
    assert_eq!(world.create(&[0, 1, 2]), 0, "both are young");
    world.clock.advance(Duration::from_secs(100));
    world.add(first, 1, &[], &[]).unwrap();
    world.add(second, 1, &[], &[]).unwrap();
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(world.create(&[0, 1, 2]), 0, "they were young when they were used last");
    world.add(first, 2, &[], &[]).unwrap();
    assert_eq!(world.create(&[0]), 0, "not larger");
    let third = world.create(&[0, 1]);
    assert!(third != 0 && !world.is_there(first) && world.is_there(second));
    world.clock.advance(Duration::from_secs(119));
    world.add(third, 1, &[], &[]).unwrap();
    let fourth = world.create(&[0]);
    assert!(fourth != 0 && !world.is_there(second), "used no more");
    assert_eq!(world.sessions.figures().0, 2);
}

#[test]
fn no_slots_are_no_sessions() {
    assert_eq!(World::new(0, 64 << 20).create(&[0]), 0);
}

#[test]
fn what_sessions_take_is_bounded() {
    let bytes_max = 16 << 10;
    let world = World::new(1000, bytes_max);
    let many: Vec<i32> = (0..1000).collect();
    assert_eq!(world.create(&many), 0);
    let id = world.create(&many[..20]);
    let (_, partitions, bytes) = world.sessions.figures();
    assert!(partitions == 20 && bytes <= bytes_max);
    assert_eq!(world.add(id, 1, &many, &[]).err(), Some(SessionError::Unknown), "it would grow too large");
    assert_eq!(world.sessions.figures(), (0, 0, 0));
    for _ in 0..100 {
        world.create(&many[..5]);
    }
    assert!(world.sessions.figures().2 <= bytes_max);
}

/// One step of a client or of the logs that it reads.
#[derive(Clone, Debug)]
enum Step {
    Ask(Vec<i32>, Vec<i32>),
    /// Of another connection, or sent twice.
    AskWrongly(i32),
    Begin,
    Rise(i32, i64),
    Cut(i32, i64),
    Fail(i32, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let some = || prop::collection::vec(0..8i32, 0..3);
    prop_oneof![
        6 => (some(), some()).prop_map(|(ask, forget)| Step::Ask(ask, forget)),
        1 => (-3..9i32).prop_map(Step::AskWrongly),
        1 => Just(Step::Begin),
        3 => (0..8i32, 1..5i64).prop_map(|(index, by)| Step::Rise(index, by)),
        1 => (0..8i32, 1..3i64).prop_map(|(index, by)| Step::Cut(index, by)),
        1 => (0..8i32, any::<bool>()).prop_map(|(index, fails)| Step::Fail(index, fails)),
    ]
}

/// A log as its reader sees it, and what the client knows of it.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Marks {
    high_watermark: i64,
    log_start: i64,
    has_failed: bool,
}

#[derive(Default)]
struct Model {
    logs: BTreeMap<i32, Marks>,
    /// In the order of reading, with what the client was told last.
    known: Vec<(i32, Option<Marks>)>,
    /// Records that the client has not read.
    unread: BTreeMap<i32, i64>,
}

impl Model {
    fn shown(&self, index: i32) -> Shown {
        let Marks { high_watermark, log_start, has_failed } =
            self.logs.get(&index).copied().unwrap_or_default();
        if has_failed {
            return Shown {
                high_watermark: -1,
                log_start: -1,
                has_records: false,
                has_failed,
                diverges: false,
            };
        }
        let has_records = self.unread.get(&index).is_some_and(|unread| *unread > 0);
        Shown { high_watermark, log_start, has_records, has_failed, diverges: false }
    }

    fn ask(&mut self, ask: &[i32], forget: &[i32]) {
        for index in ask {
            if !self.known.iter().any(|(known, _)| known == index) {
                self.known.push((*index, None));
            }
        }
        self.known.retain(|(index, _)| !forget.contains(index));
    }

    /// The client takes a reply in; partitions that gave records go to the end.
    fn take(&mut self, told: &[i32]) {
        let mut given = Vec::new();
        for (index, knows) in &mut self.known {
            let marks = self.logs.get(index).copied().unwrap_or_default();
            if told.contains(index) {
                *knows = Some(marks);
                if !marks.has_failed && self.unread.insert(*index, 0).is_some_and(|unread| unread > 0) {
                    given.push(*index);
                }
            }
            let knows = knows.expect("each partition is told of at least once");
            assert_eq!(knows, marks, "partition {index}: the client knows what is");
        }
        let (mut last, mut order): (Vec<_>, Vec<_>) =
            self.known.drain(..).partition(|(index, _)| given.contains(index));
        order.append(&mut last);
        self.known = order;
    }
}

proptest! {
    #[test]
    fn clients_know_what_is(steps in prop::collection::vec(step(), 1..60)) {
        let world = World::roomy();
        let mut model = Model::default();
        let (mut id, mut epoch) = (0, 0);
        for step in steps {
            match step {
                Step::Rise(index, by) => {
                    model.logs.entry(index).or_default().high_watermark += by;
                    *model.unread.entry(index).or_default() += by;
                }
                Step::Cut(index, by) => model.logs.entry(index).or_default().log_start += by,
                Step::Fail(index, fails) => model.logs.entry(index).or_default().has_failed = fails,
                Step::AskWrongly(other) if id != 0 && other != epoch => {
                    let refused = world.add(id, other, &[5, 6], &[0]).err();
                    prop_assert_eq!(refused, Some(SessionError::Epoch), "and nothing has changed");
                }
                Step::AskWrongly(_) => {}
                Step::Begin => {
                    world.sessions.close(id);
                    model.known.clear();
                    model.ask(&[0, 1, 2, 3], &[]);
                    let told = [0, 1, 2, 3].map(|index| full(index, model.shown(index)));
                    id = world.sessions.create(false, told.into());
                    epoch = 1;
                    let order: Vec<_> = model.known.iter().map(|(index, _)| *index).collect();
                    model.take(&order);
                    // A full reply does not change the order: it is the order.
                    model.known.sort_by_key(|(index, _)| *index);
                }
                Step::Ask(..) if id == 0 => {}
                Step::Ask(ask, forget) => {
                    model.ask(&ask, &forget);
                    let added = world.add(id, epoch, &ask, &forget).unwrap();
                    if model.known.is_empty() {
                        prop_assert!(added.session.is_none());
                        (id, epoch) = (0, 0);
                        continue;
                    }
                    let expected: Vec<_> = model.known.iter().map(|(index, _)| *index).collect();
                    prop_assert_eq!(order(&added), expected);
                    let told = news(&added, epoch, |index| model.shown(index));
                    let quiet = model.known.iter().filter(|(index, knows)| {
                        let shown = model.shown(*index);
                        let marks = model.logs.get(index).copied().unwrap_or_default();
                        !shown.has_records && !shown.has_failed && *knows == Some(marks)
                    });
                    for (index, _) in quiet {
                        prop_assert!(!told.contains(index), "partition {} has no news", index);
                    }
                    epoch = next_epoch(epoch);
                    model.take(&told);
                }
            }
            let (sessions, partitions, _) = world.sessions.figures();
            prop_assert_eq!((sessions, partitions), (usize::from(id != 0), model.known.len()));
        }
    }
}
