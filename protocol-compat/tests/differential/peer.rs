//! One broker as the comparison sees it: requests out, what matters of the replies in.

use crate::harness::wire::{Connection, Heard};
use crate::hostile::frames::{frame, topic_name};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request, StrBytes};
use std::time::Duration;

use super::cases::{Case, Topic};

const PATIENCE: Duration = Duration::from_secs(30);
/// Below the versions that name topics by their ids.
const FETCH_VERSION: i16 = 12;
const LIST_OFFSETS_VERSION: i16 = 10;
const CREATE_TOPICS_VERSION: i16 = 7;
/// More than any topic of the comparison holds.
const FETCH_BYTES: i32 = 256 << 20;

/// What a broker makes of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Closed,
    Silent,
    Answer {
        error: i16,
        base_offset: i64,
        is_stamped: bool,
        start: i64,
        /// The records that are blamed, by their places, and whether there are words for each.
        blamed: Vec<(i32, bool)>,
        has_message: bool,
    },
}

impl Verdict {
    pub(crate) fn error(&self) -> Option<i16> {
        match self {
            Self::Answer { error, .. } => Some(*error),
            _ => None,
        }
    }

    /// The same in a log whose offsets lie `by` higher.
    pub(crate) fn shift(&mut self, by: i64) {
        if let Self::Answer { base_offset, .. } = self
            && *base_offset >= 0
        {
            *base_offset += by;
        }
    }

    /// Whether another broker answers the same. It may explain where this one is silent.
    pub(crate) fn is_met_by(&self, other: &Self) -> bool {
        let mut other = other.clone();
        if let (Self::Answer { has_message: false, .. }, Self::Answer { has_message, .. }) =
            (self, &mut other)
        {
            *has_message = false;
        }
        *self == other
    }
}

pub(crate) struct Peer {
    address: String,
    connection: Connection,
    correlation: i32,
}

impl Peer {
    pub(crate) fn connect(address: &str) -> Result<Self> {
        let connection = Connection::open(address, PATIENCE)?;
        Ok(Self { address: address.to_owned(), connection, correlation: 0 })
    }

    /// The body of the reply; nothing if the connection was closed instead.
    fn ask<M: Request>(&mut self, request: &M, version: i16) -> Result<Option<M::Response>> {
        self.correlation += 1;
        let frame = frame(request, version, self.correlation).context("a request that does not encode")?;
        ensure!(self.connection.send_raw(&frame), "the connection takes no more bytes");
        match self.connection.receive()? {
            Heard::Nothing => anyhow::bail!("no reply within {} s", PATIENCE.as_secs()),
            Heard::Closed => {
                self.connection = Connection::open(&self.address, PATIENCE)?;
                Ok(None)
            }
            Heard::Reply(reply) => {
                let mut reply = Bytes::from(reply);
                let header = ResponseHeader::decode(&mut reply, M::Response::header_version(version))?;
                ensure!(header.correlation_id == self.correlation, "the reply to another request");
                Ok(Some(M::Response::decode(&mut reply, version)?))
            }
        }
    }

    pub(crate) fn must<M: Request>(&mut self, request: &M, version: i16) -> Result<M::Response> {
        self.ask(request, version)?.context("the connection was closed")
    }

