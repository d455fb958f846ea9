//! Metrics: one declared table, cached handles, and a small HTTP listener that shows them.
//!
//! Counting never blocks, never allocates a series and never fails. What is counted changes no behaviour: nothing in the broker
//! reads a metric back. Series are closed sets; no client's word becomes a label.

mod data_dirs;
mod groups;
mod health;
mod http;
mod limits;
mod process;
mod registry;
mod table;
#[cfg(test)]
mod tests;

pub use data_dirs::{AskDataDir, CompactionFigures, DataDirFigures};
pub use groups::{AskGroups, BoundFigures, GROUP_STATES, GroupFigures};
pub use health::{Health, State};
pub use http::{HttpLimits, serve};
pub use limits::{Limit, LimitMetrics};
pub use table::{Kind, METRICS, Metric, metric_of_series};

use data_dirs::DataDirs;
use groups::GroupMetrics;
use metrics::{Counter, Gauge, Histogram};
use process::ProcessMetrics;
use registry::Registry;
use std::sync::Arc;
use std::time::Duration;

/// How often histograms' samples are sorted into buckets; between two times each sample takes 16 bytes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The API label of a request whose key is not served.
const UNKNOWN_API: &str = "unknown";

/// Every handle of the broker, made once at the start.
pub struct Metrics {
    registry: Registry,
    apis: Vec<Option<ApiMetrics>>,
    unknown_api: ApiMetrics,
    limits: Vec<LimitMetrics>,
    process: ProcessMetrics,
    data_dirs: DataDirs,
    groups: GroupMetrics,
    pub connections: ConnectionMetrics,
    pub fetch_sessions: FetchSessionMetrics,
    pub logs: LogMetrics,
}

