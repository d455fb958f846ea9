//! What Kafka is filled with, what of it must be the same afterwards, and how its clients go on.

use crate::differential::batch::{Batch, Form, Record};
use crate::differential::cases::{Case, PLAIN, Topic};
use crate::differential::moved;
use crate::differential::peer::Peer;
use crate::harness::Stage;
use crate::harness::program::LOOK_AGAIN;
use crate::hostile::frames::topic_name;
use anyhow::{Context, Result, ensure};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use std::thread;
use std::time::{Duration, Instant};

const KEPT: &str = "kept";
const COMPACTED: &str = "compacted";
const TRANSACTIONS: &str = "transactions";
const TOPICS: &[Topic] = &[
    // Several segments, with all their indexes.
    Topic { name: PLAIN, settings: &[("segment.bytes", "1048576")] },
    Topic { name: KEPT, settings: &[("retention.ms", "123456789012"), ("compression.type", "zstd")] },
    Topic { name: COMPACTED, settings: &[("cleanup.policy", "compact")] },
    Topic { name: TRANSACTIONS, settings: &[] },
];
/// Records of [`KEPT`] below this are deleted.
const DELETED_BELOW: i64 = 2;
const SIMPLE: &str = "simple-group";
const MODERN: &str = "modern-group";
const COMMITTED_IN_TXN: &str = "group-of-transactions";
const GROUPS: [&str; 3] = [SIMPLE, MODERN, COMMITTED_IN_TXN];
const MEMBER: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const NOT_READY: [i16; 5] = [3, 14, 15, 16, 51];
const READY_LIMIT: Duration = Duration::from_secs(30);

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// What clients remember of Kafka.
pub(super) struct World {
    now: i64,
    producer: i64,
    /// Of the producer's next batch.
    sequence: i32,
    member_epoch: i32,
}

impl World {
    pub(super) fn fill(stage: &Stage, peer: &mut Peer, now: i64) -> Result<World> {
        peer.create(TOPICS)?;
        stage.wait_for("Apache Kafka to lead the partitions", || {
            Ok(TOPICS.iter().all(|topic| peer.fetch(topic.name, 0).is_ok_and(|(error, ..)| error == 0)))
        })?;
        for case in moved::batches(now) {
            let verdict = peer.produce(&case)?;
            ensure!(verdict.error() == Some(0), "{}: {verdict:?}", case.name);
        }
        let mut world =
            World { now, producer: producer_id(stage, peer, None)?, sequence: 0, member_epoch: 0 };
        for _ in 0..4 {
            let error = world.produce(peer, world.sequence)?.0;
            ensure!(error == 0, "error {error}");
            world.sequence += 1;
        }
        for number in 0..3 {
            let records = [Record::new(0, Some(b"key"), Some(&[number]))];
            let batch = Batch::of(Form::ALL[0], now, &records);
            ensure!(peer.produce(&Case::new("compacted", COMPACTED, batch.encode()))?.error() == Some(0));
        }
        let deleted = DeleteRecordsPartition::default().with_offset(DELETED_BELOW);
        let deleted =
            DeleteRecordsTopic::default().with_name(topic_name(KEPT)).with_partitions(vec![deleted]);
        let request = DeleteRecordsRequest::default().with_topics(vec![deleted]).with_timeout_ms(10_000);
        let reply = peer.must(&request, 2)?;
        ensure!(reply.topics[0].partitions[0].error_code == 0, "{reply:?}");
        world.transactions(stage, peer)?;
        commit(stage, peer, SIMPLE, "", -1, 3)?;
        world.member_epoch = join(stage, peer)?;
        commit(stage, peer, MODERN, MEMBER, world.member_epoch, 2)?;
        quota(peer)?;
        for (kind, name, setting, value) in [
            (BROKER, "", "message.max.bytes", "2000000"),
            (GROUP, MODERN, "consumer.session.timeout.ms", "55000"),
            (TOPIC, COMPACTED, "min.cleanable.dirty.ratio", "0.25"),
        ] {
            configure(peer, kind, name, setting, value)?;
        }
        Ok(world)
    }

    /// One record of the producer that is alive, with this sequence: the error and the offset.
    fn produce(&self, peer: &mut Peer, sequence: i32) -> Result<(i16, i64)> {
        let records = [Record::new(0, Some(b"k"), Some(&sequence.to_be_bytes()))];
        let batch = Batch::of(Form::ALL[0], self.now, &records).produced_by(self.producer, 0, sequence);
        let verdict = peer.produce(&Case::new("producer", KEPT, batch.encode()))?;
        match verdict {
            crate::differential::peer::Verdict::Answer { error, base_offset, .. } => Ok((error, base_offset)),
            other => anyhow::bail!("{other:?}"),
        }
    }

