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
use storage::{Bound, LeaderEpoch, Offset, TopicId};

use super::error::{ToCode, epoch_error};
use super::reply::{Fetched, Records};
use super::{Api, Cx, Then};
use crate::partition::Partition;
use crate::partition::delayed::{Mark, any_rises};
use crate::security::{Operation, Resource};

pub(super) struct Fetch;

const READ_COMMITTED: i8 = 1;
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

/// What is asked, resolved to partitions; read again each time that data arrives.
struct Plan {
    topics: Vec<PlannedTopic>,
    bytes_max: usize,
    bytes_min: usize,
    wait: Duration,
    bound: Bound,
}

struct PlannedTopic {
    name: StrBytes,
    id: Uuid,
    partitions: Vec<(FetchPartition, Result<Arc<Partition>, ErrorCode>)>,
}

/// What one pass over the partitions found.
#[derive(Default)]
struct Outcome {
    bytes: usize,
    must_answer: bool,
}

impl Outcome {
    /// Kafka's rule: enough bytes, any error or divergence, nothing to read from, or no wait wanted.
    fn is_enough(&self, plan: &Plan) -> bool {
        self.must_answer || self.bytes >= plan.bytes_min || plan.wait.is_zero() || plan.topics.is_empty()
    }
}

impl Plan {
    fn new(cx: &Cx, req: FetchRequest, version: i16) -> Self {
        let replica = if version >= 15 { req.replica_state.replica_id.0 } else { req.replica_id.0 };
        let bytes_max = usize::try_from(req.max_bytes).unwrap_or(0).min(cx.broker.config.fetch_max_bytes);
        Self {
            topics: req.topics.into_iter().map(|t| plan_topic(cx, t, version, replica)).collect(),
            bytes_max,
            bytes_min: usize::try_from(req.min_bytes).unwrap_or(0).min(bytes_max),
            wait: Duration::from_millis(u64::try_from(req.max_wait_ms).unwrap_or(0)),
            bound: if req.isolation_level == READ_COMMITTED { Bound::LastStable } else { Bound::HighWatermark },
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
        asked: &FetchPartition,
        found: &Result<Arc<Partition>, ErrorCode>,
        outcome: &mut Outcome,
    ) -> FetchPartitionReply<Records> {
        let result = match found {
            Ok(partition) => self.read_partition(asked, partition, outcome),
            Err(code) => Err(*code),
        };
        result.unwrap_or_else(|code| {
            outcome.must_answer = true;
            FetchPartitionReply::failed(asked.partition, code.code())
        })
    }

    fn read_partition(
        &self,
        asked: &FetchPartition,
        partition: &Partition,
        outcome: &mut Outcome,
    ) -> Result<FetchPartitionReply<Records>, ErrorCode> {
        let log = &partition.log;
        if let Some(code) = epoch_error(partition.check_epoch(asked.current_leader_epoch)) {
            return Err(code);
        }
        let bytes_max = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(self.bytes_max - outcome.bytes.min(self.bytes_max));
        let nothing_yet = outcome.bytes == 0;
        let read = log.read(Offset(asked.fetch_offset), bytes_max, nothing_yet, self.bound).map_err(|e| e.code())?;
        let mut reply = FetchPartitionReply {
            index: asked.partition,
            error: 0,
            high_watermark: read.high_watermark.0,
            last_stable: read.last_stable.0,
            log_start: read.start.0,
            aborted: (self.bound == Bound::LastStable).then(|| {
                read.aborted.unwrap_or_default().iter().map(|a| (a.producer_id.0, a.first_offset.0)).collect()
            }),
            diverging: diverging(asked, partition),
            records: Vec::new(),
        };
        if reply.diverging.is_some() {
            outcome.must_answer = true;
        } else {
            outcome.bytes += read.bytes;
            reply.records = read.parts.into_iter().map(Records).collect();
        }
        Ok(reply)
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

/// KIP-320 for readers that say which epoch they read last: where their history and ours part.
fn diverging(asked: &FetchPartition, partition: &Partition) -> Option<(i32, i64)> {
    if asked.last_fetched_epoch < 0 {
        return None;
    }
    let (epoch, end) = partition.log.epoch_end_offset(LeaderEpoch(asked.last_fetched_epoch))?;
    let parted = epoch.0 < asked.last_fetched_epoch || end.0 < asked.fetch_offset;
    parted.then_some((epoch.0, end.0))
}

fn plan_topic(cx: &Cx, topic: FetchTopic, version: i16, replica: i32) -> PlannedTopic {
    let by_id = version >= 13;
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
            (asked, open)
        })
        .collect();
    PlannedTopic { name: detached(&topic.topic), id: topic.topic_id, partitions }
}