    pub(crate) fn create(&mut self, topics: &[Topic]) -> Result<()> {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let setting = |(name, value): &(&str, &str)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        };
        let wanted = |topic: &Topic| {
            CreatableTopic::default()
                .with_name(topic_name(topic.name))
                .with_num_partitions(1)
                .with_replication_factor(1)
                .with_configs(topic.settings.iter().map(setting).collect())
        };
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(wanted).collect())
            .with_timeout_ms(30_000);
        for topic in self.must(&request, CREATE_TOPICS_VERSION)?.topics {
            ensure!(topic.error_code == 0, "{:?}: error {}", topic.name, topic.error_code);
        }
        Ok(())
    }

    pub(crate) fn produce(&mut self, case: &Case) -> Result<Verdict> {
        let data = PartitionProduceData::default()
            .with_index(case.partition)
            .with_records(Some(case.records.clone().into()));
        let topic =
            TopicProduceData::default().with_name(topic_name(case.topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(case.acks)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![topic]);
        let Some(reply) = self.ask(&request, case.version)? else { return Ok(Verdict::Closed) };
        let Some(topic) = reply.responses.first() else { return Ok(Verdict::Silent) };
        let answer = topic.partition_responses.first().context("an answer without partitions")?;
        ensure!(answer.index == case.partition, "an answer for partition {}", answer.index);
        let blamed = answer.record_errors.iter();
        Ok(Verdict::Answer {
            error: answer.error_code,
            base_offset: answer.base_offset,
            is_stamped: answer.log_append_time_ms != -1,
            start: answer.log_start_offset,
            blamed: blamed
                .map(|record| (record.batch_index, record.batch_index_error_message.is_some()))
                .collect(),
            has_message: answer.error_message.is_some(),
        })
    }

    /// Everything from an offset on: error, high watermark, start, bytes.
    pub(crate) fn fetch(&mut self, topic: &str, from: i64) -> Result<(i16, i64, i64, Bytes)> {
        self.fetch_of(topic, 0, from)
    }

    /// As [`Self::fetch`], of this partition.
    pub(crate) fn fetch_of(
        &mut self,
        topic: &str,
        partition: i32,
        from: i64,
    ) -> Result<(i16, i64, i64, Bytes)> {
        let found = self.fetch_in(0, topic, partition, from)?;
        let records = found.records.unwrap_or_default();
        Ok((found.error_code, found.high_watermark, found.log_start_offset, records))
    }

    /// What a reader of committed records is told: the last stable offset, and the first offsets and producers of the
    /// aborted transactions.
    pub(crate) fn fetch_committed(&mut self, topic: &str, from: i64) -> Result<(i64, Vec<(i64, i64)>)> {
        let found = self.fetch_in(1, topic, 0, from)?;
        ensure!(found.error_code == 0, "error {}", found.error_code);
        let aborted = found.aborted_transactions.unwrap_or_default();
        let mut aborted: Vec<_> = aborted.iter().map(|txn| (txn.first_offset, txn.producer_id.0)).collect();
        aborted.sort_unstable();
        Ok((found.last_stable_offset, aborted))
    }

    fn fetch_in(&mut self, isolation: i8, topic: &str, partition: i32, from: i64) -> Result<PartitionData> {
        let partition = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(from)
            .with_partition_max_bytes(FETCH_BYTES)
            .with_log_start_offset(-1);
        let topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_bytes(FETCH_BYTES)
            .with_min_bytes(0)
            .with_session_epoch(-1)
            .with_isolation_level(isolation)
            .with_topics(vec![topic]);
        let reply = self.must(&request, FETCH_VERSION)?;
        let topic = reply.responses.first().context("a reply without topics")?;
        topic.partitions.first().cloned().context("a reply without partitions")
    }

    /// Where the topic's log ends; 0 for one that is not there.
    pub(crate) fn end(&mut self, topic: &str) -> Result<i64> {
        const LATEST: i64 = -1;
        Ok(self.offsets(topic, &[LATEST])?[0].1.max(0))
    }

    /// For each time or special number: error, offset, time.
    pub(crate) fn offsets(&mut self, topic: &str, asked: &[i64]) -> Result<Vec<(i16, i64, i64)>> {
        let mut found = Vec::new();
        for timestamp in asked {
            let partition = ListOffsetsPartition::default().with_timestamp(*timestamp);
            let topic =
                ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
            let request =
                ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
            let reply = self.must(&request, LIST_OFFSETS_VERSION)?;
            let topic = reply.topics.first().context("a reply without topics")?;
            let answer = topic.partitions.first().context("a reply without partitions")?;
            found.push((answer.error_code, answer.offset, answer.timestamp));
        }
        Ok(found)
    }
}

/// The last batch of a reply may be cut.
pub(crate) fn whole_batches(records: &mut Bytes) -> Bytes {
    const LENGTH_END: usize = 12;
    let mut end = 0;
    while let Some(head) = records.get(end..end + LENGTH_END) {
        let length = u32::from_be_bytes(head[8..].try_into().expect("four bytes")) as usize;
        if end + LENGTH_END + length > records.len() {
            break;
        }
        end += LENGTH_END + length;
    }
    records.split_to(end)
}
