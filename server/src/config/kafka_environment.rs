//! The environment in the words of Apache Kafka's container image, so that its users' own files start Ottla.
//!
//! `KAFKA_LOG_DIRS` is `log.dirs`: behind the prefix `_` stands for `.`, `__` for `_` and `___` for `-`. `CLUSTER_ID` is the
//! cluster's id. Listeners that are not said are those that clients are told, on all interfaces. What the image and its scripts
//! keep for themselves, and what Kubernetes puts into the environment of every pod beside a service `kafka`, is no setting.
//! This module knows no values: whether a name is known and its value allowed is checked where all names are.

use std::collections::BTreeMap;

pub(super) const PREFIX: &str = "KAFKA_";
const CLUSTER_ID: &str = "CLUSTER_ID";
const LISTENERS: &str = "KAFKA_LISTENERS";
const ADVERTISED: &str = "KAFKA_ADVERTISED_LISTENERS";

/// What a variable is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing that concerns a broker.
    None,
    /// Something of the image's that has no meaning here, and why.
    OfTheImage(&'static str),
    /// A setting by its name, known or not.
    Setting(String),
}

const OF_THE_JVM: &str = "no setting: it is for a Java virtual machine, and Ottla runs without";
const OF_LOGGING: &str = "no setting: it is for Kafka's logging; RUST_LOG says how much Ottla logs";
const OF_METRICS: &str = "no setting: it is for JMX; Ottla shows metrics to Prometheus at metrics.listener";
const OF_SECRETS: &str =
    "no setting: the image's scripts make ssl.* of it; only PLAINTEXT listeners are served";
const OF_SCRIPTS: &str = "no setting: it is for Kafka's own scripts";
const OF_CONFLUENT: &str = "no setting: it is for Confluent's additions to Kafka";

/// What the image and the scripts that start Kafka take for themselves.
const OF_THE_IMAGE: [(&str, &str); 22] = [
    ("DEBUG", OF_SCRIPTS),
    ("GC_LOG_OPTS", OF_THE_JVM),
    ("HEAP_OPTS", OF_THE_JVM),
    ("HOME", OF_SCRIPTS),
    ("JMX_HOSTNAME", OF_METRICS),
    ("JMX_OPTS", OF_METRICS),
    ("JMX_PORT", OF_METRICS),
    ("JVM_PERFORMANCE_OPTS", OF_THE_JVM),
    ("LOG4J_CMD_OPTS", OF_LOGGING),
    ("LOG4J_LOGGERS", OF_LOGGING),
    ("LOG4J_OPTS", OF_LOGGING),
    ("LOG4J_ROOT_LOGLEVEL", OF_LOGGING),
    ("MODE", OF_SCRIPTS),
    ("OPTS", OF_THE_JVM),
    ("SSL_KEYSTORE_CREDENTIALS", OF_SECRETS),
    ("SSL_KEYSTORE_FILENAME", OF_SECRETS),
    ("SSL_KEY_CREDENTIALS", OF_SECRETS),
    ("SSL_TRUSTSTORE_CREDENTIALS", OF_SECRETS),
    ("SSL_TRUSTSTORE_FILENAME", OF_SECRETS),
    ("TOOLS_LOG4J_LOGLEVEL", OF_LOGGING),
    ("URL", OF_SCRIPTS),
    ("VERSION", OF_SCRIPTS),
];

/// What the variable says to a broker. An empty one is one that was not filled in.
pub(super) fn meaning(variable: &str, value: &str) -> Meaning {
    if variable == CLUSTER_ID && !value.trim().is_empty() {
        return Meaning::Setting("cluster.id".to_owned());
    }
    let Some(behind) = variable.strip_prefix(PREFIX).filter(|behind| !behind.is_empty()) else {
        return Meaning::None;
    };
    if [LISTENERS, ADVERTISED].contains(&variable) && value.trim().is_empty() {
        return Meaning::None;
    }
    if let Some((_, why)) = OF_THE_IMAGE.iter().find(|(name, _)| *name == behind) {
        return Meaning::OfTheImage(why);
    }
    if behind.starts_with("CONFLUENT_") {
        return Meaning::OfTheImage(OF_CONFLUENT);
    }
    if is_of_a_service(behind, value) {
        return Meaning::None;
    }
    Meaning::Setting(name_of(behind))
}

