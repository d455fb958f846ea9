//! The README's table, from the files that comparisons wrote: each figure of each row, won or lost.
//!
//! Invariants: a ratio is never rounded in favour of Ottla; a row that failed stands in the table, and so does a goal
//! that is missed. Of files that hold the same row, the last counts.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::peer::Contender;
use crate::report::{figure, label, picture};

/// The README keeps it between these lines.
const BEGIN: &str = "<!-- figures: begin -->\n";
const END: &str = "<!-- figures: end -->\n";
const SHOWN: [Contender; 4] =
    [Contender::Kafka, Contender::Nats, Contender::OttlaRelaxed, Contender::OttlaDurable];

#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// Files that `compare --json` wrote
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Put the table into this file, between its marks; it is printed otherwise
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// Draw how many times better than Kafka each row is, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(crate) fn run(args: &TableArgs) -> Result<()> {
    let mut documents = Vec::new();
    for path in &args.files {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let document: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        ensure!(
            document["quick"] == false,
            "{} is of a quick run, good for a first look only",
            path.display()
        );
        documents.push(document);
    }
    if let Some(path) = &args.svg {
        let kafka = documents.last().and_then(|last| last["kafka"].as_str()).unwrap_or_default();
        crate::write_text(path, &picture(rows(&documents)?.into_values(), kafka))?;
    }
    let table = markdown(&documents)?;
    let Some(path) = &args.into else {
        print!("{table}");
        return Ok(());
    };
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let placed = placed(&text, &table).with_context(|| format!("{} has no place for it", path.display()))?;
    fs::write(path, placed).with_context(|| format!("writing {}", path.display()))
}

/// The text with the table between the marks.
fn placed(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn markdown(documents: &[Value]) -> Result<String> {
    let last = documents.last().context("no file")?;
    let rows = rows(documents)?;
    let lines: Vec<&Value> = rows.values().filter_map(|row| row["lines"].as_array()).flatten().collect();
    let is_there = |who: &&Contender| lines.iter().any(|line| line["values"].get(who.key()).is_some());
    let shown: Vec<Contender> = SHOWN.iter().filter(is_there).copied().collect();
    let version = last["kafka"].as_str().unwrap_or("");
    let machine = &last["machine"];
    let mut builds: Vec<&str> = documents.iter().filter_map(|document| document["ottla"].as_str()).collect();
    builds.sort_unstable();
    builds.dedup();
    let mut text = format!(
        "{}, Ottla {}, on {} processors ({}), {} GB, Linux {}.\n\n",
        last["date"].as_str().unwrap_or("undated"),
        if builds.is_empty() { "of unknown version".to_owned() } else { builds.join(" and ") },
        machine["cpus"],
        machine["model"].as_str().unwrap_or("unknown"),
        machine["memory_gb"],
        machine["kernel"].as_str().unwrap_or("?"),
    );
    text.push_str("| # | Work | Figure |");
    for who in &shown {
        let _ = write!(text, " {} |", label(*who, version));
    }
    text.push_str(" Goal against Kafka |\n|---|---|---|");
    text.push_str(&"---:|".repeat(shown.len()));
    text.push_str("---|\n");
    for row in rows.values() {
        let (number, work) = (&row["row"], row["work"].as_str().unwrap_or(""));
        if let Some(error) = row["error"].as_str() {
            let error = error.lines().next().unwrap_or("");
            let blanks = " |".repeat(shown.len());
            let _ = writeln!(text, "| {number} | {work} | **failed**: {error} |{blanks} |");
        }
        for (at, line) in row["lines"].as_array().into_iter().flatten().enumerate() {
            let (number, work) = if at == 0 { (number.to_string(), work) } else { (String::new(), "") };
            let _ = write!(text, "| {number} | {work} | {} |", line["figure"].as_str().unwrap_or(""));
            for who in &shown {
                let _ = write!(text, " {} |", value_cell(line, *who));
            }
            let _ = writeln!(text, " {} |", goal_cell(line));
        }
    }
    Ok(text)
}

/// All rows in the order of their numbers, and as they came within one.
fn rows(documents: &[Value]) -> Result<BTreeMap<(u64, usize), &Value>> {
    let (mut rows, mut places) = (BTreeMap::new(), BTreeMap::new());
    for row in documents.iter().filter_map(|document| document["rows"].as_array()).flatten() {
        let number = row["row"].as_u64().context("a row without a number")?;
        let id = row["id"].as_str().context("a row without an id")?;
        let next = places.len();
        rows.insert((number, *places.entry(id).or_insert(next)), row);
    }
    Ok(rows)
}

/// The figure, and what it is of Kafka's.
fn value_cell(line: &Value, who: Contender) -> String {
    let Some(value) = line["values"][who.key()].as_f64() else { return String::new() };
    match line["against_kafka"][who.key()].as_f64() {
        Some(ratio) => format!("{} ({}×)", figure(value), against(ratio, line["is_cost"] == true)),
        None => figure(value),
    }
}

/// Two places, away from Ottla's favour.
fn against(ratio: f64, is_cost: bool) -> String {
    let hundredths = if is_cost { (ratio * 100.0).ceil() } else { (ratio * 100.0).floor() };
    format!("{:.2}", hundredths / 100.0)
}

fn goal_cell(line: &Value) -> String {
    let goals = SHOWN.iter().filter_map(|who| {
        let goal = line["goals"].get(who.key())?;
        let word = if goal["met"] == true { "met" } else { "**missed**" };
        Some(format!("{} {word}", goal["bound"].as_str()?))
    });
    goals.collect::<Vec<_>>().join(", durable ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(ratio: f64, met: bool) -> Value {
        json!({
            "figure": "MB/s",
            "is_cost": false,
            "values": { "kafka": 100.0, "ottla-relaxed": 100.0 * ratio },
            "against_kafka": { "ottla-relaxed": ratio },
            "goals": { "ottla-relaxed": { "bound": ">= 4.00x", "met": met } },
        })
    }

    fn document(ratio: f64, met: bool) -> Value {
        let row = json!({ "row": 2, "id": "2", "work": "produce", "lines": [line(ratio, met)] });
        let failed = json!({ "row": 1, "id": "1", "work": "begin", "error": "it died\nof this" });
        json!({
            "quick": false,
            "kafka": "4.3.1",
            "ottla": "0.1.0",
            "date": "2026-11-23",
            "machine": { "cpus": 2, "model": "some", "memory_gb": 8, "kernel": "6" },
            "rows": [row, failed],
        })
    }

    #[test]
    fn rows_stand_in_order_and_the_last_of_each_counts() {
        let text = markdown(&[document(1.0, false), document(3.999, true)]).unwrap();
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(lines[0], "| 1 | begin | **failed**: it died | | | |");
        assert_eq!(lines[1], "| 2 | produce | MB/s | 100 | 400 (3.99×) | >= 4.00x met |");
        assert_eq!(lines.len(), 2);
        assert!(text.starts_with("2026-11-23, Ottla 0.1.0, on 2 processors (some), 8 GB, Linux 6.\n"));
    }

    #[test]
    fn ratios_are_not_rounded_up() {
        assert_eq!([against(3.999, false), against(0.201, true)], ["3.99", "0.21"]);
        assert!(goal_cell(&line(1.0, false)).contains("**missed**"));
    }

    #[test]
    fn the_table_has_its_place() {
        let text = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(placed(&text, "new\n").unwrap(), format!("a\n{BEGIN}new\n{END}b\n"));
        assert_eq!(placed("a", "new"), None);
    }
}
