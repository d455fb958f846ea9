//! `ottla topic`: topics of any Kafka server, as kafka-topics shows them.

mod move_to;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use protocol_compat::ErrorCode;
use protocol_compat::messages::Uuid;
use serde_json::json;

use super::Assignment;
use super::remote::{EXIT_CODES, OnSignal, Printer, RemoteArgs, Stop, run};
use crate::client::{
    Client, ConfigEntry, ConfigOp, ConfigResource, Eligible, NewTopic, Partition, Topic, TopicPartition,
};

const EXAMPLES: &str = "\
Examples:
  ottla topic create orders --partitions 6 --config retention.ms=604800000
  ottla topic list
  ottla topic describe orders
  ottla topic alter orders --partitions 12 --config cleanup.policy=compact --delete-config retention.ms
  ottla topic delete orders

Each command has a --help of its own, with the exit codes.";

/// What to do with which topics.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TopicArgs {
    #[command(flatten)]
    pub remote: RemoteArgs,

    #[command(subcommand)]
    pub command: TopicCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub enum TopicCommand {
    /// Make topics.
    #[command(after_help = EXIT_CODES)]
    Create(CreateArgs),
    /// Name all topics.
    #[command(after_help = EXIT_CODES)]
    List(ListArgs),
    /// Show partitions with their leaders and replicas, and the settings that are not the default.
    #[command(after_help = EXIT_CODES)]
    Describe(DescribeArgs),
    /// Give a topic more partitions, or other settings.
    ///
    /// Records are not moved: those of a key that were written before may lie in another partition than those written
    /// from now on.
    #[command(after_help = EXIT_CODES)]
    Alter(AlterArgs),
    /// Move partitions of a topic to another data directory of their broker, while they are used.
    ///
    /// `ottla cluster --log-dirs` shows the directories, and how far copies are. To move a partition back to where it is
    /// gives its move up.
    #[command(after_help = EXIT_CODES)]
    Move(MoveArgs),
    /// Delete topics with all their records, at once and for good.
    #[command(after_help = EXIT_CODES)]
    Delete(DeleteArgs),
}

#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// Their names.
    #[arg(required = true, value_name = "TOPIC")]
    pub topics: Vec<String>,

    /// How many partitions; the broker's default if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,

    /// How many brokers keep each partition; the broker's default if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    pub replication_factor: Option<i16>,

    /// The brokers of each partition, the leader first, instead of both numbers: 0:1,1:2 for two partitions.
    #[arg(long, value_name = "0:1,1:2,…", conflicts_with_all = ["partitions", "replication_factor"])]
    pub replica_assignment: Option<String>,

    /// A setting; may be given any number of times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub config: Vec<Assignment>,

    /// Leave a topic as it is that exists.
    #[arg(long)]
    pub if_not_exists: bool,

    /// Only check whether it could be done.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Leave out the topics that brokers keep for themselves.
    #[arg(long)]
    pub exclude_internal: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DescribeArgs {
    /// The topics; all of them if none is named.
    #[arg(value_name = "TOPIC")]
    pub topics: Vec<String>,

    /// Leave out the topics that brokers keep for themselves.
    #[arg(long)]
    pub exclude_internal: bool,

    /// Only partitions that lack a replica in sync.
    #[arg(long, conflicts_with = "unavailable_partitions")]
    pub under_replicated_partitions: bool,

    /// Only partitions without a leader.
    #[arg(long)]
    pub unavailable_partitions: bool,
}

#[derive(Clone, Debug, Args)]
pub struct AlterArgs {
    #[arg(value_name = "TOPIC")]
    pub topic: String,

    #[command(flatten)]
    pub change: Change,
}

/// What becomes of a topic.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Change {
    /// How many partitions it is to have, more than now.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,

    /// A setting; may be given any number of times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub config: Vec<Assignment>,

    /// A setting that gets the broker's value again; may be given any number of times.
    #[arg(long, value_name = "NAME")]
    pub delete_config: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct MoveArgs {
    #[arg(value_name = "TOPIC")]
    pub topic: String,

    /// The absolute path of the directory, as the broker shows it.
    #[arg(long, value_name = "PATH")]
    pub to_dir: String,

    /// Which partitions; all if not given. May be given any number of times.
    #[arg(long, value_name = "N")]
    pub partition: Vec<i32>,

    /// The broker; its leader, if not given.
    #[arg(long, value_name = "ID")]
    pub broker: Option<i32>,

    /// Wait until the partitions are there, and say how far they are.
    #[arg(long)]
    pub wait: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// Their names.
    #[arg(required = true, value_name = "TOPIC")]
    pub topics: Vec<String>,

    /// A topic that does not exist is no failure.
    #[arg(long)]
    pub if_exists: bool,
}

