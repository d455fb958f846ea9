//! ListOffsets (key 2), versions 1–11.
//!
//! - 2: isolation level. 4 (KIP-320): leader epochs. 6: flexible. 7 (KIP-734): the record with the greatest timestamp.
//! - 8 (KIP-405): earliest local offset. 9: latest tiered offset. 10 (KIP-1075): timeout. 11: earliest pending upload.
//!
//! Nothing is tiered, so the earliest local offset is the start, and there is no tiered or pending one. A record that a
//! reader of this isolation level cannot fetch yet is not found. The answers' order of precedence is Kafka's: what is
//! not allowed, what is named twice, what this version cannot ask for, what does not exist.

use std::collections::{HashMap, HashSet};

use protocol_compat::ErrorCode;
use protocol_compat::messages::list_offsets_request::ListOffsetsPartition;
use protocol_compat::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use protocol_compat::messages::{ApiKey, ListOffsetsRequest, ListOffsetsResponse, TopicName};
use storage::{OffsetSpec, TimestampOffset};

use super::error::{ToCode, epoch_error};
use super::{Api, Cx, Then};
use crate::cluster::Topic;
use crate::security::{Operation, Resource};

pub(super) struct ListOffsets;

/// Whose records count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Isolation {
    Uncommitted,
    Committed,
}

impl Isolation {
    /// Kafka has no code for a level that there is not.
    fn of(level: i8) -> Result<Self, ErrorCode> {
        match level {
            0 => Ok(Self::Uncommitted),
            1 => Ok(Self::Committed),
            _ => Err(ErrorCode::UnknownServerError),
        }
    }
}

// Timestamps that ask for a place in the log instead of a time.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

impl Api for ListOffsets {
    const KEY: i16 = ApiKey::ListOffsets as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=11;
    type Req = ListOffsetsRequest;
    type Resp = ListOffsetsResponse;

    fn codes(reply: &ListOffsetsResponse) -> impl Iterator<Item = i16> {
        reply.topics.iter().flat_map(|t| &t.partitions).map(|p| p.error_code)
    }

    fn begin(cx: &Cx, req: ListOffsetsRequest, version: i16) -> Then<ListOffsetsResponse> {
        let isolation = Isolation::of(req.isolation_level);
        let twice = named_twice(&req);
        let mut answered = HashSet::new();
        let mut topics: Vec<ListOffsetsTopicResponse> = Vec::new();
        let mut places: HashMap<TopicName, usize> = HashMap::new();
        for asked in req.topics {
            let topic = find_topic(cx, &asked.name);
            let find = |p: &ListOffsetsPartition| {
                let topic = topic?;
                let committed = isolation? == Isolation::Committed;
                if twice.contains(&(asked.name.clone(), p.partition_index)) {
                    return Err(ErrorCode::InvalidRequest);
                }
                let question = Question::of(p.timestamp, version, committed)?;
                let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
                find_offset(cx, topic, p, question, committed)
            };
            // Each once, and a topic that is named twice is one.
            let once =
                asked.partitions.iter().filter(|p| answered.insert((asked.name.clone(), p.partition_index)));
            let mut partitions: Vec<_> = once.map(|p| answer(p, find(p), version)).collect();
            if partitions.is_empty() {
                continue;
            }
            match places.get(&asked.name) {
                Some(place) => topics[*place].partitions.append(&mut partitions),
                None => {
                    places.insert(asked.name.clone(), topics.len());
                    topics.push(
                        ListOffsetsTopicResponse::default().with_name(asked.name).with_partitions(partitions),
                    );
                }
            }
        }
        Then::Now(ListOffsetsResponse::default().with_topics(topics))
    }
}

/// Partitions that the request names more than once: none of their entries is answered.
fn named_twice(req: &ListOffsetsRequest) -> HashSet<(TopicName, i32)> {
    let mut once = HashSet::new();
    let all =
        req.topics.iter().flat_map(|t| t.partitions.iter().map(|p| (t.name.clone(), p.partition_index)));
    all.filter(|named| !once.insert(named.clone())).collect()
}

fn find_topic<'a>(cx: &'a Cx, name: &str) -> Result<Option<&'a Topic>, ErrorCode> {
    if !cx.allow(Operation::Describe, Resource::Topic(name)) {
        return Err(ErrorCode::TopicAuthorizationFailed);
    }
    Ok(cx.seen.image.topic(name).map(|topic| &**topic))
}

/// What a timestamp asks for.
#[derive(Clone, Copy)]
enum Question {
    Of(OffsetSpec),
    /// Something that no log here has.
    OfTieredStorage,
}

impl Question {
    fn of(timestamp: i64, version: i16, committed: bool) -> Result<Self, ErrorCode> {
        Ok(Self::Of(match (timestamp, version) {
            (LATEST, _) if committed => OffsetSpec::LastStable,
            (LATEST, _) => OffsetSpec::Latest,
            (EARLIEST, _) | (EARLIEST_LOCAL, 8..) => OffsetSpec::Earliest,
            (MAX_TIMESTAMP, 7..) => OffsetSpec::MaxTimestamp,
            (LATEST_TIERED, 9..) | (EARLIEST_PENDING_UPLOAD, 11..) => return Ok(Self::OfTieredStorage),
            (..0, _) => return Err(ErrorCode::UnsupportedVersion),
            (time, _) => OffsetSpec::Timestamp(time),
        }))
    }
}

fn find_offset(
    cx: &Cx,
    topic: &Topic,
    asked: &ListOffsetsPartition,
    question: Question,
    committed: bool,
) -> Result<Option<TimestampOffset>, ErrorCode> {
    let partition = cx.broker.partitions.get(topic, asked.partition_index).map_err(|e| e.code())?;
    if let Some(code) = epoch_error(partition.check_epoch(asked.current_leader_epoch)) {
        return Err(code);
    }
    let Question::Of(spec) = question else { return Ok(None) };
    let log = &partition.log;
    let found = log.offset_for(spec).map_err(|e| e.code())?;
    let is_of_a_record = matches!(spec, OffsetSpec::Timestamp(_) | OffsetSpec::MaxTimestamp);
    // A record behind the last stable offset may yet be aborted.
    let is_fetchable = |at: &TimestampOffset| !is_of_a_record || !committed || at.offset < log.last_stable();
    Ok(found.filter(is_fetchable))
}

fn answer(
    asked: &ListOffsetsPartition,
    found: Result<Option<TimestampOffset>, ErrorCode>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let base = ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    match found {
        Ok(Some(at)) => {
            let found = base.with_timestamp(at.timestamp).with_offset(at.offset.0);
            if version >= 4 { found.with_leader_epoch(at.leader_epoch.0) } else { found }
        }
        Ok(None) => base.with_timestamp(-1).with_offset(-1),
        Err(code) => base.with_error_code(code.code()).with_timestamp(-1).with_offset(-1),
    }
}
