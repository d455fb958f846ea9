//! Produce (key 0), versions 3–13.
//!
//! - 3: the first with record batches of magic 2; older ones are refused, although ApiVersions names them (older
//!   librdkafka otherwise stops compressing).
//! - 5: log start offset in the reply. 7: zstd. 8 (KIP-467): errors by record. 9: flexible.
//! - 10 (KIP-951): leader hints, which one broker never needs. 11–12 (KIP-890): same bytes. 13 (KIP-516): topic ids.
//!
//! An idempotent producer's batch that is in the log already is answered with its first offset and its greatest time, once
//! the first one is durable; a gap in its sequences is 45, an epoch that was taken over 47.
//!
//! Deviations: data that cannot be decoded is answered with 87 where Kafka answers -1. Transactions are not served, so
//! transactional batches are refused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use protocol_compat::ErrorCode;
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use protocol_compat::messages::{ApiKey, ProduceRequest, ProduceResponse, TopicName, Uuid, detached};
use storage::{AppendError, Appended, BatchHeader, Codec, Effort, Offset, RecordError, Reject, Ticket};

use super::error::{ToCode, text};
use super::{Api, Broker, Cx, Then};
use crate::cluster::{Topic, topic_name};
use crate::metrics::Limit;
use crate::partition::{Partition, ProduceRefusal};
use crate::quotas::Client;
use crate::security::{Operation, Resource};

pub(super) struct Produce;

/// The first version that may carry zstd.
const ZSTD_FROM: i16 = 7;
/// A request judges compressed batches on the thread of its connection for so long; what remains is judged elsewhere, one
/// batch at a time, and the connection waits.
const INLINE: Duration = Duration::from_millis(10);
/// A flush may take this long before its records are called late.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// Kafka's own admin client may write to internal topics; nobody else.
const ADMIN_CLIENT_ID: &str = "__admin_client";

impl Api for Produce {
    const KEY: i16 = ApiKey::Produce as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;
    type Req = ProduceRequest;
    type Resp = ProduceResponse;

    fn codes(reply: &ProduceResponse) -> impl Iterator<Item = i16> {
        reply.responses.iter().flat_map(|t| &t.partition_responses).map(|p| p.error_code)
    }

    fn begin(cx: &Cx, mut req: ProduceRequest, version: i16) -> Then<ProduceResponse> {
        let refused = refuse_whole(cx, &req);
        if let Some(metered) = &cx.metered {
            // As Kafka, whatever becomes of it: it came.
            let (quotas, now) = (cx.seen.image.quotas(), cx.broker.env.clock.monotonic());
            cx.throttle(cx.broker.quotas.produced(quotas, &metered.client, cx.request_bytes, now));
        }
        let timed = cx.timed();
        let inline =
            Inline { zstd_allowed: version >= ZSTD_FROM, begun: cx.broker.env.clock.monotonic() };
        let mut topics: Vec<PendingTopic> =
            named(&mut req).map(|topic| begin_topic(cx, topic, version, inline, refused)).collect();
        let asked = Asked { acks: req.acks, patience: patience(cx, &req) };
        if !topics.iter().flat_map(|t| &t.partitions).any(PendingPartition::is_heavy) {
            return match cx.together {
                Some(_) => Then::AfterAppends(Box::new(move || decide(asked, topics))),
                None => decide(asked, topics),
            };
        }
        let broker = cx.broker.clone();
        Then::Gate(Box::pin(async move {
            for pending in topics.iter_mut().flat_map(|t| &mut t.partitions) {
                pending.judge(&broker, inline.zstd_allowed, timed.as_deref()).await;
            }
            decide(asked, topics)
        }))
    }
}

/// What of a request counts when its batches have been judged.
#[derive(Clone, Copy)]
struct Asked {
    acks: i16,
    patience: Duration,
}

/// What is judged at once, on the thread of the connection.
#[derive(Clone, Copy)]
struct Inline {
    zstd_allowed: bool,
    /// So long behind it no more compressed batches are.
    begun: Duration,
}

