//! Which of many are shown by their own name: the busiest, up to a cap; what all others count is one series, `_other`.
//!
//! A counter must not fall and must not jump, or its rate is wrong. So what `_other` counts is gathered as increments, at
//! the time when nobody else shows them: one that loses its name takes nothing with it, and one that gets a name leaves
//! behind what was counted until then. Who has a name keeps it until another is twice as busy.

use std::collections::HashMap;
use std::sync::Arc;

/// The name of all that have none.
pub(super) const OTHER: &str = "_other";

/// Longer ones are never shown by name: a scrape has a bound.
const NAME_BYTES_MAX: usize = 255;

/// Some who are counted, each with `N` counters.
pub(super) struct Crowd<const N: usize> {
    named_max: usize,
    /// Nobody, as long as there is a name for everybody.
    members: HashMap<Arc<str>, Member<N>>,
    other: [u64; N],
    round: u64,
}

struct Member<const N: usize> {
    counts: [u64; N],
    /// How much it has done lately.
    score: u64,
    is_named: bool,
    round: u64,
}

impl<const N: usize> Crowd<N> {
    pub(super) fn new(named_max: usize) -> Crowd<N> {
        Crowd { named_max, members: HashMap::new(), other: [0; N], round: 0 }
    }

    /// Takes in the counts of all there are. The first of them tells how busy one is.
    pub(super) fn look(&mut self, all: &[(Arc<str>, [u64; N])]) {
        let has_room = all.len() <= self.named_max && all.iter().all(|(name, _)| may_be_named(name));
        if has_room && self.members.is_empty() {
            return;
        }
        self.round += 1;
        for (name, counts) in all {
            let new = Member { counts: [0; N], score: 0, is_named: false, round: 0 };
            let member = self.members.entry(name.clone()).or_insert(new);
            let grown: [u64; N] = std::array::from_fn(|at| match counts[at].checked_sub(member.counts[at]) {
                Some(grown) => grown,
                // Another of the same name has begun anew.
                None => counts[at],
            });
            if !member.is_named {
                (0..N).for_each(|at| self.other[at] += grown[at]);
            }
            member.score = member.score / 2 + grown.first().copied().unwrap_or(0);
            member.counts = *counts;
            member.round = self.round;
        }
        let round = self.round;
        self.members.retain(|_, member| member.round == round);
        self.give_names();
    }

    fn give_names(&mut self) {
        let mut all: Vec<(&Arc<str>, &mut Member<N>)> = self.members.iter_mut().collect();
        let rank = |(name, member): &(&Arc<str>, &mut Member<N>)| {
            let score = member.score.saturating_mul(if member.is_named { 2 } else { 1 });
            let before = (may_be_named(name), score, member.is_named, member.counts.first().copied());
            (std::cmp::Reverse(before), (*name).clone())
        };
        all.sort_by_cached_key(rank);
        for (place, (name, member)) in all.into_iter().enumerate() {
            member.is_named = place < self.named_max && may_be_named(name);
        }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.members.is_empty() || self.members.get(name).is_some_and(|member| member.is_named)
    }

    /// What all without a name have counted; nothing as long as there were never any.
    pub(super) fn other(&self) -> Option<[u64; N]> {
        (self.round > 0).then_some(self.other)
    }
}

fn may_be_named(name: &str) -> bool {
    name != OTHER && name.len() <= NAME_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(counts: &[(&str, u64)]) -> Vec<(Arc<str>, [u64; 1])> {
        counts.iter().map(|(name, count)| (Arc::from(*name), [*count])).collect()
    }

    fn named<'a>(crowd: &Crowd<1>, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().copied().filter(|name| crowd.is_named(name)).collect()
    }

    #[test]
    fn everybody_has_a_name_while_there_is_room() {
        let mut crowd = Crowd::new(2);
        crowd.look(&all(&[("a", 5), ("b", 0)]));
        assert_eq!(named(&crowd, &["a", "b"]), ["a", "b"]);
        assert_eq!(crowd.other(), None);
    }

    #[test]
    fn the_busiest_get_the_names_and_keep_them_against_equals() {
        let mut crowd = Crowd::new(1);
        crowd.look(&all(&[("a", 5), ("b", 10)]));
        assert_eq!(named(&crowd, &["a", "b"]), ["b"]);
        crowd.look(&all(&[("a", 15), ("b", 18)]));
        assert_eq!(named(&crowd, &["a", "b"]), ["b"], "a did more, but not twice as much");
        crowd.look(&all(&[("a", 100), ("b", 18)]));
        assert_eq!(named(&crowd, &["a", "b"]), ["a"]);
    }

    #[test]
    fn nobody_is_called_other() {
        let mut crowd = Crowd::new(5);
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        crowd.look(&all(&[(OTHER, 7), (&long, 2), ("a", 1)]));
        assert_eq!(named(&crowd, &["a", OTHER, &long]), ["a"]);
        assert_eq!(crowd.other().map(|[count]| count >= 9), Some(true));
    }

    proptest! {
        /// What is shown, by name or not, never falls, and what is counted while names stay as they are is shown once.
        #[test]
        fn counters_rise_and_nothing_is_lost(
            rounds in prop::collection::vec(prop::collection::vec(0u64..1000, 6), 2..20)
        ) {
            let mut crowd = Crowd::new(2);
            let mut counts = [0u64; 6];
            let mut before: Option<(u64, Vec<bool>, [u64; 6])> = None;
            for grown in rounds {
                (0..6).for_each(|at| counts[at] += grown[at]);
                let names: Vec<String> = (0..6).map(|at| format!("t{at}")).collect();
                let all: Vec<_> = names.iter().zip(counts).map(|(name, count)| (Arc::from(name.as_str()), [count])).collect();
                crowd.look(&all);
                let is_named: Vec<bool> = names.iter().map(|name| crowd.is_named(name)).collect();
                prop_assert_eq!(is_named.iter().filter(|is| **is).count(), 2);
                let other = crowd.other().unwrap_or_default()[0];
                if let Some((other_before, named_before, counts_before)) = before {
                    prop_assert!(other >= other_before);
                    let unnamed = (0..6).filter(|at| !named_before[*at]);
                    let expected: u64 = unnamed.map(|at| counts[at] - counts_before[at]).sum();
                    prop_assert_eq!(other - other_before, expected);
                }
                before = Some((other, is_named, counts));
            }
        }
    }
}
