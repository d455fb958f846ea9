//! Records: batches written to leaders, and read from them.
//!
//! One round asks every leader at once and then waits for all of them, so that a quiet broker delays nobody by more than
//! the time that a fetch may wait.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use protocol_compat::ErrorCode;
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::fetch_response::PartitionData;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::{BrokerId, FetchRequest, ProduceRequest, Request};
use storage::{BatchHeader, Record, records};

use super::attempts::Attempts;
use super::cluster::{Client, NodeId, topic_name};
use super::error::ClientError;
use super::offsets::TopicPartition;

/// From version 13 on topics are named by ids, which serves nobody here.
const FETCH: RangeInclusive<i16> = 4..=12;
const PRODUCE: RangeInclusive<i16> = 3..=12;
const FETCH_BYTES_MAX: i32 = 32 << 20;
const PARTITION_BYTES_MAX: i32 = 4 << 20;
const NO_SESSION: i32 = -1;

/// What one partition gave in a round.
#[derive(Debug)]
pub struct Fetched {
    pub partition: TopicPartition,
    /// Where the round began to read.
    pub position: i64,
    /// The end of what may be read, as far as the broker knows it.
    pub end: i64,
    pub log_start: i64,
    /// The offset lies outside the log.
    pub is_out_of_range: bool,
    batches: Bytes,
    aborted: Vec<(i64, i64)>,
    is_committed_only: bool,
}

