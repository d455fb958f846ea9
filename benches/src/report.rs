//! What the comparison tells: a table for people on standard output, and the same figures for machines.
//!
//! Invariants: no figure appears without its unit, no ratio without both figures, no goal without its verdict. Nothing
//! is measured here.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::compare::RowResult;
use crate::limits::Limit;
use crate::peer::{Contender, nats};
use crate::plot::{self, Bar};
use crate::points::{PointGoal, PointResult};
use crate::rows::{Bound, DURABLE_SHARE, Goal, Row};
use crate::stats::{Metric, Sample, Summary, ratio};

/// The broker's name as people read it.
pub(crate) fn label(contender: Contender, kafka_version: &str) -> String {
    match contender {
        Contender::Kafka => format!("Kafka {kafka_version}"),
        Contender::Nats => format!("NATS {}", nats::VERSION),
        Contender::OttlaRelaxed => "Ottla relaxed".to_owned(),
        Contender::OttlaDurable => "Ottla durable".to_owned(),
    }
}

/// Three significant figures, for more are noise.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

pub(crate) fn cell(value: Option<f64>, suffix: &str) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{}{suffix}", figure(value)))
}

/// A broker's figure against Kafka's; none for Kafka itself.
fn against_kafka(result: &RowResult, contender: Contender, metric: Metric) -> Option<f64> {
    let find = |wanted| result.summaries.iter().find(|(who, _)| *who == wanted).map(|(_, summary)| summary);
    if contender == Contender::Kafka {
        return None;
    }
    ratio(find(contender)?.value(metric)?, find(Contender::Kafka)?.value(metric)?)
}

/// A goal as it stands for a mode, and whether it holds; no verdict without Kafka.
fn verdict(result: &RowResult, contender: Contender, goal: Goal) -> (Bound, Option<bool>) {
    let is_share = contender == Contender::OttlaDurable && !result.row.setup.is_durable;
    let bound = goal.bound_for(is_share);
    (bound, against_kafka(result, contender, goal.metric).map(|ratio| bound.holds(ratio)))
}

pub(crate) fn bound_text(bound: Bound, metric: Metric) -> String {
    match bound {
        Bound::AtLeast(factor) => format!(">= {}x {}", figure(factor), metric.heading()),
        Bound::AtMost(factor) => format!("<= {}x {}", figure(factor), metric.heading()),
    }
}

fn goals_cell(result: &RowResult, contender: Contender) -> String {
    if !contender.is_judged() {
        return String::new();
    }
    let goals = result.row.goals.iter().map(|goal| {
        let (bound, holds) = verdict(result, contender, *goal);
        format!("{} {}", bound_text(bound, goal.metric), word(holds))
    });
    goals.collect::<Vec<_>>().join(", ")
}

fn spread_cell(summary: &Summary, row: &Row) -> String {
    let spread = row.columns.first().and_then(|metric| summary.spread(*metric));
    spread.map_or_else(String::new, |share| format!("+-{:.0}%", share * 100.0))
}

/// Columns padded to their widest cell; the first and the last lean left, the others right.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::from(" ");
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let padded = match at {
                0 => format!(" {cell:<width$}"),
                _ if at + 1 == columns => format!("   {cell}"),
                _ => format!("  {cell:>width$}"),
            };
            row.push_str(&padded);
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn limit_line(limit: &Limit) -> String {
    let figures: Vec<String> =
        limit.figures.iter().map(|(value, unit)| format!("{} {unit}", figure(*value))).collect();
    format!("  limit: {}: {}\n", limit.name, figures.join(", "))
}

/// One row as a table.
pub(crate) fn table(result: &RowResult, kafka_version: &str) -> String {
    let row = result.row;
    let mut heading = vec!["broker".to_owned()];
    heading.extend(row.columns.iter().map(|metric| metric.heading().to_owned()));
    heading.push("spread".to_owned());
    heading.extend(row.ratios.iter().map(|metric| format!("x {}", metric.heading())));
    heading.push("goal against Kafka".to_owned());
    let mut lines = vec![heading];
    for (contender, summary) in &result.summaries {
        let mut line = vec![label(*contender, kafka_version)];
        line.extend(row.columns.iter().map(|metric| cell(summary.value(*metric), "")));
        line.push(spread_cell(summary, row));
        line.extend(row.ratios.iter().map(|metric| cell(against_kafka(result, *contender, *metric), "x")));
        line.push(goals_cell(result, *contender));
        lines.push(line);
    }
    let mut text = format!("\nrow {}: {}\n", row.number, row.title);
    text.push_str(&aligned(&lines));
    for limit in &result.limits {
        text.push_str(&limit_line(limit));
    }
    text
}

