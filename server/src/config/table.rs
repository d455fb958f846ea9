//! The settings that have a meaning here, each declared once: the field, its type, its name, default, bounds and doc.
//!
//! A setting of Kafka takes its type, bounds, update mode and default from the generated table; only a default that differs is
//! said here. `--help`, `ottla config`, DescribeConfigs and the messages about wrong values are all made from this table.
//! A rule that concerns more than one setting does not belong here but in `resolve`.

use super::collector::CollectorUrl;
use super::kafka_names;
use super::kinds::{Allowed, Kind, Update, find};
use super::listeners::{Advertised, Endpoint, Listener};
use super::pattern::WholePattern;
use super::sources::Values;
use super::values::{Compression, LogFormat, Words};
use super::{ConfigError, Notice};
use std::path::PathBuf;
use std::sync::LazyLock;
use storage::{Durability, RecordValidation, TimestampType};

/// One setting as it is declared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    /// `None`: unset unless someone sets it.
    pub default: Option<&'static str>,
    pub allowed: Allowed,
    pub update: Update,
    /// Whether Kafka has a setting of this name.
    pub is_kafkas: bool,
    doc: &'static str,
}

impl Setting {
    /// What it does, in one or two sentences.
    pub fn doc(&self) -> String {
        self.doc.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The unit of its value; by rule it is a part of its name.
    pub fn unit(&self) -> Option<&'static str> {
        const UNITS: [&str; 5] = ["bytes", "ms", "seconds", "minutes", "hours"];
        self.name.rsplit('.').find_map(|part| UNITS.into_iter().find(|unit| *unit == part))
    }

    /// What its value may be.
    pub fn bounds(&self) -> String {
        self.kind.describe(self.allowed)
    }
}

/// A declaration before the generated table is asked for the rest.
enum Declared {
    Kafka { name: &'static str, default: Option<Option<&'static str>> },
    Own { name: &'static str, kind: Kind, default: Option<&'static str>, allowed: Allowed, update: Update },
}

/// Kafka's setting with Kafka's default.
const fn kafka(name: &'static str) -> Declared {
    Declared::Kafka { name, default: None }
}

/// Kafka's setting with a default of our own.
const fn kafka_but(name: &'static str, default: Option<&'static str>) -> Declared {
    Declared::Kafka { name, default: Some(default) }
}

/// A setting that Kafka does not have.
const fn own(name: &'static str, kind: Kind, default: Option<&'static str>, allowed: Allowed) -> Declared {
    Declared::Own { name, kind, default, allowed, update: Update::ReadOnly }
}

/// A setting that Kafka does not have, and that may change while the broker runs.
const fn own_live(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    allowed: Allowed,
) -> Declared {
    Declared::Own { name, kind, default, allowed, update: Update::ClusterWide }
}

const fn at_least(ranges: &'static [(i64, i64)]) -> Allowed {
    Allowed::Whole(ranges)
}

impl Declared {
    fn documented(self, doc: &'static str) -> Setting {
        match self {
            Declared::Own { name, kind, default, allowed, update } => {
                Setting { name, kind, default, allowed, update, is_kafkas: false, doc }
            }
            Declared::Kafka { name, default } => {
                let kafkas =
                    find(kafka_names::SERVER, name).expect("the table names settings that Kafka has");
                let default = default.unwrap_or(kafkas.default);
                let (kind, allowed, update) = (kafkas.kind, kafkas.allowed, kafkas.update);
                Setting { name, kind, default, allowed, update, is_kafkas: true, doc }
            }
        }
    }
}