fn decide(asked: Asked, topics: Vec<PendingTopic>) -> Then<ProduceResponse> {
    let unplaced: Vec<Ticket> = tickets(&topics).filter(|ticket| !ticket.is_placed()).cloned().collect();
    let is_silent = asked.acks == 0;
    let then = if is_silent {
        // There is no reply to carry an error: Kafka closes the connection instead.
        if topics.iter().any(PendingTopic::failed) { Then::Close } else { Then::Silent }
    } else if topics.iter().all(PendingTopic::settled) {
        Then::Now(reply(topics))
    } else {
        // The time runs from here on, however many replies of the connection go before this one.
        let deadline = tokio::time::Instant::now() + asked.patience;
        Then::later(wait(topics, deadline))
    };
    if unplaced.is_empty() {
        return then;
    }
    Then::Placing(Box::pin(all_placed(unplaced, is_silent)), Box::new(then))
}

/// The topics of the request; one without partitions is not answered.
fn named(req: &mut ProduceRequest) -> impl Iterator<Item = TopicProduceData> + use<> {
    std::mem::take(&mut req.topic_data).into_iter().filter(|topic| !topic.partition_data.is_empty())
}

/// Waits until all have their place. False if one is refused and no reply tells of it.
async fn all_placed(mut tickets: Vec<Ticket>, is_silent: bool) -> bool {
    for ticket in &mut tickets {
        ticket.when_placed().await;
    }
    !is_silent || !tickets.iter().any(|ticket| matches!(ticket.peek(), Some(Err(_))))
}

/// The tickets of all that was appended.
fn tickets(topics: &[PendingTopic]) -> impl Iterator<Item = &Ticket> {
    topics.iter().flat_map(|t| &t.partitions).filter_map(|p| match &p.state {
        State::Appended(ticket) => Some(ticket),
        State::Heavy(..) | State::Failed { .. } => None,
    })
}

/// How long a reply may wait for the disk. The client's timeout is for replicas, which `acks=1` does not ask for; and no
/// client means to be told, of records that are kept, that they are late by less than a flush may take.
fn patience(cx: &Cx, req: &ProduceRequest) -> Duration {
    let own = Duration::from_millis(cx.broker.config.load().request_timeout_ms);
    match req.acks {
        1 => own,
        _ => Duration::from_millis(u64::try_from(req.timeout_ms).unwrap_or(0)).max(FLUSH_PATIENCE),
    }
}

