//! Every metric, declared once: name, kind, unit, help, labels and, for a histogram, buckets.
//!
//! Names follow Prometheus: `ottla_`, base units, `_total` at the end of what only rises. A label takes its values from a closed
//! set (APIs, limits, reasons, data directories). What clients name (topics, groups, software) is a label up to a cap, and
//! `_other` beyond it, so that no client decides how many series there are.

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric as it is declared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// `None`: a plain count.
    pub unit: Option<&'static str>,
    pub labels: &'static [&'static str],
    /// Upper bounds, rising; empty unless it is a histogram.
    pub buckets: &'static [f64],
    pub help: &'static str,
}

/// From a request answered out of memory to a fetch that waited its whole time.
const REQUEST_SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];

/// The parts of a request; most are a hundredth of the whole.
const PART_SECONDS: &[f64] =
    &[0.000_005, 0.000_025, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];

/// From a consumer that waits at the end of the log to one that comes once a day.
const DELIVERY_SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0,
    3600.0, 86400.0,
];

/// Flushes differ by a hundred between machines; the slow end shows a disk in trouble.
const FLUSH_SECONDS: &[f64] = &[
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    1.0, 5.0, 30.0,
];

/// From a directory at rest to one with thousands of logs to flush on a slow disk.
const CHECKPOINT_SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// From a byte too much to a burst of a whole minute's worth.
const THROTTLE_SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The label of each quota: Kafka's names.
pub const QUOTA_NAMES: &[&str] = &[
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
    "connection_creation_rate",
];