    /// One is committed, with offsets of a group in it, and one is left open.
    fn transactions(&self, stage: &Stage, peer: &mut Peer) -> Result<()> {
        for (id, value, is_ended) in [("ended", b"e", true), ("open", b"o", false)] {
            let producer = producer_id(stage, peer, Some(id))?;
            let topic = AddPartitionsToTxnTopic::default()
                .with_name(topic_name(TRANSACTIONS))
                .with_partitions(vec![0]);
            let add = AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(TransactionalId(text(id)))
                .with_v3_and_below_producer_id(ProducerId(producer))
                .with_v3_and_below_topics(vec![topic]);
            until_ready(stage, || {
                let reply = peer.must(&add, 3)?;
                Ok(reply.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code)
            })?;
            let mut batch = Batch::of(Form::ALL[0], self.now, &[Record::new(0, Some(b"k"), Some(value))])
                .produced_by(producer, 0, 0);
            batch.attributes |= 0x10;
            until_ready(stage, || {
                let request = transactional(id, batch.encode());
                let reply = peer.must(&request, 9)?;
                Ok(reply.responses[0].partition_responses[0].error_code)
            })?;
            if !is_ended {
                continue;
            }
            offsets_in_transaction(stage, peer, id, producer)?;
            let end = EndTxnRequest::default()
                .with_transactional_id(TransactionalId(text(id)))
                .with_producer_id(ProducerId(producer))
                .with_committed(true);
            until_ready(stage, || Ok(peer.must(&end, 3)?.error_code))?;
            stage.wait_for("the transaction's end", || {
                Ok(fetch_offsets(peer, COMMITTED_IN_TXN)?.contains("committed 1 "))
            })?;
        }
        Ok(())
    }

    /// Clients of Kafka's meet Ottla.
    pub(super) fn goes_on(&self, stage: &Stage, peer: &mut Peer) -> Result<()> {
        let (error, again) = self.produce(peer, self.sequence - 1)?;
        ensure!((error, again) == (0, i64::from(self.sequence) - 1), "sent again: {error} {again}");
        let (error, next) = self.produce(peer, self.sequence)?;
        ensure!((error, next) == (0, i64::from(self.sequence)), "the next: {error} {next}");
        const OUT_OF_ORDER: i16 = 45;
        let (error, _) = self.produce(peer, self.sequence + 5)?;
        ensure!(error == OUT_OF_ORDER, "a gap in the sequences: {error}");
        let new = producer_id(stage, peer, None)?;
        ensure!(new > self.producer, "{new} was given out before");
        let (stable, aborted) = peer.fetch_committed(TRANSACTIONS, 0)?;
        let end = peer.fetch(TRANSACTIONS, 0)?.1;
        ensure!(stable == end && aborted.len() == 1, "stable up to {stable} of {end}, aborted {aborted:?}");
        commit(stage, peer, SIMPLE, "", -1, 5)?;
        let reply = peer.must(&heartbeat(self.member_epoch, false), 1)?;
        ensure!(reply.error_code == 0, "the member is not known: {reply:?}");
        commit(stage, peer, MODERN, MEMBER, reply.member_epoch, 4)
    }
}

fn until_ready(stage: &Stage, mut ask: impl FnMut() -> Result<i16>) -> Result<()> {
    let mut last = 0;
    stage.wait_for("a coordinator", || {
        last = ask()?;
        Ok(!NOT_READY.contains(&last))
    })?;
    ensure!(last == 0, "error {last}");
    Ok(())
}

fn producer_id(stage: &Stage, peer: &mut Peer, transactional: Option<&str>) -> Result<i64> {
    if let Some(id) = transactional {
        find(stage, peer, id, 1)?;
    }
    let request = InitProducerIdRequest::default()
        .with_transactional_id(transactional.map(|id| TransactionalId(text(id))))
        .with_transaction_timeout_ms(600_000);
    let mut id = -1;
    until_ready(stage, || {
        let reply = peer.must(&request, 4)?;
        id = reply.producer_id.0;
        Ok(reply.error_code)
    })?;
    Ok(id)
}

fn find(stage: &Stage, peer: &mut Peer, key: &str, kind: i8) -> Result<()> {
    let request =
        FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text(key)]);
    until_ready(stage, || Ok(peer.must(&request, 4)?.coordinators[0].error_code))
}

