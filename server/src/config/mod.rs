//! Settings: one declared table, four sources, one typed [`Config`].
//!
//! `--set` goes before the environment (`OTTLA_…` before `KAFKA_…`), the environment before the file, the file before the default. Every name that Kafka 4.3.1
//! knows is known; a name that nobody knows and a value that is not allowed stop the start. A `Config` never changes and
//! holds nothing that still needs checking: what is set while the broker runs makes a new one ([`LiveConfig`]). This module
//! binds no socket, opens no data directory and asks no clock.

mod client_metrics;
mod closest;
mod collector;
mod describe;
mod dynamic;
mod error;
mod group;
mod kafka_environment;
mod kafka_names;
mod kinds;
mod listeners;
mod live;
mod pattern;
mod properties;
mod resolve;
mod sources;
mod table;
#[cfg(test)]
mod tests;
pub mod topic;
mod topic_docs;
mod values;

pub use client_metrics::{
    ClientMetricsError, ClientParam, ClientSubscription, INTERVAL_MS_DEFAULT, describe_client_metrics,
};
pub use collector::CollectorUrl;
pub use describe::{
    Described, Synonym, ValueSource, describe_all_brokers, describe_broker, describe_group, describe_topic,
};
pub use dynamic::{Dynamic, Layer, NotChanged, Reloaded, Scope, may_change};
pub use error::{BadValue, ConfigError, Given};
pub use group::{Bounded, ConsumerTimes, GroupConfigError, assignor_name, check_group, group_setting};
pub use kinds::{Allowed, KafkaSetting, Kind, Update};
pub use listeners::{Advertised, Endpoint, Host, Listener, SecurityProtocol};
pub use live::{Changed, LiveConfig};
pub use pattern::WholePattern;
pub use properties::{BadEscape, Property, parse as parse_properties, write as write_property};
pub use sources::{Assigned, Source, Values, environment, is_secret, variable_of};
pub use table::{Config, SETTINGS, Setting, setting};
pub use topic::{TopicConfig, TopicConfigError};
pub use values::{Compression, LogFormat, Words};

use crate::cli::Cli;
use std::fmt;

/// Kafka's broker settings, with or without a meaning here, by name.
pub static KAFKA_SETTINGS: &[KafkaSetting] = kafka_names::SERVER;

/// Something that an operator should know about a setting; it stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub setting: String,
    pub text: String,
}

impl Notice {
    fn new(setting: &str, text: impl Into<String>) -> Notice {
        Notice { setting: setting.to_owned(), text: text.into() }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.text)
    }
}

impl Config {
    /// The settings of this start: the command line's, the environment's, the file's and the defaults, checked and resolved.
    pub fn load(
        args: &Cli,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let command_line: Vec<_> = args.set.iter().map(|set| (set.name.clone(), set.value.clone())).collect();
        let (values, notices) = sources::gather(args.config.as_deref(), environment, &command_line)?;
        let mut config = Config::read(values)?.resolve()?;
        config.notices.splice(0..0, notices);
        Ok(config)
    }
}
