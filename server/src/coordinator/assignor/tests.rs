//! Every partition has one subscriber, loads are even, partitions stay, and the order of members says nothing.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn topic(number: u8) -> TopicId {
    TopicId([number; 16])
}

#[derive(Debug, Clone)]
struct Group {
    members: Vec<(String, Option<String>, BTreeSet<TopicId>)>,
    counts: PartitionCounts,
}

impl Group {
    fn even(members: usize, counts: &[i32]) -> Self {
        let counts: PartitionCounts = (1u8..).map(topic).zip(counts.iter().copied()).collect();
        let topics: BTreeSet<TopicId> = counts.keys().copied().collect();
        let members = (0..members).map(|n| (format!("member-{n:05}"), None, topics.clone())).collect();
        Self { members, counts }
    }

    fn assign(
        &self,
        assignor: Assignor,
        before: &BTreeMap<String, Arc<Assignment>>,
    ) -> BTreeMap<String, Arc<Assignment>> {
        let mut shared: Vec<Arc<BTreeSet<TopicId>>> = Vec::new();
        let members: Vec<Subscriber<'_>> = self
            .members
            .iter()
            .map(|(id, instance, topics)| Subscriber {
                id,
                instance: instance.as_deref(),
                topics: match shared.iter().find(|known| ***known == *topics) {
                    Some(known) => known.clone(),
                    None => {
                        shared.push(Arc::new(topics.clone()));
                        shared[shared.len() - 1].clone()
                    }
                },
                current: before.get(id).cloned().unwrap_or_default(),
            })
            .collect();
        let assigned = assignor.assign(&members, &self.counts);
        assert_eq!(assigned.len(), members.len());
        self.members.iter().map(|(id, ..)| id.clone()).zip(assigned).collect()
    }

    /// Every partition of a topic with subscribers has exactly one owner, who subscribes to it.
    fn check(&self, assigned: &BTreeMap<String, Arc<Assignment>>) {
        let mut owned: BTreeSet<(TopicId, i32)> = BTreeSet::new();
        for (id, _, topics) in &self.members {
            for (topic, partitions) in assigned[id].iter() {
                assert!(topics.contains(topic), "{id} does not subscribe to {topic:?}");
                assert!(!partitions.is_empty());
                for partition in partitions {
                    assert!(owned.insert((*topic, *partition)), "two have {topic:?}-{partition}");
                }
            }
        }
        let subscribed: BTreeSet<TopicId> =
            self.members.iter().flat_map(|(.., topics)| topics.clone()).collect();
        let all = self.counts.iter().filter(|(topic, _)| subscribed.contains(topic));
        let all: BTreeSet<(TopicId, i32)> =
            all.flat_map(|(topic, count)| (0..*count).map(|partition| (*topic, partition))).collect();
        assert_eq!(owned, all);
    }

    fn is_even(&self) -> bool {
        self.members.windows(2).all(|pair| pair[0].2 == pair[1].2)
    }
}

fn load(assignment: &Assignment) -> usize {
    assignment.values().map(BTreeSet::len).sum()
}

fn spread(assigned: &BTreeMap<String, Arc<Assignment>>) -> usize {
    let loads = || assigned.values().map(|assignment| load(assignment));
    loads().max().unwrap_or(0) - loads().min().unwrap_or(0)
}

/// How many partitions are with somebody else than before, although that one is still there and subscribes.
fn moved(
    group: &Group,
    before: &BTreeMap<String, Arc<Assignment>>,
    after: &BTreeMap<String, Arc<Assignment>>,
) -> usize {
    let mut moved = 0;
    for (id, _, topics) in &group.members {
        for (topic, partitions) in before.get(id).into_iter().flat_map(|a| a.iter()) {
            if topics.contains(topic) {
                let kept = after[id].get(topic);
                moved += partitions.iter().filter(|p| kept.is_none_or(|kept| !kept.contains(p))).count();
            }
        }
    }
    moved
}

fn groups() -> impl Strategy<Value = Group> {
    let counts = prop::collection::vec(0i32..12, 1..6);
    (counts, any::<bool>()).prop_flat_map(|(counts, even)| {
        let counts: PartitionCounts =
            (1u8..).map(topic).zip(counts).filter(|(_, count)| *count > 0).collect();
        let topics: Vec<TopicId> = counts.keys().copied().chain([topic(200)]).collect();
        let all = topics.len();
        let subscription = prop::sample::subsequence(topics.clone(), if even { all..=all } else { 0..=all });
        let member = (prop::option::weighted(0.2, "[a-c]"), subscription);
        (Just(counts), prop::collection::vec(member, 1..9)).prop_map(|(counts, members)| {
            let number = |(n, (instance, topics)): (usize, (Option<String>, Vec<TopicId>))| {
                let instance = instance.map(|i| format!("{i}{n}"));
                (format!("m{n}"), instance, topics.into_iter().collect())
            };
            Group { members: members.into_iter().enumerate().map(number).collect(), counts }
        })
    })
}

