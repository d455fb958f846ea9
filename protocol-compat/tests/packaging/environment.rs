//! What starts Apache Kafka's container image by its environment starts Ottla, and clients work.

use super::{Served, folder, ottla};
use crate::harness::{Stage, ottla as built};
use anyhow::{Result, ensure};
use std::fs;
use std::net::TcpListener;

const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";

/// A port that nobody has at the moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Starts a broker that has its settings from these variables alone.
fn started(stage: &Stage, name: &str, variables: &[(&str, String)]) -> Result<Served> {
    let home = folder(stage, name)?;
    let mut command = ottla(built::binary()?);
    // What is no setting of Kafka's has no name in Kafka's image.
    command.env("OTTLA_METRICS_LISTENER", "off");
    command.envs(variables.iter().map(|(variable, value)| (variable, value)));
    Served::start(command, &home)
}

/// The single node of Kafka's own compose file: broker and controller in one, a listener for clients and one inside.
pub(super) fn one_node(stage: &Stage) -> Result<()> {
    let (host, inside, controller) = (free_port()?, free_port()?, free_port()?);
    let data = stage.folder().join("kraft-combined-logs");
    let text = |text: &str| text.to_owned();
    let variables = [
        ("KAFKA_NODE_ID", text("1")),
        (
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
            text("CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT"),
        ),
        (
            "KAFKA_ADVERTISED_LISTENERS",
            format!("PLAINTEXT_HOST://localhost:{host},PLAINTEXT://127.0.0.1:{inside}"),
        ),
        ("KAFKA_PROCESS_ROLES", text("broker,controller")),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", format!("1@localhost:{controller}")),
        (
            "KAFKA_LISTENERS",
            format!(
                "CONTROLLER://127.0.0.1:{controller},PLAINTEXT_HOST://127.0.0.1:{host},PLAINTEXT://127.0.0.1:{inside}"
            ),
        ),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", text("PLAINTEXT")),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", text("CONTROLLER")),
        ("CLUSTER_ID", text(CLUSTER_ID)),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", text("1")),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", text("0")),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", text("1")),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", text("1")),
        ("KAFKA_LOG_DIRS", data.display().to_string()),
    ];
    for start in ["first", "second"] {
        let served = started(stage, start, &variables)?;
        ensure!(served.listener("PLAINTEXT_HOST")? == format!("127.0.0.1:{host}"), "{}", served.line);
        ensure!(!served.line.contains("CONTROLLER"), "{}", served.line);
        for (name, listener) in [("outside", "PLAINTEXT_HOST"), ("inside", "PLAINTEXT")] {
            let (bootstrap, topic) = (served.listener(listener)?, format!("{start}-{name}"));
            stage.python("producing.py", "nothing_but_the_address", &[bootstrap, &topic])?;
        }
        let mut cluster = ottla(built::binary()?);
        cluster.args(["cluster", "--json", "-b", served.listener("PLAINTEXT")?]);
        let said = stage.program(&mut cluster, "")?;
        ensure!(said.contains(CLUSTER_ID), "{said}");
        served.stop()?;
    }
    ensure!(data.join("meta.properties").exists() && !stage.folder().join("first/ottla-data").exists());
    Ok(())
}

/// What Java, its scripts and others beside Kafka want is told of, once each, and stops nothing.
pub(super) fn of_the_jvm(stage: &Stage) -> Result<()> {
    let idle = [
        "KAFKA_HEAP_OPTS",
        "KAFKA_OPTS",
        "KAFKA_JVM_PERFORMANCE_OPTS",
        "KAFKA_GC_LOG_OPTS",
        "KAFKA_JMX_PORT",
        "KAFKA_JMX_OPTS",
        "KAFKA_LOG4J_ROOT_LOGLEVEL",
        "KAFKA_LOG4J_LOGGERS",
        "KAFKA_TOOLS_LOG4J_LOGLEVEL",
        "KAFKA_VERSION",
        "KAFKA_SSL_KEYSTORE_FILENAME",
        "KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE",
        "KAFKA_BROKERS",
    ];
    let port = free_port()?;
    let mut variables: Vec<(&str, String)> = idle.iter().map(|name| (*name, "-Xmx1G".to_owned())).collect();
    variables.extend([
        ("KAFKA_SERVICE_HOST", "10.0.0.1".to_owned()),
        ("KAFKA_PORT", "tcp://10.0.0.1:9092".to_owned()),
        ("KAFKA_LISTENERS", format!("PLAINTEXT://127.0.0.1:{port}")),
        ("KAFKA_NUM_PARTITIONS", "3".to_owned()),
        ("OTTLA_LOG_DIRS", "here".to_owned()),
        ("KAFKA_LOG_DIRS", "there".to_owned()),
    ]);
    let served = started(stage, "broker", &variables)?;
    let home = stage.folder().join("broker");
    ensure!(home.join("here").exists() && !home.join("there").exists(), "OTTLA_ goes before KAFKA_");
    let log = fs::read_to_string(home.join("broker.log"))?;
    for name in idle {
        ensure!(log.matches(&format!("{name}: ")).count() == 1, "{name} once in\n{log}");
    }
    ensure!(!log.contains("KAFKA_SERVICE_HOST") && !log.contains("KAFKA_PORT:"), "{log}");
    let bootstrap = served.listener("PLAINTEXT")?;
    stage.python("producing.py", "acknowledgements", &[bootstrap, "suite"])?;
    let mut topic = ottla(built::binary()?);
    let said = stage.program(topic.args(["topic", "describe", "suite", "--json", "-b", bootstrap]), "")?;
    ensure!(said.matches("\"partition\"").count() == 3, "{said}");
    served.stop()
}
