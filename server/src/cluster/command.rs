//! The decisions: (image, command) → records, or a refusal. Pure functions; ids come in as arguments.

use std::collections::{BTreeMap, BTreeSet};

use storage::TopicId;

use super::image::{Image, Topic};
use super::records::{ProducerIdsReserved, Record, TopicCreated, TopicDeleted, TopicGrown};
use super::topic_name;

/// Producer ids reserved at a time: Kafka's block size.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// A topic that somebody wants.
#[derive(Debug, Clone)]
pub struct NewTopic {
    pub name: String,
    /// -1: the broker's default.
    pub partitions: i32,
    /// -1: the broker's default.
    pub replication_factor: i16,
    /// Partition → replicas, when the client places them itself.
    pub assignments: BTreeMap<i32, Vec<i32>>,
    pub configs: BTreeMap<String, String>,
}

/// More partitions that somebody wants of a topic.
#[derive(Debug, Clone)]
pub struct MorePartitions {
    pub name: String,
    /// All of them, the old ones included.
    pub count: i32,
    /// The replicas of each new one, when the client places them itself.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// What the decision needs to know besides the image.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    pub node_id: i32,
    pub partitions: i32,
    pub replication_factor: i16,
    /// Most partitions that one topic may be created with.
    pub partitions_max: u32,
}

/// Why a command is refused: always the asker's doing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    InvalidName(String),
    #[error("topic '{0}' already exists")]
    Exists(String),
    #[error("topic '{0}' belongs to the broker and cannot be created")]
    Reserved(String),
    #[error("topic '{0}' is still being deleted; try again")]
    BeingDeleted(String),
    #[error(
        "topic '{name}' collides with the existing topic '{existing}': names may not differ in '.' and '_' only"
    )]
    Collides { name: String, existing: String },
    #[error(
        "the number of partitions must be at least 1 and at most {max}, or -1 for the broker's default; got {got}"
    )]
    InvalidPartitions { got: i32, max: u32 },
    #[error("topic '{name}' has {existing} partitions already, and {asked} are not more")]
    NotMorePartitions { name: String, existing: u32, asked: i32 },
    #[error("at most {max} partitions may be added at a time; got {got}")]
    TooManyPartitions { got: u32, max: u32 },
    #[error("the replication factor must be 1 on a single broker, or -1 for the broker's default; got {0}")]
    InvalidReplicationFactor(i16),
    #[error("{0}")]
    InvalidAssignment(String),
    #[error("{0}")]
    InvalidRequest(String),
    #[error("{0}")]
    AgainstPolicy(String),
    #[error("no topic has the name '{0}'")]
    UnknownName(String),
    #[error("topic '{name}' has no partition {partition}")]
    UnknownPartition { name: String, partition: i32 },
    #[error("no topic has the id {0}")]
    UnknownId(TopicId),
    #[error("the quota of topics' changes (controller_mutation_rate) is used up; try again later")]
    QuotaUsedUp,
}

/// Whether a new topic may have this name.
pub fn check_new_name(image: &Image, name: &str) -> Result<(), Refusal> {
    topic_name::check(name).map_err(Refusal::InvalidName)?;
    if name == topic_name::METADATA {
        return Err(Refusal::Reserved(name.to_owned()));
    }
    if image.topic(name).is_some() {
        return Err(Refusal::Exists(name.to_owned()));
    }
    // Its directories have the names that the new topic's will have.
    if image.deleting().any(|topic| *topic.name == *name) {
        return Err(Refusal::BeingDeleted(name.to_owned()));
    }
    if let Some(existing) = image.collision(name) {
        return Err(Refusal::Collides { name: name.to_owned(), existing: existing.to_owned() });
    }
    Ok(())
}

/// Creates a topic with the given id.
pub fn create_topic(
    image: &Image,
    new: &NewTopic,
    id: TopicId,
    defaults: Defaults,
) -> Result<TopicCreated, Refusal> {
    check_new_name(image, &new.name)?;
    let partitions = if new.assignments.is_empty() {
        check_replication_factor(new.replication_factor, defaults)?;
        check_partitions(new.partitions, defaults)?
    } else {
        check_assignments(new, defaults)?
    };
    Ok(TopicCreated { id, name: new.name.clone(), partitions, configs: new.configs.clone() })
}