/// Runs `ottla topic`.
pub fn run_topic(args: &TopicArgs) -> ExitCode {
    run(&args.remote, OnSignal::Leave, async |client, printer| match &args.command {
        TopicCommand::Create(args) => create(client, args, printer).await,
        TopicCommand::List(args) => list(client, args, printer).await,
        TopicCommand::Describe(args) => describe(client, args, printer).await,
        TopicCommand::Alter(args) => alter(client, args, printer).await,
        TopicCommand::Move(args) => move_to::run(client, args, printer).await,
        TopicCommand::Delete(args) => delete(client, args, printer).await,
    })
}

async fn create(client: &mut Client, args: &CreateArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let replicas = args.replica_assignment.as_deref().map(assignment).transpose()?.unwrap_or_default();
    for name in &args.topics {
        let topic = NewTopic {
            name: name.clone(),
            partitions: args.partitions,
            replication: args.replication_factor,
            replicas: replicas.clone(),
            configs: args.config.iter().map(|set| (set.name.clone(), set.value.clone())).collect(),
        };
        match client.create_topic(&topic, args.dry_run).await {
            Ok(()) if args.dry_run => printer.say(
                || format!("Topic {name} can be created."),
                || json!({"topic": name, "created": false}),
            )?,
            Ok(()) => {
                wait_until_known(client, name).await?;
                printer
                    .say(|| format!("Created topic {name}."), || json!({"topic": name, "created": true}))?;
            }
            Err(error) if args.if_not_exists && error.is(ErrorCode::TopicAlreadyExists) => {}
            Err(error) => printer.complain(error)?,
        }
    }
    Ok(())
}

/// How long, and how often, a topic is looked for that was just made.
const LOOKS: u32 = 50;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Some servers answer before every broker knows of the topic; who goes on at once would not find it.
async fn wait_until_known(client: &mut Client, name: &str) -> Result<(), Stop> {
    for _ in 0..LOOKS {
        let metadata = client.metadata(Some(&[name.to_owned()]), false).await?;
        let is_ready = |topic: &Topic| {
            topic.error_code == 0 && topic.partitions.iter().all(|partition| partition.leader.is_some())
        };
        if metadata.topics.get(name).is_some_and(is_ready) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    // It exists all the same.
    Ok(())
}

fn assignment(text: &str) -> Result<Vec<Vec<i32>>, Stop> {
    let brokers = |text: &str| text.split(':').map(|broker| broker.trim().parse::<i32>()).collect();
    let all: Result<Vec<Vec<i32>>, _> = text.split(',').map(brokers).collect();
    all.map_err(|_| Stop::Usage(format!("`{text}` is not of the form 0:1,1:2,…")))
}

async fn list(client: &mut Client, args: &ListArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    for topic in client.metadata(None, false).await?.topics.values() {
        if args.exclude_internal && topic.is_internal {
            continue;
        }
        printer.say(
            || topic.name.clone(),
            || {
                json!({
                    "topic": topic.name,
                    "topicId": topic_id(topic.id),
                    "partitions": topic.partitions.len(),
                    "replicationFactor": replication(topic),
                    "internal": topic.is_internal,
                })
            },
        )?;
    }
    Ok(())
}

fn replication(topic: &Topic) -> usize {
    topic.partitions.first().map_or(0, |partition| partition.replicas.len())
}

type EligibleLeaders = Option<BTreeMap<TopicPartition, Eligible>>;

async fn describe(client: &mut Client, args: &DescribeArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let wanted = (!args.topics.is_empty()).then_some(&args.topics[..]);
    let metadata = client.metadata(wanted, false).await?;
    let mut topics: Vec<&Topic> = Vec::new();
    for topic in metadata.topics.values() {
        match topic.check() {
            Ok(()) if args.exclude_internal && topic.is_internal => {}
            Ok(()) => topics.push(topic),
            Err(error) => printer.complain(error)?,
        }
    }
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let eligible = if names.is_empty() { None } else { client.eligible_leaders(&names).await? };
    let is_wanted = |partition: &Partition| {
        let lacks_replica = partition.in_sync.len() < partition.replicas.len();
        (!args.under_replicated_partitions || lacks_replica)
            && (!args.unavailable_partitions || partition.leader.is_none())
    };
    let is_report = args.under_replicated_partitions || args.unavailable_partitions;
    for topic in topics {
        let partitions: Vec<&Partition> =
            topic.partitions.iter().filter(|partition| is_wanted(partition)).collect();
        if is_report && partitions.is_empty() {
            continue;
        }
        let resource = ConfigResource::Topic(topic.name.clone());
        let configs = if is_report { Vec::new() } else { client.describe_configs(&resource, false).await? };
        if printer.is_json() {
            printer.object(&object(topic, &partitions, &configs, &eligible))?;
            continue;
        }
        if !is_report {
            printer.text(&head(topic, &configs))?;
        }
        for partition in partitions {
            printer.text(&line(topic, partition, &eligible))?;
        }
    }
    Ok(())
}

fn own(configs: &[ConfigEntry]) -> impl Iterator<Item = (&str, &str)> {
    let own = configs.iter().filter(|entry| !entry.is_default);
    own.map(|entry| (&*entry.name, entry.value.as_deref().unwrap_or("null")))
}

fn head(topic: &Topic, configs: &[ConfigEntry]) -> String {
    let id = match topic.id.is_nil() {
        true => String::new(),
        false => format!("\tTopicId: {}", topic_id(topic.id)),
    };
    let configs: Vec<String> = own(configs).map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "Topic: {}{id}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n",
        topic.name,
        topic.partitions.len(),
        replication(topic),
        configs.join(",")
    )
}

