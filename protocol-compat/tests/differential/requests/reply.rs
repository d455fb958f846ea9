//! Replies made comparable: what each broker chooses for itself is blanked, topics and partitions are put in order, and
//! the rest is written down one field a line.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, StrBytes};
use protocol_compat::versions::reply_codec_version;
use std::fmt::Debug;
use uuid::Uuid;

use super::script::{SERVED, UNKNOWN_ID_BYTE};

/// Settings of topics that Kafka does not have.
const OWN_SETTINGS: &[&str] = &["durability", "record.validation"];
// Of resources and of sources of values.
const BROKER: i8 = 4;
const OF_ALL_BROKERS: i8 = 3;
const DEFAULT: i8 = 5;
const MIN_ISR: &str = "min.insync.replicas";
/// The one feature that Ottla says it has so far.
const FEATURE: &str = "metadata.version";

pub(super) fn comparable(key: i16, version: i16, body: &Bytes) -> Result<String> {
    let version = reply_codec_version(key, version);
    match key {
        0 => told(body, version, produce),
        1 => told(body, version, fetch),
        2 => told(body, version, |r: &mut ListOffsetsResponse| {
            r.topics.sort_by(|a, b| a.name.cmp(&b.name));
            r.topics.iter_mut().for_each(|t| t.partitions.sort_by_key(|p| p.partition_index));
        }),
        3 => told(body, version, metadata),
        18 => told(body, version, api_versions),
        19 => told(body, version, create_topics),
        20 => told(body, version, |r: &mut DeleteTopicsResponse| {
            r.responses.sort_by(|a, b| {
                (&a.name, a.topic_id, a.error_code).cmp(&(&b.name, b.topic_id, b.error_code))
            });
            for topic in &mut r.responses {
                settle(&mut topic.topic_id);
                silence(&mut topic.error_message);
            }
        }),
        21 => told(body, version, |r: &mut DeleteRecordsResponse| {
            r.topics.sort_by(|a, b| a.name.cmp(&b.name));
            r.topics.iter_mut().for_each(|t| t.partitions.sort_by_key(|p| p.partition_index));
        }),
        22 => told(body, version, |r: &mut InitProducerIdResponse| {
            r.producer_id = ProducerId(r.producer_id.0.min(0))
        }),
        23 => told(body, version, |r: &mut OffsetForLeaderEpochResponse| {
            r.topics.sort_by(|a, b| a.topic.cmp(&b.topic));
            r.topics.iter_mut().for_each(|t| t.partitions.sort_by_key(|p| p.partition));
        }),
        32 => told(body, version, describe_configs),
        33 => told(body, version, |r: &mut AlterConfigsResponse| {
            r.responses.sort_by(|a, b| {
                (a.resource_type, &a.resource_name).cmp(&(b.resource_type, &b.resource_name))
            });
            r.responses.iter_mut().for_each(|t| silence(&mut t.error_message));
        }),
        34 => told(body, version, |r: &mut AlterReplicaLogDirsResponse| {
            r.results.sort_by(|a, b| a.topic_name.cmp(&b.topic_name));
            r.results.iter_mut().for_each(|t| t.partitions.sort_by_key(|p| p.partition_index));
        }),
        35 => log_dirs(body, version),
        37 => told(body, version, |r: &mut CreatePartitionsResponse| {
            r.results.sort_by(|a, b| a.name.cmp(&b.name));
            r.results.iter_mut().for_each(|t| silence(&mut t.error_message));
        }),
        43 => told(body, version, |r: &mut ElectLeadersResponse| {
            r.replica_election_results.sort_by(|a, b| a.topic.cmp(&b.topic));
            for topic in &mut r.replica_election_results {
                topic.partition_result.iter_mut().for_each(|p| silence(&mut p.error_message));
            }
        }),
        44 => told(body, version, |r: &mut IncrementalAlterConfigsResponse| {
            r.responses.sort_by(|a, b| {
                (a.resource_type, &a.resource_name).cmp(&(b.resource_type, &b.resource_name))
            });
            r.responses.iter_mut().for_each(|t| silence(&mut t.error_message));
        }),
        45 => told(body, version, |r: &mut AlterPartitionReassignmentsResponse| {
            let partitions = r.responses.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|p| silence(&mut p.error_message));
        }),
        46 => told(body, version, |_: &mut ListPartitionReassignmentsResponse| ()),
        48 => told(body, version, |r: &mut DescribeClientQuotasResponse| {
            silence(&mut r.error_message);
            for entry in r.entries.iter_mut().flatten() {
                entry.entity.sort_by(|a, b| a.entity_type.cmp(&b.entity_type));
                entry.values.sort_by(|a, b| a.key.cmp(&b.key));
            }
            r.entries.iter_mut().for_each(|all| all.sort_by_cached_key(|e| format!("{:?}", e.entity)));
        }),
        49 => told(body, version, |r: &mut AlterClientQuotasResponse| {
            for entry in &mut r.entries {
                silence(&mut entry.error_message);
                entry.entity.sort_by(|a, b| a.entity_type.cmp(&b.entity_type));
            }
            r.entries.sort_by_cached_key(|e| format!("{:?}", e.entity));
        }),
        55 => told(body, version, quorum),
        57 => told(body, version, |r: &mut UpdateFeaturesResponse| {
            silence(&mut r.error_message);
            r.results.iter_mut().for_each(|result| silence(&mut result.error_message));
            r.results.sort_by(|a, b| a.feature.cmp(&b.feature));
        }),
        60 => told(body, version, |r: &mut DescribeClusterResponse| {
            r.cluster_id = blank(&r.cluster_id);
            silence(&mut r.error_message);
            r.brokers.iter_mut().for_each(|b| b.port = b.port.min(1));
        }),
        61 => told(body, version, |r: &mut DescribeProducersResponse| {
            for partition in r.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                silence(&mut partition.error_message);
                partition.active_producers.sort_by_key(|p| p.producer_id);
            }
        }),
        74 => told(body, version, |r: &mut ListConfigResourcesResponse| {
            r.config_resources
                .sort_by(|a, b| (a.resource_type, &a.resource_name).cmp(&(b.resource_type, &b.resource_name)))
        }),
        75 => told(body, version, |r: &mut DescribeTopicPartitionsResponse| {
            r.topics.iter_mut().for_each(|t| settle(&mut t.topic_id));
        }),
        _ => anyhow::bail!("no reply to API {key} is expected"),
    }
}