fn assignors() -> impl Strategy<Value = Assignor> {
    prop::sample::select(Assignor::ALL.to_vec())
}

proptest! {
    #[test]
    fn every_partition_has_one_subscriber_through_changes(assignor in assignors(), steps in prop::collection::vec(groups(), 1..6)) {
        let mut before = BTreeMap::new();
        for group in steps {
            let after = group.assign(assignor, &before);
            group.check(&after);
            if assignor == Assignor::Uniform && group.is_even() {
                prop_assert!(spread(&after) <= 1);
            }
            // Nothing has changed: nothing moves.
            prop_assert_eq!(&group.assign(assignor, &after), &after);
            before = after;
        }
    }

    #[test]
    fn the_order_of_members_says_nothing(assignor in assignors(), first in groups(), second in groups()) {
        let before = first.assign(assignor, &BTreeMap::new());
        let mut reversed = second.clone();
        reversed.members.reverse();
        prop_assert_eq!(second.assign(assignor, &before), reversed.assign(assignor, &before));
    }

    /// With equal subscriptions as few partitions move as can: what the newcomers need, or nothing when somebody leaves.
    #[test]
    fn only_what_has_to_move_does(counts in prop::collection::vec(1i32..12, 1..4), from in 1usize..9, to in 1usize..9) {
        let (old, new) = (Group::even(from, &counts), Group::even(to, &counts));
        let before = old.assign(Assignor::Uniform, &BTreeMap::new());
        let after = new.assign(Assignor::Uniform, &before);
        let newcomers: usize = after.iter().filter(|(id, _)| !before.contains_key(*id)).map(|(_, a)| load(a)).sum();
        prop_assert_eq!(moved(&new, &before, &after), newcomers);
    }

    /// No subscriber could hand a partition of any topic to another one and both be nearer.
    #[test]
    fn different_subscriptions_are_evened_out(group in groups()) {
        let after = group.assign(Assignor::Uniform, &BTreeMap::new());
        for (giver, ..) in &group.members {
            for topic in after[giver].keys() {
                for (taker, _, topics) in &group.members {
                    if topics.contains(topic) {
                        prop_assert!(load(&after[giver]) <= load(&after[taker]) + 1, "{} could give {}", giver, taker);
                    }
                }
            }
        }
    }
}

#[test]
fn ranges_are_cut_alike_and_follow_instances() {
    let mut group = Group::even(3, &[7, 4]);
    group.members[2].1 = Some("first".into());
    let assigned = group.assign(Assignor::Range, &BTreeMap::new());
    let ranges = |member: usize| {
        let assignment = &assigned[&group.members[member].0];
        (Vec::from_iter(assignment[&topic(1)].clone()), Vec::from_iter(assignment[&topic(2)].clone()))
    };
    assert_eq!(ranges(2), (vec![0, 1, 2], vec![0, 1]));
    assert_eq!(ranges(0), (vec![3, 4], vec![2]));
    assert_eq!(ranges(1), (vec![5, 6], vec![3]));
}

#[test]
fn a_partition_that_two_claim_or_that_is_not_there_is_no_obstacle() {
    let group = Group::even(2, &[2]);
    let both: Arc<Assignment> = Arc::new([(topic(1), (0..5).collect())].into());
    let before = [("member-00000".to_owned(), both.clone()), ("member-00001".to_owned(), both)].into();
    let after = group.assign(Assignor::Uniform, &before);
    group.check(&after);
    assert_eq!(spread(&after), 1 - 1);
}

#[test]
fn nobody_gets_nothing() {
    for assignor in Assignor::ALL {
        assert!(assignor.assign(&[], &PartitionCounts::new()).is_empty());
        let group = Group {
            members: vec![("alone".into(), None, [topic(9)].into())],
            counts: [(topic(1), 3)].into(),
        };
        assert!(group.assign(assignor, &BTreeMap::new())["alone"].is_empty());
    }
}

#[test]
fn names_are_known() {
    for assignor in Assignor::ALL {
        assert_eq!(Assignor::named(assignor.name()), Some(assignor));
    }
    assert_eq!(Assignor::named("roundrobin"), None);
}

/// Prints what large groups cost. The bound is far from it: it stands against anything quadratic.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures")]
fn ten_thousand_members_are_quick() {
    let even = Group::even(10_000, &[5_000, 5_000]);
    let mut uneven = even.clone();
    for (n, member) in uneven.members.iter_mut().enumerate() {
        if n % 3 == 0 {
            member.2.remove(&topic(2));
        }
    }
    for (what, group) in [("even", even), ("uneven", uneven)] {
        let mut smaller = group.clone();
        smaller.members.truncate(9_999);
        for assignor in Assignor::ALL {
            let before = smaller.assign(assignor, &BTreeMap::new());
            let begun = Instant::now();
            let after = group.assign(assignor, &before);
            let took = begun.elapsed();
            println!("{what} {}: {took:?}", assignor.name());
            assert!(took < Duration::from_secs(20), "{what} {} took {took:?}", assignor.name());
            group.check(&after);
        }
    }
}
