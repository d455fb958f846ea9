//! `ottla group describe`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{DescribeArgs, described};
use crate::cli::remote::{Printer, Stop};
use crate::cli::table::{MISSING, Table, cell};
use crate::client::{Assignment, Client, Committed, Group, GroupState, Member, TopicPartition, When};

pub(super) async fn describe(
    client: &mut Client,
    args: &DescribeArgs,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let names = args.groups.names(client).await?;
    for group in described(client, &names, printer).await? {
        if !exists(&group, printer)? {
            continue;
        }
        if args.members {
            members(&group, args.verbose, printer)?;
        } else if args.state {
            state(&group, args.verbose, printer)?;
        } else {
            offsets(client, &group, args.verbose, printer).await?;
        }
    }
    Ok(())
}

/// Says what is to be known of a group before its lines.
fn exists(group: &Group, printer: &mut Printer<'_>) -> Result<bool, Stop> {
    match group.state() {
        GroupState::Dead => {
            printer.complain(format_args!("Consumer group '{}' does not exist.", group.id))?;
            return Ok(false);
        }
        GroupState::Empty => {
            printer.note(format_args!("\nConsumer group '{}' has no active members.", group.id))?;
        }
        GroupState::Rebalancing => {
            printer.note(format_args!("\nWarning: Consumer group '{}' is rebalancing.", group.id))?;
        }
        GroupState::Stable | GroupState::Other => {}
    }
    Ok(true)
}

/// One line of the offsets.
struct Row<'g> {
    partition: TopicPartition,
    committed: Option<&'g Committed>,
    end: Option<i64>,
    member: Option<&'g Member>,
}

impl Row<'_> {
    fn lag(&self) -> Option<i64> {
        Some(self.end?.saturating_sub(self.committed?.offset))
    }

    fn leader_epoch(&self) -> Option<i32> {
        self.committed.map(|committed| committed.leader_epoch).filter(|epoch| *epoch >= 0)
    }
}

async fn offsets(
    client: &mut Client,
    group: &Group,
    is_verbose: bool,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let committed = client.committed(&group.id).await?;
    let mut rows = Vec::new();
    let mut members: Vec<&Member> = group.members.iter().collect();
    members.sort_by_key(|member| {
        std::cmp::Reverse(member.assignment.values().map(|all| all.len()).sum::<usize>())
    });
    for member in members {
        for partition in partitions(&member.assignment) {
            rows.push((partition, Some(member)));
        }
    }
    for partition in committed.keys() {
        if !rows.iter().any(|(assigned, _)| assigned == partition) {
            rows.push((partition.clone(), None));
        }
    }
    let wanted: Vec<(TopicPartition, When)> =
        rows.iter().map(|(partition, _)| (partition.clone(), When::Latest)).collect();
    let ends = client.offsets_at(&wanted).await?;
    let end_of = |partition: &TopicPartition| ends.get(partition)?.as_ref().ok().copied().flatten();
    let rows: Vec<Row<'_>> = rows
        .into_iter()
        .map(|(partition, member)| Row {
            committed: committed.get(&partition),
            end: end_of(&partition),
            member,
            partition,
        })
        .collect();
    print_offsets(&group.id, &rows, is_verbose, printer)
}

