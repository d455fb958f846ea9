//! Topics: made, grown, deleted.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use protocol_compat::ErrorCode;
use protocol_compat::messages::create_partitions_request::CreatePartitionsTopic;
use protocol_compat::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol_compat::messages::delete_topics_request::DeleteTopicState;
use protocol_compat::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol_compat::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeTopicPartitionsRequest,
};

use super::cluster::{Client, text, topic_name};
use super::error::ClientError;
use super::offsets::TopicPartition;

const CREATE_TOPICS: RangeInclusive<i16> = 2..=7;
/// From this version on a broker fills in its own defaults.
const CREATE_WITH_DEFAULTS: i16 = 4;
const DELETE_TOPICS: RangeInclusive<i16> = 1..=6;
/// From this version on a topic may also be named by its id.
const DELETE_BY_ID: i16 = 6;
const CREATE_PARTITIONS: RangeInclusive<i16> = 0..=3;
const DESCRIBE_PARTITIONS: RangeInclusive<i16> = 0..=0;
const PARTITIONS_A_PAGE: i32 = 2_000;

/// What a topic is to be.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    pub name: String,
    /// The broker's default if there is none.
    pub partitions: Option<i32>,
    pub replication: Option<i16>,
    /// Brokers of each partition, instead of both numbers.
    pub replicas: Vec<Vec<i32>>,
    pub configs: Vec<(String, String)>,
}

impl Client {
    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.patience().as_millis()).unwrap_or(i32::MAX)
    }

    pub async fn create_topic(&mut self, topic: &NewTopic, only_check: bool) -> Result<(), ClientError> {
        let what = format!("creating topic '{}'", topic.name);
        self.order(&what, async |client| client.create_once(topic, only_check).await).await
    }

    async fn create_once(&mut self, topic: &NewTopic, only_check: bool) -> Result<(), ClientError> {
        let is_assigned = !topic.replicas.is_empty();
        let timeout_ms = self.timeout_ms();
        let request = |version| {
            // An old broker has no defaults to fill in.
            let default = if version >= CREATE_WITH_DEFAULTS || is_assigned { -1 } else { 1 };
            let assignments = (0..).zip(&topic.replicas).map(|(index, brokers)| {
                CreatableReplicaAssignment::default()
                    .with_partition_index(index)
                    .with_broker_ids(brokers.iter().map(|broker| BrokerId(*broker)).collect())
            });
            let configs = topic.configs.iter().map(|(name, value)| {
                CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
            });
            let creatable = CreatableTopic::default()
                .with_name(topic_name(&topic.name))
                .with_num_partitions(topic.partitions.unwrap_or(default))
                .with_replication_factor(topic.replication.unwrap_or(default as i16))
                .with_assignments(assignments.collect())
                .with_configs(configs.collect());
            CreateTopicsRequest::default()
                .with_topics(vec![creatable])
                .with_timeout_ms(timeout_ms)
                .with_validate_only(only_check)
        };
        let controller = self.controller().await?;
        let reply = self.call(controller, CREATE_TOPICS, request).await?;
        for answer in &reply.topics {
            self.of_controller(answer.error_code, &topic.name, answer.error_message.as_deref())?;
        }
        Ok(())
    }

    /// Gives a topic more partitions.
    pub async fn grow_topic(&mut self, name: &str, partitions: i32) -> Result<(), ClientError> {
        let what = format!("growing topic '{name}'");
        self.order(&what, async |client| client.grow_once(name, partitions).await).await
    }

    async fn grow_once(&mut self, name: &str, partitions: i32) -> Result<(), ClientError> {
        let topic = CreatePartitionsTopic::default()
            .with_name(topic_name(name))
            .with_count(partitions)
            .with_assignments(None);
        let request =
            CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(self.timeout_ms());
        let controller = self.controller().await?;
        let reply = self.call(controller, CREATE_PARTITIONS, |_| request).await?;
        for answer in &reply.results {
            self.of_controller(answer.error_code, name, answer.error_message.as_deref())?;
        }
        Ok(())
    }

    pub async fn delete_topic(&mut self, name: &str) -> Result<(), ClientError> {
        let what = format!("deleting topic '{name}'");
        self.order(&what, async |client| client.delete_once(name).await).await
    }

    async fn delete_once(&mut self, name: &str) -> Result<(), ClientError> {
        let timeout_ms = self.timeout_ms();
        let request = |version| {
            let request = DeleteTopicsRequest::default().with_timeout_ms(timeout_ms);
            match version >= DELETE_BY_ID {
                true => {
                    request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic_name(name)))])
                }
                false => request.with_topic_names(vec![topic_name(name)]),
            }
        };
        let controller = self.controller().await?;
        let reply = self.call(controller, DELETE_TOPICS, request).await?;
        for answer in &reply.responses {
            self.of_controller(answer.error_code, name, answer.error_message.as_deref())?;
        }
        Ok(())
    }

    /// An answer of the controller about a topic.
    fn of_controller(&mut self, code: i16, topic: &str, message: Option<&str>) -> Result<(), ClientError> {
        if code == ErrorCode::NotController.code() {
            self.forget_controller();
        }
        let is_missing = code == ErrorCode::UnknownTopicOrPartition.code();
        let message = if is_missing { Some("there is no such topic") } else { message };
        ClientError::check(code, || format!("topic '{topic}'"), message)
    }
}

/// Replicas of a partition that may still become its leader: those that are out of sync and have all that is committed, and
/// those that were the last in sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eligible {
    pub leaders: Vec<i32>,
    pub last_known: Vec<i32>,
}

impl Client {
    /// The eligible leaders of topics' partitions; nothing from a broker that has no word for them.
    pub async fn eligible_leaders(
        &mut self,
        topics: &[String],
    ) -> Result<Option<BTreeMap<TopicPartition, Eligible>>, ClientError> {
        let what = "describing topics";
        let asked = self.ask(what, async |client| client.eligible_once(topics).await).await;
        match asked {
            Ok(found) => Ok(Some(found)),
            Err(ClientError::Unsupported { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn eligible_once(
        &mut self,
        topics: &[String],
    ) -> Result<BTreeMap<TopicPartition, Eligible>, ClientError> {
        let wanted: Vec<_> =
            topics.iter().map(|name| TopicRequest::default().with_name(topic_name(name))).collect();
        let mut found = BTreeMap::new();
        let mut from = None;
        loop {
            let request = DescribeTopicPartitionsRequest::default()
                .with_topics(wanted.clone())
                .with_response_partition_limit(PARTITIONS_A_PAGE)
                .with_cursor(from.take());
            let reply = self.call_any(DESCRIBE_PARTITIONS, |_| request).await?;
            let before = found.len();
            for topic in reply.topics {
                let name = topic.name.map(|name| name.to_string()).unwrap_or_default();
                for partition in topic.partitions {
                    let nodes = |nodes: Option<Vec<BrokerId>>| {
                        nodes.unwrap_or_default().into_iter().map(|node| node.0).collect()
                    };
                    let eligible = Eligible {
                        leaders: nodes(partition.eligible_leader_replicas),
                        last_known: nodes(partition.last_known_elr),
                    };
                    found.insert(TopicPartition::new(&name, partition.partition_index), eligible);
                }
            }
            match reply.next_cursor {
                // A page without anything new would be asked for again and again.
                Some(next) if found.len() > before => {
                    from = Some(
                        Cursor::default()
                            .with_topic_name(next.topic_name)
                            .with_partition_index(next.partition_index),
                    );
                }
                _ => return Ok(found),
            }
        }
    }
}
