//! `ottla cluster`: the brokers of any Kafka server and what they serve.

use std::process::ExitCode;

use clap::Args;
use protocol_compat::versions::api_info;
use serde_json::json;

use super::remote::{EXIT_CODES, OnSignal, Printer, RemoteArgs, Stop, run};
use super::table::{Table, cell};
use crate::client::Client;

/// What to show of a cluster.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ClusterArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    /// List what each broker serves: API keys with their versions.
    #[arg(long)]
    pub api_versions: bool,
}

/// Runs `ottla cluster`.
pub fn run_cluster(args: &ClusterArgs) -> ExitCode {
    run(&args.remote, OnSignal::Leave, async |client, printer| match args.api_versions {
        true => api_versions(client, printer).await,
        false => brokers(client, printer).await,
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
