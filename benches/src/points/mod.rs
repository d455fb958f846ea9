//! Rows of single figures: what a start takes, what partitions and connections cost, how a broker behaves beside others.
//!
//! Invariants: each measurement has a broker of its own on a fresh directory; figures are medians over measurements taken
//! forwards and backwards, as in the other rows. A goal is a ratio to Kafka, or a figure that must hold by itself.

mod cold;
mod connections;
pub(crate) mod growing;
mod hostile;
mod partitions;
mod restart;
mod start;
mod tenfold;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::client::wait_for_first_reply;
use crate::compare::{Bench, settle_disk};
use crate::peer::{Contender, Launch, Process, START_MAX, TempDir};
use crate::rows::{Bound, Effort, order};
use crate::stats::{median, ratio};
use crate::wire::request::Settings;

/// One figure of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    pub key: &'static str,
    /// The heading of its column, unit included.
    pub heading: &'static str,
    pub goal: Option<PointGoal>,
}

impl Figure {
    /// All are, but what is read a second.
    pub(crate) fn is_cost(self) -> bool {
        !self.heading.starts_with("MB/s")
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PointGoal {
    /// Against Kafka's.
    Ratio(Bound),
    /// By itself.
    Figure(Bound),
}

/// Measures one broker once: a figure for each column.
type Measure = fn(&Course<'_>) -> Result<Vec<f64>>;

#[derive(Debug, Clone)]
pub(crate) struct PointRow {
    pub number: u32,
    pub id: &'static str,
    pub title: &'static str,
    pub figures: &'static [Figure],
    measure: Measure,
}

/// What a row measured of each broker: the median of each figure, and all of them.
#[derive(Debug)]
pub(crate) struct PointResult {
    pub row: &'static PointRow,
    pub brokers: Vec<(Contender, Vec<f64>, Vec<Vec<f64>>)>,
}

impl PointResult {
    pub(crate) fn against_kafka(&self, contender: Contender, figure: usize) -> Option<f64> {
        let of =
            |who| self.brokers.iter().find(|(known, ..)| *known == who).map(|(_, middle, _)| middle[figure]);
        if contender == Contender::Kafka { None } else { ratio(of(contender)?, of(Contender::Kafka)?) }
    }

    /// Whether a figure's goal holds; `None` without a goal, without a peer to compare with, and for the peer itself.
    pub(crate) fn holds(&self, contender: Contender, figure: usize) -> Option<bool> {
        if !contender.is_judged() {
            return None;
        }
        match self.row.figures[figure].goal? {
            PointGoal::Ratio(bound) => self.against_kafka(contender, figure).map(|ratio| bound.holds(ratio)),
            PointGoal::Figure(bound) => {
                let (_, middle, _) = self.brokers.iter().find(|(known, ..)| *known == contender)?;
                Some(bound.holds(middle[figure]))
            }
        }
    }
}

const fn plain(key: &'static str, heading: &'static str) -> Figure {
    Figure { key, heading, goal: None }
}

const fn at_most(key: &'static str, heading: &'static str, bound: f64) -> Figure {
    Figure { key, heading, goal: Some(PointGoal::Figure(Bound::AtMost(bound))) }
}

const fn ratio_at_most(key: &'static str, heading: &'static str, bound: f64) -> Figure {
    Figure { key, heading, goal: Some(PointGoal::Ratio(Bound::AtMost(bound))) }
}

/// All of them, in the order in which they run.
pub(crate) const POINT_ROWS: &[PointRow] = &[
    PointRow {
        number: 11,
        id: "11",
        title: "1,000 records a second, and beside them the reading of what is not in the page cache",
        figures: cold::FIGURES,
        measure: cold::measure,
    },
    PointRow {
        number: 12,
        id: "12",
        title: "1,000 partitions: made, one record in each, and nothing any more",
        figures: partitions::FIGURES,
        measure: |course| partitions::measure(course, 1_000),
    },
    PointRow {
        number: 13,
        id: "13",
        title: "the same with 10,000 partitions",
        figures: partitions::MANY_FIGURES,
        measure: |course| partitions::measure(course, 10_000),
    },
    PointRow {
        number: 14,
        id: "14-1000",
        title: "1,000 connections that are silent, and one that is not",
        figures: connections::FIGURES,
        measure: |course| connections::measure(course, 1_000),
    },
    PointRow {
        number: 14,
        id: "14-10000",
        title: "10,000 connections that are silent, and one that is not",
        figures: connections::FIGURES,
        measure: |course| connections::measure(course, 10_000),
    },
    PointRow {
        number: 15,
        id: "15-empty",
        title: "after kill -9: an empty broker",
        figures: restart::EMPTY_FIGURES,
        measure: restart::empty,
    },
    PointRow {
        number: 15,
        id: "15-data",
        title: "after kill -9: the volume in 16 KiB batches",
        figures: restart::DATA_FIGURES,
        measure: restart::data,
    },
    PointRow {
        number: 15,
        id: "15-partitions",
        title: "after kill -9: 1,000 partitions with a record in each",
        figures: restart::PARTITIONS_FIGURES,
        measure: restart::partitions,
    },
    PointRow {
        number: 16,
        id: "16",
        title: "memory after the start, and under the load of the volume in 16 KiB batches",
        figures: start::MEMORY_FIGURES,
        measure: start::memory,
    },
    PointRow {
        number: 17,
        id: "17",
        title: "from exec to the first reply",
        figures: start::REPLY_FIGURES,
        measure: start::first_reply,
    },
    PointRow {
        number: 19,
        id: "19",
        title: "ten times the volume: 100 B records in 16 KiB batches, 1,000 records a second beside them, kill -9",
        figures: tenfold::FIGURES,
        measure: tenfold::measure,
    },
    PointRow {
        number: 20,
        id: "20",
        title: "a good client's records while hostile frames come in (30,000 ms: no answer in that time)",
        figures: hostile::FIGURES,
        measure: hostile::measure,
    },
];

/// One measurement: which broker, where its data goes, how much of everything.
pub(crate) struct Course<'a> {
    bench: &'a Bench,
    contender: Contender,
    dir: TempDir,
}

/// A broker that was started by this course, at a place where it can be started again.
struct Runner {
    process: Process,
    launch: Launch,
    /// From exec to the first reply.
    first_reply: Duration,
}

impl Course<'_> {
    fn effort(&self) -> Effort {
        self.bench.effort
    }

    /// The same broker again, on a directory of this name inside its own.
    fn part(&self, name: &str) -> Result<Self> {
        Ok(Course { dir: TempDir::new(self.dir.path().join(name))?, ..*self })
    }

    /// The broker's files, which are many, are deleted when all rows are through and not before: where ext4 makes a file
    /// it passes by every place that a deletion freed within the last minutes, one by one, and the next broker's files
    /// would take several times as long.
    fn keep_files(&self) {
        self.dir.stay();
    }

    /// Starts the broker and waits until it answers.
    fn start(&self) -> Result<Runner> {
        self.start_with(&[])
    }

    fn start_with(&self, settings: Settings<'_>) -> Result<Runner> {
        let launch = self.bench.launch(self.contender, self.dir.path(), settings)?;
        settle_disk(self.dir.path())?;
        run(launch)
    }
}

fn run(launch: Launch) -> Result<Runner> {
    let begun = Instant::now();
    let mut process = launch.start()?;
    wait_for_first_reply(launch.address, begun + START_MAX, || process.check_alive())?;
    Ok(Runner { process, launch, first_reply: begun.elapsed() })
}

impl Runner {
    /// Ends it as a crash does and starts it again. `is_back` waits for what shall be there again.
    fn crash(mut self, is_back: impl FnOnce(&mut Runner) -> Result<()>) -> Result<Duration> {
        self.process.kill()?;
        let begun = Instant::now();
        let mut runner = run(self.launch)?;
        is_back(&mut runner)?;
        Ok(begun.elapsed())
    }
}

impl Bench {
    pub(crate) fn run_points(&self, row: &'static PointRow) -> Result<PointResult> {
        let contenders = self.contenders();
        let mut all: Vec<Vec<Vec<f64>>> = vec![Vec::new(); contenders.len()];
        for (turn, at) in order(contenders.len(), 1).into_iter().enumerate() {
            let contender = contenders[at];
            let course = self.course(contender, &format!("{}-{}-{turn}", row.id, contender.key()))?;
            let figures = (row.measure)(&course).with_context(|| contender.key().to_owned())?;
            ensure!(figures.len() == row.figures.len(), "row {}: figures without a heading", row.id);
            let told = row.figures.iter().zip(&figures);
            let told: Vec<_> = told.map(|(figure, value)| format!("{value:.3} {}", figure.heading)).collect();
            eprintln!("row {}: {}: {}", row.id, contender.key(), told.join(", "));
            all[at].push(figures);
        }
        let brokers = contenders.into_iter().zip(all).map(|(contender, runs)| {
            let middle = |at: usize| median(runs.iter().map(|run| run[at]).collect());
            let middles: Option<Vec<f64>> = (0..row.figures.len()).map(middle).collect();
            Ok((contender, middles.context("no run was measured")?, runs))
        });
        Ok(PointResult { row, brokers: brokers.collect::<Result<_>>()? })
    }