fn check_partitions(asked: i32, defaults: Defaults) -> Result<u32, Refusal> {
    let wanted = if asked == -1 { defaults.partitions } else { asked };
    match u32::try_from(wanted) {
        Ok(n) if n > 0 && n <= defaults.partitions_max => Ok(n),
        _ => Err(Refusal::InvalidPartitions { got: asked, max: defaults.partitions_max }),
    }
}

fn check_replication_factor(asked: i16, defaults: Defaults) -> Result<(), Refusal> {
    let wanted = if asked == -1 { defaults.replication_factor } else { asked };
    if wanted == 1 { Ok(()) } else { Err(Refusal::InvalidReplicationFactor(asked)) }
}

/// With a placement of its own the client leaves the counts at -1, and every partition from 0 names this broker.
fn check_assignments(new: &NewTopic, defaults: Defaults) -> Result<u32, Refusal> {
    if new.replication_factor != -1 || new.partitions != -1 {
        return Err(Refusal::InvalidRequest(
            "with assignments, the number of partitions and the replication factor must both be -1"
                .to_owned(),
        ));
    }
    for (expected, (partition, replicas)) in new.assignments.iter().enumerate() {
        if *partition != expected as i32 {
            return Err(Refusal::InvalidAssignment(format!(
                "the assignments must name the partitions 0 to {} without a gap; {expected} is missing",
                new.assignments.len() - 1
            )));
        }
        check_replicas(*partition, replicas, defaults)?;
    }
    check_partitions(new.assignments.len() as i32, defaults)
}

/// Whether a topic of this name has this partition.
pub fn check_partition(image: &Image, name: &str, partition: i32) -> Result<(), Refusal> {
    let topic = image.topic(name).ok_or_else(|| Refusal::UnknownName(name.to_owned()))?;
    let unknown = || Refusal::UnknownPartition { name: name.to_owned(), partition };
    topic.log_id(partition).map(drop).ok_or_else(unknown)
}

/// The one broker, once.
pub fn check_replicas(partition: i32, replicas: &[i32], defaults: Defaults) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::InvalidAssignment(format!("partition {partition} {why}")));
    if replicas.is_empty() {
        return refuse("is assigned to no broker".to_owned());
    }
    if replicas.iter().collect::<BTreeSet<_>>().len() != replicas.len() {
        return refuse("names a broker twice".to_owned());
    }
    match replicas.iter().find(|r| **r != defaults.node_id) {
        Some(stranger) => refuse(format!("is assigned to broker {stranger}, which is not there")),
        None => Ok(()),
    }
}

/// Gives a topic more partitions. A count that is not above what it has is refused before anything about the new ones.
pub fn create_partitions(
    image: &Image,
    more: &MorePartitions,
    defaults: Defaults,
) -> Result<TopicGrown, Refusal> {
    let topic = image.topic(&more.name).ok_or_else(|| Refusal::UnknownName(more.name.clone()))?;
    let existing = topic.partitions;
    let not_more = || Refusal::NotMorePartitions { name: more.name.clone(), existing, asked: more.count };
    let partitions = u32::try_from(more.count).ok().filter(|count| *count > existing).ok_or_else(not_more)?;
    let added = partitions - existing;
    if let Some(assignments) = &more.assignments {
        if assignments.len() != added as usize {
            let why = format!("{added} partitions are to be added, and {} are assigned", assignments.len());
            return Err(Refusal::InvalidAssignment(why));
        }
        for (partition, replicas) in (existing as i32..).zip(assignments) {
            check_replicas(partition, replicas, defaults)?;
        }
    }
    if added > defaults.partitions_max {
        return Err(Refusal::TooManyPartitions { got: added, max: defaults.partitions_max });
    }
    Ok(TopicGrown { id: topic.id, partitions })
}

/// Deletes a topic by its id.
pub fn delete_topic(image: &Image, id: TopicId) -> Result<TopicDeleted, Refusal> {
    image.topic_by_id(id).map(|topic| TopicDeleted { id: topic.id }).ok_or(Refusal::UnknownId(id))
}

/// Reserves the next block of producer ids; answers its first.
pub fn reserve_producer_ids(image: &Image) -> (Record, i64) {
    let first = image.producer_id_next();
    (ProducerIdsReserved { next: first + PRODUCER_ID_BLOCK }.into(), first)
}

impl From<&TopicCreated> for Topic {
    fn from(r: &TopicCreated) -> Self {
        Self { id: r.id, name: r.name.as_str().into(), partitions: r.partitions, configs: r.configs.clone() }
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