macro_rules! settings {
    (
        $( $(#[doc = $doc:literal])+ $visible:vis $field:ident: $type:ty = $declared:expr; )+
        derived { $( $(#[doc = $derived_doc:literal])+ $derived:ident: $derived_type:ty, )+ }
    ) => {
        /// Every setting, typed, checked and resolved.
        #[derive(Clone, Debug)]
        pub struct Config {
            $( $(#[doc = $doc])+ $visible $field: $type, )+
            $( $(#[doc = $derived_doc])+ pub $derived: $derived_type, )+
            /// What an operator should know about the settings; one line of the log each.
            pub notices: Vec<Notice>,
            /// The text and the source of each value that someone has set.
            pub values: Values,
        }

        /// The declared settings in the order of their declaration.
        pub static SETTINGS: LazyLock<Vec<Setting>> =
            LazyLock::new(|| vec![$( $declared.documented(concat!($($doc),+)) ),+]);

        impl Config {
            /// Reads each setting by itself; the derived fields are still empty.
            pub(super) fn read(values: Values) -> Result<Config, ConfigError> {
                let mut declared = SETTINGS.iter();
                let mut next = || declared.next().expect("one declaration for each field");
                Ok(Config {
                    $( $field: values.read(next())?, )+
                    $( $derived: Default::default(), )+
                    notices: Vec::new(),
                    values,
                })
            }
        }
    };
}

settings! {
    /// The id of this broker, kept in the data directories at the first start. `broker.id` is an older name of it.
    pub node_id: i32 = kafka_but("node.id", Some("1"));
    /// The older name of `node.id`. Where both are set, they must agree.
    pub(super) broker_id: Option<i32> = kafka_but("broker.id", None);
    /// The roles of this process. Ottla is broker and controller in one, so the list must hold `broker`.
    pub(super) process_roles: Option<Vec<String>> = kafka("process.roles");
    /// The id of the cluster. Without it one is made at the first start; a data directory of another cluster is refused.
    pub cluster_id: Option<String> = own("cluster.id", Kind::Text, None, Allowed::NotEmpty);

    /// The data directories, between commas. The metadata lives in the first.
    pub(super) log_dirs_set: Vec<String> = kafka_but("log.dirs", Some("ottla-data"));
    /// One data directory. `log.dirs` goes before it.
    pub(super) log_dir_set: Option<Vec<String>> = kafka_but("log.dir", None);
    /// Free space below which a data directory refuses what clients send, so that a full disk can still be emptied.
    pub log_dir_min_free_bytes: u64 =
        own("log.dir.min.free.bytes", Kind::Long, Some("268435456"), at_least(&[(0, i64::MAX)]));
    /// How often the logs are looked at for what is older, or more, than their topics keep. The first time is 30 s after
    /// the start, or after one interval if that is shorter.
    pub log_retention_check_interval_ms: u64 = kafka("log.retention.check.interval.ms");
    /// Whether an answered record survives a power cut (`durable`) or sits in the page cache for a while (`relaxed`, as
    /// Kafka's do). The topic setting `durability` goes before it.
    pub log_durability: Durability =
        own_live("log.durability", Kind::Text, Some("durable"), Allowed::OneOf(Durability::WORDS));
    /// How large the journal of a data directory may grow under load.
    pub journal_bytes_max: u64 =
        own("journal.bytes.max", Kind::Long, Some("536870912"), at_least(&[(33_554_432, i64::MAX)]));
    /// Whether the journal is written around the page cache. `false`: through it, with a flush behind each commit.
    pub journal_direct: bool = own("journal.direct", Kind::Boolean, Some("true"), Allowed::Anything);
    /// Whether each record of a batch is checked (`full`) or the batch's header and checksum only (`header`). The topic
    /// setting of the same name goes before it.
    pub record_validation: RecordValidation =
        own_live("record.validation", Kind::Text, Some("full"), Allowed::OneOf(RecordValidation::WORDS));
    /// How long a partition remembers a producer that sends nothing, so that what it sends again is not doubled.
    pub producer_id_expiration_ms: u64 = kafka("producer.id.expiration.ms");
    /// How often producers that were silent for so long are forgotten.
    pub producer_id_expiration_check_interval_ms: u64 = kafka("producer.id.expiration.check.interval.ms");

    /// Where clients connect: `NAME://host:port`, between commas. `localhost` is 127.0.0.1 and ::1; no host, `0.0.0.0` and
    /// `[::]` are all interfaces; port 0 takes any free port.
    pub(super) listeners_set: Vec<String> = kafka_but("listeners", Some("PLAINTEXT://localhost:9092"));
    /// What clients are told to connect to, where it differs from `listeners`. Port 0 is the port that was bound.
    pub(super) advertised_listeners_set: Option<Vec<String>> = kafka("advertised.listeners");
    /// The security protocol of each listener, by its name. Only PLAINTEXT is served now.
    pub(super) listener_security_protocol_map: String = kafka("listener.security.protocol.map");
    /// The listener between brokers.
    pub(super) inter_broker_listener_name: Option<String> = kafka("inter.broker.listener.name");
    /// The security protocol between brokers, where `inter.broker.listener.name` is not set.
    pub(super) security_inter_broker_protocol: String = kafka("security.inter.broker.protocol");
    /// Listeners of Kafka's controllers. Ottla needs none: they are dropped.
    pub(super) controller_listener_names: Option<Vec<String>> = kafka("controller.listener.names");
    /// Where `/metrics`, `/healthz` and `/readyz` are served over HTTP, `host:port`, or `off`.
    pub metrics_listener: Option<Endpoint> =
        own("metrics.listener", Kind::Text, Some("127.0.0.1:9464"), Allowed::Anything);
    /// Connections that the metrics listener serves at once; further ones wait.
    pub metrics_connections_max: usize =
        own("metrics.connections.max", Kind::Int, Some("16"), at_least(&[(1, 1000)]));
    /// How long a connection of the metrics listener may take for a request and its answer.
    pub metrics_request_timeout_ms: u64 =
        own("metrics.request.timeout.ms", Kind::Int, Some("5000"), at_least(&[(1, i32::MAX as i64)]));
    /// Topics that metrics show by name, the busiest; the others are shown together as `_other`.
    pub metrics_topics_max: usize =
        own("metrics.topics.max", Kind::Int, Some("500"), at_least(&[(0, 100_000)]));
    /// Partitions that metrics show by name, of the topics that they name; the others are shown together as `_other`.
    pub metrics_partitions_max: usize =
        own("metrics.partitions.max", Kind::Int, Some("1000"), at_least(&[(0, 100_000)]));
    /// Consumer groups that metrics show by name, the busiest; the others are shown together as `_other`.
    pub metrics_groups_max: usize =
        own("metrics.groups.max", Kind::Int, Some("300"), at_least(&[(0, 100_000)]));
    /// Partitions of consumer groups whose lag metrics show by name, those furthest behind; the others are shown together
    /// as `_other`.
    pub metrics_group_partitions_max: usize =
        own("metrics.group.partitions.max", Kind::Int, Some("1000"), at_least(&[(0, 100_000)]));
    /// Pairs of client software and version that metrics show by name; the others are shown together as `_other`.
    pub metrics_client_software_max: usize =
        own("metrics.client.software.max", Kind::Int, Some("50"), at_least(&[(0, 1000)]));
    /// Clients whose own metrics, which they push (KIP-714), metrics show; those of further clients are not kept.
    pub metrics_client_instances_max: usize =
        own("metrics.client.instances.max", Kind::Int, Some("100"), at_least(&[(0, 16_384)]));
    /// Series of its own metrics that are shown of one client; further ones are not kept.
    pub metrics_client_series_max: usize =
        own("metrics.client.series.max", Kind::Int, Some("300"), at_least(&[(0, 10_000)]));
    /// Bytes that a client may push of its own metrics at once, compressed or not.
    pub telemetry_max_bytes: usize = kafka("telemetry.max.bytes");
    /// How the broker writes its log, on stderr: `text`, or `json`, one object a line.
    pub log_format: LogFormat =
        own("log.format", Kind::Text, Some("text"), Allowed::OneOf(LogFormat::WORDS));
    /// A request that takes longer, waiting for records and for other members not counted, is written to the log with its
    /// parts and its client, for each client once a minute. -1: none is.
    pub slow_request_log_ms: i64 =
        own_live("slow.request.log.ms", Kind::Long, Some("1000"), at_least(&[(-1, i64::MAX)]));
    /// The OpenTelemetry collector that gets traces of sampled requests, by OTLP over HTTP: `http://host:4318`, or `off`.
    /// The traces go to `/v1/traces` there.
    pub otlp_endpoint: Option<CollectorUrl> =
        own("otlp.endpoint", Kind::Text, Some("off"), Allowed::Anything);
    /// The share of requests that are traced, from 0 to 1, where `otlp.endpoint` is set.
    pub otlp_traces_sample_ratio: f64 =
        own("otlp.traces.sample.ratio", Kind::Double, Some("0.01"), Allowed::Real { min: 0.0, max: 1.0 });

    /// The threads that serve connections. Unset: one for each processor.
    pub num_network_threads: Option<usize> = kafka_but("num.network.threads", None);
    /// The largest request, in bytes behind its length prefix.
    pub socket_request_max_bytes: usize = kafka("socket.request.max.bytes");
    /// The kernel's send buffer of a connection. -1: as the system has it.
    pub socket_send_buffer_bytes: i32 = kafka("socket.send.buffer.bytes");
    /// The kernel's receive buffer of a connection. -1: as the system has it.
    pub socket_receive_buffer_bytes: i32 = kafka("socket.receive.buffer.bytes");
    /// Connections that the kernel holds until they are accepted; no more than `net.core.somaxconn`. Kafka's 50 are a burst
    /// of a few clients, and whoever finds no room there waits for a second.
    pub socket_listen_backlog_size: i32 = kafka_but("socket.listen.backlog.size", Some("1024"));
    /// Connections at once; further ones wait until one ends. No more than three quarters of what `ulimit -n` allows. With
    /// `listener.name.<name>.` before it: of that listener. The listener between brokers is exempt if it is not the only one.
    pub max_connections: usize = kafka("max.connections");
    /// New connections in a second, on average over ten; further ones wait for up to a second each. With
    /// `listener.name.<name>.` before it: of that listener.
    pub max_connection_creation_rate: u32 = kafka("max.connection.creation.rate");
    /// Connections at once from one address; a further one is closed. 0 needs exceptions in `max.connections.per.ip.overrides`.
    pub max_connections_per_ip: usize = kafka("max.connections.per.ip");
    /// Addresses that may hold more or fewer connections than `max.connections.per.ip`: `address:count`, between commas.
    pub(super) max_connections_per_ip_overrides_set: String = kafka("max.connections.per.ip.overrides");
    /// How long a connection may be silent before it is closed. Negative: for ever.
    pub connections_max_idle_ms: i64 = kafka("connections.max.idle.ms");
    /// How long a request that has begun to arrive may make no progress before its connection is closed. While others wait
    /// for a place, a connection that has not sent a whole request has no longer either.
    pub frame_progress_timeout_ms: u64 =
        own("frame.progress.timeout.ms", Kind::Int, Some("30000"), at_least(&[(1, i32::MAX as i64)]));
    /// Requests of one connection that may be at work at once; reading stops until one is answered.
    pub max_in_flight_requests_per_connection: usize =
        own("max.in.flight.requests.per.connection", Kind::Int, Some("64"), at_least(&[(5, 100_000)]));
    /// Bytes of finished replies that wait for one slow connection; reading stops until it takes some.
    pub response_buffer_bytes_max: usize =
        own("response.buffer.bytes.max", Kind::Int, Some("16777216"), at_least(&[(65_536, i32::MAX as i64)]));
    /// Bytes of requests of all connections that may be in memory at once. -1: 128 MiB.
    pub(super) queued_max_request_bytes: i64 = kafka("queued.max.request.bytes");
    /// Bytes of finished replies of all connections that may be in memory at once. Above it a connection has one reply at
    /// a time, and is closed if its peer takes nothing of it for `frame.progress.timeout.ms`. Records count only as far as
    /// they are in memory and not sent from their files.
    pub queued_max_response_bytes: usize =
        own("queued.max.response.bytes", Kind::Long, Some("67108864"), at_least(&[(65_536, i64::MAX)]));
    /// How long a request may wait for what it needs before it is answered with a timeout.
    pub request_timeout_ms: u64 = kafka_but("request.timeout.ms", Some("30000"));
    /// Bytes of records in one Fetch answer; a first batch larger than this is still sent whole.
    pub fetch_max_bytes: usize = kafka("fetch.max.bytes");
    /// Fetch sessions at once; whoever gets none names all partitions in each request. 0: none.
    pub max_incremental_fetch_session_cache_slots: usize = kafka("max.incremental.fetch.session.cache.slots");
    /// Memory for the partitions of all fetch sessions.
    pub fetch_session_cache_bytes_max: usize =
        own("fetch.session.cache.bytes.max", Kind::Int, Some("67108864"), at_least(&[(0, i32::MAX as i64)]));
    /// Reads from a slow disk at once; further ones wait their turn. What is in the page cache needs none of them.
    pub cold_reads_max: usize = own("cold.reads.max", Kind::Int, Some("16"), at_least(&[(1, 1000)]));
    /// Partitions in one DescribeTopicPartitions answer, which is one page of several then.
    pub max_request_partition_size_limit: i32 = kafka("max.request.partition.size.limit");

    /// Windows over which what clients take is measured for their quotas.
    pub quota_window_num: u32 = kafka("quota.window.num");
    /// The length of such a window. A client that took too much of the broker's time rests for one at most.
    pub quota_window_size_seconds: u32 = kafka("quota.window.size.seconds");
    /// Clients that are measured for their quotas at once, by each kind of quota; further ones are measured together.
    pub quota_clients_max: usize =
        own("quota.clients.max", Kind::Int, Some("100000"), at_least(&[(1, i32::MAX as i64)]));
    /// Windows whose worth of `controller_mutation_rate` a client may use at once.
    pub controller_quota_window_num: u32 = kafka("controller.quota.window.num");
    /// The length of such a window.
    pub controller_quota_window_size_seconds: u32 = kafka("controller.quota.window.size.seconds");

    /// Whether a topic that does not exist is made when a client asks for it.
    pub auto_create_topics_enable: bool = kafka("auto.create.topics.enable");
    /// The most partitions that a topic may be made with, or be given. Unset: any number.
    pub create_topic_policy_partitions_max: Option<u32> =
        own("create.topic.policy.partitions.max", Kind::Int, None, at_least(&[(1, i32::MAX as i64)]));
    /// What the names of new topics must be like, as a regular expression for the whole name. Unset: any name.
    pub create_topic_policy_name_pattern: Option<WholePattern> =
        own("create.topic.policy.name.pattern", Kind::Text, None, Allowed::Anything);
    /// Settings of topics that clients cannot set, neither of a new topic nor later: the broker's own value counts for all.
    pub alter_config_policy_fixed: Vec<String> =
        own("alter.config.policy.fixed", Kind::List, Some(""), Allowed::Anything);
    /// Whether topics may be deleted.
    pub delete_topic_enable: bool = kafka("delete.topic.enable");
    /// Partitions of a topic that is made without saying how many.
    pub num_partitions: i32 = kafka("num.partitions");
    /// Replicas of a topic that is made without saying how many.
    pub default_replication_factor: i32 = kafka("default.replication.factor");
    /// Replicas that must hold a record before `acks=all` is answered; never more than there are.
    pub min_insync_replicas: i32 = kafka("min.insync.replicas");
    /// The largest batch of records, as it was sent.
    pub message_max_bytes: usize = kafka("message.max.bytes");
    /// The compression in which batches are kept. `producer`: as they come.
    pub compression_type: Compression = kafka("compression.type");
    /// What becomes of old records: `delete`, `compact`, or both.
    pub log_cleanup_policy: Vec<String> = kafka("log.cleanup.policy");
    /// The size at which a segment ends.
    pub log_segment_bytes: u32 = kafka("log.segment.bytes");
    /// Bytes of records between two entries of an offset index.
    pub log_index_interval_bytes: u32 = kafka("log.index.interval.bytes");
    /// The size at which an index, and its segment with it, ends.
    pub log_index_size_max_bytes: u32 = kafka("log.index.size.max.bytes");
    /// Whose time records carry: the producer's (`CreateTime`) or the broker's (`LogAppendTime`).
    pub log_message_timestamp_type: TimestampType = kafka("log.message.timestamp.type");
    /// How far a producer's time may lie behind the broker's.
    pub log_message_timestamp_before_max_ms: i64 = kafka("log.message.timestamp.before.max.ms");
    /// How far a producer's time may lie before the broker's.
    pub log_message_timestamp_after_max_ms: i64 = kafka("log.message.timestamp.after.max.ms");
    /// Records after which a relaxed log is flushed in the background; 1 makes it durable.
    pub log_flush_interval_messages: i64 = kafka("log.flush.interval.messages");
    /// Time after which a relaxed log is flushed in the background. Unset: as `log.flush.scheduler.interval.ms`.
    pub log_flush_interval_ms: Option<i64> = kafka("log.flush.interval.ms");
    /// Time after which a relaxed log is flushed, where `log.flush.interval.ms` is not set.
    pub log_flush_scheduler_interval_ms: i64 = kafka("log.flush.scheduler.interval.ms");

    /// The shortest session timeout that a member of a classic group may have.
    pub group_min_session_timeout_ms: i32 = kafka("group.min.session.timeout.ms");
    /// The longest session timeout that a member of a classic group may have.
    pub group_max_session_timeout_ms: i32 = kafka("group.max.session.timeout.ms");
    /// How long the first rebalance of an empty classic group waits for more members.
    pub group_initial_rebalance_delay_ms: i32 = kafka("group.initial.rebalance.delay.ms");
    /// Members of a classic group.
    pub group_max_size: usize = kafka("group.max.size");
    /// How long nothing may be heard of a member of a consumer group.
    pub group_consumer_session_timeout_ms: i32 = kafka("group.consumer.session.timeout.ms");
    /// How often a member of a consumer group is to send heartbeats.
    pub group_consumer_heartbeat_interval_ms: i32 = kafka("group.consumer.heartbeat.interval.ms");
    /// The shortest time between two assignments of a consumer group.
    pub group_consumer_assignment_interval_ms: i32 = kafka("group.consumer.assignment.interval.ms");
    /// The shortest `consumer.session.timeout.ms` that a group may have.
    pub group_consumer_min_session_timeout_ms: i32 = kafka("group.consumer.min.session.timeout.ms");
    /// The longest `consumer.session.timeout.ms` that a group may have.
    pub group_consumer_max_session_timeout_ms: i32 = kafka("group.consumer.max.session.timeout.ms");
    /// The shortest `consumer.heartbeat.interval.ms` that a group may have.
    pub group_consumer_min_heartbeat_interval_ms: i32 = kafka("group.consumer.min.heartbeat.interval.ms");
    /// The longest `consumer.heartbeat.interval.ms` that a group may have.
    pub group_consumer_max_heartbeat_interval_ms: i32 = kafka("group.consumer.max.heartbeat.interval.ms");
    /// The shortest `consumer.assignment.interval.ms` that a group may have.
    pub group_consumer_min_assignment_interval_ms: i32 = kafka("group.consumer.min.assignment.interval.ms");
    /// The longest `consumer.assignment.interval.ms` that a group may have.
    pub group_consumer_max_assignment_interval_ms: i32 = kafka("group.consumer.max.assignment.interval.ms");
    /// The assignors that members of consumer groups may ask for: `uniform` and `range`, or one of them. The first is for
    /// those who ask for none.
    pub group_consumer_assignors: Vec<String> = kafka("group.consumer.assignors");
    /// After this time the topics that a pattern stands for are looked up again, whether or not there are other topics.
    pub group_consumer_regex_refresh_interval_ms: i32 = kafka("group.consumer.regex.refresh.interval.ms");
    /// Whether live groups may go over to the newer protocol (`upgrade`), back from it (`downgrade`), or both.
    pub group_consumer_migration_policy: String = kafka("group.consumer.migration.policy");
    /// Members of a consumer group.
    pub group_consumer_max_size: usize = kafka("group.consumer.max.size");
    /// Groups at once, those that only commit offsets included; who would make a further one is sent away until others are
    /// over.
    pub group_count_max: usize = own("group.count.max", Kind::Int, Some("1000000"), at_least(&[(1, i32::MAX as i64)]));
    /// Member ids, of all groups, that were given to clients which have not joined with them yet; who would need a further
    /// one is sent away for the time being.
    pub group_pending_members_max: usize =
        own("group.pending.members.max", Kind::Int, Some("20000"), at_least(&[(1, i32::MAX as i64)]));
    /// The longest text that a client may commit along with an offset.
    pub offset_metadata_max_bytes: usize = kafka("offset.metadata.max.bytes");
    /// How long a commit may take to become durable.
    pub offsets_commit_timeout_ms: u64 = kafka("offsets.commit.timeout.ms");
    /// How long offsets are kept: of an empty group from when it became empty, of one without members from the commit.
    pub offsets_retention_minutes: i32 = kafka("offsets.retention.minutes");
    /// How often is looked for offsets, and groups, that are over.
    pub offsets_retention_check_interval_ms: u64 = kafka("offsets.retention.check.interval.ms");
    /// Partitions of `__consumer_offsets`, when it is made.
    pub offsets_topic_num_partitions: i32 = kafka("offsets.topic.num.partitions");
    /// The segment size of `__consumer_offsets`, when it is made.
    pub offsets_topic_segment_bytes: u32 = kafka("offsets.topic.segment.bytes");

    /// Whether logs whose `cleanup.policy` says so are compacted.
    pub log_cleaner_enable: bool = kafka("log.cleaner.enable");
    /// 0: nothing is compacted. Otherwise each data directory has one thread for it.
    pub log_cleaner_threads: u32 = kafka("log.cleaner.threads");
    /// The most memory that the keys of logs that are being compacted take, all data directories together.
    pub log_cleaner_dedupe_buffer_size: i64 = kafka("log.cleaner.dedupe.buffer.size");
    /// How much of `log.cleaner.dedupe.buffer.size` is used before a log is compacted in parts.
    pub log_cleaner_io_buffer_load_factor: f64 = kafka("log.cleaner.io.buffer.load.factor");
    /// Memory for reading and writing logs that are being compacted, all data directories together.
    pub log_cleaner_io_buffer_size: usize = kafka("log.cleaner.io.buffer.size");
    /// What the compaction reads and writes in a second at most, all data directories together.
    pub log_cleaner_io_max_bytes_per_second: f64 = kafka("log.cleaner.io.max.bytes.per.second");
    /// What is copied in a second at most when partitions move from one data directory to another. In Kafka it is a
    /// setting that only a running broker takes.
    pub replica_alter_log_dirs_io_max_bytes_per_second: u64 =
        own_live("replica.alter.log.dirs.io.max.bytes.per.second", Kind::Long, Some("9223372036854775807"), at_least(&[(0, i64::MAX)]));
    /// How often is looked for logs to compact.
    pub log_cleaner_backoff_ms: u64 = kafka("log.cleaner.backoff.ms");

    derived {
        /// The data directories.
        log_dirs: Vec<PathBuf>,
        /// The listeners that are served, in the order given.
        listeners: Vec<Listener>,
        /// What clients are told, one entry for each listener of that name.
        advertised: Vec<Advertised>,
        /// The name of the listener between brokers.
        inter_broker_listener: String,
        /// Connections allowed from single addresses; all others have `max_connections_per_ip`.
        max_connections_per_ip_overrides: Vec<(std::net::IpAddr, usize)>,
        /// Bytes of requests in memory at once.
        request_memory_bytes_max: usize,
    }
}

/// The declared setting of this name.
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}