fn print_offsets(
    group: &str,
    rows: &[Row<'_>],
    is_verbose: bool,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    if printer.is_json() {
        for row in rows {
            printer.object(&json!({
                "group": group,
                "topic": row.partition.topic,
                "partition": row.partition.partition,
                "currentOffset": row.committed.map(|committed| committed.offset),
                "leaderEpoch": row.leader_epoch(),
                "metadata": row.committed.map(|committed| &committed.metadata),
                "logEndOffset": row.end,
                "lag": row.lag(),
                "consumerId": row.member.map(|member| &member.id),
                "host": row.member.map(|member| &member.host),
                "clientId": row.member.map(|member| &member.client_id),
            }))?;
        }
        return Ok(());
    }
    if rows.is_empty() {
        return Ok(());
    }
    let mut columns = vec![("GROUP", 15), ("TOPIC", 15), ("PARTITION", 10)];
    columns.extend(is_verbose.then_some(("LEADER-EPOCH", 15)));
    columns.extend([("CURRENT-OFFSET", 15), ("LOG-END-OFFSET", 15), ("LAG", 15)]);
    columns.extend([("CONSUMER-ID", 15), ("HOST", 15), ("CLIENT-ID", 0)]);
    let mut table = Table::new(&columns);
    for row in rows {
        let mut cells =
            vec![group.to_owned(), row.partition.topic.clone(), row.partition.partition.to_string()];
        cells.extend(is_verbose.then(|| cell(row.leader_epoch())));
        cells.extend([cell(row.committed.map(|committed| committed.offset)), cell(row.end), cell(row.lag())]);
        cells.extend([
            cell(row.member.map(|member| &member.id)),
            cell(row.member.map(|member| &member.host)),
            cell(row.member.map(|member| &member.client_id)),
        ]);
        table.row(cells);
    }
    Ok(printer.text(&format!("\n{}", table.lines()))?)
}

fn partitions(assignment: &Assignment) -> impl Iterator<Item = TopicPartition> {
    assignment.iter().flat_map(|(topic, partitions)| {
        partitions.iter().map(|partition| TopicPartition::new(topic, *partition))
    })
}

fn members(group: &Group, is_verbose: bool, printer: &mut Printer<'_>) -> Result<(), Stop> {
    if printer.is_json() {
        for member in &group.members {
            printer.object(&member_object(group, member))?;
        }
        return Ok(());
    }
    if group.members.is_empty() {
        return Ok(());
    }
    let is_static = group.members.iter().any(|member| member.instance_id.is_some());
    let mut columns = vec![("GROUP", 15), ("CONSUMER-ID", 15)];
    columns.extend(is_static.then_some(("GROUP-INSTANCE-ID", 17)));
    columns.extend([("HOST", 15), ("CLIENT-ID", 15), ("#PARTITIONS", 15)]);
    if is_verbose {
        columns.extend([("CURRENT-EPOCH", 15), ("CURRENT-ASSIGNMENT", 20)]);
        columns.extend([("TARGET-EPOCH", 15), ("TARGET-ASSIGNMENT", 20)]);
    }
    let mut table = Table::new(&columns);
    for member in &group.members {
        let mut cells = vec![group.id.clone(), member.id.clone()];
        cells.extend(is_static.then(|| member.instance_id.clone().unwrap_or_default()));
        let count: usize = member.assignment.values().map(|all| all.len()).sum();
        cells.extend([member.host.clone(), member.client_id.clone(), count.to_string()]);
        if is_verbose {
            cells.extend([cell(member.epoch), assigned(Some(&member.assignment))]);
            let target_epoch = group.epochs.map(|(_, target)| target);
            cells.extend([cell(target_epoch), assigned(member.target.as_ref())]);
        }
        table.row(cells);
    }
    Ok(printer.text(&format!("\n{}", table.lines()))?)
}

/// `topic:0,1;other:2`.
fn assigned(assignment: Option<&Assignment>) -> String {
    let topics = assignment.into_iter().flatten().map(|(topic, partitions)| {
        let partitions: Vec<String> = partitions.iter().map(|partition| partition.to_string()).collect();
        format!("{topic}:{}", partitions.join(","))
    });
    let topics: Vec<String> = topics.collect();
    if topics.is_empty() { MISSING.to_owned() } else { topics.join(";") }
}

fn member_object(group: &Group, member: &Member) -> Value {
    json!({
        "group": group.id,
        "consumerId": member.id,
        "groupInstanceId": member.instance_id,
        "host": member.host,
        "clientId": member.client_id,
        "protocol": if member.is_classic { "classic" } else { "consumer" },
        "assignment": member.assignment,
        "epoch": member.epoch,
        "targetAssignment": member.target,
        "targetEpoch": group.epochs.map(|(_, target)| target),
    })
}

fn state(group: &Group, is_verbose: bool, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let coordinator = group.coordinator.as_ref();
    if printer.is_json() {
        let coordinator = coordinator.map(|at| json!({"id": at.node.0, "host": at.host, "port": at.port}));
        printer.object(&json!({
            "group": group.id,
            "type": group.kind,
            "protocolType": group.protocol_type,
            "coordinator": coordinator,
            "assignmentStrategy": group.assignor,
            "state": group.state,
            "members": group.members.len(),
            "groupEpoch": group.epochs.map(|(epoch, _)| epoch),
            "targetAssignmentEpoch": group.epochs.map(|(_, target)| target),
        }))?;
        return Ok(());
    }
    let mut columns =
        vec![("GROUP", 15), ("COORDINATOR (ID)", 25), ("ASSIGNMENT-STRATEGY", 20), ("STATE", 20)];
    if is_verbose {
        columns.extend([("GROUP-EPOCH", 15), ("TARGET-ASSIGNMENT-EPOCH", 25)]);
    }
    columns.push(("#MEMBERS", 0));
    let mut table = Table::new(&columns);
    let coordinator = coordinator.map(|at| format!("{}:{}  ({})", at.host, at.port, at.node.0));
    let assignor = cell(Some(&group.assignor).filter(|name| !name.is_empty()));
    let mut cells = vec![group.id.clone(), cell(coordinator), assignor, group.state.clone()];
    if is_verbose {
        cells.push(cell(group.epochs.map(|(epoch, _)| epoch)));
        cells.push(cell(group.epochs.map(|(_, target)| target)));
    }
    cells.push(group.members.len().to_string());
    table.row(cells);
    Ok(printer.text(&format!("\n{}", table.lines()))?)
}

/// Lag by topic, over the partitions that have one.
pub(super) fn lags(
    committed: &BTreeMap<TopicPartition, Committed>,
    ends: impl Fn(&TopicPartition) -> Option<i64>,
) -> BTreeMap<String, Lag> {
    let mut by_topic: BTreeMap<String, Lag> = BTreeMap::new();
    for (partition, committed) in committed {
        let lag = by_topic.entry(partition.topic.clone()).or_default();
        match ends(partition) {
            Some(end) => lag.add(end.saturating_sub(committed.offset)),
            None => lag.unknown += 1,
        }
    }
    by_topic
}

/// How far a group is behind in one topic.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) partitions: usize,
    /// Partitions whose end is not known.
    pub(super) unknown: usize,
    pub(super) sum: i64,
    pub(super) most: i64,
}

