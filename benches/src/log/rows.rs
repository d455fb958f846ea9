//! The rows of the storage bench: which cases stand side by side, what is shown of them, and the goal between two.
//!
//! Invariants: the cases of a row do comparable work, the machine's own beside the log's; a goal names two cases of its
//! own row and a metric that the row shows. Nothing is measured here.

use crate::rows::{BATCH_BYTES, Bound};
use crate::stats::Metric;

const SMALL_BATCH_BYTES: usize = 1024;
/// The most logs that a case asks for.
pub(crate) const MANY: usize = 10_000;

/// How a data directory came to its end before it is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Closed,
    /// The process died, the machine did not: all pages are still in memory.
    Killed,
    /// As after a power cut that happened to lose nothing: another boot, and nothing in memory.
    BootLost,
}

/// What a machine can be asked to put on the disk at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// 4 KiB blocks over a file that is written already, `O_DIRECT | O_DSYNC`.
    Direct,
    /// A block behind a file's end, then fdatasync.
    Growing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Bare writes into the page cache, in turn over files.
    PageCache {
        files: usize,
    },
    /// Bare writes into one file, and a second thread that flushes it behind them.
    PageCacheFlushed,
    /// Appends to relaxed logs in turn, until the volume is through.
    Relaxed {
        logs: usize,
    },
    MachineFlush(Flush),
    /// Appends to durable logs with many tickets on the way, for a time.
    Durable {
        logs: usize,
        batch_bytes: usize,
    },
    /// The next append only when the one before is durable, for a time.
    Alone {
        logs: usize,
    },
    /// Directories with a file each, and one flush of the file system.
    MachineCreate {
        count: usize,
    },
    /// The first record of each of many new logs.
    FirstRecords {
        logs: usize,
    },
    /// The bytes of a data directory, from the disk.
    MachineRead,
    Recovery(Ending),
    /// One pass over one log, in which half of the records are superfluous.
    Compaction {
        batch_bytes: usize,
    },
    /// Appends to one log, timed while checkpoints of many others run.
    Stall {
        dirty: usize,
    },
}

