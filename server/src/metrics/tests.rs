//! The table, what is rendered, and the listener.

use super::*;
use crate::config::setting;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;

const APIS: [CountedApi; 3] = [
    CountedApi { key: 0, name: "Produce", waits_for: WaitsFor::Durability },
    CountedApi { key: 1, name: "Fetch", waits_for: WaitsFor::Others },
    CountedApi { key: 18, name: "ApiVersions", waits_for: WaitsFor::Durability },
];

const NAMED_MAX: NamedMax = NamedMax {
    topics: 2,
    partitions: 3,
    groups: 2,
    group_partitions: 2,
    client_software: 1,
    client_instances: 2,
};

fn touched() -> Arc<Metrics> {
    let metrics = Metrics::new(&APIS, NAMED_MAX);
    for CountedApi { key, .. } in APIS {
        let elapsed = Duration::from_micros(300);
        metrics.api(key).arrived();
        metrics.api(key).observe(Observed {
            request_bytes: 10,
            response_bytes: 20,
            elapsed,
            failed: key == 1,
        });
    }
    let ms = Duration::from_millis;
    metrics.api(0).sent(Parts { queue: ms(1), local: ms(2), wait: Some(ms(3)), send: ms(4) });
    metrics.api(1).sent(Parts { queue: ms(1), local: ms(2), wait: Some(ms(300)), send: ms(4) });
    metrics.api(1).answered_errors([("OFFSET_OUT_OF_RANGE", 2)].into_iter());
    metrics.api(18).arrived();
    metrics.api(18).abandoned(1);
    metrics.clients.opened(&("ottla-test".to_owned(), "1.0".to_owned()));
    metrics.connections.accepted();
    metrics.connections.accepted();
    metrics.connections.closed(CloseReason::Timeout);
    metrics.limit(Limit::Connections).used.set(1.0);
    metrics.limit(Limit::Frame).hits.increment(1);
    metrics.logs.appended(1, 5, 100);
    metrics.logs.flushed(Duration::from_millis(3));
    metrics.logs.checkpointed(Duration::from_millis(6));
    metrics.logs.delivered(Duration::from_millis(7));
    metrics.traces.sent(8);
    metrics.traces.dropped(9);
    metrics.watch_data_dir("data", Box::new(|| Some(FIGURES)));
    metrics.watch_partitions(Box::new(|| Some(vec![partition("orders", 0, 10), partition("orders", 1, 20)])));
    metrics.watch_groups(Box::new(|| None), Box::new(|rows_max| Some(two_groups(rows_max))));
    metrics
}

fn partition(topic: &str, index: i32, records: u64) -> PartitionFigures {
    let moved = Moved { records_in: records, bytes_in: records * 100, records_out: 1, bytes_out: 100 };
    let (start_offset, end_offset) = (1, records as i64);
    let topic = topic.into();
    PartitionFigures { topic, index, start_offset, end_offset, log_bytes: records * 10, segments: 2, moved }
}

fn one_group(id: &str, state: &'static str) -> OneGroup {
    let behind = Behind::default();
    OneGroup { id: id.into(), state, members: 2, commits: 5, rebalances: 1, behind }
}

fn row(group: &str, partition: i32, records: u64, seconds: u64) -> LagRow {
    let behind = Behind { records, time: Duration::from_secs(seconds) };
    LagRow { group: group.into(), topic: "orders".into(), partition, behind }
}

fn two_groups(rows_max: usize) -> LagFigures {
    let mut figures = LagFigures::new(rows_max);
    figures.groups.push(one_group("billing", "Stable"));
    figures.push_row(row("billing", 0, 7, 30));
    figures.push_row(row("billing", 1, 1, 90));
    figures.groups.push(one_group("audit", "Empty"));
    figures.push_row(row("audit", 0, 10, 100));
    figures
}

