//! What the broker tells about itself: its metrics page after traffic.

use crate::harness::{Broker, Need, Scenario, Spec, Stage, wire};
use crate::observing::prometheus;
use anyhow::{Result, ensure};

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
    let before = requests(&prometheus::get(broker.metrics()?)?, API_VERSIONS);
    for _ in 0..7 {
        wire::answers(broker.bootstrap())?;
    }
    let after = requests(&prometheus::get(broker.metrics()?)?, API_VERSIONS);
    ensure!(after - before == 7.0, "7 requests moved the count from {before} to {after}");
    Ok(())
}

fn a_client_is_counted(stage: &Stage) -> Result<()> {
    let broker = with_metrics(stage)?;
    stage.python("producing.py", "write_records", &[broker.bootstrap(), "suite", "none", "0", "100"])?;
    let page = prometheus::get(broker.metrics()?)?;
    ensure!(requests(&page, PRODUCE) >= 1.0, "no Produce is counted\n{page}");
    ensure!(requests(&page, "Fetch") == 0.0, "a Fetch is counted that nobody sent\n{page}");
    Ok(())
}

/// The count of requests to one API, 0 if the page has none.
fn requests(page: &str, api: &str) -> f64 {
    let label = format!("api=\"{api}\"");
    let of_api =
        page.lines().filter(|line| line.starts_with("ottla_requests_total{") && line.contains(&label));
    of_api.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
