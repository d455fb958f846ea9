//! Looks at partitions and groups for the metrics: what stands where, who is how far behind, and since when.
//!
//! Invariants: it reads what others hold in memory and changes nothing; no lock is held over more than one partition or one
//! shard of groups; nothing is read from a disk. Must not know: requests, connections, and how figures are shown.

use std::sync::Arc;
use std::time::Duration;

use storage::{Clock, LogId};

use crate::cluster::Image;
use crate::coordinator::Groups;
use crate::coordinator::group::GroupMachine;
use crate::metrics::{Behind, LagFigures, LagRow, OneGroup, PartitionFigures};
use crate::partition::{Partition, Partitions};

/// How often partitions are looked at. What comes between two looks is taken to have come evenly.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Partitions that are looked at before others of the thread have their turn.
const LOOK_STEP: usize = 500;

/// Notes of every partition up to where it can be read now, one step after the other.
pub async fn look(partitions: &Partitions, clock: &dyn Clock) {
    for step in partitions.open_now().chunks(LOOK_STEP) {
        let now = clock.monotonic();
        for partition in step {
            partition.traffic.see(partition.log.watch_high_watermark().value(), now);
        }
        tokio::task::yield_now().await;
    }
}

/// Every partition that has a log.
pub fn partitions(partitions: &Partitions, image: &Image) -> Vec<PartitionFigures> {
    let of_one = |partition: Arc<Partition>| {
        let LogId { topic, partition: index } = partition.id();
        let log = &partition.log;
        (!log.is_deleted()).then_some(PartitionFigures {
            topic: image.topic_by_id(topic)?.name.clone(),
            index,
            start_offset: log.start_offset().0,
            end_offset: log.watch_high_watermark().value(),
            log_bytes: log.size_bytes(),
            segments: log.segment_count() as u64,
            moved: partition.traffic.moved(),
        })
    };
    partitions.open_now().into_iter().filter_map(of_one).collect()
}

/// A group as its shard has it, and what it has committed.
struct Seen {
    group: OneGroup,
    committed: Vec<Place>,
}

struct Place {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

/// How far behind the groups are, with so many rows by name. Shards are asked one by one; what they say is judged when
/// they are let go of.
pub fn lag(
    groups: &Groups,
    partitions: &Partitions,
    image: &Image,
    clock: &dyn Clock,
    rows_max: usize,
) -> LagFigures {
    let mut figures = LagFigures::new(rows_max);
    groups.look_at_each(seen_in, |shard| {
        for Seen { group, committed } in shard {
            let id = group.id.clone();
            figures.groups.push(group);
            for Place { topic, partition, offset } in committed {
                // Of a topic that is no more there is nothing to be behind of.
                let Some(behind) = behind(partitions, image, clock, (&topic, partition, offset)) else {
                    continue;
                };
                figures.push_row(LagRow { group: id.clone(), topic, partition, behind });
            }
        }
    });
    figures
}

fn seen_in(machine: &GroupMachine) -> Vec<Seen> {
    let one = |(id, group): (&Arc<str>, &crate::coordinator::group::Group)| {
        let tally = machine.tally(id);
        let places = machine.offsets().of_group(id).map(|(topic, partition, committed)| Place {
            topic: topic.clone(),
            partition,
            offset: committed.offset,
        });
        let group = OneGroup {
            id: id.clone(),
            state: group.state_name(),
            members: group.member_count(),
            commits: tally.commits,
            rebalances: tally.rebalances,
            behind: Behind::default(),
        };
        Seen { group, committed: places.collect() }
    };
    machine.groups().map(one).collect()
}

fn behind(
    partitions: &Partitions,
    image: &Image,
    clock: &dyn Clock,
    (topic, index, offset): (&str, i32, i64),
) -> Option<Behind> {
    let id = image.topic(topic)?.log_id(index)?;
    // Without a log it is empty.
    let Some(partition) = partitions.open_one(id) else { return Some(Behind::default()) };
    let end = partition.log.watch_high_watermark().value();
    // What retention has taken can be read by nobody.
    let next = offset.max(partition.log.start_offset().0);
    Some(Behind {
        records: u64::try_from(end - next).unwrap_or(0),
        time: partition.traffic.age(next, end, clock.monotonic()),
    })
}
