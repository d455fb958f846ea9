//! Debian's Prometheus as a private process in the scenario's folder, and the few questions that are put to it over HTTP.

use crate::harness::{Stage, debian};
use crate::observing::grafana;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

const READ_LIMIT: Duration = Duration::from_secs(30);

/// A running one. Dropping it kills it, by its process id.
#[derive(Debug)]
pub(super) struct Prometheus {
    address: String,
    log: PathBuf,
    child: Child,
}

impl Prometheus {
    /// Starts it with this repository's rules and waits until it has scraped the broker twice.
    pub(super) fn start(stage: &Stage, metrics: &str) -> Result<Self> {
        let home = stage.folder().join("prometheus");
        fs::create_dir_all(&home)?;
        let target = metrics.trim_start_matches("http://").split('/').next().context("an address")?;
        let rules = grafana("prometheus/ottla.rules.yml");
        let configuration = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [{:?}]\nscrape_configs:\n  \
             - job_name: ottla\n    static_configs: [{{targets: [{target:?}]}}]\n",
            rules.display().to_string()
        );
        fs::write(home.join("prometheus.yml"), configuration)?;
        // It does not say which port it was given, so that a free one is looked for here.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let log = home.join("log");
        let mut command = debian::kit()?.command("prometheus")?;
        command.arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
        command.arg(format!("--web.listen-address={address}")).current_dir(&home).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn().context("starting prometheus")?;
        let mut prometheus = Self { address, log, child };
        stage.wait_for("prometheus to scrape", || {
            if let Some(status) = prometheus.child.try_wait()? {
                bail!("prometheus ended with {status}\n{}", fs::read_to_string(&prometheus.log)?);
            }
            let scrapes = prometheus.value("count_over_time(up[1m])");
            Ok(scrapes.is_ok_and(|scrapes| scrapes >= Some(2.0)))
        })?;
        ensure!(prometheus.value("up")? == Some(1.0), "it scrapes the broker");
        Ok(prometheus)
    }

    /// `host:port` of its API.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What a query finds now: each series' value.
    pub(super) fn values(&self, query: &str) -> Result<Vec<f64>> {
        let answer = self.ask(&format!("/api/v1/query?query={}", encoded(query)))?;
        let found = answer["data"]["result"].as_array().with_context(|| format!("{query}: {answer}"))?;
        let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok());
        found.iter().map(|series| value(series).with_context(|| format!("{query}: {series}"))).collect()
    }

    /// The value of the one series that a query finds.
    pub(super) fn value(&self, query: &str) -> Result<Option<f64>> {
        Ok(self.values(query)?.first().copied())
    }

    pub(super) fn is_firing(&self, alert: &str) -> Result<bool> {
        let query = format!("ALERTS{{alertname={alert:?}, alertstate=\"firing\"}}");
        Ok(!self.values(&query)?.is_empty())
    }

    /// All rules as it has them.
    pub(super) fn rules(&self) -> Result<Vec<Value>> {
        let answer = self.ask("/api/v1/rules")?;
        let groups = answer["data"]["groups"].as_array().context("groups of rules")?;
        Ok(groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect())
    }

    fn ask(&self, path: &str) -> Result<Value> {
        let body = get(&format!("http://{}{path}", self.address))?;
        let answer: Value = serde_json::from_str(&body).with_context(|| body.clone())?;
        ensure!(answer["status"] == "success", "{path}: {body}");
        Ok(answer)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The body of an answer, over the plainest HTTP there is: version 1.0 has no chunks.
pub(crate) fn get(url: &str) -> Result<String> {
    let (host, path) = url.trim_start_matches("http://").split_once('/').context("the address has a path")?;
    let mut stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
    stream.set_read_timeout(Some(READ_LIMIT))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no body: {answer}"))?;
    Ok(body.to_owned())
}

/// Every byte that could mean something in an address, by its number.
fn encoded(query: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    query
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