fn line(topic: &Topic, partition: &Partition, eligible: &EligibleLeaders) -> String {
    let leader = partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.0.to_string());
    let found = eligible
        .as_ref()
        .map(|all| all.get(&TopicPartition::new(&topic.name, partition.index)).cloned().unwrap_or_default());
    let told = |nodes: Option<&Vec<i32>>| nodes.map_or_else(|| "N/A".to_owned(), |nodes| numbers(nodes));
    format!(
        "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}\tElr: {}\tLastKnownElr: {}\n",
        topic.name,
        partition.index,
        numbers(&partition.replicas),
        numbers(&partition.in_sync),
        told(found.as_ref().map(|found| &found.leaders)),
        told(found.as_ref().map(|found| &found.last_known)),
    )
}

fn numbers(all: &[i32]) -> String {
    all.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(",")
}

fn object(
    topic: &Topic,
    partitions: &[&Partition],
    configs: &[ConfigEntry],
    eligible: &EligibleLeaders,
) -> serde_json::Value {
    let partitions: Vec<serde_json::Value> = partitions
        .iter()
        .map(|partition| {
            let key = TopicPartition::new(&topic.name, partition.index);
            let eligible = eligible.as_ref().map(|all| all.get(&key).cloned().unwrap_or_default());
            json!({
                "partition": partition.index,
                "leader": partition.leader.map(|leader| leader.0),
                "leaderEpoch": partition.leader_epoch,
                "replicas": partition.replicas,
                "isr": partition.in_sync,
                "offlineReplicas": partition.offline,
                "elr": eligible.as_ref().map(|found| &found.leaders),
                "lastKnownElr": eligible.as_ref().map(|found| &found.last_known),
            })
        })
        .collect();
    json!({
        "topic": topic.name,
        "topicId": topic_id(topic.id),
        "internal": topic.is_internal,
        "partitionCount": topic.partitions.len(),
        "replicationFactor": replication(topic),
        "configs": own(configs).collect::<BTreeMap<_, _>>(),
        "partitions": partitions,
    })
}

async fn alter(client: &mut Client, args: &AlterArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let (name, change) = (&args.topic, &args.change);
    let sets = change.config.iter().map(|set| ConfigOp::Set(set.name.clone(), set.value.clone()));
    let ops: Vec<ConfigOp> =
        sets.chain(change.delete_config.iter().map(|name| ConfigOp::Delete(name.clone()))).collect();
    if !ops.is_empty() {
        client.alter_configs(&ConfigResource::Topic(name.clone()), &ops, false).await?;
    }
    if let Some(partitions) = change.partitions {
        client.grow_topic(name, partitions).await?;
    }
    printer.say(|| format!("Altered topic {name}."), || json!({"topic": name, "altered": true}))?;
    Ok(())
}

async fn delete(client: &mut Client, args: &DeleteArgs, printer: &mut Printer<'_>) -> Result<(), Stop> {
    for name in &args.topics {
        match client.delete_topic(name).await {
            Ok(()) => {
                printer
                    .say(|| format!("Deleted topic {name}."), || json!({"topic": name, "deleted": true}))?;
            }
            Err(error) if args.if_exists && error.is(ErrorCode::UnknownTopicOrPartition) => {}
            Err(error) => printer.complain(error)?,
        }
    }
    Ok(())
}

/// An id as Kafka prints it: base 64 in the alphabet for addresses, without padding.
fn topic_id(id: Uuid) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = id.as_u128();
    // Twenty-one digits of six bits, and the last two bits in front of four zeros.
    let digits = (0..21).map(|digit| (bits >> (122 - 6 * digit)) & 0x3f);
    digits.chain([(bits & 3) << 4]).map(|digit| char::from(ALPHABET[digit as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_printed_as_kafka_prints_them() {
        assert_eq!(topic_id(Uuid::nil()), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(topic_id(Uuid::from_u128(1)), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(topic_id(Uuid::from_u128(u128::MAX)), "_____________________w");
    }

    #[test]
    fn replicas_by_partition() {
        assert_eq!(assignment("0:1,1:2").unwrap(), [[0, 1], [1, 2]]);
        assert!(matches!(assignment("0:a"), Err(Stop::Usage(_))));
    }
}
