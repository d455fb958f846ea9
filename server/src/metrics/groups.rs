//! The figures of the group coordinator. They are asked for when someone looks.

use super::limits::Limit;
use super::registry::Registry;
use super::table;
use metrics::{Counter, Gauge};
use std::sync::OnceLock;

/// The states that a group may be in.
pub const GROUP_STATES: [&str; 4] = ["Empty", "PreparingRebalance", "CompletingRebalance", "Stable"];

/// What the coordinator counts. What only rises is counted from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupFigures {
    /// In the order of [`GROUP_STATES`].
    pub groups: [usize; GROUP_STATES.len()],
    pub members: usize,
    pub offsets: usize,
    pub commits: u64,
    pub expired_offsets: u64,
    pub rebalances: u64,
    pub loading_shards: usize,
    pub group_bound: BoundFigures,
    pub pending_bound: BoundFigures,
}

/// A bound of the coordinator as it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundFigures {
    pub max: usize,
    pub used: usize,
    /// How often somebody was sent away, from the start.
    pub hits: u64,
}

/// Asks for the figures; `None` once there is nobody to ask.
pub type AskGroups = Box<dyn Fn() -> Option<GroupFigures> + Send + Sync>;

pub(super) struct GroupMetrics {
    ask: OnceLock<AskGroups>,
    groups: [Gauge; GROUP_STATES.len()],
    members: Gauge,
    offsets: Gauge,
    commits: Counter,
    expired: Counter,
    rebalances: Counter,
    loading: Gauge,
}

impl GroupMetrics {
    pub(super) fn new(registry: &Registry) -> GroupMetrics {
        GroupMetrics {
            ask: OnceLock::new(),
            groups: GROUP_STATES.map(|state| registry.gauge(&table::GROUPS, &[state])),
            members: registry.gauge(&table::GROUP_MEMBERS, &[]),
            offsets: registry.gauge(&table::GROUP_OFFSETS, &[]),
            commits: registry.counter(&table::GROUP_COMMITS, &[]),
            expired: registry.counter(&table::GROUP_EXPIRED, &[]),
            rebalances: registry.counter(&table::GROUP_REBALANCES, &[]),
            loading: registry.gauge(&table::GROUP_LOADING, &[]),
        }
    }

    pub(super) fn watch(&self, ask: AskGroups) {
        // There is one coordinator in a broker.
        let _ = self.ask.set(ask);
    }

    /// Answers the bounds, which are shown among the limits.
    pub(super) fn refresh(&self) -> Option<[(Limit, BoundFigures); 2]> {
        let figures = self.ask.get().and_then(|ask| ask())?;
        self.groups.iter().zip(figures.groups).for_each(|(gauge, count)| gauge.set(count as f64));
        self.members.set(figures.members as f64);
        self.offsets.set(figures.offsets as f64);
        self.commits.absolute(figures.commits);
        self.expired.absolute(figures.expired_offsets);
        self.rebalances.absolute(figures.rebalances);
        self.loading.set(figures.loading_shards as f64);
        Some([(Limit::Groups, figures.group_bound), (Limit::PendingMembers, figures.pending_bound)])
    }
}
