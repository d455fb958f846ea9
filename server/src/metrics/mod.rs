//! Metrics: one declared table, cached handles, and a small HTTP listener that shows them.
//!
//! Counting never blocks, never allocates a series and never fails. What is counted changes no behaviour: nothing in the broker
//! reads a metric back. Most series are closed sets. Topics, groups and client software, which clients name, have their own
//! series up to a cap and share one beyond it; these are made up when someone asks, and nobody else pays for them.

mod clients;
mod data_dirs;
mod exposition;
mod groups;
mod health;
mod histogram;
mod http;
mod lag;
mod limits;
mod named;
mod process;
mod pushed;
mod quotas;
mod registry;
mod requests;
mod table;
#[cfg(test)]
mod tests;
mod topics;
mod traces;

pub use clients::ClientMetrics;
pub use data_dirs::{AskDataDir, CompactionFigures, DataDirFigures};
pub use groups::{AskGroups, BoundFigures, GROUP_STATES, GroupFigures};
pub use health::{Health, State};
pub use http::{HttpLimits, serve};
pub use lag::{AskLag, Behind, LagFigures, LagRow, OneGroup};
pub use limits::{Limit, LimitMetrics};
pub use pushed::{Point, PushedInstance, Sample, render_pushed};
pub use quotas::QuotaMetrics;
pub use requests::{ApiMetrics, Observed, Parts, WaitsFor};
pub use table::{Kind, METRICS, Metric, QUOTA_NAMES, metric_of_series};
pub use topics::{AskPartitions, Moved, PartitionFigures};
pub use traces::TraceMetrics;

use data_dirs::DataDirs;
use exposition::Text;
use groups::GroupMetrics;
use histogram::Histogram;
use lag::LagMetrics;
use metrics::{Counter, Gauge};
use process::ProcessMetrics;
use registry::Registry;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use topics::TopicMetrics;

/// The API label of a request whose key is not served.
const UNKNOWN_API: &str = "unknown";

/// An API as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct CountedApi {
    pub key: i16,
    pub name: &'static str,
    pub waits_for: WaitsFor,
}

/// How many of what clients name are shown by name; each has a setting.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedMax {
    /// `metrics.topics.max`
    pub topics: usize,
    /// `metrics.partitions.max`
    pub partitions: usize,
    /// `metrics.groups.max`
    pub groups: usize,
    /// `metrics.group.partitions.max`
    pub group_partitions: usize,
    /// `metrics.client.software.max`
    pub client_software: usize,
    /// `metrics.client.instances.max`
    pub client_instances: usize,
}

/// Every handle of the broker, made once at the start.
pub struct Metrics {
    registry: Registry,
    apis: Vec<Option<ApiMetrics>>,
    unknown_api: ApiMetrics,
    limits: Vec<LimitMetrics>,
    process: ProcessMetrics,
    data_dirs: DataDirs,
    groups: GroupMetrics,
    named_max: NamedMax,
    /// What was shown by name, and for whom it was asked. One scrape at a time makes it up.
    asked: Mutex<Asked>,
    ask_partitions: OnceLock<AskPartitions>,
    ask_lag: OnceLock<AskLag>,
    ask_pushed: OnceLock<AskPushed>,
    pub clients: ClientMetrics,
    pub connections: ConnectionMetrics,
    pub fetch_sessions: FetchSessionMetrics,
    pub logs: LogMetrics,
    pub quotas: QuotaMetrics,
    pub traces: TraceMetrics,
}

/// What clients push, instance by instance; nothing once the broker is gone.
pub type AskPushed = Box<dyn Fn() -> Option<Vec<Arc<PushedInstance>>> + Send + Sync>;

struct Asked {
    topics: TopicMetrics,
    lag: LagMetrics,
}

