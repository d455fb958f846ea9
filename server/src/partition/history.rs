//! When a partition's records became readable, from looks at its high watermark: how far back in time a reader stands.
//!
//! A bounded list of marks, each a high watermark with the first and the last time at which it was seen. The older half
//! thins out when there is no room, so that a minute is known to the second and a day to the hour. Nothing is read from a
//! disk, and the records' own timestamps, which producers choose, do not count.

use std::collections::VecDeque;
use std::time::Duration;

/// 64 marks of 24 bytes; a partition where nothing happens has one.
const MARKS_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    end: i64,
    first_ms: u64,
    last_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct History {
    marks: VecDeque<Mark>,
}

impl History {
    /// The high watermark is `end` now.
    pub(super) fn see(&mut self, end: i64, now: Duration) {
        let now_ms = millis(now);
        match self.marks.back_mut() {
            Some(last) if last.end == end => last.last_ms = now_ms,
            // It never falls while a broker runs; if it did, what is known of it would be of other records.
            Some(last) if last.end > end => {
                self.marks.clear();
                self.push(end, now_ms);
            }
            _ => self.push(end, now_ms),
        }
    }

    fn push(&mut self, end: i64, now_ms: u64) {
        if self.marks.len() == MARKS_MAX {
            let mut place = 0;
            self.marks.retain(|_| {
                place += 1;
                place > MARKS_MAX / 2 || place % 2 == 1
            });
        }
        self.marks.push_back(Mark { end, first_ms: now_ms, last_ms: now_ms });
    }

    /// How long the record at `offset` has been there for readers, while the high watermark is `end`; zero if it is not
    /// there. Of what is older than all that was seen, it is the time since the first look: at least that long.
    pub(super) fn age(&self, offset: i64, end: i64, now: Duration) -> Duration {
        if offset >= end {
            return Duration::ZERO;
        }
        let now_ms = millis(now);
        let at = self.marks.partition_point(|mark| mark.end <= offset);
        let came_ms = match (at.checked_sub(1).and_then(|before| self.marks.get(before)), self.marks.get(at))
        {
            (None, Some(first)) => first.first_ms,
            (Some(before), Some(after)) => between(before, after.end, after.first_ms, offset),
            (Some(before), None) => between(before, end, now_ms, offset),
            (None, None) => now_ms,
        };
        Duration::from_millis(now_ms.saturating_sub(came_ms))
    }
}

/// Records are taken to have come evenly between two looks.
fn between(before: &Mark, end: i64, at_ms: u64, offset: i64) -> u64 {
    let records = u128::try_from(end - before.end).unwrap_or(0).max(1);
    let nth = u128::try_from(offset - before.end).unwrap_or(0).min(records);
    let span = u128::from(at_ms.saturating_sub(before.last_ms));
    before.last_ms + u64::try_from(span * nth / records).unwrap_or(0)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(looks: &[(u64, i64)]) -> History {
        let mut history = History::default();
        looks.iter().for_each(|(at, end)| history.see(*end, s(*at)));
        history
    }

    #[test]
    fn who_has_read_everything_is_not_behind() {
        let history = seen(&[(1, 10)]);
        assert_eq!(history.age(10, 10, s(9)), Duration::ZERO);
        assert_eq!(history.age(11, 10, s(9)), Duration::ZERO);
        assert_eq!(History::default().age(0, 5, s(9)), Duration::ZERO, "never looked at: it came just now");
    }

    #[test]
    fn a_rest_before_a_record_is_no_part_of_its_age() {
        // Nothing came from second 1 to second 1000.
        let history = seen(&[(1, 10), (1000, 10), (1001, 20)]);
        assert_eq!(history.age(10, 20, s(1001)), s(1));
        assert_eq!(history.age(15, 20, s(1001)), Duration::from_millis(500));
        assert_eq!(history.age(19, 20, s(1101)), Duration::from_millis(100_100));
    }

    #[test]
    fn what_came_since_the_last_look_counts() {
        let history = seen(&[(1, 10), (2, 10)]);
        assert_eq!(history.age(10, 12, s(4)), s(2));
        assert_eq!(history.age(11, 12, s(4)), s(1));
    }

    #[test]
    fn what_is_older_than_the_first_look_is_at_least_that_old() {
        assert_eq!(seen(&[(5, 100), (6, 100)]).age(3, 100, s(65)), s(60));
    }

    #[test]
    fn a_day_takes_no_more_room_than_a_minute() {
        let mut history = History::default();
        for second in 0..86_400 {
            history.see(second, s(second as u64));
        }
        assert!(history.marks.len() <= MARKS_MAX);
        let now = s(86_400);
        for seconds in [1u64, 10, 60, 3600, 80_000] {
            let age = history.age(86_399 - seconds as i64, 86_399, now).as_secs_f64();
            assert!((age - seconds as f64).abs() <= 2.0 + seconds as f64 * 0.02, "{seconds} s behind: {age}");
        }
    }

    proptest! {
        /// Whatever comes when: an age is never above the time since the first look, and the older offset is the older record.
        #[test]
        fn ages_are_in_order(steps in prop::collection::vec((1u64..100, 0i64..50), 1..300)) {
            let mut history = History::default();
            let (mut at, mut end) = (0, 0);
            for (later, more) in steps {
                (at, end) = (at + later, end + more);
                history.see(end, s(at));
            }
            let ages: Vec<Duration> = (0..=end).map(|offset| history.age(offset, end, s(at))).collect();
            prop_assert!(ages.is_sorted_by(|older, newer| older >= newer), "{ages:?}");
            prop_assert!(ages[0] <= s(at));
            prop_assert_eq!(ages[end as usize], Duration::ZERO);
            prop_assert!(history.marks.len() <= MARKS_MAX);
        }
    }
}
