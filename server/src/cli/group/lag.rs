//! `ottla group lag`.

use serde_json::json;

use super::describe::lags;
use super::{LagArgs, all_of};
use crate::cli::remote::{Printer, Stop};
use crate::cli::table::Table;
use crate::client::{Client, TopicPartition, When};

pub(super) async fn lag(client: &mut Client, args: &LagArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let names = if args.groups.is_empty() { all_of(client).await? } else { args.groups.clone() };
    let mut all = Vec::new();
    for name in names {
        let committed = client.committed(&name).await?;
        if committed.is_empty() && !args.groups.is_empty() {
            printer.complain(format_args!("Consumer group '{name}' has committed nothing."))?;
        }
        all.push((name, committed));
    }
    // One question for all groups: many read the same topics.
    let mut wanted: Vec<TopicPartition> =
        all.iter().flat_map(|(_, committed)| committed.keys().cloned()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let wanted: Vec<(TopicPartition, When)> =
        wanted.into_iter().map(|partition| (partition, When::Latest)).collect();
    let ends = client.offsets_at(&wanted).await?;
    let end_of = |partition: &TopicPartition| ends.get(partition)?.as_ref().ok().copied().flatten();

    let columns =
        [("GROUP", 15), ("TOPIC", 15), ("PARTITIONS", 10), ("LAG", 15), ("MAX-LAG", 15), ("UNKNOWN", 0)];
    let mut table = Table::new(&columns);
    let mut lines = 0;
    for (name, committed) in &all {
        for (topic, lag) in lags(committed, end_of) {
            if lag.sum <= args.above {
                continue;
            }
            lines += 1;
            if printer.is_json() {
                printer.object(&json!({
                    "group": name,
                    "topic": topic,
                    "partitions": lag.partitions,
                    "lag": lag.sum,
                    "maxLag": lag.most,
                    "unknownPartitions": lag.unknown,
                }))?;
                continue;
            }
            let counts = [lag.partitions.to_string(), lag.sum.to_string(), lag.most.to_string()];
            let mut cells = vec![name.clone(), topic];
            cells.extend(counts);
            cells.push(lag.unknown.to_string());
            table.row(cells);
        }
    }
    if !printer.is_json() && lines > 0 {
        printer.text(&table.lines())?;
    }
    if args.fail && lines > 0 {
        printer.complain(format_args!("{lines} of these lags are above {}", args.above))?;
    }
    Ok(())
}
