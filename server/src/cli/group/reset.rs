//! `ottla group reset-offsets`.
//!
//! Invariant: for one group all partitions are looked up before any is set, so that a wrong name changes nothing.

use std::collections::BTreeMap;

use serde_json::json;
use storage::Env;

use super::{ResetArgs, Scope, To, described};
use crate::cli::remote::{Printer, Stop};
use crate::cli::table::Table;
use crate::client::{Client, Committed, Group, GroupState, TopicPartition, When};

type Offsets = BTreeMap<TopicPartition, i64>;

pub(super) async fn reset(
    client: &mut Client,
    args: &ResetArgs,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let chosen = args.scope.topics.iter().map(|topic| chosen(topic)).collect::<Result<Vec<_>, _>>()?;
    let names = args.groups.names(client).await?;
    let now_ms = Env::real().clock.now_ms();
    let mut planned = Vec::new();
    for group in described(client, &names, printer).await? {
        if !is_idle(&group, printer)? {
            continue;
        }
        let committed = client.committed(&group.id).await?;
        let partitions = partitions(client, &args.scope, &chosen, &committed).await?;
        let offsets = plan(client, &args.to, now_ms, &partitions, &committed, printer).await?;
        planned.push((group.id, offsets));
    }
    if args.execute {
        for (group, offsets) in &mut planned {
            execute(client, group, offsets, printer).await?;
        }
    }
    print(&planned, args.execute, printer)?;
    if !args.execute && !args.dry_run {
        printer.note("\nNothing was changed; with --execute it is done.")?;
    }
    Ok(())
}

/// A group with members would go on with offsets of its own.
fn is_idle(group: &Group, printer: &mut Printer<'_>) -> Result<bool, Stop> {
    if matches!(group.state(), GroupState::Empty | GroupState::Dead) {
        return Ok(true);
    }
    printer.complain(format_args!(
        "Assignments can only be reset if the group '{}' is inactive, but the current state is {}.",
        group.id, group.state
    ))?;
    Ok(false)
}

/// A topic, and partitions of it unless all are meant.
type Chosen = (String, Option<Vec<i32>>);

fn chosen(text: &str) -> Result<Chosen, Stop> {
    let Some((topic, partitions)) = text.split_once(':') else { return Ok((text.to_owned(), None)) };
    let partitions: Result<Vec<i32>, _> =
        partitions.split(',').map(|one| one.trim().parse::<i32>()).collect();
    match partitions {
        Ok(partitions) if !topic.is_empty() && partitions.iter().all(|index| *index >= 0) => {
            Ok((topic.to_owned(), Some(partitions)))
        }
        _ => Err(Stop::Usage(format!("`{text}` is not of the form TOPIC or TOPIC:0,1,…"))),
    }
}

async fn partitions(
    client: &mut Client,
    scope: &Scope,
    chosen: &[Chosen],
    committed: &BTreeMap<TopicPartition, Committed>,
) -> Result<Vec<TopicPartition>, Stop> {
    if scope.all_topics {
        return Ok(committed.keys().cloned().collect());
    }
    let names: Vec<String> = chosen.iter().map(|(topic, _)| topic.clone()).collect();
    let metadata = client.metadata(Some(&names), false).await?;
    let mut all = Vec::new();
    for (name, partitions) in chosen {
        let Some(topic) = metadata.topics.get(name) else {
            return Err(Stop::Failed(format!("topic '{name}': there is no such topic")));
        };
        topic.check()?;
        for index in partitions.iter().flatten() {
            if !topic.partitions.iter().any(|partition| partition.index == *index) {
                return Err(Stop::Failed(format!("The partitions \"{name}-{index}\" do not exist")));
            }
        }
        let every = || topic.partitions.iter().map(|partition| partition.index).collect();
        let indexes: Vec<i32> = partitions.clone().unwrap_or_else(every);
        all.extend(indexes.into_iter().map(|index| TopicPartition::new(name, index)));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

async fn plan(
    client: &mut Client,
    to: &To,
    now_ms: i64,
    partitions: &[TopicPartition],
    committed: &BTreeMap<TopicPartition, Committed>,
    printer: &mut Printer<'_>,
) -> Result<Offsets, Stop> {
    let current = |partition: &TopicPartition| committed.get(partition).map(|committed| committed.offset);
    if to.to_earliest {
        return at(client, partitions, When::Earliest).await;
    }
    if to.to_latest {
        return at(client, partitions, When::Latest).await;
    }
    if let Some(offset) = to.to_offset {
        let wanted = partitions.iter().map(|partition| (partition.clone(), offset)).collect();
        return within(client, wanted, printer).await;
    }
    if let Some(by) = to.shift_by {
        let mut wanted = Offsets::new();
        for partition in partitions {
            let Some(offset) = current(partition) else {
                return Err(Stop::Failed(format!(
                    "Cannot shift offset for partition {partition} since there is no current committed offset"
                )));
            };
            wanted.insert(partition.clone(), offset.saturating_add(by));
        }
        return within(client, wanted, printer).await;
    }
    if to.to_current {
        let (known, unknown): (Vec<_>, Vec<_>) =
            partitions.iter().cloned().partition(|partition| current(partition).is_some());
        let mut offsets = at(client, &unknown, When::Latest).await?;
        offsets.extend(
            known.into_iter().filter_map(|partition| Some((partition.clone(), current(&partition)?))),
        );
        return Ok(offsets);
    }
    let back = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let moment = match (to.to_datetime, to.by_duration) {
        (Some(moment), _) => moment.0,
        (None, Some(span)) => now_ms.saturating_sub(back(span.0)),
        (None, None) => {
            return Err(Stop::Usage("nothing says where the offsets are to be set to".to_owned()));
        }
    };
    at_moment(client, partitions, moment, printer).await
}

/// The offsets of a place that every log has.
async fn at(client: &mut Client, partitions: &[TopicPartition], when: When) -> Result<Offsets, Stop> {
    let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), when)).collect();
    let mut offsets = Offsets::new();
    for (partition, found) in client.offsets_at(&wanted).await? {
        let Some(offset) = found? else {
            return Err(Stop::Failed(format!("partition {partition}: the broker names no offset")));
        };
        offsets.insert(partition, offset);
    }
    Ok(offsets)
}

