//! Consumer groups as they stand when someone asks: members, state, and how far behind they are, in records and in time.
//!
//! The busiest groups are shown by name, and of what they read the partitions that are furthest behind. How the figures
//! come about is for whoever is asked; no more rows are held than are shown.

use super::Metric;
use super::NamedMax;
use super::exposition::Text;
use super::named::{Crowd, OTHER};
use super::table::{
    GROUP_COMMITTED, GROUP_LAG_RECORDS, GROUP_LAG_SECONDS, GROUP_MEMBERS_OF, GROUP_REBALANCED, GROUP_STATE,
    GROUP_TOTAL_LAG_RECORDS, GROUP_TOTAL_LAG_SECONDS,
};
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

/// How far behind a reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    pub records: u64,
    /// How long the first record that it has not read has been there.
    pub time: Duration,
}

impl Behind {
    /// Both together: records add up, and time is what the last of them lacks.
    fn add(&mut self, other: Behind) {
        self.records = self.records.saturating_add(other.records);
        self.time = self.time.max(other.time);
    }
}

/// One partition that a group reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LagRow {
    pub group: Arc<str>,
    pub topic: Arc<str>,
    pub partition: i32,
    pub behind: Behind,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneGroup {
    pub id: Arc<str>,
    pub state: &'static str,
    pub members: usize,
    pub commits: u64,
    pub rebalances: u64,
    pub behind: Behind,
}

/// Every group, and the rows that are furthest behind: those of all others are only added up.
#[derive(Debug, Default)]
pub struct LagFigures {
    pub groups: Vec<OneGroup>,
    rows_max: usize,
    rows: Vec<LagRow>,
    rest: Option<Behind>,
}

impl LagFigures {
    pub fn new(rows_max: usize) -> LagFigures {
        LagFigures { rows_max, ..LagFigures::default() }
    }

    /// Takes in a row of the group that was pushed last.
    pub fn push_row(&mut self, row: LagRow) {
        if let Some(group) = self.groups.last_mut() {
            group.behind.add(row.behind);
        }
        self.rows.push(row);
        if self.rows.len() > self.rows_max.saturating_mul(2).max(64) {
            self.prune();
        }
    }

    /// Keeps the rows that are furthest behind.
    fn prune(&mut self) {
        let rank =
            |row: &LagRow| (Reverse(row.behind.records), row.group.clone(), row.topic.clone(), row.partition);
        self.rows.sort_by_cached_key(rank);
        while self.rows.len() > self.rows_max {
            let Some(row) = self.rows.pop() else { return };
            self.rest.get_or_insert_default().add(row.behind);
        }
    }
}

/// Called for each scrape with how many rows are wanted; `None` once there is nobody to ask.
pub type AskLag = Box<dyn Fn(usize) -> Option<LagFigures> + Send + Sync>;

/// A metric, and what of one it shows.
type Shown<T> = (&'static Metric, fn(&T) -> f64);

pub(super) struct LagMetrics {
    crowd: Crowd<3>,
    rows_max: usize,
}

impl LagMetrics {
    pub(super) fn new(named_max: NamedMax) -> LagMetrics {
        LagMetrics { crowd: Crowd::new(named_max.groups), rows_max: named_max.group_partitions }
    }

    pub(super) fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Shows them; answers how many groups there are.
    pub(super) fn show(&mut self, text: &mut Text, mut figures: LagFigures) -> usize {
        figures.prune();
        figures.groups.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let counts =
            |group: &OneGroup| [group.commits + group.members as u64, group.commits, group.rebalances];
        let all: Vec<_> = figures.groups.iter().map(|group| (group.id.clone(), counts(group))).collect();
        self.crowd.look(&all);
        self.show_groups(text, &figures.groups);
        self.show_rows(text, figures.rows, figures.rest);
        all.len()
    }

    fn show_groups(&self, text: &mut Text, all: &[OneGroup]) {
        let (named, others): (Vec<_>, Vec<_>) = all.iter().partition(|group| self.crowd.is_named(&group.id));
        let mut rest = OneGroup {
            id: OTHER.into(),
            state: OTHER,
            members: 0,
            commits: 0,
            rebalances: 0,
            behind: Behind::default(),
        };
        for group in &others {
            rest.members += group.members;
            rest.behind.add(group.behind);
        }
        let shown_rest = self.crowd.other().map(|[_, commits, rebalances]| {
            rest.commits = commits;
            rest.rebalances = rebalances;
            &rest
        });
        let gauges: [Shown<OneGroup>; 5] = [
            (&GROUP_TOTAL_LAG_RECORDS, |group| group.behind.records as f64),
            (&GROUP_TOTAL_LAG_SECONDS, |group| group.behind.time.as_secs_f64()),
            (&GROUP_MEMBERS_OF, |group| group.members as f64),
            (&GROUP_COMMITTED, |group| group.commits as f64),
            (&GROUP_REBALANCED, |group| group.rebalances as f64),
        ];
        for (metric, value) in gauges {
            text.family(metric);
            for group in named.iter().copied().chain(shown_rest) {
                text.series(metric, &[&group.id], value(group));
            }
        }
        text.family(&GROUP_STATE);
        for group in named {
            text.series(&GROUP_STATE, &[&group.id, group.state], 1.0);
        }
    }

    fn show_rows(&self, text: &mut Text, rows: Vec<LagRow>, mut rest: Option<Behind>) {
        let (named, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| self.crowd.is_named(&row.group));
        others.iter().for_each(|row| rest.get_or_insert_default().add(row.behind));
        let gauges: [Shown<Behind>; 2] = [
            (&GROUP_LAG_RECORDS, |behind| behind.records as f64),
            (&GROUP_LAG_SECONDS, |behind| behind.time.as_secs_f64()),
        ];
        for (metric, value) in gauges {
            text.family(metric);
            for row in &named {
                text.series(
                    metric,
                    &[&row.group, &row.topic, &row.partition.to_string()],
                    value(&row.behind),
                );
            }
            if let Some(rest) = &rest {
                text.series(metric, &[OTHER; 3], value(rest));
            }
        }
    }
}
