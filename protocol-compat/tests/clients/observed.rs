//! What the broker tells about itself: its metrics page after traffic.

use crate::harness::{Broker, Need, Scenario, Spec, Stage, wire};
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// ApiVersions' name in the `api` label.
const API_VERSIONS: &str = "ApiVersions";
const PRODUCE: &str = "Produce";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::of_ottla("metrics::requests_are_counted", &[], requests_are_counted),
        Scenario::of_ottla("metrics::a_client_is_counted", &[Need::Python], a_client_is_counted),
    ]
}

fn with_metrics(stage: &Stage) -> Result<Broker> {
    stage.broker(Spec { metrics: true, ..Spec::default() })
}

/// Exactly as many as were asked.
fn requests_are_counted(stage: &Stage) -> Result<()> {
    let broker = with_metrics(stage)?;
    let before = requests(&scrape(&broker)?, API_VERSIONS);
    for _ in 0..7 {
        wire::answers(broker.bootstrap())?;
    }
    let after = requests(&scrape(&broker)?, API_VERSIONS);
    ensure!(after - before == 7.0, "7 requests moved the count from {before} to {after}");
    Ok(())
}

fn a_client_is_counted(stage: &Stage) -> Result<()> {
    let broker = with_metrics(stage)?;
    stage.python("producing.py", "write_records", &[broker.bootstrap(), "suite", "none", "0", "100"])?;
    let page = scrape(&broker)?;
    ensure!(requests(&page, PRODUCE) >= 1.0, "no Produce is counted\n{page}");
    ensure!(requests(&page, "Fetch") == 0.0, "a Fetch is counted that nobody sent\n{page}");
    Ok(())
}

/// The page, over the plainest HTTP there is.
fn scrape(broker: &Broker) -> Result<String> {
    let address = broker.metrics()?.trim_start_matches("http://");
    let (host, path) = address.split_once('/').context("the metrics address has a path")?;
    let mut stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    ensure!(page.starts_with("HTTP/1.1 200"), "{page}");
    Ok(page)
}

/// The count of requests to one API, 0 if the page has none.
fn requests(page: &str, api: &str) -> f64 {
    let label = format!("api=\"{api}\"");
    let of_api =
        page.lines().filter(|line| line.starts_with("ottla_requests_total{") && line.contains(&label));
    of_api.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