/// An error that every partition of the request gets.
fn refuse_whole(cx: &Cx, req: &ProduceRequest) -> Option<ErrorCode> {
    if let Some(id) = &req.transactional_id
        && !cx.allow(Operation::Write, Resource::TransactionalId(id.as_str()))
    {
        return Some(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    if req.transactional_id.is_none() && has_transactional(req) {
        return Some(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    (!matches!(req.acks, -1..=1)).then_some(ErrorCode::InvalidRequiredAcks)
}

fn has_transactional(req: &ProduceRequest) -> bool {
    let batches = req.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let mut headers = batches.filter_map(|data| BatchHeader::parse(data.records.as_deref()?).ok());
    headers.any(|header| header.is_transactional())
}

struct PendingTopic {
    /// As the client named it, for the reply.
    name: TopicName,
    id: Uuid,
    partitions: Vec<PendingPartition>,
}

struct PendingPartition {
    index: i32,
    log_start: Offset,
    state: State,
}

enum State {
    Failed {
        code: ErrorCode,
        message: Option<String>,
        records: Vec<RecordError>,
    },
    Appended(Ticket),
    /// It is to be judged where nobody waits for it.
    Heavy(Arc<Partition>, Bytes),
}

impl PendingTopic {
    fn settled(&self) -> bool {
        self.partitions.iter().all(|p| match &p.state {
            State::Failed { .. } => true,
            State::Heavy(..) => false,
            State::Appended(ticket) => ticket.peek().is_some(),
        })
    }

    fn failed(&self) -> bool {
        self.partitions.iter().any(|p| match &p.state {
            State::Failed { .. } => true,
            State::Heavy(..) => false,
            State::Appended(ticket) => matches!(ticket.peek(), Some(Err(_))),
        })
    }
}

fn begin_topic(
    cx: &Cx,
    data: TopicProduceData,
    version: i16,
    inline: Inline,
    refused: Option<ErrorCode>,
) -> PendingTopic {
    let topic = match refused {
        Some(code) => Err(code),
        None => find_topic(cx, &data, version),
    };
    let partitions = data
        .partition_data
        .into_iter()
        .map(|partition| match &topic {
            Ok(topic) => begin_partition(cx, topic, partition, inline),
            Err(code) => PendingPartition::failed(partition.index, *code, None),
        })
        .collect();
    PendingTopic { name: TopicName(detached(&data.name)), id: data.topic_id, partitions }
}

fn find_topic<'a>(cx: &'a Cx, data: &TopicProduceData, version: i16) -> Result<&'a Topic, ErrorCode> {
    let image = &cx.seen.image;
    let topic = if version >= 13 {
        image.topic_by_id(storage::TopicId(*data.topic_id.as_bytes())).ok_or(ErrorCode::UnknownTopicId)?
    } else {
        image.topic(&data.name).ok_or(ErrorCode::UnknownTopicOrPartition)?
    };
    if !cx.allow(Operation::Write, Resource::Topic(&topic.name)) {
        return Err(ErrorCode::TopicAuthorizationFailed);
    }
    if topic_name::is_internal(&topic.name) && &*cx.client_id != ADMIN_CLIENT_ID {
        return Err(ErrorCode::InvalidTopicException);
    }
    Ok(topic)
}

fn begin_partition(cx: &Cx, topic: &Topic, data: PartitionProduceData, inline: Inline) -> PendingPartition {
    let index = data.index;
    let partition = match cx.broker.partitions.get(topic, index) {
        Ok(partition) => partition,
        Err(error) => return PendingPartition::failed(index, error.code(), Some(error.to_string())),
    };
    let batch = data.records.unwrap_or_default();
    if is_compressed(&batch) && cx.broker.env.clock.monotonic() >= inline.begun + INLINE {
        return PendingPartition::heavy(index, partition, batch);
    }
    let coming = Coming::to(&partition, &batch, inline.begun);
    match partition.produce(Effort::Light, batch.clone(), inline.zstd_allowed, cx.together.as_deref()) {
        Err(ProduceRefusal::Batch(Reject::Heavy)) => PendingPartition::heavy(index, partition, batch),
        produced => PendingPartition::produced(&cx.broker, index, &partition, coming, produced),
    }
}

/// What the metrics want to know of a batch before it is appended.
#[derive(Clone, Copy)]
struct Coming {
    bytes: usize,
    at: Duration,
    /// Where readers stand.
    high_watermark: i64,
}

impl Coming {
    fn to(partition: &Partition, batch: &[u8], at: Duration) -> Self {
        let high_watermark = partition.log.watch_high_watermark().value();
        Self { bytes: batch.len(), at, high_watermark }
    }
}

fn is_compressed(batch: &[u8]) -> bool {
    BatchHeader::parse(batch).is_ok_and(|header| header.codec() != Ok(Codec::None))
}

impl PendingPartition {
    fn heavy(index: i32, partition: Arc<Partition>, batch: Bytes) -> Self {
        Self { index, log_start: Offset(-1), state: State::Heavy(partition, batch) }
    }

    fn is_heavy(&self) -> bool {
        matches!(self.state, State::Heavy(..))
    }

    /// What became of a batch.
    fn produced(
        broker: &Broker,
        index: i32,
        partition: &Partition,
        coming: Coming,
        produced: Result<(Ticket, usize), ProduceRefusal>,
    ) -> Self {
        match produced {
            Ok((ticket, _)) if matches!(ticket.peek(), Some(Err(AppendError::NoSpace))) => {
                broker.metrics.limit(Limit::FreeSpace).hits.increment(1);
                Self::after_append(index, &AppendError::NoSpace, Offset(-1))
            }
            Ok((ticket, records)) => {
                broker.metrics.logs.appended(1, records, coming.bytes);
                partition.traffic.took_in(records, coming.bytes, coming.at, coming.high_watermark);
                Self { index, log_start: partition.log.start_offset(), state: State::Appended(ticket) }
            }
            Err(refusal) => {
                tracing::debug!(log = %partition.log.dir_name(), %refusal, "refused a batch");
                Self::refused(index, &refusal, partition.log.start_offset())
            }
        }
    }

    /// Judges a batch that is much work, when its turn comes. Others' work goes on meanwhile.
    #[expect(clippy::disallowed_methods, reason = "it takes a processor for as long as a second")]
    async fn judge(&mut self, broker: &Broker, zstd_allowed: bool, timed: Option<&Client>) {
        let State::Heavy(partition, batch) = &self.state else { return };
        let (partition, batch) = (partition.clone(), batch.clone());
        let Ok(turn) = broker.heavy_work.clone().acquire_owned().await else { return };
        let coming = Coming::to(&partition, &batch, broker.env.clock.monotonic());
        let judged = partition.clone();
        let clock = broker.env.clock.clone();
        let produce = move || {
            // Who asked may hang up meanwhile; the work goes on, and the next waits for its end.
            let _turn = turn;
            let began = clock.monotonic();
            let produced = judged.produce(Effort::Whole, batch, zstd_allowed, None);
            (produced, clock.monotonic().saturating_sub(began))
        };
        *self = match tokio::task::spawn_blocking(produce).await {
            Ok((produced, spent)) => {
                timed.inspect(|client| broker.spend(client, spent));
                Self::produced(broker, self.index, &partition, coming, produced)
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
    }

    fn failed(index: i32, code: ErrorCode, message: Option<String>) -> Self {
        Self { index, log_start: Offset(-1), state: State::Failed { code, message, records: Vec::new() } }
    }

    /// With what the log itself found wrong, Kafka tells where it starts.
    fn refused(index: i32, refusal: &ProduceRefusal, start: Offset) -> Self {
        let mut failed = Self::failed(index, refusal.code(), Some(refusal.to_string()));
        if let ProduceRefusal::Batch(reject) = refusal
            && let Reject::Invalid { .. } | Reject::Timestamp { .. } | Reject::NotCompressed { .. } = reject
        {
            failed.log_start = start;
        }
        if let (State::Failed { records, .. }, ProduceRefusal::Batch(reject)) = (&mut failed.state, refusal) {
            *records = reject.record_errors().to_vec();
        }
        failed
    }

    fn response(self) -> PartitionProduceResponse {
        let base = PartitionProduceResponse::default().with_index(self.index);
        match self.state {
            State::Failed { code, message, records } => base
                .with_error_code(code.code())
                .with_base_offset(-1)
                .with_log_append_time_ms(-1)
                .with_log_start_offset(self.log_start.0)
                .with_error_message(message.and_then(text))
                .with_record_errors(records.into_iter().map(record_error).collect()),
            State::Appended(ticket) => match ticket.peek() {
                Some(Ok(Appended { base: offset, append_time, .. })) => base
                    .with_base_offset(offset.0)
                    .with_log_append_time_ms(append_time)
                    .with_log_start_offset(self.log_start.0),
                Some(Err(error)) => Self::after_append(self.index, &error, self.log_start).response(),
                // The wait ended first. The record stays; the client may retry.
                None => Self::failed(self.index, ErrorCode::RequestTimedOut, None).response(),
            },
            State::Heavy(..) => unreachable!("every batch is judged before there is a reply"),
        }
    }

    fn after_append(index: i32, error: &AppendError, start: Offset) -> Self {
        let mut failed = Self::failed(index, error.code(), Some(error.to_string()));
        if error.is_the_producers() {
            failed.log_start = start;
        }
        failed
    }
}

fn record_error(error: RecordError) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage::default()
        .with_batch_index(error.index)
        .with_batch_index_error_message(text(error.message))
}

/// One wait after the other: they stand for the same flushes, so all but the first are nearly always over.
async fn wait(topics: Vec<PendingTopic>, deadline: tokio::time::Instant) -> ProduceResponse {
    let tickets: Vec<Ticket> = tickets(&topics).cloned().collect();
    let all = async {
        for ticket in tickets {
            // The outcome of each is read from its own ticket by `response`.
            let _ = ticket.await;
        }
    };
    let _ = tokio::time::timeout_at(deadline, all).await;
    reply(topics)
}

fn reply(topics: Vec<PendingTopic>) -> ProduceResponse {
    let responses = topics
        .into_iter()
        .map(|topic| {
            TopicProduceResponse::default()
                .with_name(topic.name)
                .with_topic_id(topic.id)
                .with_partition_responses(
                    topic.partitions.into_iter().map(PendingPartition::response).collect(),
                )
        })
        .collect();
    ProduceResponse::default().with_responses(responses)
}