/// Who is drawn, in the order of their bars.
const DRAWN: [Contender; 2] = [Contender::OttlaRelaxed, Contender::OttlaDurable];

/// The picture of rows, as [`row_json`] and [`point_json`] give them: how many times better than Kafka each figure is that
/// has a goal, or the first of a row without any.
pub(crate) fn picture<'a>(rows: impl IntoIterator<Item = &'a Value>, kafka_version: &str) -> String {
    let title = format!("How many times better than Apache Kafka {kafka_version}");
    let bars: Vec<Bar> = rows.into_iter().flat_map(bars).collect();
    plot::bars(&title, &DRAWN.map(|who| label(who, kafka_version)), &bars)
}

fn bars(row: &Value) -> Vec<Bar> {
    let lines = row["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has_goal = |line: &&Value| line["goals"].as_object().is_some_and(|goals| !goals.is_empty());
    let mut drawn: Vec<&Value> = lines.iter().filter(has_goal).collect();
    if drawn.is_empty() {
        drawn.extend(lines.first());
    }
    let bar = |line: &&Value| {
        let better = |ratio: f64| if line["is_cost"] == true { 1.0 / ratio } else { ratio };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Bar {
            label: format!("{}: {}, {}", row["row"], text(&row["work"]), text(&line["figure"])),
            ratios: DRAWN
                .iter()
                .filter_map(|who| line["against_kafka"][who.key()].as_f64().map(better))
                .collect(),
        }
    };
    drawn.iter().map(bar).filter(|bar| !bar.ratios.is_empty()).collect()
}

/// The goal of a figure of a row of points.
fn point_bound(result: &PointResult, contender: Contender, at: usize) -> Option<String> {
    let figure = result.row.figures[at];
    let (relation, bound, unit) = match figure.goal.filter(|_| contender.is_judged())? {
        PointGoal::Ratio(Bound::AtLeast(bound)) => (">=", bound, "x"),
        PointGoal::Ratio(Bound::AtMost(bound)) => ("<=", bound, "x"),
        PointGoal::Figure(Bound::AtLeast(bound)) => (">=", bound, ""),
        PointGoal::Figure(Bound::AtMost(bound)) => ("<=", bound, ""),
    };
    Some(format!("{relation} {}{unit} {}", self::figure(bound), figure.heading))
}

/// The verdict on it.
fn point_cell(result: &PointResult, contender: Contender, at: usize) -> Option<String> {
    let bound = point_bound(result, contender, at)?;
    Some(format!("{bound} {}", word(result.holds(contender, at))))
}

fn word(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "not compared",
    }
}

/// A row of points as a table.
pub(crate) fn point_table(result: &PointResult, kafka_version: &str) -> String {
    let row = result.row;
    let mut heading = vec!["broker".to_owned()];
    for figure in row.figures {
        heading.extend([figure.heading.to_owned(), "x".to_owned()]);
    }
    heading.push("goal".to_owned());
    let mut lines = vec![heading];
    for (contender, middle, _) in &result.brokers {
        let mut line = vec![label(*contender, kafka_version)];
        for (at, value) in middle.iter().enumerate() {
            let share = result.against_kafka(*contender, at);
            line.extend([
                cell(Some(*value), ""),
                share.map_or_else(String::new, |share| cell(Some(share), "x")),
            ]);
        }
        let goals = (0..row.figures.len()).filter_map(|at| point_cell(result, *contender, at));
        line.push(goals.collect::<Vec<_>>().join(", "));
        lines.push(line);
    }
    format!("\nrow {}: {}\n{}", row.number, row.title, aligned(&lines))
}

/// One row of points for machines.
pub(crate) fn point_json(result: &PointResult) -> Value {
    let named = |values: &[f64]| -> Value {
        result
            .row
            .figures
            .iter()
            .zip(values)
            .map(|(figure, value)| (figure.key.to_owned(), json!(value)))
            .collect()
    };
    let brokers = result.brokers.iter().map(|(contender, middle, runs)| {
        let figures = 0..result.row.figures.len();
        let goals: Value = figures
            .filter_map(|at| {
                Some((result.row.figures[at].key.to_owned(), json!(result.holds(*contender, at)?)))
            })
            .collect();
        json!({
            "broker": contender.key(),
            "figures": named(middle),
            "goals_met": goals,
            "runs": runs.iter().map(|run| named(run)).collect::<Vec<_>>(),
        })
    });
    json!({
        "row": result.row.number,
        "id": result.row.id,
        "work": result.row.title,
        "brokers": brokers.collect::<Vec<_>>(),
        "lines": (0..result.row.figures.len()).map(|at| point_line_json(result, at)).collect::<Vec<_>>(),
    })
}

