//! Debian's Prometheus looks at a broker under load from a real client: what `promtool` thinks of the metrics and the rules,
//! and whether every panel and every rule finds what it asks for, and what it finds is what the client did.

mod drawing;
mod load;
pub(crate) mod prometheus;
mod queries;
mod scene;

use crate::harness::{Broker, Need, Scenario, Spec, Stage, debian, node, ottla, place};
use anyhow::{Context, Result, ensure};
use load::{Left, Load};
use prometheus::Prometheus;
pub(crate) use prometheus::get as page;
use std::path::PathBuf;
use std::process::Command;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario =
        |name: &str, play| Scenario::of_ottla(&format!("observing::{name}"), &[Need::Debian], play);
    vec![
        scenario("every_alert_fires_and_rests", every_alert_fires_and_rests),
        scenario("every_panel_and_rule_finds_what_the_client_did", every_panel_and_rule),
        Scenario::of_ottla("observing::dashboards_fit_grafanas_schema", &[Need::Node], dashboards_fit),
        Scenario::of_ottla(
            "observing::every_dashboard_is_drawn",
            &[Need::Debian, Need::Drawing],
            drawing::every_dashboard_is_drawn,
        ),
        scenario("top_in_a_terminal", top_in_a_terminal),
        scenario("slow_requests_are_in_the_log", slow_requests_are_in_the_log),
    ]
}

fn grafana(path: &str) -> PathBuf {
    place::place().workspace.join("grafana").join(path)
}

/// The rules' own tests, of which there are two for each alert.
fn every_alert_fires_and_rests(stage: &Stage) -> Result<()> {
    let rules = std::fs::read_to_string(grafana("prometheus/ottla.rules.yml"))?;
    let tests = std::fs::read_to_string(grafana("prometheus/tests/ottla.test.yml"))?;
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    ensure!(!alerts.is_empty(), "there are alerts");
    for alert in alerts {
        for kind in ["fires", "rests"] {
            let name = format!("- name: {alert} {kind}");
            ensure!(tests.lines().any(|line| line.trim() == name), "no test that {alert} {kind}");
        }
    }
    let promtool = |words: &[&str], file: &str| -> Result<()> {
        let mut command = debian::kit()?.command("promtool")?;
        stage.run_well(command.args(words).arg(grafana(file))).map(drop)
    };
    promtool(&["check", "rules"], "prometheus/ottla.rules.yml")?;
    promtool(&["test", "rules"], "prometheus/tests/ottla.test.yml")
}

/// Grafana's own types, by the TypeScript compiler.
fn dashboards_fit(stage: &Stage) -> Result<()> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(grafana("dashboards"))? {
        files.push(entry?.path());
    }
    let ran = stage.run_well(node::schema_check()?.args(&files))?;
    let begin = format!("{} dashboards, ", files.len());
    ensure!(ran.stdout.starts_with(&begin) && ran.stdout.contains(" 0 complaints"), "{}", ran.everything());
    Ok(())
}

/// `script` gives it a terminal, presses q after some seconds, and keeps all that was drawn.
fn top_in_a_terminal(stage: &Stage) -> Result<()> {
    let broker = stage.broker(Spec { metrics: true, ..Spec::default() })?;
    Load::new(stage, broker.bootstrap()).once()?;
    let address = broker.metrics()?.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let ottla = ottla::binary()?.display();
    // Keys come through a pipe, so that they come when they are to.
    let play = format!(
        "(sleep 4; printf q) | script -qec 'stty rows 40 cols 140; exec {ottla} top --every 1 {address}' /dev/null"
    );
    let ran = stage.run_well(Command::new("sh").arg("-c").arg(play))?;
    let drawn = &ran.stdout;
    ensure!(drawn.matches("\x1b[H").count() >= 3, "it is drawn anew each second\n{drawn}");
    for part in ["\x1b[?1049h", "nothing is wrong", ": ready, up ", load::TOPIC, load::GROUP, "\x1b[?1049l"] {
        ensure!(drawn.contains(part), "{part:?} is not in\n{drawn}");
    }
    let behind = drawn.lines().rfind(|line| line.contains(load::GROUP)).unwrap_or_default();
    ensure!(behind.split_whitespace().nth(3) == Some("40"), "its lag is in its line: {behind:?}");
    let mut once = Command::new(ottla::binary()?);
    let said = stage.run_well(once.args(["top", "--once", "--every", "1", address]))?.stdout;
    ensure!(
        said.contains(load::TOPIC) && !said.contains('\x1b'),
        "without a terminal it is plain text\n{said}"
    );
    Ok(())
}

/// With their parts and their client, once for each client; and none that is not slow.
fn slow_requests_are_in_the_log(stage: &Stage) -> Result<()> {
    for (limit_ms, expected) in [("0", 1), ("60000", 0), ("-1", 0)] {
        let broker = stage.broker(Spec::default().set("slow.request.log.ms", limit_ms))?;
        Load::new(stage, broker.bootstrap()).once()?;
        let log = broker.log()?;
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("a slow request")).collect();
        ensure!(lines.len() == expected, "above {limit_ms} ms: {lines:#?}");
        for part in
            ["api=", "client_id=\"rdkafka\"", "queue_ms=", "local_ms=", "durable_wait_ms=", "send_ms="]
        {
            ensure!(lines.iter().all(|line| line.contains(part)), "no {part} in {lines:#?}");
        }
    }
    Ok(())
}