/// `LOG_DIRS` ⇒ `log.dirs`; underscores in threes, twos and ones, from the left.
fn name_of(behind: &str) -> String {
    behind.to_lowercase().replace("___", "-").replace("__", "\u{0}").replace('_', ".").replace('\u{0}', "_")
}

/// `log.dirs` ⇒ `KAFKA_LOG_DIRS`.
pub(super) fn variable_of(name: &str) -> String {
    let mut variable = PREFIX.to_owned();
    for character in name.chars() {
        match character {
            '.' => variable.push('_'),
            '_' => variable.push_str("__"),
            '-' => variable.push_str("___"),
            other => variable.extend(other.to_uppercase()),
        }
    }
    variable
}

/// Kubernetes tells every pod of each service: `KAFKA_SERVICE_HOST`, `KAFKA_BROKER_SERVICE_PORT_CLIENTS`,
/// `KAFKA_PORT=tcp://10.0.0.1:9092`, `KAFKA_PORT_9092_TCP_ADDR`.
fn is_of_a_service(behind: &str, value: &str) -> bool {
    let parts: Vec<&str> = behind.split('_').collect();
    let names = |first: &str, second: &[&str]| {
        parts.windows(2).any(|pair| pair[0] == first && second.contains(&pair[1]))
    };
    let is_a_port = parts
        .windows(3)
        .any(|of| of[0] == "PORT" && of[1].parse::<u16>().is_ok() && ["TCP", "UDP"].contains(&of[2]));
    let is_an_address = value.starts_with("tcp://") || value.starts_with("udp://");
    names("SERVICE", &["HOST", "PORT"]) || is_a_port || (parts.last() == Some(&"PORT") && is_an_address)
}

/// As the image does: where only the addresses for clients are said, their ports are listened on, on all interfaces.
pub(super) fn listeners(environment: &BTreeMap<String, String>) -> Option<(String, String)> {
    let said = |variable: &str| environment.get(variable).filter(|value| !value.trim().is_empty());
    if said(LISTENERS).is_some() {
        return None;
    }
    let everywhere = |listener: &str| {
        let (name, address) = listener.split_once("://")?;
        Some(format!("{name}://0.0.0.0:{}", address.rsplit_once(':')?.1))
    };
    // What is no list of listeners is complained about under its own name.
    let all: Option<Vec<String>> = said(ADVERTISED)?.split(',').map(|one| everywhere(one.trim())).collect();
    Some((ADVERTISED.to_owned(), all?.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn underscores_in_threes_twos_and_ones() {
        for (variable, name) in [
            ("LOG_DIRS", "log.dirs"),
            ("ABC_DEF", "abc.def"),
            ("ABC___DEF", "abc-def"),
            ("ABC__DEF", "abc_def"),
            ("A____B", "a-.b"),
            ("A_____B", "a-_b"),
        ] {
            assert_eq!(name_of(variable), name, "{variable}");
        }
    }

    #[test]
    fn what_pods_are_told_of_services_is_nothing() {
        for (variable, value) in [
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_SERVICE_PORT", "9092"),
            ("KAFKA_BROKER_SERVICE_PORT_CLIENTS", "9092"),
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_", "x"),
            ("KAFKA_LISTENERS", " "),
            ("CLUSTER_ID", ""),
            ("PATH", "x"),
        ] {
            assert_eq!(meaning(variable, value), Meaning::None, "{variable}");
        }
        assert_eq!(meaning("KAFKA_PORT", "9092"), Meaning::Setting("port".to_owned()));
    }

    proptest! {
        #[test]
        fn a_variable_gives_back_its_name(name in "[a-z0-9]{1,4}([._-][a-z0-9]{1,4}){0,5}") {
            prop_assert_eq!(name_of(variable_of(&name).strip_prefix(PREFIX).unwrap()), name);
        }

        #[test]
        fn nothing_in_the_environment_breaks_it(variable in "(KAFKA_|CLUSTER_ID)?\\PC{0,20}", value in "\\PC{0,30}") {
            meaning(&variable, &value);
            let environment = [(ADVERTISED.to_owned(), value)].into_iter().collect();
            let _ = listeners(&environment);
        }
    }
}
