//! Fetch (key 1), versions 4–18.
//!
//! - 4: isolation level. 5: log start offset. 7 (KIP-227): sessions. 9 (KIP-320): leader epochs. 10: zstd.
//! - 11 (KIP-392): rack. 12: flexible, divergence. 13 (KIP-516): topic ids. 15 (KIP-903): replica state. 16 (KIP-951):
//!   leader hints. 17 (KIP-853): directory ids. 18: a follower's high watermark.
//!
//! A fetch that finds fewer than `min_bytes` sleeps until a high watermark rises or its time is up. Replies carry
//! session 0, which every client takes as "no session"; a request that names one gets FETCH_SESSION_ID_NOT_FOUND.

use std::sync::Arc;
use std::time::Duration;

use protocol_compat::ErrorCode;
use protocol_compat::fetch_encode::{FetchPartitionReply, FetchReply, FetchTopicReply};
use protocol_compat::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol_compat::messages::{ApiKey, FetchRequest, StrBytes, Uuid, detached};
use storage::{Bound, LeaderEpoch, Offset, Part, ReadPlan, TopicId};

use super::error::{ToCode, epoch_error};
use super::reply::{Fetched, Records};
use super::{Api, Cx, Then};
use crate::partition::Partition;
use crate::partition::delayed::{Mark, any_rises};
use crate::security::{Operation, Resource};

pub(super) struct Fetch;

const READ_COMMITTED: i8 = 1;
const ISOLATION_LEVELS: std::ops::RangeInclusive<i8> = 0..=READ_COMMITTED;
/// The first version that names topics by their ids.
const BY_ID_FROM: i16 = 13;
/// Every epoch below zero is none.
const NO_EPOCH: i32 = -1;
/// Request epochs that ask for everything and no increment: -1 ends a session, 0 may begin one.
const FULL_FETCH_EPOCHS: std::ops::RangeInclusive<i32> = -1..=0;

impl Api for Fetch {
    const KEY: i16 = ApiKey::Fetch as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;
    type Req = FetchRequest;
    type Resp = Fetched;

    fn failed(reply: &Fetched) -> bool {
        reply.0.error != 0 || reply.0.topics.iter().flat_map(|t| &t.partitions).any(|p| p.error != 0)
    }

    fn begin(cx: &Cx, req: FetchRequest, version: i16) -> Then<Fetched> {
        if version >= 7 && !FULL_FETCH_EPOCHS.contains(&req.session_epoch) {
            return Then::Now(whole(ErrorCode::FetchSessionIdNotFound));
        }
        if !ISOLATION_LEVELS.contains(&req.isolation_level) {
            return Then::Now(no_such_isolation(&req, version));
        }
        let plan = Plan::new(cx, req, version);
        let (reply, outcome) = plan.read();
        if outcome.is_enough(&plan) {
            return Then::Now(reply);
        }
        Then::later(plan.wait())
    }
}

/// An answer about the whole request.
fn whole(error: ErrorCode) -> Fetched {
    Fetched(FetchReply { throttle_ms: 0, error: error.code(), session_id: 0, topics: Vec::new() })
}

/// Kafka has no code for a level that there is not.
fn no_such_isolation(req: &FetchRequest, version: i16) -> Fetched {
    let code = ErrorCode::UnknownServerError;
    let Fetched(mut reply) = whole(code);
    if version < BY_ID_FROM {
        let topic = |topic: &FetchTopic| FetchTopicReply {
            name: detached(&topic.topic),
            id: Uuid::nil(),
            partitions: topic.partitions.iter().map(|p| untouched(p.partition, code)).collect(),
        };
        reply.topics = req.topics.iter().map(topic).collect();
    }
    Fetched(reply)
}

/// What was never looked at has no aborted transactions, and Kafka says so.
fn untouched(index: i32, code: ErrorCode) -> FetchPartitionReply<Records> {
    FetchPartitionReply { aborted: Some(Vec::new()), ..FetchPartitionReply::failed(index, code.code()) }
}

/// What is asked, resolved to partitions; read again each time that data arrives.
struct Plan {
    topics: Vec<PlannedTopic>,
    /// Below zero it is an error.
    bytes_max: i64,
    bytes_min: usize,
    wait: Duration,
    bound: Bound,
    version: i16,
}

struct PlannedTopic {
    name: StrBytes,
    id: Uuid,
    partitions: Vec<(Asked, Result<Arc<Partition>, ErrorCode>)>,
}