const FIGURES: DataDirFigures = DataDirFigures {
    journal_commits: 11,
    journal_bytes: 12,
    journal_live_bytes: 13,
    journal_capacity_bytes: 14,
    checkpoints: 15,
    waiting_appends: 16,
    quarantined_bytes: 17,
    removed_segments: 18,
    removed_bytes: 19,
    moves_underway: 29,
    moved_logs: 30,
    moved_bytes: 31,
    compaction: CompactionFigures {
        passes: 20,
        read_bytes: 21,
        written_bytes: 22,
        busy: Duration::from_secs(23),
        uncleanable_logs: 24,
        uncleanable_bytes: 25,
        dirty_percent_max: 26,
        since_last_run: Duration::from_secs(27),
    },
    producers: 28,
    is_offline: true,
};

/// The value of one series of the rendered text.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// `# HELP` or `# TYPE` lines by metric.
fn comments<'a>(text: &'a str, word: &str) -> BTreeMap<&'a str, &'a str> {
    let prefix = format!("# {word} ");
    text.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once(' ')).collect()
}

/// A runtime's threads are there only where there is a runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_declared_metric_is_rendered_with_its_help_and_type() {
    let text = touched().render();
    let (helps, types) = (comments(&text, "HELP"), comments(&text, "TYPE"));
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        assert_eq!(types.get(metric.name), Some(&kind), "{}", metric.name);
        assert_eq!(helps.get(metric.name), Some(&metric.help.trim()), "{}", metric.name);
    }
    assert_eq!(types.len(), METRICS.len(), "nothing is rendered that is not declared: {types:?}");
}

#[test]
fn every_rendered_series_has_the_declared_labels() {
    let text = touched().render();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let series = line.split([' ', '{']).next().expect("a name");
        let metric = metric_of_series(series).unwrap_or_else(|| panic!("{series} is not declared"));
        let labels =
            line.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(labels, _)| labels);
        let names = labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name);
        let names: Vec<_> = names.filter(|name| !(metric.kind == Kind::Histogram && *name == "le")).collect();
        assert_eq!(names, metric.labels, "{line}");
    }
}

#[test]
fn names_follow_the_rules() {
    const UNITS: [&str; 2] = ["bytes", "seconds"];
    let mut names = HashSet::new();
    for Metric { name, kind, unit, labels, buckets, help } in METRICS {
        assert!(names.insert(*name), "{name} is declared twice");
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(
            name.starts_with("ottla_") && plain(name) && labels.iter().all(|label| plain(label)),
            "{name}"
        );
        assert_eq!(
            name.ends_with("_total"),
            *kind == Kind::Counter,
            "{name}: what only rises ends so, and nothing else"
        );
        let last = name.trim_end_matches("_total").rsplit('_').next();
        assert_eq!(
            UNITS.into_iter().find(|word| Some(*word) == last),
            *unit,
            "{name}: the unit is the last word"
        );
        assert_eq!(!buckets.is_empty(), *kind == Kind::Histogram, "{name}");
        assert!(buckets.is_sorted_by(|a, b| a < b), "{name}: buckets rise");
        assert!(help.trim().ends_with('.') && !help.contains('\n'), "{name}: {help}");
    }
}