impl Lag {
    fn add(&mut self, lag: i64) {
        self.most = if self.partitions == 0 { lag } else { self.most.max(lag) };
        self.partitions += 1;
        self.sum = self.sum.saturating_add(lag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_one_word() {
        assert_eq!(assigned(None), "-");
        assert_eq!(assigned(Some(&Assignment::new())), "-");
        let assignment = Assignment::from([("a".to_owned(), [10, 2].into()), ("b".to_owned(), [0].into())]);
        assert_eq!(assigned(Some(&assignment)), "a:2,10;b:0");
    }

    #[test]
    fn lag_is_summed_by_topic() {
        let at = |offset| Committed { offset, leader_epoch: -1, metadata: String::new() };
        let committed = [("a", 0, 5), ("a", 1, 9), ("a", 2, 0), ("b", 0, 3)];
        let committed =
            committed.map(|(topic, index, offset)| (TopicPartition::new(topic, index), at(offset)));
        let ends = |partition: &TopicPartition| (partition.partition != 2).then_some(10);
        let lags = lags(&committed.into(), ends);
        assert_eq!(lags["a"], Lag { partitions: 2, unknown: 1, sum: 6, most: 5 });
        assert_eq!(lags["b"], Lag { partitions: 1, unknown: 0, sum: 7, most: 7 });
    }
}