fn transactional(id: &str, records: Vec<u8>) -> ProduceRequest {
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    let data = PartitionProduceData::default().with_records(Some(records.into()));
    let topic =
        TopicProduceData::default().with_name(topic_name(TRANSACTIONS)).with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_transactional_id(Some(TransactionalId(text(id))))
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic])
}

fn offsets_in_transaction(stage: &Stage, peer: &mut Peer, id: &str, producer: i64) -> Result<()> {
    find(stage, peer, COMMITTED_IN_TXN, 0)?;
    let add = AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_producer_id(ProducerId(producer))
        .with_group_id(GroupId(text(COMMITTED_IN_TXN)));
    until_ready(stage, || Ok(peer.must(&add, 3)?.error_code))?;
    let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(1);
    let topic =
        TxnOffsetCommitRequestTopic::default().with_name(topic_name(PLAIN)).with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_group_id(GroupId(text(COMMITTED_IN_TXN)))
        .with_producer_id(ProducerId(producer))
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    until_ready(stage, || Ok(peer.must(&request, 3)?.topics[0].partitions[0].error_code))
}

fn commit(stage: &Stage, peer: &mut Peer, group: &str, member: &str, epoch: i32, offset: i64) -> Result<()> {
    find(stage, peer, group, 0)?;
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("said beside")));
    let topic =
        OffsetCommitRequestTopic::default().with_name(topic_name(PLAIN)).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(epoch)
        .with_member_id(text(member))
        .with_topics(vec![topic]);
    until_ready(stage, || Ok(peer.must(&request, 9)?.topics[0].partitions[0].error_code))
}

fn heartbeat(epoch: i32, is_full: bool) -> ConsumerGroupHeartbeatRequest {
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(text(MODERN)))
        .with_member_id(text(MEMBER))
        .with_member_epoch(epoch);
    if !is_full {
        return request.with_rebalance_timeout_ms(-1);
    }
    request
        .with_rebalance_timeout_ms(300_000)
        .with_subscribed_topic_names(Some(vec![topic_name(PLAIN)]))
        .with_topic_partitions(Some(Vec::new()))
}

/// The member has the topic when it knows its epoch.
fn join(stage: &Stage, peer: &mut Peer) -> Result<i32> {
    find(stage, peer, MODERN, 0)?;
    let mut epoch = 0;
    stage.wait_for("the member's assignment", || {
        let reply = peer.must(&heartbeat(epoch, epoch == 0), 1)?;
        ensure!(reply.error_code == 0 || NOT_READY.contains(&reply.error_code), "{reply:?}");
        epoch = reply.member_epoch.max(epoch);
        Ok(reply.assignment.is_some_and(|assignment| !assignment.topic_partitions.is_empty()))
    })?;
    Ok(epoch)
}

fn quota(peer: &mut Peer) -> Result<()> {
    let entity = |kind: &str, name: Option<&str>| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
    };
    let entry = |entity, key: &str, value| {
        let op = OpData::default().with_key(text(key)).with_value(value);
        EntryData::default().with_entity(entity).with_ops(vec![op])
    };
    let request = AlterClientQuotasRequest::default().with_entries(vec![
        entry(vec![entity("user", Some("alice")), entity("client-id", None)], "producer_byte_rate", 1e9),
        entry(vec![entity("client-id", Some("nobody"))], "request_percentage", 212.5),
    ]);
    let reply = peer.must(&request, 1)?;
    ensure!(reply.entries.iter().all(|entry| entry.error_code == 0), "{reply:?}");
    Ok(())
}