#[test]
fn what_is_counted_is_what_is_shown() {
    let text = touched().render();
    for (series, expected) in [
        ("ottla_requests_total{api=\"Produce\"}", 1.0),
        ("ottla_requests_total{api=\"unknown\"}", 0.0),
        ("ottla_request_errors_total{api=\"Fetch\"}", 1.0),
        ("ottla_request_errors_total{api=\"Produce\"}", 0.0),
        ("ottla_request_bytes_total{api=\"Fetch\"}", 10.0),
        ("ottla_response_bytes_total{api=\"Fetch\"}", 20.0),
        ("ottla_request_seconds_bucket{api=\"Fetch\",le=\"0.00025\"}", 0.0),
        ("ottla_request_seconds_bucket{api=\"Fetch\",le=\"0.0005\"}", 1.0),
        ("ottla_request_seconds_count{api=\"Fetch\"}", 1.0),
        ("ottla_requests_arrived_total{api=\"ApiVersions\"}", 2.0),
        ("ottla_requests_abandoned_total{api=\"ApiVersions\"}", 1.0),
        ("ottla_request_part_seconds_sum{api=\"Produce\",part=\"queue\"}", 0.001),
        ("ottla_request_part_seconds_sum{api=\"Produce\",part=\"local\"}", 0.002),
        ("ottla_request_part_seconds_sum{api=\"Produce\",part=\"durable_wait\"}", 0.003),
        ("ottla_request_part_seconds_sum{api=\"Produce\",part=\"send\"}", 0.004),
        ("ottla_request_part_seconds_sum{api=\"Fetch\",part=\"long_poll\"}", 0.3),
        ("ottla_errors_total{api=\"Fetch\",error=\"OFFSET_OUT_OF_RANGE\"}", 2.0),
        ("ottla_client_connections{software=\"ottla-test\",version=\"1.0\"}", 1.0),
        ("ottla_produce_to_fetch_seconds_bucket{le=\"0.01\"}", 1.0),
        ("ottla_topic_received_records_total{topic=\"orders\"}", 30.0),
        ("ottla_topic_received_bytes_total{topic=\"orders\"}", 3000.0),
        ("ottla_topic_sent_records_total{topic=\"orders\"}", 2.0),
        ("ottla_topic_sent_bytes_total{topic=\"orders\"}", 200.0),
        ("ottla_topic_partitions{topic=\"orders\"}", 2.0),
        ("ottla_topic_log_bytes{topic=\"orders\"}", 300.0),
        ("ottla_partition_start_offset{topic=\"orders\",partition=\"1\"}", 1.0),
        ("ottla_partition_end_offset{topic=\"orders\",partition=\"1\"}", 20.0),
        ("ottla_partition_log_bytes{topic=\"orders\",partition=\"1\"}", 200.0),
        ("ottla_partition_segments{topic=\"orders\",partition=\"1\"}", 2.0),
        ("ottla_consumer_lag_records{group=\"billing\",topic=\"orders\",partition=\"0\"}", 7.0),
        ("ottla_consumer_lag_seconds{group=\"audit\",topic=\"orders\",partition=\"0\"}", 100.0),
        // Two rows are shown: the third is what the others come to.
        ("ottla_consumer_lag_records{group=\"_other\",topic=\"_other\",partition=\"_other\"}", 1.0),
        ("ottla_consumer_lag_seconds{group=\"_other\",topic=\"_other\",partition=\"_other\"}", 90.0),
        ("ottla_consumer_group_lag_records{group=\"billing\"}", 8.0),
        ("ottla_consumer_group_lag_seconds{group=\"billing\"}", 90.0),
        ("ottla_consumer_group_members{group=\"audit\"}", 2.0),
        ("ottla_consumer_group_state{group=\"audit\",state=\"Empty\"}", 1.0),
        ("ottla_consumer_group_offset_commits_total{group=\"audit\"}", 5.0),
        ("ottla_consumer_group_rebalances_total{group=\"audit\"}", 1.0),
        ("ottla_connections", 1.0),
        ("ottla_connections_accepted_total", 2.0),
        ("ottla_connections_closed_total{reason=\"timeout\"}", 1.0),
        ("ottla_limit_used{limit=\"max.connections\"}", 1.0),
        ("ottla_limit_hits_total{limit=\"socket.request.max.bytes\"}", 1.0),
        ("ottla_appended_records_total", 5.0),
        ("ottla_appended_bytes_total", 100.0),
        ("ottla_flush_seconds_count", 1.0),
        ("ottla_trace_spans_sent_total", 8.0),
        ("ottla_trace_spans_dropped_total", 9.0),
        ("ottla_checkpoint_seconds_sum", 0.006),
        ("ottla_checkpoint_seconds_bucket{le=\"0.005\"}", 0.0),
        ("ottla_journal_commits_total{dir=\"data\"}", 11.0),
        ("ottla_journal_bytes_total{dir=\"data\"}", 12.0),
        ("ottla_journal_live_bytes{dir=\"data\"}", 13.0),
        ("ottla_journal_capacity_bytes{dir=\"data\"}", 14.0),
        ("ottla_checkpoints_total{dir=\"data\"}", 15.0),
        ("ottla_waiting_appends_total{dir=\"data\"}", 16.0),
        ("ottla_quarantined_bytes{dir=\"data\"}", 17.0),
        ("ottla_retention_removed_segments_total{dir=\"data\"}", 18.0),
        ("ottla_retention_removed_bytes_total{dir=\"data\"}", 19.0),
        ("ottla_moves_underway{dir=\"data\"}", 29.0),
        ("ottla_moved_partitions_total{dir=\"data\"}", 30.0),
        ("ottla_moved_bytes_total{dir=\"data\"}", 31.0),
        ("ottla_compactions_total{dir=\"data\"}", 20.0),
        ("ottla_compaction_read_bytes_total{dir=\"data\"}", 21.0),
        ("ottla_compaction_written_bytes_total{dir=\"data\"}", 22.0),
        ("ottla_compaction_busy_seconds{dir=\"data\"}", 23.0),
        ("ottla_uncleanable_logs{dir=\"data\"}", 24.0),
        ("ottla_uncleanable_bytes{dir=\"data\"}", 25.0),
        ("ottla_compaction_dirty_percent_max{dir=\"data\"}", 26.0),
        ("ottla_compaction_last_run_age_seconds{dir=\"data\"}", 27.0),
        ("ottla_producers{dir=\"data\"}", 28.0),
        ("ottla_log_dir_offline{dir=\"data\"}", 1.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
}

/// The directories are asked at each scrape and at no other time, each under its own label; one that is gone keeps its
/// last figures.
#[test]
fn data_directories_are_asked_when_the_metrics_are() {
    let metrics = Metrics::new(&APIS, NAMED_MAX);
    let commits = Arc::new(AtomicU64::new(5));
    let of_one = Arc::clone(&commits);
    let one = move || {
        let journal_commits = of_one.load(Ordering::Relaxed);
        (journal_commits != 0).then(|| DataDirFigures { journal_commits, ..DataDirFigures::default() })
    };
    metrics.watch_data_dir("one", Box::new(one));
    metrics.watch_data_dir("other", Box::new(|| Some(FIGURES)));
    let shown =
        |dir: &str| value(&metrics.render(), &format!("ottla_journal_commits_total{{dir=\"{dir}\"}}"));
    assert_eq!((shown("one"), shown("other")), (Some(5.0), Some(11.0)));
    commits.store(9, Ordering::Relaxed);
    assert_eq!(shown("one"), Some(9.0));
    commits.store(0, Ordering::Relaxed);
    assert_eq!((shown("one"), shown("other")), (Some(9.0), Some(11.0)));
}

#[test]
fn an_api_that_is_not_served_is_counted_as_unknown() {
    let metrics = Metrics::new(&APIS, NAMED_MAX);
    for key in [-1, 2, 999, i16::MIN, i16::MAX] {
        let observed =
            Observed { request_bytes: 1, response_bytes: 0, elapsed: Duration::ZERO, failed: true };
        metrics.api(key).observe(observed);
    }
    assert_eq!(value(&metrics.render(), "ottla_request_errors_total{api=\"unknown\"}"), Some(5.0));
}

#[test]
fn two_brokers_in_one_process_do_not_mix() {
    let (one, other) = (Metrics::new(&APIS, NAMED_MAX), Metrics::new(&APIS, NAMED_MAX));
    one.connections.accepted();
    assert_eq!(value(&one.render(), "ottla_connections"), Some(1.0));
    assert_eq!(value(&other.render(), "ottla_connections"), Some(0.0));
}

#[test]
fn every_limit_is_a_setting_and_has_its_series() {
    let metrics = Metrics::new(&[], NAMED_MAX);
    let text = metrics.render();
    for limit in Limit::ALL {
        assert!(setting(limit.setting()).is_some(), "{limit:?}: no setting {}", limit.setting());
        assert_eq!(
            value(&text, &format!("ottla_limit_hits_total{{limit=\"{}\"}}", limit.setting())),
            Some(0.0)
        );
        let used = value(&text, &format!("ottla_limit_used{{limit=\"{}\"}}", limit.setting()));
        assert_eq!(used.is_some(), limit.is_shared(), "{limit:?}");
    }
}

#[test]
fn the_process_tells_of_itself() {
    let text = Metrics::new(&[], NAMED_MAX).render();
    let at_least = |series: &str, least: f64| {
        let value = value(&text, series).unwrap_or_else(|| panic!("no {series}"));
        assert!(value >= least, "{series} is {value}");
    };
    at_least("ottla_process_resident_memory_bytes", 100_000.0);
    at_least("ottla_process_open_fds", 3.0);
    at_least("ottla_process_max_fds", 10.0);
    at_least("ottla_process_threads", 1.0);
    at_least("ottla_process_cpu_seconds", 0.0);
    at_least("ottla_uptime_seconds", 0.0);
    at_least(&format!("ottla_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0);
}

/// Ten thousand topics and as many groups, each doing something: the text stays within its bound, no series is there
/// twice, and what is not shown by name is in what all others come to.
#[test]
fn a_scrape_of_very_many_is_bounded() {
    const MANY: u64 = 10_000;
    let named_max = NamedMax {
        topics: 500,
        partitions: 1000,
        groups: 300,
        group_partitions: 1000,
        client_software: 50,
        client_instances: 100,
    };
    let metrics = Metrics::new(&APIS, named_max);
    metrics.watch_partitions(Box::new(|| {
        Some((0..MANY).map(|n| partition(&format!("a-topic-with-a-common-name-{n:05}"), 0, 1 + n)).collect())
    }));
    let lag = |rows_max| {
        let mut figures = LagFigures::new(rows_max);
        for n in 0..MANY {
            let id = format!("a-group-with-a-common-name-{n:05}");
            figures.groups.push(one_group(&id, "Stable"));
            figures.push_row(row(&id, 0, n, n));
        }
        Some(figures)
    };
    metrics.watch_groups(Box::new(|| None), Box::new(lag));
    metrics.render();
    let text = metrics.render();
    assert!(text.len() <= 2_000_000, "{} bytes", text.len());
    let series: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(s, _)| s)
        .collect();
    let unlike: HashSet<&str> = series.iter().copied().collect();
    assert_eq!(unlike.len(), series.len(), "no series twice");
    let of = |name: &str| series.iter().filter(|series| series.starts_with(&format!("{name}{{"))).count();
    assert_eq!(of("ottla_topic_received_records_total"), 501);
    assert_eq!(
        of("ottla_partition_end_offset"),
        501,
        "partitions of topics that have a name, and the others"
    );
    assert_eq!(of("ottla_consumer_group_members"), 301);
    let sum = |name: &str| -> f64 {
        let values =
            text.lines().filter_map(|line| line.strip_prefix(&format!("{name}{{"))?.rsplit_once(' '));
        values.map(|(_, value)| value.parse::<f64>().expect("a number")).sum()
    };
    assert_eq!(sum("ottla_consumer_lag_records"), (MANY * (MANY - 1) / 2) as f64);
    assert_eq!(sum("ottla_consumer_group_lag_records"), (MANY * (MANY - 1) / 2) as f64);
    assert_eq!(sum("ottla_consumer_group_members"), (2 * MANY) as f64);
    assert_eq!(sum("ottla_topic_log_bytes"), (10 * MANY * (MANY + 1) / 2) as f64);
    assert_eq!(value(&text, "ottla_limit_used{limit=\"metrics.topics.max\"}"), Some(500.0));
    assert!(value(&text, "ottla_limit_hits_total{limit=\"metrics.topics.max\"}") >= Some(1.0));
}

struct Listening {
    address: SocketAddr,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

async fn listening(limits: HttpLimits) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (metrics, health) = (touched(), Arc::new(Health::default()));
    tokio::spawn(serve(listener, Arc::clone(&metrics), Arc::clone(&health), limits));
    Listening { address, health, metrics }
}

fn limits() -> HttpLimits {
    HttpLimits { connections_max: 4, request_timeout: Duration::from_secs(20) }
}

/// Sends bytes and gives the whole answer; a reset counts as the end.
fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("listening");
    // The listener may answer and close before it has taken everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn paths_methods_and_states() {
    let Listening { address, health, .. } = listening(limits()).await;
    let status = |request: &str| ask(address, format!("{request}\r\nHost: x\r\n\r\n").as_bytes());
    let metrics = status("GET /metrics HTTP/1.1");
    assert!(
        metrics.starts_with("HTTP/1.1 200 OK\r\n") && metrics.contains("text/plain; version=0.0.4"),
        "{metrics}"
    );
    assert!(metrics.contains("\nottla_requests_total{api=\"Produce\"} 1\n"), "{metrics}");
    assert!(status("GET /metrics?name[]=x HTTP/1.0").starts_with("HTTP/1.1 200"));
    let head = status("HEAD /metrics HTTP/1.1");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n") && !head.contains("Content-Length: 0"),
        "{head}"
    );
    let refused = status("POST /metrics HTTP/1.1");
    assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("\r\nAllow: GET, HEAD\r\n"), "{refused}");
    assert!(status("GET / HTTP/1.1").starts_with("HTTP/1.1 404"));
    for (state, healthz, readyz) in [
        (State::Starting, 200, 503),
        (State::Ready, 200, 200),
        (State::Stopping, 200, 503),
        (State::Failed, 503, 503),
    ] {
        health.set(state);
        assert!(status("GET /healthz HTTP/1.1").starts_with(&format!("HTTP/1.1 {healthz} ")), "{state:?}");
        assert!(status("GET /readyz HTTP/1.1").starts_with(&format!("HTTP/1.1 {readyz} ")), "{state:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_no_request_is_refused_and_harms_nobody() {
    let Listening { address, .. } = listening(limits()).await;
    for bad in [
        &b"hello\r\n\r\n"[..],
        b"GET /metrics\r\n\r\n",
        b"GET metrics HTTP/1.1\r\n\r\n",
        b"\xff\xfe / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
    ] {
        assert!(ask(address, bad).starts_with("HTTP/1.1 400"), "{bad:?}");
    }
    let long = [&b"GET / HTTP/1.1\r\nX: "[..], &[b'x'; 20_000]].concat();
    assert!(ask(address, &long).starts_with("HTTP/1.1 431"));
    assert!(ask(address, b"GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_silent_connection_loses_its_slot_and_the_waiting_one_gets_it() {
    let one_slot = HttpLimits { connections_max: 1, request_timeout: Duration::from_millis(200) };
    let Listening { address, metrics, .. } = listening(one_slot).await;
    let mut silent = std::net::TcpStream::connect(address).expect("listening");
    silent.write_all(b"GET /met").expect("sent");
    // It has the only slot: the next is answered only because the silent one runs out of time.
    assert!(ask(address, b"GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    let end = silent.read(&mut [0; 16]);
    assert!(matches!(end, Ok(0)) || end.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset));
    assert!(
        value(&metrics.render(), "ottla_limit_hits_total{limit=\"metrics.connections.max\"}") >= Some(1.0)
    );
    assert_eq!(value(&metrics.render(), "ottla_limit_max{limit=\"metrics.connections.max\"}"), Some(1.0));
}
