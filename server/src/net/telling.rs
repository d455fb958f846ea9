//! What an operator is told of clients that are turned away: each address and reason once in a while, and how much was
//! left unsaid. A flood of clients must not become a flood of lines.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An address is named again for the same reason after this,
const ROUND: Duration = Duration::from_secs(60);
/// and so many are named in that time.
const LINES_MAX: usize = 50;

#[derive(Debug, Default)]
pub(super) struct Telling(Mutex<Round>);

#[derive(Debug, Default)]
struct Round {
    since: Duration,
    said: HashSet<(&'static str, IpAddr)>,
    /// What was not said since the last line.
    kept_back: u64,
}

impl Telling {
    /// Whether there is to be a line, and how many there were none for since the last one.
    pub(super) fn may_say(&self, reason: &'static str, address: IpAddr, now: Duration) -> Option<u64> {
        let mut round = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(round.since) >= ROUND {
            round.since = now;
            round.said.clear();
        }
        if round.said.len() >= LINES_MAX || !round.said.insert((reason, address)) {
            round.kept_back += 1;
            return None;
        }
        Some(std::mem::take(&mut round.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_once_a_round_for_each_reason() {
        let telling = Telling::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let at = |seconds| ROUND + Duration::from_secs(seconds);
        assert_eq!(telling.may_say("a", one, at(0)), Some(0));
        assert_eq!(telling.may_say("a", one, at(1)), None);
        assert_eq!(telling.may_say("a", one, at(2)), None);
        assert_eq!(telling.may_say("b", one, at(3)), Some(2));
        assert_eq!(telling.may_say("a", other, at(4)), Some(0));
        assert_eq!(telling.may_say("a", one, at(60)), Some(0));
    }

    #[test]
    fn a_flood_of_addresses_is_a_few_lines() {
        let telling = Telling::default();
        let lines = (0..100_000u32).filter(|n| {
            let address = IpAddr::from(n.to_be_bytes());
            telling.may_say("a", address, ROUND).is_some()
        });
        assert_eq!(lines.count(), LINES_MAX);
        assert_eq!(telling.may_say("a", IpAddr::from([10, 0, 0, 1]), ROUND * 2), Some(99_950));
    }
}