async fn at_moment(
    client: &mut Client,
    partitions: &[TopicPartition],
    moment: i64,
    printer: &mut Printer<'_>,
) -> Result<Offsets, Stop> {
    let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), When::At(moment))).collect();
    let (mut offsets, mut later) = (Offsets::new(), Vec::new());
    for (partition, found) in client.offsets_at(&wanted).await? {
        match found? {
            Some(offset) => {
                offsets.insert(partition, offset);
            }
            None => later.push(partition),
        }
    }
    for partition in &later {
        let (index, topic) = (partition.partition, &partition.topic);
        printer.note(format_args!(
            "Warn: Partition {index} from topic {topic} has no record so late. Falling back to latest known offset."
        ))?;
    }
    offsets.extend(at(client, &later, When::Latest).await?);
    Ok(offsets)
}

/// Offsets moved into their logs.
async fn within(client: &mut Client, wanted: Offsets, printer: &mut Printer<'_>) -> Result<Offsets, Stop> {
    let partitions: Vec<TopicPartition> = wanted.keys().cloned().collect();
    let starts = at(client, &partitions, When::Earliest).await?;
    let ends = at(client, &partitions, When::Latest).await?;
    let mut offsets = Offsets::new();
    for (partition, offset) in wanted {
        let (Some(start), Some(end)) = (starts.get(&partition), ends.get(&partition)) else {
            return Err(Stop::Failed(format!("partition {partition}: the broker names no offset")));
        };
        let (moved, side) = match offset {
            _ if offset > *end => (*end, "higher than latest"),
            _ if offset < *start => (*start, "lower than earliest"),
            _ => (offset, ""),
        };
        if moved != offset {
            printer.note(format_args!(
                "Warn: New offset ({offset}) is {side} offset for topic partition {partition}. Value will be set to {moved}."
            ))?;
        }
        offsets.insert(partition, moved);
    }
    Ok(offsets)
}

/// Sets offsets, and leaves those in the plan that were set.
async fn execute(
    client: &mut Client,
    group: &str,
    offsets: &mut Offsets,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    if offsets.is_empty() {
        return Ok(());
    }
    for (partition, done) in client.commit(group, offsets).await? {
        if let Err(error) = done {
            offsets.remove(&partition);
            printer.complain(format_args!("group '{group}', {error}"))?;
        }
    }
    Ok(())
}

fn print(planned: &[(String, Offsets)], is_done: bool, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let columns = [("GROUP", 15), ("TOPIC", 15), ("PARTITION", 10), ("NEW-OFFSET", 0)];
    let mut table = Table::new(&columns);
    for (group, offsets) in planned {
        for (partition, offset) in offsets {
            if printer.is_json() {
                printer.object(&json!({
                    "group": group,
                    "topic": partition.topic,
                    "partition": partition.partition,
                    "newOffset": offset,
                    "executed": is_done,
                }))?;
                continue;
            }
            let cells = [group.clone(), partition.topic.clone(), partition.partition.to_string()];
            let mut row = cells.to_vec();
            row.push(offset.to_string());
            table.row(row);
        }
    }
    if !printer.is_json() && !planned.is_empty() {
        printer.text(&format!("\n{}", table.lines()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_with_and_without_partitions() {
        assert_eq!(chosen("orders").unwrap(), ("orders".to_owned(), None));
        assert_eq!(chosen("orders:0, 2").unwrap(), ("orders".to_owned(), Some(vec![0, 2])));
        for wrong in ["orders:", ":0", "orders:a", "orders:-1", "orders:0,"] {
            assert!(matches!(chosen(wrong), Err(Stop::Usage(_))), "{wrong}");
        }
    }
}
