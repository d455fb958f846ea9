//! What grows with a broker's size, and how: partitions, connections, groups, data.
//!
//! Invariants: each size has a broker of its own on a fresh directory; a cost that is ten times as much for ten times the
//! size is a straight line, and one that is more bends upward and fails. Where the machine's own cost bends without any
//! broker, it is drawn beside them, and a broker's is held to it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::compare::Bench;
use crate::peer::Contender;
use crate::plot::{self, Line};
use crate::points::growing::{self, Growing};
use crate::stats::ratio;

/// Beyond proportion by so much a line bends.
const BEND: f64 = 1.5;
const MACHINE: &str = "machine";

/// What was measured, which lines bend, and what could not be measured.
pub(crate) struct Grown {
    pub(crate) figures: Value,
    bent: Vec<String>,
    failed: Vec<String>,
}

impl Grown {
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.failed.is_empty(), "what failed: {}", self.failed.join("; "));
        ensure!(self.bent.is_empty(), "these lines bend upward: {}", self.bent.join(", "));
        Ok(())
    }
}

/// The line that has this name.
pub(crate) fn named(name: &str) -> Result<&'static Growing> {
    let names = || growing::ALL.iter().map(|growing| growing.id).collect::<Vec<_>>().join(", ");
    let found = growing::ALL.iter().find(|growing| growing.id == name);
    found.with_context(|| format!("there is no such line; these are: {}", names()))
}

/// Measures and draws these lines.
pub(crate) fn run(
    bench: &Bench,
    lines: &[&'static Growing],
    quick: bool,
    pictures: Option<&Path>,
) -> Result<Grown> {
    let (mut documents, mut bent, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for growing in lines.iter().copied() {
        println!("\n{} by {}", growing.what, growing.size);
        let sizes = if quick { &growing.sizes[..2] } else { growing.sizes };
        let mut lines = Vec::new();
        let mut told = |who: &str, size: usize, cost: Result<f64>| match cost {
            Ok(cost) => {
                println!("  {who:<14} {size:>10} {:<12} {cost:>12.3} {}", growing.size, growing.unit);
                Some((size as f64, cost))
            }
            Err(error) => {
                eprintln!("{error:#}");
                failed.push(format!("{} of {who} at {size}", growing.what));
                None
            }
        };
        let machine: Vec<_> = growing.machine.map_or_else(Vec::new, |of| {
            sizes.iter().filter_map(|size| told(MACHINE, *size, of(&bench.data_dir, *size))).collect()
        });
        for contender in bench.contenders() {
            let key = contender.key();
            let points: Vec<_> = sizes
                .iter()
                .filter_map(|size| told(key, *size, cost(bench, growing, contender, *size)))
                .collect();
            if contender != Contender::Kafka && bends(growing, &points, &machine) {
                bent.push(format!("{} of {key}", growing.what));
            }
            lines.push(Line { label: key.to_owned(), points });
        }
        if !machine.is_empty() {
            lines.push(Line { label: MACHINE.to_owned(), points: machine });
        }
        documents.push(document(growing, &lines));
        if let Some(dir) = pictures {
            std::fs::create_dir_all(dir)?;
            let svg = plot::lines(growing.what, growing.size, growing.unit, &lines);
            crate::write_text(&dir.join(format!("{}.svg", growing.id)), &svg)?;
        }
    }
    Ok(Grown { figures: json!(documents), bent, failed })
}

fn cost(bench: &Bench, growing: &Growing, contender: Contender, size: usize) -> Result<f64> {
    bench
        .course(contender, &format!("{}-{}-{size}", growing.id, contender.key()))
        .and_then(|course| (growing.measure)(&course, size))
        .with_context(|| format!("{} at {size} {}", contender.key(), growing.size))
}

/// Whether the last step costs more than its size explains, or the machine; what a start costs anyway does not count.
fn bends(growing: &Growing, points: &[(f64, f64)], machine: &[(f64, f64)]) -> bool {
    let [.., before, last] = points else { return false };
    let Some((size, cost)) = step(*before, *last) else { return false };
    let machines = match machine {
        [.., before, last] => step(*before, *last).map_or(size, |(_, cost)| cost),
        _ => size,
    };
    last.1 > growing.noise && cost > size.max(machines) * BEND
}

/// How many times the size and the cost one point is of the one before it.
fn step(before: (f64, f64), last: (f64, f64)) -> Option<(f64, f64)> {
    Some((ratio(last.0, before.0)?, ratio(last.1, before.1)?))
}

fn document(growing: &Growing, lines: &[Line]) -> Value {
    let of = |line: &Line| json!({ "broker": line.label, "points": line.points });
    json!({
        "id": growing.id,
        "what": growing.what,
        "size": growing.size,
        "unit": growing.unit,
        "lines": lines.iter().map(of).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_bends_where_it_is_steeper_than_its_size() {
        let growing = &Growing { noise: 0.1, ..growing::ALL[0] };
        let bends = |points: &[(f64, f64)]| bends(growing, points, &[]);
        assert!(!bends(&[(10.0, 1.0), (100.0, 2.0), (1_000.0, 20.0)]));
        assert!(bends(&[(10.0, 1.0), (100.0, 2.0), (1_000.0, 31.0)]));
        assert!(!bends(&[(10.0, 0.001), (100.0, 0.09)]), "nobody can see that");
        assert!(!bends(&[(10.0, 1.0)]));
    }

    #[test]
    fn what_the_machine_bends_is_no_brokers_fault() {
        let growing = &growing::ALL[0];
        let machine = [(10.0, 1.0), (100.0, 14.0)];
        assert!(!bends(growing, &[(10.0, 2.0), (100.0, 40.0)], &machine));
        assert!(bends(growing, &[(10.0, 2.0), (100.0, 43.0)], &machine));
        let cheap = [(10.0, 1.0), (100.0, 2.0)];
        assert!(
            !bends(growing, &[(10.0, 2.0), (100.0, 29.0)], &cheap),
            "a machine that is better asks no more"
        );
    }
}