impl Work {
    /// The same with no more logs, or files in their place, than can be open at once.
    pub(crate) fn with_at_most(self, most: usize) -> Self {
        match self {
            Self::PageCache { files } => Self::PageCache { files: files.min(most) },
            Self::Relaxed { logs } => Self::Relaxed { logs: logs.min(most) },
            Self::Durable { logs, batch_bytes } => Self::Durable { logs: logs.min(most), batch_bytes },
            Self::Alone { logs } => Self::Alone { logs: logs.min(most) },
            Self::MachineCreate { count } => Self::MachineCreate { count: count.min(most) },
            Self::FirstRecords { logs } => Self::FirstRecords { logs: logs.min(most) },
            // One log more is appended to.
            Self::Stall { dirty } => Self::Stall { dirty: dirty.min(most - 1) },
            Self::PageCacheFlushed
            | Self::MachineFlush(_)
            | Self::MachineRead
            | Self::Recovery(_)
            | Self::Compaction { .. } => self,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub label: &'static str,
    pub work: Work,
}

/// A bound on the ratio between a metric of two cases, by their places in the row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub metric: Metric,
    pub of: usize,
    pub to: usize,
    pub bound: Bound,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub number: u32,
    pub title: &'static str,
    pub cases: &'static [Case],
    pub columns: &'static [Metric],
    pub goals: &'static [Goal],
}

const fn case(label: &'static str, work: Work) -> Case {
    Case { label, work }
}

/// A row that only shows.
const fn shown(number: u32, title: &'static str, columns: &'static [Metric], cases: &'static [Case]) -> Row {
    Row { number, title, cases, columns, goals: &[] }
}

const DIRECT: Case = case("machine: 4 KiB O_DIRECT|O_DSYNC", Work::MachineFlush(Flush::Direct));
const GROWING: Case = case("machine: 4 KiB append + fdatasync", Work::MachineFlush(Flush::Growing));

const fn durable(batch_bytes: usize) -> [Case; 6] {
    [
        DIRECT,
        GROWING,
        case("1 log", Work::Durable { logs: 1, batch_bytes }),
        case("100 logs", Work::Durable { logs: 100, batch_bytes }),
        case("1,000 logs", Work::Durable { logs: 1_000, batch_bytes }),
        case("10,000 logs", Work::Durable { logs: MANY, batch_bytes }),
    ]
}

const DURABLE_COLUMNS: &[Metric] =
    &[Metric::AppendsPerSecond, Metric::MegabytesPerSecond, Metric::CpuMicrosPerAppend];
const TIMES: &[Metric] = &[Metric::AppendsPerSecond, Metric::P50Ms, Metric::P99Ms, Metric::MaxMs];
const WHOLE: &[Metric] = &[Metric::TotalMs, Metric::AppendsPerSecond];
/// What a thousand logs must reach of one.
const DURABLE_GOALS: &[Goal] =
    &[Goal { metric: Metric::AppendsPerSecond, of: 4, to: 2, bound: Bound::AtLeast(0.5) }];

pub(crate) const ROWS: &[Row] = &[
    Row {
        number: 1,
        title: "append relaxed, 16 KiB batches, one thread",
        cases: &[
            case("page cache, 1 file", Work::PageCache { files: 1 }),
            case("1 log", Work::Relaxed { logs: 1 }),
            case("page cache, 1 file, flushed behind", Work::PageCacheFlushed),
            case("page cache, 100 files", Work::PageCache { files: 100 }),
            case("100 logs", Work::Relaxed { logs: 100 }),
            case("page cache, 10,000 files", Work::PageCache { files: MANY }),
            case("10,000 logs", Work::Relaxed { logs: MANY }),
        ],
        columns: &[Metric::MegabytesPerSecond, Metric::CpuSecondsPerGb],
        goals: &[Goal { metric: Metric::MegabytesPerSecond, of: 1, to: 0, bound: Bound::AtLeast(0.7) }],
    },
    Row {
        number: 2,
        title: "append durable, 1 KiB batches, 64 on the way",
        cases: &durable(SMALL_BATCH_BYTES),
        columns: DURABLE_COLUMNS,
        goals: DURABLE_GOALS,
    },
    Row {
        number: 3,
        title: "append durable, 16 KiB batches, 64 on the way",
        cases: &durable(BATCH_BYTES),
        columns: DURABLE_COLUMNS,
        goals: DURABLE_GOALS,
    },
    shown(
        4,
        "append durable, 1 KiB batches, one at a time",
        TIMES,
        &[
            DIRECT,
            GROWING,
            case("1 log", Work::Alone { logs: 1 }),
            case("1,000 logs", Work::Alone { logs: 1_000 }),
        ],
    ),
    shown(
        5,
        "first durable record in each of 1,000 new logs, 64 on the way",
        WHOLE,
        &[
            case("machine: directories and files, one syncfs", Work::MachineCreate { count: 1_000 }),
            case("1,000 logs", Work::FirstRecords { logs: 1_000 }),
        ],
    ),
    shown(
        6,
        "opening a directory of relaxed and durable logs",
        &[Metric::TotalMs, Metric::MegabytesPerSecond, Metric::CpuSecondsPerGb],
        &[
            case("machine: reading all of it", Work::MachineRead),
            case("closed in order", Work::Recovery(Ending::Closed)),
            case("killed, same boot", Work::Recovery(Ending::Killed)),
            case("another boot, nothing cached", Work::Recovery(Ending::BootLost)),
        ],
    ),
    shown(
        7,
        "durable appends to one log, those that met a checkpoint",
        &[Metric::P50Ms, Metric::P99Ms, Metric::MaxMs],
        &[
            case("no checkpoint, all appends", Work::Stall { dirty: 0 }),
            case("10,000 dirty durable logs", Work::Stall { dirty: MANY }),
        ],
    ),
    shown(
        8,
        "compacting one log, of whose records a half goes, by the bytes that it had",
        &[Metric::MegabytesPerSecond, Metric::CpuSecondsPerGb],
        &[
            case("machine: reading all of it", Work::MachineRead),
            case("16 KiB batches", Work::Compaction { batch_bytes: BATCH_BYTES }),
            case("1 KiB batches", Work::Compaction { batch_bytes: SMALL_BATCH_BYTES }),
        ],
    ),
];

/// The batch of rows that have no size of their own.
pub(crate) fn batch_bytes(work: Work) -> usize {
    match work {
        Work::PageCache { .. }
        | Work::PageCacheFlushed
        | Work::Relaxed { .. }
        | Work::MachineRead
        | Work::Recovery(_) => BATCH_BYTES,
        Work::Durable { batch_bytes, .. } | Work::Compaction { batch_bytes } => batch_bytes,
        Work::MachineFlush(_)
        | Work::Alone { .. }
        | Work::MachineCreate { .. }
        | Work::FirstRecords { .. }
        | Work::Stall { .. } => SMALL_BATCH_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_stand_on_what_is_shown() {
        for row in ROWS {
            for goal in row.goals {
                assert!(row.columns.contains(&goal.metric), "row {} hides a goal's figure", row.number);
                assert!(goal.of != goal.to && goal.of.max(goal.to) < row.cases.len(), "row {}", row.number);
            }
        }
    }

    #[test]
    fn the_goal_of_many_logs_names_the_right_cases() {
        let [goal] = DURABLE_GOALS else { panic!("one goal") };
        for row in ROWS.iter().filter(|row| std::ptr::eq(row.goals, DURABLE_GOALS)) {
            assert_eq!(row.cases[goal.of].label, "1,000 logs");
            assert_eq!(row.cases[goal.to].label, "1 log");
        }
    }
}
