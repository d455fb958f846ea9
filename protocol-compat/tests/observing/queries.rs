//! The queries of all panels and all rules, as they stand in their files, put to a Prometheus that has looked at a broker.

use crate::harness::Stage;
use crate::observing::grafana;
use crate::observing::prometheus::Prometheus;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;

/// The scrapes are a second apart here.
const RATE_INTERVAL: &str = "60s";
/// Of the dashboards; each stands for all there is.
pub(super) const VARIABLES: [&str; 5] = ["$job", "$instance", "$topic", "$group", "$api"];

/// What of an alert is compared last is what it looks at: it finds something although the alert rests.
const COMPARISONS: [&str; 3] = [" > ", " < ", " == "];

pub(super) fn every_panel_has_data(prometheus: &Prometheus) -> Result<()> {
    let mut panels = 0;
    let mut empty = Vec::new();
    for file in fs::read_dir(grafana("dashboards"))? {
        let path = file?.path();
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        for panel in dashboard["panels"].as_array().context("panels")? {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = target["expr"].as_str().context("a query")?;
                panels += 1;
                let found = prometheus.values(&filled_in(query))?;
                if !found.iter().any(|value| value.is_finite()) {
                    empty.push(format!("{}: {}: {query}: {found:?}", path.display(), panel["title"]));
                }
            }
        }
    }
    println!("{panels} queries of panels");
    ensure!(panels > 100, "only {panels} queries were found");
    ensure!(empty.is_empty(), "{} of {panels} find nothing:\n{}", empty.len(), empty.join("\n"));
    Ok(())
}

fn filled_in(query: &str) -> String {
    let query = query.replace("$__rate_interval", RATE_INTERVAL);
    VARIABLES.iter().fold(query, |query, variable| query.replace(variable, ".*"))
}

pub(super) fn every_rule_has_data(stage: &Stage, prometheus: &Prometheus) -> Result<()> {
    let rules = prometheus.rules()?;
    ensure!(rules.len() > 20, "{} rules", rules.len());
    for rule in rules {
        let name = rule["name"].as_str().context("a name")?;
        ensure!(rule["health"] == "ok", "{name} is not well: {}", rule["lastError"]);
        let query = rule["query"].as_str().context("a query")?;
        let looked_at = match rule["type"] == "alerting" {
            true => before_the_last_comparison(query).with_context(|| format!("{name} compares nothing"))?,
            false => name,
        };
        stage
            .wait_for(name, || Ok(!prometheus.values(looked_at)?.is_empty()))
            .with_context(|| format!("{name}: {looked_at} finds nothing"))?;
    }
    Ok(())
}

fn before_the_last_comparison(query: &str) -> Option<&str> {
    let at = COMPARISONS.iter().filter_map(|comparison| query.rfind(comparison)).max()?;
    Some(&query[..at])
}
