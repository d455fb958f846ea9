//! Rules over more than one setting, and Kafka's own file.

use super::*;

/// Every setting of the `server.properties` that Kafka 4.3 ships, broker and controller in one.
const SHIPPED_BY_KAFKA: &str = "
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

#[test]
fn kafkas_own_file_starts() {
    let file = TempFile::new(SHIPPED_BY_KAFKA);
    let config = Config::load(&file.cli(&[]), []).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].host, Host::All);
    assert_eq!((config.advertised[0].host.as_str(), config.advertised.len()), ("localhost", 1));
    assert_eq!((config.num_network_threads, config.node_id), (Some(3), 1));
    assert!(
        has_notice(&config, "listeners", "CONTROLLER") && has_notice(&config, "num.io.threads", "no effect")
    );
    assert!(!has_notice(&config, "num.partitions", ""));
}

#[test]
fn broker_id_is_an_older_name_of_node_id() {
    assert_eq!(load(&[("broker.id", "7")]).node_id, 7);
    assert_eq!(load(&[("broker.id", "0")]).node_id, 0);
    assert_eq!(load(&[("broker.id", "-1")]).node_id, 1, "Kafka's word for unset");
    assert_eq!(load(&[("broker.id", "7"), ("node.id", "7")]).node_id, 7);
    assert!(refused(&[("broker.id", "7"), ("node.id", "8")]).contains("the same as node.id, which is 8"));
    assert!(refused(&[("broker.id", "-2")]).contains("at least 0"));
}

#[test]
fn a_process_without_the_brokers_role_is_refused() {
    load(&[("process.roles", "broker")]);
    assert!(refused(&[("process.roles", "controller")]).contains("holds broker"));
}

#[test]
fn log_dirs_goes_before_log_dir() {
    assert_eq!(load(&[("log.dir", "/one")]).log_dirs, [PathBuf::from("/one")]);
    assert_eq!(
        load(&[("log.dir", "/one"), ("log.dirs", "/a,/b")]).log_dirs,
        [PathBuf::from("/a"), PathBuf::from("/b")]
    );
    assert_eq!(
        load(&[("log.dirs", "/a,/a")]).log_dirs,
        [PathBuf::from("/a")],
        "Kafka drops what occurs twice"
    );
}

#[test]
fn connections_of_single_addresses() {
    let config = load(&[
        ("max.connections.per.ip", "0"),
        ("max.connections.per.ip.overrides", "127.0.0.1:5, [::1]:6,::2:7"),
    ]);
    let address = |text: &str| text.parse::<std::net::IpAddr>().expect("an address");
    let expected = [(address("127.0.0.1"), 5), (address("::1"), 6), (address("::2"), 7)];
    assert_eq!(config.max_connections_per_ip_overrides, expected);
    assert!(refused(&[("max.connections.per.ip", "0")]).contains("max.connections.per.ip.overrides"));
    for bad in ["127.0.0.1", "host:5", "127.0.0.1:-1", "127.0.0.1:x"] {
        assert!(refused(&[("max.connections.per.ip.overrides", bad)]).contains("address:count"), "{bad}");
    }
}

#[test]
fn one_request_always_fits_into_the_memory_for_requests() {
    assert_eq!(load(&[]).request_memory_bytes_max, 128 << 20);
    assert_eq!(load(&[("socket.request.max.bytes", "1000000000")]).request_memory_bytes_max, 1_000_000_000);
    assert_eq!(load(&[("queued.max.request.bytes", "200000000")]).request_memory_bytes_max, 200_000_000);
    assert!(refused(&[("queued.max.request.bytes", "1000")]).contains("socket.request.max.bytes, 104857600"));
}

#[test]
fn an_authorizer_that_would_not_authorize_is_refused() {
    let error =
        refused(&[("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")]);
    assert!(error.contains("not served yet"), "{error}");
    load(&[("authorizer.class.name", "")]);
}

#[test]
fn defaults_of_topics_that_no_topic_could_have_stop_the_start() {
    for (set, named) in [
        (&[("log.retention.ms", "0")][..], "log.retention.ms"),
        (&[("log.retention.minutes", "0")], "log.retention.minutes"),
        (&[("log.retention.hours", "0")], "log.retention.hours"),
        (&[("log.roll.ms", "0")], "log.roll.ms"),
        (&[("default.replication.factor", "0")], "default.replication.factor"),
        (
            &[("log.cleaner.min.compaction.lag.ms", "9"), ("log.cleaner.max.compaction.lag.ms", "8")],
            "log.cleaner.min.compaction.lag.ms",
        ),
    ] {
        let error = refused(set);
        assert!(error.contains(&format!("`{named}`")), "{error}");
    }
}

#[test]
fn policies_are_checked_at_the_start() {
    let config = load(&[
        ("create.topic.policy.name.pattern", "[a-z]+[.][a-z]+"),
        ("create.topic.policy.partitions.max", "4"),
        ("alter.config.policy.fixed", "retention.ms, durability"),
    ]);
    assert!(config.create_topic_policy_name_pattern.unwrap().is_match("a.b"));
    assert_eq!(config.create_topic_policy_partitions_max, Some(4));
    assert_eq!(config.alter_config_policy_fixed, ["retention.ms", "durability"]);
    assert!(refused(&[("create.topic.policy.name.pattern", "(a")]).contains("a regular expression"));
    assert!(refused(&[("create.topic.policy.partitions.max", "0")]).contains("at least 1"));
    assert!(refused(&[("alter.config.policy.fixed", "retention.ms,nope")]).contains("`nope` is none"));
}
