//! Requests as whole frames, length prefix first.
//!
//! Invariant: the correlation id stands at `CORRELATION_AT`, so that a pre-encoded frame can be renumbered in place.

use std::ops::Range;

use super::reply::Assigned;
use super::{
    ALTER_CONFIGS, API_VERSIONS, Api, CLIENT_ID, CREATE_TOPICS, FETCH, FIND_COORDINATOR, GROUP_HEARTBEAT,
    METADATA, OFFSET_COMMIT, PRODUCE, Writer,
};

/// Where the correlation id stands in a frame: after the length, the API key and its version.
pub(crate) const CORRELATION_AT: usize = 8;

fn frame(api: Api, correlation_id: i32, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.i32(0);
    writer.i16(api.key);
    writer.i16(api.version);
    writer.i32(correlation_id);
    writer.short_string(CLIENT_ID);
    if api.flexible {
        writer.no_tags();
    }
    body(&mut writer);
    let mut bytes = writer.into_bytes();
    let len = (bytes.len() - 4) as i32;
    bytes[..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

pub(crate) fn api_versions(correlation_id: i32) -> Vec<u8> {
    frame(API_VERSIONS, correlation_id, |_| {})
}

/// Settings by name and value.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn create_topic(
    correlation_id: i32,
    topic: &str,
    partitions: i32,
    settings: Settings<'_>,
    timeout_ms: i32,
) -> Vec<u8> {
    frame(CREATE_TOPICS, correlation_id, |w| {
        w.compact_len(1);
        w.compact_string(topic);
        w.i32(partitions);
        w.i16(1); // replication factor
        w.compact_len(0); // assignments
        w.compact_len(settings.len());
        for (name, value) in settings {
            w.compact_string(name);
            w.compact_string(value);
            w.no_tags();
        }
        w.no_tags();
        w.i32(timeout_ms);
        w.bool(false); // validate only
        w.no_tags();
    })
}

/// Sets one setting of a topic.
pub(crate) fn alter_topic(correlation_id: i32, topic: &str, name: &str, value: &str) -> Vec<u8> {
    frame(ALTER_CONFIGS, correlation_id, |w| {
        w.compact_len(1);
        w.i8(2); // a topic
        w.compact_string(topic);
        w.compact_len(1);
        w.compact_string(name);
        w.i8(0); // set
        w.compact_string(value);
        w.no_tags();
        w.no_tags();
        w.bool(false); // validate only
        w.no_tags();
    })
}

/// Asks for one topic, or with `None` for the brokers alone; never creates.
pub(crate) fn metadata(correlation_id: i32, topic: Option<&str>) -> Vec<u8> {
    frame(METADATA, correlation_id, |w| {
        w.compact_len(usize::from(topic.is_some()));
        if let Some(topic) = topic {
            w.compact_string(topic);
            w.no_tags();
        }
        w.bool(false); // create missing topics
        w.bool(false); // operations on the cluster
        w.bool(false); // operations on topics
        w.no_tags();
    })
}

/// One batch for one partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Produce<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub acks: i16,
    pub timeout_ms: i32,
    pub batch: &'a [u8],
}

pub(crate) fn produce(correlation_id: i32, request: Produce<'_>) -> Vec<u8> {
    frame(PRODUCE, correlation_id, |w| {
        w.compact_null(); // transactional id
        w.i16(request.acks);
        w.i32(request.timeout_ms);
        w.compact_len(1);
        w.compact_string(request.topic);
        w.compact_len(1);
        w.i32(request.partition);
        w.compact_len(request.batch.len());
        w.raw(request.batch);
        w.no_tags();
        w.no_tags();
        w.no_tags();
    })
}

/// A fetch of one partition outside any session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetch<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub bytes_max: i32,
    pub wait_ms_max: i32,
}

pub(crate) fn fetch(correlation_id: i32, request: Fetch<'_>) -> Vec<u8> {
    let Fetch { topic, partition, offset, bytes_max, wait_ms_max } = request;
    let limits = Limits { wait_ms_max, bytes_max, partition_bytes_max: bytes_max };
    fetch_partitions(correlation_id, topic, partition..partition + 1, offset, limits)
}