impl Metrics {
    /// Handles for these APIs, each given by key and name.
    pub fn new(apis: &[(i16, &'static str)]) -> Arc<Metrics> {
        let registry = Registry::new();
        Arc::new(Metrics {
            apis: by_key(&registry, apis),
            unknown_api: ApiMetrics::new(&registry, UNKNOWN_API),
            limits: LimitMetrics::all(&registry),
            process: ProcessMetrics::new(&registry),
            data_dirs: DataDirs::default(),
            groups: GroupMetrics::new(&registry),
            connections: ConnectionMetrics::new(&registry),
            fetch_sessions: FetchSessionMetrics::new(&registry),
            logs: LogMetrics::new(&registry),
            registry,
        })
    }

    /// The handles of an API; of a key that is not served, those of the label `unknown`.
    pub fn api(&self, key: i16) -> &ApiMetrics {
        let at = usize::try_from(key).ok();
        at.and_then(|at| self.apis.get(at)?.as_ref()).unwrap_or(&self.unknown_api)
    }

    pub fn limit(&self, limit: Limit) -> &LimitMetrics {
        &self.limits[limit as usize]
    }

    /// From here on the figures of this data directory are shown under `dir`.
    pub fn watch_data_dir(&self, dir: &str, ask: AskDataDir) {
        self.data_dirs.add(&self.registry, dir, ask);
    }

    /// From here on the figures of the groups are shown.
    pub fn watch_groups(&self, ask: AskGroups) {
        self.groups.watch(ask);
    }

    /// All metrics in Prometheus' text format, the figures of the process and of the data directories fresh.
    pub fn render(&self) -> String {
        self.process.refresh();
        self.data_dirs.refresh();
        if let Some(bounds) = self.groups.refresh() {
            for (limit, bound) in bounds {
                self.limit(limit).show(bound);
            }
        }
        self.registry.render()
    }

    /// Sorts samples into buckets every few seconds, for as long as it is polled. Without it they pile up.
    pub async fn keep_up(self: Arc<Self>) {
        let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            interval.tick().await;
            self.registry.run_upkeep();
        }
    }
}

fn by_key(registry: &Registry, apis: &[(i16, &'static str)]) -> Vec<Option<ApiMetrics>> {
    let mut all: Vec<Option<ApiMetrics>> = Vec::new();
    for (key, name) in apis {
        let at = usize::try_from(*key).expect("a served API has a key that is not negative");
        if all.len() <= at {
            all.resize_with(at + 1, || None);
        }
        all[at] = Some(ApiMetrics::new(registry, name));
    }
    all
}

/// What is counted of one API.
pub struct ApiMetrics {
    requests: Counter,
    errors: Counter,
    request_bytes: Counter,
    response_bytes: Counter,
    time: Histogram,
}

/// One request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// The request's bytes with its length prefix.
    pub request_bytes: usize,
    /// The reply's bytes with its length prefix; 0 without one.
    pub response_bytes: usize,
    /// From the request's last byte to its finished reply.
    pub elapsed: Duration,
    /// It was answered with an error code or by closing the connection.
    pub failed: bool,
}

impl ApiMetrics {
    fn new(registry: &Registry, api: &str) -> ApiMetrics {
        ApiMetrics {
            requests: registry.counter(&table::REQUESTS, &[api]),
            errors: registry.counter(&table::REQUEST_ERRORS, &[api]),
            request_bytes: registry.counter(&table::REQUEST_BYTES, &[api]),
            response_bytes: registry.counter(&table::RESPONSE_BYTES, &[api]),
            time: registry.histogram(&table::REQUEST_TIME, &[api]),
        }
    }

    /// Counts one request.
    pub fn observe(&self, observed: Observed) {
        self.requests.increment(1);
        self.request_bytes.increment(observed.request_bytes as u64);
        self.response_bytes.increment(observed.response_bytes as u64);
        self.time.record(observed.elapsed.as_secs_f64());
        if observed.failed {
            self.errors.increment(1);
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed it, or the network did.
    Peer,
    /// It was silent for too long, or a request made no progress.
    Timeout,
    /// It broke the protocol.
    Protocol,
    /// A limit turned it away.
    Limit,
    /// The broker stops.
    Shutdown,
}

impl CloseReason {
    pub const ALL: [CloseReason; 5] =
        [Self::Peer, Self::Timeout, Self::Protocol, Self::Limit, Self::Shutdown];

    fn label(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Limit => "limit",
            Self::Shutdown => "shutdown",
        }
    }
}

/// What is counted of connections.
pub struct ConnectionMetrics {
    accepted: Counter,
    open: Gauge,
    closed: [Counter; CloseReason::ALL.len()],
}

impl ConnectionMetrics {
    fn new(registry: &Registry) -> ConnectionMetrics {
        let closed =
            CloseReason::ALL.map(|reason| registry.counter(&table::CONNECTIONS_CLOSED, &[reason.label()]));
        ConnectionMetrics {
            accepted: registry.counter(&table::CONNECTIONS_ACCEPTED, &[]),
            open: registry.gauge(&table::CONNECTIONS, &[]),
            closed,
        }
    }

    pub fn accepted(&self) {
        self.accepted.increment(1);
        self.open.increment(1.0);
    }

    /// One that was [`accepted`](Self::accepted) is over.
    pub fn closed(&self, reason: CloseReason) {
        self.closed[reason as usize].increment(1);
        self.open.decrement(1.0);
    }
}

/// What is counted of fetch sessions; how many there are shows as the use of their limit.
pub struct FetchSessionMetrics {
    pub partitions: Gauge,
    pub evictions: Counter,
}

impl FetchSessionMetrics {
    fn new(registry: &Registry) -> FetchSessionMetrics {
        FetchSessionMetrics {
            partitions: registry.gauge(&table::FETCH_SESSION_PARTITIONS, &[]),
            evictions: registry.counter(&table::FETCH_SESSION_EVICTIONS, &[]),
        }
    }
}

/// What is counted of logs, over all of them: a series for each partition would be too many.
pub struct LogMetrics {
    appended_batches: Counter,
    appended_records: Counter,
    appended_bytes: Counter,
    flush: Histogram,
}

impl LogMetrics {
    fn new(registry: &Registry) -> LogMetrics {
        LogMetrics {
            appended_batches: registry.counter(&table::APPENDED_BATCHES, &[]),
            appended_records: registry.counter(&table::APPENDED_RECORDS, &[]),
            appended_bytes: registry.counter(&table::APPENDED_BYTES, &[]),
            flush: registry.histogram(&table::FLUSH_TIME, &[]),
        }
    }

    pub fn appended(&self, batches: usize, records: usize, bytes: usize) {
        self.appended_batches.increment(batches as u64);
        self.appended_records.increment(records as u64);
        self.appended_bytes.increment(bytes as u64);
    }

    pub fn flushed(&self, elapsed: Duration) {
        self.flush.record(elapsed.as_secs_f64());
    }
}