impl Metrics {
    /// Handles for these APIs.
    pub fn new(apis: &[CountedApi], named_max: NamedMax) -> Arc<Metrics> {
        let registry = Registry::new();
        let limits = LimitMetrics::all(&registry);
        for (limit, max) in [
            (Limit::MetricsTopics, named_max.topics),
            (Limit::MetricsPartitions, named_max.partitions),
            (Limit::MetricsGroups, named_max.groups),
            (Limit::MetricsClients, named_max.client_instances),
        ] {
            limits[limit as usize].max.set(max as f64);
        }
        Arc::new(Metrics {
            apis: by_key(&registry, apis),
            unknown_api: ApiMetrics::new(&registry, UNKNOWN_API, WaitsFor::Durability),
            limits,
            process: ProcessMetrics::new(&registry),
            data_dirs: DataDirs::default(),
            groups: GroupMetrics::new(&registry),
            named_max,
            asked: Mutex::new(Asked {
                topics: TopicMetrics::new(named_max),
                lag: LagMetrics::new(named_max),
            }),
            ask_partitions: OnceLock::new(),
            ask_lag: OnceLock::new(),
            ask_pushed: OnceLock::new(),
            clients: ClientMetrics::default(),
            connections: ConnectionMetrics::new(&registry),
            fetch_sessions: FetchSessionMetrics::new(&registry),
            logs: LogMetrics::new(&registry),
            quotas: QuotaMetrics::new(),
            traces: TraceMetrics::new(&registry),
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
    pub fn watch_groups(&self, ask: AskGroups, ask_lag: AskLag) {
        self.groups.watch(ask);
        // There is one coordinator in a broker.
        let _ = self.ask_lag.set(ask_lag);
    }

    /// From here on the figures of the partitions are shown.
    pub fn watch_partitions(&self, ask: AskPartitions) {
        // There is one registry of partitions in a broker.
        let _ = self.ask_partitions.set(ask);
    }

    /// From here on what clients push is shown.
    pub fn watch_pushed(&self, ask: AskPushed) {
        // There is one keeper of it in a broker.
        let _ = self.ask_pushed.set(ask);
    }

    /// All metrics in Prometheus' text format, what is asked for fresh. It looks at every partition and every group: not
    /// for a thread that serves.
    pub fn render(&self) -> String {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        self.process.refresh();
        self.data_dirs.refresh();
        if let Some(bounds) = self.groups.refresh() {
            for (limit, bound) in bounds {
                self.limit(limit).show(bound);
            }
        }
        let mut text = Text::behind(String::new());
        let partitions = self.ask_partitions.get().and_then(|ask| ask()).unwrap_or_default();
        let (topics, partitions) = asked.topics.show(&mut text, partitions);
        let rows_max = asked.lag.rows_max();
        let lag = self.ask_lag.get().and_then(|ask| ask(rows_max)).unwrap_or_default();
        let groups = asked.lag.show(&mut text, lag);
        for (limit, count) in [
            (Limit::MetricsTopics, topics),
            (Limit::MetricsPartitions, partitions),
            (Limit::MetricsGroups, groups),
        ] {
            self.show_use(limit, count);
        }
        requests::show(&mut text, self.apis.iter().flatten().chain([&self.unknown_api]));
        self.clients.show(&mut text, self.named_max.client_software);
        if let Some(pushed) = self.ask_pushed.get().and_then(|ask| ask()) {
            self.limit(Limit::MetricsClients).used.set(pushed.len() as f64);
            pushed::show(&mut text, &pushed);
        }
        self.logs.show(&mut text);
        self.quotas.show(&mut text);
        [self.registry.render(), text.into_string()].concat()
    }

    /// How many there are to name; a hit whenever somebody asks and not all are.
    fn show_use(&self, limit: Limit, count: usize) {
        let max = match limit {
            Limit::MetricsTopics => self.named_max.topics,
            Limit::MetricsPartitions => self.named_max.partitions,
            _ => self.named_max.groups,
        };
        self.limit(limit).used.set(count.min(max) as f64);
        if count > max {
            self.limit(limit).hits.increment(1);
        }
    }
}

fn by_key(registry: &Registry, apis: &[CountedApi]) -> Vec<Option<ApiMetrics>> {
    let mut all: Vec<Option<ApiMetrics>> = Vec::new();
    for api in apis {
        let at = usize::try_from(api.key).expect("a served API has a key that is not negative");
        if all.len() <= at {
            all.resize_with(at + 1, || None);
        }
        all[at] = Some(ApiMetrics::new(registry, api.name, api.waits_for));
    }
    all
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

/// What is counted of logs, over all of them.
pub struct LogMetrics {
    appended_batches: Counter,
    appended_records: Counter,
    appended_bytes: Counter,
    flush: Histogram,
    checkpoint: Histogram,
    delivery: Histogram,
}

impl LogMetrics {
    fn new(registry: &Registry) -> LogMetrics {
        LogMetrics {
            appended_batches: registry.counter(&table::APPENDED_BATCHES, &[]),
            appended_records: registry.counter(&table::APPENDED_RECORDS, &[]),
            appended_bytes: registry.counter(&table::APPENDED_BYTES, &[]),
            flush: Histogram::new(table::FLUSH_TIME.buckets),
            checkpoint: Histogram::new(table::CHECKPOINT_TIME.buckets),
            delivery: Histogram::new(table::DELIVERY_TIME.buckets),
        }
    }

    pub fn appended(&self, batches: usize, records: usize, bytes: usize) {
        self.appended_batches.increment(batches as u64);
        self.appended_records.increment(records as u64);
        self.appended_bytes.increment(bytes as u64);
    }

    pub fn flushed(&self, elapsed: Duration) {
        self.flush.record(elapsed);
    }

    /// A checkpoint was written.
    pub fn checkpointed(&self, elapsed: Duration) {
        self.checkpoint.record(elapsed);
    }

    /// A record was given to a reader for the first time, so long after its append.
    pub fn delivered(&self, after: Duration) {
        self.delivery.record(after);
    }

    fn show(&self, text: &mut Text) {
        for (metric, histogram) in [
            (&table::FLUSH_TIME, &self.flush),
            (&table::CHECKPOINT_TIME, &self.checkpoint),
            (&table::DELIVERY_TIME, &self.delivery),
        ] {
            text.family(metric);
            text.histogram(metric, &[], histogram);
        }
    }
}
