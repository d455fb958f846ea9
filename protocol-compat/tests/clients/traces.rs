//! Traces of a real client's requests, as a collector that stands on OpenTelemetry's own messages reads them.

use crate::harness::{Need, Scenario, Spec, Stage, place, python, wire};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// The broker reads the wall in milliseconds, and the test reads it in another process.
const WALL_SLACK_NANOS: u64 = 5_000_000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str, play| {
        Scenario::of_ottla(&format!("traces::{name}"), &[Need::Python, Need::Collector], play)
    };
    vec![
        scenario("each_request_has_its_spans", each_request_has_its_spans),
        scenario("a_share_is_sampled", a_share_is_sampled),
        scenario("a_collector_goes_and_comes", a_collector_goes_and_comes),
    ]
}

/// A running collector. Dropping it kills it, by its process id.
struct Collector {
    child: Child,
    port: u16,
    file: PathBuf,
}

impl Collector {
    /// On this port, 0 for any. A later one of the same scenario goes on with the file.
    fn start(stage: &Stage, port: u16) -> Result<Collector> {
        let file = stage.folder().join("spans");
        let program = place::source("python").join("collector.py");
        let mut command = python::with(python::Packages::Collector, program)?;
        command.arg(port.to_string()).arg(&file).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the collector")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
        let mut collector = Collector { child, port, file };
        let said = line.trim().strip_prefix("listening ");
        collector.port = said.with_context(|| format!("it says {line:?}"))?.parse()?;
        Ok(collector)
    }

    fn spec(&self, ratio: &str) -> Spec {
        spec(self.port, ratio)
    }