fn configure(peer: &mut Peer, kind: i8, name: &str, setting: &str, value: &str) -> Result<()> {
    let config = AlterableConfig::default().with_name(text(setting)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let reply = peer.must(&request, 1)?;
    ensure!(reply.responses[0].error_code == 0, "{reply:?}");
    Ok(())
}

fn fetch_offsets(peer: &mut Peer, group: &str) -> Result<String> {
    let asked = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(vec![asked]);
    let begun = Instant::now();
    let group = loop {
        let reply = peer.must(&request, 8)?;
        let group = reply.groups.into_iter().next().context("a group was asked for")?;
        // A coordinator may still read what it has to know.
        if !NOT_READY.contains(&group.error_code) || begun.elapsed() > READY_LIMIT {
            break group;
        }
        thread::sleep(LOOK_AGAIN);
    };
    let mut told = format!("error {}", group.error_code);
    for topic in &group.topics {
        for partition in &topic.partitions {
            told += &format!(
                "; {} {} committed {} at {} {:?}",
                topic.name.0,
                partition.partition_index,
                partition.committed_offset,
                partition.committed_leader_epoch,
                partition.metadata
            );
        }
    }
    Ok(told)
}

/// What must be the same afterwards.
pub(super) struct Kept {
    /// Each topic's start, end and batches.
    logs: Vec<(&'static str, i64, i64, Vec<u8>)>,
    ids: Vec<String>,
    offsets: Vec<String>,
    settings: Vec<String>,
    quotas: Vec<String>,
}

impl Kept {
    pub(super) fn of(peer: &mut Peer) -> Result<Kept> {
        let mut logs = Vec::new();
        for topic in TOPICS {
            // What is read begins where the log does.
            let start = peer.offsets(topic.name, &[-2])?[0].1;
            let (end, start, bytes) = moved::fetch_all_from(peer, topic.name, start)?;
            logs.push((topic.name, start, end, bytes));
        }
        let ids = peer.must(&MetadataRequest::default().with_topics(None), 12)?.topics;
        let mut ids: Vec<String> = ids
            .iter()
            .map(|topic| format!("{:?} {} {}", topic.name, topic.topic_id, topic.partitions.len()))
            .collect();
        ids.sort();
        let offsets = GROUPS.map(|group| fetch_offsets(peer, group));
        let mut settings = Vec::new();
        for topic in TOPICS {
            settings.extend(own_settings(peer, TOPIC, topic.name)?);
        }
        settings.extend(own_settings(peer, GROUP, MODERN)?);
        let any = |kind: &str| {
            ComponentData::default().with_entity_type(text(kind)).with_match_type(2).with_match(None)
        };
        let mut quotas = Vec::new();
        for kind in ["user", "client-id"] {
            let request = DescribeClientQuotasRequest::default().with_components(vec![any(kind)]);
            let mut entries = peer.must(&request, 1)?.entries.unwrap_or_default();
            for entry in &mut entries {
                entry.entity.sort_by(|a, b| a.entity_type.cmp(&b.entity_type));
                quotas.push(format!("{entry:?}"));
            }
        }
        quotas.sort();
        Ok(Kept { logs, ids, offsets: offsets.into_iter().collect::<Result<_>>()?, settings, quotas })
    }

    /// Whether all of it is there. A Kafka that was killed forgets which records were deleted by request in its last minute.
    pub(super) fn is_met_by(&self, other: &Kept, is_clean: bool) -> Result<()> {
        for (one, other) in self.logs.iter().zip(&other.logs) {
            let ((name, start, end, bytes), (_, other_start, other_end, other_bytes)) = (one, other);
            // The transaction that was open has an end now.
            let more = i64::from(*name == TRANSACTIONS);
            let are_back = !is_clean && *other_start == 0 && *start > 0;
            ensure!(
                (start == other_start || are_back) && end + more == *other_end,
                "{name}: {start} to {end}, {other_start} to {other_end}"
            );
            let same = if are_back { other_bytes.ends_with(bytes) } else { other_bytes.starts_with(bytes) };
            ensure!(same, "{name}: other batches");
            ensure!(more == 1 || are_back || bytes.len() == other_bytes.len(), "{name}: more batches");
        }
        ensure!(self.logs[1].1 == DELETED_BELOW, "the test has deleted records");
        for (mine, theirs) in [
            (&self.ids, &other.ids),
            (&self.offsets, &other.offsets),
            (&self.settings, &other.settings),
            (&self.quotas, &other.quotas),
        ] {
            ensure!(!mine.is_empty() && mine == theirs, "{mine:#?}\n{theirs:#?}");
        }
        Ok(())
    }
}

/// The settings that somebody gave the resource.
fn own_settings(peer: &mut Peer, kind: i8, name: &str) -> Result<Vec<String>> {
    const OF_TOPIC: i8 = 1;
    const OF_GROUP: i8 = 8;
    let resource = DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(name));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let reply = peer.must(&request, 4)?;
    let result = reply.results.first().context("a resource was asked for")?;
    let mut own: Vec<String> = result
        .configs
        .iter()
        .filter(|config| [OF_TOPIC, OF_GROUP].contains(&config.config_source))
        .map(|config| format!("{name} {}={:?}", config.name, config.value))
        .collect();
    own.sort();
    Ok(own)
}
