//! The dashboards ask for metrics that the broker has, by labels that they have.
//!
//! A renamed metric leaves a dashboard silently empty; here it fails a test instead.

#![expect(clippy::disallowed_methods, reason = "the test reads the repository's own files")]

use serde_json::Value;
use server::metrics::{Kind, METRICS, metric_of_series};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn grafana() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../grafana")
}

/// Every dashboard, with its file's name.
fn dashboards() -> Vec<(String, Value)> {
    let listed = std::fs::read_dir(grafana().join("dashboards")).expect("the folder of dashboards");
    let files = listed.map(|entry| entry.expect("an entry").path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let all: Vec<_> = json
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("readable");
            let value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().expect("a name").to_string_lossy().into_owned(), value)
        })
        .collect();
    assert!(!all.is_empty(), "there is a dashboard to check");
    all
}

/// The values of every field of this name, however deep.
fn fields<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| fields(item, name, found)),
        Value::Object(object) => {
            found.extend(object.get(name));
            object.values().for_each(|item| fields(item, name, found));
        }
        _ => {}
    }
}

fn texts<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    fields(value, name, &mut found);
    found.into_iter().filter_map(Value::as_str).collect()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// The series that a query asks for, each with the labels it selects by.
fn series(query: &str) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    let mut rest = query;
    while let Some(at) = rest.find("ottla_") {
        let from = &rest[at..];
        let end = from.find(|c| !is_name(c)).unwrap_or(from.len());
        let selector = from[end..]
            .strip_prefix('{')
            .and_then(|inside| inside.split_once('}'))
            .map_or("", |(inside, _)| inside);
        let labels = selector.split(',').filter_map(|pair| pair.split(['=', '!']).next());
        let labels = labels.map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned).collect();
        all.push((from[..end].to_owned(), labels));
        rest = &from[end..];
    }
    all
}

/// The labels that a query groups by.
fn grouped_by(query: &str) -> Vec<&str> {
    let groups = query.split("by (").skip(1).filter_map(|rest| rest.split_once(')'));
    groups.flat_map(|(labels, _)| labels.split(',').map(str::trim)).collect()
}

/// Labels that Prometheus adds to every series.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];

fn check_query(file: &str, query: &str) -> BTreeSet<&'static str> {
    let mut used = BTreeSet::new();
    let mut known: Vec<&str> = OF_PROMETHEUS.to_vec();
    for (name, labels) in series(query) {
        let metric = metric_of_series(&name)
            .unwrap_or_else(|| panic!("{file}: no metric has the series {name}: {query}"));
        used.insert(metric.name);
        known.extend(metric.labels);
        known.extend((metric.kind == Kind::Histogram).then_some("le"));
        for label in labels {
            assert!(known.contains(&label.as_str()), "{file}: {name} has no label {label}: {query}");
        }
        let is_rate = ["rate(", "increase(", "label_values("].iter().any(|asks| query.contains(asks));
        assert!(
            metric.kind == Kind::Gauge || is_rate,
            "{file}: what only rises is asked for by its rate: {query}"
        );
    }
    for label in grouped_by(query) {
        assert!(known.contains(&label), "{file}: nothing in it has the label {label}: {query}");
    }
    used
}

#[test]
fn every_query_asks_for_declared_metrics() {
    for (file, dashboard) in dashboards() {
        let queries = texts(&dashboard, "expr");
        assert!(queries.len() >= 10, "{file}: {} queries", queries.len());
        for query in queries {
            assert!(!check_query(&file, query).is_empty(), "{file}: it asks for no metric of ours: {query}");
        }
        for query in texts(&dashboard, "query").into_iter().filter(|query| query.contains("ottla_")) {
            check_query(&file, query);
        }
    }
}

/// What is measured and nowhere to be seen helps nobody.
#[test]
fn every_metric_is_on_a_dashboard() {
    let all = dashboards();
    let used = |(file, dashboard): &(String, Value)| -> BTreeSet<&'static str> {
        texts(dashboard, "expr").into_iter().flat_map(|query| check_query(file, query)).collect()
    };
    let shown: BTreeSet<_> = all.iter().flat_map(used).collect();
    for metric in METRICS {
        assert!(shown.contains(metric.name), "no dashboard shows {}", metric.name);
    }
    let (_, overview) = all.iter().find(|(file, _)| file == "ottla-overview.json").expect("the overview");
    let quantiles = |quantile: &str| {
        texts(overview, "expr").iter().any(|query| query.contains(&format!("histogram_quantile({quantile},")))
    };
    assert!(quantiles("0.5") && quantiles("0.99"));
}

/// From each dashboard the others are one click away.
#[test]
fn dashboards_know_each_other() {
    let all = dashboards();
    assert!(all.len() >= 6, "{} dashboards", all.len());
    let mut uids = BTreeSet::new();
    for (file, dashboard) in &all {
        let uid = dashboard["uid"].as_str().unwrap_or_default();
        assert!(uids.insert(uid) && *file == format!("{uid}.json"), "{file}: {uid}");
        assert_eq!(dashboard["tags"][0], "ottla", "{file}");
        assert_eq!(dashboard["links"][0]["tags"][0], "ottla", "{file}");
    }
}

