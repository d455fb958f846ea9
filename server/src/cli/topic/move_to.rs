//! `ottla topic move`: partitions go to another data directory.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::MoveArgs;
use crate::cli::remote::{Printer, Stop};
use crate::client::{Client, NodeId, PlacedReplica};

const LOOK_AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn run(client: &mut Client, args: &MoveArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let metadata = client.metadata(Some(std::slice::from_ref(&args.topic)), false).await?;
    let Some(topic) = metadata.topics.get(&args.topic) else {
        return Err(Stop::Failed(format!("there is no topic '{}'", args.topic)));
    };
    topic.check()?;
    if let Some(absent) =
        args.partition.iter().find(|wanted| topic.partitions.iter().all(|p| p.index != **wanted))
    {
        return Err(Stop::Failed(format!("topic '{}' has no partition {absent}", args.topic)));
    }
    let mut of_brokers: BTreeMap<NodeId, Vec<i32>> = BTreeMap::new();
    for partition in &topic.partitions {
        if !args.partition.is_empty() && !args.partition.contains(&partition.index) {
            continue;
        }
        match args.broker.map(NodeId).or(partition.leader) {
            Some(broker) => of_brokers.entry(broker).or_default().push(partition.index),
            None => {
                printer.complain(format_args!("{}-{} has no leader to ask", args.topic, partition.index))?
            }
        }
    }
    for (broker, partitions) in of_brokers {
        client.move_partitions(broker, &args.to_dir, &args.topic, &partitions).await?;
        for partition in &partitions {
            let (topic, to) = (&args.topic, &args.to_dir);
            printer.say(
                || format!("{topic}-{partition} moves to {to} of broker {}.", broker.0),
                || json!({"topic": topic, "partition": partition, "broker": broker.0, "to": to, "state": "asked"}),
            )?;
        }
        if args.wait {
            wait(client, args, broker, partitions, printer).await?;
        }
    }
    Ok(())
}

/// Until none of the partitions is a copy there, or in another place.
async fn wait(
    client: &mut Client,
    args: &MoveArgs,
    broker: NodeId,
    mut left: Vec<i32>,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let (topic, to) = (&args.topic, &args.to_dir);
    while !left.is_empty() {
        let dirs = client.log_dirs().await?;
        let there = dirs.iter().filter(|dir| dir.broker == broker && dir.path == *to);
        let replicas: Vec<&PlacedReplica> = there.flat_map(|dir| &dir.replicas).collect();
        let mut still = Vec::new();
        for partition in left {
            let found = replicas.iter().find(|r| r.topic == *topic && r.partition == partition);
            let Some(replica) = found else {
                printer.complain(format_args!(
                    "{topic}-{partition} does not move any more; the broker's log says why"
                ))?;
                continue;
            };
            let (state, bytes, lag) =
                (if replica.is_future { "moves" } else { "there" }, replica.bytes, replica.lag);
            printer.say(
                || match replica.is_future {
                    true => format!("{topic}-{partition}: {bytes} bytes are there, {lag} records are not."),
                    false => format!("{topic}-{partition} is there."),
                },
                || json!({"topic": topic, "partition": partition, "broker": broker.0, "to": to, "state": state, "bytes": bytes, "lag": lag}),
            )?;
            if replica.is_future {
                still.push(partition);
            }
        }
        left = still;
        if !left.is_empty() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    Ok(())
}