/// What is asked of one partition; nothing else of the request outlives its turn.
struct Asked {
    index: i32,
    leader_epoch: i32,
    last_epoch: i32,
    offset: i64,
    bytes_max: i64,
}

impl From<FetchPartition> for Asked {
    fn from(p: FetchPartition) -> Self {
        Self {
            index: p.partition,
            leader_epoch: p.current_leader_epoch,
            last_epoch: p.last_fetched_epoch,
            offset: p.fetch_offset,
            bytes_max: i64::from(p.partition_max_bytes),
        }
    }
}

/// What one pass over the partitions found.
#[derive(Default)]
struct Outcome {
    bytes: usize,
    /// The first partition has been read.
    has_begun: bool,
    must_answer: bool,
}

impl Outcome {
    /// Kafka's rule: enough bytes, any error or divergence, nothing to read from, or no wait wanted.
    fn is_enough(&self, plan: &Plan) -> bool {
        self.must_answer || self.bytes >= plan.bytes_min || plan.wait.is_zero() || plan.is_empty()
    }
}

impl Plan {
    fn new(cx: &Cx, req: FetchRequest, version: i16) -> Self {
        let replica = if version >= 15 { req.replica_state.replica_id.0 } else { req.replica_id.0 };
        let bytes_max = i64::from(req.max_bytes).min(cx.broker.config.fetch_max_bytes as i64);
        // One without partitions is not answered.
        let topics = req.topics.into_iter().filter(|topic| !topic.partitions.is_empty());
        Self {
            version,
            topics: topics.map(|t| plan_topic(cx, t, version, replica)).collect(),
            bytes_max,
            bytes_min: usize::try_from(i64::from(req.min_bytes).min(bytes_max)).unwrap_or(0),
            wait: Duration::from_millis(u64::try_from(req.max_wait_ms).unwrap_or(0)),
            bound: if req.isolation_level == READ_COMMITTED { Bound::LastStable } else { Bound::HighWatermark },
        }
    }

    fn is_empty(&self) -> bool {
        self.topics.iter().all(|topic| topic.partitions.is_empty())
    }

    /// Clients of the first versions do not know the code of a broken disk; Kafka sends them elsewhere, too.
    fn code_for_version(&self, code: ErrorCode) -> ErrorCode {
        match code {
            ErrorCode::KafkaStorageError if self.version <= 5 => ErrorCode::NotLeaderOrFollower,
            other => other,
        }
    }

    /// Reads every partition once. The first that has data gives at least one whole batch, whatever the limits.
    fn read(&self) -> (Fetched, Outcome) {
        let mut outcome = Outcome::default();
        let topics = self
            .topics
            .iter()
            .map(|topic| FetchTopicReply {
                name: topic.name.clone(),
                id: topic.id,
                partitions: topic.partitions.iter().map(|(asked, found)| self.read_one(asked, found, &mut outcome)).collect(),
            })
            .collect();
        (Fetched(FetchReply { throttle_ms: 0, error: 0, session_id: 0, topics }), outcome)
    }

    fn read_one(
        &self,
        asked: &Asked,
        found: &Result<Arc<Partition>, ErrorCode>,
        outcome: &mut Outcome,
    ) -> FetchPartitionReply<Records> {
        let failed = |code| FetchPartitionReply::failed(asked.index, self.code_for_version(code).code());
        let reply = match found {
            Ok(partition) => self.read_partition(asked, partition, outcome).map_err(failed),
            Err(code) => Err(untouched(asked.index, *code)),
        };
        reply.unwrap_or_else(|failed| {
            outcome.must_answer = true;
            failed
        })
    }

    fn read_partition(
        &self,
        asked: &Asked,
        partition: &Partition,
        outcome: &mut Outcome,
    ) -> Result<FetchPartitionReply<Records>, ErrorCode> {
        let log = &partition.log;
        if let Some(code) = epoch_error(partition.check_epoch(asked.leader_epoch.max(NO_EPOCH))) {
            return Err(code);
        }
        if let Some(diverging) = diverging(asked, partition)? {
            outcome.must_answer = true;
            let marks = log.read(log.high_watermark(), 0, false, self.bound).map_err(|e| e.code())?;
            let reply = self.reply(asked, marks);
            return Ok(FetchPartitionReply { diverging: Some(diverging), ..reply });
        }
        let nothing_yet = outcome.bytes == 0;
        let left = self.bytes_max - outcome.bytes as i64;
        // Kafka trips over a limit below zero where there is something to read; behind the first partition it is zero.
        let bytes_left = if std::mem::replace(&mut outcome.has_begun, true) { left.max(0) } else { left };
        let limit = usize::try_from(asked.bytes_max.min(bytes_left)).ok();
        let read = log
            .read(Offset(asked.offset), limit.unwrap_or(0), nothing_yet || limit.is_none(), self.bound)
            .map_err(|e| e.code())?;
        if limit.is_none() && read.bytes > 0 {
            return Err(ErrorCode::UnknownServerError);
        }
        outcome.bytes += read.bytes;
        let parts = read.parts.iter().cloned().map(ready_to_send).collect::<Result<_, _>>()?;
        Ok(FetchPartitionReply { records: parts, ..self.reply(asked, read) })
    }

