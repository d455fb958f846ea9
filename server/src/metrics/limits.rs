//! The limits that show when they bite. A limit's label is the name of the setting that moves it.

use super::groups::BoundFigures;
use super::registry::Registry;
use super::table::{LIMIT_HITS, LIMIT_MAX, LIMIT_USED};
use metrics::{Counter, Gauge};

macro_rules! limits {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $setting:literal, $scope:ident; )+) => {
        /// A named limit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit { $( $(#[doc = $doc])+ $variant, )+ }

        impl Limit {
            pub const ALL: &'static [Limit] = &[$(Limit::$variant),+];

            /// The setting that moves it, which is its label too.
            pub fn setting(self) -> &'static str {
                match self { $(Limit::$variant => $setting,)+ }
            }

            /// Whether the whole process shares it; of the others, only the hits can be told in one number.
            pub fn is_shared(self) -> bool {
                matches!(match self { $(Limit::$variant => Scope::$scope,)+ }, Scope::Shared)
            }
        }
    };
}

enum Scope {
    Shared,
    Each,
}

limits! {
    /// Connections at once.
    Connections = "max.connections", Shared;
    /// Connections at once from one address.
    ConnectionsPerAddress = "max.connections.per.ip", Each;
    /// New connections in a second.
    ConnectionRate = "max.connection.creation.rate", Each;
    /// A silent connection's time.
    Idle = "connections.max.idle.ms", Each;
    /// Bytes of requests in memory.
    RequestBytes = "queued.max.request.bytes", Shared;
    /// The size of one request.
    Frame = "socket.request.max.bytes", Each;
    /// The time in which a request that has begun to arrive must go on.
    FrameProgress = "frame.progress.timeout.ms", Each;
    /// Requests of one connection at work.
    RequestsPerConnection = "max.in.flight.requests.per.connection", Each;
    /// Replies that wait for one slow connection.
    ResponseBuffer = "response.buffer.bytes.max", Each;
    /// Fetch sessions at once.
    FetchSessions = "max.incremental.fetch.session.cache.slots", Shared;
    /// Memory for the partitions of fetch sessions.
    FetchSessionBytes = "fetch.session.cache.bytes.max", Shared;
    /// Reads from a disk that serving threads do not wait for.
    ColdReads = "cold.reads.max", Shared;
    /// Bytes of replies in memory.
    ResponseBytes = "queued.max.response.bytes", Shared;
    /// Free space in a data directory.
    FreeSpace = "log.dir.min.free.bytes", Each;
    /// Groups at once.
    Groups = "group.count.max", Shared;
    /// Member ids that wait to be joined with.
    PendingMembers = "group.pending.members.max", Shared;
    /// Clients measured for their quotas.
    QuotaClients = "quota.clients.max", Each;
    /// Connections of the metrics listener.
    MetricsConnections = "metrics.connections.max", Shared;
    /// Topics that metrics name.
    MetricsTopics = "metrics.topics.max", Shared;
    /// Partitions that metrics name.
    MetricsPartitions = "metrics.partitions.max", Shared;
    /// Groups that metrics name.
    MetricsGroups = "metrics.groups.max", Shared;
    /// Clients whose own metrics are shown.
    MetricsClients = "metrics.client.instances.max", Shared;
    /// Series of one client's own metrics.
    MetricsClientSeries = "metrics.client.series.max", Each;
}

/// What is counted of one limit.
pub struct LimitMetrics {
    /// What is in use now; it shows for a shared limit only.
    pub used: Gauge,
    /// Where the limit is; it shows for a shared limit only.
    pub max: Gauge,
    /// How often it made someone wait or turned someone away.
    pub hits: Counter,
}

impl LimitMetrics {
    /// For a limit that is asked when someone looks.
    pub(super) fn show(&self, bound: BoundFigures) {
        self.used.set(bound.used as f64);
        self.max.set(bound.max as f64);
        self.hits.absolute(bound.hits);
    }

    pub(super) fn all(registry: &Registry) -> Vec<LimitMetrics> {
        Limit::ALL.iter().map(|limit| LimitMetrics::new(registry, *limit)).collect()
    }

    fn new(registry: &Registry, limit: Limit) -> LimitMetrics {
        let labels = [limit.setting()];
        let gauge = |metric| if limit.is_shared() { registry.gauge(metric, &labels) } else { Gauge::noop() };
        LimitMetrics {
            used: gauge(&LIMIT_USED),
            max: gauge(&LIMIT_MAX),
            hits: registry.counter(&LIMIT_HITS, &labels),
        }
    }
}