macro_rules! metrics {
    ($( $(#[doc = $help:literal])+ $constant:ident = $kind:ident $name:literal $([$($label:literal),+])? $(in $unit:literal)? $(buckets $buckets:ident)?; )+) => {
        $(
            $(#[doc = $help])+
            pub(super) const $constant: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                unit: metrics!(@unit $($unit)?),
                labels: &[$($($label),+)?],
                buckets: metrics!(@buckets $($buckets)?),
                help: concat!($($help),+),
            };
        )+

        /// All of them.
        pub static METRICS: &[Metric] = &[$($constant),+];
    };
    (@unit) => { None };
    (@unit $unit:literal) => { Some($unit) };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}

metrics! {
    /// Requests whose last byte has come, by API. Less those answered and abandoned, they are at work now.
    REQUESTS_ARRIVED = Counter "ottla_requests_arrived_total" ["api"];
    /// Requests that had come and were never decided, because their connection ended, by API.
    REQUESTS_ABANDONED = Counter "ottla_requests_abandoned_total" ["api"];
    /// Requests answered, by API.
    REQUESTS = Counter "ottla_requests_total" ["api"];
    /// Requests answered with an error code, or by closing the connection, by API.
    REQUEST_ERRORS = Counter "ottla_request_errors_total" ["api"];
    /// Bytes of requests received, with their length prefix, by API.
    REQUEST_BYTES = Counter "ottla_request_bytes_total" ["api"] in "bytes";
    /// Bytes of replies sent, with their length prefix, by API.
    RESPONSE_BYTES = Counter "ottla_response_bytes_total" ["api"] in "bytes";
    /// Time from a request's last byte to its finished reply, waiting included, by API.
    REQUEST_TIME = Histogram "ottla_request_seconds" ["api"] in "seconds" buckets REQUEST_SECONDS;
    /// Where that time went, by API: in the queue of its connection, in work on the spot, waiting for the disk
    /// (durable_wait) or for records and other members (long_poll), and being sent.
    REQUEST_PART_TIME = Histogram "ottla_request_part_seconds" ["api", "part"] in "seconds" buckets PART_SECONDS;
    /// Error codes in replies, each as often as it stands there, by API and Kafka's name of the error.
    ERRORS = Counter "ottla_errors_total" ["api", "error"];

    /// Connections accepted.
    CONNECTIONS_ACCEPTED = Counter "ottla_connections_accepted_total";
    /// Connections closed, by reason.
    CONNECTIONS_CLOSED = Counter "ottla_connections_closed_total" ["reason"];
    /// Connections that are open.
    CONNECTIONS = Gauge "ottla_connections";

    /// Connections that are open, by the client's software and version as it tells them; 0 for what was seen before.
    CLIENT_CONNECTIONS = Gauge "ottla_client_connections" ["software", "version"];

    /// What is in use of a limit, in the unit of the setting that the label names.
    LIMIT_USED = Gauge "ottla_limit_used" ["limit"];
    /// The limit itself, in the unit of the setting that the label names.
    LIMIT_MAX = Gauge "ottla_limit_max" ["limit"];
    /// How often a limit made someone wait or turned someone away.
    LIMIT_HITS = Counter "ottla_limit_hits_total" ["limit"];

    /// How long clients have to rest for their quotas, by the quota; for connection_creation_rate, how long new connections
    /// are kept outside.
    QUOTA_THROTTLE_TIME = Histogram "ottla_quota_throttle_seconds" ["quota"] in "seconds" buckets THROTTLE_SECONDS;

    /// Partitions that fetch sessions remember.
    FETCH_SESSION_PARTITIONS = Gauge "ottla_fetch_session_partitions";
    /// Fetch sessions that made way for others.
    FETCH_SESSION_EVICTIONS = Counter "ottla_fetch_session_evictions_total";

    /// Batches appended to logs.
    APPENDED_BATCHES = Counter "ottla_appended_batches_total";
    /// Records appended to logs.
    APPENDED_RECORDS = Counter "ottla_appended_records_total";
    /// Bytes of batches appended to logs.
    APPENDED_BYTES = Counter "ottla_appended_bytes_total" in "bytes";
    /// Time of each write to the journal, its flush to the disk included; the count of writes is the histogram's own.
    FLUSH_TIME = Histogram "ottla_flush_seconds" in "seconds" buckets FLUSH_SECONDS;
    /// Time of each checkpoint, the flushes of what it covers included. Appends go on meanwhile; those of durable logs
    /// wait if the journal is full before it ends.
    CHECKPOINT_TIME = Histogram "ottla_checkpoint_seconds" in "seconds" buckets CHECKPOINT_SECONDS;

    /// Time from a record's append to its first delivery to a reader. In each partition one record at a time is followed.
    DELIVERY_TIME = Histogram "ottla_produce_to_fetch_seconds" in "seconds" buckets DELIVERY_SECONDS;

    /// Bytes of batches taken from producers, by topic.
    TOPIC_RECEIVED_BYTES = Counter "ottla_topic_received_bytes_total" ["topic"] in "bytes";
    /// Bytes of batches given to consumers, by topic.
    TOPIC_SENT_BYTES = Counter "ottla_topic_sent_bytes_total" ["topic"] in "bytes";
    /// Records taken from producers, by topic.
    TOPIC_RECEIVED_RECORDS = Counter "ottla_topic_received_records_total" ["topic"];
    /// Records given to consumers, by topic; counted by their offsets, and estimated where a reply ends before the log does.
    TOPIC_SENT_RECORDS = Counter "ottla_topic_sent_records_total" ["topic"];
    /// Partitions that have a log, by topic.
    TOPIC_PARTITIONS = Gauge "ottla_topic_partitions" ["topic"];
    /// Bytes of the batches in the logs of all partitions, by topic.
    TOPIC_BYTES = Gauge "ottla_topic_log_bytes" ["topic"] in "bytes";
    /// The first offset that can be read, by partition.
    PARTITION_START = Gauge "ottla_partition_start_offset" ["topic", "partition"];
    /// The offset behind the last record that can be read (the high watermark), by partition.
    PARTITION_END = Gauge "ottla_partition_end_offset" ["topic", "partition"];
    /// Bytes of the batches in the log, by partition.
    PARTITION_BYTES = Gauge "ottla_partition_log_bytes" ["topic", "partition"] in "bytes";
    /// Segments of the log, by partition.
    PARTITION_SEGMENTS = Gauge "ottla_partition_segments" ["topic", "partition"];

    /// Records that a group has not committed yet, by the partitions that are furthest behind.
    GROUP_LAG_RECORDS = Gauge "ottla_consumer_lag_records" ["group", "topic", "partition"];
    /// How long the first record that a group has not committed has been there; 0 for a group that has committed all. Of
    /// records that were there at the broker's start, it is the time since then.
    GROUP_LAG_SECONDS = Gauge "ottla_consumer_lag_seconds" ["group", "topic", "partition"] in "seconds";
    /// Records that a group has not committed yet, over all partitions that it has committed for.
    GROUP_TOTAL_LAG_RECORDS = Gauge "ottla_consumer_group_lag_records" ["group"];
    /// The longest that a record which a group has not committed has been there, over all its partitions.
    GROUP_TOTAL_LAG_SECONDS = Gauge "ottla_consumer_group_lag_seconds" ["group"] in "seconds";
    /// Members of a group.
    GROUP_MEMBERS_OF = Gauge "ottla_consumer_group_members" ["group"];
    /// Always 1; the group's state is in the label.
    GROUP_STATE = Gauge "ottla_consumer_group_state" ["group", "state"];
    /// Offsets that a group has committed.
    GROUP_COMMITTED = Counter "ottla_consumer_group_offset_commits_total" ["group"];
    /// Rebalances of a group that ended with an assignment.
    GROUP_REBALANCED = Counter "ottla_consumer_group_rebalances_total" ["group"];

    /// Writes to the journal that are on the disk, by data directory. Each carries whatever was waiting.
    JOURNAL_COMMITS = Counter "ottla_journal_commits_total" ["dir"];
    /// Bytes written to the journal, with what fills up their blocks, by data directory.
    JOURNAL_BYTES = Counter "ottla_journal_bytes_total" ["dir"] in "bytes";
    /// Bytes of the journal that no checkpoint covers yet and a start would have to read, by data directory.
    JOURNAL_LIVE = Gauge "ottla_journal_live_bytes" ["dir"] in "bytes";
    /// Bytes that the journal's files take on the disk, by data directory.
    JOURNAL_CAPACITY = Gauge "ottla_journal_capacity_bytes" ["dir"] in "bytes";
    /// Checkpoints written, by data directory.
    CHECKPOINTS = Counter "ottla_checkpoints_total" ["dir"];
    /// Times that appends of a log had to wait, for room in the journal or because the disk is slow, by data directory.
    WAITING_APPENDS = Counter "ottla_waiting_appends_total" ["dir"];
    /// Bytes of logs that were found damaged and are not served, by data directory; 0 is what it should be.
    QUARANTINED = Gauge "ottla_quarantined_bytes" ["dir"] in "bytes";
    /// Segments that retention removed, by data directory.
    REMOVED_SEGMENTS = Counter "ottla_retention_removed_segments_total" ["dir"];
    /// Bytes of the batches in the segments that retention removed, by data directory.
    REMOVED_BYTES = Counter "ottla_retention_removed_bytes_total" ["dir"] in "bytes";
    /// Partitions on their way to a data directory from another, by the directory that they move to.
    MOVES_UNDERWAY = Gauge "ottla_moves_underway" ["dir"];
    /// Partitions that were moved from another data directory, by the directory that they are in now.
    MOVED_LOGS = Counter "ottla_moved_partitions_total" ["dir"];
    /// Bytes of batches that were copied to move partitions, by the directory that they move to.
    MOVED_BYTES = Counter "ottla_moved_bytes_total" ["dir"] in "bytes";
    /// Logs that were compacted, by data directory.
    COMPACTIONS = Counter "ottla_compactions_total" ["dir"];
    /// Bytes that the compaction has read, by data directory.
    COMPACTION_READ = Counter "ottla_compaction_read_bytes_total" ["dir"] in "bytes";
    /// Bytes that the compaction has written, by data directory.
    COMPACTION_WRITTEN = Counter "ottla_compaction_written_bytes_total" ["dir"] in "bytes";
    /// Time that the compaction has taken, by data directory; it only rises.
    COMPACTION_BUSY = Gauge "ottla_compaction_busy_seconds" ["dir"] in "seconds";
    /// Time since it was last looked which logs are to be compacted, by data directory.
    COMPACTION_AGE = Gauge "ottla_compaction_last_run_age_seconds" ["dir"] in "seconds";
    /// Of the bytes that a compaction would read, the share that none has seen, of the log where it is greatest, in
    /// percent, by data directory.
    DIRTY_MAX = Gauge "ottla_compaction_dirty_percent_max" ["dir"];
    /// Logs that cannot be compacted, by data directory; 0 is what it should be.
    UNCLEANABLE_LOGS = Gauge "ottla_uncleanable_logs" ["dir"];
    /// Bytes of them that a compaction would have read for the first time, by data directory.
    UNCLEANABLE_BYTES = Gauge "ottla_uncleanable_bytes" ["dir"] in "bytes";
    /// Idempotent and transactional producers that partitions remember, each counted in every partition that it wrote to, by data directory.
    PRODUCERS = Gauge "ottla_producers" ["dir"];
    /// 1 if the data directory takes no more writes because one failed; a restart is the repair.
    DIR_OFFLINE = Gauge "ottla_log_dir_offline" ["dir"];

    /// Groups that this broker coordinates, by their state.
    GROUPS = Gauge "ottla_groups" ["state"];
    /// Members of all groups.
    GROUP_MEMBERS = Gauge "ottla_group_members";
    /// Offsets that groups have committed and that are kept.
    GROUP_OFFSETS = Gauge "ottla_group_offsets";
    /// Offsets committed since the start.
    GROUP_COMMITS = Counter "ottla_group_offset_commits_total";
    /// Offsets that were forgotten because nobody committed them again in time.
    GROUP_EXPIRED = Counter "ottla_group_offsets_expired_total";
    /// Rebalances that ended with an assignment.
    GROUP_REBALANCES = Counter "ottla_group_rebalances_total";
    /// Partitions of the group coordinator whose log is still being read.
    GROUP_LOADING = Gauge "ottla_group_shards_loading";

    /// Spans of sampled requests that the collector of traces took (`otlp.endpoint`).
    TRACE_SPANS_SENT = Counter "ottla_trace_spans_sent_total";
    /// Spans of sampled requests that it did not take, or that found no room to wait for it.
    TRACE_SPANS_DROPPED = Counter "ottla_trace_spans_dropped_total";

    /// Processor time of the process, user and system; it only rises.
    PROCESS_CPU = Gauge "ottla_process_cpu_seconds" in "seconds";
    /// Memory of the process that is in RAM.
    PROCESS_MEMORY = Gauge "ottla_process_resident_memory_bytes" in "bytes";
    /// Time that a network thread was busy; it only rises.
    RUNTIME_BUSY = Gauge "ottla_network_thread_busy_seconds" ["thread"] in "seconds";
    /// Tasks of the runtime that are alive: connections, and what works beside them.
    RUNTIME_TASKS = Gauge "ottla_runtime_tasks";
    /// File descriptors that the process has open.
    PROCESS_FDS = Gauge "ottla_process_open_fds";
    /// File descriptors that the process may have open.
    PROCESS_FDS_MAX = Gauge "ottla_process_max_fds";
    /// Threads of the process.
    PROCESS_THREADS = Gauge "ottla_process_threads";
    /// Time since the process started.
    UPTIME = Gauge "ottla_uptime_seconds" in "seconds";
    /// Always 1; the version is in the label.
    BUILD_INFO = Gauge "ottla_build_info" ["version"];
}

/// The metric that a series of this name belongs to: a histogram's series have suffixes.
pub fn metric_of_series(series: &str) -> Option<&'static Metric> {
    let of_histogram =
        ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| series.strip_suffix(suffix));
    METRICS.iter().find(|metric| match metric.kind {
        Kind::Histogram => of_histogram == Some(metric.name),
        Kind::Counter | Kind::Gauge => metric.name == series,
    })
}
