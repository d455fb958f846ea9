//! Settings from the environment with the names of Apache Kafka's container image.

use super::*;
use crate::config::kafka_names::SERVER;

fn try_env(file: Option<&TempFile>, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let cli = file.map_or_else(|| cli(&[]), |file| file.cli(&[]));
    Config::load(&cli, pairs.iter().map(|(variable, value)| ((*variable).to_owned(), (*value).to_owned())))
}

fn env(pairs: &[(&str, &str)]) -> Config {
    try_env(None, pairs).unwrap_or_else(|error| panic!("{pairs:?}: {error}"))
}

#[test]
fn ottlas_own_names_go_before_kafkas_and_both_before_the_file() {
    let file = TempFile::new("num.partitions=2\nnode.id=5\nmessage.max.bytes=10000\n");
    let pairs = [
        ("KAFKA_NUM_PARTITIONS", "3"),
        ("OTTLA_NUM_PARTITIONS", "4"),
        ("KAFKA_NODE_ID", "7"),
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
    ];
    let config = try_env(Some(&file), &pairs).expect("fine");
    assert_eq!((config.num_partitions, config.node_id, config.message_max_bytes), (4, 7, 10_000));
    assert_eq!(config.values.source("node.id").to_string(), "KAFKA_NODE_ID");
    assert_eq!(config.values.source("cluster.id").to_string(), "CLUSTER_ID");
    assert_eq!(config.cluster_id.as_deref(), Some("4L6g3nShT-eMCtK--X86sw"));
    let command_line = cli(&[("num.partitions", "9")]);
    let pairs = [("KAFKA_NUM_PARTITIONS".to_owned(), "3".to_owned())];
    assert_eq!(Config::load(&command_line, pairs).expect("fine").num_partitions, 9);
}

/// The single node of Kafka's documented examples.
#[test]
fn a_broker_that_is_its_own_controller() {
    let config = env(&[
        ("KAFKA_NODE_ID", "1"),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
        ),
        ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT_HOST://localhost:9092,PLAINTEXT://broker:19092"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@broker:29093"),
        ("KAFKA_LISTENERS", "CONTROLLER://:29093,PLAINTEXT_HOST://:9092,PLAINTEXT://:19092"),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAINTEXT"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("KAFKA_LOG_DIRS", "/tmp/kraft-combined-logs"),
        ("KAFKA_HEAP_OPTS", "-Xmx1G"),
    ]);
    let listeners: Vec<_> = config.listeners.iter().map(|one| (one.name.as_str(), one.port)).collect();
    assert_eq!(listeners, [("PLAINTEXT_HOST", 9092), ("PLAINTEXT", 19092)]);
    assert_eq!(config.inter_broker_listener, "PLAINTEXT");
    assert_eq!(config.log_dirs, [PathBuf::from("/tmp/kraft-combined-logs")]);
    assert!(has_notice(&config, "KAFKA_HEAP_OPTS", "Java"), "{:?}", config.notices);
    assert!(has_notice(&config, "controller.quorum.voters", "no effect"), "{:?}", config.notices);
}

#[test]
fn listeners_that_are_not_said_are_those_that_clients_are_told() {
    let advertised = ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://broker.example.com:9092");
    let file = TempFile::new("listeners=PLAINTEXT://localhost:1\n");
    let config = try_env(Some(&file), &[advertised]).expect("fine");
    assert_eq!((config.listeners[0].host.clone(), config.listeners[0].port), (Host::All, 9092));
    assert_eq!(config.values.source("listeners").to_string(), "KAFKA_ADVERTISED_LISTENERS");
    let said = [advertised, ("KAFKA_LISTENERS", "PLAINTEXT://127.0.0.1:5")];
    assert_eq!(env(&said).listeners[0].port, 5);
    let ours = [advertised, ("OTTLA_LISTENERS", "PLAINTEXT://127.0.0.1:6")];
    assert_eq!(env(&ours).listeners[0].port, 6);
    let wrong = try_env(None, &[("KAFKA_ADVERTISED_LISTENERS", "broker:9092")]).expect_err("refused");
    assert!(wrong.to_string().contains("`advertised.listeners` (KAFKA_ADVERTISED_LISTENERS)"), "{wrong}");
}

#[test]
fn a_slip_of_the_hand_stops_the_start_and_what_is_another_programs_does_not() {
    let error = try_env(None, &[("KAFKA_LOG_DIR5", "x")]).expect_err("unknown").to_string();
    assert!(error.contains("`KAFKA_LOG_DIR5`") && error.contains("did you mean `KAFKA_LOG_DIR"), "{error}");
    for stranger in ["KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOPIC", "KAFKA_CREATE_TOPICS"] {
        assert!(has_notice(&env(&[(stranger, "x")]), stranger, "not taken"), "{stranger}");
    }
    let removed = try_env(None, &[("KAFKA_ZOOKEEPER_CONNECT", "z:2181")]).expect_err("removed").to_string();
    assert!(removed.contains("KAFKA_ZOOKEEPER_CONNECT") && removed.contains("no ZooKeeper"), "{removed}");
    let wrong = try_env(None, &[("KAFKA_NUM_PARTITIONS", "many")]).expect_err("no number").to_string();
    assert!(wrong.contains("`num.partitions` (KAFKA_NUM_PARTITIONS): `many`"), "{wrong}");
}

#[test]
fn names_of_single_listeners_and_of_plugins() {
    let config = env(&[
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT_HOST:PLAINTEXT"),
        ("KAFKA_LISTENERS", "PLAINTEXT_HOST://localhost:0"),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAINTEXT_HOST"),
        ("KAFKA_LISTENER_NAME_PLAINTEXT__HOST_MAX_CONNECTIONS", "7"),
        ("KAFKA_LISTENER_NAME_X_SCRAM___SHA___256_SASL_JAAS_CONFIG", "secret"),
    ]);
    assert_eq!(config.listeners[0].connections_max, 7);
    assert!(has_notice(&config, "listener.name.x.scram-sha-256.sasl.jaas.config", "no effect"));
    assert!(!format!("{:?}", config.notices).contains("secret"));
}

/// No name of a setting is taken for something of the image's.
#[test]
fn every_setting_of_kafka_has_its_variable() {
    for kafkas in SERVER {
        let Some(default) = kafkas.default.filter(|default| !default.is_empty()) else { continue };
        let variable = format!("KAFKA_{}", kafkas.name.to_uppercase().replace('.', "_"));
        let config = env(&[(&variable, default)]);
        assert_eq!(config.values.source(kafkas.name).to_string(), variable);
    }
}