    fn spans(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        // A line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// How many requests there are traces of.
    fn requests(&self) -> Result<usize> {
        Ok(self.spans()?.iter().filter(|span| is_whole(span)).count())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn spec(port: u16, ratio: &str) -> Spec {
    let spec = Spec { metrics: true, ..Spec::default() };
    spec.set("otlp.endpoint", &format!("http://127.0.0.1:{port}")).set("otlp.traces.sample.ratio", ratio)
}

fn is_whole(span: &Value) -> bool {
    span["parent"] == ""
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value[what].as_str().unwrap_or_default()
}

fn nanos(span: &Value, which: &str) -> u64 {
    span[which].as_u64().unwrap_or_default()
}

fn now_nanos() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

/// Every request that was answered, as often as the metrics count it, with its parts end to end.
fn each_request_has_its_spans(stage: &Stage) -> Result<()> {
    let collector = Collector::start(stage, 0)?;
    let mut broker = stage.broker(collector.spec("1"))?;
    let begun = now_nanos()?;
    let bootstrap = broker.bootstrap().to_owned();
    stage.python("producing.py", "write_records", &[&bootstrap, "traced", "none", "0", "60"])?;
    stage.python("producing.py", "read_records", &[&bootstrap, "traced", "60"])?;
    stage.python("producing.py", "acknowledgements", &[&bootstrap, "silent"])?;
    stage.python("producing.py", "too_large_for_the_broker", &[&bootstrap, "refused"])?;
    stage.python("consuming.py", "empty_topic", &[&bootstrap, "empty"])?;
    let page = broker.metrics()?.to_owned();
    stage.wait_for("the clients to be gone", || Ok(sum(&page, "ottla_connections")? == 0.0))?;
    let metrics = crate::observing::page(&page)?;
    broker.stop()?;
    let ended = now_nanos()?;

    let spans = collector.spans()?;
    let mut wholes: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut traces: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for span in &spans {
        ensure!(text(span, "trace").len() == 32 && text(span, "id").len() == 16, "{span}");
        ensure!(ids.insert(text(span, "id")), "an id twice: {span}");
        ensure!(span["scope"] == "ottla" && span["flags"] == 1, "{span}");
        ensure!(
            span["resource"]["service.name"] == "ottla" && span["resource"]["ottla.node.id"] == 1,
            "{span}"
        );
        ensure!(nanos(span, "start") + WALL_SLACK_NANOS >= begun && nanos(span, "end") <= ended, "{span}");
        match is_whole(span) {
            true => wholes.entry(text(span, "name")).or_default().push(span),
            false => traces.entry(text(span, "trace")).or_default().push(span),
        }
    }
    for api in ["Produce", "Fetch", "Metadata", "ApiVersions", "ListOffsets"] {
        let counted = value(&metrics, &format!("ottla_requests_total{{api=\"{api}\"}}"));
        let traced = wholes.get(api).map_or(0, Vec::len);
        ensure!(
            traced > 0 && counted == Some(traced as f64),
            "{traced} traces of {api}, {counted:?} requests"
        );
    }
    for whole in wholes.values().flatten() {
        let parts = traces.get(text(whole, "trace")).with_context(|| format!("no parts of {whole}"))?;
        parts_are_the_whole(whole, parts)?;
        attributes_say_who(whole)?;
    }
    ensure!(value(&metrics, "ottla_trace_spans_dropped_total") == Some(0.0), "spans were dropped");
    let has = |api: &str, part: &str| {
        let of_api = wholes[api].iter().filter_map(|whole| traces.get(text(whole, "trace")));
        of_api.flatten().any(|span| span["name"] == part)
    };
    ensure!(has("Produce", "durable_wait") && has("Fetch", "long_poll"), "nothing has waited");
    let errors = |api: &str| -> BTreeSet<&str> {
        wholes[api].iter().map(|whole| text(&whole["attributes"], "error.type")).collect()
    };
    ensure!(errors("Produce") == BTreeSet::from(["", "MESSAGE_TOO_LARGE"]), "{:?}", errors("Produce"));
    Ok(())
}

/// Each begins where the one before ends, and all together they are the whole.
fn parts_are_the_whole(whole: &Value, parts: &[&Value]) -> Result<()> {
    ensure!(whole["kind"] == "SPAN_KIND_SERVER", "{whole}");
    let mut parts = parts.to_vec();
    let order = ["queue", "local", "durable_wait", "long_poll", "send"];
    parts.sort_by_key(|part| order.iter().position(|name| part["name"] == *name));
    let mut at = nanos(whole, "start");
    for part in &parts {
        ensure!(part["parent"] == whole["id"] && part["kind"] == "SPAN_KIND_INTERNAL", "{part}");
        ensure!(nanos(part, "start") == at && nanos(part, "end") >= at, "{part} of {whole}");
        at = nanos(part, "end");
    }
    ensure!(nanos(whole, "end") == at, "{whole} with {parts:?}");
    let names: Vec<&str> = parts.iter().map(|part| text(part, "name")).collect();
    ensure!(names.starts_with(&["queue", "local"]), "{names:?}");
    // Without a reply nothing is sent.
    let is_answered = whole["attributes"]["ottla.response.bytes"].as_i64() > Some(0);
    ensure!(names.contains(&"send") == is_answered, "{names:?} of {whole}");
    Ok(())
}

fn attributes_say_who(whole: &Value) -> Result<()> {
    let attributes = &whole["attributes"];
    let expected = [
        ("messaging.system", "kafka"),
        ("messaging.operation.name", text(whole, "name")),
        ("client.address", "127.0.0.1"),
    ];
    for (key, value) in expected {
        ensure!(attributes[key] == value, "{key} in {whole}");
    }
    ensure!(text(attributes, "messaging.client.id").starts_with("kafka-python"), "{whole}");
    ensure!(attributes["ottla.api.version"].as_i64() >= Some(0), "{whole}");
    ensure!(attributes["ottla.request.bytes"].as_i64() > Some(8), "{whole}");
    let kind = match text(whole, "name") {
        "Produce" => "send",
        "Fetch" => "receive",
        _ => "",
    };
    ensure!(text(attributes, "messaging.operation.type") == kind, "{whole}");
    let status = if attributes["error.type"].is_null() { "STATUS_CODE_UNSET" } else { "STATUS_CODE_ERROR" };
    ensure!(whole["status"] == status, "{whole}");
    Ok(())
}

fn a_share_is_sampled(stage: &Stage) -> Result<()> {
    let collector = Collector::start(stage, 0)?;
    let mut broker = stage.broker(collector.spec("0.2"))?;
    for _ in 0..500 {
        wire::answers(broker.bootstrap())?;
    }
    broker.stop()?;
    let sampled = collector.requests()?;
    ensure!((90..=110).contains(&sampled), "{sampled} of 500 are no fifth");
    Ok(())
}

/// A broker serves whether or not somebody takes its traces, and keeps some for later.
fn a_collector_goes_and_comes(stage: &Stage) -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut broker = stage.broker(spec(port, "1"))?;
    let bootstrap = broker.bootstrap().to_owned();
    let said = |broker: &crate::harness::Broker, words: &str| -> Result<usize> {
        Ok(broker.log()?.lines().filter(|line| line.contains(words)).count())
    };
    let (ill, well) =
        ("the collector of traces does not take them", "the collector of traces takes them again");
    wire::answers(&bootstrap)?;
    stage.wait_for("a line that it is away", || Ok(said(&broker, ill)? == 1))?;
    stage.python("producing.py", "nothing_but_the_address", &[&bootstrap, "meanwhile"])?;

    let collector = Collector::start(stage, port)?;
    let produced = || Ok(collector.spans()?.iter().any(|span| span["name"] == "Produce"));
    stage.wait_for("traces of what was before", produced)?;
    stage.wait_for("a line that it is back", || Ok(said(&broker, well)? == 1))?;
    // What it has and could not say would come a second time.
    let page = broker.metrics()?.to_owned();
    let is_settled = |collector: &Collector| -> Result<bool> {
        Ok(sum(&page, "ottla_trace_spans_sent_total")? == collector.spans()?.len() as f64)
    };
    stage.wait_for("the counts", || is_settled(&collector))?;
    let before = collector.requests()?;
    drop(collector);
    (0..10).try_for_each(|_| wire::answers(&bootstrap))?;
    let collector = Collector::start(stage, port)?;
    (0..10).try_for_each(|_| wire::answers(&bootstrap))?;
    stage.wait_for("traces of both", || Ok(collector.requests()? >= before + 20))?;

    stage.wait_for("the counts", || is_settled(&collector))?;
    ensure!(sum(&page, "ottla_trace_spans_dropped_total")? == 0.0, "there was room for all of them");
    ensure!(said(&broker, ill)? == 1, "a second line within a minute");
    broker.stop().map(drop)
}

fn sum(page: &str, metric: &str) -> Result<f64> {
    value(&crate::observing::page(page)?, metric).with_context(|| format!("no {metric}"))
}

/// The value of one series of a page.
fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}
