//! `ottla cluster`: the brokers of any Kafka server, what they serve, and where they keep it.

use std::process::ExitCode;

use clap::Args;
use protocol_compat::versions::api_info;
use serde_json::json;

use super::remote::{EXIT_CODES, OnSignal, Printer, RemoteArgs, Stop, run};
use super::table::{Table, cell};
use crate::client::{Client, PlacedReplica, name_of};

/// What to show of a cluster.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ClusterArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    /// List what each broker serves: API keys with their versions.
    #[arg(long)]
    pub api_versions: bool,

    /// List the data directories of each broker, and what is in them; copies of partitions that are moving, too.
    #[arg(long, conflicts_with = "api_versions")]
    pub log_dirs: bool,
}

/// Runs `ottla cluster`.
pub fn run_cluster(args: &ClusterArgs) -> ExitCode {
    run(&args.remote, OnSignal::Leave, async |client, printer| match args {
        ClusterArgs { api_versions: true, .. } => api_versions(client, printer).await,
        ClusterArgs { log_dirs: true, .. } => log_dirs(client, printer).await,
        _ => brokers(client, printer).await,
    })
}

async fn brokers(client: &mut Client, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let metadata = client.metadata(Some(&[]), false).await?;
    let controller = metadata.controller;
    if printer.is_json() {
        for broker in metadata.brokers.values() {
            printer.object(&json!({
                "clusterId": metadata.cluster_id,
                "id": broker.node.0,
                "host": broker.host,
                "port": broker.port,
                "rack": broker.rack,
                "controller": controller == Some(broker.node),
            }))?;
        }
        return Ok(());
    }
    let mut table = Table::new(&[("ID", 10), ("HOST", 10), ("PORT", 10), ("RACK", 10), ("CONTROLLER", 0)]);
    for broker in metadata.brokers.values() {
        let is_controller = if controller == Some(broker.node) { "yes" } else { "no" };
        table.row(vec![
            broker.node.0.to_string(),
            broker.host.clone(),
            broker.port.to_string(),
            cell(broker.rack.as_ref()),
            is_controller.to_owned(),
        ]);
    }
    printer.text(&format!("Cluster ID: {}\n\n{}", cell(metadata.cluster_id), table.lines()))?;
    Ok(())
}

async fn log_dirs(client: &mut Client, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let dirs = client.log_dirs().await?;
    if printer.is_json() {
        for dir in &dirs {
            let replica = |replica: &PlacedReplica| {
                json!({
                    "topic": replica.topic,
                    "partition": replica.partition,
                    "bytes": replica.bytes,
                    "lag": replica.lag,
                    "future": replica.is_future,
                })
            };
            printer.object(&json!({
                "id": dir.broker.0,
                "path": dir.path,
                "errorCode": dir.error_code,
                "totalBytes": dir.total_bytes,
                "usableBytes": dir.usable_bytes,
                "replicas": dir.replicas.iter().map(replica).collect::<Vec<_>>(),
            }))?;
        }
        return Ok(());
    }
    for dir in &dirs {
        let state = match dir.error_code {
            0 => format!("{} of {} bytes free", cell(dir.usable_bytes), cell(dir.total_bytes)),
            code => name_of(code),
        };
        let mut table =
            Table::new(&[("TOPIC", 20), ("PARTITION", 9), ("BYTES", 10), ("LAG", 6), ("STATE", 0)]);
        for replica in &dir.replicas {
            let state = if replica.is_future { "moves here" } else { "here" };
            table.row(vec![
                replica.topic.clone(),
                replica.partition.to_string(),
                replica.bytes.to_string(),
                replica.lag.to_string(),
                state.to_owned(),
            ]);
        }
        printer.text(&format!("Broker {}, {}: {state}\n{}\n", dir.broker.0, dir.path, table.lines()))?;
    }
    Ok(())
}

async fn api_versions(client: &mut Client, printer: &mut Printer<'_>) -> Result<(), Stop> {
    for (broker, served) in client.served().await? {
        let served = match served {
            Ok(served) => served,
            Err(error) => {
                printer.complain(format_args!("broker {}: {error}", broker.node.0))?;
                continue;
            }
        };
        if !printer.is_json() {
            printer.text(&format!("{}:{} (id: {})\n", broker.host, broker.port, broker.node.0))?;
        }
        for (key, versions) in served {
            let name = api_info(key).map_or("Unknown", |api| api.name);
            printer.say(
                || format!("  {name}({key}): {} to {}", versions.start(), versions.end()),
                || {
                    json!({
                        "id": broker.node.0,
                        "key": key,
                        "api": name,
                        "min": versions.start(),
                        "max": versions.end(),
                    })
                },
            )?;
        }
    }
    Ok(())
}
