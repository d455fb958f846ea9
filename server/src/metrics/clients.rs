//! Which client software is connected, by the name and version that it tells in ApiVersions.
//!
//! The words are a client's own, so that their number is bounded twice: so many are remembered, and of these so many are
//! shown by name. What is connected stays before what was.

use super::exposition::Text;
use super::named::OTHER;
use super::table::CLIENT_CONNECTIONS;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Pairs of name and version that are remembered.
const REMEMBERED_MAX: usize = 1000;

#[derive(Clone, Copy, Default)]
struct Count {
    open: u64,
    opened: u64,
}

#[derive(Default)]
pub struct ClientMetrics {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_software: BTreeMap<(String, String), Count>,
    other: Count,
}

impl State {
    /// The count of a pair, or that of all for which there is no room.
    fn of(&mut self, software: &(String, String)) -> &mut Count {
        if self.by_software.contains_key(software) || self.make_room() {
            return self.by_software.entry(software.clone()).or_default();
        }
        &mut self.other
    }

    /// What is not connected makes room; the least seen first.
    fn make_room(&mut self) -> bool {
        if self.by_software.len() < REMEMBERED_MAX {
            return true;
        }
        let gone = self.by_software.iter().filter(|(_, count)| count.open == 0);
        let Some(least) = gone.min_by_key(|(_, count)| count.opened).map(|(software, _)| software.clone())
        else {
            return false;
        };
        let count = self.by_software.remove(&least).unwrap_or_default();
        self.other.opened += count.opened;
        true
    }
}

impl ClientMetrics {
    /// A connection has told what it is.
    pub fn opened(&self, software: &(String, String)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let count = state.of(software);
        count.open += 1;
        count.opened += 1;
    }

    /// One that was [`opened`](Self::opened) is over.
    pub fn closed(&self, software: &(String, String)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let count = state.by_software.get_mut(software).filter(|count| count.open > 0);
        let count = count.unwrap_or(&mut state.other);
        count.open = count.open.saturating_sub(1);
    }

    pub(super) fn show(&self, text: &mut Text, named_max: usize) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = state.by_software.iter().collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse((count.open, count.opened)));
        let mut other = state.other;
        for (_, count) in all.iter().skip(named_max) {
            other.open += count.open;
            other.opened += count.opened;
        }
        all.truncate(named_max);
        text.family(&CLIENT_CONNECTIONS);
        for ((software, version), count) in &all {
            text.series(&CLIENT_CONNECTIONS, &[software, version], count.open as f64);
        }
        if other.opened > 0 {
            text.series(&CLIENT_CONNECTIONS, &[OTHER, OTHER], other.open as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(clients: &ClientMetrics, named_max: usize) -> Vec<String> {
        let mut text = Text::behind(String::new());
        clients.show(&mut text, named_max);
        text.into_string().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    fn software(name: &str) -> (String, String) {
        (name.to_owned(), "1".to_owned())
    }

    #[test]
    fn the_busiest_stay_by_name() {
        let clients = ClientMetrics::default();
        for (name, count) in [("a", 1), ("b", 3), ("c", 2)] {
            (0..count).for_each(|_| clients.opened(&software(name)));
        }
        clients.closed(&software("b"));
        clients.closed(&software("b"));
        assert_eq!(
            shown(&clients, 2),
            [
                "ottla_client_connections{software=\"c\",version=\"1\"} 2",
                "ottla_client_connections{software=\"b\",version=\"1\"} 1",
                "ottla_client_connections{software=\"_other\",version=\"_other\"} 1",
            ]
        );
    }

    #[test]
    fn a_client_that_makes_up_names_takes_no_more_memory() {
        let clients = ClientMetrics::default();
        clients.opened(&software("honest"));
        for number in 0..5_000 {
            clients.opened(&software(&format!("made-up-{number}")));
        }
        assert!(clients.state.lock().unwrap().by_software.len() <= REMEMBERED_MAX);
        for number in 0..5_000 {
            clients.closed(&software(&format!("made-up-{number}")));
        }
        let lines = shown(&clients, 1);
        assert_eq!(lines[0], "ottla_client_connections{software=\"honest\",version=\"1\"} 1");
        assert_eq!(lines[1], "ottla_client_connections{software=\"_other\",version=\"_other\"} 0");
    }
}