    /// A measurement of a broker on a directory of this name, which is new.
    pub(crate) fn course(&self, contender: Contender, name: &str) -> Result<Course<'_>> {
        Ok(Course { bench: self, contender, dir: TempDir::new(self.data_dir.join(name))? })
    }

    fn launch(&self, contender: Contender, dir: &Path, settings: Settings<'_>) -> Result<Launch> {
        let ottla = || self.ottla.as_ref().context("Ottla takes no part");
        match contender {
            Contender::Kafka => self.kafka.as_ref().context("Kafka takes no part")?.launch(dir, settings),
            Contender::Nats => anyhow::bail!("NATS takes part in rows of the same work only"),
            Contender::OttlaRelaxed => ottla()?.launch(dir, "relaxed", settings),
            Contender::OttlaDurable => ottla()?.launch(dir, "durable", settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROW: PointRow = PointRow {
        number: 15,
        id: "t",
        title: "a row",
        figures: &[at_most("a", "s", 0.2), ratio_at_most("b", "ms", 0.5), plain("c", "n")],
        measure: start::first_reply,
    };

    #[test]
    fn goals_hold_by_themselves_or_against_kafka() {
        let brokers = vec![
            (Contender::Kafka, vec![10.0, 4.0, 1.0], Vec::new()),
            (Contender::OttlaRelaxed, vec![0.1, 2.0, 1.0], Vec::new()),
            (Contender::OttlaDurable, vec![0.3, 2.1, 1.0], Vec::new()),
        ];
        let mut result = PointResult { row: &ROW, brokers };
        let verdicts = |result: &PointResult, who| [0, 1, 2].map(|figure| result.holds(who, figure));
        assert_eq!(verdicts(&result, Contender::OttlaRelaxed), [Some(true), Some(true), None]);
        assert_eq!(verdicts(&result, Contender::OttlaDurable), [Some(false), Some(false), None]);
        assert_eq!(verdicts(&result, Contender::Kafka), [None; 3]);
        result.brokers.remove(0);
        assert_eq!(verdicts(&result, Contender::OttlaRelaxed), [Some(true), None, None]);
    }

    #[test]
    fn ids_are_unique() {
        let mut ids: Vec<_> = POINT_ROWS.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), POINT_ROWS.len());
    }
}