/// The beginning of each of a topic's partitions, at once.
pub(crate) fn fetch_beginnings(
    correlation_id: i32,
    topic: &str,
    partitions: usize,
    partition_bytes_max: i32,
) -> Vec<u8> {
    let limits = Limits { wait_ms_max: 0, bytes_max: i32::MAX, partition_bytes_max };
    fetch_partitions(correlation_id, topic, 0..partitions as i32, 0, limits)
}

struct Limits {
    wait_ms_max: i32,
    bytes_max: i32,
    partition_bytes_max: i32,
}

fn fetch_partitions(
    correlation_id: i32,
    topic: &str,
    partitions: Range<i32>,
    offset: i64,
    limits: Limits,
) -> Vec<u8> {
    frame(FETCH, correlation_id, |w| {
        w.i32(-1); // replica id: a client
        w.i32(limits.wait_ms_max);
        w.i32(1); // the fewest bytes worth an answer
        w.i32(limits.bytes_max);
        w.i8(0); // isolation: read uncommitted
        w.i32(0); // session id
        w.i32(-1); // session epoch: none wanted
        w.compact_len(1);
        w.compact_string(topic);
        w.compact_len(partitions.len());
        for partition in partitions {
            w.i32(partition);
            w.i32(-1); // current leader epoch: unknown
            w.i64(offset);
            w.i32(-1); // last fetched epoch
            w.i64(-1); // log start offset of a follower
            w.i32(limits.partition_bytes_max);
            w.no_tags();
        }
        w.no_tags();
        w.compact_len(0); // forgotten topics
        w.compact_string(""); // rack
        w.no_tags();
    })
}

/// Asks who coordinates a group, which makes the topic that groups are kept in.
pub(crate) fn find_coordinator(correlation_id: i32, group: &str) -> Vec<u8> {
    frame(FIND_COORDINATOR, correlation_id, |w| {
        w.i8(0); // a group
        w.compact_len(1);
        w.compact_string(group);
        w.no_tags();
    })
}

/// A member of a group of the newer protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beat<'a> {
    pub group: &'a str,
    pub member: &'a str,
    pub epoch: i32,
}

/// A heartbeat that says nothing new.
pub(crate) fn heartbeat(correlation_id: i32, beat: Beat<'_>) -> Vec<u8> {
    group_heartbeat(correlation_id, beat, None)
}

/// One that says all: what the member reads, and what it has. A member that joins has nothing.
pub(crate) fn full_heartbeat(correlation_id: i32, beat: Beat<'_>, topic: &str, owned: &Assigned) -> Vec<u8> {
    group_heartbeat(correlation_id, beat, Some((topic, owned)))
}

fn group_heartbeat(correlation_id: i32, beat: Beat<'_>, says: Option<(&str, &Assigned)>) -> Vec<u8> {
    frame(GROUP_HEARTBEAT, correlation_id, |w| {
        w.compact_string(beat.group);
        w.compact_string(beat.member);
        w.i32(beat.epoch);
        w.compact_null(); // instance
        w.compact_null(); // rack
        w.i32(if says.is_some() { 60_000 } else { -1 }); // rebalance timeout
        match says {
            Some((topic, _)) => {
                w.compact_len(1);
                w.compact_string(topic);
            }
            None => w.compact_null(),
        }
        w.compact_null(); // pattern
        w.compact_null(); // assignor
        match says {
            Some((_, owned)) => {
                w.compact_len(owned.topics.len());
                for (id, partitions) in &owned.topics {
                    w.raw(id);
                    w.compact_len(partitions.len());
                    partitions.iter().for_each(|partition| w.i32(*partition));
                    w.no_tags();
                }
            }
            None => w.compact_null(),
        }
        w.no_tags();
    })
}

/// Commits one offset of one partition as a member.
pub(crate) fn offset_commit(
    correlation_id: i32,
    member: Beat<'_>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Vec<u8> {
    frame(OFFSET_COMMIT, correlation_id, |w| {
        w.compact_string(member.group);
        w.i32(member.epoch);
        w.compact_string(member.member);
        w.compact_null(); // instance
        w.compact_len(1);
        w.compact_string(topic);
        w.compact_len(1);
        w.i32(partition);
        w.i64(offset);
        w.i32(-1); // leader epoch
        w.compact_string(""); // metadata
        w.no_tags();
        w.no_tags();
        w.no_tags();
    })
}