/// The same of a figure of points, which are costs; what is read a second has no goal.
fn point_line_json(result: &PointResult, at: usize) -> Value {
    let of_each = |value_of: &dyn Fn(Contender, f64) -> Option<Value>| -> Value {
        let all = result.brokers.iter();
        all.filter_map(|(who, middle, _)| Some((who.key().to_owned(), value_of(*who, middle[at])?))).collect()
    };
    let figure = result.row.figures[at];
    json!({
        "figure": figure.heading,
        "is_cost": figure.is_cost(),
        "values": of_each(&|_, value| Some(json!(value))),
        "against_kafka": of_each(&|who, _| result.against_kafka(who, at).map(|ratio| json!(ratio))),
        "goals": of_each(&|who, _| {
            let met = result.holds(who, at)?;
            Some(json!({ "bound": point_bound(result, who, at)?, "met": met }))
        }),
    })
}

/// What stands above all tables, so that no figure is taken for something else.
pub(crate) fn preamble(connections: usize, quick: bool) -> String {
    let mut text = String::new();
    let effort = if quick { "quick, good for a first look only" } else { "full" };
    let _ = writeln!(
        text,
        "Side by side on loopback, {connections} connections, ABBA, warm-ups thrown away ({effort})."
    );
    let _ = writeln!(
        text,
        "MB and GB are decimal and count whole record batches; CPU is the broker process's own; gen is the \
         generator's: where it nears the broker's, the machine is the generator's limit too."
    );
    let _ = writeln!(
        text,
        "Figures are medians over runs (percentiles: of all rounds together); spread is half the range of the \
         first column. Ottla durable is held to {:.0} % of each goal.",
        DURABLE_SHARE * 100.0
    );
    text
}

pub(crate) fn sample_json(sample: &Sample, columns: &[Metric]) -> Value {
    let mut value = metrics_json(columns, |metric| metric.of(sample));
    value["seconds"] = json!(sample.seconds);
    value["bytes"] = json!(sample.bytes);
    value["requests"] = json!(sample.requests);
    value["broker_cpu_seconds"] = json!(sample.broker_cpu_seconds);
    value["generator_cpu_seconds"] = json!(sample.generator_cpu_seconds);
    value
}

pub(crate) fn metrics_json(metrics: &[Metric], value_of: impl Fn(Metric) -> Option<f64>) -> Value {
    metrics.iter().map(|metric| (metric.key().to_owned(), json!(value_of(*metric)))).collect()
}

fn broker_json(result: &RowResult, contender: Contender, summary: &Summary) -> Value {
    let row = result.row;
    let goals: Vec<Value> = row
        .goals
        .iter()
        .filter(|_| contender.is_judged())
        .map(|goal| {
            let (bound, met) = verdict(result, contender, *goal);
            let (kind, factor) = match bound {
                Bound::AtLeast(factor) => ("at_least", factor),
                Bound::AtMost(factor) => ("at_most", factor),
            };
            json!({ "metric": goal.metric.key(), "bound": kind, "factor": factor, "met": met })
        })
        .collect();
    json!({
        "broker": contender.key(),
        "figures": metrics_json(row.columns, |metric| summary.value(metric)),
        "against_kafka": metrics_json(row.ratios, |metric| against_kafka(result, contender, metric)),
        "goals": goals,
        "runs": summary.samples.iter().map(|sample| sample_json(sample, row.columns)).collect::<Vec<_>>(),
    })
}

/// One row for machines.
pub(crate) fn row_json(result: &RowResult) -> Value {
    let limits: Vec<Value> = result
        .limits
        .iter()
        .map(|limit| {
            let figures: Vec<Value> =
                limit.figures.iter().map(|(value, unit)| json!({ "value": value, "unit": unit })).collect();
            json!({ "name": limit.name, "figures": figures })
        })
        .collect();
    let brokers: Vec<Value> =
        result.summaries.iter().map(|(who, summary)| broker_json(result, *who, summary)).collect();
    json!({
        "row": result.row.number,
        "id": result.row.id,
        "work": result.row.title,
        "limits": limits,
        "brokers": brokers,
        "lines": result.row.ratios.iter().map(|metric| line_json(result, *metric)).collect::<Vec<_>>(),
    })
}