fn every_panel_and_rule(stage: &Stage) -> Result<()> {
    // One group has a name, so that the other one shows what becomes of those that have none.
    let spec = Spec { metrics: true, ..Spec::default() };
    let spec = spec.set("group.initial.rebalance.delay.ms", "0").set("metrics.groups.max", "1");
    let broker = stage.broker(spec.set("message.max.bytes", "20000"))?;
    let prometheus = Prometheus::start(stage, broker.metrics()?)?;
    let left = Load::new(stage, broker.bootstrap()).run()?;
    matches_the_client(stage, &prometheus, &left)?;
    a_checkpoint_is_seen(stage, &prometheus)?;
    queries::every_panel_has_data(&prometheus)?;
    queries::every_rule_has_data(stage, &prometheus)?;
    for alert in ["OttlaRestarted", "OttlaMetricsFolded"] {
        stage.wait_for(alert, || prometheus.is_firing(alert))?;
    }
    metrics_are_well_formed(stage, &broker)
}

/// One is written each minute.
fn a_checkpoint_is_seen(stage: &Stage, prometheus: &Prometheus) -> Result<()> {
    let checkpoints =
        || Ok(prometheus.value("sum(increase(ottla_checkpoint_seconds_count[15m]))")? > Some(0.0));
    stage.wait_for("a checkpoint", checkpoints)
}

/// What the client wrote, read, left and got wrong is what Prometheus has.
fn matches_the_client(stage: &Stage, prometheus: &Prometheus, left: &Left) -> Result<()> {
    let topic = format!("{{topic=\"{}\"}}", load::TOPIC);
    let group = format!("{{group=\"{}\"}}", load::GROUP);
    let expected = [
        (format!("sum(ottla_topic_received_records_total{topic})"), left.produced),
        (format!("sum(ottla_topic_sent_records_total{topic})"), left.consumed),
        (format!("sum(ottla_partition_end_offset{topic})"), left.produced),
        (format!("sum(ottla_consumer_lag_records{group})"), left.produced - left.committed),
        (format!("sum(ottla_consumer_group_lag_records{group})"), left.produced - left.committed),
        (
            "sum(ottla_consumer_group_lag_records{group=\"_other\"})".to_owned(),
            left.produced - left.committed_by_visitor,
        ),
        ("sum(ottla_errors_total{api=\"Produce\", error=\"MESSAGE_TOO_LARGE\"})".to_owned(), left.too_large),
        ("sum(ottla_request_errors_total{api=\"Produce\"})".to_owned(), left.too_large),
        ("sum(ottla_consumer_group_members)".to_owned(), 0),
        ("sum(ottla_quarantined_bytes)".to_owned(), 0),
        ("sum(ottla:requests_at_work{api=\"Produce\"})".to_owned(), 0),
    ];
    for (query, expected) in expected {
        let mut seen = None;
        let waited = stage.wait_for(&query, || {
            seen = prometheus.value(&query)?;
            Ok(seen == Some(expected as f64))
        });
        waited.with_context(|| format!("{query} is {seen:?} and not {expected}"))?;
    }
    let positive = [
        "ottla_client_connections{software=\"librdkafka\"} + 1",
        "ottla_produce_to_fetch_seconds_count",
        "sum(ottla_consumer_group_rebalances_total)",
        "sum(ottla_network_thread_busy_seconds)",
    ];
    for query in positive {
        let seen = prometheus.value(query)?;
        ensure!(seen > Some(0.0), "{query} is {seen:?}");
    }
    lag_grows_with_time(stage, prometheus, &group)
}

/// Nobody reads any more: what waits to be read grows older as the clock goes.
fn lag_grows_with_time(stage: &Stage, prometheus: &Prometheus, group: &str) -> Result<()> {
    let query = format!("max(ottla_consumer_group_lag_seconds{group})");
    let begun = std::time::Instant::now();
    let first = prometheus.value(&query)?.context("a lag in time")?;
    stage.wait_for("an older lag", || Ok(prometheus.value(&query)? >= Some(first + 3.0)))?;
    let (grown, passed) =
        (prometheus.value(&query)?.unwrap_or_default() - first, begun.elapsed().as_secs_f64());
    // A scrape is at most a second old at either end.
    ensure!(grown <= passed + 2.0, "in {passed} s it grew by {grown} s");
    Ok(())
}

/// `promtool` complains in words of what is against Prometheus' conventions.
fn metrics_are_well_formed(stage: &Stage, broker: &Broker) -> Result<()> {
    let page = prometheus::get(broker.metrics()?)?;
    let said = stage.program(debian::kit()?.command("promtool")?.args(["check", "metrics"]), &page)?;
    ensure!(said.trim().is_empty(), "promtool check metrics says\n{said}");
    Ok(())
}
