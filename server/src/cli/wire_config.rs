//! `ottla config describe` and `alter`: settings of topics, brokers, groups and subscriptions to clients' metrics of a
//! running Kafka server, and the levels of brokers' loggers.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Assignment;
use super::remote::{EXIT_CODES, OnSignal, Printer, RemoteArgs, Stop, run};
use crate::client::{Client, ConfigEntry, ConfigOp, ConfigResource, NodeId};

pub(super) const EXAMPLES: &str = "\
Examples:
  ottla config                                            every setting, as a broker started here would have it
  ottla config --check --config server.properties
  ottla config describe --topic orders                    what is set for the topic, on a running server
  ottla config describe --broker 0 --all --doc
  ottla config alter --topic orders --set retention.ms=86400000 --delete segment.ms
  ottla config alter --brokers --set log.retention.ms=86400000      every broker, without a restart
  ottla config alter --broker-logger 1 --set root=DEBUG
  ottla config alter --client-metrics all --set 'metrics=*' --set interval.ms=10000      ask clients for theirs";

#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show settings of a running server.
    ///
    /// Those that were set for the topic, broker, group or subscription itself; with --all every one, wherever its value comes from.
    #[command(after_help = EXIT_CODES)]
    Describe(DescribeArgs),
    /// Alter settings of a running server. All of the command are altered, or none.
    #[command(after_help = EXIT_CODES)]
    Alter(AlterArgs),
}

/// Whose settings.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// Of this topic.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,

    /// Of the broker with this number.
    #[arg(long, value_name = "ID")]
    pub broker: Option<i32>,

    /// What was set for all brokers at once.
    #[arg(long)]
    pub brokers: bool,

    /// The levels of the loggers of the broker with this number. They last until it stops.
    #[arg(long, value_name = "ID")]
    pub broker_logger: Option<i32>,

    /// Of this group.
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,

    /// Of the subscription with this name to what clients measure of themselves.
    #[arg(long, value_name = "NAME")]
    pub client_metrics: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct DescribeArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    #[command(flatten)]
    pub whose: Whose,

    /// Every setting, not only what was set for it itself.
    #[arg(long)]
    pub all: bool,

    /// Say what each setting means, as far as the server tells.
    #[arg(long)]
    pub doc: bool,
}

#[derive(Clone, Debug, Args)]
pub struct AlterArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    #[command(flatten)]
    pub whose: Whose,

    #[command(flatten)]
    pub ops: Ops,

    /// Only check whether it could be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// What to alter; each may be given any number of times.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Ops {
    /// Give a setting a value.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<Assignment>,

    /// Take a setting's own value away.
    #[arg(long, value_name = "NAME")]
    pub delete: Vec<String>,

    /// Add to a setting that is a list.
    #[arg(long, value_name = "NAME=VALUE")]
    pub append: Vec<Assignment>,

    /// Take from a setting that is a list.
    #[arg(long, value_name = "NAME=VALUE")]
    pub subtract: Vec<Assignment>,
}

impl Whose {
    fn resource(&self) -> ConfigResource {
        if let Some(broker) = self.broker_logger {
            return ConfigResource::BrokerLogger(NodeId(broker));
        }
        if let Some(name) = &self.client_metrics {
            return ConfigResource::ClientMetrics(name.clone());
        }
        match (&self.topic, self.broker, &self.group) {
            (Some(topic), _, _) => ConfigResource::Topic(topic.clone()),
            (None, Some(broker), _) => ConfigResource::Broker(NodeId(broker)),
            (None, None, Some(group)) => ConfigResource::Group(group.clone()),
            (None, None, None) => ConfigResource::Brokers,
        }
    }
}

impl Ops {
    fn all(&self) -> Vec<ConfigOp> {
        let pair = |one: &Assignment| (one.name.clone(), one.value.clone());
        let mut all = Vec::new();
        all.extend(self.set.iter().map(pair).map(|(name, value)| ConfigOp::Set(name, value)));
        all.extend(self.delete.iter().cloned().map(ConfigOp::Delete));
        all.extend(self.append.iter().map(pair).map(|(name, value)| ConfigOp::Append(name, value)));
        all.extend(self.subtract.iter().map(pair).map(|(name, value)| ConfigOp::Subtract(name, value)));
        all
    }
}