/// A figure that is compared, as the README shows it.
fn line_json(result: &RowResult, metric: Metric) -> Value {
    let of_each = |value_of: &dyn Fn(Contender, &Summary) -> Option<Value>| -> Value {
        let all = result.summaries.iter();
        all.filter_map(|(who, summary)| Some((who.key().to_owned(), value_of(*who, summary)?))).collect()
    };
    let goal = result.row.goals.iter().find(|goal| goal.metric == metric);
    json!({
        "figure": metric.heading(),
        "is_cost": metric.is_cost(),
        "values": of_each(&|_, summary| summary.value(metric).map(|value| json!(value))),
        "against_kafka": of_each(&|who, _| against_kafka(result, who, metric).map(|ratio| json!(ratio))),
        "goals": of_each(&|who, _| {
            let (bound, met) = verdict(result, who, *goal.filter(|_| who.is_judged())?);
            Some(json!({ "bound": bound_text(bound, metric), "met": met? }))
        }),
    })
}

/// A row that failed, for machines.
pub(crate) fn failure_json(number: u32, id: &str, title: &str, error: &anyhow::Error) -> Value {
    json!({ "row": number, "id": id, "work": title, "error": format!("{error:#}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ROWS;

    fn summary(seconds: f64, cpu: f64) -> Summary {
        let sample = Sample {
            seconds,
            bytes: 1_000_000_000,
            requests: 61_035,
            broker_cpu_seconds: cpu,
            generator_cpu_seconds: 0.5,
            peak_memory_bytes: 1_000_000,
            latency_ns: None,
        };
        Summary::of(vec![sample]).unwrap()
    }

    fn result() -> RowResult {
        let summaries = vec![
            (Contender::Kafka, summary(4.0, 5.0)),
            (Contender::OttlaRelaxed, summary(0.8, 1.25)),
            (Contender::OttlaDurable, summary(1.25, 1.25)),
        ];
        RowResult { row: &ROWS[0], limits: Vec::new(), summaries }
    }

    #[test]
    fn ratios_and_verdicts_stand_beside_their_figures() {
        let text = table(&result(), "4.3.1");
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
        let relaxed = line("Ottla relaxed");
        assert!(relaxed.contains("1250") && relaxed.contains("5.00x"), "{relaxed}");
        assert!(relaxed.contains(">= 4.00x MB/s met, <= 0.20x CPU-s/GB MISSED"), "{relaxed}");
        let durable = line("Ottla durable");
        assert!(durable.contains(">= 2.80x MB/s met, <= 0.29x CPU-s/GB met"), "{durable}");
        assert!(!line("Kafka 4.3.1").contains("met"));
    }

    #[test]
    fn without_kafka_nothing_is_judged() {
        let mut result = result();
        result.summaries.remove(0);
        let text = table(&result, "4.3.1");
        assert!(text.contains("not compared") && !text.contains("MISSED"), "{text}");
    }

    #[test]
    fn json_carries_the_same_figures() {
        let value = row_json(&result());
        assert_eq!(value["brokers"][1]["figures"]["megabytes_per_second"], json!(1250.0));
        assert_eq!(value["brokers"][1]["against_kafka"]["megabytes_per_second"], json!(5.0));
        assert_eq!(value["brokers"][1]["goals"][1]["met"], json!(false));
        assert_eq!(value["brokers"][0]["goals"], json!([]));
    }

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!(figure(19_612.4), "19612");
        assert_eq!(figure(33.26), "33.3");
        assert_eq!(figure(0.384), "0.38");
        assert_eq!(figure(0.0612), "0.061");
    }

    #[test]
    fn figures_with_goals_are_drawn_or_else_the_first() {
        let line = |figure: &str, is_cost: bool, goals: Value| {
            json!({
                "figure": figure,
                "is_cost": is_cost,
                "against_kafka": { "ottla-relaxed": 4.0, "ottla-durable": 2.0 },
                "goals": goals,
            })
        };
        let goal = json!({ "ottla-relaxed": { "bound": ">= 4.00x", "met": true } });
        let row = json!({
            "row": 1,
            "work": "produce",
            "lines": [line("MB/s", false, goal), line("peak MB", true, json!({}))],
        });
        let free = json!({ "row": 2, "work": "fetch", "lines": [line("ms", true, json!({})), line("x", true, json!({}))] });
        let failed = json!({ "row": 3, "work": "end", "error": "it died" });
        let drawn: Vec<Bar> = [row, free, failed].iter().flat_map(bars).collect();
        let seen: Vec<_> = drawn.iter().map(|bar| (bar.label.as_str(), bar.ratios.as_slice())).collect();
        assert_eq!(seen, [("1: produce, MB/s", &[4.0, 2.0][..]), ("2: fetch, ms", &[0.25, 0.5][..])]);
    }
}