/// Rules ask for metrics that there are, and each alert says what to do.
#[test]
fn rules_ask_for_declared_metrics() {
    let text = std::fs::read_to_string(grafana().join("prometheus/ottla.rules.yml")).expect("the rules");
    let queries: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "))
        .filter(|query| query.contains("ottla_"))
        .collect();
    assert!(queries.len() > 15, "{} rules", queries.len());
    for query in queries {
        for (name, labels) in series(query) {
            let metric = metric_of_series(&name).unwrap_or_else(|| panic!("no metric has the series {name}"));
            let knows = |label: &String| metric.labels.contains(&label.as_str());
            assert!(labels.iter().all(knows), "{name} has not all of {labels:?}: {query}");
        }
    }
    let count = |start: &str| text.lines().filter(|line| line.trim().starts_with(start)).count();
    assert_eq!(count("- alert: "), count("runbook: "));
    assert_eq!(count("- alert: "), count("summary: "));
}

/// All metrics for a person to read. `OTTLA_WRITE=1 cargo test -p server --test dashboard` writes it anew.
#[test]
fn the_page_of_metrics_is_current() {
    let mut page =
        "# The metrics of Ottla\n\nWritten from their declarations in `server/src/metrics/table.rs`. \
        `_other` in a label that clients name stands for all\nthat are not shown by name; the settings \
        `metrics.*.max` say how many are.\n\n| metric | kind | labels | |\n|---|---|---|---|\n"
            .to_owned();
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let unit = metric.unit.map(|unit| format!(", {unit}")).unwrap_or_default();
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let help = metric.help.trim().replace('|', "\\|");
        page.push_str(&format!("| `{}` | {kind}{unit} | {} | {help} |\n", metric.name, labels.join(", ")));
    }
    let path = grafana().join("METRICS.md");
    if std::env::var_os("OTTLA_WRITE").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "stale: OTTLA_WRITE=1 cargo test -p server --test dashboard");
}

/// Panels of a dashboard do not lie over each other, have numbers of their own, a source and a title.
#[test]
fn panels_are_laid_out() {
    for (file, dashboard) in dashboards() {
        let panels = dashboard["panels"].as_array().unwrap_or_else(|| panic!("{file}: no panels"));
        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in panels {
            let title = panel["title"]
                .as_str()
                .filter(|title| !title.is_empty())
                .unwrap_or_else(|| panic!("{file}: {panel}"));
            assert!(ids.insert(panel["id"].as_u64()), "{file}: {title} has another panel's id");
            let at = |side: &str| {
                panel["gridPos"][side].as_u64().unwrap_or_else(|| panic!("{file}: {title} has no place"))
            };
            let (x, y, width, height) = (at("x"), at("y"), at("w"), at("h"));
            assert!(width > 0 && height > 0 && x + width <= 24, "{file}: {title} is outside");
            for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{file}: {title} lies over another panel");
            }
            if panel["type"] != "row" {
                assert_eq!(panel["datasource"]["uid"], "${datasource}", "{file}: {title}");
                assert!(panel["description"].is_string(), "{file}: {title} says what it shows");
            }
        }
    }
}

/// A picture of each is kept, and the README leads to it.
#[test]
fn pictures_are_in_the_readme() {
    let root = grafana().join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there is a README");
    for (file, _) in dashboards() {
        let picture = format!("grafana/renderings/{}", file.replace(".json", ".png"));
        assert!(readme.contains(&format!("]({picture})")), "{picture} is not in the README");
        let bytes = std::fs::read(root.join(&picture)).unwrap_or_else(|error| panic!("{picture}: {error}"));
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{picture} is no picture");
    }
}

/// The provisioned source is of the kind that the dashboards ask for, and the dashboards' folder is where they are.
#[test]
fn provisioning_fits_the_dashboards() {
    let read = |path: &str| {
        std::fs::read_to_string(grafana().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    assert!(read("provisioning/datasources/prometheus.yaml").contains("type: prometheus"));
    assert!(read("provisioning/dashboards/ottla.yaml").contains("/dashboards"));
    for (file, dashboard) in dashboards() {
        let variables = dashboard["templating"]["list"].as_array().expect("variables");
        let source = variables.iter().find(|variable| variable["name"] == "datasource");
        assert_eq!(source.map(|source| &source["query"]), Some(&Value::from("prometheus")), "{file}");
    }
}

#[test]
fn the_reader_of_queries_finds_names_and_labels() {
    let query =
        "sum by (api) (rate(ottla_requests_total{job=~\"$job\", api!=\"x\"}[5m])) / ottla_uptime_seconds";
    let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = [
        ("ottla_requests_total".to_owned(), labels(&["job", "api"])),
        ("ottla_uptime_seconds".to_owned(), labels(&[])),
    ];
    assert_eq!(series(query), expected);
    assert_eq!(grouped_by(query), ["api"]);
    let refused = |query: &'static str| std::panic::catch_unwind(|| check_query("x", query)).is_err();
    assert!(refused("rate(ottla_request_total[5m])"), "an unknown name");
    assert!(refused("ottla_requests_total"), "a counter without a rate");
    assert!(refused("rate(ottla_requests_total{topic=\"x\"}[5m])"), "an unknown label");
    assert!(refused("sum by (topic) (rate(ottla_requests_total[5m]))"), "an unknown group");
    assert!(!refused("sum by (le) (rate(ottla_request_seconds_bucket{api=\"Fetch\"}[5m]))"));
}