/// Runs `ottla config describe` and `alter`.
pub fn run_config(command: &ConfigCommand) -> ExitCode {
    match command {
        ConfigCommand::Describe(args) => {
            run(&args.remote, OnSignal::Leave, async |client, printer| describe(client, args, printer).await)
        }
        ConfigCommand::Alter(args) => {
            run(&args.remote, OnSignal::Leave, async |client, printer| alter(client, args, printer).await)
        }
    }
}

/// What a resource is called in a sentence.
fn told(resource: &ConfigResource) -> String {
    match resource {
        ConfigResource::Brokers => "brokers in the cluster".to_owned(),
        other => format!("{} {}", other.kind(), other.name()),
    }
}

async fn describe(client: &mut Client, args: &DescribeArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let resource = args.whose.resource();
    let entries = client.describe_configs(&resource, args.doc).await?;
    if !printer.is_json() {
        let what = if args.all { "All" } else { "Dynamic" };
        printer.text(&format!("{what} configs for {} are:\n", told(&resource)))?;
    }
    for entry in entries.iter().filter(|entry| args.all || is_own(&resource, entry)) {
        if printer.is_json() {
            printer.object(&object(&resource, entry, args.doc))?;
            continue;
        }
        let value = entry.value.as_deref().unwrap_or("null");
        let synonyms: Vec<String> = entry.synonyms.iter().map(synonym).collect();
        printer.text(&format!(
            "  {}={value} sensitive={} synonyms={{{}}}\n",
            entry.name,
            entry.is_sensitive,
            synonyms.join(", ")
        ))?;
        if let Some(doc) = entry.doc.as_ref().filter(|_| args.doc) {
            printer.text(&format!("    {doc}\n"))?;
        }
    }
    Ok(())
}

/// Whether a value was set for the resource itself while the server ran.
fn is_own(resource: &ConfigResource, entry: &ConfigEntry) -> bool {
    let own = match resource {
        ConfigResource::Topic(_) => "DYNAMIC_TOPIC_CONFIG",
        ConfigResource::Broker(_) => "DYNAMIC_BROKER_CONFIG",
        ConfigResource::Brokers => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigResource::BrokerLogger(_) => "DYNAMIC_BROKER_LOGGER_CONFIG",
        ConfigResource::Group(_) => "DYNAMIC_GROUP_CONFIG",
        ConfigResource::ClientMetrics(_) => "DYNAMIC_CLIENT_METRICS_CONFIG",
    };
    entry.source == own
}

fn synonym((source, name, value): &(String, String, Option<String>)) -> String {
    format!("{source}:{name}={}", value.as_deref().unwrap_or("null"))
}

fn object(resource: &ConfigResource, entry: &ConfigEntry, with_doc: bool) -> serde_json::Value {
    let synonyms: Vec<serde_json::Value> = entry
        .synonyms
        .iter()
        .map(|(source, name, value)| json!({"source": source, "name": name, "value": value}))
        .collect();
    let mut object = json!({
        "entityType": resource.kind(),
        "entity": resource.name(),
        "name": entry.name,
        "value": entry.value,
        "source": entry.source,
        "sensitive": entry.is_sensitive,
        "readOnly": entry.is_read_only,
        "synonyms": synonyms,
    });
    if with_doc {
        object["doc"] = json!(entry.doc);
    }
    object
}

async fn alter(client: &mut Client, args: &AlterArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let resource = args.whose.resource();
    client.alter_configs(&resource, &args.ops.all(), args.dry_run).await?;
    let is_done = !args.dry_run;
    printer.say(
        || match is_done {
            true => format!("Completed updating config for {}.", told(&resource)),
            false => format!("The config of {} can be updated so.", told(&resource)),
        },
        || json!({"entityType": resource.kind(), "entity": resource.name(), "altered": is_done}),
    )?;
    Ok(())
}
