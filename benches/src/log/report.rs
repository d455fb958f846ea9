//! What the storage bench tells: a table for people, and the same figures for machines.
//!
//! Invariants: no figure without its unit, no goal without its ratio and verdict. Nothing is measured here.

use serde_json::{Value, json};

use super::rows::{Goal, MANY, Row};
use crate::report::{aligned, bound_text, cell, metrics_json, sample_json};
use crate::stats::{Metric, Summary, ratio};

const PREAMBLE: &str = "\
The log without a network, ABBA, first runs thrown away. MB and GB are decimal and count whole record batches; CPU is
all of this process's. Figures are medians over runs (times of single appends: of all runs together); spread is half
the range of the first column. A batch is checked (its checksum too) before each append.
";

/// What stands above all tables, so that no figure is taken for something else.
pub(crate) fn preamble(logs_max: usize) -> String {
    let mut text = PREAMBLE.to_owned();
    if logs_max < MANY {
        text.push_str(&format!(
            "The limit of open files lets {logs_max} logs be open: that many stand where a case says more.\n"
        ));
    }
    text
}

/// What came out of a row: its cases' runs, in their order.
pub(crate) struct RowResult {
    pub row: &'static Row,
    pub summaries: Vec<Summary>,
}

impl RowResult {
    fn ratio(&self, goal: Goal) -> Option<f64> {
        let value = |at: usize| self.summaries.get(at)?.value(goal.metric);
        ratio(value(goal.of)?, value(goal.to)?)
    }

    fn goal_text(&self, at: usize) -> String {
        let goals = self.row.goals.iter().filter(|goal| goal.of == at).map(|goal| {
            let found = self.ratio(*goal);
            let word = match found.map(|ratio| goal.bound.holds(ratio)) {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "not compared",
            };
            let (bound, other) = (bound_text(goal.bound, goal.metric), self.row.cases[goal.to].label);
            format!("{}: {bound} of {other} {word}", cell(found, "x"))
        });
        goals.collect::<Vec<_>>().join(", ")
    }
}

/// Histograms are merged over runs; the spread of a time is that of the runs' own.
fn spread(summary: &Summary, columns: &[Metric]) -> String {
    let spread = columns.first().and_then(|metric| summary.spread(*metric));
    spread.map_or_else(String::new, |share| format!("+-{:.0}%", share * 100.0))
}

pub(crate) fn table(result: &RowResult) -> String {
    let row = result.row;
    let mut heading = vec!["case".to_owned()];
    heading.extend(row.columns.iter().map(|metric| metric.heading().to_owned()));
    heading.extend(["spread".to_owned(), "goal".to_owned()]);
    let mut lines = vec![heading];
    for (at, (case, summary)) in row.cases.iter().zip(&result.summaries).enumerate() {
        let mut line = vec![case.label.to_owned()];
        line.extend(row.columns.iter().map(|metric| cell(summary.value(*metric), "")));
        line.extend([spread(summary, row.columns), result.goal_text(at)]);
        lines.push(line);
    }
    format!("\nrow {}: {}\n{}", row.number, row.title, aligned(&lines))
}

pub(crate) fn row_json(result: &RowResult) -> Value {
    let row = result.row;
    let cases = row.cases.iter().zip(&result.summaries).map(|(case, summary)| {
        json!({
            "case": case.label,
            "figures": metrics_json(row.columns, |metric| summary.value(metric)),
            "runs": summary.samples.iter().map(|run| sample_json(run, row.columns)).collect::<Vec<_>>(),
        })
    });
    let goals = row.goals.iter().map(|goal| {
        let found = result.ratio(*goal);
        json!({
            "metric": goal.metric.key(),
            "of": row.cases[goal.of].label,
            "to": row.cases[goal.to].label,
            "bound": bound_text(goal.bound, goal.metric),
            "ratio": found,
            "met": found.map(|ratio| goal.bound.holds(ratio)),
        })
    });
    json!({
        "row": row.number,
        "work": row.title,
        "cases": cases.collect::<Vec<_>>(),
        "goals": goals.collect::<Vec<_>>(),
    })
}

pub(crate) fn failure_json(row: &Row, error: &anyhow::Error) -> Value {
    json!({ "row": row.number, "work": row.title, "error": format!("{error:#}") })
}

#[cfg(test)]
mod tests {
    use super::super::rows::ROWS;
    use super::*;
    use crate::stats::Sample;

    fn summary(seconds: f64) -> Summary {
        let sample = Sample {
            seconds,
            bytes: 1_000_000_000,
            requests: 1000,
            broker_cpu_seconds: 1.0,
            generator_cpu_seconds: 0.0,
            peak_memory_bytes: 0,
            latency_ns: None,
        };
        Summary::of(vec![sample]).unwrap()
    }

    #[test]
    fn fewer_logs_than_said_are_said() {
        assert!(!preamble(MANY).contains("open files"));
        assert!(preamble(6_500).contains("6500 logs"));
    }

    #[test]
    fn a_goal_stands_beside_its_case_with_its_ratio() {
        let row = &ROWS[0];
        for (seconds, word) in [(1.25, "0.80x: >= 0.70x MB/s of page cache, 1 file met"), (2.0, "MISSED")] {
            let summaries =
                row.cases.iter().enumerate().map(|(at, _)| summary(if at == 1 { seconds } else { 1.0 }));
            let result = RowResult { row, summaries: summaries.collect() };
            let text = table(&result);
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(word)).collect();
            assert!(matches!(lines[..], [line] if line.trim_start().starts_with("1 log ")), "{text}");
            assert_eq!(row_json(&result)["goals"][0]["met"], json!(word != "MISSED"));
        }
    }
}