impl Fetched {
    /// Gives every record from the position on to `see`, until that says stop, and answers where to go on.
    pub fn read<E>(&self, mut see: impl FnMut(&Record<'_>) -> Result<bool, E>) -> Result<i64, E>
    where
        E: From<ClientError>,
    {
        let mut rest = &self.batches[..];
        let mut next = self.position;
        let mut aborted = self.aborted.clone();
        aborted.sort_by_key(|(_, first)| *first);
        let mut open: HashMap<i64, i64> = HashMap::new();
        // A broker may cut the last batch off anywhere.
        while let Ok(header) = BatchHeader::parse(rest) {
            let Some((batch, behind)) = rest.split_at_checked(header.total_bytes()) else { break };
            rest = behind;
            if header.next_offset().0 <= self.position {
                continue;
            }
            while aborted.first().is_some_and(|(_, first)| *first <= header.last_offset().0) {
                let (producer, first) = aborted.remove(0);
                open.insert(producer, first);
            }
            let producer = header.producer_id.0;
            let is_hidden = self.is_committed_only
                && header.is_transactional()
                && open.get(&producer).is_some_and(|first| *first <= header.base_offset.0);
            if header.is_control() {
                open.remove(&producer);
            } else if !is_hidden && !self.read_batch(batch, &header, &mut next, &mut see)? {
                return Ok(next);
            }
            next = header.next_offset().0;
        }
        if next == self.position && !rest.is_empty() {
            let reason = match BatchHeader::parse(rest) {
                Err(error) => error.to_string(),
                Ok(header) => {
                    format!("of a batch of {} bytes only {} came", header.total_bytes(), rest.len())
                }
            };
            return Err(self.bad(next, reason).into());
        }
        Ok(next)
    }

    fn read_batch<E: From<ClientError>>(
        &self,
        batch: &[u8],
        header: &BatchHeader,
        next: &mut i64,
        see: &mut impl FnMut(&Record<'_>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let bad = |error: storage::BatchError| self.bad(header.base_offset.0, error.to_string());
        for record in records(batch).map_err(bad)? {
            let record = record.map_err(bad)?;
            if record.offset.0 < self.position {
                continue;
            }
            *next = record.offset.0 + 1;
            if !see(&record)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn bad(&self, offset: i64, reason: String) -> ClientError {
        ClientError::BadBatch { partition: self.partition.to_string(), offset, reason }
    }
}

/// Batches for partitions, and how they are to be kept.
#[derive(Clone, Debug)]
pub struct NewRecords {
    pub batches: BTreeMap<TopicPartition, Bytes>,
    /// 0, 1, or -1 for all replicas in sync.
    pub acks: i16,
}

/// Where a batch went. Nobody says so with `acks=0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    pub partition: TopicPartition,
    pub base_offset: Option<i64>,
}

impl Client {
    /// One round: records of these partitions from these offsets on, after `wait` if there are none.
    pub async fn fetch(
        &mut self,
        positions: &BTreeMap<TopicPartition, i64>,
        wait: Duration,
        is_committed_only: bool,
    ) -> Result<Vec<Fetched>, ClientError> {
        let what = "reading records";
        let fetched = async |client: &mut Client| {
            let fetched = client.fetch_once(positions, wait, is_committed_only).await;
            if fetched.is_err() {
                client.leaders.clear();
            }
            fetched
        };
        self.ask(what, fetched).await
    }

    async fn fetch_once(
        &mut self,
        positions: &BTreeMap<TopicPartition, i64>,
        wait: Duration,
        is_committed_only: bool,
    ) -> Result<Vec<Fetched>, ClientError> {
        let by_leader = self.by_leader(positions.keys()).await?;
        let mut asked = Vec::new();
        for (leader, partitions) in by_leader {
            let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
            for partition in &partitions {
                let wanted = FetchPartition::default()
                    .with_partition(partition.partition)
                    .with_fetch_offset(positions[partition])
                    .with_log_start_offset(-1)
                    .with_partition_max_bytes(PARTITION_BYTES_MAX);
                topics.entry(&partition.topic).or_default().push(wanted);
            }
            let topics = topics.into_iter().map(|(name, partitions)| {
                FetchTopic::default().with_topic(topic_name(name)).with_partitions(partitions)
            });
            let request = FetchRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
                .with_min_bytes(1)
                .with_max_bytes(FETCH_BYTES_MAX)
                .with_isolation_level(i8::from(is_committed_only))
                .with_session_epoch(NO_SESSION)
                .with_topics(topics.collect());
            asked.push((leader, self.send(leader, FETCH, &request).await?));
        }
        let mut all = Vec::new();
        for (leader, version) in asked {
            let reply = self.receive::<FetchRequest>(leader, version).await?;
            ClientError::check(reply.error_code, || "reading records".to_owned(), None)?;
            for topic in reply.responses {
                for data in topic.partitions {
                    let partition = TopicPartition::new(&topic.topic, data.partition_index);
                    let position = positions.get(&partition).copied().unwrap_or_default();
                    all.push(fetched(partition, position, data, is_committed_only)?);
                }
            }
        }
        Ok(all)
    }

    /// Writes batches. What was lost on the way is sent again, and may be there twice.
    pub async fn produce(&mut self, new: NewRecords) -> Result<Vec<Produced>, ClientError> {
        let what = "writing records";
        let mut attempts = Attempts::within(self.patience());
        let mut left = new;
        let mut done = Vec::new();
        while !left.batches.is_empty() {
            match self.produce_once(&mut left, &mut done).await {
                // A topic that was just made may not be known everywhere.
                Err(error) if error.may_pass() || error.is(ErrorCode::UnknownTopicOrPartition) => {
                    self.leaders.clear();
                    attempts.again(what, error).await?;
                }
                other => other?,
            }
        }
        done.sort_by(|one: &Produced, other| one.partition.cmp(&other.partition));
        Ok(done)
    }

    async fn produce_once(
        &mut self,
        left: &mut NewRecords,
        done: &mut Vec<Produced>,
    ) -> Result<(), ClientError> {
        let acks = left.acks;
        for (leader, partitions) in self.by_leader(left.batches.keys()).await? {
            let mut topics: BTreeMap<&str, Vec<PartitionProduceData>> = BTreeMap::new();
            for partition in &partitions {
                let data = PartitionProduceData::default()
                    .with_index(partition.partition)
                    .with_records(left.batches.get(partition).cloned());
                topics.entry(&partition.topic).or_default().push(data);
            }
            let topics = topics.into_iter().map(|(name, data)| {
                TopicProduceData::default().with_name(topic_name(name)).with_partition_data(data)
            });
            let request = ProduceRequest::default()
                .with_acks(acks)
                .with_timeout_ms(i32::try_from(self.patience().as_millis()).unwrap_or(i32::MAX))
                .with_topic_data(topics.collect());
            let version = self.send(leader, PRODUCE, &request).await?;
            if acks == 0 {
                self.connection(leader).await?.expect_no_reply();
                left.batches.retain(|partition, _| !partitions.contains(partition));
                done.extend(
                    partitions.into_iter().map(|partition| Produced { partition, base_offset: None }),
                );
                continue;
            }
            let reply = self.receive::<ProduceRequest>(leader, version).await?;
            let mut failed = None;
            for topic in &reply.responses {
                for answer in &topic.partition_responses {
                    let partition = TopicPartition::new(&topic.name, answer.index);
                    let message = answer.error_message.as_deref();
                    match ClientError::check(answer.error_code, || format!("partition {partition}"), message)
                    {
                        Ok(()) => {
                            left.batches.remove(&partition);
                            done.push(Produced { partition, base_offset: Some(answer.base_offset) });
                        }
                        Err(error) => failed = Some(error),
                    }
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn by_leader(
        &mut self,
        partitions: impl Iterator<Item = &TopicPartition>,
    ) -> Result<BTreeMap<NodeId, Vec<TopicPartition>>, ClientError> {
        let partitions: Vec<&TopicPartition> = partitions.collect();
        if partitions.iter().any(|partition| !self.leaders.contains_key(*partition)) {
            let mut topics: Vec<String> = partitions.iter().map(|one| one.topic.clone()).collect();
            topics.sort_unstable();
            topics.dedup();
            let metadata = self.metadata_once(Some(&topics), false).await?;
            for partition in &partitions {
                let leader = metadata.leader(partition)?;
                self.leaders.insert((*partition).clone(), leader);
            }
        }
        let mut by_leader: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
        for partition in partitions {
            by_leader.entry(self.leaders[partition]).or_default().push(partition.clone());
        }
        Ok(by_leader)
    }

    async fn send<R: Request>(
        &mut self,
        node: NodeId,
        versions: RangeInclusive<i16>,
        request: &R,
    ) -> Result<i16, ClientError> {
        let connection = self.connection(node).await?;
        let version = connection.version::<R>(&versions)?;
        let sent = connection.send(version, request).await;
        if sent.is_err() {
            self.drop_connection(node);
        }
        sent.map(|()| version)
    }

    async fn receive<R: Request>(&mut self, node: NodeId, version: i16) -> Result<R::Response, ClientError> {
        let received = self.connection(node).await?.receive::<R>(version).await;
        if received.is_err() {
            // With one reply the others of this round are lost, too.
            self.drop_all_connections();
        }
        received
    }
}

fn fetched(
    partition: TopicPartition,
    position: i64,
    data: PartitionData,
    is_committed_only: bool,
) -> Result<Fetched, ClientError> {
    let is_out_of_range = data.error_code == ErrorCode::OffsetOutOfRange.code();
    if !is_out_of_range {
        ClientError::check(data.error_code, || format!("partition {partition}"), None)?;
    }
    let end = if is_committed_only { data.last_stable_offset } else { data.high_watermark };
    let aborted = data.aborted_transactions.unwrap_or_default();
    Ok(Fetched {
        partition,
        position,
        end,
        log_start: data.log_start_offset,
        is_out_of_range,
        batches: data.records.unwrap_or_default(),
        aborted: aborted.into_iter().map(|one| (one.producer_id.0, one.first_offset)).collect(),
        is_committed_only,
    })
}
