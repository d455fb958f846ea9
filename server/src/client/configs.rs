//! Settings of topics, brokers, groups and subscriptions over the wire: described and altered one by one.

use std::ops::RangeInclusive;

use protocol_compat::messages::describe_configs_request::DescribeConfigsResource;
use protocol_compat::messages::incremental_alter_configs_request::{
    AlterConfigsResource as WireResource, AlterableConfig,
};
use protocol_compat::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::cluster::{Client, NodeId, text};
use super::error::ClientError;

const DESCRIBE_CONFIGS: RangeInclusive<i16> = 1..=4;
const DESCRIBE_WITH_DOCS: i16 = 3;
const INCREMENTAL_ALTER: RangeInclusive<i16> = 0..=1;

/// Whose settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigResource {
    Topic(String),
    Broker(NodeId),
    /// The levels of a broker's loggers.
    BrokerLogger(NodeId),
    /// What holds for all brokers that have no value of their own.
    Brokers,
    Group(String),
    /// Of a subscription to what clients measure of themselves.
    ClientMetrics(String),
}

impl ConfigResource {
    fn wire_type(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) | Self::Brokers => 4,
            Self::BrokerLogger(_) => 8,
            Self::ClientMetrics(_) => 16,
            Self::Group(_) => 32,
        }
    }

    /// The name on the wire.
    pub fn name(&self) -> String {
        match self {
            Self::Topic(name) | Self::Group(name) | Self::ClientMetrics(name) => name.clone(),
            Self::Broker(node) | Self::BrokerLogger(node) => node.0.to_string(),
            Self::Brokers => String::new(),
        }
    }

    /// What it is, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Topic(_) => "topic",
            Self::Broker(_) | Self::Brokers => "broker",
            Self::BrokerLogger(_) => "broker-logger",
            Self::Group(_) => "group",
            // As Kafka's tools have it.
            Self::ClientMetrics(_) => "client-metric",
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Brokers => "the brokers' common settings".to_owned(),
            other => format!("{} '{}'", other.kind(), other.name()),
        }
    }
}

/// One setting as a broker describes it.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    pub name: String,
    /// Nothing where it is secret.
    pub value: Option<String>,
    pub is_read_only: bool,
    pub is_sensitive: bool,
    /// Where the value comes from, by Kafka's name.
    pub source: String,
    pub is_default: bool,
    /// Where it would come from: source, name and value, the first counts.
    pub synonyms: Vec<(String, String, Option<String>)>,
    pub doc: Option<String>,
}

/// One alteration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOp {
    Set(String, String),
    /// Back to what holds without it.
    Delete(String),
    /// Adds to a list.
    Append(String, String),
    /// Takes from a list.
    Subtract(String, String),
}

impl ConfigOp {
    fn wire(&self) -> AlterableConfig {
        let (operation, name, value) = match self {
            Self::Set(name, value) => (0, name, Some(value)),
            Self::Delete(name) => (1, name, None),
            Self::Append(name, value) => (2, name, Some(value)),
            Self::Subtract(name, value) => (3, name, Some(value)),
        };
        AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(operation)
            .with_value(value.map(|value| text(value)))
    }
}

/// The sources by their numbers.
fn source(number: i8) -> &'static str {
    match number {
        1 => "DYNAMIC_TOPIC_CONFIG",
        2 => "DYNAMIC_BROKER_CONFIG",
        3 => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        4 => "STATIC_BROKER_CONFIG",
        5 => "DEFAULT_CONFIG",
        6 => "DYNAMIC_BROKER_LOGGER_CONFIG",
        7 => "DYNAMIC_CLIENT_METRICS_CONFIG",
        8 => "DYNAMIC_GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}

const DEFAULT_CONFIG: i8 = 5;

impl Client {
    /// All settings of one resource, by name.
    pub async fn describe_configs(
        &mut self,
        resource: &ConfigResource,
        with_docs: bool,
    ) -> Result<Vec<ConfigEntry>, ClientError> {
        let what = format!("describing {}", resource.told());
        self.ask(&what, async |client| client.describe_configs_once(resource, with_docs).await).await
    }

    async fn describe_configs_once(
        &mut self,
        resource: &ConfigResource,
        with_docs: bool,
    ) -> Result<Vec<ConfigEntry>, ClientError> {
        let request = |version| {
            let wanted = DescribeConfigsResource::default()
                .with_resource_type(resource.wire_type())
                .with_resource_name(text(&resource.name()))
                .with_configuration_keys(None);
            DescribeConfigsRequest::default()
                .with_resources(vec![wanted])
                .with_include_synonyms(true)
                .with_include_documentation(with_docs && version >= DESCRIBE_WITH_DOCS)
        };
        let node = self.keeper(resource).await?;
        let reply = self.call(node, DESCRIBE_CONFIGS, request).await?;
        let mut all = Vec::new();
        for answer in reply.results {
            let message = answer.error_message.as_deref();
            ClientError::check(answer.error_code, || resource.told(), message)?;
            all.extend(answer.configs.into_iter().map(|entry| {
                ConfigEntry {
                    name: entry.name.to_string(),
                    value: entry.value.map(|value| value.to_string()),
                    is_read_only: entry.read_only,
                    is_sensitive: entry.is_sensitive,
                    source: source(entry.config_source).to_owned(),
                    is_default: entry.config_source == DEFAULT_CONFIG,
                    synonyms: entry
                        .synonyms
                        .into_iter()
                        .map(|one| {
                            let value = one.value.map(|value| value.to_string());
                            (source(one.source).to_owned(), one.name.to_string(), value)
                        })
                        .collect(),
                    doc: entry.documentation.map(|doc| doc.to_string()),
                }
            }));
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Alters settings of one resource; all or none.
    pub async fn alter_configs(
        &mut self,
        resource: &ConfigResource,
        ops: &[ConfigOp],
        only_check: bool,
    ) -> Result<(), ClientError> {
        let what = format!("altering {}", resource.told());
        self.order(&what, async |client| client.alter_configs_once(resource, ops, only_check).await).await
    }

    async fn alter_configs_once(
        &mut self,
        resource: &ConfigResource,
        ops: &[ConfigOp],
        only_check: bool,
    ) -> Result<(), ClientError> {
        let altered = WireResource::default()
            .with_resource_type(resource.wire_type())
            .with_resource_name(text(&resource.name()))
            .with_configs(ops.iter().map(ConfigOp::wire).collect());
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(vec![altered])
            .with_validate_only(only_check);
        let node = self.keeper(resource).await?;
        let reply = self.call(node, INCREMENTAL_ALTER, |_| request).await?;
        for answer in &reply.responses {
            let message = answer.error_message.as_deref();
            ClientError::check(answer.error_code, || resource.told(), message)?;
        }
        Ok(())
    }

    /// Who is asked about a resource: a broker knows its own settings only.
    async fn keeper(&mut self, resource: &ConfigResource) -> Result<NodeId, ClientError> {
        let (ConfigResource::Broker(node) | ConfigResource::BrokerLogger(node)) = resource else {
            return Ok(NodeId::ANY);
        };
        let metadata = self.metadata_once(Some(&[]), false).await?;
        match metadata.brokers.contains_key(node) {
            true => Ok(*node),
            false => Err(ClientError::NoSuchBroker(node.0)),
        }
    }
}