    /// Where the partition stands, without records.
    fn reply(&self, asked: &Asked, read: ReadPlan) -> FetchPartitionReply<Records> {
        let aborted = || read.aborted.unwrap_or_default().iter().map(|a| (a.producer_id.0, a.first_offset.0)).collect();
        FetchPartitionReply {
            index: asked.index,
            error: 0,
            high_watermark: read.high_watermark.0,
            last_stable: read.last_stable.0,
            log_start: read.start.0,
            aborted: (self.bound == Bound::LastStable).then(aborted),
            diverging: None,
            records: Vec::new(),
        }
    }

    /// Sleeps until there is enough or the time is up, then answers with what is there.
    async fn wait(self) -> Fetched {
        let deadline = tokio::time::Instant::now() + self.wait;
        loop {
            let marks = self.marks();
            let (reply, outcome) = self.read();
            if outcome.is_enough(&self) {
                return reply;
            }
            drop(reply);
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if !any_rises(&marks, left).await {
                return self.read().0;
            }
        }
    }

    /// Taken before the read that they guard: what arrives in between ends the sleep at once.
    fn marks(&self) -> Vec<Mark> {
        let found = self.topics.iter().flat_map(|t| &t.partitions).filter_map(|(_, found)| found.as_ref().ok());
        found.map(|p| Mark { log: p.log.clone(), seen: p.log.high_watermark() }).collect()
    }
}

/// File ranges up to this size are read and join the bytes around them: cheaper than a call of their own.
const INLINE_BYTES_MAX: usize = 32 << 10;

/// Small ranges are read here, where a disk that fails costs this partition alone.
fn ready_to_send(part: Part) -> Result<Records, ErrorCode> {
    if part.len() > INLINE_BYTES_MAX {
        return Ok(Records(part));
    }
    part.read().map(|bytes| Records(Part::Bytes(bytes))).map_err(|error| {
        tracing::error!(%error, "a segment cannot be read; check the disk");
        ErrorCode::KafkaStorageError
    })
}

/// KIP-320 for readers that say which epoch they read last: where their history and ours part. An epoch that the log has
/// never had, and an offset that it has no more, are out of range whatever the epochs say.
fn diverging(asked: &Asked, partition: &Partition) -> Result<Option<(i32, i64)>, ErrorCode> {
    if asked.last_epoch < 0 {
        return Ok(None);
    }
    let found = partition.log.epoch_end_offset(LeaderEpoch(asked.last_epoch));
    let (epoch, end) = found.ok_or(ErrorCode::OffsetOutOfRange)?;
    if asked.offset < partition.log.start_offset().0 {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let parted = epoch.0 < asked.last_epoch || end.0 < asked.offset;
    Ok(parted.then_some((epoch.0, end.0)))
}

fn plan_topic(cx: &Cx, topic: FetchTopic, version: i16, replica: i32) -> PlannedTopic {
    let by_id = version >= BY_ID_FROM;
    let image = &cx.seen.image;
    let found = if by_id {
        image.topic_by_id(TopicId(*topic.topic_id.as_bytes())).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic(&topic.topic).ok_or(ErrorCode::UnknownTopicOrPartition)
    };
    let found = found.and_then(|t| {
        if replica >= 0 {
            // A follower of a broker that has none.
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if cx.allow(Operation::Read, Resource::Topic(&t.name)) { Ok(t) } else { Err(ErrorCode::TopicAuthorizationFailed) }
    });
    let partitions = topic
        .partitions
        .into_iter()
        .map(|asked| {
            let open = found.and_then(|t| cx.broker.partitions.get(t, asked.partition).map_err(|e| e.code()));
            (Asked::from(asked), open)
        })
        .collect();
    PlannedTopic { name: detached(&topic.topic), id: topic.topic_id, partitions }
}