fn told<M: Decodable + Debug>(body: &Bytes, version: i16, settle: impl FnOnce(&mut M)) -> Result<String> {
    let mut rest = body.clone();
    let mut message = M::decode(&mut rest, version).context("does not decode")?;
    ensure!(rest.is_empty(), "{} bytes are left", rest.len());
    settle(&mut message);
    Ok(flat(&format!("{message:#?}")))
}

/// One field a line, without tags that nobody sent.
pub(in crate::differential) fn flat(told: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in told.lines().filter(|line| line.trim() != "unknown_tagged_fields: {},") {
        let trimmed = line.trim();
        let closes_some = trimmed == ")," && lines.len() >= 2 && lines[lines.len() - 2].ends_with("Some(");
        if closes_some {
            let inner = lines.pop().unwrap_or_default();
            let inner = inner.trim().trim_end_matches(',').to_owned();
            if let Some(opened) = lines.last_mut() {
                opened.push_str(&inner);
                opened.push_str("),");
            }
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

/// Whether there are words counts, not which.
fn silence(message: &mut Option<StrBytes>) {
    if let Some(message) = message {
        *message = blank(message);
    }
}

/// Ids that the broker chose, and no case knows.
fn settle(id: &mut Uuid) {
    let is_known =
        id.is_nil() || id.as_bytes().iter().all(|byte| byte.is_ascii() || *byte == UNKNOWN_ID_BYTE);
    if !is_known {
        *id = Uuid::max();
    }
}

fn blank(text: &StrBytes) -> StrBytes {
    StrBytes::from_static_str(if text.is_empty() { "" } else { "(words)" })
}

/// The codec does not know version 5, which ends each directory with whether it is cordoned off. There is one here.
fn log_dirs(body: &Bytes, version: i16) -> Result<String> {
    const CORDON_FROM_END: usize = 3;
    const CORDONED_SINCE: i16 = 5;
    let mut bytes = body.to_vec();
    if version == CORDONED_SINCE && bytes.len() > CORDON_FROM_END {
        let cordoned = bytes.remove(bytes.len() - CORDON_FROM_END);
        ensure!(cordoned == 0, "a cordon of {cordoned}");
    }
    let known = version.min(CORDONED_SINCE - 1);
    told(&Bytes::from(bytes), known, |r: &mut DescribeLogDirsResponse| {
        for dir in &mut r.results {
            dir.log_dir = blank(&dir.log_dir);
            (dir.total_bytes, dir.usable_bytes) = (dir.total_bytes.min(1), dir.usable_bytes.min(1));
            dir.topics.sort_by(|a, b| a.name.cmp(&b.name));
            dir.topics.iter_mut().for_each(|t| t.partitions.sort_by_key(|p| p.partition_index));
        }
    })
}

/// How far the metadata has come, when, and by which address, is each broker's own.
fn quorum(reply: &mut DescribeQuorumResponse) {
    for partition in reply.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        silence(&mut partition.error_message);
        partition.leader_epoch = partition.leader_epoch.min(0);
        partition.high_watermark = partition.high_watermark.min(1);
        for voter in &mut partition.current_voters {
            settle(&mut voter.replica_directory_id);
            voter.log_end_offset = voter.log_end_offset.min(1);
            voter.last_fetch_timestamp = voter.last_fetch_timestamp.min(1);
            voter.last_caught_up_timestamp = voter.last_caught_up_timestamp.min(1);
        }
    }
    for listener in reply.nodes.iter_mut().flat_map(|node| &mut node.listeners) {
        (listener.name, listener.host) = (blank(&listener.name), blank(&listener.host));
        listener.port = listener.port.min(1);
    }
}

fn produce(reply: &mut ProduceResponse) {
    reply.responses.sort_by(|a, b| (&a.name, a.topic_id).cmp(&(&b.name, b.topic_id)));
    for topic in &mut reply.responses {
        topic.partition_responses.sort_by_key(|p| p.index);
        for partition in &mut topic.partition_responses {
            partition.log_append_time_ms = partition.log_append_time_ms.min(0);
            silence(&mut partition.error_message);
            partition.record_errors.iter_mut().for_each(|e| silence(&mut e.batch_index_error_message));
        }
    }
}

fn fetch(reply: &mut FetchResponse) {
    reply.session_id = reply.session_id.min(1);
    reply.responses.sort_by(|a, b| (&a.topic, a.topic_id).cmp(&(&b.topic, b.topic_id)));
    reply.responses.iter_mut().for_each(|t| t.partitions.sort_by_key(|p| p.partition_index));
}

fn metadata(reply: &mut MetadataResponse) {
    reply.cluster_id = reply.cluster_id.as_ref().map(blank);
    reply.brokers.iter_mut().for_each(|b| b.port = b.port.min(1));
    reply.topics.sort_by(|a, b| (&a.name, a.topic_id).cmp(&(&b.name, b.topic_id)));
    for topic in &mut reply.topics {
        settle(&mut topic.topic_id);
        topic.partitions.sort_by_key(|p| p.partition_index);
    }
}

fn api_versions(reply: &mut ApiVersionsResponse) {
    reply.api_keys.retain(|api| SERVED.contains(&api.api_key));
    reply.api_keys.sort_by_key(|api| api.api_key);
    reply.supported_features.retain(|feature| &*feature.name == FEATURE);
    reply.finalized_features.retain(|feature| &*feature.name == FEATURE);
    // Of Kafka it is an offset in its metadata log.
    reply.finalized_features_epoch = reply.finalized_features_epoch.min(0);
}

fn create_topics(reply: &mut CreateTopicsResponse) {
    reply.topics.sort_by(|a, b| a.name.cmp(&b.name));
    for topic in &mut reply.topics {
        silence(&mut topic.error_message);
        settle(&mut topic.topic_id);
        if let Some(configs) = &mut topic.configs {
            configs.retain(|config| !OWN_SETTINGS.contains(&&*config.name));
            configs.sort_by(|a, b| a.name.cmp(&b.name));
            configs
                .iter_mut()
                .for_each(|config| config.config_source = settled(&config.name, config.config_source));
        }
    }
}

/// Kafka's controller sets one for all brokers when it makes a cluster, to the default that it has anyway.
fn settled(name: &str, source: i8) -> i8 {
    if name == MIN_ISR && source == OF_ALL_BROKERS { DEFAULT } else { source }
}

fn describe_configs(reply: &mut DescribeConfigsResponse) {
    reply
        .results
        .sort_by(|a, b| (a.resource_type, &a.resource_name).cmp(&(b.resource_type, &b.resource_name)));
    for result in &mut reply.results {
        silence(&mut result.error_message);
        result.configs.retain(|config| !OWN_SETTINGS.contains(&&*config.name));
        result.configs.sort_by(|a, b| a.name.cmp(&b.name));
        if result.resource_type == BROKER {
            result
                .configs
                .retain(|config| settled(&config.name, config.config_source) == config.config_source);
        }
        for config in &mut result.configs {
            config.config_source = settled(&config.name, config.config_source);
            config.synonyms.retain(|synonym| settled(&synonym.name, synonym.source) == synonym.source);
            config.documentation = config.documentation.as_ref().map(blank);
        }
    }
}
